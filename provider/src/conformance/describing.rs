//! What a provider says of itself.

use serde_json::Value;

use super::case::{Case, Ends, Stop};

pub(super) async fn a_provider_describes_itself_the_same_every_time(case: &Case<'_>) -> Ends {
    let (one, other) = (case.provider(), case.provider());
    let (first, second) = (one.describe(), other.describe());
    let id = first.id;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    case.expect(id.starts_with(|c: char| c.is_ascii_lowercase()) && id.chars().all(plain), || {
        format!("the id {id:?} is not lower case letters, digits, - and _, beginning with a letter")
    });
    case.expect(!first.name.trim().is_empty(), || "the name is blank".into());
    case.expect(!first.summary.trim().is_empty(), || "the summary is blank".into());
    for again in [second, one.describe()] {
        let same = (again.id, again.name, again.summary) == (first.id, first.name, first.summary)
            && again.schema.as_json() == first.schema.as_json();
        case.expect(same, || "two descriptions of the same provider differ".into());
    }
    Ok(())
}

pub(super) async fn every_field_is_described_for_people(case: &Case<'_>) -> Ends {
    let provider = case.provider();
    let schema = provider.describe().schema.as_json();
    case.expect(schema["type"] == "object", || "the schema is not of an object".into());
    let fields = schema["properties"]
        .as_object()
        .ok_or_else(|| Stop::Failed("the schema has no properties".into()))?;
    for (name, field) in fields {
        for word in ["title", "description"] {
            let written = field[word].as_str().is_some_and(|text| !text.trim().is_empty());
            case.expect(written, || format!("the field {name} has no {word}"));
        }
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        case.expect(fields.contains_key(name), || format!("the field {name} is required and not described"));
    }
    let right = Value::Object(case.world().await.config());
    let judged = provider.describe().schema.validate(&right);
    case.expect(judged.is_ok(), || format!("the schema refuses a right configuration: {judged:?}"));
    Ok(())
}

// I6
pub(super) async fn secrets_are_marked_in_the_schema(case: &Case<'_>) -> Ends {
    let provider = case.provider();
    let schema = &provider.describe().schema;
    let world = case.world().await;
    let secrets = world.secrets();
    let (open, _) = schema.split(world.config());
    for (name, value) in open {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        case.expect(!secrets.iter().any(|secret| text.contains(secret)), || {
            format!("the field {name} holds a secret and is not marked as one")
        });
    }
    for name in schema.fields() {
        let words = ["secret", "password", "passphrase", "token", "credential"];
        let sounds_secret = words.iter().any(|word| name.ends_with(word));
        case.expect(!sounds_secret || schema.is_secret(name), || {
            format!("the field {name} sounds like a secret and is not marked as one")
        });
        let default = &schema.as_json()["properties"][name]["default"];
        let blank = default.is_null() || default.as_str().is_some_and(str::is_empty);
        case.expect(!schema.is_secret(name) || blank, || format!("the secret {name} has a default"));
    }
    Ok(())
}
