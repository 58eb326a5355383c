//! The WebDriver protocol's HTTP: one command, one answer.

use std::io::{self, Read, Write};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::{Duration, timeout},
};

/// A browser that takes longer for one command hangs.
const PATIENCE: Duration = Duration::from_mins(2);

/// What the browser did not do, in the words of the protocol.
#[derive(Debug, thiserror::Error)]
#[error("{error}: {message}")]
pub(super) struct Refused {
    pub(super) error: String,
    message: String,
}

/// Gives a command to the chromedriver on this port.
pub(super) async fn command(port: u16, method: &str, path: &str, body: &Value) -> Result<Value, Refused> {
    let answer = timeout(PATIENCE, exchange(port, method, path, body)).await;
    let answer =
        answer.unwrap_or_else(|_| panic!("the browser hangs at {method} {path}")).expect("an answer");
    let mut answer: Value = serde_json::from_slice(&answer).expect("JSON");
    let value = answer["value"].take();
    let Some(error) = value["error"].as_str() else { return Ok(value) };
    // Its message goes on with a stack of addresses.
    let message = value["message"].as_str().unwrap_or_default().lines().next().unwrap_or_default();
    Err(Refused { error: error.to_owned(), message: message.to_owned() })
}

async fn exchange(port: u16, method: &str, path: &str, body: &Value) -> io::Result<Vec<u8>> {
    let body = if method == "POST" { body.to_string() } else { String::new() };
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", port)).await?);
    let request = head(port, method, path, body.len()) + &body;
    stream.write_all(request.as_bytes()).await?;
    // It tells how much it says, and does not hang up then.
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().expect("a length");
            }
            None if line.trim_end().is_empty() => break,
            _ => {}
        }
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

fn head(port: u16, method: &str, path: &str, length: usize) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n"
    )
}

/// Ends a session, and waits for a while until it has ended.
pub(super) fn close(port: u16, session: &str) -> io::Result<()> {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(head(port, "DELETE", &format!("/session/{session}"), 0).as_bytes())?;
    stream.read_exact(&mut [0])
}

/// The arguments of a browser for tests, in which nothing of another one is and which asks nobody for anything by itself.
pub(super) fn capabilities(profile: &str) -> Value {
    let profile = format!("--user-data-dir={profile}");
    let arguments = [
        "--headless=new",
        // Its sandbox does not start as root, as which tests run in containers.
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-proxy-server",
        "--lang=en-US",
        "--window-size=1280,900",
        &profile,
    ];
    json!({"capabilities": {"alwaysMatch": {
        "browserName": "chrome",
        "goog:loggingPrefs": {"browser": "ALL"},
        "goog:chromeOptions": {"args": arguments},
    }}})
}
