//! A file as an HTTP answer: whole, a part of it, or none; HEAD, `If-Range` and entity tags.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header},
};
use bytes::Bytes;
use futures::{StreamExt, stream};

use crate::large::Large;

/// Bytes that are there, or that are written while they are sent.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    Held(Bytes),
    Large(Large),
}

impl Source {
    pub(crate) fn size(&self) -> u64 {
        match self {
            Source::Held(bytes) => bytes.len() as u64,
            Source::Large(large) => large.size(),
        }
    }

    /// The bytes from `start` to `end`, which is excluded.
    fn body(self, start: u64, end: u64) -> Body {
        match self {
            Source::Held(bytes) => {
                let at = |place| usize::try_from(place).expect("a place in bytes that are in memory");
                Body::from(bytes.slice(at(start)..at(end)))
            }
            Source::Large(large) => Body::from_stream(
                stream::iter(large.pieces(start, end)).map(Ok::<_, std::convert::Infallible>),
            ),
        }
    }
}

/// A file to answer with.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) source: Source,
    pub(crate) mime_type: String,
    /// What it is called when it is saved; empty says nothing.
    pub(crate) name: String,
    pub(crate) etag: Option<String>,
}

/// What an answer has of its file: an extension of the response. The end is excluded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) size: u64,
}

/// How a server may get ranges wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manners {
    Right,
    /// Every answer is the whole.
    Ignores,
    /// Another part than the one that was asked for; `Content-Range` tells it.
    Elsewhere,
}

/// The part that a `Range` header asks for: start and end, both included.
fn range(header: &str, length: u64) -> Option<Result<(u64, u64), ()>> {
    let (start, end) = header.strip_prefix("bytes=")?.split_once('-')?;
    let last = length.checked_sub(1)?;
    Some(match (start.parse::<u64>(), end.parse::<u64>()) {
        (Ok(start), _) if start > last => Err(()),
        (Ok(start), Ok(end)) if start <= end => Ok((start, end.min(last))),
        (Ok(start), Err(_)) if end.is_empty() => Ok((start, last)),
        (Err(_), Ok(0)) if start.is_empty() => Err(()),
        (Err(_), Ok(suffix)) if start.is_empty() => Ok((length.saturating_sub(suffix), last)),
        _ => return None,
    })
}

impl File {
    /// The answer to a request with these headers.
    pub(crate) fn answer(self, method: &Method, asked: &HeaderMap, manners: Manners) -> Response<Body> {
        let length = self.source.size();
        let text = |name| asked.get(name).and_then(|value| value.to_str().ok());
        // RFC 9110: only GET has ranges, and a tag that is another one now makes the answer the whole.
        let current = text(header::IF_RANGE).is_none_or(|tag| self.etag.as_deref() == Some(tag));
        let wanted = text(header::RANGE)
            .filter(|_| method == Method::GET && current && manners != Manners::Ignores)
            .and_then(|wanted| range(wanted, length));
        let elsewhere = |(start, end): (u64, u64)| {
            if manners == Manners::Elsewhere && start > 0 { (0, end - start) } else { (start, end) }
        };
        let (status, start, end, content_range) = match wanted.map(|wanted| wanted.map(elsewhere)) {
            None => (StatusCode::OK, 0, length, None),
            Some(Ok((start, end))) => {
                (StatusCode::PARTIAL_CONTENT, start, end + 1, Some(format!("bytes {start}-{end}/{length}")))
            }
            Some(Err(())) => (StatusCode::RANGE_NOT_SATISFIABLE, 0, 0, Some(format!("bytes */{length}"))),
        };
        let body = if method == Method::HEAD { Body::empty() } else { self.source.body(start, end) };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        if method == Method::GET && status.is_success() {
            response.extensions_mut().insert(Part { start, end, size: length });
        }
        let headers = response.headers_mut();
        let mut set = |key, value: &str| {
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                headers.insert(key, value);
            }
        };
        set(header::CONTENT_TYPE, &self.mime_type);
        set(header::CONTENT_LENGTH, &(end - start).to_string());
        set(header::ACCEPT_RANGES, "bytes");
        set(header::CACHE_CONTROL, "private, max-age=86400, no-transform");
        if let Some(etag) = &self.etag {
            set(header::ETAG, etag);
        }
        if let Some(content_range) = content_range {
            set(header::CONTENT_RANGE, &content_range);
        }
        if !self.name.is_empty() {
            let plain: String =
                self.name.chars().filter(|c| c.is_ascii() && !c.is_ascii_control() && *c != '"').collect();
            set(header::CONTENT_DISPOSITION, &format!("attachment;filename=\"{plain}\""));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_http() {
        assert_eq!(range("bytes=0-9", 100), Some(Ok((0, 9))));
        assert_eq!(range("bytes=90-", 100), Some(Ok((90, 99))));
        assert_eq!(range("bytes=-10", 100), Some(Ok((90, 99))));
        assert_eq!(range("bytes=100-", 100), Some(Err(())));
        assert_eq!(range("lines=1-2", 100), None);
    }
}
