//! The way out.

pub(crate) mod after;
mod albums;
mod batches;
mod files;
mod many_albums;
mod refusals;
pub(crate) mod sessions;

use std::{
    collections::BTreeSet,
    fs,
    io::{Seek, SeekFrom, Write},
    time::Duration,
};

use gphotos_emulator::{Action, Fault, Limit, Seed, Settings, picture::Picture, video::Video};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::{Place, hex_sha256, picture};

/// Sends that may be under way at a time.
const UNDER_WAY: u64 = 16;

const COMMIT: &str = "mediaItems.batchCreate";

fn counts(done: u64, unchanged: u64, skipped: u64, failed: u64) -> Value {
    json!({"done": done, "unchanged": unchanged, "skipped": skipped, "failed": failed})
}

/// Runs a plan and checks that it succeeded with these counts.
async fn succeeds(place: &Place, plan: &str, expected: Value) -> Value {
    let (code, summary) = place.run(plan).await;
    assert_eq!((code, &summary["state"]), (0, &json!("succeeded")), "{summary:#}");
    assert_eq!(summary["items"], expected, "{summary:#}");
    summary
}

/// Checks that every item of the account came of exactly one upload.
fn assert_nothing_twice(place: &Place) {
    for item in place.world().items() {
        assert_eq!(item.times_uploaded, 1, "{}", item.filename);
    }
}

fn too_many(limit: Limit, retry_after_seconds: Option<u64>) -> Action {
    Action::TooManyRequests { limit, retry_after_seconds }
}

/// How long a run took.
fn took(summary: &Value) -> Duration {
    let time = |name: &str| summary[name].as_str().expect("a time").parse::<Timestamp>().expect("a time");
    time("ended_at").duration_since(time("started_at")).unsigned_abs()
}

#[tokio::test]
async fn an_upload_sends_everything_and_a_second_one_sends_nothing() {
    let place = Place::new().await;
    place.draw("pictures", 0..120);
    place.add_upload().await;

    succeeds(&place, "out", counts(120, 0, 0, 0)).await;
    assert_eq!(place.count("uploads"), 120);
    assert_eq!(place.count(COMMIT), 3);
    place.assert_account_holds("pictures", "Album");

    place.world().reset_stats();
    let summary = succeeds(&place, "out", counts(0, 120, 0, 0)).await;
    assert_eq!(summary["requests"], 0);
    assert_eq!(place.world().stats().api_requests, 0);
}

#[tokio::test]
async fn the_same_bytes_in_a_second_folder_join_the_second_album_without_being_sent_again() {
    let place = Place::new().await;
    place.draw("pictures", 0..60);
    place.draw("chosen", 0..55);
    place.add_upload().await;
    let more =
        json!({"kind": "upload", "storage": "family", "sources": [place.path("chosen")], "album": "Chosen"});
    place.add_plan("more", &more).await;

    succeeds(&place, "out", counts(60, 0, 0, 0)).await;
    let summary = succeeds(&place, "more", counts(55, 0, 0, 0)).await;
    assert_eq!(summary["bytes"], 0, "no bytes were sent");
    assert_eq!(place.count("uploads"), 60);
    assert_eq!(place.count("albums.batchAddMediaItems"), 2);
    place.assert_account_holds("pictures", "Album");
    place.assert_account_holds("chosen", "Chosen");
    assert_nothing_twice(&place);

    place.world().reset_stats();
    succeeds(&place, "more", counts(0, 55, 0, 0)).await;
    assert_eq!(place.world().stats().api_requests, 0);
}

#[tokio::test]
async fn the_same_bytes_twice_in_one_folder_are_sent_once() {
    let place = Place::new().await;
    place.draw("pictures", 0..10);
    place.draw("pictures/copies", 0..10);
    place.add_upload().await;
    let (code, summary) = place.run("out").await;
    assert_eq!(code, 0, "{summary:#}");
    // I9: every file is counted.
    assert_eq!(summary["items"], counts(10, 10, 0, 0));
    assert_eq!(place.count("uploads"), 10);
    assert_nothing_twice(&place);
    assert_eq!(place.world().item_count(), 10);
}

#[tokio::test]
async fn a_file_that_was_renamed_or_moved_is_not_sent_again() {
    let place = Place::new().await;
    place.draw("pictures", 0..10);
    place.add_upload().await;
    succeeds(&place, "out", counts(10, 0, 0, 0)).await;
    place.world().reset_stats();

    let within = |name: &str| place.path("pictures").join(name);
    fs::rename(within("IMG_0000.jpg"), within("beach.jpg")).expect("it is renamed");
    fs::create_dir(within("2024")).expect("a folder");
    fs::rename(within("IMG_0001.jpg"), within("2024/IMG_0001.jpg")).expect("it is moved");
    succeeds(&place, "out", counts(0, 10, 0, 0)).await;
    assert_eq!(place.world().stats().api_requests, 0);
}

#[tokio::test]
async fn a_file_that_was_changed_is_sent() {
    let place = Place::new().await;
    place.draw("pictures", 0..10);
    let same_size = |number: u64| Picture { padded_to: Some(9_000), ..Picture::new(number) }.jpeg();
    let file = place.path("pictures/edited.jpg");
    fs::write(&file, same_size(1000)).expect("a picture");
    place.add_upload().await;
    succeeds(&place, "out", counts(11, 0, 0, 0)).await;
    // As soon after the first hash, and as much like it, as can be.
    fs::write(&file, same_size(1001)).expect("another picture");
    succeeds(&place, "out", counts(1, 10, 0, 0)).await;
    assert_eq!(place.count("uploads"), 12);
    assert_eq!(place.world().item_count(), 12);
    place.assert_account_holds("pictures", "Album");
}

#[tokio::test]
async fn a_file_that_vanishes_in_the_middle_fails_alone() {
    // I9
    let place = Place::with(Settings { latency_ms: 5, ..Settings::default() }).await;
    place.draw("pictures", 0..120);
    place.add_upload().await;
    let vanish = async {
        place.until("uploads", |stats| stats.count("uploads") >= 3).await;
        fs::remove_file(place.path("pictures/IMG_0119.jpg")).expect("it was there");
    };
    let ((code, summary), ()) = tokio::join!(place.run("out"), vanish);
    assert_eq!((code, &summary["state"]), (3, &json!("partial")), "{summary:#}");
    assert_eq!(summary["items"], counts(119, 0, 0, 1), "{summary:#}");
    assert_eq!(summary["errors"][0]["item"], "IMG_0119.jpg");
    assert!(took(&summary) < Duration::from_secs(10), "a file that is gone is not waited for");
    place.assert_account_holds("pictures", "Album");
    succeeds(&place, "out", counts(0, 119, 0, 0)).await;
}

#[tokio::test]
async fn a_folder_that_vanishes_in_the_middle_fails_for_its_files_and_comes_back_whole() {
    // I11
    let place = Place::with(Settings { latency_ms: 5, ..Settings::default() }).await;
    place.draw("pictures", 0..120);
    place.add_upload().await;
    let (pictures, elsewhere) = (place.path("pictures"), place.path("unmounted"));
    let vanish = async {
        place.until("uploads", |stats| stats.count("uploads") >= 3).await;
        fs::rename(&pictures, &elsewhere).expect("it was there");
    };
    let ((code, summary), ()) = tokio::join!(place.run("out"), vanish);
    assert_eq!((code, &summary["state"]), (3, &json!("partial")), "{summary:#}");
    let count = |name: &str| summary["items"][name].as_u64().expect("a count");
    assert_eq!(count("done") + count("failed"), 120, "{summary:#}");
    assert!(count("failed") > 0, "{summary:#}");
    assert!(took(&summary) < Duration::from_secs(10), "files that are gone are not waited for");

    place.world().reset_stats();
    let (code, refused) = place.run("out").await;
    assert_eq!((code, &refused["state"]), (1, &json!("failed")), "{refused:#}");
    let message = refused["errors"][0]["message"].as_str().expect("a message");
    assert!(message.contains("does not exist (is the disk mounted?)"), "{message}");
    assert_eq!(place.world().stats().api_requests, 0);

    fs::rename(&elsewhere, &pictures).expect("it comes back");
    succeeds(&place, "out", counts(count("failed"), count("done"), 0, 0)).await;
    place.assert_account_holds("pictures", "Album");
    assert_nothing_twice(&place);
}

#[tokio::test]
async fn batches_are_committed_one_at_a_time_while_the_next_files_go_up() {
    // I8
    let place = Place::new().await;
    place.draw("pictures", 0..130);
    place.add_upload().await;
    place.fault(Fault::always(Action::Latency { ms: 5 }).on(&["uploads"]));
    place.fault(Fault::once(Action::Latency { ms: 1_200 }).on(&[COMMIT]));
    let meanwhile = async {
        let both =
            |stats: &gphotos_emulator::Stats| stats.count("uploads") == 100 && stats.count(COMMIT) == 1;
        place.until("the second batch, while the first is being committed", both).await;
        assert_eq!(place.world().item_count(), 0, "and has not taken effect");
    };
    tokio::join!(succeeds(&place, "out", counts(130, 0, 0, 0)), meanwhile);
    let stats = place.world().stats();
    assert_eq!(stats.count(COMMIT), 3);
    assert_eq!(stats.peak_concurrent_writes, 1);
    assert!((2..=UNDER_WAY).contains(&stats.peak_concurrent_uploads), "{stats:?}");
    place.assert_account_holds("pictures", "Album");
}

#[tokio::test]
async fn known_and_new_files_share_one_album_and_are_written_one_after_the_other() {
    // I8
    let settings =
        Settings { concurrent_writes: Some(1), abort_concurrent_album_writes: true, ..Settings::default() };
    let place = Place::with(settings).await;
    place.draw("pictures", 50..160);
    place.add_upload().await;
    succeeds(&place, "out", counts(110, 0, 0, 0)).await;
    // The new ones come first, so that they are being committed when the others join.
    place.draw("mixed", 0..110);
    let mixed =
        json!({"kind": "upload", "storage": "family", "sources": [place.path("mixed")], "album": "Mixed"});
    place.add_plan("mixed", &mixed).await;
    place.fault(Fault::always(Action::Latency { ms: 250 }).on(&["albums", COMMIT]));
    let run = succeeds(&place, "mixed", counts(110, 0, 0, 0));
    tokio::time::timeout(Duration::from_secs(25), run).await.expect("the account never asks to slow down");
    assert_eq!(place.world().stats().peak_concurrent_writes, 1);
    assert_eq!(place.world().albums().len(), 2);
    place.assert_account_holds("mixed", "Mixed");
}

#[tokio::test]
async fn the_last_batch_does_not_wait_for_more() {
    for batch_mode in ["sync", "async"] {
        let place = Place::new().await;
        place.draw("pictures", 0..3);
        place.add_upload_with(&json!({"batch_timeout": "60s", "batch_mode": batch_mode})).await;
        let run = succeeds(&place, "out", counts(3, 0, 0, 0));
        tokio::time::timeout(Duration::from_secs(30), run).await.expect("nobody waits for the time-out");
        assert_eq!(place.count(COMMIT), 1);
    }
}

#[tokio::test]
async fn without_batches_every_file_is_committed_on_its_own() {
    let place = Place::new().await;
    place.draw("pictures", 0..5);
    place.add_upload_with(&json!({"batch_mode": "off"})).await;
    succeeds(&place, "out", counts(5, 0, 0, 0)).await;
    assert_eq!((place.count("uploads"), place.count(COMMIT)), (5, 5));
    place.assert_account_holds("pictures", "Album");
}

#[tokio::test]
async fn batches_are_as_large_as_they_are_configured() {
    let place = Place::new().await;
    place.draw("pictures", 0..20);
    place.add_upload_with(&json!({"batch_size": 7})).await;
    succeeds(&place, "out", counts(20, 0, 0, 0)).await;
    assert_eq!(place.count(COMMIT), 3);
}

#[tokio::test]
async fn a_passing_fault_of_one_item_is_tried_again_without_sending_its_bytes() {
    let place = Place::new().await;
    place.draw("pictures", 0..10);
    place.add_upload().await;
    place.fault(Fault::once(Action::ItemError { code: 13, positions: vec![4] }).on(&[COMMIT]));
    succeeds(&place, "out", counts(10, 0, 0, 0)).await;
    assert_eq!((place.count("uploads"), place.count(COMMIT)), (10, 2));
    place.assert_account_holds("pictures", "Album");
    assert_nothing_twice(&place);
}

#[tokio::test]
async fn an_answer_that_was_lost_after_a_commit_took_effect_makes_no_duplicates() {
    // I2
    for single_use_upload_tokens in [false, true] {
        let place = Place::with(Settings { single_use_upload_tokens, ..Settings::default() }).await;
        place.draw("pictures", 0..10);
        place.add_upload().await;
        place.fault(Fault::once(Action::ResponseLost).on(&[COMMIT]));
        succeeds(&place, "out", counts(10, 0, 0, 0)).await;
        assert_eq!(place.world().item_count(), 10);
        place.assert_account_holds("pictures", "Album");
        assert_eq!(place.count("uploads"), if single_use_upload_tokens { 20 } else { 10 });
    }
}

#[tokio::test]
async fn an_answer_that_was_lost_after_an_album_was_made_makes_no_second_one() {
    // I2
    let place = Place::new().await;
    place.draw("pictures", 0..3);
    place.add_upload().await;
    place.fault(Fault::once(Action::ResponseLost).on(&["albums.create"]));
    succeeds(&place, "out", counts(3, 0, 0, 0)).await;
    assert_eq!(place.count("albums.create"), 1);
    place.assert_account_holds("pictures", "Album");
}

#[tokio::test]
async fn an_upload_that_breaks_off_is_sent_again() {
    let place = Place::new().await;
    place.draw("pictures", 0..30);
    place.add_upload().await;
    let faults = [
        Action::ConnectionReset,
        Action::ResponseLost,
        Action::ServerError { status: 503 },
        Action::Html,
        Action::TruncatedBody { bytes: None },
    ];
    for (after, action) in (2..).zip(faults) {
        place.fault(Fault::once(action).on(&["uploads"]).after(after));
    }
    succeeds(&place, "out", counts(30, 0, 0, 0)).await;
    assert_eq!(place.count("uploads"), 35);
    place.assert_account_holds("pictures", "Album");
    assert_nothing_twice(&place);
}

#[tokio::test]
async fn upload_tokens_that_died_are_got_again() {
    let place = Place::new().await;
    place.draw("pictures", 0..8);
    place.add_upload().await;
    place.fault(Fault::once(Action::SpentUploadTokens));
    succeeds(&place, "out", counts(8, 0, 0, 0)).await;
    assert_eq!(place.count("uploads"), 16);
    let commits = place.count(COMMIT);
    assert!(commits <= 24, "{commits} commits: one refusal does not say which token it means");
    place.assert_account_holds("pictures", "Album");
    assert_nothing_twice(&place);
}

#[tokio::test]
async fn upload_tokens_that_were_kept_for_too_long_are_got_again() {
    let place = Place::new().await;
    place.draw("pictures", 0..8);
    place.add_upload().await;
    let spent =
        place.world().add_fault(Fault::always(too_many(Limit::AllRequestsPerDay, None)).on(&[COMMIT]));
    let (code, summary) = place.run("out").await;
    assert_eq!(code, 4, "{summary:#}");
    place.world().remove_fault(spent);
    place.test_passes().await;
    place.world().advance(SignedDuration::from_hours(25));
    succeeds(&place, "out", counts(8, 0, 0, 0)).await;
    // One more is the test's.
    assert_eq!(place.count("uploads"), 16 + 1);
    place.assert_account_holds("pictures", "Album");
    assert_nothing_twice(&place);
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_sent_is_not_made_an_item() {
    // I1
    const BYTES: u64 = 24_000_000;
    let place = Place::new().await;
    place.add_upload().await;
    let path = place.path("pictures/growing.jpg");
    fs::write(&path, picture(1)).expect("a picture");
    let mut file = fs::File::options().write(true).open(&path).expect("it is there");
    file.set_len(BYTES).expect("room");
    // Nothing is read from the connection for so long, and the connection does not hold it all.
    place.fault(Fault::once(Action::Latency { ms: 400 }).on(&["uploads"]));
    let change = async {
        place.until("the upload", |stats| stats.count("uploads") == 1).await;
        file.seek(SeekFrom::End(-3)).and_then(|_| file.write_all(b"end")).expect("it is written to");
    };
    let ((code, summary), ()) = tokio::join!(place.run("out"), change);
    assert_eq!((code, &summary["state"]), (3, &json!("partial")), "{summary:#}");
    let message = summary["errors"][0]["message"].as_str().expect("a message");
    assert!(message.contains("it changed while it was being sent"), "{message}");
    assert_eq!((place.count(COMMIT), place.world().item_count()), (0, 0));

    succeeds(&place, "out", counts(1, 0, 0, 0)).await;
    place.assert_account_holds("pictures", "Album");
}

#[tokio::test]
async fn an_account_that_asks_to_slow_down_is_left_alone_for_as_long_as_it_says() {
    // I7
    let place = Place::new().await;
    place.draw("pictures", 0..10);
    place.add_upload().await;
    place.fault(Fault::once(too_many(Limit::ConcurrentWrites, Some(1))).on(&[COMMIT]));
    let summary = succeeds(&place, "out", counts(10, 0, 0, 0)).await;
    assert!(took(&summary) >= Duration::from_secs(1), "{summary:#}");
    assert_eq!((place.count("uploads"), place.count(COMMIT)), (10, 2));
    assert_nothing_twice(&place);
}

#[tokio::test]
async fn too_many_writes_in_a_minute_are_waited_for() {
    // I7
    let place = Place::new().await;
    place.draw("pictures", 0..10);
    place.add_upload().await;
    place.fault(Fault::once(too_many(Limit::WritesPerMinutePerUser, Some(1))).on(&["albums.create"]));
    let summary = succeeds(&place, "out", counts(10, 0, 0, 0)).await;
    assert!(took(&summary) >= Duration::from_secs(1), "{summary:#}");
    place.assert_account_holds("pictures", "Album");
}

#[tokio::test]
async fn a_full_account_ends_the_run_and_nothing_that_was_sent_is_sent_again() {
    let settings = Settings { storage_left_bytes: Some(1_000), ..Settings::default() };
    let place = Place::with(settings).await;
    place.draw("pictures", 0..20);
    place.add_upload().await;
    let (code, summary) = place.run("out").await;
    assert_eq!((code, &summary["state"]), (1, &json!("failed")), "{summary:#}");
    assert_eq!(summary["errors"][0]["class"], "destination");
    let message = summary["errors"][0]["message"].as_str().expect("a message");
    assert!(message.contains("free some space in the Google account"), "{message}");
    assert_eq!(summary["items"]["done"], 0, "{summary:#}");
    assert_eq!(place.count(COMMIT), 1, "what cannot succeed is not tried again");

    place.world().update_settings(|settings| settings.storage_left_bytes = None);
    succeeds(&place, "out", counts(20, 0, 0, 0)).await;
    assert_eq!(place.count("uploads"), 20);
    place.assert_account_holds("pictures", "Album");
}

#[tokio::test]
async fn a_daily_quota_that_is_spent_in_the_middle_parks_the_run_and_what_was_sent_is_kept() {
    // I7
    let place = Place::new().await;
    place.draw("pictures", 0..120);
    place.add_upload().await;
    place.fault(Fault::always(too_many(Limit::AllRequestsPerDay, None)).on(&["uploads"]).after(70));
    let (code, summary) = place.run("out").await;
    assert_eq!((code, &summary["state"]), (4, &json!("parked")), "{summary:#}");
    assert_eq!(summary["errors"][0]["class"], "quota");
    assert!(summary["parked_until"].is_string(), "{summary:#}");
    assert_eq!(summary["items"]["failed"], 0, "{summary:#}");
    assert!(place.count("uploads") <= 70 + UNDER_WAY, "no storm against a spent quota");

    place.world().clear_faults();
    place.test_passes().await;
    place.world().reset_stats();
    let ended = succeeds(&place, "out", counts(120, 0, 0, 0)).await;
    assert_eq!((&ended["run"], &ended["attempts"]), (&summary["run"], &json!(2)), "the same run went on");
    let uploads = place.count("uploads");
    assert!((50..=50 + UNDER_WAY).contains(&uploads), "{uploads} uploads, 70 files were sent before");
    place.assert_account_holds("pictures", "Album");
    assert_nothing_twice(&place);
}

#[tokio::test]
async fn a_daily_quota_that_leaves_no_room_for_the_commit_parks_the_run_and_what_was_sent_is_kept() {
    // I7
    let place = Place::new().await;
    place.draw("pictures", 0..20);
    place.add_upload().await;
    place.fault(Fault::always(too_many(Limit::AllRequestsPerDay, None)).on(&[COMMIT]));
    let (code, summary) = place.run("out").await;
    assert_eq!((code, &summary["state"]), (4, &json!("parked")), "{summary:#}");
    assert_eq!(place.count(COMMIT), 1);

    place.world().clear_faults();
    place.test_passes().await;
    let ended = succeeds(&place, "out", counts(20, 0, 0, 0)).await;
    assert_eq!((&ended["run"], &ended["attempts"]), (&summary["run"], &json!(2)), "the same run went on");
    // One more is the test's.
    assert_eq!(place.count("uploads"), 20 + 1);
    place.assert_account_holds("pictures", "Album");
    assert_nothing_twice(&place);
}

#[tokio::test]
async fn an_access_token_that_dies_in_the_middle_is_renewed_once_for_all() {
    let place = Place::with(Settings { latency_ms: 2, ..Settings::default() }).await;
    place.draw("pictures", 0..80);
    place.add_upload().await;
    place.fault(Fault::once(Action::ExpiredAccessToken).on(&["uploads"]).after(20));
    succeeds(&place, "out", counts(80, 0, 0, 0)).await;
    assert_eq!(place.count("oauth.token"), 1);
    place.assert_account_holds("pictures", "Album");
    assert_nothing_twice(&place);
}

#[tokio::test]
async fn an_album_of_the_title_is_taken_instead_of_made_twice() {
    let place = Place::new().await;
    let titles = (0..60).map(|number| if number == 55 { "Album".into() } else { format!("Other {number}") });
    place.world().seed(&Seed { albums: 60, album_titles: titles.collect(), ..Seed::default() });
    place.draw("pictures", 0..5);
    place.add_upload().await;
    // A page that shows nothing is no proof that there is no such album.
    place.fault(Fault::once(Action::EmptyPage).on(&["albums.list"]).after(1));
    succeeds(&place, "out", counts(5, 0, 0, 0)).await;
    assert_eq!(place.count("albums.create"), 0);
    place.assert_account_holds("pictures", "Album");
}

#[tokio::test]
async fn an_album_that_the_account_does_not_know_any_more_is_looked_for_again() {
    let place = Place::new().await;
    place.draw("pictures", 0..5);
    place.add_upload().await;
    succeeds(&place, "out", counts(5, 0, 0, 0)).await;
    let listings = place.count("albums.list");
    place.draw("pictures", 5..8);
    place.fault(Fault::once(Action::NotFound).on(&[COMMIT]));
    succeeds(&place, "out", counts(3, 5, 0, 0)).await;
    assert_eq!(place.count("albums.list"), listings + 1);
    place.assert_account_holds("pictures", "Album");
}

#[tokio::test]
async fn without_an_album_files_go_to_the_library_alone() {
    let place = Place::new().await;
    place.draw("pictures", 0..5);
    place.add_storage().await;
    let plan = json!({"kind": "upload", "storage": "family", "sources": [place.path("pictures")]});
    place.add_plan("out", &plan).await;
    succeeds(&place, "out", counts(5, 0, 0, 0)).await;
    assert_eq!(place.count("albums"), 0);
    assert_eq!(place.world().item_count(), 5);
}

#[tokio::test]
async fn a_photo_of_201_megabytes_is_refused_before_a_byte_of_it_is_sent() {
    let place = Place::new().await;
    place.draw("pictures", 0..2);
    let mut file = fs::File::create(place.path("pictures/huge.jpg")).expect("a file");
    file.write_all(&picture(7)).expect("its beginning");
    // A file with a hole: it takes no room on the disk.
    file.set_len(201_000_000).expect("a hole");
    place.add_upload().await;
    let (code, summary) = place.run("out").await;
    assert_eq!((code, &summary["state"]), (3, &json!("partial")), "{summary:#}");
    assert_eq!(summary["items"], counts(2, 0, 0, 1));
    assert_eq!(summary["errors"][0]["item"], "huge.jpg");
    let message = summary["errors"][0]["message"].as_str().expect("a message");
    assert!(message.contains("201000000") && message.contains("nothing of it was sent"), "{message}");
    assert_eq!(place.count("uploads"), 2);
    assert!(place.world().stats().bytes_received < 1_000_000);
}

#[tokio::test]
async fn file_names_arrive_as_they_are() {
    let place = Place::new().await;
    place.add_upload().await;
    let long = format!("{}.jpg", "ü".repeat(120));
    let names = [
        "Grüße aus Köln.jpg",
        "日本語の写真.jpg",
        "📷 party 🎉.jpg",
        "50% off & more; \"quoted\".jpg",
        "cafe\u{301}.jpg",
        " two  spaces .JPG",
        &long,
    ];
    for (number, name) in (0..).zip(names) {
        fs::write(place.path("pictures").join(name), picture(number)).expect("a picture");
    }
    succeeds(&place, "out", counts(7, 0, 0, 0)).await;
    let arrived: BTreeSet<String> = place.world().items().into_iter().map(|item| item.filename).collect();
    assert_eq!(arrived, names.iter().map(ToString::to_string).collect());
}

#[tokio::test]
async fn videos_are_sent_byte_for_byte() {
    let place = Place::new().await;
    place.add_upload().await;
    let video = Video::new(5).mp4();
    fs::write(place.path("pictures/clip.MP4"), &video).expect("a video");
    succeeds(&place, "out", counts(1, 0, 0, 0)).await;
    let items = place.world().items();
    assert_eq!(items[0].mime_type, "video/mp4");
    assert_eq!(items[0].sha256, Some(hex_sha256(&video)));
    place.assert_account_holds("pictures", "Album");
}

#[tokio::test]
async fn an_album_that_is_not_found_for_a_moment_after_it_was_made_is_waited_for() {
    // Reported of Google: what was made a moment ago answers 404.
    let place = Place::with(Settings {
        keep_bytes: true,
        not_found_after_creation_seconds: 2,
        ..Settings::default()
    })
    .await;
    place.draw("pictures", 0..3);
    place.add_storage().await;
    let without = json!({"kind": "upload", "storage": "family", "sources": [place.path("pictures")]});
    place.add_plan("library", &without).await;
    succeeds(&place, "library", counts(3, 0, 0, 0)).await;
    let with =
        json!({"kind": "upload", "storage": "family", "sources": [place.path("pictures")], "album": "Album"});
    place.add_plan("album", &with).await;
    succeeds(&place, "album", counts(3, 0, 0, 0)).await;
    assert_eq!(place.count("uploads"), 3, "nothing is sent again");
    assert_eq!(place.count("albums.create"), 1);
    place.assert_account_holds("pictures", "Album");
}
