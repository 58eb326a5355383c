//! Webhook, ntfy and ping.

use std::time::Duration;

use charon_notify::{Event, Notice};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

use crate::{NOW, channel, http_server::HttpServer, notice, now};

/// HMAC-SHA256 as RFC 2104 has it, from the hash alone.
fn hmac(key: &[u8], message: &[u8]) -> String {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let padded = |pad: u8| block.map(|byte| byte ^ pad);
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    format!("{:x}", Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize())
}

#[tokio::test]
async fn a_webhook_gets_the_whole_notice_and_can_know_whose_it_is() {
    let server = HttpServer::start().await;
    let config = json!({
        "url": server.url("/hook?token=t0k3n"), "secret": "hunter2", "headers": {"Authorization": "Bearer abc"},
    });
    let sent = notice(Event::Failure);
    channel("webhook", &config).deliver(&sent, now()).await.expect("delivered");
    let received = server.one();
    assert_eq!((received.method.as_str(), received.target.as_str()), ("POST", "/hook?token=t0k3n"));
    assert_eq!(received.header("content-type"), "application/json");
    assert_eq!(received.header("authorization"), "Bearer abc");
    assert_eq!(received.header("x-charon-delivery"), "notice-1");
    assert!(received.header("user-agent").starts_with("charon/"));
    assert_eq!(serde_json::from_slice::<Notice>(&received.body).expect("a notice"), sent);
    let json = received.json();
    assert_eq!(
        (&json["event"], &json["counts"]["failed"], &json["bytes"]),
        (&json!("failure"), &json!(1), &json!(1234))
    );
    assert_eq!(json["ended_at"], "2026-01-01T00:00:00Z");

    assert_eq!(received.header("x-charon-timestamp"), NOW.to_string());
    let signed = [NOW.to_string().as_bytes(), b".", &received.body[..]].concat();
    assert_eq!(received.header("x-charon-signature"), format!("sha256={}", hmac(b"hunter2", &signed)));
}

#[tokio::test]
async fn a_webhook_without_a_secret_is_not_signed() {
    let server = HttpServer::start().await;
    channel("webhook", &json!({"url": server.url("/")}))
        .deliver(&notice(Event::Test), now())
        .await
        .expect("delivered");
    let received = server.one();
    assert!(!received.headers.contains_key("x-charon-signature"));
    assert!(!received.headers.contains_key("x-charon-timestamp"));
}

#[tokio::test]
async fn presets_and_templates_say_it_in_the_receivers_words() {
    let server = HttpServer::start().await;
    let url = server.url("/");
    let sent = notice(Event::Partial);
    for (config, expected) in [
        (
            json!({"url": url, "preset": "slack"}),
            json!({"text": "*The plan „home“ failed*\n\"IMG_1.jpg\": no space left\n.\nFree some.\n\nhttps://nas.example/runs/0199"}),
        ),
        (
            json!({"url": url, "preset": "discord"}),
            json!({
                "content": "**The plan „home“ failed**\n\"IMG\\_1.jpg\": no space left\n.\nFree some.\n\nhttps://nas.example/runs/0199",
                "allowed_mentions": {"parse": []},
            }),
        ),
        (
            json!({"url": url, "template": r#"{"t": "{event}|{title}|{text}", "n": {items_failed}, "since": {last_good_at}}"#}),
            json!({
                "t": "partial|The plan „home“ failed|\"IMG_1.jpg\": no space left\n.\nFree some.",
                "n": 1,
                "since": null,
            }),
        ),
    ] {
        channel("webhook", &config).deliver(&sent, now()).await.expect("delivered");
        assert_eq!(server.one().json(), expected);
    }
}

#[tokio::test]
async fn ntfy_is_told_with_a_priority_and_no_topic_in_the_url() {
    let server = HttpServer::start().await;
    let ntfy =
        channel("ntfy", &json!({"server": server.url(""), "topic": "s3cret-topic", "token": "tk_abc"}));
    ntfy.deliver(&notice(Event::Failure), now()).await.expect("delivered");
    let received = server.one();
    assert_eq!((received.method.as_str(), received.target.as_str()), ("POST", "/"));
    assert_eq!(received.header("authorization"), "Bearer tk_abc");
    let expected = json!({
        "topic": "s3cret-topic", "title": "The plan „home“ failed", "message": notice(Event::Failure).text,
        "priority": 4, "tags": ["x"], "click": "https://nas.example/runs/0199",
    });
    assert_eq!(received.json(), expected);
    ntfy.deliver(&notice(Event::Success), now()).await.expect("delivered");
    assert_eq!(server.one().json()["priority"], 2);
}

#[tokio::test]
async fn a_ping_is_sent_where_healthchecks_wants_it() {
    let server = HttpServer::start().await;
    let ping = channel("ping", &json!({"url": server.url("/ping/u-u-i-d?create=1")}));
    for (event, target) in [
        (Event::Started, Some("/ping/u-u-i-d/start?create=1")),
        (Event::Success, Some("/ping/u-u-i-d?create=1")),
        (Event::Partial, Some("/ping/u-u-i-d/fail?create=1")),
        (Event::Failure, Some("/ping/u-u-i-d/fail?create=1")),
        (Event::NeedsAttention, Some("/ping/u-u-i-d/fail?create=1")),
        (Event::Test, Some("/ping/u-u-i-d/log?create=1")),
        (Event::Overdue, None),
        (Event::Recovered, None),
        (Event::FailuresInARow, None),
    ] {
        ping.deliver(&notice(event), now()).await.expect("delivered");
        let received = server.received();
        let targets: Vec<&str> = received.iter().map(|one| one.target.as_str()).collect();
        assert_eq!(targets, target.into_iter().collect::<Vec<_>>(), "{event}");
        assert!(received.iter().all(|one| one.text().contains("no space left")), "{event}");
    }
    let lenient = channel("ping", &json!({"url": server.url("/p"), "partial_is_success": true}));
    lenient.deliver(&notice(Event::Partial), now()).await.expect("delivered");
    assert_eq!(server.one().target, "/p");
}

#[tokio::test]
async fn the_error_knows_whether_it_helps_to_try_again_and_when() {
    let server = HttpServer::start().await;
    let webhook = channel("webhook", &json!({"url": server.url("/s3cret/hook")}));
    let minutes = |minutes| Some(Duration::from_mins(minutes));
    for (status, headers, again, after) in [
        (500, &[][..], true, None),
        (503, &[("retry-after", "120")], true, minutes(2)),
        (429, &[("retry-after", "Thu, 01 Jan 2026 00:05:00 GMT")], true, minutes(5)),
        (400, &[], false, None),
        (401, &[], false, None),
        (404, &[], false, None),
        (307, &[("location", "http://127.0.0.1:1/elsewhere")], false, None),
    ] {
        server.answer(status, headers, "no_service: /s3cret/hook");
        let error = webhook.deliver(&notice(Event::Test), now()).await.expect_err("a refusal");
        assert_eq!((error.can_try_again(), error.retry_after()), (again, after), "{status}: {error}");
        let words = error.to_string();
        assert!(words.contains(&status.to_string()) && words.contains("no_service"), "{words}");
        // I6
        assert!(!words.contains("s3cret") && !words.contains("elsewhere"), "{words}");
    }
    assert_eq!(server.received().len(), 7, "no redirect is followed and nothing is repeated");

    server.answer(503, &[], "down");
    server.forget_answers();
    webhook.deliver(&notice(Event::Test), now()).await.expect("it is back");
}

#[tokio::test]
async fn a_server_that_is_not_there_may_come_back() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        listener.local_addr().expect("an address").port()
    };
    let host = format!("http://localhost:{port}");
    for (kind, config) in [
        ("webhook", json!({"url": format!("{host}/s3cret")})),
        ("ntfy", json!({"server": host, "topic": "s3cret"})),
        ("ping", json!({"url": format!("{host}/s3cret")})),
    ] {
        let error = channel(kind, &config).deliver(&notice(Event::Failure), now()).await.expect_err("nobody");
        assert!(error.can_try_again(), "{error}");
        assert!(!error.to_string().contains("s3cret"), "I6: {error}");
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_private_is_told_nothing_and_not_tried_again() {
    // It speaks http, not https.
    let server = HttpServer::start().await;
    let url = format!("https://localhost:{}/s3cret", server.address.port());
    let error = channel("webhook", &json!({"url": url})).deliver(&notice(Event::Failure), now()).await;
    let error = error.expect_err("no TLS");
    assert!(!error.can_try_again(), "{error}");
    assert!(!error.to_string().contains("s3cret"), "I6: {error}");
    assert_eq!(server.received().len(), 0);
}
