//! The facts about limits: what is beyond one is refused in Google's words and changes nothing, what is within is taken.

use crate::support::{World, jpeg, message};
use gphotos_emulator::{Seed, Settings, video};
use reqwest::StatusCode;
use serde_json::{Value, json};

const CATEGORIES: [&str; 11] = [
    "LANDSCAPES",
    "RECEIPTS",
    "CITYSCAPES",
    "LANDMARKS",
    "SELFIES",
    "PEOPLE",
    "PETS",
    "WEDDINGS",
    "BIRTHDAYS",
    "DOCUMENTS",
    "TRAVEL",
];

/// That an answer is a structured error with these words.
fn refused(what: &str, (seen, answer): (StatusCode, Value), status: u16, text: &str) {
    assert_eq!(seen, status, "{what}: {answer}");
    assert!(message(&answer).contains(text), "{what}: {answer}");
    assert_eq!(answer["error"]["code"], status, "{what}: {answer}");
    assert!(answer["error"]["status"].is_string(), "{what}: {answer}");
    assert!(answer["error"]["errors"].is_null(), "only alt=json shows the older format: {what}");
}

#[tokio::test]
async fn every_limit_has_its_error() {
    let world = World::seeded(1, 1).await;
    let album = world.emulator.world().albums()[0].clone();
    let item = world.emulator.world().items()[0].id.clone();
    let new = |count: usize, extra: Value| {
        let mut one = json!({"simpleMediaItem": {"uploadToken": "x"}});
        for (name, value) in extra.as_object().cloned().unwrap_or_default() {
            one[name] = value;
        }
        json!({"newMediaItems": vec![one; count]})
    };
    let ids = |count: usize| (0..count).map(|n| format!("id{n}")).collect::<Vec<_>>();
    let date = |n: usize| json!({"filters": {"dateFilter": {"dates": vec![json!({"year": 2020}); n]}}});
    let range = |n: usize| {
        let one = json!({"startDate": {"year": 2019}, "endDate": {"year": 2020}});
        json!({"filters": {"dateFilter": {"ranges": vec![one; n]}}})
    };
    let categories = |side: &str, n: usize| json!({"filters": {"contentFilter": {side: &CATEGORIES[..n]}}});
    let album_path = |verb: &str| format!("/v1/albums/{}:{verb}", album.id);
    let position = json!({"albumPosition": {"position": "FIRST_IN_ALBUM"}, "newMediaItems": [{"simpleMediaItem": {"uploadToken": "x"}}]});
    let foreign = json!({"albumId": "nowhere", "newMediaItems": [{"simpleMediaItem": {"uploadToken": "x"}}]});
    let create = "/v1/mediaItems:batchCreate".to_owned();
    let search = "/v1/mediaItems:search".to_owned();
    let cases: Vec<(&str, String, Value, u16, &str)> = vec![
        ("51 new items", create.clone(), new(51, json!({})), 400, "Request must have less than 50 items"),
        ("no new items", create.clone(), new(0, json!({})), 400, "at least one"),
        (
            "a bad upload token",
            create.clone(),
            new(1, json!({})),
            400,
            "Request must contain a valid upload token.",
        ),
        (
            "a description of 1000",
            create.clone(),
            new(1, json!({"description": "x".repeat(1000)})),
            400,
            "1000",
        ),
        (
            "a name of 256",
            create.clone(),
            new(1, json!({"simpleMediaItem": {"uploadToken": "x", "fileName": "x".repeat(256)}})),
            400,
            "255",
        ),
        ("a position without an album", create.clone(), position, 400, "Album position"),
        ("an unknown album", create.clone(), foreign, 404, "The provided ID does not match any albums"),
        ("a title of 501", "/v1/albums".into(), json!({"album": {"title": "x".repeat(501)}}), 400, "500"),
        (
            "51 into an album",
            album_path("batchAddMediaItems"),
            json!({"mediaItemIds": ids(51)}),
            400,
            "50 items",
        ),
        (
            "none into an album",
            album_path("batchAddMediaItems"),
            json!({"mediaItemIds": []}),
            400,
            "at least one",
        ),
        (
            "an unknown item into an album",
            album_path("batchAddMediaItems"),
            json!({"mediaItemIds": [item, "no"]}),
            400,
            "Request contains an invalid media item id.",
        ),
        (
            "51 out of an album",
            album_path("batchRemoveMediaItems"),
            json!({"mediaItemIds": ids(51)}),
            400,
            "50 items",
        ),
        (
            "none out of an album",
            album_path("batchRemoveMediaItems"),
            json!({"mediaItemIds": []}),
            400,
            "at least one",
        ),
        (
            "repeats out of an album",
            album_path("batchRemoveMediaItems"),
            json!({"mediaItemIds": ["a", "a"]}),
            400,
            "duplicate",
        ),
        (
            "an enrichment without a position",
            album_path("addEnrichment"),
            json!({"newEnrichmentItem": {"textEnrichment": {"text": "hi"}}}),
            400,
            "position",
        ),
        (
            "album and filters",
            search.clone(),
            json!({"albumId": album.id, "filters": {}}),
            400,
            "album id and filters",
        ),
        ("six dates", search.clone(), date(6), 400, "5 dates"),
        ("six ranges", search.clone(), range(6), 400, "5 date ranges"),
        (
            "eleven categories",
            search.clone(),
            categories("includedContentCategories", 11),
            400,
            "10 content categories",
        ),
        (
            "eleven categories shut out",
            search.clone(),
            categories("excludedContentCategories", 11),
            400,
            "10 content categories",
        ),
        ("a negative page", search.clone(), json!({"pageSize": -1}), 400, "negative"),
        ("a page token of nobody", search.clone(), json!({"pageToken": "abc"}), 400, "page token"),
        (
            "an order without dates",
            search.clone(),
            json!({"orderBy": "MediaMetadata.creation_time"}),
            400,
            "date filter",
        ),
        (
            "two media types",
            search.clone(),
            json!({"filters": {"mediaTypeFilter": {"mediaTypes": ["PHOTO", "VIDEO"]}}}),
            400,
            "one media type",
        ),
        (
            "a category on both sides",
            search.clone(),
            json!({"filters": {"contentFilter": {"includedContentCategories": ["PETS"], "excludedContentCategories": ["PETS"]}}}),
            400,
            "both",
        ),
        ("an unknown field", search.clone(), json!({"albumID": "x"}), 400, "Unknown name"),
        ("an unknown album to list", search.clone(), json!({"albumId": "nowhere"}), 404, "not found"),
        ("sharing", album_path("share"), json!({}), 403, "Request had insufficient authentication scopes."),
        ("joining", "/v1/sharedAlbums:join".into(), json!({"shareToken": "x"}), 403, "insufficient"),
    ];
    for (what, path, body, status, text) in cases {
        refused(what, world.post(&path, body).await, status, text);
    }
    for (what, path, body, text) in [
        (
            "a description changed to 1000",
            format!("/v1/mediaItems/{item}?updateMask=description"),
            json!({"description": "x".repeat(1000)}),
            "1000",
        ),
        (
            "a title changed to 501",
            format!("/v1/albums/{}?updateMask=title", album.id),
            json!({"title": "x".repeat(501)}),
            "500",
        ),
        (
            "a title changed to nothing",
            format!("/v1/albums/{}?updateMask=title", album.id),
            json!({}),
            "album title",
        ),
        (
            "a cover that is not there",
            format!("/v1/albums/{}?updateMask=coverPhotoMediaItemId", album.id),
            json!({"coverPhotoMediaItemId": "no"}),
            "invalid media item id",
        ),
        ("no mask", format!("/v1/mediaItems/{item}"), json!({"description": "x"}), "update mask"),
        (
            "a file name",
            format!("/v1/mediaItems/{item}?updateMask=filename"),
            json!({"filename": "x"}),
            "update mask",
        ),
    ] {
        refused(what, world.patch(&path, body).await, 400, text);
    }
    for (path, status, text) in [
        ("/v1/mediaItems:batchGet".to_owned(), 400, "at least one"),
        ("/v1/mediaItems:batchGet?mediaItemIds=a&mediaItemIds=a".to_owned(), 400, "duplicate"),
        (format!("/v1/mediaItems:batchGet?mediaItemIds={}", ids(51).join("&mediaItemIds=")), 400, "50 items"),
        ("/v1/mediaItems/unknown".to_owned(), 404, "not found"),
        ("/v1/albums/unknown".to_owned(), 404, "not found"),
        ("/v1/sharedAlbums".to_owned(), 403, "insufficient"),
    ] {
        refused(&path, world.get(&path).await, status, text);
    }
    assert_eq!(world.emulator.world().items()[0].description, "", "nothing was changed");
    assert_eq!(world.emulator.world().albums(), std::slice::from_ref(&album), "nothing was changed");

    // What is just within them is taken.
    for (what, path, body) in [
        ("five dates", search.clone(), date(5)),
        ("five ranges", search.clone(), range(5)),
        ("ten categories", search.clone(), categories("includedContentCategories", 10)),
        ("ten categories shut out", search.clone(), categories("excludedContentCategories", 10)),
        ("a title of 500", "/v1/albums".into(), json!({"album": {"title": "x".repeat(500)}})),
    ] {
        let (status, answer) = world.post(&path, body).await;
        assert_eq!(status, 200, "{what}: {answer}");
    }
    let path = format!("/v1/mediaItems/{item}?updateMask=description");
    assert_eq!(world.patch(&path, json!({"description": "é".repeat(999)})).await.0, 200);
    let path = format!("/v1/mediaItems:batchGet?mediaItemIds={}", ids(50).join("&mediaItemIds="));
    assert_eq!(world.get(&path).await.1["mediaItemResults"].as_array().unwrap().len(), 50);
    let mut uploaded = Vec::new();
    for seed in 0..50 {
        let token = world.upload("a.jpg", jpeg(seed)).await;
        let one = json!({"uploadToken": token, "fileName": "é".repeat(255)});
        uploaded.push(json!({"description": "é".repeat(999), "simpleMediaItem": one}));
    }
    let (status, answer) = world.post(&create, json!({"newMediaItems": uploaded})).await;
    assert_eq!(status, 200, "{answer}");
    let created: Vec<&Value> = answer["newMediaItemResults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| &result["mediaItem"]["id"])
        .collect();
    for verb in ["batchAddMediaItems", "batchRemoveMediaItems"] {
        let (status, answer) = world.post(&album_path(verb), json!({"mediaItemIds": created})).await;
        assert_eq!(status, 200, "{verb} of 50: {answer}");
    }
}

#[tokio::test]
async fn a_file_above_its_kinds_limit_fails_in_batch_create() {
    let (photo, film) = (jpeg(1), video::mp4(1, None, None));
    let (photo_size, film_size) = (photo.len() as u64, film.len() as u64);
    for (below, code) in [(0, Value::Null), (1, json!(3))] {
        let settings = Settings {
            max_photo_bytes: photo_size - below,
            max_video_bytes: film_size - below,
            ..Settings::default()
        };
        let world = World::with(settings).await;
        for (name, bytes) in [("big.jpg", &photo), ("big.mp4", &film)] {
            let result = world.create(name, bytes.clone()).await;
            assert_eq!(result["status"]["code"], code, "{name}, {below} below its size: {result}");
        }
    }
}

#[tokio::test]
async fn an_album_holds_so_many_items_and_no_more() {
    let world = World::with(Settings { max_album_items: 2, ..Settings::default() }).await;
    world.emulator.world().seed(&Seed { items: 3, albums: 0, ..Seed::default() });
    let ids: Vec<String> = world.emulator.world().items().into_iter().map(|item| item.id).collect();
    let (_, album) = world.post("/v1/albums", json!({"album": {"title": "One"}})).await;
    let path = format!("/v1/albums/{}:batchAddMediaItems", album["id"].as_str().unwrap());
    assert_eq!(world.post(&path, json!({"mediaItemIds": ids})).await.0, 400);
    assert_eq!(world.post(&path, json!({"mediaItemIds": ids[..2]})).await.0, 200);
}
