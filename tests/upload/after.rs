//! What becomes of files once the storage has them: nothing goes that the storage does not find, or that is not what was sent.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use gphotos_emulator::{Action, Fault, Settings};
use serde_json::{Value, json};

use super::{COMMIT, counts, succeeds};
use crate::support::{Place, picture};

const LOOK_UP: &str = "mediaItems.batchGet";

/// A place with the plan `out`, which sends `pictures`, and says this too.
pub(crate) async fn place_with(more: Value) -> Place {
    let place = Place::with(Settings { keep_bytes: true, ..Settings::default() }).await;
    place.add_storage().await;
    fs::create_dir_all(place.path("pictures")).expect("a folder");
    fs::create_dir_all(place.path("sent")).expect("a folder");
    let mut plan =
        json!({"kind": "upload", "storage": "family", "sources": [place.path("pictures")], "album": "Album"});
    plan.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    place.add_plan("out", &plan).await;
    place
}

pub(crate) async fn deleting() -> Place {
    place_with(json!({"after": "delete"})).await
}

async fn moving() -> Place {
    let place = place_with(json!({})).await;
    let plan = json!({"kind": "upload", "storage": "family", "sources": [place.path("pictures")], "album": "Album",
                      "after": "move_to", "move_to": place.path("sent")});
    let updated = place.charon_with(&["plan", "update", "out", "--config", "-"], &plan).await;
    assert_eq!(updated.code, Some(0), "{updated:?}");
    place
}

/// The names of the files below a folder, sorted.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    collect(folder, folder, &mut found);
    found.sort();
    found
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path: PathBuf = entry.expect("an entry").path();
        if path.is_dir() {
            collect(root, &path, found);
        } else {
            found.push(path.strip_prefix(root).expect("below it").display().to_string());
        }
    }
}

/// What the run of a summary tells of each file: its name, its outcome and why.
pub(crate) async fn told(place: &Place, summary: &Value) -> Vec<(String, String, String)> {
    let run = summary["run"].as_str().expect("an id");
    let shown = place.done(&["runs", "show", run, "--json", "-n", "1000"]).await.json();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let items = shown["items"].as_array().expect("items");
    items.iter().map(|item| (text(&item["name"]), text(&item["outcome"]), text(&item["reason"]))).collect()
}

#[tokio::test]
async fn files_are_deleted_once_the_storage_finds_them_and_an_empty_folder_is_no_surprise_then() {
    let place = deleting().await;
    place.draw("pictures", 0..60);
    place.draw("pictures/again", 0..1);
    fs::write(place.path("pictures/IMG_0000.jpg.json"), "{}").expect("a sidecar");
    let summary = succeeds(&place, "out", counts(61, 0, 1, 0)).await;
    assert_eq!(place.world().item_count(), 60);
    assert_eq!(files(&place.path("pictures")), ["IMG_0000.jpg.json"], "it says more than was sent");
    assert_eq!(place.count(LOOK_UP), 2, "fifty at a time");
    let told = told(&place, &summary).await;
    let gone = told.iter().filter(|(_, outcome, reason)| {
        outcome == "done" && reason == "the storage has it; its file was deleted"
    });
    assert_eq!(gone.count(), 61, "{told:#?}");
    assert!(summary["bytes"].as_u64().is_some_and(|bytes| bytes > 10_000), "{summary:#}");

    // I11: what the plan has emptied itself is empty.
    place.world().reset_stats();
    succeeds(&place, "out", counts(0, 0, 1, 0)).await;
    assert_eq!(place.world().stats().api_requests, 0);
    place.draw("pictures", 60..61);
    succeeds(&place, "out", counts(1, 0, 1, 0)).await;
}

#[tokio::test]
async fn a_folder_that_somebody_else_has_emptied_is_a_surprise_still() {
    // I11
    let place = deleting().await;
    place.draw("pictures", 0..3);
    place.fault(Fault::once(Action::ItemError { code: 3, positions: vec![1] }).on(&[COMMIT]));
    let (code, summary) = place.run("out").await;
    assert_eq!((code, &summary["items"]), (3, &counts(2, 0, 0, 1)), "{summary:#}");
    assert_eq!(files(&place.path("pictures")), ["IMG_0001.jpg"], "what was refused stays");
    fs::remove_file(place.path("pictures/IMG_0001.jpg")).expect("it was there");
    let (code, refused) = place.run("out").await;
    assert_eq!(code, 1, "{refused:#}");
    let message = refused["errors"][0]["message"].as_str().expect("a message");
    assert!(message.contains("is empty, and held 1"), "{message}");
}

#[tokio::test]
async fn files_are_moved_with_their_sidecars_and_nothing_is_overwritten() {
    let place = moving().await;
    place.draw("pictures/2024", 0..3);
    place.draw("pictures", 3..4);
    fs::write(place.path("pictures/2024/IMG_0001.jpg.json"), r#"{"description": "the sea"}"#)
        .expect("a sidecar");
    fs::create_dir_all(place.path("sent/2024")).expect("a folder");
    fs::write(place.path("sent/2024/IMG_0002.jpg"), "of last year").expect("a file");
    let summary = succeeds(&place, "out", counts(4, 0, 1, 0)).await;
    assert_eq!(files(&place.path("pictures")), [""; 0]);
    let expected = [
        "2024/IMG_0000.jpg",
        "2024/IMG_0001.jpg",
        "2024/IMG_0001.jpg.json",
        "2024/IMG_0002 (2).jpg",
        "2024/IMG_0002.jpg",
        "IMG_0003.jpg",
    ];
    assert_eq!(files(&place.path("sent")), expected);
    assert_eq!(fs::read(place.path("sent/2024/IMG_0002.jpg")).expect("a file"), b"of last year");
    assert_eq!(fs::read(place.path("sent/2024/IMG_0002 (2).jpg")).expect("a file"), picture(2));
    let told = told(&place, &summary).await;
    let words =
        format!("the storage has it; its file was moved to {}", place.path("sent/IMG_0003.jpg").display());
    assert!(
        told.iter()
            .any(|(name, outcome, reason)| name == "IMG_0003.jpg" && outcome == "done" && *reason == words),
        "{told:#?}"
    );
    // The next import of the camera, with the same names.
    fs::write(place.path("pictures/IMG_0003.jpg"), picture(7)).expect("a picture");
    succeeds(&place, "out", counts(1, 0, 0, 0)).await;
    assert!(place.path("sent/IMG_0003 (2).jpg").exists());
}

#[tokio::test]
async fn what_the_account_has_already_goes_too_without_being_sent() {
    let place = place_with(json!({})).await;
    place.draw("pictures", 0..5);
    succeeds(&place, "out", counts(5, 0, 0, 0)).await;
    let plan = json!({"kind": "upload", "storage": "family", "sources": [place.path("pictures")], "album": "Album",
                      "after": "delete"});
    place.charon_with(&["plan", "update", "out", "--config", "-"], &plan).await;
    let summary = succeeds(&place, "out", counts(5, 0, 0, 0)).await;
    assert_eq!((&summary["bytes"], place.count("uploads"), place.count(LOOK_UP)), (&json!(0), 5, 1));
    assert_eq!(files(&place.path("pictures")), [""; 0]);
    // Also where the bytes have only just joined the album.
    place.draw("pictures", 0..2);
    let plan = json!({"kind": "upload", "storage": "family", "sources": [place.path("pictures")], "album": "Other",
                      "after": "delete"});
    place.charon_with(&["plan", "update", "out", "--config", "-"], &plan).await;
    succeeds(&place, "out", counts(2, 0, 0, 0)).await;
    assert_eq!((place.count("uploads"), files(&place.path("pictures")).len()), (5, 0));
}

#[tokio::test]
async fn what_the_storage_does_not_find_stays_and_is_told() {
    // I5
    let place = deleting().await;
    place.draw("pictures", 0..5);
    place.fault(Fault::once(Action::Latency { ms: 1_500 }).on(&[LOOK_UP]));
    let vanish = async {
        place.until("the commit", |stats| stats.count(COMMIT) == 1 && stats.count(LOOK_UP) == 1).await;
        let lost = place.world().items().into_iter().find(|item| item.filename == "IMG_0002.jpg");
        assert!(place.world().remove_item(&lost.expect("it was made").id));
    };
    let ((code, summary), ()) = tokio::join!(place.run("out"), vanish);
    assert_eq!((code, &summary["items"]), (3, &counts(4, 0, 0, 1)), "{summary:#}");
    assert_eq!(files(&place.path("pictures")), ["IMG_0002.jpg"]);
    let message = summary["errors"][0]["message"].as_str().expect("a message");
    assert!(message.contains("does not find its item") && message.contains("the file stays"), "{message}");
    // It is neither sent again nor deleted until somebody has looked.
    let (code, summary) = place.run("out").await;
    assert_eq!((code, &summary["items"]), (3, &counts(0, 0, 0, 1)), "{summary:#}");
    assert_eq!((files(&place.path("pictures")).len(), place.count("uploads")), (1, 5));
}

#[tokio::test]
async fn a_file_that_has_changed_since_it_was_sent_stays_and_is_sent_by_the_next_run() {
    let place = deleting().await;
    place.draw("pictures", 0..3);
    place.fault(Fault::once(Action::Latency { ms: 1_500 }).on(&[LOOK_UP]));
    let changed = place.path("pictures/IMG_0001.jpg");
    // As much like what it was as can be.
    let modified = fs::metadata(&changed).and_then(|metadata| metadata.modified()).expect("a time");
    let mut other = picture(1);
    let last = other.len() - 3;
    other[last] ^= 1;
    let change = async {
        place.until("the look-up", |stats| stats.count(LOOK_UP) == 1).await;
        fs::write(&changed, &other).expect("another picture");
        fs::File::options()
            .write(true)
            .open(&changed)
            .and_then(|file| file.set_modified(modified))
            .expect("its time");
    };
    let (summary, ()) = tokio::join!(succeeds(&place, "out", counts(3, 0, 0, 0)), change);
    assert_eq!(files(&place.path("pictures")), ["IMG_0001.jpg"]);
    let told = told(&place, &summary).await;
    let of_it = told.iter().find(|(name, ..)| name == "IMG_0001.jpg").expect("it is told");
    assert_eq!(
        (of_it.1.as_str(), of_it.2.as_str()),
        ("done", "it was sent; its file has changed since, and stays")
    );
    succeeds(&place, "out", counts(1, 0, 0, 0)).await;
    assert_eq!((place.world().item_count(), files(&place.path("pictures")).len()), (4, 0));
}

#[tokio::test]
async fn a_storage_that_cannot_say_keeps_the_files_until_it_can() {
    let place = deleting().await;
    place.draw("pictures", 0..2);
    let broken = place.world().add_fault(Fault::always(Action::ServerError { status: 403 }).on(&[LOOK_UP]));
    let (code, summary) = place.run("out").await;
    assert_ne!(code, 0, "{summary:#}");
    assert_eq!((files(&place.path("pictures")).len(), place.world().item_count()), (2, 2));
    place.world().remove_fault(broken);
    place.test_passes().await;
    let (code, summary) = place.run("out").await;
    assert_eq!((code, &summary["items"]["failed"]), (0, &json!(0)), "{summary:#}");
    assert_eq!((files(&place.path("pictures")).len(), place.count("uploads")), (0, 2 + 1));
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_moved_to_another_file_system() {
    use std::os::unix::fs::MetadataExt;

    let place = place_with(json!({})).await;
    let Ok(other) = tempfile::tempdir_in("/dev/shm") else {
        eprintln!("skipped: there is no /dev/shm");
        return;
    };
    let device = |path: &Path| fs::metadata(path).expect("a folder").dev();
    if device(other.path()) == device(&place.path("pictures")) {
        eprintln!("skipped: /dev/shm is the same file system");
        return;
    }
    let plan = json!({"kind": "upload", "storage": "family", "sources": [place.path("pictures")], "album": "Album",
                      "after": "move_to", "move_to": other.path()});
    place.charon_with(&["plan", "update", "out", "--config", "-"], &plan).await;
    place.draw("pictures/2024", 0..60);
    succeeds(&place, "out", counts(60, 0, 0, 0)).await;
    assert_eq!(files(&place.path("pictures")), [""; 0]);
    let moved = files(other.path());
    assert_eq!(moved.len(), 60, "{moved:?}");
    for number in 0..60 {
        let bytes = fs::read(other.path().join(format!("2024/IMG_{number:04}.jpg"))).expect("a file");
        assert_eq!(bytes, picture(number));
    }
}

#[tokio::test]
async fn a_folder_to_move_to_that_is_wrong_is_refused() {
    // I11
    let place = Place::new().await;
    place.add_storage().await;
    fs::create_dir_all(place.path("pictures/in")).expect("folders");
    let refused = async |more: Value| {
        let mut plan = json!({"kind": "upload", "storage": "family", "sources": [place.path("pictures")]});
        plan.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let ended = place.charon_with(&["plan", "add", "x", "--config", "-"], &plan).await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        ended.stderr
    };
    for (more, words) in [
        (json!({"after": "move_to"}), "move_to: is missing"),
        (json!({"move_to": place.path("sent")}), "move_to: names a folder, and after does not say move_to"),
        (json!({"after": "move_to", "move_to": place.path("sent")}), "does not exist"),
        (json!({"after": "move_to", "move_to": place.path("pictures/in")}), "overlaps with"),
        (json!({"after": "move_to", "move_to": place.path("")}), "overlaps with"),
        (json!({"after": "burn"}), "after: "),
    ] {
        let told = refused(more.clone()).await;
        assert!(told.contains(words), "{more}: {told}");
    }
    fs::create_dir_all(place.path("elsewhere")).expect("a folder");
    let home = json!({"kind": "backup", "storage": "family", "destination": place.path("elsewhere/mirror")});
    place.add_plan("home", &home).await;
    let told = refused(json!({"after": "move_to", "move_to": place.path("elsewhere/mirror")})).await;
    assert!(told.contains("lies within the mirror"), "{told}");
    let told = refused(json!({"after": "move_to", "move_to": place.path("elsewhere")})).await;
    assert!(told.contains("holds the mirror"), "{told}");
}

#[tokio::test]
async fn a_disk_that_files_are_to_go_to_and_that_is_not_there_stops_the_run_before_it_sends() {
    // I11
    let place = moving().await;
    place.draw("pictures", 0..3);
    fs::remove_dir(place.path("sent")).expect("it was empty");
    let (code, summary) = place.run("out").await;
    assert_eq!((code, &summary["state"]), (1, &json!("failed")), "{summary:#}");
    let message = summary["errors"][0]["message"].as_str().expect("a message");
    assert!(message.contains("does not exist (is the disk mounted?)"), "{message}");
    assert_eq!((place.count("uploads"), files(&place.path("pictures")).len()), (0, 3));
}

#[tokio::test]
async fn a_run_that_is_stopped_leaves_what_it_had_not_come_to() {
    let place = deleting().await;
    place.draw("pictures", 0..5);
    place.fault(Fault::always(Action::Latency { ms: 60_000 }).on(&[LOOK_UP]));
    let child = place.spawn(&["run", "out", "--json"]);
    place.until("the look-up", |stats| stats.count(LOOK_UP) == 1).await;
    crate::support::interrupt(&child).await;
    let ended: crate::support::Ended =
        tokio::time::timeout(Duration::from_secs(30), child.wait_with_output())
            .await
            .expect("soon")
            .expect("it ends")
            .into();
    assert_eq!(ended.json()["items"], counts(5, 0, 0, 0), "{ended:?}");
    assert_eq!(files(&place.path("pictures")).len(), 5);
    place.world().clear_faults();
    succeeds(&place, "out", counts(5, 0, 0, 0)).await;
    assert_eq!((files(&place.path("pictures")).len(), place.count("uploads")), (0, 5));
}
