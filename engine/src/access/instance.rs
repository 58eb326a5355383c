//! What is set for the whole of a data directory: one document with a revision.

use charon_schema::{ConfigSchema, Mistake, Mistakes};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{engine::Engine, error::Error, schedule::named_zone, timing::system_time_zone};

/// What is set for the whole of a data directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "Settings")]
pub struct InstanceSettings {
    /// The IANA time zone in which times are shown, such as Europe/Berlin. Without it, that of the machine that Charon runs on.
    #[schemars(
        title = "Time zone",
        length(min = 1, max = 100),
        transform = without_default,
        extend("x-group" = "Display", "x-order" = 1)
    )]
    pub time_zone: String,
    /// How long the audit log is kept. The newest 100,000 entries are kept at most.
    #[schemars(
        title = "Audit log",
        range(min = 1, max = 3650),
        extend("x-group" = "Security", "x-order" = 2, "x-unit" = "days")
    )]
    pub audit_days: u32,
}

impl Default for InstanceSettings {
    fn default() -> Self {
        Self { time_zone: system_time_zone(), audit_days: 400 }
    }
}

impl InstanceSettings {
    /// The schema, from which forms are drawn.
    pub fn schema() -> ConfigSchema {
        ConfigSchema::of::<Self>()
    }

    /// Reads them from JSON.
    fn read(document: Map<String, Value>) -> Result<Self, Mistakes> {
        let document = Value::Object(document);
        let judged = Self::schema().validate(&document);
        let settings: Self = match (judged, serde_json::from_value(document)) {
            (Ok(()), Ok(settings)) => settings,
            (Err(mistakes), _) => return Err(mistakes),
            (Ok(()), Err(error)) => {
                return Err(Mistake { pointer: String::new(), reason: error.to_string() }.into());
            }
        };
        if named_zone(&settings.time_zone).is_none() {
            let reason = format!(
                "there is no time zone {:?}; write one of the IANA database, such as Europe/Berlin or UTC",
                settings.time_zone
            );
            return Err(Mistake::in_field("time_zone", reason).into());
        }
        Ok(settings)
    }
}

/// Something that can be edited, and which state of it this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versioned<T> {
    /// Grows with each change; 0 if there was none.
    pub revision: u64,
    /// The thing.
    pub value: T,
}

impl Engine {
    /// What is set for this data directory.
    pub async fn instance_settings(&self) -> Result<Versioned<InstanceSettings>, Error> {
        let stored = self.store.settings().await?;
        Ok(stored.map_or_else(Versioned::default, |(revision, document)| Versioned {
            revision,
            // What a newer Charon wrote, and this one does not understand, is as if nobody had set it.
            value: InstanceSettings::read(document).unwrap_or_default(),
        }))
    }

    /// Replaces what is set, if it is still what it was at that revision. Gives the new state.
    ///
    /// # Errors
    /// Every mistake; [`Error::Changed`] if somebody else has changed it meanwhile.
    pub async fn replace_instance_settings(
        &self,
        seen: u64,
        document: Map<String, Value>,
    ) -> Result<Versioned<InstanceSettings>, Error> {
        let value = InstanceSettings::read(document)
            .map_err(|mistakes| Error::Config { what: "the settings".into(), mistakes })?;
        let document = serde_json::to_string(&value)
            .map_err(|error| Error::Refused(format!("the settings cannot be written down: {error}")))?;
        if self.store.replace_settings(seen, &document).await? {
            Ok(Versioned { revision: seen + 1, value })
        } else {
            Err(Error::Changed { what: "what is set".into() })
        }
    }
}

impl Default for Versioned<InstanceSettings> {
    fn default() -> Self {
        Self { revision: 0, value: InstanceSettings::default() }
    }
}

/// Which one it is depends on the machine, so no schema can tell it.
fn without_default(schema: &mut schemars::Schema) {
    schema.remove("default");
}
