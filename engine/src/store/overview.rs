//! What is shown at a glance. Every question is answered from an index: nothing here reads all runs.

use std::collections::HashMap;

use jiff::Timestamp;

use super::{Doing, Store, count, maybe_time, parsed};
use crate::{error::Error, ids::PlanId, run::RunState};

const LAST_SUCCESSES: &str = "
    SELECT plans.id, (SELECT ended_at FROM runs WHERE runs.plan_id = plans.id AND runs.state = 'succeeded'
                          AND runs.options ->> 'job' IS NULL ORDER BY runs.id DESC LIMIT 1) AS ended_at FROM plans";
const LIVE_BY_STATE: &str = "
    SELECT state, COUNT(*) AS runs FROM runs
    WHERE state IN ('queued', 'running', 'pausing', 'paused', 'parked') GROUP BY state";

impl Store {
    /// When the last of each plan's runs ended that succeeded; of one of which none has, nothing.
    pub(crate) async fn last_successes(&self) -> Result<HashMap<PlanId, Timestamp>, Error> {
        const DOING: &str = "look up the last good runs";
        let rows = sqlx::query(LAST_SUCCESSES).fetch_all(&self.reader).await.doing(DOING)?;
        let mut successes = HashMap::new();
        for row in rows {
            if let Some(ended_at) = maybe_time(&row, "ended_at").doing(DOING)? {
                successes.insert(parsed(&row, "id").doing(DOING)?, ended_at);
            }
        }
        Ok(successes)
    }

    /// How many of the runs that have not ended are in each state, in the order of the states.
    pub(crate) async fn live_by_state(&self) -> Result<Vec<(RunState, u64)>, Error> {
        const DOING: &str = "count the runs that have not ended";
        let mut counts = [
            (RunState::Queued, 0),
            (RunState::Running, 0),
            (RunState::Pausing, 0),
            (RunState::Paused, 0),
            (RunState::Parked, 0),
        ];
        for row in sqlx::query(LIVE_BY_STATE).fetch_all(&self.reader).await.doing(DOING)? {
            let state: RunState = parsed(&row, "state").doing(DOING)?;
            for (_, runs) in counts.iter_mut().filter(|(of, _)| *of == state) {
                *runs = count(&row, "runs").doing(DOING)?;
            }
        }
        Ok(counts.to_vec())
    }

    /// How large the database is, in bytes.
    pub(crate) async fn size(&self) -> Result<u64, Error> {
        let row = sqlx::query(
            "SELECT page_count * page_size AS bytes FROM pragma_page_count(), pragma_page_size()",
        )
        .fetch_one(&self.reader)
        .await;
        row.and_then(|row| count(&row, "bytes")).doing("look how large the database is")
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Row;

    use super::{LAST_SUCCESSES, LIVE_BY_STATE};
    use crate::store::Store;

    #[tokio::test]
    async fn a_glance_reads_no_run_that_it_does_not_show() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Store::open(&directory.path().join("charon.db")).await.expect("a database");
        for question in [LAST_SUCCESSES, LIVE_BY_STATE] {
            let explained = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {question}"));
            let steps = sqlx::query(explained).fetch_all(&store.reader).await.expect("a plan");
            let steps: Vec<String> = steps.iter().map(|step| step.get("detail")).collect();
            let of_runs: Vec<&String> = steps.iter().filter(|step| step.contains(" runs")).collect();
            assert!(!of_runs.is_empty() && of_runs.iter().all(|step| step.contains(" INDEX ")), "{steps:?}");
            assert!(
                of_runs.iter().all(|step| step.starts_with("SEARCH") || step.contains("runs_live")),
                "{steps:?}"
            );
        }
    }
}
