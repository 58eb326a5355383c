//! Every field of the configuration, as it is written and as a form shows it.

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{API_URL, AUTH_URL, TOKEN_URL};

/// Every field of the configuration, as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[expect(clippy::struct_excessive_bools, reason = "each is one yes or no of a form")]
#[serde(deny_unknown_fields)]
#[schemars(
    title = "Google Photos",
    description = "One Google Photos account, as a place to back up from and to upload to."
)]
pub(super) struct Fields {
    #[serde(default)]
    #[schemars(
        title = "Client ID",
        description = "The OAuth client that Google knows you by, from the Google Cloud console under Credentials \
                       (kind: desktop app). Use your own: the daily quota is counted per project. May be left out when \
                       the client secret is the whole client_secret.json.",
        extend("x-group" = "Account", "x-order" = 1, "x-auth" = "client")
    )]
    pub(super) client_id: String,

    #[serde(default = "no_secret")]
    #[schemars(
        with = "String",
        title = "Client secret",
        description = "The secret that the Google Cloud console shows beside the client ID, or the whole content of the \
                       client_secret.json that it gives.",
        extend("x-group" = "Account", "x-order" = 2, "x-auth" = "client", "x-secret" = true)
    )]
    pub(super) client_secret: SecretString,

    #[schemars(
        with = "String",
        title = "Token",
        description = "What the authorisation gave: the JSON that `charon authorize` or `rclone authorize \"google \
                       photos\"` prints, its base64 form, or a bare refresh token. It is renewed by itself.",
        length(min = 1),
        extend("x-group" = "Account", "x-order" = 3, "x-auth" = "client", "x-secret" = true)
    )]
    pub(super) token: SecretString,

    #[serde(default)]
    #[schemars(
        title = "Read only",
        description = "Never upload anything, and ask for the right to read alone. An upload plan cannot use such a storage.",
        extend("x-group" = "Account", "x-order" = 4)
    )]
    pub(super) read_only: bool,

    #[expect(dead_code, reason = "it is for people alone")]
    #[serde(default)]
    #[schemars(
        title = "Description",
        description = "Your own words on this storage. They stay here.",
        length(max = 500),
        extend("x-group" = "Account", "x-order" = 5)
    )]
    pub(super) description: String,

    #[serde(default = "first_year")]
    #[schemars(
        title = "Start year",
        description = "Leave out photos and videos taken before this year.",
        range(min = 1826, max = 2100),
        extend("x-group" = "Backup", "x-order" = 6, "x-unit" = "year")
    )]
    pub(super) start_year: i16,

    #[serde(default)]
    #[schemars(
        title = "Include archived",
        description = "Back up archived photos and videos too. They come from a search instead of the plain list, and so do \
                       favourites alone: Google lets what was uploaded just now appear there with a delay, so that the newest \
                       may come with a later run.",
        extend("x-group" = "Backup", "x-order" = 7)
    )]
    pub(super) include_archived: bool,

    #[serde(default)]
    #[schemars(
        title = "Read sizes",
        description = "Ask for the size of every item before it is fetched, at the cost of one more request for bytes \
                       each. Progress is then told in bytes, and a copy of another size is noticed. \
                       Without effect with a full-resolution proxy, which does not tell sizes beforehand.",
        extend("x-group" = "Backup", "x-order" = 8, "x-advanced" = true)
    )]
    pub(super) read_size: bool,

    #[serde(default)]
    #[schemars(
        title = "Full-resolution proxy",
        description = "The URL of a gphotosdl proxy, such as http://localhost:8282, which gives the originals instead \
                       of Google's re-encoded copies. What it cannot give comes from Google.",
        extend("x-group" = "Backup", "x-order" = 9, "x-advanced" = true, "x-binds-secrets" = true)
    )]
    pub(super) proxy: String,

    #[serde(default)]
    #[schemars(
        title = "Batch mode",
        description = "How uploads become photos. sync: in small batches, soon after their bytes are sent; async: in \
                       full batches, which may wait longer; off: each file on its own, which costs the most requests.",
        extend("x-group" = "Upload", "x-order" = 10, "x-advanced" = true)
    )]
    pub(super) batch_mode: BatchMode,

    #[serde(default)]
    #[schemars(
        title = "Batch size",
        description = "How many uploads to commit with one request. 0 means as many as Google takes, which is 50. \
                       Without effect when the batch mode is off.",
        range(min = 0, max = 50),
        extend("x-group" = "Upload", "x-order" = 11, "x-advanced" = true, "x-unit" = "files")
    )]
    pub(super) batch_size: u8,

    #[serde(default = "default_timeout")]
    #[schemars(
        title = "Batch time-out",
        description = "Commit a batch that is not full when nothing has joined it for this long, such as 10s, 500ms \
                       or 1m30s; one hour at most. 0s means 1s in mode sync and 10s in mode async.",
        regex(pattern = r"^(0|([0-9]{1,9}(\.[0-9]{1,9})?(ms|s|m|h))+)$"),
        extend("x-group" = "Upload", "x-order" = 12, "x-advanced" = true, "x-unit" = "duration", "examples" = ["10s", "500ms", "1m30s"])
    )]
    pub(super) batch_timeout: String,

    #[serde(default = "default_commit_timeout")]
    #[schemars(
        title = "Commit time-out",
        description = "How long Google may take to make photos of a batch before its answer is taken for lost: 1s to 1h. \
                       0s means 10m.",
        regex(pattern = r"^(0|([0-9]{1,9}(\.[0-9]{1,9})?(ms|s|m|h))+)$"),
        extend("x-group" = "Upload", "x-order" = 13, "x-advanced" = true, "x-unit" = "duration", "examples" = ["10m", "90s"])
    )]
    pub(super) batch_commit_timeout: String,

    #[serde(default = "default_connections")]
    #[schemars(
        title = "Connections",
        description = "The most transfers at a time. There are fewer while Google asks to slow down.",
        range(min = 1, max = 64),
        extend("x-group" = "Pace and budget", "x-order" = 14, "x-advanced" = true, "x-unit" = "connections")
    )]
    pub(super) connections: u8,

    #[serde(default)]
    #[schemars(
        title = "Requests per minute",
        description = "The most requests per minute, all together. 0 means no limit of ours: Google documents none, and what \
                       it refuses is slowed down anyway.",
        range(min = 0, max = 60_000),
        extend("x-group" = "Pace and budget", "x-order" = 15, "x-advanced" = true, "x-unit" = "requests/min")
    )]
    pub(super) requests_per_minute: u32,

    #[serde(default)]
    #[schemars(
        title = "Bandwidth up",
        description = "How fast uploads may be, all together. 0 means no limit.",
        range(min = 0, max = 4_000_000),
        extend("x-group" = "Pace and budget", "x-order" = 16, "x-advanced" = true, "x-unit" = "KiB/s")
    )]
    pub(super) bandwidth_up: u32,

    #[serde(default)]
    #[schemars(
        title = "Bandwidth down",
        description = "How fast downloads may be, all together. 0 means no limit.",
        range(min = 0, max = 4_000_000),
        extend("x-group" = "Pace and budget", "x-order" = 17, "x-advanced" = true, "x-unit" = "KiB/s")
    )]
    pub(super) bandwidth_down: u32,

    #[serde(default = "default_daily_requests")]
    #[schemars(
        title = "Requests per day",
        description = "How many API requests Google gives your project per day. Everything that shares the project shares \
                       them: all storages of the project are counted together, and runs leave 2 % (20 at least, a quarter at \
                       most) for your own use.",
        range(min = 1, max = 1_000_000_000),
        extend("x-group" = "Pace and budget", "x-order" = 18, "x-advanced" = true, "x-unit" = "requests/day")
    )]
    pub(super) daily_requests: u32,

    #[serde(default = "default_daily_downloads")]
    #[schemars(
        title = "Downloads per day",
        description = "How many requests for the bytes of photos and videos Google gives your project per day. They are counted \
                       as the other requests are, and apart from them.",
        range(min = 1, max = 1_000_000_000),
        extend("x-group" = "Pace and budget", "x-order" = 19, "x-advanced" = true, "x-unit" = "requests/day")
    )]
    pub(super) daily_downloads: u32,

    #[serde(default = "yes")]
    #[schemars(
        title = "Uploads count",
        description = "Whether sending the bytes of a file counts as one of the requests per day. Google documents that it \
                       does; some have measured that it does not.",
        extend("x-group" = "Pace and budget", "x-order" = 20, "x-advanced" = true)
    )]
    pub(super) uploads_count: bool,

    #[serde(default = "default_auth_url")]
    #[schemars(
        title = "Authorisation URL",
        description = "Where people are sent to give their consent. Blank means Google's.",
        extend("x-group" = "Endpoints", "x-order" = 21, "x-advanced" = true, "x-binds-secrets" = true)
    )]
    pub(super) auth_url: String,

    #[serde(default = "default_token_url")]
    #[schemars(
        title = "Token URL",
        description = "Where access tokens are renewed. Blank means Google's.",
        extend("x-group" = "Endpoints", "x-order" = 22, "x-advanced" = true, "x-binds-secrets" = true)
    )]
    pub(super) token_url: String,

    #[serde(default = "default_api_url")]
    #[schemars(
        title = "API URL",
        description = "Where the Library API is, without the /v1. Blank means Google's.",
        extend("x-group" = "Endpoints", "x-order" = 23, "x-advanced" = true, "x-binds-secrets" = true)
    )]
    pub(super) api_url: String,
}

/// How uploads are committed. The variants carry no documentation, so that the schema is a plain `enum`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum BatchMode {
    #[default]
    Sync,
    Async,
    Off,
}

fn no_secret() -> SecretString {
    SecretString::default()
}

fn first_year() -> i16 {
    2000
}

fn default_timeout() -> String {
    "0s".to_owned()
}

fn default_commit_timeout() -> String {
    "10m".to_owned()
}

fn default_connections() -> u8 {
    16
}

/// Library API requests per project and day, listings and uploads included.
fn default_daily_requests() -> u32 {
    10_000
}

/// Requests for bytes per project and day.
fn default_daily_downloads() -> u32 {
    75_000
}

fn yes() -> bool {
    true
}

fn default_auth_url() -> String {
    AUTH_URL.to_owned()
}

fn default_token_url() -> String {
    TOKEN_URL.to_owned()
}

fn default_api_url() -> String {
    API_URL.to_owned()
}
