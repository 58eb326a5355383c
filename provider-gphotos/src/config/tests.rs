//! What a configuration may say, and what is told about one that says something else.

use std::{num::NonZeroU32, time::Duration};

use charon_provider::{BatchPolicy, Config, Cost, Pace, Revision, Secrets};
use charon_schema::{Mistakes, annotation};
use serde_json::{Map, Value, json};

use super::{Settings, schema};

const TOKEN: &str = r#"{"access_token":"hunter2-access","refresh_token":"hunter2-refresh"}"#;

fn config(extra: &Value) -> Config {
    let mut whole: Map<String, Value> =
        json!({"client_id": "1234-abc", "client_secret": "hunter2", "token": TOKEN})
            .as_object()
            .cloned()
            .unwrap_or_default();
    whole.extend(extra.as_object().cloned().unwrap_or_default());
    let (fields, secrets) = schema().split(whole);
    Config { fields, secrets: Secrets::new(secrets), revision: Revision(1) }
}

fn read(extra: &Value) -> Result<Settings, Mistakes> {
    Settings::read(&config(extra), &schema())
}

fn only_mistake(extra: &Value) -> (String, String) {
    let mistakes = read(extra).expect_err(&extra.to_string());
    assert_eq!(mistakes.0.len(), 1, "{extra}: {mistakes}");
    assert!(!mistakes.to_string().contains("hunter2"), "a secret is quoted: {mistakes}");
    let mistake = mistakes.0.into_iter().next().unwrap();
    (mistake.pointer, mistake.reason)
}

#[test]
fn what_is_not_said_has_googles_and_rclones_defaults() {
    let settings = read(&json!({})).unwrap();
    assert_eq!(settings.auth_url.as_str(), "https://accounts.google.com/o/oauth2/v2/auth");
    assert_eq!(settings.token_url.as_str(), "https://oauth2.googleapis.com/token");
    assert_eq!(settings.api_url.as_str(), "https://photoslibrary.googleapis.com/");
    assert_eq!(settings.selection.start_year, Some(2000));
    assert!(!settings.selection.include_archived && !settings.read_only && !settings.read_size);
    assert_eq!(settings.proxy, None);
    assert_eq!(settings.pace, Pace { requests_per_minute: None, connections: 16, up: None, down: None });
    assert_eq!((settings.daily_requests, settings.daily_downloads), (10_000, 75_000));
    assert_eq!(settings.send_cost, Cost("api"));
    assert_eq!(
        settings.batch,
        BatchPolicy {
            size: 50,
            staged: 100,
            idle: Duration::from_secs(1),
            commit_timeout: Duration::from_mins(10)
        }
    );
}

#[test]
fn a_mistake_is_told_with_the_path_to_its_field() {
    for (extra, pointer, words) in [
        (json!({"batch_size": 51}), "/batch_size", "maximum of 50"),
        (json!({"batch_size": -1}), "/batch_size", "minimum of 0"),
        (json!({"start_year": 1700}), "/start_year", "minimum of 1826"),
        (json!({"start_year": "2000"}), "/start_year", "whole number"),
        (json!({"startyear": 2000}), "/startyear", "did you mean start_year?"),
        (json!({"batch_mode": "later"}), "/batch_mode", "sync"),
        (json!({"batch_timeout": "soon"}), "/batch_timeout", "soon"),
        (json!({"batch_timeout": "2h"}), "/batch_timeout", "one hour"),
        (json!({"read_only": "yes"}), "/read_only", "true or false"),
        (json!({"batch_commit_timeout": "999ms"}), "/batch_commit_timeout", "at least 1s"),
        (json!({"batch_commit_timeout": "61m"}), "/batch_commit_timeout", "one hour"),
        (json!({"batch_commit_timeout": "never"}), "/batch_commit_timeout", "10m or 90s"),
        (json!({"connections": 0}), "/connections", "minimum of 1"),
        (json!({"connections": 65}), "/connections", "maximum of 64"),
        (json!({"requests_per_minute": -1}), "/requests_per_minute", "minimum of 0"),
        (json!({"requests_per_minute": 60_001}), "/requests_per_minute", "maximum of 60000"),
        (json!({"bandwidth_up": -1}), "/bandwidth_up", "minimum of 0"),
        (json!({"bandwidth_up": 4_000_001}), "/bandwidth_up", "maximum of 4000000"),
        (json!({"bandwidth_down": -1}), "/bandwidth_down", "minimum of 0"),
        (json!({"bandwidth_down": 4_000_001}), "/bandwidth_down", "maximum of 4000000"),
        (json!({"daily_requests": 0}), "/daily_requests", "minimum of 1"),
        (json!({"daily_requests": 1_000_000_001}), "/daily_requests", "maximum of 1000000000"),
        (json!({"daily_downloads": 0}), "/daily_downloads", "minimum of 1"),
        (json!({"daily_downloads": 1_000_000_001}), "/daily_downloads", "maximum of 1000000000"),
        (json!({"uploads_count": 1}), "/uploads_count", "true or false"),
        (json!({"description": "x".repeat(501)}), "/description", "500 are the most"),
        (json!({"client_id": " "}), "/client_id", "missing or blank"),
        (json!({"client_id": ""}), "/client_id", "missing or blank"),
        (json!({"client_secret": "{\"hunter2\":1}"}), "/client_secret", "client_secret.json"),
        (json!({"token": "hunter2"}), "/token", "rclone authorize"),
        (json!({"token": ""}), "/token", ""),
        (json!({"api_url": "photos"}), "/api_url", "is not a URL"),
        (json!({"token_url": "http://example.org/token"}), "/token_url", "plain http can be read"),
        (json!({"auth_url": "mailto:a@b"}), "/auth_url", "https://"),
        (json!({"proxy": "localhost"}), "/proxy", "is not a URL"),
        (json!({"proxy": "http://pat:hunter2@nas"}), "/proxy", "password"),
    ] {
        let found = only_mistake(&extra);
        assert_eq!(found.0, pointer, "{extra}");
        assert!(found.1.contains(words), "{extra}: {}", found.1);
    }
}

#[test]
fn what_the_schema_refuses_and_what_only_the_provider_can_judge_are_told_together() {
    let error = read(&json!({"batch_size": 51, "clientid": "x", "token": "hunter2", "api_url": "photos"}));
    let mistakes = error.expect_err("four mistakes");
    let pointers: Vec<&str> = mistakes.0.iter().map(|mistake| mistake.pointer.as_str()).collect();
    assert_eq!(pointers, ["/api_url", "/batch_size", "/clientid", "/token"]);
}

#[test]
fn a_missing_client_id_and_token_are_both_named() {
    let error = Settings::read(&Config::default(), &schema()).unwrap_err();
    let pointers: Vec<&str> = error.0.iter().map(|mistake| mistake.pointer.as_str()).collect();
    assert_eq!(pointers, ["/client_id", "/token"]);
    assert!(error.0.iter().all(|mistake| mistake.reason.starts_with("is missing")), "{error}");
}

#[test]
fn every_mistake_that_the_schema_cannot_see_is_told_at_once() {
    let error = read(&json!({"api_url": "x", "token": "hunter2", "proxy": "x"})).unwrap_err();
    let pointers: Vec<_> = error.0.iter().map(|mistake| mistake.pointer.as_str()).collect();
    assert_eq!(pointers, ["/api_url", "/proxy", "/token"]);
}

#[test]
fn each_batch_mode_has_its_policy() {
    let policy = |extra| read(&extra).unwrap().batch;
    let seconds = Duration::from_secs;
    assert_eq!(
        policy(json!({"batch_mode": "sync", "batch_size": 10, "batch_timeout": "500ms"})),
        BatchPolicy {
            size: 10,
            staged: 20,
            idle: Duration::from_millis(500),
            commit_timeout: Duration::from_mins(10)
        }
    );
    assert_eq!(
        policy(json!({"batch_mode": "async"})),
        BatchPolicy { size: 50, staged: 500, idle: seconds(10), commit_timeout: Duration::from_mins(10) }
    );
    assert_eq!(
        policy(json!({"batch_mode": "off", "batch_size": 9, "batch_timeout": "5s"})),
        BatchPolicy { size: 1, staged: 16, idle: Duration::ZERO, commit_timeout: Duration::from_mins(10) }
    );
}

#[test]
fn a_blank_endpoint_means_googles() {
    let settings = read(&json!({"api_url": "", "token_url": "", "auth_url": ""})).unwrap();
    assert_eq!(settings.api_url.host_str(), Some("photoslibrary.googleapis.com"));
}

#[test]
fn the_schema_says_of_every_field_what_a_form_needs() {
    let schema = schema();
    let fields = schema.fields();
    assert_eq!(fields.first(), Some(&"client_id"));
    assert_eq!(fields.len(), 23);
    let properties = &schema.as_json()["properties"];
    for (at, field) in fields.iter().enumerate() {
        let property = &properties[field];
        assert_eq!(property[annotation::ORDER], json!(at + 1), "{field}: {property}");
        for key in ["title", "description", "type", annotation::GROUP] {
            assert!(property[key].is_string(), "{field} has no {key}: {property}");
        }
        let required = schema.as_json()["required"].as_array().unwrap().contains(&json!(field));
        let optional = !property["default"].is_null() || schema.is_secret(field);
        assert!(required || optional, "{field} has no default: {property}");
    }
    let secrets: Vec<_> = fields.into_iter().filter(|field| schema.is_secret(field)).collect();
    assert_eq!(secrets, ["client_secret", "token"]);
    assert_eq!(properties["batch_mode"]["enum"], json!(["sync", "async", "off"]));
    assert_eq!(properties["start_year"]["minimum"], json!(1826));
    let with = |key: &str| -> Vec<&str> {
        let of = |field: &&str| !properties[*field][key].is_null();
        schema.fields().into_iter().filter(of).collect()
    };
    let basic: Vec<_> =
        schema.fields().into_iter().filter(|field| !with(annotation::ADVANCED).contains(field)).collect();
    assert_eq!(
        basic,
        ["client_id", "client_secret", "token", "read_only", "description", "start_year", "include_archived"]
    );
    let numbers = schema.fields().into_iter().filter(|field| properties[*field]["type"] == "integer");
    for field in numbers.chain(["batch_timeout", "batch_commit_timeout"]) {
        assert!(with(annotation::UNIT).contains(&field), "{field} has no unit");
    }
    for (field, default) in [
        ("client_id", json!("")),
        ("description", json!("")),
        ("read_only", json!(false)),
        ("start_year", json!(2000)),
        ("include_archived", json!(false)),
        ("read_size", json!(false)),
        ("proxy", json!("")),
        ("batch_mode", json!("sync")),
        ("batch_size", json!(0)),
        ("batch_timeout", json!("0s")),
        ("batch_commit_timeout", json!("10m")),
        ("connections", json!(16)),
        ("requests_per_minute", json!(0)),
        ("bandwidth_up", json!(0)),
        ("bandwidth_down", json!(0)),
        ("daily_requests", json!(10_000)),
        ("daily_downloads", json!(75_000)),
        ("uploads_count", json!(true)),
    ] {
        assert_eq!(properties[field]["default"], default, "{field}");
    }
}

#[test]
fn debug_shows_no_secret() {
    // I6
    let shown = format!("{:?} {:?}", config(&json!({})), read(&json!({})).unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn the_client_may_come_from_googles_file() {
    let file = r#"{"installed":{"client_id":"77-file","client_secret":"hunter2"}}"#;
    let of = |client_id: &str| read(&json!({"client_id": client_id, "client_secret": file}));
    assert_eq!(of("").unwrap().client_id, "77-file");
    assert_eq!(of(" 77-file ").unwrap().client_id, "77-file");
    let (pointer, reason) = only_mistake(&json!({"client_id": "78-other", "client_secret": file}));
    assert_eq!(pointer, "/client_id");
    assert!(reason.contains("another client"), "{reason}");
}

#[test]
fn consent_is_asked_for_without_a_token_and_with_everything_else() {
    let before = |extra: &Value| {
        let mut config = config(extra);
        config.secrets = Secrets::new(
            config
                .secrets
                .expose()
                .into_iter()
                .filter(|(name, value)| name != "token" || value != TOKEN)
                .collect(),
        );
        Settings::read_before_consent(&config, &schema())
    };
    for extra in [json!({}), json!({"token": ""}), json!({"token": " "})] {
        assert!(before(&extra).unwrap().token.refresh.is_none(), "{extra}");
    }
    for (extra, pointer) in [
        (json!({"client_id": ""}), "/client_id"),
        (json!({"token": "hunter2"}), "/token"),
        (json!({"connections": 0}), "/connections"),
        (json!({"auth_url": "x"}), "/auth_url"),
    ] {
        let mistakes = before(&extra).expect_err(&extra.to_string());
        let pointers: Vec<&str> = mistakes.0.iter().map(|mistake| mistake.pointer.as_str()).collect();
        assert_eq!(pointers, [pointer], "{extra}: {mistakes}");
    }
    assert!(
        Settings::read(&Config { secrets: Secrets::default(), ..config(&json!({})) }, &schema()).is_err()
    );
}

#[test]
fn a_pace_is_read_and_zero_means_no_limit() {
    let pace = |extra| read(&extra).unwrap().pace;
    assert_eq!(
        pace(
            json!({"connections": 64, "requests_per_minute": 60_000, "bandwidth_up": 1, "bandwidth_down": 4_000_000})
        ),
        Pace {
            requests_per_minute: NonZeroU32::new(60_000),
            connections: 64,
            up: NonZeroU32::new(1024),
            down: NonZeroU32::new(4_096_000_000),
        }
    );
    assert_eq!(pace(json!({"connections": 1})).connections, 1);
}

#[test]
fn a_commit_may_take_between_a_second_and_an_hour() {
    let timeout = |text: &str| read(&json!({"batch_commit_timeout": text})).unwrap().batch.commit_timeout;
    for (text, seconds) in [("1s", 1), ("1h", 3600), ("90s", 90), ("0", 600), ("0s", 600), ("10m", 600)] {
        assert_eq!(timeout(text), Duration::from_secs(seconds), "{text}");
    }
}

#[test]
fn a_description_may_have_500_characters() {
    assert!(read(&json!({"description": "ü".repeat(500)})).is_ok());
}
