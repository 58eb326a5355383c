//! What a property takes, told by its schema: what a form draws for it, and how what was entered is read.

use serde_json::Value;

use crate::{
    annotation,
    strings::{is, variants},
};

/// What a property takes.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape<'a> {
    /// An object with fields of its own.
    Fields,
    /// True or false.
    Boolean,
    /// A number.
    Number {
        /// Whether it has no fraction.
        is_whole: bool,
    },
    /// One of these words.
    Choice(Vec<Choice<'a>>),
    /// A list.
    List,
    /// One of these words, or a list.
    ChoiceOrList(Vec<Choice<'a>>),
    /// Text.
    Text,
    /// Something that only JSON can say.
    Json,
}

/// One word that a property takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice<'a> {
    /// The word.
    pub value: &'a str,
    /// What it means, if the schema says so.
    pub description: Option<&'a str>,
}

/// What a property takes, apart from null.
pub fn shape(property: &Value) -> Shape<'_> {
    let takes: Vec<&Value> = variants(property).into_iter().filter(|one| !is_null_alone(one)).collect();
    let all = |name: &str| !takes.is_empty() && takes.iter().all(|one| is(one, name));
    let any = |name: &str| takes.iter().any(|one| is(one, name));
    let choices: Vec<Choice<'_>> = takes.iter().flat_map(|one| choices(one)).collect();
    let takes_any_text =
        takes.iter().any(|one| is(one, "string") && one.get("enum").is_none() && one.get("const").is_none());
    if takes.iter().any(|one| one.get("properties").is_some()) {
        Shape::Fields
    } else if all("boolean") {
        Shape::Boolean
    } else if all("integer") || all("number") {
        Shape::Number { is_whole: all("integer") }
    } else if !choices.is_empty() && !takes_any_text && all("string") {
        Shape::Choice(choices)
    } else if !choices.is_empty() && !takes_any_text && any("array") {
        Shape::ChoiceOrList(choices)
    } else if all("array") {
        Shape::List
    } else if all("string") {
        Shape::Text
    } else {
        Shape::Json
    }
}

/// Whether a property takes null, which says the same as leaving it out.
pub fn is_nullable(property: &Value) -> bool {
    variants(property).into_iter().any(|one| is(one, "null"))
}

/// The names of the fields that an object has of its own, in the order in which a form shows them ([`annotation::ORDER`], then by
/// name). None for whatever is no such object.
pub fn fields(object: &Value) -> Vec<&str> {
    let order = |field: &Value| field.get(annotation::ORDER).and_then(Value::as_u64).unwrap_or(u64::MAX);
    let mut fields: Vec<(u64, &str)> =
        properties(object).map(|(name, field)| (order(field), name.as_str())).collect();
    fields.sort_unstable();
    fields.into_iter().map(|(_, name)| name).collect()
}

/// One field of an object.
pub fn property<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    variants(object).into_iter().find_map(|one| one.get("properties")?.get(name))
}

fn properties(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let with_fields =
        variants(object).into_iter().find_map(|one| one.get("properties").and_then(Value::as_object));
    with_fields.into_iter().flatten()
}

fn is_null_alone(schema: &Value) -> bool {
    schema["type"] == "null"
}

fn choices(schema: &Value) -> Vec<Choice<'_>> {
    let description = schema.get("description").and_then(Value::as_str);
    let several =
        schema.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let one = schema.get("const").and_then(Value::as_str);
    let described = one.map(|value| Choice { value, description });
    several.map(|value| Choice { value, description: None }).chain(described).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Shape, is_nullable, shape};

    /// Its name, and the words to choose from.
    fn told(property: &Value) -> String {
        match shape(property) {
            Shape::Choice(choices) => format!("choice {}", words(&choices)),
            Shape::ChoiceOrList(choices) => format!("choice {} or list", words(&choices)),
            Shape::Number { is_whole } => format!("number {is_whole}"),
            other => format!("{other:?}").to_lowercase(),
        }
    }

    fn words(choices: &[super::Choice<'_>]) -> String {
        choices.iter().map(|choice| choice.value).collect::<Vec<_>>().join("|")
    }

    #[test]
    fn a_property_tells_what_it_takes() {
        let every = json!({"oneOf": [{"const": "every", "type": "string"}]});
        let texts = json!({"type": "array", "items": {"type": "string"}});
        for (property, expected, nullable) in [
            (json!({"type": "string"}), "text", false),
            (json!({"type": ["string", "null"]}), "text", true),
            (json!({"type": "boolean"}), "boolean", false),
            (json!({"type": ["boolean", "null"]}), "boolean", true),
            (json!({"type": ["integer", "null"]}), "number true", true),
            (json!({"type": "number"}), "number false", false),
            (json!({"type": "string", "enum": ["a", "b"]}), "choice a|b", false),
            (json!({"oneOf": [{"const": "a", "type": "string"}, {"type": "null"}]}), "choice a", true),
            (texts.clone(), "list", false),
            (
                json!({"anyOf": [{"anyOf": [every, texts.clone()]}, {"type": "null"}]}),
                "choice every or list",
                true,
            ),
            (json!({"anyOf": [{"type": "string"}, texts]}), "json", false),
            (json!({"type": ["object", "null"], "properties": {}}), "fields", true),
            (json!({"type": "object", "additionalProperties": {"type": "string"}}), "json", false),
        ] {
            assert_eq!(told(&property), expected, "{property}");
            assert_eq!(is_nullable(&property), nullable, "{property}");
        }
    }

    #[test]
    fn a_word_says_what_it_means() {
        let property = json!({"oneOf": [{"const": "skip", "description": "Nothing.", "type": "string"}]});
        let Shape::Choice(choices) = shape(&property) else { panic!("a choice") };
        assert_eq!((choices[0].value, choices[0].description), ("skip", Some("Nothing.")));
    }
}
