//! Runs that failed for something that may pass are tried again, ever more slowly.

use std::time::Duration;

use charon_provider::Class;
use serde_json::json;

use super::{Answers, Stage};
use crate::run::RunState;

/// How often one request is tried within a run.
const REQUESTS: usize = 6;

#[tokio::test]
async fn a_run_that_failed_for_something_that_may_pass_is_tried_again_ever_more_slowly_and_not_too_often() {
    let mut stage = Stage::new().await;
    stage.add_plan("home", json!({"policy": {"retries": 2}})).await;
    stage.answer(Answers::With(Class::Destination));
    let run = stage.ask("home").await;
    for (failures, planned) in [(1, 60.0), (2, 120.0)] {
        let record = stage.until(run, RunState::Parked).await;
        let until = record.parked_until.expect("it goes on by itself");
        let message = record.stop.expect("a reason").message;
        assert!(message.contains(&format!("({failures} of 2)")), "{message}");
        assert!(record.waiting.expect("what for").starts_with("next attempt at "));
        let waited = stage.wait_until(until);
        assert!(waited > planned / 2.0 - 0.1 && waited <= planned, "{waited} s after {failures} failures");
    }
    let record = stage.until(run, RunState::Failed).await;
    assert_eq!(record.attempts, 3);
    assert_eq!(record.stop.expect("a reason").class, Some(Class::Destination));
}

#[tokio::test]
async fn a_run_that_failed_for_passing_faults_is_tried_again_as_a_whole_after_its_requests_were() {
    let mut stage = Stage::new().await;
    stage.add_plan("home", json!({"policy": {"retries": 1}})).await;
    stage.answer(Answers::With(Class::Transient));
    let run = stage.ask("home").await;
    // The pauses between its requests go by, and nothing after the last of them: the run is put aside for a while then.
    let mut requests = 0;
    for _ in 0..1_000 {
        if requests == REQUESTS {
            break;
        }
        stage.scheduler.tick().await.expect("a turn");
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        stage.clock.advance(Duration::from_secs(5));
        requests += stage.world.requests().len();
    }
    assert_eq!(requests, REQUESTS, "the request is tried again so often");
    let record = stage.until(run, RunState::Parked).await;
    assert_eq!(stage.world.requests(), [""; 0], "it does not go on before its time");
    stage.answer(Answers::Well);
    stage.wait_until(record.parked_until.expect("it goes on by itself"));
    assert_eq!(stage.until(run, RunState::Succeeded).await.attempts, 2);
}

#[tokio::test]
async fn what_does_not_pass_by_itself_is_not_tried_again() {
    let mut stage = Stage::new().await;
    stage.add_plan("home", json!({"policy": {"retries": 5}})).await;
    stage.answer(Answers::With(Class::Config));
    let run = stage.ask("home").await;
    assert_eq!(stage.until(run, RunState::Failed).await.attempts, 1);
    stage.answer(Answers::With(Class::Auth));
    let run = stage.ask("home").await;
    let record = stage.until(run, RunState::Parked).await;
    assert_eq!((record.attempts, record.parked_until), (1, None));
    stage.minutes_later(10 * 24 * 60);
    stage.scheduler.tick().await.expect("a turn");
    assert_eq!(stage.until(run, RunState::Parked).await.attempts, 1);
}

#[tokio::test]
async fn a_plan_without_retries_fails_at_once() {
    let mut stage = Stage::new().await;
    stage.add_plan("home", json!({"policy": {"retries": 0}})).await;
    stage.answer(Answers::With(Class::Destination));
    let run = stage.ask("home").await;
    assert_eq!(stage.until(run, RunState::Failed).await.attempts, 1);
}

#[tokio::test]
async fn failures_before_an_attempt_that_got_on_count_no_more() {
    let mut stage = Stage::new().await;
    stage.world.fill("first", 400);
    stage.add_plan("home", json!({"policy": {"retries": 1}})).await;
    stage.answer(Answers::With(Class::Destination));
    let run = stage.ask("home").await;
    for round in 0..2 {
        let record = stage.until(run, RunState::Parked).await;
        assert!(record.stop.expect("a reason").message.contains("(1 of 1)"), "round {round}");
        stage.answer(Answers::Well);
        stage.wait_until(record.parked_until.expect("it goes on by itself"));
        let done = record.items.done;
        loop {
            stage.scheduler.tick().await.expect("a turn");
            tokio::task::yield_now().await;
            let progress = stage.engine.run_progress(run).await.expect("looked up");
            if progress.is_some_and(|progress| progress.items.done > done) {
                break;
            }
        }
        stage.answer(Answers::With(Class::Destination));
    }
    let record = stage.until(run, RunState::Parked).await;
    assert!(record.items.done > 0 && record.attempts == 3, "{record:?}");
    stage.wait_until(record.parked_until.expect("it goes on by itself"));
    // Now one that does not get on.
    assert_eq!(stage.until(run, RunState::Failed).await.attempts, 4);
}
