//! `charon runs`, and what can be done with a run.

use std::time::Duration;

use charon_engine::{Engine, Event, ItemFilter, Outcome, RunFilter, RunId, RunRecord};
use serde_json::json;

use crate::{
    args::Runs,
    commands::run::{tell, watch},
    exit::{Exit, Failure},
    output::{Output, bytes, say, table},
    signals::interrupted,
};

/// Between two looks at what has happened.
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);
/// Events that are read at once.
const EVENTS_AT_ONCE: u32 = 500;

pub(crate) async fn run(engine: &Engine, command: Runs, output: Output) -> Result<Exit, Failure> {
    match command {
        Runs::List { plan, limit } => return list(engine, plan.as_deref(), limit, output).await,
        Runs::Show { run, outcome, after, limit } => {
            let outcome = outcome.map(|name| read_outcome(&name)).transpose()?;
            show(engine, &run, ItemFilter { outcome, after }, limit, output).await?;
        }
        Runs::Cancel { run } => {
            let record = find(engine, &run).await?;
            let state = engine.cancel_run(record.run).await?;
            output.print(&json!({ "run": record.run, "state": state }), || {
                let becomes =
                    if state.is_live() { "finishes what it holds, and then ends" } else { "has ended" };
                format!("The run of {} {becomes}.", record.plan)
            })?;
        }
        Runs::Pause { run } => {
            let record = find(engine, &run).await?;
            let state = engine.pause_run(record.run).await?;
            output.print(&json!({ "run": record.run, "state": state }), || {
                format!(
                    "The run of {} is {state}. Let it go on: charon runs resume {}",
                    record.plan, record.run
                )
            })?;
        }
        Runs::Resume { run } => {
            let record = find(engine, &run).await?;
            engine.resume_run(record.run).await?;
            let now = engine.run_record(record.run).await?;
            output.print(&json!({ "run": now.run, "state": now.state, "waiting": now.waiting }), || {
                let waiting = now.waiting.as_ref().map(|waiting| format!(" It waits: {waiting}."));
                format!("The run of {} goes on.{}", now.plan, waiting.unwrap_or_default())
            })?;
        }
        Runs::Retry { run } => {
            let record = find(engine, &run).await?;
            let again = engine.retry_failed(record.run).await?;
            let summary = watch(&record.plan, engine.follow_run(again).await?, output).await?;
            output.print(&summary, || tell(&summary))?;
            return Ok(Exit::of(summary.state));
        }
        Runs::Events { run, after, no_follow } => {
            return events(engine, run.as_deref(), after, no_follow).await;
        }
    }
    Ok(Exit::Done)
}

/// The run of this id, or the newest one of the plan of this name.
async fn find(engine: &Engine, name: &str) -> Result<RunRecord, Failure> {
    if let Ok(id) = name.parse::<RunId>() {
        return Ok(engine.run_record(id).await?);
    }
    let newest = engine.runs(Some(name), 1).await?.into_iter().next();
    newest.ok_or_else(|| Failure::new(format!("there was no run of the plan {name} yet")))
}

fn read_outcome(name: &str) -> Result<Outcome, Failure> {
    name.parse()
        .map_err(|_| Failure::usage(format!("there is no outcome {name:?}: it is done, skipped or failed")))
}

async fn show(
    engine: &Engine,
    name: &str,
    filter: ItemFilter,
    limit: u32,
    output: Output,
) -> Result<(), Failure> {
    let record = find(engine, name).await?;
    let items = engine.run_items(record.run, &filter, limit).await?;
    let progress = engine.run_progress(record.run).await?;
    output.print(&json!({ "run": record, "progress": progress, "items": items }), || {
        let mut text = rows(std::slice::from_ref(&record));
        text += &format!("\n  id {}, {}, attempts: {}", record.run, record.trigger, record.attempts);
        if let Some(waiting) = &record.waiting {
            text += &format!("\n  waits: {waiting}");
        }
        if let Some(stop) = &record.stop {
            text += &format!("\n  {}", stop.message);
        }
        for item in &items {
            let reason = item.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            text += &format!("\n  {:<8}{}{reason}", item.outcome, item.name);
        }
        text
    })
}

/// Prints events as they come, until somebody stops it.
async fn events(
    engine: &Engine,
    name: Option<&str>,
    after: Option<i64>,
    no_follow: bool,
) -> Result<Exit, Failure> {
    let run = match name {
        Some(name) => Some(find(engine, name).await?.run),
        None => None,
    };
    let mut after = match (after, run, no_follow) {
        (Some(after), ..) => after,
        (None, None, false) => engine.newest_event().await?,
        _ => 0,
    };
    let stop = interrupted();
    tokio::pin!(stop);
    loop {
        let events = engine.events(run, after, EVENTS_AT_ONCE).await?;
        after = events.last().map_or(after, |event| event.seq);
        for event in &events {
            say(&line(event)?)?;
        }
        if events.is_empty() {
            if no_follow {
                return Ok(Exit::Done);
            }
            tokio::select! {
                biased;
                () = &mut stop => return Ok(Exit::Done),
                () = tokio::time::sleep(BETWEEN_LOOKS) => {}
            }
        }
    }
}

fn line(event: &Event) -> Result<String, Failure> {
    serde_json::to_string(event).map_err(|error| Failure::new(format!("an event is no JSON: {error}")))
}

pub(crate) async fn list(
    engine: &Engine,
    plan: Option<&str>,
    limit: u32,
    output: Output,
) -> Result<Exit, Failure> {
    let runs = match plan {
        Some(_) => engine.runs(plan, limit).await?,
        None => engine.runs_of(&RunFilter::default(), limit).await?,
    };
    output.print(&runs, || {
        if runs.is_empty() {
            return "There was no run yet. Start one: charon run PLAN".into();
        }
        rows(&runs)
    })?;
    Ok(Exit::Done)
}

fn rows(runs: &[RunRecord]) -> String {
    let header = [
        "STARTED",
        "PLAN",
        "STATE",
        "DONE",
        "UNCHANGED",
        "SKIPPED",
        "FAILED",
        "BYTES",
        "REQUESTS",
        "WAITS FOR",
    ];
    let rows = runs.iter().map(|run| {
        let started = run.started_at.unwrap_or(run.queued_at);
        [
            started.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
            run.options.job.name().map_or_else(|| run.plan.clone(), |job| format!("{}: {job}", run.plan)),
            run.state.to_string(),
            run.items.done.to_string(),
            run.items.unchanged.to_string(),
            run.items.skipped.to_string(),
            run.items.failed.to_string(),
            bytes(run.bytes),
            run.requests_by_meter.values().sum::<u64>().to_string(),
            run.waiting.clone().unwrap_or_default(),
        ]
    });
    table(header, rows)
}
