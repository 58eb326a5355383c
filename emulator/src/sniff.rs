//! What uploaded bytes are: their type by magic, their size in pixels, and what their EXIF or movie header says.
//!
//! The upload itself checks nothing; what is not a picture or a video fails later, in batchCreate (facts §3).

use jiff::{Timestamp, civil::DateTime};

use crate::{exif::Exif, jpeg, video};

/// A picture's or a video's own metadata.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sniffed {
    /// MIME type.
    pub(crate) mime_type: &'static str,
    /// Pixels, if the format is one that is read here.
    pub(crate) dimensions: Option<(u32, u32)>,
    /// When it was taken: EXIF without a zone is read as UTC.
    pub(crate) taken_at: Option<Timestamp>,
    /// The rest of the EXIF.
    pub(crate) exif: Exif,
    /// Frames per second of a video.
    pub(crate) frames_per_second: Option<f64>,
}

impl Sniffed {
    /// Whether it is a video.
    pub(crate) fn is_video(&self) -> bool {
        self.mime_type.starts_with("video/")
    }
}

/// Looks at the beginning of a file (MP4: at all of it). `None`: neither a picture nor a video.
pub(crate) fn sniff(bytes: &[u8]) -> Option<Sniffed> {
    let mime_type = mime_type(bytes)?;
    let mut sniffed = Sniffed {
        mime_type,
        dimensions: None,
        taken_at: None,
        exif: Exif::default(),
        frames_per_second: None,
    };
    match mime_type {
        "image/jpeg" => {
            sniffed.dimensions = Some(jpeg::dimensions(bytes)?);
            if let Some(tiff) = jpeg::exif_block(bytes) {
                sniffed.exif = Exif::from_tiff(tiff);
            }
        }
        "image/tiff" => sniffed.exif = Exif::from_tiff(bytes),
        "image/png" => sniffed.dimensions = Some((big(bytes, 16)?, big(bytes, 20)?)),
        "image/gif" => sniffed.dimensions = Some((little(bytes, 6)? & 0xFFFF, little(bytes, 8)? & 0xFFFF)),
        "image/bmp" => sniffed.dimensions = Some((little(bytes, 18)?, little(bytes, 22)?)),
        "video/mp4" | "video/quicktime" | "video/3gpp" => {
            if let Some(movie) = video::read(bytes) {
                sniffed.dimensions = (movie.width > 0).then_some((movie.width, movie.height));
                sniffed.taken_at = movie.taken_at;
                sniffed.frames_per_second = movie.frames_per_second;
            }
        }
        _ => {}
    }
    sniffed.taken_at = sniffed.taken_at.or(sniffed.exif.taken_at.and_then(as_utc));
    Some(sniffed)
}

/// A camera's clock read as UTC: EXIF has no zone, and Google shows the clock's own time.
pub(crate) fn as_utc(at: DateTime) -> Option<Timestamp> {
    at.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|at| at.timestamp())
}

fn mime_type(bytes: &[u8]) -> Option<&'static str> {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    let riff = |kind: &[u8]| starts(b"RIFF") && bytes.get(8..12) == Some(kind);
    Some(match bytes {
        _ if starts(b"\xFF\xD8\xFF") => "image/jpeg",
        _ if starts(b"\x89PNG\r\n\x1A\n") => "image/png",
        _ if starts(b"GIF8") => "image/gif",
        _ if riff(b"WEBP") => "image/webp",
        _ if riff(b"AVI ") => "video/x-msvideo",
        _ if starts(b"II\x2A\0") || starts(b"MM\0\x2A") => "image/tiff",
        _ if starts(b"BM") && bytes.len() > 26 && bytes.get(6..10) == Some(&[0; 4]) => "image/bmp",
        _ if starts(b"\0\0\x01\0") => "image/x-icon",
        _ if starts(b"\x1A\x45\xDF\xA3") => "video/x-matroska",
        _ if starts(b"\x30\x26\xB2\x75\x8E\x66\xCF\x11") => "video/x-ms-wmv",
        _ if starts(b"\0\0\x01\xBA") || starts(b"\0\0\x01\xB3") => "video/mpeg",
        _ if starts(b"\x47") && bytes.get(188) == Some(&0x47) => "video/mp2t",
        _ if bytes.get(4..8) == Some(b"ftyp") => match bytes.get(8..12)? {
            b"heic" | b"heix" | b"mif1" | b"heim" | b"hevc" => "image/heif",
            b"avif" => "image/avif",
            b"qt  " => "video/quicktime",
            brand if brand.starts_with(b"3gp") => "video/3gpp",
            b"crx " => "image/x-canon-cr3",
            _ => "video/mp4",
        },
        _ if matches!(bytes.get(4..8), Some(b"moov" | b"mdat" | b"wide")) => "video/quicktime",
        _ => return None,
    })
}

fn big(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn little(bytes: &[u8], at: usize) -> Option<u32> {
    let mut four = [0; 4];
    let found = bytes.get(at..)?;
    let count = found.len().min(4);
    four[..count].copy_from_slice(&found[..count]);
    (count >= 2).then(|| u32::from_le_bytes(four))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_neither_a_picture_nor_a_video() {
        assert_eq!(sniff(b"hello, this is holiday.jpg"), None);
        assert_eq!(sniff(b""), None);
        assert_eq!(sniff(b"\xFF\xD8\xFF\xE0 but then nothing that is a picture"), None);
    }

    #[test]
    fn a_generated_picture_tells_its_date_and_camera() {
        let taken_at = Some("2020-02-29T12:00:00".parse().unwrap());
        let sniffed = sniff(&crate::picture::jpeg(9, 64, 48, taken_at, None)).unwrap();
        assert_eq!(sniffed.mime_type, "image/jpeg");
        assert_eq!(sniffed.dimensions, Some((64, 48)));
        assert_eq!(sniffed.taken_at.unwrap().to_string(), "2020-02-29T12:00:00Z");
        assert!(sniffed.exif.make.is_some());
    }
}
