//! Reading the body of a refusal, whatever its shape, and saying it in words that can be shown.
//!
//! The Library API answers `{"error":{"code","message","status","details"}}`, `/v1/uploads` a bare
//! `{"code","message"}` with a code of `google.rpc.Code`, front ends and proxies answer HTML. Nothing of an HTML page is
//! ever shown, for Google's contain the base URL; of a message nothing that could be a token.

use reqwest::StatusCode;
use serde_json::Value;
use url::Url;

use crate::http::Answer;

/// Longer messages are cut.
const LONGEST_MESSAGE: usize = 400;
/// A word of a message that is longer than this may be a token.
const LONGEST_WORD: usize = 40;

/// What a refusal says.
#[derive(Debug, Default)]
pub(crate) struct Fault {
    message: String,
    /// `PERMISSION_DENIED` and the like.
    status: String,
    /// The code of `google.rpc.Code`, where that is what the body had.
    code: Option<i64>,
    /// `SERVICE_DISABLED`, `rateLimitExceeded`, `...PerDayPerProject`: everything the details name.
    details: String,
    is_page: bool,
}

impl Fault {
    pub(crate) fn read(answer: &Answer) -> Self {
        let Ok(body) = serde_json::from_slice::<Value>(&answer.body) else {
            let is_page =
                answer.content_type.contains("html") || answer.body.trim_ascii_start().starts_with(b"<");
            let text = if is_page || answer.content_type.starts_with("image/") {
                String::new()
            } else {
                String::from_utf8_lossy(&answer.body).into_owned()
            };
            return Self { message: text, is_page, ..Self::default() };
        };
        let error = body.get("error").filter(|error| error.is_object()).unwrap_or(&body);
        let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let details = |name: &str| error.get(name).map(Value::to_string).unwrap_or_default();
        Self {
            message: text("message"),
            status: text("status"),
            // Larger ones are HTTP statuses.
            code: error.get("code").and_then(Value::as_i64).filter(|code| (1..=16).contains(code)),
            details: details("details") + &details("errors"),
            is_page: false,
        }
    }

    /// What the status of one item in a batch says.
    pub(crate) fn of_item(code: i64, message: &str) -> Self {
        Self { message: message.to_owned(), code: Some(code), ..Self::default() }
    }

    /// Whether the message contains these words, whatever their case.
    pub(crate) fn says(&self, words: &str) -> bool {
        self.message.to_ascii_lowercase().contains(words)
    }

    pub(crate) fn rpc_code(&self) -> Option<i64> {
        self.code.or(match self.status.as_str() {
            "INVALID_ARGUMENT" => Some(3),
            "NOT_FOUND" => Some(5),
            "PERMISSION_DENIED" => Some(7),
            "RESOURCE_EXHAUSTED" => Some(8),
            "ABORTED" => Some(10),
            "UNAUTHENTICATED" => Some(16),
            _ => None,
        })
    }

    /// Whether some limit was met, by its words or its details.
    pub(crate) fn is_limit(&self) -> bool {
        self.says("quota exceeded")
            || self.details_name("RATE_LIMIT_EXCEEDED")
            || self.details_name("rateLimitExceeded")
    }

    /// Whether the limit is one that resets once a day.
    pub(crate) fn is_daily(&self) -> bool {
        self.says("per day") || self.details_name("PerDay") || self.details_name("dailyLimitExceeded")
    }

    pub(crate) fn is_api_disabled(&self) -> bool {
        (self.says("has not been used in project") && self.says("disabled"))
            || self.details_name("SERVICE_DISABLED")
            || self.details_name("accessNotConfigured")
    }

    pub(crate) fn is_scope_missing(&self) -> bool {
        self.says("insufficient authentication scopes")
            || self.details_name("ACCESS_TOKEN_SCOPE_INSUFFICIENT")
    }

    fn details_name(&self, word: &str) -> bool {
        self.details.contains(word)
    }

    /// The page of Google's console that the message sends one to.
    pub(crate) fn console_url(&self) -> Option<String> {
        self.message.split_whitespace().find(|word| is_console_url(word)).map(|word| plain(word, 300))
    }

    /// The server's words, fit to be shown, or what is known instead.
    pub(crate) fn words(&self, status: StatusCode) -> String {
        let message = plain(&shown(&self.message), LONGEST_MESSAGE);
        let name =
            if self.status.is_empty() { String::new() } else { format!(" {}", plain(&self.status, 40)) };
        match (status.is_success(), message.is_empty()) {
            (true, false) => message,
            (true, true) => format!("status code {}", self.code.unwrap_or_default()),
            (false, false) => format!("{message} (HTTP {}{name})", status.as_u16()),
            (false, true) if self.is_page => format!("the server answered with a web page (HTTP {status})"),
            (false, true) => format!("the server answered HTTP {status}"),
        }
    }
}

/// A message without anything in it that may be a token or the address of somebody's photo.
fn shown(message: &str) -> String {
    let words = message.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let words: Vec<&str> = words.map(|word| if may_be_secret(word) { "[…]" } else { word }).collect();
    words.join(" ")
}

fn may_be_secret(word: &str) -> bool {
    let token_like = word.contains("ya29.") || word.contains("1//") || word.contains("/lr/");
    (token_like || word.len() > LONGEST_WORD) && !is_console_url(word)
}

fn is_console_url(word: &str) -> bool {
    const CONSOLES: [&str; 2] = ["console.developers.google.com", "console.cloud.google.com"];
    word.starts_with("https://")
        && Url::parse(word).is_ok_and(|url| url.host_str().is_some_and(|host| CONSOLES.contains(&host)))
}

/// Text without control characters, and not too long.
fn plain(text: &str, most: usize) -> String {
    let mut plain: String = text.chars().filter(|c| !c.is_control()).take(most).collect();
    if text.chars().nth(most).is_some() {
        plain.push('…');
    }
    plain
}
