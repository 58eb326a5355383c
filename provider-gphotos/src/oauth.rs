//! The account's access token: kept, renewed ahead of its end, and never by two at once.

use std::sync::Arc;

use charon_provider::{Class, Conflict, Cost, Error, Host, Revision, Secrets};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use tokio::sync::Mutex;
use url::Url;

use crate::{
    error::{self, AUTHORISE_AGAIN, Subject},
    http::{self, Answer, Clients, Patience},
    token::Token,
};

/// The meter of token requests.
const OAUTH: Cost = Cost("oauth");
/// What a token request does, for errors.
const DOING: &str = "renew the access token";
/// A refresh token that was refused is not shown again for this long: each request that waits in line would show it.
const REMEMBER_REFUSAL: SignedDuration = SignedDuration::from_secs(60);

/// How often somebody else may be faster at storing a token.
const MOST_CONFLICTS: usize = 3;

/// A bearer token.
#[derive(Clone, Debug)]
pub(crate) struct Bearer(pub(crate) SecretString);

impl Bearer {
    fn is(&self, access: &SecretString) -> bool {
        self.0.expose_secret() == access.expose_secret()
    }

    /// The same words without this token, in case a server repeats it.
    pub(crate) fn scrub(&self, mut error: Error) -> Error {
        let token = self.0.expose_secret();
        if !token.is_empty() && error.cause.contains(token) {
            error.cause = error.cause.replace(token, "[…]");
        }
        error
    }
}

/// What the account is spoken for with, from one opening of the storage to its end.
#[derive(Debug)]
pub(crate) struct Session {
    client_id: String,
    token_url: Url,
    clients: Arc<Clients>,
    host: Arc<dyn Host>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    token: Token,
    secrets: Secrets,
    revision: Revision,
    /// The rights that the token has, where a token request told.
    scopes: Option<String>,
    /// When the refresh token was last refused, and how.
    refused: Option<(Timestamp, String)>,
}

/// What a token request gave.
struct Granted {
    token: Token,
    scopes: Option<String>,
    /// Whether there is a new refresh token, which is lost unless it is stored.
    replaces_refresh: bool,
}

impl Session {
    pub(crate) fn new(
        client_id: String,
        token_url: Url,
        token: Token,
        secrets: Secrets,
        revision: Revision,
        clients: Arc<Clients>,
        host: Arc<dyn Host>,
    ) -> Self {
        let state = Mutex::new(State { token, secrets, revision, scopes: None, refused: None });
        Self { client_id, token_url, clients, host, state }
    }

    /// A bearer token that will be good for a minute at least, as far as anybody knows.
    pub(crate) async fn bearer(&self) -> Result<Bearer, Error> {
        // Held across the request on purpose: those who come meanwhile wait for its token instead of asking too.
        let mut state = self.state.lock().await;
        match state.token.usable_access(self.host.now()) {
            Some(access) => Ok(Bearer(access.clone())),
            None => self.renew(&mut state, None).await,
        }
    }

    /// Another bearer token than this one, which the API has refused.
    pub(crate) async fn instead_of(&self, refused: &Bearer) -> Result<Bearer, Error> {
        let mut state = self.state.lock().await;
        match state.token.usable_access(self.host.now()) {
            Some(access) if !refused.is(access) => Ok(Bearer(access.clone())),
            _ => self.renew(&mut state, Some(refused)).await,
        }
    }

    /// Renews the token whether or not it has to be; without a refresh token, says how long the present one lasts.
    pub(crate) async fn prove(&self) -> Result<Proof, Error> {
        let mut state = self.state.lock().await;
        if state.token.refresh.is_none() && state.token.usable_access(self.host.now()).is_some() {
            return Ok(Proof::CannotRenew { expires_at: state.token.expires_at });
        }
        self.renew(&mut state, None).await?;
        Ok(Proof::Renewed { expires_at: state.token.expires_at })
    }

    /// The rights of the token, space-separated, if a token request has told them.
    pub(crate) async fn scopes(&self) -> Option<String> {
        self.state.lock().await.scopes.clone()
    }

    /// Asks for a new access token and stores it, or takes the one that somebody else has stored meanwhile, unless that
    /// is the one that was refused.
    async fn renew(&self, state: &mut State, refused: Option<&Bearer>) -> Result<Bearer, Error> {
        let mut granted = self.request(state).await?;
        for _ in 0..MOST_CONFLICTS {
            let secrets = state.secrets.clone().with("token", granted.token.to_blob());
            match self.host.save_secrets(state.revision, secrets.clone()).await {
                Ok(Ok(revision)) => {
                    state.revision = revision;
                    state.secrets = secrets;
                    return state.adopt(granted);
                }
                Ok(Err(Conflict { secrets: newer, revision })) => {
                    let theirs = read_stored(&newer)?;
                    state.secrets = newer;
                    state.revision = revision;
                    let usable = theirs.usable_access(self.host.now()).cloned();
                    if let Some(access) =
                        usable.filter(|access| refused.is_none_or(|refused| !refused.is(access)))
                    {
                        state.token = theirs;
                        return Ok(Bearer(access));
                    }
                    if !theirs.same_grant(&state.token) {
                        state.token = theirs;
                        state.refused = None;
                        granted = self.request(state).await?;
                    }
                }
                // What is stored can still be renewed, so nothing is lost but a request.
                Err(error) if !granted.replaces_refresh => {
                    tracing::warn!(%error, "the renewed token could not be stored");
                    return state.adopt(granted);
                }
                Err(error) => {
                    state.adopt(granted)?;
                    return Err(error);
                }
            }
        }
        // Somebody stores tokens faster than we do; ours is good all the same.
        state.adopt(granted)
    }

    async fn request(&self, state: &mut State) -> Result<Granted, Error> {
        let Some(refresh) = state.token.refresh.clone() else {
            return Err(Error::new(
                Class::Auth,
                DOING,
                "the access token has expired or is refused, and there is no refresh token",
            )
            .cured_by(AUTHORISE_AGAIN));
        };
        if let Some((at, words)) = &state.refused
            && self.host.now().duration_since(*at) < REMEMBER_REFUSAL
        {
            return Err(invalid_grant(words));
        }
        self.host.permit(OAUTH).await?;
        let secret = state.secrets.get("client_secret").map_or("", |secret| secret.expose_secret());
        let mut form = vec![
            ("grant_type", "refresh_token"),
            ("client_id", self.client_id.as_str()),
            ("refresh_token", refresh.expose_secret()),
        ];
        if !secret.is_empty() {
            form.push(("client_secret", secret));
        }
        let unanswered = |trouble| error::unanswered(DOING, Subject::Library, trouble);
        let client = self.clients.of(&self.token_url, Patience::Exchange).map_err(unanswered)?;
        let answer =
            http::exchange(client.post(self.token_url.clone()).form(&form)).await.map_err(unanswered)?;
        let now = self.host.now();
        if answer.status.is_success() {
            state.refused = None;
            return read_grant(&answer, &refresh, now);
        }
        let (mut error, is_invalid_grant) = refused(&answer, now);
        for hidden in [refresh.expose_secret(), secret].into_iter().filter(|hidden| !hidden.is_empty()) {
            error.cause = error.cause.replace(hidden, "[…]");
        }
        if is_invalid_grant {
            state.refused = Some((now, error.cause.clone()));
        }
        Err(error)
    }
}

/// What the connection test learns from renewing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The refresh token works.
    Renewed { expires_at: Option<Timestamp> },
    /// There is none, and the access token lasts until then.
    CannotRenew { expires_at: Option<Timestamp> },
}

impl State {
    fn adopt(&mut self, granted: Granted) -> Result<Bearer, Error> {
        self.token = granted.token;
        self.scopes = granted.scopes.or_else(|| self.scopes.take());
        self.bearer()
    }

    fn bearer(&self) -> Result<Bearer, Error> {
        let access = self.token.access.clone();
        access.map(Bearer).ok_or_else(|| {
            Error::new(Class::Auth, DOING, "there is no access token").cured_by(AUTHORISE_AGAIN)
        })
    }
}

fn read_stored(secrets: &Secrets) -> Result<Token, Error> {
    let stored = secrets.get("token").map_or("", |secret| secret.expose_secret());
    Token::parse(stored).map_err(|_| {
        Error::new(Class::Auth, DOING, "the token that was stored meanwhile cannot be read")
            .cured_by(AUTHORISE_AGAIN)
    })
}

fn read_grant(answer: &Answer, refresh: &SecretString, now: Timestamp) -> Result<Granted, Error> {
    let unreadable = |words: &str| Error::new(Class::Transient, DOING, words);
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
    let replacement = text("refresh_token").filter(|new| *new != refresh.expose_secret());
    Ok(Granted {
        token: Token {
            access: Some(access.into()),
            refresh: Some(replacement.map_or_else(|| refresh.clone(), Into::into)),
            expires_at: lifetime.and_then(|lifetime| now.checked_add(lifetime).ok()),
        },
        scopes: text("scope").map(str::to_owned),
        replaces_refresh: replacement.is_some(),
    })
}

/// What a refusal of the token endpoint means, and whether it is the refresh token that is refused for good.
fn refused(answer: &Answer, now: Timestamp) -> (Error, bool) {
    let fields: Map<String, Value> = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let (code, description) = (text("error"), text("error_description"));
    let status = answer.status.as_u16();
    let general = || error::refused(DOING, Subject::Library, answer, now);
    if matches!(status, 408 | 429 | 500..=599) {
        return (general(), false);
    }
    let words = error::fault::Fault::of_item(0, &format!("{code}: {description}")).words(answer.status);
    let error = match code {
        "invalid_grant" => return (invalid_grant(&words), true),
        "invalid_client" | "unauthorized_client" | "deleted_client" | "disabled_client" => {
            Error::new(Class::Auth, DOING, words).cured_by(
                "Google does not know this client: compare client_id and client_secret with the Google Cloud console, \
                 under Credentials; a token works only with the client that it was given to",
            )
        }
        "temporarily_unavailable" | "server_error" | "internal_failure" => Error::new(Class::Transient, DOING, words),
        "rate_limit_exceeded" | "slow_down" => Error::new(Class::Throttled, DOING, words),
        "" if (400..500).contains(&status) => Error::new(Class::Config, DOING, general().cause)
            .cured_by("the answer is not that of a token endpoint: look at token_url"),
        "" => general(),
        _ => Error::new(Class::Auth, DOING, words).cured_by(AUTHORISE_AGAIN),
    };
    (error, false)
}

fn invalid_grant(words: &str) -> Error {
    Error::new(Class::Auth, DOING, words).cured_by(
        "the consent was withdrawn, or has expired: while the app is in \"Testing\" on Google's consent screen its \
         tokens last 7 days, so publish it to make them last; run the authorisation again and update the storage's token",
    )
}
