//! Albums: made once, found again, and filled in order.

use gphotos_emulator::{Action, Fault, Settings};
use serde_json::json;

use super::{COMMIT, counts, succeeds};
use crate::support::Place;

/// The names of an album's items, in order.
pub(super) fn names(place: &Place, title: &str) -> Vec<String> {
    let albums = place.world().albums();
    let album = albums.iter().find(|album| album.title == title).expect("the album");
    let items = place.world().items();
    let name = |id: &String| items.iter().find(|item| item.id == *id).expect("an item").filename.clone();
    album.item_ids.iter().map(name).collect()
}

pub(super) fn drawn(numbers: impl Iterator<Item = u32>) -> Vec<String> {
    numbers.map(|number| format!("IMG_{number:04}.jpg")).collect()
}

#[tokio::test]
async fn an_album_reads_like_the_folder() {
    let place = Place::new().await;
    place.draw("pictures", 0..40);
    place.add_upload().await;
    // The first files take longest.
    place.fault(Fault::once(Action::Latency { ms: 600 }).on(&["uploads"]).times(8));
    succeeds(&place, "out", counts(40, 0, 0, 0)).await;
    assert_eq!(names(&place, "Album"), drawn(0..40));
}

#[tokio::test]
async fn new_photos_go_before_the_others_where_the_plan_says_so() {
    let place = Place::new().await;
    place.draw("pictures", 0..5);
    place.add_storage().await;
    let plan = json!({"kind": "upload", "storage": "family", "sources": [place.path("pictures")], "album": "Album",
                      "album_position": "first"});
    place.add_plan("out", &plan).await;
    succeeds(&place, "out", counts(5, 0, 0, 0)).await;
    place.draw("pictures", 5..8);
    succeeds(&place, "out", counts(3, 5, 0, 0)).await;
    assert_eq!(names(&place, "Album"), drawn((5..8).chain(0..5)));
}

#[tokio::test]
async fn an_album_that_comes_to_light_late_is_not_made_twice() {
    // I2
    let place = Place::new().await;
    place.draw("pictures", 0..3);
    place.add_upload().await;
    place.fault(Fault::once(Action::ResponseLost).on(&["albums.create"]));
    // The look before it was made, and two after.
    place.fault(Fault::once(Action::ShortListing { share: 1.0, seed: 0 }).on(&["albums.list"]).times(3));
    succeeds(&place, "out", counts(3, 0, 0, 0)).await;
    assert_eq!((place.count("albums.create"), place.count("albums.list")), (1, 4));
    place.assert_account_holds("pictures", "Album");
}

#[tokio::test]
async fn an_album_that_was_surely_not_made_is_not_looked_for_with_patience() {
    let place = Place::new().await;
    place.draw("pictures", 0..3);
    place.add_upload().await;
    let limit = gphotos_emulator::Limit::WritesPerMinutePerUser;
    let refused = Action::TooManyRequests { limit, retry_after_seconds: Some(1) };
    place.fault(Fault::once(refused).on(&["albums.create"]));
    succeeds(&place, "out", counts(3, 0, 0, 0)).await;
    assert_eq!((place.count("albums.create"), place.count("albums.list")), (2, 2));
}

#[tokio::test]
async fn an_album_that_is_full_ends_the_run_and_is_not_held_against_the_files() {
    // I9
    let settings = Settings { keep_bytes: true, max_album_items: 5, ..Settings::default() };
    let place = Place::with(settings).await;
    place.draw("pictures", 0..4);
    place.add_upload().await;
    succeeds(&place, "out", counts(4, 0, 0, 0)).await;
    place.draw("pictures", 4..10);
    place.world().reset_stats();
    let (code, summary) = place.run("out").await;
    assert_eq!((code, &summary["state"]), (1, &json!("failed")), "{summary:#}");
    let error = &summary["errors"][0];
    let message = error["message"].as_str().expect("a message");
    assert!(error["class"] == "config" && message.contains("choose another album title"), "{message}");
    assert_eq!(place.count(COMMIT), 1, "no part of it is tried");
    // Where there is room they are taken, and nothing is sent again.
    place.world().update_settings(|settings| settings.max_album_items = 100);
    succeeds(&place, "out", counts(6, 4, 0, 0)).await;
    assert_eq!(place.count("uploads"), 6);
    place.assert_account_holds("pictures", "Album");
}

#[tokio::test]
async fn an_album_that_a_commit_does_not_find_yet_is_waited_for() {
    // I2. Reported of Google: what was made a moment ago answers 404.
    let place = Place::new().await;
    place.draw("pictures", 0..3);
    place.add_upload().await;
    place.fault(Fault::once(Action::NotFound).on(&[COMMIT]).times(2));
    // Nor would it be listed, if anybody looked.
    place.fault(
        Fault::once(Action::ShortListing { share: 1.0, seed: 0 }).on(&["albums.list"]).after(1).times(5),
    );
    succeeds(&place, "out", counts(3, 0, 0, 0)).await;
    assert_eq!((place.count("albums.create"), place.count(COMMIT)), (1, 3));
    place.assert_account_holds("pictures", "Album");
}
