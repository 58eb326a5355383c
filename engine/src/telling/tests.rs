//! From how runs ended to what a server on this machine is told, on a clock that is moved by hand.

#[path = "../../../notify/tests/deliver/http_server.rs"]
#[expect(dead_code, reason = "not all of it is needed here")]
mod http_server;

use std::{sync::Arc, time::Duration};

use charon_notify::Event;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use self::http_server::HttpServer;
use super::{ChannelChoice, DeliveryState};
use crate::{
    clock::ManualClock,
    engine::{Engine, Settings},
    error::Error,
    ids::{PlanId, RunId},
    registry::Registry,
    run::{RunState, Stop},
};

const HOUR: Duration = Duration::from_hours(1);

/// An engine with the plan `home`, whose runs are made up, and a server that is told of them.
struct Place {
    engine: Engine,
    clock: Arc<ManualClock>,
    server: HttpServer,
    plan: PlanId,
    folder: TempDir,
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

impl Place {
    async fn new() -> Self {
        let (folder, server) = (tempfile::tempdir().expect("a folder"), HttpServer::start().await);
        let clock = Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().expect("a time")));
        let settings = Settings {
            clock: Arc::<ManualClock>::clone(&clock),
            ..Settings::new(folder.path().join("data"), Registry::default())
        };
        let engine = Engine::open(settings).await.expect("an engine");
        let plan = PlanId::new(&*clock, &*engine.entropy);
        let config = json!({"kind": "backup", "policy": {"overdue_days": 3}});
        engine.store.put_plan(plan, "home", &config, engine.clock.now()).await;
        Self { engine, clock, server, plan, folder }
    }

    fn now(&self) -> Timestamp {
        self.engine.clock.now()
    }

    async fn add_webhook(&self, name: &str, choice: ChannelChoice) {
        let config = map(json!({"url": self.server.url("/hook"), "secret": "hunter2"}));
        self.engine.add_channel(name, "webhook", config, choice).await.expect("a channel");
    }

    /// A run that ends now, and is told of.
    async fn run(&self, state: RunState, stop: Option<Stop>) -> RunId {
        let run = RunId::new(&*self.clock, &*self.engine.entropy);
        self.put_run(run, state, stop.as_ref()).await;
        self.engine.tell_of_run(run).await.expect("written down");
        run
    }

    async fn put_run(&self, run: RunId, state: RunState, stop: Option<&Stop>) {
        self.engine.store.put_run(run, self.plan, state, stop, self.now()).await;
    }

    async fn fail(&self) -> RunId {
        self.run(RunState::Failed, Some(Stop::failed(None, "the disk is full; make room"))).await
    }

    /// Tells what is due, and gives when to come again.
    async fn deliver(&self) -> Option<Timestamp> {
        self.engine.deliver_due(self.now()).await.expect("told")
    }

    /// The events that the server was told of.
    fn told(&self) -> Vec<String> {
        let received = self.server.received();
        received.iter().map(|one| one.json()["event"].as_str().expect("a name").to_owned()).collect()
    }

    fn be_dead(&self, requests: usize) {
        for _ in 0..requests {
            self.server.answer(503, &[], "down");
        }
    }

    async fn in_state(&self, state: DeliveryState) -> Vec<(String, u32)> {
        let found = self.engine.deliveries(Some("hook"), Some(state), 100).await.expect("a list");
        found.into_iter().map(|one| (one.event.to_string(), one.attempts)).collect()
    }
}

fn events(events: &[Event]) -> ChannelChoice {
    ChannelChoice { events: Some(events.to_vec()), ..ChannelChoice::default() }
}

#[tokio::test]
async fn a_webhook_that_is_dead_for_days_is_asked_ever_more_rarely_and_told_what_is_news_when_it_is_back() {
    let place = Place::new().await;
    place.add_webhook("hook", ChannelChoice::default()).await;
    place.be_dead(1000);
    let begun = place.now();
    place.fail().await;
    let mut hours = 0;
    // The second day's run fails too; the server is dead for 30 hours.
    while let Some(next) = place.deliver().await {
        let passed = next.duration_since(begun);
        if hours == 0 && passed.as_hours() >= 24 {
            hours = 24;
            place.clock.advance(
                Duration::try_from(begun.checked_add(24 * HOUR).expect("a time").duration_since(place.now()))
                    .expect("to come"),
            );
            place.fail().await;
            continue;
        }
        if passed.as_hours() >= 30 {
            break;
        }
        place.clock.advance(Duration::try_from(next.duration_since(place.now())).expect("to come"));
    }
    assert_eq!(place.in_state(DeliveryState::GivenUp).await, [("failure".to_owned(), 10)]);
    let pending = place.in_state(DeliveryState::Pending).await;
    assert_eq!(pending, [("failure".to_owned(), 6)], "the second is still to be told");
    assert_eq!(place.told().len(), 16, "and nobody was asked more often than that");
    let shown = place.engine.deliveries(None, None, 1).await.expect("a list").remove(0);
    assert_eq!(shown.last_error.as_deref(), Some("the webhook answered 503 Service Unavailable: down"));

    // It is back, and there is a good run.
    place.server.forget_answers();
    place.clock.advance(18 * HOUR);
    place.run(RunState::Succeeded, None).await;
    assert_eq!(place.deliver().await, None);
    let mut told = place.told();
    told.sort();
    assert_eq!(told, ["failure", "recovered"]);
    assert!(place.in_state(DeliveryState::Pending).await.is_empty());
    assert_eq!(place.deliver().await, None);
    assert_eq!(place.told(), [""; 0], "nothing is told twice");
}

#[tokio::test]
async fn a_notice_says_what_happened_and_is_signed() {
    let place = Place::new().await;
    place.add_webhook("hook", ChannelChoice::default()).await;
    let run = place.fail().await;
    place.deliver().await;
    let received = place.server.one();
    assert!(received.header("x-charon-signature").starts_with("sha256="));
    let told = received.json();
    assert_eq!((&told["plan"], &told["run"]), (&json!("home"), &json!(run.to_string())));
    assert_eq!((&told["state"], &told["title"]), (&json!("failed"), &json!("home: the run failed")));
    let expected =
        "the disk is full; make room\n5 done, 1,000 unchanged, 0 skipped, 1 failed; 123,456 bytes moved";
    assert_eq!(told["text"], expected);
    assert_eq!(told["counts"], json!({"done": 5, "unchanged": 1000, "skipped": 0, "failed": 1}));
    assert_eq!(told["id"], received.header("x-charon-delivery"));
}

#[tokio::test]
async fn nothing_is_told_twice_and_nothing_is_forgotten_in_a_crash() {
    // I2
    let place = Place::new().await;
    place.add_webhook("hook", ChannelChoice::default()).await;
    let run = place.fail().await;
    // Whoever told of it crashed before the end, and does so again.
    place.engine.tell_of_run(run).await.expect("written down");
    // A process takes it, and is no more.
    let until = place.now().checked_add(Duration::from_mins(5)).expect("a time");
    let taken = place.engine.store.take_due(place.now(), until, 10).await.expect("taken");
    assert_eq!(taken.len(), 1);
    assert_eq!(place.deliver().await, Some(until), "it could still be alive");
    assert_eq!(place.told(), [""; 0]);
    place.clock.advance(Duration::from_mins(5));
    assert_eq!(place.deliver().await, None);
    assert_eq!(place.told(), ["failure"]);
    place.engine.tell_of_run(run).await.expect("written down");
    assert_eq!(place.deliver().await, None);
    assert_eq!(place.told(), [""; 0]);
}

#[tokio::test]
async fn a_server_that_asks_for_time_gets_it_and_a_refusal_is_final() {
    // I7
    let place = Place::new().await;
    place.add_webhook("hook", ChannelChoice::default()).await;
    place.server.answer(429, &[("retry-after", "7200")], "");
    place.fail().await;
    let next = place.deliver().await.expect("another time");
    assert_eq!(next, place.now().checked_add(2 * HOUR).expect("a time"));
    place.server.answer(410, &[], "gone");
    place.clock.advance(2 * HOUR);
    assert_eq!(place.deliver().await, None);
    assert_eq!(place.in_state(DeliveryState::GivenUp).await, [("failure".to_owned(), 2)]);
    assert_eq!(place.told().len(), 2);
}

#[tokio::test]
async fn each_channel_is_told_of_what_it_asked_for() {
    let place = Place::new().await;
    place.add_webhook("hook", events(&[Event::FailuresInARow, Event::NeedsAttention])).await;
    let ping = map(json!({"url": place.server.url("/ping")}));
    place.engine.add_channel("ping", "ping", ping, ChannelChoice::default()).await.expect("a channel");
    let mut targets = Vec::new();
    let person =
        Stop { state: RunState::Parked, class: None, message: "authorise it again".into(), until: None };
    let quota = Stop { until: Some("2026-02-01T00:00:00Z".parse().expect("a time")), ..person.clone() };
    for (state, stop) in [
        (RunState::Failed, None),
        (RunState::Failed, None),
        (RunState::Parked, Some(quota)),
        (RunState::Failed, None),
        (RunState::Parked, Some(person)),
        (RunState::Succeeded, None),
        (RunState::Cancelled, Some(Stop::cancelled())),
        (RunState::Partial, None),
    ] {
        place.clock.advance(HOUR);
        place.run(state, stop).await;
        place.deliver().await;
        let mut now: Vec<String> = place.server.received().into_iter().map(|one| one.target).collect();
        now.sort();
        targets.push(now.join(" "));
    }
    let expected =
        ["/ping/fail", "/ping/fail", "", "/hook /ping/fail", "/hook /ping/fail", "/ping", "", "/ping/fail"];
    assert_eq!(targets, expected);
}

#[tokio::test]
async fn a_run_may_wait_for_a_person_more_than_once_and_is_well_again_in_the_end() {
    let place = Place::new().await;
    place.add_webhook("hook", ChannelChoice::default()).await;
    let person =
        Stop { state: RunState::Parked, class: None, message: "authorise it again".into(), until: None };
    let run = place.run(RunState::Parked, Some(person.clone())).await;
    place.engine.tell_of_run(run).await.expect("written down");
    place.deliver().await;
    assert_eq!(place.told(), ["needs_attention"]);
    // It went on, under the same id.
    place.clock.advance(HOUR);
    place.put_run(run, RunState::Parked, Some(&person)).await;
    place.engine.tell_of_run(run).await.expect("written down");
    place.deliver().await;
    assert_eq!(place.told(), ["needs_attention"]);
    place.clock.advance(HOUR);
    place.put_run(run, RunState::Succeeded, None).await;
    place.engine.tell_of_run(run).await.expect("written down");
    place.deliver().await;
    assert_eq!(place.told(), ["recovered"]);
}

#[tokio::test]
async fn a_run_that_begins_is_told_to_those_who_measure_it() {
    let place = Place::new().await;
    place.add_webhook("hook", ChannelChoice::default()).await;
    let ping = map(json!({"url": place.server.url("/ping")}));
    place.engine.add_channel("ping", "ping", ping, ChannelChoice::default()).await.expect("a channel");
    let run = RunId::new(&*place.clock, &*place.engine.entropy);
    place.put_run(run, RunState::Running, None).await;
    place.engine.tell_of_start(run).await.expect("written down");
    place.engine.tell_of_run(run).await.expect("it has not ended, and nothing is told");
    assert_eq!(place.deliver().await, None);
    assert_eq!(place.server.one().target, "/ping/start");
}

#[tokio::test]
async fn an_overdue_plan_is_told_once_until_there_is_a_good_run() {
    let place = Place::new().await;
    place.add_webhook("hook", ChannelChoice::default()).await;
    let look = async |hours: u32| {
        for _ in 0..hours {
            place.clock.advance(HOUR);
            place.engine.tell_overdue(place.now()).await.expect("looked");
            place.deliver().await;
        }
        place.told()
    };
    assert_eq!(look(71).await, [""; 0]);
    assert_eq!(look(1).await, ["overdue"]);
    // Not again, though what was told is forgotten meanwhile.
    assert_eq!(look(40 * 24).await, [""; 0]);
    place.engine.forget_told(place.now()).await.expect("forgotten");
    assert!(place.in_state(DeliveryState::Delivered).await.is_empty());
    // A channel that is new is told too.
    place.add_webhook("second", events(&[Event::Overdue])).await;
    assert_eq!(look(1).await, ["overdue"]);
    // A partial run is not a good one.
    place.run(RunState::Partial, None).await;
    assert_eq!(look(72).await, ["partial"]);
    place.run(RunState::Succeeded, None).await;
    assert_eq!(look(71).await, ["recovered"]);
    assert_eq!(look(48).await, ["overdue", "overdue"]);
}

#[tokio::test]
async fn a_channel_is_told_of_its_plans_alone() {
    let place = Place::new().await;
    let of = |plans: &[&str]| ChannelChoice {
        plans: Some(plans.iter().map(|plan| (*plan).to_owned()).collect()),
        ..ChannelChoice::default()
    };
    let config = map(json!({"url": place.server.url("/hook")}));
    let unknown = place.engine.add_channel("hook", "webhook", config, of(&["away"])).await;
    let unknown = unknown.expect_err("no such plan").to_string();
    assert!(unknown.contains("plans: there is no plan named away; the only plan is home"), "{unknown}");
    place.add_webhook("hook", of(&["home"])).await;
    place.fail().await;
    place.deliver().await;
    assert_eq!(place.told(), ["failure"]);
    let view = place.engine.update_channel("hook", None, of(&[])).await.expect("updated");
    assert_eq!(view.plans, None);
}

#[tokio::test]
async fn secrets_of_a_channel_go_in_and_never_come_out() {
    // I6
    let place = Place::new().await;
    place.add_webhook("hook", ChannelChoice::default()).await;
    let view = place.engine.channel("hook").await.expect("a channel");
    let shown = json!(view).to_string() + &format!("{view:?}");
    assert!(!shown.contains("hunter2") && !shown.contains("/hook\""), "{shown}");
    // A bare change keeps them.
    let changed = map(json!({"preset": "json", "template": r#"{"event": {event}}"#}));
    place.engine.update_channel("hook", Some(changed), ChannelChoice::default()).await.expect("updated");
    place.fail().await;
    place.deliver().await;
    let received = place.server.one();
    assert_eq!((received.target.as_str(), received.json()), ("/hook", json!({"event": "failure"})));
    assert!(received.headers.contains_key("x-charon-signature"));
    // Another address needs them again.
    let moved = map(json!({"url": place.server.url("/elsewhere")}));
    let refused = place.engine.update_channel("hook", Some(moved), ChannelChoice::default()).await;
    let refused = refused.expect_err("the secret is missing").to_string();
    assert!(refused.contains("secret: is to be entered again, since url is another one now"), "{refused}");
    place.engine.store.close().await;
    for name in ["charon.db", "charon.db-wal"] {
        let bytes = std::fs::read(place.folder.path().join("data").join(name)).unwrap_or_default();
        for secret in ["hunter2", "/hook"] {
            assert!(
                !bytes.windows(secret.len()).any(|window| window == secret.as_bytes()),
                "{name}: {secret}"
            );
        }
    }
}

#[tokio::test]
async fn a_channel_is_tested_before_and_after_it_is_saved() {
    let place = Place::new().await;
    let config = map(json!({"url": place.server.url("/hook")}));
    place.engine.test_unsaved_channel("webhook", config.clone()).await.expect("told");
    assert_eq!(place.told(), ["test"]);
    place.server.answer(500, &[], "");
    let failed = place.engine.test_unsaved_channel("webhook", config).await.expect_err("a refusal");
    assert!(matches!(failed, Error::Delivery { .. }), "{failed}");
    place.add_webhook("hook", ChannelChoice::default()).await;
    place.server.received();
    place.engine.test_channel("hook").await.expect("told");
    assert_eq!(place.told(), ["test"]);
    assert_eq!(
        place.engine.deliveries(None, None, 9).await.expect("a list").len(),
        0,
        "nothing is written down"
    );
    assert!(matches!(place.engine.test_channel("hok").await, Err(Error::Unknown { .. })));
}

#[tokio::test]
async fn a_wrong_channel_is_told_whole() {
    let place = Place::new().await;
    let add = async |kind: &str, config: Value, choice: ChannelChoice| {
        let refused =
            place.engine.add_channel("hook", kind, map(config), choice).await.expect_err("a refusal");
        assert!(refused.is_bad_input(), "{refused}");
        refused.to_string()
    };
    let both = add("webhook", json!({"url": "nowhere"}), events(&[Event::Started, Event::Test])).await;
    for words in ["url: is not a URL", "events: a channel of the kind webhook is not told of started, test"] {
        assert!(both.contains(words), "{both}");
    }
    assert!(add("pigeon", json!({}), ChannelChoice::default()).await.contains("webhook, ntfy, email, ping"));
    place.add_webhook("hook", ChannelChoice::default()).await;
    let url = json!({"url": place.server.url("/")});
    assert!(add("webhook", url, ChannelChoice::default()).await.contains("already"));
    place.fail().await;
    place.engine.remove_channel("hook").await.expect("removed");
    assert_eq!(place.deliver().await, None, "what was to be told is gone with it");
}
