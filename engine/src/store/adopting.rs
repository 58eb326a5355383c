//! Adoptions: what runs have taken into the ledger of what lay there already; the database of gphotos-sync.

use std::path::Path;

use charon_provider::RemoteId;
use futures::TryStreamExt;
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde_json::json;
use sqlx::{ConnectOptions, Row, SqliteConnection, sqlite::SqliteConnectOptions, sqlite::SqliteRow};

use super::{Assigned, Doing, Store, count, ledger::unlike, micros, no, parsed};
use crate::{
    adopt::Adopted,
    error::Error,
    ids::{PlanId, RunId, StorageId},
    run::Attempt,
};

/// What gphotos-sync has written down of a file.
#[derive(Clone, Debug)]
pub(crate) struct SyncFile {
    pub(crate) remote_id: String,
    /// Below the folder that it was run for.
    pub(crate) folder: String,
    pub(crate) name: String,
    /// The name that the item has in the account, but for what no file may be called.
    pub(crate) original_name: String,
    /// Which one it is of those with one name in its folder.
    pub(crate) duplicate: u64,
    pub(crate) mime_type: String,
    pub(crate) description: String,
    /// Bytes; 0 where it did not look.
    pub(crate) size: u64,
    pub(crate) taken_at: Option<Timestamp>,
}

impl Store {
    /// Those of these items that were adopted and that no listing has shown.
    pub(crate) async fn never_shown(
        &self,
        storage: StorageId,
        ids: &[RemoteId],
    ) -> Result<Vec<RemoteId>, Error> {
        const DOING: &str = "look up what was adopted";
        let rows = sqlx::query(concat!(
            "SELECT remotes.remote_id FROM json_each(?2) AS wanted
             CROSS JOIN remotes ON remotes.storage = ",
            no!(storage "?1"),
            " AND remotes.remote_id = wanted.value
             WHERE remotes.listed_by IS NULL AND EXISTS (SELECT 1 FROM absences WHERE absences.plan IN (SELECT no FROM plans)
                 AND absences.asset_id = remotes.asset_id AND absences.answer = 3)"
        ))
        .bind(storage.to_string())
        .bind(json!(ids).to_string())
        .fetch_all(&self.reader)
        .await
        .doing(DOING)?;
        rows.iter().map(|row| row.try_get(0).map(RemoteId)).collect::<Result<_, _>>().doing(DOING)
    }

    /// Brings items into the ledger whose files are there already, and commits the paths that they have or get (I4). Gives their assets,
    /// in the order of the items. Each comes with whether the listing of this run has shown it.
    ///
    /// What no listing has ever shown is in no listing that is to come either, and so is never nominated as gone (I5).
    pub(crate) async fn take_in(
        &self,
        plan: PlanId,
        storage: StorageId,
        attempt: Attempt,
        now: Timestamp,
        items: &[(Assigned<'_>, bool)],
    ) -> Result<Vec<i64>, Error> {
        const DOING: &str = "take items in";
        let mut tx = self.begin_for(attempt, DOING).await?;
        let mut assets = Vec::with_capacity(items.len());
        for (item, is_listed) in items {
            let asset = match item.asset_id {
                Some(asset) => asset,
                None => new_asset(&mut tx, storage, now, item).await.doing(DOING)?,
            };
            assets.push(asset);
            if !is_listed {
                super::trash::keep_in(&mut tx, plan, asset, attempt.run).await.doing(DOING)?;
            }
            let Some((path, key)) = &item.path else { continue };
            sqlx::query(concat!(
                "INSERT INTO copies (plan, asset_id, part, path, path_key) VALUES (",
                no!(plan "?1"),
                ", ?2, 0, ?3, ?4)",
            ))
            .bind(plan.to_string())
            .bind(asset)
            .bind(path)
            .bind(unlike(path, key))
            .execute(&mut *tx)
            .await
            .doing(DOING)?;
        }
        tx.commit().await.doing(DOING)?;
        Ok(assets)
    }

    /// What an adoption has come to: its items, by what became of them.
    pub(crate) async fn adopted(&self, run: RunId) -> Result<Adopted, Error> {
        const DOING: &str = "count what was adopted";
        let rows = sqlx::query(concat!(
            "SELECT outcome, reason, COUNT(*) AS items FROM run_items WHERE run = ",
            no!(run "?1"),
            " GROUP BY outcome, reason"
        ))
        .bind(run.to_string())
        .fetch_all(&self.reader)
        .await
        .doing(DOING)?;
        let mut adopted = Adopted::default();
        for row in &rows {
            let reason: Option<&str> = row.try_get("reason").doing(DOING)?;
            let outcome = parsed(row, "outcome").doing(DOING)?;
            adopted.count(outcome, reason, count(row, "items").doing(DOING)?);
        }
        Ok(adopted)
    }
}

/// Makes an asset of an item that the ledger does not know.
async fn new_asset(
    tx: &mut SqliteConnection,
    storage: StorageId,
    now: Timestamp,
    item: &Assigned<'_>,
) -> Result<i64, sqlx::Error> {
    let row = sqlx::query("SELECT COALESCE(MAX(id), 0) + 1 FROM assets").fetch_one(&mut *tx).await?;
    let asset: i64 = row.try_get(0)?;
    sqlx::query("INSERT INTO assets (id) VALUES (?)").bind(asset).execute(&mut *tx).await?;
    sqlx::query(concat!(
        "INSERT INTO remotes (storage, remote_id, asset_id, file_name, mime_type, taken_at, first_seen_at, description, camera_make,
             camera_model) VALUES (",
        no!(storage "?1"),
        ", ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    ))
    .bind(storage.to_string())
    .bind(&item.remote_id.0)
    .bind(asset)
    .bind(item.file_name)
    .bind(item.mime_type)
    .bind(item.taken_at.map(micros))
    .bind(micros(now))
    .bind(item.description)
    .bind(item.camera.0)
    .bind(item.camera.1)
    .execute(&mut *tx)
    .await?;
    Ok(asset)
}

/// Reads all that gphotos-sync has written down of files, and gives it to `each`. Its database is not touched in any way.
pub(crate) async fn read_gphotos_sync(
    database: &Path,
    mut each: impl FnMut(SyncFile),
) -> Result<(), sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(database).read_only(true).immutable(true);
    let mut connection = options.connect().await?;
    // What it has not indexed in its database has no id.
    let mut rows = sqlx::query(
        "SELECT RemoteId, Path, FileName, OrigFileName, DuplicateNo, MimeType, Description, FileSize, CreateDate FROM SyncFiles
         WHERE RemoteId IS NOT NULL AND Path IS NOT NULL AND FileName IS NOT NULL",
    )
    .fetch(&mut connection);
    while let Some(row) = rows.try_next().await? {
        each(sync_file(&row)?);
    }
    Ok(())
}

fn sync_file(row: &SqliteRow) -> Result<SyncFile, sqlx::Error> {
    let text = |column| row.try_get_unchecked::<Option<String>, _>(column).map(Option::unwrap_or_default);
    let number = |column| row.try_get_unchecked::<Option<i64>, _>(column).map(Option::unwrap_or_default);
    Ok(SyncFile {
        remote_id: text("RemoteId")?,
        folder: text("Path")?,
        name: text("FileName")?,
        original_name: text("OrigFileName")?,
        duplicate: u64::try_from(number("DuplicateNo")?).unwrap_or_default(),
        mime_type: text("MimeType")?,
        description: text("Description")?,
        size: u64::try_from(number("FileSize")?).unwrap_or_default(),
        taken_at: moment_of(&text("CreateDate")?),
    })
}

/// `2024-07-31 12:00:00`, in UTC unless it says otherwise, as Python writes it.
fn moment_of(text: &str) -> Option<Timestamp> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment);
    }
    let moment: DateTime = text.parse().ok()?;
    // Without a date it writes the first one that it knows.
    let zoned = moment.to_zoned(TimeZone::UTC).ok().filter(|zoned| zoned.year() > 1800)?;
    Some(zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::moment_of;

    #[test]
    fn moments_are_read_as_python_writes_them() {
        let noon = "2024-07-31T12:00:00Z".parse().ok();
        for text in [
            "2024-07-31 12:00:00",
            "2024-07-31 12:00:00+00:00",
            "2024-07-31 14:00:00+02:00",
            "2024-07-31T12:00:00Z",
        ] {
            assert_eq!(moment_of(text), noon, "{text}");
        }
        for text in ["", "1800-01-01 00:00:00", "1690000000", "yesterday"] {
            assert_eq!(moment_of(text), None, "{text}");
        }
    }
}
