//! Answers that break after the request took effect: lost, cut, stalled, replaced by an error, without a header.

use axum::{
    body::Body,
    http::{HeaderValue, Response, header},
};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};

use crate::{
    call::{Call, server_error},
    fault::Action,
};

/// Why a connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut on purpose")]
pub(crate) struct Cut;

/// What goes wrong once the request has taken effect.
pub(crate) fn after(call: &Call, mut response: Response<Body>) -> Result<Response<Body>, Cut> {
    for fault in &call.faults {
        match fault {
            Action::ResponseLost => return Err(Cut),
            Action::TruncatedBody { bytes } => return Ok(truncated(response, *bytes)),
            Action::StalledBody { bytes } => return Ok(shortened(response, *bytes, stream::pending())),
            Action::ErrorAfterEffect { status } => {
                let error = server_error(*status);
                let upload = call.operation.is_upload();
                return Ok(if upload { error.bare() } else { error.structured(call.alt_json()) });
            }
            Action::MissingHeader { name } => {
                response.headers_mut().remove(name.as_str());
            }
            _ => {}
        }
    }
    Ok(response)
}

/// The same headers, but the connection ends before the body does.
pub(crate) fn truncated(response: Response<Body>, bytes: Option<u64>) -> Response<Body> {
    let cut = stream::once(async {
        // What was sent must reach the client before the connection goes.
        tokio::task::yield_now().await;
        Err(Cut)
    });
    shortened(response, bytes, cut)
}

/// The same headers, but only the beginning of the body (half of it, if `bytes` is `None`), and then `end`.
fn shortened(
    response: Response<Body>,
    bytes: Option<u64>,
    end: impl Stream<Item = Result<Bytes, Cut>> + Send + 'static,
) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    let told = parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let known = told.or(hyper::body::Body::size_hint(&body).exact());
    if let Some(length) = known {
        parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    let mut left = bytes.unwrap_or(known.unwrap_or(0) / 2);
    let shortened = body.into_data_stream().map(move |chunk| {
        let chunk = chunk.unwrap_or_default();
        let take = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len());
        left -= take as u64;
        Ok::<Bytes, Cut>(chunk.slice(..take))
    });
    Response::from_parts(parts, Body::from_stream(shortened.chain(end)))
}
