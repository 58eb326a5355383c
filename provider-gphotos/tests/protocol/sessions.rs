//! Uploads that can be taken up again.

use std::sync::{
    Arc, LazyLock, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use charon_provider::{Class, Content, Error, KeepSession, Reason, Session, UploadToken};
use futures::{StreamExt as _, stream};
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::{
    account::{FRESH, NotKept, assert_tells_no_secret, open},
    upload_server::{Chunk, Tell, UploadServer},
};

const MIB: u64 = 1024 * 1024;

/// What every large file here repeats: a length that divides no chunk.
const PERIOD: u64 = 251;
static PATTERN: LazyLock<Bytes> =
    LazyLock::new(|| (0..PERIOD * 1000).map(|at| u8::try_from(at % PERIOD).expect("below 251")).collect());

/// The bytes of a large file from one place to another, at most 100,000 of them. That divides no chunk either, so that pieces
/// have to be cut.
fn piece(at: u64, length: u64) -> Bytes {
    let begin = usize::try_from(at % PERIOD).expect("below 251");
    let size = usize::try_from(length.saturating_sub(at).min(100_000)).expect("at most 100,000");
    PATTERN.slice(begin..begin + size)
}

fn bytes(length: u64) -> Vec<u8> {
    let mut all = Vec::new();
    while (all.len() as u64) < length {
        all.extend_from_slice(&piece(all.len() as u64, length));
    }
    all
}

/// A file that counts how many bytes were read of it, and how often it was opened.
fn large(length: u64, drawn: &Arc<AtomicU64>, opened: &Arc<AtomicU64>) -> Content {
    let (drawn, opened) = (Arc::clone(drawn), Arc::clone(opened));
    Content {
        file_name: "long.mp4".into(),
        mime_type: Some("video/mp4"),
        length,
        open: Arc::new(move |from| {
            opened.fetch_add(1, Ordering::Relaxed);
            let drawn = Arc::clone(&drawn);
            stream::unfold(from, move |at| {
                let piece = piece(at, length);
                let read = piece.len() as u64;
                drawn.fetch_add(read, Ordering::Relaxed);
                std::future::ready((read > 0).then(|| (Ok(piece), at + read)))
            })
            .boxed()
        }),
    }
}

fn file(length: u64) -> Content {
    large(length, &Arc::default(), &Arc::default())
}

/// Keeps a session, and what the server had received when it was kept.
#[derive(Default)]
struct Keeper {
    kept: Mutex<Vec<Session>>,
    refuses: bool,
}

#[async_trait]
impl KeepSession for Keeper {
    async fn keep(&self, session: &Session) -> Result<(), Error> {
        if self.refuses {
            return Err(Error::new(Class::Destination, "keep the session", "the disk is full"));
        }
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(session.clone());
        Ok(())
    }
}

impl Keeper {
    fn session(&self) -> Session {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).first().expect("a session").clone()
    }
}

/// Sends a file by a storage of its own, as another process would.
async fn send(
    server: &UploadServer,
    content: &Content,
    session: Option<&Session>,
    keep: &dyn KeepSession,
) -> Result<UploadToken, Error> {
    let (storage, host) = open(&server.uri, FRESH, json!({}));
    let before = server.commands().len();
    let result = storage.sink().expect("a sink").send(content, session, keep).await;
    // I7
    let (permits, seen) = (host.permits(), server.commands().len() - before);
    assert!(
        permits.len() >= seen && permits.iter().all(|cost| *cost == "api"),
        "{permits:?} for {seen} requests"
    );
    assert_tells_no_secret(&format!("{result:?}"));
    assert!(!format!("{result:?}").contains("secret-session"), "{result:?}");
    result
}

fn command(name: &str, offset: impl Into<Option<u64>>, length: u64) -> (String, Option<u64>, u64) {
    (name.to_owned(), offset.into(), length)
}

#[tokio::test]
async fn a_large_file_goes_up_in_chunks_of_the_granularity_each_where_the_last_one_ended() {
    let server = UploadServer::start().await;
    server.state().granularity = Some(5 * MIB);
    let (drawn, opened, kept) = (Arc::default(), Arc::default(), Keeper::default());
    let length = 128 * MIB + 7;
    let token = send(&server, &large(length, &drawn, &opened), None, &kept).await.unwrap();
    assert_eq!(token.token.expose_secret(), "upload-token-1");
    assert_eq!(token.valid_until.to_string(), "2026-11-22T07:00:00Z");
    assert_eq!(
        server.commands(),
        [
            command("start", None, 0),
            command("upload", 0, 60 * MIB),
            command("upload", 60 * MIB, 60 * MIB),
            command("upload, finalize", 120 * MIB, 8 * MIB + 7),
        ]
    );
    assert!(server.state().bytes == bytes(length), "other bytes arrived");
    assert_eq!(opened.load(Ordering::Relaxed), 1, "the file was opened more often than needed");
    let state = server.state();
    let start = state.seen[0].head.to_ascii_lowercase();
    for header in [
        "post /v1/uploads http",
        "x-goog-upload-protocol: resumable",
        "x-goog-upload-content-type: video/mp4",
        "x-goog-upload-file-name: long.mp4",
        "x-goog-upload-raw-size: 134217735",
    ] {
        assert!(start.contains(header), "{header} is missing: {start}");
    }
    assert!(state.seen.iter().all(|seen| seen.authorization == "Bearer access-old"));
    assert_eq!(kept.kept.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_file_of_32_mebibytes_goes_up_in_one_request_and_one_of_a_byte_more_does_not() {
    let server = UploadServer::start().await;
    let kept = Keeper::default();
    // The server knows sessions alone.
    send(&server, &file(32 * MIB + 1), None, &kept).await.unwrap();
    assert_eq!(server.commands()[0].0, "start");
    let raw = crate::account::Account::new(FRESH).await;
    raw.answer("POST", "/v1/uploads", wiremock::ResponseTemplate::new(200).set_body_string("t")).await;
    raw.storage.sink().unwrap().send(&file(32 * MIB), None, &NotKept).await.unwrap();
    let requests = raw.requests("/v1/uploads").await;
    assert_eq!((requests.len(), requests[0].body.len()), (1, 32 * 1024 * 1024));
    assert_eq!(requests[0].headers["x-goog-upload-protocol"], "raw");
}

#[tokio::test]
async fn no_chunk_is_held_in_memory_before_it_is_sent() {
    let server = UploadServer::start().await;
    let drawn = Arc::<AtomicU64>::default();
    let most = Arc::<AtomicU64>::default();
    {
        let (drawn, most) = (Arc::clone(&drawn), Arc::clone(&most));
        let before = AtomicU64::new(0);
        server.state().at_first_byte = Some(Tell(Box::new(move || {
            let ahead = drawn.load(Ordering::Relaxed) - before.fetch_add(64 * MIB, Ordering::Relaxed);
            most.fetch_max(ahead, Ordering::Relaxed);
        })));
    }
    send(&server, &large(128 * MIB, &drawn, &Arc::default()), None, &NotKept).await.unwrap();
    // What the operating system buffers on the way is not ours.
    let ahead = most.load(Ordering::Relaxed);
    assert!(ahead < 12 * MIB, "{ahead} bytes of a chunk were read before its first one arrived");
}

#[tokio::test]
async fn a_session_is_kept_before_the_first_byte_goes_out() {
    // I2
    let server = UploadServer::start().await;
    let error = send(&server, &file(36 * MIB), None, &Keeper { refuses: true, ..Keeper::default() }).await;
    assert_eq!(error.unwrap_err().class, Class::Destination);
    assert_eq!(server.commands(), [command("start", None, 0)]);
}

#[tokio::test]
async fn a_chunk_that_breaks_is_taken_up_where_the_server_has_it() {
    // The server has 68 MiB and a bit when the connection breaks; it asserts itself that no byte comes twice.
    for broken in [
        Chunk::CutAfter(4 * 1024 * 1024 + 3),
        // A refusal that a look at the session resolves.
        Chunk::Refused(400, 0),
    ] {
        let server = UploadServer::start().await;
        server.state().chunks.extend([Chunk::Taken, broken]);
        let length = 160 * MIB;
        send(&server, &file(length), None, &NotKept).await.unwrap();
        assert!(server.state().bytes == bytes(length), "{broken:?}");
        let had = if matches!(broken, Chunk::CutAfter(_)) { 68 * MIB + 3 } else { 64 * MIB };
        let commands = server.commands();
        assert_eq!(commands[3], command("query", None, 0), "{broken:?}");
        assert_eq!(commands[4].1, Some(had), "{broken:?}");
    }
}

#[tokio::test]
async fn a_chunk_that_the_server_fails_at_is_taken_up_later_by_whoever_waits_for_it() {
    // I2, I7
    for status in [500, 503] {
        let server = UploadServer::start().await;
        server.state().chunks.extend([Chunk::Taken, Chunk::Refused(status, 1024 * 1024)]);
        let (length, kept) = (80 * MIB, Keeper::default());
        let error = send(&server, &file(length), None, &kept).await.unwrap_err();
        assert_eq!((error.class, error.reason), (Class::Transient, Reason::Other), "{error}");
        assert_eq!(
            server.commands().len(),
            3,
            "a start, a chunk, and the one that failed: nothing after that"
        );

        let opened = Arc::default();
        let content = large(length, &Arc::default(), &opened);
        let token = send(&server, &content, Some(&kept.session()), &NotKept).await.unwrap();
        assert_eq!(token.token.expose_secret(), "upload-token-1");
        assert!(server.state().bytes == bytes(length));
        let rest = [command("query", None, 0), command("upload, finalize", 65 * MIB, 15 * MIB)];
        assert_eq!(server.commands()[3..], rest);
        assert_eq!(opened.load(Ordering::Relaxed), 1);
    }
}

#[tokio::test]
async fn an_upload_that_breaks_again_and_again_is_given_up() {
    let server = UploadServer::start().await;
    server.state().chunks.extend([Chunk::CutAfter(0); 4]);
    let error = send(&server, &file(36 * MIB), None, &NotKept).await.unwrap_err();
    assert_eq!((error.class, error.reason), (Class::Transient, Reason::Other), "{error}");
    assert_eq!(server.commands().len(), 1 + 4 + 3, "a start, four tries with three questions between");
}

#[tokio::test]
async fn an_upload_that_gets_ahead_between_its_breaks_is_not_given_up() {
    let server = UploadServer::start().await;
    server.state().chunks.extend([Chunk::CutAfter(1024 * 1024); 8]);
    send(&server, &file(40 * MIB), None, &NotKept).await.unwrap();
    assert!(server.state().bytes == bytes(40 * MIB));
}

#[tokio::test]
async fn a_chunk_that_stands_still_is_taken_up_where_the_server_has_it() {
    let server = UploadServer::start().await;
    server.state().chunks.push_back(Chunk::StallAfter(1024 * 1024));
    let length = 64 * MIB;
    server.state().granularity = Some(length);
    let begun = tokio::time::Instant::now();
    send(&server, &file(length), None, &NotKept).await.unwrap();
    // Seen at the second look: at the first one, something had moved.
    assert!(begun.elapsed().as_secs() >= 600);
    assert!(server.state().bytes == bytes(length));
    assert_eq!(
        server.commands()[2..],
        [command("query", None, 0), command("upload, finalize", MIB, 63 * MIB),]
    );
}

#[tokio::test]
async fn a_server_that_asks_to_wait_is_not_asked_again_at_once() {
    // I7
    for (wait, class) in [(Chunk::Refused(429, 0), Class::Throttled), (Chunk::AskedToWait, Class::Transient)]
    {
        let server = UploadServer::start().await;
        server.state().chunks.extend([wait; 2]);
        let error = send(&server, &file(36 * MIB), None, &NotKept).await.unwrap_err();
        assert_eq!((error.class, error.reason), (class, Reason::Other), "{error}");
        assert_eq!(error.retry_after.is_some(), class == Class::Transient);
        assert!(!server.commands().iter().any(|(name, ..)| name == "query"));
    }
}

#[tokio::test]
async fn bytes_that_have_all_arrived_are_only_finalized() {
    let server = UploadServer::start().await;
    let length = 36 * MIB;
    // All bytes are had when the connection breaks, and the session is not at its end.
    server.state().chunks.push_back(Chunk::CutAfter(36 * 1024 * 1024));
    let kept = Keeper::default();
    send(&server, &file(length), None, &kept).await.unwrap();
    let last = server.commands().pop().unwrap();
    assert_eq!(last, command("upload, finalize", length, 0));
    assert!(server.state().bytes == bytes(length));
}

#[tokio::test]
async fn a_session_that_is_good_for_nothing_is_lost() {
    let active = "X-Goog-Upload-Status: active\r\n";
    for (status, headers) in [
        (404, ""),
        (410, ""),
        (400, ""),
        (403, ""),
        (200, "X-Goog-Upload-Status: final\r\nX-Goog-Upload-Size-Received: 37748736\r\n"),
        (200, "X-Goog-Upload-Status: cancelled\r\n"),
        (200, "X-Goog-Upload-Status: dreaming\r\n"),
        (200, active),
        (200, "X-Goog-Upload-Status: active\r\nX-Goog-Upload-Size-Received: 37748737\r\n"),
        (200, "X-Goog-Upload-Status: active\r\nX-Goog-Upload-Size-Received: -1\r\n"),
    ] {
        let server = UploadServer::start().await;
        server.state().chunks.push_back(Chunk::Refused(503, 0));
        let kept = Keeper::default();
        send(&server, &file(36 * MIB), None, &kept).await.unwrap_err();
        let before = server.commands().len();
        server.state().to_queries = Some((status, headers));
        let error = send(&server, &file(36 * MIB), Some(&kept.session()), &NotKept).await.unwrap_err();
        let shown = format!("{status} {headers} {error}");
        assert_eq!((error.class, error.reason), (Class::Transient, Reason::SessionLost), "{shown}");
        assert_eq!(server.commands().len(), before + 1, "{shown}");
    }
}

#[tokio::test]
async fn a_session_whose_last_answer_was_lost_is_lost() {
    let server = UploadServer::start().await;
    server.state().chunks.push_back(Chunk::Unanswered);
    let error = send(&server, &file(36 * MIB), None, &NotKept).await.unwrap_err();
    assert_eq!((error.class, error.reason), (Class::Transient, Reason::SessionLost), "{error}");
}

#[tokio::test]
async fn a_session_that_is_at_its_end_may_still_tell_the_upload_token() {
    let server = UploadServer::start().await;
    server.state().chunks.push_back(Chunk::Unanswered);
    server.state().repeats_the_token = true;
    let token = send(&server, &file(36 * MIB), None, &NotKept).await.unwrap();
    assert_eq!(token.token.expose_secret(), "upload-token-1");
    assert_eq!(server.commands().last(), Some(&command("query", None, 0)));
}

#[tokio::test]
async fn a_chunk_that_is_refused_for_good_loses_the_session() {
    let server = UploadServer::start().await;
    server.state().chunks.extend([Chunk::Refused(400, 0); 4]);
    let error = send(&server, &file(36 * MIB), None, &NotKept).await.unwrap_err();
    assert_eq!((error.class, error.reason), (Class::Transient, Reason::SessionLost), "{error}");
    assert_eq!(server.commands().len(), 4, "it was looked at once");
}

#[tokio::test]
async fn a_session_on_another_server_is_refused_and_nothing_is_sent_there() {
    // I6
    let stranger = UploadServer::start().await;
    let server = UploadServer::start().await;
    server.state().url = Some(format!("{}/session", stranger.uri));
    let kept = Keeper::default();
    let error = send(&server, &file(36 * MIB), None, &kept).await.unwrap_err();
    assert_eq!(error.class, Class::Config, "{error}");
    assert!(error.cause.contains("another server") && error.cure.is_some(), "{error}");
    assert!(kept.kept.lock().unwrap().is_empty());

    // Kept while the API was elsewhere.
    send(&stranger, &file(36 * MIB), None, &kept).await.unwrap();
    let before = stranger.commands().len();
    for foreign in [kept.session(), Session("{\"url\":\"not one\"}".into()), Session("garbage".into())] {
        let error = send(&server, &file(36 * MIB), Some(&foreign), &NotKept).await.unwrap_err();
        assert_eq!(error.reason, Reason::SessionLost, "{error}");
    }
    // Of a file that had another size.
    let error = send(&stranger, &file(36 * MIB + 1), Some(&kept.session()), &NotKept).await.unwrap_err();
    assert_eq!(error.reason, Reason::SessionLost, "{error}");
    assert_eq!(stranger.commands().len(), before);
    assert!(!format!("{:?}", kept.session()).contains("secret-session"));
}

#[tokio::test]
async fn a_large_file_that_changes_while_it_is_sent_is_the_files_own_trouble() {
    for (announced, real, words) in [(80 * MIB, 68 * MIB, "shrank"), (80 * MIB, 80 * MIB + 1, "grew")] {
        let server = UploadServer::start().await;
        let content = Content { length: announced, ..file(real) };
        let error = send(&server, &content, None, &NotKept).await.unwrap_err();
        assert_eq!(error.class, Class::Item, "{error}");
        assert!(error.cause.contains(words), "{error}");
        assert_ne!(server.commands().last().unwrap().0, "query", "it was tried again");
    }
}

#[tokio::test]
async fn an_upload_that_cannot_begin_says_why() {
    let account = crate::account::Account::new(FRESH).await;
    account.answer("POST", "/v1/uploads", wiremock::ResponseTemplate::new(200)).await;
    let error = account.storage.sink().unwrap().send(&file(36 * MIB), None, &NotKept).await.unwrap_err();
    assert_eq!((error.class, error.reason), (Class::Transient, Reason::Other), "{error}");
    let account = crate::account::Account::new(FRESH).await;
    let closed = wiremock::ResponseTemplate::new(200)
        .insert_header("X-Goog-Upload-URL", format!("{}/s", account.server.uri()))
        .insert_header("X-Goog-Upload-Status", "final");
    account.answer("POST", "/v1/uploads", closed).await;
    let error = account.storage.sink().unwrap().send(&file(36 * MIB), None, &NotKept).await.unwrap_err();
    assert_eq!(error.class, Class::Transient, "{error}");
    assert_eq!(account.requests("/s").await.len(), 0);
}
