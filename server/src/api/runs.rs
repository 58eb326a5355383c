//! `/runs`: what was done, what is being done, and how to stop it.

use std::io;

use axum::{
    Json,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use charon_engine::{
    Engine, Failures, ItemFilter, ItemRecord, Outcome, PlanId, Progress, RunFilter, RunId, RunLog,
    RunOptions, RunRecord, RunState,
};
use futures::stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    BASE,
    endpoint::Endpoint,
    extract::{Id, Query},
    paging::{Page, limit, place},
    problem::Problem,
};
use crate::access::Scope;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/runs", "list_runs", "Runs, the newest first", list)
            .query::<RunsQuery>()
            .answer::<Page<RunView>>(200, "A page of runs"),
        Endpoint::get("/runs/{id}", "get_run", "One run", show).answer::<RunView>(200, "The run"),
        Endpoint::get("/runs/{id}/items", "list_run_items", "What became of the items of a run", items)
            .notes(
                "By media id or path. Items that were where they should be before the run are counted in the run, and are not \
                 listed here: they are in the library.",
            )
            .query::<ItemsQuery>()
            .answer::<Page<ItemRecord>>(200, "A page of items"),
        Endpoint::get("/runs/{id}/failures", "get_run_failures", "What failed in a run, by cause", failures)
            .answer::<Failures>(200, "The causes, the most frequent first"),
        Endpoint::get("/runs/{id}/progress", "get_run_progress", "How far a run is", progress)
            .answer::<Progress>(200, "What is done so far, and what is being done"),
        Endpoint::get("/runs/{id}/log", "download_run_log", "The log of a run, as text", log)
            .answer_of(200, "Line by line: what happened and when, then the items that failed or were skipped", "text/plain"),
        Endpoint::post("/runs/{id}:cancel", "cancel_run", "Ends a run", cancel)
            .scope(Scope::Run)
            .notes("One that is at work finishes what it holds, and keeps what is done.")
            .answer::<RunView>(202, "It ends")
            .problems(&[409]),
        Endpoint::post("/runs/{id}:pause", "pause_run", "Lets a run wait until it is resumed", pause)
            .scope(Scope::Run)
            .notes("One that is at work finishes what it holds, and lets other runs of its account go on.")
            .answer::<RunView>(202, "It pauses")
            .problems(&[409]),
        Endpoint::post("/runs/{id}:resume", "resume_run", "Lets a run go on that is paused or waits", resume)
            .scope(Scope::Run)
            .answer::<RunView>(202, "It is in the queue again")
            .problems(&[409]),
        Endpoint::post("/runs/{id}:retry-failed", "retry_failed", "Tries again what failed in a run", retry)
            .scope(Scope::Run)
            .notes("A new run, of these items alone.")
            .answer::<RunView>(202, "The new run")
            .with_header("Location", "where the new run is")
            .problems(&[409]),
    ]
}

/// A run as it is shown.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RunView {
    #[serde(flatten)]
    record: RunRecord,
    /// The id of its plan.
    plan_id: PlanId,
    /// How it goes about it.
    options: RunOptions,
}

impl From<RunRecord> for RunView {
    fn from(record: RunRecord) -> Self {
        Self { plan_id: record.plan_id, options: record.options.clone(), record }
    }
}

/// Which runs are wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunsQuery {
    /// Only those of this plan.
    plan: Option<PlanId>,
    /// Only those in this state.
    state: Option<RunState>,
    /// How many items a page has at most.
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
    /// Where the page begins: `next` of the page before it.
    cursor: Option<String>,
}

async fn list(
    State(engine): State<Engine>,
    Query(query): Query<RunsQuery>,
) -> Result<Json<Page<RunView>>, Problem> {
    let limit = limit(query.limit)?;
    let before: Option<RunId> = place(query.cursor.as_deref())?;
    let filter = RunFilter { plan: query.plan, state: query.state, before };
    let runs = engine.runs_of(&filter, limit + 1).await?.into_iter().map(RunView::from).collect();
    Ok(Json(Page::of(runs, limit, |last: &RunView| last.record.run)))
}

async fn show(State(engine): State<Engine>, Id(run): Id<RunId>) -> Result<Json<RunView>, Problem> {
    Ok(Json(engine.run_record(run).await?.into()))
}

/// Which items are wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ItemsQuery {
    /// Only those that this became of.
    outcome: Option<Outcome>,
    /// How many items a page has at most.
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
    /// Where the page begins: `next` of the page before it.
    cursor: Option<String>,
}

async fn items(
    State(engine): State<Engine>,
    Id(run): Id<RunId>,
    Query(query): Query<ItemsQuery>,
) -> Result<Json<Page<ItemRecord>>, Problem> {
    let limit = limit(query.limit)?;
    let filter = ItemFilter { outcome: query.outcome, after: place(query.cursor.as_deref())? };
    engine.run_record(run).await?;
    let items = engine.run_items(run, &filter, limit + 1).await?;
    Ok(Json(Page::of(items, limit, |last: &ItemRecord| last.item.clone())))
}

async fn failures(State(engine): State<Engine>, Id(run): Id<RunId>) -> Result<Json<Failures>, Problem> {
    engine.run_record(run).await?;
    Ok(Json(engine.run_failures(run).await?))
}

async fn progress(State(engine): State<Engine>, Id(run): Id<RunId>) -> Result<Json<Progress>, Problem> {
    Ok(Json(progress_of(&engine, &engine.run_record(run).await?).await?))
}

/// How far a run is. One that nobody is at is where it was left.
pub(crate) async fn progress_of(engine: &Engine, record: &RunRecord) -> Result<Progress, Problem> {
    let progress = engine.run_progress(record.run).await?;
    let left = || Progress {
        items: record.items,
        bytes: record.bytes,
        found: record.items.total(),
        found_all: !record.state.is_live(),
        waiting: record.waiting.clone(),
        ..Progress::default()
    };
    Ok(progress.unwrap_or_else(left))
}

async fn log(State(engine): State<Engine>, Id(run): Id<RunId>) -> Result<Response, Problem> {
    let log = engine.run_log(run).await?;
    let pages = stream::unfold(Some(log), move |log: Option<RunLog>| async move {
        let mut log = log?;
        match log.next_page().await {
            Ok(Some(page)) => Some((Ok(Bytes::from(page)), Some(log))),
            Ok(None) => None,
            // The connection breaks, so that nobody takes it for the whole log.
            Err(error) => {
                tracing::warn!(%error, %run, "the log of a run could not be read to its end");
                Some((Err(io::Error::other("the log could not be read to its end")), None))
            }
        }
    });
    let mut response = Body::from_stream(pages).into_response();
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    let name = format!("attachment; filename=\"charon-run-{run}.log\"");
    let name = HeaderValue::from_str(&name).unwrap_or_else(|_| HeaderValue::from_static("attachment"));
    fields.insert(header::CONTENT_DISPOSITION, name);
    Ok(response)
}

type Accepted = (StatusCode, Json<RunView>);

async fn now(engine: &Engine, run: RunId) -> Result<Accepted, Problem> {
    Ok((StatusCode::ACCEPTED, Json(engine.run_record(run).await?.into())))
}

async fn cancel(State(engine): State<Engine>, Id(run): Id<RunId>) -> Result<Accepted, Problem> {
    engine.cancel_run(run).await?;
    now(&engine, run).await
}

async fn pause(State(engine): State<Engine>, Id(run): Id<RunId>) -> Result<Accepted, Problem> {
    engine.pause_run(run).await?;
    now(&engine, run).await
}

async fn resume(State(engine): State<Engine>, Id(run): Id<RunId>) -> Result<Accepted, Problem> {
    engine.resume_run(run).await?;
    now(&engine, run).await
}

async fn retry(State(engine): State<Engine>, Id(run): Id<RunId>) -> Result<Response, Problem> {
    let new = engine.retry_failed(run).await?;
    let location = [(header::LOCATION, format!("{BASE}/runs/{new}"))];
    Ok((AppendHeaders(location), now(&engine, new).await?).into_response())
}

/// The number of the last event that one has been told who comes again.
pub(crate) fn last_event(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let read = value.to_str().ok().and_then(|text| text.trim().parse().ok()).filter(|seq: &i64| *seq >= 0);
    let wrong =
        || Problem::bad_request("Last-Event-ID is to be the id of an event: a whole number, 0 or more");
    read.map(Some).ok_or_else(wrong)
}
