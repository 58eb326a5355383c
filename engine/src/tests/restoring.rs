//! Restores to another account, on a small quota and in its lane.

use std::{collections::BTreeMap, sync::Arc};

use charon_provider::Class;
use serde_json::json;

use super::{Place, map};
use crate::{
    clock::ManualClock,
    ids::StorageId,
    job::{Job, RestoreJob, RestoreSelection, RestoreTo},
    run::{RunOptions, RunState, Summary, Trigger},
    store::LiveRun,
};

/// Photos of `family` at home, and the account of `aunt`, who has fifty requests a day, of which runs leave twelve to people.
async fn at_home(items: usize) -> (Place, Arc<ManualClock>, StorageId) {
    let clock = Arc::new(ManualClock::at("2026-11-21T12:00:00Z".parse().expect("a time")));
    let place = Place::with_clock(clock.clone()).await;
    for (name, limit, project) in [("family", 10_000, "1"), ("aunt", 50, "2")] {
        let config = json!({"client": "ours", "token": name, "limit": limit, "project": project, "idle_seconds": 3_600});
        place.engine.add_storage(name, "fake", map(config)).await.expect("a storage");
    }
    place.world.fill("family", items);
    place.add_backup().await;
    assert_eq!(place.run("home").await.items.done, items as u64);
    place.world.requests();
    let aunt = place.engine.storage("aunt").await.expect("a storage").id;
    (place, clock, aunt)
}

fn to(target: RestoreTo) -> RunOptions {
    let job = Job::Restore(RestoreJob { target, selection: RestoreSelection::default() });
    RunOptions { job, ..RunOptions::default() }
}

async fn restore(place: &Place, storage: StorageId) -> (Summary, BTreeMap<&'static str, usize>) {
    let run = place.engine.start_with("home", to(RestoreTo::Storage(storage))).await.expect("a run");
    let summary = run.finished().await.expect("its end");
    let mut asked = BTreeMap::new();
    for request in place.world.requests() {
        *asked.entry(request).or_default() += 1;
    }
    (summary, asked)
}

#[tokio::test]
async fn a_restore_of_three_days_sends_each_day_what_it_can_commit_and_goes_on() {
    // I7
    let (place, clock, aunt) = at_home(80).await;
    let plan = place.engine.plan("home").await.expect("a plan").id;
    let job = RestoreJob { target: RestoreTo::Storage(aunt), selection: RestoreSelection::default() };
    let preview = place.engine.preview_restore(plan, &job).await.expect("a preview");
    let estimate = preview.estimate.expect("an estimate");
    assert_eq!(estimate.sentence(), "80 items, 88 requests, about 3 days");
    assert_eq!((estimate.new, preview.unchanged), (80, 0));
    for (day, sent, looked_up) in [(1, 34, 0), (2, 67, 1)] {
        let (summary, asked) = restore(&place, aunt).await;
        assert_eq!((summary.state, summary.items.failed), (RunState::Parked, 0), "{summary:#?}");
        assert_eq!(summary.errors[0].class, Some(Class::Quota));
        assert_eq!(asked.values().sum::<usize>(), 38, "all that runs have on day {day}: {asked:?}");
        assert_eq!(asked.get("confirm").copied().unwrap_or_default(), looked_up);
        assert_eq!(
            (summary.items.done, place.world.items_of("aunt").len()),
            (sent, usize::try_from(sent).expect("few"))
        );
        let until = summary.parked_until.expect("when it goes on");
        clock.advance(until.duration_since(place.engine.clock.now()).unsigned_abs());
    }
    let (summary, asked) = restore(&place, aunt).await;
    assert_eq!((summary.state, summary.items.done), (RunState::Succeeded, 80), "{summary:#?}");
    assert_eq!((asked["send"], summary.items.unchanged, summary.attempts), (13, 0, 3), "one run, all days");
    assert_eq!(place.world.items_of("aunt").len(), 80, "nothing twice");
}

#[tokio::test]
async fn a_restore_waits_in_the_lane_of_the_account_that_it_sends_to() {
    // I8
    let (place, _, aunt) = at_home(2).await;
    let engine = &place.engine;
    let pictures = place.folder.path().join("pictures");
    std::fs::create_dir_all(&pictures).expect("a folder");
    let plan = json!({"kind": "upload", "storage": "aunt", "sources": [pictures]});
    engine.add_plan("out", map(plan)).await.expect("a plan");
    engine.ask_for_run("out", Trigger::Manual, RunOptions::default()).await.expect("a run");
    let folder = RestoreTo::Folder(place.folder.path().join("back"));
    for target in [RestoreTo::Storage(aunt), folder] {
        engine.ask_for_run("home", Trigger::Manual, to(target)).await.expect("a run");
    }
    let live = engine.store.live_runs().await.expect("the queue");
    let of = |is_it: &dyn Fn(&LiveRun) -> bool| live.iter().find(|run| is_it(run)).expect("it waits");
    let upload = of(&|run| run.options.job.is_plan());
    let to_aunt = of(&|run| run.options.job.other_storage().is_some());
    let to_folder = of(&|run| !run.options.job.needs_storage());
    assert_eq!((to_aunt.storage, &to_aunt.lane), (aunt, &upload.lane));
    assert_ne!(to_folder.lane, upload.lane);
    let refused = engine.remove_storage("aunt").await.expect_err("it is in use").to_string();
    assert!(refused.contains("is used by out"), "{refused}");
    engine.remove_plan("out").await.expect("removed");
    let refused = engine.remove_storage("aunt").await.expect_err("it is in use").to_string();
    assert!(refused.contains("a restore of the plan home sends to the storage aunt"), "{refused}");
    engine.cancel_run(to_aunt.run).await.expect("cancelled");
    engine.remove_storage("aunt").await.expect("removed");
}
