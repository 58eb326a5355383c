//! The account's access token: kept, renewed ahead of its end, and never by two at once.

pub(crate) mod consent;
mod endpoint;
mod identity;

use std::sync::Arc;

use charon_provider::{Class, Conflict, Error, Host, Revision, Secrets};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Mutex, OwnedMutexGuard};

pub(crate) use self::endpoint::TokenEndpoint;
use self::endpoint::{Granted, OAUTH, Refusal};
use crate::{config::ClientSecret, error::AUTHORISE_AGAIN, token::Token};

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

    /// The same error without this token, in case a server repeats it.
    pub(crate) fn scrub(&self, mut error: Error) -> Error {
        error.cause = self.scrub_words(error.cause);
        error
    }

    /// The same words without this token.
    pub(crate) fn scrub_words(&self, words: String) -> String {
        let token = self.0.expose_secret();
        if !token.is_empty() && words.contains(token) { words.replace(token, "[…]") } else { words }
    }
}

/// What the account is spoken for with, from one opening of the storage to its end.
#[derive(Debug)]
pub(crate) struct Session {
    endpoint: Arc<TokenEndpoint>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    token: Token,
    secrets: Secrets,
    revision: Revision,
    /// The rights that the token has, where a token request told.
    scopes: Option<String>,
    /// When the refresh token was last refused, and how.
    refused: Option<(Timestamp, Error)>,
}

/// A token request's success, as what is kept of it.
struct Renewed {
    token: Token,
    scopes: Option<String>,
    /// Whether there is a new refresh token, which is lost unless it is stored.
    replaces_refresh: bool,
    /// Whose account it is for, where that was told.
    account: Option<String>,
}

impl Session {
    pub(crate) fn new(
        endpoint: Arc<TokenEndpoint>,
        token: Token,
        secrets: Secrets,
        revision: Revision,
    ) -> Self {
        let state = State { token, secrets, revision, scopes: None, refused: None };
        Self { endpoint, state: Arc::new(Mutex::new(state)) }
    }

    /// A bearer token that will be good for a minute at least, as far as anybody knows.
    pub(crate) async fn bearer(&self) -> Result<Bearer, Error> {
        let state = self.lock().await;
        match state.token.usable_access(self.now()) {
            Some(access) => Ok(Bearer(access.clone())),
            None => self.renew(state, None).await,
        }
    }

    /// Another bearer token than this one, which the API has refused.
    pub(crate) async fn instead_of(&self, refused: &Bearer) -> Result<Bearer, Error> {
        let state = self.lock().await;
        match state.token.usable_access(self.now()) {
            Some(access) if !refused.is(access) => Ok(Bearer(access.clone())),
            _ => self.renew(state, Some(refused.clone())).await,
        }
    }

    /// Renews the token whether or not it has to be; without a refresh token, says how long the present one lasts.
    pub(crate) async fn prove(&self) -> Result<Proof, Error> {
        let state = self.lock().await;
        if state.token.refresh.is_none() && state.token.usable_access(self.now()).is_some() {
            return Ok(Proof::CannotRenew { expires_at: state.token.expires_at });
        }
        self.renew(state, None).await?;
        Ok(Proof::Renewed { expires_at: self.state.lock().await.token.expires_at })
    }

    /// The rights of the token, space-separated, if a token request has told them.
    pub(crate) async fn scopes(&self) -> Option<String> {
        self.state.lock().await.scopes.clone()
    }

    async fn lock(&self) -> OwnedMutexGuard<State> {
        Arc::clone(&self.state).lock_owned().await
    }

    fn now(&self) -> Timestamp {
        self.endpoint.host.now()
    }

    /// Asks for a new access token and stores it. Those who come meanwhile wait for it instead of asking too.
    ///
    /// From the request on it is a task of its own: who asked may be cancelled between Google's answer and the storing, and
    /// the only copy of a new refresh token would be lost with it.
    async fn renew(
        &self,
        mut state: OwnedMutexGuard<State>,
        refused: Option<Bearer>,
    ) -> Result<Bearer, Error> {
        state.can_be_renewed(self.now())?;
        self.endpoint.host.permit(OAUTH).await?;
        let endpoint = Arc::clone(&self.endpoint);
        let task = tokio::spawn(async move { state.renew(&endpoint, refused.as_ref()).await });
        match task.await {
            Ok(result) => result,
            Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
            Err(_) => Err(Error::new(Class::Transient, DOING, "the program is about to end")),
        }
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
    /// Whether it makes sense to ask for a new access token.
    fn can_be_renewed(&self, now: Timestamp) -> Result<(), Error> {
        if self.token.refresh.is_none() {
            let words = "the access token has expired or is refused, and there is no refresh token";
            return Err(Error::new(Class::Auth, DOING, words).cured_by(AUTHORISE_AGAIN));
        }
        match &self.refused {
            Some((at, error)) if now.duration_since(*at) < REMEMBER_REFUSAL => Err(error.clone()),
            _ => Ok(()),
        }
    }

    /// Asks for a new access token and stores it, or takes the one that somebody else has stored meanwhile, unless that
    /// is the one that was refused.
    async fn renew(&mut self, endpoint: &TokenEndpoint, refused: Option<&Bearer>) -> Result<Bearer, Error> {
        let host = &*endpoint.host;
        let mut renewed = self.request(endpoint, &self.token.clone(), &self.secrets.clone()).await?;
        for _ in 0..MOST_CONFLICTS {
            let secrets = self.secrets.clone().with("token", renewed.token.to_blob());
            match host.save_secrets(self.revision, secrets.clone()).await {
                Ok(Ok(revision)) => {
                    self.revision = revision;
                    self.secrets = secrets;
                    return self.adopt(renewed);
                }
                Ok(Err(Conflict { secrets: newer, revision })) => {
                    let theirs = read_stored(&newer)?;
                    if !theirs.same_grant(&self.token) {
                        renewed = self.request_with(endpoint, theirs, newer, revision, &renewed).await?;
                        continue;
                    }
                    self.secrets = newer;
                    self.revision = revision;
                    let usable = theirs.usable_access(host.now()).cloned();
                    if let Some(access) =
                        usable.filter(|access| refused.is_none_or(|refused| !refused.is(access)))
                    {
                        self.token = theirs;
                        return Ok(Bearer(access));
                    }
                }
                // What is stored can still be renewed, so nothing is lost but a request.
                Err(error) if !renewed.replaces_refresh => {
                    tracing::warn!(%error, "the renewed token could not be stored");
                    return self.adopt(renewed);
                }
                Err(error) => {
                    self.adopt(renewed)?;
                    return Err(error);
                }
            }
        }
        // Somebody stores tokens faster than we do; ours is good all the same.
        self.adopt(renewed)
    }

    /// The same with a refresh token that somebody else has stored meanwhile. It may be the next one of the same consent, or a
    /// consent of another account: it is used only if the account is known to be the same (I11).
    async fn request_with(
        &mut self,
        endpoint: &TokenEndpoint,
        theirs: Token,
        secrets: Secrets,
        revision: Revision,
        ours: &Renewed,
    ) -> Result<Renewed, Error> {
        let host = &*endpoint.host;
        if ours.account.is_some() && theirs.refresh.is_some() {
            host.permit(OAUTH).await?;
            let renewed = self.request(endpoint, &theirs, &secrets).await?;
            if renewed.account == ours.account {
                (self.token, self.secrets, self.revision) = (theirs, secrets, revision);
                return Ok(renewed);
            }
        }
        let error = Error::new(Class::Auth, DOING, "the storage was given another consent meanwhile")
            .cured_by("run the plan again");
        self.refused = Some((host.now(), error.clone()));
        Err(error)
    }

    /// One token request; whose account it gives a token for is told before anything is done with the token.
    async fn request(
        &mut self,
        endpoint: &TokenEndpoint,
        token: &Token,
        secrets: &Secrets,
    ) -> Result<Renewed, Error> {
        let refresh = token.refresh.clone().unwrap_or_default();
        let field = secrets.get("client_secret").map_or("", |secret| secret.expose_secret());
        let secret = ClientSecret::read(field).unwrap_or_default().secret;
        let grant = [("grant_type", "refresh_token"), ("refresh_token", refresh.expose_secret())];
        let result = match endpoint.ask(DOING, &grant, &secret).await {
            Ok(granted) => same_account(&*endpoint.host, &granted).await.map(|()| granted),
            Err(Refusal::Grant(words)) => Err(consent_has_ended(&words)),
            Err(Refusal::Other(error)) => return Err(error),
        };
        match result {
            Ok(Granted { access, refresh: new, expires_at, scopes, identity }) => {
                self.refused = None;
                let new = new.filter(|new| new.expose_secret() != refresh.expose_secret());
                let replaces_refresh = new.is_some();
                let token = Token { access: Some(access), refresh: new.or(Some(refresh)), expires_at };
                let account = identity.map(|identity| identity.id);
                Ok(Renewed { token, scopes, replaces_refresh, account })
            }
            Err(error) => {
                if error.class == Class::Auth {
                    self.refused = Some((endpoint.host.now(), error.clone()));
                }
                Err(error)
            }
        }
    }

    fn adopt(&mut self, renewed: Renewed) -> Result<Bearer, Error> {
        self.token = renewed.token;
        self.scopes = renewed.scopes.or_else(|| self.scopes.take());
        let access = self.token.access.clone();
        access.map(Bearer).ok_or_else(|| {
            Error::new(Class::Auth, DOING, "there is no access token").cured_by(AUTHORISE_AGAIN)
        })
    }
}

/// A token of another account is refused before it is stored or used (I11).
async fn same_account(host: &dyn Host, granted: &Granted) -> Result<(), Error> {
    match &granted.identity {
        Some(identity) => host.account(&identity.id).await,
        None => Ok(()),
    }
}

fn read_stored(secrets: &Secrets) -> Result<Token, Error> {
    let stored = secrets.get("token").map_or("", |secret| secret.expose_secret());
    Token::parse(stored).map_err(|_| {
        Error::new(Class::Auth, DOING, "the token that was stored meanwhile cannot be read")
            .cured_by(AUTHORISE_AGAIN)
    })
}

fn consent_has_ended(words: &str) -> Error {
    let cause = format!(
        "{words}: most likely the consent was withdrawn, or the app is in \"Testing\" on Google's consent screen, where a \
         token lasts 7 days"
    );
    Error::new(Class::Auth, DOING, cause).cured_by(
        "run the authorisation again: Reconnect on the storage's page, or `charon authorize` for this storage; an app in \"Testing\" is stopped every 7 days until \
         it is published: https://console.cloud.google.com/auth/audience",
    )
}
