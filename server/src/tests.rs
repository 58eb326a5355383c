//! The server over real sockets.

use std::time::Duration;

use charon_engine::{Engine, Registry, SchedulerSettings, Settings};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{BindError, Server, ServerSettings};

/// A server on an engine of its own.
struct Place {
    engine: Engine,
    address: std::net::SocketAddr,
    shutdown: CancellationToken,
    serving: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Place {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = Settings::new(folder.path().join("data"), Registry::default());
        let engine = Engine::open(settings).await.expect("an engine");
        let settings = ServerSettings::at("127.0.0.1:0".parse().expect("an address"));
        let server = Server::bind(settings, false).await.expect("a port");
        let (address, shutdown) = (server.address(), CancellationToken::new());
        let serving = tokio::spawn(server.serve(engine.clone(), shutdown.clone()));
        Self { engine, address, shutdown, serving, _folder: folder }
    }

    /// Sends bytes, and gives all that comes back until the connection ends.
    async fn says(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("a connection");
        stream.write_all(bytes).await.expect("it is sent");
        let mut answer = Vec::new();
        let read = timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await.expect("an end");
        drop(read);
        String::from_utf8(answer).expect("a text")
    }

    async fn get(&self, path: &str, fields: &str) -> String {
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{fields}\r\n");
        self.says(head.as_bytes()).await
    }
}

#[tokio::test]
async fn it_is_well_once_a_scheduler_turns_and_says_why_before() {
    let place = Place::new().await;
    let answer = place.get("/healthz", "").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.ends_with("\r\n\r\nno scheduler is at work\n"), "{answer}");
    let answer = place.get("/healthz", "Accept: application/json\r\n").await;
    assert!(answer.ends_with("{\"reason\":\"no scheduler is at work\",\"status\":\"unwell\"}\n"), "{answer}");

    let scheduler = place.engine.scheduler(SchedulerSettings::default()).await.expect("a scheduler");
    let stop = CancellationToken::new();
    let at_work = tokio::spawn(scheduler.run_until(stop.clone().cancelled_owned()));
    while place.engine.health().await.is_err() {
        tokio::task::yield_now().await;
    }
    let answer = place.get("/healthz", "").await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nok\n"), "{answer}");
    let answer = place.get("/healthz", "Accept: application/json\r\n").await;
    assert!(answer.contains("content-type: application/json\r\n"), "{answer}");
    assert!(answer.ends_with("{\"status\":\"ok\"}\n"), "{answer}");
    assert!(place.get("/metrics", "").await.contains("\ncharon_healthy 1\n"));
    let head = place.says(b"HEAD /healthz HTTP/1.1\r\nHost: [::1]:8484\r\nConnection: close\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"), "{head}");

    stop.cancel();
    at_work.await.expect("no panic").expect("it ends");
    assert!(place.get("/healthz", "").await.starts_with("HTTP/1.1 503 "));
    assert!(place.get("/metrics", "").await.contains("\ncharon_healthy 0\n"));
}

#[tokio::test]
async fn what_is_not_for_this_machine_or_wants_to_change_something_is_refused() {
    let place = Place::new().await;
    let long = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    let many = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: y\r\n".repeat(100));
    for (request, status) in [
        ("GET /healthz HTTP/1.1\r\nHost: evil.example\r\n", 421),
        ("GET /metrics HTTP/1.1\r\nHost: evil.example:8484\r\n", 421),
        ("GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\n", 421),
        ("GET /healthz HTTP/1.1\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n", 400),
        ("GET /healthz HTTP/1.0\r\n", 400),
        ("POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n", 405),
        ("GET /nothing HTTP/1.1\r\nHost: localhost\r\n", 404),
        ("GET /api/v1/budget HTTP/1.1\r\nHost: localhost\r\n", 401),
        ("GET /api/v1/nothing HTTP/1.1\r\nHost: localhost\r\n", 404),
        ("DELETE /api/v1/budget HTTP/1.1\r\nHost: localhost\r\n", 405),
        ("GET /api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n", 200),
        ("GET / HTTP/1.1\r\nHost: localhost\r\n", 303),
    ] {
        let answer = place.says(format!("{request}Connection: close\r\n\r\n").as_bytes()).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} "))
                || answer.starts_with(&format!("HTTP/1.0 {status} ")),
            "{request}: {answer}"
        );
        assert!(!answer.contains("access-control"), "no other site may read it: {answer}");
    }
    for request in [long, many] {
        let answer = place.says(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
}

#[tokio::test]
async fn it_ends_at_once_when_it_is_told_to_though_clients_hold_on() {
    let place = Place::new().await;
    let mut idle = TcpStream::connect(place.address).await.expect("a connection");
    idle.write_all(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("sent");
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.expect("an answer");
    assert_eq!(&first, b"HTTP/1.1 404");
    place.shutdown.cancel();
    timeout(Duration::from_secs(4), place.serving).await.expect("soon").expect("no panic");
    assert!(TcpStream::connect(place.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn only_a_free_port_is_listened_on_and_only_a_loopback_one_without_a_password() {
    for address in ["0.0.0.0:0", "192.0.2.1:8484", "[::]:0"] {
        let settings = ServerSettings::at(address.parse().expect("an address"));
        let refused = Server::bind(settings, false).await.expect_err("refused");
        assert!(matches!(refused, BindError::Reachable(_)), "{refused}");
        assert!(refused.to_string().contains("there is no password yet"), "{refused}");
    }
    let loopback: std::net::SocketAddr = "127.0.0.1:0".parse().expect("an address");
    let public = ServerSettings {
        public_url: Some("https://photos.example".parse().expect("a URL")),
        ..ServerSettings::at(loopback)
    };
    let refused = Server::bind(public.clone(), false).await.expect_err("refused");
    assert!(refused.to_string().contains("https://photos.example/ can be reached"), "{refused}");
    assert!(refused.to_string().contains("charon password"), "{refused}");
    Server::bind(public, true).await.expect("there is a password");
    let everywhere = ServerSettings::at("0.0.0.0:0".parse().expect("an address"));
    Server::bind(everywhere, true).await.expect("there is a password");
    let place = Place::new().await;
    let refused = Server::bind(ServerSettings::at(place.address), false).await.expect_err("it is taken");
    assert!(matches!(refused, BindError::Taken(_)), "{refused}");
    assert!(refused.to_string().contains("choose another port with --listen"), "{refused}");
}
