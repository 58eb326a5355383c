//! Who is told, over the API: channels are added, tried before and after they are saved, changed by those who have seen the newest
//! version, and removed. Their secrets go in and never come out.

#![cfg(unix)]

use serde_json::{Value, json};

use crate::{inbox::hands::Hands, notify::http_server::HttpServer, support::Place};

const PATH: &str = "/api/v1/notifications";

fn pointers(problem: &Value) -> Vec<&str> {
    let errors = problem["errors"].as_array().expect("what is wrong").iter();
    errors.map(|wrong| wrong["pointer"].as_str().expect("a pointer")).collect()
}

#[tokio::test]
async fn a_channel_is_tried_saved_changed_and_removed_over_the_api() {
    // I6
    let (place, server) = (Place::new().await, HttpServer::start().await);
    place.add_storage().await;
    let hands = Hands::of(&place).await;
    let config = json!({"url": server.url("/s3cret-hook"), "secret": "hunter2"});
    let tried = hands
        .admin("POST", &format!("{PATH}:test"), &json!({"kind": "webhook", "config": config}), &[])
        .await;
    assert_eq!((tried.status, &tried.body["delivered"]), (200, &json!(true)), "{tried:?}");
    assert_eq!(server.one().target, "/s3cret-hook");
    let new = json!({"name": "chat", "kind": "webhook", "config": config, "in_a_row": 5});
    let added = hands.admin("POST", PATH, &new, &[]).await;
    assert_eq!(added.status, 201, "{added:?}");
    let (at, first) = (added.location.expect("where it is"), added.etag.expect("its version"));
    let again = hands.admin("POST", PATH, &new, &[]).await;
    assert_eq!((again.status, pointers(&again.body)), (422, vec!["/name"]), "{again:?}");

    let shown = hands.admin("GET", &at, &Value::Null, &[]).await;
    assert_eq!((shown.status, &shown.body["in_a_row"], shown.etag.as_ref()), (200, &json!(5), Some(&first)));
    let all = hands.admin("GET", PATH, &Value::Null, &[]).await;
    for answer in [&shown, &all] {
        assert!(!answer.text.contains("hunter2") && !answer.text.contains("s3cret"), "{answer:?}");
    }
    // As it is, and as it would be.
    assert_eq!(hands.admin("POST", &format!("{at}:test"), &Value::Null, &[]).await.status, 200);
    assert_eq!(server.one().target, "/s3cret-hook");
    let changed = json!({"config": {"preset": "slack"}});
    assert_eq!(hands.admin("POST", &format!("{at}:test"), &changed, &[]).await.status, 200);
    assert!(server.one().json()["text"].as_str().is_some_and(|text| text.contains("a test")));

    // Only the newest version is changed.
    let seen = |tag: &str| vec![format!("If-Match: {tag}")];
    assert_eq!(hands.admin("PUT", &at, &changed, &[]).await.status, 428);
    assert_eq!(hands.admin("PUT", &at, &changed, &seen("\"another\"")).await.status, 412);
    let saved = hands.admin("PUT", &at, &changed, &seen(&first)).await;
    assert_eq!((saved.status, &saved.body["config"]["preset"]), (200, &json!("slack")), "{saved:?}");
    assert_eq!(hands.admin("PUT", &at, &changed, &seen(&first)).await.status, 412, "somebody was faster");
    let second = saved.etag.expect("its version");
    let wrong = json!({"config": {"preset": "smoke signals"}, "events": ["started"]});
    let refused = hands.admin("PUT", &at, &wrong, &seen(&second)).await;
    assert_eq!(
        (refused.status, pointers(&refused.body)),
        (422, vec!["/events", "/config/preset"]),
        "{refused:?}"
    );
    // What went before is what was kept.
    assert_eq!(hands.admin("POST", &format!("{at}:test"), &Value::Null, &[]).await.status, 200);
    assert_eq!(server.one().target, "/s3cret-hook");

    let unknown = hands.admin("POST", PATH, &json!({"name": "x", "kind": "pigeon", "config": {}}), &[]).await;
    assert_eq!((unknown.status, pointers(&unknown.body)), (422, vec!["/kind"]), "{unknown:?}");
    let schemas = hands.admin("GET", &format!("{PATH}/schemas"), &Value::Null, &[]).await;
    assert!(schemas.body["ntfy"]["properties"].is_object(), "{schemas:?}");
    let deliveries = hands.admin("GET", &format!("{PATH}/deliveries?limit=1"), &Value::Null, &[]).await;
    assert_eq!((deliveries.status, &deliveries.body["items"]), (200, &json!([])), "{deliveries:?}");
    assert_eq!(hands.admin("DELETE", &at, &Value::Null, &seen(&first)).await.status, 412);
    assert_eq!(hands.admin("DELETE", &at, &Value::Null, &[]).await.status, 204);
    assert_eq!(hands.admin("GET", &at, &Value::Null, &[]).await.status, 404);
    hands.end().await;
}

#[tokio::test]
async fn a_channel_that_goes_elsewhere_is_not_tried_with_the_stored_secrets() {
    // I6
    let (place, server, thief) = (Place::new().await, HttpServer::start().await, HttpServer::start().await);
    place.add_storage().await;
    let hands = Hands::of(&place).await;
    let config = json!({"server": server.url(""), "topic": "photos", "token": "hunter2"});
    let added =
        hands.admin("POST", PATH, &json!({"name": "phone", "kind": "ntfy", "config": config}), &[]).await;
    assert_eq!(added.status, 201, "{added:?}");
    let (at, tag) = (added.location.expect("where it is"), added.etag.expect("its version"));
    let elsewhere = json!({"config": {"server": thief.url(""), "topic": "photos"}});
    let tried = hands.admin("POST", &format!("{at}:test"), &elsewhere, &[]).await;
    let saved = hands.admin("PUT", &at, &elsewhere, &[format!("If-Match: {tag}")]).await;
    for refused in [&tried, &saved] {
        assert_eq!((refused.status, pointers(&refused.body)), (422, vec!["/config/token"]), "{refused:?}");
        assert!(refused.text.contains("entered again"), "{refused:?}");
    }
    assert!(thief.received().is_empty(), "nothing went there");
    hands.end().await;
}
