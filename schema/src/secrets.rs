//! Secrets, told from the rest by the [`SECRET`](crate::annotation::SECRET) annotation.

use serde_json::{Map, Value};

use crate::{ConfigSchema, annotation};

/// What a secret that is set looks like in an answer.
const REDACTED: &str = "••••••••";

impl ConfigSchema {
    /// Whether the field is secret.
    pub fn is_secret(&self, field: &str) -> bool {
        self.is_marked(field, annotation::SECRET)
    }

    /// The fields that say where secrets go ([`annotation::BINDS_SECRETS`]) and that two configurations do not agree on. What
    /// is left out, or blank, is as the schema has it by default.
    pub fn rebound(&self, one: &Map<String, Value>, other: &Map<String, Value>) -> Vec<&str> {
        let differs = |field: &&str| self.meant(field, one) != self.meant(field, other);
        self.fields()
            .into_iter()
            .filter(|field| self.is_marked(field, annotation::BINDS_SECRETS))
            .filter(differs)
            .collect()
    }

    /// The value of a field, or what it is by default.
    fn meant<'a>(&'a self, field: &str, config: &'a Map<String, Value>) -> Option<&'a Value> {
        let given = config.get(field).filter(|value| !is_blank(value));
        let default = || self.property(field).and_then(|property| property.get("default"));
        given.or_else(default).filter(|value| !is_blank(value))
    }

    fn is_marked(&self, field: &str, annotation: &str) -> bool {
        let property = self.property(field);
        property.and_then(|property| property.get(annotation)).and_then(Value::as_bool).unwrap_or(false)
    }

    pub(crate) fn property(&self, field: &str) -> Option<&Value> {
        self.json.get("properties").and_then(|properties| properties.get(field))
    }

    /// Takes the secrets out of a configuration: what is left can be stored and shown, what was taken cannot.
    pub fn split(&self, config: Map<String, Value>) -> (Map<String, Value>, Map<String, Value>) {
        config.into_iter().partition(|(field, _)| !self.is_secret(field))
    }

    /// The same configuration without those secrets that are the dots of an earlier [`redact`](Self::redact): whoever sends back what
    /// they were shown has not said what the secret is.
    #[must_use]
    pub fn without_dots(&self, mut config: Map<String, Value>) -> Map<String, Value> {
        config.retain(|field, value| value != REDACTED || !self.is_secret(field));
        config
    }

    /// The same configuration without those secrets that are null or blank: whoever says so wants nothing in their place.
    #[must_use]
    pub fn without_blank_secrets(&self, mut config: Map<String, Value>) -> Map<String, Value> {
        config.retain(|field, value| !is_blank(value) || !self.is_secret(field));
        config
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

fn is_blank(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}
