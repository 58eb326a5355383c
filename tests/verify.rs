//! What is home is proven good, and mended where it is not.

use std::{fs, process::Command};

use serde_json::{Value, json};

use crate::support::Place;

async fn verify(place: &Place, more: &[&str]) -> (Option<i32>, Value) {
    let ended = place.charon(&[&["verify", "home", "--json"], more].concat()).await;
    (ended.code, ended.json())
}

fn found(summary: &Value) -> [&Value; 5] {
    ["good", "missing", "changed", "unreadable", "strange"].map(|what| &summary["verification"][what])
}

/// What the reports in a mirror say, the oldest first.
fn reports(mirror: &std::path::Path) -> Vec<Value> {
    let files = fs::read_dir(mirror.join(".charon/reports")).expect("reports");
    let texts = files.map(|entry| fs::read(entry.expect("an entry").path()).expect("a report"));
    let mut reports: Vec<Value> = texts.map(|text| serde_json::from_slice(&text).expect("JSON")).collect();
    reports.sort_by_key(|report| report["at"].to_string());
    reports
}

/// Changes one byte in the middle of a file, and nothing else that can be seen from outside.
fn rot(path: &std::path::Path) {
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified()).expect("its time");
    let mut bytes = fs::read(path).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).expect("written");
    let file = fs::File::options().write(true).open(path).expect("a file");
    file.set_modified(modified).expect("its time");
}

#[tokio::test]
async fn what_is_missing_changed_or_strange_is_told_and_what_is_damaged_is_repaired() {
    // I5, I9
    let place = Place::new().await;
    place.seed(30);
    place.add_backup().await;
    assert_eq!(place.run("home").await.0, 0);
    let (code, summary) = verify(&place, &[]).await;
    assert_eq!((code, &summary["state"]), (Some(0), &json!("succeeded")), "{summary:#}");
    assert_eq!(found(&summary), [&json!(30), &json!(0), &json!(0), &json!(0), &json!(0)]);
    assert_eq!(summary["items"]["unchanged"], 30);
    assert_eq!(summary["requests"], 0, "nobody is asked");

    let mirror = place.path("mirror");
    let files = place.mirrored();
    let (rotten, gone, cut) = (mirror.join(&files[0].0), mirror.join(&files[7].0), mirror.join(&files[20].0));
    rot(&rotten);
    fs::remove_file(&gone).expect("removed");
    fs::write(&cut, &fs::read(&cut).expect("a file")[..100]).expect("cut");
    fs::write(mirror.join("photos/letter.txt"), "dear all").expect("a file");
    fs::create_dir_all(mirror.join("photos/@eaDir")).expect("a folder");
    fs::write(mirror.join("photos/@eaDir/thumb.jpg"), "rubbish").expect("a file");

    let (code, summary) = verify(&place, &[]).await;
    assert_eq!((code, &summary["state"]), (Some(3), &json!("partial")), "{summary:#}");
    assert_eq!(found(&summary), [&json!(27), &json!(1), &json!(2), &json!(0), &json!(1)]);
    let items = &summary["items"];
    assert_eq!(
        [&items["unchanged"], &items["failed"], &items["skipped"]],
        [27, 3, 1].map(|n| json!(n)).each_ref()
    );
    assert_eq!(summary["requests"], 0, "nobody is asked");

    // It counts as not home, and is fetched again; what was in its place is kept.
    let (code, summary) = verify(&place, &["--repair"]).await;
    assert_eq!((code, &summary["items"]["done"]), (Some(0), &json!(3)), "{summary:#}");
    assert_eq!(found(&summary), [&json!(27), &json!(1), &json!(2), &json!(0), &json!(1)]);
    fs::remove_file(mirror.join("photos/letter.txt")).expect("removed");
    fs::remove_dir_all(mirror.join("photos/@eaDir")).expect("removed");
    place.assert_mirror_is_complete();
    let aside = fs::read_dir(mirror.join(".charon/set-aside")).expect("a folder").count();
    assert_eq!(aside, 2, "the two that were changed");
    let (code, summary) = verify(&place, &[]).await;
    assert_eq!((code, found(&summary)[0]), (Some(0), &json!(30)), "{summary:#}");

    // Each wrote its report into the mirror.
    let reports = reports(&mirror);
    assert_eq!(reports.len(), 4);
    let problems = reports[1]["problems"].as_array().expect("a list");
    let reasons: Vec<&str> = problems.iter().filter_map(|problem| problem["reason"].as_str()).collect();
    assert_eq!(
        reasons.iter().filter(|reason| reason.contains("other bytes than those")).count(),
        2,
        "{reasons:?}"
    );
    assert_eq!(reasons.iter().filter(|reason| reason.contains("is not there")).count(), 1, "{reasons:?}");
    assert!(problems.iter().any(|problem| problem["item"] == "photos/letter.txt"), "{problems:?}");
}

#[tokio::test]
async fn the_next_backup_mends_what_a_verification_has_found() {
    let place = Place::new().await;
    place.seed(220);
    place.add_backup().await;
    assert_eq!(place.run("home").await.0, 0);
    // One of the oldest, which a quick listing does not come to.
    let file = place.path("mirror").join(&place.mirrored()[3].0);
    rot(&file);
    // The size is right, and only a verification sees it.
    let (_, summary) = place.run("home").await;
    assert_eq!(summary["items"]["unchanged"], 220, "{summary:#}");
    assert_eq!(verify(&place, &[]).await.0, Some(3));
    let (code, summary) = place.run("home").await;
    assert_eq!(
        (code, &summary["listing"], &summary["items"]["done"]),
        (0, &json!("quick"), &json!(1)),
        "{summary:#}"
    );
    place.assert_mirror_is_complete();
    assert_eq!(verify(&place, &[]).await.0, Some(0));
}

#[tokio::test]
async fn shares_follow_each_other_and_go_round() {
    let place = Place::new().await;
    place.seed(20);
    place.add_backup().await;
    assert_eq!(place.run("home").await.0, 0);
    let mut read = 0;
    for _ in 0..4 {
        let (code, summary) = verify(&place, &["--percent", "30"]).await;
        assert_eq!((code, &summary["verification"]["files"]), (Some(0), &json!(6)), "{summary:#}");
        read += 6;
    }
    assert_eq!(read, 24, "the fourth has begun anew");
    rot(&place.path("mirror").join(&place.mirrored()[3].0));
    let mut damaged = 0;
    for _ in 0..4 {
        let (_, summary) = verify(&place, &["--percent", "30"]).await;
        damaged += summary["verification"]["changed"].as_u64().expect("a count");
    }
    assert!((1..=2).contains(&damaged), "wherever it is, four shares of thirty hundredths come to it");
}

#[tokio::test]
async fn sha256sum_reads_the_checksums() {
    let place = Place::new().await;
    place.seed(25);
    place.add_backup().await;
    assert_eq!(place.run("home").await.0, 0);
    let sums = place.path("SHA256SUMS");
    let ended = place.charon(&["sums", "home", "--output", sums.to_str().expect("a path")]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(fs::read_to_string(&sums).expect("sums").lines().count(), 25);
    let check = || {
        let mut command = Command::new("sha256sum");
        command.arg("--check").arg("--quiet").arg(&sums).current_dir(place.path("mirror"));
        command.output().expect("sha256sum runs")
    };
    let checked = check();
    assert!(checked.status.success(), "{checked:?}");
    rot(&place.path("mirror").join(&place.mirrored()[3].0));
    assert!(!check().status.success());
}

#[tokio::test]
async fn a_verification_that_is_killed_goes_on_where_it_was() {
    // I2
    let place = Place::new().await;
    place.seed(40);
    place.add_backup().await;
    assert_eq!(place.run("home").await.0, 0);
    let ended = place.charon(&["verify", "out", "--json"]).await;
    assert_eq!(ended.code, Some(1), "there is no such plan: {ended:?}");
    let mut child = place.spawn(&["verify", "home"]);
    child.start_kill().expect("killed");
    child.wait().await.expect("it ended");
    let (code, summary) = verify(&place, &[]).await;
    assert_eq!((code, found(&summary)[0]), (Some(0), &json!(40)), "{summary:#}");
}

#[tokio::test]
async fn each_backup_verifies_a_share_and_mends_what_is_damaged_in_it() {
    // I5
    let place = Place::new().await;
    place.seed(20);
    place.add_storage().await;
    let config = json!({"kind": "backup", "storage": "family", "destination": place.path("mirror"), "verify_percent": 50});
    place.add_plan("home", &config).await;
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["verification"]["good"]), (0, &json!(10)), "{summary:#}");
    assert_eq!(summary["items"], json!({"done": 20, "unchanged": 0, "skipped": 0, "failed": 0}));

    // The bytes of two files change, which nothing but reading shows: one run reads the one, the next the other.
    let files = place.mirrored();
    let of = |id: &str| {
        let original = place.world().original(id).expect("its bytes").to_vec();
        files.iter().find(|(_, bytes)| *bytes == original).expect("it is home").0.clone()
    };
    let items = place.world().items();
    let rotten = [of(&items[0].id), of(&items[19].id)];
    for path in &rotten {
        rot(&place.path("mirror").join(path));
    }
    let mut mended = 0;
    for _ in 0..2 {
        let (code, summary) = place.run("home").await;
        assert_eq!((code, &summary["verification"]["changed"]), (0, &json!(1)), "{summary:#}");
        assert_eq!(summary["items"], json!({"done": 1, "unchanged": 19, "skipped": 0, "failed": 0}));
        let bytes = summary["items"]["done"].as_u64().expect("a number");
        mended += bytes;
    }
    assert_eq!(mended, 2);
    place.assert_mirror_is_complete();
    // What was found is in reports of their own, which tell of nothing else that the runs did.
    let mut told = reports(&place.path("mirror"));
    told.retain(|report| report["changed"] == 1);
    assert_eq!(told.len(), 2);
    let problems: Vec<_> = told.iter().map(|report| report["problems"].as_array().expect("a list")).collect();
    for (problems, path) in problems.iter().zip(&rotten) {
        let [problem] = problems.as_slice() else { panic!("one problem: {problems:?}") };
        assert_eq!((&problem["path"], &problem["outcome"]), (&json!(path), &json!("done")), "{problem}");
        let reason = problem["reason"].as_str().expect("why");
        assert!(reason.contains("other bytes") && reason.contains(".charon/set-aside"), "{reason}");
    }
    let (code, summary) = verify(&place, &[]).await;
    assert_eq!((code, &summary["verification"]["good"]), (Some(0), &json!(20)), "{summary:#}");
}

#[tokio::test]
async fn a_share_tells_of_what_cannot_be_mended_and_of_nothing_else() {
    let place = Place::new().await;
    place.seed(4);
    place.add_storage().await;
    let config = json!({"kind": "backup", "storage": "family", "destination": place.path("mirror"), "verify_percent": 100});
    place.add_plan("home", &config).await;
    assert_eq!(place.run("home").await.0, 0);
    let told = reports(&place.path("mirror"));
    assert_eq!((told.len(), &told[0]["good"]), (1, &json!(4)), "{told:#?}");
    // What is gone from the account cannot come from there again.
    let (path, bytes) = place.mirrored().swap_remove(0);
    let items = place.world().items();
    let lost = items.iter().find(|item| place.world().original(&item.id).as_deref() == Some(&bytes[..]));
    assert!(place.world().remove_item(&lost.expect("it is there").id));
    fs::remove_file(place.path("mirror").join(&path)).expect("removed");
    place.seed(2);
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["items"]["failed"]), (3, &json!(1)), "{summary:#}");
    let told = reports(&place.path("mirror"));
    let report = told.last().expect("a report");
    let problems = report["problems"].as_array().expect("a list");
    let [problem] = problems.as_slice() else { panic!("one problem: {problems:#?}") };
    assert_eq!((&problem["path"], &problem["outcome"]), (&json!(path), &json!("failed")), "{problem}");
    let error = summary["errors"][0].clone();
    assert_eq!(error["item"], json!(path.rsplit('/').next()), "people know it by its name: {error}");
    assert!(error["message"].as_str().is_some_and(|message| message.contains(&path)), "{error}");
    let (_, summary) = place.run("home").await;
    let hints = summary["hints"].to_string();
    assert!(hints.contains("1 file of the mirror is damaged: charon verify home --repair"), "{hints}");
    assert!(problem["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{problem}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_bad_place_of_the_disk_is_told_and_the_rest_is_read() {
    let place = Place::new().await;
    place.seed(10);
    place.add_storage().await;
    let plan = json!({"kind": "backup", "storage": "family", "destination": place.path("mirror")});
    fs::write(place.path("plan.json"), plan.to_string()).expect("a file");
    // The memory of a process cannot be read at its beginning: that is an I/O error, as a disk gives it.
    let told = crate::destination::on_a_small_disk(
        &place,
        "charon plan add home --config plan.json >&2
         charon run home >&2
         file=$(find mirror/photos -name '*.jpg' | sort | head -n 1)
         sleep 100 & process=$!
         mount --bind /proc/$process/mem \"$file\"
         head -c 1 \"$file\" > /dev/null 2>&1 && exit 8
         charon verify home --json > bad.json && exit 9 || echo \"code $?\"
         umount \"$file\"
         kill $process
         charon verify home --repair --json > mended.json; echo \"code $?\"",
    )
    .await;
    let Some(told) = told else { return };
    assert_eq!(told.lines().collect::<Vec<_>>(), ["code 3", "code 0"]);
    let read = |name: &str| -> Value {
        serde_json::from_slice(&fs::read(place.path(name)).expect("a file")).expect("JSON")
    };
    let bad = read("bad.json");
    assert_eq!(found(&bad), [&json!(9), &json!(0), &json!(0), &json!(1), &json!(0)], "{bad:#}");
    assert!(bad["errors"][0]["message"].as_str().expect("why").contains("cannot be read"), "{bad:#}");
    assert_eq!(found(&read("mended.json")), [&json!(10), &json!(0), &json!(0), &json!(0), &json!(0)]);
}
