//! Runs, and what became of their items.

use std::collections::BTreeMap;

use charon_provider::Class;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use sqlx::{Row, Sqlite, Transaction, sqlite::SqliteRow};

use super::{Doing, Store, count, decode_error, maybe_time, parsed, stored};
use crate::{
    error::Error,
    ids::{PlanId, RunId},
    run::{Counts, Outcome, RunState, Stop},
};

/// One run, as the database has it.
#[derive(Clone, Debug, Serialize)]
pub struct RunRecord {
    /// Its id.
    pub run: RunId,
    /// The name of its plan.
    pub plan: String,
    /// Where it stands.
    pub state: RunState,
    /// When it was asked for.
    pub queued_at: Timestamp,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it came to its end, or was parked.
    pub ended_at: Option<Timestamp>,
    /// From when on a parked run can go on, if a person is not needed.
    pub parked_until: Option<Timestamp>,
    /// What became of its items.
    pub items: Counts,
    /// Bytes of the items that are done.
    pub bytes: u64,
    /// HTTP requests, by meter.
    pub requests_by_meter: BTreeMap<String, u64>,
    /// Why it ended before its end.
    pub stop: Option<Stop>,
}

/// What became of one item.
#[derive(Clone, Debug, Serialize)]
pub struct ItemRecord {
    /// Its media id or its local path.
    pub item: String,
    /// What people call it.
    pub name: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The class of the error, for one that failed.
    pub class: Option<Class>,
    /// Why it was skipped or failed.
    pub reason: Option<String>,
    /// How many bytes were moved.
    pub bytes: u64,
    /// When.
    pub at: Timestamp,
}

impl Store {
    pub(crate) async fn start_run(&self, run: RunId, plan: PlanId, now: Timestamp) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO runs (id, plan_id, trigger, state, queued_at, started_at) VALUES (?1, ?2, 'manual', ?3, ?4, ?4)",
        )
        .bind(run.to_string())
        .bind(plan.to_string())
        .bind(RunState::Running.as_str())
        .bind(now.to_string())
        .execute(&self.writer)
        .await
        .doing("start a run")
        .map(drop)
    }

    pub(crate) async fn end_run(&self, record: &RunRecord) -> Result<(), Error> {
        let stop = record.stop.as_ref().map(|stop| json!(stop).to_string());
        sqlx::query(
            "UPDATE runs SET state = ?, ended_at = ?, parked_until = ?, done = ?, unchanged = ?, skipped = ?, failed = ?,
                 bytes = ?, requests = ?, stop = ? WHERE id = ?",
        )
        .bind(record.state.as_str())
        .bind(record.ended_at.map(|time| time.to_string()))
        .bind(record.parked_until.map(|time| time.to_string()))
        .bind(stored(record.items.done))
        .bind(stored(record.items.unchanged))
        .bind(stored(record.items.skipped))
        .bind(stored(record.items.failed))
        .bind(stored(record.bytes))
        .bind(json!(record.requests_by_meter).to_string())
        .bind(stop)
        .bind(record.run.to_string())
        .execute(&self.writer)
        .await
        .doing("end a run")
        .map(drop)
    }

    /// Ends the runs that a process which is no more has left, telling the truth of them: called by the one process that
    /// holds the data directory.
    pub(crate) async fn end_interrupted_runs(&self, now: Timestamp) -> Result<u64, Error> {
        let done = sqlx::query(
            "UPDATE runs SET state = ?, ended_at = ?, stop = ?,
                 done = (SELECT COUNT(*) FROM run_items WHERE run_id = runs.id AND outcome = 'done'),
                 skipped = (SELECT COUNT(*) FROM run_items WHERE run_id = runs.id AND outcome = 'skipped'),
                 failed = (SELECT COUNT(*) FROM run_items WHERE run_id = runs.id AND outcome = 'failed'),
                 bytes = (SELECT COALESCE(SUM(bytes), 0) FROM run_items WHERE run_id = runs.id AND outcome = 'done')
             WHERE state IN ('queued', 'running', 'pausing', 'paused')",
        )
        .bind(RunState::Failed.as_str())
        .bind(now.to_string())
        .bind(json!(Stop::interrupted()).to_string())
        .execute(&self.writer)
        .await
        .doing("end interrupted runs")?;
        Ok(done.rows_affected())
    }

    /// A plan's parked runs give way to a new one, which goes on where they stopped.
    pub(crate) async fn supersede_parked_runs(&self, plan: PlanId) -> Result<(), Error> {
        sqlx::query("UPDATE runs SET state = ? WHERE plan_id = ? AND state = ?")
            .bind(RunState::Cancelled.as_str())
            .bind(plan.to_string())
            .bind(RunState::Parked.as_str())
            .execute(&self.writer)
            .await
            .doing("give up parked runs")
            .map(drop)
    }

    /// The newest runs, of one plan or of all.
    pub(crate) async fn runs(&self, plan: Option<PlanId>, most: u32) -> Result<Vec<RunRecord>, Error> {
        let rows = sqlx::query(
            "SELECT runs.*, plans.name AS plan_name FROM runs JOIN plans ON plans.id = runs.plan_id
             WHERE ?1 IS NULL OR plan_id = ?1 ORDER BY queued_at DESC, runs.id DESC LIMIT ?2",
        )
        .bind(plan.map(|id| id.to_string()))
        .bind(most)
        .fetch_all(&self.reader)
        .await;
        rows.and_then(|rows| rows.iter().map(read).collect()).doing("list the runs")
    }

    /// The items of a run that had this outcome, by name.
    pub(crate) async fn run_items(
        &self,
        run: RunId,
        outcome: Outcome,
        most: u32,
    ) -> Result<Vec<ItemRecord>, Error> {
        let rows = sqlx::query(
            "SELECT * FROM run_items WHERE run_id = ? AND outcome = ? ORDER BY name, item LIMIT ?",
        )
        .bind(run.to_string())
        .bind(outcome.as_str())
        .bind(most)
        .fetch_all(&self.reader)
        .await;
        rows.and_then(|rows| rows.iter().map(read_item).collect()).doing("list the items of a run")
    }

    /// How many items of a run were skipped, by reason, and how many are left out that its quick listing did not get to.
    pub(crate) async fn skipped_by_reason(&self, run: RunId) -> Result<BTreeMap<String, u64>, Error> {
        let rows = sqlx::query(
            "SELECT reason, SUM(items) AS items FROM (
                 SELECT reason, COUNT(*) AS items FROM run_items WHERE run_id = ?1 AND outcome = ?2 GROUP BY reason
                 UNION ALL
                 SELECT key, value FROM listings, json_each(listings.skipped) WHERE listings.run_id = ?1)
             GROUP BY reason",
        )
        .bind(run.to_string())
        .bind(Outcome::Skipped.as_str())
        .fetch_all(&self.reader)
        .await
        .doing("count the skipped items of a run")?;
        rows.iter()
            .map(|row| {
                Ok((row.try_get::<Option<String>, _>("reason")?.unwrap_or_default(), count(row, "items")?))
            })
            .collect::<Result<_, sqlx::Error>>()
            .doing("count the skipped items of a run")
    }

    pub(crate) async fn record_run_items(&self, run: RunId, items: &[ItemRecord]) -> Result<(), Error> {
        const DOING: &str = "record what became of items";
        let mut tx = self.begin().await.doing(DOING)?;
        record_items(&mut tx, run, items.iter()).await.doing(DOING)?;
        tx.commit().await.doing(DOING)
    }
}

pub(super) async fn record_items<'a>(
    tx: &mut Transaction<'_, Sqlite>,
    run: RunId,
    items: impl Iterator<Item = &'a ItemRecord>,
) -> Result<(), sqlx::Error> {
    let rows: Vec<_> = items
        .map(|item| {
            json!([item.item, item.name, item.outcome, item.class, item.reason, stored(item.bytes), item.at])
        })
        .collect();
    sqlx::query(
        "INSERT INTO run_items (run_id, item, name, outcome, class, reason, bytes, at)
         SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6
         FROM json_each(?2) WHERE true
         ON CONFLICT (run_id, item) DO UPDATE SET outcome = excluded.outcome, class = excluded.class,
             reason = excluded.reason, bytes = excluded.bytes, at = excluded.at",
    )
    .bind(run.to_string())
    .bind(json!(rows).to_string())
    .execute(&mut **tx)
    .await
    .map(drop)
}

fn read(row: &SqliteRow) -> Result<RunRecord, sqlx::Error> {
    let stop: Option<&str> = row.try_get("stop")?;
    Ok(RunRecord {
        run: parsed(row, "id")?,
        plan: row.try_get("plan_name")?,
        state: parsed(row, "state")?,
        queued_at: parsed(row, "queued_at")?,
        started_at: maybe_time(row, "started_at")?,
        ended_at: maybe_time(row, "ended_at")?,
        parked_until: maybe_time(row, "parked_until")?,
        items: Counts {
            done: count(row, "done")?,
            unchanged: count(row, "unchanged")?,
            skipped: count(row, "skipped")?,
            failed: count(row, "failed")?,
        },
        bytes: count(row, "bytes")?,
        requests_by_meter: serde_json::from_str(row.try_get("requests")?).map_err(decode_error)?,
        stop: stop.map(|text| serde_json::from_str(text).map_err(decode_error)).transpose()?,
    })
}

fn read_item(row: &SqliteRow) -> Result<ItemRecord, sqlx::Error> {
    let class: Option<String> = row.try_get("class")?;
    Ok(ItemRecord {
        item: row.try_get("item")?,
        name: row.try_get("name")?,
        outcome: parsed(row, "outcome")?,
        class: class.map(|name| serde_json::from_value(name.into()).map_err(decode_error)).transpose()?,
        reason: row.try_get("reason")?,
        bytes: count(row, "bytes")?,
        at: parsed(row, "at")?,
    })
}
