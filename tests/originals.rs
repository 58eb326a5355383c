//! Originals in place of the copies that the API gives: from folders of this machine, and from the full-resolution proxy.

use std::{
    fs,
    time::{Duration, SystemTime},
};

use gphotos_emulator::{FullResolutionFault, Settings};
use serde_json::{Value, json};

use crate::support::{CLIENT_ID, Place, picture};

fn counts(done: u64, unchanged: u64, skipped: u64, failed: u64) -> Value {
    json!({"done": done, "unchanged": unchanged, "skipped": skipped, "failed": failed})
}

/// Runs something to its end, which is a success with these counts.
async fn succeeds(place: &Place, arguments: &[&str], expected: Value) -> Value {
    let ended = place.charon(&[arguments, &["--json"]].concat()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let summary = ended.json();
    assert_eq!(summary["items"], expected, "{summary:#}");
    summary
}

/// An account whose API gives lesser copies, as Google's does, with four pictures that were uploaded from here.
async fn uploaded() -> Place {
    let place = Place::with(Settings::default()).await;
    place.draw("pictures", 0..4);
    for entry in fs::read_dir(place.path("pictures")).expect("a folder") {
        // The hash of a file that is a moment old is not relied upon.
        let file = fs::File::options().write(true).open(entry.expect("an entry").path()).expect("a file");
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_hours(480_000)).expect("its time");
    }
    place.add_upload().await;
    succeeds(&place, &["run", "out"], counts(4, 0, 0, 0)).await;
    let home = json!({"kind": "backup", "storage": "family", "destination": place.path("mirror")});
    place.add_plan("home", &home).await;
    place
}

fn pictures(place: &Place) -> Vec<Vec<u8>> {
    let folder = fs::read_dir(place.path("pictures")).expect("a folder");
    let mut pictures: Vec<_> =
        folder.map(|entry| fs::read(entry.expect("an entry").path()).expect("a picture")).collect();
    pictures.sort();
    pictures
}

fn home(place: &Place) -> Vec<Vec<u8>> {
    let mut home: Vec<_> = place.mirrored().into_iter().map(|(_, bytes)| bytes).collect();
    home.sort();
    home
}

#[tokio::test]
async fn what_was_uploaded_from_here_comes_home_as_the_original_without_a_download() {
    let place = uploaded().await;
    let summary = succeeds(&place, &["run", "home"], counts(4, 0, 0, 0)).await;
    assert_eq!(summary["fidelity"], json!({"original": 4}), "{summary:#}");
    assert_eq!(place.count("media.bytes"), 0, "nothing is fetched that is here");
    assert_eq!(home(&place), pictures(&place));
    let verified = succeeds(&place, &["verify", "home"], counts(0, 4, 0, 0)).await;
    assert_eq!(verified["verification"]["good"], 4);
}

#[tokio::test]
async fn originals_that_turn_up_on_this_machine_take_the_place_of_copies() {
    let place = uploaded().await;
    // The disk with the originals is not there.
    fs::rename(place.path("pictures"), place.path("away")).expect("moved");
    let summary = succeeds(&place, &["run", "home"], counts(4, 0, 0, 0)).await;
    assert_eq!(summary["fidelity"], json!({"api-copy": 4}), "{summary:#}");
    let before: Vec<String> = place.mirrored().into_iter().map(|(path, _)| path).collect();
    succeeds(&place, &["run", "home", "--full"], counts(0, 4, 0, 0)).await;

    // It comes back, with one that somebody has changed since: that is no original.
    fs::rename(place.path("away"), place.path("pictures")).expect("moved back");
    let first =
        fs::read_dir(place.path("pictures")).expect("a folder").next().expect("one").expect("an entry");
    let mut changed = fs::read(first.path()).expect("a picture");
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    fs::write(first.path(), changed).expect("written");
    place.world().reset_stats();
    let summary = succeeds(&place, &["run", "home", "--full"], counts(3, 1, 0, 0)).await;
    assert_eq!(summary["fidelity"], json!({"original": 3}), "{summary:#}");
    assert_eq!(place.count("media.bytes"), 0);
    let after: Vec<String> = place.mirrored().into_iter().map(|(path, _)| path).collect();
    assert_eq!(before, after, "I4: a path stays");
    assert!(!place.path("mirror/.charon/set-aside").exists(), "what has given way takes no room");
    let pictures = pictures(&place);
    let originals = home(&place).into_iter().filter(|bytes| pictures.contains(bytes)).count();
    assert_eq!(originals, 3);
    succeeds(&place, &["run", "home", "--full"], counts(0, 4, 0, 0)).await;
    succeeds(&place, &["verify", "home"], counts(0, 4, 0, 0)).await;
}

#[tokio::test]
async fn a_proxy_that_turns_up_gives_the_originals_of_what_is_home() {
    let place = Place::with(Settings::default()).await;
    let ids: Vec<String> = (0..5)
        .map(|number| {
            let name = format!("IMG_{number}.jpg");
            place.world().add_item(CLIENT_ID, &name, picture(number)).expect("a photo")
        })
        .collect();
    place.add_backup().await;
    let summary = succeeds(&place, &["run", "home"], counts(5, 0, 0, 0)).await;
    assert_eq!(summary["fidelity"], json!({"api-copy": 5}));
    // Without one there is nothing to do, and nobody is asked.
    let asked = place.count("media.bytes");
    succeeds(&place, &["originals", "home"], counts(0, 0, 0, 0)).await;

    let proxy = place.emulator.full_resolution_proxy("127.0.0.1:0".parse().expect("an address")).await;
    let proxy = proxy.expect("the proxy starts");
    let mut config = place.config();
    config["proxy"] = proxy.url().into();
    let changed = place.charon_with(&["storage", "update", "family", "--config", "-"], &config).await;
    assert_eq!(changed.code, Some(0), "{changed:?}");

    // It does not have two of them.
    proxy.set_fault_times(FullResolutionFault::NotFound, 2);
    let summary = succeeds(&place, &["originals", "home"], counts(3, 0, 2, 0)).await;
    assert_eq!(summary["fidelity"], json!({"original": 3}), "{summary:#}");
    let reasons = summary["skipped"].as_object().expect("reasons");
    assert_eq!(reasons.values().collect::<Vec<_>>(), [&json!(2)]);
    assert!(reasons.keys().all(|reason| reason.contains("the copy stays")), "{reasons:?}");
    assert_eq!(place.count("media.bytes"), asked, "nothing lesser is fetched");

    // It breaks down: what is left is left for the next time, and that is told.
    proxy.set_fault(Some(FullResolutionFault::ServerError));
    let ended = place.charon(&["originals", "home", "--json"]).await;
    assert_eq!(ended.json()["items"]["done"], 0, "{ended:?}");
    proxy.set_fault(None);
    succeeds(&place, &["originals", "home"], counts(2, 0, 0, 0)).await;
    let mut originals: Vec<Vec<u8>> =
        ids.iter().map(|id| place.world().original(id).expect("its bytes").to_vec()).collect();
    originals.sort();
    assert_eq!(home(&place), originals);
    succeeds(&place, &["originals", "home"], counts(0, 0, 0, 0)).await;
    succeeds(&place, &["run", "home", "--full"], counts(0, 5, 0, 0)).await;
    succeeds(&place, &["verify", "home"], counts(0, 5, 0, 0)).await;
}
