//! Everything about the emulator that can be chosen, with Google's documented behaviour as the default.
//!
//! What the facts could not settle (marked `[?]` there) is a field here, and says so. Numbers of seconds are plain
//! integers, so that a settings file or `PATCH /-/settings` reads naturally.

use std::{collections::BTreeMap, net::SocketAddr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How the emulator behaves. `Settings::default()` is Google as documented, on any free port of 127.0.0.1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question about Google that has two answers")]
pub struct Settings {
    /// Where to listen. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Allows an address that other machines can reach. Nothing here is safe for them: off.
    pub allow_non_loopback: bool,
    /// All ids, tokens and seeded pictures follow from it.
    pub seed: u64,
    /// A clock that stands still at this instant until it is advanced; `None` follows the system's.
    pub fixed_time: Option<Timestamp>,
    /// Waits this long before every answer.
    pub latency_ms: u64,

    /// The client that seeds and ready-made tokens belong to when no other is named.
    pub default_client_id: String,
    /// The known OAuth clients and their secrets; empty accepts every pair, each as a client of its own.
    pub clients: BTreeMap<String, String>,
    /// The address of the Google account that consents. What is seeded and the ready-made tokens are this account's.
    /// Tokens that were given before keep their account.
    pub account_email: String,
    /// The stable id of that account; `None` follows from the address.
    pub account_sub: Option<String>,
    /// The consent page answers itself with "Allow".
    pub auto_approve: bool,
    /// The consent page answers itself with "Cancel": `access_denied`. Wins over `auto_approve`.
    pub auto_deny: bool,
    /// The scopes whose boxes are ticked on the consent page, also short (`photoslibrary.appendonly`); `None` ticks
    /// all. The scopes of identity have no box and are always given.
    pub granted_scopes: Option<Vec<String>>,
    /// Accepts client credentials in HTTP Basic at the token endpoint, not only in the form. `[?]`; off, since Go's
    /// OAuth library says that Google refuses it (it then repeats with the form).
    pub accept_basic_credentials: bool,
    /// Demands a `client_secret` at the token endpoint, as Google does even with PKCE.
    pub require_client_secret: bool,
    /// Life of an access token.
    pub access_token_seconds: u64,
    /// Life of a refresh token; `None` for ever. Seven days imitates a consent screen in "Testing".
    pub refresh_token_seconds: Option<u64>,
    /// Live refresh tokens for one client; one more drops the oldest.
    pub max_refresh_tokens: usize,
    /// A refresh also answers with a new refresh token. Google does not.
    pub rotate_refresh_tokens: bool,
    /// Accepts the scopes that were removed on 2025-03-31, and lets `photoslibrary.readonly` see every item.
    pub legacy_scopes: bool,
    /// The 403 for a missing scope carries `ErrorInfo` with `ACCESS_TOKEN_SCOPE_INSUFFICIENT`. `[?]`
    pub scope_error_details: bool,
    /// Text of the 401 for a bad access token. `[?]`
    pub unauthenticated_message: String,

    /// Life of a base URL.
    pub base_url_seconds: u64,
    /// `=d` and `=dv` return the stored bytes unchanged, for tests that compare them. Google never does.
    pub keep_bytes: bool,
    /// Status of `=dv` for a still or for a video that is not `READY`. `[?]`
    pub no_video_status: u16,
    /// Content type of the body of a missing item's 404: rclone knows a picture there.
    pub missing_media_is_png: bool,

    /// Keeps uploaded bytes; otherwise only their hash and metadata stay, and `=d` draws a picture instead.
    pub keep_uploads: bool,
    /// Uploaded bytes beyond this sum are dropped as with `keep_uploads = false`.
    pub upload_memory_bytes: u64,
    /// A single upload beyond this is never kept: its hash, its length and its beginning stay.
    pub largest_kept_upload_bytes: u64,
    /// What arrived of a chunk before its connection broke is cut down to a multiple of the granularity; otherwise all of
    /// it counts. `[?]`; clients must ask either way.
    pub round_broken_chunks: bool,
    /// Granularity of resumable uploads. `[?]` beyond the documented example.
    pub upload_granularity: u64,
    /// A resumable upload's URL demands the bearer token. `[?]`; every client sends it.
    pub session_needs_auth: bool,
    /// Life of a resumable session. `[?]`
    pub upload_session_seconds: u64,
    /// Life of an upload token: one day.
    pub upload_token_seconds: u64,
    /// An upload token works for one batchCreate only. `[?]`
    pub single_use_upload_tokens: bool,
    /// A bad upload token fails its own item instead of the whole request. `[?]`; both were reported.
    pub bad_token_fails_item_only: bool,
    /// A photo above this fails in batchCreate: 200 MB.
    pub max_photo_bytes: u64,
    /// A video above this fails in batchCreate: 20 GB.
    pub max_video_bytes: u64,
    /// Most media items in an album: 20,000.
    pub max_album_items: usize,
    /// HTTP status of a batchCreate in which some items failed. `[?]`: 200, or 207.
    pub partial_success_status: u16,
    /// What is left of the user's storage; `None` is plenty.
    pub storage_left_bytes: Option<u64>,
    /// The state of new videos is `PROCESSING` for so long. `[?]`
    pub video_processing_seconds: u64,

    /// `pageSize` above the maximum is an error instead of being lowered. `[?]`
    pub reject_large_pages: bool,
    /// Life of a page token; `None` for ever. `[?]`
    pub page_token_seconds: Option<u64>,
    /// Albums without items are listed. `[?]`
    pub list_empty_albums: bool,
    /// New items are missing from filtered searches for so long.
    pub filtered_search_delay_seconds: u64,
    /// New items and albums answer 404 for so long (reported, not documented).
    pub not_found_after_creation_seconds: u64,
    /// Lists and searches without filters show what the user archived. `[?]`; a search with filters does so only where
    /// it asks for it, and an album always.
    pub archived_without_filters: bool,
    /// HTTP status for an item that is not the client's, or not there. `[?]`: 404, or 400.
    pub unreadable_item_status: u16,

    /// Requests a project may make a day; `None` for no limit.
    pub requests_per_day: Option<u64>,
    /// Requests for media bytes a project may make a day; `None` for no limit.
    pub media_requests_per_day: Option<u64>,
    /// Raw uploads count as requests. `[?]`: documented, but somebody measured that they do not.
    pub uploads_count_as_requests: bool,
    /// Writes a user may make in a minute; `None` for no limit, the real number is unknown. `[?]`
    pub writes_per_minute: Option<u64>,
    /// Writes a user may have under way; one more is a 429 for "concurrent write request". `[?]`
    pub concurrent_writes: Option<u64>,
    /// A second write to an album while one is under way is 409 ABORTED.
    pub abort_concurrent_album_writes: bool,
    /// Puts `Retry-After` with this many seconds on every 429. `[?]`: a trace showed none.
    pub retry_after_seconds: Option<u64>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            allow_non_loopback: false,
            seed: 1,
            fixed_time: None,
            latency_ms: 0,
            default_client_id: "844831818923-emulator.apps.googleusercontent.com".to_owned(),
            clients: BTreeMap::new(),
            account_email: "pat@example.com".to_owned(),
            account_sub: None,
            auto_approve: false,
            auto_deny: false,
            granted_scopes: None,
            accept_basic_credentials: false,
            require_client_secret: true,
            access_token_seconds: 3600,
            refresh_token_seconds: None,
            max_refresh_tokens: 100,
            rotate_refresh_tokens: false,
            legacy_scopes: false,
            scope_error_details: false,
            unauthenticated_message:
                "Request had invalid authentication credentials. Expected OAuth 2 access token, \
                                      login cookie or other valid authentication credential. See \
                                      https://developers.google.com/identity/sign-in/web/devconsole-project."
                    .to_owned(),
            base_url_seconds: 3600,
            keep_bytes: false,
            no_video_status: 404,
            missing_media_is_png: true,
            keep_uploads: true,
            upload_memory_bytes: 512 * 1024 * 1024,
            largest_kept_upload_bytes: 64 * 1024 * 1024,
            round_broken_chunks: false,
            upload_granularity: 262_144,
            session_needs_auth: true,
            upload_session_seconds: 7 * 24 * 3600,
            upload_token_seconds: 24 * 3600,
            single_use_upload_tokens: false,
            bad_token_fails_item_only: false,
            max_photo_bytes: 200 * 1024 * 1024,
            max_video_bytes: 20 * 1024 * 1024 * 1024,
            max_album_items: 20_000,
            partial_success_status: 200,
            storage_left_bytes: None,
            video_processing_seconds: 0,
            reject_large_pages: false,
            page_token_seconds: None,
            list_empty_albums: true,
            filtered_search_delay_seconds: 0,
            not_found_after_creation_seconds: 0,
            archived_without_filters: true,
            unreadable_item_status: 404,
            requests_per_day: Some(10_000),
            media_requests_per_day: Some(75_000),
            uploads_count_as_requests: true,
            writes_per_minute: None,
            concurrent_writes: None,
            abort_concurrent_album_writes: false,
            retry_after_seconds: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_survive_json_and_refuse_unknown_names() {
        let json = serde_json::to_string(&Settings::default()).unwrap();
        assert_eq!(serde_json::from_str::<Settings>(&json).unwrap(), Settings::default());
        assert!(serde_json::from_str::<Settings>(r#"{"base_url_secs":1}"#).is_err());
    }
}
