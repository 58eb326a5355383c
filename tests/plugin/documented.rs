//! The examples of docs/plugin.md are true: what it says is read is read, and what is printed is as it says.

use std::{collections::BTreeMap, fs, path::Path};

use gphotos_emulator::{Action, Fault};
use serde_json::{Map, Value, json};

use super::{events, last, with};
use crate::support::Place;

/// The examples of the page under this name.
fn examples(name: &str) -> Vec<Value> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/plugin.md");
    let page = fs::read_to_string(page).expect("the page");
    let begin = format!("```json plugin:{name}\n");
    let blocks = page.split(&begin).skip(1);
    let found: Vec<Value> = blocks
        .map(|rest| rest.split("\n```").next().expect("a block"))
        .map(|block| serde_json::from_str(block).unwrap_or_else(|error| panic!("{error}: {block}")))
        .collect();
    assert!(!found.is_empty(), "the page has no example of {name}");
    found
}

fn example(name: &str) -> Value {
    examples(name).remove(0)
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().expect("an object")
}

/// What a value is: its type in JSON.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Checks that all that the example has is there, and of the same type; null may stand for anything.
fn assert_like(found: &Value, example: &Value, place: &str) {
    match (found, example) {
        (Value::Object(found), Value::Object(example)) => {
            for (field, example) in example {
                let place = format!("{place}/{field}");
                assert_like(
                    found.get(field).unwrap_or_else(|| panic!("{place} is not there")),
                    example,
                    &place,
                );
            }
        }
        (Value::Array(found), Value::Array(example)) => {
            if let (Some(found), Some(example)) = (found.first(), example.first()) {
                assert_like(found, example, &format!("{place}/0"));
            }
        }
        (Value::Null, _) | (_, Value::Null) => {}
        _ => assert_eq!(kind(found), kind(example), "{place}: {found}"),
    }
}

/// Checks that an event has the fields that the page documents, and no others.
fn assert_documented(event: &Value) {
    let name = event["type"].as_str().expect("a type");
    let mut of_type = examples("event").into_iter().filter(|example| example["type"] == name);
    let example = of_type.next_back().unwrap_or_else(|| panic!("{name} is not documented: {event}"));
    let optional = example_of_optional(name);
    for field in object(event).keys() {
        assert!(example.get(field).is_some(), "{field} of {name} is not documented: {event}");
    }
    for (field, example) in object(&example) {
        match event.get(field) {
            // Counts by a name have names of their own.
            Some(Value::Object(_))
                if matches!(field.as_str(), "skipped" | "fidelity" | "requests_by_meter") => {}
            Some(found) => assert_like(found, example, &format!("{name}/{field}")),
            None => {
                assert!(optional.contains(field), "{field} of {name} is documented and not there: {event}");
            }
        }
    }
}

fn example_of_optional(name: &str) -> Vec<String> {
    let optional = example("optional");
    let fields = optional.get(name).and_then(Value::as_array).into_iter().flatten();
    fields.filter_map(|field| field.as_str().map(str::to_owned)).collect()
}

/// A configuration of the page, for the emulated account.
fn put_account(config: &mut Value, place: &Place) {
    let real = place.config();
    for field in ["client_id", "client_secret", "token"] {
        if config.get(field).is_some() {
            config[field] = real[field].clone();
        }
    }
    *config = with(config.clone(), &json!({"token_url": real["token_url"], "api_url": real["api_url"]}));
}

#[tokio::test]
async fn the_description_is_as_documented() {
    let place = Place::new().await;
    let described = place.done(&["plugin", "describe"]).await;
    assert_eq!(described.stdout.lines().count(), 1, "it is one line");
    let (described, documented) = (described.json(), example("describe"));
    assert_like(&described, &documented, "");
    assert_eq!(described["protocol"], documented["protocol"]);
    assert_eq!(described["version"], env!("CARGO_PKG_VERSION"));
    for command in ["describe", "test", "run"] {
        for field in ["arguments", "events"] {
            assert_eq!(described["commands"][command][field], documented["commands"][command][field]);
        }
    }
    let documented: Vec<Value> = examples("event").iter().map(|event| event["type"].clone()).collect();
    for command in ["test", "run"] {
        for kind in described["commands"][command]["events"].as_array().expect("a list") {
            assert!(documented.contains(kind), "{kind} has an example");
        }
    }
}

#[tokio::test]
async fn the_examples_of_a_test_do_what_the_page_says() {
    let place = Place::new().await;
    place.seed(1);
    let described = place.done(&["plugin", "describe"]).await.json();
    let schema = jsonschema::validator_for(&described["commands"]["test"]["input"]).expect("a schema");
    let mut document = example("test-input");
    assert!(schema.is_valid(&document));
    put_account(&mut document["config"], &place);
    let right = place.plugin("test", &document).await;
    assert_eq!(right.code, Some(0), "{right:?}");
    assert_eq!(events(&right)[0], examples("event")[0], "the note is as documented");
    document["config"]["batch_size"] = 51.into();
    let wrong = place.plugin("test", &document).await;
    assert_eq!(last(&wrong), examples("event")[2], "the result is as documented");
    for ended in [right, wrong] {
        events(&ended).iter().for_each(assert_documented);
    }
}

#[tokio::test]
async fn the_examples_of_a_run_do_what_the_page_says() {
    let place = Place::new().await;
    place.seed(3);
    place.draw("pictures", 100..103);
    let described = place.done(&["plugin", "describe"]).await.json();
    let schema = jsonschema::validator_for(&described["commands"]["run"]["input"]).expect("a schema");
    let mut seen = BTreeMap::new();
    for (number, mut document) in examples("run-input").into_iter().enumerate() {
        assert!(schema.is_valid(&document), "{document}");
        document["data_dir"] = place.data_dir().to_str().expect("a path").into();
        put_account(&mut document["storage"]["config"], &place);
        let plan = &mut document["plan"];
        match plan["kind"].as_str() {
            Some("backup") => plan["destination"] = place.path("mirror").to_str().expect("a path").into(),
            _ => plan["sources"] = place.path("pictures").to_str().expect("a path").into(),
        }
        if number == 1 {
            place.fault(Fault::always(Action::ItemError { code: 3, positions: vec![1] }));
        }
        let ended = Place::give(&mut place.elsewhere(&[], &["plugin", "run"]), &document).await;
        assert_eq!(ended.code, Some([0, 3][number]), "{ended:?}");
        for event in events(&ended) {
            assert_documented(&event);
            seen.insert(event["type"].as_str().expect("a type").to_owned(), event);
        }
        document["plan"][["destination", "sources"][number]] = Value::Null;
        let refused = Place::give(&mut place.elsewhere(&[], &["plugin", "run"]), &document).await;
        assert_eq!(refused.code, Some(2), "{refused:?}");
        events(&refused).iter().for_each(assert_documented);
        if number == 0 {
            assert_eq!(
                last(&refused),
                examples("event").pop().expect("the last one"),
                "the error is as documented"
            );
        }
    }
    let kinds: Vec<&str> = seen.keys().map(String::as_str).collect();
    assert_eq!(kinds, ["item", "progress", "started", "summary"]);
    place.assert_mirror_is_complete_but(2);
}

impl Place {
    /// Checks that the mirror holds what the account held before so many were sent.
    fn assert_mirror_is_complete_but(&self, sent: usize) {
        assert_eq!(self.mirrored().len(), self.world().item_count() - sent);
    }
}
