//! What is set for the whole of it: what was done is told, and what was refused is told where it was entered.

use super::client::PASSWORD;
use crate::support::Place;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_done_on_the_page_of_settings_is_told() {
    let place = Place::new().await;
    let served = place.web().await;
    let mut browser = served.first_browser().await;
    let page = browser.get("/settings").await;
    let form = page.body.split("action=\"/settings\"").nth(1).expect("the form");
    let seen = form.split("name=\"seen\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    let seen = seen.expect("what was seen").to_owned();
    for action in ["/settings/password#password", "/settings/tokens#tokens"] {
        assert!(page.body.contains(&format!("action=\"{action}\"")), "the page comes back to it: {page:?}");
    }
    let saved = browser.post("/settings", &[("seen", &seen), ("/time_zone", "Europe/Berlin")]).await;
    assert!(browser.get(saved.location()).await.body.contains("The settings are saved."), "{saved:?}");

    let change = |old, new| [("old", old), ("new", new), ("again", new)];
    let refused = browser.post("/settings/password", &change("wrong password", "another horse")).await;
    assert!(refused.status == 422 && refused.body.contains("<title>Not saved – Settings"), "{refused:?}");
    let changed = browser.post("/settings/password", &change(PASSWORD, "another horse")).await;
    assert_eq!((changed.status, changed.location()), (303, "/settings?told=password#content"), "{changed:?}");
    assert!(browser.get(changed.location()).await.body.contains("The password is changed"));

    let made = browser.post("/settings/tokens", &[("name", "HA"), ("scope", "run"), ("days", "")]).await;
    assert!(made.status == 201 && made.body.contains("it cannot be shown again"), "{made:?}");
    let revoke = made.body.split("action=\"").filter_map(|rest| rest.split('"').next());
    let revoke =
        revoke.filter(|path| path.starts_with("/settings/tokens/")).last().expect("a token").to_owned();
    let revoked = browser.post(&revoke, &[]).await;
    assert!(browser.get(revoked.location()).await.body.contains("The token is revoked."), "{revoked:?}");
    let out = browser.post("/settings/sessions", &[]).await;
    assert!(browser.get(out.location()).await.body.contains("All other browsers are signed out."), "{out:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_to_copy_are_those_under_which_a_proxy_shows_it() {
    let place = Place::new().await;
    place.add_storage().await;
    for (options, begins) in [
        (&[][..], "http://127.0.0.1:"),
        (&["--public-url", "https://photos.example"], "https://photos.example"),
    ] {
        let served = place.web_with(options).await;
        let mut browser =
            if options.is_empty() { served.first_browser().await } else { served.browser().await };
        let storage = browser.api("GET", "/storages", None, &[]).await.json()["items"][0]["id"].clone();
        let send = format!("/storages/{}/send", storage.as_str().expect("an id"));
        for path in ["/api", send.as_str()] {
            let page = browser.get(path).await;
            assert!(
                page.body.contains(begins) && page.body.contains("/api/v1/storages/"),
                "{path}: {page:?}"
            );
            let is_local = page.body.contains("http://127.0.0.1");
            assert_eq!(is_local, options.is_empty(), "{path}: {page:?}");
        }
    }
}
