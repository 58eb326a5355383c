//! What a browser is told that asks for something that there is not, or in a way that is not understood: always a page.

use gphotos_emulator::{Action, Fault};

use crate::{support::Place, web::client::Answer};

fn is_a_page(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{}", answer.body);
    assert!(answer.body.contains("Back to the dashboard"), "{}", answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_cannot_be_shown_is_told_on_a_page() {
    let place = Place::new().await;
    let served = place.web().await;
    let mut browser = served.first_browser().await;
    let nobody = "01890000-0000-7000-8000-000000000000";
    for path in ["/plans", "/runs", "/storages", "/storages/nobody/browse", "/notifications", "/library"] {
        is_a_page(&browser.get(&format!("{path}/no-id-at-all")).await, 404);
    }
    for path in ["/plans", "/runs", "/storages"] {
        is_a_page(&browser.get(&format!("{path}/{nobody}")).await, 404);
    }
    is_a_page(&browser.get("/library?plan=no-id").await, 404);
    is_a_page(&browser.get("/settings/audit?limit=many").await, 400);
    // A form that lacks its fields, and an address that takes no form.
    is_a_page(&browser.post("/settings/tokens", &[("no", "field")]).await, 422);
    is_a_page(&browser.post("/budget", &[]).await, 405);
    let unknown = browser.get(&format!("/plans/{nobody}")).await.body;
    assert!(unknown.contains(&format!("there is no plan with the id {nobody}")), "{unknown}");
    let nowhere = browser.get("/nowhere").await;
    is_a_page(&nowhere, 404);
    assert!(!nowhere.body.contains("there is no such page"), "once is enough: {}", nowhere.body);
    // The API speaks to programs.
    let answer = browser.get("/api/v1/plans/no-id-at-all").await;
    assert_eq!((answer.status, answer.header("content-type")), (404, Some("application/problem+json")));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_is_logged_in_finds_the_way_on_from_what_could_not_be_done() {
    let place = Place::new().await;
    place.add_backup().await;
    place.fault(Fault::always(Action::ApiDisabled));
    let served = place.web().await;
    let mut browser = served.first_browser().await;
    let id = |list: &Answer| list.json()["items"][0]["id"].as_str().expect("an id").to_owned();
    let storage = id(&browser.api("GET", "/storages", None, &[]).await);
    let plan = id(&browser.api("GET", "/plans", None, &[]).await);
    let has_ways_on = |page: &Answer, to: &str| {
        let here = "href=\"/storages\" aria-current=\"page\"";
        assert!(page.body.contains("aria-label=\"Main\"") && page.body.contains(here), "{}", page.body);
        assert!(page.body.contains(&format!("<a class=\"button\" href=\"{to}\">")), "{}", page.body);
    };
    for path in ["browse", "browse/albums"] {
        let page = browser.get(&format!("/storages/{storage}/{path}")).await;
        is_a_page(&page, 409);
        has_ways_on(&page, &format!("/storages/{storage}"));
    }
    let page = browser.get(&format!("/storages/{plan}")).await;
    is_a_page(&page, 404);
    has_ways_on(&page, "/storages");
    let page = served.stranger().get("/nowhere").await;
    is_a_page(&page, 404);
    assert!(!page.body.contains("aria-label=\"Main\""), "{}", page.body);

    // What a button does is no page: whoever asks for it as one is shown what the button is on.
    for (path, about) in [
        (format!("/plans/{plan}/run"), format!("/plans/{plan}")),
        (format!("/storages/{storage}/test"), format!("/storages/{storage}")),
        ("/logout".into(), "/".into()),
    ] {
        let sent = browser.get(&path).await;
        assert_eq!((sent.status, sent.location()), (303, about.as_str()), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_no_storage_no_form_of_a_plan_is_shown() {
    let place = Place::new().await;
    let served = place.web().await;
    let mut browser = served.first_browser().await;
    for path in ["/plans/new", "/plans/new?kind=backup", "/plans/new?kind=upload"] {
        let page = browser.get(path).await;
        assert!(
            page.body.contains("There is none yet.") && page.body.contains("href=\"/storages/new\""),
            "{page:?}"
        );
        assert!(!page.body.contains("action=\"/plans/new\""), "{page:?}");
    }
    assert!(!browser.get("/").await.body.contains("class=\"button second\" href=\"/plans/new"));
}
