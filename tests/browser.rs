//! A browser, as far as a consent needs one: it asks for a page, and follows where it is sent.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) status: u16,
    /// Where it sends the browser, if it does.
    pub(crate) location: Option<String>,
    /// Status line, headers and page.
    pub(crate) text: String,
}

/// Asks for a page of this machine.
pub(crate) async fn visit(url: &str) -> Visit {
    let rest = url.strip_prefix("http://").expect("a page of this machine");
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(host).await.expect("somebody listens");
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("it is read");
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("an answer");
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let location = text
        .lines()
        .take_while(|line| !line.is_empty())
        .find_map(|line| line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("location")))
        .map(|(_, location)| location.to_owned());
    Visit { status, location, text }
}

/// Asks for a page, and for those that it is sent to; gives the last.
pub(crate) async fn follow(url: &str) -> Visit {
    let mut visited = visit(url).await;
    while let Some(location) = visited.location.take() {
        visited = visit(&location).await;
    }
    visited
}
