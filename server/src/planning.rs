//! What of a plan may be said by one who comes in over HTTP, by the roots of this server.

use charon_engine::PlanConfig;
use charon_schema::Mistakes;
use serde_json::{Map, Value};

use crate::app::App;

/// The configuration with each folder where it really is, and the commands as they are already.
///
/// # Errors
/// The folders that may not be named, and commands that are not as they were.
pub(crate) fn from_afar(
    app: &App,
    config: Map<String, Value>,
    before: Option<&PlanConfig>,
) -> Result<Map<String, Value>, Mistakes> {
    let below = |path: &std::path::Path| app.roots().judge(path).map_err(|why| why.to_string());
    PlanConfig::from_afar(config, before, &below)
}
