//! Events: written with what they tell of, read in order, forgotten after a while.

use jiff::Timestamp;
use serde_json::json;
use sqlx::{Row, Sqlite, Transaction, sqlite::SqliteRow};

use super::{Doing, Store, decode_error, parsed};
use crate::{
    error::Error,
    events::{Event, NewEvent},
    ids::{PlanId, RunId},
};

/// Writes an event; gives its number, which grows and is never given twice.
pub(super) async fn write_event(
    tx: &mut Transaction<'_, Sqlite>,
    at: Timestamp,
    event: &NewEvent,
) -> Result<i64, sqlx::Error> {
    let done = sqlx::query("INSERT INTO events (at, kind, plan_id, run_id, data) VALUES (?, ?, ?, ?, ?)")
        .bind(at.to_string())
        .bind(event.kind.as_str())
        .bind(event.plan.map(|plan| plan.to_string()))
        .bind(event.run.map(|run| run.to_string()))
        .bind(event.data.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(done.last_insert_rowid())
}

impl Store {
    /// The events after a number, of one run or of all, in order.
    pub(crate) async fn events(
        &self,
        run: Option<RunId>,
        after: i64,
        most: u32,
    ) -> Result<Vec<Event>, Error> {
        // Two queries, so that each goes through an index.
        let rows = match run {
            None => sqlx::query("SELECT * FROM events WHERE seq > ? ORDER BY seq LIMIT ?").bind(after),
            Some(run) => {
                sqlx::query("SELECT * FROM events WHERE run_id = ? AND seq > ? ORDER BY seq LIMIT ?")
                    .bind(run.to_string())
                    .bind(after)
            }
        };
        let rows = rows.bind(most).fetch_all(&self.reader).await;
        rows.and_then(|rows| rows.iter().map(read).collect()).doing("read events")
    }

    /// The number of the newest event; 0 if there was none.
    pub(crate) async fn newest_event(&self) -> Result<i64, Error> {
        // Not the largest row, which may have been forgotten.
        let row = sqlx::query("SELECT seq FROM sqlite_sequence WHERE name = 'events'")
            .fetch_optional(&self.reader)
            .await;
        row.and_then(|row| row.map(|row| row.try_get(0)).transpose())
            .map(Option::unwrap_or_default)
            .doing("look up the newest event")
    }

    /// The runs that have ended, or were parked, after an event, with the numbers of the events that tell so.
    pub(crate) async fn ends_after(&self, after: i64, most: u32) -> Result<Vec<(i64, RunId)>, Error> {
        let rows = sqlx::query(
            "SELECT seq, run_id FROM events INDEXED BY events_of_ends
             WHERE kind IN ('run.ended', 'run.parked') AND seq > ? ORDER BY seq LIMIT ?",
        )
        .bind(after)
        .bind(most)
        .fetch_all(&self.reader)
        .await;
        rows.and_then(|rows| {
            rows.iter().map(|row| Ok((row.try_get("seq")?, parsed(row, "run_id")?))).collect()
        })
        .doing("look which runs have ended")
    }

    /// Up to which event it is written down what people are to be told. Where nobody has looked yet, that is the newest one: what
    /// was before is no news.
    pub(crate) async fn told_until(&self) -> Result<i64, Error> {
        let row = sqlx::query("SELECT seq FROM told").fetch_optional(&self.reader).await;
        let known =
            row.and_then(|row| row.map(|row| row.try_get(0)).transpose()).doing("look what was told")?;
        if let Some(seq) = known {
            return Ok(seq);
        }
        let newest = self.newest_event().await?;
        self.set_told_until(newest).await?;
        Ok(newest)
    }

    pub(crate) async fn set_told_until(&self, seq: i64) -> Result<(), Error> {
        sqlx::query("INSERT OR REPLACE INTO told (one, seq) VALUES (1, ?)")
            .bind(seq)
            .execute(&self.writer)
            .await
            .doing("note what was told")
            .map(drop)
    }

    /// Forgets what was told of single items before this, a few at a time. Gives how many events it was.
    pub(crate) async fn forget_item_events(&self, before: Timestamp, most: u32) -> Result<u64, Error> {
        let done = sqlx::query(
            "DELETE FROM events WHERE seq IN (
                 SELECT seq FROM (SELECT seq, at FROM events WHERE kind = 'run.items' ORDER BY seq LIMIT ?2)
                 WHERE julianday(at) < julianday(?1))",
        )
        .bind(before.to_string())
        .bind(most)
        .execute(&self.writer)
        .await
        .doing("forget what was told of items")?;
        Ok(done.rows_affected())
    }

    /// Forgets events that happened before this, a few at a time so that nobody has to wait for long. Gives how many it was.
    pub(crate) async fn forget_events(&self, before: Timestamp, most: u32) -> Result<u64, Error> {
        // They are in the order of their time, but for a clock that was set back; then some stay a little longer.
        let done = sqlx::query(
            "DELETE FROM events WHERE seq IN (
                 SELECT seq FROM (SELECT seq, at FROM events ORDER BY seq LIMIT ?2) WHERE julianday(at) < julianday(?1))",
        )
        .bind(before.to_string())
        .bind(most)
        .execute(&self.writer)
        .await
        .doing("forget old events")?;
        Ok(done.rows_affected())
    }
}

fn read(row: &SqliteRow) -> Result<Event, sqlx::Error> {
    let id = |column: &str| row.try_get::<Option<&str>, _>(column);
    Ok(Event {
        seq: row.try_get("seq")?,
        at: parsed(row, "at")?,
        kind: parsed(row, "kind")?,
        plan: id("plan_id")?.map(|text| text.parse().map_err(decode_error)).transpose()?,
        run: id("run_id")?.map(|text| text.parse().map_err(decode_error)).transpose()?,
        data: serde_json::from_str(row.try_get("data")?).map_err(decode_error)?,
    })
}

/// An event of a plan.
pub(crate) fn of_plan(kind: crate::events::EventKind, plan: PlanId, name: &str) -> NewEvent {
    NewEvent { kind, plan: Some(plan), run: None, data: json!({ "name": name }) }
}
