//! Misbehaviour in the middle: sessions that are lost, chunks and bytes that break off, answers that never come.

use std::time::Duration;

use crate::{
    bytes::{command, header, query, start},
    support::{CLIENT, World, jpeg, message, read},
};
use gphotos_emulator::{Action, Fault, Limit, SessionAnswer, Settings};
use reqwest::Method;
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream};

const CHUNK: usize = 262_144;
const UPLOAD: [(&str, &str); 2] = [("X-Goog-Upload-Command", "upload"), ("X-Goog-Upload-Offset", "0")];
const FINALIZE: [(&str, &str); 2] =
    [("X-Goog-Upload-Command", "upload, finalize"), ("X-Goog-Upload-Offset", "0")];

async fn broken(world: &World, url: &str, body: Vec<u8>) -> bool {
    let request = UPLOAD
        .iter()
        .fold(world.request(Method::POST, url), |request, (name, value)| request.header(*name, *value));
    request.body(body).send().await.is_err()
}

/// Goes on where a session says that it stopped, and returns the bytes of the item.
async fn finish(world: &World, url: &str, file: &[u8]) -> Vec<u8> {
    let received: usize = query(world, url).await.1.parse().unwrap();
    let offset = received.to_string();
    let rest = [("X-Goog-Upload-Command", "upload, finalize"), ("X-Goog-Upload-Offset", offset.as_str())];
    let (status, _, token) = command(world, url, &rest, file[received..].to_vec()).await;
    assert_eq!(status, 200, "{token}");
    let body = json!({"newMediaItems": [{"simpleMediaItem": {"uploadToken": token}}]});
    let (_, body) = world.post("/v1/mediaItems:batchCreate", body).await;
    let id = body["newMediaItemResults"][0]["mediaItem"]["id"].as_str().unwrap().to_owned();
    world.emulator.world().original(&id).unwrap().to_vec()
}

#[tokio::test]
async fn what_arrived_of_a_broken_chunk_counts_whole_or_rounded() {
    for (rounds, received) in [(false, 300_000), (true, CHUNK)] {
        let world = World::with(Settings { round_broken_chunks: rounds, ..Settings::default() }).await;
        let mut file = jpeg(1);
        file.resize(CHUNK * 2 + 77, 7);
        let url = start(&world, file.len()).await;
        world.emulator.world().add_fault(Fault::once(Action::BrokenChunk { bytes: Some(300_000) }));
        assert!(broken(&world, &url, file[..CHUNK * 2].to_vec()).await);
        assert_eq!(query(&world, &url).await, ("active".into(), received.to_string()));
        assert_eq!(finish(&world, &url, &file).await, file);
    }
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_a_chunk_goes_on_where_it_was() {
    let world = World::with(Settings { round_broken_chunks: true, ..Settings::default() }).await;
    let mut file = jpeg(1);
    file.resize(CHUNK * 2 + 77, 7);
    let url = start(&world, file.len()).await;
    let path = url.strip_prefix(&world.emulator.url()).unwrap();
    let mut stream = TcpStream::connect(world.emulator.address()).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\
         X-Goog-Upload-Command: upload\r\nX-Goog-Upload-Offset: 0\r\n\r\n",
        world.token,
        CHUNK * 2
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&file[..300_000]).await.unwrap();
    while query(&world, &url).await.1 != "300000" {
        tokio::task::yield_now().await;
    }
    drop(stream);
    while query(&world, &url).await.1 != CHUNK.to_string() {
        tokio::task::yield_now().await;
    }
    assert_eq!(finish(&world, &url, &file).await, file);
}

#[tokio::test]
async fn a_session_that_is_lost_stays_lost() {
    let world = World::new().await;
    for (answer, status, then) in [
        (SessionAnswer::NotFound, 404, ""),
        (SessionAnswer::Gone, 410, ""),
        (SessionAnswer::Final, 400, "final"),
        (SessionAnswer::Cancelled, 400, "cancelled"),
    ] {
        let url = start(&world, 2000).await;
        world.emulator.world().add_fault(Fault::once(Action::LostSession { answer }));
        let (seen, headers, _) = command(&world, &url, &FINALIZE, vec![1; 2000]).await;
        assert_eq!((seen.as_u16(), header(&headers, "x-goog-upload-status")), (status, then));
        assert_eq!(query(&world, &url).await.0, then);
        world.emulator.world().clear_faults();
    }
    let url = start(&world, 2000).await;
    let lost = Action::LostSession { answer: SessionAnswer::Final };
    world.emulator.world().add_fault(Fault::once(lost).on(&["uploads.query"]));
    assert_eq!(query(&world, &url).await.0, "final");
}

#[tokio::test]
async fn a_chunk_may_take_effect_and_be_answered_with_an_error() {
    let world = World::new().await;
    let mut file = jpeg(1);
    file.resize(CHUNK + 5, 7);
    let url = start(&world, file.len()).await;
    let fault = Fault::once(Action::ErrorAfterEffect { status: 503 }).on(&["uploads.upload"]);
    world.emulator.world().add_fault(fault);
    assert_eq!(command(&world, &url, &UPLOAD, file[..CHUNK].to_vec()).await.0, 503);
    assert_eq!(query(&world, &url).await, ("active".into(), CHUNK.to_string()));
    assert_eq!(finish(&world, &url, &file).await, file);
    let fault = Fault::once(Action::ErrorAfterEffect { status: 502 }).on(&["albums.create"]);
    world.emulator.world().add_fault(fault);
    assert_eq!(world.post("/v1/albums", json!({"album": {"title": "x"}})).await.0, 502);
    assert_eq!(world.emulator.world().albums().len(), 1);
}

#[tokio::test]
async fn a_header_of_a_session_may_be_missing() {
    let world = World::new().await;
    for name in ["X-Goog-Upload-Status", "X-Goog-Upload-URL"] {
        let fault = Action::MissingHeader { name: name.to_owned() };
        world.emulator.world().add_fault(Fault::once(fault).on(&["uploads.start"]));
        let begin = [("X-Goog-Upload-Command", "start"), ("X-Goog-Upload-Protocol", "resumable")];
        let (status, headers, _) = command(&world, "/v1/uploads", &begin, Vec::new()).await;
        assert_eq!((status.as_u16(), header(&headers, name)), (200, ""));
    }
}

#[tokio::test]
async fn a_large_upload_is_hashed_and_not_kept_raw_or_resumable() {
    let settings = Settings { largest_kept_upload_bytes: 1000, ..Settings::default() };
    let world = World::with(settings).await;
    let mut file = jpeg(1);
    file.resize(CHUNK + 5, 7);
    let raw = world.create("raw.jpg", file.clone()).await["mediaItem"]["id"].clone();
    assert_eq!(world.emulator.world().original(raw.as_str().unwrap()), None);
    let url = start(&world, file.len()).await;
    let (_, _, token) = command(&world, &url, &FINALIZE, file.clone()).await;
    let body = json!({"newMediaItems": [{"simpleMediaItem": {"uploadToken": token}}]});
    let (_, body) = world.post("/v1/mediaItems:batchCreate", body).await;
    assert_eq!(body["newMediaItemResults"][0]["mediaItem"]["id"], raw, "the same bytes");
    assert_eq!(world.emulator.world().items()[0].size, Some(file.len() as u64));
    let other = world.upload("small.jpg", jpeg(2)[..900].to_vec()).await;
    assert!(!other.is_empty());
}

#[tokio::test]
async fn nothing_may_come_at_all_or_stop_on_its_way() {
    let world = World::seeded(1, 0).await;
    let url = format!("{}=d", world.all(1).await[0]["baseUrl"].as_str().unwrap());
    let soon = Duration::from_millis(100);
    for (method, path) in [(Method::GET, url.as_str()), (Method::POST, "/v1/albums")] {
        for reads_body in [true, false] {
            world.emulator.world().add_fault(Fault::once(Action::Standstill { reads_body }));
            let request = world.request(method.clone(), path).body(r#"{"album":{"title":"x"}}"#);
            assert!(request.timeout(soon).send().await.unwrap_err().is_timeout());
        }
    }
    assert_eq!(world.emulator.world().albums().len(), 0);
    assert_eq!(world.post("/v1/albums", json!({"album": {"title": "x"}})).await.0, 200);
    assert_eq!(world.emulator.world().stats().peak_concurrent_writes, 1);
    world.emulator.world().add_fault(Fault::once(Action::StalledBody { bytes: None }));
    let begun = world.http.get(&url).timeout(soon).send().await.unwrap();
    assert_eq!(begun.status(), 200);
    assert!(begun.bytes().await.unwrap_err().is_timeout());
}

#[tokio::test]
async fn other_bytes_may_come_than_those_that_were_asked_for() {
    let world = World::seeded(1, 0).await;
    let emulated = world.emulator.world();
    let url = format!("{}=d", world.all(1).await[0]["baseUrl"].as_str().unwrap());
    let part = || world.http.get(&url).header("Range", "bytes=100-199").send();
    let whole = world.http.get(&url).send().await.unwrap();
    let tag = header(whole.headers(), "etag").to_owned();
    let whole = whole.bytes().await.unwrap();

    emulated.add_fault(Fault::once(Action::Placeholder));
    let placeholder = part().await.unwrap();
    assert_eq!(
        (placeholder.status().as_u16(), header(placeholder.headers(), "content-type")),
        (200, "image/png")
    );
    assert!(placeholder.bytes().await.unwrap().starts_with(b"\x89PNG"));

    emulated.add_fault(Fault::once(Action::RangeIgnored));
    let ignored = part().await.unwrap();
    assert_eq!((ignored.status().as_u16(), ignored.bytes().await.unwrap()), (200, whole.clone()));

    emulated.add_fault(Fault::once(Action::WrongRange));
    let wrong = part().await.unwrap();
    assert_eq!(wrong.status(), 206);
    assert_eq!(header(wrong.headers(), "content-range"), format!("bytes 0-99/{}", whole.len()));
    assert_eq!(wrong.bytes().await.unwrap(), whole[..100]);

    emulated.add_fault(Fault::once(Action::ContentChanged).after(1));
    assert_eq!(header(part().await.unwrap().headers(), "etag"), tag);
    let changed = part().await.unwrap();
    let other = header(changed.headers(), "etag").to_owned();
    assert_ne!(other, tag);
    assert_ne!(world.http.get(&url).send().await.unwrap().bytes().await.unwrap(), whole);
    assert_eq!(header(part().await.unwrap().headers(), "etag"), other, "it stays the other one");
}

#[tokio::test]
async fn every_limit_may_be_hit_by_every_method_also_for_bytes() {
    let world = World::seeded(1, 0).await;
    let url = format!("{}=d", world.all(1).await[0]["baseUrl"].as_str().unwrap());
    for (limit, text) in [
        (Limit::RequestsPerMinutePerUser, "All requests per minute per user"),
        (Limit::AllRequestsPerDay, "All requests per day"),
    ] {
        for retry_after_seconds in [None, Some(7)] {
            for (method, path) in [
                (Method::GET, url.as_str()),
                (Method::GET, "/v1/mediaItems"),
                (Method::GET, "/v1/albums"),
                (Method::POST, "/v1/uploads"),
                (Method::POST, "/v1/mediaItems:search"),
                (Method::POST, "/v1/mediaItems:batchCreate"),
            ] {
                let fault = Action::TooManyRequests { limit, retry_after_seconds };
                world.emulator.world().add_fault(Fault::once(fault));
                let response = world.request(method, path).send().await.unwrap();
                let seen = header(response.headers(), "retry-after").to_owned();
                assert_eq!(seen, retry_after_seconds.map_or(String::new(), |s: u64| s.to_string()));
                let (status, body) = read(response).await;
                assert_eq!(status, 429, "{path}");
                assert!(message(&body).contains(text), "{body}");
            }
        }
    }
}

#[tokio::test]
async fn a_named_item_of_a_batch_may_be_there_already() {
    let world = World::new().await;
    world.emulator.world().add_item(CLIENT, "a.jpg", jpeg(9)).unwrap();
    let mut new = Vec::new();
    // The second and the third are the same bytes.
    for seed in [1, 2, 2, 3] {
        let token = world.upload("a.jpg", jpeg(seed)).await;
        new.push(json!({"simpleMediaItem": {"uploadToken": token}}));
    }
    let fault = Action::ItemError { code: 6, positions: vec![3] };
    world.emulator.world().add_fault(Fault::once(fault));
    let (status, answer) = world.post("/v1/mediaItems:batchCreate", json!({"newMediaItems": new})).await;
    assert_eq!(status, 200);
    let codes: Vec<_> =
        (0..4).map(|at| answer["newMediaItemResults"][at]["status"]["code"].as_u64()).collect();
    assert_eq!(codes, [None, None, Some(6), Some(6)]);
    let text = "Failed: There was an error while trying to create this media item.";
    assert_eq!(answer["newMediaItemResults"][2]["status"]["message"], text);
}
