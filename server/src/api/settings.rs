//! `/settings`: what is set for the whole of it.

use axum::{Json, extract::State, response::Response};
use charon_engine::{Engine, InstanceSettings, Versioned};
use serde_json::{Map, Value};

use super::{
    endpoint::Endpoint,
    etag::{ETag, IfMatch},
    extract,
    problem::Problem,
};

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/settings", "get_settings", "What is set for the whole of it", show)
            .answer::<InstanceSettings>(200, "The settings")
            .with_etag(),
        Endpoint::put("/settings", "put_settings", "Replaces the settings", replace)
            .notes("What is left out is as it is without being set.")
            .body::<InstanceSettings>()
            .answer::<InstanceSettings>(200, "The settings as they are now")
            .with_etag(),
    ]
}

/// The version of the settings.
pub(crate) fn tag(settings: &Versioned<InstanceSettings>) -> ETag {
    ETag::of(&format!("settings {}", settings.revision))
}

async fn show(State(engine): State<Engine>) -> Result<Response, Problem> {
    let settings = engine.instance_settings().await?;
    Ok(tag(&settings).on(Json(settings.value)))
}

async fn replace(
    State(engine): State<Engine>,
    if_match: IfMatch,
    extract::Json(document): extract::Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    let now = engine.instance_settings().await?;
    if_match.must_be(&tag(&now))?;
    let settings = engine.replace_instance_settings(now.revision, document).await?;
    Ok(tag(&settings).on(Json(settings.value)))
}
