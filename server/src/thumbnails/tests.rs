//! What is drawn of which bytes, and how often.

use std::{
    fs::File,
    io::{BufReader, Cursor},
    sync::atomic::{AtomicU32, Ordering},
};

use charon_engine::{Error, Sha256};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};

use super::{NoPicture, Size, Thumbnails, drawing::draw_from};

/// A picture whose upper left quarter is red, and the rest blue.
fn picture(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        if x < width / 2 && y < height / 2 { Rgb([250, 10, 10]) } else { Rgb([10, 10, 250]) }
    })
}

fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).expect("it is encoded");
    bytes.into_inner()
}

/// A JPEG with this orientation in its EXIF.
fn turned(orientation: u8) -> Vec<u8> {
    let jpeg = encoded(picture(64, 32), ImageFormat::Jpeg);
    let mut exif = b"\xff\xe1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
    [&jpeg[..2], &exif, &jpeg[2..]].concat()
}

fn drawn(bytes: &[u8], size: Size) -> Result<RgbImage, NoPicture> {
    let thumbnail = draw_from(BufReader::new(Cursor::new(bytes)), size)?;
    assert!(thumbnail.starts_with(b"\xff\xd8\xff"), "it is a JPEG");
    Ok(image::load_from_memory(&thumbnail).expect("it can be decoded").into_rgb8())
}

fn is_red(image: &RgbImage, x: u32, y: u32) -> bool {
    let Rgb([red, _, blue]) = *image.get_pixel(x, y);
    red > 150 && blue < 100
}

#[test]
fn every_format_is_made_as_small_as_it_has_to_be() {
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Gif, ImageFormat::WebP] {
        let bytes = if format == ImageFormat::Gif {
            encoded(DynamicImage::ImageRgb8(picture(1000, 500)).into_rgba8(), format)
        } else {
            encoded(picture(1000, 500), format)
        };
        let small = drawn(&bytes, Size::GRID).unwrap_or_else(|why| panic!("{format:?}: {why}"));
        assert_eq!(small.dimensions(), (320, 160), "{format:?}");
        assert!(is_red(&small, 40, 40) && !is_red(&small, 280, 40) && !is_red(&small, 40, 120), "{format:?}");
        let large = drawn(&bytes, Size::LARGE).expect("drawn");
        assert_eq!(large.dimensions(), (1000, 500), "nothing is enlarged");
    }
}

#[test]
fn a_picture_is_turned_as_its_exif_says() {
    // Where the red quarter is when the picture is seen upright: EXIF 2.32, tag 0x0112.
    for (orientation, upright, (right, down)) in [
        (1, true, (false, false)),
        (2, true, (true, false)),
        (3, true, (true, true)),
        (4, true, (false, true)),
        (5, false, (false, false)),
        (6, false, (true, false)),
        (7, false, (true, true)),
        (8, false, (false, true)),
    ] {
        let image = drawn(&turned(orientation), Size::GRID).expect("drawn");
        let (width, height) = if upright { (64, 32) } else { (32, 64) };
        assert_eq!(image.dimensions(), (width, height), "{orientation}");
        for (x, is_right) in [(width / 4, false), (width * 3 / 4, true)] {
            for (y, is_down) in [(height / 4, false), (height * 3 / 4, true)] {
                assert_eq!(
                    is_red(&image, x, y),
                    (is_right, is_down) == (right, down),
                    "{orientation} {x} {y}"
                );
            }
        }
    }
}

#[test]
fn white_shines_through() {
    let image =
        RgbaImage::from_fn(700, 700, |x, _| if x < 350 { Rgba([0, 0, 0, 0]) } else { Rgba([0, 0, 0, 255]) });
    let small = drawn(&encoded(image, ImageFormat::Png), Size::GRID).expect("drawn");
    assert!(small.get_pixel(20, 20).0.iter().all(|light| *light > 240));
    assert!(small.get_pixel(300, 20).0.iter().all(|light| *light < 15));
}

#[test]
fn what_cannot_be_drawn_is_told_apart() {
    let whole = encoded(picture(64, 32), ImageFormat::Jpeg);
    for (bytes, why) in [
        (&b""[..], NoPicture::Damaged),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", NoPicture::Unknown),
        (b"\0\0\0\x18ftypmp42", NoPicture::Unknown),
        (b"this is a letter to my aunt", NoPicture::Unknown),
        (b"\xff\xd8\xff\xe0", NoPicture::Damaged),
        (&whole[..whole.len() / 2], NoPicture::Damaged),
        (b"\x89PNG\r\n\x1a\n", NoPicture::Damaged),
        (b"GIF89a", NoPicture::Damaged),
        (b"RIFF\x10\0\0\0WEBPVP8 ", NoPicture::Damaged),
    ] {
        assert_eq!(drawn(bytes, Size::GRID).expect_err("no picture"), why, "{bytes:?}");
    }
}

#[test]
fn a_bomb_takes_no_memory() {
    // A small picture that says it is large.
    let mut jpeg = encoded(picture(64, 32), ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|two| two == [0xff, 0xc0]).expect("a frame");
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]);
    assert_eq!(drawn(&jpeg, Size::GRID).expect_err("a bomb"), NoPicture::TooLarge);
    // Eight thousand by eight thousand, all coefficients of which would be held.
    jpeg[frame + 1] = 0xc2;
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0x1f, 0x40, 0x1f, 0x40]);
    assert_eq!(drawn(&jpeg, Size::GRID).expect_err("a bomb"), NoPicture::TooLarge);

    let mut gif = encoded(DynamicImage::ImageRgb8(picture(8, 8)).into_rgba8(), ImageFormat::Gif);
    gif[6..10].copy_from_slice(&[0xff; 4]);
    assert_eq!(drawn(&gif, Size::GRID).expect_err("a bomb"), NoPicture::TooLarge);

    let mut png = encoded(picture(8, 8), ImageFormat::Png);
    png[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    // Its header has a checksum.
    let sum = crc(&png[12..29]);
    png[29..33].copy_from_slice(&sum.to_be_bytes());
    assert_eq!(drawn(&png, Size::GRID).expect_err("a bomb"), NoPicture::TooLarge);
}

/// The checksum of a PNG's chunk.
fn crc(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| {
        (0..8).fold(
            sum ^ u32::from(*byte),
            |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 },
        )
    };
    !bytes.iter().fold(u32::MAX, step)
}

#[tokio::test]
async fn one_that_many_ask_for_is_drawn_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.png");
    std::fs::write(&file, encoded(picture(400, 300), ImageFormat::Png)).expect("a file");
    let thumbnails = Thumbnails::new(folder.path());
    let opened = AtomicU32::new(0);
    let ask = || {
        thumbnails.get(Sha256([1; 32]), Size::GRID, async || {
            opened.fetch_add(1, Ordering::Relaxed);
            Ok(File::open(&file).expect("a file"))
        })
    };
    let answers = futures::future::join_all((0..20).map(|_| ask())).await;
    let first = answers[0].as_ref().expect("opened").clone().expect("drawn");
    assert!(answers.iter().all(|answer| answer.as_ref().expect("opened").as_ref() == Ok(&first)));
    assert_eq!(opened.load(Ordering::Relaxed), 1);
    // Another process finds it on disk.
    let again = Thumbnails::new(folder.path());
    let found = again.get(Sha256([1; 32]), Size::GRID, async || panic!("it is there")).await;
    assert_eq!(found.expect("found").expect("drawn"), first);
    assert!(thumbnails.0.drawing().is_empty(), "no turn is left");
}

#[tokio::test]
async fn what_cannot_be_drawn_is_not_tried_again_and_what_cannot_be_opened_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.heic");
    std::fs::write(&file, b"\0\0\0\x18ftypheic\0\0\0\0mif1heic").expect("a file");
    let thumbnails = Thumbnails::new(folder.path());
    let gone = async || Err(Error::Destination("it is gone".into()));
    for _ in 0..2 {
        let answer = thumbnails.get(Sha256([1; 32]), Size::GRID, gone).await;
        assert!(matches!(answer, Err(Error::Destination(_))));
    }
    let answer =
        thumbnails.get(Sha256([1; 32]), Size::GRID, async || Ok(File::open(&file).expect("a file"))).await;
    assert_eq!(answer.expect("opened"), Err(NoPicture::Unknown));
    let answer = thumbnails.get(Sha256([1; 32]), Size::GRID, gone).await;
    assert_eq!(answer.expect("it is known"), Err(NoPicture::Unknown));
    // What cannot be read says nothing of what its bytes are.
    let folder_of_it = async || Ok(File::open(folder.path()).expect("a folder"));
    let answer = thumbnails.get(Sha256([2; 32]), Size::GRID, folder_of_it).await;
    assert_eq!(answer.expect("opened"), Err(NoPicture::Unreadable));
    std::fs::write(&file, encoded(picture(400, 300), ImageFormat::Png)).expect("a file");
    let answer =
        thumbnails.get(Sha256([2; 32]), Size::GRID, async || Ok(File::open(&file).expect("a file"))).await;
    assert!(answer.expect("opened").is_ok());
}
