//! The field `csrf` of a form. The form is read here, and handed on as it was.

use std::time::Duration;

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{StatusCode, header},
};
use tokio::time::timeout;

use crate::api::problem::Problem;

/// The largest form.
const LARGEST: usize = 1024 * 1024;
/// A form has come within this.
const WITHIN: Duration = Duration::from_secs(30);

/// The token that a request brings: in the header `X-CSRF-Token`, or in its form.
pub(super) async fn token(request: Request) -> Result<(Request, Option<String>), Problem> {
    if let Some(brought) = request.headers().get("x-csrf-token") {
        let brought = brought.to_str().ok().map(str::to_owned);
        return Ok((request, brought));
    }
    let media_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_form = media_type.is_some_and(|media_type| {
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    });
    if !is_form {
        return Ok((request, None));
    }
    let (parts, body) = request.into_parts();
    let too_slow = |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "the form came too slowly; send it again");
    let unread = |_| {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the form could not be read whole: it has more than 1 MiB, or broke off",
        )
    };
    let form = timeout(WITHIN, to_bytes(body, LARGEST)).await.map_err(too_slow)?.map_err(unread)?;
    let token = url::form_urlencoded::parse(&form).find(|(name, _)| name == "csrf");
    let token = token.map(|(_, value)| value.into_owned());
    Ok((Request::from_parts(parts, Body::from(form)), token))
}

/// Whether two tokens are the same, in a time that does not tell how far they are.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    let differences = one.bytes().zip(other.bytes()).fold(0, |found, (one, other)| found | (one ^ other));
    one.len() == other.len() && differences == 0
}

#[cfg(test)]
mod tests {
    use axum::{
        body::{Body, to_bytes},
        extract::Request,
    };

    use super::{is_same, token};

    #[tokio::test]
    async fn a_form_is_read_for_its_token_and_handed_on_whole() {
        let form = "name=a+b&csrf=t%2Bk&more=1";
        let request = |media_type: &str| {
            Request::post("/").header("content-type", media_type).body(Body::from(form)).expect("a request")
        };
        let (request_after, found) =
            token(request("application/x-www-form-urlencoded; charset=utf-8")).await.expect("read");
        assert_eq!(found.as_deref(), Some("t+k"));
        let body = to_bytes(request_after.into_body(), 1000).await.expect("a body");
        assert_eq!(body, form);
        for media_type in ["text/plain", "multipart/form-data; boundary=x", "application/json"] {
            assert_eq!(token(request(media_type)).await.expect("read").1, None, "{media_type}");
        }
        let large = Request::post("/")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from("x".repeat(1024 * 1024 + 1)))
            .expect("a request");
        assert_eq!(token(large).await.expect_err("too large").status(), 413);
    }

    #[test]
    fn tokens_are_the_same_in_every_byte() {
        assert!(is_same("abc", "abc"));
        for other in ["", "ab", "abd", "abcd", "bbc"] {
            assert!(!is_same("abc", other), "{other}");
        }
    }
}
