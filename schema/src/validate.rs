//! Judging a configuration: every mistake at once, each with the path to it and a reason that a person can act on.

use jsonschema::{
    JsonType, ValidationError,
    error::{TypeKind, ValidationErrorKind},
};
use serde_json::Value;

use crate::{
    ConfigSchema, Mistake, Mistakes, Shape,
    shape::{property, shape},
    strings::{is, variants},
};

/// A value longer than this is not quoted whole.
const LONGEST_QUOTE: usize = 60;

impl ConfigSchema {
    /// Judges a whole configuration, secrets included.
    ///
    /// # Errors
    /// All the mistakes, in the order of their pointers. No reason contains the value of a secret field.
    pub fn validate(&self, config: &Value) -> Result<(), Mistakes> {
        let mut mistakes: Vec<Mistake> =
            self.validator.iter_errors(config).flat_map(|error| self.explain(&error)).collect();
        if mistakes.is_empty() {
            return Ok(());
        }
        mistakes.sort_by(|a, b| a.pointer.cmp(&b.pointer));
        Err(Mistakes(mistakes))
    }

    fn explain(&self, error: &ValidationError<'_>) -> Vec<Mistake> {
        let pointer = error.instance_path().to_string();
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => unexpected
                .iter()
                .map(|name| {
                    let mut mistake = Mistake::in_field(name, self.unknown_field(name));
                    mistake.pointer.insert_str(0, &pointer);
                    mistake
                })
                .collect(),
            ValidationErrorKind::Required { property } => {
                vec![Mistake {
                    pointer: format!("{pointer}/{}", property.as_str().unwrap_or_default()),
                    reason: "is missing".into(),
                }]
            }
            kind => {
                let field = pointer.trim_start_matches('/').split('/').next().unwrap_or_default();
                let reason = self.wrong_value(field, kind, error);
                vec![Mistake { pointer, reason }]
            }
        }
    }

    /// What is wrong with the value of a field. The value is quoted, which helps, unless it is a secret.
    fn wrong_value(&self, field: &str, kind: &ValidationErrorKind, error: &ValidationError<'_>) -> String {
        let is_secret = self.is_secret(field);
        let value = quoted(error.instance());
        match kind {
            ValidationErrorKind::Type { kind } if is_secret => format!("must be {}", types(kind)),
            ValidationErrorKind::Type { kind } => format!("must be {}, and is {value}", types(kind)),
            ValidationErrorKind::MinLength { limit: 1 } | ValidationErrorKind::MinItems { limit: 1 } => {
                "must not be empty".into()
            }
            ValidationErrorKind::MaxLength { limit } => {
                let length = error.instance().as_str().map_or(0, |text| text.chars().count());
                format!("is too long: it has {length} characters, and {limit} are the most")
            }
            ValidationErrorKind::Pattern { .. } if !is_secret => {
                format!("{value} is not written as it must be{}", self.examples(field))
            }
            ValidationErrorKind::Enum { .. }
            | ValidationErrorKind::Constant { .. }
            | ValidationErrorKind::AnyOf { .. }
            | ValidationErrorKind::OneOfNotValid { .. } => {
                let wanted = self.at(error.instance_path().as_str()).map_or("something else".into(), wanted);
                if is_secret {
                    format!("must be {wanted}")
                } else {
                    format!("must be {wanted}, and is {value}")
                }
            }
            _ if is_secret => error.masked().to_string(),
            _ => error.to_string(),
        }
    }

    /// What the schema says of the field at a place, as far as it has fields of their own there.
    fn at(&self, pointer: &str) -> Option<&Value> {
        let names = pointer.split('/').skip(1).map(|name| name.replace("~1", "/").replace("~0", "~"));
        names
            .into_iter()
            .try_fold(&self.json, |object, name| property(object, &name).or_else(|| object.get("items")))
    }

    /// The examples that the schema gives for a field, as the end of a sentence.
    fn examples(&self, field: &str) -> String {
        let examples = self.json["properties"][field]["examples"].as_array();
        let examples: Vec<&str> = examples.into_iter().flatten().filter_map(Value::as_str).collect();
        if examples.is_empty() {
            String::new()
        } else {
            format!("; write for example {}", examples.join(" or "))
        }
    }

    fn unknown_field(&self, name: &str) -> String {
        let known = self.fields();
        let nearest = known
            .iter()
            .map(|candidate| (strsim::osa_distance(name, candidate), *candidate))
            .min()
            .filter(|(distance, _)| *distance <= 3);
        match nearest {
            Some((_, candidate)) => format!("is not a known field; did you mean {candidate}?"),
            None => format!("is not a known field; the known ones are {}", known.join(", ")),
        }
    }
}

/// What a property takes that leaves a choice.
fn wanted(property: &Value) -> String {
    let words = |choices: &[crate::Choice<'_>]| {
        choices.iter().map(|choice| choice.value).collect::<Vec<_>>().join(" or ")
    };
    match shape(property) {
        Shape::Choice(choices) => words(&choices),
        Shape::ChoiceOrList(choices) => format!("{}, or a list in brackets [ ]", words(&choices)),
        _ => {
            let types = [
                ("string", JsonType::String),
                ("array", JsonType::Array),
                ("object", JsonType::Object),
                ("boolean", JsonType::Boolean),
                ("integer", JsonType::Integer),
                ("number", JsonType::Number),
            ];
            let takes = variants(property);
            let known = types.iter().filter(|(name, _)| takes.iter().any(|one| is(one, name)));
            known.map(|(_, one)| in_words(*one)).collect::<Vec<_>>().join(" or ")
        }
    }
}

/// A value as it is shown within a sentence.
fn quoted(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= LONGEST_QUOTE {
        return text;
    }
    text.chars().take(LONGEST_QUOTE).chain(['…']).collect()
}

fn types(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(one) => in_words(*one).to_owned(),
        TypeKind::Multiple(several) => several.iter().map(in_words).collect::<Vec<_>>().join(" or "),
    }
}

fn in_words(one: JsonType) -> &'static str {
    match one {
        JsonType::Array => "a list in brackets [ ]",
        JsonType::Boolean => "true or false, without quotes",
        JsonType::Integer => "a whole number, without quotes",
        JsonType::Null => "null",
        JsonType::Number => "a number, without quotes",
        JsonType::Object => "an object in braces { }",
        JsonType::String => "text in quotes",
    }
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde_json::{Value, json};

    use crate::ConfigSchema;

    #[derive(JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Example {
        #[schemars(extend("x-secret" = true, "x-order" = 2))]
        password: Option<String>,
        #[schemars(range(min = 0, max = 50), extend("x-order" = 1))]
        batch_size: u8,
        #[schemars(length(min = 1, max = 5), regex(pattern = "^[0-9]*s?$"), extend("examples" = ["5s"]))]
        wait: Option<String>,
        #[serde(default = "example_server")]
        #[schemars(extend("x-binds-secrets" = true))]
        server: String,
        mode: Option<Mode>,
        albums: Option<Albums>,
        command: Option<Line>,
    }

    #[derive(JsonSchema)]
    #[serde(rename_all = "lowercase")]
    #[schemars(inline)]
    #[expect(dead_code, reason = "only its schema is used")]
    enum Mode {
        /// At once.
        Sync,
        /// Later.
        Off,
    }

    #[derive(JsonSchema)]
    #[serde(untagged)]
    #[schemars(inline)]
    #[expect(dead_code, reason = "only its schema is used")]
    enum Albums {
        Every(Mode),
        These(Vec<String>),
    }

    #[derive(JsonSchema)]
    #[serde(untagged)]
    #[schemars(inline)]
    #[expect(dead_code, reason = "only its schema is used")]
    enum Line {
        Shell(String),
        Program(Vec<String>),
    }

    fn example_server() -> String {
        "https://example.org".into()
    }

    fn mistakes(config: &Value) -> Vec<(String, String)> {
        let schema = ConfigSchema::of::<Example>();
        let error = schema.validate(config).expect_err("a wrong configuration");
        error.0.into_iter().map(|mistake| (mistake.pointer, mistake.reason)).collect()
    }

    #[test]
    fn a_right_configuration_passes() {
        assert_eq!(ConfigSchema::of::<Example>().validate(&json!({"batch_size": 50})), Ok(()));
    }

    #[test]
    fn every_mistake_is_told_with_its_path() {
        let found = mistakes(&json!({"batch_size": 51, "batchsize": 1}));
        assert_eq!(found[0], ("/batch_size".into(), "51 is greater than the maximum of 50".into()));
        assert_eq!(found[1], ("/batchsize".into(), "is not a known field; did you mean batch_size?".into()));
    }

    #[test]
    fn a_missing_field_is_named() {
        assert_eq!(mistakes(&json!({})), [("/batch_size".into(), "is missing".into())]);
    }

    #[test]
    fn a_wrong_type_is_told_without_quoting_a_secret() {
        let found = mistakes(&json!({"batch_size": 1, "password": 987_654}));
        assert_eq!(found[0].0, "/password");
        assert!(!found[0].1.contains("987654"), "the secret is quoted: {}", found[0].1);
    }

    #[test]
    fn a_wrong_value_is_told_in_words() {
        let reason = |wait: Value| mistakes(&json!({"batch_size": 1, "wait": wait})).remove(0).1;
        assert_eq!(reason(json!("")), "must not be empty");
        assert_eq!(reason(json!("5 s")), "\"5 s\" is not written as it must be; write for example 5s");
        assert_eq!(reason(json!("1".repeat(400))), "is too long: it has 400 characters, and 5 are the most");
        assert!(reason(json!([5])).ends_with(", and is [5]"), "{}", reason(json!([5])));
        assert_eq!(
            mistakes(&json!({"batch_size": "1"}))[0].1,
            "must be a whole number, without quotes, and is \"1\""
        );
    }

    #[test]
    fn a_choice_that_is_wrong_is_told_without_the_words_of_schemas() {
        for (field, value, expected) in [
            ("mode", json!("fast"), "must be sync or off, and is \"fast\""),
            ("mode", json!(7), "must be sync or off, and is 7"),
            ("albums", json!("all"), "must be sync or off, or a list in brackets [ ], and is \"all\""),
            ("command", json!(7), "must be text in quotes or a list in brackets [ ], and is 7"),
        ] {
            assert_eq!(
                mistakes(&json!({"batch_size": 1, field: value})),
                [(format!("/{field}"), expected.to_owned())]
            );
        }
    }

    #[test]
    fn fields_come_in_the_order_of_the_form() {
        assert_eq!(
            ConfigSchema::of::<Example>().fields(),
            ["batch_size", "password", "albums", "command", "mode", "server", "wait"]
        );
    }

    #[test]
    fn secrets_are_taken_out_and_hidden() {
        let schema = ConfigSchema::of::<Example>();
        let config = json!({"batch_size": 1, "password": "hunter2"}).as_object().cloned().unwrap_or_default();
        assert!(!format!("{:?}", schema.redact(&config)).contains("hunter2"));
        let (open, secret) = schema.split(config);
        assert_eq!(Value::Object(open), json!({"batch_size": 1}));
        assert_eq!(Value::Object(secret), json!({"password": "hunter2"}));
    }

    #[test]
    fn another_server_is_told_from_the_same_one_written_otherwise() {
        // I6
        let schema = ConfigSchema::of::<Example>();
        let map = |config: Value| config.as_object().cloned().unwrap_or_default();
        let same =
            [json!({}), json!({"server": " "}), json!({"server": "https://example.org", "batch_size": 9})];
        let other = map(json!({"server": "https://example.net"}));
        for one in same.iter().cloned().map(map) {
            for another in same.iter().cloned().map(map) {
                assert_eq!(schema.rebound(&one, &another), [""; 0]);
            }
            assert_eq!(schema.rebound(&one, &other), ["server"]);
            assert_eq!(schema.rebound(&other, &one), ["server"]);
        }
    }
}
