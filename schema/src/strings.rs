//! Values as strings, and back: a form of another program often knows nothing else.
//!
//! A string becomes what the schema wants where that is certain; everything else is left as it is, for the validation to
//! judge. An empty string, and null, mean that the field is left out.

use serde_json::{Map, Value};

use crate::ConfigSchema;

impl ConfigSchema {
    /// The configuration with strings turned into the types that the schema wants: `"true"` into true, `"10"` into 10, text
    /// with commas or on several lines into a list. Where the schema takes the text as it is, it stays.
    pub fn coerce(&self, config: Map<String, Value>) -> Map<String, Value> {
        object(self.as_json(), config)
    }
}

/// The same configuration with every value as a string, as a form sends it; [`ConfigSchema::coerce`] gives it back. What is
/// null is left out.
pub fn as_strings(config: &Map<String, Value>) -> Map<String, Value> {
    let written = |(field, value): (&String, &Value)| Some((field.clone(), Value::String(written(value)?)));
    config.iter().filter_map(written).collect()
}

/// A default as a form shows it: nothing, where it says that there is none.
pub(crate) fn written_default(value: &Value) -> String {
    match value {
        Value::Array(values) if values.is_empty() => String::new(),
        other => written(other).unwrap_or_default(),
    }
}

fn written(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(values) => Some(joined(values).unwrap_or_else(|| value.to_string())),
        other => Some(other.to_string()),
    }
}

/// A list with commas between its values, where none of them could be taken for something else.
fn joined(values: &[Value]) -> Option<String> {
    let plain = |value: &Value| match value {
        Value::String(text) => {
            let is_plain = !text.is_empty()
                && text.trim() == text
                && !text.contains([',', '\n', '\r'])
                && !text.starts_with('[');
            is_plain.then(|| text.clone())
        }
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    };
    let texts: Vec<String> = values.iter().map(plain).collect::<Option<_>>()?;
    (!texts.is_empty()).then(|| texts.join(","))
}

fn object(schema: &Value, config: Map<String, Value>) -> Map<String, Value> {
    let typed =
        |(field, value): (String, Value)| match schema.get("properties").and_then(|all| all.get(&field)) {
            Some(property) => Some((field, typed(property, value)?)),
            None => Some((field, value)),
        };
    config.into_iter().filter_map(typed).collect()
}

/// The value as the schema wants it; `None` if it says that there is none.
fn typed(schema: &Value, value: Value) -> Option<Value> {
    let wanted = variants(schema);
    match value {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => {
            if wanted.iter().any(|one| takes_text(one, &text)) {
                return Some(text.into());
            }
            let is_unset =
                text.trim().is_empty() || text == "unset" && wanted.iter().any(|one| is(one, "null"));
            (!is_unset).then(|| wanted.iter().find_map(|one| read(one, &text)).unwrap_or(text.into()))
        }
        Value::Object(map) => {
            let has_fields = |one: &&&Value| one.get("properties").is_some();
            Some(Value::Object(match wanted.iter().find(has_fields) {
                Some(one) => object(one, map),
                None => map,
            }))
        }
        other => Some(other),
    }
}

/// What a schema leaves to choose from: the schema itself, if it leaves no choice.
pub(crate) fn variants(schema: &Value) -> Vec<&Value> {
    let choices = ["anyOf", "oneOf"].into_iter().filter_map(|word| schema.get(word)?.as_array()).flatten();
    let all: Vec<&Value> = choices.flat_map(variants).collect();
    if all.is_empty() { vec![schema] } else { all }
}

/// Whether a schema that leaves no choice takes values of this type.
pub(crate) fn is(schema: &Value, name: &str) -> bool {
    match &schema["type"] {
        Value::String(one) => one == name,
        Value::Array(several) => several.iter().any(|one| one == name),
        _ => false,
    }
}

fn takes_text(schema: &Value, text: &str) -> bool {
    let among = |word: &str| {
        schema.get(word).is_none_or(|only| match only {
            Value::Array(several) => several.iter().any(|one| one == text),
            one => one == text,
        })
    };
    is(schema, "string") && among("enum") && among("const")
}

/// The text as the type of a schema that does not take text.
fn read(schema: &Value, text: &str) -> Option<Value> {
    let trimmed = text.trim();
    let boolean = || match trimmed.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true.into()),
        "false" | "no" | "off" | "0" => Some(false.into()),
        _ => None,
    };
    let integer = || match trimmed.parse::<i64>() {
        Ok(number) => Some(number.into()),
        Err(_) => trimmed.parse::<u64>().ok().map(Value::from),
    };
    let number = || trimmed.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Value::from);
    if is(schema, "boolean") {
        boolean()
    } else if is(schema, "integer") {
        integer()
    } else if is(schema, "number") {
        integer().or_else(number)
    } else if is(schema, "array") {
        Some(list(&schema["items"], trimmed))
    } else if is(schema, "object") && trimmed.starts_with('{') {
        let map = serde_json::from_str(trimmed).ok()?;
        Some(Value::Object(object(schema, map)))
    } else {
        None
    }
}

/// A list of JSON, of lines, or of what commas divide.
fn list(items: &Value, text: &str) -> Value {
    if text.starts_with('[')
        && let Ok(values) = serde_json::from_str::<Vec<Value>>(text)
    {
        return values.into_iter().map(|value| typed(items, value.clone()).unwrap_or(value)).collect();
    }
    let divider = if text.contains('\n') { '\n' } else { ',' };
    let parts = text.split(divider).map(str::trim).filter(|part| !part.is_empty());
    parts.filter_map(|part| typed(items, part.into())).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};
    use serde_json::{Map, Value, json};

    use super::as_strings;
    use crate::ConfigSchema;

    #[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    #[schemars(inline)]
    enum Mode {
        Sync,
        Off,
    }

    #[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
    #[schemars(inline)]
    struct Inner {
        deep: Option<bool>,
        year: Option<i16>,
    }

    #[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
    #[serde(untagged)]
    #[schemars(inline)]
    enum Albums {
        Every(Every),
        These(Vec<String>),
    }

    #[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    #[schemars(inline)]
    enum Every {
        Every,
    }

    #[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
    struct Example {
        flag: bool,
        maybe: Option<bool>,
        count: u64,
        signed: Option<i64>,
        ratio: f64,
        text: String,
        mode: Mode,
        names: Vec<String>,
        numbers: Vec<i32>,
        inner: Option<Inner>,
        albums: Option<Albums>,
    }

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().expect("an object")
    }

    fn coerced(value: &Value) -> Value {
        Value::Object(ConfigSchema::of::<Example>().coerce(map(value)))
    }

    fn without_nulls(value: Value) -> Value {
        match value {
            Value::Object(map) => {
                let kept = map.into_iter().filter(|(_, value)| !value.is_null());
                Value::Object(kept.map(|(field, value)| (field, without_nulls(value))).collect())
            }
            other => other,
        }
    }

    fn examples() -> impl Strategy<Value = Example> {
        let mode = prop_oneof![Just(Mode::Sync), Just(Mode::Off)];
        let text = prop_oneof![
            "[^\u{0}]{1,20}",
            Just("true".to_owned()),
            Just("10".to_owned()),
            Just("[1]".to_owned())
        ];
        let names = prop::collection::vec(
            prop_oneof![text.clone(), Just(String::new()), Just("a, b".to_owned())],
            0..5,
        );
        let inner =
            (any::<Option<bool>>(), any::<Option<i16>>()).prop_map(|(deep, year)| Inner { deep, year });
        let numbers = prop::collection::vec(any::<i32>(), 0..5);
        let albums = prop_oneof![
            Just(Albums::Every(Every::Every)),
            prop::collection::vec("[a-d ,]{2,9}", 2..4).prop_map(Albums::These)
        ];
        let first = (any::<bool>(), any::<Option<bool>>(), any::<u64>(), any::<Option<i64>>(), -1e300..1e300);
        let rest = (text, mode, names, numbers, prop::option::of(inner), prop::option::of(albums));
        (first, rest).prop_map(|(first, rest)| {
            let (flag, maybe, count, signed, ratio) = first;
            let (text, mode, names, numbers, inner, albums) = rest;
            Example { flag, maybe, count, signed, ratio, text, mode, names, numbers, inner, albums }
        })
    }

    proptest! {
        #[test]
        fn a_typed_config_survives_being_written_as_strings(example in examples()) {
            let typed = without_nulls(serde_json::to_value(example).expect("JSON"));
            let strings = as_strings(&map(&typed));
            prop_assert!(strings.values().all(Value::is_string), "{:?}", strings);
            prop_assert_eq!(coerced(&Value::Object(strings)), typed);
        }

        #[test]
        fn a_typed_config_stays_as_it_is(example in examples()) {
            let typed = without_nulls(serde_json::to_value(example).expect("JSON"));
            prop_assume!(typed["text"] != "");
            prop_assert_eq!(coerced(&typed), typed);
        }
    }

    #[test]
    fn strings_become_what_the_schema_wants() {
        for (string, wanted) in [
            (json!({"flag": "TRUE"}), json!({"flag": true})),
            (json!({"flag": " off "}), json!({"flag": false})),
            (json!({"count": " 10 "}), json!({"count": 10})),
            (json!({"count": "18446744073709551615"}), json!({"count": u64::MAX})),
            (json!({"ratio": "1e3"}), json!({"ratio": 1000.0})),
            (json!({"ratio": "2"}), json!({"ratio": 2})),
            (json!({"text": "10"}), json!({"text": "10"})),
            (json!({"mode": "off"}), json!({"mode": "off"})),
            (json!({"names": "a, b,,c"}), json!({"names": ["a", "b", "c"]})),
            (json!({"names": "a, b\nc\r\n"}), json!({"names": ["a, b", "c"]})),
            (json!({"names": r#"["a,b", ""]"#}), json!({"names": ["a,b", ""]})),
            (json!({"numbers": "1, 2"}), json!({"numbers": [1, 2]})),
            (json!({"inner": r#"{"year": "2000", "deep": ""}"#}), json!({"inner": {"year": 2000}})),
            (json!({"inner": {"deep": "yes"}}), json!({"inner": {"deep": true}})),
            (json!({"albums": "every"}), json!({"albums": "every"})),
            (json!({"albums": "Summer"}), json!({"albums": ["Summer"]})),
        ] {
            assert_eq!(coerced(&string), wanted, "{string}");
        }
    }

    #[test]
    fn what_is_empty_is_left_out() {
        let nothing =
            json!({"flag": "", "count": " ", "text": "", "names": "", "inner": null, "maybe": "unset"});
        assert_eq!(coerced(&nothing), json!({}));
    }

    #[test]
    fn what_cannot_be_read_is_left_for_the_validation_to_judge() {
        let wrong = json!({"flag": "maybe", "count": "ten", "mode": "fast", "ratio": "inf", "inner": "{", "unknown": ""});
        assert_eq!(coerced(&wrong), wrong);
    }
}
