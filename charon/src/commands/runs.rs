//! `charon runs`.

use charon_engine::Engine;

use crate::{
    exit::{Exit, Failure},
    output::{Output, bytes, table},
};

pub(crate) async fn list(
    engine: &Engine,
    plan: Option<&str>,
    limit: u32,
    output: Output,
) -> Result<Exit, Failure> {
    let runs = engine.runs(plan, limit).await?;
    output.print(&runs, || {
        if runs.is_empty() {
            return "There was no run yet. Start one: charon run PLAN".into();
        }
        let header =
            ["STARTED", "PLAN", "STATE", "DONE", "UNCHANGED", "SKIPPED", "FAILED", "BYTES", "REQUESTS"];
        let rows = runs.iter().map(|run| {
            let started = run.started_at.unwrap_or(run.queued_at);
            [
                started.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
                run.plan.clone(),
                run.state.to_string(),
                run.items.done.to_string(),
                run.items.unchanged.to_string(),
                run.items.skipped.to_string(),
                run.items.failed.to_string(),
                bytes(run.bytes),
                run.requests_by_meter.values().sum::<u64>().to_string(),
            ]
        });
        table(header, rows)
    })?;
    Ok(Exit::Done)
}
