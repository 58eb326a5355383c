//! Layouts: where in the mirror new photos go, as a plan says it.

use gphotos_emulator::{Seed, picture::Picture};
use serde_json::{Value, json};

use super::{counts, succeeds};
use crate::support::{CLIENT_ID, Place};

/// The configuration of the plan `home`, with this too.
fn plan(place: &Place, more: &Value) -> Value {
    let mut plan = json!({"kind": "backup", "storage": "family", "destination": place.path("mirror")});
    plan.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    plan
}

async fn place_with(more: &Value) -> Place {
    let place = Place::new().await;
    place.add_storage().await;
    place.add_plan("home", &plan(&place, more)).await;
    place
}

/// Puts a picture into the account: its name, when it was taken, and the camera.
fn put(place: &Place, name: &str, taken_at: &str, camera: Option<(&str, &str)>) {
    let seed = place.world().item_count() as u64;
    let picture = Picture {
        taken_at: Some(taken_at.parse().expect("a time")),
        camera: camera.map(|(make, model)| (make.to_owned(), model.to_owned())),
        ..Picture::new(seed)
    };
    place.world().add_item(CLIENT_ID, name, picture.jpeg()).expect("a picture");
}

fn paths(place: &Place) -> Vec<String> {
    place.mirrored().into_iter().map(|(path, _)| path).collect()
}

#[tokio::test]
async fn photos_go_where_the_layout_says_by_camera_and_by_date() {
    let place = place_with(&json!({"layout": "{camera}/{year}-{month}-{day}/{name}"})).await;
    put(&place, "a.jpg", "2021-06-30T12:00:00", Some(("Canon", "Canon EOS 80D")));
    put(&place, "a.jpg", "2021-06-30T13:00:00", Some(("Google", "Pixel 8")));
    put(&place, "b.jpg", "2022-01-01T00:00:00", None);
    succeeds(&place, counts(3, 0, 0, 0)).await;
    let expected = [
        "Canon EOS 80D/2021-06-30/a.jpg",
        "Google Pixel 8/2021-06-30/a.jpg",
        "unknown camera/2022-01-01/b.jpg",
    ];
    assert_eq!(paths(&place), expected);
    place.assert_mirror_is_complete();
    succeeds(&place, counts(0, 3, 0, 0)).await;
}

#[tokio::test]
async fn dates_are_those_of_the_time_zone() {
    let place = place_with(&json!({"layout": "{year}/{month}/{id}.{ext}", "time_zone": "Asia/Tokyo"})).await;
    put(&place, "a.jpg", "2021-12-31T16:00:00", None);
    put(&place, "b.jpg", "2021-12-31T14:00:00", None);
    succeeds(&place, counts(2, 0, 0, 0)).await;
    let id =
        |name: &str| place.world().items().into_iter().find(|item| item.filename == name).expect("it").id;
    assert_eq!(
        paths(&place),
        [format!("2021/12/{}.jpg", id("b.jpg")), format!("2022/01/{}.jpg", id("a.jpg"))]
    );
}

#[tokio::test]
async fn another_layout_is_for_photos_that_come_later() {
    // I4
    let place = place_with(&json!({})).await;
    put(&place, "a.jpg", "2021-06-30T12:00:00", None);
    succeeds(&place, counts(1, 0, 0, 0)).await;
    let other = plan(&place, &json!({"layout": "{year}/{name}"}));
    let updated = place.charon_with(&["plan", "update", "home", "--config", "-"], &other).await;
    assert_eq!(updated.code, Some(0), "{updated:?}");
    put(&place, "b.jpg", "2021-06-30T13:00:00", None);
    succeeds(&place, counts(1, 1, 0, 0)).await;
    assert_eq!(paths(&place), ["2021/b.jpg", "photos/2021/06/a.jpg"]);
    // Also one that has to be fetched again.
    std::fs::remove_file(place.path("mirror/photos/2021/06/a.jpg")).expect("it was there");
    let ended = place.charon(&["run", "home", "--full", "--json"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(paths(&place), ["2021/b.jpg", "photos/2021/06/a.jpg"]);
    let shown = place.done(&["plan", "show", "home"]).await.stdout;
    assert!(shown.contains("new photos go to {year}/{name}, by the dates of UTC"), "{shown}");
}

#[tokio::test]
async fn the_album_of_a_photo_is_known_whether_albums_are_selected_or_the_whole_library() {
    for albums in [json!("every"), json!(["Sea"]), Value::Null] {
        let selection = if albums.is_null() { json!({}) } else { json!({"albums": albums}) };
        let place = place_with(&json!({"layout": "{album}/{name}", "selection": selection})).await;
        let seed = Seed { albums: 1, album_titles: vec!["Sea".into()], ..Seed::plain(4, 3_000) };
        place.world().seed(&seed);
        put(&place, "alone.jpg", "2021-06-30T12:00:00", None);
        let (code, summary) = place.run("home").await;
        assert_eq!(code, 0, "{summary:#}");
        let in_album = place.world().albums()[0].item_ids.len();
        let paths = paths(&place);
        let among = |folder: &str| paths.iter().filter(|path| path.starts_with(folder)).count();
        assert!(in_album > 0 && among("Sea/") == in_album, "{albums}: {paths:?}");
        let others = if albums.is_null() { place.world().item_count() - in_album } else { 0 };
        assert_eq!(among("no album/"), others, "{albums}: {paths:?}");
        assert!(albums.is_null() || paths.len() == in_album, "{albums}: {paths:?}");
    }
}

#[tokio::test]
async fn a_layout_that_is_wrong_is_refused_with_its_place() {
    let place = Place::new().await;
    place.add_storage().await;
    for (more, words) in [
        (json!({"layout": "../{name}"}), "layout: has .. in it"),
        (json!({"layout": "{year}/{month}"}), "layout: has neither {name} nor {id}"),
        (json!({"layout": "{title}/{name}"}), "layout: has the placeholder {title}"),
        (json!({"time_zone": "Berlin"}), "time_zone: is no time zone"),
    ] {
        let ended = place.charon_with(&["plan", "add", "home", "--config", "-"], &plan(&place, &more)).await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains(words), "{more}: {ended:?}");
    }
}
