//! Whether bytes are a picture or a video at all, and which of them, by their first bytes.
//!
//! This is a guard against what is surely something else (an error page saved as a photo, a text file named `.jpg`), not a
//! judgement of the picture.

use charon_provider::{Kind, RemoteItem};

/// How many of the first bytes are looked at.
pub(crate) const HEAD_BYTES: usize = 1024;

/// What the first bytes look like, as a fragment that reads well after "its content"; `None` when they may be media.
///
/// `certain` says that the format is one whose first bytes are well known, so that anything unknown is refused; without it
/// (camera raw formats, say) only what is surely something else is.
pub(crate) fn not_media(head: &[u8], certain: bool) -> Option<&'static str> {
    if head.is_empty() {
        return Some("is empty");
    }
    if is_media(head) {
        return None;
    }
    match infer::get(head).map(|kind| kind.matcher_type()) {
        Some(infer::MatcherType::Archive) => return Some("is an archive"),
        Some(infer::MatcherType::Doc | infer::MatcherType::Book) => return Some("is a document"),
        Some(infer::MatcherType::Audio) => return Some("is audio"),
        Some(infer::MatcherType::App) => return Some("is a program"),
        Some(infer::MatcherType::Text) => return Some("is text (perhaps an error page)"),
        _ => {}
    }
    if is_text(head) {
        return Some("is text");
    }
    certain.then_some("is no picture or video that Charon knows")
}

/// How the first bytes contradict what the storage said of the item, as a fragment that reads well after "its content".
///
/// One kind of picture in place of another is no contradiction: storages convert. What one storage never converts into what is
/// for its provider to know.
pub(crate) fn contradiction(head: &[u8], item: &RemoteItem) -> Option<&'static str> {
    (item.kind == Kind::Video && kind(head) == Some(Kind::Photo))
        .then_some("is a picture in place of the video")
}

/// Whether the first bytes are those of a picture or of a video; `None` where they do not tell.
pub(crate) fn kind(head: &[u8]) -> Option<Kind> {
    match infer::get(head).map(|kind| kind.matcher_type()) {
        Some(infer::MatcherType::Image) => Some(Kind::Photo),
        Some(infer::MatcherType::Video) => Some(Kind::Video),
        // What else is in the container of ISO media is a video, but for the raw pictures of Canon.
        _ if is_iso_media(head) => {
            Some(if head.get(8..11) == Some(b"crx") { Kind::Photo } else { Kind::Video })
        }
        _ => None,
    }
}

/// The extension for a clip with these first bytes: those of Apple are `QuickTime`, all others MPEG-4.
pub(crate) fn clip_extension(head: &[u8]) -> &'static str {
    if head.get(4..8) == Some(b"ftyp") && head.get(8..12) != Some(b"qt  ") { ".mp4" } else { ".mov" }
}

/// Formats whose first bytes are well known, by extension.
pub(crate) fn is_well_known(extension: &str) -> bool {
    matches!(
        extension.to_ascii_lowercase().as_str(),
        "jpg"
            | "jpeg"
            | "jpe"
            | "png"
            | "gif"
            | "webp"
            | "bmp"
            | "tif"
            | "tiff"
            | "heic"
            | "heif"
            | "avif"
            | "ico"
    )
}

fn is_media(head: &[u8]) -> bool {
    let known = infer::get(head).map(|kind| kind.matcher_type());
    matches!(known, Some(infer::MatcherType::Image | infer::MatcherType::Video)) || is_iso_media(head)
}

/// The ISO base media family and its `QuickTime` ancestor: whatever the brand, the second word names a box.
fn is_iso_media(head: &[u8]) -> bool {
    head.get(4..8)
        .is_some_and(|word| [&b"ftyp"[..], b"moov", b"mdat", b"wide", b"free", b"skip"].contains(&word))
}

fn is_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // A character cut in half at the end is still text.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{c}'))
}

#[cfg(test)]
mod tests {
    use charon_provider::{Kind, RemoteId, RemoteItem};

    use super::{clip_extension, contradiction, kind, not_media};

    const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF";
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    const HEIC: &[u8] = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic";
    const MP4: &[u8] = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom";
    const MOV: &[u8] = b"\0\0\0\x14ftypqt  \0\0\0\0qt  ";
    const CR3: &[u8] = b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom";

    fn item(kind: Kind, mime_type: &str) -> RemoteItem {
        RemoteItem {
            id: RemoteId("id".into()),
            file_name: "name".into(),
            mime_type: mime_type.into(),
            kind,
            taken_at: None,
            width: None,
            height: None,
            size: None,
            has_clip: false,
            readiness: charon_provider::Readiness::Ready,
            description: None,
            camera: None,
            address: None,
        }
    }

    #[test]
    fn pictures_are_told_from_videos() {
        for (head, expected) in [
            (JPEG, Some(Kind::Photo)),
            (PNG, Some(Kind::Photo)),
            (HEIC, Some(Kind::Photo)),
            (CR3, Some(Kind::Photo)),
            (MP4, Some(Kind::Video)),
            (MOV, Some(Kind::Video)),
            (b"\0\0\0\x08wide\0\0\0\0mdat", Some(Kind::Video)),
            (b"\x01\x02\x03\x04\xff\xfe\xfd\0\0\0", None),
        ] {
            assert_eq!(kind(head), expected, "{head:?}");
        }
        assert_eq!(clip_extension(MP4), ".mp4");
        assert_eq!(clip_extension(MOV), ".mov");
        assert_eq!(clip_extension(b"\0\0\0\x08wide\0\0\0\0mdat"), ".mov");
    }

    #[test]
    fn a_picture_in_place_of_a_video_is_recognised_and_a_conversion_is_not() {
        let contradicts = |head, kind, mime| contradiction(head, &item(kind, mime)).is_some();
        assert!(contradicts(JPEG, Kind::Video, "video/mp4"));
        for (head, kind, mime) in [
            (JPEG, Kind::Photo, "image/heif"),
            (PNG, Kind::Photo, "image/webp"),
            (HEIC, Kind::Photo, "image/jpeg"),
            (MP4, Kind::Video, "video/quicktime"),
            (MP4, Kind::Photo, "image/gif"),
        ] {
            assert!(!contradicts(head, kind, mime), "{head:?} for {mime}");
        }
    }

    #[test]
    fn pictures_and_videos_pass() {
        for head in [
            &b"\xff\xd8\xff\xe0\0\x10JFIF"[..],
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
            b"\0\0\0\x18ftypXYZ9\0\0\0\0XYZ9",
            b"\0\0\0\x08wide\0\0\0\0mdat",
        ] {
            assert_eq!(not_media(head, true), None, "{head:?}");
        }
    }

    #[test]
    fn what_is_surely_something_else_does_not() {
        for (head, what) in [
            (&b""[..], "is empty"),
            (b"dear aunt,\nthe photos", "is text"),
            (b"<!DOCTYPE html><title>403</title>", "is text (perhaps an error page)"),
            (b"{\"error\": 1}", "is text"),
            (b"PK\x03\x04\x14\0\0\0\x08\0", "is an archive"),
            ("… déjà v".as_bytes(), "is text"),
        ] {
            assert_eq!(not_media(head, false), Some(what), "{head:?}");
        }
    }

    #[test]
    fn unknown_bytes_pass_only_where_the_format_is_not_well_known() {
        let head = b"\x01\x02\x03\x04\xff\xfe\xfd\0\0\0";
        assert_eq!(not_media(head, false), None);
        assert!(not_media(head, true).is_some());
    }
}
