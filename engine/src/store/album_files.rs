//! Albums as storages show them, and what stands for them in mirrors.

use charon_provider::{AlbumId, RemoteId};
use jiff::Timestamp;
use serde_json::json;
use sqlx::{Row, sqlite::SqliteRow};

use super::{Doing, Store, decode_error, no, parsed, sha256_of};
use crate::{
    error::Error,
    ids::{PlanId, Sha256, StorageId},
    plan::AlbumFiles,
    run::Attempt,
};

const DOING: &str = "look after the albums";

/// An item of an album that is home.
#[derive(Clone, Debug)]
pub(crate) struct AlbumItem {
    /// Its place in the album, from 0 on.
    pub(crate) position: usize,
    /// Below the destination.
    pub(crate) path: String,
    pub(crate) sha256: Sha256,
    pub(crate) remote: RemoteId,
    pub(crate) taken_at: Option<Timestamp>,
}

/// What stands for an item of an album, or for the album.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AlbumEntry {
    /// Below the destination.
    pub(crate) path: String,
    pub(crate) album: AlbumId,
    pub(crate) kind: AlbumFiles,
    /// The path of the item; empty for a manifest.
    pub(crate) target: String,
    /// Of the item, or of the manifest; nothing for a symbolic link, which does not hold it.
    pub(crate) sha256: Sha256,
}

impl Store {
    /// Records an album that a storage shows, and what is in it as far as the ledger knows it.
    pub(crate) async fn record_album(
        &self,
        storage: StorageId,
        attempt: Attempt,
        album: &AlbumId,
        title: &str,
        items: &[RemoteId],
    ) -> Result<(), Error> {
        let mut tx = self.begin_for(attempt, DOING).await?;
        sqlx::query(concat!(
            "INSERT INTO storage_albums (storage, album_id, title, listed_by) SELECT ",
            no!(storage "?1"),
            ", ?2, ?3, ",
            no!(run "?4"),
            " WHERE true ON CONFLICT (storage, album_id) DO UPDATE SET title = excluded.title, listed_by = excluded.listed_by"
        ))
        .bind(storage.to_string())
        .bind(&album.0)
        .bind(title)
        .bind(attempt.run.to_string())
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        sqlx::query(concat!(
            "DELETE FROM album_members WHERE storage = ",
            no!(storage "?1"),
            " AND album_id = ?2"
        ))
        .bind(storage.to_string())
        .bind(&album.0)
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        sqlx::query(concat!(
            "INSERT INTO album_members (storage, album_id, position, asset_id)
             SELECT remotes.storage, ?2, wanted.key, remotes.asset_id FROM json_each(?3) AS wanted
             CROSS JOIN remotes ON remotes.storage = ",
            no!(storage "?1"),
            " AND remotes.remote_id = wanted.value"
        ))
        .bind(storage.to_string())
        .bind(&album.0)
        .bind(json!(items).to_string())
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        tx.commit().await.doing(DOING)
    }

    /// Forgets the albums that a run has not listed.
    pub(crate) async fn forget_unlisted_albums(
        &self,
        storage: StorageId,
        attempt: Attempt,
    ) -> Result<(), Error> {
        let mut tx = self.begin_for(attempt, DOING).await?;
        for sql in [
            concat!(
                "DELETE FROM storage_albums WHERE storage = ",
                no!(storage "?1"),
                " AND listed_by <> ",
                no!(run "?2")
            ),
            concat!(
                "DELETE FROM album_members WHERE storage = ",
                no!(storage "?1"),
                " AND ?2 IS NOT NULL AND NOT EXISTS (SELECT 1 FROM storage_albums
                     WHERE storage_albums.storage = album_members.storage AND storage_albums.album_id = album_members.album_id)"
            ),
        ] {
            sqlx::query(sql)
                .bind(storage.to_string())
                .bind(attempt.run.to_string())
                .execute(&mut *tx)
                .await
                .doing(DOING)?;
        }
        tx.commit().await.doing(DOING)
    }

    /// The albums that a storage has shown, with their titles.
    pub(crate) async fn storage_albums(&self, storage: StorageId) -> Result<Vec<(AlbumId, String)>, Error> {
        let sql = concat!(
            "SELECT album_id, title FROM storage_albums WHERE storage = ",
            no!(storage "?1"),
            " ORDER BY album_id"
        );
        let rows = sqlx::query(sql).bind(storage.to_string()).fetch_all(&self.writer).await;
        let read = |row: &SqliteRow| Ok((AlbumId(row.try_get("album_id")?), row.try_get("title")?));
        rows.and_then(|rows| rows.iter().map(read).collect()).doing(DOING)
    }

    /// The items of an album that are home in the mirror of a plan, in the order of the album.
    pub(crate) async fn album_items_home(
        &self,
        plan: PlanId,
        storage: StorageId,
        album: &AlbumId,
    ) -> Result<Vec<AlbumItem>, Error> {
        let rows = sqlx::query(concat!(
            "SELECT album_members.position, copies.path, copies.sha256, remotes.remote_id, remotes.taken_at FROM album_members
             CROSS JOIN copies ON copies.plan = ",
            no!(plan "?1"),
            " AND copies.asset_id = album_members.asset_id AND copies.part = 0 AND copies.sha256 IS NOT NULL
             CROSS JOIN remotes ON remotes.asset_id = album_members.asset_id AND remotes.storage = album_members.storage
             WHERE album_members.storage = ",
            no!(storage "?2"),
            " AND album_members.album_id = ?3 GROUP BY album_members.position ORDER BY album_members.position"
        ))
        .bind(plan.to_string())
        .bind(storage.to_string())
        .bind(&album.0)
        .fetch_all(&self.writer)
        .await;
        let read = |row: &SqliteRow| {
            let taken_at: Option<i64> = row.try_get("taken_at")?;
            Ok(AlbumItem {
                position: usize::try_from(row.try_get::<i64, _>("position")?).map_err(decode_error)?,
                path: row.try_get("path")?,
                sha256: sha256_of(row, "sha256")?,
                remote: RemoteId(row.try_get("remote_id")?),
                taken_at: taken_at.map(Timestamp::from_microsecond).transpose().map_err(decode_error)?,
            })
        };
        rows.and_then(|rows| rows.iter().map(read).collect()).doing(DOING)
    }

    /// Gives an album its folder: the one that it has, if it is among these (each with its key), else the first that no other album of
    /// the plan has. Without any, its folder is forgotten.
    pub(crate) async fn set_album_folder(
        &self,
        plan: PlanId,
        album: &AlbumId,
        folders: Option<&[(String, String)]>,
    ) -> Result<Option<String>, Error> {
        let mut tx = self.begin().await.doing(DOING)?;
        let plan_id = plan.to_string();
        let sql =
            concat!("SELECT folder FROM album_folders WHERE plan = ", no!(plan "?1"), " AND album_id = ?2");
        let row =
            sqlx::query(sql).bind(&plan_id).bind(&album.0).fetch_optional(&mut *tx).await.doing(DOING)?;
        let present: Option<String> = row.map(|row| row.try_get(0)).transpose().doing(DOING)?;
        let folders = folders.unwrap_or_default();
        if present.as_ref().is_some_and(|present| folders.iter().any(|(folder, _)| folder == present)) {
            return Ok(present);
        }
        let sql = concat!("DELETE FROM album_folders WHERE plan = ", no!(plan "?1"), " AND album_id = ?2");
        sqlx::query(sql).bind(&plan_id).bind(&album.0).execute(&mut *tx).await.doing(DOING)?;
        let mut given = None;
        for (folder, key) in folders {
            let done = sqlx::query(concat!(
                "INSERT INTO album_folders (plan, album_id, folder, key) SELECT ",
                no!(plan "?1"),
                ", ?2, ?3, ?4 WHERE true ON CONFLICT DO NOTHING"
            ))
            .bind(&plan_id)
            .bind(&album.0)
            .bind(folder)
            .bind(key)
            .execute(&mut *tx)
            .await
            .doing(DOING)?;
            if done.rows_affected() == 1 {
                given = Some(folder.clone());
                break;
            }
        }
        tx.commit().await.doing(DOING)?;
        Ok(given)
    }

    /// The albums that something stands for in the mirror of a plan.
    pub(crate) async fn albums_placed(&self, plan: PlanId) -> Result<Vec<AlbumId>, Error> {
        let sql = concat!("SELECT DISTINCT album_id FROM album_entries WHERE plan = ", no!(plan "?1"));
        let rows = sqlx::query(sql).bind(plan.to_string()).fetch_all(&self.writer).await;
        rows.and_then(|rows| rows.iter().map(|row| row.try_get(0).map(AlbumId)).collect()).doing(DOING)
    }

    /// What stands for an album in the mirror of a plan.
    pub(crate) async fn album_entries(
        &self,
        plan: PlanId,
        album: &AlbumId,
    ) -> Result<Vec<AlbumEntry>, Error> {
        let sql = concat!("SELECT * FROM album_entries WHERE plan = ", no!(plan "?1"), " AND album_id = ?2");
        let rows = sqlx::query(sql).bind(plan.to_string()).bind(&album.0).fetch_all(&self.writer).await;
        let read = |row: &SqliteRow| {
            Ok(AlbumEntry {
                path: row.try_get("path")?,
                album: AlbumId(row.try_get("album_id")?),
                kind: parsed(row, "kind")?,
                target: row.try_get("target")?,
                sha256: sha256_of(row, "sha256")?,
            })
        };
        rows.and_then(|rows| rows.iter().map(read).collect()).doing(DOING)
    }

    /// Says what is about to stand for albums, before it does.
    pub(crate) async fn add_album_entries(
        &self,
        plan: PlanId,
        attempt: Attempt,
        entries: &[&AlbumEntry],
    ) -> Result<(), Error> {
        if entries.is_empty() {
            return Ok(());
        }
        let rows: Vec<_> = entries
            .iter()
            .map(|entry| json!([entry.path, entry.album, entry.kind, entry.target, entry.sha256.to_string()]))
            .collect();
        let mut tx = self.begin_for(attempt, DOING).await?;
        sqlx::query(concat!(
            "INSERT OR REPLACE INTO album_entries (plan, path, album_id, kind, target, sha256) SELECT ",
            no!(plan "?1"),
            ", value ->> 0, value ->> 1, value ->> 2, value ->> 3, unhex(value ->> 4) FROM json_each(?2)"
        ))
        .bind(plan.to_string())
        .bind(json!(rows).to_string())
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        tx.commit().await.doing(DOING)
    }

    /// Says what does not stand for albums any more.
    pub(crate) async fn remove_album_entries(
        &self,
        plan: PlanId,
        attempt: Attempt,
        paths: &[String],
    ) -> Result<(), Error> {
        let mut tx = self.begin_for(attempt, DOING).await?;
        sqlx::query(concat!(
            "DELETE FROM album_entries WHERE plan = ",
            no!(plan "?1"),
            " AND path IN (SELECT value FROM json_each(?2))"
        ))
        .bind(plan.to_string())
        .bind(json!(paths).to_string())
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        tx.commit().await.doing(DOING)
    }
}
