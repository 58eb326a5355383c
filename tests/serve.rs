//! `charon serve` as those see it who keep it running: a service manager, monitors, a signal.

#![cfg(unix)]

mod exposition;

use std::{net::SocketAddr, time::Duration};

use gphotos_emulator::{Action, Fault};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    net::{TcpStream, UnixDatagram},
    process::{Child, ChildStderr, Command},
    time::timeout,
};

use crate::{
    command_line::assert_failed,
    support::{Ended, Place},
};
use exposition::Samples;

/// Nothing here takes longer, unless it never comes.
const PATIENCE: Duration = Duration::from_secs(30);

/// `charon serve`, at work.
pub(crate) struct Serving {
    child: Child,
    said: Lines<BufReader<ChildStderr>>,
}

impl Place {
    pub(crate) fn service(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Serving {
        let mut command = self.command(&[&["serve"], arguments].concat());
        let mut child = command.envs(environment.iter().copied()).spawn().expect("the program starts");
        let said = BufReader::new(child.stderr.take().expect("its standard error")).lines();
        Serving { child, said }
    }
}

impl Serving {
    /// Waits until it says something that begins like this; gives the rest.
    async fn says(&mut self, beginning: &str) -> String {
        let heard = timeout(PATIENCE, async {
            while let Some(line) = self.said.next_line().await.expect("it can be heard") {
                if let Some(rest) = line.strip_prefix(beginning) {
                    return rest.to_owned();
                }
            }
            panic!("it ended, and did not say {beginning:?}")
        });
        heard.await.unwrap_or_else(|_| panic!("it did not say {beginning:?}"))
    }

    /// Where it listens.
    pub(crate) async fn address(&mut self) -> SocketAddr {
        self.says("charon: http://").await.parse().expect("an address")
    }

    /// Sends SIGTERM, and gives how it ended.
    pub(crate) async fn terminate(mut self) -> Option<i32> {
        let id = self.child.id().expect("it runs");
        let sent =
            Command::new("sh").args(["-c", &format!("kill -TERM {id}")]).status().await.expect("a shell");
        assert!(sent.success());
        self.says("charon: stopped").await;
        timeout(PATIENCE, self.child.wait()).await.expect("it ends").expect("its end").code()
    }
}

/// Asks over HTTP; gives the status, the head and the body.
async fn ask(address: SocketAddr, path: &str, host: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("it is sent");
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("an answer").expect("all of it");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
    (status, head.to_lowercase(), body.to_owned())
}

/// Asks for the metrics until they are as they should be.
async fn metrics_when(address: SocketAddr, are_right: impl Fn(&Samples) -> bool) -> Samples {
    timeout(PATIENCE, async {
        loop {
            let (status, head, body) = ask(address, "/metrics", "localhost").await;
            assert_eq!(status, 200, "{body}");
            assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
            let samples = Samples::parse(&body);
            if are_right(&samples) {
                return samples;
            }
        }
    })
    .await
    .expect("they come to be so")
}

async fn is_well(address: SocketAddr) {
    let well = timeout(PATIENCE, async { while ask(address, "/healthz", "localhost").await.0 != 200 {} });
    well.await.expect("it comes to be well");
}

fn seconds(time: &Value) -> i64 {
    time.as_str().expect("a time").parse::<jiff::Timestamp>().expect("a time").as_second()
}

#[tokio::test]
async fn it_tells_over_http_that_it_is_well_and_metrics_that_are_true() {
    // I10
    const NAME: &str = "we\"ird\\} 1";
    let place = Place::new().await;
    place.seed(7);
    place.add_storage().await;
    let schedule = json!({"cron": "0 4 * * *", "timezone": "UTC"});
    let config = json!({"kind": "backup", "storage": "family", "destination": place.path("mirror"), "schedule": schedule});
    place.add_plan(NAME, &config).await;
    let mut serving = place.service(&[], &[]);
    let address = serving.address().await;
    is_well(address).await;
    let (status, _, body) = ask(address, "/healthz", "127.0.0.1").await;
    assert_eq!((status, &*body), (200, "ok\n"));
    let before = metrics_when(address, |_| true).await;
    assert_eq!(before.value("charon_healthy", &[]), Some(1.0));
    assert_eq!(before.value("charon_plan_last_success_timestamp_seconds", &[("plan", NAME)]), None);

    let (code, run) = place.run(NAME).await;
    assert_eq!(code, 0, "{run}");
    let ended = [("plan", NAME), ("state", "succeeded")];
    let after =
        metrics_when(address, |samples| samples.value("charon_runs_ended_total", &ended) == Some(1.0)).await;
    let mirrored = place.mirrored();
    let bytes: usize = mirrored.iter().map(|(_, bytes)| bytes.len()).sum();
    assert_eq!(mirrored.len(), 7);
    for state in ["queued", "running", "pausing", "paused", "parked"] {
        assert_eq!(after.value("charon_runs", &[("state", state)]), Some(0.0), "{state}");
    }
    for (outcome, count) in [("done", 7.0), ("unchanged", 0.0), ("skipped", 0.0), ("failed", 0.0)] {
        let labels = [("plan", NAME), ("outcome", outcome)];
        assert_eq!(after.value("charon_items_total", &labels), Some(count), "{outcome}");
    }
    let number = |name: &str, labels: &[(&str, &str)]| after.value(name, labels);
    #[expect(clippy::cast_precision_loss, reason = "the numbers of a test are small")]
    let exact = |number: i64| Some(number as f64);
    let moved = exact(i64::try_from(bytes).expect("a few bytes"));
    assert_eq!(number("charon_moved_bytes_total", &[("plan", NAME)]), moved);
    for (meter, count) in run["requests_by_meter"].as_object().expect("meters") {
        let count = exact(count.as_i64().expect("a count"));
        assert_eq!(number("charon_requests_total", &[("meter", meter)]), count, "{meter}");
    }
    let plan = [("plan", NAME), ("kind", "backup")];
    let ended_at = exact(seconds(&run["ended_at"]));
    assert_eq!(number("charon_plan_last_success_timestamp_seconds", &plan), ended_at);
    let shown = place.charon(&["plan", "show", NAME, "--json"]).await.json();
    let next_at = exact(seconds(&shown["next_at"]));
    assert_eq!(number("charon_plan_next_due_timestamp_seconds", &plan), next_at);
    assert_eq!(number("charon_plan_paused", &plan), Some(0.0));
    assert_eq!(number("charon_run_duration_seconds_count", &[("kind", "backup")]), Some(1.0));
    assert!(number("charon_database_size_bytes", &[]) > Some(4096.0));
    assert!(number("charon_events_total", &[]) > before.value("charon_events_total", &[]));
    assert_eq!(serving.terminate().await, Some(0));
}

#[tokio::test]
async fn a_page_of_another_site_gets_nothing() {
    // I6
    let place = Place::new().await;
    let mut serving = place.service(&[], &[]);
    let address = serving.address().await;
    for host in ["evil.example", "localhost.evil.example:8484", "0.0.0.0"] {
        for path in ["/metrics", "/healthz", "/"] {
            let (status, head, body) = ask(address, path, host).await;
            assert_eq!(status, 421, "{host}: {body}");
            assert!(body.starts_with("this is Charon on this machine") && !head.contains("access-control"));
        }
    }
    assert_eq!(serving.terminate().await, Some(0));
}

#[tokio::test]
async fn only_a_free_port_of_this_machine_is_listened_on() {
    let place = Place::new().await;
    for address in ["0.0.0.0:0", "[::]:8484", "192.0.2.1:80"] {
        let ended = place.charon(&["serve", "--listen", address]).await;
        assert_failed(
            &ended,
            2,
            &["can be reached by other machines", "there is no password yet", "127.0.0.1:8484"],
        );
    }
    let ended = place.charon(&["serve", "--listen", "here"]).await;
    assert_failed(&ended, 2, &["invalid value 'here' for '--listen <ADDRESS:PORT>'"]);
    let taken = place.emulator.address().to_string();
    let ended = place.charon(&["serve", "--listen", &taken]).await;
    assert_failed(&ended, 1, &["something else listens on", &taken, "--no-http"]);
    let mut serving = place.service(&["--no-http"], &[]);
    let said = serving.said.next_line().await.expect("it can be heard").expect("a line");
    assert!(said.starts_with("charon: running 0 of 0 plans"), "{said}");
    assert_eq!(serving.terminate().await, Some(0));
}

/// Waits for a datagram with this line, and gives all its lines.
async fn heard(socket: &UnixDatagram, line: &str) -> Vec<String> {
    let mut buffer = [0; 4096];
    timeout(PATIENCE, async {
        loop {
            let length = socket.recv(&mut buffer).await.expect("a datagram");
            let text = std::str::from_utf8(&buffer[..length]).expect("a text");
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            if lines.iter().any(|heard| heard == line) {
                return lines;
            }
        }
    })
    .await
    .unwrap_or_else(|_| panic!("{line} was not told"))
}

#[tokio::test]
async fn the_service_manager_is_told_when_it_is_ready_that_it_lives_and_that_it_stops() {
    let place = Place::new().await;
    place.seed(1);
    place.add_backup().await;
    let path = place.path("notify");
    let manager = UnixDatagram::bind(&path).expect("a socket");
    let environment = [("NOTIFY_SOCKET", path.to_str().expect("a path")), ("WATCHDOG_USEC", "200000")];
    let mut serving = place.service(&[], &environment);
    let lines = heard(&manager, "READY=1").await;
    assert!(lines.contains(&"STATUS=running 0 of 1 plans by their schedules".to_owned()), "{lines:?}");
    // It listens and is at work, by then.
    let address = serving.address().await;
    assert_eq!(ask(address, "/healthz", "localhost").await.0, 200);
    for _ in 0..3 {
        heard(&manager, "WATCHDOG=1").await;
    }
    // Another one waits, is no less alive for it, and takes over.
    let waits = place.path("waits");
    let of_second = UnixDatagram::bind(&waits).expect("a socket");
    let environment = [("NOTIFY_SOCKET", waits.to_str().expect("a path"))];
    let mut second = place.service(&[], &environment);
    let why = second.says("charon: waiting, since ").await;
    assert!(why.starts_with("another charon is running"), "{why}");
    heard(&of_second, &format!("STATUS=waiting, since {why}")).await;
    assert_eq!(serving.terminate().await, Some(0));
    heard(&manager, "STOPPING=1").await;
    heard(&of_second, "READY=1").await;
    is_well(second.address().await).await;
    assert_eq!(second.terminate().await, Some(0));
}

#[tokio::test]
async fn sigterm_in_the_middle_of_a_run_ends_it_soon_and_the_next_start_goes_on_with_it() {
    // I2
    let place = Place::new().await;
    place.seed(300);
    place.add_backup_with(&json!({"connections": 2})).await;
    place.fault(Fault::always(Action::Latency { ms: 60 }).on(&["media.bytes"]));
    let mut serving = place.service(&["--listen", "127.0.0.1:0", "--grace", "15"], &[]);
    let address = serving.address().await;
    is_well(address).await;
    let follower = place.spawn(&["run", "home", "--json"]);
    place.until("a few downloads", |stats| stats.count("media.bytes") >= 5).await;
    let running = [("state", "running")];
    // What is done so far is told while the run is at work.
    let items = [("plan", "home"), ("outcome", "done")];
    let now = metrics_when(address, |samples| samples.value("charon_items_total", &items) > Some(0.0)).await;
    assert_eq!(now.value("charon_runs", &running), Some(1.0));
    // Whoever follows the run would become the one that runs it.
    drop(follower);
    assert_eq!(
        timeout(Duration::from_secs(15), serving.terminate()).await.expect("within the grace"),
        Some(0)
    );
    let runs = place.runs().await;
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0]["state"], "queued", "{}", runs[0]);
    assert!(place.mirrored().len() < 300, "it was in the middle");

    place.world().clear_faults();
    let mut serving = place.service(&[], &[]);
    let address = serving.address().await;
    let ended = [("plan", "home"), ("state", "succeeded")];
    metrics_when(address, |samples| samples.value("charon_runs_ended_total", &ended) == Some(1.0)).await;
    assert_eq!(serving.terminate().await, Some(0));
    let runs = place.runs().await;
    assert_eq!((runs.len(), &runs[0]["items"]["done"]), (1, &json!(300)));
    place.assert_mirror_is_complete();
}

#[tokio::test]
async fn sigterm_before_anything_is_done_ends_it_too() {
    let place = Place::new().await;
    let mut first = place.service(&["--no-http"], &[]);
    first.says("charon: running").await;
    let mut second = place.service(&["--no-http"], &[]);
    second.says("charon: waiting, since ").await;
    let id = second.child.id().expect("it runs");
    let sent = Command::new("sh").args(["-c", &format!("kill -TERM {id}")]).status().await.expect("a shell");
    assert!(sent.success());
    let ended: Ended =
        timeout(PATIENCE, second.child.wait_with_output()).await.expect("it ends").expect("its end").into();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(first.terminate().await, Some(0));
}
