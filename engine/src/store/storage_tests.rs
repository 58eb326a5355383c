//! How the last test of each storage went, and which of its runs wait for a person.

use jiff::Timestamp;
use serde_json::Value;
use sqlx::Row;

use super::{Doing, Store, decode_error, no, parsed, spoken_to};
use crate::{
    error::Error,
    ids::{PlanId, RunId, StorageId},
    run::Stop,
};

/// The last test of a storage.
#[derive(Clone, Debug)]
pub(crate) struct TestRow {
    /// The version of the storage that was tested.
    pub(crate) revision: i64,
    pub(crate) at: Timestamp,
    /// Its stages, as JSON.
    pub(crate) checks: Value,
}

/// A run that waits for a person.
#[derive(Clone, Debug)]
pub(crate) struct WaitingRow {
    pub(crate) run: RunId,
    pub(crate) plan: PlanId,
    pub(crate) plan_name: String,
    /// Since when.
    pub(crate) since: Timestamp,
    pub(crate) stop: Option<Stop>,
}

impl Store {
    /// Keeps the outcome of a test, unless the storage is gone.
    pub(crate) async fn remember_test(&self, id: StorageId, test: &TestRow) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO storage_tests (storage, revision, at, checks) SELECT no, ?2, ?3, ?4 FROM storages WHERE id = ?1
             ON CONFLICT (storage) DO UPDATE SET revision = ?2, at = ?3, checks = ?4",
        )
        .bind(id.to_string())
        .bind(test.revision)
        .bind(test.at.to_string())
        .bind(test.checks.to_string())
        .execute(&self.writer)
        .await
        .doing("remember how a test went")
        .map(drop)
    }

    pub(crate) async fn last_test(&self, id: StorageId) -> Result<Option<TestRow>, Error> {
        let row = sqlx::query(concat!("SELECT * FROM storage_tests WHERE storage = ", no!(storage "?")))
            .bind(id.to_string())
            .fetch_optional(&self.reader)
            .await;
        let read = |row: &sqlx::sqlite::SqliteRow| {
            Ok(TestRow {
                revision: row.try_get("revision")?,
                at: parsed(row, "at")?,
                checks: serde_json::from_str(row.try_get("checks")?).map_err(decode_error)?,
            })
        };
        row.and_then(|row| row.as_ref().map(read).transpose()).doing("look up how a test went")
    }

    /// The runs of a storage that wait for a person, the oldest first.
    pub(crate) async fn runs_that_wait_for_a_person(&self, id: StorageId) -> Result<Vec<WaitingRow>, Error> {
        let rows = sqlx::query(concat!(
            "SELECT runs.id, runs.plan_id, plans.name, COALESCE(runs.ended_at, runs.queued_at) AS since, runs.stop
             FROM runs JOIN plans ON plans.id = runs.plan_id
             WHERE ",
            spoken_to!(),
            " = ? AND runs.state = 'parked' AND runs.parked_until IS NULL ORDER BY runs.id",
        ))
        .bind(id.to_string())
        .fetch_all(&self.reader)
        .await;
        let read = |row: &sqlx::sqlite::SqliteRow| {
            let stop: Option<&str> = row.try_get("stop")?;
            Ok(WaitingRow {
                run: parsed(row, "id")?,
                plan: parsed(row, "plan_id")?,
                plan_name: row.try_get("name")?,
                since: parsed(row, "since")?,
                stop: stop.map(|text| serde_json::from_str(text).map_err(decode_error)).transpose()?,
            })
        };
        rows.and_then(|rows| rows.iter().map(read).collect()).doing("look for runs that wait for a person")
    }
}
