//! To a folder.

use std::{fs, path::Path};

use serde_json::json;

use super::{Entry, at_home, counts, photos, restore, rot, tree};
use crate::{command_line::assert_failed, support::Place};

fn first_photos(place: &Place) -> Vec<String> {
    photos(&place.path("mirror")).into_keys().collect()
}

#[tokio::test]
async fn the_whole_mirror_comes_back_bit_for_bit_with_its_links_and_sidecars() {
    let place = at_home(24).await;
    let before = tree(&place.path("mirror"));
    let requests = place.world().stats();
    fs::create_dir_all(place.path("back/of")).expect("a folder");
    let (code, summary) = restore(&place, &["--to-folder", "back/of/it"]).await;
    assert_eq!((code, counts(&summary)), (Some(0), [24, 0, 0, 0]), "{summary:#}");
    assert_eq!(summary["job"], "restore");
    let back = place.path("back/of/it");
    let restored = tree(&back);
    assert!(restored.keys().any(|path| path.starts_with("albums/")), "{:?}", restored.keys());
    assert!(restored.keys().any(|path| path.ends_with(".jpg.xmp")), "{:?}", restored.keys());
    assert!(restored == before, "{:?} {:?}", restored.keys(), before.keys());
    for path in first_photos(&place) {
        let modified =
            |root: &Path| fs::metadata(root.join(&path)).and_then(|at| at.modified()).expect("a time");
        assert_eq!(modified(&back), modified(&place.path("mirror")), "{path}");
    }
    // Again: all is there.
    let (code, summary) = restore(&place, &["--to-folder", "back/of/it"]).await;
    assert_eq!((code, counts(&summary)), (Some(0), [0, 24, 0, 0]), "{summary:#}");
    assert!(tree(&back) == before && tree(&place.path("mirror")) == before);
    assert_eq!(place.world().stats().requests, requests.requests, "nobody is asked");
    assert_eq!(fs::read_dir(&back).expect("the folder").count(), 2, "albums and photos");
}

#[tokio::test]
async fn what_is_chosen_by_day_by_album_and_by_name_comes_back_and_nothing_else() {
    let place = at_home(24).await;
    let mut items = place.world().items();
    items.sort_by_key(|item| item.taken_at);
    let day = |at: usize| items[at].taken_at.strftime("%Y-%m-%d").to_string();
    let names = |root: &str| {
        let photos = photos(&place.path(root)).into_keys();
        let mut names: Vec<String> =
            photos.map(|path| path.rsplit('/').next().expect("a name").to_owned()).collect();
        names.sort();
        names
    };
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    // The days of the fifth and of the ninth are in it.
    let (code, summary) = restore(&place, &["--to-folder", "days", "--from", &day(4), "--to", &day(8)]).await;
    assert_eq!((code, counts(&summary)), (Some(0), [5, 0, 0, 0]), "{summary:#}");
    assert_eq!(names("days"), sorted(items[4..9].iter().map(|item| item.filename.clone()).collect()));
    assert!(!place.path("days/albums").exists(), "no album is whole");

    let albums = place.world().albums();
    let sea = albums.iter().find(|album| album.title == "Sea").expect("an album");
    let (code, summary) = restore(&place, &["--to-folder", "sea", "--album", "Sea"]).await;
    assert_eq!((code, counts(&summary)[0]), (Some(0), sea.item_ids.len() as u64), "{summary:#}");
    let in_sea: Vec<String> = items
        .iter()
        .filter(|item| sea.item_ids.contains(&item.id))
        .map(|item| item.filename.clone())
        .collect();
    assert_eq!(names("sea"), sorted(in_sea));
    let links: Vec<String> =
        tree(&place.path("sea")).into_keys().filter(|path| path.starts_with("albums/")).collect();
    assert_eq!(links.len(), sea.item_ids.len(), "{links:?}");
    assert!(links.iter().all(|path| path.contains(" Sea/")), "{links:?}");

    let wanted = items[3].filename.to_lowercase();
    let (_, summary) = restore(&place, &["--to-folder", "one", "--name", &wanted]).await;
    assert_eq!((counts(&summary), names("one")), ([1, 0, 0, 0], vec![items[3].filename.clone()]));
}

#[tokio::test]
async fn what_is_not_what_was_stored_is_told_and_nothing_is_overwritten() {
    // I9
    let place = at_home(12).await;
    let mirror = place.path("mirror");
    let paths = first_photos(&place);
    rot(&mirror.join(&paths[0]));
    fs::remove_file(mirror.join(&paths[1])).expect("removed");
    let back = place.path("back");
    let other = back.join(&paths[2]);
    fs::create_dir_all(other.parent().expect("a folder")).expect("a folder");
    fs::write(&other, "somebody's own").expect("written");
    let beside = back.join(format!("{}.json", paths[3]));
    fs::create_dir_all(beside.parent().expect("a folder")).expect("a folder");
    fs::write(&beside, "somebody's own").expect("written");

    let (code, summary) = restore(&place, &["--to-folder", "back"]).await;
    assert_eq!((code, counts(&summary)), (Some(3), [9, 0, 1, 3]), "{summary:#}");
    let told = summary["errors"].to_string();
    for (path, why) in [(0, "other bytes than those"), (1, "is not there"), (2, "something else is at")] {
        let is_told = summary["errors"].as_array().expect("a list").iter().any(|error| {
            let message = error["message"].as_str().expect("a message");
            message.contains(&paths[path]) && message.contains(why)
        });
        assert!(is_told, "{}: {why}: {told}", paths[path]);
    }
    assert!(!back.join(&paths[0]).exists() && !back.join(&paths[1]).exists());
    assert_eq!(fs::read_to_string(&other).expect("a file"), "somebody's own");
    assert_eq!(fs::read_to_string(&beside).expect("a file"), "somebody's own");
    // No album shows what is not the photo.
    let links = tree(&back).into_iter().filter(|(_, entry)| matches!(entry, Entry::Link(_)));
    for (link, _) in links {
        assert_ne!(fs::read(back.join(&link)).expect("a photo"), b"somebody's own", "{link}");
    }
    assert!(back.join(&paths[3]).exists() && !back.join(".charon-restore").exists());
    assert_eq!(photos(&back).len(), 10);

    // Once it is moved away, what was there comes back.
    fs::remove_file(&other).expect("moved away");
    let (code, summary) = restore(&place, &["--to-folder", "back"]).await;
    assert_eq!((code, counts(&summary)), (Some(3), [1, 9, 1, 2]), "{summary:#}");

    // What turned out to be damaged counts as not home, and the next backup fetches it.
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["items"]["done"]), (0, &json!(2)), "{summary:#}");
    let (code, summary) = restore(&place, &["--to-folder", "back"]).await;
    assert_eq!((code, counts(&summary)), (Some(0), [2, 10, 1, 0]), "{summary:#}");
}

#[tokio::test]
async fn a_dry_run_tells_what_would_be_and_makes_nothing() {
    let place = at_home(12).await;
    let paths = first_photos(&place);
    let dry = async |more: &[&str]| {
        let ended =
            place.charon(&[&["restore", "home", "--to-folder", "back", "--dry-run"], more].concat()).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended
    };
    let all = dry(&["--json"]).await.json();
    let bytes: u64 = place.mirrored().iter().map(|(_, bytes)| bytes.len() as u64).sum();
    let expected = json!({"files": 12, "bytes": bytes, "unchanged": 0, "in_the_way": 0, "api_copies": 12});
    assert_eq!(all, expected);
    assert!(!place.path("back").exists());
    assert_eq!(place.runs().await.len(), 1, "no run was begun");
    restore(&place, &["--to-folder", "back", "--album", "Sea"]).await;
    let there = photos(&place.path("back")).len();
    let missing = paths.iter().find(|path| !place.path("back").join(path).exists()).expect("one is missing");
    fs::create_dir_all(place.path("back").join(missing)).expect("a folder");
    let rest = dry(&["--json"]).await.json();
    assert_eq!((&rest["unchanged"], &rest["in_the_way"]), (&json!(there), &json!(1)), "{rest:#}");
    let told = dry(&[]).await.stdout;
    assert!(told.starts_with("home: 12 files") && told.contains("not the original bytes"), "{told}");
    assert!(told.ends_with("Nothing was restored.\n"), "{told}");
}

#[tokio::test]
async fn what_cannot_be_restored_is_refused_before_anything_is() {
    // I11
    let place = at_home(6).await;
    place.draw("sent/pictures", 0..2);
    let out = json!({"kind": "upload", "storage": "family", "sources": [place.path("sent/pictures")]});
    place.add_plan("out", &out).await;
    let runs = place.runs().await.len();
    let path = |name: &str| place.path(name).to_string_lossy().into_owned();
    for (arguments, code, words) in [
        (vec!["restore", "out", "--to-folder", "back"], 1, "out is an upload plan, and keeps no mirror"),
        (vec!["restore", "hom", "--to-folder", "back"], 1, "there is no plan named hom"),
        (vec!["restore", "home"], 2, "--to-folder"),
        (vec!["restore", "home", "--to-folder", &path("mirror/photos")], 2, "folder: lies within the mirror"),
        (vec!["restore", "home", "--to-folder", &path("")], 2, "folder: lies within the mirror"),
        (vec!["restore", "home", "--to-folder", &path("sent")], 2, "sent out again"),
        (
            vec!["restore", "home", "--to-folder", &path("sent/pictures/new")],
            2,
            "which an upload plan sends out",
        ),
        (
            vec!["restore", "home", "--to-folder", &path("sent/pictures/IMG_0000.jpg")],
            2,
            "folder: is not a folder",
        ),
        (vec!["restore", "home", "--to-folder", "nodisk/back"], 2, "is not there: is the disk mounted?"),
        (vec!["restore", "home", "--to-folder", "back", "--album", "Se"], 2, "there are Sea, Summer"),
        (vec!["restore", "home", "--to-folder", "back", "--from", "July"], 2, "such as 2024-07-31"),
        (
            vec!["restore", "home", "--to-folder", "back", "--from", "2024-02-01", "--to", "2024-01-01"],
            2,
            "taken_until: is before",
        ),
        (vec!["restore", "home", "--to-folder", "back", "--name", "a/b"], 2, "name: is to be a glob"),
        (vec!["restore", "home", "--to-folder", "back", "--to", "1999-12-31"], 1, "nothing in the mirror"),
    ] {
        assert_failed(&place.charon(&arguments).await, code, &[words]);
    }
    // An unmounted disk.
    fs::rename(place.path("mirror/.charon"), place.path("elsewhere")).expect("moved");
    assert_failed(
        &place.charon(&["restore", "home", "--to-folder", "back"]).await,
        1,
        &["is the disk mounted?"],
    );
    assert_eq!(place.runs().await.len(), runs, "no run was begun");
    assert!(!place.path("back").exists());
}

#[tokio::test]
async fn nothing_is_home_before_the_plan_has_run() {
    let place = Place::new().await;
    place.add_backup().await;
    assert_failed(
        &place.charon(&["restore", "home", "--to-folder", "back"]).await,
        1,
        &["nothing is home yet"],
    );
}
