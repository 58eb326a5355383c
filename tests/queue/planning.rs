//! `charon plan pause|resume|update` while `charon serve` is at work, and schedules that are refused.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{backup, of, succeeded};
use crate::{
    command_line::assert_failed,
    support::{Ended, Place, time},
};

const EVERY_SECOND: &str = "* * * * * *";
const NEVER_SOON: &str = "0 0 29 2 *";

/// The plan `home` with this schedule, and the plan `clock`, which is due every second and so shows that time goes by.
async fn beside_a_clock(cron: &str) -> Place {
    let place = Place::new().await;
    place.seed(2);
    place.add_storage().await;
    place.add_plan("home", &backup(&place, "family", "mirror", cron)).await;
    place.add_plan("clock", &backup(&place, "family", "clock", EVERY_SECOND)).await;
    place
}

/// Waits until the clock has run for three moments later than this, and gives all runs.
async fn three_ticks_after(place: &Place, moment: Timestamp) -> Vec<Value> {
    let ticks = |runs: &[Value]| {
        let later = |run: &&&Value| time(&run["scheduled_for"]) > moment && run["state"] == "succeeded";
        of(runs, "clock").iter().filter(later).count()
    };
    place.until_runs("three ticks", |runs| ticks(runs) >= 3).await
}

/// The moments for which the plan `home` has had runs.
fn moments(runs: &[Value]) -> Vec<Timestamp> {
    of(runs, "home").iter().map(|run| time(&run["scheduled_for"])).collect()
}

async fn update(place: &Place, cron: &str) -> Ended {
    let config = backup(place, "family", "mirror", cron);
    let ended = place.charon_with(&["plan", "update", "home", "--config", "-", "--json"], &config).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended
}

#[tokio::test]
async fn an_edited_schedule_takes_effect_at_once() {
    let place = beside_a_clock(NEVER_SOON).await;
    let serving = place.serve().await;
    let runs = three_ticks_after(&place, place.world().now()).await;
    assert!(moments(&runs).is_empty(), "it is not due: {runs:#?}");

    let before = place.world().now();
    let updated = update(&place, "@every 1s").await.json();
    let after = place.world().now();
    assert_eq!(updated["schedule"]["cron"], "@every 1s", "{updated:#}");
    let runs = place.until_runs("a run", |runs| !of(runs, "home").is_empty()).await;
    let first = of(&runs, "home").pop().expect("a run");
    let soon = after + Duration::from_secs(2);
    assert!(time(&first["queued_at"]) <= soon, "updated at {after}: {first:#}");
    assert!(time(&first["scheduled_for"]) > before, "what was before is not missed: {first:#}");

    update(&place, NEVER_SOON).await;
    let updated = place.world().now();
    let runs = three_ticks_after(&place, updated).await;
    let moments = moments(&runs);
    assert!(moments.iter().all(|moment| *moment <= updated), "not due any more at {updated}: {moments:?}");
    serving.stop().await;
}

#[tokio::test]
async fn a_plan_whose_schedule_is_paused_is_not_due_and_nothing_is_made_up_for() {
    // I3
    let place = beside_a_clock(EVERY_SECOND).await;
    let serving = place.serve().await;
    place.until_runs("a run", |runs| succeeded(runs, "home") >= 1).await;
    let paused = place.done(&["plan", "pause", "home", "--json"]).await.json();
    let since = place.world().now();
    assert!(time(&paused["paused_at"]) <= since && paused.get("next_at").is_none(), "{paused:#}");
    three_ticks_after(&place, since).await;
    assert!(place.done(&["plan", "list"]).await.stdout.contains("paused"));

    let until = place.world().now();
    let resumed = place.done(&["plan", "resume", "home", "--json"]).await.json();
    assert!(resumed.get("paused_at").is_none() && time(&resumed["next_at"]) > until, "{resumed:#}");
    let is_later = |runs: &[Value]| moments(runs).iter().any(|moment| *moment > until);
    let runs = place.until_runs("a run after the pause", is_later).await;
    let in_the_pause = |moment: &Timestamp| since < *moment && *moment <= until;
    assert!(!moments(&runs).iter().any(in_the_pause), "{since} to {until}: {runs:#?}");

    // A pause may end by itself.
    let until = place.world().now() + Duration::from_secs(3);
    let paused = place.done(&["plan", "pause", "home", "--until", &until.to_string(), "--json"]).await.json();
    let since = place.world().now();
    assert_eq!(time(&paused["paused_until"]), until);
    let is_later = |runs: &[Value]| moments(runs).iter().any(|moment| *moment > until);
    let runs = place.until_runs("a run after the pause", is_later).await;
    let in_the_pause = |moment: &Timestamp| since < *moment && *moment <= until;
    assert!(!moments(&runs).iter().any(in_the_pause), "{since} to {until}: {runs:#?}");
    serving.stop().await;

    let ended = place.charon(&["plan", "pause", "home", "--until", "2020-01-01T00:00:00Z"]).await;
    assert_failed(&ended, 2, &["a pause ends in the future"]);
    for verb in ["pause", "resume"] {
        assert_failed(&place.charon(&["plan", verb, "hom"]).await, 1, &["there is no plan named hom"]);
    }
}

#[tokio::test]
async fn a_schedule_that_is_wrong_is_refused_with_the_field() {
    let place = Place::new().await;
    place.add_storage().await;
    let plan = |more: Value| {
        let mut plan = json!({"kind": "backup", "storage": "family", "destination": place.path("mirror")});
        plan.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        plan
    };
    let cases = [
        (json!({"schedule": {"cron": "61 * * * *"}}), &["schedule/cron: "][..]),
        (json!({"schedule": {"cron": "* * *"}}), &["schedule/cron: ", "it has 3 fields"]),
        (json!({"schedule": {"cron": ""}}), &["schedule/cron: "]),
        (json!({"schedule": {"timezone": "UTC"}}), &["schedule/cron: "]),
        (
            json!({"schedule": {"cron": "@daily", "timezone": "Europe/Nowhere"}}),
            &["schedule/timezone: there is no time zone \"Europe/Nowhere\""],
        ),
        (json!({"schedule": {"cron": "@daily", "windows": ["25:00-26:00"]}}), &["schedule/windows: "]),
        (json!({"schedule": {"cron": "@daily", "missed": "perhaps"}}), &["schedule/missed: "]),
        (json!({"schedule": {"cron": "@daily", "overlap": "perhaps"}}), &["schedule/overlap: "]),
        (json!({"schedule": {"cron": "@daily", "cronn": "@daily"}}), &["schedule/cronn: "]),
        (
            json!({"schedule": {"cron": "@often", "timezone": "Nowhere", "windows": ["never"]}}),
            &["schedule/cron: ", "schedule/timezone: ", "schedule/windows: "],
        ),
        (json!({"policy": {"time_limit_minutes": 0}}), &["policy/time_limit_minutes: "]),
        (json!({"policy": {"retries": 21}}), &["policy/retries: "]),
        (json!({"policy": {"overdue_days": 0}}), &["policy/overdue_days: "]),
    ];
    for (more, words) in &cases {
        let ended = place.charon_with(&["plan", "add", "home", "--config", "-"], &plan(more.clone())).await;
        assert_failed(&ended, 2, words);
        assert_eq!(
            ended.stderr.matches("there is no time zone").count(),
            words.concat().matches("timezone").count()
        );
    }
    assert_eq!(place.done(&["plan", "list", "--json"]).await.json(), json!([]), "nothing is left");
    assert!(!place.path("mirror").exists());

    let good = json!({"schedule": {"cron": "30 2 * * *", "timezone": "Europe/Berlin", "windows": ["01:00-06:00"],
        "missed": "run_once", "overlap": "skip"}, "policy": {"time_limit_minutes": 120, "retries": 3, "overdue_days": 3}});
    place.add_plan("home", &plan(good.clone())).await;
    for (more, words) in &cases {
        let ended =
            place.charon_with(&["plan", "update", "home", "--config", "-"], &plan(more.clone())).await;
        assert_failed(&ended, 2, words);
    }
    let shown = place.done(&["plan", "show", "home", "--json"]).await.json();
    assert_eq!(shown["policy"], good["policy"]);
    for (field, value) in good["schedule"].as_object().expect("an object") {
        assert_eq!(&shown["schedule"][field], value, "{field}");
    }
    time(&shown["next_at"]);
    let said = place.done(&["plan", "show", "home"]).await.stdout;
    for words in
        ["due: 30 2 * * * in Europe/Berlin", "at work only: 01:00-06:00", "a run ends after 120 minutes"]
    {
        assert!(said.contains(words), "{words}: {said}");
    }
}
