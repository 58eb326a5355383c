//! The segments of a JPEG: finding EXIF and dimensions, putting EXIF in, padding to a size, and what `=d` does.

use image::{ExtendedColorType, RgbImage, codecs::jpeg::JpegEncoder};

use crate::{exif::strip_location, random::Random};

const EXIF_HEADER: &[u8] = b"Exif\0\0";

/// One marker segment: its marker byte and where its payload is.
struct Segment {
    marker: u8,
    start: usize,
    end: usize,
}

fn segments(jpeg: &[u8]) -> Vec<Segment> {
    let mut found = Vec::new();
    let mut at = 2;
    while jpeg.get(..2) == Some(b"\xFF\xD8") {
        let (Some(0xFF), Some(&marker)) = (jpeg.get(at), jpeg.get(at + 1)) else { break };
        if marker == 0xFF {
            at += 1; // a fill byte
            continue;
        }
        if marker == 0xDA || marker == 0xD9 {
            break; // the picture itself begins here
        }
        let (Some(&high), Some(&low)) = (jpeg.get(at + 2), jpeg.get(at + 3)) else { break };
        let length = usize::from(high) << 8 | usize::from(low);
        let end = at + 2 + length;
        if length < 2 || end > jpeg.len() {
            break;
        }
        found.push(Segment { marker, start: at + 4, end });
        at = end;
    }
    found
}

/// The TIFF block of the EXIF segment, if there is one.
pub fn exif_block(jpeg: &[u8]) -> Option<&[u8]> {
    segments(jpeg).iter().filter(|segment| segment.marker == 0xE1).find_map(|segment| {
        let payload = &jpeg[segment.start..segment.end];
        payload.strip_prefix(EXIF_HEADER)
    })
}

/// Width and height from the frame header; `None` when this is not a JPEG that could be shown.
pub fn dimensions(jpeg: &[u8]) -> Option<(u32, u32)> {
    segments(jpeg).iter().find_map(|segment| {
        let frame = matches!(segment.marker, 0xC0..=0xCF) && !matches!(segment.marker, 0xC4 | 0xC8 | 0xCC);
        let payload = jpeg.get(segment.start..segment.end).filter(|payload| frame && payload.len() >= 5)?;
        let height = u32::from(payload[1]) << 8 | u32::from(payload[2]);
        let width = u32::from(payload[3]) << 8 | u32::from(payload[4]);
        Some((width, height))
    })
}

/// Encodes pixels.
pub fn encode(pixels: &RgbImage, quality: u8) -> Vec<u8> {
    let mut out = Vec::new();
    JpegEncoder::new_with_quality(&mut out, quality)
        .encode(pixels.as_raw(), pixels.width(), pixels.height(), ExtendedColorType::Rgb8)
        .expect("pixels in memory of a size that JPEG allows can be encoded");
    out
}

/// Puts a TIFF block into a JPEG as its first segment.
pub fn with_exif(jpeg: &[u8], tiff: &[u8]) -> Vec<u8> {
    let payload = [EXIF_HEADER, tiff].concat();
    insert(jpeg, 0xE1, &payload)
}

fn insert(jpeg: &[u8], marker: u8, payload: &[u8]) -> Vec<u8> {
    let Ok(length) = u16::try_from(payload.len() + 2) else { return jpeg.to_vec() };
    let mut out = Vec::with_capacity(jpeg.len() + payload.len() + 4);
    out.extend(&jpeg[..2]);
    out.extend([0xFF, marker]);
    out.extend(length.to_be_bytes());
    out.extend(payload);
    out.extend(&jpeg[2..]);
    out
}

/// Puts a comment in front, which moves everything behind it.
pub(crate) fn commented(jpeg: &[u8], text: &str) -> Vec<u8> {
    insert(jpeg, 0xFE, text.as_bytes())
}

/// Pads a JPEG to exactly `size` bytes with comment segments of seeded noise (when it is at least 5 bytes smaller).
pub fn pad(jpeg: &[u8], size: usize, seed: u64) -> Vec<u8> {
    let exif_end =
        segments(jpeg).iter().find(|segment| segment.marker == 0xE1).map_or(2, |segment| segment.end);
    let mut out = Vec::with_capacity(size);
    out.extend(&jpeg[..exif_end]);
    let mut missing = size.saturating_sub(jpeg.len());
    let mut random = Random::new(seed);
    while missing >= 5 {
        // A segment is 4 bytes and its payload; what is left after it must be nothing or a whole segment.
        let mut payload = (missing - 4).min(65_000);
        let left = missing - 4 - payload;
        if (1..5).contains(&left) {
            payload -= 5;
        }
        out.extend([0xFF, 0xFE]);
        out.extend(u16::try_from(payload + 2).expect("at most 65,002").to_be_bytes());
        let start = out.len();
        out.resize(start + payload, 0);
        random.fill(&mut out[start..]);
        missing -= 4 + payload;
    }
    out.extend(&jpeg[exif_end..]);
    out
}

/// What `=d` makes of a picture: decoded and encoded again, with its EXIF but without the location.
///
/// A picture that cannot be decoded keeps its pixels; its location is still taken out.
pub fn download_copy(jpeg: &[u8]) -> Vec<u8> {
    let tiff = exif_block(jpeg).map(|tiff| {
        let mut tiff = tiff.to_vec();
        strip_location(&mut tiff);
        tiff
    });
    if let Some(pixels) = decode(jpeg) {
        let encoded = encode(&pixels, 82);
        return match tiff {
            Some(tiff) => with_exif(&encoded, &tiff),
            None => encoded,
        };
    }
    let mut out = jpeg.to_vec();
    let found = segments(jpeg)
        .into_iter()
        .find(|segment| segment.marker == 0xE1 && jpeg[segment.start..segment.end].starts_with(EXIF_HEADER));
    if let Some(segment) = found {
        strip_location(&mut out[segment.start + EXIF_HEADER.len()..segment.end]);
    }
    insert(&out, 0xFE, b"download copy")
}

/// Decoded pixels, for thumbnails.
pub fn decode(jpeg: &[u8]) -> Option<RgbImage> {
    image::load_from_memory_with_format(jpeg, image::ImageFormat::Jpeg).ok().map(|picture| picture.to_rgb8())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_reaches_every_size_and_stays_a_picture() {
        let small = with_exif(&encode(&RgbImage::new(16, 16), 80), b"II\x2A\0\x08\0\0\0\0\0\0\0\0\0");
        for size in [small.len() + 5, small.len() + 8, 100_000, 65_000 + small.len() + 6, 131_000] {
            let padded = pad(&small, size, 1);
            assert_eq!(padded.len(), size);
            assert_eq!(dimensions(&padded), Some((16, 16)));
            assert!(exif_block(&padded).is_some());
            assert!(decode(&padded).is_some());
        }
    }
}
