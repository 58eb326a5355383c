//! What a configuration comes to, and the judgement of what its schema cannot express.

use std::{num::NonZeroU32, time::Duration};

use charon_provider::{BatchPolicy, Config, Cost, Pace, Selection};
use charon_schema::{ConfigSchema, Mistake, Mistakes};
use secrecy::ExposeSecret;
use serde_json::{Map, Value};
use url::Url;

use super::{
    API_URL, AUTH_URL, TOKEN_URL,
    client::ClientSecret,
    duration,
    fields::{BatchMode, Fields},
};
use crate::{api::API, endpoint, token::Token};

/// The most items that one `mediaItems:batchCreate` takes.
const LARGEST_BATCH: usize = 50;
/// How long a commit may take unless the configuration says otherwise; rclone's default.
const COMMIT_TIMEOUT: Duration = Duration::from_mins(10);
/// Sending bytes where that is not to be counted: no meter has this name.
const UNCOUNTED: Cost = Cost("send");

/// A configuration that has been found right, in the types it is used by.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Identifies the OAuth client; its leading digits are the project's number.
    pub(crate) client_id: String,
    /// The token as it was configured; an empty one before there has been a consent.
    pub(crate) token: Token,
    /// Where consent is asked for.
    pub(crate) auth_url: Url,
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
    /// How fast the account may be asked.
    pub(crate) pace: Pace,
    /// API requests per day.
    pub(crate) daily_requests: u32,
    /// Requests for bytes per day.
    pub(crate) daily_downloads: u32,
    /// What sending the bytes of a file is counted as.
    pub(crate) send_cost: Cost,
}

impl Settings {
    /// Reads a configuration, judging it by the schema and by what the schema cannot express.
    ///
    /// # Errors
    /// Every mistake, none of which quotes a secret.
    pub(crate) fn read(config: &Config, schema: &ConfigSchema) -> Result<Self, Mistakes> {
        Self::read_whole(config, schema, false)
    }

    /// The same for a configuration that consent is asked for with: it need not have a token yet.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub(crate) fn read_before_consent(config: &Config, schema: &ConfigSchema) -> Result<Self, Mistakes> {
        let token = config.secrets.get("token").map_or("", |token| token.expose_secret());
        Self::read_whole(config, schema, token.trim().is_empty())
    }

    fn read_whole(config: &Config, schema: &ConfigSchema, tokenless: bool) -> Result<Self, Mistakes> {
        let mut whole = config.fields.clone();
        whole.extend(config.secrets.expose());
        let mut mistakes = match schema.validate(&Value::Object(whole.clone())) {
            Ok(()) => Vec::new(),
            Err(mistakes) => mistakes.0,
        };
        if tokenless {
            whole.remove("token");
            mistakes.retain(|mistake| mistake.pointer != "/token");
        }
        let judged = Fields::of(without_mistakes(whole, &mistakes)).map(|fields| fields.judge(tokenless));
        match (mistakes.is_empty(), judged) {
            (true, Some(judged)) => judged,
            // What serde would say could quote a secret, and the schema has its say on all of that.
            (true, None) => {
                let reason = "the configuration does not fit its schema".into();
                Err(Mistake { pointer: String::new(), reason }.into())
            }
            (false, Some(Err(others))) => Err(Mistakes(mistakes).and(others)),
            (false, _) => Err(Mistakes(mistakes)),
        }
    }
}

/// The configuration without the fields that the schema refuses, so that all else can be judged along with them.
fn without_mistakes(mut whole: Map<String, Value>, mistakes: &[Mistake]) -> Map<String, Value> {
    for mistake in mistakes {
        let field = mistake.pointer.trim_start_matches('/').split('/').next().unwrap_or_default();
        whole.remove(field);
    }
    whole.entry("token").or_insert_with(|| "".into());
    whole
}

impl Fields {
    fn of(whole: Map<String, Value>) -> Option<Self> {
        serde_json::from_value(Value::Object(whole)).ok()
    }

    fn judge(self, tokenless: bool) -> Result<Settings, Mistakes> {
        let mut mistakes = Vec::new();
        let mut wrong = |field: &str, reason: String| mistakes.push(Mistake::in_field(field, reason));

        let mut endpoint = |name: &str, value: &str, default: &str| {
            let text = if value.trim().is_empty() { default } else { value };
            endpoint::parse(text).map_err(|reason| wrong(name, reason.into())).ok()
        };
        let auth_url = endpoint("auth_url", &self.auth_url, AUTH_URL);
        let token_url = endpoint("token_url", &self.token_url, TOKEN_URL);
        let api_url = endpoint("api_url", &self.api_url, API_URL);
        let proxy = endpoint::parse_proxy(&self.proxy).unwrap_or_else(|reason| {
            wrong("proxy", reason.into());
            None
        });
        let client_id = self.client().map_err(|(field, reason)| wrong(field, reason.into())).ok();
        let token = if tokenless {
            Some(Token::default())
        } else {
            Token::parse(self.token.expose_secret()).map_err(|error| wrong("token", error.to_string())).ok()
        };
        let mut length = |field: &str, text: &str| {
            duration::parse(text).map_err(|reason| wrong(field, reason.into())).ok()
        };
        let idle = length("batch_timeout", &self.batch_timeout);
        let commit = length("batch_commit_timeout", &self.batch_commit_timeout).and_then(|timeout| {
            if timeout.is_zero() {
                return Some(COMMIT_TIMEOUT);
            }
            if timeout < Duration::from_secs(1) {
                wrong("batch_commit_timeout", "must be at least 1s, or 0s for the default".into());
                return None;
            }
            Some(timeout)
        });

        match (client_id, auth_url, token_url, api_url, token, idle, commit) {
            (
                Some(client_id),
                Some(auth_url),
                Some(token_url),
                Some(api_url),
                Some(token),
                Some(idle),
                Some(commit),
            ) if mistakes.is_empty() => Ok(Settings {
                client_id,
                token,
                auth_url,
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
                batch: self.batch_mode.policy(usize::from(self.batch_size), idle, commit),
                pace: Pace {
                    requests_per_minute: NonZeroU32::new(self.requests_per_minute),
                    connections: usize::from(self.connections),
                    up: bytes_per_second(self.bandwidth_up),
                    down: bytes_per_second(self.bandwidth_down),
                },
                daily_requests: self.daily_requests,
                daily_downloads: self.daily_downloads,
                send_cost: if self.uploads_count { API } else { UNCOUNTED },
            }),
            _ => Err(Mistakes(mistakes)),
        }
    }

    /// The id of the OAuth client, from its own field or from the file in the secret's; else which field is wrong, and why.
    fn client(&self) -> Result<String, (&'static str, &'static str)> {
        let given = self.client_id.trim();
        let file = ClientSecret::read(self.client_secret.expose_secret())
            .map_err(|reason| ("client_secret", reason))?;
        match file.id {
            None if given.is_empty() => Err((
                "client_id",
                "is missing or blank; enter it, or enter the whole content of client_secret.json as the client_secret",
            )),
            Some(id) if given.is_empty() || given == id => Ok(id),
            Some(_) => Err((
                "client_id",
                "is another client than that of the client_secret.json in client_secret; leave one of them out",
            )),
            None => Ok(given.to_owned()),
        }
    }
}

fn bytes_per_second(kibibytes: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(kibibytes.saturating_mul(1024))
}

impl BatchMode {
    fn policy(self, size: usize, idle: Duration, commit_timeout: Duration) -> BatchPolicy {
        let size = if size == 0 { LARGEST_BATCH } else { size.min(LARGEST_BATCH) };
        let or = |default: u64| if idle.is_zero() { Duration::from_secs(default) } else { idle };
        match self {
            Self::Sync => BatchPolicy { size, staged: 2 * size, idle: or(1), commit_timeout },
            Self::Async => BatchPolicy { size, staged: 500, idle: or(10), commit_timeout },
            Self::Off => BatchPolicy { size: 1, staged: 16, idle: Duration::ZERO, commit_timeout },
        }
    }
}
