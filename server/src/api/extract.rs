//! What a request brings, taken apart: each part that is wrong becomes a problem that says so.

use std::str::FromStr;

use axum::{
    extract::{
        FromRequest, FromRequestParts, OptionalFromRequest, RawPathParams, Request,
        rejection::{JsonRejection, QueryRejection},
    },
    http::{StatusCode, header, request::Parts},
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

use super::problem::Problem;

/// The query of a request.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        let wrong = |rejection: QueryRejection| {
            Problem::bad_request(format!("the query is wrong: {}", innermost(&rejection)))
        };
        read.map(|query| Self(query.0)).map_err(wrong)
    }
}

/// The body of a request, as JSON.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let read = <axum::Json<Value> as FromRequest<S>>::from_request(request, state).await;
        let read = read.map_err(|rejection| match rejection {
            JsonRejection::JsonSyntaxError(error) => {
                Problem::bad_request(format!("the body is not JSON: {}", innermost(&error)))
            }
            JsonRejection::MissingJsonContentType(_) => Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "the body is to be JSON: send it with Content-Type: application/json",
            ),
            other => {
                let status = other.status();
                Problem::new(status, format!("the body could not be read: {}", innermost(&other)))
            }
        })?;
        // A list would be taken for the fields of an object, in their order.
        if read.0.is_array() {
            return Err(Problem::wrong_field("", "must be a JSON object, and is a list"));
        }
        let read = serde_path_to_error::deserialize(read.0).map(Self);
        read.map_err(|error| Problem::wrong_field(&pointer(error.path()), expected(&error.into_inner())))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> OptionalFromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, Problem> {
        use axum::body::HttpBody;
        if !request.headers().contains_key(header::CONTENT_TYPE) && request.body().is_end_stream() {
            return Ok(None);
        }
        <Self as FromRequest<S>>::from_request(request, state).await.map(Some)
    }
}

/// The one id in the path of a request, as in `/plans/{id}`. What is no id names nothing that there is.
#[derive(Debug)]
pub(crate) struct Id<T>(pub(crate) T);

impl<S: Send + Sync, T: FromStr> FromRequestParts<S> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let parameters = RawPathParams::from_request_parts(parts, state).await;
        let read = parameters.ok().and_then(|parameters| {
            parameters.iter().find(|(name, _)| *name == "id").and_then(|(_, text)| text.parse().ok())
        });
        read.map(Self).ok_or_else(|| Problem::not_found("id"))
    }
}

/// JSON Pointer to where in a body something is wrong.
fn pointer(path: &serde_path_to_error::Path) -> String {
    path.iter().fold(String::new(), |pointer, segment| match segment {
        Segment::Seq { index } => format!("{pointer}/{index}"),
        Segment::Map { key } => format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { .. } | Segment::Unknown => pointer,
    })
}

/// What was expected, without what was sent: that may be a secret (I6).
fn expected(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    let is_of_names = ["missing field `", "duplicate field `", "unknown field `"];
    if is_of_names.iter().any(|beginning| text.starts_with(beginning)) {
        return text;
    }
    let is_of_values = ["invalid type: ", "invalid value: ", "invalid length ", "unknown variant `"];
    let expected = text
        .rsplit_once(", expected ")
        .filter(|_| is_of_values.iter().any(|beginning| text.starts_with(beginning)));
    match expected {
        Some((_, "a map")) => "is to be an object".to_owned(),
        Some((_, expected)) if expected.starts_with("struct ") => "is to be an object".to_owned(),
        Some((_, expected)) => format!("is to be {expected}"),
        None => "is not of the form that is wanted here; /api/v1/openapi.json tells it".to_owned(),
    }
}

/// What an error says at its bottom: the sentences above it repeat it.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use axum::{
        body::Body,
        extract::{FromRequest, Request},
    };
    use serde::Deserialize;
    use serde_json::{Map, Value};

    use super::Json;

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Fields {
        name: String,
        config: Map<String, Value>,
        kind: Option<Kind>,
        ends_at: Option<jiff::Timestamp>,
    }

    #[derive(Clone, Copy, Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        One,
        Other,
    }

    #[tokio::test]
    async fn a_body_is_an_object_of_the_fields_that_there_are() {
        let read = async |body: &'static str| {
            let request =
                Request::post("/").header("content-type", "application/json").body(Body::from(body));
            <Json<Fields> as FromRequest<()>>::from_request(request.expect("a request"), &()).await
        };
        assert_eq!(read("{\"name\": \"x\"}").await.expect("an object").0.name, "x");
        for (body, status) in [
            ("[]", 422),
            ("[\"x\"]", 422),
            ("null", 422),
            ("{\"nam\": 1}", 422),
            ("{\"name\": 1}", 422),
            ("{", 400),
            ("", 400),
        ] {
            assert_eq!(read(body).await.expect_err(body).status(), status, "{body}");
        }
        // I6
        for (body, pointer, reason) in [
            (r#"{"config": "1//token"}"#, "/config", "is to be an object"),
            (r#"{"config": "1//token, expected 1//token"}"#, "/config", "is to be an object"),
            (r#"{"name": ["1//token"]}"#, "/name", "is to be a string"),
            (r#"{"kind": "1//token"}"#, "/kind", "is to be `one` or `other`"),
            (r#"{"ends_at": "1//token"}"#, "/ends_at", "is not of the form that is wanted here"),
            (r#""1//token""#, "", "is to be an object"),
        ] {
            let problem = read(body).await.expect_err(body);
            let wrong = &problem.errors()[0];
            assert_eq!(wrong.pointer, pointer, "{body}: {wrong:?}");
            assert!(wrong.reason.starts_with(reason), "{body}: {wrong:?}");
            assert!(!format!("{problem:?}").contains("token"), "{problem:?}");
        }
    }
}
