//! The way home.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::Path,
    time::SystemTime,
};

use gphotos_emulator::{Action, Fault, Limit, Seed, Settings, exif::Exif, jpeg};
use jiff::{SignedDuration, Timestamp, ToSpan, tz::TimeZone};
use serde_json::{Value, json};

use crate::support::{Place, hex_sha256};

/// Downloads that may be under way at a time.
const UNDER_WAY: u64 = 16;

fn counts(done: u64, unchanged: u64, skipped: u64, failed: u64) -> Value {
    json!({"done": done, "unchanged": unchanged, "skipped": skipped, "failed": failed})
}

/// Runs the plan `home` and checks that it succeeded with these counts.
async fn succeeds(place: &Place, expected: Value) -> Value {
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["state"]), (0, &json!("succeeded")), "{summary:#}");
    assert_eq!(summary["items"], expected, "{summary:#}");
    summary
}

fn fault_on(method: &str, action: Action) -> Fault {
    Fault::once(action).on(&[method])
}

/// Pictures of one month, with these names.
fn named(names: &[&str]) -> Seed {
    let time = |text: &str| text.parse().expect("a time");
    Seed {
        names: names.iter().map(|&name| name.to_owned()).collect(),
        first: time("2021-06-02T00:00:00Z"),
        last: time("2021-06-28T00:00:00Z"),
        ..Seed::plain(u32::try_from(names.len()).expect("a few"), 3_000)
    }
}

/// The path in the mirror of each content, by its SHA-256.
fn paths(place: &Place) -> BTreeMap<String, String> {
    place.mirrored().into_iter().map(|(path, bytes)| (hex_sha256(&bytes), path)).collect()
}

#[tokio::test]
async fn a_backup_brings_everything_home_and_a_second_one_brings_nothing() {
    let place = Place::new().await;
    place.seed(230);
    place.add_backup().await;

    succeeds(&place, counts(230, 0, 0, 0)).await;
    assert_eq!(place.count("mediaItems.list"), 3);
    assert_eq!(place.count("media.bytes"), 230);
    place.assert_mirror_is_complete();

    place.world().reset_stats();
    succeeds(&place, counts(0, 230, 0, 0)).await;
    assert_eq!(place.count("mediaItems.list"), 3);
    assert_eq!(place.count("media.bytes"), 0);
}

#[tokio::test]
async fn an_empty_account_is_no_failure() {
    let place = Place::new().await;
    place.add_backup().await;
    succeeds(&place, counts(0, 0, 0, 0)).await;
    place.assert_mirror_is_complete();
}

#[tokio::test]
async fn addresses_that_expire_in_the_middle_are_renewed_many_at_a_time() {
    let place = Place::new().await;
    place.seed(230);
    place.add_backup().await;
    place.fault(fault_on("media.bytes", Action::ExpiredBaseUrls).after(20));
    succeeds(&place, counts(230, 0, 0, 0)).await;
    place.assert_mirror_is_complete();
    let renewals = place.count("mediaItems.batchGet");
    assert!((1..=10).contains(&renewals), "{renewals} look-ups for up to 210 items, 50 at a time");
    let fetches = place.count("media.bytes");
    assert!(fetches <= 230 + 3 * UNDER_WAY, "{fetches} requests for 230 items");
}

#[tokio::test]
async fn a_run_lives_through_an_hour_in_which_addresses_and_the_access_token_expire() {
    let settings = Settings { keep_bytes: true, latency_ms: 3, ..Settings::default() };
    let place = Place::with(settings).await;
    place.seed(230);
    place.add_backup().await;
    let run = async { succeeds(&place, counts(230, 0, 0, 0)).await };
    let hour = async {
        place.until("downloads", |stats| stats.count("media.bytes") >= 40).await;
        place.world().advance(SignedDuration::from_mins(61));
    };
    tokio::join!(run, hour);
    place.assert_mirror_is_complete();
    assert_eq!(place.count("oauth.token"), 1, "one refresh for all");
    let renewals = place.count("mediaItems.batchGet");
    assert!((1..=12).contains(&renewals), "{renewals} look-ups, one of which the old token may have made");
}

#[tokio::test]
async fn downloads_that_break_off_or_bring_something_else_are_tried_again() {
    // I1
    let place = Place::new().await;
    place.seed(40);
    place.add_backup().await;
    let faults = [
        Action::TruncatedBody { bytes: None },
        Action::TruncatedBody { bytes: Some(0) },
        Action::ConnectionReset,
        Action::ServerError { status: 503 },
        Action::ServerError { status: 500 },
        Action::Html,
    ];
    for (after, action) in (3..).zip(faults) {
        place.fault(fault_on("media.bytes", action).after(after));
    }
    succeeds(&place, counts(40, 0, 0, 0)).await;
    assert_eq!(place.world().stats().faults, 6);
    assert_eq!(place.count("media.bytes"), 46);
    place.assert_mirror_is_complete();
}

#[tokio::test]
async fn listings_that_break_off_or_bring_something_else_are_tried_again() {
    let place = Place::new().await;
    place.seed(150);
    place.add_backup().await;
    place.fault(fault_on("mediaItems.list", Action::TruncatedBody { bytes: None }));
    place.fault(fault_on("mediaItems.list", Action::Html).after(2));
    succeeds(&place, counts(150, 0, 0, 0)).await;
    assert_eq!(place.count("mediaItems.list"), 4);
    place.assert_mirror_is_complete();
}

#[tokio::test]
async fn an_empty_page_is_not_the_end_of_the_listing() {
    let place = Place::new().await;
    place.seed(150);
    place.add_backup().await;
    // The first page names the place where it begins, which is another; the third names itself.
    place.fault(fault_on("mediaItems.list", Action::EmptyPage));
    place.fault(fault_on("mediaItems.list", Action::EmptyPage).after(2));
    succeeds(&place, counts(150, 0, 0, 0)).await;
    place.assert_mirror_is_complete();
}

#[tokio::test]
async fn an_item_that_is_listed_twice_is_fetched_and_counted_once() {
    // I9
    let place = Place::new().await;
    place.seed(250);
    place.add_backup().await;
    place.fault(Fault::always(Action::RepeatedItem));
    succeeds(&place, counts(250, 0, 0, 0)).await;
    assert_eq!(place.count("media.bytes"), 250);
    place.assert_mirror_is_complete();
    succeeds(&place, counts(0, 250, 0, 0)).await;
}

#[tokio::test]
async fn a_short_listing_deletes_nothing_and_the_next_run_gets_the_rest() {
    // I5
    let place = Place::new().await;
    place.seed(100);
    place.add_backup().await;
    let short = Action::ShortListing { share: 0.3, seed: 7 };
    let number = place.world().add_fault(Fault::always(short.clone()));
    let (code, summary) = place.run("home").await;
    assert_eq!(code, 0, "{summary:#}");
    let first = summary["items"]["done"].as_u64().expect("a count");
    assert!((50..90).contains(&first), "{first} of 100 were listed");
    place.world().remove_fault(number);
    succeeds(&place, counts(100 - first, first, 0, 0)).await;
    place.assert_mirror_is_complete();

    place.fault(Fault::always(short));
    succeeds(&place, counts(0, first, 0, 0)).await;
    place.assert_mirror_is_complete();
}

#[tokio::test]
async fn items_of_the_same_name_and_month_each_get_a_path_that_stays() {
    // I4
    let place = Place::new().await;
    place.world().seed(&named(&["same.jpg"]));
    place.add_backup().await;
    succeeds(&place, counts(1, 0, 0, 0)).await;
    let before = paths(&place);
    assert_eq!(before.values().collect::<Vec<_>>(), ["photos/2021/06/same.jpg"]);

    place.world().seed(&named(&["same.jpg", "SAME.jpg", "same.JPG"]));
    succeeds(&place, counts(3, 1, 0, 0)).await;
    place.assert_mirror_is_complete();
    let after = paths(&place);
    assert!(
        before.iter().all(|(content, path)| after.get(content) == Some(path)),
        "{before:?}, then {after:?}"
    );
    let folded: HashSet<String> = after.values().map(|path| path.to_lowercase()).collect();
    assert_eq!(folded.len(), 4, "{after:?}");

    succeeds(&place, counts(0, 4, 0, 0)).await;
    assert_eq!(paths(&place), after);
}

#[tokio::test]
async fn items_with_hostile_names_come_home_under_safe_ones() {
    let place = Place::new().await;
    let long = format!("{}.jpg", "x".repeat(296));
    let wide = format!("{}.jpg", "ü".repeat(148));
    let names = [
        "/etc/passwd",
        "../../escape.jpg",
        "..\\..\\escape.jpg",
        "a/b.jpg",
        "line\nbreak\ttab\u{7}.jpg",
        "nul\u{0}byte.jpg",
        &long,
        &wide,
        "📷 Ferien 👩‍👩‍👧 🏖️.jpg",
        ".",
        "..",
        "...",
        "CON.jpg",
        "con",
        "LPT1.JPG",
        "a.JPG",
        "a.jpg",
        "Straße.jpg",
        "STRASSE.JPG",
        "cafe\u{301}.jpg",
        "caf\u{e9}.jpg",
        "trailing dot.",
        "trailing space ",
        "what?<is>|\"this\"*:.jpg",
        "\u{202e}gpj.exe",
        ".charon",
        "   ",
        "-rf.jpg",
        "",
    ];
    place.world().seed(&named(&names));
    place.add_backup().await;
    let all = u64::try_from(names.len()).expect("a few");
    succeeds(&place, counts(all, 0, 0, 0)).await;
    place.assert_mirror_is_complete();

    let first = paths(&place);
    let mut folded = HashSet::new();
    for path in first.values() {
        let name = path.strip_prefix("photos/2021/06/").unwrap_or_else(|| panic!("{path:?} is in its month"));
        assert!(name.len() <= 255, "{name:?}");
        assert!(!name.contains(['/', '\\', ':', '*', '?', '"', '<', '>', '|', '\u{202e}']), "{name:?}");
        assert!(!name.chars().any(char::is_control), "{name:?}");
        assert!(!name.starts_with(['.', ' ']) && !name.ends_with(['.', ' ']), "{name:?}");
        let stem = name.split('.').next().expect("a stem").to_uppercase();
        assert!(!["CON", "LPT1"].contains(&stem.as_str()), "{name:?}");
        assert!(folded.insert(path.to_uppercase().to_lowercase()), "{path:?} is there twice");
    }
    assert!(first.values().any(|path| path.contains("📷 Ferien 👩‍👩‍👧 🏖️.jpg")), "{first:?}");
    succeeds(&place, counts(0, all, 0, 0)).await;
    assert_eq!(paths(&place), first);
}

#[tokio::test]
async fn videos_come_home_as_videos() {
    let place = Place::new().await;
    place.world().seed(&Seed { items: 3, video_share: 1.0, ..Seed::default() });
    place.add_backup().await;
    succeeds(&place, counts(3, 0, 0, 0)).await;
    place.assert_mirror_is_complete();
    for (path, bytes) in place.mirrored() {
        assert_eq!(Path::new(&path).extension(), Some("mp4".as_ref()), "{path}");
        assert_eq!(&bytes[4..8], b"ftyp");
    }
}

#[tokio::test]
async fn a_video_that_is_still_processed_is_skipped_with_its_reason_and_fetched_later() {
    // I9
    let place = Place::new().await;
    place.seed(5);
    place.world().seed(&Seed { items: 2, video_share: 1.0, ..Seed::default() });
    place.add_backup().await;
    place.fault(Fault::always(Action::VideoProcessing));
    let summary = succeeds(&place, counts(5, 0, 2, 0)).await;
    let reasons = summary["skipped"].as_object().expect("reasons");
    assert_eq!(reasons.values().collect::<Vec<_>>(), [&json!(2)]);
    assert!(reasons.keys().all(|reason| reason.contains("still being processed")), "{summary:#}");

    place.world().clear_faults();
    succeeds(&place, counts(2, 5, 0, 0)).await;
    place.assert_mirror_is_complete();
}

#[tokio::test]
async fn a_file_that_was_deleted_from_the_mirror_comes_back_to_its_path() {
    // I4
    let place = Place::new().await;
    place.world().seed(&named(&["same.jpg", "same.jpg", "other.jpg"]));
    place.add_backup().await;
    succeeds(&place, counts(3, 0, 0, 0)).await;
    let before = paths(&place);
    for path in before.values().filter(|path| path.contains("same")) {
        fs::remove_file(place.path("mirror").join(path)).expect("it is there");
    }
    succeeds(&place, counts(2, 1, 0, 0)).await;
    assert_eq!(paths(&place), before);

    fs::remove_dir_all(place.path("mirror/photos")).expect("it is there");
    succeeds(&place, counts(3, 0, 0, 0)).await;
    assert_eq!(paths(&place), before);
}

#[tokio::test]
async fn what_was_taken_before_the_start_year_is_left_out_and_counted() {
    // I9
    let place = Place::new().await;
    let years = |first: &str, last: &str, items| Seed {
        first: first.parse().expect("a time"),
        last: last.parse().expect("a time"),
        ..Seed::plain(items, 3_000)
    };
    place.world().seed(&years("2012-01-01T00:00:00Z", "2019-12-31T23:59:59Z", 30));
    place.world().seed(&years("2020-01-01T00:00:00Z", "2022-01-01T00:00:00Z", 20));
    place.add_backup_with(&json!({"start_year": 2020})).await;
    let summary = succeeds(&place, counts(20, 0, 30, 0)).await;
    assert_eq!(summary["skipped"].as_object().expect("reasons").len(), 1);
    assert!(place.mirrored().iter().all(|(path, _)| path.starts_with("photos/202")));
    assert_eq!(place.count("media.bytes"), 20);
    succeeds(&place, counts(0, 20, 30, 0)).await;
}

#[tokio::test]
async fn archived_items_are_asked_for_by_searching() {
    let place = Place::new().await;
    place.seed(130);
    place.add_backup_with(&json!({"include_archived": true})).await;
    succeeds(&place, counts(130, 0, 0, 0)).await;
    assert_eq!((place.count("mediaItems.search"), place.count("mediaItems.list")), (2, 0));
    place.assert_mirror_is_complete();
}

#[tokio::test]
async fn an_expired_access_token_is_renewed_once_and_kept() {
    let place = Place::new().await;
    place.seed(120);
    place.add_backup().await;
    place.world().expire_access_tokens();
    succeeds(&place, counts(120, 0, 0, 0)).await;
    assert_eq!(place.count("oauth.token"), 1);
    succeeds(&place, counts(0, 120, 0, 0)).await;
    assert_eq!(place.count("oauth.token"), 1, "the renewed token was kept for the next run");
}

#[tokio::test]
async fn a_revoked_consent_parks_the_run_and_says_what_to_do() {
    let place = Place::new().await;
    place.seed(5);
    place.add_backup().await;
    place.world().expire_access_tokens();
    place.world().revoke_refresh_tokens();
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["state"]), (4, &json!("parked")), "{summary:#}");
    assert_eq!(summary["errors"][0]["class"], "auth");
    assert_eq!(summary["errors"][0]["item"], Value::Null);
    let message = summary["errors"][0]["message"].as_str().expect("a message");
    assert!(message.contains("run the authorisation again"), "{message}");
    assert_eq!(summary.get("parked_until"), None, "only a person can help");
    // I7: what cannot succeed is not tried again.
    assert_eq!(place.count("oauth.token"), 1);
    assert_eq!(place.runs().await[0]["state"], "parked");
}

/// The next midnight in California.
fn midnight(now: Timestamp) -> Timestamp {
    let now = now.to_zoned(TimeZone::get("America/Los_Angeles").expect("a zone"));
    let date = now.date().checked_add(1.day()).expect("a date");
    date.to_zoned(now.time_zone().clone()).expect("a midnight").timestamp()
}

#[tokio::test]
async fn a_spent_daily_quota_parks_the_run_until_midnight_in_california_and_the_next_run_goes_on() {
    // I7
    let settings = Settings { keep_bytes: true, media_requests_per_day: Some(40), ..Settings::default() };
    let place = Place::with(settings).await;
    place.seed(120);
    place.add_backup().await;
    let before = place.world().now();
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["state"]), (4, &json!("parked")), "{summary:#}");
    assert_eq!(summary["errors"][0]["class"], "quota");
    let until: Timestamp = summary["parked_until"].as_str().expect("a time").parse().expect("a time");
    // The run may have been parked on the stroke of midnight.
    let expected = [midnight(before), midnight(place.world().now())];
    assert!(expected.contains(&until), "{until} is one of {expected:?}");
    assert_eq!(summary["items"]["failed"], 0, "{summary:#}");
    let first = summary["items"]["done"].as_u64().expect("a count");
    assert!(first <= 40);
    let asked = place.count("media.bytes");
    assert!(asked <= 40 + UNDER_WAY, "{asked} requests against a quota of 40");
    let runs = place.runs().await;
    assert_eq!((&runs[0]["state"], &runs[0]["parked_until"]), (&json!("parked"), &summary["parked_until"]));

    place.world().update_settings(|settings| settings.media_requests_per_day = None);
    succeeds(&place, counts(120 - first, first, 0, 0)).await;
    place.assert_mirror_is_complete();
}

#[tokio::test]
async fn a_spent_daily_quota_of_listings_parks_the_run() {
    // I7
    let place = Place::new().await;
    place.seed(5);
    place.add_backup().await;
    let spent = Action::TooManyRequests { limit: Limit::AllRequestsPerDay, retry_after_seconds: None };
    place.fault(Fault::always(spent).on(&["mediaItems.list"]));
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["state"]), (4, &json!("parked")), "{summary:#}");
    assert_eq!(place.count("mediaItems.list"), 1);
}

#[tokio::test]
async fn files_carry_the_time_of_capture() {
    let place = Place::new().await;
    place.seed(30);
    place.add_backup().await;
    succeeds(&place, counts(30, 0, 0, 0)).await;
    let taken: BTreeMap<String, Timestamp> =
        place.world().items().into_iter().map(|item| (item.sha256.expect("a hash"), item.taken_at)).collect();
    for (content, path) in paths(&place) {
        let modified =
            fs::metadata(place.path("mirror").join(&path)).expect("it is there").modified().expect("a time");
        assert_eq!(modified, SystemTime::from(taken[&content]), "{path}");
        let month = taken[&content].to_zoned(TimeZone::UTC).strftime("photos/%Y/%m/").to_string();
        assert!(path.starts_with(&month), "{path} is in {month}");
    }
}

#[tokio::test]
async fn copies_of_the_api_are_whole_pictures_without_a_place() {
    let place = Place::with(Settings::default()).await;
    let ids = place.world().seed(&Seed { items: 6, location_share: 1.0, ..Seed::default() }).item_ids;
    place.add_backup().await;
    succeeds(&place, counts(6, 0, 0, 0)).await;
    let originals: HashSet<String> =
        ids.iter().map(|id| hex_sha256(&place.world().original(id).expect("its bytes"))).collect();
    let mirrored = place.mirrored();
    assert_eq!(mirrored.len(), 6);
    for (path, bytes) in mirrored {
        assert!(!originals.contains(&hex_sha256(&bytes)), "{path} is not the original, byte for byte");
        assert_eq!(jpeg::dimensions(&bytes), Some((160, 120)), "{path}");
        assert!(jpeg::decode(&bytes).is_some(), "{path} can be decoded");
        let exif = Exif::from_tiff(jpeg::exif_block(&bytes).expect("EXIF"));
        assert!(exif.make.is_some() && exif.taken_at.is_some(), "{path}: {exif:?}");
        assert_eq!(exif.location, None, "{path}");
    }
    // What was fetched is what the ledger remembers.
    succeeds(&place, counts(0, 6, 0, 0)).await;
}

/// What can be found of a secret in what the program left behind, if anything can.
fn found(secret: &str, bytes: &[u8]) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
}

#[tokio::test]
async fn secrets_are_in_no_file_and_in_no_output() {
    // I6
    let place = Place::new().await;
    place.seed(60);
    place.draw("pictures", 0..60);
    let token = place.emulator.token_blob(crate::support::CLIENT_ID, &[]);
    let blob: Value = serde_json::from_str(&token).expect("JSON");
    let known =
        ["access_token", "refresh_token"].map(|name| blob[name].as_str().expect("a token").to_owned());
    place.add_backup_with(&json!({"token": token})).await;
    let upload =
        json!({"kind": "upload", "storage": "family", "sources": [place.path("pictures")], "album": "A"});
    place.add_plan("out", &upload).await;
    place.world().expire_access_tokens();
    place.fault(fault_on("media.bytes", Action::ServerError { status: 503 }));
    place.fault(fault_on("uploads", Action::ConnectionReset));

    let mut said = Vec::new();
    for arguments in [
        &["run", "home", "-vv"][..],
        &["run", "home", "-vv", "--json"],
        &["run", "out", "-vv"],
        &["storage", "show", "family"],
        &["storage", "show", "family", "--json"],
        &["storage", "list", "--json"],
        &["storage", "test", "family", "-vv"],
        &["runs", "--json"],
    ] {
        let ended = place.charon(arguments).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        said.extend([ended.stdout, ended.stderr]);
    }
    // Whoever looks for a fault may log everything.
    let everything =
        place.command(&["run", "home"]).env("RUST_LOG", "trace").output().await.expect("the program runs");
    assert!(everything.stderr.len() > 10_000, "everything was logged");
    said.extend(
        [everything.stdout, everything.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
    );
    // In the middle of an upload there are staged tokens, and a write-ahead log.
    place.draw("pictures", 60..120);
    place.world().update_settings(|settings| settings.latency_ms = 5);
    let before = place.count("uploads");
    let mut child = place.spawn(&["run", "out", "-vv"]);
    place.until("uploads", |stats| stats.count("uploads") >= before + 30).await;
    child.start_kill().expect("it can be killed");
    let output = child.wait_with_output().await.expect("it ends");
    said.extend([output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()));
    // And the account says no, in words that could repeat what it was asked.
    place.world().expire_access_tokens();
    place.world().revoke_refresh_tokens();
    let ended = place.charon(&["run", "home", "-vv"]).await;
    assert_eq!(ended.code, Some(4), "{ended:?}");
    said.extend([ended.stdout, ended.stderr]);

    let secrets = known.iter().map(String::as_str).chain(["a-client-secret", "ya29.", "1//0"]);
    let files = ["charon.db", "charon.db-wal", "charon.db-shm", "charon.lock"]
        .map(|name| (name, fs::read(place.data_dir().join(name)).unwrap_or_default()));
    assert!(files[0].1.len() > 10_000, "the database was looked at");
    for secret in secrets {
        assert!(!said.iter().any(|text| text.contains(secret)), "{secret} was printed");
        for (name, bytes) in &files {
            assert!(!found(secret, bytes), "{secret} is in {name}");
        }
    }
}
