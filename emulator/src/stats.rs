//! What was asked of the emulator: counts per method, bytes, and how many writes were under way at once.

use std::collections::BTreeMap;

use serde::Serialize;

/// Counts since the start or the last reset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Requests per method: `uploads`, `mediaItems.batchCreate`, `mediaItems.list`, `media.bytes`, `oauth.token`, ….
    /// Resumable uploads are `uploads.start`, `uploads.upload`, `uploads.finalize`, `uploads.query`, `uploads.cancel`.
    pub requests: BTreeMap<String, u64>,
    /// All calls of the Library API, uploads included; what the daily quota of requests counts.
    pub api_requests: u64,
    /// GET and HEAD of base URLs; what the daily quota of media bytes counts.
    pub media_requests: u64,
    /// Calls of the token endpoint and the other OAuth pages.
    pub oauth_requests: u64,
    /// Bytes of bodies received.
    pub bytes_received: u64,
    /// Bytes of media that answers announced, also where the connection was cut.
    pub bytes_sent: u64,
    /// Answers per HTTP status; a connection that was cut counts as 0.
    pub responses: BTreeMap<u16, u64>,
    /// Items that a batchCreate has made.
    pub items_created: u64,
    /// Results of a batchCreate that led to an item with the same bytes, which was there before.
    pub items_met_again: u64,
    /// Faults that happened.
    pub faults: u64,
    /// The most structured writes (batchCreate, albums…) that one client had under way at once: 1 is what Google asks.
    pub peak_concurrent_writes: u64,
    /// The most uploads under way at once.
    pub peak_concurrent_uploads: u64,
    /// The most requests for media bytes that waited for their answer at once.
    pub peak_concurrent_media: u64,
}

impl Stats {
    /// Requests of one method, or of a family of them: `count("uploads")` includes `uploads.start`.
    pub fn count(&self, method: &str) -> u64 {
        self.requests
            .iter()
            .filter(|(name, _)| {
                name.strip_prefix(method).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
            .map(|(_, count)| count)
            .sum()
    }
}
