//! Albums by folder and by template: each file into its own, in order, and with as few commits as there can be.

use std::{fs, path::Path};

use gphotos_emulator::{Settings, picture::Picture};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    COMMIT,
    albums::{drawn, names},
    assert_nothing_twice, counts, succeeds,
};
use crate::support::Place;

/// A place with the plan `out`, which sends `pictures`, and says this too.
async fn place_with(settings: Settings, more: Value) -> Place {
    let place = Place::with(Settings { keep_bytes: true, ..settings }).await;
    place.add_storage().await;
    fs::create_dir_all(place.path("pictures")).expect("a folder");
    add(&place, "out", more).await;
    place
}

async fn add(place: &Place, name: &str, more: Value) {
    let mut plan = json!({"kind": "upload", "storage": "family", "sources": [place.path("pictures")]});
    let more = more.as_object().expect("an object").clone();
    plan.as_object_mut().expect("an object").extend(more);
    place.add_plan(name, &plan).await;
}

/// The titles of the account's albums, sorted.
fn titles(place: &Place) -> Vec<String> {
    let mut titles: Vec<String> = place.world().albums().into_iter().map(|album| album.title).collect();
    titles.sort();
    titles
}

fn set_modified(path: &Path, time: &str) {
    let time: Timestamp = time.parse().expect("a time");
    let file = fs::File::options().write(true).open(path).expect("a file");
    file.set_modified(time.into()).expect("its time is set");
}

#[tokio::test]
async fn each_folder_becomes_an_album_that_reads_like_it() {
    let place = place_with(Settings::default(), json!({"album": "{folder}"})).await;
    place.draw("pictures/Sea", 0..70);
    place.draw("pictures/2024/Mountains", 70..100);
    place.draw("pictures", 100..110);
    succeeds(&place, "out", counts(110, 0, 0, 0)).await;
    assert_eq!(titles(&place), ["Mountains", "Sea", "pictures"]);
    let mut sea = names(&place, "Sea");
    // Within a batch the order is that of the folder; which fifty of the seventy were sent first is up to the network.
    assert!(sea[..50].is_sorted() && sea[50..].is_sorted(), "{sea:?}");
    sea.sort();
    assert_eq!(sea, drawn(0..70));
    assert_eq!(names(&place, "Mountains"), drawn(70..100));
    assert_eq!(names(&place, "pictures"), drawn(100..110));
    let stats = place.world().stats();
    assert_eq!(stats.peak_concurrent_writes, 1, "I8");
    // Two for the largest folder and one for each other one; more only where one that was not full had waited for long.
    assert!((4..=6).contains(&stats.count(COMMIT)), "{stats:?}");
    assert_eq!((stats.count("albums.list"), stats.count("albums.create")), (1, 3));
    assert_nothing_twice(&place);

    place.world().reset_stats();
    succeeds(&place, "out", counts(0, 110, 0, 0)).await;
    assert_eq!(place.world().stats().api_requests, 0);
}

#[tokio::test]
async fn many_small_folders_take_one_commit_each_and_the_albums_are_listed_once() {
    let place = place_with(Settings::default(), json!({"album": "{path}"})).await;
    for folder in 0..40 {
        place.draw(&format!("pictures/{folder:02}/a"), folder * 4..folder * 4 + 3);
    }
    let estimate = place.done(&["plan", "preview", "out", "--json"]).await.json();
    // Of each file the bytes; of each album the look, the making and the commit.
    assert_eq!((&estimate["new"], &estimate["requests"]["api"]), (&json!(120), &json!(120 + 40 * 3)));
    succeeds(&place, "out", counts(120, 0, 0, 0)).await;
    let stats = place.world().stats();
    assert_eq!(stats.count("albums.list"), 1);
    assert!((40..=44).contains(&stats.count(COMMIT)), "{stats:?}");
    assert_eq!(titles(&place).len(), 40);
    for folder in 0..40 {
        assert_eq!(names(&place, &format!("{folder:02} / a")), drawn(folder * 4..folder * 4 + 3));
    }
}

#[tokio::test]
async fn a_file_for_which_a_placeholder_stands_for_nothing_goes_into_no_album() {
    let place = place_with(Settings::default(), json!({"album": "{source}: {path}"})).await;
    place.draw("pictures", 0..3);
    place.draw("pictures/a/b", 3..5);
    succeeds(&place, "out", counts(5, 0, 0, 0)).await;
    assert_eq!(titles(&place), ["pictures: a / b"]);
    assert_eq!(names(&place, "pictures: a / b"), drawn(3..5));
    assert_eq!(place.world().item_count(), 5);
    succeeds(&place, "out", counts(0, 5, 0, 0)).await;
}

#[tokio::test]
async fn the_date_is_that_of_the_capture_where_the_file_tells_it() {
    let place = place_with(Settings::default(), json!({})).await;
    let taken = Picture { taken_at: Some("2011-02-03T23:59:06".parse().expect("a time")), ..Picture::new(1) };
    let says_it = place.path("pictures/a.jpg");
    fs::write(&says_it, taken.jpeg()).expect("a picture");
    set_modified(&says_it, "2020-01-01T00:00:00Z");
    let does_not = place.path("pictures/b.jpg");
    fs::write(&does_not, Picture::new(2).jpeg()).expect("a picture");
    set_modified(&does_not, "2021-12-31T23:59:59Z");
    // Their hashes are known when the plan comes that wants to know their dates.
    succeeds(&place, "out", counts(2, 0, 0, 0)).await;
    add(&place, "days", json!({"album": "{year}-{month}-{day}"})).await;
    succeeds(&place, "days", counts(2, 0, 0, 0)).await;
    assert_eq!(titles(&place), ["2011-02-03", "2021-12-31"]);
    assert_eq!(names(&place, "2011-02-03"), ["a.jpg"]);
    succeeds(&place, "days", counts(0, 2, 0, 0)).await;
    add(&place, "years", json!({"album": "Year {year}"})).await;
    succeeds(&place, "years", counts(2, 0, 0, 0)).await;
    assert_eq!(titles(&place), ["2011-02-03", "2021-12-31", "Year 2011", "Year 2021"]);
}

#[tokio::test]
async fn the_same_bytes_in_two_folders_are_sent_once_and_are_in_both_albums() {
    let place = place_with(Settings::default(), json!({"album": "{folder}"})).await;
    place.draw("pictures/one", 0..10);
    place.draw("pictures/two", 5..15);
    let estimate = place.done(&["plan", "preview", "out", "--json"]).await.json();
    assert_eq!(estimate["new"], 15);
    succeeds(&place, "out", counts(20, 0, 0, 0)).await;
    assert_eq!((place.count("uploads"), place.world().item_count()), (15, 15));
    place.assert_account_holds("pictures/one", "one");
    place.assert_account_holds("pictures/two", "two");
    assert_eq!(names(&place, "one").len(), 10);
    assert_eq!(names(&place, "two").len(), 10);

    place.world().reset_stats();
    succeeds(&place, "out", counts(0, 20, 0, 0)).await;
    assert_eq!(place.world().stats().api_requests, 0);
    // What is moved into another folder joins its album, and is not sent again.
    fs::rename(place.path("pictures/one/IMG_0000.jpg"), place.path("pictures/two/IMG_0000.jpg"))
        .expect("moved");
    succeeds(&place, "out", counts(1, 19, 0, 0)).await;
    assert_eq!((place.count("uploads"), names(&place, "two").len()), (0, 11));
}

#[tokio::test]
async fn braces_that_are_written_twice_are_braces() {
    let place = Place::new().await;
    place.draw("pictures", 0..2);
    place.add_storage().await;
    add(&place, "out", json!({"album": "{{Sea}}"})).await;
    succeeds(&place, "out", counts(2, 0, 0, 0)).await;
    assert_eq!(titles(&place), ["{Sea}"]);
}

#[tokio::test]
async fn what_the_plan_leaves_out_is_told_and_an_excluded_folder_only_once() {
    // I9
    let globs = json!({"exclude": ["raw/", "*_edited.*"], "include": ["*.jpg", "*.jpeg"]});
    let place = place_with(Settings::default(), globs).await;
    place.draw("pictures", 0..3);
    place.draw("pictures/Raw", 3..20);
    fs::rename(place.path("pictures/IMG_0002.jpg"), place.path("pictures/IMG_0002_edited.JPG"))
        .expect("renamed");
    fs::copy(place.path("pictures/IMG_0001.jpg"), place.path("pictures/IMG_0001.png")).expect("a copy");
    fs::write(place.path("pictures/notes.txt"), "words").expect("a file");
    let summary = succeeds(&place, "out", counts(2, 0, 4, 0)).await;
    let skipped = &summary["skipped"];
    for reason in [
        "left out, as the plan excludes raw/",
        "left out, as the plan excludes *_edited.*",
        "left out, as it is not among what the plan includes",
        "not a photo or video that the storage takes",
    ] {
        assert_eq!(skipped[reason], 1, "{reason}: {skipped:#}");
    }
    assert_eq!(place.world().item_count(), 2);
}
