//! Misbehaviour on demand: which requests a fault meets, how often, and what it does to them.

use serde::{Deserialize, Serialize};

use crate::{odd::Oddity, random::Random};

/// A misbehaviour and when it happens. As JSON: `{"methods":["uploads"],"times":2,"action":{"kind":"server_error"}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Names as in the statistics (`mediaItems.list`), or a beginning of one (`mediaItems`); empty: wherever the
    /// action makes sense. Only requests that the names and the action fit are counted below.
    #[serde(default)]
    pub methods: Vec<String>,
    /// Lets this many requests pass first.
    #[serde(default)]
    pub after: u64,
    /// Happens so many times, then never again; `None`: for ever.
    #[serde(default)]
    pub times: Option<u64>,
    /// Meets only this share of the requests, chosen by `seed`; `None`: all of them.
    #[serde(default)]
    pub share: Option<f64>,
    /// Chooses which requests `share` meets, and which items the action meets.
    #[serde(default)]
    pub seed: u64,
    /// What happens.
    pub action: Action,
}

impl Fault {
    /// A fault that happens to every request that the action fits.
    pub fn always(action: Action) -> Fault {
        Fault { methods: Vec::new(), after: 0, times: None, share: None, seed: 0, action }
    }

    /// A fault that happens once.
    pub fn once(action: Action) -> Fault {
        Fault::always(action).times(1)
    }

    /// Happens so many times.
    #[must_use]
    pub fn times(mut self, times: u64) -> Fault {
        self.times = Some(times);
        self
    }

    /// Lets so many requests pass first.
    #[must_use]
    pub fn after(mut self, requests: u64) -> Fault {
        self.after = requests;
        self
    }

    /// Only for these methods.
    #[must_use]
    pub fn on(mut self, methods: &[&str]) -> Fault {
        self.methods = methods.iter().map(|&name| name.to_owned()).collect();
        self
    }

    /// Only for a seeded share of the requests.
    #[must_use]
    pub fn share(mut self, share: f64, seed: u64) -> Fault {
        self.share = Some(share);
        self.seed = seed;
        self
    }
}

/// Which limit a 429 names (facts §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// `'All requests' … 'All requests per day'`.
    AllRequestsPerDay,
    /// `'Write requests' … 'Write requests per minute per user'`.
    WritesPerMinutePerUser,
    /// `'All requests' … 'All requests per minute per user'`; the real number is unknown.
    RequestsPerMinutePerUser,
    /// `'concurrent write request'`, undocumented, lasts minutes to an hour.
    ConcurrentWrites,
}

/// How a resumable session is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionAnswer {
    /// 404.
    NotFound,
    /// 410, and 404 from then on.
    Gone,
    /// It claims to be final, although no token was ever given.
    Final,
    /// It was cancelled.
    Cancelled,
}

/// What a fault does. As JSON, `kind` names it: `{"kind":"too_many_requests","limit":"concurrent_writes"}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Waits before the request is looked at.
    Latency {
        /// Milliseconds.
        ms: u64,
    },
    /// 429.
    TooManyRequests {
        /// Which limit it names.
        limit: Limit,
        /// Adds a `Retry-After` header.
        #[serde(default)]
        retry_after_seconds: Option<u64>,
    },
    /// 500, 502, 503 or 504, before anything took effect.
    ServerError {
        /// HTTP status.
        #[serde(default = "unavailable")]
        status: u16,
    },
    /// The connection is reset before anything took effect.
    ConnectionReset,
    /// The request takes effect, and the connection breaks before the answer.
    ResponseLost,
    /// The body ends early: fewer bytes than `Content-Length` says.
    TruncatedBody {
        /// Bytes that are still sent; `None` is half.
        #[serde(default)]
        bytes: Option<u64>,
    },
    /// Nothing comes, and the connection stays open. Nothing takes effect.
    Standstill {
        /// Whether the body of the request is still taken.
        #[serde(default = "yes")]
        reads_body: bool,
    },
    /// The answer begins, then nothing more comes, and the connection stays open.
    StalledBody {
        /// Bytes that are still sent; `None` is half.
        #[serde(default)]
        bytes: Option<u64>,
    },
    /// 500, 502, 503 or 504, although the request took effect.
    ErrorAfterEffect {
        /// HTTP status.
        #[serde(default = "unavailable")]
        status: u16,
    },
    /// The answer lacks a header, such as `X-Goog-Upload-Status`.
    MissingHeader {
        /// Its name.
        name: String,
    },
    /// A resumable session is really lost.
    LostSession {
        /// What is said about it.
        answer: SessionAnswer,
    },
    /// The connection breaks in the middle of a chunk of a resumable upload; what arrived counts.
    BrokenChunk {
        /// Bytes that are still taken; `None` is half.
        #[serde(default)]
        bytes: Option<u64>,
    },
    /// A small picture instead of the bytes, with 200.
    Placeholder,
    /// 200 with the whole file for a part.
    RangeIgnored,
    /// 206 with the beginning of the file instead of the part; `Content-Range` tells it.
    WrongRange,
    /// The file is really another one from this request on, and so is its entity tag.
    ContentChanged,
    /// 200 with an HTML page instead of the answer.
    Html,
    /// 403 page of an expired base URL; every base URL minted so far is really dead.
    ExpiredBaseUrls,
    /// 401; the access token that was used is really dead.
    ExpiredAccessToken,
    /// 400 `invalid_grant`; the refresh token that was used is really dead.
    RevokedRefreshToken,
    /// A page without items, but with a token for the same place.
    EmptyPage,
    /// The first item of a later page is the last one of the page before.
    RepeatedItem,
    /// A later page is moved, as if items had come or gone in front of it since the page before.
    ShiftedPages {
        /// So many items of the page before are repeated; a negative number: so many are never listed.
        items: i32,
    },
    /// 400 for every page token given so far. A request without one is answered: `.after(1)` spares the first page.
    ExpiredPageTokens,
    /// Items in the answer miss something, or say something strange.
    OddItem {
        /// What it is.
        oddity: Oddity,
        /// Positions in the answer; empty: all.
        #[serde(default)]
        positions: Vec<usize>,
    },
    /// A seeded share of the items is missing from this listing.
    ShortListing {
        /// Between 0 and 1.
        share: f64,
        /// Chooses the items; the same seed leaves out the same ones.
        #[serde(default)]
        seed: u64,
    },
    /// Pages hold at most this many items; none is missing.
    SmallPages {
        /// Items.
        items: usize,
    },
    /// Items of a batchCreate fail with "Failed: There was an error while trying to create this media item."
    ItemError {
        /// 3 (for good), 13 (for now) or 6 (is there already).
        code: u16,
        /// Positions in the request; empty: all.
        #[serde(default)]
        positions: Vec<usize>,
    },
    /// 400 "Request must contain a valid upload token."; the tokens in the request are really dead.
    SpentUploadTokens,
    /// 400 for a full account.
    StorageFull,
    /// 409 "The operation was aborted."
    Aborted,
    /// 404 for something that exists (what was just created is known to do so).
    NotFound,
    /// Videos in the answer are still `PROCESSING`, and `=dv` fails.
    VideoProcessing,
    /// 403: the API is not enabled in the project.
    ApiDisabled,
    /// 403: the token lacks the scope.
    InsufficientScopes,
}

fn unavailable() -> u16 {
    503
}

fn yes() -> bool {
    true
}

const LISTINGS: &[&str] = &["mediaItems.list", "mediaItems.search", "albums.list"];
const API: &[&str] = &["uploads", "mediaItems", "albums", "sharedAlbums"];
/// What the quotas of requests count, and those of media bytes.
const COUNTED: &[&str] = &["uploads", "mediaItems", "albums", "sharedAlbums", "media"];
const WRITES: &[&str] = &[
    "mediaItems.batchCreate",
    "mediaItems.patch",
    "albums.create",
    "albums.patch",
    "albums.batchAddMediaItems",
    "albums.batchRemoveMediaItems",
    "albums.addEnrichment",
];

impl Action {
    /// The methods that the action makes sense for; empty: all.
    fn fits(&self) -> &'static [&'static str] {
        match self {
            Action::Latency { .. }
            | Action::ServerError { .. }
            | Action::ConnectionReset
            | Action::ResponseLost
            | Action::TruncatedBody { .. }
            | Action::Standstill { .. }
            | Action::StalledBody { .. }
            | Action::ErrorAfterEffect { .. }
            | Action::MissingHeader { .. } => {
                &["uploads", "mediaItems", "albums", "sharedAlbums", "media", "oauth"]
            }
            Action::Html => &["uploads", "mediaItems", "albums", "media"],
            Action::TooManyRequests {
                limit: Limit::AllRequestsPerDay | Limit::RequestsPerMinutePerUser,
                ..
            } => COUNTED,
            Action::LostSession { .. } => &["uploads.upload", "uploads.finalize", "uploads.query"],
            Action::BrokenChunk { .. } => &["uploads.upload", "uploads.finalize"],
            Action::RangeIgnored | Action::WrongRange => &["media.bytes"],
            Action::OddItem { .. } => &["mediaItems"],
            Action::TooManyRequests { .. } | Action::Aborted => WRITES,
            Action::ExpiredBaseUrls | Action::Placeholder | Action::ContentChanged => &["media"],
            Action::ExpiredAccessToken | Action::ApiDisabled | Action::InsufficientScopes => API,
            Action::RevokedRefreshToken => &["oauth.token"],
            Action::EmptyPage
            | Action::RepeatedItem
            | Action::ShiftedPages { .. }
            | Action::ExpiredPageTokens
            | Action::ShortListing { .. }
            | Action::SmallPages { .. } => LISTINGS,
            Action::ItemError { .. } | Action::SpentUploadTokens | Action::StorageFull => {
                &["mediaItems.batchCreate"]
            }
            Action::NotFound => &["mediaItems", "albums"],
            Action::VideoProcessing => &["mediaItems", "media"],
        }
    }
}

fn named(pattern: &str, name: &str) -> bool {
    name.strip_prefix(pattern).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// A fault and how often it was met.
#[derive(Debug)]
pub(crate) struct ActiveFault {
    pub(crate) number: u64,
    pub(crate) fault: Fault,
    seen: u64,
    pub(crate) done: u64,
}

impl ActiveFault {
    pub(crate) fn new(number: u64, fault: Fault) -> ActiveFault {
        ActiveFault { number, fault, seen: 0, done: 0 }
    }

    /// What happens to the next request called `name`, if anything.
    pub(crate) fn meet(&mut self, name: &str) -> Option<Action> {
        let fault = &self.fault;
        let fits = fault.action.fits();
        if !fits.is_empty() && !fits.iter().any(|pattern| named(pattern, name)) {
            return None;
        }
        if !fault.methods.is_empty() && !fault.methods.iter().any(|pattern| named(pattern, name)) {
            return None;
        }
        let seen = self.seen;
        self.seen += 1;
        if seen < fault.after || fault.times.is_some_and(|times| self.done >= times) {
            return None;
        }
        let chance = Random::new(fault.seed.wrapping_add(seen.wrapping_mul(0x9E37_79B9))).fraction();
        if fault.share.is_some_and(|share| chance >= share) {
            return None;
        }
        self.done += 1;
        Some(fault.action.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_counts_only_the_requests_that_fit() {
        let fault = Fault::always(Action::ConnectionReset).on(&["uploads"]).after(1).times(1);
        let mut fault = ActiveFault::new(1, fault);
        assert_eq!(fault.meet("albums.list"), None);
        assert_eq!(fault.meet("uploads"), None);
        assert_eq!(fault.meet("uploads.start"), Some(Action::ConnectionReset));
        assert_eq!(fault.meet("uploads"), None);
    }

    #[test]
    fn a_share_is_about_that_share_and_repeats_with_its_seed() {
        let count = |seed| {
            let fault = Fault::always(Action::Html).share(0.25, seed);
            let mut fault = ActiveFault::new(1, fault);
            (0..1000).filter(|_| fault.meet("media.bytes").is_some()).count()
        };
        assert!((200..300).contains(&count(1)));
        assert_eq!(count(1), count(1));
    }
}
