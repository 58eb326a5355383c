//! From the bytes of a picture to its thumbnail, a JPEG. Blocks.
//!
//! A JPEG is decoded at an eighth, a quarter or a half of its size where that is enough, which is what makes it fast. Whatever the
//! bytes say of themselves, no more memory is taken than the limits allow.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek},
};

use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};
use image::{
    DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageError, ImageReader, Limits, RgbImage,
    codecs::jpeg::JpegEncoder, metadata::Orientation,
};
use jpeg_decoder::{CodingProcess, PixelFormat};

use super::Size;

/// The most pixels of a JPEG, which is never decoded whole if it is large.
const JPEG_PIXELS: u64 = 200_000_000;
/// The most that decoding one picture may take.
const MEMORY: u64 = 128 * 1024 * 1024;
/// A colour profile that is larger says more than a thumbnail needs.
const LARGEST_PROFILE: usize = 4096;
const QUALITY: u8 = 80;

/// Why there is no thumbnail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoPicture {
    /// It is of a format that is not drawn here.
    #[error("this format cannot be drawn")]
    Unknown,
    /// It says that it is of a format that it is not, or is cut off.
    #[error("the file is damaged, or not what its name says")]
    Damaged,
    /// It would take too much memory.
    #[error("the picture is too large to be drawn")]
    TooLarge,
    /// Its bytes cannot be read for now: that says nothing of them.
    #[error("the file cannot be read for now")]
    Unreadable,
}

impl NoPicture {
    /// Bytes that end too early are damaged; what else goes wrong with a file is not the fault of its bytes.
    fn of_reading(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::Other => Self::Damaged,
            _ => Self::Unreadable,
        }
    }

    fn of_jpeg(error: &jpeg_decoder::Error) -> Self {
        match error {
            jpeg_decoder::Error::Io(error) => Self::of_reading(error),
            _ => Self::Damaged,
        }
    }

    fn of_image(error: &ImageError) -> Self {
        match error {
            ImageError::Limits(_) => Self::TooLarge,
            ImageError::IoError(error) => Self::of_reading(error),
            _ => Self::Damaged,
        }
    }
}

/// Some pixels, and how they are to be turned.
struct Pixels {
    image: DynamicImage,
    orientation: Orientation,
    profile: Option<Vec<u8>>,
}

/// The thumbnail of a file.
pub(crate) fn draw(file: File, size: Size) -> Result<Vec<u8>, NoPicture> {
    draw_from(BufReader::with_capacity(256 * 1024, file), size)
}

/// The thumbnail of what is read.
pub(crate) fn draw_from<R: Read + Seek>(mut source: BufReader<R>, size: Size) -> Result<Vec<u8>, NoPicture> {
    let mut magic = [0; 3];
    source.read_exact(&mut magic).map_err(|error| NoPicture::of_reading(&error))?;
    source.rewind().map_err(|error| NoPicture::of_reading(&error))?;
    let pixels = if magic == [0xff, 0xd8, 0xff] { of_jpeg(source, size)? } else { of_other(source)? };
    let small = shrink(pixels.image, size)?;
    let mut small = DynamicImage::ImageRgb8(small);
    small.apply_orientation(pixels.orientation);
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, QUALITY);
    if let Some(profile) = pixels.profile.filter(|profile| profile.len() <= LARGEST_PROFILE) {
        // A picture without its profile is still one.
        encoder.set_icc_profile(profile).ok();
    }
    encoder
        .write_image(small.as_bytes(), small.width(), small.height(), ExtendedColorType::Rgb8)
        .map_err(|_| NoPicture::Damaged)?;
    Ok(bytes)
}

fn of_jpeg<R: Read>(source: R, size: Size) -> Result<Pixels, NoPicture> {
    let damaged = |error| NoPicture::of_jpeg(&error);
    let mut decoder = jpeg_decoder::Decoder::new(source);
    decoder.read_info().map_err(damaged)?;
    let info = decoder.info().ok_or(NoPicture::Damaged)?;
    let pixels = u64::from(info.width) * u64::from(info.height);
    let channels: u64 = match info.pixel_format {
        PixelFormat::L8 => 1,
        PixelFormat::L16 => 2,
        PixelFormat::RGB24 => 3,
        PixelFormat::CMYK32 => 4,
    };
    // Of a progressive one, every coefficient is held until the end.
    let held = match info.coding_process {
        CodingProcess::DctSequential => 0,
        CodingProcess::DctProgressive | CodingProcess::Lossless => pixels * channels * 2,
    };
    if pixels > JPEG_PIXELS || held > MEMORY {
        return Err(NoPicture::TooLarge);
    }
    let (width, height) = size.fit(info.width.into(), info.height.into());
    let narrow = |pixels: u32| u16::try_from(pixels).unwrap_or(u16::MAX);
    if info.coding_process != CodingProcess::Lossless {
        decoder.scale(narrow(width), narrow(height)).map_err(damaged)?;
    }
    let info = decoder.info().ok_or(NoPicture::Damaged)?;
    let most = usize::try_from(MEMORY).unwrap_or(usize::MAX);
    decoder.set_max_decoding_buffer_size(most);
    let bytes = decoder.decode().map_err(damaged)?;
    let after = decoder.info().unwrap_or(info);
    let (width, height) = (u32::from(after.width), u32::from(after.height));
    let image = match after.pixel_format {
        PixelFormat::L8 => image::GrayImage::from_raw(width, height, bytes).map(DynamicImage::ImageLuma8),
        PixelFormat::L16 => {
            // The first byte of two is the one that counts.
            let high =
                bytes.chunks_exact(2).map(|pair| u16::from_ne_bytes([pair[0], pair[1]]).to_be_bytes()[0]);
            image::GrayImage::from_raw(width, height, high.collect()).map(DynamicImage::ImageLuma8)
        }
        PixelFormat::RGB24 => RgbImage::from_raw(width, height, bytes).map(DynamicImage::ImageRgb8),
        PixelFormat::CMYK32 => {
            let rgb = bytes.chunks_exact(4).flat_map(|ink| rgb_of([ink[0], ink[1], ink[2], ink[3]]));
            RgbImage::from_raw(width, height, rgb.collect()).map(DynamicImage::ImageRgb8)
        }
    };
    let orientation = decoder.exif_data().and_then(Orientation::from_exif_chunk);
    Ok(Pixels {
        image: image.ok_or(NoPicture::Damaged)?,
        orientation: orientation.unwrap_or(Orientation::NoTransforms),
        profile: decoder.icc_profile().filter(|_| after.pixel_format == PixelFormat::RGB24),
    })
}

/// Ink as light. JPEGs have it the other way round.
fn rgb_of([c, m, y, k]: [u8; 4]) -> [u8; 3] {
    let light = |ink: u8| {
        let product = u32::from(255 - ink) * u32::from(255 - k) / 255;
        u8::try_from(product).unwrap_or(u8::MAX)
    };
    [light(c), light(m), light(y)]
}

fn of_other<R: Read + Seek>(source: BufReader<R>) -> Result<Pixels, NoPicture> {
    let reader = ImageReader::new(source).with_guessed_format();
    let reader = reader.map_err(|error| NoPicture::of_reading(&error))?;
    if reader.format().is_none_or(|format| !format.reading_enabled()) {
        return Err(NoPicture::Unknown);
    }
    let mut decoder = reader.into_decoder().map_err(|error| NoPicture::of_image(&error))?;
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MEMORY);
    if decoder.total_bytes() > MEMORY {
        return Err(NoPicture::TooLarge);
    }
    decoder.set_limits(limits).map_err(|_| NoPicture::TooLarge)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let profile = decoder.icc_profile().ok().flatten();
    let image = DynamicImage::from_decoder(decoder).map_err(|error| NoPicture::of_image(&error))?;
    let profile =
        profile.filter(|_| matches!(image, DynamicImage::ImageRgb8(_) | DynamicImage::ImageRgba8(_)));
    Ok(Pixels { image, orientation, profile })
}

/// Makes it as small as it has to be; what shines through is white.
fn shrink(image: DynamicImage, size: Size) -> Result<RgbImage, NoPicture> {
    let (width, height) = size.fit(image.width(), image.height());
    if image.color().has_alpha() {
        let image = image.into_rgba8();
        let small = resized(image.as_raw(), image.dimensions(), (width, height), PixelType::U8x4)?;
        let opaque = small.chunks_exact(4).flat_map(|pixel| {
            let alpha = u32::from(pixel[3]);
            let over_white = |light: u8| {
                let mixed = (u32::from(light) * alpha + 255 * (255 - alpha)) / 255;
                u8::try_from(mixed).unwrap_or(u8::MAX)
            };
            [over_white(pixel[0]), over_white(pixel[1]), over_white(pixel[2])]
        });
        return RgbImage::from_raw(width, height, opaque.collect()).ok_or(NoPicture::Damaged);
    }
    let image = image.into_rgb8();
    let small = resized(image.as_raw(), image.dimensions(), (width, height), PixelType::U8x3)?;
    RgbImage::from_raw(width, height, small).ok_or(NoPicture::Damaged)
}

fn resized(
    pixels: &[u8],
    (width, height): (u32, u32),
    to: (u32, u32),
    kind: PixelType,
) -> Result<Vec<u8>, NoPicture> {
    if (width, height) == to {
        return Ok(pixels.to_vec());
    }
    let source = ImageRef::new(width, height, pixels, kind).map_err(|_| NoPicture::Damaged)?;
    let mut small = Image::new(to.0, to.1, kind);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom));
    Resizer::new().resize(&source, &mut small, &options).map_err(|_| NoPicture::Damaged)?;
    Ok(small.into_vec())
}
