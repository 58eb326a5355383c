//! The connection test, of a storage and of a configuration that is not saved.

use std::fs;

use gphotos_emulator::{Action, Fault, Settings};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    time::{Duration, timeout},
};

use crate::{
    command_line::assert_failed,
    support::{CLIENT_ID, Ended, Place, interrupt},
};

#[tokio::test]
async fn a_connection_test_passes_stage_by_stage() {
    let place = Place::new().await;
    place.seed(1);
    place.add_storage().await;
    let test = place.done(&["storage", "test", "family", "--json"]).await.json();
    assert_eq!(test["passed"], true);
    let checks = test["checks"].as_array().expect("a list");
    let stages: Vec<&str> = checks.iter().filter_map(|check| check["stage"].as_str()).collect();
    let expected = [
        "config",
        "reach the token endpoint",
        "refresh the token",
        "scopes",
        "API enabled",
        "list one item",
        "right to upload",
    ];
    assert_eq!(stages, expected);
    assert!(checks.iter().all(|check| check["verdict"] == "passed"), "{test:#}");
    let told = place.done(&["storage", "test", "family"]).await;
    assert!(told.stdout.ends_with("The connection works.\n"), "{told:?}");
    assert_eq!(told.stdout.lines().filter(|line| line.starts_with("ok ")).count(), 7, "{told:?}");
    assert_eq!(place.world().item_count(), 1, "nothing is left behind");
    assert!(place.world().albums().is_empty(), "nothing is left behind");
}

#[tokio::test]
async fn an_empty_account_is_a_note_and_no_failure() {
    let place = Place::new().await;
    place.add_storage().await;
    let test = place.done(&["storage", "test", "family", "--json"]).await.json();
    assert_eq!(
        (&test["passed"], &test["checks"][5]["verdict"]),
        (&json!(true), &json!("warned")),
        "{test:#}"
    );
    let link = test["checks"][5]["link"].as_str().expect("a page to read more on");
    let told = place.done(&["storage", "test", "family"]).await;
    assert!(told.stdout.contains("note    list one item"), "{told:?}");
    assert!(told.stdout.contains("only what the app itself has uploaded"), "{told:?}");
    assert!(told.stdout.contains(link), "{told:?}");
}

#[tokio::test]
async fn a_connection_test_that_fails_says_what_to_do() {
    let place = Place::new().await;
    place.seed(1);
    place.add_storage().await;
    let expect = async |place: &Place, stage: &str, cure: &str| {
        let ended = place.charon(&["storage", "test", "family", "--json"]).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let test = ended.json();
        assert_eq!(test["passed"], false);
        let last = test["checks"].as_array().and_then(|checks| checks.last()).expect("a check");
        assert_eq!((&last["stage"], &last["verdict"]), (&json!(stage), &json!("failed")), "{test:#}");
        assert!(last["cure"].as_str().is_some_and(|told| told.contains(cure)), "{test:#}");
        let told = place.charon(&["storage", "test", "family"]).await;
        assert_eq!(told.code, Some(1), "{told:?}");
        assert!(told.stdout.contains(&format!("FAILED  {stage}")) && told.stdout.contains(cure), "{told:?}");
        assert!(told.stdout.ends_with("The connection does not work yet.\n"), "{told:?}");
    };
    for (action, stage, cure) in [
        (Action::ApiDisabled, "API enabled", "enable the API"),
        (Action::InsufficientScopes, "API enabled", "grant"),
    ] {
        place.fault(Fault::always(action));
        expect(&place, stage, cure).await;
        place.world().clear_faults();
    }
    place.world().revoke_refresh_tokens();
    place.world().expire_access_tokens();
    expect(&place, "refresh the token", "charon authorize").await;

    // A token that may list, but not upload.
    let place = Place::new().await;
    let readonly = "https://www.googleapis.com/auth/photoslibrary.readonly.appcreateddata";
    place.add_storage_with(&json!({"token": place.emulator.token_blob(CLIENT_ID, &[readonly])})).await;
    expect(&place, "scopes", "leaving every box ticked").await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_as_that() {
    let place = Place::new().await;
    let nobody = "http://127.0.0.1:9";
    place.add_storage_with(&json!({"api_url": nobody, "token_url": nobody})).await;
    let ended = place.charon(&["storage", "test", "family"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stdout.contains("no connection to 127.0.0.1 could be made"), "{ended:?}");
    assert!(ended.stdout.contains("check the connection to the internet"), "what to do: {ended:?}");
}

#[tokio::test]
async fn a_configuration_is_tested_before_it_is_saved_and_nothing_is_left() {
    let place = Place::new().await;
    place.seed(1);
    fs::write(place.path("family.json"), place.config().to_string()).expect("a file");
    for arguments in [
        &["storage", "test", "--config", "family.json", "--provider", "gphotos", "--json"][..],
        &["storage", "test", "--config", "family.json", "--json"],
    ] {
        let test = place.done(arguments).await.json();
        assert_eq!(
            (&test["passed"], &test["checks"][0]["stage"]),
            (&json!(true), &json!("config")),
            "{test:#}"
        );
    }
    assert_eq!(place.done(&["storage", "list", "--json"]).await.json(), json!([]), "no storage is made");
    assert_eq!(place.world().item_count(), 1, "nothing is left behind");

    // The secret may come from elsewhere, here too.
    let mut config = place.config();
    config.as_object_mut().expect("an object").remove("client_secret");
    let secret = place.path("secret");
    fs::write(&secret, "a-client-secret").expect("a file");
    place.world().expire_access_tokens();
    let file = secret.to_str().expect("a path");
    let test = ["storage", "test", "--config", "-", "--client-secret-file", file];
    let ended = place.charon_with(&test, &config).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[tokio::test]
async fn a_wrong_configuration_fails_in_the_first_stage() {
    let place = Place::new().await;
    let mut config = place.config();
    config["start_year"] = 1066.into();
    config["token"] = "hunter2".into();
    let ended = place.charon_with(&["storage", "test", "--config", "-", "--json"], &config).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let test = ended.json();
    assert_eq!(test["checks"].as_array().map(Vec::len), Some(1), "{test:#}");
    let found = test["checks"][0]["found"].as_str().expect("words");
    assert!(found.contains("start_year: 1066 is less than") && found.contains("token: "), "{found}");
    // I6
    assert!(!ended.stdout.contains("hunter2"), "{ended:?}");
    assert_eq!(place.world().stats().api_requests, 0);

    // A right one that does not work has not been refused.
    let config = place.config();
    place.world().revoke_refresh_tokens();
    place.world().expire_access_tokens();
    let dead = place.charon_with(&["storage", "test", "--config", "-"], &config).await;
    assert_eq!(dead.code, Some(1), "{dead:?}");

    for arguments in [
        &["storage", "test"][..],
        &["storage", "test", "family", "--config", "family.json"],
        &["storage", "test", "family", "--provider", "gphotos"],
    ] {
        assert_failed(&place.charon(arguments).await, 2, &["Usage: charon"]);
    }
    let ended = place.charon(&["storage", "test", "family", "--client-secret-file", "secret"]).await;
    assert_failed(&ended, 2, &["give --client-secret-file with --config"]);
    let ended =
        place.charon_with(&["storage", "test", "--config", "-", "--provider", "dropbox"], &config).await;
    assert_failed(&ended, 2, &["there is no provider named dropbox"]);
}

#[cfg(unix)]
#[tokio::test]
async fn ctrl_c_gives_a_test_up() {
    let place = Place::with(Settings { latency_ms: 600_000, ..Settings::default() }).await;
    place.add_storage().await;
    let mut child = place.spawn(&["storage", "test", "family"]);
    // The first stage sends no request, and is told at once.
    let mut stdout = BufReader::new(child.stdout.take().expect("its standard output"));
    let mut line = String::new();
    stdout.read_line(&mut line).await.expect("a line");
    assert!(line.starts_with("ok      config"), "{line}");
    interrupt(&child).await;
    let ended = timeout(Duration::from_secs(20), child.wait()).await.expect("it ends").expect("a status");
    assert_eq!(ended.code(), Some(130));
}

#[cfg(unix)]
#[tokio::test]
async fn what_a_test_found_before_ctrl_c_is_told_to_scripts() {
    let place = Place::with(Settings { latency_ms: 600_000, ..Settings::default() }).await;
    place.add_storage().await;
    let child = place.spawn(&["storage", "test", "family", "--json"]);
    place.until("a second stage", |stats| !stats.requests.is_empty()).await;
    interrupt(&child).await;
    let ended = timeout(Duration::from_secs(20), child.wait_with_output()).await.expect("it ends");
    let ended: Ended = ended.expect("its words").into();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    let test = ended.json();
    assert_eq!((&test["passed"], &test["checks"][0]["stage"]), (&json!(false), &json!("config")), "{test:#}");
}
