//! The emulator's own counts of what came and went: what was acknowledged, what came again although it had been, and what
//! was made of it.

use gphotos_emulator::{Action, Fault, SentTruth, ServedTruth};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    bytes::{command, query, start},
    support::{CLIENT, World, jpeg},
};

fn only<T>(mut all: Vec<T>) -> T {
    assert_eq!(all.len(), 1);
    all.pop().unwrap()
}

fn sent(world: &World) -> SentTruth {
    only(world.emulator.world().sent())
}

/// Received, acknowledged, again, times again, times finished.
fn counts(sent: &SentTruth) -> (u64, u64, u64, u64, u64) {
    (sent.bytes_received, sent.bytes_acknowledged, sent.bytes_again, sent.times_again, sent.times_finished)
}

fn file(length: usize) -> Vec<u8> {
    let mut file = jpeg(1);
    file.resize(length, 7);
    file
}

/// Sends a part of a file in its session; whether an answer came.
async fn send(world: &World, url: &str, what: &str, offset: usize, part: &[u8]) -> bool {
    let request = world.request(Method::POST, url).body(part.to_vec());
    let request = request.header("X-Goog-Upload-Command", what);
    let answer = request.header("X-Goog-Upload-Offset", offset.to_string()).send().await;
    answer.is_ok_and(|answer| answer.status() == 200)
}

#[tokio::test]
async fn an_upload_in_one_request_is_acknowledged_by_its_token_and_counts_again_after_that() {
    let world = World::new().await;
    let picture = jpeg(1);
    let length = picture.len() as u64;
    world.upload("a.jpg", picture.clone()).await;
    let first = sent(&world);
    assert_eq!((first.client_id.as_str(), first.name.as_str(), first.size), (CLIENT, "a.jpg", Some(length)));
    assert_eq!(counts(&first), (length, length, 0, 0, 1));
    world.upload("a.jpg", picture.clone()).await;
    assert_eq!(counts(&sent(&world)), (2 * length, length, length, 1, 2));
    // Another name is another file, and so is another length.
    world.upload("b.jpg", picture.clone()).await;
    world.upload("a.jpg", [&picture[..], b"more"].concat()).await;
    let all = world.emulator.world().sent();
    assert_eq!(all.len(), 3);
    assert_eq!(all.iter().map(|sent| sent.times_again).sum::<u64>(), 1);
    world.emulator.world().reset_stats();
    assert_eq!(world.emulator.world().sent(), all, "they are no statistics");
}

#[tokio::test]
async fn an_answer_that_never_came_acknowledges_nothing() {
    for fault in [
        Action::ResponseLost,
        Action::TruncatedBody { bytes: Some(10) },
        Action::ErrorAfterEffect { status: 503 },
        Action::ServerError { status: 503 },
        Action::ConnectionReset,
    ] {
        let world = World::new().await;
        world.emulator.world().add_fault(Fault::once(fault.clone()));
        let request = world.request(Method::POST, "/v1/uploads").header("X-Goog-Upload-File-Name", "a.jpg");
        let token = match request.body(jpeg(1)).send().await {
            Ok(answer) if answer.status() == 200 => answer.bytes().await.ok(),
            _ => None,
        };
        assert_eq!(token, None, "{fault:?}");
        let before = world.emulator.world().sent();
        assert!(before.iter().all(|sent| sent.bytes_acknowledged == 0), "{fault:?}: {before:?}");
        world.upload("a.jpg", jpeg(1)).await;
        let after = sent(&world);
        assert_eq!((after.bytes_again, after.times_finished), (0, 1), "{fault:?}");
    }
}

#[tokio::test]
async fn a_session_acknowledges_chunk_by_chunk_and_going_on_sends_nothing_again() {
    const CHUNK: usize = 262_144;
    let world = World::new().await;
    let file = file(2 * CHUNK + 1000);
    let url = start(&world, file.len()).await;
    assert_eq!(world.emulator.world().sent(), []);
    assert!(send(&world, &url, "upload", 0, &file[..CHUNK]).await);
    let chunk = CHUNK as u64;
    assert_eq!(counts(&sent(&world)), (chunk, chunk, 0, 0, 0));

    // What came of a chunk that broke is acknowledged when the client asks.
    world.emulator.world().add_fault(Fault::once(Action::BrokenChunk { bytes: Some(1000) }));
    assert!(!send(&world, &url, "upload", CHUNK, &file[CHUNK..2 * CHUNK]).await);
    assert_eq!(counts(&sent(&world)), (chunk + 1000, chunk, 0, 0, 0));
    assert_eq!(query(&world, &url).await.1, (chunk + 1000).to_string());
    assert_eq!(counts(&sent(&world)), (chunk + 1000, chunk + 1000, 0, 0, 0));

    assert!(send(&world, &url, "upload, finalize", CHUNK + 1000, &file[CHUNK + 1000..]).await);
    let length = file.len() as u64;
    let whole = sent(&world);
    assert_eq!(counts(&whole), (length, length, 0, 0, 1));
    assert!(whole.sha256.is_some());

    // A session of its own begins anew, and what it sends has come before.
    let url = start(&world, file.len()).await;
    assert!(send(&world, &url, "upload", 0, &file[..CHUNK]).await);
    assert_eq!(counts(&sent(&world)), (length + chunk, length, chunk, 1, 1));
}

#[tokio::test]
async fn an_unanswered_chunk_that_is_sent_anew_was_not_acknowledged() {
    const CHUNK: usize = 262_144;
    let world = World::new().await;
    let file = file(2 * CHUNK);
    let url = start(&world, file.len()).await;
    world.emulator.world().add_fault(Fault::once(Action::ResponseLost));
    assert!(!send(&world, &url, "upload", 0, &file[..CHUNK]).await);
    let url = start(&world, file.len()).await;
    let whole = [("X-Goog-Upload-Command", "upload, finalize"), ("X-Goog-Upload-Offset", "0")];
    assert_eq!(command(&world, &url, &whole, file.clone()).await.0, 200);
    let (chunk, length) = (CHUNK as u64, file.len() as u64);
    assert_eq!(counts(&sent(&world)), (chunk + length, length, 0, 0, 1));
}

fn served(world: &World) -> ServedTruth {
    only(world.emulator.world().served())
}

#[tokio::test]
async fn a_download_counts_again_below_where_an_earlier_one_came_to() {
    let world = World::seeded(1, 0).await;
    let base = world.all(1).await[0]["baseUrl"].as_str().unwrap().to_owned();
    let get = async |range: &str| {
        let request = world.http.get(format!("{base}=d"));
        let request = if range.is_empty() { request } else { request.header("Range", range) };
        request.send().await.unwrap().bytes().await.unwrap().len() as u64
    };
    // Neither a look nor a thumbnail is a download.
    world.http.head(format!("{base}=d")).send().await.unwrap();
    world.http.get(format!("{base}=w32-h32")).send().await.unwrap();
    assert_eq!(world.emulator.world().served(), []);

    assert_eq!(get("bytes=0-99").await, 100);
    let rest = get("bytes=100-").await;
    let length = rest + 100;
    let parts = served(&world);
    assert_eq!(
        (parts.video, parts.size, parts.bytes_sent, parts.bytes_reached),
        (false, length, length, length)
    );
    assert_eq!((parts.bytes_again, parts.times_again, parts.times_whole), (0, 0, 0));
    assert_eq!(get("").await, length);
    assert_eq!(get("bytes=10-19").await, 10);
    get("bytes=99999999-").await;
    let again = served(&world);
    assert_eq!((again.bytes_again, again.times_again, again.times_whole), (length + 10, 2, 1));
}

#[tokio::test]
async fn a_large_download_that_is_cut_off_was_not_served_whole() {
    let world = World::new().await;
    let id = world.emulator.world().add_large_video(CLIENT, "long.mp4", 3_000_000, 9);
    let url = format!("{}=dv", world.all(1).await[0]["baseUrl"].as_str().unwrap());
    world
        .emulator
        .world()
        .add_fault(Fault::once(Action::TruncatedBody { bytes: Some(1_000_000) }).on(&["media.bytes"]));
    assert!(world.http.get(&url).send().await.unwrap().bytes().await.is_err());
    let half = served(&world);
    assert_eq!((half.bytes_sent, half.bytes_reached, half.times_whole), (1_000_000, 1_000_000, 0));
    assert_eq!(world.http.get(&url).send().await.unwrap().bytes().await.unwrap().len(), 3_000_000);
    let served = self::served(&world);
    assert_eq!((served.item_id, served.video, served.size), (id, true, 3_000_000));
    assert_eq!((served.times_whole, served.bytes_again), (1, 1_000_000));
}

#[tokio::test]
async fn what_a_batch_makes_and_what_it_only_finds_are_counted_apart() {
    let world = World::new().await;
    for (created, met_again) in [(1, 0), (1, 1)] {
        world.create("a.jpg", jpeg(1)).await;
        let stats = world.emulator.world().stats();
        assert_eq!((stats.items_created, stats.items_met_again), (created, met_again));
    }
}

#[tokio::test]
async fn the_admin_paths_tell_what_came_and_went() {
    let world = World::new().await;
    world.create("a.jpg", jpeg(1)).await;
    let base = world.all(1).await[0]["baseUrl"].as_str().unwrap().to_owned();
    world.http.get(format!("{base}=d")).send().await.unwrap().bytes().await.unwrap();
    let (_, sent) = world.get("/-/sent").await;
    let (_, served) = world.get("/-/served").await;
    let (_, items) = world.get("/-/items").await;
    assert_eq!(sent[0]["sha256"], items[0]["sha256"]);
    assert_eq!(sent, json!(world.emulator.world().sent()));
    assert_eq!(served, json!(world.emulator.world().served()));
    assert_eq!(served[0]["times_whole"], 1);
    assert!(sent.as_array().map(Vec::len) == Some(1) && !Value::is_null(&served[0]["item_id"]));
}
