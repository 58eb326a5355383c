//! What the contract promises of destinations, on each server.

use charon_provider::conformance::{Report, try_destination};
use serde_json::json;

use crate::servers::{Kind, Server};

async fn keeps_its_promises(kind: Kind, extra: serde_json::Value) {
    let Some(mut report) = tried(kind, &extra).await else { return };
    if !report.broken().is_empty() {
        // rclone refuses a write with 403 once in a while, when folders are made side by side. Runs ask such a server again.
        eprintln!("{kind:?}, at first: {report}");
        let Some(again) = tried(kind, &extra).await else { return };
        report = again;
    }
    report.assert_kept();
    assert!(report.skipped().is_empty(), "{report}");
}

/// Tries everything on a server of its own.
async fn tried(kind: Kind, extra: &serde_json::Value) -> Option<Report> {
    let server = Server::start(kind)?;
    let opened = server.open_with(extra);
    if kind != Kind::RcloneS3
        && let Some(root) = extra["root"].as_str()
    {
        std::fs::create_dir_all(server.folder.join(root)).expect("a folder");
        open_to_all(&server.folder);
    }
    Some(try_destination(opened.destination()).await)
}

/// Apache's workers are somebody else than root.
fn open_to_all(folder: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777)).expect("rights");
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            open_to_all(&path);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_s3_store_keeps_its_promises() {
    keeps_its_promises(Kind::RcloneS3, json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_bucket_keeps_its_promises() {
    keeps_its_promises(Kind::RcloneS3, json!({"prefix": "Fotos für/Oma & Opa 100%"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rclones_webdav_keeps_its_promises() {
    keeps_its_promises(Kind::RcloneWebDav, json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn apaches_webdav_keeps_its_promises() {
    keeps_its_promises(Kind::Apache, json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_a_server_keeps_its_promises() {
    for kind in [Kind::RcloneWebDav, Kind::Apache] {
        keeps_its_promises(kind, json!({"root": "Fotos für/Oma & Opa 100%"})).await;
    }
}
