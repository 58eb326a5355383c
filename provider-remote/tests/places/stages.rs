//! The connection test.

use std::{fs, path::Path, sync::atomic::Ordering};

use charon_provider::{Check, Verdict};
use futures::StreamExt;
use serde_json::{Value, json};

use crate::servers::{ALL, Kind, Opened, SECRET, Server};

async fn test(opened: &Opened) -> Vec<Check> {
    let checks: Vec<Check> = opened.storage.test().collect().await;
    assert!(!format!("{checks:?}").contains(SECRET), "a secret is printed: {checks:?}");
    checks
}

/// The last stage, which has to have failed, and what it says.
async fn failure(opened: &Opened) -> (&'static str, String) {
    let checks = test(opened).await;
    let last = checks.last().expect("a stage");
    assert_eq!(last.verdict, Verdict::Failed, "{checks:#?}");
    (last.stage, format!("{} – {}", last.found, last.cure.as_deref().expect("a cure")))
}

fn files_in(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        names.push(path.display().to_string());
        if path.is_dir() {
            names.extend(files_in(&path));
        }
    }
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_place_passes_its_test_and_nothing_is_left_there() {
    for kind in ALL {
        let Some(server) = Server::start(kind) else { continue };
        let opened = server.open();
        let checks = test(&opened).await;
        let passed: Vec<_> = checks.iter().map(|check| (check.stage, check.verdict)).collect();
        let opening = if kind == Kind::RcloneS3 { "open the bucket" } else { "open the folder" };
        let stages = ["reach the server", opening, "write a file", "read it back", "rename it", "remove it"];
        assert_eq!(passed, stages.map(|stage| (stage, Verdict::Passed)), "{kind:?}: {checks:#?}");
        let left = files_in(&server.files());
        assert!(left.is_empty(), "{kind:?}: the test has left {left:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_configuration_fails_where_it_is_wrong() {
    let wrong: &[(Kind, Value, &str, &str)] = &[
        (Kind::RcloneS3, json!({"secret_access_key": "hunter3"}), "open the bucket", "secret_access_key"),
        (Kind::RcloneS3, json!({"access_key_id": "NOBODY"}), "open the bucket", "access_key_id"),
        (Kind::RcloneS3, json!({"bucket": "no-such-bucket"}), "open the bucket", "bucket"),
        (Kind::RcloneS3, json!({"endpoint": "http://127.0.0.1:9"}), "reach the server", "endpoint"),
        (Kind::RcloneWebDav, json!({"password": "hunter3"}), "open the folder", "password"),
        (
            Kind::RcloneWebDav,
            json!({"root": "no/such folder"}),
            "open the folder",
            "no/such folder is not there",
        ),
        (Kind::RcloneWebDav, json!({"endpoint": "http://127.0.0.1:9"}), "reach the server", "endpoint"),
        (Kind::Apache, json!({"user": "nobody"}), "open the folder", "user"),
        (Kind::Apache, json!({"root": "no/such folder"}), "open the folder", "no/such folder is not there"),
    ];
    for (kind, extra, stage, words) in wrong {
        let Some(server) = Server::start(*kind) else { continue };
        let (failed, said) = failure(&server.open_with(extra)).await;
        assert_eq!(failed, *stage, "{kind:?} {extra}: {said}");
        assert!(said.contains(words), "{kind:?} {extra}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_takes_nothing_fails_when_it_is_written_to() {
    for kind in ALL {
        let Some(mut server) = Server::start(kind) else { continue };
        server.kill();
        server.is_read_only = true;
        server.begin();
        let (stage, said) = failure(&server.open()).await;
        assert_eq!(stage, "write a file", "{kind:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_far_off_is_told() {
    let Some(server) = Server::start(Kind::RcloneS3) else { return };
    let opened = server.open();
    opened.host.ahead.store(20, Ordering::Relaxed);
    let checks = test(&opened).await;
    assert_eq!(checks[0].verdict, Verdict::Warned, "{checks:#?}");
    assert!(checks[0].found.contains("20 minutes ahead"), "{checks:#?}");
    assert_eq!(checks.len(), 6, "it goes on: {checks:#?}");
}
