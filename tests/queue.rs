//! `charon serve` as a process of its own: plans run by their schedules, runs go on after a stop and after a kill, and those of one
//! account go one after the other.

#![cfg(unix)]

mod asking;
mod handling;
mod planning;

use std::{collections::BTreeSet, os::unix::process::ExitStatusExt, time::Duration};

use gphotos_emulator::{Action, Fault};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStderr},
    time::timeout,
};

use crate::{
    account::token,
    crash::{assert_each_item_is_done_once, broken_off, counts, done_of, hold_up_downloads, signal, slow},
    support::{Place, time},
};

/// `charon serve`, at work.
struct Serving {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
}

impl Serving {
    /// The next line that it says; empty once it has ended.
    async fn says(&mut self) -> String {
        let line =
            timeout(Duration::from_secs(30), self.log.next_line()).await.expect("it says something in time");
        line.expect("a log").unwrap_or_default()
    }

    /// Asks it to stop, as a service manager does, and checks that it ends well.
    async fn stop(mut self) {
        signal(&self.child, "TERM").await;
        let ended = timeout(Duration::from_secs(20), self.child.wait()).await.expect("within the grace time");
        assert_eq!(ended.expect("it ends").code(), Some(0));
        let (mut last, mut line) = (String::new(), self.says().await);
        while !line.is_empty() {
            last = std::mem::replace(&mut line, self.says().await);
        }
        assert_eq!(last, "charon: stopped");
    }

    /// Ends it as a power cut would.
    async fn kill(mut self) {
        self.child.start_kill().expect("it can be killed");
        assert_eq!(self.child.wait().await.expect("it ends").signal(), Some(9), "it was at work");
    }
}

impl Place {
    /// Starts `charon serve`, and waits until it runs plans.
    async fn serve(&self) -> Serving {
        self.serve_with(&[]).await
    }

    async fn serve_with(&self, arguments: &[&str]) -> Serving {
        let mut serving = self.begin_to_serve(arguments);
        let line = serving.says().await;
        assert!(line.starts_with("charon: running "), "{line}");
        serving
    }

    fn begin_to_serve(&self, arguments: &[&str]) -> Serving {
        let mut child = self.spawn(&[&["serve", "--no-http"][..], arguments].concat());
        let log = BufReader::new(child.stderr.take().expect("its log")).lines();
        Serving { child, log }
    }
}

/// A backup plan that is due by this schedule.
fn backup(place: &Place, storage: &str, folder: &str, cron: &str) -> Value {
    json!({"kind": "backup", "storage": storage, "destination": place.path(folder),
        "schedule": {"cron": cron, "timezone": "UTC"}})
}

/// The storage `family` with 120 photos, and the plan `home`, which is due every second.
async fn due_every_second() -> Place {
    let place = Place::with(slow()).await;
    place.seed(120);
    place.add_storage().await;
    place.add_plan("home", &backup(&place, "family", "mirror", "* * * * * *")).await;
    place
}

/// Those of a plan.
fn of<'a>(runs: &'a [Value], plan: &str) -> Vec<&'a Value> {
    runs.iter().filter(|run| run["plan"] == plan).collect()
}

fn succeeded(runs: &[Value], plan: &str) -> usize {
    of(runs, plan).iter().filter(|run| run["state"] == "succeeded").count()
}

/// Waits until the run of this id has succeeded, and gives it.
async fn until_succeeded(place: &Place, id: &Value) -> Value {
    let is_it = |run: &&Value| run["run"] == *id && run["state"] == "succeeded";
    let runs = place.until_runs("the end of the run", |runs| runs.iter().any(|run| is_it(&run))).await;
    runs.iter().find(is_it).expect("it is there").clone()
}

#[tokio::test]
async fn a_plan_runs_once_for_each_moment_at_which_it_is_due() {
    // I3
    let place = Place::new().await;
    place.seed(10);
    place.draw("pictures", 0..3);
    place.add_storage().await;
    place.add_plan("home", &backup(&place, "family", "mirror", "* * * * * *")).await;
    let out = json!({"kind": "upload", "storage": "family", "sources": [place.path("pictures")], "album": "Album",
        "schedule": {"cron": "@every 2s"}});
    place.add_plan("out", &out).await;

    let serving = place.serve().await;
    // All is home by then, what was uploaded too: a stop lets go of what is being fetched.
    let home = |runs: &[Value]| {
        let of_home = runs.iter().filter(|run| run["plan"] == "home");
        of_home.filter_map(|run| run["items"]["done"].as_u64()).sum::<u64>()
    };
    let some =
        |runs: &[Value]| succeeded(runs, "home") >= 3 && succeeded(runs, "out") >= 2 && home(runs) == 13;
    let before = place.until_runs("a few runs", some).await;
    serving.stop().await;
    // At the next start too.
    let serving = place.serve().await;
    let more = succeeded(&before, "home") + 2;
    place.until_runs("a few more runs", |runs| succeeded(runs, "home") >= more).await;
    serving.stop().await;

    let runs = place.runs().await;
    let mut seen = BTreeSet::new();
    for run in &runs {
        let plan = run["plan"].as_str().expect("a name");
        let due = time(&run["scheduled_for"]);
        assert!(seen.insert((plan, due)), "two runs for one moment: {runs:#?}");
        assert_eq!(run["trigger"], "schedule", "{run:#}");
        let is_on_the_second = due.subsec_nanosecond() == 0 && (plan == "home" || due.as_second() % 2 == 0);
        assert!(is_on_the_second, "{run:#}");
        // The last ones may have been stopped.
        let has_ended = run["state"] == "succeeded" && run["attempts"].as_u64() <= Some(2);
        assert!(has_ended || run["state"] == "queued", "{run:#}");
        assert!(run["started_at"].is_null() || due <= time(&run["started_at"]), "{run:#}");
    }
    // What was uploaded from here may come from here, if its file is old enough by then to be known by its time.
    let (fetched, sent) = (place.count("media.bytes"), place.count("uploads"));
    assert!((10..=13).contains(&fetched) && sent == 3, "nothing was moved twice: {fetched} and {sent}");
    place.assert_account_holds("pictures", "Album");
    place.assert_mirror_is_complete();
}

#[tokio::test]
async fn a_run_that_is_at_work_when_serve_is_stopped_goes_on_at_the_next_start() {
    // I2
    let place = due_every_second().await;
    hold_up_downloads(&place);
    let serving = place.serve().await;
    place.until("downloads", |stats| stats.count("media.bytes") >= 30).await;
    serving.stop().await;
    let runs = place.runs().await;
    assert_eq!(runs.len(), 1, "what was due meanwhile was left out: {runs:#?}");
    let (stopped, before) = (&runs[0], place.count("media.bytes"));
    assert_eq!((&stopped["state"], &stopped["attempts"]), (&json!("queued"), &json!(1)), "{stopped:#}");
    let why = stopped["stop"]["message"].as_str().expect("a reason");
    assert_eq!(why, "the program was stopped; it goes on when the program is started again");

    place.world().clear_faults();
    let serving = place.serve().await;
    let ended = until_succeeded(&place, &stopped["run"]).await;
    assert_eq!((&ended["attempts"], &ended["items"]), (&json!(2), &counts(120, 0)), "{ended:#}");
    assert_eq!(ended["scheduled_for"], stopped["scheduled_for"]);
    assert_eq!(place.count("media.bytes") - before, 120 - done_of(stopped));
    place.assert_mirror_is_complete();
    serving.stop().await;
}

#[tokio::test]
async fn a_run_that_is_at_work_when_serve_is_killed_goes_on_at_the_next_start() {
    // I2
    let place = due_every_second().await;
    hold_up_downloads(&place);
    let serving = place.serve().await;
    place.until("downloads", |stats| stats.count("media.bytes") >= 30).await;
    serving.kill().await;
    place.world().clear_faults();
    let before = place.count("media.bytes");
    let killed = broken_off(&place).await;
    assert_eq!(killed["attempts"], 1);

    let serving = place.serve().await;
    let ended = until_succeeded(&place, &killed["run"]).await;
    assert_eq!((&ended["attempts"], &ended["items"]), (&json!(2), &counts(120, 0)), "{ended:#}");
    assert_eq!(
        place.count("media.bytes") - before,
        120 - done_of(&killed),
        "nothing is fetched that is home"
    );
    place.assert_mirror_is_complete();
    assert_each_item_is_done_once(&place, &ended, 120).await;
    let events = place.events().await;
    let told: Vec<(&str, &Value)> = events
        .iter()
        .filter(|event| event["run"] == ended["run"] && event["kind"] != "run.items")
        .map(|event| (event["kind"].as_str().expect("a kind"), &event["data"]["attempt"]))
        .collect();
    let expected = [
        ("run.queued", &Value::Null),
        ("run.started", &json!(1)),
        ("run.requeued", &Value::Null),
        ("run.started", &json!(2)),
        ("run.ended", &json!(2)),
    ];
    assert_eq!(told, expected);

    // And the schedule goes on.
    let runs = place.until_runs("the next run", |runs| succeeded(runs, "home") >= 2).await;
    let due: BTreeSet<_> = runs.iter().map(|run| time(&run["scheduled_for"])).collect();
    assert_eq!(due.len(), runs.len(), "two runs for one moment: {runs:#?}");
    serving.stop().await;
    assert_eq!(place.mirrored().len(), 120);
}

#[tokio::test]
async fn a_run_that_does_not_end_within_the_grace_time_is_left_to_the_next_start() {
    // I2
    let place = Place::new().await;
    place.draw("pictures", 0..10);
    place.add_storage().await;
    let out = json!({"kind": "upload", "storage": "family", "sources": [place.path("pictures")], "album": "Album",
        "schedule": {"cron": "* * * * * *"}});
    place.add_plan("out", &out).await;
    place.fault(Fault::always(Action::Latency { ms: 120_000 }).on(&["mediaItems.batchCreate"]));
    let serving = place.serve_with(&["--grace", "1"]).await;
    place.until("a commit", |stats| stats.count("mediaItems.batchCreate") == 1).await;
    serving.stop().await;
    let left = broken_off(&place).await;

    place.world().clear_faults();
    let serving = place.serve().await;
    let ended = until_succeeded(&place, &left["run"]).await;
    assert_eq!((&ended["attempts"], &ended["items"]), (&json!(2), &counts(10, 0)), "{ended:#}");
    serving.stop().await;
    assert_eq!((place.count("uploads"), place.world().item_count()), (10, 10));
    place.assert_account_holds("pictures", "Album");
}

#[tokio::test]
async fn a_second_serve_waits_until_the_first_one_has_ended() {
    let place = Place::new().await;
    let first = place.serve().await;
    let mut second = place.begin_to_serve(&[]);
    let said = second.says().await;
    assert!(said.contains("another charon") && said.contains("wait"), "{said}");
    first.stop().await;
    let said = second.says().await;
    assert!(said.starts_with("charon: running 0 of 0 plans"), "{said}");
    second.stop().await;
}

#[tokio::test]
async fn two_accounts_go_side_by_side_and_two_plans_of_one_account_one_after_the_other() {
    let place = Place::with(slow()).await;
    let pat = token(&place, "pat@example.com", true);
    place.seed(60);
    let alex = token(&place, "alex@example.com", true);
    place.seed(60);
    place.add_storage_with(&json!({"token": pat})).await;
    let mut work = place.config();
    work["token"] = alex;
    let ended = place.charon_with(&["storage", "add", "work", "--config", "-"], &work).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for (plan, storage) in [("home", "family"), ("twin", "family"), ("office", "work")] {
        place.add_plan(plan, &backup(&place, storage, plan, "* * * * * *")).await;
    }
    hold_up_downloads(&place);
    let serving = place.serve().await;
    let live = |runs: &[Value], state: &str| -> Vec<String> {
        let live = runs.iter().filter(|run| run["state"] == state);
        live.map(|run| run["plan"].as_str().expect("a name").to_owned()).collect()
    };
    let both = |runs: &[Value]| live(runs, "running").len() == 2 && live(runs, "queued").len() == 1;
    let runs = place.until_runs("two runs at work and one that waits", both).await;
    let (at_work, waits) = (live(&runs, "running"), live(&runs, "queued"));
    assert!(at_work.contains(&"office".to_owned()), "{runs:#?}");
    let other = if waits == ["home"] { "twin" } else { "home" };
    assert!(at_work.iter().any(|plan| plan == other), "{runs:#?}");
    let waiting = &of(&runs, &waits[0])[0]["waiting"];
    assert_eq!(waiting, &format!("lane of family busy with {other}"));

    place.world().clear_faults();
    let all = |runs: &[Value]| ["home", "twin", "office"].iter().all(|plan| succeeded(runs, plan) >= 2);
    place.until_runs("runs of all plans", all).await;
    serving.stop().await;
    let runs = place.runs().await;
    let mut in_one_lane: Vec<_> = (runs.iter())
        .filter(|run| run["plan"] != "office" && run["state"] == "succeeded")
        .map(|run| (time(&run["started_at"]), time(&run["ended_at"])))
        .collect();
    in_one_lane.sort();
    let is_one_by_one = in_one_lane.windows(2).all(|pair| pair[0].1 <= pair[1].0);
    assert!(is_one_by_one, "two runs in one lane at once: {runs:#?}");
    assert_eq!(place.count("media.bytes"), 180, "each mirror got each photo once");
}
