//! How OpenDAL's requests reach the store: each through the wire, and each refusal as an error of its class.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use charon_provider::{Class, Error, Reason};
use futures::{Stream, StreamExt, stream};
use http::header;
use opendal::{Buffer, ErrorKind, HttpBody, HttpTransport};
use reqwest::Method;
use url::Url;

use super::fault;
use crate::wire::{Outgoing, Payload, Wire, arriving};

/// Bodies go out in pieces of this size, so that it is seen whether they move.
const PIECE: usize = 256 * 1024;
/// What a request does is said by whoever makes it.
const DOING: &str = "talk to the store";

/// How OpenDAL's requests reach the store.
#[derive(Debug)]
pub(super) struct Transport(pub(super) Arc<Wire>);

impl HttpTransport for Transport {
    async fn fetch(&self, request: http::Request<Buffer>) -> opendal::Result<http::Response<HttpBody>> {
        self.exchange(request).await.map_err(carried)
    }
}

impl Transport {
    async fn exchange(&self, request: http::Request<Buffer>) -> Result<http::Response<HttpBody>, Error> {
        let (head, body) = request.into_parts();
        let url = Url::parse(&head.uri.to_string())
            .map_err(|error| Error::new(Class::Item, DOING, format!("this makes no address: {error}")))?;
        let (method, part) = (head.method, head.headers.get(header::RANGE).and_then(first_of));
        let proves = Proof::asked_for(&method, &head.uri, &head.headers);
        let outgoing =
            Outgoing { method: method.clone(), url, headers: head.headers, payload: payload(body, &method) };
        let response = self.0.send(DOING, outgoing).await?;
        let status = response.status();
        if status.is_client_error() || status.is_server_error() || status.is_redirection() {
            let refusal = self.0.refusal(method, response).await;
            return Err(fault::of(DOING, &refusal, &self.0));
        }
        // OpenDAL takes whatever comes for what was asked for. Some stores say 200 to a part, but all say which it is.
        if part.is_some() && response.headers().get(header::CONTENT_RANGE).and_then(first_of) != part {
            return Err(Error::new(
                Class::Destination,
                DOING,
                "the store gave another part of the file than was asked for",
            ));
        }
        if !proves.is_met_by(&response) {
            let cause = "what answers there is no store";
            return Err(Error::new(Class::Destination, DOING, cause).cured_by("check the endpoint"));
        }
        // The answer to HEAD tells a length and has no bytes.
        let length = if method == Method::HEAD { None } else { response.content_length() };
        let mut answer = http::Response::builder().status(status);
        if let Some(headers) = answer.headers_mut() {
            *headers = response.headers().clone();
        }
        let bytes = arriving(DOING.to_owned(), response, Arc::clone(&self.0.host));
        let bytes = bytes.map(|piece| piece.map(Buffer::from).map_err(carried));
        let body = HttpBody::new(Shared(Mutex::new(bytes.boxed())), length);
        answer.body(body).map_err(|error| Error::new(Class::Transient, DOING, error.to_string()))
    }
}

/// By what an answer shows that a store gave it. OpenDAL would take the page of a hotel's network for an empty bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    /// Every object has one.
    Etag,
    /// A list of objects is XML.
    Xml,
    /// OpenDAL asks for more than a success by itself.
    None,
}

impl Proof {
    fn asked_for(method: &Method, uri: &http::Uri, headers: &http::HeaderMap) -> Self {
        let is_copy = headers.contains_key("x-amz-copy-source");
        match uri.query() {
            Some(query) if query.contains("list-type=") => Self::Xml,
            _ if matches!(*method, Method::GET | Method::HEAD | Method::PUT) && !is_copy => Self::Etag,
            _ => Self::None,
        }
    }

    fn is_met_by(self, response: &reqwest::Response) -> bool {
        match self {
            Self::Etag => response.headers().contains_key(header::ETAG),
            Self::Xml => {
                let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
                kind.is_none_or(|kind| !kind.contains("html"))
            }
            Self::None => true,
        }
    }
}

/// The number of the first byte in a `Range` or a `Content-Range`.
fn first_of(range: &header::HeaderValue) -> Option<u64> {
    let range = range.to_str().ok()?.strip_prefix("bytes")?;
    range.trim_start_matches(['=', ' ']).split('-').next()?.parse().ok()
}

fn payload(body: Buffer, method: &Method) -> Payload {
    let length = body.len();
    if length == 0 {
        // An empty object has a length too.
        let has_a_body = matches!(*method, Method::PUT | Method::POST);
        return if has_a_body { Payload::Bytes(Bytes::new()) } else { Payload::Nothing };
    }
    if length <= PIECE {
        return Payload::Bytes(body.to_bytes());
    }
    let pieces = (0..length.div_ceil(PIECE)).map(move |number| {
        let from = number * PIECE;
        Ok::<_, io::Error>(body.slice(from..length.min(from + PIECE)).to_bytes())
    });
    Payload::Stream(length as u64, stream::iter(pieces).boxed())
}

/// Puts an error of ours into one of OpenDAL's, from which [`told`] takes it.
fn carried(error: Error) -> opendal::Error {
    let kind = if error.reason == Reason::NotFound { ErrorKind::NotFound } else { ErrorKind::Unexpected };
    opendal::Error::new(kind, error.cause.clone()).set_source(error)
}

/// What an error of OpenDAL's says: ours that is in it, or what it has seen by itself (an answer that promises success and
/// tells of a failure, or makes no sense).
pub(super) fn told(doing: &str, error: &opendal::Error) -> Error {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(ours) = inner.downcast_ref::<Error>() {
            return Error { doing: doing.to_owned(), ..ours.clone() };
        }
        source = inner.source();
    }
    match error.kind() {
        ErrorKind::NotFound => {
            Error::new(Class::Item, doing, "there is no such file").because(Reason::NotFound)
        }
        ErrorKind::RateLimited => Error::new(Class::Throttled, doing, "the store asks to slow down"),
        ErrorKind::PermissionDenied => Error::new(Class::Destination, doing, "the store forbids it"),
        kind => Error::new(
            Class::Transient,
            doing,
            format!("the store gave an answer that makes no sense ({kind})"),
        ),
    }
}

/// A stream for one reader alone, which OpenDAL wants to be shareable.
struct Shared<S>(Mutex<S>);

impl<S: Stream + Unpin> Stream for Shared<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).poll_next_unpin(context)
    }
}
