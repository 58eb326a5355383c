//! To a storage.

use std::{collections::BTreeMap, fs};

use gphotos_emulator::{AlbumTruth, ItemTruth, Seed};
use serde_json::{Value, json};

use super::{counts, rot};
use crate::{command_line::assert_failed, support::Place};

/// Another client, whose library is another one.
pub(crate) const OTHER: &str = "987654321-other.apps.googleusercontent.com";

/// An account whose items have descriptions and are in albums that overlap, home; and another account, empty.
pub(crate) async fn two_accounts(items: u32) -> Place {
    let place = Place::new().await;
    place.add_storage().await;
    let titles = ["Sea", "Summer"];
    for (title, numbers) in titles.iter().zip([0..items / 2, items / 3..items]) {
        place.draw(&format!("pictures/{title}"), numbers);
    }
    for entry in fs::read_dir(place.path("pictures/Sea")).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let sidecar = json!({"title": name, "description": format!("This is {name}")});
        fs::write(path.with_file_name(format!("{name}.json")), sidecar.to_string()).expect("a sidecar");
    }
    let out = json!({"kind": "upload", "storage": "family", "sources": [place.path("pictures")], "album": "{folder}"});
    place.add_plan("out", &out).await;
    assert_eq!(place.run("out").await.0, 0);
    let home = json!({"kind": "backup", "storage": "family", "destination": place.path("mirror"),
        "albums": "symlink", "sidecars": "json"});
    place.add_plan("home", &home).await;
    assert_eq!(place.run("home").await.0, 0);
    add_other(&place, &json!({})).await;
    place
}

pub(crate) async fn add_other(place: &Place, more: &Value) {
    let mut config = place.config();
    config["client_id"] = OTHER.into();
    config["token"] = place.emulator.token_blob(OTHER, &[]).into();
    config.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let ended = place.charon_with(&["storage", "add", "new", "--config", "-"], &config).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

/// The photos of a client, by their bytes: name and description.
pub(crate) fn photos_of(place: &Place, client: &str) -> BTreeMap<String, (String, String)> {
    let items: Vec<ItemTruth> =
        place.world().items().into_iter().filter(|item| item.client_id == client).collect();
    let count = items.len();
    let photos: BTreeMap<_, _> = items
        .into_iter()
        .map(|item| (item.sha256.expect("its hash"), (item.filename, item.description)))
        .collect();
    assert_eq!(photos.len(), count, "nothing is there twice");
    photos
}

/// The albums of a client: the bytes of what is in them, in order.
pub(crate) fn albums_of(place: &Place, client: &str) -> BTreeMap<String, Vec<String>> {
    let sha256: BTreeMap<String, String> =
        place.world().items().into_iter().map(|item| (item.id, item.sha256.expect("its hash"))).collect();
    let albums: Vec<AlbumTruth> =
        place.world().albums().into_iter().filter(|album| album.client_id == client).collect();
    let count = albums.len();
    let albums: BTreeMap<_, _> = albums
        .into_iter()
        .map(|album| {
            // What was deleted is in no album any more.
            let items = album.item_ids.iter().filter_map(|id| sha256.get(id).cloned()).collect();
            (album.title, items)
        })
        .collect();
    assert_eq!(albums.len(), count, "no album is there twice");
    albums
}

pub(crate) async fn restore(place: &Place, storage: &str, more: &[&str]) -> (Option<i32>, Value) {
    let ended = place.charon(&[&["restore", "home", "--to-storage", storage, "--json"], more].concat()).await;
    (ended.code, ended.json())
}

#[tokio::test]
async fn another_account_gets_it_all_with_descriptions_and_albums_in_their_order() {
    // I2
    let place = two_accounts(130).await;
    let own = crate::support::CLIENT_ID;
    let (photos, albums) = (photos_of(&place, own), albums_of(&place, own));
    assert_eq!((photos.len(), albums["Sea"].len(), albums["Summer"].len()), (130, 65, 87));
    let joined = place.count("albums.batchAddMediaItems");
    let (code, summary) = restore(&place, "new", &[]).await;
    assert_eq!((code, counts(&summary)), (Some(0), [130, 0, 0, 0]), "{summary:#}");
    assert_eq!(
        place.count("albums.batchAddMediaItems"),
        joined + 1,
        "what is in both albums has joined the second"
    );
    assert_eq!(summary["job"], "restore");
    assert!(photos_of(&place, OTHER) == photos, "{:?}", photos_of(&place, OTHER));
    assert!(photos.values().filter(|(_, description)| !description.is_empty()).count() == 65);
    assert_eq!(albums_of(&place, OTHER), albums);
    assert!(
        photos_of(&place, own) == photos && albums_of(&place, own) == albums,
        "what was there is as it was"
    );

    // Again: nothing is sent.
    let (sent, made) = (place.count("uploads"), place.count("mediaItems.batchCreate"));
    let (code, summary) = restore(&place, "new", &[]).await;
    assert_eq!((code, counts(&summary)), (Some(0), [0, 130, 0, 0]), "{summary:#}");
    assert_eq!((place.count("uploads"), place.count("mediaItems.batchCreate")), (sent, made));
}

#[tokio::test]
async fn what_was_deleted_in_an_account_comes_back_to_its_place_in_the_albums() {
    // I2
    let place = two_accounts(40).await;
    let own = crate::support::CLIENT_ID;
    let (photos, albums) = (photos_of(&place, own), albums_of(&place, own));
    let ids: BTreeMap<String, String> =
        place.world().items().into_iter().map(|item| (item.sha256.expect("a hash"), item.id)).collect();
    // The first ones, some in the middle, one that is in both, the last one.
    let (sea, summer) = (&albums["Sea"], &albums["Summer"]);
    let gone: Vec<&String> =
        [&sea[0], &sea[1], &sea[7], &sea[8], &sea[10], &sea[16]].into_iter().chain(summer.last()).collect();
    for sha256 in &gone {
        assert!(place.world().remove_item(&ids[*sha256]));
    }
    let dry =
        place.charon(&["restore", "home", "--to-storage", "family", "--dry-run", "--json"]).await.json();
    assert_eq!(
        (&dry["files"], &dry["unchanged"], &dry["estimate"]["new"]),
        (&json!(40), &json!(33), &json!(7)),
        "{dry:#}"
    );
    assert_eq!(place.count("uploads"), 40, "nothing is sent by a dry run");

    let (code, summary) = restore(&place, "family", &[]).await;
    assert_eq!((code, counts(&summary)), (Some(0), [7, 33, 0, 0]), "{summary:#}");
    assert!(photos_of(&place, own) == photos, "{:?}", photos_of(&place, own));
    // What is gone from two albums takes its place in one of them; to the other it can only be added at the end.
    let back = albums_of(&place, own);
    let is_in_both =
        |sha256: &String| gone.contains(&sha256) && sea.contains(sha256) && summer.contains(sha256);
    for (title, before) in &albums {
        let in_place = |album: &[String]| -> Vec<String> {
            album.iter().filter(|sha256| !is_in_both(sha256)).cloned().collect()
        };
        assert_eq!(in_place(&back[title]), in_place(before), "{title}");
        let sorted = |album: &[String]| album.iter().cloned().collect::<std::collections::BTreeSet<_>>();
        assert_eq!((back[title].len(), sorted(&back[title])), (before.len(), sorted(before)), "{title}");
    }

    // The plan knows what came back, and fetches nothing.
    let ended = place.charon(&["run", "home", "--full", "--json"]).await.json();
    assert_eq!(counts(&ended), [0, 40, 0, 0], "{ended:#}");
    assert_eq!(place.mirrored().len(), 40);
    let (_, summary) = restore(&place, "family", &[]).await;
    assert_eq!(counts(&summary), [0, 40, 0, 0], "{summary:#}");
}

#[tokio::test]
async fn what_is_chosen_goes_and_a_copy_stays_a_copy() {
    let place = two_accounts(30).await;
    let own = crate::support::CLIENT_ID;
    // Those that were not sent from here.
    place
        .world()
        .seed(&Seed { names: vec!["SEED_1.jpg".into(), "SEED_2.jpg".into()], ..Seed::plain(2, 4_000) });
    assert_eq!(place.run("home").await.0, 0);
    let dry = async |more: &[&str]| {
        let all = [&["restore", "home", "--to-storage", "new", "--dry-run"], more].concat();
        let ended = place.charon(&all).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended
    };
    let preview = dry(&["--json", "--name", "SEED_*"]).await.json();
    assert_eq!((&preview["files"], &preview["api_copies"]), (&json!(2), &json!(2)), "{preview:#}");
    let told = dry(&["--album", "Sea"]).await.stdout;
    assert!(told.contains("to be sent: 15 (") && told.contains("requests, today"), "{told}");

    let (_, summary) = restore(&place, "new", &["--album", "Sea"]).await;
    assert_eq!(counts(&summary), [15, 0, 0, 0], "{summary:#}");
    let albums = albums_of(&place, OTHER);
    assert_eq!(albums.keys().collect::<Vec<_>>(), ["Sea"]);
    assert_eq!(albums["Sea"], albums_of(&place, own)["Sea"]);
    let (_, summary) = restore(&place, "new", &["--name", "SEED_*"]).await;
    assert_eq!(counts(&summary), [2, 0, 0, 0], "{summary:#}");
    // What was sent as a copy is no original for that.
    let preview = dry(&["--json", "--name", "SEED_*"]).await.json();
    assert_eq!((&preview["unchanged"], &preview["api_copies"]), (&json!(2), &json!(2)), "{preview:#}");
}

#[tokio::test]
async fn a_file_that_is_not_what_was_stored_is_not_sent_to_anybody() {
    // I1, I9
    let place = two_accounts(12).await;
    let mirror = place.path("mirror");
    let paths: Vec<String> = place.mirrored().into_iter().map(|(path, _)| path).collect();
    rot(&mirror.join(&paths[3]));
    fs::remove_file(mirror.join(&paths[4])).expect("removed");
    let (code, summary) = restore(&place, "new", &[]).await;
    assert_eq!((code, counts(&summary)), (Some(3), [10, 0, 0, 2]), "{summary:#}");
    let told = summary["errors"].to_string();
    assert!(told.contains("other bytes than those that were stored") && told.contains(&paths[3]), "{told}");
    assert_eq!(photos_of(&place, OTHER).len(), 10);
}

#[tokio::test]
async fn a_storage_that_cannot_be_sent_to_is_refused_before_anything_is() {
    let place = two_accounts(4).await;
    add_read_only(&place).await;
    let runs = place.runs().await.len();
    for (storage, code, words) in
        [("nobody", 1, "there is no storage named nobody"), ("quiet", 2, "quiet takes no uploads")]
    {
        let ended = place.charon(&["restore", "home", "--to-storage", storage]).await;
        assert_failed(&ended, code, &[words]);
    }
    let both = place.charon(&["restore", "home", "--to-storage", "new", "--to-folder", "back"]).await;
    assert_eq!(both.code, Some(2), "{both:?}");
    assert_eq!(place.runs().await.len(), runs, "no run was begun");
}

async fn add_read_only(place: &Place) {
    let mut config = place.config();
    config["read_only"] = true.into();
    let ended = place.charon_with(&["storage", "add", "quiet", "--config", "-"], &config).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}
