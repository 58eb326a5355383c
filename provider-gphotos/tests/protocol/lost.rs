//! Connections that break: a server that takes the request and says something short, or nothing at all.

use charon_provider::{Class, Error, Part, Reason, Selection};
use futures::TryStreamExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::{
    account::{FRESH, NotKept, open},
    upload::{content, staged},
};

/// A server that reads the beginning of each request, answers with these bytes, and hangs up. Gives its address.
pub(crate) async fn server_that_says(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    // It ends with the runtime of its test.
    drop(tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 16 * 1024];
            if stream.read(&mut request).await.is_ok() && stream.write_all(answer.as_bytes()).await.is_ok() {
                stream.shutdown().await.ok();
            }
        }
    }));
    format!("http://{address}")
}

/// A server that says these pieces, each after so many seconds that pass in no time, and then nothing more for ever.
async fn server_that_takes_its_time(pieces: &'static [(u64, &'static str)]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    // It ends with the runtime of its test.
    drop(tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut request = [0; 16 * 1024];
        assert!(stream.read(&mut request).await.expect("a request") > 0);
        tokio::time::pause();
        for (seconds, piece) in pieces {
            tokio::time::sleep(std::time::Duration::from_secs(*seconds)).await;
            stream.write_all(piece.as_bytes()).await.expect("somebody listens");
        }
        std::future::pending::<()>().await;
    }));
    format!("http://{address}")
}

async fn commit(uri: &str) -> Error {
    let (storage, _) = open(uri, FRESH, serde_json::json!({}));
    let results = storage.sink().expect("a sink").commit(None, &[staged("a.jpg", "t1")]).await;
    results.map_or_else(|error| error, |mut made| made.remove(0).expect_err("no answer"))
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_may_have_taken_effect() {
    for answer in ["", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"newMedia"] {
        let error = commit(&server_that_says(answer).await).await;
        assert_eq!((error.class, error.reason), (Class::Transient, Reason::Unanswered), "{error}");
    }
}

#[tokio::test]
async fn a_commit_may_take_as_long_as_the_engine_waits_for_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    let answer = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 16 * 1024];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        // Nine minutes pass in no time.
        tokio::time::pause();
        tokio::time::sleep(std::time::Duration::from_mins(9)).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await.unwrap();
    };
    let (error, ()) = tokio::join!(commit(&uri), answer);
    assert!(error.cause.contains("does not mention"), "{error}");
}

#[tokio::test]
async fn a_commit_that_found_no_server_has_not_taken_effect() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let error = commit(&closed).await;
    assert_eq!((error.class, error.reason), (Class::Transient, Reason::Other), "{error}");
    // The host is told, and no URL: its path may be one that opens a photo.
    let told = error.to_string();
    assert!(told.contains("no connection to 127.0.0.1") && !told.contains("http"), "{told}");
}

#[tokio::test]
async fn an_upload_or_a_listing_that_breaks_can_simply_be_repeated() {
    let (storage, _) = open(&server_that_says("").await, FRESH, serde_json::json!({}));
    let sent = storage.sink().unwrap().send(&content("a.jpg", &[b"abc"]), None, &NotKept).await.unwrap_err();
    let listed = storage.source().unwrap().list(&Selection::default(), None).await.unwrap_err();
    for error in [sent, listed] {
        assert_eq!((error.class, error.reason), (Class::Transient, Reason::Other), "{error}");
    }
}

#[tokio::test]
async fn bytes_that_end_too_early_end_in_an_error() {
    let uri =
        server_that_says("HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: 100\r\n\r\nabc")
            .await;
    let (storage, _) = open(&uri, FRESH, serde_json::json!({}));
    let item = crate::backup::photo(&format!("{uri}/lr/x"));
    let body = storage.source().unwrap().open(&item, Part::Whole, None).await.unwrap();
    assert_eq!(body.length, Some(100));
    let error = body.bytes.try_for_each(|_| async { Ok(()) }).await.unwrap_err();
    assert_eq!(error.class, Class::Transient);
    assert!(!error.to_string().contains("/lr/"), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_slow_and_never_silent_for_long_is_waited_for() {
    let slow = &[
        (50, "HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n"),
        (50, "{\"mediaItems\""),
        (50, ": []"),
        (50, "   }"),
    ];
    let (storage, _) = open(&server_that_takes_its_time(slow).await, FRESH, serde_json::json!({}));
    let page = storage.source().unwrap().list(&Selection::default(), None).await.expect("a page");
    assert!(page.items.is_empty());
}

#[tokio::test]
async fn an_answer_that_falls_silent_is_given_up() {
    let silent = &[(0, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n"), (50, "{\"media")];
    let (storage, _) = open(&server_that_takes_its_time(silent).await, FRESH, serde_json::json!({}));
    let error = storage.source().unwrap().list(&Selection::default(), None).await.unwrap_err();
    assert_eq!((error.class, error.cause.as_str()), (Class::Transient, "nothing came for 60 seconds"));
}

#[tokio::test]
async fn a_refusal_that_falls_silent_is_known_by_its_status() {
    for (status, class, reason) in [
        ("503", Class::Transient, Reason::Other),
        ("403", Class::Transient, Reason::StaleAddress),
        ("404", Class::Item, Reason::NotFound),
    ] {
        let head = format!("HTTP/1.1 {status} X\r\nContent-Length: 100\r\n\r\n<html>").leak();
        let pieces: &'static [_] = Vec::leak(vec![(0, &*head)]);
        let uri = server_that_takes_its_time(pieces).await;
        let (storage, _) = open(&uri, FRESH, serde_json::json!({}));
        let item = crate::backup::photo(&format!("{uri}/lr/x"));
        let error = storage.source().unwrap().open(&item, Part::Whole, None).await.unwrap_err();
        assert_eq!((error.class, error.reason), (class, reason), "{error}");
        tokio::time::resume();
    }
}
