//! Plans by their ids: changes that know what they change, previews of what is not saved, and what comes next.

use charon_schema::ConfigSchema;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Place, map};
use crate::{PlanChange, PlanConfig, error::Error, ids::PlanId, run::RunState};

impl Place {
    fn backup_plan(&self, more: Value) -> serde_json::Map<String, Value> {
        let mut plan =
            json!({"kind": "backup", "storage": "family", "destination": self.folder.path().join("mirror")});
        plan.as_object_mut().expect("an object").extend(map(more));
        map(plan)
    }
}

fn wrong(error: &Error) -> Vec<(String, String)> {
    let Error::Config { mistakes, .. } = error else { panic!("{error}") };
    mistakes.0.iter().map(|mistake| (mistake.pointer.clone(), mistake.reason.clone())).collect()
}

fn to(config: serde_json::Map<String, Value>, seen: Option<i64>) -> PlanChange {
    PlanChange { name: None, config, seen }
}

#[tokio::test]
async fn only_the_version_that_was_seen_is_changed() {
    let place = Place::new().await;
    place.add_storage("first").await;
    let seen = place.engine.add_plan("home", place.backup_plan(json!({}))).await.expect("a plan");
    let config = place.backup_plan(json!({"full_listing_hours": 7}));
    let changed = place.engine.change_plan(seen.id, to(config.clone(), Some(seen.revision))).await;
    let changed = changed.expect("the version that was seen");
    assert!(changed.revision > seen.revision);
    let late = place.engine.change_plan(seen.id, to(config.clone(), Some(seen.revision))).await;
    assert!(matches!(late, Err(Error::Changed { .. })), "{late:?}");
    let paused = place.engine.pause_plan_by_id(seen.id, None).await.expect("paused");
    assert!(paused.paused_at.is_some() && paused.revision > changed.revision);
    let late = place.engine.remove_plan_by_id(seen.id, Some(changed.revision)).await;
    assert!(matches!(late, Err(Error::Changed { .. })), "{late:?}");
    let resumed = place.engine.resume_plan_by_id(seen.id).await.expect("resumed");
    place.engine.change_plan(seen.id, to(config, None)).await.expect("whichever there is");
    assert_eq!(resumed.paused_at, None);
    place.engine.remove_plan_by_id(seen.id, None).await.expect("removed");
    let gone = place.engine.plan_by_id(seen.id).await;
    assert!(matches!(gone, Err(Error::Unknown { what: "plan", .. })), "{gone:?}");
}

#[tokio::test]
async fn a_plan_that_is_not_saved_is_estimated_and_leaves_nothing_behind() {
    // I10
    let place = Place::new().await;
    place.world.fill("first", 12);
    place.add_storage("first").await;
    let preview = place.engine.preview_plan(place.backup_plan(json!({}))).await.expect("an estimate");
    assert_eq!((preview.items, preview.new, preview.days), (12, 12, 1));
    assert!(place.engine.plans().await.expect("a list").is_empty(), "it is not saved");
    assert!(!place.folder.path().join("mirror").exists(), "nothing is made");
    place.add_backup().await;
    let summary = place.run("home").await;
    assert_eq!((summary.state, summary.items.done), (RunState::Succeeded, preview.new));

    // A change of it knows what is home.
    let id = place.engine.plan("home").await.expect("a plan").id;
    let same = place.engine.preview_change(id, None).await.expect("an estimate");
    assert_eq!((same.items, same.new), (12, 0));
    let config = place.backup_plan(json!({"selection": {"start_year": 2090}}));
    let changed = place.engine.preview_change(id, Some(config)).await.expect("an estimate");
    assert_eq!((changed.new, place.engine.plan("home").await.expect("a plan").id), (0, id));
    let moved = place.backup_plan(json!({"destination": "/elsewhere"}));
    let refused = place.engine.preview_change(id, Some(moved)).await.expect_err("its mirror stays");
    assert_eq!(wrong(&refused)[0].0, "/destination");

    // A folder that is in use is told before anything is listed.
    place.world.requests();
    let full = place.folder.path().join("full");
    std::fs::create_dir(&full).expect("a folder");
    std::fs::write(full.join("a.jpg"), "a").expect("a file");
    let plan = place.backup_plan(json!({"destination": full}));
    let refused = place.engine.preview_plan(plan).await.expect_err("it is not empty");
    assert!(wrong(&refused)[0].1.contains("is not empty"), "{refused}");
    assert_eq!(place.world.requests(), [""; 0]);
}

#[tokio::test]
async fn an_upload_that_is_not_saved_is_estimated() {
    let place = Place::new().await;
    place.add_storage("first").await;
    let plan = place.upload_plan();
    let picture = [b"\xff\xd8\xff\xe0".as_slice(), &[0; 60]].concat();
    std::fs::write(place.folder.path().join("pictures/a.jpg"), picture).expect("a file");
    let preview = place.engine.preview_plan(plan).await.expect("an estimate");
    assert_eq!((preview.items, preview.new, preview.bytes), (1, 1, Some(64)));
    assert!(place.engine.plans().await.expect("a list").is_empty());
}

#[tokio::test]
async fn what_comes_next_is_told_with_the_reason_where_nothing_does() {
    let place = Place::new().await;
    place.add_storage("first").await;
    let engine = &place.engine;
    let id = engine.add_plan("home", place.backup_plan(json!({}))).await.expect("a plan").id;
    let none = engine.upcoming(id, 5).await.expect("it is there");
    assert!(none.times.is_empty() && none.reason.expect("why").contains("no schedule"));

    let schedule = json!({"cron": "0 3 * * *", "timezone": "Europe/Berlin", "jitter_minutes": 10,
        "windows": ["04:00-06:00"]});
    let config = place.backup_plan(json!({"schedule": schedule}));
    engine.change_plan(id, to(config, None)).await.expect("a schedule");
    let next = engine.upcoming(id, 5).await.expect("it is there");
    assert_eq!(next.words.as_deref(), Some("every day at 03:00 in Europe/Berlin"));
    assert_eq!((next.times.len(), next.reason, next.notes.len()), (5, None, 2));
    assert!(next.times[0].local.contains("03:00:00 +0"), "{}", next.times[0].local);
    let begins = next.times[0].begins_at.expect("its window opens");
    assert_eq!(begins.duration_since(next.times[0].due_at), SignedDuration::from_hours(1));

    let now = place.clock.now();
    let until = now.checked_add(SignedDuration::from_hours(100)).expect("a time");
    engine.pause_plan_by_id(id, Some(until)).await.expect("paused");
    let paused = engine.upcoming(id, 1).await.expect("it is there");
    assert!(paused.times[0].due_at > until && paused.notes[0].contains("paused until"), "{paused:?}");
    engine.pause_plan_by_id(id, None).await.expect("paused");
    let paused = engine.upcoming(id, 1).await.expect("it is there");
    assert!(paused.times.is_empty() && paused.reason.expect("why").contains("paused"));
    let unknown =
        engine.upcoming("018f3a5e-0000-7000-8000-000000000001".parse::<PlanId>().expect("an id"), 1).await;
    assert!(matches!(unknown, Err(Error::Unknown { .. })));
    assert!(engine.occurrences_by_id(id, (Timestamp::MIN, Some(now)), 5).await.expect("a list").is_empty());
}

#[tokio::test]
async fn a_schedule_is_explained_before_it_is_saved() {
    let place = Place::new().await;
    let explain = |schedule: Value| place.engine.explain_schedule(map(schedule), 5);
    let told =
        explain(json!({"cron": "@every 6h", "timezone": "UTC", "jitter_minutes": "5"})).expect("right");
    assert_eq!((told.words.as_deref(), told.times.len()), (Some("every 6 hours"), 5));
    assert_eq!(told.times[0].begins_at, None, "its jitter depends on the plan");
    for (schedule, pointer, words) in [
        (json!({}), "/cron", "is missing"),
        (json!({"cron": "61 * * * *"}), "/cron", "in the minute (field 1)"),
        (json!({"cron": "0 0 31 2 *", "timezone": "UTC"}), "/cron", "is never due"),
        (json!({"cron": "@daily", "timezone": "Nowhere"}), "/timezone", "no time zone"),
        (json!({"cron": "@daily", "windows": ["never"]}), "/windows", "never"),
    ] {
        let mistakes = explain(schedule.clone()).expect_err("wrong").0;
        assert_eq!(mistakes[0].pointer, pointer, "{schedule}");
        assert!(mistakes[0].reason.contains(words), "{}", mistakes[0].reason);
    }
}

#[tokio::test]
async fn a_schedule_that_is_never_due_is_refused_where_it_is_entered() {
    let place = Place::new().await;
    place.add_storage("first").await;
    let plan = place.backup_plan(json!({"schedule": {"cron": "0 3 31 2 *", "timezone": "UTC"}}));
    let refused = place.engine.add_plan("home", plan).await.expect_err("no such day");
    let mistakes = wrong(&refused);
    assert_eq!(mistakes[0].0, "/schedule/cron");
    assert!(mistakes[0].1.contains("choose another day"), "{}", mistakes[0].1);
}

#[tokio::test]
async fn a_plan_is_what_its_schema_says() {
    let place = Place::new().await;
    place.add_storage("first").await;
    let more = json!({"schedule": {"cron": "@daily"}, "selection": {"albums": "every"}, "commands": {"before": "true"}});
    let schema = ConfigSchema::of::<PlanConfig>();
    for config in [place.backup_plan(more), place.upload_plan()] {
        let config = PlanConfig::read(config).expect("a plan");
        let json = serde_json::to_value(&config).expect("JSON");
        assert_eq!(schema.validate(&json), Ok(()), "{json}");
        assert!(PlanConfig::schema(config.kind()).is_some());
    }
    assert!(schema.validate(&json!({"kind": "backup"})).is_err());
    assert!(PlanConfig::schema("sync").is_none());
}
