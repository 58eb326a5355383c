//! The connection test.

use charon_provider::{Check, Verdict};
use futures::StreamExt as _;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::account::{Account, FRESH, assert_tells_no_secret, json_response};

const APPEND: &str = "https://www.googleapis.com/auth/photoslibrary.appendonly";

async fn tested(account: &Account) -> Vec<Check> {
    let stages: Vec<Check> = account.storage.test().collect().await;
    assert_tells_no_secret(&format!("{stages:?}"));
    stages
}

fn verdicts(stages: &[Check]) -> Vec<(&str, Verdict)> {
    stages.iter().map(|check| (check.stage, check.verdict)).collect()
}

async fn account(items: Value, scope: Value) -> Account {
    let account = Account::new(FRESH).await;
    let granted = json!({"access_token": "access-new", "expires_in": 3599, "scope": scope});
    account.answer("POST", "/token", json_response(200, granted)).await;
    account.answer("GET", "/v1/mediaItems", json_response(200, items)).await;
    account.answer("GET", "/v1/albums", json_response(200, json!({}))).await;
    account
}

#[tokio::test]
async fn an_account_that_is_as_it_should_be_passes_every_stage() {
    let account = account(json!({"mediaItems": [{"id": "a"}]}), json!(format!("openid {APPEND}"))).await;
    let stages = tested(&account).await;
    assert_eq!(
        verdicts(&stages),
        [
            ("refresh the token", Verdict::Passed),
            ("list one item", Verdict::Passed),
            ("list albums", Verdict::Passed),
            ("check the right to upload", Verdict::Passed),
        ]
    );
    assert_eq!(account.host.permits(), ["oauth", "api", "api"]);
    let methods: Vec<_> =
        account.server.received_requests().await.unwrap().iter().map(|r| r.method.to_string()).collect();
    assert_eq!(methods, ["POST", "GET", "GET"], "only the token request writes");
}

#[tokio::test]
async fn an_account_that_shows_nothing_is_warned_of_with_the_reason() {
    let account = account(json!({}), json!(null)).await;
    let stages = tested(&account).await;
    assert_eq!(stages[1].verdict, Verdict::Warned);
    assert!(stages[1].found.contains("31 March 2025") && stages[1].cure.is_some(), "{:?}", stages[1]);
    assert_eq!(stages.len(), 4);
}

#[tokio::test]
async fn a_token_without_the_right_to_upload_fails_unless_nothing_is_to_be_uploaded() {
    let right = "https://www.googleapis.com/auth/photoslibrary.readonly.appcreateddata";
    let stages = tested(&account(json!({"mediaItems": [{"id": "a"}]}), json!(right)).await).await;
    assert_eq!(verdicts(&stages)[3], ("check the right to upload", Verdict::Failed));
    assert!(stages[3].cure.as_deref().unwrap().contains("appendonly"));

    let account = Account::with(FRESH, json!({"read_only": true})).await;
    account.grant().await;
    account.answer("GET", "/v1/mediaItems", json_response(200, json!({}))).await;
    account.answer("GET", "/v1/albums", json_response(200, json!({}))).await;
    assert_eq!(tested(&account).await.len(), 3);
}

#[tokio::test]
async fn the_test_ends_after_the_first_stage_that_fails() {
    let account = Account::new(FRESH).await;
    account.answer("POST", "/token", json_response(400, json!({"error": "invalid_grant"}))).await;
    let stages = tested(&account).await;
    assert_eq!(verdicts(&stages), [("refresh the token", Verdict::Failed)]);
    assert!(stages[0].cure.as_deref().unwrap().contains("Testing"));

    let account = Account::new(FRESH).await;
    account.grant().await;
    account.answer("GET", "/v1/mediaItems", ResponseTemplate::new(403)).await;
    assert_eq!(tested(&account).await.len(), 2);
}

#[tokio::test]
async fn a_token_that_cannot_be_renewed_is_warned_of() {
    let account = Account::new(r#"{"access_token":"access-old","expiry":"2026-11-21T09:00:00Z"}"#).await;
    account.answer("GET", "/v1/mediaItems", json_response(200, json!({"mediaItems": [{"id": "a"}]}))).await;
    account.answer("GET", "/v1/albums", json_response(200, json!({}))).await;
    let stages = tested(&account).await;
    assert_eq!(stages[0].verdict, Verdict::Warned);
    assert_eq!(stages.len(), 4);
}
