//! How a storage stands, for people: what it can do, whether its consent works, who uses it.

use std::{sync::Arc, time::Duration};

use charon_provider::{Capabilities, Check, Class, Verdict};
use futures::{StreamExt, stream, stream::BoxStream};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    budget::{BudgetView, Spending},
    engine::Engine,
    error::Error,
    host::unseal,
    ids::{PlanId, RunId, StorageId},
    sites::is_kept_by,
    storages::StorageView,
    store::{StorageRow, TestRow},
};

/// A storage with all that is known of it. Sends no request.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct StorageDetail {
    /// The storage itself.
    #[serde(flatten)]
    pub storage: StorageView,
    /// What it can do; `None` if it cannot be opened.
    pub capabilities: Option<Capabilities>,
    /// Why it cannot be opened, and what to do, if it cannot.
    pub problem: Option<String>,
    /// What is used and left of what is counted.
    pub meters: Vec<BudgetView>,
    /// Whether it works, as far as that is known.
    pub health: StorageHealth,
    /// The plans that use it.
    pub plans: Vec<PlanOfStorage>,
}

/// Whether a storage works, as far as that is known without asking it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct StorageHealth {
    /// In one word.
    pub state: HealthState,
    /// Whose account it is, as people know it, where the consent told it.
    pub account: Option<String>,
    /// Whether it may be another account than before: there is a new consent, and nothing has shown whose it is.
    pub account_in_doubt: bool,
    /// When its consent was given, or its secrets were entered, the last time; `None` if that was not kept.
    pub consented_at: Option<Timestamp>,
    /// When its token was renewed the last time since.
    pub renewed_at: Option<Timestamp>,
    /// When the last good run of a plan that uses it ended.
    pub last_good_at: Option<Timestamp>,
    /// The last test that was made to its end.
    pub last_test: Option<LastTest>,
    /// The runs that wait for a person to do something about the storage, the oldest first.
    pub waiting_runs: Vec<WaitingRun>,
}

/// Whether a storage works, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    /// It has been neither tested nor used as it is now.
    Untested,
    /// Its last test passed, or a run has gone well since.
    Works,
    /// Its last test passed, and a person should know something.
    Warned,
    /// Its last test failed.
    Fails,
    /// A person has to act: its runs wait for that, or its secrets do not open.
    NeedsYou,
}

/// The last test of a storage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LastTest {
    /// When it came to its end.
    pub at: Timestamp,
    /// Whether the storage is still as it was tested.
    pub is_current: bool,
    /// How it ended: as its worst stage.
    pub verdict: Verdict,
    /// Its stages.
    pub checks: Vec<PastCheck>,
}

/// A stage of a test that was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PastCheck {
    /// What was tried.
    pub stage: String,
    /// How it ended.
    pub verdict: Verdict,
    /// How long it took.
    pub milliseconds: u64,
    /// What was found.
    pub found: String,
    /// What a person can do about it.
    pub cure: Option<String>,
    /// A page where they can do it, or read more.
    pub link: Option<String>,
}

/// A run that waits for a person.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct WaitingRun {
    /// The run.
    pub run: RunId,
    /// The id of its plan.
    pub plan_id: PlanId,
    /// Its plan.
    pub plan: String,
    /// Since when it waits.
    pub since: Timestamp,
    /// What happened, why, and what to do.
    pub message: Option<String>,
}

/// A plan, as a storage's page names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PlanOfStorage {
    /// Its id.
    pub id: PlanId,
    /// Its name.
    pub name: String,
    /// What it does: backup or upload.
    pub kind: String,
}

impl From<&Check> for PastCheck {
    fn from(check: &Check) -> Self {
        Self {
            stage: check.stage.to_owned(),
            verdict: check.verdict,
            milliseconds: u64::try_from(check.took.as_millis()).unwrap_or(u64::MAX),
            found: check.found.clone(),
            cure: check.cure.clone(),
            link: check.link.clone(),
        }
    }
}

impl PastCheck {
    /// How long it took.
    pub fn took(&self) -> Duration {
        Duration::from_millis(self.milliseconds)
    }
}

/// The worst verdict of some stages.
pub fn worst(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
    verdicts.into_iter().fold(Verdict::Passed, |worst, verdict| match (worst, verdict) {
        (Verdict::Failed, _) | (_, Verdict::Failed) => Verdict::Failed,
        (Verdict::Warned, _) | (_, Verdict::Warned) => Verdict::Warned,
        (Verdict::Passed, Verdict::Passed) => Verdict::Passed,
    })
}

impl Engine {
    /// A storage with all that is known of it.
    ///
    /// # Errors
    /// When there is no such storage, or the database cannot be read.
    pub async fn storage_detail(&self, id: StorageId) -> Result<StorageDetail, Error> {
        self.detail(&self.row_of(id).await?).await
    }

    /// All storages with all that is known of them, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn storage_details(&self) -> Result<Vec<StorageDetail>, Error> {
        let mut details = Vec::new();
        for row in self.store.storages().await? {
            details.push(self.detail(&row).await?);
        }
        Ok(details)
    }

    async fn detail(&self, row: &StorageRow) -> Result<StorageDetail, Error> {
        let (mut capabilities, mut problem, mut meters) = (None, None, Vec::new());
        match self.declared_by(row) {
            Ok(facts) => {
                capabilities = Some(facts.capabilities);
                for meter in &facts.meters {
                    meters.push(self.budgets.view(meter).await?);
                }
            }
            Err(error) => problem = Some(error.to_string()),
        }
        let plans = self.plans_of_storage(row.id).await?;
        Ok(StorageDetail {
            storage: self.view(row)?,
            capabilities,
            problem,
            meters,
            health: self.health_of(row, &plans).await?,
            plans,
        })
    }

    /// The plans that use a storage, by name: what they bring home or send out is there, or their mirror is.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn plans_of_storage(&self, id: StorageId) -> Result<Vec<PlanOfStorage>, Error> {
        let name = self.row_of(id).await?.name;
        let plans = self.store.plans().await?.into_iter();
        let plans = plans.filter(|plan| plan.storage_id == id || is_kept_by(plan, &name));
        let kind =
            |config: &serde_json::Map<String, Value>| config["kind"].as_str().unwrap_or_default().to_owned();
        Ok(plans
            .map(|plan| PlanOfStorage { id: plan.id, kind: kind(&plan.config), name: plan.name })
            .collect())
    }

    async fn health_of(&self, row: &StorageRow, plans: &[PlanOfStorage]) -> Result<StorageHealth, Error> {
        let successes = self.store.last_successes().await?;
        let last_good_at = plans.iter().filter_map(|plan| successes.get(&plan.id).copied()).max();
        let changed_at = self.changed_at(row).await?;
        let worked_at = last_good_at.filter(|at| *at > changed_at);
        let waiting = self.store.runs_that_wait_for_a_person(row.id).await?;
        let last_test = self.store.last_test(row.id).await?.and_then(|test| last_test(test, row.revision));
        let opens = unseal(&self.vault, row).is_ok();
        // What was wrong then may have been mended since: a test that passed, or a good run, has shown it.
        let passed_at = last_test.as_ref().filter(|test| test.verdict != Verdict::Failed).map(|test| test.at);
        let passed_at = passed_at.max(worked_at);
        let is_parked = waiting
            .iter()
            .any(|run| passed_at.is_none_or(|passed| passed < run.since) && is_about_the_account(run));
        let state = match last_test.as_ref().filter(|test| test.is_current) {
            _ if !opens || is_parked => HealthState::NeedsYou,
            Some(test) => match test.verdict {
                Verdict::Passed => HealthState::Works,
                Verdict::Warned => HealthState::Warned,
                Verdict::Failed if worked_at.is_some_and(|worked| worked > test.at) => HealthState::Works,
                Verdict::Failed => HealthState::Fails,
            },
            None if worked_at.is_some() => HealthState::Works,
            None => HealthState::Untested,
        };
        Ok(StorageHealth {
            state,
            account: row.account_name.clone(),
            account_in_doubt: self.store.account(row.id).await?.in_doubt,
            consented_at: row.consented_at,
            renewed_at: row.renewed_at,
            last_good_at,
            last_test,
            waiting_runs: waiting
                .into_iter()
                .map(|run| WaitingRun {
                    run: run.run,
                    plan_id: run.plan,
                    plan: run.plan_name,
                    since: run.since,
                    message: run.stop.map(|stop| stop.message),
                })
                .collect(),
        })
    }

    /// When a storage became what it is now. Its revision is the number of the event that told so, which is forgotten after a while.
    async fn changed_at(&self, row: &StorageRow) -> Result<Timestamp, Error> {
        let told = self.store.events(None, row.revision - 1, 1).await?.into_iter().next();
        Ok(told.filter(|event| event.seq == row.revision).map_or(row.created_at, |event| event.at))
    }

    /// Keeps the outcome of a test that was made with what the storage is now, before it was saved.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_test(
        &self,
        storage: &StorageView,
        at: Timestamp,
        checks: &[PastCheck],
    ) -> Result<(), Error> {
        let test = TestRow { revision: storage.revision, at, checks: json!(checks) };
        self.store.remember_test(storage.id, &test).await
    }

    /// The same stages; at their end, their outcome is kept, and if all have passed, the budget is told that it works.
    pub(crate) fn kept(
        &self,
        stages: BoxStream<'static, Check>,
        row: &StorageRow,
        spending: Option<Arc<Spending>>,
    ) -> BoxStream<'static, Check> {
        let (engine, id, revision) = (self.clone(), row.id, row.revision);
        let begun = (stages, Vec::new(), Some((engine, spending)));
        stream::unfold(begun, move |(mut stages, mut checks, mut end)| async move {
            if let Some(check) = stages.next().await {
                checks.push(PastCheck::from(&check));
                return Some((check, (stages, checks, end)));
            }
            let (engine, spending) = end.take()?;
            let passed = worst(checks.iter().map(|check| check.verdict)) != Verdict::Failed;
            if let Some(spending) = spending.filter(|_| passed)
                && let Err(error) = spending.it_works().await
            {
                tracing::warn!(%error, "the budget could not be told that the storage works");
            }
            let test = TestRow { revision, at: engine.clock.now(), checks: json!(checks) };
            if let Err(error) = engine.store.remember_test(id, &test).await {
                tracing::warn!(%error, "how a test went could not be kept");
            }
            None
        })
        .boxed()
    }
}

/// A test as it was kept; `None` if another version of this program kept it otherwise.
fn last_test(row: TestRow, revision: i64) -> Option<LastTest> {
    let checks: Vec<PastCheck> = serde_json::from_value(row.checks).ok()?;
    let verdict = worst(checks.iter().map(|check| check.verdict));
    Some(LastTest { at: row.at, is_current: row.revision == revision, verdict, checks })
}

fn is_about_the_account(run: &crate::store::WaitingRow) -> bool {
    run.stop.as_ref().is_none_or(|stop| stop.class == Some(Class::Auth))
}
