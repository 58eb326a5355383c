//! The report of a verification: in the mirror's own folder, for whoever finds the mirror without its database.

use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::Findings;
use crate::{
    backup::Backup,
    engine::Engine,
    error::Error,
    ids::{PlanId, RunId},
    mirror::OWN_FOLDER,
    run::Outcome,
    store::{ItemFilter, Store},
};

/// The most problems that a report names; the run's items are all of them.
const NAMED: usize = 10_000;
const TOGETHER: u32 = 500;

/// What a verification has found, with what is wrong.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Report {
    /// The run.
    pub run: RunId,
    /// The plan.
    pub plan: PlanId,
    /// When the report was written.
    pub at: Timestamp,
    /// How many hundredths of the files were read; `None` for all of them.
    pub percent: Option<u8>,
    /// What was found.
    #[serde(flatten)]
    pub findings: Findings,
    /// What was repaired, what could not be, and files that are not Charon's: the first ten thousand.
    pub problems: Vec<Problem>,
}

/// Something that a verification found.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Problem {
    /// How the storage names the item, or the path of a file below the destination.
    pub item: String,
    /// What people call it.
    pub name: String,
    /// `done` for what was repaired, `failed` for what was not, `skipped` for a file that is not Charon's.
    pub outcome: Outcome,
    /// What is wrong.
    pub reason: Option<String>,
}

/// A verification that came to the end of its reading.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct VerificationView {
    /// Its run.
    pub run: RunId,
    /// When it ended.
    pub at: Timestamp,
    /// How many hundredths of the files were read; `None` for all of them.
    pub percent: Option<u8>,
    /// What it found.
    #[serde(flatten)]
    pub findings: Findings,
}

impl Engine {
    /// What a verification has found so far, with what is wrong; `None` for a run that is none.
    pub async fn verification_report(&self, run: RunId) -> Result<Option<Report>, Error> {
        let Some(record) = self.store.run(run).await? else { return Ok(None) };
        let Some(standing) = self.store.verification(run).await? else { return Ok(None) };
        let mut problems = problems(&self.store, run).await?;
        // Of a backup that has read a share, what is new is none.
        problems.retain(|problem| problem.outcome != Outcome::Done || !record.options.job.is_plan());
        let at = record.ended_at.unwrap_or_else(|| self.clock.now());
        let (percent, findings) = (standing.percent, standing.findings);
        Ok(Some(Report { run, plan: record.plan_id, at, percent, findings, problems }))
    }

    /// The last verifications of a plan, the newest first.
    pub async fn verifications(&self, plan: PlanId, most: u32) -> Result<Vec<VerificationView>, Error> {
        let found = self.store.verifications(plan, most).await?;
        let view = |(run, percent, at, findings)| VerificationView { run, at, percent, findings };
        Ok(found.into_iter().map(view).collect())
    }
}

async fn problems(store: &Store, run: RunId) -> Result<Vec<Problem>, Error> {
    let mut problems = Vec::new();
    let mut filter = ItemFilter::default();
    while problems.len() < NAMED {
        let items = store.run_items(run, &filter, TOGETHER).await?;
        filter.after = items.last().map(|item| item.item.clone());
        if filter.after.is_none() {
            break;
        }
        problems.extend(items.into_iter().map(|item| Problem {
            item: item.item,
            name: item.name,
            outcome: item.outcome,
            reason: item.reason,
        }));
    }
    problems.truncate(NAMED);
    Ok(problems)
}

/// Writes the report into the mirror.
pub(super) async fn write(backup: &Arc<Backup>) -> Result<(), Error> {
    let (ctx, mirror) = (backup.context(), backup.mirror());
    let Some(standing) = ctx.store.verification(ctx.run).await? else { return Ok(()) };
    let problems = problems(&ctx.store, ctx.run).await?;
    let now = ctx.clock.now();
    let (percent, findings) = (standing.percent, standing.findings);
    let report = Report { run: ctx.run, plan: ctx.plan, at: now, percent, findings, problems };
    let text = serde_json::to_vec_pretty(&report).map_err(|error| Error::Refused(error.to_string()))?;
    let path = format!("{OWN_FOLDER}/reports/verify-{}-{}.json", now.strftime("%Y%m%dT%H%M%SZ"), ctx.run);
    mirror.write(&path, text).await?;
    mirror.settle(std::slice::from_ref(&path)).await?;
    Ok(())
}
