//! The settings for which the facts have two answers: Google's documented one by default, the other when it is chosen.

use crate::support::{World, jpeg, message, read};
use gphotos_emulator::{Settings, video};
use jiff::SignedDuration;
use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};

/// A status, a place in the answer, and what is there.
type Seen = (u16, &'static str, Value);

/// One request, answered twice.
struct Row {
    setting: Value,
    request: (Method, String, Value),
    default: Seen,
    chosen: Seen,
}

/// A clock that only the test moves, and tokens that outlive every wait.
fn still() -> Settings {
    Settings {
        fixed_time: Some("2026-11-21T20:00:00Z".parse().unwrap()),
        access_token_seconds: 1_000_000,
        ..Settings::default()
    }
}

async fn ask(world: &World, (method, path, body): &(Method, String, Value)) -> (StatusCode, Value) {
    let request = world.request(method.clone(), path);
    let request = if body.is_null() { request } else { request.json(body) };
    read(request.send().await.unwrap()).await
}

#[tokio::test]
async fn every_open_question_has_both_answers() {
    let world = World::with(still()).await;
    let old = world.create("old.jpg", jpeg(1)).await["mediaItem"]["id"].clone();
    let (_, album) = world.post("/v1/albums", json!({"album": {"title": "Empty"}})).await;
    world.create("older.jpg", jpeg(2)).await;
    let first = world.get("/v1/mediaItems?pageSize=1").await.1["nextPageToken"].as_str().unwrap().to_owned();
    world.emulator.world().advance(SignedDuration::from_secs(60));
    let item = world.create("new.jpg", jpeg(3)).await["mediaItem"].clone();
    let id = item["id"].as_str().unwrap();
    let album = album["id"].as_str().unwrap();
    let film = world.upload("film.mp4", video::mp4(1, None, None)).await;
    let (good, text) =
        (world.upload("good.jpg", jpeg(4)).await, world.upload("text", b"text".to_vec()).await);
    let create = |tokens: &[&str]| {
        let new: Vec<Value> =
            tokens.iter().map(|token| json!({"simpleMediaItem": {"uploadToken": token}})).collect();
        (Method::POST, "/v1/mediaItems:batchCreate".to_owned(), json!({"newMediaItems": new}))
    };
    let get = |path: &str| (Method::GET, path.to_owned(), Value::Null);
    let search = |body: Value| (Method::POST, "/v1/mediaItems:search".to_owned(), body);
    let all_media = json!({"pageSize": 1, "filters": {"mediaTypeFilter": {"mediaTypes": ["ALL_MEDIA"]}}});

    let rows = [
        Row {
            setting: json!({"reject_large_pages": true}),
            request: get("/v1/mediaItems?pageSize=101"),
            default: (200, "/error", Value::Null),
            chosen: (400, "/error/message", json!("Page size must be at most 100.")),
        },
        Row {
            setting: json!({"reject_large_pages": true}),
            request: get("/v1/albums?pageSize=51"),
            default: (200, "/error", Value::Null),
            chosen: (400, "/error/message", json!("Page size must be at most 50.")),
        },
        Row {
            setting: json!({"reject_large_pages": true}),
            request: get("/v1/mediaItems?pageSize=100"),
            default: (200, "/error", Value::Null),
            chosen: (200, "/error", Value::Null),
        },
        Row {
            setting: json!({"page_token_seconds": 61}),
            request: get(&format!("/v1/mediaItems?pageSize=1&pageToken={first}")),
            default: (200, "/error", Value::Null),
            chosen: (200, "/error", Value::Null),
        },
        Row {
            setting: json!({"page_token_seconds": 60}),
            request: get(&format!("/v1/mediaItems?pageSize=1&pageToken={first}")),
            default: (200, "/error", Value::Null),
            chosen: (400, "/error/message", json!("Invalid page token.")),
        },
        Row {
            setting: json!({"unreadable_item_status": 400}),
            request: get("/v1/mediaItems/unknown"),
            default: (404, "/error/status", json!("NOT_FOUND")),
            chosen: (400, "/error/status", json!("INVALID_ARGUMENT")),
        },
        Row {
            setting: json!({"unreadable_item_status": 400}),
            request: (
                Method::PATCH,
                "/v1/mediaItems/unknown?updateMask=description".to_owned(),
                json!({"description": "x"}),
            ),
            default: (404, "/error/status", json!("NOT_FOUND")),
            chosen: (400, "/error/status", json!("INVALID_ARGUMENT")),
        },
        Row {
            setting: json!({"scope_error_details": true}),
            request: get("/v1/sharedAlbums"),
            default: (403, "/error/details", Value::Null),
            chosen: (403, "/error/details/0/reason", json!("ACCESS_TOKEN_SCOPE_INSUFFICIENT")),
        },
        Row {
            setting: json!({"list_empty_albums": false}),
            request: get("/v1/albums"),
            default: (200, "/albums/0/id", json!(album)),
            chosen: (200, "", json!({})),
        },
        Row {
            setting: json!({"list_empty_albums": false}),
            request: get(&format!("/v1/albums/{album}")),
            default: (200, "/id", json!(album)),
            chosen: (200, "/id", json!(album)),
        },
        Row {
            setting: json!({"filtered_search_delay_seconds": 61}),
            request: search(all_media.clone()),
            default: (200, "/error", Value::Null),
            chosen: (200, "", json!({})),
        },
        Row {
            setting: json!({"filtered_search_delay_seconds": 61}),
            request: search(json!({"pageSize": 1})),
            default: (200, "/mediaItems/0/mediaMetadata/creationTime", json!("2020-02-29T12:00:00Z")),
            chosen: (200, "/mediaItems/0/mediaMetadata/creationTime", json!("2020-02-29T12:00:00Z")),
        },
        Row {
            setting: json!({"not_found_after_creation_seconds": 60}),
            request: get(&format!("/v1/mediaItems/{id}")),
            default: (200, "/id", json!(id)),
            chosen: (404, "/error/status", json!("NOT_FOUND")),
        },
        Row {
            setting: json!({"not_found_after_creation_seconds": 60}),
            request: get(&format!("/v1/mediaItems/{}", old.as_str().unwrap())),
            default: (200, "/id", old.clone()),
            chosen: (200, "/id", old.clone()),
        },
        Row {
            setting: json!({"not_found_after_creation_seconds": 60}),
            request: get(&format!("/v1/mediaItems:batchGet?mediaItemIds={id}")),
            default: (200, "/mediaItemResults/0/mediaItem/id", json!(id)),
            chosen: (200, "/mediaItemResults/0/status/message", json!("Invalid media item ID.")),
        },
        Row {
            setting: json!({"not_found_after_creation_seconds": 61}),
            request: get(&format!("/v1/albums/{album}")),
            default: (200, "/id", json!(album)),
            chosen: (404, "/error/status", json!("NOT_FOUND")),
        },
        Row {
            setting: json!({"no_video_status": 400}),
            request: get(&format!("{}=dv", item["baseUrl"].as_str().unwrap())),
            default: (404, "/error", Value::Null),
            chosen: (400, "/error", Value::Null),
        },
        Row {
            setting: json!({"media_requests_per_day": 1}),
            request: get(&format!("{}=d", item["baseUrl"].as_str().unwrap())),
            default: (200, "/error", Value::Null),
            chosen: (429, "/error/status", json!("RESOURCE_EXHAUSTED")),
        },
        Row {
            setting: json!({"partial_success_status": 207}),
            request: create(&[&good, &text]),
            default: (200, "/newMediaItemResults/1/status/code", json!(3)),
            chosen: (207, "/newMediaItemResults/1/status/code", json!(3)),
        },
        Row {
            setting: json!({"partial_success_status": 207}),
            request: create(&[&good]),
            default: (200, "/newMediaItemResults/0/status/message", json!("Success")),
            chosen: (200, "/newMediaItemResults/0/status/message", json!("Success")),
        },
        Row {
            setting: json!({"bad_token_fails_item_only": true}),
            request: create(&["nonsense", &good]),
            default: (400, "/error/message", json!("Request must contain a valid upload token.")),
            chosen: (200, "/newMediaItemResults/1/status/message", json!("Success")),
        },
        Row {
            setting: json!({"bad_token_fails_item_only": true}),
            request: create(&["nonsense"]),
            default: (400, "/error/status", json!("INVALID_ARGUMENT")),
            chosen: (200, "/newMediaItemResults/0/status/code", json!(3)),
        },
        Row {
            setting: json!({"max_video_bytes": 100}),
            request: create(&[&film]),
            default: (200, "/newMediaItemResults/0/mediaItem/mimeType", json!("video/mp4")),
            chosen: (200, "/newMediaItemResults/0/status/code", json!(3)),
        },
    ];
    let emulated = world.emulator.world();
    let defaults = emulated.settings();
    for Row { setting, request, default, chosen } in rows {
        for (status, place, expected) in [default, chosen] {
            let (seen, answer) = ask(&world, &request).await;
            let what = format!("{setting}, {} {}: {seen} {answer}", request.0, request.1);
            assert_eq!(seen, status, "{what}");
            assert_eq!(*answer.pointer(place).unwrap_or(&Value::Null), expected, "{what}");
            emulated.patch_settings(&setting).unwrap();
        }
        emulated.update_settings(|settings| *settings = defaults.clone());
    }
}

#[tokio::test]
async fn what_was_just_created_can_be_filled_only_through_batch_create_where_that_is_set() {
    let world = World::with(Settings { not_found_after_creation_seconds: 60, ..still() }).await;
    let (_, album) = world.post("/v1/albums", json!({"album": {"title": "New"}})).await;
    let album = album["id"].as_str().unwrap();
    let token = world.upload("a.jpg", jpeg(1)).await;
    let body = json!({"albumId": album, "newMediaItems": [{"simpleMediaItem": {"uploadToken": token}}]});
    assert_eq!(world.post("/v1/mediaItems:batchCreate", body).await.0, 200);
    let add = format!("/v1/albums/{album}:batchAddMediaItems");
    assert_eq!(world.post(&add, json!({"mediaItemIds": ["x"]})).await.0, 404, "the album is new");
    world.emulator.world().advance(SignedDuration::from_secs(60));
    let id = world.create("b.jpg", jpeg(2)).await["mediaItem"]["id"].clone();
    let (status, body) = world.post(&add, json!({"mediaItemIds": [id]})).await;
    assert_eq!((status.as_u16(), message(&body)), (400, "Request contains an invalid media item id."));
    world.emulator.world().advance(SignedDuration::from_secs(60));
    assert_eq!(world.post(&add, json!({"mediaItemIds": [id]})).await.0, 200);
    assert_eq!(world.emulator.world().albums()[0].item_ids.len(), 2);
}

#[tokio::test]
async fn writes_of_a_minute_can_be_counted() {
    let settings = Settings { writes_per_minute: Some(2), retry_after_seconds: Some(30), ..still() };
    let mut world = World::with(settings).await;
    let album = json!({"album": {"title": "x"}});
    for _ in 0..2 {
        assert_eq!(world.post("/v1/albums", album.clone()).await.0, 200);
    }
    let response = world.request(Method::POST, "/v1/albums").json(&album).send().await.unwrap();
    assert_eq!(response.headers()["retry-after"], "30");
    let (status, body) = read(response).await;
    let text = "Quota exceeded for quota metric 'Write requests' and limit 'Write requests per minute per user' of \
                service 'photoslibrary.googleapis.com' for consumer 'project_number:123456'.";
    assert_eq!((status.as_u16(), message(&body)), (429, text));
    assert_eq!(body["error"]["details"][0]["metadata"]["quota_limit_value"], "2");
    assert_eq!(world.get("/v1/albums").await.0, 200, "reading goes on");
    world.upload("a.jpg", jpeg(1)).await;
    let own = std::mem::replace(&mut world.token, world.emulator.world().access_token("999-other", &[]));
    assert_eq!(world.post("/v1/albums", album.clone()).await.0, 200, "another client has its own minute");
    world.token = own;
    world.emulator.world().advance(SignedDuration::from_secs(60));
    assert_eq!(world.post("/v1/albums", album).await.0, 200);
}

#[tokio::test]
async fn uploads_are_requests_of_the_day_or_not() {
    for (uploads_count_as_requests, left) in [(true, 0), (false, 1)] {
        let world =
            World::with(Settings { requests_per_day: Some(1), uploads_count_as_requests, ..still() }).await;
        world.upload("a.jpg", jpeg(1)).await;
        let expected = if left == 0 { 429 } else { 200 };
        let response = world.request(Method::POST, "/v1/uploads").body(jpeg(2)).send().await.unwrap();
        let (status, body) = read(response).await;
        assert_eq!(status, expected, "{body}");
        if status == 429 {
            assert_eq!(body["code"], 8, "bare, as every error of the upload endpoint");
            assert!(message(&body).contains("'All requests per day'"), "{body}");
        }
        assert_eq!(world.get("/v1/albums").await.0, expected);
        assert_eq!(world.get("/v1/albums").await.0, 429);
    }
}

/// One command of the resumable protocol, without a bearer unless there is one in `headers`.
async fn command(
    world: &World,
    url: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> (StatusCode, HeaderMap) {
    let mut request = world.http.post(url).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.unwrap();
    (response.status(), response.headers().clone())
}

async fn session(world: &World) -> String {
    let request = world.request(Method::POST, "/v1/uploads").header("X-Goog-Upload-Command", "start");
    let response = request.header("X-Goog-Upload-Protocol", "resumable").send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.headers()["x-goog-upload-url"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_session_asks_for_the_token_or_not_and_counts_either_way() {
    let finish = [("X-Goog-Upload-Command", "upload, finalize"), ("X-Goog-Upload-Offset", "0")];
    let world = World::with(Settings { requests_per_day: Some(3), ..still() }).await;
    let url = session(&world).await;
    assert_eq!(command(&world, &url, &finish, jpeg(1)).await.0, 401);
    world.emulator.world().update_settings(|settings| settings.session_needs_auth = false);
    let (status, headers) = command(&world, &url, &[("X-Goog-Upload-Command", "query")], Vec::new()).await;
    assert_eq!((status.as_u16(), &headers["x-goog-upload-status"]), (200, &"active".parse().unwrap()));
    assert_eq!(command(&world, &url, &finish, jpeg(1)).await.0, 200);
    assert_eq!(world.get("/v1/albums").await.0, 429, "start, query and finalize were the day's three");
    assert_eq!(command(&world, &url, &[("X-Goog-Upload-Command", "query")], Vec::new()).await.0, 429);
}

#[tokio::test]
async fn a_session_ends_after_its_time() {
    let world = World::with(Settings { upload_session_seconds: 60, ..still() }).await;
    let url = session(&world).await;
    let bearer = format!("Bearer {}", world.token);
    let query = [("Authorization", bearer.as_str()), ("X-Goog-Upload-Command", "query")];
    world.emulator.world().advance(SignedDuration::from_secs(59));
    assert_eq!(command(&world, &url, &query, Vec::new()).await.0, 200);
    world.emulator.world().advance(SignedDuration::from_secs(1));
    assert_eq!(command(&world, &url, &query, Vec::new()).await.0, 404);
}
