//! The connection test: each stage, passing and failing.

use charon_provider::{Check, Verdict};
use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use wiremock::{MockServer, ResponseTemplate};

use crate::account::{Account, FRESH, assert_tells_no_secret, authorization, json_response, open, refusal};

const PHOTOS: &str = "https://www.googleapis.com/auth/photoslibrary";

async fn tested(account: &Account) -> Vec<Check> {
    let stages: Vec<Check> = account.storage.test().collect().await;
    assert_tells_no_secret(&format!("{stages:?}"));
    for request in account.requests("/token").await {
        // I6
        assert_eq!(authorization(&request), None, "a bearer token went to the token endpoint");
    }
    stages
}

fn verdicts(stages: &[Check]) -> Vec<(&str, Verdict)> {
    stages.iter().map(|check| (check.stage, check.verdict)).collect()
}

/// The stage that failed, and that it was the last.
fn failed(stages: &[Check]) -> &Check {
    let (last, before) = stages.split_last().expect("a stage");
    assert_eq!(last.verdict, Verdict::Failed, "{stages:?}");
    assert!(last.cure.is_some(), "{last:?}");
    assert!(before.iter().all(|check| check.verdict != Verdict::Failed), "{stages:?}");
    last
}

fn scope(rights: &[&str]) -> Value {
    rights.iter().map(|right| format!("{PHOTOS}.{right}")).collect::<Vec<_>>().join(" ").into()
}

fn every_right() -> Value {
    scope(&["appendonly", "readonly.appcreateddata", "edit.appcreateddata"])
}

/// What Google answers to an upload of nothing by somebody who may upload.
fn empty_payload() -> ResponseTemplate {
    json_response(400, json!({"code": 3, "message": "Payload must not be empty"}))
}

/// An account with photos whose token has these rights.
async fn account(scope: Value, extra: Value) -> Account {
    let account = Account::with(FRESH, extra).await;
    let granted = json!({"access_token": "access-new", "expires_in": 3599, "scope": scope});
    account.answer("POST", "/token", json_response(200, granted)).await;
    account.answer("GET", "/v1/albums", json_response(200, json!({}))).await;
    account
}

async fn with_photos(account: &Account) {
    let items = json!({"mediaItems": [{"id": "a"}]});
    account.answer("GET", "/v1/mediaItems", json_response(200, items)).await;
}

#[tokio::test]
async fn an_account_that_is_as_it_should_be_passes_every_stage() {
    let proxy = MockServer::start().await;
    let account = account(every_right(), json!({"proxy": proxy.uri()})).await;
    with_photos(&account).await;
    account.answer("POST", "/v1/uploads", empty_payload()).await;
    let stages = tested(&account).await;
    assert_eq!(
        verdicts(&stages),
        [
            ("reach the token endpoint", Verdict::Passed),
            ("refresh the token", Verdict::Passed),
            ("scopes", Verdict::Passed),
            ("API enabled", Verdict::Passed),
            ("list one item", Verdict::Passed),
            ("right to upload", Verdict::Passed),
            ("full-resolution proxy", Verdict::Passed),
        ]
    );
    assert!(stages.iter().all(|check| check.cure.is_none() && check.link.is_none()), "{stages:?}");
    // I7
    assert_eq!(account.host.permits(), ["oauth", "oauth", "api", "api", "api", "proxy"]);
    let asked = account.server.received_requests().await.unwrap();
    let asked: Vec<_> = asked
        .iter()
        .map(|request| (request.method.as_str(), request.url.path(), request.body.len()))
        .collect();
    assert_eq!((asked[0], asked[1].0), (("GET", "/token", 0), "POST"));
    assert_eq!(
        asked[2..],
        [("GET", "/v1/albums", 0), ("GET", "/v1/mediaItems", 0), ("POST", "/v1/uploads", 0)],
        "nothing is left behind"
    );
}

#[tokio::test]
async fn a_token_endpoint_that_answers_anything_is_reached() {
    let account = Account::new(FRESH).await;
    account.answer("GET", "/token", ResponseTemplate::new(500)).await;
    let stages = tested(&account).await;
    assert_eq!(verdicts(&stages)[0], ("reach the token endpoint", Verdict::Passed));
    assert_eq!(stages[0].found, "it answers (HTTP 500), asked directly");
}

#[tokio::test]
async fn a_token_endpoint_that_is_not_there_is_told_with_the_way_that_was_tried() {
    let account = Account::with(FRESH, json!({"token_url": "http://127.0.0.1:9/token"})).await;
    let stages = tested(&account).await;
    let check = failed(&stages);
    assert_eq!(check.stage, "reach the token endpoint");
    assert!(check.found.contains("127.0.0.1") && check.found.ends_with("(asked directly)"), "{check:?}");
    assert_eq!(account.host.permits(), ["oauth"]);
}

#[tokio::test]
async fn a_token_that_is_refused_is_told_with_its_cure_and_a_page() {
    let account = Account::new(FRESH).await;
    account.answer("POST", "/token", json_response(400, json!({"error": "invalid_grant"}))).await;
    let stages = tested(&account).await;
    let check = failed(&stages);
    assert_eq!(check.stage, "refresh the token");
    assert!(check.found.contains("invalid_grant"), "the server's own words: {check:?}");
    assert!(check.cure.as_deref().unwrap().contains("Testing"));
    assert_eq!(check.link.as_deref(), Some("https://console.cloud.google.com/auth/audience"));

    let account = Account::new(FRESH).await;
    account.answer("POST", "/token", json_response(401, json!({"error": "invalid_client"}))).await;
    let stages = tested(&account).await;
    assert_eq!(failed(&stages).link.as_deref(), Some("https://console.cloud.google.com/apis/credentials"));
    assert_eq!(account.requests("/v1/albums").await.len(), 0);
}

#[tokio::test]
async fn the_token_of_another_account_fails_the_test() {
    // I11
    let account = Account::new(FRESH).await;
    let token = crate::account::id_token(&json!({"sub": "110169"}));
    let granted = json!({"access_token": "access-new", "expires_in": 3599, "id_token": token});
    account.answer("POST", "/token", json_response(200, granted)).await;
    account.host.belongs_to("220000");
    let stages: Vec<Check> = account.storage.test().collect().await;
    assert_eq!(verdicts(&stages)[1], ("refresh the token", Verdict::Failed));
    assert_eq!(stages[1].found, "it is another account");
}

#[tokio::test]
async fn rights_that_are_missing_are_named_before_the_api_is_asked() {
    for (rights, lacks, has) in [
        (vec!["readonly.appcreateddata"], "photoslibrary.appendonly (needed to upload", "set read_only"),
        (vec!["appendonly", "edit.appcreateddata"], "photoslibrary.readonly.appcreateddata", "every box"),
    ] {
        let account = account(scope(&rights), json!({})).await;
        let stages = tested(&account).await;
        let check = failed(&stages);
        assert_eq!(check.stage, "scopes");
        assert!(check.found.contains(lacks), "{check:?}");
        assert!(check.cure.as_deref().unwrap().contains(has), "{check:?}");
        assert_eq!(check.link.as_deref(), Some("https://myaccount.google.com/permissions"));
        assert!(account.requests("/v1/albums").await.is_empty());
    }
    // What an old consent gave is worth nothing since 31 March 2025.
    let account = account(json!(PHOTOS), json!({})).await;
    assert_eq!(failed(&tested(&account).await).stage, "scopes");
}

#[tokio::test]
async fn a_right_that_is_hardly_needed_is_warned_of() {
    let account = account(scope(&["appendonly", "readonly.appcreateddata"]), json!({})).await;
    with_photos(&account).await;
    account.answer("POST", "/v1/uploads", empty_payload()).await;
    let stages = tested(&account).await;
    assert_eq!(verdicts(&stages)[2], ("scopes", Verdict::Warned));
    assert!(stages[2].found.contains("edit.appcreateddata"), "{:?}", stages[2]);
    assert_eq!(stages.len(), 6);
}

#[tokio::test]
async fn a_read_only_storage_needs_the_right_to_read_alone() {
    let account = account(scope(&["readonly.appcreateddata"]), json!({"read_only": true})).await;
    with_photos(&account).await;
    let stages = tested(&account).await;
    assert_eq!(verdicts(&stages)[2], ("scopes", Verdict::Passed));
    assert_eq!(stages.last().unwrap().stage, "list one item");
    assert!(account.requests("/v1/uploads").await.is_empty());
}

#[tokio::test]
async fn an_api_that_is_not_enabled_comes_with_the_page_that_enables_it() {
    let account = Account::new(FRESH).await;
    account.grant().await;
    let page =
        "https://console.developers.google.com/apis/api/photoslibrary.googleapis.com/overview?project=5";
    let words = format!(
        "Photos Library API has not been used in project 5 before or it is disabled. Enable it by visiting {page} then retry."
    );
    account.answer("GET", "/v1/albums", refusal(403, "PERMISSION_DENIED", &words)).await;
    let stages = tested(&account).await;
    let check = failed(&stages);
    assert_eq!((check.stage, check.link.as_deref()), ("API enabled", Some(page)));
    assert!(check.found.contains("has not been used in project 5"), "{check:?}");
    assert_eq!(account.requests("/v1/albums").await.len(), 1);
}

#[tokio::test]
async fn an_account_that_shows_nothing_is_warned_of_with_the_reason() {
    let account = account(json!(null), json!({"read_only": true})).await;
    account.answer("GET", "/v1/mediaItems", json_response(200, json!({}))).await;
    let stages = tested(&account).await;
    let last = stages.last().unwrap();
    assert_eq!((last.stage, last.verdict), ("list one item", Verdict::Warned));
    assert!(last.found.contains("31 March 2025") && last.cure.is_some(), "{last:?}");
    assert_eq!(last.link.as_deref(), Some("https://developers.google.com/photos/support/updates"));
}

#[tokio::test]
async fn a_listing_that_is_refused_is_told_in_the_servers_words() {
    let account = account(every_right(), json!({})).await;
    account.answer("GET", "/v1/mediaItems", refusal(400, "INVALID_ARGUMENT", "No such luck.")).await;
    let stages = account.storage.test().collect::<Vec<Check>>().await;
    let last = stages.last().unwrap();
    assert_eq!((last.stage, last.verdict), ("list one item", Verdict::Failed));
    assert!(last.found.contains("No such luck."), "{last:?}");
}

#[tokio::test]
async fn the_right_to_upload_is_told_by_the_answer_to_an_upload_of_nothing() {
    let unauthenticated = || json!({"code": 16, "message": "Authentication session is not defined."});
    for (response, verdict, words) in [
        (empty_payload(), Verdict::Passed, "may upload"),
        (ResponseTemplate::new(200).set_body_string("upload-token-1"), Verdict::Passed, "may upload"),
        (json_response(400, json!({"code": 3, "message": "Odd."})), Verdict::Warned, "Odd."),
        (json_response(401, unauthenticated()), Verdict::Failed, "Authentication session is not defined."),
        (refusal(403, "PERMISSION_DENIED", "No."), Verdict::Failed, "No."),
        (refusal(400, "", "Bad: Bearer access-new"), Verdict::Warned, "Bad: Bearer […]"),
        (refusal(403, "", "Bad: Bearer access-new"), Verdict::Failed, "Bad: Bearer […]"),
        (ResponseTemplate::new(503), Verdict::Failed, "503"),
    ] {
        // Google did not say which rights the token has.
        let account = account(json!(null), json!({})).await;
        with_photos(&account).await;
        account.answer("POST", "/v1/uploads", response).await;
        let stages = tested(&account).await;
        let last = stages.last().unwrap();
        assert_eq!((last.stage, last.verdict), ("right to upload", verdict), "{last:?}");
        assert!(last.found.contains(words), "{last:?}");
        assert!(!format!("{last:?}").contains("upload-token-1"));
        let sent = account.requests("/v1/uploads").await;
        assert_eq!((sent.len(), sent[0].body.len()), (1, 0));
        assert_eq!(account.requests("/token").await.len(), 2, "a refusal renews no token");
        let elsewhere = account.requests("/v1/mediaItems:batchCreate").await;
        assert!(elsewhere.is_empty(), "nothing is left behind");
    }
}

#[tokio::test]
async fn a_proxy_is_asked_without_any_token() {
    // I6
    let proxy = MockServer::start().await;
    let account =
        account(every_right(), json!({"proxy": format!("{}/gphotosdl", proxy.uri()), "read_only": true}))
            .await;
    with_photos(&account).await;
    let stages = tested(&account).await;
    let last = stages.last().unwrap();
    assert_eq!((last.stage, last.verdict), ("full-resolution proxy", Verdict::Passed));
    assert_eq!(last.found, "it answers (HTTP 404)");
    let asked = proxy.received_requests().await.unwrap();
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].method.as_str(), asked[0].url.path()), ("GET", "/gphotosdl/"));
    assert_eq!(authorization(&asked[0]), None);
    assert_tells_no_secret(&format!("{:?}", asked[0]));
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_told_with_what_to_do() {
    let account = account(every_right(), json!({"proxy": "http://127.0.0.1:9", "read_only": true})).await;
    with_photos(&account).await;
    let stages = tested(&account).await;
    let check = failed(&stages);
    assert_eq!(check.stage, "full-resolution proxy");
    assert!(check.cure.as_deref().unwrap().contains("leave that field blank"), "{check:?}");
    assert_eq!(check.link.as_deref(), Some("https://github.com/rclone/gphotosdl"));
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_hangs_is_given_up_after_half_a_minute() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let uri = format!("http://{}", silent.local_addr().expect("an address"));
    let (storage, _host) = open(&uri, FRESH, json!({}));
    let stages: Vec<Check> = storage.test().collect().await;
    assert_eq!(verdicts(&stages), [("reach the token endpoint", Verdict::Failed)]);
    assert!(stages[0].found.contains("within 30 seconds"), "{:?}", stages[0]);
    // It cannot tell a silent server from its own pace, and says so.
    assert!(stages[0].found.contains("requests_per_minute"), "{:?}", stages[0]);
    assert_eq!(stages[0].took.as_secs(), 30);
    assert!(stages[0].cure.is_some());
}

#[tokio::test]
async fn a_test_is_given_up_by_dropping_it() {
    let account = account(every_right(), json!({})).await;
    let mut stages = account.storage.test();
    assert_eq!(stages.next().await.expect("a stage").stage, "reach the token endpoint");
    drop(stages);
    assert_eq!(account.host.permits(), ["oauth"], "nothing more was asked");
}

#[tokio::test]
async fn a_token_that_cannot_be_renewed_is_warned_of() {
    let token = r#"{"access_token":"access-old","expiry":"2026-11-21T09:00:00Z"}"#;
    let account = Account::with(token, json!({"read_only": true})).await;
    account.answer("GET", "/v1/albums", json_response(200, json!({}))).await;
    with_photos(&account).await;
    let stages = tested(&account).await;
    assert_eq!(verdicts(&stages)[1], ("refresh the token", Verdict::Warned));
    assert!(stages[2].found.contains("did not say"), "{:?}", stages[2]);
    assert_eq!(stages.len(), 5);
}
