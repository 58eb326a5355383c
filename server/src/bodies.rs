//! What requests bring: no more than 1 MiB, unless an endpoint says otherwise with a `DefaultBodyLimit` of its own; and not more slowly
//! than a byte in half a minute.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use hyper::body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use crate::api::problem::Problem;

/// The most that a body has, in bytes.
pub(crate) const LARGEST: usize = 1024 * 1024;
/// Something more of a body has come within this.
const COMES_WITHIN: Duration = Duration::from_secs(30);

/// Gives up bodies that do not go on.
pub(crate) async fn hurry(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let is_late = Arc::new(AtomicBool::new(false));
    let request = request.map(|body| Body::new(Hurried { body, waits: None, is_late: Arc::clone(&is_late) }));
    let response = next.run(request).await;
    if !is_late.load(Ordering::Relaxed) {
        return response;
    }
    // Whatever was made of half a body.
    let words = "the rest of the body did not come for half a minute; send it again";
    let mut response = Problem::new(StatusCode::REQUEST_TIMEOUT, words).into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// A body that has to go on.
struct Hurried {
    body: Body,
    /// Runs while nothing comes.
    waits: Option<Pin<Box<Sleep>>>,
    /// Told once nothing has come for too long.
    is_late: Arc<AtomicBool>,
}

/// Nothing has come for too long.
#[derive(Debug, thiserror::Error)]
#[error("the rest of the body did not come")]
struct Late;

impl HttpBody for Hurried {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.waits = None;
            return Poll::Ready(frame);
        }
        let waits = self.waits.get_or_insert_with(|| Box::pin(sleep(COMES_WITHIN)));
        ready!(waits.as_mut().poll(cx));
        self.is_late.store(true, Ordering::Relaxed);
        Poll::Ready(Some(Err(axum::Error::new(Late))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::{Router, body::Body, extract::Request, middleware::from_fn, routing::post};
    use futures::stream;
    use hyper::service::Service;
    use hyper_util::service::TowerToHyperService;
    use tokio::time::{Instant, sleep};

    use super::hurry;

    /// A body of so many parts, with this pause before each.
    fn slow(parts: u32, pause: Duration) -> Body {
        Body::from_stream(stream::unfold(parts, move |left| async move {
            sleep(pause).await;
            left.checked_sub(1).map(|left| (Ok::<_, std::io::Error>("x"), left))
        }))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_may_be_slow_but_has_to_go_on() {
        let router = Router::new()
            .route("/", post(|body: String| async move { body.len().to_string() }))
            .layer(from_fn(hurry));
        let router = TowerToHyperService::new(router);
        let send = |body| router.call(Request::post("/").body(body).expect("a request"));
        let begun = Instant::now();
        assert_eq!(send(slow(10, Duration::from_secs(25))).await.expect("an answer").status(), 200);
        assert!(begun.elapsed() >= Duration::from_secs(250));
        let begun = Instant::now();
        let answer = send(slow(10, Duration::from_mins(1))).await.expect("an answer");
        assert_eq!((answer.status().as_u16(), begun.elapsed().as_secs()), (408, 30));
        assert_eq!(answer.headers()["connection"], "close");
    }
}
