//! The listener on this machine that the browser is sent back to.
//!
//! Whoever runs on this machine can reach it, so every connection is bounded in bytes, in time and in number, and only a
//! request with the answer that is waited for is let through. Whoever brings it waits for a page.

use std::{collections::VecDeque, io, net::Ipv4Addr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::{sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use super::{answer::Asking, page::Page};

/// More than any browser sends, cookies included.
const LONGEST_HEAD: usize = 64 * 1024;
/// A browser on the same machine needs far less.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections at a time; one more ends the oldest. Browsers open some ahead and leave them silent.
const MOST_CONNECTIONS: usize = 32;

/// A port of this machine, listening.
#[derive(Debug)]
pub(crate) struct Loopback {
    listener: TcpListener,
    port: u16,
}

/// The one who brought the answer, and waits for a page.
#[derive(Debug)]
pub(crate) struct Visitor {
    /// What was asked for: the path and, after `?`, the answer. It holds a secret.
    pub(crate) target: String,
    stream: TcpStream,
}

impl Loopback {
    /// Listens on this port of 127.0.0.1; on a free one for 0.
    pub(crate) async fn bind(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    /// Where the browser is to be sent.
    pub(crate) fn redirect(&self) -> Url {
        let url = format!("http://{}:{}/", Ipv4Addr::LOCALHOST, self.port);
        Url::parse(&url).expect("a host, a port and a path are a URL")
    }

    /// Waits for the answer; everybody else gets a page that says so, or is cut off.
    pub(crate) async fn visitor(&self, asking: &Asking) -> Visitor {
        let (sender, mut receiver) = mpsc::channel(1);
        let mut connections = VecDeque::new();
        loop {
            tokio::select! {
                visitor = receiver.recv() => {
                    if let Some(visitor) = visitor {
                        return visitor;
                    }
                }
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        connections.truncate(MOST_CONNECTIONS - 1);
                        let attending = attend(stream, asking.clone(), sender.clone());
                        connections.push_front(AbortOnDropHandle::new(tokio::spawn(attending)));
                    }
                    // No more files may be opened, for instance: that passes.
                    Err(_) => sleep(Duration::from_millis(100)).await,
                },
            }
        }
    }
}

impl Visitor {
    /// Shows the page. Whether it arrives is not what the consent depends on.
    pub(crate) async fn show(self, page: &Page) {
        reply(self.stream, page).await;
    }
}

async fn attend(mut stream: TcpStream, asking: Asking, answers: mpsc::Sender<Visitor>) {
    let Ok(head) = timeout(PATIENCE, read_head(&mut stream)).await else { return };
    let page = match head.as_deref().and_then(target) {
        Some(target) if asking.is_answered_by(target) => {
            let visitor = Visitor { target: target.to_owned(), stream };
            // Nobody waits any more when another has brought the answer first.
            drop(answers.send(visitor).await);
            return;
        }
        Some(target) if path(target) == "/" => Page::OTHER_ASKING,
        Some(_) => Page::NOT_HERE,
        None => Page::NOT_UNDERSTOOD,
    };
    reply(stream, &page).await;
}

/// The request up to the blank line; `None` when it is too long or ends before.
async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        let mut more = [0; 4096];
        let count = stream.read(&mut more).await.ok().filter(|count| *count > 0)?;
        head.extend_from_slice(&more[..count]);
        if head.len() > LONGEST_HEAD {
            return None;
        }
    }
    String::from_utf8(head).ok()
}

/// What a GET asks for.
fn target(head: &str) -> Option<&str> {
    let mut words = head.lines().next()?.split(' ');
    match (words.next(), words.next(), words.next()) {
        (Some("GET"), Some(target), Some(version)) if version.starts_with("HTTP/1.") => Some(target),
        _ => None,
    }
}

fn path(target: &str) -> &str {
    target.split(['?', '#']).next().unwrap_or_default()
}

async fn reply(mut stream: TcpStream, page: &Page) {
    let answer = page.to_http();
    let written = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    };
    // A browser that has gone away has nothing to be shown.
    drop(timeout(PATIENCE, written).await);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
        time::timeout,
    };

    use super::{Loopback, MOST_CONNECTIONS, Visitor};
    use crate::commands::authorize::{answer::Asking, page::Page};

    async fn listening() -> (u16, tokio::task::JoinHandle<Visitor>) {
        let loopback = Loopback::bind(0).await.expect("a port");
        let port = loopback.port;
        let asking = Asking::of(&"https://accounts.example.org/?state=ours".parse().expect("a URL"));
        (port, tokio::spawn(async move { loopback.visitor(&asking).await }))
    }

    async fn send(port: u16, request: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
        // Who is cut off in the middle is what some of these tests are about.
        drop(stream.write_all(request).await);
        stream
    }

    async fn answer_to(port: u16, request: &[u8]) -> String {
        let mut answer = Vec::new();
        drop(send(port, request).await.read_to_end(&mut answer).await);
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[tokio::test]
    async fn only_the_answer_is_let_through_and_nothing_else_ends_the_wait() {
        let (port, waiting) = listening().await;
        for (request, status) in [
            ("GET /favicon.ico HTTP/1.1\r\n\r\n", "404"),
            ("GET /?state=another&code=4/secret HTTP/1.1\r\n\r\n", "400"),
            ("GET /?code=4/secret HTTP/1.1\r\n\r\n", "400"),
            ("GET /?state=ours HTTP/1.1\r\n\r\n", "400"),
            ("GET /other?state=ours&code=4/secret HTTP/1.1\r\n\r\n", "404"),
            ("GET / HTTP/1.1\r\n\r\n", "400"),
            ("POST /?state=ours&code=4/secret HTTP/1.1\r\n\r\n", "400"),
            ("hello\r\n\r\n", "400"),
            ("\r\n\r\n", "400"),
        ] {
            let answer = answer_to(port, request.as_bytes()).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
            assert!(!answer.contains("another") && !answer.contains("secret"), "{answer}");
        }
        // Bytes that are no text, more of them than anybody needs, and one who leaves.
        answer_to(port, b"GET /\xff\xfe HTTP/1.1\r\n\r\n").await;
        answer_to(port, &vec![b'a'; 1_000_000]).await;
        drop(send(port, b"GET /").await);

        let mut browser = send(port, b"GET /?state=ours&code=4/secret HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let visitor = waiting.await.expect("the answer");
        assert_eq!(visitor.target, "/?state=ours&code=4/secret");
        visitor.show(&Page::failed("because of <script> & \"quotes\"")).await;
        let mut shown = String::new();
        browser.read_to_string(&mut shown).await.expect("a page");
        assert!(shown.contains("because of &lt;script&gt; &amp; &quot;quotes&quot;"), "{shown}");
        assert!(shown.contains("no-store") && !shown.contains("4/secret"), "{shown}");
    }

    #[tokio::test]
    async fn connections_that_stay_silent_do_not_keep_the_answer_out() {
        let (port, waiting) = listening().await;
        let mut silent = Vec::new();
        for _ in 0..3 * MOST_CONNECTIONS {
            silent.push(send(port, b"GET /?sta").await);
        }
        let _browser = send(port, b"GET /?state=ours&error=access_denied HTTP/1.1\r\n\r\n").await;
        let visitor = timeout(Duration::from_secs(5), waiting).await.expect("in time").expect("the answer");
        assert_eq!(visitor.target, "/?state=ours&error=access_denied");
    }
}
