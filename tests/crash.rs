//! Stopped in the middle: killed, interrupted, or met by a second one. A run that was killed goes on as the same run, one that was
//! stopped is followed by a new one; nothing twice, nothing torn.

#![cfg(unix)]

use std::{collections::BTreeSet, os::unix::process::ExitStatusExt, process::Output};

use gphotos_emulator::{Action, Fault, Settings, Stats};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::{
    support::{Ended, Place, time, told},
    upload::{
        after::{deleting, files},
        sessions::{BYTES, draw_large},
    },
};

/// Downloads, or sends, that may be under way at a time, and so be done again after a kill.
const UNDER_WAY: u64 = 16;
const SIGKILL: i32 = 9;

/// Answers come late enough that a run has a middle.
pub(crate) fn slow() -> Settings {
    Settings { keep_bytes: true, latency_ms: 5, ..Settings::default() }
}

/// Starts a plan and kills it, as a power cut would, once the emulator has seen this much.
async fn kill_in_the_middle(place: &Place, plan: &str, what: &str, reached: impl Fn(&Stats) -> bool) {
    let mut child = place.spawn(&["run", plan, "--json"]);
    place.until(what, reached).await;
    child.start_kill().expect("it can be killed");
    let status = child.wait().await.expect("it ends");
    assert_eq!(status.signal(), Some(SIGKILL), "it was at work when it was killed");
}

/// Starts the backup and kills it once it has asked for this many more files.
async fn kill_after_downloads(place: &Place, more: u64) {
    let before = place.count("media.bytes");
    // However late the kill comes on a busy machine, it comes in the middle.
    let late = Fault::always(Action::Latency { ms: 2_000 }).on(&["media"]).after(more);
    let late = place.world().add_fault(late);
    kill_in_the_middle(place, "home", "downloads", |stats| stats.count("media.bytes") >= before + more).await;
    place.world().remove_fault(late);
}

/// Sends a signal as a terminal would.
pub(crate) async fn signal(child: &Child, name: &str) {
    let id = child.id().expect("it lives").to_string();
    let sent =
        Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).status().await.expect("a shell");
    assert!(sent.success());
}

/// Checks in which states the runs are, the newest first, and how many attempts each took.
pub(crate) async fn assert_runs(place: &Place, expected: &[(&str, u64)]) {
    let runs = place.runs().await;
    let found: Vec<(&str, u64)> = runs
        .iter()
        .map(|run| (run["state"].as_str().expect("a state"), run["attempts"].as_u64().expect("a count")))
        .collect();
    assert_eq!(found, expected, "{runs:#?}");
}

/// Checks that the newest run tells that it was killed and waits to be taken up; gives it as it is told.
pub(crate) async fn broken_off(place: &Place) -> Value {
    let run = place.runs().await.remove(0);
    assert_eq!(run["state"], "queued", "{run:#}");
    let why = run["stop"]["message"].as_str().expect("a reason");
    assert!(why.contains("the program ended in the middle of it; it goes on from there"), "{why}");
    let waiting = run["waiting"].as_str().expect("what it waits for");
    assert!(waiting.starts_with("nobody runs plans now"), "{waiting}");
    run
}

/// How many items of a run are done, as `charon runs` tells it.
pub(crate) fn done_of(run: &Value) -> u64 {
    run["items"]["done"].as_u64().expect("a count")
}

/// Checks that every item of a run is told once, and that each is done.
pub(crate) async fn assert_each_item_is_done_once(place: &Place, summary: &Value, items: usize) {
    // I9
    let run = summary["run"].as_str().expect("an id");
    let told = place.done(&["runs", "show", run, "--json", "-n", "1000"]).await.json();
    let told = told["items"].as_array().expect("items");
    let names: BTreeSet<&str> = told.iter().map(|item| item["item"].as_str().expect("its id")).collect();
    assert_eq!((told.len(), names.len()), (items, items));
    assert!(told.iter().all(|item| item["outcome"] == "done"), "{told:#?}");
}

pub(crate) fn counts(done: u64, unchanged: u64) -> Value {
    json!({"done": done, "unchanged": unchanged, "skipped": 0, "failed": 0})
}

/// How many items of a summary were done and how many were there before; none was skipped or failed.
fn worked(summary: &Value) -> (u64, u64) {
    let items = &summary["items"];
    let count = |name: &str| items[name].as_u64().expect("a count");
    assert_eq!((count("skipped"), count("failed")), (0, 0), "{summary:#}");
    (count("done"), count("unchanged"))
}

async fn a_killed_backup_goes_on(after: u64) {
    // I2
    const ITEMS: u64 = 120;
    let place = Place::with(slow()).await;
    place.seed(120);
    place.add_backup().await;
    kill_after_downloads(&place, after).await;
    let broken_off = broken_off(&place).await;
    // By now the emulator has counted what was on its way when it was killed.
    let before = place.count("media.bytes");
    assert!(before < ITEMS, "it was killed in the middle, not at the end");
    assert_eq!(broken_off["attempts"], 1);
    let in_the_ledger = done_of(&broken_off);
    assert!(in_the_ledger <= before, "{in_the_ledger} done with {before} downloads");

    let (code, summary) = place.run("home").await;
    assert_eq!(code, 0, "{summary:#}");
    assert_eq!(
        (&summary["run"], &summary["attempts"], &summary["items"]),
        (&broken_off["run"], &json!(2), &counts(ITEMS, 0)),
        "the same run went on: {summary:#}"
    );
    place.assert_mirror_is_complete();
    let bytes: usize = place.mirrored().iter().map(|(_, bytes)| bytes.len()).sum();
    assert_eq!(summary["bytes"], bytes);
    let fetched = place.count("media.bytes");
    assert_eq!(
        fetched - before,
        ITEMS - in_the_ledger,
        "the second attempt fetched what the ledger did not have, and nothing else"
    );
    assert!(fetched <= ITEMS + UNDER_WAY, "{fetched} downloads of {ITEMS} items");
    assert_runs(&place, &[("succeeded", 2)]).await;
    assert_each_item_is_done_once(&place, &summary, 120).await;

    let (code, again) = place.run("home").await;
    assert_eq!((code, &again["items"], &again["attempts"]), (0, &counts(0, ITEMS), &json!(1)));
    assert_ne!(again["run"], summary["run"], "a run that has ended is followed by a new one");
    assert_eq!(place.count("media.bytes"), fetched);
    place.assert_mirror_is_good().await;
}

#[tokio::test]
async fn a_backup_killed_at_its_first_downloads_goes_on() {
    a_killed_backup_goes_on(3).await;
}

#[tokio::test]
async fn a_backup_killed_after_forty_downloads_goes_on() {
    a_killed_backup_goes_on(40).await;
}

#[tokio::test]
async fn a_backup_killed_after_seventy_seven_downloads_goes_on() {
    a_killed_backup_goes_on(77).await;
}

#[tokio::test]
async fn a_backup_killed_while_it_lists_goes_on() {
    // I2
    let place = Place::with(slow()).await;
    place.seed(250);
    place.add_backup().await;
    kill_in_the_middle(&place, "home", "the second page", |stats| stats.count("mediaItems.list") == 2).await;
    let (before, in_the_ledger) = (place.count("media.bytes"), done_of(&broken_off(&place).await));
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["items"]), (0, &counts(250, 0)), "{summary:#}");
    assert_eq!((&summary["listing"], &summary["listing_complete"]), (&json!("full"), &json!(true)));
    assert_eq!(place.count("media.bytes") - before, 250 - in_the_ledger);
    place.assert_mirror_is_complete();
    assert_runs(&place, &[("succeeded", 2)]).await;
    place.assert_mirror_is_good().await;
}

#[tokio::test]
async fn a_backup_killed_in_the_middle_of_a_file_leaves_no_torn_file() {
    // I1
    let place = Place::with(slow()).await;
    let big = place.world().seed(&gphotos_emulator::Seed::plain(20, 2_000_000));
    place.add_backup().await;
    kill_in_the_middle(&place, "home", "bytes of the first files", |stats| stats.bytes_sent > 0).await;
    for (path, bytes) in place.mirrored() {
        assert_eq!(bytes.len(), 2_000_000, "{path} is complete");
    }
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["items"]), (0, &counts(20, 0)), "{summary:#}");
    assert_eq!(place.mirrored().len(), big.item_ids.len());
    place.assert_mirror_is_complete();
    place.assert_mirror_is_good().await;
}

#[tokio::test]
async fn a_backup_killed_again_and_again_comes_to_its_end() {
    // I2
    let place = Place::with(slow()).await;
    place.seed(120);
    place.add_backup().await;
    for _ in 0..4 {
        kill_after_downloads(&place, 25).await;
    }
    let (before, in_the_ledger) = (place.count("media.bytes"), done_of(&broken_off(&place).await));
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["items"]), (0, &counts(120, 0)), "{summary:#}");
    assert_eq!(place.count("media.bytes") - before, 120 - in_the_ledger);
    place.assert_mirror_is_complete();
    assert_runs(&place, &[("succeeded", 5)]).await;
    assert_each_item_is_done_once(&place, &summary, 120).await;
    place.assert_mirror_is_good().await;
}

/// Kills an upload of 120 files, runs it again, and checks that all is as if it had never been killed.
async fn a_killed_upload_goes_on(settings: Settings, what: &str, reached: impl Fn(&Place, &Stats) -> bool) {
    // I2
    const FILES: u64 = 120;
    let spent_once = settings.single_use_upload_tokens;
    let place = Place::with(settings).await;
    place.draw("pictures", 0..120);
    place.add_upload().await;
    kill_in_the_middle(&place, "out", what, |stats| reached(&place, stats)).await;
    // A commit that is on its way when the program dies still takes effect.
    place.world().update_settings(|settings| settings.latency_ms = 0);
    let broken_off = broken_off(&place).await;

    let (code, summary) = place.run("out").await;
    assert_eq!(code, 0, "{summary:#}");
    assert_eq!(
        (&summary["run"], &summary["attempts"], &summary["items"]),
        (&broken_off["run"], &json!(2), &counts(FILES, 0)),
        "the same run went on: {summary:#}"
    );
    place.assert_account_holds("pictures", "Album");
    let items = place.world().items();
    assert_eq!(items.len(), 120, "each picture is one item");
    let twice = items.iter().filter(|item| item.times_uploaded > 1).count();
    assert!(items.iter().all(|item| (1..=2).contains(&item.times_uploaded)));
    assert!(twice <= 50, "{twice} items were committed twice, and one commit may have been lost");
    let uploads = place.count("uploads");
    // Where tokens work once, the bytes of the lost commit go again, and a few of those that share a refused batch with them.
    let again = if spent_once { 50 + 49 } else { 0 };
    assert!(uploads <= FILES + UNDER_WAY + again, "{uploads} uploads of {FILES} files");
    assert_runs(&place, &[("succeeded", 2)]).await;
    assert_each_item_is_done_once(&place, &summary, 120).await;

    place.world().reset_stats();
    let (code, summary) = place.run("out").await;
    assert_eq!((code, &summary["items"]), (0, &counts(0, FILES)));
    assert_eq!(place.world().stats().api_requests, 0);
}

#[tokio::test]
async fn an_upload_killed_at_its_first_files_goes_on() {
    a_killed_upload_goes_on(slow(), "uploads", |_, stats| stats.count("uploads") >= 3).await;
}

#[tokio::test]
async fn an_upload_killed_after_forty_files_goes_on() {
    a_killed_upload_goes_on(slow(), "uploads", |_, stats| stats.count("uploads") >= 40).await;
}

#[tokio::test]
async fn an_upload_killed_after_seventy_seven_files_goes_on() {
    a_killed_upload_goes_on(slow(), "uploads", |_, stats| stats.count("uploads") >= 77).await;
}

#[tokio::test]
async fn an_upload_killed_during_a_commit_goes_on() {
    let during = |_: &Place, stats: &Stats| stats.count("mediaItems.batchCreate") == 1;
    a_killed_upload_goes_on(slow(), "a commit", during).await;
}

#[tokio::test]
async fn an_upload_killed_as_soon_as_a_commit_took_effect_goes_on() {
    let settings = || Settings { single_use_upload_tokens: true, ..slow() };
    for settings in [slow(), settings()] {
        a_killed_upload_goes_on(settings, "a commit", |place, _| place.world().item_count() >= 50).await;
    }
}

#[tokio::test]
async fn an_upload_killed_while_known_bytes_join_an_album_goes_on() {
    // I2
    let place = Place::with(slow()).await;
    place.draw("pictures", 0..120);
    place.add_upload().await;
    let (code, summary) = place.run("out").await;
    assert_eq!(code, 0, "{summary:#}");
    let more =
        json!({"kind": "upload", "storage": "family", "sources": [place.path("pictures")], "album": "More"});
    place.add_plan("more", &more).await;
    let second = |stats: &Stats| stats.count("albums.batchAddMediaItems") == 2;
    kill_in_the_middle(&place, "more", "a second batch", second).await;
    assert!(done_of(&broken_off(&place).await) >= 50, "the first batch was recorded");

    let (code, summary) = place.run("more").await;
    assert_eq!((code, &summary["items"]), (0, &counts(120, 0)), "{summary:#}");
    assert_runs(&place, &[("succeeded", 2), ("succeeded", 1)]).await;
    place.assert_account_holds("pictures", "Album");
    place.assert_account_holds("pictures", "More");
    let albums = place.world().albums();
    assert!(albums.iter().all(|album| album.item_ids.len() == 120), "each is there once");
    assert_eq!((place.count("uploads"), place.world().item_count()), (120, 120));
}

#[tokio::test]
async fn an_upload_killed_during_its_second_commit_goes_on() {
    let during = |_: &Place, stats: &Stats| stats.count("mediaItems.batchCreate") == 2;
    a_killed_upload_goes_on(slow(), "a second commit", during).await;
}

#[tokio::test]
async fn an_upload_killed_in_the_middle_goes_on_where_tokens_work_once() {
    let settings = Settings { single_use_upload_tokens: true, ..slow() };
    a_killed_upload_goes_on(settings, "uploads", |_, stats| stats.count("uploads") >= 77).await;
}

#[tokio::test]
async fn an_upload_killed_while_it_makes_its_album_makes_no_second_one() {
    let during = |_: &Place, stats: &Stats| stats.count("albums.create") == 1;
    a_killed_upload_goes_on(slow(), "the album", during).await;
}

/// Kills an upload when a commit has taken effect and its answer was lost, so that the ledger knows of nothing.
async fn a_commit_that_nobody_recorded_is_not_done_twice(settings: Settings) -> Place {
    // I2
    let place = Place::with(settings).await;
    place.draw("pictures", 0..70);
    place.add_upload().await;
    place.fault(Fault::once(Action::ResponseLost).on(&["mediaItems.batchCreate"]));
    let lost = |stats: &Stats| stats.responses.get(&0) == Some(&1);
    kill_in_the_middle(&place, "out", "a lost answer", lost).await;
    assert_eq!(place.world().item_count(), 50, "the commit took effect");
    assert_eq!(done_of(&broken_off(&place).await), 0, "nobody recorded it");

    let sent = place.count("uploads");
    let (code, summary) = place.run("out").await;
    assert_eq!(code, 0, "{summary:#}");
    assert_eq!(summary["items"], counts(70, 0));
    place.assert_account_holds("pictures", "Album");
    let items = place.world().items();
    assert_eq!(items.len(), 70);
    assert_eq!(
        items.iter().filter(|item| item.times_uploaded == 2).count(),
        50,
        "that one commit was repeated"
    );
    assert_runs(&place, &[("succeeded", 2)]).await;
    assert!(sent >= 50);
    place
}

#[tokio::test]
async fn a_commit_that_took_effect_and_was_not_recorded_is_repeated_without_sending_again() {
    let place = a_commit_that_nobody_recorded_is_not_done_twice(slow()).await;
    let uploads = place.count("uploads");
    assert!(uploads <= 70 + UNDER_WAY, "{uploads} uploads of 70 files");
}

#[tokio::test]
async fn a_commit_that_took_effect_and_was_not_recorded_makes_no_duplicates_where_tokens_work_once() {
    let settings = Settings { single_use_upload_tokens: true, ..slow() };
    let place = a_commit_that_nobody_recorded_is_not_done_twice(settings).await;
    let uploads = place.count("uploads");
    // The bytes of the lost commit, and at most those that share a refused batch with them: finding out which tokens still work
    // would cost more commits than it saves.
    assert!(uploads <= 70 + 50 + 20 + UNDER_WAY, "{uploads} uploads of 70 files");
}

/// Waits until the emulator has seen this much, presses Ctrl-C, and gives what the program said at its end.
async fn interrupt(place: &Place, plan: &str, what: &str, reached: impl Fn(&Stats) -> bool) -> Ended {
    stop(place, "INT", plan, what, reached).await
}

async fn stop(place: &Place, name: &str, plan: &str, what: &str, reached: impl Fn(&Stats) -> bool) -> Ended {
    let child = place.spawn(&["run", plan, "--json"]);
    place.until(what, reached).await;
    signal(&child, name).await;
    let output: Output = child.wait_with_output().await.expect("it ends");
    output.into()
}

#[tokio::test]
async fn a_backup_stopped_with_ctrl_c_leaves_nothing_half_done_and_the_next_one_goes_on() {
    // I2
    let place = Place::with(slow()).await;
    place.seed(120);
    place.add_backup().await;
    let ended = interrupt(&place, "home", "downloads", |stats| stats.count("media.bytes") >= 40).await;
    assert_eq!(ended.code, Some(130), "{ended:?}");
    let summary = ended.json();
    assert_eq!(summary["state"], "cancelled");
    let (done, _) = worked(&summary);
    assert!((1..120).contains(&done), "{summary:#}");
    assert!(std::fs::read_dir(place.path("mirror/.charon/incoming")).expect("a folder").next().is_none());
    // I9: what is in the mirror is what was counted.
    let mirrored = u64::try_from(place.mirrored().len()).expect("a count");
    assert!((done..=done + UNDER_WAY).contains(&mirrored), "{mirrored} files, {done} counted");
    assert_runs(&place, &[("cancelled", 1)]).await;

    let (code, summary) = place.run("home").await;
    assert_eq!(code, 0, "{summary:#}");
    assert_eq!(summary["items"], counts(120 - done, done));
    assert_runs(&place, &[("succeeded", 1), ("cancelled", 1)]).await;
    place.assert_mirror_is_complete();
    place.assert_mirror_is_good().await;
}

#[tokio::test]
async fn an_upload_stopped_with_ctrl_c_commits_what_was_sent_and_the_next_one_goes_on() {
    a_stopped_upload_goes_on("a second batch", |stats| stats.count("uploads") >= 80).await;
}

#[tokio::test]
async fn an_upload_stopped_with_ctrl_c_while_it_looks_for_its_album_commits_what_was_sent() {
    a_stopped_upload_goes_on("the look for the album", |stats| stats.count("albums.list") == 1).await;
}

async fn a_stopped_upload_goes_on(what: &str, reached: impl Fn(&Stats) -> bool) {
    // I2
    let place = Place::with(slow()).await;
    place.draw("pictures", 0..120);
    place.add_upload().await;
    let ended = interrupt(&place, "out", what, reached).await;
    assert_eq!(ended.code, Some(130), "{ended:?}");
    let summary = ended.json();
    assert_eq!(summary["state"], "cancelled");
    let (done, _) = worked(&summary);
    let committed = u64::try_from(place.world().item_count()).expect("a count");
    assert_eq!(done, committed, "what was committed is counted");
    let sent = place.count("uploads");
    assert!(committed + UNDER_WAY >= sent, "{sent} files were begun to be sent, {committed} were committed");
    assert_runs(&place, &[("cancelled", 1)]).await;

    let (code, summary) = place.run("out").await;
    assert_eq!(code, 0, "{summary:#}");
    assert_eq!(summary["items"], counts(120 - done, done));
    assert_runs(&place, &[("succeeded", 1), ("cancelled", 1)]).await;
    place.assert_account_holds("pictures", "Album");
    assert!(place.world().items().iter().all(|item| item.times_uploaded == 1), "nothing was committed twice");
}

#[tokio::test]
async fn a_service_manager_that_asks_to_stop_is_heard_too() {
    let place = Place::with(slow()).await;
    place.seed(120);
    place.add_backup().await;
    let ended = stop(&place, "TERM", "home", "downloads", |stats| stats.count("media.bytes") >= 10).await;
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert_eq!(ended.json()["state"], "cancelled");
}

#[tokio::test]
async fn a_second_ctrl_c_ends_the_run_at_once_and_the_next_one_goes_on() {
    // I2
    let place = Place::new().await;
    place.draw("pictures", 0..10);
    place.add_upload().await;
    // A commit that nobody wants to wait for.
    let number = place
        .world()
        .add_fault(Fault::always(Action::Latency { ms: 60_000 }).on(&["mediaItems.batchCreate"]));
    let mut child = place.spawn(&["run", "out", "--json"]);
    place.until("a commit", |stats| stats.count("mediaItems.batchCreate") == 1).await;
    signal(&child, "INT").await;
    place.until_event("run.asked").await;
    signal(&child, "INT").await;
    assert_eq!(child.wait().await.expect("it ends").code(), Some(130));
    assert_runs(&place, &[("cancelled", 1)]).await;

    place.world().remove_fault(number);
    let (code, summary) = place.run("out").await;
    assert_eq!((code, &summary["items"]), (0, &counts(10, 0)), "{summary:#}");
    assert_eq!((place.count("uploads"), place.world().item_count()), (10, 10));
    place.assert_account_holds("pictures", "Album");
    assert_runs(&place, &[("succeeded", 1), ("cancelled", 1)]).await;
}

#[tokio::test]
async fn ctrl_c_ends_a_run_that_waits() {
    let place = Place::new().await;
    place.seed(3);
    place.add_backup().await;
    // Thirty seconds of waiting, if nobody stopped it.
    place.fault(Fault::always(Action::ServerError { status: 503 }).on(&["mediaItems.list"]));
    let ended = interrupt(&place, "home", "a listing", |stats| stats.count("mediaItems.list") == 1).await;
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert_eq!(ended.json()["state"], "cancelled");
    assert!(place.count("mediaItems.list") <= 2);
}

/// Lets downloads take so long that a run is at work until the faults are cleared.
pub(crate) fn hold_up_downloads(place: &Place) {
    place.fault(Fault::always(Action::Latency { ms: 1_000 }).on(&["media.bytes"]).after(20));
}

#[tokio::test]
async fn a_second_one_who_asks_for_a_run_that_is_at_work_follows_it() {
    let place = Place::with(slow()).await;
    place.seed(120);
    place.add_backup().await;
    hold_up_downloads(&place);
    let first = place.spawn(&["run", "home", "--json"]);
    let runs =
        place.until_runs("a run at work", |runs| runs.iter().any(|run| run["state"] == "running")).await;
    let mut second = place.spawn(&["run", "home", "--json"]);
    assert!(told(&mut second).await.starts_with("charon: the plan has a run, done by"));
    place.world().clear_faults();

    let first: Ended = first.wait_with_output().await.expect("it ends").into();
    let second: Ended = second.wait_with_output().await.expect("it ends").into();
    assert_eq!((first.code, second.code), (Some(0), Some(0)), "{first:?} {second:?}");
    let summary = first.json();
    assert_eq!(summary, second.json(), "both tell of the same run");
    assert_eq!((&summary["run"], &summary["items"]), (&runs[0]["run"], &counts(120, 0)));
    assert_eq!(place.count("media.bytes"), 120);
    place.assert_mirror_is_complete();
    assert_runs(&place, &[("succeeded", 1)]).await;
}

#[tokio::test]
async fn the_run_of_another_plan_waits_for_the_one_that_is_at_work_and_then_begins() {
    let place = Place::with(slow()).await;
    place.seed(120);
    place.add_backup().await;
    let twin = json!({"kind": "backup", "storage": "family", "destination": place.path("twin")});
    place.add_plan("twin", &twin).await;
    hold_up_downloads(&place);
    let first = place.spawn(&["run", "home", "--json"]);
    place.until_runs("a run at work", |runs| runs.iter().any(|run| run["state"] == "running")).await;
    let second = place.spawn(&["run", "twin", "--json"]);
    let waits = |runs: &[Value]| runs.iter().any(|run| run["plan"] == "twin" && run["state"] == "queued");
    let runs = place.until_runs("a second run in the queue", waits).await;
    assert_eq!(runs[0]["waiting"], "lane of family busy with home", "{runs:#?}");
    place.world().clear_faults();

    let first: Ended = first.wait_with_output().await.expect("it ends").into();
    let second: Ended = second.wait_with_output().await.expect("it ends").into();
    for ended in [&first, &second] {
        assert_eq!((ended.code, &ended.json()["items"]), (Some(0), &counts(120, 0)), "{ended:?}");
    }
    assert!(time(&first.json()["ended_at"]) <= time(&second.json()["started_at"]), "{first:?} {second:?}");
    assert_runs(&place, &[("succeeded", 1), ("succeeded", 1)]).await;
    assert_eq!(place.count("media.bytes"), 240);
}

#[tokio::test]
async fn an_upload_killed_with_hundreds_of_files_staged_commits_them_all_and_sends_nothing_again() {
    // I2
    const FILES: u32 = 300;
    let place = Place::with(Settings { keep_bytes: true, ..Settings::default() }).await;
    place.draw("pictures", 0..FILES);
    place.add_upload_with(&json!({"batch_mode": "async"})).await;
    place.fault(Fault::always(Action::Latency { ms: 120_000 }).on(&["mediaItems.batchCreate"]));
    let mut command = place.command(&["run", "out", "--json"]);
    let mut child =
        command.env("RUST_LOG", "charon_engine::upload=debug").spawn().expect("the program starts");
    // The ledger has what the log says.
    let mut log = BufReader::new(child.stderr.take().expect("its log")).lines();
    let mut staged = 0;
    while staged < FILES {
        let line = log.next_line().await.expect("a log").expect("it is at work");
        staged += u32::from(line.contains("staged"));
    }
    child.start_kill().expect("it can be killed");
    assert_eq!(child.wait().await.expect("it ends").signal(), Some(SIGKILL));
    assert_eq!(place.world().item_count(), 0, "nothing was committed");

    place.world().clear_faults();
    place.world().reset_stats();
    let (code, summary) = place.run("out").await;
    assert_eq!((code, &summary["items"]), (0, &counts(FILES.into(), 0)), "{summary:#}");
    let stats = place.world().stats();
    assert_eq!((stats.count("uploads"), stats.count("mediaItems.batchCreate")), (0, 6));
    assert_runs(&place, &[("succeeded", 2)]).await;
    place.assert_account_holds("pictures", "Album");
}

/// Kills an upload in the middle of a large file.
async fn kill_in_the_middle_of_a_large_file() -> Place {
    let place = Place::new().await;
    draw_large(&place, 1);
    place.add_upload().await;
    let chunks = ["uploads.upload", "uploads.finalize"];
    let held_up =
        place.world().add_fault(Fault::always(Action::Latency { ms: 120_000 }).on(&chunks).after(1));
    let third = |stats: &Stats| stats.count("uploads.upload") + stats.count("uploads.finalize") >= 2;
    kill_in_the_middle(&place, "out", "the second chunk", third).await;
    place.world().remove_fault(held_up);
    place
}

#[tokio::test]
async fn an_upload_killed_in_the_middle_of_a_large_file_goes_on_in_the_middle() {
    // I2
    let place = kill_in_the_middle_of_a_large_file().await;
    let (code, summary) = place.run("out").await;
    assert_eq!((code, &summary["items"]), (0, &counts(1, 0)), "{summary:#}");
    assert_eq!(place.count("uploads.start"), 1);
    let received = place.world().stats().bytes_received;
    assert!(received < BYTES + 1_000_000, "{received} bytes of a file of {BYTES}");
    assert_runs(&place, &[("succeeded", 2)]).await;
    place.assert_account_holds("pictures", "Album");
}

#[tokio::test]
async fn a_large_file_that_has_changed_since_the_kill_is_sent_from_its_beginning() {
    // I1
    let place = kill_in_the_middle_of_a_large_file().await;
    draw_large(&place, 2);
    let (code, summary) = place.run("out").await;
    assert_eq!((code, &summary["items"]), (0, &counts(1, 0)), "{summary:#}");
    assert_eq!((place.count("uploads.start"), place.world().item_count()), (2, 1));
    place.assert_account_holds("pictures", "Album");
}

#[tokio::test]
async fn an_upload_killed_between_the_commit_and_the_deletion_keeps_every_file_until_it_goes_on() {
    // I5
    let place = deleting().await;
    place.draw("pictures", 0..60);
    let held_up =
        place.world().add_fault(Fault::always(Action::Latency { ms: 120_000 }).on(&["mediaItems.batchGet"]));
    kill_in_the_middle(&place, "out", "the look-up", |stats| stats.count("mediaItems.batchGet") == 1).await;
    assert_eq!(files(&place.path("pictures")).len(), 60, "nothing goes before it is confirmed");
    assert!(place.world().item_count() >= 50);
    place.world().remove_fault(held_up);
    let (code, summary) = place.run("out").await;
    assert_eq!((code, &summary["items"]), (0, &counts(60, 0)), "{summary:#}");
    assert_eq!(files(&place.path("pictures")), [""; 0]);
    assert_eq!(place.world().item_count(), 60);
    assert_runs(&place, &[("succeeded", 2)]).await;
    assert_each_item_is_done_once(&place, &summary, 60).await;
}

#[tokio::test]
async fn an_upload_killed_in_the_middle_of_its_deletions_has_lost_no_file_that_the_account_does_not_have() {
    // I5
    let place = deleting().await;
    place.draw("pictures", 0..120);
    let second = Fault::always(Action::Latency { ms: 120_000 }).on(&["mediaItems.batchGet"]).after(1);
    let held_up = place.world().add_fault(second);
    kill_in_the_middle(&place, "out", "a second look-up", |stats| stats.count("mediaItems.batchGet") == 2)
        .await;
    let left = files(&place.path("pictures"));
    assert_eq!(left.len(), 70, "{left:?}");
    let names: BTreeSet<String> = place.world().items().into_iter().map(|item| item.filename).collect();
    for number in 0..120 {
        let name = format!("IMG_{number:04}.jpg");
        assert!(left.contains(&name) || names.contains(&name), "{name} is nowhere");
    }
    place.world().remove_fault(held_up);
    let (code, summary) = place.run("out").await;
    assert_eq!((code, &summary["items"]), (0, &counts(120, 0)), "{summary:#}");
    assert_eq!((files(&place.path("pictures")).len(), place.world().item_count()), (0, 120));
    assert_each_item_is_done_once(&place, &summary, 120).await;
    // I11: a source that the plan has emptied is no unmounted disk.
    let (code, summary) = place.run("out").await;
    assert_eq!((code, &summary["items"]), (0, &counts(0, 0)), "{summary:#}");
}
