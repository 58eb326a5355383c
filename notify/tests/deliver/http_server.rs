//! An HTTP server on this machine that writes down what it is sent, and answers as it was told.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Bytes, to_bytes},
    extract::{Request, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use tokio::{net::TcpListener, task::JoinHandle};

/// What was sent.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("no header {name}: {self:?}"));
        value.to_str().expect("text")
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }
}

/// Status, headers and body.
pub(crate) type Answer = (u16, Vec<(&'static str, String)>, String);

#[derive(Debug, Default)]
struct Book {
    received: Vec<Received>,
    answers: VecDeque<Answer>,
}

/// The server. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct HttpServer {
    pub(crate) address: SocketAddr,
    book: Arc<Mutex<Book>>,
    serving: JoinHandle<()>,
}

impl HttpServer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let book = Arc::<Mutex<Book>>::default();
        let routes = Router::new().fallback(receive).with_state(Arc::clone(&book));
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await.expect("it serves") });
        Self { address, book, serving }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next request is answered so. Without this, every answer is 200.
    pub(crate) fn answer(&self, status: u16, headers: &[(&'static str, &str)], body: &str) {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.book.lock().expect("no panic").answers.push_back((status, headers, body.to_owned()));
    }

    /// From now on, every answer is 200.
    pub(crate) fn forget_answers(&self) {
        self.book.lock().expect("no panic").answers.clear();
    }

    /// What has come since this was asked for the last time.
    pub(crate) fn received(&self) -> Vec<Received> {
        std::mem::take(&mut self.book.lock().expect("no panic").received)
    }

    /// The one request that has come.
    pub(crate) fn one(&self) -> Received {
        let mut received = self.received();
        assert_eq!(received.len(), 1, "{received:?}");
        received.remove(0)
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn receive(State(book): State<Arc<Mutex<Book>>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let received = Received {
        method: head.method.to_string(),
        target: head.uri.to_string(),
        headers: head.headers,
        body: to_bytes(body, 1024 * 1024).await.expect("a body"),
    };
    let mut book = book.lock().expect("no panic");
    book.received.push(received);
    let (status, headers, body) = book.answers.pop_front().unwrap_or((200, Vec::new(), "ok".into()));
    let mut response = body.into_response();
    *response.status_mut() = status.try_into().expect("a status");
    for (name, value) in headers {
        response.headers_mut().insert(name, value.try_into().expect("a value"));
    }
    response
}
