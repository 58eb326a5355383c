//! The facts about mediaItems and albums: JSON types, pages, deduplication, visibility, scopes, quotas.

use crate::support::{World, jpeg, message};
use gphotos_emulator::{Action, Fault, Limit, Seed, Settings};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn json_has_the_types_of_proto3() {
    let world = World::new().await;
    world.emulator.world().seed(&Seed { items: 6, albums: 1, video_share: 0.5, ..Seed::default() });
    let items = world.all(100).await;
    for item in &items {
        let metadata = &item["mediaMetadata"];
        assert!(metadata["width"].is_string() && metadata["height"].is_string(), "{item}");
        assert!(metadata["creationTime"].as_str().unwrap().ends_with('Z'));
        assert_eq!(item["id"].as_str().unwrap().len(), 98);
        assert!(item["description"].is_null(), "what is empty is left out");
        let is_video = item["mimeType"].as_str().unwrap().starts_with("video/");
        let of_camera = &metadata[if is_video { "video" } else { "photo" }];
        assert!(
            is_video || of_camera["cameraMake"].is_string() && of_camera["cameraModel"].is_string(),
            "{item}"
        );
        assert_eq!(metadata["video"].is_object(), is_video);
        assert_eq!(metadata["photo"].is_object(), !is_video);
        if is_video {
            assert!(metadata["video"]["fps"].is_number());
            assert_eq!(metadata["video"]["status"], "READY");
        } else {
            assert!(metadata["photo"]["isoEquivalent"].is_i64());
            assert!(metadata["photo"]["exposureTime"].as_str().unwrap().ends_with('s'));
        }
        for absent in ["size", "location", "albums", "hash"] {
            assert!(item[absent].is_null(), "{absent} does not exist");
        }
    }
    let (_, albums) = world.get("/v1/albums").await;
    let album = &albums["albums"][0];
    assert_eq!(album["id"].as_str().unwrap().len(), 76);
    assert!(album["mediaItemsCount"].is_string());
    assert_eq!(album["isWriteable"], true);
    let inside = world.post("/v1/mediaItems:search", json!({"albumId": album["id"]})).await.1;
    assert!(inside["mediaItems"][0]["productUrl"].as_str().unwrap().contains("/album/"));
    let (_, created) = world.post("/v1/albums", json!({"album": {"title": "New"}})).await;
    assert_eq!(created["isWriteable"], true);
    assert!(created["mediaItemsCount"].is_null(), "zero is left out");
}

#[tokio::test]
async fn pages_have_the_documented_sizes_and_show_every_item_once() {
    let world = World::seeded(230, 60).await;
    for (query, expected) in [("", 25), ("?pageSize=0", 25), ("?pageSize=7", 7), ("?pageSize=1000", 100)] {
        let (_, page) = world.get(&format!("/v1/mediaItems{query}")).await;
        assert_eq!(page["mediaItems"].as_array().unwrap().len(), expected, "{query}");
    }
    for (query, expected) in [("", 20), ("?pageSize=50", 50), ("?pageSize=51", 50)] {
        let (_, page) = world.get(&format!("/v1/albums{query}")).await;
        assert_eq!(page["albums"].as_array().unwrap().len(), expected, "{query}");
    }
    let all = world.all(100).await;
    let mut ids: Vec<&str> = all.iter().map(|item| item["id"].as_str().unwrap()).collect();
    let mut times: Vec<&str> =
        all.iter().map(|item| item["mediaMetadata"]["creationTime"].as_str().unwrap()).collect();
    times.reverse();
    assert!(times.is_sorted(), "newest first");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 230);
    assert_eq!(world.emulator.world().stats().count("mediaItems.list"), 4 + 3);
}

#[tokio::test]
async fn what_real_clients_send_is_accepted() {
    let world = World::seeded(30, 1).await;
    let album = world.emulator.world().albums()[0].id.clone();
    // gphotos-sync: no content type, and a null page token.
    let request =
        world.request(Method::POST, "/v1/mediaItems:search").body(r#"{"pageSize":100,"pageToken":null}"#);
    let (status, body) = crate::support::read(request.send().await.unwrap()).await;
    assert_eq!((status.as_u16(), body["mediaItems"].as_array().unwrap().len()), (200, 30));
    // OpenList: everything in the query, and an empty body.
    let path = format!("/v1/mediaItems:search?albumId={album}&pageSize=3");
    let (status, body) = crate::support::read(world.request(Method::POST, &path).send().await.unwrap()).await;
    assert_eq!((status.as_u16(), body["mediaItems"].as_array().unwrap().len()), (200, 3));
    // Home Assistant: a mask of fields. Generated clients: alt=json.
    let (_, body) =
        world.get("/v1/mediaItems?fields=mediaItems(id)&alt=json&prettyPrint=false&pageSize=1").await;
    assert_eq!(body.as_object().unwrap().len(), 1);
    assert_eq!(body["mediaItems"][0].as_object().unwrap().len(), 1);
    let (_, body) = world.get("/v1/mediaItems/unknown?alt=json").await;
    assert_eq!(body["error"]["errors"][0]["domain"], "global");
    // gphotos-sync builds its client from the discovery document.
    let (_, discovery) = world.get("/$discovery/rest?version=v1").await;
    assert_eq!(discovery["baseUrl"], format!("{}/", world.emulator.url()));
    assert_eq!(discovery["resources"]["albums"]["methods"]["get"]["path"], "v1/albums/{+albumId}");
}

#[tokio::test]
async fn the_same_bytes_are_the_same_item_and_keep_their_name() {
    let world = World::new().await;
    let first = world.create("first.jpg", jpeg(1)).await;
    assert_eq!(first["status"], json!({"message": "Success"}), "no code on success");
    let again = world.create("second.jpg", jpeg(1)).await;
    assert_eq!(again["mediaItem"]["id"], first["mediaItem"]["id"]);
    assert_eq!(again["mediaItem"]["filename"], "first.jpg");
    assert_eq!(world.emulator.world().items()[0].times_uploaded, 2);

    let (one, two) = (world.upload("a.jpg", jpeg(2)).await, world.upload("b.jpg", jpeg(2)).await);
    let body = json!({"newMediaItems": [{"simpleMediaItem": {"uploadToken": one}}, {"simpleMediaItem": {"uploadToken": two}}]});
    let (_, body) = world.post("/v1/mediaItems:batchCreate", body).await;
    assert_eq!(body["newMediaItemResults"][0]["status"]["message"], "Success");
    assert_eq!(body["newMediaItemResults"][1]["status"]["code"], 6, "ALREADY_EXISTS within one request");
    assert_eq!(body["newMediaItemResults"][1]["uploadToken"], two);
    assert!(body["newMediaItemResults"][1]["mediaItem"].is_null());
}

#[tokio::test]
async fn a_seeded_item_is_recognized_when_its_bytes_are_uploaded() {
    let world = World::new().await;
    let seed = Seed { items: 4, video_share: 0.5, ..Seed::default() };
    for id in world.emulator.world().seed(&seed).item_ids {
        let bytes = world.emulator.world().original(&id).unwrap();
        let result = world.create("again", bytes.to_vec()).await;
        assert_eq!(result["mediaItem"]["id"], id);
    }
    assert_eq!(world.emulator.world().item_count(), 4);
}

#[tokio::test]
async fn what_is_no_picture_fails_for_itself_alone() {
    let world = World::new().await;
    let (good, bad) =
        (world.upload("a.jpg", jpeg(1)).await, world.upload("b.jpg", b"just text".to_vec()).await);
    let body = json!({"newMediaItems": [{"simpleMediaItem": {"uploadToken": bad}}, {"simpleMediaItem": {"uploadToken": good, "fileName": "named.jpg"}}]});
    let (status, body) = world.post("/v1/mediaItems:batchCreate", body).await;
    assert_eq!(status, 200);
    let results = body["newMediaItemResults"].as_array().unwrap();
    let failed =
        json!({"code": 3, "message": "Failed: There was an error while trying to create this media item."});
    assert_eq!(results[0]["status"], failed);
    assert_eq!(results[1]["mediaItem"]["filename"], "named.jpg", "fileName wins over the header");
    assert_eq!(results[1]["mediaItem"]["mediaMetadata"]["creationTime"], "2020-02-29T12:00:00Z");
}

#[tokio::test]
async fn a_client_sees_only_what_it_created() {
    let mut world = World::seeded(3, 1).await;
    let id = world.emulator.world().items()[0].id.clone();
    let album = world.emulator.world().albums()[0].id.clone();
    world.token = world.emulator.world().access_token("999-other", &[]);
    assert_eq!(world.all(100).await.len(), 0);
    assert_eq!(world.get("/v1/albums").await.1, json!({}));
    assert_eq!(world.get(&format!("/v1/mediaItems/{id}")).await.0, 404);
    assert_eq!(world.get(&format!("/v1/albums/{album}")).await.0, 404);
    let token = world.upload("a.jpg", jpeg(1)).await;
    let body = json!({"albumId": album, "newMediaItems": [{"simpleMediaItem": {"uploadToken": token}}]});
    let (status, body) = world.post("/v1/mediaItems:batchCreate", body).await;
    assert_eq!((status.as_u16(), message(&body)), (400, "No permission to add media items to this album."));
    let (_, body) = world.get(&format!("/v1/mediaItems:batchGet?mediaItemIds={id}")).await;
    assert_eq!(body["mediaItemResults"][0]["status"]["message"], "Invalid media item ID.");
}

#[tokio::test]
async fn every_method_asks_for_its_scope() {
    let mut world = World::seeded(1, 1).await;
    let album = world.emulator.world().albums()[0].id.clone();
    let item = world.emulator.world().items()[0].id.clone();
    let emulated = world.emulator.world().clone();
    let append = "photoslibrary.appendonly";
    let read = "photoslibrary.readonly.appcreateddata";
    let edit = "photoslibrary.edit.appcreateddata";
    let methods = [
        ("GET", "/v1/mediaItems".to_owned(), vec![read]),
        ("POST", "/v1/mediaItems:search".to_owned(), vec![read]),
        ("GET", format!("/v1/mediaItems/{item}"), vec![read]),
        ("GET", format!("/v1/mediaItems:batchGet?mediaItemIds={item}"), vec![read]),
        ("PATCH", format!("/v1/mediaItems/{item}?updateMask=description"), vec![edit]),
        ("POST", "/v1/mediaItems:batchCreate".to_owned(), vec![append]),
        ("GET", "/v1/albums".to_owned(), vec![read]),
        ("GET", format!("/v1/albums/{album}"), vec![read]),
        ("POST", "/v1/albums".to_owned(), vec![append]),
        ("PATCH", format!("/v1/albums/{album}?updateMask=title"), vec![edit]),
        ("POST", format!("/v1/albums/{album}:batchAddMediaItems"), vec![append, edit]),
        ("POST", format!("/v1/albums/{album}:batchRemoveMediaItems"), vec![append, edit]),
        ("POST", format!("/v1/albums/{album}:addEnrichment"), vec![append, edit]),
        // Sharing ended on 2025-03-31: the routes are there, and nothing is enough for them.
        ("POST", format!("/v1/albums/{album}:share"), vec![]),
        ("POST", format!("/v1/albums/{album}:unshare"), vec![]),
        ("GET", "/v1/sharedAlbums".to_owned(), vec![]),
        ("GET", "/v1/sharedAlbums/token".to_owned(), vec![]),
        ("POST", "/v1/sharedAlbums:join".to_owned(), vec![]),
        ("POST", "/v1/sharedAlbums:leave".to_owned(), vec![]),
    ];
    let removed = ["photoslibrary", "photoslibrary.readonly", "photoslibrary.sharing"];
    for (method, path, enough) in methods {
        for scope in [append, read, edit].into_iter().chain(removed) {
            world.token = emulated.access_token(crate::support::CLIENT, &[scope]);
            let response = world.request(method.parse().unwrap(), &path).send().await.unwrap();
            let (status, body) = crate::support::read(response).await;
            let what = format!("{method} {path} with {scope}: {status} {body}");
            assert_eq!(status != 403, enough.contains(&scope), "{what}");
            if status == 403 {
                assert_eq!(message(&body), "Request had insufficient authentication scopes.", "{what}");
                assert_eq!(body["error"]["status"], "PERMISSION_DENIED", "{what}");
            } else {
                // Some of the requests are empty, and refused for that; no route is missing.
                assert!([200, 400].contains(&status.as_u16()), "{what}");
            }
        }
    }
}

#[tokio::test]
async fn albums_are_changed_whole_or_not_at_all() {
    let world = World::seeded(3, 0).await;
    let ids: Vec<String> = world.emulator.world().items().into_iter().map(|item| item.id).collect();
    let (_, album) = world.post("/v1/albums", json!({"album": {"title": "One"}})).await;
    let id = album["id"].as_str().unwrap().to_owned();
    let add = format!("/v1/albums/{id}:batchAddMediaItems");
    let remove = format!("/v1/albums/{id}:batchRemoveMediaItems");
    let members = || world.emulator.world().albums()[0].item_ids.clone();
    assert_eq!(world.post(&add, json!({"mediaItemIds": ids})).await, (200.try_into().unwrap(), json!({})));
    assert_eq!(members(), ids, "in the order of the request");
    assert_eq!(world.post(&remove, json!({"mediaItemIds": [ids[0], "no"]})).await.0, 400);
    assert_eq!(members().len(), 3);
    assert_eq!(world.post(&remove, json!({"mediaItemIds": [ids[0]]})).await.0, 200);
    assert_eq!(members(), ids[1..]);
    let path = format!("/v1/albums/{id}?updateMask=title,coverPhotoMediaItemId");
    let (status, album) = world.patch(&path, json!({"title": "Two", "coverPhotoMediaItemId": ids[2]})).await;
    assert_eq!(
        (status.as_u16(), &album["title"], &album["coverPhotoMediaItemId"]),
        (200, &json!("Two"), &json!(ids[2]))
    );
    assert_eq!(world.patch(&format!("/v1/albums/{id}?updateMask=id"), json!({})).await.0, 400);
    let item = format!("/v1/mediaItems/{}?updateMask=description", ids[1]);
    assert_eq!(world.patch(&item, json!({"description": "words"})).await.1["description"], "words");
    let text = json!({"newEnrichmentItem": {"textEnrichment": {"text": "hi"}}, "albumPosition": {"position": "FIRST_IN_ALBUM"}});
    let (_, body) = world.post(&format!("/v1/albums/{id}:addEnrichment"), text).await;
    assert!(body["enrichmentItem"]["id"].is_string());
}

#[tokio::test]
async fn items_of_the_future_are_missing_from_filtered_searches_only() {
    let world = World::new().await;
    let at = "2999-01-01T00:00:00Z".parse().unwrap();
    world.emulator.world().seed(&Seed { items: 1, first: at, last: at, ..Seed::default() });
    assert_eq!(world.all(100).await.len(), 1);
    let filter = json!({"filters": {"mediaTypeFilter": {"mediaTypes": ["ALL_MEDIA"]}}});
    assert_eq!(world.post("/v1/mediaItems:search", filter).await.1, json!({}));
}

#[tokio::test]
async fn the_daily_quota_ends_and_begins_again_at_midnight_in_california() {
    let settings = Settings {
        requests_per_day: Some(3),
        fixed_time: Some("2026-11-21T20:00:00Z".parse().unwrap()),
        access_token_seconds: 1_000_000,
        ..Settings::default()
    };
    let world = World::with(settings).await;
    for _ in 0..3 {
        assert_eq!(world.get("/v1/albums").await.0, 200);
    }
    let (status, body) = world.get("/v1/albums?alt=json").await;
    assert_eq!(status, 429);
    let text = "Quota exceeded for quota metric 'All requests' and limit 'All requests per day' of service \
                'photoslibrary.googleapis.com' for consumer 'project_number:123456'.";
    assert_eq!(message(&body), text);
    assert_eq!(body["error"]["status"], "RESOURCE_EXHAUSTED");
    assert_eq!(body["error"]["errors"][0]["reason"], "rateLimitExceeded");
    assert_eq!(body["error"]["details"][0]["metadata"]["quota_limit_value"], "3");
    world.emulator.world().advance(jiff::SignedDuration::from_hours(12));
    assert_eq!(world.get("/v1/albums").await.0, 200);
}

#[tokio::test]
async fn every_429_has_its_words() {
    let world = World::new().await;
    for (limit, text) in [
        (Limit::AllRequestsPerDay, "limit 'All requests per day'"),
        (Limit::WritesPerMinutePerUser, "limit 'Write requests per minute per user'"),
        (
            Limit::ConcurrentWrites,
            "Quota exceeded for quota 'concurrent write request' of service 'photoslibrary.googleapis.com'.",
        ),
    ] {
        for retry_after_seconds in [None, Some(30)] {
            let action = Action::TooManyRequests { limit, retry_after_seconds };
            world.emulator.world().add_fault(Fault::once(action));
            let request = world.request(Method::POST, "/v1/albums").body(r#"{"album":{"title":"x"}}"#);
            let response = request.send().await.unwrap();
            let header =
                response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
            assert_eq!(header, retry_after_seconds.map(|seconds| seconds.to_string()));
            let (status, body) = crate::support::read(response).await;
            assert_eq!(status, 429);
            assert!(message(&body).contains(text), "{body}");
        }
    }
}
