//! The demo's end: the web UI on its finished runs.

use std::process::Stdio;

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::Command,
    time::{Duration, timeout},
};

use super::browser::Browser;
use crate::{browser::visit, support::Place};

const PATIENCE: Duration = Duration::from_mins(2);

#[tokio::test]
async fn on_a_terminal_the_demo_ends_with_its_runs_in_the_browser() {
    let browser = Browser::start().await;
    let place = Place::new().await;
    let folder = place.path("demo");
    let program = env!("CARGO_BIN_EXE_charon");
    // A shell that stays would answer to Ctrl-C too, and with a code of its own.
    let demo = format!("exec {program} demo --items 12 --no-browser --dir {}", folder.display());
    // `script` gives it a terminal.
    let mut child = Command::new("script")
        .args(["--quiet", "--return", "--flush", "--command", &demo, "/dev/null"])
        .env_remove("RUST_LOG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("script, which Debian has everywhere");
    let mut keyboard = child.stdin.take().expect("its standard input");
    let mut screen = BufReader::new(child.stdout.take().expect("its standard output"));
    let (mut said, mut url, mut password) = (String::new(), None, None);
    while !said.contains("Ctrl-C ends the demo") {
        let mut line = String::new();
        let count = timeout(PATIENCE, screen.read_line(&mut line)).await.expect("it goes on").expect("text");
        assert_ne!(count, 0, "it ended: {said}");
        let words = line.trim();
        url = words.starts_with("http://127.0.0.1:").then(|| words.to_owned()).or(url);
        password = words.strip_prefix("password: ").map(str::to_owned).or(password);
        said += &line;
    }
    let (url, password) = (url.expect("where"), password.expect("how to come in"));
    assert!(!url.contains(&password), "an address stands in the argument list of a browser");
    let page = visit(&url).await;
    assert_eq!((page.status, page.location.as_deref()), (303, Some("/login")), "{page:?}");

    if let Some(browser) = browser {
        browser.open(&url).await;
        browser.arrives_at("/login").await;
        browser.fill("Password", &password).await;
        browser.press("Log in").await;
        browser.arrives_at_exactly("/").await;
        browser.is_sound().await;
    }
    keyboard.write_all(b"\x03").await.expect("it reads");
    let mut rest = String::new();
    timeout(PATIENCE, screen.read_to_string(&mut rest)).await.expect("it ends").expect("text");
    assert_eq!(child.wait().await.expect("its end").code(), Some(0), "{said}{rest}");
}
