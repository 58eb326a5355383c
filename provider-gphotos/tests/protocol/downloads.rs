//! Downloads that break and go on, and answers that are not what was asked for.

use charon_provider::{Body, Class, Error, Part, Reason, RemoteItem, ResumePoint};
use futures::TryStreamExt as _;
use serde_json::json;
use wiremock::ResponseTemplate;

use crate::{
    account::{Account, FRESH, authorization, open},
    backup::{photo, video},
    lost::server_that_says,
};

const JPEG: &[u8] =
    b"\xff\xd8\xff\xe1 a photo that is long enough to be looked at, with more than sixty-four bytes";
const MP4: &[u8] = b"\0\0\0\x18ftypmp42 a video";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n a placeholder";

pub(crate) async fn all(body: Body) -> Result<Vec<u8>, Error> {
    let collect = |mut all: Vec<u8>, piece: bytes::Bytes| async move {
        all.extend_from_slice(&piece);
        Ok(all)
    };
    body.bytes.try_fold(Vec::new(), collect).await
}

async fn open_from(
    account: &Account,
    item: &RemoteItem,
    offset: u64,
    validator: &str,
) -> Result<Body, Error> {
    let from = ResumePoint { offset, validator: validator.into() };
    account.storage.source().expect("a source").open(item, Part::Whole, Some(&from)).await
}

fn bytes(status: u16, content_type: &str, bytes: &[u8]) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_raw(bytes.to_vec(), content_type)
}

fn rest(range: &str, body: &[u8]) -> ResponseTemplate {
    bytes(206, "image/jpeg", body).insert_header("content-range", range)
}

#[tokio::test]
async fn a_body_says_how_long_it_is_and_what_its_rest_is_known_by() {
    for (tag, validator) in
        [(Some("\"v1\""), Some("\"v1\"")), (Some("W/\"v1\""), None), (Some("v1"), None), (None, None)]
    {
        let account = Account::new(FRESH).await;
        let mut answer =
            bytes(200, "image/jpeg", JPEG).insert_header("last-modified", "Sat, 21 Nov 2026 08:00:00 GMT");
        if let Some(tag) = tag {
            answer = answer.insert_header("etag", tag);
        }
        account.answer("GET", "/lr/x=d", answer).await;
        let item = photo(&format!("{}/lr/x", account.server.uri()));
        let body = account.storage.source().unwrap().open(&item, Part::Whole, None).await.unwrap();
        assert_eq!((body.offset, body.length), (0, Some(JPEG.len() as u64)));
        assert_eq!(body.validator.as_deref(), validator);
        assert!(!body.may_be_bundle);
        assert_eq!(all(body).await.unwrap(), JPEG);
        assert!(!account.requests("/lr/x=d").await[0].headers.contains_key("range"));
    }
}

#[tokio::test]
async fn a_broken_body_goes_on_where_it_broke_off() {
    let account = Account::new(FRESH).await;
    let answer = rest("bytes 4-9/10", b"456789").insert_header("etag", "\"v1\"");
    account.answer("GET", "/lr/x=d", answer).await;
    let item = photo(&format!("{}/lr/x", account.server.uri()));
    let body = open_from(&account, &item, 4, "\"v1\"").await.unwrap();
    assert_eq!((body.offset, body.length, body.validator.as_deref()), (4, Some(10), Some("\"v1\"")));
    assert_eq!(all(body).await.unwrap(), b"456789");
    let request = &account.requests("/lr/x=d").await[0];
    assert_eq!(
        (&request.headers["range"], &request.headers["if-range"]),
        (&"bytes=4-".parse().unwrap(), &"\"v1\"".parse().unwrap())
    );
    assert_eq!(authorization(request), None);
    assert_eq!(account.host.permits(), ["media"]);
}

#[tokio::test]
async fn a_body_that_is_another_one_by_now_comes_whole() {
    let account = Account::new(FRESH).await;
    account.answer("GET", "/lr/x=d", bytes(200, "image/jpeg", JPEG).insert_header("etag", "\"v2\"")).await;
    let item = photo(&format!("{}/lr/x", account.server.uri()));
    let body = open_from(&account, &item, 4, "\"v1\"").await.unwrap();
    assert_eq!((body.offset, body.validator.as_deref()), (0, Some("\"v2\"")));
    assert_eq!(all(body).await.unwrap(), JPEG);
    // Nothing is there yet: nothing is to be resumed.
    all(open_from(&account, &item, 0, "\"v1\"").await.unwrap()).await.unwrap();
    assert!(!account.requests("/lr/x=d").await[1].headers.contains_key("range"));
}

#[tokio::test]
async fn a_rest_that_is_not_the_one_that_was_asked_for_is_not_taken() {
    for nonsense in [
        rest("bytes 3-9/10", b"3456789").insert_header("etag", "\"v1\""),
        rest("bytes 4-8/10", b"45678").insert_header("etag", "\"v1\""),
        rest("bytes 4-9/*", b"456789").insert_header("etag", "\"v1\""),
        rest("bytes 4-9/10", b"4567").insert_header("etag", "\"v1\""),
        rest("elephants", b"456789").insert_header("etag", "\"v1\""),
        bytes(206, "image/jpeg", b"456789").insert_header("etag", "\"v1\""),
        rest("bytes 4-9/10", b"456789").insert_header("etag", "\"v2\""),
        rest("bytes 4-9/10", b"456789").insert_header("etag", "W/\"v1\""),
        // It does not say of what it is the rest.
        rest("bytes 4-9/10", b"456789"),
        ResponseTemplate::new(416),
    ] {
        let account = Account::new(FRESH).await;
        wiremock::Mock::given(wiremock::matchers::header_exists("range"))
            .respond_with(nonsense)
            .with_priority(1)
            .mount(&account.server)
            .await;
        account.answer("GET", "/lr/x=d", bytes(200, "image/jpeg", JPEG)).await;
        let item = photo(&format!("{}/lr/x", account.server.uri()));
        let body = open_from(&account, &item, 4, "\"v1\"").await.unwrap();
        assert_eq!(body.offset, 0);
        assert_eq!(all(body).await.unwrap(), JPEG);
        assert_eq!(account.host.permits(), ["media", "media"], "starting over is a request of its own");
    }
}

#[tokio::test]
async fn a_part_that_nobody_asked_for_is_no_whole() {
    let account = Account::new(FRESH).await;
    account.answer("GET", "/lr/x=d", rest("bytes 0-3/10", b"0123")).await;
    let item = photo(&format!("{}/lr/x", account.server.uri()));
    let error = account.storage.source().unwrap().open(&item, Part::Whole, None).await.unwrap_err();
    assert_eq!((error.class, error.reason), (Class::Transient, Reason::Other), "{error}");
}

#[tokio::test]
async fn a_rest_that_ends_too_early_ends_in_an_error() {
    let uri = server_that_says(
        "HTTP/1.1 206 OK\r\nETag: \"v\"\r\nContent-Range: bytes 4-9/10\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n456\r\n0\r\n\r\n",
    )
    .await;
    let (storage, _) = open(&uri, FRESH, json!({}));
    let from = ResumePoint { offset: 4, validator: "\"v\"".into() };
    let item = photo(&format!("{uri}/lr/x"));
    let body = storage.source().unwrap().open(&item, Part::Whole, Some(&from)).await.unwrap();
    let error = all(body).await.unwrap_err();
    assert_eq!(error.class, Class::Transient);
    assert!(error.cause.contains("3 bytes came"), "{error}");
}

#[tokio::test]
async fn an_answer_whose_end_cannot_be_told_from_a_broken_connection_is_not_taken() {
    // I1
    for answer in [
        "HTTP/1.0 200 OK\r\nContent-Type: image/jpeg\r\n\r\nthe beginning of a photo",
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nthe beginning of a photo",
    ] {
        let uri = server_that_says(answer).await;
        let (storage, _) = open(&uri, FRESH, json!({}));
        let item = photo(&format!("{uri}/lr/x"));
        let error = storage.source().unwrap().open(&item, Part::Whole, None).await.unwrap_err();
        assert_eq!((error.class, error.reason), (Class::Transient, Reason::Other), "{error}");
        assert!(error.cause.contains("complete"), "{error}");
    }
    for answer in [
        "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ] {
        let uri = server_that_says(answer).await;
        let (storage, _) = open(&uri, FRESH, json!({}));
        let item = photo(&format!("{uri}/lr/x"));
        let body = storage.source().unwrap().open(&item, Part::Whole, None).await.unwrap();
        assert_eq!(all(body).await.unwrap(), b"abc");
    }
}

#[tokio::test]
async fn what_is_no_photo_or_video_is_recognised() {
    let jpeg = |uri: &str| RemoteItem { mime_type: "image/jpeg".into(), ..photo(uri) };
    let png = |uri: &str| RemoteItem { mime_type: "image/png".into(), ..photo(uri) };
    let heic = |uri: &str| RemoteItem { mime_type: "image/heif".into(), ..photo(uri) };
    let raw = |uri: &str| RemoteItem { mime_type: "image/x-canon-cr2".into(), ..photo(uri) };
    let tiff = |uri: &str| RemoteItem { mime_type: "image/tiff".into(), ..photo(uri) };
    let unsaid = |uri: &str| RemoteItem { mime_type: String::new(), ..photo(uri) };
    let page = b"<!DOCTYPE html><title>Sign in</title>";
    for (make, answer, is_wrong) in [
        (&jpeg as &dyn Fn(&str) -> RemoteItem, bytes(200, "text/html", page), true),
        (&jpeg, bytes(200, "image/jpeg", page), true),
        (&jpeg, bytes(200, "application/json", b"{}"), true),
        (&jpeg, bytes(200, "text/plain", b"try again later"), true),
        (&jpeg, ResponseTemplate::new(200), true),
        (&jpeg, bytes(200, "image/png", PNG), true),
        (&jpeg, bytes(200, "image/jpeg", JPEG), false),
        (&png, bytes(200, "image/png", PNG), false),
        (&heic, bytes(200, "image/png", PNG), true),
        (&heic, bytes(200, "image/jpeg", b"GIF89a"), true),
        (&heic, bytes(200, "image/jpeg", JPEG), false),
        (&raw, bytes(200, "image/png", PNG), true),
        (&tiff, bytes(200, "image/png", PNG), false),
        (&unsaid, bytes(200, "image/png", PNG), false),
        (&video, bytes(200, "image/jpeg", JPEG), true),
        (&video, bytes(200, "video/mp4", PNG), true),
        (&video, bytes(200, "video/mp4", MP4), false),
    ] {
        let account = Account::new(FRESH).await;
        for parameter in ["d", "dv"] {
            account.answer("GET", &format!("/lr/x={parameter}"), answer.clone()).await;
        }
        let item = make(&format!("{}/lr/x", account.server.uri()));
        let outcome = account.storage.source().unwrap().open(&item, Part::Whole, None).await;
        match outcome {
            Err(error) if is_wrong => {
                assert_eq!((error.class, error.reason), (Class::Transient, Reason::WrongContent), "{error}");
            }
            Ok(body) if !is_wrong => assert!(!all(body).await.unwrap().is_empty()),
            other => panic!("{item:?} {other:?}"),
        }
    }
}

#[tokio::test]
async fn the_clip_of_a_motion_photo_is_what_the_video_parameter_gives() {
    let account = Account::with(FRESH, json!({"proxy": "http://127.0.0.1:9"})).await;
    account.answer("GET", "/lr/x=dv", bytes(200, "video/mp4", MP4)).await;
    let item = photo(&format!("{}/lr/x", account.server.uri()));
    let body = account.storage.source().unwrap().open(&item, Part::Clip, None).await.unwrap();
    assert_eq!(all(body).await.unwrap(), MP4);
    assert_eq!(account.host.permits(), ["media"], "a proxy has no clips");
}

#[tokio::test]
async fn a_photo_without_a_clip_has_no_such_part() {
    for (answer, class, reason) in [
        (ResponseTemplate::new(404), Class::Item, Reason::NoSuchPart),
        (ResponseTemplate::new(400), Class::Item, Reason::NoSuchPart),
        (bytes(200, "image/jpeg", JPEG), Class::Item, Reason::NoSuchPart),
        // A portal's page says nothing of the photo.
        (bytes(200, "text/html", b"<html>Sign in"), Class::Transient, Reason::WrongContent),
        (ResponseTemplate::new(403), Class::Transient, Reason::StaleAddress),
        (ResponseTemplate::new(503), Class::Transient, Reason::Other),
        (ResponseTemplate::new(429), Class::Throttled, Reason::Other),
    ] {
        let account = Account::new(FRESH).await;
        account.answer("GET", "/lr/x=dv", answer).await;
        let item = photo(&format!("{}/lr/x", account.server.uri()));
        let error = account.storage.source().unwrap().open(&item, Part::Clip, None).await.unwrap_err();
        assert_eq!((error.class, error.reason), (class, reason), "{error}");
    }
}

#[tokio::test]
async fn the_size_of_an_item_is_read_without_its_bytes() {
    let account = Account::new(FRESH).await;
    let sized = |content_type: &str| bytes(200, content_type, JPEG);
    account.answer("HEAD", "/lr/p=d", sized("image/jpeg")).await;
    account.answer("HEAD", "/lr/v=dv", sized("video/mp4")).await;
    account.answer("HEAD", "/lr/placeholder=dv", sized("image/png")).await;
    account.answer("HEAD", "/lr/page=d", sized("text/html")).await;
    account.answer("HEAD", "/lr/old=d", ResponseTemplate::new(403)).await;
    account.answer("HEAD", "/lr/gone=d", ResponseTemplate::new(404)).await;
    account.answer("HEAD", "/lr/never=d", ResponseTemplate::new(405)).await;
    let source = account.storage.source().unwrap();
    let at = |name: &str| format!("{}/lr/{name}", account.server.uri());
    let size = Some(JPEG.len() as u64);
    assert_eq!(source.measure(&photo(&at("p"))).await.unwrap(), size);
    assert_eq!(source.measure(&video(&at("v"))).await.unwrap(), size);
    assert_eq!(account.host.permits(), ["media", "media"]);
    for unknown in [video(&at("placeholder")), photo(&at("page")), photo(&at("never"))] {
        assert_eq!(source.measure(&unknown).await.unwrap(), None);
    }
    assert_eq!(source.measure(&photo(&at("old"))).await.unwrap_err().reason, Reason::StaleAddress);
    assert_eq!(source.measure(&photo(&at("gone"))).await.unwrap_err().reason, Reason::NotFound);
    let mut expired = photo(&at("p"));
    expired.address = None;
    assert_eq!(source.measure(&expired).await.unwrap_err().reason, Reason::StaleAddress);
    for request in account.server.received_requests().await.unwrap() {
        // I6
        assert_eq!(authorization(&request), None);
    }
    assert_eq!(account.host.permits().len(), 7);
}

#[tokio::test]
async fn a_motion_photo_is_known_by_its_name_or_by_what_google_says_of_it() {
    let account = Account::new(FRESH).await;
    let answer = json!({"mediaItems": [
        {"id": "1", "mimeType": "image/jpeg", "filename": "PXL_20240101_120000000.MP.jpg"},
        {"id": "2", "mimeType": "image/jpeg", "filename": "MVIMG_20190101_120000.jpg"},
        {"id": "3", "mimeType": "image/jpeg", "filename": "a.jpg", "mediaMetadata": {"photo": {}, "video": {"status": "READY"}}},
        {"id": "4", "mimeType": "image/jpeg", "filename": "a.jpg", "mediaMetadata": {"photo": {}}},
        {"id": "5", "mimeType": "video/mp4", "filename": "a.MP.jpg", "mediaMetadata": {"video": {}}},
    ]});
    account.answer("GET", "/v1/mediaItems", crate::account::json_response(200, answer)).await;
    let page =
        account.storage.source().unwrap().list(&charon_provider::Selection::default(), None).await.unwrap();
    let clips: Vec<bool> = page.items.iter().map(|item| item.has_clip).collect();
    assert_eq!(clips, [true, true, true, false, false]);
}
