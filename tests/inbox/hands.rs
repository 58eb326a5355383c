//! A program that hands files to `charon serve`, over plain sockets.

use std::{fs, net::SocketAddr};

use charon_engine::{Engine, Registry, Scope, Settings};
use charon_provider_gphotos::GPhotos;
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
    time::{Duration, MissedTickBehavior, interval, timeout},
};

use crate::support::Place;

const BOUNDARY: &str = "a-boundary-of-a-form";
/// Nothing here takes longer, unless it never comes.
const PATIENCE: Duration = Duration::from_mins(2);

/// `charon serve`, and those who come in.
pub(crate) struct Hands {
    child: Child,
    address: SocketAddr,
    pub(crate) keys: Keys,
}

/// What comes in: tokens with scopes, and the storage that files go to.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    admin: String,
    run: String,
    read: String,
    storage: String,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) etag: Option<String>,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Keys {
    /// New ones, for the storage `family`.
    pub(crate) async fn make(place: &Place) -> Self {
        let registry = Registry::default().with(GPhotos::new());
        let engine =
            Engine::open(Settings::new(place.data_dir(), registry)).await.expect("the data directory");
        let mut secrets = Vec::new();
        for scope in [Scope::Admin, Scope::Run, Scope::Read] {
            let token = engine.create_token(scope.as_str(), scope, None).await.expect("a token");
            secrets.push(token.secret.expose_secret().to_owned());
        }
        let storage = engine.storage("family").await.expect("the storage").id.to_string();
        engine.close().await;
        let mut last = || secrets.pop().expect("three");
        Self { read: last(), run: last(), admin: last(), storage }
    }
}

impl Hands {
    pub(crate) async fn of(place: &Place) -> Self {
        let keys = Keys::make(place).await;
        Self::with(place, keys).await.expect("it begins")
    }

    /// Starts the program; `None` if it ends before it listens.
    pub(crate) async fn with(place: &Place, keys: Keys) -> Option<Self> {
        let mut child = place.spawn(&["serve"]);
        let mut said = BufReader::new(child.stderr.take().expect("its standard error")).lines();
        let address = timeout(PATIENCE, async {
            while let Some(line) = said.next_line().await.expect("it can be heard") {
                if let Some(address) = line.strip_prefix("charon: http://") {
                    // What it says later is read, so that it can say it.
                    tokio::spawn(async move { while let Ok(Some(_)) = said.next_line().await {} });
                    return Some(address.parse().expect("an address"));
                }
            }
            None
        });
        let address = address.await.expect("it listens in time")?;
        Some(Self { child, address, keys })
    }

    /// A path below the storage.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/api/v1/storages/{}/{rest}", self.keys.storage)
    }

    /// Sends a form.
    pub(crate) async fn send(&self, rest: &str, form: &[u8]) -> Answer {
        self.send_as("run", rest, form).await
    }

    pub(crate) async fn send_as(&self, who: &str, rest: &str, form: &[u8]) -> Answer {
        let token = match who {
            "run" => &self.keys.run,
            "read" => &self.keys.read,
            _ => "charon_nobody",
        };
        let fields = [format!("Authorization: Bearer {token}")];
        let media_type = format!("multipart/form-data; boundary={BOUNDARY}");
        self.ask("POST", &self.path(rest), &media_type, form, &fields).await.expect("an answer")
    }

    /// Sends a file as the whole body.
    pub(crate) async fn send_raw(&self, rest: &str, bytes: &[u8]) -> Answer {
        self.post(&self.path(rest), "image/jpeg", bytes, &[]).await
    }

    pub(crate) async fn post(&self, path: &str, media_type: &str, body: &[u8], more: &[String]) -> Answer {
        self.try_post(path, media_type, body, more).await.expect("an answer")
    }

    /// The same, where the program may be killed meanwhile.
    pub(crate) async fn try_post(
        &self,
        path: &str,
        media_type: &str,
        body: &[u8],
        more: &[String],
    ) -> Option<Answer> {
        let fields = [&[format!("Authorization: Bearer {}", self.keys.run)], more].concat();
        self.ask("POST", path, media_type, body, &fields).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let fields = [format!("Authorization: Bearer {}", self.keys.read)];
        self.ask("GET", path, "text/plain", &[], &fields).await.expect("an answer")
    }

    /// Asks as one who may do everything, with JSON.
    pub(crate) async fn admin(&self, method: &str, path: &str, body: &Value, more: &[String]) -> Answer {
        let fields = [&[format!("Authorization: Bearer {}", self.keys.admin)], more].concat();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.ask(method, path, "application/json", body.as_bytes(), &fields).await.expect("an answer")
    }

    async fn ask(
        &self,
        method: &str,
        path: &str,
        media_type: &str,
        body: &[u8],
        fields: &[String],
    ) -> Option<Answer> {
        let mut stream = TcpStream::connect(self.address).await.ok()?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{}Content-Length: {}\r\n{}\r\n\r\n",
            if body.is_empty() { String::new() } else { format!("Content-Type: {media_type}\r\n") },
            body.len(),
            fields.join("\r\n")
        );
        let (mut reading, mut writing) = stream.split();
        let mut answer = Vec::new();
        let send = async {
            // One who refuses need not take all of it.
            if writing.write_all(head.as_bytes()).await.is_ok() {
                writing.write_all(body).await.ok();
            }
        };
        let ((), read) = timeout(PATIENCE, async { tokio::join!(send, reading.read_to_end(&mut answer)) })
            .await
            .expect("an end");
        drop(read);
        let answer = String::from_utf8(answer).ok()?;
        let (head, text) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let length = field(head, "content-length").and_then(|length| length.parse().ok());
        // Cut off in the middle of its answer.
        if length.is_some_and(|length: usize| length != text.len()) {
            return None;
        }
        let body = serde_json::from_str(text).unwrap_or(Value::Null);
        Some(Answer {
            status,
            location: field(head, "location"),
            etag: field(head, "etag"),
            text: text.to_owned(),
            body,
        })
    }

    /// Waits until a file was sent; gives its receipt.
    pub(crate) async fn until_sent(&self, receipt: &str) -> Value {
        let mut look = interval(Duration::from_millis(50));
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let sent = timeout(PATIENCE, async {
            loop {
                look.tick().await;
                let answer = self.get(receipt).await;
                assert_eq!(answer.status, 200, "{answer:?}");
                if answer.body["state"] != "waiting" {
                    return answer.body;
                }
            }
        });
        let Ok(receipt) = sent.await else { panic!("it is not sent: {:?}", self.get(receipt).await) };
        assert_eq!(receipt["state"], "sent", "{receipt:#}");
        receipt
    }

    /// The most memory that it has had, in bytes.
    pub(crate) fn most_memory(&self) -> u64 {
        let id = self.child.id().expect("it runs");
        let status = fs::read_to_string(format!("/proc/{id}/status")).expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its memory");
        line.trim().trim_end_matches(" kB").trim().parse::<u64>().expect("a number") * 1024
    }

    /// `kill -9`.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("it can be killed");
    }

    /// Ends it as a service manager does.
    pub(crate) async fn end(mut self) {
        let id = self.child.id().expect("it runs");
        let sent =
            Command::new("sh").args(["-c", &format!("kill -TERM {id}")]).status().await.expect("a shell");
        assert!(sent.success());
        timeout(PATIENCE, self.child.wait()).await.expect("it ends").expect("its end");
    }
}

fn field(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|line| {
        let (field, value) = line.split_once(':')?;
        field.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

/// A form of these fields: name, file name, content.
pub(crate) fn form(fields: &[(&str, Option<&str>, &[u8])]) -> Vec<u8> {
    let mut form = Vec::new();
    for (name, file_name, content) in fields {
        let file_name = file_name.map(|name| format!("; filename=\"{name}\"")).unwrap_or_default();
        let head =
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file_name}\r\n\r\n");
        form.extend_from_slice(head.as_bytes());
        form.extend_from_slice(content);
        form.extend_from_slice(b"\r\n");
    }
    form.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    form
}
