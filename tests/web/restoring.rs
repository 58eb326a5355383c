//! Restoring over HTTP: what would be done, and doing it, on a page without a script and over the API.

use serde_json::json;

use crate::support::Place;

#[tokio::test]
async fn what_is_home_is_previewed_and_restored_on_the_page_and_over_the_api() {
    let place = Place::new().await;
    place.seed(6);
    place.add_backup().await;
    assert_eq!(place.run("home").await.0, 0);
    let plan = place.charon(&["plan", "show", "home", "--json"]).await.json();
    let plan = format!("/plans/{}", plan["id"].as_str().expect("an id"));
    let root = place.path("room");
    std::fs::create_dir_all(&root).expect("a folder");
    let served = place.web_with(&["--root", root.to_str().expect("a path")]).await;
    let mut browser = served.first_browser().await;
    // That of the backup is one of them.
    let succeeded = |count: usize| {
        move |runs: &[serde_json::Value]| {
            runs.iter().filter(|run| run["state"] == "succeeded").count() == 1 + count
        }
    };

    let to = |folder: &str| json!({"folder": place.path(folder)});
    let preview = browser.api("POST", &format!("{plan}:previewRestore"), Some(&to("room/back")), &[]).await;
    assert_eq!((preview.status, &preview.json()["files"]), (200, &json!(6)), "{preview:?}");
    assert!(!place.path("room/back").exists());
    let begun = browser.api("POST", &format!("{plan}:restore"), Some(&to("room/back")), &[]).await;
    assert_eq!(begun.status, 202, "{begun:?}");
    assert!(begun.location().starts_with("/api/v1/runs/"), "{begun:?}");
    place.until_runs("the restore ends", succeeded(1)).await;
    assert!(place.path("room/back/photos").exists());
    for (body, status, words) in [
        (json!({"folder": "/etc/charon"}), 422, "is not below"),
        (to("mirror/photos"), 422, "is not below"),
        // What is misspelt would otherwise restore everything.
        (json!({"folder": place.path("room/back"), "album": "Sea"}), 422, "/album"),
        (json!({"folder": place.path("room/back"), "albums": []}), 422, "/albums"),
        (json!({"folder": place.path("room/back"), "taken_from": "01.07.2024"}), 422, "/taken_from"),
        (json!({}), 422, "/folder"),
        (
            json!({"folder": place.path("room/back"), "taken_until": "1999-01-01"}),
            409,
            "nothing in the mirror",
        ),
    ] {
        let refused = browser.api("POST", &format!("{plan}:restore"), Some(&body), &[]).await;
        assert!(refused.status == status && refused.body.contains(words), "{refused:?}");
    }

    let page = browser.get(&plan).await;
    assert_eq!(page.link("/restore"), format!("{plan}/restore"));
    let form = browser.get(&format!("{plan}/restore")).await;
    assert!(form.status == 200 && form.body.contains("A folder of this machine"), "{form:?}");
    let folder = place.path("room/again").to_string_lossy().into_owned();
    let fields =
        |what: &'static str| [("folder".to_owned(), folder.clone()), ("do".to_owned(), what.to_owned())];
    let sent = fields("preview");
    let sent: Vec<(&str, &str)> = sent.iter().map(|(name, value)| (&**name, &**value)).collect();
    let previewed = browser.post(&format!("{plan}/restore"), &sent).await;
    assert!(previewed.status == 200 && previewed.body.contains("6 files ("), "{previewed:?}");
    assert!(previewed.body.contains(&folder), "the form is as it was sent");
    let sent = fields("restore");
    let sent: Vec<(&str, &str)> = sent.iter().map(|(name, value)| (&**name, &**value)).collect();
    let begun = browser.post(&format!("{plan}/restore"), &sent).await;
    assert!(begun.status == 303 && begun.location().starts_with("/runs/"), "{begun:?}");
    place.until_runs("the restore ends", succeeded(2)).await;
    assert!(place.path("room/again/photos").exists());
    let wrong = browser.post(&format!("{plan}/restore"), &[("folder", ""), ("do", "restore")]).await;
    assert!(wrong.status == 422 && wrong.body.contains("say where to"), "{wrong:?}");
}
