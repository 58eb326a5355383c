//! `charon run` beside a live `charon serve`: it asks, follows, and stops what it has asked for.

use std::fs;

use gphotos_emulator::{Action, Fault, Limit};
use serde_json::json;

use super::{due_every_second, until_succeeded};
use crate::{
    crash::{assert_runs, counts, done_of, hold_up_downloads, signal, slow},
    support::{Ended, Place, picture, time, told},
};

#[tokio::test]
async fn a_run_that_is_asked_for_is_done_by_serve_and_followed_to_its_end() {
    let place = Place::with(slow()).await;
    place.seed(120);
    place.add_backup().await;
    fs::create_dir(place.path("pictures")).expect("a folder");
    fs::write(place.path("pictures/empty.jpg"), "").expect("a file");
    fs::write(place.path("pictures/good.jpg"), picture(1)).expect("a picture");
    let out = json!({"kind": "upload", "storage": "family", "sources": [place.path("pictures")]});
    place.add_plan("out", &out).await;
    let serving = place.serve().await;

    let ended = place.charon(&["run", "home", "--json"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("the charon that runs plans on this data directory"), "{ended:?}");
    let summary = ended.json();
    assert_eq!((&summary["items"], &summary["trigger"]), (&counts(120, 0), &json!("manual")), "{summary:#}");
    assert_eq!((&summary["attempts"], &summary["listing"]), (&json!(1), &json!("full")));
    let stats = place.world().stats();
    let methods = ["mediaItems.list", "mediaItems.search", "albums.list", "media.bytes", "oauth.token"];
    let asked: u64 = methods.map(|method| stats.count(method)).iter().sum();
    assert_eq!(summary["requests"], asked);
    place.assert_mirror_is_complete();

    // The exit code tells how it ended, as ever.
    let (code, summary) = place.run("out").await;
    assert_eq!((code, &summary["state"]), (3, &json!("partial")), "{summary:#}");
    assert_eq!(summary["errors"][0]["item"], "empty.jpg");
    let spent = Action::TooManyRequests { limit: Limit::AllRequestsPerDay, retry_after_seconds: None };
    place.fault(Fault::always(spent));
    let (code, parked) = place.run("home").await;
    assert_eq!((code, &parked["state"]), (4, &json!("parked")), "{parked:#}");
    assert!(time(&parked["parked_until"]) > place.world().now());
    let waiting = place.runs().await[0]["waiting"].clone();
    assert!(waiting.as_str().is_some_and(|waiting| waiting.starts_with("budget until ")), "{waiting}");

    // One that is parked goes on at once when somebody asks for it.
    place.world().clear_faults();
    // The day is not spent after all, as a test shows.
    place.test_passes().await;
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["run"], &summary["attempts"]), (0, &parked["run"], &json!(2)), "{summary:#}");
    serving.stop().await;
    assert_runs(&place, &[("succeeded", 2), ("partial", 1), ("succeeded", 1)]).await;
}

#[tokio::test]
async fn ctrl_c_stops_the_run_that_this_command_has_asked_for() {
    let place = Place::with(slow()).await;
    place.seed(120);
    place.add_backup().await;
    hold_up_downloads(&place);
    let serving = place.serve().await;
    let child = place.spawn(&["run", "home", "--json"]);
    place.until("downloads", |stats| stats.count("media.bytes") >= 30).await;
    signal(&child, "INT").await;
    let ended: Ended = child.wait_with_output().await.expect("it ends").into();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert_eq!(ended.json()["state"], "cancelled");
    assert_runs(&place, &[("cancelled", 1)]).await;

    // Serve is there as before.
    place.world().clear_faults();
    let home = done_of(&ended.json());
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["items"]), (0, &counts(120 - home, home)), "{summary:#}");
    place.assert_mirror_is_complete();
    serving.stop().await;
}

#[tokio::test]
async fn ctrl_c_on_a_run_that_was_at_work_before_only_ends_the_watching() {
    let place = due_every_second().await;
    hold_up_downloads(&place);
    let serving = place.serve().await;
    place.until("downloads", |stats| stats.count("media.bytes") >= 30).await;
    let mut child = place.spawn(&["run", "home", "--json"]);
    let said = told(&mut child).await;
    assert!(said.starts_with("charon: the plan has a run, done by the charon that runs plans"), "{said}");
    signal(&child, "INT").await;
    let ended: Ended = child.wait_with_output().await.expect("it ends").into();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(130), ""), "{ended:?}");
    let runs = place.runs().await;
    assert_eq!((runs.len(), &runs[0]["state"]), (1, &json!("running")), "it goes on: {runs:#?}");

    place.world().clear_faults();
    let ended = until_succeeded(&place, &runs[0]["run"]).await;
    assert_eq!((&ended["attempts"], &ended["items"]), (&json!(1), &counts(120, 0)), "{ended:#}");
    assert_eq!(ended["trigger"], "schedule");
    serving.stop().await;
}

#[tokio::test]
async fn one_who_follows_a_run_of_a_serve_that_is_killed_takes_it_over() {
    // I2
    let place = Place::with(slow()).await;
    place.seed(120);
    place.add_backup().await;
    hold_up_downloads(&place);
    let serving = place.serve().await;
    let child = place.spawn(&["run", "home", "--json"]);
    place.until("downloads", |stats| stats.count("media.bytes") >= 30).await;
    serving.kill().await;
    place.world().clear_faults();
    let ended: Ended = child.wait_with_output().await.expect("it ends").into();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let summary = ended.json();
    assert_eq!((&summary["items"], &summary["attempts"]), (&counts(120, 0), &json!(2)), "{summary:#}");
    place.assert_mirror_is_complete();
    assert_runs(&place, &[("succeeded", 2)]).await;
}
