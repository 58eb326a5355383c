//! Whether bytes are a picture or a video at all, by their first bytes.
//!
//! This is a guard against what is surely something else (an error page saved as a photo, a text file named `.jpg`), not a
//! judgement of the picture.

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
    matches!(known, Some(infer::MatcherType::Image | infer::MatcherType::Video)) || is_quicktime(head)
}

/// The ISO base media family and its `QuickTime` ancestor: whatever the brand, the second word names a box.
fn is_quicktime(head: &[u8]) -> bool {
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
    use super::not_media;

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
