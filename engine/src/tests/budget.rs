//! Days of a small quota, under a clock that a test moves.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use charon_provider::{Check, Class, Verdict};
use futures::StreamExt;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Place, map};
use crate::{
    budget::BudgetView,
    clock::ManualClock,
    run::{RunState, Summary},
};

/// Of fifty requests a day, runs leave a quarter to people.
const LIMIT: u32 = 50;
const FOR_RUNS: usize = 38;
/// So many sends, with a commit for each ten, are 38 requests.
const SENT_A_DAY: usize = 34;

struct Days {
    place: Place,
    clock: Arc<ManualClock>,
}

impl Days {
    async fn new() -> Self {
        let clock = Arc::new(ManualClock::at("2026-11-21T12:00:00Z".parse().expect("a time")));
        Self { place: Place::with_clock(clock.clone()).await, clock }
    }

    async fn add_storage(&self, name: &str, more: Value) {
        let mut config = map(json!({"client": "ours", "token": name, "limit": LIMIT, "idle_seconds": 3_600}));
        config.extend(map(more));
        self.place.engine.add_storage(name, "fake", config).await.expect("a storage");
    }

    /// A plan `out <storage>` with so many pictures of its own.
    async fn add_upload(&self, storage: &str, pictures: usize) {
        let folder = self.place.folder.path().join(format!("pictures of {storage}"));
        std::fs::create_dir_all(&folder).expect("a folder");
        for number in 0..pictures {
            let content = [&[0xff, 0xd8, 0xff, 0xe0], storage.as_bytes(), &number.to_be_bytes()].concat();
            std::fs::write(folder.join(format!("{storage}-{number:04}.jpg")), content).expect("a picture");
        }
        let plan = map(json!({"kind": "upload", "storage": storage, "sources": [folder]}));
        self.place.engine.add_plan(&format!("out {storage}"), plan).await.expect("a plan");
    }

    /// Runs a plan; gives what it came to, and how often what was asked.
    async fn run(&self, plan: &str) -> (Summary, BTreeMap<&'static str, usize>) {
        let summary = self.place.run(plan).await;
        let mut asked = BTreeMap::new();
        for request in self.place.world.requests() {
            *asked.entry(request).or_default() += 1;
        }
        (summary, asked)
    }

    /// Goes on to the moment until which a run is parked.
    fn wait_for(&self, summary: &Summary) {
        let until: Timestamp = summary.parked_until.expect("when it can go on");
        self.clock.advance(until.duration_since(self.place.engine.clock.now()).unsigned_abs());
    }

    async fn budget(&self) -> BudgetView {
        let views = self.place.engine.budget().await.expect("the budget");
        views.into_iter().find(|view| view.meter == "api").expect("its meter")
    }

    async fn test(&self, storage: &str) -> Verdict {
        let checks: Vec<Check> = self.place.engine.test(storage).await.expect("a test").collect().await;
        checks.last().expect("a stage").verdict
    }
}

#[tokio::test]
async fn an_upload_of_three_and_a_half_days_sends_each_day_what_it_can_commit() {
    // I7
    let days = Days::new().await;
    days.add_storage("family", json!({})).await;
    days.add_upload("family", 3 * SENT_A_DAY + SENT_A_DAY / 2).await;
    let estimate = days.place.engine.estimate("out family").await.expect("an estimate");
    assert_eq!(estimate.sentence(), "119 items, 131 requests, about 4 days");
    for day in 1..=3 {
        let (summary, asked) = days.run("out family").await;
        assert_eq!((summary.state, summary.items.failed), (RunState::Parked, 0), "{summary:#?}");
        assert_eq!(summary.errors[0].class, Some(Class::Quota));
        assert_eq!(asked, BTreeMap::from([("send", SENT_A_DAY), ("commit", 4)]), "on day {day}");
        assert_eq!(summary.items.done, day as u64 * 34, "all that was sent");
        assert_eq!(days.place.world.items_of("family").len(), day * SENT_A_DAY);
        let budget = days.budget().await;
        assert_eq!((budget.used, budget.left_for_runs), (FOR_RUNS as u64, 0));
        assert_eq!(summary.parked_until, budget.resets_at);
        // A person is served all the same.
        assert_eq!(days.test("family").await, Verdict::Passed);
        assert_eq!(days.budget().await.used, FOR_RUNS as u64 + 1);
        days.place.world.requests();
        // Another run today asks for nothing.
        let (again, asked) = days.run("out family").await;
        assert_eq!((again.state, asked.len()), (RunState::Parked, 0), "{again:#?}");
        days.wait_for(&summary);
    }
    let (summary, asked) = days.run("out family").await;
    assert_eq!((summary.state, summary.items.done), (RunState::Succeeded, 119), "{summary:#?}");
    assert_eq!(asked, BTreeMap::from([("send", 17), ("commit", 2)]));
    assert_eq!((summary.items.unchanged, summary.attempts), (0, 7), "one run, twice a day");
    let by_day = days.place.engine.requests_by_day(10).await.expect("the days");
    assert_eq!(by_day.iter().map(|day| day.requests).collect::<Vec<_>>(), [19, 39, 39, 39]);
}

#[tokio::test]
async fn a_backup_of_three_and_a_half_days_fetches_each_day_what_there_is() {
    // I7
    let days = Days::new().await;
    days.add_storage("family", json!({"limit": 1_000, "media_limit": LIMIT})).await;
    days.place.world.fill("family", 3 * FOR_RUNS + FOR_RUNS / 2);
    days.place.add_backup().await;
    for day in 1..=3_u64 {
        let (summary, asked) = days.run("home").await;
        assert_eq!((summary.state, summary.items.failed), (RunState::Parked, 0), "{summary:#?}");
        assert_eq!(asked["open"], FOR_RUNS, "on day {day}");
        assert_eq!(summary.items.done, day * FOR_RUNS as u64, "nothing that came was dropped");
        days.wait_for(&summary);
    }
    let (summary, asked) = days.run("home").await;
    let all = 3 * FOR_RUNS as u64 + 19;
    assert_eq!((summary.state, summary.items.done), (RunState::Succeeded, all), "{summary:#?}");
    assert_eq!(asked["open"], 19);
    assert_eq!((summary.items.unchanged, summary.attempts), (0, 4), "one run, all days");
}

#[tokio::test]
async fn plans_on_one_project_share_its_day() {
    // I7
    let days = Days::new().await;
    for storage in ["family", "aunt"] {
        days.add_storage(storage, json!({})).await;
        days.add_upload(storage, 60).await;
    }
    days.add_storage("stranger", json!({"project": "2"})).await;
    days.add_upload("stranger", 5).await;
    let engine = &days.place.engine;
    let mut sent = 0;
    for _ in 0..10 {
        // Both at once.
        let runs = [
            engine.start("out family").await.expect("a run"),
            engine.start("out aunt").await.expect("a run"),
        ];
        let [one, other] = runs.map(crate::Run::finished);
        let (one, other) = tokio::join!(one, other);
        let (one, other) = (one.expect("its end"), other.expect("its end"));
        let asked = days.place.world.requests();
        assert!(asked.len() <= FOR_RUNS, "{} in a day", asked.len());
        sent += asked.iter().filter(|what| **what == "send").count();
        let there = ["family", "aunt"].map(|token| days.place.world.items_of(token).len());
        assert_eq!(there.iter().sum::<usize>(), sent, "what was sent was committed on the same day");
        assert_eq!(days.budget().await.used, asked.len() as u64);
        match (one.state, other.state) {
            (RunState::Succeeded, RunState::Succeeded) => break,
            (RunState::Parked, _) => days.wait_for(&one),
            (_, RunState::Parked) => {
                // Another project's day is another one.
                assert_eq!(days.run("out stranger").await.0.state, RunState::Succeeded);
                days.wait_for(&other);
            }
            states => panic!("{states:?}"),
        }
    }
    assert_eq!(sent, 120);
}

#[tokio::test]
async fn what_the_server_says_of_the_day_holds_for_other_plans_and_over_a_restart() {
    // I7
    let days = Days::new().await;
    for storage in ["family", "aunt"] {
        days.add_storage(storage, json!({})).await;
        days.add_upload(storage, 5).await;
    }
    days.place.world.spend_quota(true);
    let (summary, asked) = days.run("out family").await;
    assert_eq!((summary.state, summary.errors[0].class), (RunState::Parked, Some(Class::Quota)));
    assert!(asked["send"] <= 5, "{asked:?}");
    let until = summary.parked_until.expect("a time");
    assert_eq!(until.to_string(), "2026-11-22T00:00:00Z");
    let other = days.place.another_engine().await;
    assert!(
        other
            .budget()
            .await
            .expect("a budget")
            .iter()
            .all(|view| view.spent_by_server && view.left_for_runs == 0)
    );
    let (summary, asked) = days.run("out aunt").await;
    assert_eq!(
        (summary.state, summary.parked_until, asked.len()),
        (RunState::Parked, Some(until), 0),
        "{summary:#?}"
    );
    // It is the server who knows, whatever the limit is said to be.
    let raised = map(json!({"client": "ours", "token": "aunt", "limit": 5_000}));
    days.place.engine.update_storage("aunt", raised).await.expect("updated");
    assert_eq!(days.run("out aunt").await.1.len(), 0);
    assert_eq!(days.test("aunt").await, Verdict::Failed, "a person may ask, and hears it");
    assert_eq!(days.place.world.requests(), ["test"]);
    days.place.world.spend_quota(false);
    days.wait_for(&summary);
    for plan in ["out family", "out aunt"] {
        assert_eq!(days.run(plan).await.0.state, RunState::Succeeded);
    }
}

#[tokio::test]
async fn a_test_that_passes_lets_the_runs_of_the_day_go_on() {
    let days = Days::new().await;
    days.add_storage("family", json!({})).await;
    days.add_upload("family", 5).await;
    days.place.world.spend_quota(true);
    let (parked, _) = days.run("out family").await;
    assert_eq!(parked.state, RunState::Parked);
    days.place.world.spend_quota(false);
    assert_eq!(days.run("out family").await.1.len(), 0);
    assert_eq!(days.test("family").await, Verdict::Passed);
    assert_eq!(days.run("out family").await.0.state, RunState::Succeeded);
}

#[tokio::test]
async fn what_is_tried_before_it_is_saved_is_counted_too() {
    let days = Days::new().await;
    days.add_storage("family", json!({})).await;
    let config = map(json!({"client": "ours", "token": "other"}));
    let checks: Vec<Check> = days.place.engine.test_unsaved("fake", config).collect().await;
    assert!(checks.iter().all(|check| check.verdict == Verdict::Passed), "{checks:?}");
    assert_eq!(days.budget().await.used, 1);
}

#[tokio::test]
async fn a_run_that_is_cut_off_is_never_counted_too_low() {
    // I2, I7
    let days = Days::new().await;
    days.add_storage("family", json!({"limit": 1_000})).await;
    days.add_upload("family", 60).await;
    let run = days.place.engine.start("out family").await.expect("a run");
    let mut progress = run.progress();
    progress.wait_for(|progress| progress.items.done >= 10).await.expect("it goes on");
    drop(run);
    tokio::time::timeout(Duration::from_secs(5), tokio::task::yield_now()).await.expect("it ends");
    let other = days.place.another_engine().await;
    let used = other.budget().await.expect("the budget")[0].used;
    let asked = days.place.world.requests().len() as u64;
    assert!(used >= asked && used <= asked + 64, "{used} counted, {asked} asked");
}
