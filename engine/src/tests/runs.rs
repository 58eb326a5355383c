//! Runs, from outside: what is refused before it asks anything, what is counted, what is told.

use std::sync::Arc;

use charon_provider::Class;
use serde_json::json;

use super::{Place, config, map};
use crate::{clock::SystemEntropy, error::Error, ids::RunId, run::RunState};

#[tokio::test]
async fn an_upload_plan_on_a_read_only_storage_is_refused_when_it_is_saved() {
    let place = Place::new().await;
    let read_only = map(json!({"client": "ours", "token": "first", "read_only": true}));
    place.engine.add_storage("family", "fake", read_only).await.expect("a storage");
    let refused = place.engine.add_plan("out", place.upload_plan()).await.expect_err("read-only");
    assert!(matches!(refused, Error::Config { .. }));
    assert!(refused.to_string().contains("storage: family takes no uploads"), "{refused}");
    assert_eq!(place.world.requests(), [""; 0]);
}

#[tokio::test]
async fn an_upload_to_a_storage_that_has_become_read_only_is_refused_before_any_request() {
    let place = Place::new().await;
    place.add_storage("first").await;
    place.engine.add_plan("out", place.upload_plan()).await.expect("a plan");
    std::fs::write(place.folder.path().join("pictures/a.jpg"), [0xff, 0xd8, 0xff, 0xe0, 1])
        .expect("a picture");
    let mut read_only = config("first");
    read_only.insert("read_only".into(), true.into());
    place.engine.update_storage("family", read_only).await.expect("updated");
    let summary = place.run("out").await;
    assert_eq!((summary.state, summary.errors[0].class), (RunState::Failed, Some(Class::Config)));
    assert!(summary.errors[0].message.contains("takes no uploads"), "{:?}", summary.errors);
    assert_eq!(place.world.requests(), [""; 0]);
    assert_eq!(summary.requests, 0);
}

#[tokio::test]
async fn requests_are_counted_for_each_run_although_the_lane_is_shared() {
    let place = Place::new().await;
    place.world.fill("first", 3);
    place.add_storage("first").await;
    place.add_backup().await;
    // One page, and three bodies.
    assert_eq!(place.run("home").await.requests, 4);
    assert_eq!(place.run("home").await.requests, 1);
    let row = place.engine.storage_row("family").await.expect("a row");
    let one = place.engine.open_row(&row).expect("open");
    let other = place.engine.open_row(&row).expect("open");
    assert!(Arc::ptr_eq(&one.lane, &other.lane));
    one.storage.source().expect("a source").confirm(&[]).await.expect("an answer");
    assert_eq!(one.requests.by_meter().values().sum::<u64>(), 1);
    assert_eq!(other.requests.by_meter().values().sum::<u64>(), 0);
}

#[tokio::test]
async fn what_start_year_left_out_is_told_with_the_way_to_include_it() {
    // I9
    let place = Place::new().await;
    place.world.fill("first", 3);
    let late = map(json!({"client": "ours", "token": "first", "start_year": 2011}));
    place.engine.add_storage("family", "fake", late).await.expect("a storage");
    place.add_backup().await;
    let summary = place.run("home").await;
    assert_eq!(summary.items.skipped, 3);
    assert_eq!(summary.hints.len(), 1);
    assert!(
        summary.hints[0].starts_with("3 items were taken before 2011 (start_year of storage family): set")
    );
}

#[tokio::test]
async fn a_run_whose_process_was_killed_waits_to_be_taken_up_and_a_live_one_is_at_work() {
    let place = Place::new().await;
    place.add_storage("first").await;
    place.add_backup().await;
    let engine = &place.engine;
    let plan = engine.plan("home").await.expect("a plan").id;
    let start = async || {
        let run = RunId::new(&*engine.clock, &SystemEntropy);
        engine.store.start_run(run, plan, engine.clock.now()).await.expect("a run");
    };
    start().await;
    // Nobody holds the data directory, so nobody is at the run.
    let runs = engine.runs(None, 10).await.expect("a list");
    assert_eq!(runs[0].state, RunState::Queued);
    assert!(runs[0].stop.as_ref().expect("a reason").message.contains("ended in the middle"));
    assert!(runs[0].waiting.as_ref().expect("what for").contains("nobody runs plans"), "{runs:?}");
    // Looking took nothing: another process may run plans.
    let other = place.another_engine().await;
    other.take_ownership().await.expect("it is free");
    start().await;
    for looking in [engine, &other] {
        let runs = looking.runs(None, 10).await.expect("a list");
        assert_eq!(runs[0].state, RunState::Running);
    }
}

#[tokio::test]
async fn whoever_asks_for_a_run_of_a_plan_that_is_at_work_follows_that_one() {
    let place = Place::new().await;
    place.world.fill("first", 3);
    place.add_storage("first").await;
    place.add_backup().await;
    let run = place.engine.start("home").await.expect("a run");
    let same = place.engine.start("home").await.expect("the same");
    assert_eq!((run.id(), run.is_new(), same.is_new()), (same.id(), true, false));
    let (one, other) = (run.finished().await.expect("its end"), same.finished().await.expect("its end"));
    assert_eq!((one.state, one.items.done, one.attempts), (RunState::Succeeded, 3, 1));
    assert_eq!((other.state, other.items.done, other.run), (RunState::Succeeded, 3, one.run));
    assert_eq!(place.engine.runs(None, 10).await.expect("a list").len(), 1);
    assert_eq!(place.run("home").await.state, RunState::Succeeded);
}

#[tokio::test]
async fn a_run_that_was_broken_off_goes_on_under_a_new_attempt_and_counts_each_item_once() {
    // I2
    let place = Place::new().await;
    place.world.fill("first", 120);
    place.add_storage("first").await;
    place.add_backup().await;
    let run = place.engine.start("home").await.expect("a run");
    let id = run.id();
    let mut progress = run.progress();
    progress.wait_for(|progress| progress.items.done >= 10).await.expect("it gets on");
    // As a crash would.
    drop(run);
    let summary = place.run("home").await;
    assert_eq!((summary.run, summary.state, summary.attempts), (id, RunState::Succeeded, 2));
    assert_eq!((summary.items.done, summary.items.unchanged), (120, 0));
    let runs = place.engine.runs(None, 10).await.expect("a list");
    assert_eq!((runs.len(), runs[0].items.done), (1, 120));
}
