//! Judging a configuration: every mistake at once, each with the path to it and a reason that a person can act on.

use jsonschema::{ValidationError, error::ValidationErrorKind};
use serde_json::Value;

use crate::{ConfigSchema, Mistake, Mistakes};

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
            _ => {
                let field = pointer.trim_start_matches('/').split('/').next().unwrap_or_default();
                // The plain message quotes the value, which helps, unless the value is a secret.
                let reason =
                    if self.is_secret(field) { error.masked().to_string() } else { error.to_string() };
                vec![Mistake { pointer, reason }]
            }
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
    fn fields_come_in_the_order_of_the_form() {
        assert_eq!(ConfigSchema::of::<Example>().fields(), ["batch_size", "password"]);
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
}
