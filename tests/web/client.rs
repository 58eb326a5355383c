//! `charon serve`, and a browser without a script: it keeps cookies, follows redirects of our own, and remembers all it was told.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::Child,
    time::timeout,
};
use url::form_urlencoded;

use crate::support::Place;

/// Nothing here takes longer, unless it never comes.
const PATIENCE: Duration = Duration::from_mins(1);
pub(crate) const PASSWORD: &str = "correct horse battery";

/// `charon serve`, at work. It is killed when this is dropped.
pub(crate) struct Served {
    _child: Child,
    pub(crate) address: SocketAddr,
    /// All that any client was told.
    heard: Arc<Mutex<String>>,
}

/// One who asks: a browser with its cookies, or a program with its token.
pub(crate) struct Client {
    address: SocketAddr,
    cookies: BTreeMap<String, String>,
    csrf: Option<String>,
    heard: Arc<Mutex<String>>,
}

/// What was answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// The body as it came.
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    pub(crate) fn location(&self) -> &str {
        self.header("location").unwrap_or_else(|| panic!("it sends nobody anywhere: {self:?}"))
    }

    /// The address of the first link that holds this text in its address.
    pub(crate) fn link(&self, part: &str) -> String {
        let links = self.body.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
        let found = links.map(|link| link.replace("&amp;", "&")).find(|link| link.contains(part));
        found.unwrap_or_else(|| panic!("no link to {part}: {}", self.body))
    }
}

impl Place {
    /// Starts `charon serve`.
    pub(crate) async fn web(&self) -> Served {
        self.web_with(&[]).await
    }

    /// The same, with more of its options.
    pub(crate) async fn web_with(&self, options: &[&str]) -> Served {
        let mut child = self.spawn(&[&["serve"], options].concat());
        let mut lines = BufReader::new(child.stderr.take().expect("its standard error")).lines();
        let listens = async {
            while let Some(line) = lines.next_line().await.expect("it can be heard") {
                if let Some(address) = line.strip_prefix("charon: http://") {
                    return address.trim_end_matches('/').parse().expect("an address");
                }
            }
            panic!("it ended before it listened")
        };
        let address = timeout(PATIENCE, listens).await.expect("it listens");
        // A pipe that nobody reads fills up.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Served { _child: child, address, heard: Arc::default() }
    }
}

impl Served {
    /// A browser that nobody knows yet.
    pub(crate) fn stranger(&self) -> Client {
        let heard = Arc::clone(&self.heard);
        Client { address: self.address, cookies: BTreeMap::new(), csrf: None, heard }
    }

    /// The first browser: it sets the password.
    pub(crate) async fn first_browser(&self) -> Client {
        let mut client = self.stranger();
        let set = client.post("/setup", &[("password", PASSWORD), ("again", PASSWORD)]).await;
        assert_eq!(set.status, 303, "{set:?}");
        client.known().await
    }

    /// Another browser, which signs in.
    pub(crate) async fn browser(&self) -> Client {
        let mut client = self.stranger();
        let signed_in = client.post("/login", &[("password", PASSWORD)]).await;
        assert_eq!(signed_in.status, 303, "{signed_in:?}");
        client.known().await
    }

    /// Everything that was answered to anybody, headers included.
    pub(crate) fn heard(&self) -> String {
        self.heard.lock().expect("nothing panics while it notes").clone()
    }
}

impl Client {
    /// Looks up the token that its forms have to bring.
    async fn known(mut self) -> Self {
        let page = self.get("/storages").await;
        assert_eq!(page.status, 200, "{page:?}");
        let token =
            page.body.split("name=\"csrf\" content=\"").nth(1).and_then(|rest| rest.split('"').next());
        self.csrf = token.map(str::to_owned);
        assert!(self.csrf.is_some(), "{page:?}");
        self
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, &[], "").await
    }

    /// Asks for a page, and for those of ours that it is sent to; gives the last.
    pub(crate) async fn follow(&mut self, path: &str) -> Answer {
        let mut answer = self.get(path).await;
        while matches!(answer.status, 302 | 303) {
            answer = self.get(answer.location()).await;
        }
        answer
    }

    /// Sends a form.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_accepting(path, fields, "text/html").await
    }

    /// Sends a form, and says what it wants for it.
    pub(crate) async fn post_accepting(
        &mut self,
        path: &str,
        fields: &[(&str, &str)],
        accept: &str,
    ) -> Answer {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        if let Some(csrf) = &self.csrf {
            form.append_pair("csrf", csrf);
        }
        let headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", accept)];
        self.ask("POST", path, &headers, &form.finish()).await
    }

    /// Asks the API.
    pub(crate) async fn api(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let csrf = self.csrf.clone().unwrap_or_default();
        let mut all = vec![("X-CSRF-Token", csrf.as_str())];
        all.extend(headers);
        if body.is_some() {
            all.push(("Content-Type", "application/json"));
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        self.ask(method, &format!("/api/v1{path}"), &all, &body).await
    }

    async fn ask(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let host = self.address;
        let path = path.strip_prefix(&format!("http://{host}")).unwrap_or(path);
        let path = path.split('#').next().unwrap_or(path);
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
        if method != "GET" {
            request += &format!("Origin: http://{host}\r\nContent-Length: {}\r\n", body.len());
        }
        if !self.cookies.is_empty() {
            let cookies: Vec<String> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request += &format!("Cookie: {}\r\n", cookies.join("; "));
        }
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        request += &format!("\r\n{body}");
        let mut stream = TcpStream::connect(host).await.expect("a connection");
        stream.write_all(request.as_bytes()).await.expect("it is sent");
        let mut bytes = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("an answer").expect("all of it");
        let answer = read(&bytes);
        for (_, cookie) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (name, rest) = cookie.split_once('=').expect("a name and a value");
            let value = rest.split(';').next().unwrap_or_default();
            if value.is_empty() {
                self.cookies.remove(name)
            } else {
                self.cookies.insert(name.into(), value.into())
            };
        }
        let mut heard = self.heard.lock().expect("nothing panics while it notes");
        *heard += &String::from_utf8_lossy(&bytes);
        *heard += &answer.body;
        answer
    }
}

fn read(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status");
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let body = &bytes[end + 4..];
    let is_chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let body = if is_chunked { unchunked(body) } else { body.to_vec() };
    Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned(), bytes: body }
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let length =
            std::str::from_utf8(&rest[..end]).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
        let length = length.expect("the length of a chunk");
        if length == 0 {
            return body;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + length]);
        rest = &rest[end + 4 + length..];
    }
    panic!("the answer broke off")
}
