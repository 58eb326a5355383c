//! Servers that are full, read-only, killed in the middle of a write, or gone for a while; and our side killed.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use charon_provider::{Class, Depth, Destination, EntryKind, Error};
use futures::TryStreamExt;
use serde_json::{Map, Value};
use tempfile::TempDir;

use crate::servers::{ALL, Kind, Server, Small, open};

const MEBIBYTE: usize = 1024 * 1024;

/// A file of so many mebibytes, which differs from those of other seeds.
fn file(folder: &TempDir, mebibytes: usize, seed: u8) -> PathBuf {
    let path = folder.path().join(format!("{seed}"));
    let bytes: Vec<u8> = (0..=250).cycle().map(|byte: u8| byte ^ seed).take(mebibytes * MEBIBYTE).collect();
    fs::write(&path, bytes).expect("a file");
    path
}

async fn put(destination: &dyn Destination, path: &str, file: &Path) -> Result<(), Error> {
    destination.put(path, file, None).await
}

async fn bytes_of(destination: &dyn Destination, path: &str) -> Vec<u8> {
    let pieces = destination.read(path, 0, None).await.expect("a file");
    pieces.try_collect::<Vec<_>>().await.expect("its bytes").concat()
}

async fn size_of(destination: &dyn Destination, path: &str) -> Option<u64> {
    let found = destination.look(&[path.to_owned()]).await.expect("a look");
    found[0].as_ref().map(|entry| entry.size)
}

async fn everything(destination: &dyn Destination) -> Vec<String> {
    let entries: Vec<_> = destination.list("", Depth::Tree).try_collect().await.expect("a listing");
    assert!(entries.iter().all(|entry| entry.kind == EntryKind::File), "{entries:?}");
    let mut names: Vec<String> = entries.into_iter().map(|entry| entry.path).collect();
    names.sort_unstable();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_keeps_what_it_has_and_takes_more_when_there_is_room() {
    for kind in ALL {
        let Some(small) = Small::mount(40) else { return };
        let Some(server) = Server::start_in(kind, Some(small.folder.path())) else { continue };
        let (opened, folder) = (server.open(), TempDir::new().expect("a folder"));
        let place = opened.destination();
        let (first, large) = (file(&folder, 12, 1), file(&folder, 36, 2));
        put(place, "a/first.mp4", &first).await.expect("there is room");
        for path in ["a/second.mp4", "a/first.mp4"] {
            let error = put(place, path, &large).await.expect_err("there is no room");
            // What rclone's store says of a full disk is the same as of any fault (500).
            let class = if kind == Kind::RcloneS3 { Class::Transient } else { Class::Destination };
            assert_eq!(error.class, class, "{kind:?}: {error}");
        }
        assert_eq!(everything(place).await, ["a/first.mp4"], "{kind:?}");
        assert!(bytes_of(place, "a/first.mp4").await == fs::read(&first).expect("a file"), "{kind:?}");
        place.remove("a/first.mp4").await.expect("a full server lets go of files");
        put(place, "a/second.mp4", &first).await.expect("there is room again");
        assert!(bytes_of(place, "a/second.mp4").await == fs::read(&first).expect("a file"), "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_server_says_so_and_can_be_read() {
    for kind in ALL {
        let Some(mut server) = Server::start(kind) else { continue };
        let (opened, folder) = (server.open(), TempDir::new().expect("a folder"));
        let (place, photo) = (opened.destination(), file(&folder, 1, 1));
        put(place, "a/b.jpg", &photo).await.expect("it takes files");
        server.kill();
        server.is_read_only = true;
        server.begin();
        for (what, result) in [
            ("put", put(place, "a/c.jpg", &photo).await),
            ("replace", put(place, "a/b.jpg", &photo).await),
            ("rename", place.rename("a/b.jpg", "a/d.jpg").await),
            ("remove", place.remove("a/b.jpg").await),
        ] {
            let error = result.expect_err(what);
            assert!(
                matches!(error.class, Class::Destination | Class::Transient),
                "{kind:?} {what}: {error:?}"
            );
            let is_plain = kind != Kind::RcloneS3;
            assert!(!is_plain || error.class == Class::Destination, "{kind:?} {what}: {error:?}");
        }
        assert_eq!(everything(place).await, ["a/b.jpg"], "{kind:?}");
        assert!(bytes_of(place, "a/b.jpg").await == fs::read(&photo).expect("a file"), "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_in_the_middle_of_a_write_has_nothing_half() {
    for kind in ALL {
        let Some(mut server) = Server::start(kind) else { continue };
        let (opened, folder) = (server.open(), TempDir::new().expect("a folder"));
        let place = opened.destination();
        let (old, new) = (file(&folder, 1, 1), file(&folder, 32, 2));
        put(place, "a/old.mp4", &old).await.expect("it runs");
        let mut interrupted = 0;
        for milliseconds in [3, 15, 40, 90] {
            for path in ["a/old.mp4", "a/new.mp4"] {
                let put = put(place, path, &new);
                tokio::pin!(put);
                let early = tokio::time::timeout(Duration::from_millis(milliseconds), &mut put).await;
                server.kill();
                if early.is_err()
                    && let Err(error) = put.await
                {
                    assert_eq!(error.class, Class::Transient, "{kind:?}: {error}");
                    interrupted += 1;
                }
                server.begin();
                let size = size_of(place, path).await;
                let sizes = [None, Some(MEBIBYTE as u64), Some(32 * MEBIBYTE as u64)];
                assert!(sizes.contains(&size), "{kind:?}: {path} has {size:?} bytes");
                let told = everything(place).await;
                assert!(
                    told.iter().all(|path| ["a/old.mp4", "a/new.mp4"].contains(&&**path)),
                    "{kind:?}: {told:?}"
                );
            }
        }
        assert!(interrupted > 0, "{kind:?}: every write was over before the server was killed");
        for path in ["a/old.mp4", "a/new.mp4"] {
            put(place, path, &new).await.expect("it runs again");
            assert!(bytes_of(place, path).await == fs::read(&new).expect("a file"), "{kind:?}: {path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_never_gives_way_to_a_file() {
    for kind in [Kind::RcloneWebDav, Kind::Apache] {
        let Some(server) = Server::start(kind) else { continue };
        let (opened, folder) = (server.open(), TempDir::new().expect("a folder"));
        let (place, photo) = (opened.destination(), file(&folder, 1, 1));
        for path in ["album/a.jpg", "b.jpg"] {
            put(place, path, &photo).await.expect("it runs");
        }
        for (what, result) in
            [("put", put(place, "album", &photo).await), ("rename", place.rename("b.jpg", "album").await)]
        {
            let error = result.expect_err(what);
            assert_eq!(error.class, Class::Item, "{kind:?} {what}: {error}");
        }
        assert_eq!(everything(place).await, ["album/a.jpg", "b.jpg"], "{kind:?}");
        let error = place.rename("album", "other").await.expect_err("a folder is no file");
        assert_eq!(error.class, Class::Item, "{kind:?}: {error}");
        let error = put(place, "b.jpg/c.jpg", &photo).await.expect_err("a file is no folder");
        assert!(matches!(error.class, Class::Item | Class::Destination), "{kind:?}: {error}");
        assert!(bytes_of(place, "b.jpg").await == fs::read(&photo).expect("a file"), "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_gone_can_be_used_when_it_is_back() {
    for kind in ALL {
        let Some(mut server) = Server::start(kind) else { continue };
        let (opened, folder) = (server.open(), TempDir::new().expect("a folder"));
        let (place, photo) = (opened.destination(), file(&folder, 1, 1));
        put(place, "a/b.jpg", &photo).await.expect("it runs");
        server.kill();
        let paths = ["a/b.jpg", "a/c.jpg", "a/d.jpg", "a/e.jpg"].map(str::to_owned);
        for (what, error) in [
            ("put", put(place, "a/c.jpg", &photo).await.err()),
            ("look at one", place.look(&paths[..1]).await.err()),
            ("look at many", place.look(&paths).await.err()),
            ("list", place.list("", Depth::Tree).try_collect::<Vec<_>>().await.err()),
            ("read", place.read("a/b.jpg", 0, None).await.err()),
            ("rename", place.rename("a/b.jpg", "a/c.jpg").await.err()),
            ("remove", place.remove("a/b.jpg").await.err()),
        ] {
            let error = error.unwrap_or_else(|| panic!("{kind:?}: {what} works although nobody is there"));
            assert_eq!(error.class, Class::Transient, "{kind:?} {what}: {error}");
        }
        server.begin();
        put(place, "a/c.jpg", &photo).await.expect("it is back");
        assert_eq!(everything(place).await, ["a/b.jpg", "a/c.jpg"], "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_any_more_is_never_told_as_empty() {
    for kind in ALL {
        let Some(mut server) = Server::start(kind) else { continue };
        let folder = server.files().join("charon");
        fs::create_dir(&folder).expect("a folder");
        let extra = match kind {
            Kind::RcloneS3 => serde_json::json!({}),
            Kind::RcloneWebDav | Kind::Apache => serde_json::json!({"root": "charon"}),
        };
        server.kill();
        // As if the disk were not mounted.
        let lost = if kind == Kind::RcloneS3 { server.files() } else { folder };
        fs::remove_dir_all(lost).expect("it was there");
        server.begin();
        let opened = server.open_with(&extra);
        let place = opened.destination();
        let paths = ["a/b.jpg", "a/c.jpg", "a/d.jpg", "a/e.jpg"].map(str::to_owned);
        for (what, error) in [
            ("look at one", place.look(&paths[..1]).await.err()),
            ("look at many", place.look(&paths).await.err()),
            ("look at itself", place.look(&[String::new()]).await.err()),
            ("list all", place.list("", Depth::Tree).try_collect::<Vec<_>>().await.err()),
            ("list a folder", place.list("a", Depth::Folder).try_collect::<Vec<_>>().await.err()),
            ("put", put(place, "a/c.jpg", Path::new(env!("CARGO_MANIFEST_PATH"))).await.err()),
        ] {
            let error = error.unwrap_or_else(|| panic!("{kind:?}: {what} works although the place is gone"));
            assert_eq!(error.class, Class::Destination, "{kind:?} {what}: {error}");
            assert!(error.cure.is_some(), "{kind:?} {what}: {error}");
        }
    }
}

/// The process that is killed by the test below. What it does it is told in variables.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "another test starts it, and kills it"]
async fn a_process_that_puts_a_file() {
    let Ok(kind) = env::var("CHARON_TEST_KIND") else { return };
    let kind = ALL.into_iter().find(|known| format!("{known:?}") == kind).expect("a kind");
    let config: Map<String, Value> =
        serde_json::from_str(&env::var("CHARON_TEST_CONFIG").expect("one")).expect("JSON");
    let file = PathBuf::from(env::var("CHARON_TEST_FILE").expect("one"));
    let opened = open(&*kind.provider(), config);
    println!("begins");
    for path in ["a/old.mp4", "a/new.mp4"] {
        put(opened.destination(), path, &file).await.expect("it is killed before");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_in_the_middle_of_a_write_leaves_nothing_half() {
    use std::io::{BufRead, BufReader};
    for kind in ALL {
        let Some(server) = Server::start(kind) else { continue };
        let (opened, folder) = (server.open(), TempDir::new().expect("a folder"));
        let place = opened.destination();
        let (old, new) = (file(&folder, 1, 1), file(&folder, 32, 2));
        let mut interrupted = 0;
        for milliseconds in [5, 30, 70, 140] {
            put(place, "a/old.mp4", &old).await.expect("it runs");
            let mut process = Command::new(env::current_exe().expect("this program"))
                .args(["--exact", "faults::a_process_that_puts_a_file", "--ignored", "--nocapture"])
                .env("CHARON_TEST_KIND", format!("{kind:?}"))
                .env("CHARON_TEST_CONFIG", Value::Object(server.config()).to_string())
                .env("CHARON_TEST_FILE", &new)
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .expect("a process");
            let mut lines = BufReader::new(process.stdout.take().expect("its output")).lines();
            assert!(lines.any(|line| line.expect("text").contains("begins")), "it did not begin");
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            // It may be over already.
            drop(process.kill());
            interrupted += usize::from(!process.wait().expect("an end").success());
            // A server that has heard it all goes on to the end of it.
            for path in ["a/old.mp4", "a/new.mp4"] {
                let size = size_of(place, path).await;
                let sizes = [None, Some(MEBIBYTE as u64), Some(32 * MEBIBYTE as u64)];
                assert!(sizes.contains(&size), "{kind:?}: {path} has {size:?} bytes");
            }
            let told = everything(place).await;
            assert!(
                told.iter().all(|path| ["a/old.mp4", "a/new.mp4"].contains(&&**path)),
                "{kind:?}: {told:?}"
            );
        }
        assert!(interrupted > 0, "{kind:?}: every write was over before the process was killed");
        put(place, "a/new.mp4", &new).await.expect("another process can do it");
        assert!(bytes_of(place, "a/new.mp4").await == fs::read(&new).expect("a file"), "{kind:?}");
    }
}
