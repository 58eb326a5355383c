//! `charon schema`.

use charon_engine::{PlanConfig, Registry, channel_schemas};

use crate::{
    exit::{Exit, Failure},
    output::{say, to_json},
};

/// Prints the JSON Schema of a provider's configuration, of the plans, or of the channels.
pub(crate) fn print(registry: &Registry, of: Option<&str>) -> Result<Exit, Failure> {
    let json = match of {
        Some("plan") => to_json(&PlanConfig::schemas())?,
        Some("notify") => to_json(&channel_schemas())?,
        provider => to_json(registry.provider(provider.unwrap_or("gphotos"))?.describe().schema.as_json())?,
    };
    say(&json)?;
    Ok(Exit::Done)
}
