//! How attempts begin and end: what somebody asked for meanwhile, lanes, shutting down, what was left in the middle.

use charon_provider::Class;
use serde_json::json;

use super::{Answers, RunState, Stage};
use crate::{
    clock::{Clock, SystemEntropy},
    ids::RunId,
    run::{Attempt, Stop, Wish},
    scheduler::SchedulerSettings,
    store::Ended,
};

#[tokio::test]
async fn what_somebody_asked_last_holds_although_the_run_was_just_about_to_be_parked() {
    let stage = Stage::new().await;
    stage.add_plan("home", json!({})).await;
    let plan = stage.engine.plan("home").await.expect("a plan").id;
    let (store, now) = (&stage.engine.store, stage.clock.now());
    let until = Some(now + jiff::SignedDuration::from_hours(1));
    let parked = Stop { state: RunState::Parked, class: Some(Class::Quota), message: "spent".into(), until };
    let failed = Stop { state: RunState::Failed, until: None, ..parked.clone() };
    for (wishes, stop, expected) in [
        (&[][..], &parked, RunState::Parked),
        (&[Wish::Pause], &parked, RunState::Paused),
        (&[Wish::Cancel], &parked, RunState::Cancelled),
        (&[Wish::Pause, Wish::Cancel], &Stop::paused(), RunState::Cancelled),
        (&[Wish::Pause], &Stop::shutting_down(), RunState::Paused),
        (&[Wish::Cancel], &failed, RunState::Failed),
        (&[Wish::Pause], &failed, RunState::Failed),
    ] {
        let run = RunId::new(&*stage.clock, &SystemEntropy);
        store.start_run(run, plan, now).await.expect("a run");
        for wish in wishes {
            store.ask(run, *wish, now).await.expect("asked");
        }
        let mut record = stage.record(run).await;
        (record.state, record.stop, record.parked_until) = (stop.state, Some(stop.clone()), stop.until);
        record.ended_at = Some(now);
        let attempt = Attempt { run, number: 1 };
        let ended = Ended { record, attempt, is_whole: false, failures: 0, active_ms: 0, storage_seen: None };
        store.end_attempt(&ended).await.expect("ended").expect("it is the latest");
        let record = stage.record(run).await;
        assert_eq!(record.state, expected, "{wishes:?} with {stop:?}");
        assert_eq!(record.parked_until.is_some(), expected == RunState::Parked, "{wishes:?} with {stop:?}");
    }
}

#[tokio::test]
async fn a_lane_takes_one_run_although_another_one_is_asked_for_while_the_first_begins() {
    for yields in (0..40).step_by(4) {
        let mut stage = Stage::new().await;
        stage.answer(Answers::NotYet);
        stage.add_plan("by schedule", json!({"schedule": {"cron": "@every 1h", "timezone": "UTC"}})).await;
        stage.add_plan("by hand", json!({})).await;
        stage.minutes_later(60);
        stage.scheduler.tick().await.expect("a turn");
        for _ in 0..yields {
            tokio::task::yield_now().await;
        }
        // It goes before those that were due, had they not begun.
        let asked = stage.ask("by hand").await;
        let first = stage.runs("by schedule").await[0].run;
        stage.until(first, RunState::Running).await;
        assert_eq!(stage.record(asked).await.state, RunState::Queued, "after {yields} yields");
    }
}

#[tokio::test]
async fn a_run_that_nobody_is_at_is_taken_up_although_others_are_at_work() {
    // I2
    let mut stage = Stage::new().await;
    stage.answer(Answers::NotYet);
    stage.add_plan("home", json!({})).await;
    let run = stage.ask("home").await;
    stage.until(run, RunState::Running).await;
    let config = super::map(json!({"client": "ours", "token": "second"}));
    stage.engine.add_storage("other", "fake", config).await.expect("a storage");
    stage.add_plan("away", json!({"storage": "other"})).await;
    let left = stage.ask("away").await;
    // Its end could not be written, for instance.
    let now = stage.clock.now();
    stage.engine.store.begin_attempt(left, "nobody", now, now).await.expect("begun").expect("it was queued");
    assert_eq!(stage.until(left, RunState::Succeeded).await.attempts, 2);
    stage.until(run, RunState::Running).await;
}

#[tokio::test]
async fn a_run_at_work_stops_at_once_when_its_plan_is_removed() {
    let mut stage = Stage::new().await;
    stage.answer(Answers::NotYet);
    stage.add_plan("home", json!({})).await;
    let run = stage.ask("home").await;
    stage.until(run, RunState::Running).await;
    stage.engine.remove_plan("home").await.expect("removed");
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
    }
    assert!(!stage.world.keeps_waiting("first"));
    while stage.engine.at_work.has(run) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn somebody_who_asks_again_makes_the_run_go_on_that_had_begun() {
    let stage = Stage::new().await;
    let schedule = json!({"cron": "0 * * * *", "timezone": "UTC"});
    stage.add_plan("home", json!({"schedule": schedule})).await;
    let plan = stage.engine.plan("home").await.expect("a plan").id;
    let (store, now) = (&stage.engine.store, stage.clock.now());
    // The clock was set back between the two: the older one has the larger id.
    let new = |number| crate::store::NewRun {
        run: RunId(uuid::Uuid::from_u128(number)),
        plan,
        trigger: crate::run::Trigger::Schedule,
        scheduled_for: None,
        start_after: None,
        options: crate::run::RunOptions::default(),
    };
    let (younger, older) = (new(1), new(2));
    store.ask_for_run(&older, now).await.expect("asked");
    store.begin_attempt(older.run, "nobody", now, now).await.expect("begun");
    store.insert_another(&younger, now).await;
    store.recover(|_| false, now).await.expect("recovered");
    assert_eq!(stage.ask("home").await, older.run);
}

#[tokio::test]
async fn shutting_down_leaves_runs_in_the_queue_and_the_next_start_goes_on() {
    // I2
    let stage = Stage::new().await;
    stage.answer(Answers::NotYet);
    stage.add_plan("home", json!({})).await;
    let run = stage.ask("home").await;
    let Stage { engine, scheduler, world, clock, folder } = stage;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let at_work = tokio::spawn(scheduler.run_until(async { drop(stopped.await) }));
    while !world.keeps_waiting("first") {
        tokio::task::yield_now().await;
    }
    stop.send(()).expect("it listens");
    at_work.await.expect("it does not panic").expect("it ends well");
    let scheduler = engine.scheduler(SchedulerSettings::default()).await.expect("a scheduler");
    let stage = Stage { engine, scheduler, world, clock, folder };
    let record = stage.record(run).await;
    assert_eq!((record.state, record.attempts), (RunState::Queued, 1));
    assert!(record.stop.expect("a reason").message.starts_with("the program was stopped"));
    let mut stage = stage.restart().await;
    stage.answer(Answers::Well);
    assert_eq!(stage.until(run, RunState::Succeeded).await.attempts, 2);
}

#[tokio::test]
async fn two_who_ask_for_runs_at_the_same_time_do_not_take_the_runs_of_each_other_for_left() {
    // I2
    let stage = Stage::new().await;
    let config = super::map(json!({"client": "ours", "token": "second"}));
    stage.engine.add_storage("other", "fake", config).await.expect("a storage");
    stage.add_plan("home", json!({})).await;
    stage.add_plan("away", json!({"storage": "other"})).await;
    let Stage { engine, scheduler, folder, .. } = stage;
    drop(scheduler);
    for round in 1..=20 {
        let (home, away) = (engine.start("home"), engine.start("away"));
        let (home, away) = tokio::join!(home, away);
        let (home, away) = tokio::join!(home.expect("a run").finished(), away.expect("a run").finished());
        for summary in [home.expect("its end"), away.expect("its end")] {
            assert_eq!((summary.state, summary.attempts), (RunState::Succeeded, 1), "in round {round}");
        }
    }
    drop(folder);
}
