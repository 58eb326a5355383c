//! No secret is in what the program prints or keeps.

use std::fs;

use gphotos_emulator::Action;
use serde_json::{Value, json};

use super::fault_on;
use crate::support::Place;

/// What can be found of a secret in what the program left behind, if anything can.
fn found(secret: &str, bytes: &[u8]) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
}

#[tokio::test]
async fn secrets_are_in_no_file_and_in_no_output() {
    // I6
    let place = Place::new().await;
    place.seed(60);
    place.draw("pictures", 0..60);
    let token = place.emulator.token_blob(crate::support::CLIENT_ID, &[]);
    let blob: Value = serde_json::from_str(&token).expect("JSON");
    let known =
        ["access_token", "refresh_token"].map(|name| blob[name].as_str().expect("a token").to_owned());
    place.add_backup_with(&json!({"token": token})).await;
    let upload =
        json!({"kind": "upload", "storage": "family", "sources": [place.path("pictures")], "album": "A"});
    place.add_plan("out", &upload).await;
    place.world().expire_access_tokens();
    place.fault(fault_on("media.bytes", Action::ServerError { status: 503 }));
    place.fault(fault_on("uploads", Action::ConnectionReset));

    let mut said = Vec::new();
    for arguments in [
        &["run", "home", "-vv"][..],
        &["run", "home", "-vv", "--json"],
        &["run", "out", "-vv"],
        &["storage", "show", "family"],
        &["storage", "show", "family", "--json"],
        &["storage", "list", "--json"],
        &["storage", "test", "family", "-vv"],
        &["runs", "--json"],
    ] {
        let ended = place.charon(arguments).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        said.extend([ended.stdout, ended.stderr]);
    }
    // Whoever looks for a fault may log everything.
    let everything =
        place.command(&["run", "home"]).env("RUST_LOG", "trace").output().await.expect("the program runs");
    assert!(everything.stderr.len() > 10_000, "everything was logged");
    said.extend(
        [everything.stdout, everything.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
    );
    // In the middle of an upload there are staged tokens, and a write-ahead log.
    place.draw("pictures", 60..120);
    place.world().update_settings(|settings| settings.latency_ms = 5);
    let before = place.count("uploads");
    let mut child = place.spawn(&["run", "out", "-vv"]);
    place.until("uploads", |stats| stats.count("uploads") >= before + 30).await;
    child.start_kill().expect("it can be killed");
    let output = child.wait_with_output().await.expect("it ends");
    said.extend([output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()));
    // And the account says no, in words that could repeat what it was asked.
    place.world().expire_access_tokens();
    place.world().revoke_refresh_tokens();
    let ended = place.charon(&["run", "home", "-vv"]).await;
    assert_eq!(ended.code, Some(4), "{ended:?}");
    said.extend([ended.stdout, ended.stderr]);

    let secrets = known.iter().map(String::as_str).chain(["a-client-secret", "ya29.", "1//0"]);
    let files = ["charon.db", "charon.db-wal", "charon.db-shm", "charon.lock"]
        .map(|name| (name, fs::read(place.data_dir().join(name)).unwrap_or_default()));
    assert!(files[0].1.len() > 10_000, "the database was looked at");
    for secret in secrets {
        assert!(!said.iter().any(|text| text.contains(secret)), "{secret} was printed");
        for (name, bytes) in &files {
            assert!(!found(secret, bytes), "{secret} is in {name}");
        }
    }
}
