//! The real `charon serve`, and one who has signed in.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
};

use tokio::time::Instant;

const PASSWORD: &str = "correct horse battery";

/// A server, and a browser that is signed in. The server is killed when this is dropped.
pub(crate) struct Client {
    child: Child,
    address: SocketAddr,
    cookie: String,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Client {
    /// Starts the server on a data directory that has no password yet, and sets one.
    pub(crate) fn start(data_dir: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_charon"))
            .args(["--data-dir", data_dir.to_str().expect("a path"), "serve", "--listen", "127.0.0.1:0"])
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(child.stderr.take().expect("its standard error")).lines();
        let address = lines
            .find_map(|line| line.ok()?.strip_prefix("charon: http://")?.trim_end_matches('/').parse().ok())
            .expect("it listens");
        std::thread::spawn(move || {
            for line in lines {
                drop(line);
            }
        });
        let mut client = Self { child, address, cookie: String::new() };
        let form = format!("password={0}&again={0}", PASSWORD.replace(' ', "+"));
        let (head, _) = client.ask("POST", "/setup", &form);
        let cookies = head.lines().filter_map(|line| line.split_once(": "));
        let cookies = cookies.filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
        let cookies: Vec<&str> = cookies.filter_map(|(_, cookie)| cookie.split(';').next()).collect();
        client.cookie = cookies.join("; ");
        assert!(!client.cookie.is_empty(), "it was signed in: {head}");
        client
    }

    /// Where the server listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks for a page; gives how long the answer took, in milliseconds, and its body.
    pub(crate) fn get(&self, path: &str) -> (f64, String) {
        let began = Instant::now();
        let (head, body) = self.ask("GET", path, "");
        let took = began.elapsed().as_secs_f64() * 1_000.0;
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
        (took, body)
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> (String, String) {
        let host = self.address;
        let mut stream = TcpStream::connect(host).expect("a connection");
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nConnection: close\r\nCookie: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            self.cookie,
            body.len()
        );
        stream.write_all(request.as_bytes()).expect("it is sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        let text = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        (head.to_owned(), body.to_owned())
    }
}
