//! What a configuration may say, and what is told about one that says something else.

use std::time::Duration;

use charon_provider::{BatchPolicy, Config, Revision, Secrets};
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
    assert_eq!(settings.token_url.as_str(), "https://oauth2.googleapis.com/token");
    assert_eq!(settings.api_url.as_str(), "https://photoslibrary.googleapis.com/");
    assert_eq!(settings.selection.start_year, Some(2000));
    assert!(!settings.selection.include_archived && !settings.read_only);
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
        (json!({"client_id": " "}), "/client_id", "blank"),
        (json!({"token": "hunter2"}), "/token", "rclone authorize"),
        (json!({"token": ""}), "/token", ""),
        (json!({"api_url": "photos"}), "/api_url", "is not a URL"),
        (json!({"token_url": "http://example.org/token"}), "/token_url", "plain http can be read"),
        (json!({"auth_url": "mailto:a@b"}), "/auth_url", "https://"),
        (json!({"proxy": "localhost"}), "/proxy", "is not a URL"),
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
    assert_eq!(error.to_string(), "client_id: is missing; token: is missing");
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
    assert_eq!(fields.len(), 14);
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
}

#[test]
fn debug_shows_no_secret() {
    // I6
    let shown = format!("{:?} {:?}", config(&json!({})), read(&json!({})).unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");
}
