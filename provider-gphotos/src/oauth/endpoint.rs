//! The token endpoint: one request to it, and what its answers mean.

use std::sync::Arc;

use charon_provider::{Class, Cost, Error, Host};
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use url::Url;

use super::identity::Identity;
use crate::{
    error::{self, AUTHORISE_AGAIN, Subject},
    http::{self, Answer, Clients},
};

/// The meter of token requests.
pub(super) const OAUTH: Cost = Cost("oauth");

/// Where tokens are given, and as which client they are asked for.
#[derive(Debug)]
pub(crate) struct TokenEndpoint {
    pub(crate) client_id: String,
    pub(crate) url: Url,
    pub(crate) clients: Arc<Clients>,
    pub(crate) host: Arc<dyn Host>,
}

/// What a token request gave.
pub(super) struct Granted {
    pub(super) access: SecretString,
    pub(super) refresh: Option<SecretString>,
    pub(super) expires_at: Option<Timestamp>,
    /// The rights that it has, where that was told.
    pub(super) scopes: Option<String>,
    /// Whose account it is for, where that was told.
    pub(super) identity: Option<Identity>,
}

/// Why a token request gave nothing.
pub(super) enum Refusal {
    /// What the request showed (a refresh token, a code) is worth nothing; these are the server's words on it.
    Grant(String),
    /// Anything else.
    Other(Error),
}

impl TokenEndpoint {
    /// Asks whether anybody answers there at all: any HTTP answer will do, and its status is given.
    pub(crate) async fn reach(&self) -> Result<u16, Error> {
        let doing = "reach the token endpoint";
        self.host.permit(OAUTH).await?;
        let unanswered = |trouble| error::unanswered(doing, Subject::Library, trouble);
        let client = self.clients.of(&self.url).map_err(unanswered)?;
        let response =
            http::unless_silent(client.request(Method::GET, self.url.clone()).send(), &*self.host).await;
        response.map(|response| response.status().as_u16()).map_err(unanswered)
    }

    /// Asks for a token, with `grant` and the client's id and secret. The permit has been asked for already.
    pub(super) async fn ask(
        &self,
        doing: &str,
        grant: &[(&str, &str)],
        secret: &SecretString,
    ) -> Result<Granted, Refusal> {
        let secret = secret.expose_secret();
        let mut form = grant.to_vec();
        form.push(("client_id", &self.client_id));
        if !secret.is_empty() {
            form.push(("client_secret", secret));
        }
        let unanswered = |trouble| Refusal::Other(error::unanswered(doing, Subject::Library, trouble));
        let client = self.clients.of(&self.url).map_err(unanswered)?;
        let answer = http::exchange(client.post(self.url.clone()).form(&form), &*self.host)
            .await
            .map_err(unanswered)?;
        let now = self.host.now();
        if answer.status.is_success() {
            return read_grant(doing, &answer, now).map_err(Refusal::Other);
        }
        let hidden = grant.iter().filter(|(name, _)| *name != "grant_type" && *name != "redirect_uri");
        let hidden: Vec<&str> = hidden.map(|(_, value)| *value).chain([secret]).collect();
        Err(refused(doing, &answer, now).without(&hidden))
    }
}

impl Refusal {
    /// The same words without these, in case the server repeats them.
    fn without(mut self, hidden: &[&str]) -> Self {
        let words = match &mut self {
            Self::Grant(words) => words,
            Self::Other(error) => &mut error.cause,
        };
        for secret in hidden.iter().filter(|secret| !secret.is_empty()) {
            *words = words.replace(secret, "[…]");
        }
        self
    }
}

fn read_grant(doing: &str, answer: &Answer, now: Timestamp) -> Result<Granted, Error> {
    let unreadable = |words: &str| Error::new(Class::Transient, doing, words);
    let fields: Map<String, Value> = serde_json::from_slice(&answer.body)
        .map_err(|_| unreadable("the answer is not JSON; is token_url a token endpoint?"))?;
    let text = |name: &str| {
        let text = fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        text.filter(|text| text.bytes().all(|b| (0x20..0x7f).contains(&b)))
    };
    let access = text("access_token").ok_or_else(|| unreadable("the answer has no access token"))?;
    let seconds = fields.get("expires_in").and_then(|value| match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_i64(),
    });
    // A year at the most, so that no answer can overflow a date.
    let lifetime = seconds.map(|seconds| SignedDuration::from_secs(seconds.clamp(0, 365 * 86_400)));
    // To pass over an ID token that cannot be read would be to trust whatever account it is (I11).
    let identity = match fields.get("id_token") {
        None | Some(Value::Null) => None,
        Some(token) => {
            let identity = token.as_str().and_then(Identity::read);
            Some(identity.ok_or_else(|| unreadable("the answer's ID token names no account"))?)
        }
    };
    Ok(Granted {
        access: access.into(),
        refresh: text("refresh_token").map(Into::into),
        expires_at: lifetime.and_then(|lifetime| now.checked_add(lifetime).ok()),
        scopes: text("scope").map(str::to_owned),
        identity,
    })
}

fn refused(doing: &str, answer: &Answer, now: Timestamp) -> Refusal {
    let fields: Map<String, Value> = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let (code, description) = (text("error"), text("error_description"));
    let status = answer.status.as_u16();
    let general = || error::refused(doing, Subject::Library, answer, now);
    if matches!(status, 408 | 429 | 500..=599) {
        return Refusal::Other(general());
    }
    let words = error::fault::Fault::of_item(0, &format!("{code}: {description}")).words(answer.status);
    Refusal::Other(match code {
        "invalid_grant" => return Refusal::Grant(words),
        "invalid_client" | "unauthorized_client" | "deleted_client" | "disabled_client" => {
            Error::new(Class::Auth, doing, words).cured_by(
                "Google does not know this client: compare client_id and client_secret with the Google Cloud console \
                 (https://console.cloud.google.com/apis/credentials); a token works only with the client that it was \
                 given to",
            )
        }
        "temporarily_unavailable" | "server_error" | "internal_failure" => Error::new(Class::Transient, doing, words),
        "rate_limit_exceeded" | "slow_down" => Error::new(Class::Throttled, doing, words),
        "" if (400..500).contains(&status) => Error::new(Class::Config, doing, general().cause)
            .cured_by("the answer is not that of a token endpoint: look at token_url"),
        "" => general(),
        _ => Error::new(Class::Auth, doing, words).cured_by(AUTHORISE_AGAIN),
    })
}
