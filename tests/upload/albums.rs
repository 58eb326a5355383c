//! Albums: made once, found again, and filled in order.

use gphotos_emulator::{Action, Fault};
use serde_json::json;

use super::{counts, succeeds};
use crate::support::Place;

/// The names of an album's items, in order.
fn names(place: &Place, title: &str) -> Vec<String> {
    let albums = place.world().albums();
    let album = albums.iter().find(|album| album.title == title).expect("the album");
    let items = place.world().items();
    let name = |id: &String| items.iter().find(|item| item.id == *id).expect("an item").filename.clone();
    album.item_ids.iter().map(name).collect()
}

fn drawn(numbers: impl Iterator<Item = u32>) -> Vec<String> {
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
