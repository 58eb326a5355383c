//! An upload session as it is kept: where it is, and what the server wants of it.

use charon_provider::{Class, Error, Reason, Session};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use url::Url;

use super::DOING;
use crate::{error, error::Subject, http::Answer};

/// What Google documents, for a server that does not say.
const USUAL_GRANULARITY: u64 = 256 * 1024;
/// About as long is a chunk at the least. None is held in memory, and a broken one is sent again from where the server has it.
const CHUNK: u64 = 64 * 1024 * 1024;
/// Each chunk costs one of the day's 10,000 requests, so a file of 20 GB goes up in larger ones.
const MOST_CHUNKS: u64 = 64;

/// How many chunks so many bytes go up in, if the server wants what Google documents.
pub(super) fn usual_chunks(length: u64) -> u32 {
    u32::try_from(length.div_ceil(whole_chunk(USUAL_GRANULARITY, length))).unwrap_or(u32::MAX)
}

/// How long every chunk but the last is.
fn whole_chunk(granularity: u64, length: u64) -> u64 {
    let steps = (CHUNK / granularity).max(length.div_ceil(MOST_CHUNKS).div_ceil(granularity));
    granularity.saturating_mul(steps.max(1))
}

/// A session that has begun. Whoever has its URL may write to it.
pub(super) struct UploadSession {
    pub(super) url: Url,
    granularity: u64,
    length: u64,
}

/// The same as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    url: String,
    granularity: u64,
    length: u64,
}

/// How far the server says that a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Active,
    Final,
    Cancelled,
    Unsaid,
}

impl UploadSession {
    /// Reads the answer that begins a session.
    pub(super) fn begun(answer: &Answer, api: &Url, length: u64) -> Result<Self, Error> {
        let unreadable = |words| error::unreadable(DOING, Subject::Bytes, words);
        let url = answer
            .header("x-goog-upload-url")
            .and_then(|text| Url::parse(text).ok())
            .ok_or_else(|| unreadable("the answer does not say where the bytes go"))?;
        if matches!(status(answer), Status::Final | Status::Cancelled) {
            return Err(unreadable("Google has closed the upload session at once"));
        }
        if !is_of(api, &url) {
            let words = "the server sends the bytes, and with them the access token, to another server than the API's";
            return Err(Error::new(Class::Config, DOING, words).cured_by(
                "let api_url name the server that answers for itself, or leave it blank for Google's",
            ));
        }
        let granularity = answer
            .header("x-goog-upload-chunk-granularity")
            .and_then(|text| text.parse().ok())
            .filter(|granularity| *granularity > 0)
            .unwrap_or(USUAL_GRANULARITY);
        Ok(Self { url, granularity, length })
    }

    /// Reads a session that was kept; `None` if it is not of this API or not for so many bytes.
    pub(super) fn kept(session: &Session, api: &Url, length: u64) -> Option<Self> {
        let kept: Kept = serde_json::from_str(session.0.expose_secret()).ok()?;
        let url = Url::parse(&kept.url).ok()?;
        let fits = kept.length == length && kept.granularity > 0 && is_of(api, &url);
        fits.then_some(Self { url, granularity: kept.granularity, length })
    }

    pub(super) fn to_keep(&self) -> Session {
        let kept = Kept { url: self.url.to_string(), granularity: self.granularity, length: self.length };
        Session(serde_json::to_string(&kept).expect("texts and numbers can be written").into())
    }

    /// How many bytes the next request takes when the server has this many. Every one but the last is a multiple of the
    /// granularity.
    pub(super) fn next_length(&self, offset: u64) -> u64 {
        let chunk = whole_chunk(self.granularity, self.length);
        chunk.min(self.length.saturating_sub(offset))
    }
}

/// Whether a session's URL is on the API's own server. The bearer token goes nowhere else (I6).
fn is_of(api: &Url, url: &Url) -> bool {
    url.origin() == api.origin() && url.username().is_empty() && url.password().is_none()
}

pub(super) fn status(answer: &Answer) -> Status {
    match answer.header("x-goog-upload-status").map(str::to_ascii_lowercase).as_deref() {
        Some("active") => Status::Active,
        Some("final") => Status::Final,
        Some("cancelled") => Status::Cancelled,
        _ => Status::Unsaid,
    }
}

/// How many bytes the server says it has.
pub(super) fn received(answer: &Answer) -> Option<u64> {
    answer.header("x-goog-upload-size-received")?.parse().ok()
}

/// The session is good for nothing any more; another one is.
pub(super) fn lost(words: &str) -> Error {
    Error::new(Class::Transient, DOING, words).because(Reason::SessionLost)
}

#[cfg(test)]
mod tests {
    use super::UploadSession;

    #[test]
    fn a_chunk_is_a_multiple_of_the_granularity_and_the_last_one_is_the_rest() {
        const MIB: u64 = 1024 * 1024;
        let session = |granularity| UploadSession {
            url: "http://localhost/s".parse().unwrap(),
            granularity,
            length: 160 * MIB,
        };
        assert_eq!(session(MIB / 4).next_length(0), 64 * MIB);
        assert_eq!(session(MIB / 4).next_length(128 * MIB), 32 * MIB);
        assert_eq!(session(5 * MIB).next_length(0), 60 * MIB);
        assert_eq!(session(96 * MIB).next_length(0), 96 * MIB);
        assert_eq!(session(1).next_length(160 * MIB), 0);
        assert_eq!(session(u64::MAX).next_length(1), 160 * MIB - 1);
        let video = UploadSession { length: 20_000_000_000, ..session(MIB / 4) };
        assert_eq!(video.next_length(0), 298 * MIB + MIB / 4, "64 requests, and not 1,193");
    }
}
