//! `charon schema`.

use charon_engine::{PlanConfig, Registry};

use crate::{
    exit::{Exit, Failure},
    output::{say, to_json},
};

/// Prints the JSON Schema of a provider's configuration, or of the plans.
pub(crate) fn print(registry: &Registry, of: Option<&str>) -> Result<Exit, Failure> {
    let json = match of {
        Some("plan") => to_json(&PlanConfig::schemas())?,
        provider => to_json(registry.provider(provider.unwrap_or("gphotos"))?.describe().schema.as_json())?,
    };
    say(&json)?;
    Ok(Exit::Done)
}
