//! What is told when a request cannot be answered: problem details (RFC 9457), with a pointer to each wrong field.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use charon_engine::Error;
use charon_provider::Class;
use charon_schema::{Mistake, Mistakes};
use schemars::JsonSchema;
use serde::Serialize;

/// The media type of a problem.
pub(crate) const CONTENT_TYPE: &str = "application/problem+json";

/// How many seconds to wait for a storage that does not say it itself: for the next day's quota, and where it was asked too fast.
const QUOTA_WAITS: u64 = 60 * 60;
const THROTTLED_WAITS: u64 = 30;

/// What went wrong (RFC 9457).
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Problem {
    /// Always `about:blank`: the status says what kind it is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: String,
    /// The HTTP status.
    #[serde(serialize_with = "number")]
    #[schemars(with = "u16", range(min = 400, max = 599))]
    status: StatusCode,
    /// What happened, why, and what to do.
    detail: String,
    /// Each wrong field of what was sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<Wrong>>", extend("type" = "array"))]
    errors: Vec<Wrong>,
    /// How long to wait before asking again, in seconds; told in `Retry-After` as well.
    #[serde(skip)]
    retry_after: Option<u64>,
}

/// One wrong field.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Wrong {
    /// JSON Pointer (RFC 6901) to the field in what was sent; empty for the whole.
    pub(crate) pointer: String,
    /// What is wrong with it.
    pub(crate) reason: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl Problem {
    /// A problem of this status, and what to do about it.
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Problem").to_owned(),
            status,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
        }
    }

    /// 400: what was sent cannot be understood.
    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 404: there is no such thing.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no such {what}"))
    }

    /// 409: not as things are.
    pub(crate) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// 422: what was sent is understood, and wrong. `at` is the pointer to where in the body the mistakes begin: `/config`,
    /// or nothing for the whole body.
    pub(crate) fn mistakes(at: &str, mistakes: &Mistakes) -> Self {
        let errors = mistakes.0.iter().map(|Mistake { pointer, reason }| Wrong {
            pointer: format!("{at}{pointer}"),
            reason: reason.clone(),
        });
        let detail =
            "what was sent is wrong in the places that `errors` names; correct them and send it again";
        Self { errors: errors.collect(), ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail) }
    }

    /// 422, for one field.
    pub(crate) fn wrong_field(pointer: &str, reason: impl Into<String>) -> Self {
        let mistake = Mistake { pointer: pointer.to_owned(), reason: reason.into() };
        Self::mistakes("", &mistake.into())
    }

    /// What the engine did not do. Mistakes in a configuration are told below `at`.
    pub(crate) fn of_engine(error: Error, at: &str) -> Self {
        match error {
            Error::Config { mistakes, .. } => Self::mistakes(at, &mistakes),
            Error::BadName(reason) => Self::wrong_field("/name", reason),
            Error::Unknown { .. } => Self::new(StatusCode::NOT_FOUND, error.to_string()),
            Error::Changed { .. } => Self::new(StatusCode::PRECONDITION_FAILED, error.to_string()),
            Error::Refused(_) | Error::Destination(_) | Error::Superseded | Error::Vault(_) => {
                Self::conflict(error.to_string())
            }
            Error::Busy(_) | Error::BusyElsewhere { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
            }
            Error::Storage(error) => Self::of_storage(&error),
            Error::Delivery { .. } => Self::new(StatusCode::BAD_GATEWAY, error.to_string()),
            Error::Store { .. } | Error::Unusable { .. } | Error::DataFile { .. } => {
                tracing::error!(%error, "a request could not be answered");
                let detail = "Charon could not do it; its log says why";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
            }
        }
    }

    /// What the engine did not do with what is stored: a mistake there is none in what was sent.
    pub(crate) fn of_stored(error: Error) -> Self {
        match error {
            Error::Config { .. } => Self::conflict(error.to_string()),
            error => error.into(),
        }
    }

    /// What a storage did not do: 409 where somebody has to do something first, 429 where it is to be left alone, else 502.
    pub(crate) fn of_storage(error: &charon_provider::Error) -> Self {
        let (status, usual) = match error.class {
            Class::Auth | Class::Config => (StatusCode::CONFLICT, None),
            Class::Quota => (StatusCode::TOO_MANY_REQUESTS, Some(QUOTA_WAITS)),
            Class::Throttled => (StatusCode::TOO_MANY_REQUESTS, Some(THROTTLED_WAITS)),
            Class::Transient | Class::Item | Class::Destination => (StatusCode::BAD_GATEWAY, None),
        };
        let retry_after = error.retry_after.map(|wait| wait.as_secs().max(1)).or(usual);
        Self { retry_after, ..Self::new(status, error.to_string()) }
    }

    /// The same problem, with how many seconds to wait before asking again.
    pub(crate) fn after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// What happened, why, and what to do.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// Each wrong field of what was sent.
    pub(crate) fn errors(&self) -> &[Wrong] {
        &self.errors
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::of_engine(error, "")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(&self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"charon\""));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // For whoever tells it in another way: a page.
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::response::IntoResponse;
    use charon_engine::Error;
    use charon_provider::{Class, Error as StorageError};
    use charon_schema::Mistake;

    use super::Problem;

    #[test]
    fn what_a_storage_does_not_do_says_whose_turn_it_is() {
        for (class, wait, status, retry_after) in [
            (Class::Auth, None, 409, None),
            (Class::Config, None, 409, None),
            (Class::Quota, None, 429, Some("3600")),
            (Class::Quota, Some(7_000), 429, Some("7000")),
            (Class::Throttled, None, 429, Some("30")),
            (Class::Transient, None, 502, None),
            (Class::Transient, Some(5), 502, Some("5")),
        ] {
            let error = StorageError::new(class, "list the albums", "the storage says no");
            let error = Error::Storage(error.after(wait.map(Duration::from_secs)));
            let answer = Problem::of_stored(error).into_response();
            let told = answer.headers().get("retry-after").map(|wait| wait.to_str().expect("a text"));
            assert_eq!((answer.status().as_u16(), told), (status, retry_after), "{class:?}");
        }
        // What cures it is told, and nothing of what is stored is a mistake in what was sent.
        let vault = Problem::of_stored(Error::Vault("put the key file back".into()));
        assert_eq!((vault.status().as_u16(), vault.detail()), (409, "put the key file back"));
        let mistakes = Mistake::in_field("token", "is missing").into();
        let stored = Problem::of_stored(Error::Config { what: "family".into(), mistakes });
        assert_eq!((stored.status().as_u16(), stored.errors().len()), (409, 0));
        assert!(stored.detail().contains("is missing"), "{stored:?}");
    }
}
