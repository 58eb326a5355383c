//! The dashboard, the failures by cause and the log, of runs that were really made.

use charon_provider::Class;
use jiff::tz::TimeZone;
use serde_json::json;

use super::{Place, config, fake::Answers, map, scheduling::Stage};
use crate::{
    dashboard::{Cure, Dashboard, DayVerdict, Tone},
    run::{Outcome, RunState},
};

async fn dashboard(engine: &crate::Engine) -> Dashboard {
    engine.dashboard(&TimeZone::UTC).await.expect("a dashboard")
}

/// The same, once what is home has been counted.
async fn counted(engine: &crate::Engine, items: u64) -> Dashboard {
    let get_there = async {
        loop {
            let told = dashboard(engine).await;
            if told.plans.iter().all(|plan| plan.items_home == Some(items)) {
                return told;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), get_there).await.expect("it is counted")
}

async fn log_of(engine: &crate::Engine, run: crate::RunId) -> String {
    let mut log = engine.run_log(run).await.expect("a log");
    let mut text = String::new();
    while let Some(page) = log.next_page().await.expect("a page") {
        text += &page;
    }
    text
}

#[tokio::test]
async fn the_sentence_is_true_before_a_run_after_it_and_when_more_is_there() {
    // I10
    let place = Place::new().await;
    let told = dashboard(&place.engine).await;
    assert!(told.sentence.text.starts_with("Nothing is backed up yet: there is no plan."), "{told:?}");
    place.world.fill("first", 12);
    place.add_storage("first").await;
    place.add_backup().await;
    let told = counted(&place.engine, 0).await;
    assert!(told.sentence.text.starts_with("Nothing is backed up yet: there was no run."), "{told:?}");
    assert_eq!(told.plans[0].shown, None);

    let run = place.run("home").await;
    let told = counted(&place.engine, 12).await;
    assert_eq!(
        told.sentence.text,
        "All 12 items that Fake shows Charon are backed up. Last good run just now, the next one runs when you ask for it."
    );
    let plan = &told.plans[0];
    assert_eq!(
        (plan.shown, plan.safe, plan.failed, plan.items_home),
        (Some(12), Some(12), Some(0), Some(12))
    );
    assert_eq!(plan.bytes_home, Some(run.bytes));
    assert_eq!((plan.strip.len(), told.days.len()), (30, 90));
    let today = plan.strip.last().expect("today");
    assert_eq!((today.verdict, today.runs, today.newest), (DayVerdict::Good, 1, Some(run.run)));
    assert_eq!(plan.strip[0].verdict, DayVerdict::Before);
    let day = told.days.last().expect("today");
    assert_eq!((day.items, day.bytes, day.runs, day.failed), (12, run.bytes, 1, 0));

    // A quick listing shows only what is new, and counts what is behind it.
    place.world.fill("first", 15);
    place.run("home").await;
    let told = counted(&place.engine, 15).await;
    assert!(told.sentence.text.starts_with("All 15 items that"), "{told:?}");
    // Only the scheduler is missing.
    let titles: Vec<&str> = told.attention.iter().map(|one| one.title.as_str()).collect();
    assert_eq!(titles, ["Charon itself is not well"]);
}

#[tokio::test]
async fn an_account_that_lets_nobody_in_is_told_with_its_cure_and_is_well_afterwards() {
    let mut stage = Stage::new().await;
    stage.world.fill("first", 3);
    stage.add_plan("home", json!({"policy": {"overdue_days": 2}})).await;
    let run = stage.ask("home").await;
    stage.until(run, RunState::Succeeded).await;
    stage.minutes_later(1);
    stage.answer(Answers::With(Class::Auth));
    let broken = stage.ask("home").await;
    stage.until(broken, RunState::Parked).await;
    stage.minutes_later(50 * 60);
    let told = dashboard(&stage.engine).await;
    assert_eq!(told.sentence.tone, Tone::Bad);
    assert!(told.sentence.text.contains("A run waits for you: "), "{}", told.sentence.text);
    assert!(
        told.sentence.text.contains("Overdue: there has been no good run for 2 days."),
        "{}",
        told.sentence.text
    );
    let cures: Vec<&Cure> = told.attention.iter().map(|one| &one.cure).collect();
    let storage = stage.engine.storage("family").await.expect("a storage").id;
    assert!(cures.contains(&&Cure::Reconnect { storage }), "{:?}", told.attention);
    assert_eq!((told.live.len(), told.live[0].run), (1, broken));
    assert!(told.live[0].waiting.as_ref().expect("what for").starts_with("you: "));

    stage.answer(Answers::Well);
    stage.engine.update_storage("family", config("first")).await.expect("connected");
    stage.until(broken, RunState::Succeeded).await;
    let told = dashboard(&stage.engine).await;
    assert_eq!(told.sentence.tone, Tone::Good, "{}", told.sentence.text);
    assert!(told.sentence.text.starts_with("All 3 items that Fake shows Charon are backed up."), "{told:?}");
    // The scheduler of this test is turned by hand.
    let cures: Vec<&Cure> = told.attention.iter().map(|one| &one.cure).collect();
    assert_eq!(cures, [&Cure::LookAtLog]);
    let verdicts: Vec<DayVerdict> = told.plans[0].strip[27..].iter().map(|day| day.verdict).collect();
    assert_eq!(verdicts, [DayVerdict::Good, DayVerdict::Nothing, DayVerdict::Nothing]);
}

#[tokio::test]
async fn what_failed_is_told_by_cause_and_in_the_log_and_no_more_once_it_is_mended() {
    // I9
    let place = Place::new().await;
    place.add_storage("first").await;
    let out = place.upload_plan();
    place.engine.add_plan("out", out).await.expect("a plan");
    let pictures = place.folder.path().join("pictures");
    for number in 0..3 {
        std::fs::write(pictures.join(format!("empty-{number}.jpg")), "").expect("a file");
    }
    std::fs::write(pictures.join("a.jpg"), [0xff, 0xd8, 0xff, 0xe0, 1]).expect("a picture");
    std::fs::write(pictures.join("letter.txt"), "to my aunt").expect("a file");
    let run = place.run("out").await;
    assert_eq!((run.state, run.items.failed), (RunState::Partial, 3));
    let failures = place.engine.run_failures(run.run).await.expect("failures");
    assert_eq!((failures.causes.len(), failures.looked_at, failures.is_cut), (1, 3, false));
    let cause = &failures.causes[0];
    assert_eq!((cause.items, cause.class, cause.examples.len()), (3, Some(Class::Item), 3));
    assert!(!cause.reason.contains("empty-"), "{}", cause.reason);

    let log = log_of(&place.engine, run.run).await;
    for line in [
        format!("run {}\nplan out\ntrigger manual\nstate partial\n", run.run),
        "attempt 1 has begun\n".into(),
        "it ended as partial\n".into(),
        "\nfailed items:\n".into(),
        "empty-2.jpg (item): ".into(),
        "\nskipped items:\n".into(),
        "letter.txt: ".into(),
    ] {
        assert!(log.contains(&line), "{line:?} in {log}");
    }
    let skipped = crate::ItemFilter { outcome: Some(Outcome::Skipped), after: None };
    assert_eq!(place.engine.run_items(run.run, &skipped, 10).await.expect("items").len(), 1);

    let told = dashboard(&place.engine).await;
    assert!(
        told.sentence
            .text
            .starts_with("1 of the 4 files in the folders is at the storage family: 3 failed ("),
        "{}",
        told.sentence.text
    );
    assert!(told.sentence.text.contains("; 1 more is left out, for a reason."), "{}", told.sentence.text);
    assert!(
        told.attention.iter().any(|one| one.cure == Cure::RetryFailed { run: run.run }),
        "{:?}",
        told.attention
    );
    // They are mended, and tried again.
    for number in 0..3 {
        let picture = [0xff, 0xd8, 0xff, 0xe0, 2, number];
        std::fs::write(pictures.join(format!("empty-{number}.jpg")), picture).expect("a picture");
    }
    let again = place.engine.retry_failed(run.run).await.expect("a run");
    place.engine.follow_run(again).await.expect("a run").finished().await.expect("its end");
    let told = dashboard(&place.engine).await;
    assert!(
        told.sentence
            .text
            .starts_with("All 4 files in the folders are at the storage family; 1 more is left out"),
        "{}",
        told.sentence.text
    );
    assert_eq!(told.plans[0].bytes_home, None);
}

#[tokio::test]
async fn a_channel_that_is_deaf_and_a_plan_that_is_paused_call_for_somebody() {
    let stage = Stage::new().await;
    stage.add_plan("home", json!({"schedule": {"cron": "@daily", "timezone": "UTC"}})).await;
    stage.engine.pause_plan("home", None).await.expect("paused");
    let nobody = map(json!({"url": "http://127.0.0.1:1/hook"}));
    let choice = crate::ChannelChoice {
        events: Some(vec![crate::NoticeEvent::Overdue]),
        ..crate::ChannelChoice::default()
    };
    stage.engine.add_channel("hook", "webhook", nobody, choice).await.expect("a channel");
    let told = dashboard(&stage.engine).await;
    let titles: Vec<&str> = told.attention.iter().map(|one| one.title.as_str()).collect();
    assert!(titles.contains(&"The plan home is paused"), "{titles:?}");
    assert!(!titles.iter().any(|title| title.contains("hook")), "nothing was told to it: {titles:?}");
    assert_eq!(told.plans[0].next_at, None);
}
