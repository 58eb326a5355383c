//! Runs, and what became of their items.

use std::collections::BTreeMap;

use charon_provider::Class;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use sqlx::{Row, Sqlite, Transaction, sqlite::SqliteRow};

use super::{
    Doing, Store, count, decode_error,
    events::write_event,
    maybe_time, micros, moment, no, parsed,
    queue::{self, is_at_work},
    stored,
};
use crate::{
    error::Error,
    events::EventKind,
    ids::{PlanId, RunId},
    run::{Attempt, Counts, Outcome, Progress, RunOptions, RunState, Stop, Trigger},
};

/// One run, as the database has it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RunRecord {
    /// Its id.
    pub run: RunId,
    /// The name of its plan.
    pub plan: String,
    /// The plan's id.
    #[serde(skip)]
    pub plan_id: PlanId,
    /// Whether it sends what an inbox holds: its plan is Charon's own, and nobody can change it.
    #[serde(skip)]
    pub is_inbox: bool,
    /// What it does, if that is not what the plan is for: `verify`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<&'static str>,
    /// How it goes about it.
    #[serde(skip)]
    pub options: RunOptions,
    /// Why there is a run.
    pub trigger: Trigger,
    /// The occurrence that it is for, if its plan was due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduled_for: Option<Timestamp>,
    /// How many attempts there were at it.
    pub attempts: u32,
    /// Where it stands.
    pub state: RunState,
    /// What it waits for, if it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<String>,
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
#[derive(Clone, Debug, Serialize, JsonSchema)]
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

/// One attempt at a run.
#[derive(Clone, Debug)]
pub(crate) struct AttemptRecord {
    pub(crate) number: u32,
    pub(crate) started_at: Timestamp,
    pub(crate) ended_at: Option<Timestamp>,
    /// What it left the run in.
    pub(crate) state: Option<RunState>,
    pub(crate) message: Option<String>,
}

/// The number by which large tables know the storage of the run that is bound under this name.
macro_rules! storage_of {
    ($bound:literal) => {
        concat!(
            "(SELECT storages.no FROM runs JOIN plans ON plans.id = runs.plan_id JOIN storages ON storages.id = plans.storage_id
              WHERE runs.id = ", $bound, ")"
        )
    };
}
pub(super) use storage_of;

/// Which runs are wanted, and from where on.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    /// Only those of this plan.
    pub plan: Option<PlanId>,
    /// Only those in this state.
    pub state: Option<RunState>,
    /// Only those that are older than this one.
    pub before: Option<RunId>,
}

/// Which items of a run are wanted, and from where on.
#[derive(Clone, Debug, Default)]
pub struct ItemFilter {
    /// Only those with this outcome.
    pub outcome: Option<Outcome>,
    /// Only those behind this one, by its media id or path.
    pub after: Option<String>,
}

impl Store {
    /// Runs, the newest first.
    pub(crate) async fn runs(&self, filter: &RunFilter, most: u32) -> Result<Vec<RunRecord>, Error> {
        let before = filter.before.map_or_else(|| "~".to_owned(), |run| run.to_string());
        // One query for each choice, so that each goes through an index of its own, in its order.
        let chosen = match (filter.plan.is_some(), filter.state.is_some()) {
            (false, false) => "runs.id < ?1",
            (true, false) => "runs.id < ?1 AND runs.plan_id = ?2",
            (false, true) => "runs.id < ?1 AND runs.state = ?3",
            (true, true) => "runs.id < ?1 AND runs.plan_id = ?2 AND +runs.state = ?3",
        };
        let rows =
            sqlx::query(sqlx::AssertSqlSafe(format!("{RUNS} WHERE {chosen} ORDER BY runs.id DESC LIMIT ?4")))
                .bind(before)
                .bind(filter.plan.map(|id| id.to_string()))
                .bind(filter.state.map(RunState::as_str))
                .bind(most)
                .fetch_all(&self.reader)
                .await;
        rows.and_then(|rows| rows.iter().map(read).collect()).doing("list the runs")
    }

    /// One run.
    pub(crate) async fn run(&self, run: RunId) -> Result<Option<RunRecord>, Error> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{RUNS} WHERE runs.id = ?")))
            .bind(run.to_string())
            .fetch_optional(&self.reader)
            .await;
        row.and_then(|row| row.as_ref().map(read).transpose()).doing("look up a run")
    }

    /// The attempts at a run, the first one first.
    pub(crate) async fn attempts(&self, run: RunId) -> Result<Vec<AttemptRecord>, Error> {
        let rows = sqlx::query("SELECT * FROM attempts WHERE run_id = ? ORDER BY number")
            .bind(run.to_string())
            .fetch_all(&self.reader)
            .await;
        let read = |row: &SqliteRow| {
            let state: Option<&str> = row.try_get("state")?;
            Ok::<_, sqlx::Error>(AttemptRecord {
                number: row.try_get("number")?,
                started_at: parsed(row, "started_at")?,
                ended_at: maybe_time(row, "ended_at")?,
                state: state.map(|state| state.parse().map_err(decode_error)).transpose()?,
                message: row.try_get("message")?,
            })
        };
        rows.and_then(|rows| rows.iter().map(read).collect()).doing("list the attempts at a run")
    }

    /// The items of a run, by media id or path.
    pub(crate) async fn run_items(
        &self,
        run: RunId,
        filter: &ItemFilter,
        most: u32,
    ) -> Result<Vec<ItemRecord>, Error> {
        // Most are done, and are found along the table; the others have an index of their own, which is taken only where its
        // own condition stands in the query.
        let (index, outcome) = match filter.outcome {
            None => ("", ""),
            Some(Outcome::Done) => ("", "AND outcome = 'done'"),
            Some(Outcome::Skipped) => {
                ("INDEXED BY run_items_not_done", "AND outcome = 'skipped' AND outcome <> 'done'")
            }
            Some(Outcome::Failed) => {
                ("INDEXED BY run_items_not_done", "AND outcome = 'failed' AND outcome <> 'done'")
            }
        };
        let (run_no, storage_no) = (no!(run "?1"), storage_of!("?1"));
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT COALESCE(remotes.remote_id, run_items.item) AS item, COALESCE(name, remotes.file_name, '') AS name, outcome,
                 class, reason, bytes, at
             FROM run_items {index}
             LEFT JOIN remotes ON remotes.asset_id = run_items.item AND remotes.storage = {storage_no}
             WHERE run = {run_no} {outcome} AND run_items.item > COALESCE(
                 (SELECT asset_id FROM remotes WHERE storage = {storage_no} AND remote_id = ?2), ?2, -1)
             ORDER BY run_items.item LIMIT ?3"
        )))
        .bind(run.to_string())
        .bind(filter.after.as_deref())
        .bind(most)
        .fetch_all(&self.reader)
        .await;
        rows.and_then(|rows| rows.iter().map(read_item).collect()).doing("list the items of a run")
    }

    /// How many items of a run were skipped, by reason, and how many are left out that its quick listing did not get to.
    pub(crate) async fn skipped_by_reason(&self, run: RunId) -> Result<BTreeMap<String, u64>, Error> {
        let rows = sqlx::query(concat!(
            "SELECT reason, SUM(items) AS items FROM (
                 SELECT reason, COUNT(*) AS items FROM run_items INDEXED BY run_items_not_done
                     WHERE run = ",
            no!(run "?1"),
            " AND outcome = 'skipped' AND outcome <> 'done' GROUP BY reason
                 UNION ALL
                 SELECT key, value FROM listings, json_each(listings.skipped) WHERE listings.run_id = ?1)
             GROUP BY reason",
        ))
        .bind(run.to_string())
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

    pub(crate) async fn record_run_items(&self, attempt: Attempt, items: &[ItemRecord]) -> Result<(), Error> {
        const DOING: &str = "record what became of items";
        let mut tx = self.begin().await.doing(DOING)?;
        record_items(&mut tx, attempt, items.iter()).await?;
        tx.commit().await.doing(DOING)
    }
}

/// Records what became of items, and tells of it, as part of what the caller records.
///
/// # Errors
/// [`Error::Superseded`] when there is a later attempt at the run: then nothing of it may be recorded.
pub(super) async fn record_items<'a>(
    tx: &mut Transaction<'_, Sqlite>,
    attempt: Attempt,
    items: impl Iterator<Item = &'a ItemRecord>,
) -> Result<(), Error> {
    const DOING: &str = "record what became of items";
    let items: Vec<&ItemRecord> = items.collect();
    let Some(plan) = is_at_work(tx, attempt).await.doing(DOING)? else { return Err(Error::Superseded) };
    let Some(now) = items.iter().map(|item| item.at).max() else { return Ok(()) };
    insert_items(tx, attempt, &items).await.doing(DOING)?;
    let told: Vec<_> = items
        .iter()
        .map(|item| {
            json!({ "item": item.item, "name": item.name, "outcome": item.outcome, "bytes": item.bytes,
                            "class": item.class, "reason": item.reason })
        })
        .collect();
    let event = queue::event(EventKind::Items, plan, attempt.run, json!({ "items": told }));
    write_event(tx, now, &event).await.doing(DOING).map(drop)
}

async fn insert_items(
    tx: &mut Transaction<'_, Sqlite>,
    attempt: Attempt,
    items: &[&ItemRecord],
) -> Result<(), sqlx::Error> {
    let rows: Vec<_> = items
        .iter()
        .map(|item| {
            json!([
                item.item,
                item.name,
                item.outcome,
                item.class,
                item.reason,
                stored(item.bytes),
                micros(item.at)
            ])
        })
        .collect();
    sqlx::query(concat!(
        "INSERT INTO run_items (run, item, name, outcome, class, reason, bytes, at, attempt)
         SELECT ",
        no!(run "?1"),
        ", COALESCE(remotes.asset_id, value ->> 0), NULLIF(value ->> 1, remotes.file_name), value ->> 2, value ->> 3,
             value ->> 4, value ->> 5, value ->> 6, ?3
         FROM json_each(?2) LEFT JOIN remotes ON remotes.storage = ", storage_of!("?1"), " AND remotes.remote_id = value ->> 0
         WHERE true
         ON CONFLICT (run, item) DO UPDATE SET outcome = excluded.outcome, class = excluded.class,
             reason = excluded.reason, bytes = MAX(run_items.bytes, excluded.bytes), at = excluded.at,
             attempt = excluded.attempt",
    ))
    .bind(attempt.run.to_string())
    .bind(json!(rows).to_string())
    .bind(attempt.number)
    .execute(&mut **tx)
    .await
    .map(drop)
}

const RUNS: &str =
    "SELECT runs.*, plans.name AS plan_name, plans.is_inbox FROM runs JOIN plans ON plans.id = runs.plan_id";

fn read(row: &SqliteRow) -> Result<RunRecord, sqlx::Error> {
    let stop: Option<&str> = row.try_get("stop")?;
    // While it is at work, what its process says of it goes before what earlier attempts have left.
    let progress: Option<&str> = row.try_get("progress")?;
    let progress: Option<Progress> = progress.and_then(|text| serde_json::from_str(text).ok());
    let options: RunOptions = serde_json::from_str(row.try_get("options")?).map_err(decode_error)?;
    let mut record = RunRecord {
        run: parsed(row, "id")?,
        plan: row.try_get("plan_name")?,
        plan_id: parsed(row, "plan_id")?,
        is_inbox: row.try_get("is_inbox")?,
        job: options.job.name(),
        options,
        trigger: parsed(row, "trigger")?,
        scheduled_for: maybe_time(row, "scheduled_for")?,
        attempts: row.try_get("attempt")?,
        waiting: None,
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
    };
    if let Some(progress) = progress {
        (record.items, record.bytes) = (progress.items, progress.bytes);
    }
    Ok(record)
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
        at: moment(row, "at")?,
    })
}
