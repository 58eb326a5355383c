//! How a host stops Charon, and how Charon notices that it is gone.

use std::process::Stdio;

use gphotos_emulator::{Action, Fault, Settings};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use super::{last, with};
use crate::support::{Ended, Place};

/// Charon, with a host at the other end that keeps standard input open.
struct Plugged {
    child: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    heard: Vec<Value>,
}

impl Plugged {
    async fn start(place: &Place, command: &str, document: &Value) -> Self {
        let mut command = place.command(&["plugin", command]);
        let mut child = command.stdin(Stdio::piped()).spawn().expect("the program starts");
        let mut input = child.stdin.take().expect("its standard input");
        input.write_all(document.to_string().as_bytes()).await.expect("it reads");
        let lines = BufReader::new(child.stdout.take().expect("its standard output")).lines();
        Self { child, input, lines, heard: Vec::new() }
    }

    /// The next event, if there is one more.
    async fn next(&mut self) -> Option<Value> {
        let line = self.lines.next_line().await.expect("text")?;
        let event: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.heard.push(event.clone());
        Some(event)
    }

    async fn until(&mut self, kind: &str) -> Value {
        loop {
            let event = self.next().await.unwrap_or_else(|| panic!("no {kind} came: {:?}", self.heard));
            if event["type"] == kind {
                return event;
            }
        }
    }

    async fn signal(&self, name: &str) {
        let id = self.child.id().expect("it lives");
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).status().await;
        assert!(sent.expect("a shell").success());
    }

    /// Listens to the end; gives the exit code and the last event.
    async fn end(mut self) -> (Option<i32>, Value) {
        while self.next().await.is_some() {}
        let code = self.child.wait().await.expect("it ends").code();
        drop(self.input);
        (code, self.heard.pop().expect("events"))
    }
}

/// Answers come late enough that a run has a middle.
fn slow() -> Settings {
    Settings { keep_bytes: true, latency_ms: 20, ..Settings::default() }
}

#[tokio::test]
async fn an_upload_that_is_asked_to_stop_commits_what_was_sent() {
    // I1, I2
    for signal in ["TERM", "INT"] {
        let place = Place::with(slow()).await;
        place.draw("pictures", 0..60);
        let config = with(place.config(), &json!({"connections": "2", "batch_size": "10"}));
        let document = place.upload(&config);
        let mut plugged = Plugged::start(&place, "run", &document).await;
        plugged.until("started").await;
        place.until("uploads", |stats| stats.count("uploads") >= 15).await;
        plugged.signal(signal).await;
        let (code, summary) = plugged.end().await;
        assert_eq!(code, Some(130), "{summary:#}");
        assert_eq!((&summary["type"], &summary["state"]), (&json!("summary"), &json!("cancelled")));
        assert_eq!(summary["exit_code"], 130);
        let done = summary["items"]["done"].as_u64().expect("a count");
        assert_eq!(done, place.world().item_count() as u64, "what was committed is counted");
        assert!((1..60).contains(&done), "{summary:#}");

        let ended = place.plugin("run", &document).await;
        let summary = last(&ended);
        assert_eq!((ended.code, &summary["items"]["done"]), (Some(0), &json!(60 - done)), "{ended:?}");
        place.assert_account_holds("pictures", "Album");
        assert!(place.world().items().iter().all(|item| item.times_uploaded == 1), "nothing was sent twice");
    }
}

#[tokio::test]
async fn a_run_whose_host_is_gone_stops_cleanly() {
    // I2
    let place = Place::with(slow()).await;
    place.seed(200);
    let document = place.backup(&with(place.config(), &json!({"connections": 1})));
    let mut plugged = Plugged::start(&place, "run", &document).await;
    plugged.until("started").await;
    let Plugged { child, input, lines, .. } = plugged;
    drop((input, lines));
    let ended: Ended = child.wait_with_output().await.expect("it ends").into();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    let runs = place.runs().await;
    assert_eq!(runs[0]["state"], "cancelled");
    assert!(place.count("media.bytes") < 200, "it did not go on for nobody");
    let incoming = std::fs::read_dir(place.path("mirror/.charon/incoming")).expect("a folder").count();
    assert_eq!(incoming, 0, "nothing half done is left");
    let ended = place.plugin("run", &document).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    place.assert_mirror_is_complete();
}

#[tokio::test]
async fn a_host_that_keeps_standard_input_open_is_served() {
    let place = Place::new().await;
    place.seed(2);
    let plugged = Plugged::start(&place, "run", &place.backup(&place.config())).await;
    let (code, summary) = plugged.end().await;
    assert_eq!((code, &summary["items"]["done"]), (Some(0), &json!(2)), "{summary:#}");
}

#[tokio::test]
async fn a_test_tells_its_stages_as_they_end_and_can_be_stopped() {
    let place = Place::new().await;
    place.seed(1);
    place.fault(Fault::always(Action::Latency { ms: 600_000 }).on(&["mediaItems.list"]));
    let document = json!({"config": place.config()});
    let mut plugged = Plugged::start(&place, "test", &document).await;
    // These come although the test goes on.
    for _ in 0..3 {
        plugged.until("check").await;
    }
    place.until("the listing", |stats| stats.count("mediaItems.list") == 1).await;
    plugged.signal("TERM").await;
    let (code, result) = plugged.end().await;
    assert_eq!((code, &result["type"], &result["ok"]), (Some(130), &json!("result"), &json!(false)));
    assert_eq!(result["exit_code"], 130);
}

#[tokio::test]
async fn being_stopped_before_the_document_has_come_is_no_run() {
    let place = Place::new().await;
    let mut command = place.command(&["plugin", "run", "-v"]);
    let mut child = command.stdin(Stdio::piped()).spawn().expect("the program starts");
    let mut input = child.stdin.take().expect("its standard input");
    input.write_all(b"{\"plan\": ").await.expect("it reads");
    let lines = BufReader::new(child.stdout.take().expect("its standard output")).lines();
    let plugged = Plugged { child, input, lines, heard: Vec::new() };
    // It listens to signals before it reads. Until then, the signal itself would end it.
    let status = format!("/proc/{}/status", plugged.child.id().expect("it lives"));
    while !catches_sigterm(&status) {
        tokio::task::yield_now().await;
    }
    plugged.signal("TERM").await;
    let (code, error) = plugged.end().await;
    assert_eq!((code, &error["class"]), (Some(130), &json!("cancelled")), "{error}");
    assert!(!place.data_dir().exists());
}

/// Whether a process has a handler for SIGTERM, as Linux tells; true elsewhere, where nobody tells.
fn catches_sigterm(status: &str) -> bool {
    const SIGTERM: u32 = 15;
    if !cfg!(target_os = "linux") {
        return true;
    }
    let text = std::fs::read_to_string(status).expect("it lives");
    let caught = text.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("its handlers");
    let caught = u64::from_str_radix(caught.trim(), 16).expect("hexadecimal");
    caught & (1 << (SIGTERM - 1)) != 0
}

#[tokio::test]
async fn a_second_host_that_asks_for_the_same_run_follows_it() {
    let place = Place::with(slow()).await;
    place.seed(200);
    let document = place.backup(&with(place.config(), &json!({"connections": 1})));
    let mut plugged = Plugged::start(&place, "run", &document).await;
    let started = plugged.until("started").await;
    let ended = place.plugin("run", &document).await;
    let summary = last(&ended);
    assert_eq!((ended.code, &summary["state"]), (Some(0), &json!("succeeded")), "{ended:?}");
    let (code, first) = plugged.end().await;
    assert_eq!((code, &first["run"]), (Some(0), &summary["run"]), "{started}");
}
