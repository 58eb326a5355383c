//! Destinations that are not what they were.

use std::{fs, path::Path};

use gphotos_emulator::{Action, Fault};
use serde_json::{Value, json};

use crate::support::Place;

/// Checks that a run failed as a whole, and gives what it says.
fn failed((code, summary): &(i32, Value)) -> &str {
    assert_eq!((*code, &summary["state"]), (1, &json!("failed")), "{summary:#}");
    assert_eq!(summary["errors"][0]["item"], Value::Null, "{summary:#}");
    summary["errors"][0]["message"].as_str().expect("a message")
}

/// Every path below a folder. Sorted.
fn paths(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        found.push(path.to_string_lossy().into_owned());
        if path.is_dir() && !path.is_symlink() {
            found.extend(paths(&path));
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn nothing_is_written_to_a_destination_without_its_marker() {
    // I11
    let place = Place::new().await;
    place.seed(5);
    place.add_backup().await;
    assert_eq!(place.run("home").await.0, 0);
    // The disk is not mounted: its mount point is an empty folder.
    fs::rename(place.path("mirror"), place.path("disk")).expect("unmounted");
    fs::create_dir(place.path("mirror")).expect("the mount point");
    place.world().reset_stats();

    let ended = place.run("home").await;
    let message = failed(&ended);
    assert!(message.contains("mirror does not carry this plan's marker"), "{message}");
    assert!(message.contains("is the disk mounted? Nothing was written"), "{message}");
    assert_eq!(paths(&place.path("mirror")), [""; 0], "nothing was written");
    assert_eq!(place.world().stats().api_requests, 0, "it looks before it asks");
    let told = place.charon(&["run", "home"]).await;
    assert_eq!(told.code, Some(1));
    assert!(told.stdout.contains("is the disk mounted?"), "{told:?}");
    assert!(told.stderr.contains("is the disk mounted?") || told.stderr.is_empty(), "{told:?}");

    // Not even the mount point is there.
    fs::remove_dir(place.path("mirror")).expect("removed");
    let ended = place.run("home").await;
    assert!(failed(&ended).contains("is the disk mounted?"));
    assert!(!place.path("mirror").exists(), "nothing was made");

    // The disk is back.
    fs::rename(place.path("disk"), place.path("mirror")).expect("mounted");
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["items"]["unchanged"]), (0, &json!(5)), "{summary:#}");
    place.assert_mirror_is_good().await;
}

#[tokio::test]
async fn nothing_is_written_to_the_mirror_of_another_plan_nor_to_one_with_a_torn_marker() {
    // I11
    let place = Place::new().await;
    place.seed(3);
    place.add_backup().await;
    let other = json!({"kind": "backup", "storage": "family", "destination": place.path("other")});
    place.add_plan("other", &other).await;
    let marker = place.path("mirror/.charon/mirror.json");
    fs::copy(place.path("other/.charon/mirror.json"), &marker).expect("another marker");
    let before = paths(&place.path("mirror"));
    let ended = place.run("home").await;
    let message = failed(&ended);
    assert!(message.contains("carries the marker of another plan"), "{message}");
    assert!(message.contains("Nothing was written"), "{message}");
    fs::write(&marker, "{").expect("a torn marker");
    let ended = place.run("home").await;
    let message = failed(&ended);
    assert!(message.contains("mirror.json cannot be read"), "{message}");
    assert_eq!(paths(&place.path("mirror")), before, "nothing was written");
}

/// What lies in Charon's folder for files that were in the way.
fn set_aside(place: &Place) -> Vec<Vec<u8>> {
    let folders = fs::read_dir(place.path("mirror/.charon/set-aside")).expect("the folder");
    let files = folders
        .flat_map(|folder| fs::read_dir(folder.expect("an entry").path()).expect("a folder of its own"));
    files.map(|file| fs::read(file.expect("an entry").path()).expect("a file")).collect()
}

#[tokio::test]
async fn a_file_that_somebody_put_into_the_mirror_is_never_overwritten() {
    // I4, I11
    let place = Place::new().await;
    place.seed(4);
    place.add_backup().await;
    assert_eq!(place.run("home").await.0, 0);
    let files = place.mirrored();
    let (first, second) = (&files[0].0, &files[1].0);

    // In place of a file that came home, and where the next item would go.
    fs::write(place.path("mirror").join(first), "a letter").expect("a file");
    let folder = place.path("mirror").join(Path::new(second).parent().expect("a folder"));
    let (code, summary) = place.run("home").await;
    let items = &summary["items"];
    assert_eq!((code, &items["done"], &items["unchanged"]), (0, &json!(1), &json!(3)), "{summary:#}");
    place.assert_mirror_is_complete();
    assert_eq!(set_aside(&place), [b"a letter"], "the letter is kept, and the photo is home again");
    assert!(folder.is_dir());

    // A new plan meets a foreign file at the path that it would choose: it chooses another.
    let destination = place.path("second");
    let config = json!({"kind": "backup", "storage": "family", "destination": destination});
    place.add_plan("second", &config).await;
    let foreign = destination.join(first);
    fs::create_dir_all(foreign.parent().expect("a folder")).expect("a folder");
    fs::write(&foreign, "another letter").expect("a file");
    let (code, summary) = place.run("second").await;
    assert_eq!((code, &summary["items"]["done"]), (0, &json!(4)), "{summary:#}");
    assert_eq!(fs::read(&foreign).expect("the file"), b"another letter");
}

#[tokio::test]
async fn a_file_that_takes_an_assigned_path_fails_its_item_until_it_is_moved_away() {
    // I4, I11
    let place = Place::new().await;
    place.seed(3);
    place.add_backup().await;
    // The paths are assigned, and no bytes come.
    place.fault(Fault::always(Action::ServerError { status: 404 }).on(&["media"]));
    let (code, summary) = place.run("home").await;
    assert_ne!(code, 0, "{summary:#}");
    place.world().clear_faults();
    // Where would they go? A second mirror shows.
    let twin = json!({"kind": "backup", "storage": "family", "destination": place.path("twin")});
    place.add_plan("twin", &twin).await;
    assert_eq!(place.run("twin").await.0, 0);
    fs::rename(place.path("mirror"), place.path("aside")).expect("moved");
    fs::rename(place.path("twin"), place.path("mirror")).expect("moved");
    let files = place.mirrored();
    fs::rename(place.path("mirror"), place.path("twin")).expect("moved");
    fs::rename(place.path("aside"), place.path("mirror")).expect("moved");
    let letter = place.path("mirror").join(&files[0].0);
    fs::create_dir_all(letter.parent().expect("a folder")).expect("a folder");
    fs::write(&letter, "a letter").expect("a file");

    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["items"]["done"]), (3, &json!(2)), "{summary:#}");
    let message = summary["errors"][0]["message"].as_str().expect("a message");
    assert!(message.contains("is there already with other content"), "{message}");
    assert!(message.contains("move it away, then run the plan again"), "{message}");
    assert_eq!(fs::read(&letter).expect("the file"), b"a letter");

    fs::rename(&letter, place.path("letter")).expect("moved away");
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["items"]["done"]), (0, &json!(1)), "{summary:#}");
    place.assert_mirror_is_complete();
}

#[tokio::test]
async fn a_source_that_is_suddenly_empty_stops_the_run_and_says_what_it_saw() {
    // I11
    let place = Place::new().await;
    place.draw("pictures", 0..3);
    place.add_upload().await;
    assert_eq!(place.run("out").await.0, 0);
    fs::rename(place.path("pictures"), place.path("disk")).expect("unmounted");
    fs::create_dir(place.path("pictures")).expect("the mount point");

    let ended = place.run("out").await;
    let message = failed(&ended);
    assert!(
        message.contains("is empty, and held 3 photos and videos at the last run: is the disk mounted?"),
        "{message}"
    );
    // Once more: it is not forgotten.
    failed(&place.run("out").await);

    fs::remove_dir(place.path("pictures")).expect("removed");
    fs::rename(place.path("disk"), place.path("pictures")).expect("mounted");
    let (code, summary) = place.run("out").await;
    assert_eq!((code, &summary["items"]["unchanged"]), (0, &json!(3)), "{summary:#}");
    // One that was empty from the beginning is just empty.
    fs::create_dir(place.path("new")).expect("a folder");
    let config = json!({"kind": "upload", "storage": "family", "sources": [place.path("new")]});
    place.add_plan("new", &config).await;
    assert_eq!(place.run("new").await.0, 0);
}

#[cfg(unix)]
#[tokio::test]
async fn a_mirror_that_was_moved_and_is_linked_to_goes_on_and_a_link_to_elsewhere_does_not() {
    // I11
    use std::os::unix::fs::symlink;
    let place = Place::new().await;
    place.seed(3);
    place.add_backup().await;
    assert_eq!(place.run("home").await.0, 0);
    fs::rename(place.path("mirror"), place.path("bigger disk")).expect("moved");
    fs::create_dir(place.path("elsewhere")).expect("a folder");
    symlink(place.path("elsewhere"), place.path("mirror")).expect("a link");
    failed(&place.run("home").await);
    assert_eq!(paths(&place.path("elsewhere")), [""; 0], "nothing was written");
    fs::remove_file(place.path("mirror")).expect("the link");
    symlink(place.path("nowhere"), place.path("mirror")).expect("a link");
    failed(&place.run("home").await);
    assert!(!place.path("nowhere").exists(), "nothing was made");
    fs::remove_file(place.path("mirror")).expect("the link");
    symlink(place.path("bigger disk"), place.path("mirror")).expect("a link");
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["items"]["unchanged"]), (0, &json!(3)), "{summary:#}");
}

/// A shell script in a mount namespace of its own, whose mirror is a small disk in memory. `None` where that is not
/// permitted.
#[cfg(target_os = "linux")]
pub(crate) async fn on_a_small_disk(place: &Place, script: &str) -> Option<String> {
    use tokio::process::Command;
    let mut unshare = Command::new("unshare");
    unshare.args(["-rm", "sh", "-euc"]).kill_on_drop(true).current_dir(place.path("."));
    let probe = "mkdir -p mirror && mount -t tmpfs -o size=100k none mirror";
    let possible = Command::new("unshare")
        .args(["-rm", "sh", "-euc", probe])
        .current_dir(place.path("."))
        .output()
        .await;
    if !possible.is_ok_and(|probe| probe.status.success()) {
        eprintln!("skipped: a small disk needs `unshare -rm` and `mount`, which are not permitted here");
        return None;
    }
    let whole = format!(
        "mkdir -p mirror; mount -t tmpfs -o size=300k none mirror
         charon() {{ timeout 60 {:?} --data-dir data \"$@\"; }}
         {script}",
        env!("CARGO_BIN_EXE_charon")
    );
    let output = unshare.arg(whole).output().await.expect("a shell");
    let (told, trouble) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}{trouble}");
    Some(told.into_owned())
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_stops_the_run_cleanly_and_the_next_one_goes_on_when_there_is_room() {
    // I1, I2, I10
    let place = Place::new().await;
    place.seed(100);
    place.add_storage().await;
    let plan = json!({"kind": "backup", "storage": "family", "destination": place.path("mirror")});
    fs::write(place.path("plan.json"), plan.to_string()).expect("a file");
    let told = on_a_small_disk(
        &place,
        "charon plan add home --config plan.json >&2
         charon run home --json > full.json && exit 9 || echo \"code $?\"
         find mirror/.charon/incoming -type f -printf 'half done %p\\n'
         find mirror/photos -type f -printf '%s %f\\n' > stored.txt
         charon run home --json > full-again.json && exit 9 || echo \"code $?\"
         find mirror/.charon/incoming -type f -printf 'half done %p\\n'
         mount -o remount,size=10m mirror
         charon run home --json > room.json; echo \"code $?\"
         charon verify home --json > verified.json; echo \"code $?\"
         cp -r mirror kept",
    )
    .await;
    let Some(told) = told else { return };
    assert_eq!(told.lines().collect::<Vec<_>>(), ["code 1", "code 1", "code 0", "code 0"]);

    let read = |name: &str| -> Value {
        serde_json::from_slice(&fs::read(place.path(name)).expect("a file")).expect("JSON")
    };
    let stored = fs::read_to_string(place.path("stored.txt")).expect("a file");
    let first = read("full.json");
    assert_eq!(first["state"], "failed", "{first:#}");
    assert_eq!(first["errors"][0]["class"], "destination", "{first:#}");
    let message = first["errors"][0]["message"].as_str().expect("a message");
    assert!(message.contains("No space left on device"), "{message}");
    assert!(
        message.contains("make room there, then run the plan again; what is already home stays"),
        "{message}"
    );
    let done = first["items"]["done"].as_u64().expect("a count");
    assert!(done > 0 && done < 100, "{first:#}");
    assert_eq!(stored.lines().count() as u64, done, "what is stored is what is done");
    assert!(!stored.lines().any(|line| line.starts_with("0 ")), "a torn file: {stored}");
    let again = read("full-again.json");
    assert_eq!(again["errors"][0]["class"], "destination", "{again:#}");
    let before = done + again["items"]["done"].as_u64().expect("a count");

    let verified = read("verified.json");
    assert_eq!(verified["verification"]["good"], 100, "{verified:#}");
    let room = read("room.json");
    assert_eq!(room["state"], "succeeded", "{room:#}");
    assert_eq!(room["items"], json!({"done": 100 - before, "unchanged": before, "skipped": 0, "failed": 0}));
    fs::remove_dir(place.path("mirror")).expect("the mount point");
    fs::rename(place.path("kept"), place.path("mirror")).expect("moved");
    place.assert_mirror_is_complete();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_disk_that_may_not_be_written_to_stops_the_run_and_says_so() {
    let place = Place::new().await;
    place.seed(3);
    place.add_storage().await;
    let plan = json!({"kind": "backup", "storage": "family", "destination": place.path("mirror")});
    fs::write(place.path("plan.json"), plan.to_string()).expect("a file");
    let told = on_a_small_disk(
        &place,
        "charon plan add home --config plan.json >&2
         mount -o remount,ro mirror
         charon run home --json > told.json && exit 9 || echo \"code $?\"
         mount -o remount,rw mirror
         charon run home --json >&2; echo \"code $?\"
         charon verify home >&2; echo \"code $?\"",
    )
    .await;
    let Some(told) = told else { return };
    assert_eq!(told.lines().collect::<Vec<_>>(), ["code 1", "code 0", "code 0"]);
    let summary: Value =
        serde_json::from_slice(&fs::read(place.path("told.json")).expect("a file")).expect("JSON");
    let message = summary["errors"][0]["message"].as_str().expect("a message");
    assert!(message.contains("cannot be written to"), "{message}");
    assert_eq!(summary["errors"][0]["class"], "destination", "{summary:#}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_data_directory_that_is_full_stops_the_run_and_the_next_one_goes_on_when_there_is_room() {
    // I1, I2
    let place = Place::new().await;
    place.seed(300);
    fs::write(place.path("storage.json"), place.config().to_string()).expect("a file");
    let plan = json!({"kind": "backup", "storage": "family", "destination": place.path("mirror")});
    fs::write(place.path("plan.json"), plan.to_string()).expect("a file");
    let told = on_a_small_disk(
        &place,
        "mount -o remount,size=10m mirror
         mkdir data; mount -t tmpfs -o size=20m,mode=700 none data
         charon storage add family --config storage.json >&2
         charon plan add home --config plan.json >&2
         mount -o remount,size=$(($(du -sk data | cut -f1) + 150))k data
         charon run home --json > full.json 2> full.txt && exit 9 || echo \"code $?\"
         mount -o remount,size=20m data
         charon run home --json > room.json; echo \"code $?\"
         cp -r mirror kept",
    )
    .await;
    let Some(told) = told else { return };
    assert_eq!(told.lines().collect::<Vec<_>>(), ["code 1", "code 0"]);
    let read = |name: &str| fs::read_to_string(place.path(name)).expect("a file");
    let sentence = read("full.json") + &read("full.txt");
    assert!(sentence.contains("make room on the disk of the data directory"), "{sentence}");
    let room: Value = serde_json::from_str(&read("room.json")).expect("JSON");
    assert_eq!(room["state"], "succeeded", "{room:#}");
    fs::remove_dir(place.path("mirror")).expect("the mount point");
    fs::rename(place.path("kept"), place.path("mirror")).expect("moved");
    place.assert_mirror_is_complete();
}
