//! Every field of the configuration does what its label says: what goes out differs by it, or what is declared to the engine
//! does where the engine acts on it.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use charon_provider::{Authorization, Cost, Facts, Meter, Part, Provider as _};
use charon_provider_gphotos::GPhotos;
use futures::StreamExt as _;
use serde_json::{Value, json};
use wiremock::{MockServer, ResponseTemplate};

use crate::{
    account::{Account, EXPIRED, FRESH, FakeHost, NotKept, authorization, config, json_response, open},
    backup::photo,
    upload::content,
};

/// What a storage of this configuration declares.
fn facts(extra: Value) -> Facts {
    open("http://127.0.0.1:9", FRESH, extra).0.facts().clone()
}

/// The consent that a storage of this configuration asks for.
fn asking(extra: &Value) -> Box<dyn Authorization> {
    let redirect = "http://127.0.0.1:1/".parse().expect("a URL");
    let config = config("http://127.0.0.1:9", extra);
    GPhotos::new().authorize(config, &redirect, Arc::new(FakeHost::default())).expect("a right configuration")
}

/// The account after one page was listed with what its configuration selects.
async fn listed(token: &str, extra: Value) -> Account {
    let account = Account::with(token, extra).await;
    account.grant().await;
    for (verb, path) in [("GET", "/v1/mediaItems"), ("POST", "/v1/mediaItems:search")] {
        account.answer(verb, path, json_response(200, json!({}))).await;
    }
    let selection = account.storage.facts().selection.clone();
    account.storage.source().expect("a source").list(&selection, None).await.expect("a page");
    account
}

async fn token_form(account: &Account) -> String {
    String::from_utf8(account.requests("/token").await[0].body.clone()).expect("a form")
}

#[tokio::test]
async fn client_id() {
    let form = token_form(&listed(EXPIRED, json!({"client_id": "55-mine"})).await).await;
    assert!(form.contains("client_id=55-mine"), "{form}");
    let facts = facts(json!({"client_id": "55-mine"}));
    assert_eq!(facts.identity, "55-mine");
    assert!(facts.meters.iter().all(|meter| meter.account == "55"), "the quota is the project's");
}

#[tokio::test]
async fn client_secret() {
    let form = token_form(&listed(EXPIRED, json!({"client_secret": "mine"})).await).await;
    assert!(form.contains("client_secret=mine"), "{form}");
    let form = token_form(&listed(EXPIRED, json!({"client_secret": null})).await).await;
    assert!(!form.contains("client_secret"), "{form}");
}

#[tokio::test]
async fn client_secret_with_googles_file() {
    let file = r#"{"installed":{"client_id":"66-file","client_secret":"filed"}}"#;
    let account = listed(EXPIRED, json!({"client_id": null, "client_secret": file})).await;
    let form = token_form(&account).await;
    assert!(form.contains("client_id=66-file") && form.contains("client_secret=filed"), "{form}");
    assert!(!form.contains("installed"), "{form}");
    assert_eq!(account.storage.facts().identity, "66-file");
    let asking = asking(&json!({"client_id": null, "client_secret": file}));
    assert!(asking.url().query().expect("a query").contains("client_id=66-file"));
}

#[tokio::test]
async fn token() {
    let account = listed(r#"{"access_token":"mine","refresh_token":"r"}"#, json!({})).await;
    assert_eq!(authorization(&account.requests("/v1/mediaItems").await[0]), Some("Bearer mine"));
    let form = token_form(&listed("1//0abcdefghijklmnopqrstuvwxyz", json!({})).await).await;
    assert!(form.contains("refresh_token=1%2F%2F0abcdefghijklmnopqrstuvwxyz"), "{form}");
}

#[tokio::test]
async fn read_only() {
    for (read_only, rights) in [(true, 1), (false, 3)] {
        let (storage, _) = open("http://127.0.0.1:9", FRESH, json!({"read_only": read_only}));
        assert_eq!(storage.facts().capabilities.upload, !read_only);
        assert_eq!(storage.sink().is_none(), read_only, "refused before any request");
        let asking = asking(&json!({"read_only": read_only}));
        assert_eq!(asking.url().as_str().matches("photoslibrary").count(), rights);
    }
}

#[tokio::test]
async fn description() {
    let account = listed(EXPIRED, json!({"description": "grandma's phone"})).await;
    let stages: Vec<_> = account.storage.test().collect().await;
    assert!(!stages.is_empty());
    for request in account.server.received_requests().await.expect("recorded requests") {
        let whole =
            format!("{} {:?} {}", request.url, request.headers, String::from_utf8_lossy(&request.body));
        assert!(!whole.contains("grandma"), "it is nobody's business: {whole}");
    }
}

#[tokio::test]
async fn start_year() {
    assert_eq!(facts(json!({})).selection.start_year, Some(2000));
    assert_eq!(facts(json!({"start_year": 1955})).selection.start_year, Some(1955));
    // Google's own filter would hide fresh uploads and future dates.
    let account = listed(FRESH, json!({"start_year": 2020})).await;
    let asked = account.requests("/v1/mediaItems").await;
    assert_eq!(asked.len(), 1);
    assert!(!asked[0].url.as_str().contains("2020"));
}

#[tokio::test]
async fn include_archived() {
    let account = listed(FRESH, json!({"include_archived": true})).await;
    let search = &account.requests("/v1/mediaItems:search").await[0];
    let body: Value = serde_json::from_slice(&search.body).expect("JSON");
    assert_eq!(body["filters"]["includeArchivedMedia"], true);
    let account = listed(FRESH, json!({"include_archived": false})).await;
    for search in account.requests("/v1/mediaItems:search").await {
        assert!(!String::from_utf8_lossy(&search.body).contains("includeArchivedMedia"));
    }
}

#[tokio::test]
async fn read_size() {
    for (read_size, requests) in [(false, 1), (true, 2)] {
        let facts = facts(json!({"read_size": read_size}));
        assert_eq!(facts.read_size, read_size);
        assert_eq!(facts.costs.fetch, vec![Cost("media"); requests], "the estimate counts it");
    }
    let with_proxy = facts(json!({"read_size": true, "proxy": "http://localhost:8282"}));
    assert_eq!(with_proxy.costs.fetch, [Cost("media")], "no size is asked for");
}

#[tokio::test]
async fn proxy() {
    let originals = MockServer::start().await;
    for (proxy, asked) in [(originals.uri(), ["/id/an-id", "/"].as_slice()), (String::new(), &[])] {
        originals.reset().await;
        let account = listed(FRESH, json!({"proxy": proxy, "read_only": true})).await;
        account.answer("GET", "/v1/albums", json_response(200, json!({}))).await;
        let mut item = photo(&format!("{}/lr/x", account.server.uri()));
        item.id.0 = "an-id".into();
        // Neither has the bytes, and who is asked is what counts here.
        account
            .storage
            .source()
            .expect("a source")
            .open(&item, Part::Whole, None)
            .await
            .expect_err("no bytes");
        let stages: Vec<_> = account.storage.test().collect().await;
        assert_eq!(stages.iter().any(|check| check.stage == "full-resolution proxy"), !asked.is_empty());
        let requests = originals.received_requests().await.expect("recorded requests");
        let paths: Vec<&str> = requests.iter().map(|request| request.url.path()).collect();
        assert_eq!(paths, asked);
        assert!(requests.iter().all(|request| authorization(request).is_none()), "I6");
    }
    assert_eq!(facts(json!({"proxy": originals.uri()})).costs.fetch, [Cost("media")], "an upper bound");
}

#[tokio::test]
async fn batch_mode() {
    let policy = |mode: &str| facts(json!({"batch_mode": mode})).batch;
    let seconds = Duration::from_secs;
    for (mode, size, staged, idle) in
        [("sync", 50, 100, seconds(1)), ("async", 50, 500, seconds(10)), ("off", 1, 16, seconds(0))]
    {
        let policy = policy(mode);
        assert_eq!((policy.size, policy.staged, policy.idle), (size, staged, idle), "{mode}");
    }
}

#[tokio::test]
async fn batch_size() {
    for (size, most) in [(0, 50), (1, 1), (7, 7), (50, 50)] {
        assert_eq!(facts(json!({"batch_size": size})).batch.size, most);
        assert_eq!(facts(json!({"batch_size": size})).batch.staged, 2 * most, "two batches in mode sync");
    }
    assert_eq!(facts(json!({"batch_size": 7, "batch_mode": "async"})).batch.staged, 500);
}

#[tokio::test]
async fn batch_timeout() {
    for (text, milliseconds) in [("500ms", 500), ("1m30s", 90_000), ("0s", 1000)] {
        let idle = facts(json!({"batch_timeout": text})).batch.idle;
        assert_eq!(idle, Duration::from_millis(milliseconds), "{text}");
    }
}

#[tokio::test]
async fn batch_commit_timeout() {
    for (text, seconds) in [("30s", 30), ("0s", 600), ("1h", 3600)] {
        for mode in ["sync", "async", "off"] {
            let batch = facts(json!({"batch_commit_timeout": text, "batch_mode": mode})).batch;
            assert_eq!(batch.commit_timeout, Duration::from_secs(seconds), "{text} in mode {mode}");
        }
    }
}

#[tokio::test]
async fn connections() {
    assert_eq!(facts(json!({})).pace.connections, 16);
    assert_eq!(facts(json!({"connections": 3})).pace.connections, 3);
}

#[tokio::test]
async fn requests_per_minute() {
    assert_eq!(facts(json!({})).pace.requests_per_minute, None);
    assert_eq!(facts(json!({"requests_per_minute": 90})).pace.requests_per_minute, NonZeroU32::new(90));
}

#[tokio::test]
async fn bandwidth_up_and_down() {
    let pace = facts(json!({"bandwidth_up": 100})).pace;
    assert_eq!((pace.up, pace.down), (NonZeroU32::new(102_400), None));
    let pace = facts(json!({"bandwidth_down": 1})).pace;
    assert_eq!((pace.up, pace.down), (None, NonZeroU32::new(1024)));
}

#[tokio::test]
async fn daily_requests_and_downloads() {
    let limits = |extra| -> Vec<(&str, u32)> {
        facts(extra).meters.iter().map(|Meter { id, limit, .. }| (*id, *limit)).collect()
    };
    assert_eq!(limits(json!({})), [("api", 10_000), ("media", 75_000)]);
    assert_eq!(limits(json!({"daily_requests": 7, "daily_downloads": 9})), [("api", 7), ("media", 9)]);
}

#[tokio::test]
async fn uploads_count() {
    for (uploads_count, cost) in [(true, "api"), (false, "send")] {
        let account = Account::with(FRESH, json!({"uploads_count": uploads_count})).await;
        account
            .answer("POST", "/v1/uploads", ResponseTemplate::new(200).set_body_string("upload-token-1"))
            .await;
        let sink = account.storage.sink().expect("a sink");
        sink.send(&content("a.jpg", &[b"ab"]), None, &NotKept).await.expect("a token");
        assert_eq!(account.host.permits(), [cost]);
        let facts = account.storage.facts();
        assert_eq!(facts.costs.send, [Cost(cost)], "what is declared is what is asked for");
        assert_eq!(facts.meters.iter().any(|meter| meter.id == cost), uploads_count);
    }
}

#[tokio::test]
async fn auth_url() {
    let asking = asking(&json!({"auth_url": "http://127.0.0.1:2/consent"}));
    assert!(asking.url().as_str().starts_with("http://127.0.0.1:2/consent?"));
}

#[tokio::test]
async fn token_url() {
    let elsewhere = Account::new(EXPIRED).await;
    elsewhere.grant().await;
    let account = listed(EXPIRED, json!({"token_url": format!("{}/token", elsewhere.server.uri())})).await;
    assert_eq!(elsewhere.requests("/token").await.len(), 1);
    assert!(account.requests("/token").await.is_empty());
}

#[tokio::test]
async fn api_url() {
    let elsewhere = MockServer::start().await;
    let (storage, _) = open(&elsewhere.uri(), FRESH, json!({"api_url": format!("{}/base", elsewhere.uri())}));
    let selection = storage.facts().selection.clone();
    storage.source().expect("a source").list(&selection, None).await.expect_err("nothing is there");
    let asked = elsewhere.received_requests().await.expect("recorded requests");
    assert_eq!(asked[0].url.path(), "/base/v1/mediaItems");
}
