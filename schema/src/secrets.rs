//! Secrets, told from the rest by the [`SECRET`](crate::annotation::SECRET) annotation.

use serde_json::{Map, Value};

use crate::{ConfigSchema, annotation};

/// What a secret that is set looks like in an answer.
const REDACTED: &str = "••••••••";

impl ConfigSchema {
    /// Whether the field is secret.
    pub fn is_secret(&self, field: &str) -> bool {
        self.json
            .pointer("/properties")
            .and_then(|properties| properties.get(field))
            .and_then(|property| property.get(annotation::SECRET))
            .and_then(Value::as_bool)
            .unwrap_or(false)
    }

    /// Takes the secrets out of a configuration: what is left can be stored and shown, what was taken cannot.
    pub fn split(&self, config: Map<String, Value>) -> (Map<String, Value>, Map<String, Value>) {
        config.into_iter().partition(|(field, _)| !self.is_secret(field))
    }

    /// The same configuration with every secret that is set replaced by dots.
    pub fn redact(&self, config: &Map<String, Value>) -> Map<String, Value> {
        config
            .iter()
            .map(|(field, value)| {
                let shown = if self.is_secret(field) { REDACTED.into() } else { value.clone() };
                (field.clone(), shown)
            })
            .collect()
    }
}
