//! A configuration, with its secrets apart.

use std::{collections::BTreeMap, fmt};

use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Which version of the secrets somebody has seen; each save gives a higher one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revision(pub u64);

/// The secret fields of a configuration, by name. Printing them prints the names alone.
#[derive(Clone, Default)]
pub struct Secrets {
    values: BTreeMap<String, SecretString>,
}

/// What a storage is opened with: a configuration that its schema has found right.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The fields that are no secrets.
    pub fields: Map<String, Value>,
    /// The secret fields.
    pub secrets: Secrets,
    /// The version of the secrets.
    pub revision: Revision,
}

impl Config {
    /// The whole configuration as the struct that it was described by.
    ///
    /// # Errors
    /// When it does not fit; a configuration that its schema has found right does.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        let mut whole = self.fields.clone();
        whole.extend(self.secrets.expose());
        serde_json::from_value(Value::Object(whole))
    }
}

impl Secrets {
    /// The secrets among the fields of a configuration. Values that are no strings are kept as their JSON.
    pub fn new(fields: Map<String, Value>) -> Self {
        let values = fields.into_iter().filter_map(|(name, value)| match value {
            Value::String(text) => Some((name, text.into())),
            Value::Null => None,
            other => Some((name, other.to_string().into())),
        });
        Self { values: values.collect() }
    }

    /// One secret.
    pub fn get(&self, name: &str) -> Option<&SecretString> {
        self.values.get(name)
    }

    /// The same secrets with one of them replaced.
    #[must_use]
    pub fn with(mut self, name: &str, value: SecretString) -> Self {
        self.values.insert(name.to_owned(), value);
        self
    }

    /// The plain values, for the one who encrypts them.
    pub fn expose(&self) -> Map<String, Value> {
        self.values.iter().map(|(name, value)| (name.clone(), value.expose_secret().into())).collect()
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::Secrets;

    #[test]
    fn printing_secrets_prints_their_names_alone() {
        // I6
        let fields: Map<_, _> = json!({"token": "hunter2"}).as_object().cloned().unwrap_or_default();
        assert_eq!(format!("{:?}", Secrets::new(fields)), r#"{"token"}"#);
    }
}
