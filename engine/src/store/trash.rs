//! Absences, and what is in the trash of a mirror.

use charon_provider::{Fidelity, Part, RemoteId};
use jiff::Timestamp;
use serde_json::json;
use sqlx::{Row, Sqlite, SqliteConnection, Transaction, sqlite::SqliteRow};

use super::{
    Doing, ItemRecord, Store, count, fidelity_of, ledger::number, micros, moment, no, runs::record_items,
    sha256_of,
};
use crate::{
    error::Error,
    ids::{PlanId, RunId, Sha256, StorageId},
    naming,
    run::Attempt,
    trash::Answer,
};

/// An item that is home and that so many listings have lacked that it is looked up.
#[derive(Clone, Debug)]
pub(crate) struct Nominee {
    pub(crate) asset_id: i64,
    pub(crate) remote: RemoteId,
    /// What people call it.
    pub(crate) name: String,
    /// So many listings were wanted; more are the next time, if it turns out to be there.
    pub(crate) wanted: u32,
    pub(crate) answer: Answer,
}

/// A file in the trash, or on its way there.
#[derive(Clone, Debug)]
pub(crate) struct TrashedFile {
    pub(crate) asset_id: i64,
    pub(crate) part: Part,
    /// Where it was below the destination.
    pub(crate) path: String,
    /// Where it is in the trash.
    pub(crate) aside: String,
    pub(crate) sha256: Sha256,
    pub(crate) size: u64,
    pub(crate) fidelity: Fidelity,
    pub(crate) trashed_at: Timestamp,
    /// From then on it may be removed.
    pub(crate) until: Timestamp,
    pub(crate) is_there: bool,
    /// What people call it.
    pub(crate) name: String,
    /// How the plan's storage names it.
    pub(crate) remote: Option<RemoteId>,
}

const DOING: &str = "look after the trash";

/// How many items somebody is asked about.
const ASKED_ABOUT: &str =
    concat!("SELECT COUNT(*) AS items FROM absences WHERE answer = 1 AND plan = ", no!(plan "?1"));

impl Store {
    /// Counts what a complete listing has lacked of what is home. Absences under another selection, client or account are forgotten
    /// first, and so are those of items that it has shown.
    pub(crate) async fn count_absences(
        &self,
        plan: PlanId,
        storage: StorageId,
        attempt: Attempt,
        under: &str,
    ) -> Result<(), Error> {
        const DOING: &str = "count what a listing lacks";
        let mut tx = self.begin_for(attempt, DOING).await?;
        sqlx::query(concat!(
            "DELETE FROM absences WHERE plan = ",
            no!(plan "?1"),
            " AND (answer <> 3 AND (SELECT absences_under FROM plans WHERE id = ?1) IS NOT ?2
                 OR EXISTS (SELECT 1 FROM remotes WHERE remotes.asset_id = absences.asset_id AND remotes.storage = ",
            no!(storage "?3"),
            " AND remotes.listed_by = ",
            no!(run "?4"),
            "))"
        ))
        .bind(plan.to_string())
        .bind(under)
        .bind(storage.to_string())
        .bind(attempt.run.to_string())
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        sqlx::query("UPDATE plans SET absences_under = ?2 WHERE id = ?1")
            .bind(plan.to_string())
            .bind(under)
            .execute(&mut *tx)
            .await
            .doing(DOING)?;
        // An attempt that is made again counts its listing once. One asset may have several remotes: it is there if one is shown.
        sqlx::query(concat!(
            "INSERT INTO absences (plan, asset_id, listings, counted_by)
             SELECT copies.plan, copies.asset_id, 1, ",
            no!(run "?3"),
            " FROM copies WHERE copies.plan = ",
            no!(plan "?1"),
            " AND copies.part = 0 AND copies.sha256 IS NOT NULL
                 AND EXISTS (SELECT 1 FROM remotes WHERE remotes.asset_id = copies.asset_id AND remotes.storage = ",
            no!(storage "?2"),
            ")
                 AND NOT EXISTS (SELECT 1 FROM remotes WHERE remotes.asset_id = copies.asset_id AND remotes.storage = ",
            no!(storage "?2"),
            " AND remotes.listed_by = ",
            no!(run "?3"),
            ")
             ON CONFLICT (plan, asset_id) DO UPDATE SET listings = listings + (counted_by <> excluded.counted_by),
                 counted_by = excluded.counted_by"
        ))
        .bind(plan.to_string())
        .bind(storage.to_string())
        .bind(attempt.run.to_string())
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        tx.commit().await.doing(DOING)
    }

    /// The items behind this one that so many listings have lacked as are wanted, and of which nobody has decided that they stay.
    pub(crate) async fn nominees(
        &self,
        plan: PlanId,
        storage: StorageId,
        after_listings: u32,
        after: i64,
        most: u32,
    ) -> Result<Vec<Nominee>, Error> {
        let rows = sqlx::query(concat!(
            "SELECT absences.asset_id, absences.answer, COALESCE(absences.wanted, ?3) AS wanted, remotes.remote_id,
                 remotes.file_name FROM absences
             CROSS JOIN remotes ON remotes.asset_id = absences.asset_id AND remotes.storage = ",
            no!(storage "?2"),
            "
             WHERE absences.plan = ",
            no!(plan "?1"),
            " AND absences.asset_id > ?4 AND absences.answer <> 3
                 AND absences.listings >= COALESCE(absences.wanted, ?3)
             ORDER BY absences.asset_id LIMIT ?5"
        ))
        .bind(plan.to_string())
        .bind(storage.to_string())
        .bind(after_listings)
        .bind(after)
        .bind(most)
        .fetch_all(&self.writer)
        .await;
        let read = |row: &SqliteRow| {
            Ok(Nominee {
                asset_id: row.try_get("asset_id")?,
                remote: RemoteId(row.try_get("remote_id")?),
                name: row.try_get("file_name")?,
                wanted: row.try_get("wanted")?,
                answer: Answer::of(row.try_get("answer")?),
            })
        };
        rows.and_then(|rows| rows.iter().map(read).collect()).doing(DOING)
    }

    /// An item that a run's listing has shown: one that a look-up must find.
    pub(crate) async fn shown_by(&self, storage: StorageId, run: RunId) -> Result<Option<RemoteId>, Error> {
        let row = sqlx::query(concat!(
            "SELECT remote_id FROM remotes WHERE storage = ",
            no!(storage "?1"),
            " AND listed_by = ",
            no!(run "?2"),
            " ORDER BY remote_id LIMIT 1"
        ))
        .bind(storage.to_string())
        .bind(run.to_string())
        .fetch_optional(&self.writer)
        .await;
        row.and_then(|row| row.map(|row| row.try_get(0).map(RemoteId)).transpose()).doing(DOING)
    }

    /// Items turned out to be there, though listings lack them (in the archive, outside of the selection): counting begins anew, and
    /// they are looked up more rarely.
    pub(crate) async fn are_there(&self, plan: PlanId, items: &[(i64, u32)]) -> Result<(), Error> {
        let mut tx = self.begin().await.doing(DOING)?;
        for (asset, wanted) in items {
            sqlx::query(concat!(
                "UPDATE absences SET listings = 0, wanted = ?3, answer = 0 WHERE plan = ",
                no!(plan "?1"),
                " AND asset_id = ?2"
            ))
            .bind(plan.to_string())
            .bind(asset)
            .bind(wanted)
            .execute(&mut *tx)
            .await
            .doing(DOING)?;
        }
        tx.commit().await.doing(DOING)
    }

    /// Somebody is asked about these items.
    pub(crate) async fn ask_about(&self, plan: PlanId, items: &[i64]) -> Result<(), Error> {
        sqlx::query(concat!(
            "UPDATE absences SET answer = 1 WHERE plan = ",
            no!(plan "?1"),
            " AND asset_id IN (SELECT value FROM json_each(?2)) AND answer = 0"
        ))
        .bind(plan.to_string())
        .bind(json!(items).to_string())
        .execute(&self.writer)
        .await
        .doing(DOING)
        .map(drop)
    }

    /// Answers for all items that somebody is asked about, unless they are more than so many; gives how many they are.
    pub(crate) async fn answer(&self, plan: PlanId, answer: Answer, most: u64) -> Result<u64, Error> {
        let mut tx = self.begin().await.doing(DOING)?;
        let row = sqlx::query(ASKED_ABOUT).bind(plan.to_string()).fetch_one(&mut *tx).await.doing(DOING)?;
        let asked = count(&row, "items").doing(DOING)?;
        if asked <= most {
            let sql = concat!("UPDATE absences SET answer = ?2 WHERE answer = 1 AND plan = ", no!(plan "?1"));
            let done = sqlx::query(sql).bind(plan.to_string()).bind(answer.number()).execute(&mut *tx).await;
            done.doing(DOING)?;
            tx.commit().await.doing(DOING)?;
        }
        Ok(asked)
    }

    /// How many items a run has done something with of which its record says so, at its beginning.
    pub(crate) async fn count_done_by(&self, run: RunId, says: &str) -> Result<u64, Error> {
        let row = sqlx::query(concat!(
            "SELECT COUNT(*) AS items FROM run_items WHERE outcome = 'done' AND reason LIKE ?2 || '%' AND run = ",
            no!(run "?1")
        ))
        .bind(run.to_string())
        .bind(says)
        .fetch_one(&self.reader)
        .await
        .doing(DOING)?;
        count(&row, "items").doing(DOING)
    }

    /// How many items somebody is asked about.
    pub(crate) async fn asked_about(&self, plan: PlanId) -> Result<u64, Error> {
        let row = sqlx::query(ASKED_ABOUT).bind(plan.to_string()).fetch_one(&self.reader).await;
        count(&row.doing(DOING)?, "items").doing(DOING)
    }

    /// The items behind this one that somebody is asked about: so many, each with what people call it and where it is.
    pub(crate) async fn asked_items(
        &self,
        plan: PlanId,
        storage: StorageId,
        after: i64,
        most: u32,
    ) -> Result<Vec<(i64, String, String)>, Error> {
        let rows = sqlx::query(concat!(
            "SELECT absences.asset_id, copies.path, COALESCE((SELECT file_name FROM remotes WHERE remotes.asset_id = absences.asset_id
                 AND remotes.storage = ",
            no!(storage "?2"),
            " ORDER BY remote_id LIMIT 1), '') AS name FROM absences
             CROSS JOIN copies ON copies.plan = absences.plan AND copies.asset_id = absences.asset_id AND copies.part = 0
             WHERE absences.plan = ",
            no!(plan "?1"),
            " AND absences.asset_id > ?3 AND absences.answer = 1 ORDER BY absences.asset_id LIMIT ?4"
        ))
        .bind(plan.to_string())
        .bind(storage.to_string())
        .bind(after)
        .bind(most)
        .fetch_all(&self.reader)
        .await;
        let read =
            |row: &SqliteRow| Ok((row.try_get("asset_id")?, row.try_get("name")?, row.try_get("path")?));
        rows.and_then(|rows| rows.iter().map(read).collect()).doing(DOING)
    }

    /// These items stay, whatever listings lack: somebody took them out of the trash.
    pub(crate) async fn keep(&self, plan: PlanId, asset: i64, run: RunId) -> Result<(), Error> {
        let mut connection = self.writer.acquire().await.doing(DOING)?;
        keep_in(&mut connection, plan, asset, run).await.doing(DOING)
    }

    /// Says that the files of items are about to be moved to the trash, before any is; `aside` says where each goes.
    pub(crate) async fn begin_trashing(
        &self,
        plan: PlanId,
        attempt: Attempt,
        assets: &[i64],
        folder: &str,
        (now, until): (Timestamp, Timestamp),
    ) -> Result<(), Error> {
        let mut tx = self.begin_for(attempt, DOING).await?;
        sqlx::query(concat!(
            "INSERT INTO trashed (plan, asset_id, part, path, aside, sha256, size, trashed_at, until)
             SELECT copies.plan, copies.asset_id, copies.part, copies.path, ?3 || copies.path, copies.sha256, copies.size, ?4, ?5
             FROM json_each(?2) AS wanted CROSS JOIN copies ON copies.plan = ",
            no!(plan "?1"),
            " AND copies.asset_id = wanted.value WHERE copies.sha256 IS NOT NULL
             ON CONFLICT (plan, asset_id, part) DO UPDATE SET path = excluded.path, aside = excluded.aside,
                 sha256 = excluded.sha256, size = excluded.size, trashed_at = excluded.trashed_at, until = excluded.until,
                 is_there = 0"
        ))
        .bind(plan.to_string())
        .bind(json!(assets).to_string())
        .bind(folder)
        .bind(micros(now))
        .bind(micros(until))
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        tx.commit().await.doing(DOING)
    }

    /// Says that files are in the trash now, and so no longer home. Their paths stay theirs.
    pub(crate) async fn are_trashed(
        &self,
        plan: PlanId,
        attempt: Attempt,
        files: &[TrashedFile],
        records: &[ItemRecord],
    ) -> Result<(), Error> {
        let mut tx = self.begin().await.doing(DOING)?;
        for file in files {
            for sql in [
                concat!(
                    "UPDATE trashed SET is_there = 1 WHERE plan = ",
                    no!(plan "?1"),
                    " AND asset_id = ?2 AND part = ?3"
                ),
                concat!(
                    "UPDATE copies SET sha256 = NULL, size = NULL, stored_at = NULL, taken = NULL, class = NULL, damage = NULL,
                         verified_at = NULL WHERE plan = ",
                    no!(plan "?1"),
                    " AND asset_id = ?2 AND part = ?3"
                ),
                concat!("DELETE FROM absences WHERE plan = ", no!(plan "?1"), " AND asset_id = ?2 AND ?3 >= 0"),
            ] {
                sqlx::query(sql)
                    .bind(plan.to_string())
                    .bind(file.asset_id)
                    .bind(number(file.part))
                    .execute(&mut *tx)
                    .await
                    .doing(DOING)?;
            }
        }
        record_items(&mut tx, attempt, records.iter()).await?;
        tx.commit().await.doing(DOING)
    }

    /// What is in the trash of a plan or on its way there, behind this item: so many files.
    pub(crate) async fn trashed(
        &self,
        plan: PlanId,
        storage: StorageId,
        after: i64,
        most: u32,
    ) -> Result<Vec<TrashedFile>, Error> {
        self.trashed_where(plan, storage, "trashed.asset_id > ?3", after, most).await
    }

    /// The files of an item that are in the trash.
    pub(crate) async fn trashed_of(
        &self,
        plan: PlanId,
        storage: StorageId,
        asset: i64,
    ) -> Result<Vec<TrashedFile>, Error> {
        self.trashed_where(plan, storage, "trashed.asset_id = ?3", asset, 2).await
    }

    async fn trashed_where(
        &self,
        plan: PlanId,
        storage: StorageId,
        which: &str,
        asset: i64,
        most: u32,
    ) -> Result<Vec<TrashedFile>, Error> {
        let (plan_no, storage_no) = (no!(plan "?1"), no!(storage "?2"));
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT trashed.*, contents.fidelity, remotes.remote_id, remotes.file_name FROM trashed
             LEFT JOIN contents ON contents.asset_id = trashed.asset_id AND contents.part = trashed.part
                 AND contents.sha256 = trashed.sha256
             LEFT JOIN remotes ON remotes.asset_id = trashed.asset_id AND remotes.storage = {storage_no}
                 AND remotes.remote_id = (SELECT MIN(remote_id) FROM remotes AS first
                     WHERE first.asset_id = trashed.asset_id AND first.storage = {storage_no})
             WHERE trashed.plan = {plan_no} AND {which} ORDER BY trashed.asset_id, trashed.part LIMIT ?4"
        )))
        .bind(plan.to_string())
        .bind(storage.to_string())
        .bind(asset)
        .bind(most)
        .fetch_all(&self.writer)
        .await;
        rows.and_then(|rows| rows.iter().map(read).collect()).doing(DOING)
    }

    /// Says that files have left the trash.
    pub(crate) async fn untrash(&self, plan: PlanId, files: &[(i64, Part)]) -> Result<(), Error> {
        let mut tx = self.begin().await.doing(DOING)?;
        untrash_in(&mut tx, plan, files).await.doing(DOING)?;
        tx.commit().await.doing(DOING)
    }

    /// How many items of a plan are home.
    pub(crate) async fn items_home(&self, plan: PlanId) -> Result<u64, Error> {
        let sql = concat!(
            "SELECT COUNT(*) AS items FROM copies WHERE part = 0 AND sha256 IS NOT NULL AND plan = ",
            no!(plan "?1")
        );
        let row = sqlx::query(sql).bind(plan.to_string()).fetch_one(&self.writer).await.doing(DOING)?;
        count(&row, "items").doing(DOING)
    }

    /// How many files are in the trash of a plan, and how many bytes they have.
    pub(crate) async fn in_trash(&self, plan: PlanId) -> Result<(u64, u64), Error> {
        let sql = concat!(
            "SELECT COUNT(*) AS files, COALESCE(SUM(size), 0) AS bytes FROM trashed WHERE plan = ",
            no!(plan "?1")
        );
        let row = sqlx::query(sql).bind(plan.to_string()).fetch_one(&self.reader).await.doing(DOING)?;
        Ok((count(&row, "files").doing(DOING)?, count(&row, "bytes").doing(DOING)?))
    }
}

/// This item stays, whatever listings lack, until one shows it.
pub(super) async fn keep_in(
    connection: &mut SqliteConnection,
    plan: PlanId,
    asset: i64,
    run: RunId,
) -> Result<(), sqlx::Error> {
    sqlx::query(concat!(
        "INSERT INTO absences (plan, asset_id, listings, counted_by, answer) SELECT ",
        no!(plan "?1"),
        ", ?2, 0, ",
        no!(run "?3"),
        ", 3 WHERE true ON CONFLICT (plan, asset_id) DO UPDATE SET answer = 3"
    ))
    .bind(plan.to_string())
    .bind(asset)
    .bind(run.to_string())
    .execute(connection)
    .await
    .map(drop)
}

/// Says that files have left the trash, as part of what the caller records.
pub(super) async fn untrash_in(
    tx: &mut Transaction<'_, Sqlite>,
    plan: PlanId,
    files: &[(i64, Part)],
) -> Result<(), sqlx::Error> {
    for (asset, part) in files {
        sqlx::query(concat!(
            "DELETE FROM trashed WHERE plan = ",
            no!(plan "?1"),
            " AND asset_id = ?2 AND part = ?3"
        ))
        .bind(plan.to_string())
        .bind(asset)
        .bind(number(*part))
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

fn read(row: &SqliteRow) -> Result<TrashedFile, sqlx::Error> {
    let path: String = row.try_get("path")?;
    let name: Option<String> = row.try_get("file_name")?;
    Ok(TrashedFile {
        asset_id: row.try_get("asset_id")?,
        part: if row.try_get::<i64, _>("part")? == 0 { Part::Whole } else { Part::Clip },
        name: name.unwrap_or_else(|| naming::name_of(&path).to_owned()),
        path,
        aside: row.try_get("aside")?,
        sha256: sha256_of(row, "sha256")?,
        size: count(row, "size")?,
        fidelity: fidelity_of(row, "fidelity")?,
        trashed_at: moment(row, "trashed_at")?,
        until: moment(row, "until")?,
        is_there: row.try_get("is_there")?,
        remote: row.try_get::<Option<String>, _>("remote_id")?.map(RemoteId),
    })
}
