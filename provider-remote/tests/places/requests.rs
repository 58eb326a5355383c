//! The requests themselves: their permits, their number, what they carry, and what answers mean that no real server gives on
//! demand.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::Ordering,
    time::Duration,
};

use charon_provider::{Class, Depth, Destination, Error, Verdict};
use charon_provider_remote::{S3, WebDav};
use futures::{StreamExt, TryStreamExt};
use serde_json::json;
use tempfile::TempDir;
use wiremock::{
    Mock, MockServer, Request, ResponseTemplate,
    matchers::{any, method, query_param, query_param_contains},
};

use crate::servers::{ALL, Kind, Opened, SECRET, Server, open};

/// Both kinds of places on a server that answers as a test says.
fn places(server: &MockServer) -> [Opened; 2] {
    let s3 = json!({"endpoint": server.uri(), "bucket": "photos", "access_key_id": "AKIDTEST", "secret_access_key": SECRET});
    let webdav = json!({"endpoint": server.uri(), "user": "pat", "password": SECRET});
    let whole = |config: &serde_json::Value| config.as_object().cloned().expect("an object");
    [open(&S3::new(), whole(&s3)), open(&WebDav::new(), whole(&webdav))]
}

fn file(folder: &TempDir, length: usize) -> PathBuf {
    let path = folder.path().join(format!("{length}"));
    fs::write(&path, vec![7; length]).expect("a file");
    path
}

/// What comes of everything that can be asked of a destination.
async fn everything(place: &dyn Destination, file: &Path) -> Vec<(&'static str, Option<Error>)> {
    let paths = ["a/b.jpg", "a/c.jpg", "a/d.jpg", "a/e.jpg"].map(str::to_owned);
    vec![
        ("put", place.put("a/c.jpg", file, None).await.err()),
        ("look at one", place.look(&paths[..1]).await.err()),
        ("look at many", place.look(&paths).await.err()),
        ("list", place.list("", Depth::Tree).try_collect::<Vec<_>>().await.err()),
        ("read", place.read("a/b.jpg", 0, None).await.err()),
        ("read a part", place.read("a/b.jpg", 5, Some(5)).await.err()),
        ("rename", place.rename("a/b.jpg", "a/c.jpg").await.err()),
        ("remove", place.remove("a/b.jpg").await.err()),
    ]
}

async fn received(server: &MockServer) -> Vec<Request> {
    server.received_requests().await.expect("they are recorded")
}

#[tokio::test]
async fn every_request_has_its_permit_and_is_not_sent_without() {
    // I7
    for (number, folder) in [(0, TempDir::new().expect("a folder")), (1, TempDir::new().expect("a folder"))] {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(ResponseTemplate::new(500)).mount(&server).await;
        let opened = &places(&server)[number];
        let file = file(&folder, 9 << 20);
        for (what, error) in everything(opened.destination(), &file).await {
            assert_eq!(error.map(|error| error.class), Some(Class::Transient), "{what}");
        }
        drop(opened.storage.test().collect::<Vec<_>>().await);
        let sent = received(&server).await.len() as u64;
        assert_eq!(opened.host.permits.load(Ordering::Relaxed), sent);
        assert!(
            sent >= 8,
            "{sent} requests for eight wishes: nothing is tried twice, and nothing is left out"
        );
        opened.host.refuses.store(true, Ordering::Relaxed);
        for (what, error) in everything(opened.destination(), &file).await {
            assert_eq!(error.map(|error| error.class), Some(Class::Quota), "{what}");
        }
        let checks: Vec<_> = opened.storage.test().collect().await;
        assert_eq!(checks.last().map(|check| check.verdict), Some(Verdict::Failed));
        assert_eq!(received(&server).await.len() as u64, sent, "something was sent that was not permitted");
    }
}

#[tokio::test]
async fn a_server_that_asks_to_be_left_alone_is() {
    for (status, body) in [(429, ""), (503, "<Error><Code>SlowDown</Code></Error>")] {
        let server = MockServer::start().await;
        let answer = ResponseTemplate::new(status).insert_header("retry-after", "17").set_body_string(body);
        Mock::given(any()).respond_with(answer).mount(&server).await;
        let folder = TempDir::new().expect("a folder");
        for opened in places(&server) {
            for (what, error) in everything(opened.destination(), &file(&folder, 5)).await {
                let error = error.expect(what);
                assert_eq!(error.class, Class::Throttled, "{what}: {error}");
                assert_eq!(error.retry_after, Some(Duration::from_secs(17)), "{what}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn nobody_goes_where_a_redirect_leads() {
    // I6
    let (server, elsewhere) = (MockServer::start().await, MockServer::start().await);
    let answer = ResponseTemplate::new(307).insert_header("location", format!("{}/a/b.jpg", elsewhere.uri()));
    Mock::given(any()).respond_with(answer).mount(&server).await;
    let folder = TempDir::new().expect("a folder");
    for opened in places(&server) {
        for (what, error) in everything(opened.destination(), &file(&folder, 5)).await {
            let error = error.expect(what);
            assert_eq!(error.class, Class::Destination, "{what}: {error}");
            assert!(error.cure.is_some_and(|cure| cure.contains("endpoint")), "{what}");
        }
    }
    assert!(received(&elsewhere).await.is_empty());
}

#[tokio::test]
async fn a_page_that_is_no_answer_is_never_taken_for_one() {
    let server = MockServer::start().await;
    let page =
        ResponseTemplate::new(200).set_body_raw("<html>Sign in to the hotel's network</html>", "text/html");
    Mock::given(any()).respond_with(page).mount(&server).await;
    let folder = TempDir::new().expect("a folder");
    for (opened, is_webdav) in places(&server).into_iter().zip([false, true]) {
        for (what, error) in everything(opened.destination(), &file(&folder, 5)).await {
            // A file may look like anything.
            let error = error.map(|error| error.class);
            if !is_webdav || !what.starts_with("read") {
                assert!(error.is_some(), "{what} takes it for an answer (WebDAV: {is_webdav})");
            }
        }
        let checks: Vec<_> = opened.storage.test().collect().await;
        assert_eq!(checks.last().map(|check| check.verdict), Some(Verdict::Failed), "{checks:?}");
    }
}

#[tokio::test]
async fn the_server_is_reached_without_a_secret() {
    // I6
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(401)).mount(&server).await;
    for opened in places(&server) {
        let checks: Vec<_> = opened.storage.test().collect().await;
        assert_eq!(checks[0].verdict, Verdict::Passed, "{checks:?}");
        assert_eq!(checks[1].verdict, Verdict::Failed, "{checks:?}");
    }
    let received = received(&server).await;
    let signed: Vec<bool> =
        received.iter().map(|request| request.headers.contains_key("authorization")).collect();
    assert_eq!(signed, [false, true, false, true]);
}

const UPLOAD: &str = "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>";

async fn has_thrown_away(server: &MockServer) -> bool {
    for _ in 0..200 {
        let thrown_away = received(server)
            .await
            .iter()
            .any(|request| request.method == "DELETE" && request.url.query() == Some("uploadId=u1"));
        if thrown_away {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

#[tokio::test]
async fn the_parts_of_an_upload_that_fails_or_is_given_up_are_thrown_away() {
    for is_given_up in [false, true] {
        let server = MockServer::start().await;
        let begun = ResponseTemplate::new(200).set_body_string(UPLOAD);
        Mock::given(method("POST")).and(query_param("uploads", "")).respond_with(begun).mount(&server).await;
        let part = if is_given_up {
            ResponseTemplate::new(200).insert_header("etag", "\"e\"").set_delay(Duration::from_secs(30))
        } else {
            ResponseTemplate::new(500)
        };
        Mock::given(method("PUT"))
            .and(query_param_contains("uploadId", "u1"))
            .respond_with(part)
            .mount(&server)
            .await;
        Mock::given(method("DELETE")).respond_with(ResponseTemplate::new(204)).mount(&server).await;
        let (folder, [opened, _]) = (TempDir::new().expect("a folder"), places(&server));
        let file = file(&folder, 20 << 20);
        let put = opened.destination().put("a.mp4", &file, None);
        match tokio::time::timeout(Duration::from_secs(if is_given_up { 1 } else { 20 }), put).await {
            Ok(ended) => assert_eq!(ended.expect_err("parts are refused").class, Class::Transient),
            Err(_) => assert!(is_given_up, "it does not end"),
        }
        assert!(has_thrown_away(&server).await, "given up: {is_given_up}");
    }
}

#[tokio::test]
async fn what_is_sent_to_a_store_has_its_checksum_its_class_and_its_time() {
    let server = MockServer::start().await;
    let taken = ResponseTemplate::new(200).insert_header("etag", "\"e\"");
    Mock::given(any()).respond_with(taken).mount(&server).await;
    let config = json!({"endpoint": server.uri(), "bucket": "photos", "access_key_id": "AKIDTEST",
        "secret_access_key": SECRET, "storage_class": "GLACIER_IR", "region": "eu-central-1"});
    let opened = open(&S3::new(), config.as_object().cloned().expect("an object"));
    let folder = TempDir::new().expect("a folder");
    let taken = "2024-07-01T12:00:00.5Z".parse().expect("a time");
    opened.destination().put("a b.jpg", &file(&folder, 3), Some(taken)).await.expect("it is taken");
    let requests = received(&server).await;
    let [request] = &*requests else { panic!("one file is one request: {requests:?}") };
    let header =
        |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    assert_eq!((request.url.path(), &*request.body), ("/photos/a%20b.jpg", &[7, 7, 7][..]));
    assert_eq!(header("content-md5"), "XmeJKRD0jxbR8dcBm36ncQ==");
    assert_eq!(header("x-amz-storage-class"), "GLACIER_IR");
    assert_eq!(header("x-amz-meta-mtime"), "1719835200.500000000");
    assert!(header("authorization").contains("/eu-central-1/s3/"), "{}", header("authorization"));
}

/// The process that the test below starts with keys in its environment.
#[tokio::test]
#[ignore = "another test starts it"]
async fn a_process_with_other_keys_in_its_environment() {
    if env::var("AWS_ACCESS_KEY_ID").is_err() {
        return;
    }
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(403)).mount(&server).await;
    let [opened, _] = places(&server);
    drop(opened.destination().look(&["a.jpg".to_owned()]).await);
    for request in received(&server).await {
        println!(
            "signed {:?} {:?}",
            request.headers.get("authorization"),
            request.headers.get("x-amz-security-token")
        );
    }
}

#[test]
fn only_the_configured_keys_are_used() {
    let folder = TempDir::new().expect("a folder");
    let credentials = folder.path().join("credentials");
    fs::write(&credentials, "[default]\naws_access_key_id = FROMFILE\naws_secret_access_key = x\n")
        .expect("a file");
    let process = Command::new(env::current_exe().expect("this program"))
        .args([
            "--exact",
            "requests::a_process_with_other_keys_in_its_environment",
            "--ignored",
            "--nocapture",
        ])
        .env("AWS_ACCESS_KEY_ID", "FROMENVIRONMENT")
        .env("AWS_SECRET_ACCESS_KEY", "x")
        .env("AWS_SESSION_TOKEN", "x")
        .env("AWS_REGION", "mars-1")
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        .env("AWS_SHARED_CREDENTIALS_FILE", credentials)
        .output()
        .expect("a process");
    let said = String::from_utf8_lossy(&process.stdout);
    let signed: Vec<&str> = said.lines().filter(|line| line.contains("signed")).collect();
    let [signed] = &*signed else { panic!("one request is made: {said}") };
    assert!(signed.contains("Credential=AKIDTEST/") && signed.contains("/us-east-1/s3/"), "{signed}");
    assert!(signed.ends_with("None"), "{signed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn few_requests_are_made() {
    for kind in ALL {
        let Some(server) = Server::start(kind) else { continue };
        let (opened, folder) = (server.open(), TempDir::new().expect("a folder"));
        let (place, file) = (opened.destination(), file(&folder, 5));
        let taken = || opened.host.permits.swap(0, Ordering::Relaxed);
        let paths: Vec<String> = (0..60).map(|number| format!("2024/07/{number}.jpg")).collect();
        for path in &paths[..40] {
            place.put(path, &file, None).await.expect("it is taken");
        }
        taken();
        place.put(&paths[40], &file, None).await.expect("it is taken");
        let to_put = if kind == Kind::RcloneS3 { 1 } else { 3 };
        assert_eq!(taken(), to_put, "{kind:?}: a small file in a folder that is there");
        for (wanted, words) in [(1, "many files of a folder"), (0, "the same again")] {
            let found = place.look(&paths).await.expect("a look");
            assert_eq!(found.iter().filter(|found| found.is_some()).count(), 41);
            assert_eq!(taken(), wanted, "{kind:?}: {words}");
        }
        let found = place.look(&paths[..1]).await.expect("a look");
        assert_eq!((found[0].is_some(), taken()), (true, 1), "{kind:?}: one file is asked for each time");
        place.remove(&paths[0]).await.expect("it is removed");
        taken();
        let found = place.look(&paths).await.expect("a look");
        assert_eq!(
            (found[0].is_some(), taken()),
            (false, 1),
            "{kind:?}: after a write of ours it is asked again"
        );
    }
}
