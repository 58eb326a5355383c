//! Pings, as Healthchecks takes them, at healthchecks.io or a server of one's own: it knows when a ping is due, and raises the
//! alarm when none comes, which no program can do about itself.
//!
//! | event | what is posted to |
//! |---|---|
//! | started | the URL and `/start` |
//! | success | the URL |
//! | partial | the URL and `/fail`; the URL alone where `partial_is_success` |
//! | failure, needs attention | the URL and `/fail` |
//! | test | the URL and `/log`, which changes nothing |
//!
//! The body is the notice's text, for Healthchecks to show. Overdue, recovered and failures in a row are not told: whoever
//! counts pings knows them.

use charon_schema::{Mistake, Mistakes};
use jiff::Timestamp;
use reqwest::header::{self, HeaderMap, HeaderValue};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use crate::{
    address,
    error::DeliveryError,
    hidden::Hidden,
    http::Telling,
    notice::{Event, Notice},
    preset::cut,
    webhook::SecretUrl,
};

/// What the server is called: the URL is secret.
const SERVER: &str = "the server of the ping";
/// Healthchecks keeps 100 kB of a body; this is enough for people.
const LONGEST: usize = 10_000;

/// Every field of the configuration, as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    title = "Ping",
    description = "A ping for each run, as Healthchecks takes it: healthchecks.io, or a server of your own. It raises the \
                   alarm when pings stay away."
)]
pub(crate) struct Fields {
    #[schemars(
        with = "String",
        title = "Ping URL",
        description = "The check's ping URL, such as https://hc-ping.com/ and its UUID. It is kept secret.",
        length(min = 1),
        extend("x-group" = "Ping", "x-order" = 1, "x-secret" = true)
    )]
    url: SecretString,

    #[serde(default)]
    #[schemars(
        title = "Partial is success",
        description = "Whether a run that came to its end, but with some items failed, counts as a success.",
        extend("x-group" = "Ping", "x-order" = 2, "x-advanced" = true)
    )]
    partial_is_success: bool,
}

/// A check that is ready to be pinged.
#[derive(Debug)]
pub(crate) struct Ping {
    url: SecretUrl,
    partial_is_success: bool,
    hidden: Hidden,
}

impl Fields {
    pub(crate) fn judge(self) -> Result<Ping, Mistakes> {
        let url =
            address::parse(self.url.expose_secret()).map_err(|reason| Mistake::in_field("url", reason))?;
        let hidden = Hidden::new(Hidden::of_url(&url));
        Ok(Ping { url: SecretUrl(url), partial_is_success: self.partial_is_success, hidden })
    }
}

impl Ping {
    pub(crate) async fn deliver(&self, notice: &Notice, now: Timestamp) -> Result<(), DeliveryError> {
        let Some(signal) = signal(notice.event, self.partial_is_success) else { return Ok(()) };
        let url = below(&self.url.0, signal);
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        let body = cut(&format!("{}\n{}", notice.title, notice.text_with_link()), LONGEST);
        Telling { url: &url, headers, body, server: SERVER, hidden: &self.hidden }.post(now).await
    }
}

/// Whether a ping is sent for it.
pub(crate) fn speaks(event: Event) -> bool {
    signal(event, false).is_some()
}

/// What comes behind the URL.
fn signal(event: Event, partial_is_success: bool) -> Option<&'static str> {
    match event {
        Event::Started => Some("/start"),
        Event::Success => Some(""),
        Event::Partial if partial_is_success => Some(""),
        Event::Partial | Event::Failure | Event::NeedsAttention => Some("/fail"),
        Event::Test => Some("/log"),
        Event::Overdue | Event::Recovered | Event::FailuresInARow => None,
    }
}

/// The URL with something behind its path; a query stays behind that.
fn below(url: &Url, signal: &str) -> Url {
    let mut below = url.clone();
    if !signal.is_empty() {
        below.set_path(&format!("{}{signal}", url.path().trim_end_matches('/')));
    }
    below
}
