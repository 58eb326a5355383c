//! Which photos are wanted.

use gphotos_emulator::Seed;
use serde_json::{Value, json};

use super::{counts, succeeds};
use crate::support::{CLIENT_ID, Place, picture};

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
async fn a_quick_run_tells_of_all_that_is_left_out_and_how_to_include_it() {
    // I9: far behind the page where it stops.
    let place = Place::new().await;
    let years = |first: &str, last: &str, items| Seed {
        first: first.parse().expect("a time"),
        last: last.parse().expect("a time"),
        ..Seed::plain(items, 3_000)
    };
    place.world().seed(&years("2012-01-01T00:00:00Z", "2019-12-31T23:59:59Z", 220));
    place.world().seed(&years("2020-01-01T00:00:00Z", "2022-01-01T00:00:00Z", 130));
    place.add_backup_with(&json!({"start_year": 2020})).await;
    let first = succeeds(&place, counts(130, 0, 220, 0)).await;
    place.world().reset_stats();
    let quick = succeeds(&place, counts(0, 130, 220, 0)).await;
    assert_eq!((&quick["listing"], place.count("mediaItems.list")), (&json!("quick"), 1));
    assert_eq!(quick["skipped"], json!({"before start_year": 220}));
    assert_eq!((&quick["skipped"], &quick["hints"]), (&first["skipped"], &first["hints"]));
    assert!(quick["hints"][0].as_str().expect("a hint").contains("220 items"), "{quick:#}");
}

#[tokio::test]
async fn archived_items_are_asked_for_by_searching() {
    let place = Place::new().await;
    place.seed(130);
    place.add_backup_with(&json!({"include_archived": true})).await;
    succeeds(&place, counts(130, 0, 0, 0)).await;
    // Two pages, and one of favourites.
    assert_eq!((place.count("mediaItems.search"), place.count("mediaItems.list")), (3, 0));
    place.assert_mirror_is_complete();
}

/// Adds the storage `family` and the backup plan `home` with this selection.
async fn add_selecting(place: &Place, selection: Value) {
    place.add_storage().await;
    let destination = place.path("mirror");
    let config =
        json!({"kind": "backup", "storage": "family", "destination": destination, "selection": selection});
    place.add_plan("home", &config).await;
}

fn with_albums(titles: &[&str]) -> Seed {
    Seed {
        albums: u32::try_from(titles.len()).expect("a few"),
        album_titles: titles.iter().map(|&title| title.to_owned()).collect(),
        ..Seed::plain(60, 3_000)
    }
}

/// How many different items are in these albums.
fn in_albums(place: &Place, titles: &[&str]) -> u64 {
    let albums = place.world().albums().into_iter().filter(|album| titles.contains(&album.title.as_str()));
    let items: std::collections::HashSet<String> = albums.flat_map(|album| album.item_ids).collect();
    items.len() as u64
}

#[tokio::test]
async fn an_album_is_chosen_by_its_title_or_its_id() {
    let place = Place::new().await;
    let seeded = place.world().seed(&with_albums(&["Summer", "Winter", "Attic"]));
    add_selecting(&place, json!({"albums": ["Summer", seeded.album_ids[2]]})).await;
    let wanted = in_albums(&place, &["Summer", "Attic"]);
    assert!(wanted < 60);
    succeeds(&place, counts(wanted, 0, 0, 0)).await;
    assert_eq!(place.mirrored().len() as u64, wanted);
    let again = succeeds(&place, counts(0, wanted, 0, 0)).await;
    assert_eq!(again["listing"], "full", "albums have no newest first across them");
}

#[tokio::test]
async fn what_is_in_any_album_comes_home() {
    let place = Place::new().await;
    place.world().seed(&with_albums(&["Summer", "Winter"]));
    add_selecting(&place, json!({"albums": "every"})).await;
    succeeds(&place, counts(in_albums(&place, &["Summer", "Winter"]), 0, 0, 0)).await;
}

#[tokio::test]
async fn an_album_that_is_not_there_is_told_with_those_that_are() {
    let place = Place::new().await;
    place.world().seed(&with_albums(&["Summer", "Winter", "Winter"]));
    for (name, told) in [("Sommer", "\"Summer\""), ("Winter", "by its id")] {
        let config = json!({"kind": "backup", "storage": "family", "destination": place.path(name),
            "selection": {"albums": [name]}});
        if name == "Sommer" {
            place.add_storage().await;
        }
        place.add_plan(name, &config).await;
        let (code, summary) = place.run(name).await;
        assert_ne!(code, 0, "{summary:#}");
        assert_eq!(summary["errors"][0]["class"], "config", "{summary:#}");
        let message = summary["errors"][0]["message"].as_str().expect("a message");
        assert!(message.contains(told), "{message}");
    }
    assert_eq!(place.count("mediaItems.list") + place.count("mediaItems.search"), 0);
    assert_eq!(place.count("media.bytes"), 0);
}

#[tokio::test]
async fn favourites_alone_come_home() {
    let place = Place::new().await;
    let ids = place.seed(20);
    for id in &ids[..4] {
        assert!(place.world().set_favorite(id, true));
    }
    add_selecting(&place, json!({"favourites": true})).await;
    succeeds(&place, counts(4, 0, 0, 0)).await;
}

#[tokio::test]
async fn favourites_of_albums_are_refused_when_the_plan_is_saved() {
    let place = Place::new().await;
    place.add_storage().await;
    let config = json!({"kind": "backup", "storage": "family", "destination": place.path("mirror"),
        "selection": {"favourites": true, "albums": ["Summer"]}});
    let ended = place.charon_with(&["plan", "add", "home", "--config", "-"], &config).await;
    assert_ne!(ended.code, Some(0));
    assert!(ended.stderr.contains("selection/favourites"), "{ended:?}");
}

#[tokio::test]
async fn photos_or_videos_alone_come_home_and_the_others_are_counted() {
    // I9
    let place = Place::new().await;
    place.seed(5);
    place.world().seed(&Seed { items: 2, video_share: 1.0, ..Seed::default() });
    place.world().add_item(CLIENT_ID, "more.jpg", picture(1)).expect("a photo");
    add_selecting(&place, json!({"kind": "video"})).await;
    let summary = succeeds(&place, counts(2, 0, 6, 0)).await;
    let reasons: Vec<&String> = summary["skipped"].as_object().expect("reasons").keys().collect();
    assert!(reasons.iter().all(|reason| reason.contains("photo")), "{reasons:?}");
}
