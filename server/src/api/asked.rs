//! A run that was asked for.

use axum::{
    Json as Answer,
    http::{StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use charon_engine::{Engine, Job, PlanId, RunId, RunOptions, Trigger};
use schemars::JsonSchema;
use serde::Serialize;

use super::problem::Problem;

/// A run that was asked for.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Asked {
    /// The run.
    run: RunId,
    /// Whether it was not there before.
    is_new: bool,
}

/// Tells of a run that was asked for.
pub(super) fn accepted((run, is_new): (RunId, bool)) -> Response {
    let location = format!("{}/runs/{run}", super::BASE);
    let headers = AppendHeaders([(header::LOCATION, location)]);
    (StatusCode::ACCEPTED, headers, Answer(Asked { run, is_new })).into_response()
}

/// Asks for a run that does this with the mirror of a plan.
pub(super) async fn ask(engine: &Engine, plan: PlanId, job: Job) -> Result<Response, Problem> {
    let options = RunOptions { job, ..RunOptions::default() };
    Ok(accepted(engine.ask_for_run_by_id(plan, Trigger::Api, options).await?))
}
