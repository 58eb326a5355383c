//! What sidecars say, and what was written last.

use charon_provider::RemoteId;
use jiff::Timestamp;
use serde_json::json;
use sqlx::{Row, sqlite::SqliteRow};

use super::{Doing, Store, count, decode_error, fidelity_of, no, sha256_of};
use crate::{
    error::Error,
    ids::{PlanId, Sha256, StorageId},
    run::Attempt,
    sidecars::{Sidecar, Told, ToldClip, Written},
};

const DOING: &str = "look after the sidecars";

fn number(kind: Sidecar) -> i64 {
    match kind {
        Sidecar::Json => 0,
        Sidecar::Xmp => 1,
    }
}

/// Sidecars as statements take them, all at once.
fn rows(sidecars: &[(i64, Sidecar, Sha256)]) -> String {
    let row =
        |(asset, kind, sha256): &(i64, Sidecar, Sha256)| json!([asset, number(*kind), sha256.to_string()]);
    json!(sidecars.iter().map(row).collect::<Vec<_>>()).to_string()
}

impl Store {
    /// What sidecars say of the items that are home behind this one: so many at most.
    pub(crate) async fn told(
        &self,
        plan: PlanId,
        storage: StorageId,
        after: i64,
        most: u32,
    ) -> Result<Vec<Told>, Error> {
        let rows = sqlx::query(concat!(
            "SELECT whole.asset_id, whole.path, whole.sha256, whole.size, bytes.fidelity, remotes.remote_id, remotes.file_name,
                 remotes.mime_type, remotes.taken_at, remotes.description, remotes.camera_make, remotes.camera_model,
                 clip.path AS clip_path, clip.sha256 AS clip_sha256, clip.size AS clip_size, clip_bytes.fidelity AS clip_fidelity,
                 EXISTS (SELECT 1 FROM favourites WHERE favourites.storage = remotes.storage
                     AND favourites.asset_id = whole.asset_id) AS is_favourite,
                 (SELECT json_group_array(title) FROM (SELECT DISTINCT storage_albums.title FROM album_members
                     CROSS JOIN storage_albums ON storage_albums.storage = album_members.storage
                         AND storage_albums.album_id = album_members.album_id
                     WHERE album_members.asset_id = whole.asset_id AND album_members.storage = remotes.storage
                     ORDER BY storage_albums.title)) AS albums,
                 (SELECT json_group_array(json_array(kind, hex(sha256), hex(before), is_written)) FROM sidecars
                     WHERE sidecars.plan = whole.plan AND sidecars.asset_id = whole.asset_id) AS written
             FROM copies AS whole
             CROSS JOIN remotes ON remotes.asset_id = whole.asset_id AND remotes.storage = ",
            no!(storage "?2"),
            "
             LEFT JOIN contents AS bytes ON bytes.asset_id = whole.asset_id AND bytes.part = 0 AND bytes.sha256 = whole.sha256
             LEFT JOIN copies AS clip ON clip.plan = whole.plan AND clip.asset_id = whole.asset_id AND clip.part = 1
                 AND clip.sha256 IS NOT NULL
             LEFT JOIN contents AS clip_bytes ON clip_bytes.asset_id = clip.asset_id AND clip_bytes.part = 1
                 AND clip_bytes.sha256 = clip.sha256
             WHERE whole.plan = ",
            no!(plan "?1"),
            " AND whole.asset_id > ?3 AND whole.part = 0 AND whole.sha256 IS NOT NULL
             GROUP BY whole.asset_id ORDER BY whole.asset_id LIMIT ?4"
        ))
        .bind(plan.to_string())
        .bind(storage.to_string())
        .bind(after)
        .bind(most)
        .fetch_all(&self.writer)
        .await;
        rows.and_then(|rows| rows.iter().map(read).collect()).doing(DOING)
    }

    /// Says what is about to be written as sidecars, before it is.
    pub(crate) async fn intend_sidecars(
        &self,
        plan: PlanId,
        attempt: Attempt,
        sidecars: &[(i64, Sidecar, Sha256)],
    ) -> Result<(), Error> {
        let mut tx = self.begin_for(attempt, DOING).await?;
        // What was intended before, and not known to be written, may or may not be there: what was there before that is kept in mind.
        sqlx::query(concat!(
            "INSERT INTO sidecars (plan, asset_id, kind, sha256, is_written)
             SELECT ",
            no!(plan "?1"),
            ", value ->> 0, value ->> 1, unhex(value ->> 2), 0 FROM json_each(?2) WHERE true
             ON CONFLICT (plan, asset_id, kind) DO UPDATE SET
                 before = CASE WHEN is_written THEN sha256 ELSE before END, sha256 = excluded.sha256, is_written = 0"
        ))
        .bind(plan.to_string())
        .bind(rows(sidecars))
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        tx.commit().await.doing(DOING)
    }

    /// Says that sidecars are written.
    pub(crate) async fn sidecars_are_written(
        &self,
        plan: PlanId,
        sidecars: &[(i64, Sidecar, Sha256)],
    ) -> Result<(), Error> {
        sqlx::query(concat!(
            "UPDATE sidecars SET is_written = 1, before = NULL WHERE plan = ",
            no!(plan "?1"),
            " AND (asset_id, kind, sha256) IN (SELECT value ->> 0, value ->> 1, unhex(value ->> 2) FROM json_each(?2))"
        ))
        .bind(plan.to_string())
        .bind(rows(sidecars))
        .execute(&self.writer)
        .await
        .doing(DOING)
        .map(drop)
    }

    /// The sidecars of an item, as they were written last.
    pub(crate) async fn written_sidecars(&self, plan: PlanId, asset_id: i64) -> Result<Vec<Written>, Error> {
        let rows = sqlx::query(concat!(
            "SELECT kind, sha256, before, is_written FROM sidecars WHERE asset_id = ?2 AND plan = ",
            no!(plan "?1"),
        ))
        .bind(plan.to_string())
        .bind(asset_id)
        .fetch_all(&self.writer)
        .await
        .doing(DOING)?;
        let read = |row: &SqliteRow| {
            let has_before = row.try_get::<Option<&[u8]>, _>("before")?.is_some();
            let kind = if row.try_get::<i64, _>("kind")? == 0 { Sidecar::Json } else { Sidecar::Xmp };
            Ok(Written {
                kind,
                sha256: sha256_of(row, "sha256")?,
                before: has_before.then(|| sha256_of(row, "before")).transpose()?,
                is_there: row.try_get("is_written")?,
            })
        };
        rows.iter().map(read).collect::<Result<_, sqlx::Error>>().doing(DOING)
    }

    /// Replaces what is known of the favourites of a storage.
    pub(crate) async fn set_favourites(
        &self,
        storage: StorageId,
        attempt: Attempt,
        items: &[RemoteId],
    ) -> Result<(), Error> {
        let mut tx = self.begin_for(attempt, DOING).await?;
        let sql = concat!("DELETE FROM favourites WHERE storage = ", no!(storage "?1"));
        sqlx::query(sql).bind(storage.to_string()).execute(&mut *tx).await.doing(DOING)?;
        sqlx::query(concat!(
            "INSERT INTO favourites (storage, asset_id)
             SELECT DISTINCT remotes.storage, remotes.asset_id FROM json_each(?2) AS wanted
             CROSS JOIN remotes ON remotes.storage = ",
            no!(storage "?1"),
            " AND remotes.remote_id = wanted.value"
        ))
        .bind(storage.to_string())
        .bind(json!(items).to_string())
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        tx.commit().await.doing(DOING)
    }
}

fn read(row: &SqliteRow) -> Result<Told, sqlx::Error> {
    let taken_at: Option<i64> = row.try_get("taken_at")?;
    let albums: &str = row.try_get("albums")?;
    let written: &str = row.try_get("written")?;
    let written: Vec<(i64, String, String, i64)> = serde_json::from_str(written).map_err(decode_error)?;
    let clip_path: Option<String> = row.try_get("clip_path")?;
    let clip = clip_path.map(|path| {
        Ok::<_, sqlx::Error>(ToldClip {
            path,
            sha256: sha256_of(row, "clip_sha256")?,
            size: count(row, "clip_size")?,
            fidelity: fidelity_of(row, "clip_fidelity")?,
        })
    });
    Ok(Told {
        asset_id: row.try_get("asset_id")?,
        path: row.try_get("path")?,
        sha256: sha256_of(row, "sha256")?,
        size: count(row, "size")?,
        fidelity: fidelity_of(row, "fidelity")?,
        clip: clip.transpose()?,
        remote: RemoteId(row.try_get("remote_id")?),
        name: row.try_get("file_name")?,
        mime_type: row.try_get("mime_type")?,
        taken_at: taken_at.map(Timestamp::from_microsecond).transpose().map_err(decode_error)?,
        description: row.try_get("description")?,
        camera_make: row.try_get("camera_make")?,
        camera_model: row.try_get("camera_model")?,
        is_favourite: row.try_get("is_favourite")?,
        albums: serde_json::from_str(albums).map_err(decode_error)?,
        written: written
            .into_iter()
            .map(|(kind, sha256, before, is_written)| {
                Ok(Written {
                    kind: if kind == 0 { Sidecar::Json } else { Sidecar::Xmp },
                    sha256: sha256.to_ascii_lowercase().parse().map_err(decode_error)?,
                    before: if before.is_empty() {
                        None
                    } else {
                        Some(before.to_ascii_lowercase().parse().map_err(decode_error)?)
                    },
                    is_there: is_written == 1,
                })
            })
            .collect::<Result<_, sqlx::Error>>()?,
    })
}
