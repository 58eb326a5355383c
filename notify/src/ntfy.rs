//! ntfy: push messages by topic, at ntfy.sh or at a server of one's own. Published as JSON, so that the topic, which is as good
//! as a password, is in no URL, and titles may have any letters.

use charon_schema::{Mistake, Mistakes};
use jiff::Timestamp;
use reqwest::header::{self, HeaderMap, HeaderValue};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::{
    address,
    error::DeliveryError,
    hidden::Hidden,
    http::Telling,
    notice::{Event, Notice},
    preset::cut,
};

const SERVER: &str = "https://ntfy.sh";
/// What is longer becomes an attachment (ntfy, "Limitations": 4,096 bytes); a character may take four of them.
const LONGEST: usize = 1000;

/// Every field of the configuration, as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    title = "ntfy",
    description = "Push messages to phones and desktops, by ntfy.sh or a server of your own."
)]
pub(crate) struct Fields {
    #[serde(default = "default_server")]
    #[schemars(
        title = "Server",
        description = "The server, without the topic. Blank means https://ntfy.sh.",
        extend("x-group" = "ntfy", "x-order" = 1, "x-binds-secrets" = true)
    )]
    server: String,

    #[schemars(
        with = "String",
        title = "Topic",
        description = "The topic that you have subscribed to. Whoever knows it can read along, so it is kept secret: choose \
                       one that cannot be guessed.",
        regex(pattern = "^[-_A-Za-z0-9]{1,64}$"),
        extend("x-group" = "ntfy", "x-order" = 2, "x-secret" = true)
    )]
    topic: SecretString,

    #[serde(default = "no_secret")]
    #[schemars(
        with = "String",
        title = "Access token",
        description = "For topics that are protected: a token such as tk_….",
        extend("x-group" = "ntfy", "x-order" = 3, "x-secret" = true)
    )]
    token: SecretString,
}

fn default_server() -> String {
    SERVER.to_owned()
}

fn no_secret() -> SecretString {
    SecretString::default()
}

/// A topic that is ready to be told things.
#[derive(Debug)]
pub(crate) struct Ntfy {
    server: Url,
    host: String,
    topic: SecretString,
    authorization: Option<HeaderValue>,
    hidden: Hidden,
}

impl Fields {
    pub(crate) fn judge(self) -> Result<Ntfy, Mistakes> {
        let mut mistakes = Vec::new();
        let mut wrong = |field: &str, reason: &str| mistakes.push(Mistake::in_field(field, reason));
        let text = if self.server.trim().is_empty() { SERVER } else { &self.server };
        let server = match address::parse(text) {
            Ok(url) if url.query().is_some() => {
                wrong("server", "must not have a ? part");
                None
            }
            Ok(url) => Some(url),
            Err(reason) => {
                wrong("server", reason);
                None
            }
        };
        let token = self.token.expose_secret().trim();
        let authorization = (!token.is_empty()).then(|| HeaderValue::try_from(format!("Bearer {token}")));
        if matches!(authorization, Some(Err(_))) {
            wrong("token", "has letters that no token has");
        }
        let (Some(server), true) = (server, mistakes.is_empty()) else { return Err(Mistakes(mistakes)) };
        let hidden = Hidden::new([self.topic.expose_secret().to_owned(), token.to_owned()]);
        let mut authorization = authorization.and_then(Result::ok);
        if let Some(value) = &mut authorization {
            value.set_sensitive(true);
        }
        let host = server.host_str().unwrap_or("the server").to_owned();
        Ok(Ntfy { server, host, topic: self.topic, authorization, hidden })
    }
}

impl Ntfy {
    pub(crate) async fn deliver(&self, notice: &Notice, now: Timestamp) -> Result<(), DeliveryError> {
        let mut message = json!({
            "topic": self.topic.expose_secret(),
            "title": cut(&notice.title, 200),
            "message": cut(&notice.text, LONGEST),
            "priority": priority(notice.event),
            "tags": [tag(notice.event)],
        });
        if let Some(link) = &notice.link {
            message["click"] = link.clone().into();
        }
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(authorization) = &self.authorization {
            headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        let body = message.to_string();
        Telling { url: &self.server, headers, body, server: &self.host, hidden: &self.hidden }.post(now).await
    }
}

/// How loud it is, from 1 (no sound) to 5 (ntfy, "Message priority"): what a person has to do something about is loud.
fn priority(event: Event) -> u8 {
    match event {
        Event::Started | Event::Success => 2,
        Event::Partial | Event::Recovered | Event::Test => 3,
        Event::Failure | Event::NeedsAttention | Event::Overdue => 4,
        Event::FailuresInARow => 5,
    }
}

/// The emoji before the title, by its short code.
fn tag(event: Event) -> &'static str {
    match event {
        Event::Started => "arrow_forward",
        Event::Success | Event::Recovered => "white_check_mark",
        Event::Partial => "warning",
        Event::Failure | Event::FailuresInARow => "x",
        Event::NeedsAttention => "raised_hand",
        Event::Overdue => "hourglass",
        Event::Test => "bell",
    }
}
