//! What lies in a folder already is taken over: the next backup fetches nothing of it again.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use gphotos_emulator::{ItemTruth, Seed, video::Video};
use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::{Connection, Executor, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::support::{CLIENT_ID, Ended, Place, hex_sha256, picture};

/// The tables of gphotos-sync 5.7 that hold what is known of files.
const SCHEMA: &str = "
    CREATE TABLE SyncFiles (Id INTEGER PRIMARY KEY, RemoteId TEXT, Uid Text, Url TEXT, Path TEXT, FileName TEXT,
        OrigFileName TEXT, DuplicateNo INT, MimeType TEXT, Description TEXT, FileSize INT, ModifyDate INT, CreateDate INT,
        SyncDate INT, Downloaded INT DEFAULT 0, Location Text);
    CREATE UNIQUE INDEX RemoteIdIdx ON SyncFiles (RemoteId);
    CREATE UNIQUE INDEX SyncFiles_Path_FileName_DuplicateNo_uindex ON SyncFiles (Path, FileName, DuplicateNo);
    CREATE TABLE Globals (Id INTEGER, Version TEXT, Albums INTEGER, Files INTEGER, LastIndex INT);
    INSERT INTO Globals VALUES (1, '5.7', 0, 0, NULL);";

fn write(path: &Path, bytes: &[u8], modified: Option<Timestamp>) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, bytes).expect("a file");
    if let Some(modified) = modified {
        let file = fs::File::options().write(true).open(path).expect("a file");
        file.set_modified(modified.into()).expect("its time");
    }
}

fn bytes(place: &Place, id: &str) -> Vec<u8> {
    place.world().original(id).expect("its bytes").to_vec()
}

/// Puts a file where a tool has downloaded an item to.
fn download(place: &Place, item: &ItemTruth, path: &Path) {
    write(path, &bytes(place, &item.id), Some(item.taken_at));
}

/// What gphotos-sync leaves: a tree by months, and its database.
async fn gphotos_sync(place: &Place, root: &Path, items: &[ItemTruth]) {
    fs::create_dir_all(root).expect("a folder");
    let options = SqliteConnectOptions::new().filename(root.join("gphotos.sqlite")).create_if_missing(true);
    let mut database = SqliteConnection::connect_with(&options).await.expect("a database");
    database.execute(SCHEMA).await.expect("tables");
    for item in items {
        let zoned = item.taken_at.to_zoned(jiff::tz::TimeZone::UTC);
        let folder = zoned.strftime("photos/%Y/%m").to_string();
        let mut duplicate = 0;
        let mut name = item.filename.clone();
        while root.join(&folder).join(&name).exists() {
            duplicate += 1;
            let (stem, ending) = item.filename.rsplit_once('.').expect("an ending");
            name = format!("{stem} ({}).{ending}", duplicate + 1);
        }
        // It takes the time of Google for that of the clock on the wall.
        let modified = item.taken_at - Duration::from_hours(2);
        write(&root.join(&folder).join(&name), &bytes(place, &item.id), Some(modified));
        sqlx::query(
            "INSERT INTO SyncFiles (RemoteId, Url, Path, FileName, OrigFileName, DuplicateNo, MimeType, Description, FileSize,
                 ModifyDate, CreateDate, SyncDate, Downloaded, Location)
             VALUES (?, 'https://photos.google.com/x', ?, ?, ?, ?, ?, '', 0, '1800-01-01 00:00:00', ?, '2025-01-01 00:00:00', 1, '')",
        )
        .bind(&item.id)
        .bind(&folder)
        .bind(&name)
        .bind(&item.filename)
        .bind(duplicate)
        .bind(&item.mime_type)
        .bind(zoned.strftime("%Y-%m-%d %H:%M:%S").to_string())
        .execute(&mut database)
        .await
        .expect("a row");
    }
    database.close().await.expect("closed");
    fs::write(root.join("gphotos.log"), "what it said").expect("a file");
    fs::create_dir_all(root.join("albums/2024/0731 Summer")).expect("a folder");
}

/// Everything below a folder: path, content, time, permissions.
fn all_below(root: &Path) -> Vec<(PathBuf, Vec<u8>, Timestamp)> {
    let mut files: Vec<_> = walk(root)
        .into_iter()
        .map(|path| {
            let modified = fs::metadata(&path).and_then(|metadata| metadata.modified()).expect("its time");
            (path.clone(), fs::read(&path).expect("a file"), Timestamp::try_from(modified).expect("a time"))
        })
        .collect();
    files.sort();
    files
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files
}

async fn adopt(place: &Place, arguments: &[&str]) -> (Option<i32>, Value) {
    let ended = place.charon(&[&["adopt"], arguments, &["--json"]].concat()).await;
    (ended.code, ended.json())
}

/// What of the counts is not null, in the order of their names.
fn counts(adopted: &Value) -> Vec<(String, u64)> {
    let counts = adopted.as_object().unwrap_or_else(|| panic!("no counts: {adopted:#}")).iter();
    counts
        .map(|(name, count)| (name.clone(), count.as_u64().expect("a count")))
        .filter(|(_, count)| *count > 0)
        .collect()
}

fn expected(counts: &[(&str, u64)]) -> Vec<(String, u64)> {
    let mut counts: Vec<_> = counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    counts.sort();
    counts
}

/// Runs a backup, which fetches so many files, and has the mirror verified.
async fn backup_fetches(place: &Place, plan: &str, fetched: u64) -> Value {
    let before = place.count("media.bytes");
    let (code, summary) = place.run(plan).await;
    assert_eq!(code, 0, "{summary:#}");
    assert_eq!(place.count("media.bytes") - before, fetched, "{summary:#}");
    let verified = place.charon(&["verify", plan, "--json"]).await;
    assert_eq!(verified.code, Some(0), "{verified:?}");
    summary
}

async fn items(place: &Place, summary: &Value, outcome: &str) -> Vec<(String, String)> {
    let run = summary["run"].as_str().expect("an id");
    let ended = place.charon(&["runs", "show", run, "--outcome", outcome, "-n", "1000", "--json"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let text = |item: &Value, field: &str| item[field].as_str().unwrap_or_default().to_owned();
    let items = ended.json()["items"].as_array().expect("a list").clone();
    items.iter().map(|item| (text(item, "item"), text(item, "reason"))).collect()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path")
}

/// Photos of which three have one name in one month.
fn seed(place: &Place) -> Vec<ItemTruth> {
    let names = (0..30)
        .map(|number| if number % 10 == 0 { "twin.jpg".to_owned() } else { format!("IMG_{number:04}.jpg") });
    place.world().seed(&Seed { names: names.collect(), ..Seed::plain(30, 5_000) });
    let mut items = place.world().items();
    items.sort_by_key(|item| item.taken_at);
    items
}

#[tokio::test]
async fn a_tree_of_gphotos_sync_becomes_the_mirror_as_it_is() {
    // I4
    let place = Place::new().await;
    let all = seed(&place);
    // Two that have one name in one month.
    assert!(place.world().set_taken_at(&all[10].id, all[0].taken_at + Duration::from_mins(1)));
    let all = place.world().items();
    let root = place.path("Google Photos");
    gphotos_sync(&place, &root, &all).await;
    place.add_storage().await;
    let before = all_below(&root);

    // The same is said beforehand, and nothing is written.
    let (code, preview) = adopt(&place, &[text(&root), "--dry-run"]).await;
    assert_eq!((code, &preview["is_new"]), (Some(0), &json!(true)), "{preview:#}");
    let told = counts(&preview["adopted"]);
    assert_eq!(told, expected(&[("by_id", 30), ("others", 2)]));
    assert_eq!(all_below(&root), before);
    assert_eq!(place.charon(&["plan", "list", "--json"]).await.json(), json!([]));

    let (code, summary) = adopt(&place, &[text(&root)]).await;
    assert_eq!((code, &summary["plan"]), (Some(0), &json!("Google Photos")), "{summary:#}");
    assert_eq!(counts(&summary["adopted"]), told);
    assert_eq!(place.count("media.bytes"), 0);
    let done = items(&place, &summary, "done").await;
    assert_eq!(done.len(), 30, "each count opens to its items");
    // Every file is as it was, and only the marker has come.
    let after = all_below(&root);
    let ours: Vec<_> =
        after.iter().filter(|file| !before.contains(file)).map(|(path, ..)| path.clone()).collect();
    assert_eq!(ours, [root.join(".charon/mirror.json")]);
    assert_eq!(before.iter().filter(|file| !after.contains(file)).count(), 0);

    let summary = backup_fetches(&place, "Google Photos", 0).await;
    assert_eq!(
        (&summary["items"]["unchanged"], &summary["listing"]),
        (&json!(30), &json!("full")),
        "{summary:#}"
    );
    // What is new comes home beside it.
    place.seed(2);
    backup_fetches(&place, "Google Photos", 2).await;
    // Again is as good as once.
    let (code, summary) = adopt(&place, &[text(&root)]).await;
    assert_eq!((code, &summary["items"]["unchanged"]), (Some(0), &json!(32)), "{summary:#}");
}

#[tokio::test]
async fn what_the_account_does_not_show_is_adopted_by_its_id_and_never_thrown_away() {
    // I5
    let place = Place::new().await;
    // Since 2025 a client is shown what it has uploaded and nothing else.
    place.world().seed(&Seed { client_id: Some("another-client".into()), ..Seed::plain(20, 5_000) });
    let theirs = place.world().items();
    let shown = place.seed(4);
    let root = place.path("old");
    gphotos_sync(&place, &root, &theirs).await;
    place.add_storage().await;
    let (code, summary) = adopt(&place, &[text(&root), "--plan", "home"]).await;
    assert_eq!(code, Some(0), "{summary:#}");
    assert_eq!(counts(&summary["adopted"]), expected(&[("not_shown", 20), ("others", 2)]));
    let config = json!({"kind": "backup", "storage": "family", "destination": root,
        "deletion": {"gone": "trash", "after_listings": 2, "most_percent": 100}});
    let ended = place.charon_with(&["plan", "update", "home", "--config", "-"], &config).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    backup_fetches(&place, "home", 4).await;
    for _ in 0..4 {
        let ended = place.charon(&["run", "home", "--full", "--json"]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
    let trash = place.charon(&["trash", "list", "home", "--json"]).await.json();
    assert_eq!(trash["standing"]["files"], 0, "{trash:#}");
    for item in &theirs {
        let is_there = walk(&root.join("photos"))
            .iter()
            .any(|path| fs::read(path).is_ok_and(|there| there == bytes(&place, &item.id)));
        assert!(is_there, "{item:?}");
    }
    // Nor is it sent to the account again, which says that it does not know it.
    let sent = place.count("uploads");
    let ended = place.charon(&["restore", "home", "--to-storage", "family", "--json"]).await;
    let summary = ended.json();
    assert_eq!(
        (&summary["items"]["done"], &summary["items"]["unchanged"]),
        (&json!(0), &json!(4)),
        "{summary:#}"
    );
    assert_eq!(summary["items"]["failed"], 20, "{summary:#}");
    let why = summary["errors"][0]["message"].as_str().expect("why");
    assert!(why.contains("has never shown this one"), "{why}");
    assert_eq!(place.count("uploads"), sent);
    // What has been shown once may go as ever.
    assert!(place.world().remove_item(&shown[0]));
    for _ in 0..2 {
        place.charon(&["run", "home", "--full", "--json"]).await;
    }
    let trash = place.charon(&["trash", "list", "home", "--json"]).await.json();
    assert_eq!(trash["standing"]["files"], 1, "{trash:#}");
}

#[tokio::test]
async fn a_file_of_the_right_name_and_month_is_taken_for_an_item_only_if_it_says_when_it_was_taken() {
    let taken = |at: &str, seed| {
        let taken_at = Some(at.parse().expect("a time"));
        gphotos_emulator::picture::Picture { taken_at, ..gphotos_emulator::picture::Picture::new(seed) }
            .jpeg()
    };
    let place = Place::new().await;
    let root = place.path("old");
    let mut originals = Vec::new();
    // Mum's three photos are in the account.
    for (seed, name) in [(1, "IMG_0001.jpg"), (2, "IMG_0002.jpg"), (3, "IMG_0003.jpg")] {
        let id = place.world().add_item(CLIENT_ID, name, taken(&format!("2024-07-1{seed}T12:00:00"), seed));
        originals.push(bytes(&place, &id.expect("a photo")));
    }
    let long_ago = Some("2010-01-01T00:00:00Z".parse().expect("a time"));
    // Of the folder, the first is hers, though the copy has lost its time; Dad's have her names, and were taken on another day or say
    // nothing of it.
    write(&root.join("photos/2024/07/IMG_0001.jpg"), &taken("2024-07-11T14:00:00", 1), long_ago);
    write(&root.join("photos/2024/07/IMG_0002.jpg"), &taken("2024-07-20T09:00:00", 12), long_ago);
    write(&root.join("photos/2024/07/IMG_0003.jpg"), &picture(13), long_ago);
    place.add_storage().await;
    let (code, summary) = adopt(&place, &[text(&root), "--plan", "home"]).await;
    assert_eq!(code, Some(0), "{summary:#}");
    assert_eq!(counts(&summary["adopted"]), expected(&[("by_name", 1), ("ambiguous", 2)]), "{summary:#}");
    backup_fetches(&place, "home", 2).await;
    let there: Vec<Vec<u8>> =
        walk(&root.join("photos")).iter().map(|path| fs::read(path).expect("a file")).collect();
    assert!(originals[1..].iter().all(|original| there.contains(original)), "hers are home");
    assert!(there.contains(&picture(13)), "and his are where they were");
}

#[tokio::test]
async fn a_tree_of_rclone_is_adopted_into_another_mirror_by_ids_names_and_times() {
    let place = Place::new().await;
    let all = seed(&place);
    let root = place.path("rclone");
    for item in &all {
        let zoned = item.taken_at.to_zoned(jiff::tz::TimeZone::UTC);
        let name = match item.filename.as_str() {
            "twin.jpg" => format!("twin {{{}}}.jpg", item.id),
            name => name.to_owned(),
        };
        let month = zoned.strftime("media/by-month/%Y/%Y-%m").to_string();
        for folder in ["media/all", &month, "album/Summer"] {
            download(&place, item, &root.join(folder).join(&name));
        }
    }
    // Two items that nobody can tell apart; a download that broke off, an empty file, a web page.
    let (one, two) = (all[1].clone(), all[2].clone());
    assert!(
        place.world().set_filename(&two.id, &one.filename)
            && place.world().set_taken_at(&two.id, one.taken_at)
    );
    for path in walk(&root) {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        let whole = fs::read(&path).expect("a file");
        if name == all[3].filename {
            write(&path, &whole[..whole.len() / 2], Some(all[3].taken_at));
        } else if name == all[4].filename {
            write(&path, b"", Some(all[4].taken_at));
        } else if name == all[5].filename {
            write(&path, b"<html>403</html>", Some(all[5].taken_at));
        } else if name == two.filename {
            fs::remove_file(&path).expect("removed");
        }
    }
    write(&root.join("media/all/mine.jpg"), &bytes(&place, &all[6].id), None);
    write(&root.join("notes.txt"), b"not a photo", None);
    place.add_backup().await;
    let before = all_below(&root);
    let arguments = [text(&root), "--plan", "home"];
    let (_, preview) = adopt(&place, &[&arguments[..], &["--dry-run"]].concat()).await;
    let (code, summary) = adopt(&place, &arguments).await;
    assert_eq!((code, &summary["state"]), (Some(3), &json!("partial")), "{summary:#}");
    let told = counts(&summary["adopted"]);
    // Of each, three files: three twins by their ids; 30 less them, two that are alike and three that are damaged by name.
    assert_eq!(
        told,
        expected(&[
            ("by_id", 3),
            ("by_name", 22),
            ("doubles", 50),
            ("ambiguous", 3),
            ("damaged", 9),
            ("unmatched", 1),
            ("others", 1),
        ]),
        "{summary:#}"
    );
    assert_eq!(counts(&preview["adopted"]), told, "it was said beforehand");
    assert_eq!(all_below(&root), before, "the folder is as it was");
    let failed = items(&place, &summary, "failed").await;
    for (name, why) in [
        (&all[3].filename, "cut off"),
        (&all[4].filename, "is empty"),
        (&all[5].filename, "not what its name"),
    ] {
        let told =
            failed.iter().filter(|(item, reason)| item.ends_with(&**name) && reason.contains(why)).count();
        assert_eq!(told, 3, "{name}: {failed:#?}");
    }
    // They are one file under two names, where that can be.
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let linked = place.mirrored().into_iter().map(|(path, _)| place.path("mirror").join(path));
        assert!(linked.into_iter().all(|path| fs::metadata(path).expect("a file").nlink() == 2));
    }
    backup_fetches(&place, "home", 5).await;
    place.assert_mirror_is_complete();
}

#[tokio::test]
async fn a_mirror_whose_database_is_lost_is_taken_over_from_its_sidecars() {
    let place = Place::new().await;
    let seed =
        Seed { items: 12, video_share: 0.2, albums: 1, album_titles: vec!["Sea".into()], ..Seed::default() };
    let album = place.world().seed(&seed).album_ids[0].clone();
    let clip = Video::new(1).mp4();
    place.world().add_motion_photo(CLIENT_ID, "PXL_1.MP.jpg", picture(1), clip).expect("a photo");
    place.add_storage().await;
    let config = json!({"kind": "backup", "storage": "family", "destination": place.path("mirror"), "sidecars": "both"});
    place.add_plan("home", &config).await;
    assert_eq!(place.run("home").await.0, 0);
    // One is gone from the account, and all the same remembered.
    let in_album = place.world().albums()[0].item_ids.clone();
    let gone = place.world().items().into_iter().find(|item| !in_album.contains(&item.id)).expect("one").id;
    assert!(place.world().remove_item(&gone));
    let before = place.mirrored();
    assert_eq!(before.len(), 14, "a clip among them");
    fs::remove_dir_all(place.data_dir()).expect("removed");

    place.add_storage().await;
    let ended = place.charon_with(&["plan", "add", "home", "--config", "-"], &config).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let (code, summary) = adopt(&place, &[text(&place.path("mirror")), "--plan", "home"]).await;
    assert_eq!(code, Some(0), "{summary:#}");
    assert_eq!(counts(&summary["adopted"]), expected(&[("by_id", 12), ("not_shown", 1)]));
    backup_fetches(&place, "home", 0).await;
    assert_eq!(place.mirrored(), before);
    let sums = place.charon(&["sums", "home"]).await.stdout;
    for (path, bytes) in before {
        assert!(sums.contains(&format!("{}  {path}", hex_sha256(&bytes))), "{path} in {sums}");
    }

    // What lies beside the photos follows the account again: its own earlier links and sidecars are no stranger's.
    assert!(!folders(&place.path("mirror/albums")).is_empty());
    let favourite = place.world().items()[0].id.clone();
    assert!(place.world().remove_album(&album) && place.world().set_favorite(&favourite, true));
    let ended = place.charon(&["run", "home", "--full", "--json"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(folders(&place.path("mirror/albums")), Vec::<String>::new());
    let rated = place.mirrored().into_iter().filter(|(path, _)| {
        let read = |kind: &str| {
            fs::read_to_string(place.path("mirror").join(format!("{path}.{kind}"))).unwrap_or_default()
        };
        read("json").contains("\"favourite\": true") && read("xmp").contains("xmp:Rating")
    });
    assert_eq!(rated.count(), 1);
}

/// The folders below one.
fn folders(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

#[tokio::test]
async fn a_mirror_without_sidecars_is_taken_over_by_names_and_times_and_rot_is_told_by_sidecars() {
    let place = Place::new().await;
    seed(&place);
    place.add_backup().await;
    let config = json!({"kind": "backup", "storage": "family", "destination": place.path("mirror"), "sidecars": "none"});
    let ended = place.charon_with(&["plan", "update", "home", "--config", "-"], &config).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(place.run("home").await.0, 0);
    let before = place.mirrored();
    // The plan is removed, and its mirror stays.
    let ended = place.charon(&["plan", "remove", "home"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let (code, summary) = adopt(&place, &[text(&place.path("mirror")), "--plan", "again"]).await;
    assert_eq!(code, Some(0), "{summary:#}");
    assert_eq!(summary["items"]["done"], 30, "{summary:#}");
    backup_fetches(&place, "again", 0).await;
    assert_eq!(place.mirrored(), before);

    // With sidecars, a photo that is not as it was is known for what it is.
    let config = json!({"kind": "backup", "storage": "family", "destination": place.path("mirror"), "sidecars": "json"});
    let ended = place.charon_with(&["plan", "update", "again", "--config", "-"], &config).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let ended = place.charon(&["run", "again", "--full", "--json"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    fs::remove_dir_all(place.data_dir()).expect("removed");
    let rotten = place.path("mirror").join(&before[4].0);
    let mut bytes = before[4].1.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    write(&rotten, &bytes, None);
    place.add_storage().await;
    let (code, summary) = adopt(&place, &[text(&place.path("mirror"))]).await;
    assert_eq!((code, &summary["plan"]), (Some(3), &json!("mirror")), "{summary:#}");
    assert_eq!(counts(&summary["adopted"]), expected(&[("by_id", 29), ("damaged", 1)]));
    backup_fetches(&place, "mirror", 1).await;
    assert_eq!(fs::read(&rotten).expect("it stays where it is"), bytes);
}

#[tokio::test]
async fn an_adoption_that_is_killed_is_made_again() {
    // I2
    let place = Place::new().await;
    place.seed(300);
    let all = place.world().items();
    let (root, other) = (place.path("one"), place.path("two"));
    gphotos_sync(&place, &root, &all).await;
    place.add_backup().await;
    let mut kills = 0;
    for life in 0..6_u64 {
        let mut child = place.spawn(&["adopt", text(&root), "--plan", "home"]);
        let files = place.path("mirror/photos");
        // Later in each life, and in the midst of it once files have come.
        let mut look = tokio::time::interval(Duration::from_millis(2));
        let is_far = || files.exists() && walk(&files).len() as u64 > 20 + 40 * life;
        let has_ended = loop {
            look.tick().await;
            if child.try_wait().expect("a child").is_some() {
                break true;
            }
            if is_far() {
                break false;
            }
        };
        if has_ended {
            break;
        }
        kills += 1;
        child.start_kill().expect("killed");
        child.wait().await.expect("it ended");
    }
    assert!(kills > 0, "it was too fast to be killed");
    let (code, summary) = adopt(&place, &[text(&root), "--plan", "home"]).await;
    assert_eq!(code, Some(0), "{summary:#}");
    let items = &summary["items"];
    let home =
        items["done"].as_u64().zip(items["unchanged"].as_u64()).map(|(done, unchanged)| done + unchanged);
    assert_eq!(home, Some(300), "{summary:#}");
    backup_fetches(&place, "home", 0).await;
    place.assert_mirror_is_complete();
    assert!(!other.exists());
}

#[tokio::test]
async fn what_cannot_be_adopted_is_refused_before_anything_is_written() {
    // I11
    let place = Place::new().await;
    let all = seed(&place);
    let refused = async |arguments: &[&str], code: i32, says: &str| -> Ended {
        let ended = place.charon(&[&["adopt"], arguments].concat()).await;
        let all = format!("{}{}", ended.stdout, ended.stderr);
        assert!(ended.code == Some(code) && all.contains(says), "{arguments:?} {says}: {ended:?}");
        ended
    };
    let (root, empty, nothing) = (place.path("tree"), place.path("empty"), place.path("nothing"));
    fs::create_dir_all(&empty).expect("a folder");
    fs::create_dir_all(&root).expect("a folder");
    refused(&[text(&nothing)], 1, "there is no folder").await;
    refused(&[], 2, "required").await;
    refused(&[text(&root)], 1, "no storage yet").await;
    place.add_storage().await;
    refused(&[text(&empty)], 1, "nothing in").await;
    write(&empty.join("letter.txt"), b"dear all", None);
    write(&empty.join("of-others.jpg"), &bytes(&place, &all[0].id), None);
    refused(&[text(&empty)], 1, "so the plan empty was not kept").await;
    assert_eq!(fs::read_dir(&empty).expect("a folder").count(), 2, "nothing was written there");
    write(&root.join("gphotos.sqlite"), b"SQLite format 3\0 and then nothing of the kind", None);
    write(&root.join("photos/2024/07/a.jpg"), b"a photo", None);
    refused(&[text(&root)], 1, "gphotos.sqlite, cannot be read").await;
    refused(&[text(&root), "--database", "nowhere.sqlite"], 1, "there is no file").await;
    assert_eq!(place.charon(&["plan", "list", "--json"]).await.json(), json!([]));

    // A folder with something in it is not made a mirror by accident, and it is told how it can be one.
    let config = json!({"kind": "backup", "storage": "family", "destination": root});
    let ended = place.charon_with(&["plan", "add", "home", "--config", "-"], &config).await;
    assert!(ended.code == Some(2) && ended.stderr.contains("charon adopt"), "{ended:?}");
    // The mirror of a plan that there is belongs to that plan.
    let config = json!({"kind": "backup", "storage": "family", "destination": place.path("mirror")});
    place.add_plan("home", &config).await;
    refused(&[text(&place.path("mirror")), "--plan", "other"], 1, "is the mirror of the plan home").await;
    refused(&[text(&root)], 1, "--plan").await;
    refused(&[text(&root), "--plan", "home", "--storage", "another"], 1, "is of the storage family").await;
    fs::create_dir_all(root.join(".charon")).expect("a folder");
    fs::copy(place.path("mirror/.charon/mirror.json"), root.join(".charon/mirror.json")).expect("copied");
    refused(&[text(&root), "--plan", "other"], 1, "carries the marker of the plan home").await;
    refused(&[text(&root), "--plan", "home"], 1, "carries the marker of the plan home").await;
    refused(&[text(&place.path("mirror/.charon")), "--plan", "home"], 1, "lie within each other").await;
}
