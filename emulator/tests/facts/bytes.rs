//! The facts about uploads and base URLs: raw and resumable, their errors, expiry, HEAD, Range, and what `=d` does.

use crate::support::{World, jpeg, message, read};
use gphotos_emulator::{Action, Fault, Seed, Settings, exif::Exif, jpeg as segments, video};
use jiff::SignedDuration;
use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::json;

pub(crate) async fn command(
    world: &World,
    url: &str,
    headers: &[(&'static str, &str)],
    body: Vec<u8>,
) -> (StatusCode, HeaderMap, String) {
    let mut request = world.request(Method::POST, url).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    (status, headers, response.text().await.unwrap())
}

pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

pub(crate) async fn start(world: &World, size: usize) -> String {
    let headers = [
        ("X-Goog-Upload-Command", "start"),
        ("X-Goog-Upload-Protocol", "resumable"),
        ("X-Goog-Upload-Content-Type", "image/jpeg"),
        ("X-Goog-Upload-File-Name", "slow.jpg"),
        ("X-Goog-Upload-Raw-Size", &size.to_string()),
    ];
    let (status, headers, _) = command(world, "/v1/uploads", &headers, Vec::new()).await;
    assert_eq!(status, 200);
    assert_eq!(header(&headers, "x-goog-upload-status"), "active");
    assert_eq!(header(&headers, "x-goog-upload-chunk-granularity"), "262144");
    header(&headers, "x-goog-upload-url").to_owned()
}

pub(crate) async fn query(world: &World, url: &str) -> (String, String) {
    let (_, headers, _) = command(world, url, &[("X-Goog-Upload-Command", "query")], Vec::new()).await;
    let get = |name| header(&headers, name).to_owned();
    (get("x-goog-upload-status"), get("x-goog-upload-size-received"))
}

#[tokio::test]
async fn errors_of_the_upload_endpoint_are_a_bare_status() {
    let mut world = World::new().await;
    let (status, body) = read(world.request(Method::POST, "/v1/uploads").send().await.unwrap()).await;
    assert_eq!((status.as_u16(), body), (400, json!({"code": 3, "message": "Payload must not be empty"})));
    let refused = json!({"code": 16, "message": "Authentication session is not defined."});
    for token in [
        "nonsense".to_owned(),
        world.emulator.world().access_token("1-x", &["photoslibrary.edit.appcreateddata"]),
    ] {
        world.token = token;
        let request = world.request(Method::POST, "/v1/uploads").body(jpeg(1));
        let (status, body) = read(request.send().await.unwrap()).await;
        assert_eq!((status.as_u16(), body), (401, refused.clone()));
    }
}

#[tokio::test]
async fn a_resumable_upload_goes_on_where_it_stopped() {
    let world = World::new().await;
    let mut file = jpeg(1);
    file.resize(262_144 + 1000, 7);
    let url = start(&world, file.len()).await;
    assert_eq!(query(&world, &url).await, ("active".into(), "0".into()));
    let upload = [("X-Goog-Upload-Command", "upload"), ("X-Goog-Upload-Offset", "0")];
    let (status, _, _) = command(&world, &url, &upload, file[..262_144].to_vec()).await;
    assert_eq!(status, 200);
    assert_eq!(query(&world, &url).await, ("active".into(), "262144".into()));
    // The wrong offset is refused, and nothing is lost by it. Java writes the command without a space.
    let wrong = [("X-Goog-Upload-Command", "upload,finalize"), ("X-Goog-Upload-Offset", "5")];
    assert_eq!(command(&world, &url, &wrong, file[5..].to_vec()).await.0, 400);
    let rest = [("X-Goog-Upload-Command", "upload,finalize"), ("X-Goog-Upload-Offset", "262144")];
    let (status, headers, token) = command(&world, &url, &rest, file[262_144..].to_vec()).await;
    assert_eq!((status.as_u16(), header(&headers, "x-goog-upload-status")), (200, "final"));
    assert_eq!(query(&world, &url).await, ("final".into(), file.len().to_string()));
    let body = json!({"newMediaItems": [{"simpleMediaItem": {"uploadToken": token}}]});
    let (_, body) = world.post("/v1/mediaItems:batchCreate", body).await;
    let item = &body["newMediaItemResults"][0]["mediaItem"];
    assert_eq!(item["filename"], "slow.jpg");
    assert_eq!(world.emulator.world().original(item["id"].as_str().unwrap()).unwrap(), file);
    let counts = world.emulator.world().stats();
    assert_eq!((counts.requests["uploads.start"], counts.requests["uploads.finalize"]), (1, 2));
}

#[tokio::test]
async fn a_chunk_that_is_not_a_multiple_of_the_granularity_ends_the_session() {
    let world = World::new().await;
    let url = start(&world, 2000).await;
    let upload = [("X-Goog-Upload-Command", "upload"), ("X-Goog-Upload-Offset", "0")];
    assert_eq!(command(&world, &url, &upload, vec![0; 1000]).await.0, 400);
    assert_ne!(query(&world, &url).await.0, "active");
}

#[tokio::test]
async fn a_cancelled_session_stays_cancelled() {
    let world = World::new().await;
    let url = start(&world, 10).await;
    command(&world, &url, &[("X-Goog-Upload-Command", "cancel")], Vec::new()).await;
    assert_eq!(query(&world, &url).await.0, "cancelled");
    let upload = [("X-Goog-Upload-Command", "upload, finalize"), ("X-Goog-Upload-Offset", "0")];
    assert_eq!(command(&world, &url, &upload, vec![0; 10]).await.0, 400);
}

#[tokio::test]
async fn an_upload_token_lives_for_a_day() {
    let world = World::with(Settings { access_token_seconds: 1_000_000, ..Settings::default() }).await;
    let token = world.upload("a.jpg", jpeg(1)).await;
    world.emulator.world().advance(SignedDuration::from_hours(24));
    let body = json!({"newMediaItems": [{"simpleMediaItem": {"uploadToken": token}}]});
    let (status, body) = world.post("/v1/mediaItems:batchCreate", body).await;
    assert_eq!((status.as_u16(), message(&body)), (400, "Request must contain a valid upload token."));
}

#[tokio::test]
async fn an_upload_token_works_once_where_that_is_set() {
    let world = World::with(Settings { single_use_upload_tokens: true, ..Settings::default() }).await;
    let token = world.upload("a.jpg", jpeg(1)).await;
    let body = json!({"newMediaItems": [{"simpleMediaItem": {"uploadToken": token}}]});
    assert_eq!(world.post("/v1/mediaItems:batchCreate", body.clone()).await.0, 200);
    assert_eq!(world.post("/v1/mediaItems:batchCreate", body).await.0, 400);
}

#[tokio::test]
async fn the_download_copy_is_another_file_without_the_place() {
    let world = World::new().await;
    world.emulator.world().seed(&Seed { items: 6, video_share: 0.5, location_share: 1.0, ..Seed::default() });
    for item in world.all(100).await {
        let original = world.emulator.world().original(item["id"].as_str().unwrap()).unwrap();
        let base = item["baseUrl"].as_str().unwrap();
        let is_video = item["mimeType"] == "video/mp4";
        // No authorization: a base URL is enough.
        let url = format!("{base}={}", if is_video { "dv" } else { "d" });
        let response = world.http.get(url).send().await.unwrap();
        assert_eq!(response.headers()["content-type"], item["mimeType"].as_str().unwrap());
        let copy = response.bytes().await.unwrap();
        assert_ne!(copy, original);
        if is_video {
            assert!(video::read(&original).unwrap().location.is_some());
            assert!(video::read(&copy).unwrap().location.is_none());
        } else {
            let exif = |file: &[u8]| Exif::from_tiff(segments::exif_block(file).unwrap());
            assert!(exif(&original).location.is_some());
            assert_eq!(exif(&copy), Exif { location: None, ..exif(&original) });
            let still = world.http.get(format!("{base}=dv")).send().await.unwrap();
            assert_eq!(still.status(), 404, "a still has no video");
        }
        let thumbnail =
            world.http.get(format!("{base}=w32-h32-c")).send().await.unwrap().bytes().await.unwrap();
        assert_eq!(segments::dimensions(&thumbnail), Some((32, 32)));
        world.emulator.world().update_settings(|settings| settings.keep_bytes = true);
        let url = format!("{base}={}", if is_video { "dv" } else { "d" });
        assert_eq!(world.http.get(url).send().await.unwrap().bytes().await.unwrap(), original);
        world.emulator.world().update_settings(|settings| settings.keep_bytes = false);
    }
}

#[tokio::test]
async fn head_tells_the_length_and_a_range_gives_its_part() {
    let world = World::seeded(1, 0).await;
    let url = format!("{}=d", world.all(1).await[0]["baseUrl"].as_str().unwrap());
    let whole = world.http.get(&url).send().await.unwrap().bytes().await.unwrap();
    let head = world.http.head(&url).send().await.unwrap();
    assert_eq!(head.headers()["content-length"], whole.len().to_string());
    let part = world.http.get(&url).header("Range", "bytes=10-19").send().await.unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(part.headers()["content-range"], format!("bytes 10-19/{}", whole.len()));
    assert_eq!(part.bytes().await.unwrap(), whole[10..20]);
    let beyond = world.http.get(&url).header("Range", "bytes=99999999-").send().await.unwrap();
    assert_eq!(beyond.status(), 416);
}

#[tokio::test]
async fn a_base_url_dies_after_an_hour_and_a_new_one_works() {
    let world = World::with(Settings { access_token_seconds: 100_000, ..Settings::default() }).await;
    world.emulator.world().seed(&Seed { items: 1, ..Seed::default() });
    let url = || async { format!("{}=d", world.all(1).await[0]["baseUrl"].as_str().unwrap()) };
    let old = url().await;
    world.emulator.world().advance(SignedDuration::from_secs(3599));
    assert_eq!(world.http.get(&old).send().await.unwrap().status(), 200);
    world.emulator.world().advance(SignedDuration::from_secs(1));
    let dead = world.http.get(&old).send().await.unwrap();
    assert_eq!(dead.status(), 403);
    assert!(dead.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    assert!(dead.text().await.unwrap().contains("Your client does not have permission to get URL"));
    assert_eq!(world.http.get(url().await).send().await.unwrap().status(), 200);
    let missing = world.http.get(format!("{}/lr/nobody=d", world.emulator.url())).send().await.unwrap();
    assert_eq!(
        (missing.status().as_u16(), &missing.headers()["content-type"]),
        (404, &"image/png".parse().unwrap())
    );
}

#[tokio::test]
async fn plain_items_have_their_exact_size_and_cost_no_memory() {
    let world = World::with(Settings { keep_bytes: true, ..Settings::default() }).await;
    world.emulator.world().seed(&Seed::plain(20, 100_000));
    let url = format!("{}=d", world.all(1).await[0]["baseUrl"].as_str().unwrap());
    let bytes = world.http.get(url).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(bytes.len(), 100_000);
    assert_eq!(segments::dimensions(&bytes), Some((64, 48)));
}

#[tokio::test]
async fn uploads_that_are_not_kept_are_still_known_and_shown() {
    let world = World::with(Settings { keep_uploads: false, ..Settings::default() }).await;
    let first = world.create("a.jpg", jpeg(1)).await;
    let again = world.create("b.jpg", jpeg(1)).await;
    assert_eq!(first["mediaItem"]["id"], again["mediaItem"]["id"]);
    assert_eq!(world.emulator.world().original(first["mediaItem"]["id"].as_str().unwrap()), None);
    let url = format!("{}=d", first["mediaItem"]["baseUrl"].as_str().unwrap());
    let bytes = world.http.get(url).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(segments::dimensions(&bytes), Some((64, 48)));
}

#[tokio::test]
async fn a_full_account_takes_no_more() {
    let world = World::with(Settings { storage_left_bytes: Some(10), ..Settings::default() }).await;
    let token = world.upload("a.jpg", jpeg(1)).await;
    let body = json!({"newMediaItems": [{"simpleMediaItem": {"uploadToken": token}}]});
    let (status, body) = world.post("/v1/mediaItems:batchCreate", body).await;
    let text = "The remaining storage in the user's account is not enough to perform this operation.";
    assert_eq!((status.as_u16(), message(&body)), (400, text));
    assert_eq!(body["error"]["status"], "INVALID_ARGUMENT");
}

#[tokio::test]
async fn a_new_video_is_processed_first_where_that_is_set() {
    let world = World::with(Settings { video_processing_seconds: 60, ..Settings::default() }).await;
    let result = world.create("a.mp4", video::mp4(1, None, None)).await;
    let item = &result["mediaItem"];
    assert_eq!(item["mediaMetadata"]["video"]["status"], "PROCESSING");
    let url = format!("{}=dv", item["baseUrl"].as_str().unwrap());
    assert_eq!(world.http.get(&url).send().await.unwrap().status(), 404);
    world.emulator.world().advance(SignedDuration::from_secs(60));
    assert_eq!(world.http.get(&url).send().await.unwrap().status(), 200);
    world.emulator.world().add_fault(Fault::once(Action::VideoProcessing).on(&["media.bytes"]));
    assert_eq!(world.http.get(&url).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn a_chunked_body_without_a_length_is_taken() {
    let world = World::new().await;
    let file = jpeg(3);
    let halves = file.chunks(500).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect::<Vec<_>>();
    let body = reqwest::Body::wrap_stream(futures::stream::iter(halves));
    let request = world.request(Method::POST, "/v1/uploads").header("X-Goog-Upload-File-Name", "a.jpg");
    let (status, token) = read(request.body(body).send().await.unwrap()).await;
    assert_eq!(status, 200);
    let body = json!({"newMediaItems": [{"simpleMediaItem": {"uploadToken": token}}]});
    let (_, body) = world.post("/v1/mediaItems:batchCreate", body).await;
    let id = body["newMediaItemResults"][0]["mediaItem"]["id"].as_str().unwrap().to_owned();
    assert_eq!(world.emulator.world().original(&id).unwrap(), file);
}

#[tokio::test]
async fn bytes_above_the_memory_limit_are_dropped_after_hashing() {
    let world = World::with(Settings { upload_memory_bytes: 100, ..Settings::default() }).await;
    let result = world.create("a.jpg", jpeg(3)).await;
    assert_eq!(world.emulator.world().original(result["mediaItem"]["id"].as_str().unwrap()), None);
    let again = world.create("b.jpg", jpeg(3)).await;
    assert_eq!(again["mediaItem"]["id"], result["mediaItem"]["id"]);
}
