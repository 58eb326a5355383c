//! Storages that are places for mirrors and nothing else: what the commands, the API and the pages make of them, and backups to
//! real servers. What such a storage promises by itself is tried in `provider-remote/tests`.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::{command_line::assert_failed, support::Place};

const SECRET: &str = "hunter2-of-the-server";

/// Both kinds, with a server that nobody runs.
fn configs() -> [(&'static str, Value); 2] {
    let nobody = "http://127.0.0.1:9";
    let store =
        json!({"endpoint": nobody, "bucket": "photos", "access_key_id": "AKID", "secret_access_key": SECRET});
    [("webdav", json!({"endpoint": nobody, "user": "pat", "password": SECRET})), ("s3", store)]
}

impl Place {
    async fn with_places(&self) {
        for (provider, config) in configs() {
            let add = ["storage", "add", provider, "--provider", provider, "--config", "-"];
            let ended = self.charon_with(&add, &config).await;
            assert_eq!(ended.code, Some(0), "{ended:?}");
        }
    }
}

#[tokio::test]
async fn a_place_for_mirrors_is_added_shown_tested_and_removed() {
    let place = Place::new().await;
    place.with_places().await;
    for (provider, _) in configs() {
        let shown = place.done(&["storage", "show", provider]).await.stdout;
        assert!(shown.contains("http://127.0.0.1:9") && !shown.contains(SECRET), "{shown}");
        let listed = place.done(&["storage", "list"]).await.stdout;
        assert!(listed.contains(provider), "{listed}");
        let tested = place.charon(&["storage", "test", provider]).await;
        let said = format!("{}{}", tested.stdout, tested.stderr);
        assert_eq!(tested.code, Some(1), "{tested:?}");
        assert!(said.contains("reach the server") && said.contains("check that the server runs"), "{said}");
        assert!(!said.contains(SECRET), "{said}");
        let albums = place.charon(&["storage", "albums", provider]).await;
        assert_failed(&albums, 1, &["has no albums"]);
        let described = place.done(&["schema", provider]).await.json();
        assert!(described["properties"]["endpoint"]["description"].is_string(), "{described}");
        place.done(&["storage", "remove", provider]).await;
    }
}

#[tokio::test]
async fn a_place_for_mirrors_is_no_storage_of_a_plan() {
    let place = Place::new().await;
    place.with_places().await;
    for (provider, _) in configs() {
        let backup = json!({"kind": "backup", "storage": provider, "destination": place.path("mirror")});
        let upload = json!({"kind": "upload", "storage": provider, "sources": [place.path("pictures")]});
        for plan in [backup, upload] {
            let refused = place.charon_with(&["plan", "add", "plan", "--config", "-"], &plan).await;
            assert_failed(&refused, 2, &["storage: ", "place for mirrors"]);
        }
    }
}

#[tokio::test]
async fn a_wrong_configuration_is_refused_with_the_paths_to_its_mistakes() {
    let place = Place::new().await;
    let plain = json!({"endpoint": "http://nas.example.org", "user": "pat", "password": SECRET});
    let add = ["storage", "add", "nas", "--provider", "webdav", "--config", "-"];
    let refused = place.charon_with(&add, &plain).await;
    assert_failed(&refused, 2, &["endpoint: ", "allow_http"]);
    assert!(!refused.stderr.contains(SECRET), "{refused:?}");
    let add = ["storage", "add", "store", "--provider", "s3", "--config", "-"];
    assert_failed(
        &place.charon_with(&add, &json!({"bucket": "a/b"})).await,
        2,
        &["endpoint: ", "bucket: ", "access_key_id: "],
    );
}

#[tokio::test]
async fn a_new_address_wants_the_password_again() {
    // I6
    let place = Place::new().await;
    place.with_places().await;
    let update = ["storage", "update", "webdav", "--config", "-"];
    let same = json!({"endpoint": "http://127.0.0.1:9", "user": "pat", "root": "Photos"});
    let kept = place.charon_with(&update, &same).await;
    assert_eq!(kept.code, Some(0), "{kept:?}");
    let other = json!({"endpoint": "http://127.0.0.1:10", "user": "pat"});
    let refused = place.charon_with(&update, &other).await;
    assert_failed(&refused, 2, &["password"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_a_place_for_mirrors_offer_what_it_can() {
    let place = Place::new().await;
    place.add_storage().await;
    place.with_places().await;
    let served = place.web().await;
    let mut browser = served.first_browser().await;

    let kinds = browser.get("/storages/new").await;
    for provider in ["gphotos", "s3", "webdav"] {
        let link = kinds.link(&format!("provider={provider}"));
        let form = browser.follow(&link).await;
        assert_eq!(form.status, 200, "{form:?}");
        assert!(form.body.contains("Test connection"), "{}", form.body);
    }

    let storages = browser.api("GET", "/storages", None, &[]).await.json();
    let all = storages["items"].as_array().expect("a list").clone();
    assert_eq!(all.len(), 3, "{storages}");
    for storage in all.iter().filter(|storage| storage["provider"] != "gphotos") {
        let at = format!("/storages/{}", storage["id"].as_str().expect("an id"));
        let shown = browser.api("GET", &at, None, &[]).await.json();
        assert_eq!(shown["capabilities"]["destination"], true, "{shown}");
        assert_eq!(shown["capabilities"]["list"], false, "{shown}");
        let page = browser.get(&at).await;
        assert_eq!(page.status, 200, "{page:?}");
        assert!(
            page.body.contains("keep mirrors") && page.body.contains("keeps its mirror there"),
            "{}",
            page.body
        );
        for absent in ["/browse", "/send", "consent", "Browse what it holds"] {
            assert!(!page.body.contains(absent), "{absent}: {}", page.body);
        }
        for part in ["/browse", "/browse/albums"] {
            let refused = browser.get(&format!("{at}{part}")).await;
            assert!((400..500).contains(&refused.status), "{part}: {refused:?}");
        }
        let albums = browser.api("GET", &format!("{at}/albums"), None, &[]).await;
        assert!((400..500).contains(&albums.status), "{albums:?}");
    }
    for kind in ["backup", "upload"] {
        let form = browser.get(&format!("/plans/new?kind={kind}")).await;
        assert_eq!(form.status, 200, "{form:?}");
        assert!(form.body.contains("it is a place for mirrors"), "{}", form.body);
    }
    for path in ["/", "/storages", "/budget", "/library"] {
        let page = browser.follow(path).await;
        assert_eq!(page.status, 200, "{path}: {page:?}");
    }
    assert!(!served.heard().contains(SECRET));
}

/// The program that plays the servers: where `.ci/run` puts it, or in the path.
fn rclone() -> Option<PathBuf> {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/rclone/bin/rclone");
    let paths = env::var_os("PATH").unwrap_or_default();
    let found = std::iter::once(ours)
        .chain(env::split_paths(&paths).map(|path| path.join("rclone")))
        .find(|path| path.is_file());
    if found.is_none() {
        let words = "rclone is not installed: no backup to a server was tried (see .ci/run)";
        assert!(env::var("CI").map_or(true, |value| value != "true"), "{words}");
        eprintln!("{words}");
    }
    found
}

/// A server of files, at work. It is killed when this is dropped.
struct Serving {
    _child: Child,
    address: String,
}

/// Serves a folder, at this address or at any.
async fn serve(rclone: &Path, kind: &str, folder: &Path, address: Option<&str>) -> Serving {
    let key = format!("AKID,{SECRET}");
    let auth = match kind {
        "s3" => ["--auth-key", &key, "--log-level", "INFO"],
        _ => ["--user", "pat", "--pass", SECRET],
    };
    let mut child = Command::new(rclone)
        .args(["serve", kind, "--addr", address.unwrap_or("127.0.0.1:0"), "--dir-cache-time", "1s"])
        .args(auth)
        .arg(folder)
        .env("RCLONE_CONFIG", "/dev/null")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stderr.take().expect("its standard error")).lines();
    loop {
        let line = lines.next_line().await.expect("text").expect("it does not end");
        if let Some((_, rest)) = line.split_once("http://") {
            let address = rest.split(['/', ']']).next().expect("an address").to_owned();
            // Somebody has to read what else it says.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Serving { _child: child, address };
        }
    }
}

/// The photos in a folder and below.
fn photos(folder: &Path) -> usize {
    let entries =
        fs::read_dir(folder).map(|entries| entries.flatten().collect::<Vec<_>>()).unwrap_or_default();
    let is_photo = |path: &Path| path.extension().is_some_and(|extension| extension == "jpg");
    let count = |path: &Path| if path.is_dir() { photos(path) } else { usize::from(is_photo(path)) };
    entries.iter().map(|entry| count(&entry.path())).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_goes_to_a_server_and_goes_on_when_that_is_back() {
    let Some(rclone) = rclone() else { return };
    for kind in ["webdav", "s3"] {
        let place = Place::new().await;
        place.seed(5);
        place.add_storage().await;
        let files = place.path("served");
        fs::create_dir_all(files.join("photos")).expect("a folder");
        let serving = serve(&rclone, kind, &files, None).await;
        let endpoint = format!("http://{}", serving.address);
        let config = match kind {
            "s3" => {
                json!({"endpoint": endpoint, "bucket": "photos", "access_key_id": "AKID", "secret_access_key": SECRET})
            }
            _ => json!({"endpoint": endpoint, "root": "photos", "user": "pat", "password": SECRET}),
        };
        let added =
            place.charon_with(&["storage", "add", "nas", "--provider", kind, "--config", "-"], &config).await;
        assert_eq!(added.code, Some(0), "{added:?}");
        place.done(&["storage", "test", "nas"]).await;
        place
            .add_plan(
                "home",
                &json!({"kind": "backup", "storage": "family", "destination": "nas:The/Family"}),
            )
            .await;
        let mirror = files.join("photos/The/Family");
        assert!(mirror.join(".charon/mirror.json").is_file(), "{kind}: it carries its marker");

        place.done(&["run", "home"]).await;
        assert_eq!(photos(&mirror), 5, "{kind}");
        place.seed(3);
        let address = serving.address.clone();
        drop(serving);
        let failed = place.charon(&["run", "home"]).await;
        assert_eq!(failed.code, Some(1), "{kind}: {failed:?}");
        assert!(!format!("{failed:?}").contains(SECRET), "{failed:?}");
        let _serving = serve(&rclone, kind, &files, Some(&address)).await;
        place.done(&["run", "home"]).await;
        assert_eq!(photos(&mirror), 8, "{kind}");
        let unfinished = fs::read_dir(files.join("photos/.charon/incoming"));
        assert_eq!(unfinished.map_or(0, Iterator::count), 0, "{kind}: nothing is left unfinished");
    }
}
