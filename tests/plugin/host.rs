//! A host in another language: `tests/hosts/pluton_host.mjs` does what Pluton would.

use std::{
    path::Path,
    process::{Command as Program, Stdio},
};

use gphotos_emulator::Settings;
use serde_json::{Value, json};
use tokio::process::Command;

use super::secrets_of;
use crate::support::{CLIENT_ID, Place};

/// Whether there is a Node to run the host with. Where everything has to be tested, it has to be there.
fn has_node() -> bool {
    let version = Program::new("node").arg("--version").output();
    let is_there = version.is_ok_and(|output| output.status.success());
    let must_be = std::env::var_os("CI").is_some_and(|value| value == "true");
    assert!(is_there || !must_be, "node is not there, and the host in tests/hosts needs it: install Node.js");
    if !is_there {
        eprintln!("skipped: node is not there, and the host in tests/hosts needs it");
    }
    is_there
}

#[tokio::test]
async fn a_host_in_node_describes_tests_runs_stops_and_goes_on() {
    // I2, I6
    const ITEMS: u64 = 120;
    if !has_node() {
        return;
    }
    let place = Place::with(Settings { keep_bytes: true, latency_ms: 40, ..Settings::default() }).await;
    place.seed(120);
    place.draw("pictures", 200..220);
    let config = place.config();
    let orders = json!({
        "charon": env!("CARGO_BIN_EXE_charon"),
        "dataDir": place.data_dir(),
        "mirror": place.path("mirror"),
        "pictures": place.path("pictures"),
        "values": {
            "client_id": CLIENT_ID, "client_secret": config["client_secret"], "token": config["token"],
            "token_url": config["token_url"], "api_url": config["api_url"], "connections": "2",
        },
        "wrong": {"token": "1//a-refresh-token-of-nobody"},
        "secrets": secrets_of(&config),
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/hosts/pluton_host.mjs");
    let mut host = Command::new("node");
    host.arg(script).env("HOME", place.path("home")).env_remove("RUST_LOG");
    host.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let ended = Place::give(&mut host, &orders).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let seen: Vec<Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON lines")).collect();
    let step = |name: &str| {
        seen.iter().find(|one| one["step"] == name).unwrap_or_else(|| panic!("no {name}: {seen:#?}"))
    };

    let form: Vec<&str> =
        step("form")["lines"].as_array().expect("lines").iter().filter_map(Value::as_str).collect();
    for line in
        ["  Client ID (string): ", "* Token (password): ", "  Batch mode (select) [sync|async|off]: sync"]
    {
        assert!(form.contains(&line), "{line:?} is not drawn: {form:#?}");
    }
    assert_eq!(
        (&step("test-wrong")["code"], &step("test-right")["code"]),
        (&json!(1), &json!(0)),
        "{seen:#?}"
    );

    let stopped = step("backup-stopped");
    assert_eq!(
        (&stopped["code"], &stopped["last"]["state"]),
        (&json!(130), &json!("cancelled")),
        "{stopped:#}"
    );
    let done = stopped["last"]["items"]["done"].as_u64().expect("a count");
    assert!((1..ITEMS).contains(&done), "{stopped:#}");

    let backup = step("backup");
    assert_eq!(backup["code"], 0, "{backup:#}");
    assert_eq!(
        (&backup["started"]["storage_was"], &backup["started"]["plan_was"]),
        (&json!("unchanged"), &json!("unchanged"))
    );
    assert_eq!(backup["last"]["items"]["done"], ITEMS - done, "{backup:#}");
    let counts: Vec<u64> = backup["counts"]
        .as_array()
        .expect("counts")
        .iter()
        .map(|one| one.as_u64().expect("a count"))
        .collect();
    assert!(counts.is_sorted() && counts.last() == Some(&(ITEMS - done)), "progress only grows: {counts:?}");
    // Before the upload, the account held what the mirror holds now.
    assert_eq!(place.mirrored().len() as u64, ITEMS);

    let upload = step("upload");
    assert_eq!((&upload["code"], &upload["last"]["items"]["done"]), (&json!(0), &json!(20)), "{upload:#}");
    place.assert_account_holds("pictures", "Album");
}
