//! The way photos go out.

use std::sync::Arc;

use bytes::Bytes;
use charon_provider::{
    AlbumId, Class, Content, Placement, Position, Reason, RemoteId, Resets, Staged, UploadToken,
};
use futures::{StreamExt as _, stream};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use wiremock::{Mock, ResponseTemplate, matchers};

use crate::account::{
    Account, FRESH, NOW, NotKept, assert_tells_no_secret, authorization, json_response, refusal,
};

pub(crate) fn content(name: &str, chunks: &'static [&'static [u8]]) -> Content {
    Content {
        file_name: name.into(),
        mime_type: Some("image/jpeg"),
        length: chunks.iter().map(|chunk| chunk.len() as u64).sum(),
        open: Arc::new(move |_| stream::iter(chunks).map(|chunk| Ok(Bytes::from_static(chunk))).boxed()),
    }
}

pub(crate) fn staged(name: &str, token: &str) -> Staged {
    let token = UploadToken { token: token.into(), valid_until: NOW.parse().expect("a moment") };
    Staged { file_name: name.into(), description: None, token }
}

#[tokio::test]
async fn bytes_are_sent_raw_with_their_length_their_name_and_their_kind() {
    let account = Account::new(FRESH).await;
    account
        .answer("POST", "/v1/uploads", ResponseTemplate::new(200).set_body_string("upload-token-1\n"))
        .await;
    let token = account
        .storage
        .sink()
        .unwrap()
        .send(&content("Grüße.jpg", &[b"ab", b"", b"cde"]), None, &NotKept)
        .await
        .unwrap();
    assert_eq!(token.token.expose_secret(), "upload-token-1");
    assert_eq!(token.valid_until.to_string(), "2026-11-22T07:00:00Z");
    let request = &account.requests("/v1/uploads").await[0];
    assert_eq!(request.body, b"abcde");
    assert_eq!(authorization(request), Some("Bearer access-old"));
    for (name, value) in [
        ("content-type", "application/octet-stream"),
        ("content-length", "5"),
        ("x-goog-upload-protocol", "raw"),
        ("x-goog-upload-content-type", "image/jpeg"),
        ("x-goog-upload-file-name", "Gr%C3%BC%C3%9Fe.jpg"),
    ] {
        assert_eq!(request.headers[name], value, "{name}");
    }
    assert!(!request.headers.contains_key("transfer-encoding"));
    assert_eq!(account.host.permits(), ["api"]);
}

#[tokio::test]
async fn bytes_are_sent_again_from_the_beginning_when_the_token_is_renewed() {
    let account = Account::new(FRESH).await;
    account.grant().await;
    Mock::given(matchers::path("/v1/uploads"))
        .and(matchers::header("authorization", "Bearer access-new"))
        .respond_with(ResponseTemplate::new(200).set_body_string("upload-token-1"))
        .with_priority(1)
        .mount(&account.server)
        .await;
    let unknown =
        json_response(401, json!({"code": 16, "message": "Authentication session is not defined."}));
    account.answer("POST", "/v1/uploads", unknown).await;
    account.storage.sink().unwrap().send(&content("a.jpg", &[b"abc", b"def"]), None, &NotKept).await.unwrap();
    let bodies: Vec<_> =
        account.requests("/v1/uploads").await.into_iter().map(|request| request.body).collect();
    assert_eq!(bodies, [b"abcdef", b"abcdef"]);
}

#[tokio::test]
async fn a_file_that_is_empty_costs_no_request() {
    let account = Account::new(FRESH).await;
    let error =
        account.storage.sink().unwrap().send(&content("a.jpg", &[]), None, &NotKept).await.unwrap_err();
    assert_eq!(error.class, Class::Item);
    assert!(account.host.permits().is_empty());
}

#[tokio::test]
async fn a_file_that_changes_or_fails_while_it_is_sent_is_the_files_own_trouble() {
    let account = Account::new(FRESH).await;
    account.answer("POST", "/v1/uploads", ResponseTemplate::new(200).set_body_string("upload-token-1")).await;
    let grown = Content { length: 3, ..content("a.jpg", &[b"abcdef"]) };
    let shrunk = Content { length: 9, ..content("a.jpg", &[b"abcdef"]) };
    let failing = Content {
        open: Arc::new(|_| {
            stream::iter([Ok(Bytes::from_static(b"abc")), Err(std::io::Error::other("stale file handle"))])
                .boxed()
        }),
        ..shrunk.clone()
    };
    for (content, words) in [(grown, "grew"), (shrunk, "shrank"), (failing, "stale file handle")] {
        let error = account.storage.sink().unwrap().send(&content, None, &NotKept).await.unwrap_err();
        assert_eq!(error.class, Class::Item, "{error}");
        assert!(error.cause.contains(words), "{error}");
    }
}

#[tokio::test]
async fn an_answer_that_is_no_upload_token_is_not_taken_for_one() {
    for body in ["", "<html>Sign in</html>", "two words"] {
        let account = Account::new(FRESH).await;
        account.answer("POST", "/v1/uploads", ResponseTemplate::new(200).set_body_string(body)).await;
        let error = account
            .storage
            .sink()
            .unwrap()
            .send(&content("a.jpg", &[b"x"]), None, &NotKept)
            .await
            .unwrap_err();
        assert_eq!(error.class, Class::Transient, "{body}");
    }
}

#[tokio::test]
async fn a_commit_names_its_files_and_its_album() {
    let account = Account::new(FRESH).await;
    let answer = json!({"newMediaItemResults": [
        {"uploadToken": "t1", "status": {"message": "Success"}, "mediaItem": {"id": "m1"}}]});
    account.answer("POST", "/v1/mediaItems:batchCreate", json_response(200, answer)).await;
    let sink = account.storage.sink().unwrap();
    let album = AlbumId("album-1".into());
    let made = sink
        .commit(Some(&Placement { album, position: Position::Last }), &[staged("Grüße.jpg", "t1")])
        .await
        .unwrap();
    assert_eq!(made[0].as_ref().unwrap().id.0, "m1");
    sink.commit(None, &[staged("a.jpg", "t1")]).await.unwrap();
    let bodies: Vec<Value> =
        account.requests("/v1/mediaItems:batchCreate").await.iter().map(|r| r.body_json().unwrap()).collect();
    assert_eq!(
        bodies[0],
        json!({"albumId": "album-1",
               "newMediaItems": [{"simpleMediaItem": {"uploadToken": "t1", "fileName": "Grüße.jpg"}}]})
    );
    assert_eq!(
        bodies[1],
        json!({"newMediaItems": [{"simpleMediaItem": {"uploadToken": "t1", "fileName": "a.jpg"}}]})
    );
}

#[tokio::test]
async fn a_commit_says_where_in_the_album_its_items_go() {
    let account = Account::new(FRESH).await;
    account.answer("POST", "/v1/mediaItems:batchCreate", json_response(200, json!({}))).await;
    let sink = account.storage.sink().unwrap();
    for position in [Position::Last, Position::First, Position::After(RemoteId("m0".into()))] {
        let placement = Placement { album: AlbumId("album-1".into()), position };
        sink.commit(Some(&placement), &[staged("a.jpg", "t1")]).await.unwrap();
    }
    let bodies: Vec<Value> =
        account.requests("/v1/mediaItems:batchCreate").await.iter().map(|r| r.body_json().unwrap()).collect();
    let positions: Vec<&Value> = bodies.iter().map(|body| &body["albumPosition"]).collect();
    assert_eq!(
        positions,
        [
            &Value::Null,
            &json!({"position": "FIRST_IN_ALBUM"}),
            &json!({"position": "AFTER_MEDIA_ITEM", "relativeMediaItemId": "m0"})
        ]
    );
    assert!(bodies.iter().all(|body| body["albumId"] == "album-1"));
}

#[tokio::test]
async fn a_description_goes_with_its_item_and_is_never_too_long_for_google() {
    let account = Account::new(FRESH).await;
    account.answer("POST", "/v1/mediaItems:batchCreate", json_response(200, json!({}))).await;
    let described = |words: &str| Staged { description: Some(words.to_owned()), ..staged("a.jpg", "t1") };
    let batch = [
        described(
            " Rome, at dusk
",
        ),
        described("  "),
        staged("a.jpg", "t3"),
        described(&"é📷".repeat(600)),
    ];
    account.storage.sink().unwrap().commit(None, &batch).await.unwrap();
    let body: Value = account.requests("/v1/mediaItems:batchCreate").await[0].body_json().unwrap();
    let sent: Vec<&Value> =
        body["newMediaItems"].as_array().unwrap().iter().map(|item| &item["description"]).collect();
    assert_eq!(sent[..3], [&json!("Rome, at dusk"), &Value::Null, &Value::Null]);
    // 333 pairs of three UTF-16 units.
    assert_eq!(sent[3], &json!("é📷".repeat(333)));
}

#[tokio::test]
async fn an_item_that_exists_already_is_the_one_that_the_answer_names() {
    let account = Account::new(FRESH).await;
    let answer = json!({"newMediaItemResults": [
        {"uploadToken": "t1", "status": {"code": 6, "message": "Failed"}, "mediaItem": {"id": "twin"}},
        {"uploadToken": "t2", "status": {"code": 6, "message": "Failed"}}]});
    account.answer("POST", "/v1/mediaItems:batchCreate", json_response(200, answer)).await;
    let batch = [staged("1.jpg", "t1"), staged("2.jpg", "t2")];
    let results = account.storage.sink().unwrap().commit(None, &batch).await.unwrap();
    assert_eq!(results[0].as_ref().unwrap().id.0, "twin");
    let error = results[1].as_ref().unwrap_err();
    assert_eq!((error.class, error.reason), (Class::Item, Reason::AlreadyExists));
}

#[tokio::test]
async fn a_commit_that_succeeds_in_part_says_which_part() {
    const FAILED: &str = "Failed: There was an error while trying to create this media item.";
    let account = Account::new(FRESH).await;
    // Out of order, with a status code as a string, and one without an item although it is a success.
    let answer = json!({"newMediaItemResults": [
        {"uploadToken": "t3", "status": {"code": "6", "message": FAILED}},
        {"uploadToken": "t1", "status": {"message": "Success"}, "mediaItem": {"id": "m1", "novelty": 1}},
        {"uploadToken": "t2", "status": {"code": 3, "message": FAILED}},
        {"uploadToken": "t4", "status": {"message": "OK"}},
    ]});
    account.answer("POST", "/v1/mediaItems:batchCreate", json_response(207, answer)).await;
    let batch: Vec<_> = (1..=5).map(|n| staged(&format!("{n}.jpg"), &format!("t{n}"))).collect();
    let results = account.storage.sink().unwrap().commit(None, &batch).await.unwrap();
    assert_eq!(results.len(), 5);
    assert_eq!(results[0].as_ref().unwrap().id.0, "m1");
    let outcome = |at: usize| results[at].as_ref().map(|_| ()).map_err(|error| (error.class, error.reason));
    assert_eq!(outcome(1), Err((Class::Item, Reason::Other)));
    assert_eq!(outcome(2), Err((Class::Item, Reason::AlreadyExists)));
    assert!(results[2].as_ref().unwrap_err().cause.contains("ALREADY_EXISTS"));
    assert_eq!(outcome(3), Err((Class::Transient, Reason::Unanswered)), "a success without an item is none");
    assert_eq!(
        outcome(4),
        Err((Class::Transient, Reason::Unanswered)),
        "an item that is not mentioned is not guessed"
    );
}

#[tokio::test]
async fn each_refusal_of_a_commit_has_its_class_and_reason() {
    for (response, class, reason) in [
        (
            refusal(
                429,
                "RESOURCE_EXHAUSTED",
                "Quota exceeded for quota 'concurrent write request' of service 'p'.",
            ),
            Class::Throttled,
            Reason::Other,
        ),
        (
            refusal(400, "INVALID_ARGUMENT", "Request must contain a valid upload token."),
            Class::Item,
            Reason::UploadToken,
        ),
        (
            refusal(404, "NOT_FOUND", "The provided ID does not match any albums"),
            Class::Config,
            Reason::NotFound,
        ),
        (refusal(500, "INTERNAL", "Internal error encountered."), Class::Transient, Reason::Unanswered),
        (ResponseTemplate::new(200).set_body_string("{\"newMediaItem"), Class::Transient, Reason::Unanswered),
        (json_response(200, json!({"newMediaItemResults": 5})), Class::Transient, Reason::Unanswered),
    ] {
        let account = Account::new(FRESH).await;
        account.answer("POST", "/v1/mediaItems:batchCreate", response).await;
        let error = account.storage.sink().unwrap().commit(None, &[staged("a.jpg", "t1")]).await.unwrap_err();
        assert_eq!((error.class, error.reason), (class, reason), "{error}");
    }
}

#[tokio::test]
async fn an_upload_token_is_not_repeated_in_an_error() {
    // I6
    let account = Account::new(FRESH).await;
    let answer = json!({"newMediaItemResults": [{"uploadToken": "access-new", "status": {"code": 3, "message": "access-new?"}}]});
    account.answer("POST", "/v1/mediaItems:batchCreate", json_response(200, answer)).await;
    let results =
        account.storage.sink().unwrap().commit(None, &[staged("a.jpg", "access-new")]).await.unwrap();
    assert_tells_no_secret(&format!("{results:?}"));
}

#[tokio::test]
async fn a_storage_that_is_read_only_has_no_way_out() {
    let account = Account::with(FRESH, json!({"read_only": true})).await;
    assert!(account.storage.sink().is_none() && !account.storage.facts().capabilities.upload);
    assert!(account.storage.source().is_some());
    let albums = account.storage.albums().unwrap();
    assert_eq!(albums.create("Rome").await.unwrap_err().class, Class::Config);
    assert_eq!(
        albums.add(&AlbumId("a".into()), &[RemoteId("m".into())]).await.unwrap_err().class,
        Class::Config
    );
    assert!(account.host.permits().is_empty());
}

#[tokio::test]
async fn a_commit_of_nothing_costs_no_request() {
    let account = Account::new(FRESH).await;
    assert!(account.storage.sink().unwrap().commit(None, &[]).await.unwrap().is_empty());
    assert!(account.host.permits().is_empty());
}

#[tokio::test]
async fn a_storage_declares_what_google_counts_and_takes() {
    let account =
        Account::with(FRESH, json!({"client_id": "844831818923-abc.apps.example", "start_year": 2010})).await;
    let facts = account.storage.facts();
    let meters: Vec<_> =
        facts.meters.iter().map(|meter| (meter.id, meter.account.as_str(), meter.limit)).collect();
    assert_eq!(meters, [("api", "844831818923", 10_000), ("media", "844831818923", 75_000)]);
    assert!(facts.meters.iter().all(|meter| meter.resets == Resets::DailyAt("America/Los_Angeles")));
    assert_eq!((facts.selection.start_year, facts.limits.photo_bytes), (Some(2010), 200_000_000));
}

#[tokio::test]
async fn a_file_that_is_kept_to_a_slow_pace_does_not_stand_still() {
    let account = Account::new(FRESH).await;
    account.answer("POST", "/v1/uploads", ResponseTemplate::new(200).set_body_string("t")).await;
    let slow = |_| {
        let piece = |number: u64| async move {
            if number == 0 {
                tokio::time::pause();
            }
            // Longer than an upload may stand still, in no time.
            tokio::time::sleep(std::time::Duration::from_secs(number * 301)).await;
            if number == 3 {
                tokio::time::resume();
            }
            Ok(Bytes::from_static(b"abc"))
        };
        stream::iter(0..4).then(piece).boxed()
    };
    let content = Content { file_name: "a.jpg".into(), mime_type: None, length: 12, open: Arc::new(slow) };
    let begun = tokio::time::Instant::now();
    account.storage.sink().unwrap().send(&content, None, &NotKept).await.expect("an upload token");
    assert!(begun.elapsed().as_secs() >= 1_806);
}
