//! OAuth as Google does it: the token endpoint with codes (PKCE), refresh tokens, revocation and userinfo (facts §6).
//!
//! The consent page is in `consent`.

use std::collections::{BTreeMap, HashMap};

use axum::{
    body::Body,
    http::{HeaderMap, Response, StatusCode, header},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    account::{Account, Owner, id_token, is_identity},
    call::Call,
    error::json_response,
    fault::Action,
    operation::{CURRENT_SCOPES, Operation, REMOVED_SCOPES},
    state::State,
};

/// What an access token allows.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    pub(crate) client_id: String,
    pub(crate) account: Account,
    pub(crate) scopes: Vec<String>,
    pub(crate) expires_at: Timestamp,
}

#[derive(Debug, Clone)]
pub(crate) struct Refresh {
    pub(crate) client_id: String,
    pub(crate) account: Account,
    pub(crate) scopes: Vec<String>,
    pub(crate) issued_at: Timestamp,
    number: u64,
}

/// An authorization code, until it is used.
#[derive(Debug, Clone)]
pub(crate) struct Code {
    pub(crate) client_id: String,
    pub(crate) account: Account,
    pub(crate) redirect_uri: String,
    pub(crate) scopes: Vec<String>,
    /// The PKCE challenge and whether it is a SHA-256.
    pub(crate) challenge: Option<(String, bool)>,
    pub(crate) offline: bool,
    pub(crate) expires_at: Timestamp,
}

/// Every living token.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    pub(crate) access: HashMap<String, Access>,
    pub(crate) refresh: HashMap<String, Refresh>,
    pub(crate) codes: HashMap<String, Code>,
    issued: u64,
}

impl State {
    pub(crate) fn new_access(
        &mut self,
        client_id: &str,
        account: &Account,
        scopes: &[String],
        now: Timestamp,
    ) -> (String, Timestamp) {
        let token = self.random.text("ya29.", 218);
        let life = i64::try_from(self.settings.access_token_seconds).unwrap_or(i64::MAX);
        let expires_at = now.checked_add(SignedDuration::from_secs(life)).unwrap_or(Timestamp::MAX);
        let access = Access {
            client_id: client_id.to_owned(),
            account: account.clone(),
            scopes: scopes.to_vec(),
            expires_at,
        };
        self.tokens.access.insert(token.clone(), access);
        (token, expires_at)
    }

    /// A refresh token; the oldest of the client and account goes when there are too many (100 at Google).
    pub(crate) fn new_refresh(
        &mut self,
        client_id: &str,
        account: &Account,
        scopes: &[String],
        now: Timestamp,
    ) -> String {
        let token = self.random.text("1//0", 103);
        self.tokens.issued += 1;
        let number = self.tokens.issued;
        let refresh = Refresh {
            client_id: client_id.to_owned(),
            account: account.clone(),
            scopes: scopes.to_vec(),
            issued_at: now,
            number,
        };
        self.tokens.refresh.insert(token.clone(), refresh);
        let mut own: Vec<(u64, String)> = self
            .tokens
            .refresh
            .iter()
            .filter(|(_, refresh)| refresh.client_id == client_id && refresh.account.sub == account.sub)
            .map(|(token, refresh)| (refresh.number, token.clone()))
            .collect();
        own.sort();
        for (_, oldest) in own.iter().take(own.len().saturating_sub(self.settings.max_refresh_tokens)) {
            self.tokens.refresh.remove(oldest);
        }
        token
    }
}

/// A refusal of the token endpoint.
struct Refused(StatusCode, &'static str, &'static str);

impl Refused {
    fn answer(&self) -> Response<Body> {
        json_response(self.0, &json!({"error": self.1, "error_description": self.2}))
    }
}

const INVALID_GRANT: Refused =
    Refused(StatusCode::BAD_REQUEST, "invalid_grant", "Token has been expired or revoked.");
const BAD_CODE: Refused = Refused(StatusCode::BAD_REQUEST, "invalid_grant", "Malformed auth code.");

fn form(body: &[u8]) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(body).into_owned().collect()
}

fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let text = STANDARD.decode(value.strip_prefix("Basic ")?.trim()).ok()?;
    let text = String::from_utf8(text).ok()?;
    let (id, secret) = text.split_once(':')?;
    let plain = |text: &str| form(format!("v={text}").as_bytes()).remove("v").unwrap_or_default();
    Some((plain(id), plain(secret)))
}

/// Answers at the token endpoint.
pub(crate) fn token(call: &Call, body: &[u8]) -> Response<Body> {
    let now = call.world.now();
    let mut state = call.world.lock();
    match grant(call, &mut state, now, &form(body)) {
        Ok(body) => json_response(StatusCode::OK, &body),
        Err(refused) => refused.answer(),
    }
}

fn client(call: &Call, state: &State, form: &BTreeMap<String, String>) -> Result<String, Refused> {
    const UNKNOWN: Refused =
        Refused(StatusCode::UNAUTHORIZED, "invalid_client", "The OAuth client was not found.");
    let field = |name: &str| form.get(name).filter(|text| !text.is_empty()).cloned();
    let (id, secret) = match (basic(&call.headers), state.settings.accept_basic_credentials) {
        (Some(_), false) if field("client_id").is_none() => return Err(UNKNOWN),
        (Some((id, secret)), true) => (Some(id), Some(secret)),
        _ => (field("client_id"), field("client_secret")),
    };
    let Some(id) = id else {
        return Err(Refused(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "Could not determine client ID from request.",
        ));
    };
    if secret.is_none() && state.settings.require_client_secret {
        return Err(Refused(StatusCode::BAD_REQUEST, "invalid_request", "client_secret is missing."));
    }
    if !state.settings.clients.is_empty() {
        let Some(known) = state.settings.clients.get(&id) else { return Err(UNKNOWN) };
        if secret.is_some_and(|secret| secret != *known) {
            return Err(Refused(StatusCode::UNAUTHORIZED, "invalid_client", "Unauthorized"));
        }
    }
    Ok(id)
}

fn grant(
    call: &Call,
    state: &mut State,
    now: Timestamp,
    form: &BTreeMap<String, String>,
) -> Result<Value, Refused> {
    let client_id = client(call, state, form)?;
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    match field("grant_type") {
        "authorization_code" => {
            let code = state.tokens.codes.remove(field("code")).ok_or(BAD_CODE)?;
            if code.client_id != client_id || code.expires_at <= now {
                return Err(BAD_CODE);
            }
            if code.redirect_uri != field("redirect_uri") {
                return Err(Refused(StatusCode::BAD_REQUEST, "redirect_uri_mismatch", "Bad Request"));
            }
            if let Some((challenge, hashed)) = &code.challenge {
                let verifier = field("code_verifier");
                let seen = if *hashed {
                    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
                } else {
                    verifier.to_owned()
                };
                if verifier.is_empty() {
                    return Err(Refused(StatusCode::BAD_REQUEST, "invalid_grant", "Missing code verifier."));
                }
                if seen != challenge.trim_end_matches('=') {
                    return Err(Refused(StatusCode::BAD_REQUEST, "invalid_grant", "Invalid code verifier."));
                }
            }
            let refresh =
                code.offline.then(|| state.new_refresh(&client_id, &code.account, &code.scopes, now));
            Ok(issue(state, &client_id, &code.account, &code.scopes, refresh, now))
        }
        "refresh_token" => {
            let token = field("refresh_token");
            if call.faults.contains(&Action::RevokedRefreshToken) {
                state.tokens.refresh.remove(token);
            }
            let refresh = state.tokens.refresh.get(token).cloned().ok_or(INVALID_GRANT)?;
            let age = now.duration_since(refresh.issued_at).as_secs();
            let life = state
                .settings
                .refresh_token_seconds
                .map_or(i64::MAX, |s| i64::try_from(s).unwrap_or(i64::MAX));
            if refresh.client_id != client_id || age >= life {
                return Err(INVALID_GRANT);
            }
            let rotated = state
                .settings
                .rotate_refresh_tokens
                .then(|| state.new_refresh(&client_id, &refresh.account, &refresh.scopes, now));
            Ok(issue(state, &client_id, &refresh.account, &refresh.scopes, rotated, now))
        }
        "" => Err(Refused(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "Required parameter is missing: grant_type",
        )),
        _ => Err(Refused(StatusCode::BAD_REQUEST, "unsupported_grant_type", "Invalid grant_type.")),
    }
}

fn issue(
    state: &mut State,
    client_id: &str,
    account: &Account,
    scopes: &[String],
    refresh: Option<String>,
    now: Timestamp,
) -> Value {
    let (access, _) = state.new_access(client_id, account, scopes, now);
    let mut out = json!({
        "access_token": access,
        "expires_in": state.settings.access_token_seconds.saturating_sub(1),
        "scope": scopes.join(" "),
        "token_type": "Bearer",
    });
    if let Some(id_token) = id_token(account, client_id, scopes, now) {
        out["id_token"] = json!(id_token);
    }
    if let Some(refresh) = refresh {
        out["refresh_token"] = json!(refresh);
    }
    out
}

/// Kills a token, and with a refresh token everything that the client holds of the account.
pub(crate) fn revoke(call: &Call, body: &[u8]) -> Response<Body> {
    let now = call.world.now();
    let fields = form(body);
    let token = fields.get("token").map(String::as_str).or(call.query("token")).unwrap_or("");
    let mut state = call.world.lock();
    let owner = |client_id: &str, account: &Account| Owner::new(client_id, account);
    let refresh = state.tokens.refresh.get(token).map(|refresh| owner(&refresh.client_id, &refresh.account));
    let access = state.tokens.access.get(token).map(|access| owner(&access.client_id, &access.account));
    let Some(gone) = refresh.or(access) else {
        return Refused(StatusCode::BAD_REQUEST, "invalid_token", "Token expired or revoked").answer();
    };
    state.tokens.refresh.retain(|_, refresh| owner(&refresh.client_id, &refresh.account) != gone);
    state.tokens.access.retain(|_, access| owner(&access.client_id, &access.account) != gone);
    // "Valid for 60 minutes or until the user revokes the app."
    state.revoked.insert(gone, now);
    json_response(StatusCode::OK, &json!({}))
}

/// Who the user is.
pub(crate) fn userinfo(call: &Call) -> Response<Body> {
    let now = call.world.now();
    let state = call.world.lock();
    let token = call.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let token = token.or(call.query("access_token")).unwrap_or("");
    let Some(access) = state.tokens.access.get(token).filter(|access| access.expires_at > now) else {
        return crate::error::ApiError::new(
            crate::error::Code::Unauthenticated,
            "Request is missing required authentication credential.",
        )
        .structured(false);
    };
    let account = &access.account;
    let given = account.name.split(' ').next().unwrap_or_default();
    json_response(
        StatusCode::OK,
        &json!({
            "id": account.sub,
            "sub": account.sub,
            "name": account.name,
            "given_name": given,
            "family_name": "Emulated",
            "email": account.email,
            "verified_email": true,
            "email_verified": true,
        }),
    )
}

/// Where everything is.
pub(crate) fn openid_configuration(call: &Call) -> Response<Body> {
    let origin = &call.origin;
    json_response(
        StatusCode::OK,
        &json!({
            "issuer": origin.accounts,
            "authorization_endpoint": format!("{}/o/oauth2/v2/auth", origin.accounts),
            "device_authorization_endpoint": format!("{}/device/code", origin.oauth),
            "token_endpoint": format!("{}/token", origin.oauth),
            "userinfo_endpoint": format!("{}/oauth2/v1/userinfo", origin.www),
            "revocation_endpoint": format!("{}/revoke", origin.oauth),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "scopes_supported": ["openid", "email", "profile"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["plain", "S256"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
        }),
    )
}

/// The device flow is not offered for the scopes of Google Photos `[?]`.
pub(crate) fn device_code() -> Response<Body> {
    Refused(StatusCode::BAD_REQUEST, "invalid_scope", "Invalid device flow scope.").answer()
}

/// Whether a scope exists.
pub(crate) fn is_scope(scope: &str, legacy: bool) -> bool {
    is_identity(scope) || CURRENT_SCOPES.contains(&scope) || legacy && REMOVED_SCOPES.contains(&scope)
}

/// Answers what belongs to OAuth.
pub(crate) fn answer(call: &Call, body: &[u8]) -> Response<Body> {
    match call.operation {
        Operation::OAuthConsent => crate::consent::page(call),
        Operation::OAuthApprove => crate::consent::decide(call, body),
        Operation::OAuthRevoke => revoke(call, body),
        Operation::OAuthUserInfo => userinfo(call),
        Operation::OAuthOpenIdConfiguration => openid_configuration(call),
        Operation::OAuthDeviceCode => device_code(),
        _ => token(call, body),
    }
}
