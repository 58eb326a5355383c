//! What is beside the photos of a mirror: the albums, and the sidecars.

use std::{collections::BTreeMap, fs, path::Path};

use gphotos_emulator::Seed;
use serde_json::{Value, json};

use crate::support::Place;

/// Three albums over twelve photos.
fn seed(place: &Place) -> gphotos_emulator::Seeded {
    place.world().seed(&Seed {
        albums: 3,
        album_titles: vec!["Summer / Lake".into(), "Summer / Lake".into(), "Winter".into()],
        ..Seed::plain(12, 2_000)
    })
}

async fn add_backup(place: &Place, more: &Value) {
    place.add_storage().await;
    let mut config = json!({"kind": "backup", "storage": "family", "destination": place.path("mirror")});
    config.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    place.add_plan("home", &config).await;
}

async fn full(place: &Place) -> Value {
    let ended = place.charon(&["run", "home", "--full", "--json"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.json()
}

/// Everything below `albums`, with what it leads to.
fn albums(place: &Place) -> BTreeMap<String, Option<Vec<u8>>> {
    fn collect(root: &Path, folder: &Path, found: &mut BTreeMap<String, Option<Vec<u8>>>) {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(root).expect("below").to_string_lossy().into_owned();
            if path.is_dir() {
                collect(root, &path, found);
            } else {
                found.insert(name, fs::read(&path).ok());
            }
        }
    }
    let (mirror, mut found) = (place.path("mirror"), BTreeMap::new());
    collect(&mirror, &mirror.join("albums"), &mut found);
    found
}

/// Checks that what stands for albums is just what the account has in them, in their order.
fn assert_albums(place: &Place, found: &BTreeMap<String, Option<Vec<u8>>>) {
    let world = place.world();
    let mut expected: Vec<Vec<Vec<u8>>> = world
        .albums()
        .iter()
        .map(|album| {
            album.item_ids.iter().map(|id| world.original(id).expect("its bytes").to_vec()).collect()
        })
        .filter(|items: &Vec<_>| !items.is_empty())
        .collect();
    let mut folders: BTreeMap<&str, Vec<Vec<u8>>> = BTreeMap::new();
    for (path, bytes) in found {
        let folder = path.rsplit_once('/').expect("a folder").0;
        folders
            .entry(folder)
            .or_default()
            .push(bytes.clone().unwrap_or_else(|| panic!("{path} leads nowhere")));
    }
    let mut folders: Vec<Vec<Vec<u8>>> = folders.into_values().collect();
    for items in folders.iter_mut().chain(&mut expected) {
        items.sort();
    }
    folders.sort();
    expected.sort();
    assert_eq!(folders, expected, "{:?}", found.keys());
}

#[cfg(unix)]
#[tokio::test]
async fn albums_are_relative_links_and_follow_the_account_in_place() {
    let place = Place::new().await;
    let seeded = seed(&place);
    add_backup(&place, &json!({"albums": "symlink", "sidecars": "both"})).await;
    full(&place).await;
    let found = albums(&place);
    assert_albums(&place, &found);
    for path in found.keys() {
        let link = fs::read_link(place.path("mirror").join(path)).expect("a link");
        assert!(link.starts_with("../../../photos"), "{}", link.display());
        let name = path.rsplit('/').next().expect("a name");
        assert!(name[..4].parse::<u32>().is_ok() && &name[4..5] == "_", "{path}");
    }
    let folders: std::collections::BTreeSet<&str> =
        found.keys().filter_map(|path| path.rsplit_once('/')).map(|(folder, _)| folder).collect();
    assert_eq!(folders.len(), 3, "two albums of one title have a folder each: {folders:?}");
    // The mirror moves, and its links with it.
    fs::rename(place.path("mirror"), place.path("moved")).expect("moved");
    fs::rename(place.path("moved"), place.path("mirror")).expect("moved back");

    // Nothing is touched that is as it should be.
    let link = place.path("mirror").join(found.keys().next().expect("a link"));
    let inode =
        |path: &Path| std::os::unix::fs::MetadataExt::ino(&fs::symlink_metadata(path).expect("a link"));
    let before = inode(&link);
    full(&place).await;
    assert_eq!(inode(&link), before);
    // What somebody put there stays, what somebody took away comes back, and what the account changes is followed.
    fs::write(link.parent().expect("a folder").join("notes.txt"), "mine").expect("a file");
    fs::remove_file(&link).expect("removed");
    assert!(place.world().remove_item(&seeded.item_ids[1]));
    assert!(place.world().remove_album(&seeded.album_ids[2]));
    full(&place).await;
    let mut found = albums(&place);
    let notes: Vec<String> = found.keys().filter(|path| path.ends_with("notes.txt")).cloned().collect();
    assert_eq!(notes.len(), 1);
    found.remove(&notes[0]);
    assert_albums(&place, &found);
    let verified = place.charon(&["verify", "home", "--json"]).await.json();
    assert_eq!(verified["verification"]["strange"], 1, "the notes alone: {verified:#}");
}

#[cfg(unix)]
#[tokio::test]
async fn albums_may_be_hard_links_copies_manifests_or_nothing_and_change_into_each_other() {
    let place = Place::new().await;
    seed(&place);
    add_backup(&place, &json!({"albums": "hardlink", "sidecars": "none"})).await;
    for kind in ["hardlink", "copy", "symlink", "manifest", "none", "hardlink"] {
        let config = json!({
            "kind": "backup", "storage": "family", "destination": place.path("mirror"), "albums": kind, "sidecars": "none",
        });
        let ended = place.charon_with(&["plan", "update", "home", "--config", "-"], &config).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        full(&place).await;
        let found = albums(&place);
        match kind {
            "none" => assert!(found.is_empty(), "{:?}", found.keys()),
            "manifest" => {
                assert_eq!(found.len(), 3, "{:?}", found.keys());
                for (path, text) in &found {
                    let manifest: Value =
                        serde_json::from_slice(text.as_deref().expect("text")).expect("JSON");
                    assert!(
                        std::path::Path::new(path).extension().is_some_and(|ending| ending == "json")
                            && !manifest["items"].as_array().expect("items").is_empty()
                    );
                    for item in manifest["items"].as_array().expect("items") {
                        let file = place.path("mirror").join(item["path"].as_str().expect("a path"));
                        assert!(file.is_file(), "{}", file.display());
                    }
                }
            }
            _ => assert_albums(&place, &found),
        }
        let links = found
            .keys()
            .map(|path| fs::symlink_metadata(place.path("mirror").join(path)).expect("it is there"));
        for link in links {
            let count = std::os::unix::fs::MetadataExt::nlink(&link);
            assert_eq!(link.is_symlink(), kind == "symlink");
            assert_eq!(count > 1, kind == "hardlink", "{kind}: {count}");
        }
        let verified = place.charon(&["verify", "home", "--json"]).await.json();
        assert_eq!(verified["verification"]["strange"], 0, "{kind}: {verified:#}");
    }
}

#[tokio::test]
async fn sidecars_tell_what_the_account_says_and_leave_others_alone() {
    let place = Place::new().await;
    let seeded = seed(&place);
    assert!(place.world().set_favorite(&seeded.item_ids[0], true));
    add_backup(&place, &json!({"albums": "symlink", "sidecars": "both"})).await;
    full(&place).await;
    let mirror = place.path("mirror");
    let mut sheets = BTreeMap::new();
    for (path, bytes) in place.mirrored() {
        let sheet: Value =
            serde_json::from_slice(&fs::read(mirror.join(format!("{path}.json"))).expect("a sidecar"))
                .expect("JSON");
        assert_eq!((&sheet["path"], &sheet["size"]), (&json!(path), &json!(bytes.len())));
        assert_eq!(sheet["sha256"], crate::support::hex_sha256(&bytes));
        let xmp = fs::read_to_string(mirror.join(format!("{path}.xmp"))).expect("a sidecar");
        assert!(xmp.contains("exif:DateTimeOriginal=\"20"), "{xmp}");
        assert_eq!(xmp.contains("xmp:Rating=\"5\""), sheet["favourite"] == true, "{xmp}");
        for album in sheet["albums"].as_array().expect("albums") {
            assert!(xmp.contains(album.as_str().expect("a title")), "{xmp}");
        }
        sheets.insert(sheet["media_id"].as_str().expect("an id").to_owned(), (path, sheet));
    }
    assert_eq!(sheets.len(), 12);
    assert_eq!(sheets[&seeded.item_ids[0]].1["favourite"], true);
    let albums: usize =
        sheets.values().map(|(_, sheet)| sheet["albums"].as_array().expect("albums").len()).sum();
    assert!(albums >= 9, "{albums}");

    // digiKam writes its own into one of them: it stays. Another follows the account.
    let theirs = mirror.join(format!("{}.xmp", sheets[&seeded.item_ids[2]].0));
    fs::write(&theirs, "<rated-by-me/>").expect("written");
    for id in [&seeded.item_ids[0], &seeded.item_ids[2]] {
        assert!(place.world().set_favorite(id, id == &seeded.item_ids[2]));
    }
    full(&place).await;
    assert_eq!(fs::read_to_string(&theirs).expect("a file"), "<rated-by-me/>");
    let ours = mirror.join(format!("{}.json", sheets[&seeded.item_ids[0]].0));
    let sheet: Value = serde_json::from_slice(&fs::read(ours).expect("a sidecar")).expect("JSON");
    assert_eq!(sheet["favourite"], false);
    // What somebody has deleted is written again.
    let deleted = mirror.join(format!("{}.xmp", sheets[&seeded.item_ids[1]].0));
    fs::remove_file(&deleted).expect("removed");
    full(&place).await;
    assert!(deleted.is_file());
    let verified = place.charon(&["verify", "home", "--json"]).await.json();
    assert_eq!(verified["verification"]["strange"], 0, "{verified:#}");
}

/// What a program prints, if it is there: `.ci/run` installs it where it can.
fn told(program: &str, arguments: &[&str], folder: &Path) -> Option<String> {
    let output = std::process::Command::new(program).args(arguments).current_dir(folder).output();
    let Ok(output) = output else {
        eprintln!("{program} is not installed: what it reads was not tried");
        return None;
    };
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).expect("text"))
}

#[tokio::test]
async fn what_digikam_and_immich_read_with_finds_all_of_it_in_the_xmp() {
    const WORDS: &str = "Oma & Opa <3 am \"Meer\"\nzweite Zeile – 海";
    let place = Place::new().await;
    let album = "Kinder & \"Meer\" | 2024/2025";
    let camera = Some(("Canon & Söhne".to_owned(), "EOS <80D>".to_owned()));
    let taken_at = Some("2024-07-31T23:30:00".parse().expect("a time"));
    let picture =
        gphotos_emulator::picture::Picture { camera, taken_at, ..gphotos_emulator::picture::Picture::new(1) };
    place.world().seed(&Seed { albums: 1, album_titles: vec![album.into()], ..Seed::plain(1, 2_000) });
    let in_album = place.world().albums()[0].item_ids[0].clone();
    let id = place.world().add_item(crate::support::CLIENT_ID, "a.jpg", picture.jpeg()).expect("a picture");
    assert!(place.world().set_description(&id, WORDS) && place.world().set_favorite(&id, true));
    add_backup(&place, &json!({})).await;
    full(&place).await;
    let name = |id: &str| {
        let original = place.world().original(id).expect("its bytes").to_vec();
        place.mirrored().into_iter().find(|(_, bytes)| *bytes == original).expect("it is home").0 + ".xmp"
    };
    let (alone, in_album) = (name(&id), name(&in_album));
    let mirror = place.path("mirror");

    // Immich reads with exiftool.
    if let Some(json) = told("exiftool", &["-j", "-XMP:all", &alone, &in_album], &mirror) {
        let read: Value = serde_json::from_str(&json).expect("JSON");
        let (first, second) = (&read[0], &read[1]);
        assert_eq!(first["Description"], WORDS, "{read:#}");
        assert_eq!((&first["Make"], &first["Model"]), (&json!("Canon & Söhne"), &json!("EOS <80D>")));
        assert_eq!((&first["Rating"], &second["Rating"]), (&json!(5), &Value::Null));
        assert_eq!(first["DateTimeOriginal"], "2024:07:31 23:30:00+00:00");
        assert_eq!(second["Subject"], album);
        assert_eq!(second["TagsList"], "Albums/Kinder & \"Meer\" | 2024_2025");
        assert_eq!(second["HierarchicalSubject"], "Albums|Kinder & \"Meer\" _ 2024/2025");
    }
    // digiKam reads with Exiv2.
    for (path, lines) in [
        (
            &alone,
            vec![
                ("Xmp.tiff.Make", "Canon & Söhne"),
                ("Xmp.xmp.Rating", "5"),
                ("Xmp.exif.DateTimeOriginal", "2024-07-31T23:30:00"),
            ],
        ),
        (
            &in_album,
            vec![("Xmp.dc.subject", album), ("Xmp.digiKam.TagsList", "Albums/Kinder & \"Meer\" | 2024_2025")],
        ),
    ] {
        let Some(read) = told("exiv2", &["-PXkt", path], &mirror) else { continue };
        for (key, value) in lines {
            let line = read.lines().find(|line| line.starts_with(key));
            assert!(line.is_some_and(|line| line.contains(value)), "{key}: {read}");
        }
    }
}
