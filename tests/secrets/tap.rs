//! A server between the program and the emulator: it remembers every byte that passes, and answers some requests with an
//! error that repeats all of what was asked.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// An error to be answered, once, to the next request whose first line begins so.
#[derive(Clone, Debug)]
pub(crate) struct Echo {
    pub(crate) to: &'static str,
    pub(crate) status: u16,
    pub(crate) form: Form,
}

/// What the error looks like.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    /// Google's JSON, with the request in its message.
    Google,
    /// The JSON of a token endpoint, with the request in its description.
    OAuth,
    /// A page of text.
    Text,
}

/// The server. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Tap {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    emulator: SocketAddr,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    heard: Vec<u8>,
    echoes: Vec<Echo>,
}

impl Shared {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tap {
    pub(crate) async fn start(emulator: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared { emulator, memory: Mutex::default() });
        let serving = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let serving = Arc::clone(&serving);
                tokio::spawn(async move {
                    // A client that goes away is not waited for.
                    drop(serve(&serving, address, client).await);
                });
            }
        });
        Self { address, shared, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn echo(&self, to: &'static str, status: u16, form: Form) {
        self.shared.memory().echoes.push(Echo { to, status, form });
    }

    /// Errors that were not asked for.
    pub(crate) fn echoes_left(&self) -> Vec<Echo> {
        self.shared.memory().echoes.clone()
    }

    /// Every request and answer, one after the other, but the bytes of photos.
    pub(crate) fn heard(&self) -> String {
        String::from_utf8_lossy(&self.shared.memory().heard).into_owned()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A message: everything up to the blank line, and its body.
struct Message {
    head: String,
    body: Vec<u8>,
}

impl Message {
    async fn read(stream: &mut TcpStream, to_the_end: bool) -> std::io::Result<Option<Self>> {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut bytes).await? == 0 {
                return Ok(None);
            }
        };
        let mut body = bytes.split_off(end);
        let head = String::from_utf8_lossy(&bytes).into_owned();
        let mut message = Self { head, body: Vec::new() };
        let length = message.header("content-length").and_then(|length| length.parse().ok());
        if to_the_end && length.is_none() {
            stream.read_to_end(&mut body).await?;
        }
        while body.len() < length.unwrap_or(0) {
            if stream.read_buf(&mut body).await? == 0 {
                break;
            }
        }
        message.body = body;
        Ok(Some(message))
    }

    fn header(&self, name: &str) -> Option<&str> {
        let named = |line: &&str| line.split(':').next().is_some_and(|key| key.eq_ignore_ascii_case(name));
        self.head.lines().find(named).and_then(|line| line.split_once(':')).map(|(_, value)| value.trim())
    }

    /// The same with other words for some, and for one request alone.
    fn rewritten(mut self, from: &str, to: &str) -> Vec<u8> {
        if self.header("content-type").is_some_and(|kind| kind.contains("json")) {
            self.body = String::from_utf8_lossy(&self.body).replace(from, to).into_bytes();
        }
        let length = self.header("content-length").is_some().then_some(self.body.len());
        let gone = ["connection:", "content-length:"];
        let kept = |line: &&str| {
            !line.is_empty() && !gone.iter().any(|name| line.to_ascii_lowercase().starts_with(name))
        };
        let mut head: Vec<String> =
            self.head.lines().filter(kept).map(|line| line.replace(from, to)).collect();
        head.push("Connection: close".into());
        head.extend(length.map(|length| format!("Content-Length: {length}")));
        let mut bytes = (head.join("\r\n") + "\r\n\r\n").into_bytes();
        bytes.extend(self.body);
        bytes
    }

    /// As it is remembered.
    fn remembered(&self) -> Vec<u8> {
        let is_photo = self.body.len() > 64 * 1024 || self.body.starts_with(&[0xFF, 0xD8]);
        let mut bytes = self.head.clone().into_bytes();
        bytes.extend(if is_photo { &[] } else { &self.body[..] });
        bytes.extend(b"\r\n");
        bytes
    }
}

async fn serve(shared: &Shared, address: SocketAddr, mut client: TcpStream) -> std::io::Result<()> {
    let Some(request) = Message::read(&mut client, false).await? else { return Ok(()) };
    let (here, there) = (format!("http://{address}"), format!("http://{}", shared.emulator));
    let asked = String::from_utf8_lossy(&request.remembered()).into_owned();
    let echo = {
        let mut memory = shared.memory();
        memory.heard.extend(asked.as_bytes());
        let at = memory.echoes.iter().position(|echo| asked.starts_with(echo.to));
        at.map(|at| memory.echoes.remove(at))
    };
    let answer = if let Some(echo) = echo {
        refusal(&echo, &asked)
    } else {
        let mut emulator = TcpStream::connect(shared.emulator).await?;
        emulator.write_all(&request.rewritten(&here, &there)).await?;
        let is_head = asked.starts_with("HEAD ");
        let Some(answer) = Message::read(&mut emulator, !is_head).await? else { return Ok(()) };
        if is_head { answer.head.into_bytes() } else { answer.rewritten(&there, &here) }
    };
    if !answer.starts_with(b"HTTP/1.1 200 OK\r\ncontent-type: image") {
        shared.memory().heard.extend(&answer[..answer.len().min(256 * 1024)]);
    }
    client.write_all(&answer).await?;
    client.shutdown().await
}

fn refusal(echo: &Echo, asked: &str) -> Vec<u8> {
    let status = echo.status;
    let (kind, body) = match echo.form {
        Form::Text => ("text/plain", format!("This was wrong: {asked}")),
        Form::Google => {
            let error = serde_json::json!({"code": status, "message": format!("This was wrong: {asked}")});
            ("application/json", serde_json::json!({ "error": error }).to_string())
        }
        Form::OAuth => {
            let body = serde_json::json!({
                "error": "invalid_grant",
                "error_description": format!("This was wrong: {asked}"),
            });
            ("application/json", body.to_string())
        }
    };
    format!(
        "HTTP/1.1 {status} No\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
