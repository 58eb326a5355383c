//! What a browser is told that asks for something that there is not, or in a way that is not understood: always a page.

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
    // The API speaks to programs.
    let answer = browser.get("/api/v1/plans/no-id-at-all").await;
    assert_eq!((answer.status, answer.header("content-type")), (404, Some("application/problem+json")));
}
