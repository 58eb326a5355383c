//! What requests bring: no more than 1 MiB, within a minute, unless an endpoint takes files ([`takes_files`]); and never more slowly
//! than a byte in half a minute. What nobody reads of a body, because it is refused, is taken in for a while and thrown away: who
//! still sends would otherwise find the connection broken, and the answer lost.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use hyper::body::{Frame, SizeHint};
use tokio::{
    runtime::Handle,
    time::{Sleep, sleep, timeout},
};

use crate::api::problem::Problem;

/// The most that a body has, in bytes.
pub(crate) const LARGEST: usize = 1024 * 1024;
/// The whole of a body that is no file has come within this.
const WHOLE_WITHIN: Duration = Duration::from_mins(1);
/// Something more of a body has come within this.
const COMES_WITHIN: Duration = Duration::from_secs(30);
/// What nobody reads is taken in for so long at most, as long as something comes within the shorter time.
const UNREAD_WITHIN: Duration = Duration::from_secs(30);
const UNREAD_COMES_WITHIN: Duration = Duration::from_secs(2);

/// How the body of a request comes along. Among the request's extensions.
#[derive(Clone, Debug, Default)]
struct Pace(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Told once it has come too slowly.
    is_late: AtomicBool,
    /// Told where it is a file, which takes as long as it takes.
    is_file: AtomicBool,
}

/// Gives up bodies that come too slowly.
pub(crate) async fn hurry(mut request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let pace = Pace::default();
    request.extensions_mut().insert(pace.clone());
    let is_held_back = request.headers().contains_key(header::EXPECT);
    let request = request.map(|body| {
        let pace = pace.clone();
        Body::new(Hurried { body, pace, whole: None, more: None, is_held_back, has_ended: false })
    });
    let response = next.run(request).await;
    if !pace.0.is_late.load(Ordering::Relaxed) {
        return response;
    }
    // Whatever was made of half a body.
    let words = "the body came too slowly; send it again";
    let mut response = Problem::new(StatusCode::REQUEST_TIMEOUT, words).into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Stands before what takes files: a body may take as long as it has to, as long as it goes on.
pub(crate) async fn takes_files(request: Request, next: Next) -> Response {
    if let Some(Pace(inner)) = request.extensions().get() {
        inner.is_file.store(true, Ordering::Relaxed);
    }
    next.run(request).await
}

/// A body that has to go on.
struct Hurried {
    body: Body,
    pace: Pace,
    /// Runs from the first time on that nothing is there.
    whole: Option<Pin<Box<Sleep>>>,
    /// Runs while nothing comes.
    more: Option<Pin<Box<Sleep>>>,
    /// The client waits until it is told to send it.
    is_held_back: bool,
    has_ended: bool,
}

/// It has come too slowly.
#[derive(Debug, thiserror::Error)]
#[error("the body came too slowly")]
struct Late;

impl HttpBody for Hurried {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.is_held_back = false;
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.more = None;
            self.has_ended = !matches!(frame, Some(Ok(_)));
            return Poll::Ready(frame);
        }
        let more = self.more.get_or_insert_with(|| Box::pin(sleep(COMES_WITHIN)));
        let mut is_late = more.as_mut().poll(cx).is_ready();
        if !self.pace.0.is_file.load(Ordering::Relaxed) {
            let whole = self.whole.get_or_insert_with(|| Box::pin(sleep(WHOLE_WITHIN)));
            is_late |= whole.as_mut().poll(cx).is_ready();
        }
        if !is_late {
            return Poll::Pending;
        }
        self.has_ended = true;
        self.pace.0.is_late.store(true, Ordering::Relaxed);
        Poll::Ready(Some(Err(axum::Error::new(Late))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Hurried {
    fn drop(&mut self) {
        if self.has_ended || self.is_held_back || self.body.is_end_stream() {
            return;
        }
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(throw_away(std::mem::take(&mut self.body)));
        }
    }
}

/// Takes in what is left of a body. Meanwhile the answer goes out.
async fn throw_away(body: Body) {
    let mut rest = body.into_data_stream();
    let taken_in = async { while let Ok(Some(Ok(_))) = timeout(UNREAD_COMES_WITHIN, rest.next()).await {} };
    timeout(UNREAD_WITHIN, taken_in).await.ok();
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::{Router, body::Body, extract::Request, http::StatusCode, middleware::from_fn, routing::post};
    use futures::stream;
    use hyper::service::Service;
    use hyper_util::service::TowerToHyperService;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        time::{Instant, sleep},
    };
    use tokio_util::sync::CancellationToken;

    use super::{hurry, takes_files};

    /// A body of so many parts, with this pause before each.
    fn slow(parts: u32, pause: Duration) -> Body {
        Body::from_stream(stream::unfold(parts, move |left| async move {
            sleep(pause).await;
            left.checked_sub(1).map(|left| (Ok::<_, std::io::Error>("x"), left))
        }))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_may_be_slow_but_has_to_go_on_and_only_a_file_takes_as_long_as_it_takes() {
        let length = || post(|body: String| async move { body.len().to_string() });
        let router = Router::new()
            .route("/", length())
            .route("/file", length().layer(from_fn(takes_files)))
            .layer(from_fn(hurry));
        let router = TowerToHyperService::new(router);
        let send = async |path: &str, parts, seconds| {
            let begun = Instant::now();
            let body = slow(parts, Duration::from_secs(seconds));
            let answer = router.call(Request::post(path).body(body).expect("a request")).await;
            let answer = answer.expect("an answer");
            let closes = answer.headers().get("connection").is_some_and(|value| value == "close");
            (answer.status().as_u16(), begun.elapsed().as_secs(), closes)
        };
        assert_eq!(send("/", 2, 15).await, (200, 45, false));
        assert_eq!(send("/", 1_000_000, 1).await, (408, 60, true));
        assert_eq!(send("/", 10, 60).await, (408, 30, true));
        assert_eq!(send("/file", 10, 25).await, (200, 275, false));
        assert_eq!(send("/file", 10, 60).await, (408, 30, true));
    }

    #[tokio::test]
    async fn who_is_refused_and_goes_on_sending_still_gets_the_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shutdown = CancellationToken::new();
        let router = Router::new()
            .route("/", post(|| async { (StatusCode::UNSUPPORTED_MEDIA_TYPE, "no photo") }))
            .layer(from_fn(hurry));
        let server = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { crate::connections::serve(listener, router, false, &shutdown).await }
        });
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let length = 64 * 1024 * 1024;
        let head = format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("it is sent");
        stream.write_all(&vec![0; length]).await.expect("all of it is taken in");
        // The connection is as good as new.
        stream
            .write_all(b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .await
            .expect("sent");
        let mut answers = String::new();
        stream.read_to_string(&mut answers).await.expect("two answers");
        assert_eq!(answers.matches("HTTP/1.1 415 ").count(), 2, "{answers}");
        shutdown.cancel();
        server.await.expect("no panic");
    }
}
