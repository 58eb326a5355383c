//! `charon serve`, and clients that say exactly what a test has them say.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpSocket, TcpStream},
    process::Child,
    time::timeout,
};

use crate::support::Place;

/// Nothing here takes longer, unless it never comes.
pub(super) const PATIENCE: Duration = Duration::from_secs(90);
pub(super) const PASSWORD: &str = "correct horse battery";

/// `charon serve`, at work, until this is dropped.
pub(super) struct Served {
    pub(super) _child: Child,
    pub(super) address: SocketAddr,
}

/// What was answered.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Answer {
    /// The value of a header field, if there is one.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find_map(|(found, value)| found.eq_ignore_ascii_case(name).then_some(value))
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }
}

impl Place {
    /// Starts `charon serve` with a password.
    pub(super) async fn serve_with_password(&self, arguments: &[&str]) -> Served {
        let set = Self::give_text(&mut self.command(&["password"]), &format!("{PASSWORD}\n")).await;
        assert_eq!(set.code, Some(0), "{set:?}");
        self.serve_as_it_is(arguments, &[]).await
    }

    /// Starts `charon serve` as it is.
    pub(super) async fn serve_as_it_is(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Served {
        let mut command = self.command(&[&["serve"], arguments].concat());
        let mut child = command.envs(environment.iter().copied()).spawn().expect("the program starts");
        let mut lines = BufReader::new(child.stderr.take().expect("its standard error")).lines();
        let listens = async {
            let mut said = Vec::new();
            while let Some(line) = lines.next_line().await.expect("it can be heard") {
                if let Some(address) = line.strip_prefix("charon: http://") {
                    return address.parse().expect("an address");
                }
                said.push(line);
            }
            panic!("it ended before it listened: {said:?}")
        };
        let address = timeout(PATIENCE, listens).await.expect("it listens");
        // A pipe that nobody reads fills up.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Served { _child: child, address }
    }
}

impl Served {
    /// Connects from another address of this machine.
    pub(super) async fn connect_from(&self, source: Ipv4Addr) -> TcpStream {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((source, 0).into()).expect("an address of this machine");
        socket.connect(self.address).await.expect("a connection")
    }

    /// Sends bytes from an address, and gives the answer.
    pub(super) async fn says_from(&self, source: Ipv4Addr, bytes: &[u8]) -> Answer {
        let mut stream = self.connect_from(source).await;
        // It may have heard enough before all is said.
        drop(stream.write_all(bytes).await);
        let mut answer = Vec::new();
        drop(timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("an end"));
        let text = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }

    pub(super) async fn says(&self, bytes: &[u8]) -> Answer {
        self.says_from(Ipv4Addr::LOCALHOST, bytes).await
    }

    /// Asks with these header fields, under the usual name unless they say another.
    pub(super) async fn ask(&self, method: &str, path: &str, fields: &[(&str, &str)], body: &str) -> Answer {
        self.says(self.request(method, path, fields, body).as_bytes()).await
    }

    pub(super) fn request(&self, method: &str, path: &str, fields: &[(&str, &str)], body: &str) -> String {
        let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !fields.iter().any(|(name, _)| *name == "Host") {
            request += &format!("Host: {}\r\n", self.address);
        }
        for (name, value) in fields {
            request += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() || method != "GET" {
            request += &format!("Content-Length: {}\r\n", body.len());
        }
        request + "\r\n" + body
    }

    /// Tries to log in from an address.
    pub(super) async fn log_in_from(&self, source: Ipv4Addr, password: &str) -> Answer {
        let form = format!("password={}", password.replace(' ', "+"));
        let request = self.request("POST", "/login", &[FORM], &form);
        self.says_from(source, request.as_bytes()).await
    }

    /// Logs in; gives the cookie and the token of the session.
    pub(super) async fn session(&self) -> (String, String) {
        let answer = self.log_in_from(Ipv4Addr::LOCALHOST, PASSWORD).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        let cookie =
            answer.field("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie");
        let page = self.ask("GET", "/settings", &[("Cookie", cookie)], "").await;
        assert_eq!(page.status, 200, "{page:?}");
        let csrf = page.body.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        (cookie.to_owned(), csrf.expect("a token").to_owned())
    }

    /// Makes a token of this scope; gives its id and what to send of it.
    pub(super) async fn token(&self, scope: &str) -> (String, String) {
        let (cookie, csrf) = self.session().await;
        let origin = format!("http://{}", self.address);
        let fields = [
            ("Cookie", cookie.as_str()),
            ("Origin", origin.as_str()),
            ("X-CSRF-Token", csrf.as_str()),
            ("Content-Type", "application/json"),
        ];
        let wanted = serde_json::json!({"name": format!("a token for {scope}"), "scope": scope}).to_string();
        let answer = self.ask("POST", "/api/v1/tokens", &fields, &wanted).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let made = answer.json();
        let text = |name: &str| made[name].as_str().expect("a text").to_owned();
        (text("id"), format!("Bearer {}", text("secret")))
    }
}

pub(super) const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
