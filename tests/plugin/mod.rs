//! Charon for another program: over standard input and output, as docs/plugin.md says.

mod documented;
#[cfg(unix)]
mod host;
#[cfg(unix)]
mod stopping;

use std::fs;

use gphotos_emulator::{Action, Fault, Settings};
use serde_json::{Map, Value, json};

use crate::support::{Ended, Place};

/// Standard output as what it is: a JSON object a line.
pub(crate) fn events(ended: &Ended) -> Vec<Value> {
    let event =
        |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}: {ended:?}"));
    ended.stdout.lines().map(event).collect()
}

fn of_type<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["type"] == kind).collect()
}

/// The last event.
fn last(ended: &Ended) -> Value {
    events(ended).pop().unwrap_or_else(|| panic!("nothing was printed: {ended:?}"))
}

/// Every secret of a configuration.
pub(crate) fn secrets_of(config: &Value) -> Vec<String> {
    let token: Value = serde_json::from_str(config["token"].as_str().expect("text")).expect("JSON");
    [&config["client_secret"], &token["access_token"], &token["refresh_token"]]
        .map(|secret| secret.as_str().expect("text").to_owned())
        .into()
}

/// Checks that nothing that was said contains a secret. // I6
fn assert_no_secrets(config: &Value, ended: &Ended) {
    for secret in secrets_of(config) {
        assert!(!ended.stdout.contains(&secret) && !ended.stderr.contains(&secret), "{ended:?}");
    }
}

/// The configuration as a form sends it.
fn as_strings(config: &Value) -> Value {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let fields = config.as_object().expect("an object").iter();
    Value::Object(fields.map(|(field, value)| (field.clone(), text(value).into())).collect::<Map<_, _>>())
}

fn with(mut config: Value, more: &Value) -> Value {
    config.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    config
}

impl Place {
    async fn plugin(&self, command: &str, document: &Value) -> Ended {
        self.charon_with(&["plugin", command], document).await
    }

    fn backup(&self, config: &Value) -> Value {
        let plan = json!({"name": "home", "kind": "backup", "destination": self.path("mirror")});
        json!({"storage": {"name": "family", "config": config}, "plan": plan})
    }

    fn upload(&self, config: &Value) -> Value {
        let plan =
            json!({"name": "out", "kind": "upload", "sources": [self.path("pictures")], "album": "Album"});
        json!({"storage": {"name": "family", "config": config}, "plan": plan})
    }
}

#[tokio::test]
async fn a_description_has_plutons_fields_of_google_photos() {
    let place = Place::new().await;
    let described = place.done(&["plugin", "describe", "--provider", "gphotos"]).await.json();
    let settings = described["providers"][0]["pluton"]["settings"].as_array().expect("a list");
    let field = |name: &str| {
        let found = settings.iter().find(|field| field["value"] == name);
        let found = found.unwrap_or_else(|| panic!("{name} is not there: {settings:#?}"));
        (
            found["fieldType"].as_str().expect("a type"),
            found["authFieldType"].as_str(),
            found["default"].clone(),
        )
    };
    for (name, expected) in [
        ("client_id", ("string", Some("client"), json!(""))),
        ("client_secret", ("password", Some("client"), json!(""))),
        ("token", ("password", Some("client"), json!(""))),
        ("read_only", ("bool", None, json!(false))),
        ("read_size", ("bool", None, json!(false))),
        ("start_year", ("int", None, json!("2000"))),
        ("include_archived", ("bool", None, json!(false))),
        ("proxy", ("string", None, json!(""))),
        ("batch_mode", ("select", None, json!("sync"))),
        ("batch_size", ("int", None, json!("0"))),
        ("batch_timeout", ("duration", None, json!("0s"))),
        ("batch_commit_timeout", ("duration", None, json!("10m"))),
        ("description", ("string", None, json!(""))),
    ] {
        assert_eq!(field(name), expected, "{name}");
    }
    let modes =
        settings.iter().find(|field| field["value"] == "batch_mode").expect("the field")["options"].clone();
    let option = |value: &str| json!({"label": value, "value": value});
    assert_eq!(modes, json!([option("sync"), option("async"), option("off")]));
    assert!(settings.iter().all(|field| field["label"] != "" && field["description"] != ""), "{settings:#?}");
    assert_eq!(described["providers"][0]["pluton"]["authTypes"], json!(["client"]));

    let unknown = place.charon(&["plugin", "describe", "--provider", "dropbox"]).await;
    assert_eq!((unknown.code, unknown.stdout.as_str()), (Some(2), ""), "{unknown:?}");
    assert!(!place.data_dir().exists() && !place.path("home").exists(), "nothing is stored");
}

#[tokio::test]
async fn a_configuration_is_tested_whether_typed_or_all_strings() {
    let place = Place::new().await;
    place.seed(1);
    let typed = with(place.config(), &json!({"read_only": true, "batch_size": 10, "description": "ours"}));
    let strings = with(as_strings(&typed), &json!({"encoding": "slash", "proxy": "", "connections": null}));
    for (config, notes) in [(&typed, 0), (&strings, 1)] {
        let ended = place.plugin("test", &json!({"provider": "gphotos", "config": config})).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let events = events(&ended);
        assert_eq!(of_type(&events, "note").len(), notes, "{events:#?}");
        let checks = of_type(&events, "check");
        assert_eq!(checks[0]["stage"], "config");
        assert!(checks.len() >= 5 && checks.iter().all(|check| check["verdict"] == "passed"), "{events:#?}");
        let result = last(&ended);
        assert_eq!((&result["type"], &result["ok"]), (&json!("result"), &json!(true)));
        assert_eq!(result["capabilities"]["upload"], false, "it is read-only: {result}");
        assert_no_secrets(&typed, &ended);
    }
    assert!(!place.data_dir().exists() && !place.path("home").exists(), "nothing is stored");
}

#[tokio::test]
async fn a_wrong_configuration_is_told_with_the_place_of_each_mistake() {
    let place = Place::new().await;
    let wrong = json!({"batch_size": "51", "read_only": "perhaps", "batchmode": "sync"});
    let config = with(place.config(), &wrong);
    let ended = place.plugin("test", &json!({"config": config})).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let result = last(&ended);
    let places: Vec<&str> = result["mistakes"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|one| one["pointer"].as_str())
        .collect();
    assert_eq!(places, ["/config/batch_size", "/config/batchmode", "/config/read_only"]);
    assert_eq!((&result["ok"], &result["exit_code"]), (&json!(false), &json!(2)));
    assert_eq!(of_type(&events(&ended), "check")[0]["verdict"], "failed");
    assert_no_secrets(&config, &ended);
    assert_eq!(place.world().stats().api_requests, 0);
}

#[tokio::test]
async fn a_connection_that_fails_is_told_with_its_cure() {
    let place = Place::new().await;
    let config = place.config();
    place.world().expire_access_tokens();
    place.world().revoke_refresh_tokens();
    let ended = place.plugin("test", &json!({"config": config})).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let events = events(&ended);
    let failed = of_type(&events, "check").pop().expect("a check");
    assert_eq!(failed["verdict"], "failed");
    assert!(failed["cure"].is_string(), "{failed}");
    assert_no_secrets(&config, &ended);
}

#[tokio::test]
async fn a_backup_is_run_and_run_again_from_the_same_document() {
    let place = Place::new().await;
    place.seed(5);
    let config = place.config();
    let document = place.backup(&as_strings(&config));
    for (was, done, unchanged) in [("added", 5, 0), ("unchanged", 0, 5)] {
        let ended = place.plugin("run", &document).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let events = events(&ended);
        let started = &events[0];
        assert_eq!((&started["type"], &started["kind"]), (&json!("started"), &json!("backup")));
        assert_eq!((&started["storage_was"], &started["plan_was"]), (&json!(was), &json!(was)));
        let counts = json!({"done": done, "unchanged": unchanged, "skipped": 0, "failed": 0});
        let progress = of_type(&events, "progress");
        assert_eq!(progress.last().expect("progress")["items"], counts, "the end is told");
        let summary = last(&ended);
        assert_eq!((&summary["type"], &summary["state"]), (&json!("summary"), &json!("succeeded")));
        assert_eq!((&summary["items"], &summary["run"]), (&counts, &started["run"]));
        assert_no_secrets(&config, &ended);
    }
    place.assert_mirror_is_complete();
    // What the host changes is changed.
    let mut document = document;
    document["plan"]["full_listing_hours"] = "1".into();
    document["storage"]["config"]["start_year"] = "1990".into();
    document["options"] = json!({"full_listing": "true"});
    let ended = place.plugin("run", &document).await;
    let events = events(&ended);
    assert_eq!(events[0]["storage_was"], "updated", "{ended:?}");
    assert_eq!(events[0]["plan_was"], "updated");
    assert_eq!(last(&ended)["listing"], "full");
    let shown = place.done(&["storage", "show", "family", "--json"]).await.json();
    assert_eq!(shown["config"]["start_year"], 1990);
}

#[tokio::test]
async fn a_renewed_token_is_not_undone_by_the_old_one_that_the_host_sends() {
    let settings = Settings { keep_bytes: true, rotate_refresh_tokens: true, ..Settings::default() };
    let place = Place::with(settings).await;
    place.seed(2);
    let document = place.backup(&as_strings(&place.config()));
    for run in 0..3 {
        // The stored token has to be renewed, and the one before it is worth nothing then.
        place.world().expire_access_tokens();
        let mut document = document.clone();
        document["plan"]["full_listing_hours"] = run.into();
        document["storage"]["config"]["connections"] = (run + 1).to_string().into();
        let ended = place.plugin("run", &document).await;
        assert_eq!(ended.code, Some(0), "run {run}: {ended:?}");
    }
}

#[tokio::test]
async fn items_that_fail_are_told_one_by_one() {
    // I9
    let place = Place::new().await;
    place.draw("pictures", 0..3);
    place.fault(Fault::always(Action::ItemError { code: 3, positions: vec![1] }));
    let ended = place.plugin("run", &place.upload(&place.config())).await;
    assert_eq!(ended.code, Some(3), "{ended:?}");
    let events = events(&ended);
    let items = of_type(&events, "item");
    assert_eq!(items.len(), 1, "{events:#?}");
    assert_eq!((&items[0]["outcome"], &items[0]["class"]), (&json!("failed"), &json!("item")));
    assert!(items[0]["path"].as_str().expect("a path").starts_with('/'), "{}", items[0]);
    let summary = last(&ended);
    assert_eq!((&summary["state"], &summary["exit_code"]), (&json!("partial"), &json!(3)));
}

#[tokio::test]
async fn a_run_that_has_to_wait_for_a_person_is_parked() {
    let place = Place::new().await;
    place.seed(1);
    let config = place.config();
    place.world().expire_access_tokens();
    place.world().revoke_refresh_tokens();
    let ended = place.plugin("run", &place.backup(&config)).await;
    assert_eq!(ended.code, Some(4), "{ended:?}");
    let summary = last(&ended);
    assert_eq!((&summary["state"], &summary["errors"][0]["class"]), (&json!("parked"), &json!("auth")));
    assert_no_secrets(&config, &ended);
}

#[tokio::test]
async fn what_is_refused_is_told_with_its_class_and_its_cure() {
    let place = Place::new().await;
    let config = place.config();
    let run = async |document: &Value| {
        let ended = place.plugin("run", document).await;
        let error = last(&ended);
        assert_eq!(error["type"], "error", "{ended:?}");
        assert_eq!(error["exit_code"].as_i64(), ended.code.map(i64::from), "{ended:?}");
        assert!(ended.stderr.starts_with("charon: "), "people are told too: {ended:?}");
        assert_no_secrets(&config, &ended);
        let places = error["mistakes"].as_array().expect("a list").iter().map(|one| one["pointer"].clone());
        let places: Vec<Value> = places.collect();
        (error["class"].clone(), error["exit_code"].clone(), Value::Array(places))
    };
    let refused = |class: &str, code: u8, places: &[&str]| (json!(class), json!(code), json!(places));
    let right = place.backup(&config);
    let changed = |pointer: &str, value: Value| {
        let mut document = right.clone();
        *document.pointer_mut(pointer).expect("a place") = value;
        document
    };
    assert_eq!(run(&json!([])).await, refused("config", 2, &[]));
    assert_eq!(run(&json!({"plan": {"name": "x"}})).await, refused("config", 2, &["/storage"]));
    assert!(!place.data_dir().exists(), "nothing was stored");
    let wrong_year = with(config.clone(), &json!({"start_year": "1"}));
    let document = changed("/storage/config", wrong_year);
    assert_eq!(run(&document).await, refused("config", 2, &["/storage/config/start_year"]));
    let document = changed("/plan", json!({"name": "home", "kind": "backup", "storage": "other"}));
    assert_eq!(run(&document).await, refused("config", 2, &["/plan/storage"]));
    let document = changed("/plan", json!({"name": "home", "kind": "backup"}));
    assert_eq!(run(&document).await, refused("config", 2, &["/plan/destination"]));
    let sources = json!({"name": "out", "kind": "upload", "sources": place.path("nowhere")});
    assert_eq!(run(&changed("/plan", sources)).await, refused("config", 2, &["/plan/sources"]));
    let mut document = right.clone();
    document["storage"]["provider"] = "dropbox".into();
    assert_eq!(run(&document).await, refused("config", 2, &[]));
    fs::write(place.path("letter"), "to my aunt").expect("a file");
    let mut document = right.clone();
    document["data_dir"] = place.path("letter").to_str().expect("a path").into();
    assert_eq!(run(&document).await, refused("refused", 1, &[]));
}

#[tokio::test]
async fn a_document_that_is_no_json_is_refused() {
    let place = Place::new().await;
    for text in ["", "hello", "{\"config\": "] {
        let ended = Place::give_text(&mut place.command(&["plugin", "test"]), text).await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        let error = last(&ended);
        assert_eq!((&error["type"], &error["class"]), (&json!("error"), &json!("config")));
        assert!(error["cure"].is_string());
    }
}
