//! The budget: how many requests each meter has counted on each day.

use jiff::{ToSpan, civil::Date};
use sqlx::Row;

use super::{Doing, Store, count, parsed};
use crate::error::Error;

/// For so many days it is remembered how many requests there were.
const DAYS_KEPT: i64 = 400;

/// What one meter has counted on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DayCount {
    pub(crate) used: u64,
    /// Whether the server itself has said that there are none left.
    pub(crate) is_spent: bool,
}

/// How many requests are wanted, and on which terms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Take {
    /// Fewer are of no use.
    pub(crate) least: u32,
    pub(crate) most: u32,
    /// So many may be counted on the day, these included.
    pub(crate) limit: u32,
    /// Whether to give them although the server has said that there are none left.
    pub(crate) though_spent: bool,
}

/// The requests of one meter on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DayRow {
    pub(crate) account: String,
    pub(crate) meter: String,
    pub(crate) day: Date,
    pub(crate) count: DayCount,
}

impl Store {
    /// Counts requests that are about to be made, as many as fit, and gives how many that are. The inner error: the least
    /// does not fit, and nothing is counted.
    pub(crate) async fn take_requests(
        &self,
        account: &str,
        meter: &str,
        day: Date,
        take: Take,
    ) -> Result<Result<u32, DayCount>, Error> {
        const DOING: &str = "count requests";
        let mut tx = self.begin().await.doing(DOING)?;
        let row = sqlx::query("SELECT used, spent FROM budget WHERE account = ? AND meter = ? AND day = ?")
            .bind(account)
            .bind(meter)
            .bind(day.to_string())
            .fetch_optional(&mut *tx)
            .await
            .doing(DOING)?;
        let before = row.as_ref().map(read_count).transpose().doing(DOING)?;
        let is_new_day = before.is_none();
        let before = before.unwrap_or_default();
        let left = u64::from(take.limit).saturating_sub(before.used);
        let given = u32::try_from(left).unwrap_or(u32::MAX).min(take.most);
        if given < take.least || (before.is_spent && !take.though_spent) {
            return Ok(Err(before));
        }
        if is_new_day {
            let oldest = day.checked_sub(DAYS_KEPT.days()).unwrap_or(Date::MIN);
            sqlx::query("DELETE FROM budget WHERE day < ?")
                .bind(oldest.to_string())
                .execute(&mut *tx)
                .await
                .doing(DOING)?;
        }
        sqlx::query(
            "INSERT INTO budget (account, meter, day, used) VALUES (?, ?, ?, ?)
             ON CONFLICT (account, meter, day) DO UPDATE SET used = used + excluded.used",
        )
        .bind(account)
        .bind(meter)
        .bind(day.to_string())
        .bind(i64::from(given))
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        tx.commit().await.doing(DOING)?;
        Ok(Ok(given))
    }

    /// Counts requests back that were taken and not made.
    pub(crate) async fn give_back_requests(
        &self,
        account: &str,
        meter: &str,
        day: Date,
        count: u32,
    ) -> Result<(), Error> {
        sqlx::query("UPDATE budget SET used = max(0, used - ?) WHERE account = ? AND meter = ? AND day = ?")
            .bind(i64::from(count))
            .bind(account)
            .bind(meter)
            .bind(day.to_string())
            .execute(&self.writer)
            .await
            .doing("give requests back")
            .map(drop)
    }

    /// Remembers whether the server itself says that nothing is left on this day.
    pub(crate) async fn set_spent(
        &self,
        account: &str,
        meter: &str,
        day: Date,
        is_spent: bool,
    ) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO budget (account, meter, day, used, spent) VALUES (?, ?, ?, 0, ?)
             ON CONFLICT (account, meter, day) DO UPDATE SET spent = excluded.spent",
        )
        .bind(account)
        .bind(meter)
        .bind(day.to_string())
        .bind(is_spent)
        .execute(&self.writer)
        .await
        .doing("remember that a quota is spent")
        .map(drop)
    }

    /// What a meter has counted on a day.
    pub(crate) async fn day_count(&self, account: &str, meter: &str, day: Date) -> Result<DayCount, Error> {
        let row = sqlx::query("SELECT used, spent FROM budget WHERE account = ? AND meter = ? AND day = ?")
            .bind(account)
            .bind(meter)
            .bind(day.to_string())
            .fetch_optional(&self.reader)
            .await;
        let count = row.and_then(|row| row.as_ref().map(read_count).transpose());
        count.map(Option::unwrap_or_default).doing("look up the budget")
    }

    /// What all meters have counted on the days from this one on, the newest first.
    pub(crate) async fn days_since(&self, oldest: Date) -> Result<Vec<DayRow>, Error> {
        let rows = sqlx::query(
            "SELECT account, meter, day, used, spent FROM budget WHERE day >= ? ORDER BY day DESC, account, meter",
        )
        .bind(oldest.to_string())
        .fetch_all(&self.reader)
        .await;
        let read = |row: &sqlx::sqlite::SqliteRow| {
            Ok(DayRow {
                account: row.try_get("account")?,
                meter: row.try_get("meter")?,
                day: parsed(row, "day")?,
                count: read_count(row)?,
            })
        };
        rows.and_then(|rows| rows.iter().map(read).collect()).doing("look up the budget")
    }
}

fn read_count(row: &sqlx::sqlite::SqliteRow) -> Result<DayCount, sqlx::Error> {
    Ok(DayCount { used: count(row, "used")?, is_spent: row.try_get("spent")? })
}
