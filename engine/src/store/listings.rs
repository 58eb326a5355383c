//! Listings: which of them were complete, and what a quick one may rely upon.

use std::collections::BTreeMap;

use charon_provider::RemoteId;
use jiff::Timestamp;
use serde_json::json;
use sqlx::Row;

use super::{Doing, Store, count, micros, no, parsed, stored};
use crate::{
    error::Error,
    ids::{PlanId, RunId, StorageId},
    run::Attempt,
};

/// How a listing ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listing {
    /// Whether it went to the last page; a quick one stopped where everything was known.
    pub(crate) is_full: bool,
    /// Whether it came to its end without a gap that it knows of.
    pub(crate) is_complete: bool,
}

/// A file of the mirror that the ledger has as stored.
#[derive(Clone, Debug)]
pub(crate) struct StoredCopy {
    asset_id: i64,
    part: i64,
    pub(crate) path: String,
    /// How many bytes were stored.
    pub(crate) size: u64,
}

impl StoredCopy {
    /// Whether it is the photo or video itself.
    pub(crate) fn is_whole(&self) -> bool {
        self.part == 0
    }
}

/// What became last of each item of the plan `?1` in its runs from `?3` on. Runs are compared by the order in which they were
/// queued: a clock may have been set back since.
macro_rules! newest_records {
    () => {
        "(SELECT run_items.item, run_items.outcome, run_items.reason, MAX(runs.no) FROM runs
             JOIN run_items ON run_items.run = runs.no
             WHERE runs.plan_id = ?1 AND runs.no >= (SELECT no FROM runs WHERE id = ?3) GROUP BY run_items.item)"
    };
}

/// Whether the run `?3` or a later one showed the remote; it may be gone with its plan.
macro_rules! listed_since {
    () => {
        "remotes.listed_by >= (SELECT no FROM runs WHERE id = ?3)"
    };
}

impl Store {
    /// Says that a listing has begun; it is incomplete until its end is told.
    pub(crate) async fn begin_listing(
        &self,
        plan: PlanId,
        storage: StorageId,
        attempt: Attempt,
        selection: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        const DOING: &str = "begin a listing";
        let run = attempt.run.to_string();
        let mut tx = self.begin().await.doing(DOING)?;
        // The listing of an earlier attempt gives way: this one is another, and shows everything anew.
        sqlx::query(
            "INSERT OR REPLACE INTO listings (plan_id, run_id, selection, is_full, is_complete, items, began_at)
             VALUES (?, ?, ?, 0, 0, 0, ?)",
        )
        .bind(plan.to_string())
        .bind(&run)
        .bind(selection)
        .bind(micros(now))
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        tx.commit().await.doing(DOING)?;
        self.forget_shown(storage, attempt).await
    }

    /// Forgets what earlier attempts at a run have shown: this one shows it anew.
    pub(crate) async fn forget_shown(&self, storage: StorageId, attempt: Attempt) -> Result<(), Error> {
        if attempt.number == 1 {
            return Ok(());
        }
        let sql = concat!(
            "UPDATE remotes SET listed_by = NULL WHERE storage = ",
            no!(storage "?1"),
            " AND listed_by = ",
            no!(run "?2"),
        );
        let query = sqlx::query(sql).bind(storage.to_string()).bind(attempt.run.to_string());
        query.execute(&self.writer).await.doing("begin a listing").map(drop)
    }

    /// Says how a listing ended, once all that it showed is recorded, and what is left out behind the place where it stopped.
    pub(crate) async fn end_listing(
        &self,
        run: RunId,
        listing: Listing,
        items: u64,
        skipped: &BTreeMap<String, u64>,
        now: Timestamp,
    ) -> Result<(), Error> {
        sqlx::query(
            "UPDATE listings SET is_full = ?, is_complete = ?, items = ?, skipped = ?, ended_at = ? WHERE run_id = ?",
        )
        .bind(listing.is_full)
        .bind(listing.is_complete)
        .bind(stored(items))
        .bind(json!(skipped).to_string())
        .bind(micros(now))
        .bind(run.to_string())
        .execute(&self.writer)
        .await
        .doing("end a listing")
        .map(drop)
    }

    /// How a run's listing ended, if it made one.
    pub(crate) async fn listing(&self, run: RunId) -> Result<Option<Listing>, Error> {
        let row = sqlx::query("SELECT is_full, is_complete FROM listings WHERE run_id = ?")
            .bind(run.to_string())
            .fetch_optional(&self.reader)
            .await;
        let read = |row: sqlx::sqlite::SqliteRow| {
            Ok(Listing { is_full: row.try_get("is_full")?, is_complete: row.try_get("is_complete")? })
        };
        row.and_then(|row| row.map(read).transpose()).doing("look up a listing")
    }

    /// The run of the newest full and complete listing under this selection, if it began between these times, if all listings
    /// of the plan after it were complete and under the same selection (another one may have been shown what this one has not),
    /// and if the ledger has learnt of no item since then that this plan has not seen (what was uploaded, what another plan's
    /// listing showed).
    pub(crate) async fn full_listing(
        &self,
        plan: PlanId,
        storage: StorageId,
        selection: &str,
        (since, now): (Timestamp, Timestamp),
    ) -> Result<Option<RunId>, Error> {
        let row = sqlx::query(concat!(
            "SELECT run_id FROM listings AS base
             WHERE base.rowid = (SELECT MAX(rowid) FROM listings
                     WHERE plan_id = ?1 AND selection = ?2 AND is_full = 1 AND is_complete = 1)
                 AND began_at > ?3 AND began_at <= ?5
                 AND NOT EXISTS (SELECT 1 FROM listings AS later WHERE later.plan_id = ?1 AND later.rowid > base.rowid
                     AND (later.is_complete = 0 OR later.selection <> ?2))
                 AND NOT EXISTS (SELECT 1 FROM remotes WHERE storage = ", no!(storage "?4"), " AND first_seen_at >= base.began_at
                     AND (listed_by IS NULL OR listed_by NOT IN (SELECT no FROM runs WHERE plan_id = ?1))
                     AND NOT EXISTS (SELECT 1 FROM copies
                         WHERE copies.plan = ", no!(plan "?1"), " AND copies.asset_id = remotes.asset_id))",
        ))
        .bind(plan.to_string())
        .bind(selection)
        .bind(micros(since))
        .bind(storage.to_string())
        .bind(micros(now))
        .fetch_optional(&self.writer)
        .await
        .doing("look up the last full listing")?;
        row.map(|row| parsed(&row, "run_id")).transpose().doing("look up the last full listing")
    }

    /// The items, at most so many, that listings since this full one have shown and that have not come home: their files are
    /// not stored, or their newest record says that they failed, or were skipped for this reason.
    pub(crate) async fn unfinished(
        &self,
        plan: PlanId,
        storage: StorageId,
        since: RunId,
        skipped: &str,
        most: usize,
    ) -> Result<Vec<RemoteId>, Error> {
        let rows = sqlx::query(concat!(
            "SELECT remotes.remote_id AS item FROM ",
            newest_records!(),
            " AS newest CROSS JOIN remotes ON remotes.asset_id = newest.item AND remotes.storage = ",
            no!(storage "?2"),
            "
             WHERE outcome = 'failed' OR (outcome = 'skipped' AND reason = ?4)
             UNION
             SELECT remotes.remote_id FROM copies CROSS JOIN remotes
                 ON remotes.asset_id = copies.asset_id AND remotes.storage = ",
            no!(storage "?2"),
            "
             WHERE copies.plan = ",
            no!(plan "?1"),
            " AND copies.sha256 IS NULL AND ",
            listed_since!(),
            "    AND NOT (copies.part = 1 AND remotes.no_clip > 0)
             UNION
             SELECT remotes.remote_id FROM copies INDEXED BY copies_damaged CROSS JOIN remotes
                 ON remotes.asset_id = copies.asset_id AND remotes.storage = ",
            no!(storage "?2"),
            "
             WHERE copies.plan = ",
            no!(plan "?1"),
            " AND copies.damage IS NOT NULL AND ",
            listed_since!(),
            "
             LIMIT ?5",
        ))
        .bind(plan.to_string())
        .bind(storage.to_string())
        .bind(since.to_string())
        .bind(skipped)
        .bind(stored(most as u64))
        .fetch_all(&self.writer)
        .await;
        rows.and_then(|rows| rows.iter().map(|row| row.try_get("item").map(RemoteId)).collect())
            .doing("look up what has not come home")
    }

    /// The files of items that listings since this full one have shown, and the present run's has not: so many, those behind
    /// this one. What the selection leaves out by now is not among them; `passing` is the reason that leaves nothing out for
    /// good.
    pub(crate) async fn stored_unseen(
        &self,
        plan: PlanId,
        storage: StorageId,
        (since, run): (RunId, RunId),
        passing: &str,
        after: Option<&StoredCopy>,
        most: u32,
    ) -> Result<Vec<StoredCopy>, Error> {
        // Column `item` holds anything: it is found along its index by what is not a column, hence the plus.
        let rows = sqlx::query(concat!(
            "SELECT copies.asset_id, copies.part, copies.path, copies.size FROM copies
             CROSS JOIN remotes ON remotes.asset_id = copies.asset_id AND remotes.storage = ",
            no!(storage "?2"),
            "
             WHERE copies.plan = ",
            no!(plan "?1"),
            " AND (copies.asset_id, copies.part) > (?5, ?6)
                 AND copies.sha256 IS NOT NULL AND copies.damage IS NULL AND remotes.listed_by <> ",
            no!(run "?4"),
            " AND ",
            listed_since!(),
            "    AND NOT (copies.part = 1 AND remotes.no_clip > 0)
                 AND NOT EXISTS (SELECT 1 FROM run_items WHERE run = ",
            no!(run "?4"),
            " AND item = +remotes.asset_id)
                 AND NOT EXISTS (SELECT 1 FROM run_items WHERE run = ",
            no!(run "?3"),
            " AND item = +remotes.asset_id
                     AND outcome = 'skipped' AND reason <> ?8)
             ORDER BY copies.asset_id, copies.part LIMIT ?7",
        ))
        .bind(plan.to_string())
        .bind(storage.to_string())
        .bind(since.to_string())
        .bind(run.to_string())
        .bind(after.map_or(0, |copy| copy.asset_id))
        .bind(after.map_or(-1, |copy| copy.part))
        .bind(most)
        .bind(passing)
        .fetch_all(&self.writer)
        .await;
        let read = |row: &sqlx::sqlite::SqliteRow| {
            Ok(StoredCopy {
                asset_id: row.try_get("asset_id")?,
                part: row.try_get("part")?,
                path: row.try_get("path")?,
                size: count(row, "size")?,
            })
        };
        rows.and_then(|rows| rows.iter().map(read).collect()).doing("look up stored files")
    }

    /// How many items, by reason, were left out by listings since this full one, and have not been shown by the present run's.
    /// `passing` is the reason that leaves nothing out for good.
    pub(crate) async fn skipped_unseen(
        &self,
        plan: PlanId,
        storage: StorageId,
        (since, run): (RunId, RunId),
        passing: &str,
    ) -> Result<BTreeMap<String, u64>, Error> {
        let rows = sqlx::query(concat!(
            "SELECT newest.reason, COUNT(*) AS items FROM ",
            newest_records!(),
            " AS newest CROSS JOIN remotes ON remotes.storage = ",
            no!(storage "?2"),
            " AND remotes.asset_id = newest.item
             WHERE newest.outcome = 'skipped' AND newest.reason <> ?5 AND remotes.listed_by <> ",
            no!(run "?4"),
            " AND ",
            listed_since!(),
            " GROUP BY newest.reason",
        ))
        .bind(plan.to_string())
        .bind(storage.to_string())
        .bind(since.to_string())
        .bind(run.to_string())
        .bind(passing)
        .fetch_all(&self.writer)
        .await;
        rows.and_then(|rows| {
            rows.iter().map(|row| Ok((row.try_get("reason")?, count(row, "items")?))).collect()
        })
        .doing("count what is left out")
    }

    /// How many files the ledger has as stored.
    #[cfg(test)]
    pub(crate) async fn stored_copies(&self) -> u64 {
        let row = sqlx::query("SELECT COUNT(*) AS copies FROM copies WHERE sha256 IS NOT NULL")
            .fetch_one(&self.reader)
            .await
            .expect("a count");
        count(&row, "copies").expect("a count")
    }

    /// How true the items are that a run brought home: how many, by fidelity.
    pub(crate) async fn fidelity_of(&self, run: RunId) -> Result<BTreeMap<String, u64>, Error> {
        let rows = sqlx::query(
            "SELECT contents.fidelity, COUNT(*) AS items FROM run_items
             JOIN runs ON runs.no = run_items.run
             JOIN plans ON plans.id = runs.plan_id
             JOIN storages ON storages.id = plans.storage_id
             JOIN remotes ON remotes.storage = storages.no AND remotes.asset_id = run_items.item
             JOIN copies ON copies.plan = plans.no AND copies.asset_id = remotes.asset_id AND copies.part = 0
             JOIN contents ON contents.asset_id = copies.asset_id AND contents.part = 0
                 AND contents.sha256 = copies.sha256
             WHERE runs.id = ? AND run_items.outcome = 'done' GROUP BY contents.fidelity",
        )
        .bind(run.to_string())
        .fetch_all(&self.reader)
        .await;
        rows.and_then(|rows| {
            rows.iter().map(|row| Ok((row.try_get("fidelity")?, count(row, "items")?))).collect()
        })
        .doing("count how true a run's items are")
    }
}
