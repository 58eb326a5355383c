//! `charon runs show|pause|resume|cancel|retry|events`, beside a live `charon serve` and without one.

use std::fs;

use gphotos_emulator::{Action, Fault, Limit};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
};

use super::until_succeeded;
use crate::{
    command_line::assert_failed,
    crash::{assert_runs, counts, done_of, hold_up_downloads, signal, slow},
    support::{Ended, Place, picture},
};

/// An id as runs have them, of none.
const NO_RUN: &str = "01930000-0000-7000-8000-000000000000";

/// What a command prints with `--json`.
async fn told(place: &Place, arguments: &[&str]) -> Value {
    place.done(&[arguments, &["--json"]].concat()).await.json()
}

/// A backup of 120 photos that is held up, and somebody who has asked for it and follows it.
async fn at_work(place: &Place) -> Child {
    place.seed(120);
    place.add_backup().await;
    hold_up_downloads(place);
    let watcher = place.spawn(&["run", "home", "--json"]);
    place.until("downloads", |stats| stats.count("media.bytes") >= 30).await;
    watcher
}

async fn ended(watcher: Child) -> (Option<i32>, Value) {
    let ended: Ended = watcher.wait_with_output().await.expect("it ends").into();
    (ended.code, ended.json())
}

#[tokio::test]
async fn a_run_that_is_paused_leaves_its_lane_free_and_goes_on_when_it_is_resumed() {
    // I2
    let place = Place::with(slow()).await;
    let serving = place.serve().await;
    let watcher = at_work(&place).await;
    let asked = told(&place, &["runs", "pause", "home"]).await;
    assert_eq!(asked["state"], "pausing", "{asked:#}");
    let (code, summary) = ended(watcher).await;
    assert_eq!((code, &summary["state"], &summary["run"]), (Some(4), &json!("paused"), &asked["run"]));
    let paused = place.runs().await.remove(0);
    assert_eq!((&paused["state"], &paused["attempts"]), (&json!("paused"), &json!(1)));
    assert_eq!(paused["waiting"], "you: resume it when it is to go on");

    place.world().clear_faults();
    let twin = json!({"kind": "backup", "storage": "family", "destination": place.path("twin")});
    place.add_plan("twin", &twin).await;
    assert_eq!(place.run("twin").await.0, 0, "another one has the lane");
    assert_eq!(place.runs().await[1], paused, "it waits as before");

    let before = place.count("media.bytes");
    let id = paused["run"].as_str().expect("an id");
    let resumed = told(&place, &["runs", "resume", id]).await;
    assert_eq!(resumed["run"], id);
    let ended = until_succeeded(&place, &paused["run"]).await;
    assert_eq!((&ended["attempts"], &ended["items"]), (&json!(2), &counts(120, 0)), "{ended:#}");
    assert_eq!(place.count("media.bytes") - before, 120 - done_of(&paused));
    place.assert_mirror_is_complete();
    serving.stop().await;
}

#[tokio::test]
async fn a_run_that_is_cancelled_ends_and_cannot_be_asked_for_anything_more() {
    for serves in [true, false] {
        let place = Place::with(slow()).await;
        let serving = if serves { Some(place.serve().await) } else { None };
        let watcher = at_work(&place).await;
        let id = place.runs().await[0]["run"].as_str().expect("an id").to_owned();
        let said = place.done(&["runs", "cancel", &id]).await;
        assert!(said.stdout.contains("The run of home finishes what it holds, and then ends."), "{said:?}");
        let (code, summary) = ended(watcher).await;
        assert_eq!((code, &summary["state"]), (Some(130), &json!("cancelled")), "{summary:#}");
        assert_runs(&place, &[("cancelled", 1)]).await;
        for name in [id.as_str(), "home"] {
            for (verb, words) in [
                ("cancel", "has ended already (cancelled)"),
                ("pause", "has ended already (cancelled)"),
                ("resume", "only one that is paused or waits can be resumed"),
                ("retry", "nothing failed in the run"),
            ] {
                assert_failed(&place.charon(&["runs", verb, name]).await, 1, &[words, &id]);
            }
        }
        assert_runs(&place, &[("cancelled", 1)]).await;
        if let Some(serving) = serving {
            serving.stop().await;
        }
    }
}

#[tokio::test]
async fn a_run_that_waits_is_paused_resumed_and_cancelled_without_anybody_who_runs_plans() {
    let place = Place::new().await;
    place.seed(3);
    place.add_backup().await;
    let spent = Action::TooManyRequests { limit: Limit::AllRequestsPerDay, retry_after_seconds: None };
    place.fault(Fault::always(spent));
    let (code, parked) = place.run("home").await;
    assert_eq!(code, 4, "{parked:#}");
    place.world().clear_faults();
    place.test_passes().await;

    let paused = told(&place, &["runs", "pause", "home"]).await;
    assert_eq!(paused, json!({"run": parked["run"], "state": "paused"}));
    assert_eq!(place.runs().await[0]["waiting"], "you: resume it when it is to go on");
    let id = parked["run"].as_str().expect("an id");
    let resumed = told(&place, &["runs", "resume", id]).await;
    assert_eq!((&resumed["run"], &resumed["state"]), (&parked["run"], &json!("queued")));
    let waiting = resumed["waiting"].as_str().expect("what it waits for");
    assert!(waiting.starts_with("nobody runs plans now"), "{waiting}");
    assert_failed(
        &place.charon(&["runs", "resume", id]).await,
        1,
        &["is queued, and only one that is paused"],
    );
    // Whoever runs plans next does it.
    let serving = place.serve().await;
    let ended = until_succeeded(&place, &parked["run"]).await;
    assert_eq!((&ended["attempts"], &ended["items"]), (&json!(2), &counts(3, 0)), "{ended:#}");
    serving.stop().await;

    let spent = Action::TooManyRequests { limit: Limit::AllRequestsPerDay, retry_after_seconds: None };
    place.fault(Fault::always(spent));
    assert_eq!(place.run("home").await.0, 4);
    let said = place.done(&["runs", "cancel", "home"]).await;
    assert!(said.stdout.contains("The run of home has ended."), "{said:?}");
    place.world().clear_faults();
    place.test_passes().await;
    assert_eq!(place.run("home").await.0, 0);
    assert_runs(&place, &[("succeeded", 1), ("cancelled", 1), ("succeeded", 2)]).await;
}

#[tokio::test]
async fn what_failed_in_a_run_is_tried_again_in_a_new_one() {
    for serves in [true, false] {
        let place = Place::new().await;
        place.draw("pictures", 0..5);
        fs::write(place.path("pictures/empty.jpg"), "").expect("a file");
        place.add_upload().await;
        let serving = if serves { Some(place.serve().await) } else { None };
        let (code, summary) = place.run("out").await;
        assert_eq!((code, &summary["items"]["failed"]), (3, &json!(1)), "{summary:#}");
        let sent = place.count("uploads");

        fs::write(place.path("pictures/empty.jpg"), picture(100)).expect("a picture");
        let again = told(&place, &["runs", "retry", "out"]).await;
        assert_eq!((&again["trigger"], &again["state"]), (&json!("retry"), &json!("succeeded")), "{again:#}");
        assert_eq!((&again["items"]["done"], &again["items"]["failed"]), (&json!(1), &json!(0)), "{again:#}");
        assert_ne!(again["run"], summary["run"]);
        assert_eq!(place.count("uploads") - sent, 1);
        place.assert_account_holds("pictures", "Album");

        let ended = place.charon(&["runs", "retry", "out"]).await;
        assert_failed(&ended, 1, &["nothing failed in the run", "there is nothing to try again"]);
        assert_runs(&place, &[("succeeded", 1), ("partial", 1)]).await;
        if let Some(serving) = serving {
            serving.stop().await;
        }
    }
}

#[tokio::test]
async fn a_run_is_shown_with_its_items_a_page_at_a_time() {
    // I9
    let place = Place::new().await;
    place.draw("pictures", 0..5);
    fs::write(place.path("pictures/empty.jpg"), "").expect("a file");
    place.add_upload().await;
    let (_, summary) = place.run("out").await;
    let id = summary["run"].as_str().expect("an id");
    let shown = told(&place, &["runs", "show", "out"]).await;
    assert_eq!(shown, told(&place, &["runs", "show", id]).await, "by its plan and by its id");
    assert_eq!((&shown["run"]["run"], &shown["run"]["state"]), (&summary["run"], &json!("partial")));
    assert_eq!((&shown["run"]["items"], &shown["run"]["attempts"]), (&summary["items"], &json!(1)));
    let items = shown["items"].as_array().expect("items");
    assert_eq!(items.len(), 6);

    let failed = told(&place, &["runs", "show", id, "--outcome", "failed"]).await;
    assert_eq!(
        (failed["items"].as_array().map(Vec::len), &failed["items"][0]["name"]),
        (Some(1), &json!("empty.jpg"))
    );
    let first = told(&place, &["runs", "show", id, "-n", "4"]).await;
    let last = first["items"][3]["item"].as_str().expect("an item");
    let rest = told(&place, &["runs", "show", id, "--after", last]).await;
    let page = |shown: &Value| shown["items"].as_array().expect("items").clone();
    assert_eq!(&[page(&first), page(&rest)].concat(), items);

    let said = place.done(&["runs", "show", "out"]).await;
    for words in ["partial", id, "manual", "empty.jpg", "IMG_0004.jpg"] {
        assert!(said.stdout.contains(words), "{words}: {said:?}");
    }
    let ended = place.charon(&["runs", "show", "out", "--outcome", "perhaps"]).await;
    assert_failed(&ended, 2, &["there is no outcome \"perhaps\": it is done, skipped or failed"]);
}

#[tokio::test]
async fn ids_and_names_of_nothing_are_told() {
    let place = Place::new().await;
    place.add_backup().await;
    for verb in ["show", "pause", "resume", "cancel", "retry", "events"] {
        let more: &[&str] = if verb == "events" { &["--no-follow"] } else { &[] };
        for (name, words) in [
            (NO_RUN, &[NO_RUN, "there is no run", "`charon runs` lists them"][..]),
            ("hom", &["there is no plan named hom; the only plan is home"]),
            ("home", &["there was no run of the plan home yet"]),
        ] {
            let ended = place.charon(&[&["runs", verb, name][..], more].concat()).await;
            assert_failed(&ended, 1, words);
        }
    }
}

#[tokio::test]
async fn events_are_told_in_order_from_where_somebody_asks() {
    let place = Place::new().await;
    place.seed(3);
    place.add_backup().await;
    let serving = place.serve().await;
    let mut child = place.spawn(&["runs", "events", "--after", "0"]);
    let (_, summary) = place.run("home").await;
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut followed: Vec<Value> = Vec::new();
    while followed.last().is_none_or(|event| event["kind"] != "run.ended") {
        let line = lines.next_line().await.expect("a line").expect("it goes on");
        followed.push(serde_json::from_str(&line).expect("JSON"));
    }
    signal(&child, "INT").await;
    assert_eq!(child.wait().await.expect("it ends").code(), Some(0));

    assert_eq!(followed, place.events().await, "who follows is told what the rows say");
    let seqs: Vec<i64> = followed.iter().map(|event| event["seq"].as_i64().expect("a number")).collect();
    assert!(seqs.is_sorted_by(|one, next| one < next), "{seqs:?}");
    // What became of items may be told in several parts.
    let mut kinds: Vec<&str> = followed.iter().map(|event| event["kind"].as_str().expect("a kind")).collect();
    kinds.dedup();
    assert_eq!(kinds, ["storage.added", "plan.added", "run.queued", "run.started", "run.items", "run.ended"]);
    let last = followed.last().expect("the end");
    assert_eq!((&last["data"]["items"], &last["run"]), (&counts(3, 0), &summary["run"]), "{last:#}");

    let id = summary["run"].as_str().expect("an id");
    for name in [id, "home"] {
        let told = place.done(&["runs", "events", name, "--no-follow"]).await;
        assert_eq!(told.stdout.lines().count(), followed.len() - 2, "{told:?}");
    }
    let third = seqs[2].to_string();
    let rest = place.done(&["runs", "events", "--after", &third, "--no-follow"]).await;
    assert_eq!(rest.stdout.lines().count(), followed.len() - 3, "{rest:?}");
    serving.stop().await;
}
