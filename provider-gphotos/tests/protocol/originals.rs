//! The full-resolution proxy.

use charon_provider::{Body, Fidelity, Part, RemoteItem};
use serde_json::json;
use wiremock::{MockServer, ResponseTemplate, matchers};

use crate::{
    account::{Account, FRESH},
    backup::{photo, video},
    downloads::all,
    lost::server_that_says,
};

const COPY: &[u8] = b"\xff\xd8\xff\xe1 google's copy";
const ORIGINAL: &[u8] = b"\xff\xd8\xff\xe1 the original";

/// An account whose originals come from this proxy, with a photo, a video, and Google's copy of either.
async fn account(proxy: &str) -> (Account, RemoteItem, RemoteItem) {
    let account = Account::with(FRESH, json!({"proxy": proxy})).await;
    for at in ["/lr/x=d", "/lr/x=dv"] {
        let bytes = if at.ends_with('v') { b"\0\0\0\x18ftypmp42" } else { COPY };
        account.answer("GET", at, ResponseTemplate::new(200).set_body_bytes(bytes)).await;
    }
    let base_url = format!("{}/lr/x", account.server.uri());
    let (photo, video) = (photo(&base_url), video(&base_url));
    (account, photo, video)
}

async fn proxy(answer: ResponseTemplate) -> MockServer {
    let proxy = MockServer::start().await;
    wiremock::Mock::given(matchers::any()).respond_with(answer).mount(&proxy).await;
    proxy
}

async fn fetch(account: &Account, item: &RemoteItem) -> Body {
    account.storage.source().expect("a source").open(item, Part::Whole, None).await.expect("a body")
}

#[tokio::test]
async fn originals_come_from_the_proxy_which_learns_nothing_but_the_id() {
    // I6
    let proxy =
        proxy(ResponseTemplate::new(200).set_body_raw(ORIGINAL, "image/jpeg").insert_header("etag", "\"v\""))
            .await;
    let (account, mut photo, _) = account(&format!("{}/base/", proxy.uri())).await;
    photo.id.0 = "an id/with?strange&parts".into();
    // The proxy needs no address.
    photo.address = None;
    let body = fetch(&account, &photo).await;
    assert_eq!((body.fidelity, body.may_be_bundle), (Fidelity::Original, true));
    assert_eq!((body.offset, body.length, &body.validator), (0, Some(ORIGINAL.len() as u64), &None));
    assert_eq!(all(body).await.unwrap(), ORIGINAL);
    let requests = proxy.received_requests().await.unwrap();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].url.path(), "/base/id/an%20id%2Fwith%3Fstrange&parts");
    let mut headers: Vec<_> = requests[0].headers.keys().map(ToString::to_string).collect();
    headers.sort();
    assert_eq!(headers, ["accept", "host", "user-agent"]);
    assert_eq!(account.host.permits(), ["proxy"], "the proxy costs nothing of Google's quota");
    assert!(account.server.received_requests().await.unwrap().is_empty());
    assert_eq!(account.storage.source().unwrap().measure(&photo).await.unwrap(), None);
}

#[tokio::test]
async fn an_original_video_is_no_bundle_and_an_archive_is_passed_on_as_it_is() {
    let zip = b"PK\x03\x04 still and clip";
    let proxy = proxy(ResponseTemplate::new(200).set_body_raw(&zip[..], "application/zip")).await;
    let (account, photo, video) = account(&proxy.uri()).await;
    let body = fetch(&account, &photo).await;
    assert!(body.may_be_bundle);
    assert_eq!(all(body).await.unwrap(), zip);
    assert!(!fetch(&account, &video).await.may_be_bundle);
}

#[tokio::test]
async fn what_the_proxy_does_not_give_comes_from_google_as_a_copy() {
    for answer in [
        ResponseTemplate::new(404),
        ResponseTemplate::new(500),
        ResponseTemplate::new(302).insert_header("location", "/elsewhere"),
        ResponseTemplate::new(200),
        ResponseTemplate::new(200).set_body_raw("<html>Sign in</html>", "image/jpeg"),
        ResponseTemplate::new(200).set_body_raw("{\"error\": 1}", ""),
        ResponseTemplate::new(200).set_body_raw("no such photo", "text/plain"),
    ] {
        let proxy = proxy(answer).await;
        let (account, photo, _) = account(&proxy.uri()).await;
        let body = fetch(&account, &photo).await;
        assert_eq!((body.fidelity, body.may_be_bundle), (Fidelity::ApiCopy, false));
        assert_eq!(all(body).await.unwrap(), COPY);
        assert_eq!(account.host.permits(), ["proxy", "media"]);
        assert_eq!(proxy.received_requests().await.unwrap().len(), 1, "a redirect was followed");
    }
    // A picture in place of a video, and an answer whose end nobody could tell.
    let picture = proxy(ResponseTemplate::new(200).set_body_raw(ORIGINAL, "image/jpeg")).await;
    let (account_of_picture, _, video) = account(&picture.uri()).await;
    assert_eq!(fetch(&account_of_picture, &video).await.fidelity, Fidelity::ApiCopy);
    let endless = server_that_says("HTTP/1.0 200 OK\r\n\r\nbytes").await;
    let (account, photo, _) = account(&endless).await;
    assert_eq!(fetch(&account, &photo).await.fidelity, Fidelity::ApiCopy);
}

#[tokio::test]
async fn a_proxy_that_keeps_failing_is_left_alone_for_a_while() {
    let proxy = proxy(ResponseTemplate::new(500)).await;
    let (account, photo, _) = account(&proxy.uri()).await;
    for _ in 0..5 {
        assert_eq!(fetch(&account, &photo).await.fidelity, Fidelity::ApiCopy);
    }
    assert_eq!(proxy.received_requests().await.unwrap().len(), 3);
    assert_eq!(account.host.permits().iter().filter(|cost| **cost == "proxy").count(), 3);
}

#[tokio::test]
async fn a_proxy_that_is_not_there_keeps_nothing_from_coming() {
    let (account, photo, _) = account("http://127.0.0.1:9").await;
    for _ in 0..4 {
        assert_eq!(all(fetch(&account, &photo).await).await.unwrap(), COPY);
    }
}

#[tokio::test]
async fn an_item_that_the_proxy_does_not_have_is_no_failure_of_the_proxy() {
    let proxy = proxy(ResponseTemplate::new(404)).await;
    let (account, photo, _) = account(&proxy.uri()).await;
    for _ in 0..5 {
        fetch(&account, &photo).await;
    }
    assert_eq!(proxy.received_requests().await.unwrap().len(), 5);
}

#[tokio::test]
async fn a_proxy_that_breaks_off_in_the_middle_of_an_item_is_not_asked_for_it_for_ever() {
    let proxy =
        server_that_says("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n\u{0}\u{1}\u{2} and no more").await;
    let (account, photo, video) = account(&proxy).await;
    for _ in 0..2 {
        let body = fetch(&account, &photo).await;
        assert_eq!(body.fidelity, Fidelity::Original);
        let error = all(body).await.unwrap_err();
        assert_eq!(error.class, charon_provider::Class::Transient);
    }
    assert_eq!(fetch(&account, &photo).await.fidelity, Fidelity::ApiCopy);
    // Each was a failure; with another one the proxy is left alone.
    let mut other = video.clone();
    other.id.0 = "other".into();
    all(fetch(&account, &other).await).await.unwrap_err();
    assert_eq!(
        fetch(&account, &RemoteItem { id: charon_provider::RemoteId("third".into()), ..video })
            .await
            .fidelity,
        Fidelity::ApiCopy
    );
}

#[tokio::test]
async fn the_proxy_is_asked_for_two_originals_at_a_time() {
    let proxy = proxy(ResponseTemplate::new(200).set_body_bytes(ORIGINAL)).await;
    let (account, photo, _) = account(&proxy.uri()).await;
    let (first, second) = (fetch(&account, &photo).await, fetch(&account, &photo).await);
    let mut third = Box::pin(fetch(&account, &photo));
    assert!(futures::poll!(&mut third).is_pending());
    all(first).await.unwrap();
    assert_eq!(all(third.await).await.unwrap(), ORIGINAL);
    drop(second);
    fetch(&account, &photo).await;
}

#[tokio::test]
async fn nothing_is_asked_of_the_proxy_that_the_host_does_not_permit() {
    let proxy = proxy(ResponseTemplate::new(200).set_body_bytes(ORIGINAL)).await;
    let (account, photo, _) = account(&proxy.uri()).await;
    account.host.spend_the_budget();
    account.storage.source().unwrap().open(&photo, Part::Whole, None).await.unwrap_err();
    assert!(proxy.received_requests().await.unwrap().is_empty());
}
