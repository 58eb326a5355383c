//! The way photos come home.

use charon_provider::{
    Address, Class, Cursor, Error, Existence, Fidelity, Kind, Part, Readiness, Reason, RemoteId, RemoteItem,
    Selection,
};
use futures::TryStreamExt as _;
use serde_json::{Value, json};
use wiremock::{Mock, ResponseTemplate, matchers};

use crate::account::{Account, FRESH, NOW, authorization, json_response, refusal};

fn item(id: &str, base_url: &str, kind: Kind) -> RemoteItem {
    RemoteItem {
        id: RemoteId(id.into()),
        file_name: "a.jpg".into(),
        mime_type: String::new(),
        kind,
        taken_at: NOW.parse().ok(),
        width: None,
        height: None,
        size: None,
        has_clip: false,
        readiness: Readiness::Ready,
        description: None,
        camera: None,
        address: Some(Address {
            url: base_url.into(),
            valid_until: "2026-11-21T08:50:00Z".parse().expect("a moment"),
        }),
    }
}

/// A photo whose bytes are behind this base URL.
pub(crate) fn photo(base_url: &str) -> RemoteItem {
    item("p", base_url, Kind::Photo)
}

/// A video whose bytes are behind this base URL.
pub(crate) fn video(base_url: &str) -> RemoteItem {
    item("v", base_url, Kind::Video)
}

async fn fetch(account: &Account, item: &RemoteItem) -> Result<Vec<u8>, Error> {
    let body = account.storage.source().expect("a source").open(item, Part::Whole, None).await?;
    assert_eq!(body.fidelity, Fidelity::ApiCopy);
    body.bytes
        .try_fold(Vec::new(), |mut all, chunk| async move {
            all.extend_from_slice(&chunk);
            Ok(all)
        })
        .await
}

async fn list_one_page(answer: Value) -> Result<charon_provider::Page, Error> {
    let account = Account::new(FRESH).await;
    account.answer("GET", "/v1/mediaItems", json_response(200, answer)).await;
    account.storage.source().expect("a source").list(&Selection::default(), None).await
}

#[tokio::test]
async fn a_page_without_items_is_not_the_end_of_the_listing() {
    let page = list_one_page(json!({"nextPageToken": "more"})).await.unwrap();
    assert!(page.items.is_empty());
    assert_eq!(page.next, Some(Cursor("more".into())));
    assert_eq!(list_one_page(json!({})).await.unwrap().next, None);
}

#[tokio::test]
async fn a_listing_asks_for_full_pages_and_goes_on_from_its_cursor() {
    let account = Account::new(FRESH).await;
    account.answer("GET", "/v1/mediaItems", json_response(200, json!({}))).await;
    let cursor = Cursor("a+b/c=&d".into());
    account.storage.source().unwrap().list(&Selection::default(), Some(&cursor)).await.unwrap();
    let requests = account.requests("/v1/mediaItems").await;
    let asked: Vec<_> = requests[0].url.query_pairs().into_owned().collect();
    assert_eq!(asked, [("pageSize".into(), "100".into()), ("pageToken".into(), "a+b/c=&d".into())]);
    assert_eq!(authorization(&requests[0]), Some("Bearer access-old"));
    assert!(requests[0].headers["user-agent"].to_str().unwrap().starts_with("charon/"));
}

#[tokio::test]
async fn archived_items_are_asked_for_by_a_search() {
    let account = Account::new(FRESH).await;
    account.answer("POST", "/v1/mediaItems:search", json_response(200, json!({"nextPageToken": "n"}))).await;
    let wanted = Selection { include_archived: true, ..Selection::default() };
    let source = account.storage.source().unwrap();
    let page = source.list(&wanted, None).await.unwrap();
    source.list(&wanted, page.next.as_ref()).await.unwrap();
    let bodies: Vec<Value> =
        account.requests("/v1/mediaItems:search").await.iter().map(|r| r.body_json().unwrap()).collect();
    let filters = json!({"includeArchivedMedia": true});
    assert_eq!(bodies[0], json!({"pageSize": 100, "filters": filters}));
    assert_eq!(bodies[1], json!({"pageSize": 100, "pageToken": "n", "filters": filters}));
}

#[tokio::test]
async fn items_are_described_as_google_does_it() {
    let page = list_one_page(json!({"mediaItems": [
        {"id": "photo", "baseUrl": "https://lh3.example/lr/x", "mimeType": "image/JPEG", "filename": "a/b.jpg",
         "mediaMetadata": {"creationTime": "2014-07-01T12:00:00Z", "width": "4000", "height": 3000, "photo": {}}},
        {"id": "video", "mimeType": "video/mp4", "filename": "v.mp4",
         "mediaMetadata": {"creationTime": "2015-01-01T00:00:00.5Z", "video": {"status": "PROCESSING"}}},
        {"id": "broken", "mediaMetadata": {"creationTime": "2015-01-01T00:00:00Z", "video": {"status": "FAILED"}}},
    ]}))
    .await
    .unwrap();
    let [photo, video, broken] = page.items.as_slice() else { panic!("three items, not {:?}", page.items) };
    assert_eq!(
        (photo.kind, photo.readiness, photo.mime_type.as_str()),
        (Kind::Photo, Readiness::Ready, "image/jpeg")
    );
    assert_eq!((photo.width, photo.height, photo.file_name.as_str()), (Some(4000), Some(3000), "a/b.jpg"));
    assert_eq!(photo.taken_at.expect("a capture time").to_string(), "2014-07-01T12:00:00Z");
    let address = photo.address.as_ref().unwrap();
    assert_eq!(
        (address.url.as_str(), address.valid_until.to_string().as_str()),
        ("https://lh3.example/lr/x", "2026-11-21T08:50:00Z")
    );
    assert_eq!((video.kind, video.readiness, &video.address), (Kind::Video, Readiness::Processing, &None));
    assert_eq!((broken.kind, broken.readiness), (Kind::Video, Readiness::Failed));
}

#[tokio::test]
async fn strange_items_do_not_spoil_a_page() {
    let page = list_one_page(json!({"mediaItems": [
        null, 7, {"filename": "no id.jpg"}, {"id": ""},
        {"id": "undated", "mediaMetadata": {"creationTime": "yesterday", "width": -5, "height": "999999999999"}},
        {"id": "bare"},
    ]}))
    .await
    .unwrap();
    let ids: Vec<_> = page.items.iter().map(|item| item.id.0.as_str()).collect();
    assert_eq!(ids, ["undated", "bare"]);
    assert_eq!(page.items[0].taken_at, None, "nobody knows when it was taken");
    assert_eq!((page.items[0].width, page.items[0].height), (None, None));
}

#[tokio::test]
async fn an_answer_that_is_no_listing_is_not_taken_for_an_empty_library() {
    for answer in [
        json!([]),
        json!({"mediaItems": "none"}),
        json!({"nextPageToken": {}}),
        json!({"error": {"code": 500}}),
    ] {
        let error = list_one_page(answer.clone()).await.expect_err(&answer.to_string());
        assert_ne!(error.class, Class::Item, "{error}");
    }
    let account = Account::new(FRESH).await;
    account
        .answer("GET", "/v1/mediaItems", ResponseTemplate::new(200).set_body_string("<html>Sign in</html>"))
        .await;
    let error = account.storage.source().unwrap().list(&Selection::default(), None).await.unwrap_err();
    assert_eq!(error.class, Class::Transient);
}

#[tokio::test]
async fn bytes_are_fetched_with_the_parameter_of_their_kind_and_without_the_token() {
    // I6
    let account = Account::new(FRESH).await;
    account.answer("GET", "/lr/x=d", ResponseTemplate::new(200).set_body_bytes("photo")).await;
    account.answer("GET", "/lr/x=dv", ResponseTemplate::new(200).set_body_bytes("video")).await;
    let base_url = format!("{}/lr/x", account.server.uri());
    assert_eq!(fetch(&account, &item("p", &base_url, Kind::Photo)).await.unwrap(), b"photo");
    assert_eq!(fetch(&account, &item("v", &base_url, Kind::Video)).await.unwrap(), b"video");
    for request in account.server.received_requests().await.unwrap() {
        assert_eq!(authorization(&request), None);
    }
    assert_eq!(account.host.permits(), ["media", "media"]);
}

#[tokio::test]
async fn a_redirect_of_a_base_url_is_followed_with_a_permit_for_every_hop() {
    let account = Account::new(FRESH).await;
    account.answer("GET", "/lr/x=d", ResponseTemplate::new(302).insert_header("location", "/there")).await;
    account.answer("GET", "/there", ResponseTemplate::new(200).set_body_bytes("photo")).await;
    account
        .answer("GET", "/lr/round=d", ResponseTemplate::new(302).insert_header("location", "/lr/round=d"))
        .await;
    account
        .answer(
            "GET",
            "/lr/out=d",
            ResponseTemplate::new(302).insert_header("location", "http://photos.example.org/x"),
        )
        .await;
    let at = |name: &str| item("p", &format!("{}/lr/{name}", account.server.uri()), Kind::Photo);
    assert_eq!(fetch(&account, &at("x")).await.unwrap(), b"photo");
    assert_eq!(account.host.permits(), ["media", "media"]);
    let hop = &account.requests("/there").await[0];
    assert!(authorization(hop).is_none() && !hop.headers.contains_key("referer"));
    assert_eq!(fetch(&account, &at("round")).await.unwrap_err().class, Class::Transient);
    assert_eq!(account.requests("/lr/round=d").await.len(), 4);
    assert_eq!(fetch(&account, &at("out")).await.unwrap_err().class, Class::Item, "plain http was followed");
}

#[tokio::test]
async fn each_refusal_of_a_base_url_has_its_class_and_does_not_tell_the_url() {
    let page = |status| {
        ResponseTemplate::new(status)
            .set_body_raw("<html>no permission to get URL /lr/x=d</html>", "text/html; charset=UTF-8")
    };
    for (response, class, reason) in [
        (page(403), Class::Transient, Reason::StaleAddress),
        (page(200), Class::Transient, Reason::WrongContent),
        (ResponseTemplate::new(404).set_body_raw("png", "image/png"), Class::Item, Reason::NotFound),
        (
            refusal(429, "RESOURCE_EXHAUSTED", "Quota exceeded for limit 'All requests per day'."),
            Class::Quota,
            Reason::Other,
        ),
        (ResponseTemplate::new(429).insert_header("retry-after", "9"), Class::Throttled, Reason::Other),
        (ResponseTemplate::new(500), Class::Transient, Reason::Other),
    ] {
        let account = Account::new(FRESH).await;
        account.answer("GET", "/lr/x=d", response).await;
        let error = fetch(&account, &item("p", &format!("{}/lr/x", account.server.uri()), Kind::Photo))
            .await
            .unwrap_err();
        assert_eq!((error.class, error.reason), (class, reason), "{error}");
        assert!(!format!("{error:?}").contains("/lr/"), "{error:?}");
        if class == Class::Throttled {
            assert_eq!(error.retry_after.map(|wait| wait.as_secs()), Some(9));
        }
    }
}

#[tokio::test]
async fn an_address_that_cannot_serve_costs_no_request() {
    let account = Account::new(FRESH).await;
    let good = item("p", &format!("{}/lr/x", account.server.uri()), Kind::Photo);
    let mut expired = good.clone();
    expired.address.as_mut().unwrap().valid_until = NOW.parse().unwrap();
    let mut nowhere = good.clone();
    nowhere.address = None;
    for item in [expired, nowhere] {
        assert_eq!(fetch(&account, &item).await.unwrap_err().reason, Reason::StaleAddress);
    }
    for strange in ["http://192.0.2.1/lr/x", "not a url", "file:///etc/passwd", "data:,x"] {
        assert_eq!(
            fetch(&account, &item("p", strange, Kind::Photo)).await.unwrap_err().class,
            Class::Item,
            "{strange}"
        );
    }
    assert!(account.host.permits().is_empty());
}

#[tokio::test]
async fn a_look_up_answers_in_the_order_of_the_ids_one_for_each() {
    let account = Account::new(FRESH).await;
    Mock::given(matchers::path("/v1/mediaItems:batchGet"))
        .respond_with(json_response(
            200,
            json!({"mediaItemResults": [
                {"mediaItem": {"id": "a", "baseUrl": "https://lh3.example/lr/fresh"}},
                {"status": {"code": 3, "message": "Invalid media item ID."}},
                {"status": {"code": 5, "message": "Not found."}},
                {"status": {"code": "13", "message": "Internal error."}},
            ]}),
        ))
        .mount(&account.server)
        .await;
    let ids = ["a", "b", "c", "d", "a"].map(|id| RemoteId(id.into()));
    let found = account.storage.source().unwrap().confirm(&ids).await.unwrap();
    let shown: Vec<_> = found
        .iter()
        .map(|existence| match existence {
            Existence::Found(item) => item.id.0.clone(),
            Existence::NotFound => "-".into(),
            Existence::Unknown(words) => words.clone(),
        })
        .collect();
    assert_eq!(shown, ["a", "-", "-", "Internal error.", "a"]);
    let asked = &account.requests("/v1/mediaItems:batchGet").await[0];
    let pairs: Vec<_> =
        asked.url.query_pairs().into_owned().map(|(name, id)| format!("{name}={id}")).collect();
    assert_eq!(
        pairs,
        ["mediaItemIds=a", "mediaItemIds=b", "mediaItemIds=c", "mediaItemIds=d"],
        "no id goes twice"
    );
}

#[tokio::test]
async fn a_look_up_that_leaves_ids_out_says_nothing_of_them() {
    // I5
    let account = Account::new(FRESH).await;
    let answer = json!({"mediaItemResults": [{"status": {"code": 5}}, {"mediaItem": {"id": "c"}}]});
    account.answer("GET", "/v1/mediaItems:batchGet", json_response(200, answer)).await;
    let source = account.storage.source().unwrap();
    let found = source.confirm(&["a", "b", "c"].map(|id| RemoteId(id.into()))).await.unwrap();
    assert!(
        matches!(found.as_slice(), [Existence::Unknown(_), Existence::Unknown(_), Existence::Found(_)]),
        "{found:?}"
    );
    assert!(source.confirm(&[]).await.unwrap().is_empty());
    assert_eq!(account.host.permits().len(), 1);
}

#[tokio::test]
async fn a_look_up_that_is_refused_as_a_whole_says_nothing_of_any_id() {
    // I5
    for (status, message) in [(400, "Invalid media item ID."), (404, "Requested entity was not found.")] {
        let account = Account::new(FRESH).await;
        account.answer("GET", "/v1/mediaItems:batchGet", refusal(status, "", message)).await;
        let found = account.storage.source().unwrap().confirm(&[RemoteId("a".into())]).await.unwrap();
        assert!(matches!(found.as_slice(), [Existence::Unknown(_)]), "{found:?}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    let account = Account::new(FRESH).await;
    let endless = ResponseTemplate::new(200).set_body_bytes(vec![b' '; 17 * 1024 * 1024]);
    account.answer("GET", "/v1/mediaItems", endless).await;
    let error = account.storage.source().unwrap().list(&Selection::default(), None).await.unwrap_err();
    assert_eq!(error.class, Class::Transient);
    assert!(error.cause.contains("longer than"), "{error}");
}
