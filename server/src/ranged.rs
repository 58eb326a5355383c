//! Answers with the bytes of a file, or with a part of them (RFC 9110, ranges): one range at a time. Whatever the bytes are, a browser
//! runs nothing in them.

use std::{io, ops::Range};

use axum::body::Bytes;
use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::stream::BoxStream;

use crate::api::{etag::ETag, problem::Problem};

/// What a document from somewhere else may do here: nothing. Styles are those of the browser's own page around a picture.
pub(crate) const POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");
/// Media types that a browser shows without running anything, with the extensions of their files.
const SAFE: [(&str, &[&str]); 14] = [
    ("image/jpeg", &["jpg", "jpeg", "jpe", "jfif"]),
    ("image/png", &["png"]),
    ("image/gif", &["gif"]),
    ("image/webp", &["webp"]),
    ("image/avif", &["avif"]),
    ("image/heic", &["heic"]),
    ("image/heif", &["heif"]),
    ("image/tiff", &["tif", "tiff"]),
    ("image/bmp", &["bmp"]),
    ("video/mp4", &["mp4", "m4v"]),
    ("video/quicktime", &["mov", "qt"]),
    ("video/webm", &["webm"]),
    ("video/x-matroska", &["mkv"]),
    ("video/3gpp", &["3gp"]),
];

/// A file that is asked for.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) length: u64,
    /// Of these bytes and no others.
    pub(crate) etag: ETag,
    /// The name that it is saved under.
    pub(crate) name: String,
    /// What it is said to be.
    pub(crate) mime_type: String,
    /// Whether it is to be saved rather than shown.
    pub(crate) is_download: bool,
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Whole,
    Part(Range<u64>),
    /// A part that there is not.
    Nothing,
    /// What the one who asks has already.
    Known,
}

impl Served {
    /// The answer to a request with these headers; `read` gives some of the bytes.
    pub(crate) async fn answer(
        self,
        asked: &HeaderMap,
        read: impl AsyncFnOnce(Range<u64>) -> io::Result<BoxStream<'static, io::Result<Bytes>>>,
    ) -> Response {
        let length = self.length;
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.insert(header::ETAG, self.etag.header());
        // It may be kept, and is asked for anew each time: somebody may have logged out.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        let (status, part) = match wanted(asked, length, &self.etag) {
            Wanted::Known => return (StatusCode::NOT_MODIFIED, headers).into_response(),
            Wanted::Nothing => {
                let words = format!("the file has {length} bytes, and none in this range");
                let mut response = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, words).into_response();
                response.headers_mut().insert(header::CONTENT_RANGE, number(&format!("bytes */{length}")));
                return response;
            }
            Wanted::Whole => (StatusCode::OK, 0..length),
            Wanted::Part(part) => {
                let range = format!("bytes {}-{}/{length}", part.start, part.end - 1);
                headers.insert(header::CONTENT_RANGE, number(&range));
                (StatusCode::PARTIAL_CONTENT, part)
            }
        };
        headers.insert(header::CONTENT_LENGTH, number(&(part.end - part.start).to_string()));
        describe(&mut headers, &self.name, &self.mime_type, self.is_download);
        match read(part).await {
            Ok(bytes) => (status, headers, Body::from_stream(bytes)).into_response(),
            Err(error) => {
                tracing::error!(%error, "a file could not be read");
                let words = "the file could not be read; the log of Charon says why";
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, words).into_response()
            }
        }
    }
}

/// Says of bytes from somewhere else what they are, and that nothing in them is to be run.
pub(crate) fn describe(headers: &mut HeaderMap, name: &str, mime_type: &str, is_download: bool) {
    let media_type = safe_type(name, mime_type);
    let shown = media_type.filter(|_| !is_download);
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(media_type.unwrap_or("application/octet-stream")),
    );
    headers.insert(header::CONTENT_DISPOSITION, disposition(name, shown.is_none()));
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
}

/// The media type, if it is one of those that are safe. What the extension says goes before what was said.
fn safe_type(name: &str, mime_type: &str) -> Option<&'static str> {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    let by_extension = extension
        .and_then(|extension| SAFE.iter().find(|(_, extensions)| extensions.contains(&extension.as_str())));
    let known = by_extension.or_else(|| SAFE.iter().find(|(known, _)| *known == mime_type));
    known.map(|(known, _)| *known)
}

/// `Content-Disposition` (RFC 6266), with the name for old and for new readers.
fn disposition(name: &str, is_download: bool) -> HeaderValue {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ' | '(' | ')') { c } else { '_' }
    };
    let plain: String = name.chars().map(plain).collect();
    let mut encoded = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    let kind = if is_download { "attachment" } else { "inline" };
    let text = format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{encoded}");
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("attachment"))
}

fn number(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("0"))
}

/// Whether the one who asks has these bytes already (`If-None-Match`).
pub(crate) fn is_known(asked: &HeaderMap, etag: &ETag) -> bool {
    let known = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = known.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == format!("\"{}\"", etag.0))
}

fn wanted(asked: &HeaderMap, length: u64, etag: &ETag) -> Wanted {
    if is_known(asked, etag) {
        return Wanted::Known;
    }
    let text =
        |name: header::HeaderName| asked.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let own = format!("\"{}\"", etag.0);
    let Some(range) = text(header::RANGE) else { return Wanted::Whole };
    // A part of other bytes is of no use; a weak tag, or a date, does not say that they are the same.
    if text(header::IF_RANGE).is_some_and(|condition| condition != own) {
        return Wanted::Whole;
    }
    part(range, length)
}

/// One range of bytes. Several at once, and what is no range, are as if nothing was asked for.
fn part(range: &str, length: u64) -> Wanted {
    let digits = |text: &str| -> Option<Option<u64>> {
        if text.is_empty() {
            return Some(None);
        }
        let are_digits = text.bytes().all(|byte| byte.is_ascii_digit());
        // More digits than fit are more bytes than there are.
        are_digits.then(|| Some(text.parse().unwrap_or(u64::MAX)))
    };
    let bounds = range
        .split_once('=')
        .filter(|(unit, _)| unit.trim().eq_ignore_ascii_case("bytes"))
        .and_then(|(_, bounds)| bounds.trim().split_once('-'))
        .and_then(|(first, last)| Some((digits(first.trim())?, digits(last.trim())?)));
    match bounds {
        None | Some((None, None)) => Wanted::Whole,
        Some((None, Some(last))) if last == 0 || length == 0 => Wanted::Nothing,
        Some((None, Some(last))) => Wanted::Part(length.saturating_sub(last)..length),
        Some((Some(first), Some(last))) if last < first => Wanted::Whole,
        Some((Some(first), _)) if first >= length => Wanted::Nothing,
        Some((Some(first), last)) => {
            Wanted::Part(first..last.map_or(length, |last| last.saturating_add(1).min(length)))
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};

    use super::{Wanted, disposition, part, safe_type, wanted};
    use crate::api::etag::ETag;

    #[test]
    fn a_range_is_read_as_the_rfc_says() {
        for (range, found) in [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=0-", Wanted::Part(0..10)),
            ("bytes=3-5", Wanted::Part(3..6)),
            ("bytes=3-99999999999999999999999", Wanted::Part(3..10)),
            ("bytes=-4", Wanted::Part(6..10)),
            ("bytes=-40", Wanted::Part(0..10)),
            ("Bytes = 9 - 9", Wanted::Part(9..10)),
            ("bytes=10-", Wanted::Nothing),
            ("bytes=99999999999999999999999-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=5-3", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=0-1,4-5", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("items=0-1", Wanted::Whole),
            ("", Wanted::Whole),
        ] {
            assert_eq!(part(range, 10), found, "{range}");
        }
        assert_eq!(part("bytes=0-", 0), Wanted::Nothing);
        assert_eq!(part("bytes=-1", 0), Wanted::Nothing);
    }

    #[test]
    fn a_part_is_given_of_the_same_bytes_alone() {
        let etag = ETag("abc".into());
        let asked = |fields: &[(header::HeaderName, &'static str)]| {
            let fields = fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
            wanted(&fields.collect::<HeaderMap>(), 10, &etag)
        };
        let range = (header::RANGE, "bytes=0-4");
        assert_eq!(asked(&[range.clone(), (header::IF_RANGE, "\"abc\"")]), Wanted::Part(0..5));
        for other in ["\"abd\"", "W/\"abc\"", "Sat, 28 Nov 2026 09:25:00 GMT"] {
            assert_eq!(asked(&[range.clone(), (header::IF_RANGE, other)]), Wanted::Whole, "{other}");
        }
        for same in ["\"abc\"", "\"x\", W/\"abc\"", "*"] {
            assert_eq!(asked(&[range.clone(), (header::IF_NONE_MATCH, same)]), Wanted::Known, "{same}");
        }
        assert_eq!(asked(&[(header::IF_NONE_MATCH, "\"x\"")]), Wanted::Whole);
    }

    #[test]
    fn nothing_is_shown_that_a_browser_would_run() {
        for (name, mime_type, media_type) in [
            ("a.JPG", "text/html", Some("image/jpeg")),
            ("a", "image/png", Some("image/png")),
            ("a.svg", "image/svg+xml", None),
            ("a.html", "text/html", None),
            ("a.cr2", "image/x-canon-cr2", None),
        ] {
            assert_eq!(safe_type(name, mime_type), media_type, "{name}");
        }
        let told = disposition("Träne\"; \r\nx.jpg", false);
        assert_eq!(
            told.to_str().expect("text"),
            "inline; filename=\"Tr_ne__ __x.jpg\"; filename*=UTF-8''Tr%C3%A4ne%22%3B%20%0D%0Ax.jpg"
        );
        assert!(disposition("../../etc/passwd", true).to_str().expect("text").contains("\"passwd\""));
    }
}
