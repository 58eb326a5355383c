//! The full-resolution proxy.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use charon_provider::{Body, Fidelity, Part, RemoteItem};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
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
async fn an_original_that_is_declined_gives_way_to_googles_copy() {
    let proxy = proxy(ResponseTemplate::new(200).set_body_raw(ORIGINAL, "image/jpeg")).await;
    let (account, photo, _) = account(&proxy.uri()).await;
    let body = fetch(&account, &photo).await;
    assert_eq!((body.fidelity, all(body).await.unwrap()), (Fidelity::Original, ORIGINAL.to_vec()));
    account.storage.source().expect("a source").decline_original(&photo.id);
    let body = fetch(&account, &photo).await;
    assert_eq!((body.fidelity, all(body).await.unwrap()), (Fidelity::ApiCopy, COPY.to_vec()));
    let other = RemoteItem { id: charon_provider::RemoteId("other".into()), ..photo };
    assert_eq!(fetch(&account, &other).await.fidelity, Fidelity::Original);
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
async fn the_proxy_is_asked_for_one_original_at_a_time() {
    let proxy = proxy(ResponseTemplate::new(200).set_body_bytes(ORIGINAL)).await;
    let (account, photo, _) = account(&proxy.uri()).await;
    let first = fetch(&account, &photo).await;
    let mut second = Box::pin(fetch(&account, &photo));
    assert!(futures::poll!(&mut second).is_pending());
    assert_eq!(proxy.received_requests().await.unwrap().len(), 1);
    all(first).await.unwrap();
    assert_eq!(all(second.await).await.unwrap(), ORIGINAL);
    // One that is not read to its end is over all the same.
    drop(fetch(&account, &photo).await);
    fetch(&account, &photo).await;
}

/// A proxy that gives an original after so many minutes, which pass in no time, and how often it was asked.
async fn slow_proxy(minutes: u64) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let asked = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&asked);
    // It ends with the runtime of its test.
    drop(tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            let mut request = [0; 16 * 1024];
            assert!(stream.read(&mut request).await.expect("a request") > 0);
            tokio::time::pause();
            let given_up = tokio::select! {
                () = tokio::time::sleep(Duration::from_mins(minutes)) => false,
                _ = stream.read(&mut request) => true,
            };
            tokio::time::resume();
            if !given_up {
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n\0\0\0\x18ftypmp42 it";
                stream.write_all(answer).await.expect("somebody listens");
            }
        }
    }));
    (format!("http://{address}"), asked)
}

#[tokio::test]
async fn the_proxy_may_take_a_quarter_of_an_hour_for_a_video_and_two_minutes_for_a_photo() {
    for (minutes, of_photo, of_video) in [
        (1, Fidelity::Original, Fidelity::Original),
        (14, Fidelity::ApiCopy, Fidelity::Original),
        (16, Fidelity::ApiCopy, Fidelity::ApiCopy),
    ] {
        let (proxy, _) = slow_proxy(minutes).await;
        let (account, photo, video) = account(&proxy).await;
        assert_eq!(fetch(&account, &photo).await.fidelity, of_photo, "{minutes} minutes");
        assert_eq!(fetch(&account, &video).await.fidelity, of_video, "{minutes} minutes");
    }
}

#[tokio::test]
async fn a_video_that_takes_too_long_is_no_failure_of_the_proxy_and_is_not_waited_for_again_and_again() {
    let (proxy, asked) = slow_proxy(16).await;
    let (account, photo, video) = account(&proxy).await;
    for _ in 0..4 {
        assert_eq!(fetch(&account, &video).await.fidelity, Fidelity::ApiCopy);
    }
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    let mut other = video;
    other.id.0 = "other".into();
    for _ in 0..2 {
        fetch(&account, &other).await;
    }
    assert_eq!(asked.load(Ordering::Relaxed), 4, "the proxy is not left alone");
    // Three photos are another matter.
    for _ in 0..4 {
        fetch(&account, &photo).await;
    }
    assert_eq!(asked.load(Ordering::Relaxed), 7);
}

#[tokio::test]
async fn nothing_is_asked_of_the_proxy_that_the_host_does_not_permit() {
    let proxy = proxy(ResponseTemplate::new(200).set_body_bytes(ORIGINAL)).await;
    let (account, photo, _) = account(&proxy.uri()).await;
    account.host.spend_the_budget();
    account.storage.source().unwrap().open(&photo, Part::Whole, None).await.unwrap_err();
    assert!(proxy.received_requests().await.unwrap().is_empty());
}
