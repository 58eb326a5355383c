//! One request on its way through the emulator: who asks, from where, and what is to go wrong with it.

use axum::http::{HeaderMap, header};
use jiff::Timestamp;

use crate::{
    account::Owner,
    error::{ApiError, Code},
    fault::{Action, Limit},
    operation::{OLD_READ, Operation, REMOVED_SCOPES},
    quota::{project_of, too_many},
    state::State,
    world::World,
};

/// Under which names the client sees the emulator: its own address, or Google's hosts through the TLS proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Of the API.
    pub(crate) api: String,
    /// Of base URLs.
    pub(crate) media: String,
    /// Of the consent page and the openid configuration.
    pub(crate) accounts: String,
    /// Of the token endpoint.
    pub(crate) oauth: String,
    /// Of userinfo.
    pub(crate) www: String,
    /// Whether `/-/` is served.
    pub(crate) admin: bool,
}

impl Origin {
    /// Everything at the emulator's own address.
    pub(crate) fn direct(url: &str) -> Origin {
        let url = || url.to_owned();
        Origin { api: url(), media: url(), accounts: url(), oauth: url(), www: url(), admin: true }
    }

    /// Google's hosts.
    #[cfg(feature = "tls-proxy")]
    pub(crate) fn google() -> Origin {
        Origin {
            api: "https://photoslibrary.googleapis.com".to_owned(),
            media: "https://lh3.googleusercontent.com".to_owned(),
            accounts: "https://accounts.google.com".to_owned(),
            oauth: "https://oauth2.googleapis.com".to_owned(),
            www: "https://www.googleapis.com".to_owned(),
            admin: false,
        }
    }
}

/// A request without its body.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) world: World,
    pub(crate) operation: Operation,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) origin: Origin,
    pub(crate) faults: Vec<Action>,
}

/// Whose library a call sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) owner: Owner,
    /// An old token that sees the whole library (legacy scopes).
    pub(crate) sees_all: bool,
}

impl Caller {
    pub(crate) fn sees(&self, owner: &Owner) -> bool {
        self.owner == *owner || self.sees_all && self.owner.account == owner.account
    }
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn alt_json(&self) -> bool {
        self.query("alt") == Some("json")
    }

    fn bearer(&self) -> Option<&str> {
        let value = self.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    /// Who calls, if the call may be made at all: token, project, scopes, quota, in the order in which Google looks.
    pub(crate) fn authorize(&self, state: &mut State, now: Timestamp) -> Result<Caller, ApiError> {
        let upload = self.operation.is_upload();
        let unauthenticated = |state: &State| {
            let message = if upload {
                "Authentication session is not defined."
            } else {
                &state.settings.unauthenticated_message
            };
            ApiError::new(Code::Unauthenticated, message)
        };
        let token = self.bearer().or(self.query("access_token"));
        let Some(token) = token else { return Err(unauthenticated(state)) };
        if self.faults.contains(&Action::ExpiredAccessToken) {
            state.tokens.access.remove(token);
        }
        let Some(access) = state.tokens.access.get(token).filter(|access| access.expires_at > now).cloned()
        else {
            return Err(unauthenticated(state));
        };
        let owner = Owner::new(&access.client_id, &access.account);
        let project = project_of(&owner.client_id);
        for fault in &self.faults {
            match fault {
                Action::ApiDisabled => return Err(ApiError::api_disabled(project)),
                Action::InsufficientScopes if upload => return Err(unauthenticated(state)),
                Action::InsufficientScopes => {
                    return Err(ApiError::scopes(state.settings.scope_error_details));
                }
                _ => {}
            }
        }
        let legacy = state.settings.legacy_scopes
            && access.scopes.iter().any(|scope| REMOVED_SCOPES.contains(&scope.as_str()));
        // No scope that still exists allows sharing.
        let needed = self.operation.scopes().unwrap_or_default();
        let allowed = legacy || access.scopes.iter().any(|scope| needed.contains(&scope.as_str()));
        if !allowed {
            return Err(if upload {
                unauthenticated(state)
            } else {
                ApiError::scopes(state.settings.scope_error_details)
            });
        }
        state.quota.spend(&state.settings, now, &owner, &self.operation)?;
        let sees_all = legacy
            && access.scopes.iter().any(|scope| scope == OLD_READ || scope.ends_with("auth/photoslibrary"));
        Ok(Caller { owner, sees_all })
    }

    /// The refusal that a fault demands before anything happens.
    pub(crate) fn refusal(&self, project: &str) -> Option<ApiError> {
        self.faults.iter().find_map(|fault| match fault {
            Action::TooManyRequests { limit, retry_after_seconds } => {
                let value = match limit {
                    Limit::WritesPerMinutePerUser => Some(30),
                    Limit::RequestsPerMinutePerUser => Some(600),
                    Limit::AllRequestsPerDay | Limit::ConcurrentWrites => None,
                };
                Some(too_many(*limit, project, value, *retry_after_seconds))
            }
            Action::ServerError { status } => Some(server_error(*status)),
            Action::Aborted => Some(ApiError::new(Code::Aborted, "The operation was aborted.")),
            Action::NotFound => Some(ApiError::not_found()),
            Action::StorageFull => Some(storage_full()),
            _ => None,
        })
    }

    /// Whose token this is, living or not.
    pub(crate) fn owner(&self, state: &State) -> Option<Owner> {
        let access = self.bearer().and_then(|token| state.tokens.access.get(token))?;
        Some(Owner::new(&access.client_id, &access.account))
    }

    /// The project in error texts before the caller is known.
    pub(crate) fn project(&self, state: &State) -> String {
        let client = self.owner(state).map(|owner| owner.client_id);
        let client = client.unwrap_or_else(|| state.settings.default_client_id.clone());
        project_of(&client).to_owned()
    }
}

/// The 400 of a full account.
pub(crate) fn storage_full() -> ApiError {
    ApiError::invalid("The remaining storage in the user's account is not enough to perform this operation.")
}

pub(crate) fn server_error(status: u16) -> ApiError {
    let (code, message) = match status {
        500 => (Code::Internal, "Internal error encountered."),
        504 => (Code::DeadlineExceeded, "Deadline exceeded."),
        _ => (Code::Unavailable, "The service is currently unavailable."),
    };
    ApiError { http: axum::http::StatusCode::from_u16(status).ok(), ..ApiError::new(code, message) }
}
