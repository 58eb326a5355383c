//! Entity tags: who edits something says which version has been seen, so that nobody's change is lost to another's.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{AppendHeaders, IntoResponse, Response},
};
use sha2::{Digest, Sha256};

use super::problem::Problem;

/// A strong entity tag, without its quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ETag(pub(crate) String);

impl ETag {
    /// The tag of a version that is known by a text of its own (a revision, a configuration).
    pub(crate) fn of(version: &str) -> Self {
        let hash = Sha256::digest(version.as_bytes());
        Self(hash.iter().take(12).fold(String::new(), |tag, byte| tag + &format!("{byte:02x}")))
    }

    /// As a header says it.
    pub(crate) fn header(&self) -> HeaderValue {
        HeaderValue::from_str(&format!("\"{}\"", self.0)).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
    }

    /// An answer with this tag.
    pub(crate) fn on(&self, answer: impl IntoResponse) -> Response {
        (AppendHeaders([(header::ETAG, self.header())]), answer).into_response()
    }
}

/// What `If-Match` says of the version that the one who edits has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IfMatch {
    /// Nothing: there is no such header.
    Absent,
    /// `*`: whichever there is.
    Any,
    /// One of these.
    OneOf(Vec<ETag>),
}

impl IfMatch {
    fn read(headers: &HeaderMap) -> Self {
        let mut tags = Vec::new();
        let mut is_there = false;
        for value in headers.get_all(header::IF_MATCH) {
            is_there = true;
            let text = value.to_str().unwrap_or_default();
            if text.trim() == "*" {
                return Self::Any;
            }
            let strong = text.split(',').filter_map(|tag| tag.trim().strip_prefix('"')?.strip_suffix('"'));
            tags.extend(strong.map(|tag| ETag(tag.to_owned())));
        }
        if is_there { Self::OneOf(tags) } else { Self::Absent }
    }

    /// Refuses another version than the one that is there now.
    ///
    /// # Errors
    /// 412 for another version; 428 where none is named.
    pub(crate) fn must_be(&self, now: &ETag) -> Result<(), Problem> {
        match self {
            Self::Absent => Err(Problem::new(
                StatusCode::PRECONDITION_REQUIRED,
                "say with If-Match which version you have seen: the ETag of its GET",
            )),
            _ => self.may_be(now),
        }
    }

    /// Refuses another version than the one that is there now, where one is named at all.
    ///
    /// # Errors
    /// 412 for another version.
    pub(crate) fn may_be(&self, now: &ETag) -> Result<(), Problem> {
        match self {
            Self::OneOf(seen) if !seen.contains(now) => Err(Problem::new(
                StatusCode::PRECONDITION_FAILED,
                "it has been changed since you have seen it; get it again, and make your change in what is there now",
            )),
            _ => Ok(()),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::read(&parts.headers))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};

    use super::{ETag, IfMatch};

    #[test]
    fn only_the_version_that_was_seen_is_changed() {
        let now = ETag::of("2");
        let read = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_MATCH, HeaderValue::from_static(text));
            IfMatch::read(&headers)
        };
        let right: &'static str = Box::leak(format!("\"other\", \"{}\"", now.0).into_boxed_str());
        assert!(read(right).must_be(&now).is_ok());
        assert!(read("*").must_be(&now).is_ok());
        let weak: &'static str = Box::leak(format!("W/\"{}\"", now.0).into_boxed_str());
        for other in ["\"other\"", "", weak] {
            let refused = read(other).must_be(&now).expect_err(other);
            assert_eq!(refused.status(), 412, "{other}");
        }
        assert_eq!(IfMatch::read(&HeaderMap::new()).must_be(&now).expect_err("none").status(), 428);
        assert!(IfMatch::read(&HeaderMap::new()).may_be(&now).is_ok());
    }
}
