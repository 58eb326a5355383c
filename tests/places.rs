//! Storages that are places for mirrors and nothing else: what the commands, the API and the pages make of them. What they do with
//! real servers is tried in `provider-remote/tests`.

use serde_json::{Value, json};

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
