//! The field `csrf` of a form. The form is read here, and handed on as it was. Of one that brings a file, only the first field is read,
//! which is to be the token: the file may be of any size.

use std::time::Duration;

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::Request,
    http::{StatusCode, header},
};
use futures::{StreamExt, stream};
use tokio::time::timeout;

use crate::api::problem::Problem;

/// The largest form.
const LARGEST: usize = 1024 * 1024;
/// The token of a form that brings a file ends within so many bytes.
const BEGINNING: usize = 4096;
/// A form has come within this.
const WITHIN: Duration = Duration::from_secs(30);

/// The token that a request brings: in the header `X-CSRF-Token`, or in its form.
pub(super) async fn token(request: Request) -> Result<(Request, Option<String>), Problem> {
    if let Some(brought) = request.headers().get("x-csrf-token") {
        let brought = brought.to_str().ok().map(str::to_owned);
        return Ok((request, brought));
    }
    let media_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type.unwrap_or_default().to_owned();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("multipart/form-data") {
        let Some(boundary) = boundary_of(&media_type) else { return Ok((request, None)) };
        return timeout(WITHIN, of_files(request, boundary)).await.map_err(too_slow);
    }
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Ok((request, None));
    }
    let (parts, body) = request.into_parts();
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

fn too_slow(_: tokio::time::error::Elapsed) -> Problem {
    Problem::new(StatusCode::REQUEST_TIMEOUT, "the form came too slowly; send it again")
}

/// What the parts of a form that brings files are parted by.
fn boundary_of(media_type: &str) -> Option<&str> {
    let boundary = media_type.split(';').find_map(|parameter| {
        let (name, value) = parameter.trim().split_once('=')?;
        name.eq_ignore_ascii_case("boundary").then(|| value.trim_matches('"'))
    });
    boundary.filter(|boundary| !boundary.is_empty())
}

/// The token of a form that brings files, if it is the first field. The rest is not read.
async fn of_files(request: Request, boundary: &str) -> (Request, Option<String>) {
    let (parts, body) = request.into_parts();
    let mut rest = body.into_data_stream();
    let (mut beginning, mut broken) = (Vec::new(), None);
    let mut first = First::NotYet;
    while first == First::NotYet && beginning.len() < BEGINNING {
        match rest.next().await {
            Some(Ok(chunk)) => beginning.extend_from_slice(&chunk),
            Some(Err(error)) => {
                broken = Some(Err(error));
                break;
            }
            None => break,
        }
        first = first_field(&beginning, boundary);
    }
    let read = [Ok(Bytes::from(beginning))].into_iter().chain(broken);
    let body = Body::from_stream(stream::iter(read).chain(rest));
    let token = if let First::Token(token) = first { Some(token) } else { None };
    (Request::from_parts(parts, body), token)
}

/// What the first field of a form is.
#[derive(Debug, PartialEq, Eq)]
enum First {
    /// It has not come to its end.
    NotYet,
    Token(String),
    Another,
}

fn first_field(beginning: &[u8], boundary: &str) -> First {
    let find = |text: &[u8], what: &[u8]| text.windows(what.len()).position(|window| window == what);
    let Some(fields_at) = find(beginning, b"\r\n\r\n") else { return First::NotYet };
    let value = &beginning[fields_at + 4..];
    let fields = String::from_utf8_lossy(&beginning[..fields_at]).into_owned();
    let is_first = fields.starts_with(&format!("--{boundary}\r\n"));
    let names_it = fields.lines().any(|line| {
        let is_disposition = line.to_ascii_lowercase().starts_with("content-disposition:");
        is_disposition && line.split(';').any(|parameter| parameter.trim() == "name=\"csrf\"")
    });
    if !is_first || !names_it {
        return First::Another;
    }
    match find(value, format!("\r\n--{boundary}").as_bytes()) {
        None => First::NotYet,
        Some(end) => First::Token(String::from_utf8_lossy(&value[..end]).into_owned()),
    }
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
        for media_type in
            ["text/plain", "multipart/form-data; boundary=x", "multipart/form-data", "application/json"]
        {
            assert_eq!(token(request(media_type)).await.expect("read").1, None, "{media_type}");
        }
        let large = Request::post("/")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from("x".repeat(1024 * 1024 + 1)))
            .expect("a request");
        assert_eq!(token(large).await.expect_err("too large").status(), 413);
    }

    #[tokio::test]
    async fn of_a_form_that_brings_a_file_the_first_field_is_the_token_and_the_rest_is_not_read() {
        let field = |name: &str, value: &str| {
            format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let file = field("file", &"y".repeat(100_000));
        let whole = |fields: &[&str]| format!("{}--x--\r\n", fields.concat());
        let csrf = field("csrf", "t+k");
        for (form, expected) in [
            (whole(&[&csrf, &file]), Some("t+k")),
            (whole(&[&file, &csrf]), None),
            (whole(&[&field("other", "csrf"), &csrf]), None),
            (field("csrf", &"t".repeat(10_000)), None),
            ("--y\r\n".to_owned(), None),
        ] {
            // However it is cut.
            for size in [1, 7, 5_000, form.len()] {
                let chunks: Vec<_> =
                    form.as_bytes().chunks(size).map(|part| Ok::<_, std::io::Error>(part.to_vec())).collect();
                let request = Request::post("/")
                    .header("content-type", "multipart/form-data; boundary=\"x\"")
                    .body(Body::from_stream(futures::stream::iter(chunks)))
                    .expect("a request");
                let (request, found) = token(request).await.expect("read");
                assert_eq!(found.as_deref(), expected, "in pieces of {size}");
                let body = to_bytes(request.into_body(), 1_000_000).await.expect("a body");
                assert!(body == form, "it is handed on as it was");
            }
        }
    }

    #[test]
    fn tokens_are_the_same_in_every_byte() {
        assert!(is_same("abc", "abc"));
        for other in ["", "ab", "abd", "abcd", "bbc"] {
            assert!(!is_same("abc", other), "{other}");
        }
    }
}
