//! The process that runs plans: its lease on the database.

use jiff::Timestamp;
use sqlx::{Row, sqlite::SqliteRow};

use super::{Doing, Store, parsed};
use crate::error::Error;

/// Who runs plans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EngineLease {
    /// The process, by an id of its own.
    pub(crate) owner: String,
    /// The machine that it is on.
    pub(crate) machine: String,
    pub(crate) until: Timestamp,
    /// So many runs at most are at work at once; `None` for a process that only does a single one.
    pub(crate) max_runs: Option<u32>,
}

impl Store {
    /// Takes the lease, or renews it, unless a process on another machine has it. Gives that one's lease then. The caller has the
    /// lock of the data directory: no other process of this machine is at work.
    pub(crate) async fn lease(
        &self,
        new: &EngineLease,
        now: Timestamp,
    ) -> Result<Option<EngineLease>, Error> {
        const DOING: &str = "take the lease of the database";
        let mut tx = self.begin().await.doing(DOING)?;
        let row = sqlx::query("SELECT * FROM engine").fetch_optional(&mut *tx).await.doing(DOING)?;
        let present = row.as_ref().map(read).transpose().doing(DOING)?;
        if let Some(other) = present.filter(|one| one.machine != new.machine && one.until > now) {
            return Ok(Some(other));
        }
        sqlx::query("INSERT OR REPLACE INTO engine (one, owner, machine, lease_until, max_runs) VALUES (1, ?, ?, ?, ?)")
            .bind(&new.owner)
            .bind(&new.machine)
            .bind(new.until.to_string())
            .bind(new.max_runs)
            .execute(&mut *tx)
            .await
            .doing(DOING)?;
        tx.commit().await.doing(DOING)?;
        Ok(None)
    }

    /// Gives the lease back.
    pub(crate) async fn end_lease(&self, owner: &str) -> Result<(), Error> {
        sqlx::query("DELETE FROM engine WHERE owner = ?")
            .bind(owner)
            .execute(&self.writer)
            .await
            .doing("give the lease of the database back")
            .map(drop)
    }

    /// How many runs may be at work at once, as the process says that runs plans now.
    pub(crate) async fn max_runs(&self) -> Result<Option<u32>, Error> {
        const DOING: &str = "look who runs plans";
        let row =
            sqlx::query("SELECT max_runs FROM engine").fetch_optional(&self.reader).await.doing(DOING)?;
        row.map_or(Ok(None), |row| row.try_get(0)).doing(DOING)
    }
}

fn read(row: &SqliteRow) -> Result<EngineLease, sqlx::Error> {
    Ok(EngineLease {
        owner: row.try_get("owner")?,
        machine: row.try_get("machine")?,
        until: parsed(row, "lease_until")?,
        max_runs: row.try_get("max_runs")?,
    })
}
