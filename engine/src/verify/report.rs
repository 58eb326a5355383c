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
    naming,
    run::Outcome,
    store::{FoundDamage, ItemFilter, ItemRecord, RunRecord, Store},
};

/// The most problems that a report names; the pages of the run have all of them.
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
    /// Where its file is below the destination, if it has a place there.
    pub path: Option<String>,
    /// `done` for what was repaired, `failed` for what was not, `skipped` for a file that is not Charon's.
    pub outcome: Outcome,
    /// What is wrong.
    pub reason: Option<String>,
}

/// What a verification has found, in numbers.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct VerificationView {
    /// Its run.
    pub run: RunId,
    /// When it ended; when it was looked at, of one that has not ended.
    pub at: Timestamp,
    /// Whether all that was to be read has been read.
    pub is_whole: bool,
    /// How many hundredths of the files were read; `None` for all of them.
    pub percent: Option<u8>,
    /// What it found.
    #[serde(flatten)]
    pub findings: Findings,
}

impl Engine {
    /// What a verification has found so far, with what is wrong; `None` for a run that is none.
    pub async fn verification_report(&self, run: RunId) -> Result<Option<Report>, Error> {
        let Some(VerificationView { at, percent, findings, .. }) = self.verification(run).await? else {
            return Ok(None);
        };
        let Some(record) = self.store.run(run).await? else { return Ok(None) };
        let problems = problems(&self.store, &record).await?;
        Ok(Some(Report { run, plan: record.plan_id, at, percent, findings, problems }))
    }

    /// What a verification has found so far, in numbers; `None` for a run that is none.
    pub async fn verification(&self, run: RunId) -> Result<Option<VerificationView>, Error> {
        let Some(standing) = self.store.verification(run).await? else { return Ok(None) };
        let Some(record) = self.store.run(run).await? else { return Ok(None) };
        let at = record.ended_at.unwrap_or_else(|| self.clock.now());
        let (percent, findings) = (standing.percent, standing.findings);
        Ok(Some(VerificationView { run, at, is_whole: standing.is_over, percent, findings }))
    }

    /// Some of what a verification found to be wrong, behind an item.
    pub async fn verification_problems(
        &self,
        run: RunId,
        after: Option<String>,
        most: u32,
    ) -> Result<Vec<Problem>, Error> {
        let Some(record) = self.store.run(run).await? else { return Ok(Vec::new()) };
        some_problems(&self.store, &record, after, most).await
    }

    /// The verifications of a plan that came to the end of their reading, the newest first: those before this one, so many at most.
    ///
    /// # Errors
    /// When there is no such plan, or it keeps no mirror.
    pub async fn verifications(
        &self,
        plan: PlanId,
        before: Option<RunId>,
        most: u32,
    ) -> Result<Vec<VerificationView>, Error> {
        let plan = self.mirrored_plan(plan).await?.id;
        let found = self.store.verifications(plan, before, most).await?;
        let view =
            |(run, percent, at, findings)| VerificationView { run, at, is_whole: true, percent, findings };
        Ok(found.into_iter().map(view).collect())
    }
}

/// Of a run that was for this, what is wrong is what became of its items; of a backup that has read a share, it is among much else.
async fn some_problems(
    store: &Store,
    record: &RunRecord,
    after: Option<String>,
    most: u32,
) -> Result<Vec<Problem>, Error> {
    if record.options.job.is_plan() {
        let found = store.found_damage(record.plan_id, record.run, after.as_deref(), most).await?;
        return Ok(found.into_iter().map(of_a_share).collect());
    }
    let items = store.run_items(record.run, &ItemFilter { outcome: None, after }, most).await?;
    let paths = store.paths_of(record.run, items.iter().map(|item| item.item.as_str())).await?;
    let problem = |item: ItemRecord| {
        // What the storage has no name for is known by its path.
        let is_path = |item: &String| item.contains(['/', '.']);
        let path = paths.get(&item.item).cloned().or_else(|| Some(item.item.clone()).filter(is_path));
        Problem { item: item.item, name: item.name, path, outcome: item.outcome, reason: item.reason }
    };
    Ok(items.into_iter().map(problem).collect())
}

fn of_a_share(found: FoundDamage) -> Problem {
    let outcome = match found.outcome {
        Some(Outcome::Done) => Outcome::Done,
        _ => Outcome::Failed,
    };
    let name = found.name.unwrap_or_else(|| naming::name_of(&found.path).to_owned());
    let damage = found.damage.of(&found.path);
    let reason = Some(match (outcome, found.reason) {
        // Where what was there is now.
        (Outcome::Done, Some(more)) => format!("{damage}; {more}"),
        (_, Some(reason)) => reason,
        (_, None) => damage,
    });
    Problem { item: found.item, name, path: Some(found.path), outcome, reason }
}

async fn problems(store: &Store, record: &RunRecord) -> Result<Vec<Problem>, Error> {
    let mut problems: Vec<Problem> = Vec::new();
    while problems.len() < NAMED {
        let after = problems.last().map(|problem| problem.item.clone());
        let some = some_problems(store, record, after, TOGETHER).await?;
        if some.is_empty() {
            break;
        }
        problems.extend(some);
    }
    problems.truncate(NAMED);
    Ok(problems)
}

/// Writes the report into the mirror. Each keeps its own, but for the shares that found nothing wrong: those leave the newest.
pub(super) async fn write(backup: &Arc<Backup>) -> Result<(), Error> {
    let (ctx, mirror) = (backup.context(), backup.mirror());
    let Some(standing) = ctx.store.verification(ctx.run).await? else { return Ok(()) };
    let Some(record) = ctx.store.run(ctx.run).await? else { return Ok(()) };
    let problems = problems(&ctx.store, &record).await?;
    let now = ctx.clock.now();
    let (percent, findings) = (standing.percent, standing.findings);
    let name = if record.options.job.is_plan() && findings.bad() == 0 {
        "newest-good-share.json".to_owned()
    } else {
        format!("verify-{}-{}.json", now.strftime("%Y%m%dT%H%M%SZ"), ctx.run)
    };
    let report = Report { run: ctx.run, plan: ctx.plan, at: now, percent, findings, problems };
    let text = serde_json::to_vec_pretty(&report).map_err(|error| Error::Refused(error.to_string()))?;
    let path = format!("{OWN_FOLDER}/reports/{name}");
    mirror.write(&path, text).await?;
    mirror.settle(std::slice::from_ref(&path)).await?;
    Ok(())
}
