//! A mirror in numbers.

use charon_provider::Fidelity;
use jiff::Timestamp;
use sqlx::{Row, sqlite::SqliteRow};

use super::{Doing, Store, count, decode_error, micros, no};
use crate::{
    error::Error,
    ids::PlanId,
    library::{FilesOf, VerifiedFiles},
};

/// The files of a mirror that are as true to their originals as this.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OfFidelity {
    pub(crate) fidelity: Fidelity,
    pub(crate) files: FilesOf,
    pub(crate) verified: VerifiedFiles,
}

impl Store {
    /// The files of a plan by fidelity, and how many of them were verified since each of two moments: all of its part of the ledger is
    /// read for it.
    pub(crate) async fn count_by_fidelity(
        &self,
        plan: PlanId,
        (month_ago, year_ago): (Timestamp, Timestamp),
    ) -> Result<Vec<OfFidelity>, Error> {
        let rows = sqlx::query(concat!(
            "SELECT COALESCE(contents.fidelity = 'original', 0) AS is_original, SUM(copies.part = 0) AS items, COUNT(*) AS files,
                 SUM(copies.size) AS bytes, SUM(damage IS NULL AND verified_at IS NOT NULL) AS good,
                 SUM(damage IS NULL AND verified_at IS NOT NULL AND verified_at >= ?2) AS in_30_days,
                 SUM(damage IS NULL AND verified_at IS NOT NULL AND verified_at >= ?3) AS in_a_year,
                 MIN(CASE WHEN damage IS NULL THEN verified_at END) AS oldest_at,
                 SUM(damage IS NULL AND verified_at IS NULL) AS never, SUM(damage IS NOT NULL) AS damaged
             FROM copies LEFT JOIN contents ON contents.asset_id = copies.asset_id AND contents.part = copies.part
                 AND contents.sha256 = copies.sha256
             WHERE copies.plan = ",
            no!(plan "?1"),
            " AND copies.sha256 IS NOT NULL GROUP BY is_original ORDER BY is_original DESC"
        ))
        .bind(plan.to_string())
        .bind(micros(month_ago))
        .bind(micros(year_ago))
        .fetch_all(&self.reader)
        .await;
        rows.and_then(|rows| rows.iter().map(read).collect()).doing("count what is home")
    }
}

fn read(row: &SqliteRow) -> Result<OfFidelity, sqlx::Error> {
    let oldest_at: Option<i64> = row.try_get("oldest_at")?;
    let is_original: bool = row.try_get("is_original")?;
    Ok(OfFidelity {
        fidelity: if is_original { Fidelity::Original } else { Fidelity::ApiCopy },
        files: FilesOf {
            items: count(row, "items")?,
            files: count(row, "files")?,
            bytes: count(row, "bytes")?,
        },
        verified: VerifiedFiles {
            good: count(row, "good")?,
            in_30_days: count(row, "in_30_days")?,
            in_a_year: count(row, "in_a_year")?,
            oldest_at: oldest_at.map(Timestamp::from_microsecond).transpose().map_err(decode_error)?,
            never: count(row, "never")?,
            damaged: count(row, "damaged")?,
        },
    })
}
