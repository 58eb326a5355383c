//! Asking a person for consent: the page to send them to, and what the answer is worth.
//!
//! The code that comes back is worth nothing without the verifier (PKCE, RFC 7636), and an answer without our `state` is not
//! ours. Whoever opens the browser and listens for its return is elsewhere.

use std::{borrow::Cow, fmt, sync::Arc};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use charon_provider::{Authorization, Class, Consent, Error, Host};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use url::{Url, form_urlencoded};

use super::endpoint::{Granted, OAUTH, Refusal, TokenEndpoint};
use crate::{error::fault::Fault, rights, token::Token};

const DOING: &str = "get the consent";
const ASK_AGAIN: &str = "connect again, or run `charon authorize` again";

/// A consent that is being asked for.
pub(crate) struct Asking {
    page: Url,
    redirect: Url,
    endpoint: Arc<TokenEndpoint>,
    client_secret: SecretString,
    read_only: bool,
    /// Comes back with the answer, which shows that it is the answer to this.
    state: SecretString,
    /// What the code is worth nothing without.
    verifier: SecretString,
}

impl fmt::Debug for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asking").field("read_only", &self.read_only).finish_non_exhaustive()
    }
}

impl Asking {
    /// Begins to ask, at `auth_url`, for what a storage needs.
    pub(crate) fn begin(
        auth_url: Url,
        redirect: &Url,
        endpoint: TokenEndpoint,
        client_secret: SecretString,
        read_only: bool,
    ) -> Self {
        let state = unguessable(&*endpoint.host);
        let verifier = unguessable(&*endpoint.host);
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose_secret()));
        let mut page = auth_url;
        page.query_pairs_mut()
            .append_pair("client_id", &endpoint.client_id)
            .append_pair("redirect_uri", redirect.as_str())
            .append_pair("response_type", "code")
            .append_pair("scope", &rights::to_ask_for(read_only))
            .append_pair("state", state.expose_secret())
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256")
            // A refresh token comes of both together: without the second only at the first consent ever.
            .append_pair("access_type", "offline")
            .append_pair("prompt", "consent");
        let (redirect, endpoint) = (redirect.clone(), Arc::new(endpoint));
        Self { page, redirect, endpoint, client_secret, read_only, state, verifier }
    }

    /// The code in an answer to this asking.
    fn code(&self, answer: &str) -> Result<SecretString, Error> {
        let field = |name: &str| {
            let query = answer.split_once('?').map_or(answer, |(_, query)| query);
            let query = query.split_once('#').map_or(query, |(query, _)| query);
            form_urlencoded::parse(query.trim().as_bytes())
                .find(|(key, _)| key == name)
                .map(|(_, value)| value)
        };
        let (code, refusal) = (field("code").filter(|code| !code.is_empty()), field("error"));
        if code.is_none() && refusal.is_none() {
            return Err(trouble("there is neither a code nor a refusal in what came back").cured_by(
                "give the whole address that the browser was sent to at last: it begins with http and has ?state= and code= \
                 in it",
            ));
        }
        if field("state").as_deref() != Some(self.state.expose_secret()) {
            return Err(trouble("what came back does not answer this question, but another one or none")
                .cured_by(format!(
                    "{ASK_AGAIN}, and give the address that the browser was sent to at last"
                )));
        }
        match (refusal, code) {
            (Some(refusal), _) => Err(refused(&refusal)),
            (None, code) => Ok(code.map(Cow::into_owned).unwrap_or_default().into()),
        }
    }

    async fn exchange(&self, code: &SecretString) -> Result<Granted, Error> {
        self.endpoint.host.permit(OAUTH).await?;
        let grant = [
            ("grant_type", "authorization_code"),
            ("code", code.expose_secret()),
            ("redirect_uri", self.redirect.as_str()),
            ("code_verifier", self.verifier.expose_secret()),
        ];
        self.endpoint.ask(DOING, &grant, &self.client_secret).await.map_err(|refusal| match refusal {
            Refusal::Grant(words) => trouble(format!("{words}: the code was used before, or is too old"))
                .cured_by(format!("{ASK_AGAIN}: each code works once, for a few minutes")),
            Refusal::Other(error) => error,
        })
    }
}

#[async_trait]
impl Authorization for Asking {
    fn url(&self) -> &Url {
        &self.page
    }

    async fn redeem(&self, answer: &str) -> Result<Consent, Error> {
        let code = self.code(answer.trim())?;
        let granted = self.exchange(&code).await?;
        super::same_account(&*self.endpoint.host, &granted).await?;
        let Granted { access, refresh, expires_at, scopes, identity } = granted;
        // Where nothing is said of the rights they are those that were asked for (RFC 6749, 5.1).
        let missing = scopes.map_or_else(Vec::new, |granted| rights::missing(&granted, self.read_only));
        if !missing.is_empty() {
            return Err(trouble(format!("the consent lacks {}", rights::in_words(&missing)))
                .cured_by(format!("{ASK_AGAIN}, and leave every box ticked on Google's page")));
        }
        let Some(refresh) = refresh else {
            return Err(trouble("Google gave no refresh token, so the consent would last for an hour")
                .cured_by(format!(
                    "remove the app at https://myaccount.google.com/permissions, then {ASK_AGAIN}"
                )));
        };
        let token = Token { access: Some(access), refresh: Some(refresh), expires_at };
        let account_id = identity.as_ref().map(|identity| identity.id.clone());
        let account = identity.and_then(|identity| identity.email);
        Ok(Consent { field: "token", value: token.to_blob(), account, account_id })
    }
}

fn trouble(cause: impl Into<String>) -> Error {
    Error::new(Class::Auth, DOING, cause)
}

/// What Google's page sends back in place of a code.
fn refused(refusal: &str) -> Error {
    let words = Fault::of_item(0, refusal).words(reqwest::StatusCode::OK);
    match refusal {
        "access_denied" => trouble("access was refused on Google's page (access_denied)").cured_by(format!(
            "{ASK_AGAIN} and choose Allow; if Google did not let you, add your address to the test users of the consent screen \
             (https://console.cloud.google.com/auth/audience) or publish the app"
        )),
        _ => trouble(format!("Google's page answered: {words}"))
            .cured_by(format!("look at the client in Google's console, then {ASK_AGAIN}")),
    }
}

/// 256 bits that nobody can guess, as text that a URL can carry (43 characters, as a verifier has to have).
fn unguessable(host: &dyn Host) -> SecretString {
    let mut bytes = [0; 32];
    host.random(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes).into()
}
