//! What bytes are expected, and whether those that came are of that kind. An error page, a placeholder picture or a portal's
//! login form comes with a success status, too; stored under a photo's name it would look like one.

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// A photo of a format that Google never gives as a PNG or a GIF: those are what placeholders are made of.
    Photo,
    /// Any other photo.
    AnyPhoto,
    /// A video.
    Video,
    /// The clip beside a still.
    Clip,
}

/// What came instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    Nothing,
    Page,
    Picture,
}

/// What bytes look like from their beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Looks {
    Empty,
    Page,
    Jpeg,
    /// What placeholders are made of.
    PngOrGif,
    OtherPicture,
    Video,
    Unknown,
}

impl Misfit {
    /// Reads well as the cause of an error.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Nothing => "nothing came in place of the photo or video",
            Self::Page => "a web page or a text came in place of the photo or video",
            Self::Picture => "a placeholder picture came in place of the photo or video",
        }
    }
}

impl Expected {
    /// A photo of this media type, as Google gives it. It makes JPEGs of HEIC and raw formats, and PNGs of few others.
    pub(crate) fn photo(mime_type: &str) -> Self {
        match mime_type {
            ""
            | "image/png"
            | "image/apng"
            | "image/gif"
            | "image/bmp"
            | "image/x-bmp"
            | "image/x-ms-bmp"
            | "image/webp"
            | "image/tiff"
            | "image/ico"
            | "image/x-icon"
            | "image/vnd.microsoft.icon" => Self::AnyPhoto,
            _ => Self::Photo,
        }
    }

    /// What came instead, judged by the declared type and the first bytes (some tens of them, or all).
    pub(crate) fn misfit(self, content_type: &str, first: &[u8]) -> Option<Misfit> {
        let declared = content_type.to_ascii_lowercase();
        let looks = looks(first);
        match looks {
            Looks::Empty => return Some(Misfit::Nothing),
            Looks::Page => return Some(Misfit::Page),
            Looks::Unknown if is_text(&declared) => return Some(Misfit::Page),
            _ => {}
        }
        let is_placeholder = match self {
            Self::AnyPhoto => false,
            Self::Photo => {
                let declared = declared.starts_with("image/png") || declared.starts_with("image/gif");
                looks == Looks::PngOrGif || (declared && looks == Looks::Unknown)
            }
            Self::Video | Self::Clip => {
                let is_picture = matches!(looks, Looks::Jpeg | Looks::PngOrGif | Looks::OtherPicture);
                is_picture || (declared.starts_with("image/") && looks != Looks::Video)
            }
        };
        is_placeholder.then_some(Misfit::Picture)
    }

    /// The same of an answer that has a type and no bytes.
    pub(crate) fn misfit_of_type(self, content_type: &str) -> Option<Misfit> {
        self.misfit(content_type, &[0])
    }
}

fn is_text(declared: &str) -> bool {
    declared.starts_with("text/") || ["json", "html", "xml"].iter().any(|word| declared.contains(word))
}

fn looks(first: &[u8]) -> Looks {
    if first.is_empty() {
        return Looks::Empty;
    }
    if is_page(first) {
        return Looks::Page;
    }
    let begins = |magic: &[u8]| first.starts_with(magic);
    let has = |at: usize, magic: &[u8]| first.get(at..).is_some_and(|rest| rest.starts_with(magic));
    if begins(b"\xff\xd8\xff") {
        Looks::Jpeg
    } else if begins(b"\x89PNG") || begins(b"GIF8") {
        Looks::PngOrGif
    } else if has(4, b"ftyp") {
        let is_still = first.get(8..12).is_some_and(|brand| {
            [&b"heic"[..], b"heix", b"heim", b"heis", b"mif1", b"avif", b"crx "].contains(&brand)
        });
        if is_still { Looks::OtherPicture } else { Looks::Video }
    } else if begins(b"BM") || begins(b"II*\0") || begins(b"MM\0*") || (begins(b"RIFF") && has(8, b"WEBP")) {
        Looks::OtherPicture
    } else if begins(b"\x1a\x45\xdf\xa3")
        || begins(b"\0\0\x01\xba")
        || begins(b"\0\0\x01\xb3")
        || begins(b"\x30\x26\xb2\x75")
        || (begins(b"RIFF") && has(8, b"AVI "))
        || [&b"moov"[..], b"mdat", b"wide", b"free", b"skip"].iter().any(|atom| has(4, atom))
    {
        Looks::Video
    } else {
        Looks::Unknown
    }
}

/// Whether this is the beginning of HTML, XML or JSON. No format of photos or videos begins with readable text in a bracket.
fn is_page(first: &[u8]) -> bool {
    let text = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first).trim_ascii_start();
    let [bracket, rest @ ..] = text else { return first.iter().all(u8::is_ascii_whitespace) };
    let is_readable =
        rest.iter().all(|byte| *byte >= 0x80 || byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    match bracket {
        b'<' => rest.first().is_some_and(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'!' | b'?')),
        b'{' | b'[' => is_readable,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Expected, Misfit};

    const JPEG: &[u8] = b"\xff\xd8\xff\xe1";
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
    const GIF: &[u8] = b"GIF89a";
    const MP4: &[u8] = b"\0\0\0\x18ftypmp42";
    const HEIC: &[u8] = b"\0\0\0\x18ftypheic";

    #[test]
    fn the_type_and_the_first_bytes_tell_what_came() {
        use Expected::{AnyPhoto, Clip, Photo, Video};
        use Misfit::{Nothing, Page, Picture};
        for (expected, content_type, first, misfit) in [
            (AnyPhoto, "image/jpeg", &b""[..], Some(Nothing)),
            (AnyPhoto, "", b"<!doctype html><title>Sign in", Some(Page)),
            (AnyPhoto, "image/jpeg", b"\n  <HTML>", Some(Page)),
            (AnyPhoto, "", b"\xef\xbb\xbf<?xml", Some(Page)),
            (Video, "application/octet-stream", b"{\"error\": {", Some(Page)),
            (AnyPhoto, "", b"[1, 2]", Some(Page)),
            (AnyPhoto, "", b" \r\n ", Some(Page)),
            (AnyPhoto, "text/plain; charset=utf-8", b"not found", Some(Page)),
            (AnyPhoto, "text/html", b"???", Some(Page)),
            (AnyPhoto, "application/problem+json", b"???", Some(Page)),
            // Whatever a server calls them, these are a photo's bytes.
            (AnyPhoto, "text/plain", JPEG, None),
            (AnyPhoto, "", b"FUJIFILMCCD-RAW 0201FF", None),
            (AnyPhoto, "", b"[\x00\x01", None),
            (AnyPhoto, "", b"<\x00", None),
            (AnyPhoto, "image/png", PNG, None),
            (Photo, "image/jpeg", JPEG, None),
            (Photo, "application/octet-stream", b"??", None),
            (Photo, "image/png", JPEG, None),
            (Photo, "image/png", HEIC, None),
            (Photo, "image/png", PNG, Some(Picture)),
            (Photo, "image/jpeg", GIF, Some(Picture)),
            (Photo, "image/gif", b"??", Some(Picture)),
            (Video, "video/mp4", MP4, None),
            (Video, "image/jpeg", MP4, None),
            (Video, "", b"??", None),
            (Video, "image/jpeg", JPEG, Some(Picture)),
            (Video, "video/mp4", PNG, Some(Picture)),
            (Video, "image/heic", b"??", Some(Picture)),
            (Clip, "", HEIC, Some(Picture)),
        ] {
            let shown = format!("{expected:?} {content_type} {first:?}");
            assert_eq!(expected.misfit(content_type, first), misfit, "{shown}");
        }
        assert_eq!(Video.misfit_of_type("image/png"), Some(Picture));
        assert_eq!(Video.misfit_of_type("video/mp4"), None);
        assert_eq!(AnyPhoto.misfit_of_type("text/html"), Some(Page));
    }
}
