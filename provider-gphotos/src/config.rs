//! The configuration of a Google Photos storage, and the judgement of what its schema cannot express.

mod duration;

use std::time::Duration;

use charon_provider::{BatchPolicy, Config, Selection};
use charon_schema::{ConfigSchema, Mistake, Mistakes};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use crate::{endpoint, token::Token};

/// Where Google asks people for their consent.
const AUTH_URL: &str = "https://accounts.google.com/o/oauth2/v2/auth";
/// Where Google gives access tokens.
const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";
/// Where Google's Library API is, before the `/v1`.
const API_URL: &str = "https://photoslibrary.googleapis.com";

/// The most items that one `mediaItems:batchCreate` takes.
const LARGEST_BATCH: usize = 50;

/// Every field of the configuration, as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Google Photos")]
struct Fields {
    #[schemars(
        title = "Client ID",
        description = "The OAuth client that Google knows you by, from the Google Cloud console under Credentials \
                       (kind: desktop app). Use your own: the daily quota is counted per project.",
        length(min = 1),
        extend("x-group" = "Account", "x-order" = 1)
    )]
    client_id: String,

    #[expect(
        dead_code,
        reason = "it is used from among the secrets, where somebody may have changed it meanwhile"
    )]
    #[serde(default = "no_secret")]
    #[schemars(
        with = "String",
        title = "Client secret",
        description = "The secret that the Google Cloud console shows beside the client ID.",
        extend("x-group" = "Account", "x-order" = 2, "x-secret" = true)
    )]
    client_secret: SecretString,

    #[schemars(
        with = "String",
        title = "Token",
        description = "What the authorisation gave: the JSON that `rclone authorize \"google photos\"` prints, its \
                       base64 form, or a bare refresh token. It is renewed by itself.",
        length(min = 1),
        extend("x-group" = "Account", "x-order" = 3, "x-secret" = true)
    )]
    token: SecretString,

    #[serde(default)]
    #[schemars(
        title = "Read only",
        description = "Never upload anything. An upload plan cannot use such a storage.",
        extend("x-group" = "Account", "x-order" = 4)
    )]
    read_only: bool,

    #[serde(default = "first_year")]
    #[schemars(
        title = "Start year",
        description = "Leave out photos and videos taken before this year.",
        range(min = 1826, max = 2100),
        extend("x-group" = "Backup", "x-order" = 5, "x-unit" = "year")
    )]
    start_year: i16,

    #[serde(default)]
    #[schemars(
        title = "Include archived",
        description = "Back up archived photos and videos too.",
        extend("x-group" = "Backup", "x-order" = 6)
    )]
    include_archived: bool,

    #[serde(default)]
    #[schemars(
        title = "Read sizes",
        description = "Ask for the size of every item before it is fetched, at the cost of one more request for bytes \
                       each. Progress is then told in bytes, and a copy of another size is noticed.",
        extend("x-group" = "Backup", "x-order" = 7, "x-advanced" = true)
    )]
    read_size: bool,

    #[serde(default)]
    #[schemars(
        title = "Full-resolution proxy",
        description = "The URL of a gphotosdl proxy, such as http://localhost:8282, which gives the originals instead \
                       of Google's re-encoded copies. What it cannot give comes from Google.",
        extend("x-group" = "Backup", "x-order" = 8, "x-advanced" = true)
    )]
    proxy: String,

    #[serde(default)]
    #[schemars(
        title = "Batch mode",
        description = "How uploads become photos. sync: in small batches, soon after their bytes are sent; async: in \
                       full batches, which may wait longer; off: each file on its own, which costs the most requests.",
        extend("x-group" = "Upload", "x-order" = 9, "x-advanced" = true)
    )]
    batch_mode: BatchMode,

    #[serde(default)]
    #[schemars(
        title = "Batch size",
        description = "How many uploads to commit with one request. 0 means as many as Google takes, which is 50. \
                       Without effect when the batch mode is off.",
        range(min = 0, max = 50),
        extend("x-group" = "Upload", "x-order" = 10, "x-advanced" = true, "x-unit" = "files")
    )]
    batch_size: u8,

    #[serde(default = "default_timeout")]
    #[schemars(
        title = "Batch time-out",
        description = "Commit a batch that is not full when nothing has joined it for this long, such as 10s, 500ms \
                       or 1m30s. 0s means 1s in mode sync and 10s in mode async.",
        regex(pattern = r"^(0|([0-9]{1,9}(\.[0-9]{1,9})?(ms|s|m|h))+)$"),
        extend("x-group" = "Upload", "x-order" = 11, "x-advanced" = true, "examples" = ["10s", "500ms", "1m30s"])
    )]
    batch_timeout: String,

    #[serde(default = "default_auth_url")]
    #[schemars(
        title = "Authorisation URL",
        description = "Where people are sent to give their consent. Blank means Google's.",
        extend("x-group" = "Endpoints", "x-order" = 12, "x-advanced" = true)
    )]
    auth_url: String,

    #[serde(default = "default_token_url")]
    #[schemars(
        title = "Token URL",
        description = "Where access tokens are renewed. Blank means Google's.",
        extend("x-group" = "Endpoints", "x-order" = 13, "x-advanced" = true)
    )]
    token_url: String,

    #[serde(default = "default_api_url")]
    #[schemars(
        title = "API URL",
        description = "Where the Library API is, without the /v1. Blank means Google's.",
        extend("x-group" = "Endpoints", "x-order" = 14, "x-advanced" = true)
    )]
    api_url: String,
}

/// How uploads are committed. The variants carry no documentation, so that the schema is a plain `enum`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum BatchMode {
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

fn default_auth_url() -> String {
    AUTH_URL.to_owned()
}

fn default_token_url() -> String {
    TOKEN_URL.to_owned()
}

fn default_api_url() -> String {
    API_URL.to_owned()
}

/// A configuration that has been found right, in the types it is used by.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Identifies the OAuth client; its leading digits are the project's number.
    pub(crate) client_id: String,
    /// The token as it was configured.
    pub(crate) token: Token,
    /// Where tokens are renewed.
    pub(crate) token_url: Url,
    /// The base of the API, before `/v1`.
    pub(crate) api_url: Url,
    /// Whether uploads are out of the question.
    pub(crate) read_only: bool,
    /// What a backup wants where its plan does not say otherwise.
    pub(crate) selection: Selection,
    /// Whether the size of each item is asked for before it is fetched.
    pub(crate) read_size: bool,
    /// Where originals come from, if there is such a place. No token is ever sent there.
    pub(crate) proxy: Option<Url>,
    /// How uploads are committed.
    pub(crate) batch: BatchPolicy,
}

/// The schema of the configuration.
pub(crate) fn schema() -> ConfigSchema {
    ConfigSchema::of::<Fields>()
}

impl Settings {
    /// Reads a configuration, judging it by the schema and by what the schema cannot express.
    ///
    /// # Errors
    /// Every mistake, none of which quotes a secret.
    pub(crate) fn read(config: &Config, schema: &ConfigSchema) -> Result<Self, Mistakes> {
        let mut whole = config.fields.clone();
        whole.extend(config.secrets.expose());
        // What serde would say could quote a secret, and the schema has its say on all of that.
        let misfit = || {
            Mistakes::from(Mistake {
                pointer: String::new(),
                reason: "the configuration does not fit its schema".into(),
            })
        };
        match schema.validate(&Value::Object(whole.clone())) {
            Ok(()) => Fields::of(whole).ok_or_else(misfit)?.judge(),
            Err(mistakes) => {
                let rest = without_mistakes(whole, &mistakes);
                let others = Fields::of(rest).and_then(|fields| fields.judge().err());
                Err(match others {
                    Some(others) => mistakes.and(others),
                    None => mistakes,
                })
            }
        }
    }
}

/// The configuration without the fields that the schema refuses, so that all else can be judged along with them.
fn without_mistakes(mut whole: Map<String, Value>, mistakes: &Mistakes) -> Map<String, Value> {
    for mistake in &mistakes.0 {
        let field = mistake.pointer.trim_start_matches('/').split('/').next().unwrap_or_default();
        whole.remove(field);
    }
    for needed in ["client_id", "token"] {
        whole.entry(needed).or_insert_with(|| "".into());
    }
    whole
}

impl Fields {
    fn of(whole: Map<String, Value>) -> Option<Self> {
        serde_json::from_value(Value::Object(whole)).ok()
    }

    fn judge(self) -> Result<Settings, Mistakes> {
        let mut mistakes = Vec::new();
        let mut endpoint = |name: &str, value: &str, default: &str| {
            let text = if value.trim().is_empty() { default } else { value };
            endpoint::parse(text).map_err(|reason| mistakes.push(Mistake::in_field(name, reason))).ok()
        };
        // Consent is asked for elsewhere, but a mistake in it shall not wait until then.
        let auth_url = endpoint("auth_url", &self.auth_url, AUTH_URL);
        let token_url = endpoint("token_url", &self.token_url, TOKEN_URL);
        let api_url = endpoint("api_url", &self.api_url, API_URL);

        let proxy = match self.proxy.trim() {
            "" => None,
            text => match Url::parse(text) {
                Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Some(url),
                _ => {
                    let reason = "is not a URL; expected one such as http://localhost:8282";
                    mistakes.push(Mistake::in_field("proxy", reason));
                    None
                }
            },
        };
        let client_id = self.client_id.trim();
        if client_id.is_empty() {
            mistakes.push(Mistake::in_field("client_id", "must not be blank"));
        }
        let token = Token::parse(self.token.expose_secret())
            .map_err(|error| mistakes.push(Mistake::in_field("token", error.to_string())))
            .ok();
        let idle = duration::parse(&self.batch_timeout)
            .map_err(|reason| mistakes.push(Mistake::in_field("batch_timeout", reason)))
            .ok();

        match (auth_url, token_url, api_url, token, idle) {
            (Some(_), Some(token_url), Some(api_url), Some(token), Some(idle)) if mistakes.is_empty() => {
                Ok(Settings {
                    client_id: client_id.to_owned(),
                    token,
                    token_url,
                    api_url,
                    read_only: self.read_only,
                    selection: Selection {
                        start_year: Some(self.start_year),
                        include_archived: self.include_archived,
                        ..Selection::default()
                    },
                    read_size: self.read_size,
                    proxy,
                    batch: self.batch_mode.policy(usize::from(self.batch_size), idle),
                })
            }
            _ => Err(Mistakes(mistakes)),
        }
    }
}

impl BatchMode {
    fn policy(self, size: usize, idle: Duration) -> BatchPolicy {
        let size = if size == 0 { LARGEST_BATCH } else { size.min(LARGEST_BATCH) };
        let commit_timeout = Duration::from_mins(10);
        let or = |default: u64| if idle.is_zero() { Duration::from_secs(default) } else { idle };
        match self {
            Self::Sync => BatchPolicy { size, staged: 2 * size, idle: or(1), commit_timeout },
            Self::Async => BatchPolicy { size, staged: 500, idle: or(10), commit_timeout },
            Self::Off => BatchPolicy { size: 1, staged: 16, idle: Duration::ZERO, commit_timeout },
        }
    }
}

#[cfg(test)]
mod tests;
