//! Renewing the token.

use std::time::Duration;

use charon_provider::{Class, Selection};
use futures::future::join_all;
use serde_json::json;
use wiremock::{Mock, ResponseTemplate, matchers};

use crate::account::{
    Account, EXPIRED, FRESH, assert_tells_no_secret, authorization, id_token, json_response, refusal,
};

async fn list(account: &Account) -> Result<charon_provider::Page, charon_provider::Error> {
    account.storage.source().expect("a source").list(&Selection::default(), None).await
}

async fn accept_only(account: &Account, token: &str) {
    Mock::given(matchers::path("/v1/mediaItems"))
        .and(matchers::header("authorization", format!("Bearer {token}").as_str()))
        .respond_with(json_response(200, json!({})))
        .with_priority(1)
        .mount(&account.server)
        .await;
    account.answer("GET", "/v1/mediaItems", refusal(401, "UNAUTHENTICATED", "Invalid credentials.")).await;
}

#[tokio::test]
async fn requests_at_the_same_time_renew_an_expired_token_once() {
    let account = Account::new(EXPIRED).await;
    account.grant().await;
    accept_only(&account, "access-new").await;
    for result in join_all((0..8).map(|_| list(&account))).await {
        result.expect("a page");
    }
    let asked = account.requests("/token").await;
    assert_eq!(asked.len(), 1);
    let form = String::from_utf8(asked[0].body.clone()).unwrap();
    for part in [
        "grant_type=refresh_token",
        "client_id=1234-abc",
        "client_secret=client-secret-1",
        "refresh_token=refresh-old",
    ] {
        assert!(form.split('&').any(|pair| pair == part), "{part} is not in {form}");
    }
    assert_eq!(authorization(&asked[0]), None);
    let (stored, saves) = account.host.stored_token();
    assert_eq!(saves, 1);
    assert_eq!(
        stored,
        json!({"access_token": "access-new", "token_type": "Bearer", "refresh_token": "refresh-old",
               "expiry": "2026-11-21T08:59:59Z"})
    );
    let permits = account.host.permits();
    assert_eq!(permits.iter().filter(|cost| **cost == "oauth").count(), 1);
    assert_eq!(permits.iter().filter(|cost| **cost == "api").count(), 8);
}

#[tokio::test]
async fn a_token_that_the_api_refuses_is_renewed_and_the_request_made_once_more() {
    let account = Account::new(FRESH).await;
    account.grant().await;
    accept_only(&account, "access-new").await;
    for result in join_all((0..4).map(|_| list(&account))).await {
        result.expect("a page");
    }
    assert_eq!(account.requests("/token").await.len(), 1);
    assert_eq!(account.host.permits().len(), account.server.received_requests().await.unwrap().len());
}

#[tokio::test]
async fn a_request_that_is_refused_with_new_tokens_too_is_the_accounts_trouble() {
    let account = Account::new(FRESH).await;
    account.grant().await;
    accept_only(&account, "no-token-at-all").await;
    let error = list(&account).await.unwrap_err();
    assert_eq!(error.class, Class::Auth);
    assert_eq!(account.requests("/v1/mediaItems").await.len(), 3);
    assert_eq!(account.requests("/token").await.len(), 2);
}

#[tokio::test]
async fn a_consent_that_has_ended_is_told_with_its_cure_and_not_asked_for_again() {
    let account = Account::new(EXPIRED).await;
    let body = json!({"error": "invalid_grant", "error_description": "Token has been expired or revoked. refresh-old"});
    account.answer("POST", "/token", json_response(400, body)).await;
    for result in join_all((0..5).map(|_| list(&account))).await {
        let error = result.unwrap_err();
        assert_eq!(error.class, Class::Auth);
        assert!(error.cause.contains("Token has been expired or revoked"), "{error}");
        assert!(error.cause.contains("withdrawn") && error.cause.contains("7 days"), "{error}");
        let cure = error.cure.as_deref().unwrap();
        assert!(cure.contains("`charon authorize`") && cure.contains("published"), "{error}");
        assert_tells_no_secret(&error.to_string());
    }
    assert_eq!(account.requests("/token").await.len(), 1);
    assert!(account.requests("/v1/mediaItems").await.is_empty());
}

#[tokio::test]
async fn each_refusal_of_the_token_endpoint_has_its_class() {
    for (response, class) in [
        (json_response(401, json!({"error": "invalid_client"})), Class::Auth),
        (json_response(400, json!({"error": "unauthorized_client"})), Class::Auth),
        (json_response(400, json!({"error": "something_new"})), Class::Auth),
        (ResponseTemplate::new(503), Class::Transient),
        (ResponseTemplate::new(429), Class::Throttled),
        (
            ResponseTemplate::new(302).insert_header("location", "https://portal.example.org"),
            Class::Transient,
        ),
        (ResponseTemplate::new(404).set_body_raw("<html>", "text/html"), Class::Config),
        (ResponseTemplate::new(200).set_body_string("hello"), Class::Transient),
        (json_response(200, json!({"expires_in": 5})), Class::Transient),
        (json_response(200, json!({"access_token": "a\nb"})), Class::Transient),
    ] {
        let account = Account::new(EXPIRED).await;
        account.answer("POST", "/token", response).await;
        let error = list(&account).await.unwrap_err();
        assert_eq!(error.class, class, "{error}");
        assert!(error.cause.chars().count() > 5, "{error}");
    }
}

#[tokio::test]
async fn a_token_that_somebody_else_has_stored_meanwhile_is_used() {
    let account = Account::new(EXPIRED).await;
    account.grant().await;
    accept_only(&account, "access-theirs").await;
    account.host.store_elsewhere(&FRESH.replace("access-old", "access-theirs"));
    list(&account).await.expect("a page");
    assert_eq!(account.host.stored_token().1, 0, "the newer token was overwritten");
}

fn assert_is_of_another_consent(error: &charon_provider::Error) {
    assert_eq!(error.class, Class::Auth, "{error}");
    assert!(error.cause.contains("another consent"), "{error}");
    assert_eq!(error.cure.as_deref(), Some("run the plan again"));
}

#[tokio::test]
async fn another_consent_that_was_stored_meanwhile_is_gone_on_with_only_if_the_account_is_the_same() {
    // I11
    for (theirs, is_same) in [("110169", true), ("220000", false)] {
        let account = Account::new(EXPIRED).await;
        for (refresh, id) in [("refresh-old", "110169"), ("refresh-theirs", theirs)] {
            let id_token = id_token(&json!({"sub": id}));
            let granted = json!({"access_token": format!("access-for-{refresh}"), "expires_in": 3599, "id_token": id_token});
            Mock::given(matchers::body_string_contains(refresh))
                .respond_with(json_response(200, granted))
                .mount(&account.server)
                .await;
        }
        accept_only(&account, "access-for-refresh-theirs").await;
        account.host.store_elsewhere(&FRESH.replace("-old", "-theirs"));
        // Whose account the storage is was in the open.
        account.host.belongs_to_anybody();
        let listed = list(&account).await;
        assert_eq!(account.requests("/token").await.len(), 2, "whose it is, is asked before it is used");
        if is_same {
            listed.expect("a page");
            assert_eq!(account.host.stored_token().0["refresh_token"], "refresh-theirs");
        } else {
            assert_is_of_another_consent(&listed.unwrap_err());
            assert!(account.requests("/v1/mediaItems").await.is_empty());
            assert_eq!(account.host.stored_token().1, 0);
        }
    }
}

#[tokio::test]
async fn another_consent_that_was_stored_meanwhile_is_not_gone_on_with() {
    // I11
    for theirs in [FRESH, EXPIRED] {
        let account = Account::new(EXPIRED).await;
        account.grant().await;
        account.answer("GET", "/v1/mediaItems", json_response(200, json!({}))).await;
        account.host.store_elsewhere(&theirs.replace("-old", "-theirs"));
        for _ in 0..2 {
            assert_is_of_another_consent(&list(&account).await.unwrap_err());
        }
        assert!(account.requests("/v1/mediaItems").await.is_empty());
        let asked = account.requests("/token").await;
        assert_eq!(asked.len(), 1, "what came of it could not be kept");
        assert!(String::from_utf8_lossy(&asked[0].body).contains("refresh_token=refresh-old"));
        let (stored, saves) = account.host.stored_token();
        assert_eq!((stored["refresh_token"].as_str(), saves), (Some("refresh-theirs"), 0));
    }
}

#[tokio::test]
async fn a_new_refresh_token_takes_the_place_of_the_old_one() {
    let account = Account::new(EXPIRED).await;
    let granted = json!({"access_token": "access-new", "refresh_token": "refresh-new", "expires_in": "3599"});
    account.answer("POST", "/token", json_response(200, granted)).await;
    accept_only(&account, "access-new").await;
    list(&account).await.expect("a page");
    assert_eq!(account.host.stored_token().0["refresh_token"], "refresh-new");
}

#[tokio::test]
async fn a_disk_that_is_full_stops_only_a_refresh_token_that_would_be_lost() {
    let account = Account::new(EXPIRED).await;
    account.grant().await;
    account.host.fill_the_disk();
    accept_only(&account, "access-new").await;
    list(&account).await.expect("a page");

    let account = Account::new(EXPIRED).await;
    let granted = json!({"access_token": "access-new", "refresh_token": "refresh-new", "expires_in": 3599});
    account.answer("POST", "/token", json_response(200, granted)).await;
    account.host.fill_the_disk();
    assert_eq!(list(&account).await.unwrap_err().class, Class::Destination);
}

#[tokio::test]
async fn a_bare_refresh_token_is_enough() {
    let account = Account::new("1//0abcdefghijklmnopqrstuvwxyz").await;
    account.grant().await;
    accept_only(&account, "access-new").await;
    list(&account).await.expect("a page");
}

#[tokio::test]
async fn nothing_is_sent_once_the_budget_is_spent() {
    // I7
    let account = Account::new(EXPIRED).await;
    account.host.spend_the_budget();
    assert_eq!(list(&account).await.unwrap_err().class, Class::Quota);
    assert!(account.server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn no_error_and_no_debug_output_tells_a_secret() {
    // I6
    for status in [200, 400] {
        let account = Account::new(FRESH).await;
        let error =
            json!({"error": {"code": 400, "message": "bad header Bearer access-old, said the server"}});
        account.answer("GET", "/v1/mediaItems", json_response(status, error)).await;
        let error = list(&account).await.unwrap_err();
        assert!(error.cause.contains("said the server"), "{error}");
        assert_tells_no_secret(&format!("{error} {error:?} {:?}", account.storage));
    }
}

#[tokio::test]
async fn a_redirect_of_the_api_is_not_followed() {
    // I6
    let account = Account::new(FRESH).await;
    let elsewhere = format!("{}/elsewhere", account.server.uri());
    let redirect = ResponseTemplate::new(302).insert_header("location", elsewhere.as_str());
    account.answer("GET", "/v1/mediaItems", redirect).await;
    assert_eq!(list(&account).await.unwrap_err().class, Class::Transient);
    assert!(account.requests("/elsewhere").await.is_empty());
}

#[tokio::test]
async fn a_new_refresh_token_is_stored_though_whoever_asked_has_gone() {
    // I2
    let account = Account::new(EXPIRED).await;
    let granted = json!({"access_token": "access-new", "refresh_token": "refresh-new", "expires_in": 3599});
    let slow = json_response(200, granted).set_delay(Duration::from_millis(200));
    account.answer("POST", "/token", slow).await;
    accept_only(&account, "access-new").await;
    let mut asking = Box::pin(list(&account));
    while account.requests("/token").await.is_empty() {
        assert!(futures::poll!(&mut asking).is_pending());
        tokio::task::yield_now().await;
    }
    drop(asking);
    // Whoever comes next waits for the same answer.
    list(&account).await.expect("a page");
    assert_eq!(account.requests("/token").await.len(), 1);
    let (stored, saves) = account.host.stored_token();
    assert_eq!((stored["refresh_token"].as_str(), saves), (Some("refresh-new"), 1));
}

#[tokio::test]
async fn whoever_gives_up_before_the_request_sends_none() {
    // I7
    let account = Account::new(EXPIRED).await;
    account.grant().await;
    drop(Box::pin(list(&account)));
    assert!(account.host.permits().is_empty());
}

async fn account_of(claims: &serde_json::Value) -> Account {
    let account = Account::new(EXPIRED).await;
    let granted = json!({"access_token": "access-new", "refresh_token": "refresh-new", "expires_in": 3599,
                         "id_token": id_token(claims)});
    account.answer("POST", "/token", json_response(200, granted)).await;
    accept_only(&account, "access-new").await;
    account
}

#[tokio::test]
async fn it_is_told_whose_account_it_is() {
    let account = account_of(&json!({"sub": "110169", "email": "pat@example.com"})).await;
    list(&account).await.expect("a page");
    assert_eq!(account.host.account_id().as_deref(), Some("110169"));
    assert!(!format!("{:?}", account.storage).contains("110169"));
}

#[tokio::test]
async fn the_token_of_another_account_is_neither_stored_nor_used() {
    // I11
    let account = account_of(&json!({"sub": "110169"})).await;
    account.host.belongs_to("220000");
    for _ in 0..3 {
        let error = list(&account).await.unwrap_err();
        assert_eq!((error.class, error.cause.as_str()), (Class::Auth, "it is another account"));
    }
    assert_eq!(account.host.stored_token().0["refresh_token"], "refresh-old");
    assert_eq!(account.host.stored_token().1, 0);
    assert!(account.requests("/v1/mediaItems").await.is_empty());
    assert_eq!(account.requests("/token").await.len(), 1, "it would be refused again");
}

#[tokio::test]
async fn an_id_token_that_names_no_account_is_not_passed_over() {
    // I11
    let account = account_of(&json!({"email": "pat@example.com"})).await;
    assert_eq!(list(&account).await.unwrap_err().class, Class::Transient);
    assert_eq!(account.host.stored_token().1, 0);
    assert!(account.requests("/v1/mediaItems").await.is_empty());
}
