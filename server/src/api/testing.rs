//! `:test` of a storage, before and after it is saved: its stages as they come, one JSON object per line.

use axum::{
    Extension,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use charon_engine::StorageId;
use charon_provider::Check;
use futures::{StreamExt, stream::BoxStream};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    endpoint::Endpoint,
    extract::{Id, Json},
    problem::Problem,
    storages::with_consent,
};
use crate::{access::Who, app::App};

/// One JSON object per line.
pub(crate) const NDJSON: &str = "application/x-ndjson";

pub(crate) fn endpoints() -> Vec<Endpoint> {
    const NOTES: &str = "One stage per line: `stage`, `verdict` (passed, warned, failed), `milliseconds`, `found`, `cure`, `link`. \
                         The test ends after the first stage that fails, or when the connection is closed.";
    vec![
        Endpoint::post(
            "/storages:test",
            "test_new_storage",
            "Tests a configuration before it is saved",
            before_saving,
        )
        .notes(NOTES)
        .body::<NewTest>()
        .answer_of(200, "The stages, as they come", NDJSON)
        .problems(&[404]),
        Endpoint::post(
            "/storages/{id}:test",
            "test_storage",
            "Tests a storage, as it is or as it would be",
            stored,
        )
        .notes(NOTES)
        .body::<ChangedTest>()
        .optional_body()
        .answer_of(200, "The stages, as they come", NDJSON)
        .problems(&[409]),
    ]
}

/// A configuration that is to be tried.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewTest {
    /// The id of its provider.
    provider: String,
    /// Its configuration, as the provider's schema describes it.
    config: Map<String, Value>,
    /// The id of an authorization that was answered: what it gave goes into the configuration.
    authorization: Option<Uuid>,
}

/// A change of a storage that is to be tried.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ChangedTest {
    /// The whole configuration as it would be. Secrets that it leaves out are those that are stored, unless a field with
    /// `x-binds-secrets` changes: then they are asked for.
    config: Option<Map<String, Value>>,
}

async fn before_saving(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Json(new): Json<NewTest>,
) -> Result<Response, Problem> {
    let NewTest { provider, mut config, authorization } = new;
    with_consent(&app, &who, authorization, (&provider, &mut config))?;
    let opened = app.engine().open_unsaved(&provider, config);
    let unsaved = opened.map_err(|error| Problem::of_engine(error, "/config"))?;
    Ok(as_they_come(unsaved.test(), app.shutdown()))
}

async fn stored(
    State(app): State<App>,
    Id(id): Id<StorageId>,
    change: Option<Json<ChangedTest>>,
) -> Result<Response, Problem> {
    let engine = app.engine();
    let stages = match change.and_then(|Json(change)| change.config) {
        None => engine.test_storage(id).await.map_err(Problem::of_stored)?,
        Some(config) => {
            let opened = engine.open_changed(id, config).await;
            opened.map_err(|error| Problem::of_engine(error, "/config"))?.test()
        }
    };
    Ok(as_they_come(stages, app.shutdown()))
}

/// Answers with the stages, each as soon as it has ended. Given up with the connection, and when the server ends.
pub(crate) fn as_they_come(stages: BoxStream<'static, Check>, shutdown: &CancellationToken) -> Response {
    let lines = stages.map(|check| {
        let mut line = serde_json::to_vec(&check).unwrap_or_default();
        line.push(b'\n');
        Ok::<Bytes, std::convert::Infallible>(line.into())
    });
    let lines = lines.take_until(shutdown.clone().cancelled_owned());
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(NDJSON)),
        // A proxy in between is not to collect them.
        (header::HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    (headers, Body::from_stream(lines)).into_response()
}
