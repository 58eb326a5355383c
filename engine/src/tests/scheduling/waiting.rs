//! Windows, time limits, and waits that end by themselves or by somebody.

use charon_provider::Class;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Answers, RunState, Stage};
use crate::{
    RunOptions, Trigger,
    ids::RunId,
    job::{Job, TrashJob, VerifyJob},
};

fn instant(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// Every evening at ten, for one hour.
fn evenings() -> Value {
    json!({"schedule": {"cron": "0 22 * * *", "timezone": "UTC", "windows": ["22:00-23:00"]}})
}

/// A run whose window has closed while it was at work.
async fn closed_upon(stage: &mut Stage) -> RunId {
    stage.add_plan("home", evenings()).await;
    stage.answer(Answers::NotYet);
    stage.wait_until(instant("2026-01-10T22:00:00Z"));
    stage.scheduler.tick().await.expect("a turn");
    let run = stage.runs("home").await[0].run;
    stage.until(run, RunState::Running).await;
    stage.minutes_later(59);
    stage.until(run, RunState::Running).await;
    stage.minutes_later(1);
    let record = stage.until(run, RunState::Paused).await;
    assert_eq!(record.parked_until, Some(instant("2026-01-11T22:00:00Z")));
    assert_eq!(record.waiting.as_deref(), Some("window opens 2026-01-11 22:00 UTC"));
    run
}

#[tokio::test]
async fn a_run_whose_window_closes_goes_on_in_the_next_one() {
    let mut stage = Stage::new().await;
    let run = closed_upon(&mut stage).await;
    stage.wait_until(instant("2026-01-11T21:59:59Z"));
    stage.until(run, RunState::Paused).await;
    stage.wait_until(instant("2026-01-11T22:00:00Z"));
    stage.answer(Answers::Well);
    assert_eq!(stage.until(run, RunState::Succeeded).await.attempts, 2);
    assert_eq!(
        stage.runs("home").await.len(),
        1,
        "the second evening was left out, since the run had not ended"
    );
}

#[tokio::test]
async fn a_run_that_somebody_asks_for_or_resumes_outside_its_window_goes_on_to_its_end() {
    for resumes in [true, false] {
        let mut stage = Stage::new().await;
        let run = closed_upon(&mut stage).await;
        if resumes {
            stage.engine.resume_run(run).await.expect("resumed");
        } else {
            assert_eq!(stage.ask("home").await, run);
        }
        stage.until(run, RunState::Running).await;
        stage.minutes_later(60);
        stage.until(run, RunState::Running).await;
        stage.answer(Answers::Well);
        stage.until(run, RunState::Succeeded).await;
    }
}

#[tokio::test]
async fn a_run_that_waits_for_a_window_that_its_plan_has_no_more_goes_on() {
    let mut stage = Stage::new().await;
    let run = closed_upon(&mut stage).await;
    stage.answer(Answers::Well);
    let mut plan = super::map(json!({
        "kind": "backup", "storage": "family", "destination": stage.folder.path().join("home"),
    }));
    plan.extend(super::map(json!({"schedule": {"cron": "0 22 * * *", "timezone": "UTC"}})));
    stage.engine.update_plan("home", plan).await.expect("updated");
    stage.until(run, RunState::Succeeded).await;
}

#[tokio::test]
async fn a_run_ends_when_it_has_been_at_work_for_as_long_as_its_plan_allows_and_waiting_does_not_count() {
    let mut stage = Stage::new().await;
    stage.add_plan("home", json!({"policy": {"time_limit_minutes": 30}})).await;
    stage.answer(Answers::NotYet);
    let run = stage.ask("home").await;
    stage.until(run, RunState::Running).await;
    stage.minutes_later(20);
    stage.until(run, RunState::Running).await;
    stage.engine.pause_run(run).await.expect("asked");
    stage.until(run, RunState::Paused).await;
    stage.minutes_later(300);
    stage.engine.resume_run(run).await.expect("resumed");
    stage.until(run, RunState::Running).await;
    stage.minutes_later(9);
    stage.until(run, RunState::Running).await;
    stage.minutes_later(1);
    let record = stage.until(run, RunState::Failed).await;
    assert!(record.stop.expect("a reason").message.starts_with("its time limit of 30 minutes is over"));
    assert_eq!(record.attempts, 2, "and it is not tried again");
}

#[tokio::test]
async fn a_run_that_waits_for_a_person_goes_on_when_the_storage_is_changed() {
    let mut stage = Stage::new().await;
    stage.add_plan("home", json!({})).await;
    stage.answer(Answers::With(Class::Auth));
    let run = stage.ask("home").await;
    let record = stage.until(run, RunState::Parked).await;
    assert!(record.waiting.expect("what for").starts_with("you: "));
    stage.world.fill("second", 1);
    stage.update_storage("second").await;
    let record = stage.until(run, RunState::Succeeded).await;
    assert_eq!((record.attempts, record.items.done), (2, 1));
}

#[tokio::test]
async fn a_run_whose_storage_was_changed_while_it_was_at_work_does_not_wait_for_the_person_who_did_it() {
    let mut stage = Stage::new().await;
    stage.add_plan("home", json!({})).await;
    stage.answer(Answers::NotYet);
    let run = stage.ask("home").await;
    stage.until(run, RunState::Running).await;
    stage.world.fill("second", 1);
    stage.update_storage("second").await;
    stage.answer(Answers::With(Class::Auth));
    let record = stage.until(run, RunState::Succeeded).await;
    assert_eq!((record.attempts, record.items.done), (2, 1));
}

#[tokio::test]
async fn a_run_that_waits_for_its_quota_goes_on_by_itself_when_that_begins_anew() {
    let mut stage = Stage::new().await;
    stage.add_plan("home", json!({})).await;
    stage.answer(Answers::With(Class::Quota));
    let run = stage.ask("home").await;
    let record = stage.until(run, RunState::Parked).await;
    assert_eq!(record.parked_until, Some(instant("2026-01-11T00:00:00Z")));
    assert_eq!(record.waiting.as_deref(), Some("budget until 2026-01-11 00:00 UTC"));
    stage.answer(Answers::Well);
    stage.minutes_later(12 * 60 - 1);
    stage.until(run, RunState::Parked).await;
    stage.minutes_later(1);
    assert_eq!(stage.until(run, RunState::Succeeded).await.attempts, 2);
}

#[tokio::test]
async fn what_was_missed_between_the_end_of_a_pause_and_the_next_start_is_made_up_for() {
    // I3
    let mut stage = Stage::new().await;
    stage.add_plan("home", json!({"schedule": {"cron": "0 * * * *", "timezone": "UTC"}})).await;
    let until = instant("2026-01-10T14:30:00Z");
    stage.engine.pause_plan("home", Some(until)).await.expect("paused");
    stage.minutes_later(5 * 60 + 30);
    stage.scheduler.tick().await.expect("a turn");
    let decided = stage.engine.occurrences("home", Timestamp::MIN, 10).await.expect("occurrences");
    let [only] = &decided[..] else { panic!("{decided:?}") };
    assert_eq!(only.scheduled_for, instant("2026-01-10T17:00:00Z"));
    assert_eq!((only.missed, only.missed_since), (2, Some(instant("2026-01-10T15:00:00Z"))));
    assert!(only.run.is_some());
}

#[tokio::test]
async fn an_occurrence_that_comes_again_after_the_clock_was_set_back_stops_nothing() {
    // I3
    let mut stage = Stage::new().await;
    let schedule = json!({"cron": "0 * * * *", "timezone": "UTC", "overlap": "cancel_previous"});
    stage.add_plan("home", json!({"schedule": schedule})).await;
    stage.minutes_later(60);
    stage.scheduler.tick().await.expect("a turn");
    let first = stage.runs("home").await[0].run;
    stage.until(first, RunState::Succeeded).await;
    stage.clock.set_back(std::time::Duration::from_mins(5));
    stage.answer(Answers::NotYet);
    let asked = stage.ask("home").await;
    stage.until(asked, RunState::Running).await;
    stage.minutes_later(6);
    stage.until(asked, RunState::Running).await;
    stage.answer(Answers::Well);
    stage.until(asked, RunState::Succeeded).await;
    assert_eq!(stage.runs("home").await.len(), 2);
}

#[tokio::test]
async fn who_asks_for_something_else_gets_a_run_of_its_own_and_who_asks_for_the_same_gets_the_same() {
    let mut stage = Stage::new().await;
    stage.add_plan("home", json!({})).await;
    let restore = |item| Job::Trash(TrashJob::Restore { items: vec![item] });
    let verify = |percent| Job::Verify(VerifyJob { repair: false, percent });
    let jobs = [
        Job::Plan,
        restore(1),
        restore(2),
        Job::Trash(TrashJob::Empty { everything: false }),
        verify(None),
        verify(Some(5)),
    ];
    let mut runs = Vec::new();
    for job in &jobs {
        let options = || RunOptions { job: job.clone(), ..RunOptions::default() };
        let (run, is_new) =
            stage.engine.ask_for_run("home", Trigger::Manual, options()).await.expect("asked");
        assert!(is_new, "{job:?} is not swallowed by {runs:?}");
        let (again, is_new) =
            stage.engine.ask_for_run("home", Trigger::Manual, options()).await.expect("asked");
        assert_eq!((again, is_new), (run, false), "{job:?}");
        runs.push(run);
    }
    // One after the other, since they share the mirror.
    for run in runs {
        stage.until(run, RunState::Succeeded).await;
    }
}
