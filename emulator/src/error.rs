//! Google's error answers: the structured body of the API, and the bare status of the upload endpoint (facts §3, §5).

use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
};
use serde_json::{Value, json};

/// The canonical codes that occur, with their HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    InvalidArgument,
    Unauthenticated,
    PermissionDenied,
    NotFound,
    Aborted,
    ResourceExhausted,
    Internal,
    Unavailable,
    DeadlineExceeded,
}

impl Code {
    pub(crate) fn number(self) -> u16 {
        match self {
            Code::InvalidArgument => 3,
            Code::DeadlineExceeded => 4,
            Code::NotFound => 5,
            Code::PermissionDenied => 7,
            Code::ResourceExhausted => 8,
            Code::Aborted => 10,
            Code::Internal => 13,
            Code::Unavailable => 14,
            Code::Unauthenticated => 16,
        }
    }

    fn http(self) -> StatusCode {
        match self {
            Code::InvalidArgument => StatusCode::BAD_REQUEST,
            Code::Unauthenticated => StatusCode::UNAUTHORIZED,
            Code::PermissionDenied => StatusCode::FORBIDDEN,
            Code::NotFound => StatusCode::NOT_FOUND,
            Code::Aborted => StatusCode::CONFLICT,
            Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
            Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Code::InvalidArgument => "INVALID_ARGUMENT",
            Code::Unauthenticated => "UNAUTHENTICATED",
            Code::PermissionDenied => "PERMISSION_DENIED",
            Code::NotFound => "NOT_FOUND",
            Code::Aborted => "ABORTED",
            Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Code::Internal => "INTERNAL",
            Code::Unavailable => "UNAVAILABLE",
            Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        }
    }

    /// The `reason` of the older error format.
    fn reason(self) -> &'static str {
        match self {
            Code::InvalidArgument => "badRequest",
            Code::Unauthenticated => "authError",
            Code::PermissionDenied => "forbidden",
            Code::NotFound => "notFound",
            Code::Aborted => "aborted",
            Code::ResourceExhausted => "rateLimitExceeded",
            Code::Internal | Code::Unavailable | Code::DeadlineExceeded => "backendError",
        }
    }
}

/// A refusal, before it is known in which style it is told.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}: {message}", code.name())]
pub(crate) struct ApiError {
    pub(crate) code: Code,
    /// Set where the HTTP status is not the code's own (502).
    pub(crate) http: Option<StatusCode>,
    pub(crate) message: String,
    pub(crate) details: Vec<Value>,
    pub(crate) retry_after_seconds: Option<u64>,
}

impl ApiError {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> ApiError {
        ApiError { code, http: None, message: message.into(), details: Vec::new(), retry_after_seconds: None }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> ApiError {
        ApiError::new(Code::InvalidArgument, message)
    }

    pub(crate) fn not_found() -> ApiError {
        ApiError::new(Code::NotFound, "Requested entity was not found.")
    }

    /// The 429 of a named quota, with the details that a real answer showed.
    pub(crate) fn quota(limit: &str, message: String, value: Option<u64>, project: &str) -> ApiError {
        let mut metadata = json!({
            "consumer": format!("projects/{project}"),
            "quota_limit": limit,
            "service": "photoslibrary.googleapis.com",
        });
        if let Some(value) = value {
            metadata["quota_limit_value"] = json!(value.to_string());
        }
        ApiError {
            details: vec![json!({
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "RATE_LIMIT_EXCEEDED",
                "domain": "googleapis.com",
                "metadata": metadata,
            })],
            ..ApiError::new(Code::ResourceExhausted, message)
        }
    }

    pub(crate) fn scopes(with_details: bool) -> ApiError {
        let mut error =
            ApiError::new(Code::PermissionDenied, "Request had insufficient authentication scopes.");
        if with_details {
            error.details.push(json!({
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
                "domain": "googleapis.com",
                "metadata": {"service": "photoslibrary.googleapis.com"},
            }));
        }
        error
    }

    pub(crate) fn api_disabled(project: &str) -> ApiError {
        let url = format!(
            "https://console.developers.google.com/apis/api/photoslibrary.googleapis.com/overview?project={project}"
        );
        ApiError {
            details: vec![
                json!({
                    "@type": "type.googleapis.com/google.rpc.Help",
                    "links": [{"description": "Google developers console API activation", "url": url}],
                }),
                json!({
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": "SERVICE_DISABLED",
                    "domain": "googleapis.com",
                    "metadata": {"service": "photoslibrary.googleapis.com", "consumer": format!("projects/{project}")},
                }),
            ],
            ..ApiError::new(
                Code::PermissionDenied,
                format!(
                    "Photos Library API has not been used in project {project} before or it is disabled. Enable it by \
                     visiting {url} then retry. If you enabled this API recently, wait a few minutes for the action to \
                     propagate to our systems and retry."
                ),
            )
        }
    }

    /// `{"error":{…}}`; `errors[]` joins when the client asks for `alt=json`, as generated clients do.
    pub(crate) fn structured(&self, alt_json: bool) -> Response<Body> {
        let http = self.http.unwrap_or(self.code.http());
        let mut error = json!({"code": http.as_u16(), "message": self.message, "status": self.code.name()});
        if alt_json {
            error["errors"] =
                json!([{"message": self.message, "domain": "global", "reason": self.code.reason()}]);
        }
        if !self.details.is_empty() {
            error["details"] = json!(self.details);
        }
        self.finish(http, &json!({"error": error}))
    }

    /// `{"code":…,"message":…}` of the upload endpoint.
    pub(crate) fn bare(&self) -> Response<Body> {
        let http = self.http.unwrap_or(self.code.http());
        self.finish(http, &json!({"code": self.code.number(), "message": self.message}))
    }

    fn finish(&self, http: StatusCode, body: &Value) -> Response<Body> {
        let mut response = json_response(http, body);
        if let Some(seconds) = self.retry_after_seconds {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code == Code::Unauthenticated {
            let challenge = HeaderValue::from_static("Bearer realm=\"https://accounts.google.com/\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// A JSON answer, formatted as Google does.
pub(crate) fn json_response(status: StatusCode, body: &Value) -> Response<Body> {
    let mut text = serde_json::to_string_pretty(body).expect("a JSON value can be written");
    text.push('\n');
    answer(status, "application/json; charset=UTF-8", text)
}

/// An answer of one body.
pub(crate) fn answer(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Body>,
) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
