//! Reading a configuration so that all its mistakes are told at once.

use charon_provider::Config;
use charon_schema::{ConfigSchema, Mistake, Mistakes};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A configuration while it is judged.
#[derive(Debug, Default)]
pub(crate) struct Judging {
    mistakes: Vec<Mistake>,
}

impl Judging {
    /// Reads a configuration. What the schema refuses is left blank in what is given, so that all else can be judged too.
    pub(crate) fn read<T: DeserializeOwned>(config: &Config, schema: &ConfigSchema) -> (Self, Option<T>) {
        let mut whole = config.fields.clone();
        whole.extend(config.secrets.expose());
        let mistakes = match schema.validate(&Value::Object(whole.clone())) {
            Ok(()) => Vec::new(),
            Err(mistakes) => mistakes.0,
        };
        for mistake in &mistakes {
            let field = mistake.pointer.trim_start_matches('/').split('/').next().unwrap_or_default();
            whole.remove(field);
        }
        for required in
            schema.as_json()["required"].as_array().into_iter().flatten().filter_map(Value::as_str)
        {
            whole.entry(required).or_insert_with(|| "".into());
        }
        // What serde would say could quote a secret, and the schema has its say on all of that.
        (Self { mistakes }, serde_json::from_value(Value::Object(whole)).ok())
    }

    /// A mistake in a field, unless there is one already.
    pub(crate) fn wrong(&mut self, field: &str, reason: impl Into<String>) {
        let mistake = Mistake::in_field(field, reason.into());
        if self.mistakes.iter().all(|known| known.pointer != mistake.pointer) {
            self.mistakes.push(mistake);
        }
    }

    /// What was read, if there was no mistake.
    pub(crate) fn end<T>(self, settings: Option<T>) -> Result<T, Mistakes> {
        match settings {
            Some(settings) if self.mistakes.is_empty() => Ok(settings),
            _ if self.mistakes.is_empty() => {
                let reason = "the configuration does not fit its schema".into();
                Err(Mistake { pointer: String::new(), reason }.into())
            }
            _ => Err(Mistakes(self.mistakes)),
        }
    }
}
