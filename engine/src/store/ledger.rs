//! The ledger, as backups use it: what a storage listed, which path each item got, which bytes are stored there.

use std::collections::{HashMap, HashSet};

use charon_provider::{Fidelity, Part, RemoteId, RemoteItem};
use jiff::Timestamp;
use serde_json::json;
use sqlx::{Row, Sqlite, Transaction};

use super::originals::is_nearby;
use super::{
    Doing, ItemRecord, Store, count, decode_error, maybe_time, micros, no, runs::record_items, stored,
};
use crate::{
    error::Error,
    ids::{PlanId, RunId, Sha256, StorageId},
    run::Attempt,
    verify::Damage,
};

/// A file in a mirror, as the ledger has it.
#[derive(Clone, Debug)]
pub(crate) struct Copy {
    /// Below the destination, with forward slashes.
    pub(crate) path: String,
    /// How many bytes were stored; before that the path is only assigned.
    pub(crate) size: Option<u64>,
    /// Whether they are the original ones.
    pub(crate) is_original: bool,
    /// What is known to be wrong with the file.
    pub(crate) damage: Option<Damage>,
}

/// A storage has said that an item has no clip.
#[derive(Clone, Debug)]
pub(crate) struct NoClip {
    /// How often.
    pub(crate) times: u32,
    /// When it may be asked again.
    pub(crate) again_at: Timestamp,
}

/// What the ledger knew of an item before the present listing showed it.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) asset_id: i64,
    /// The run whose listing showed it last.
    pub(crate) shown_by: Option<RunId>,
    pub(crate) whole: Option<Copy>,
    pub(crate) clip: Option<Copy>,
    pub(crate) no_clip: Option<NoClip>,
    /// Whether the original may lie in a folder of this machine.
    pub(crate) is_nearby: bool,
}

/// An item of the present listing, with the path it is given if it has none yet.
#[derive(Clone, Debug)]
pub(crate) struct Assigned<'a> {
    pub(crate) remote_id: &'a RemoteId,
    pub(crate) file_name: &'a str,
    pub(crate) mime_type: &'a str,
    pub(crate) taken_at: Option<Timestamp>,
    pub(crate) description: Option<&'a str>,
    /// Make and model.
    pub(crate) camera: (Option<&'a str>, Option<&'a str>),
    /// Null for an item that is new to the ledger.
    pub(crate) asset_id: Option<i64>,
    /// The path and its key, for an item that has none yet.
    pub(crate) path: Option<(String, String)>,
}

impl<'a> Assigned<'a> {
    /// What a listing says of an item, and what the ledger knows it as.
    pub(crate) fn of(item: &'a RemoteItem, asset_id: Option<i64>, path: Option<(String, String)>) -> Self {
        let camera = item.camera.as_ref();
        Self {
            remote_id: &item.id,
            file_name: &item.file_name,
            mime_type: &item.mime_type,
            taken_at: item.taken_at,
            description: item.description.as_deref(),
            camera: camera.map_or((None, None), |camera| (camera.make.as_deref(), camera.model.as_deref())),
            asset_id,
            path,
        }
    }
}

/// Bytes that are in their place.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) asset_id: i64,
    pub(crate) part: Part,
    pub(crate) sha256: Sha256,
    pub(crate) size: u64,
    pub(crate) fidelity: Fidelity,
    pub(crate) at: Timestamp,
}

/// What a run has learnt of items.
#[derive(Clone, Debug, Default)]
pub(crate) struct Learnt {
    /// Bytes that are complete, flushed, hashed and in their place.
    pub(crate) stored: Vec<Stored>,
    /// Items of which the storage says that they have no clip, and when it may be asked again.
    pub(crate) no_clip: Vec<(RemoteId, Timestamp)>,
    /// What has left the trash.
    pub(crate) untrashed: Vec<(i64, Part)>,
    /// What became of them.
    pub(crate) records: Vec<ItemRecord>,
}

/// How the database numbers a part.
pub(super) fn number(part: Part) -> i64 {
    match part {
        Part::Whole => 0,
        Part::Clip => 1,
    }
}

/// The key of a path, unless the database makes the same one of the path.
pub(super) fn unlike<'a>(path: &str, key: &'a str) -> Option<&'a str> {
    (path.to_ascii_lowercase() != key).then_some(key)
}

/// When an item was taken, as the library has it: in whole seconds, of which `NULL` is the first.
macro_rules! taken {
    ($micros:literal) => {
        concat!("COALESCE(MAX(", $micros, " / 1000000, -62135596800), -1099511627776)")
    };
}

impl Store {
    /// What the ledger knows of these items.
    pub(crate) async fn listed(
        &self,
        plan: PlanId,
        storage: StorageId,
        ids: &[&RemoteId],
    ) -> Result<HashMap<RemoteId, Listed>, Error> {
        let rows = sqlx::query(concat!(
            "SELECT remotes.remote_id, remotes.asset_id, (SELECT id FROM runs WHERE no = remotes.listed_by) AS listed_by,
                 remotes.no_clip, remotes.clip_again_at,
                 whole.path, whole.sha256, whole.size, whole.damage, whole_bytes.fidelity,
                 clip.path AS clip_path, clip.sha256 AS clip_sha256, clip.size AS clip_size, clip.damage AS clip_damage,
                 clip_bytes.fidelity AS clip_fidelity, ", is_nearby!("remotes.asset_id"), " AS is_nearby
             FROM json_each(?1) AS wanted
             CROSS JOIN remotes ON remotes.storage = ", no!(storage "?2"), " AND remotes.remote_id = wanted.value
             LEFT JOIN copies AS whole
                 ON whole.plan = ", no!(plan "?3"), " AND whole.asset_id = remotes.asset_id AND whole.part = 0
             LEFT JOIN copies AS clip
                 ON clip.plan = ", no!(plan "?3"), " AND clip.asset_id = remotes.asset_id AND clip.part = 1
             LEFT JOIN contents AS whole_bytes ON whole_bytes.asset_id = whole.asset_id AND whole_bytes.part = 0
                 AND whole_bytes.sha256 = whole.sha256
             LEFT JOIN contents AS clip_bytes ON clip_bytes.asset_id = clip.asset_id AND clip_bytes.part = 1
                 AND clip_bytes.sha256 = clip.sha256",
        ))
        .bind(json!(ids).to_string())
        .bind(storage.to_string())
        .bind(plan.to_string())
        .fetch_all(&self.writer)
        .await
        .doing("look up listed items")?;
        let read = |row: &sqlx::sqlite::SqliteRow| {
            let listed_by: Option<&str> = row.try_get("listed_by")?;
            let copy = |path, sha256, size, damage, fidelity| {
                let path: Option<String> = row.try_get(path)?;
                let is_stored = row.try_get::<Option<&[u8]>, _>(sha256)?.is_some();
                let size = if is_stored { Some(count(row, size)?) } else { None };
                let is_original = row.try_get::<Option<&str>, _>(fidelity)? == Some("original");
                let damage: Option<&str> = row.try_get(damage)?;
                let damage = damage.map(|text| text.parse().map_err(decode_error)).transpose()?;
                Ok::<_, sqlx::Error>(path.map(|path| Copy { path, size, is_original, damage }))
            };
            let again_at = maybe_time(row, "clip_again_at")?;
            let times = u32::try_from(count(row, "no_clip")?).unwrap_or(u32::MAX);
            let listed = Listed {
                asset_id: row.try_get("asset_id")?,
                shown_by: listed_by.map(|id| id.parse().map_err(decode_error)).transpose()?,
                whole: copy("path", "sha256", "size", "damage", "fidelity")?,
                clip: copy("clip_path", "clip_sha256", "clip_size", "clip_damage", "clip_fidelity")?,
                no_clip: again_at.map(|again_at| NoClip { times, again_at }),
                is_nearby: row.try_get("is_nearby")?,
            };
            Ok((RemoteId(row.try_get("remote_id")?), listed))
        };
        rows.iter().map(read).collect::<Result<_, sqlx::Error>>().doing("look up listed items")
    }

    /// Which of these path keys are taken in the plan's mirror.
    pub(crate) async fn taken_paths(&self, plan: PlanId, keys: &[String]) -> Result<HashSet<String>, Error> {
        let rows = sqlx::query(concat!(
            "SELECT COALESCE(path_key, lower(path)) FROM copies
             WHERE plan = ",
            no!(plan "?1"),
            " AND COALESCE(path_key, lower(path)) IN (SELECT value FROM json_each(?2))",
        ))
        .bind(plan.to_string())
        .bind(json!(keys).to_string())
        .fetch_all(&self.writer)
        .await
        .doing("look up taken paths")?;
        rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().doing("look up taken paths")
    }

    /// Records one page of a listing, and commits the paths that it assigns before any of their bytes are fetched (I4).
    /// Gives the assets, in the order of the items.
    pub(crate) async fn record_page(
        &self,
        plan: PlanId,
        storage: StorageId,
        attempt: Attempt,
        now: Timestamp,
        items: &[Assigned<'_>],
    ) -> Result<Vec<i64>, Error> {
        const DOING: &str = "record a page of a listing";
        let mut tx = self.begin_for(attempt, DOING).await?;
        let row =
            sqlx::query("SELECT COALESCE(MAX(id), 0) FROM assets").fetch_one(&mut *tx).await.doing(DOING)?;
        let mut newest: i64 = row.try_get(0).doing(DOING)?;
        let mut new_assets = Vec::new();
        let assets: Vec<i64> = items
            .iter()
            .map(|item| {
                item.asset_id.unwrap_or_else(|| {
                    newest += 1;
                    new_assets.push(newest);
                    newest
                })
            })
            .collect();
        sqlx::query("INSERT INTO assets (id) SELECT value FROM json_each(?)")
            .bind(json!(new_assets).to_string())
            .execute(&mut *tx)
            .await
            .doing(DOING)?;
        let remotes: Vec<_> = items
            .iter()
            .zip(&assets)
            .map(|(item, asset)| {
                let (make, model) = item.camera;
                let taken_at = item.taken_at.map(micros);
                json!([
                    item.remote_id,
                    asset,
                    item.file_name,
                    item.mime_type,
                    taken_at,
                    item.description,
                    make,
                    model
                ])
            })
            .collect();
        let rows = sqlx::query(concat!(
            "INSERT INTO remotes (storage, remote_id, asset_id, file_name, mime_type, taken_at, first_seen_at, listed_by, description,
                 camera_make, camera_model)
             SELECT ", no!(storage "?1"), ", value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, ?2, ", no!(run "?3"), ",
                 value ->> 5, value ->> 6, value ->> 7
             FROM json_each(?4) WHERE true
             ON CONFLICT (storage, remote_id) DO UPDATE SET listed_by = excluded.listed_by,
                 file_name = excluded.file_name, mime_type = excluded.mime_type, taken_at = excluded.taken_at,
                 description = excluded.description, camera_make = excluded.camera_make, camera_model = excluded.camera_model
             RETURNING remote_id, asset_id",
        ))
        .bind(storage.to_string())
        .bind(micros(now))
        .bind(attempt.run.to_string())
        .bind(json!(remotes).to_string())
        .fetch_all(&mut *tx)
        .await
        .doing(DOING)?;
        // Another run may have brought an item into the ledger since it was looked up: the asset is the one that is stored.
        let of_remote: HashMap<String, i64> = rows
            .iter()
            .map(|row| Ok((row.try_get("remote_id")?, row.try_get("asset_id")?)))
            .collect::<Result<_, sqlx::Error>>()
            .doing(DOING)?;
        let assets: Vec<i64> = items
            .iter()
            .zip(assets)
            .map(|(item, new)| *of_remote.get(&item.remote_id.0).unwrap_or(&new))
            .collect();
        let used: HashSet<i64> = assets.iter().copied().collect();
        let orphans: Vec<i64> = new_assets.into_iter().filter(|asset| !used.contains(asset)).collect();
        if !orphans.is_empty() {
            sqlx::query("DELETE FROM assets WHERE id IN (SELECT value FROM json_each(?))")
                .bind(json!(orphans).to_string())
                .execute(&mut *tx)
                .await
                .doing(DOING)?;
        }
        let copies: Vec<_> = items
            .iter()
            .zip(&assets)
            .filter_map(|(item, asset)| {
                item.path.as_ref().map(|(path, key)| json!([asset, path, unlike(path, key)]))
            })
            .collect();
        sqlx::query(concat!(
            "INSERT INTO copies (plan, asset_id, part, path, path_key)
             SELECT ",
            no!(plan "?1"),
            ", value ->> 0, 0, value ->> 1, value ->> 2 FROM json_each(?2)",
        ))
        .bind(plan.to_string())
        .bind(json!(copies).to_string())
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        refile(&mut tx, plan, items).await.doing(DOING)?;
        tx.commit().await.doing(DOING)?;
        Ok(assets)
    }

    /// Commits a path for the clip of an item, before the clip gets there (I4): the first of these that is free. `None` if
    /// none is. A path that it has already stays.
    pub(crate) async fn assign_clip(
        &self,
        plan: PlanId,
        asset_id: i64,
        candidates: &[(String, String)],
    ) -> Result<Option<String>, Error> {
        const DOING: &str = "assign the path of a clip";
        let mut tx = self.begin().await.doing(DOING)?;
        for (path, key) in candidates {
            sqlx::query(concat!(
                "INSERT INTO copies (plan, asset_id, part, path, path_key) VALUES (",
                no!(plan "?1"),
                ", ?2, 1, ?3, ?4)
                 ON CONFLICT DO NOTHING",
            ))
            .bind(plan.to_string())
            .bind(asset_id)
            .bind(path)
            .bind(unlike(path, key))
            .execute(&mut *tx)
            .await
            .doing(DOING)?;
        }
        let sql = concat!(
            "SELECT path FROM copies WHERE plan = ",
            no!(plan "?1"),
            " AND asset_id = ?2 AND part = 1"
        );
        let row = sqlx::query(sql)
            .bind(plan.to_string())
            .bind(asset_id)
            .fetch_optional(&mut *tx)
            .await
            .doing(DOING)?;
        tx.commit().await.doing(DOING)?;
        row.map(|row| row.try_get(0)).transpose().doing(DOING)
    }

    /// Records what a run has learnt of items, all of it at once (I1).
    pub(crate) async fn record_learnt(
        &self,
        plan: PlanId,
        storage: StorageId,
        attempt: Attempt,
        learnt: &Learnt,
    ) -> Result<(), Error> {
        const DOING: &str = "record stored items";
        let rows: Vec<_> = learnt
            .stored
            .iter()
            .map(|item| {
                let sha256 = item.sha256.to_string();
                json!([item.asset_id, number(item.part), sha256, stored(item.size), item.fidelity])
            })
            .collect();
        let mut tx = self.begin().await.doing(DOING)?;
        sqlx::query(
            "INSERT INTO contents (asset_id, part, sha256, size, fidelity)
             SELECT value ->> 0, value ->> 1, unhex(value ->> 2), value ->> 3, value ->> 4 FROM json_each(?)
             WHERE true ON CONFLICT (asset_id, part, sha256) DO UPDATE SET fidelity = excluded.fidelity
                 WHERE excluded.fidelity = 'original'",
        )
        .bind(json!(rows).to_string())
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        for item in &learnt.stored {
            // One by one: joined with a list, SQLite would walk through all copies of the plan for every batch.
            sqlx::query(concat!(
                "UPDATE copies SET sha256 = ?1, size = ?2, stored_at = ?3, damage = NULL, verified_at = NULL, (taken, class) = (
                     SELECT ",
                taken!("taken_at"),
                ", (mime_type LIKE 'video/%') + 2 * EXISTS (SELECT 1 FROM contents
                         WHERE asset_id = ?5 AND part = 0 AND sha256 = ?1 AND fidelity = 'original') FROM remotes
                     WHERE ?6 = 0 AND asset_id = ?5 AND storage = ",
                no!(storage "?7"),
                " ORDER BY remote_id LIMIT 1)
                 WHERE plan = ",
                no!(plan "?4"),
                " AND asset_id = ?5 AND part = ?6",
            ))
            .bind(&item.sha256.0[..])
            .bind(stored(item.size))
            .bind(micros(item.at))
            .bind(plan.to_string())
            .bind(item.asset_id)
            .bind(number(item.part))
            .bind(storage.to_string())
            .execute(&mut *tx)
            .await
            .doing(DOING)?;
        }
        for item in learnt.stored.iter().filter(|item| item.part == Part::Clip) {
            sqlx::query(concat!(
                "UPDATE remotes SET no_clip = 0, clip_again_at = NULL
                 WHERE storage = ",
                no!(storage "?1"),
                " AND asset_id = ?2 AND no_clip > 0",
            ))
            .bind(storage.to_string())
            .bind(item.asset_id)
            .execute(&mut *tx)
            .await
            .doing(DOING)?;
        }
        super::trash::untrash_in(&mut tx, plan, &learnt.untrashed).await.doing(DOING)?;
        for (id, again_at) in &learnt.no_clip {
            sqlx::query(concat!(
                "UPDATE remotes SET no_clip = no_clip + 1, clip_again_at = ?1
                 WHERE storage = ",
                no!(storage "?2"),
                " AND remote_id = ?3",
            ))
            .bind(again_at.to_string())
            .bind(storage.to_string())
            .bind(&id.0)
            .execute(&mut *tx)
            .await
            .doing(DOING)?;
        }
        record_items(&mut tx, attempt, learnt.records.iter()).await?;
        tx.commit().await.doing(DOING)
    }
}

/// Those of these items that are home already, and of which the storage tells another moment or type now, get their new place in the
/// library.
async fn refile(
    tx: &mut Transaction<'_, Sqlite>,
    plan: PlanId,
    items: &[Assigned<'_>],
) -> Result<(), sqlx::Error> {
    let known: Vec<_> = items
        .iter()
        .filter_map(|item| Some(json!([item.asset_id?, item.taken_at.map(micros), item.mime_type])))
        .collect();
    let moved = sqlx::query(concat!(
        "SELECT copies.asset_id, now.taken, copies.class & 2 | now.is_video AS class FROM (
             SELECT value ->> 0 AS asset_id, ",
        taken!("(value ->> 1)"),
        " AS taken, (value ->> 2) LIKE 'video/%' AS is_video FROM json_each(?1)) AS now
         CROSS JOIN copies ON copies.plan = ",
        no!(plan "?2"),
        " AND copies.asset_id = now.asset_id AND copies.part = 0
         WHERE copies.class IS NOT NULL AND (copies.taken <> now.taken OR copies.class & 1 <> now.is_video)",
    ))
    .bind(json!(known).to_string())
    .bind(plan.to_string())
    .fetch_all(&mut **tx)
    .await?;
    for row in &moved {
        sqlx::query(concat!(
            "UPDATE copies SET taken = ?3, class = ?4 WHERE plan = ",
            no!(plan "?1"),
            " AND asset_id = ?2 AND part = 0"
        ))
        .bind(plan.to_string())
        .bind(row.try_get::<i64, _>("asset_id")?)
        .bind(row.try_get::<i64, _>("taken")?)
        .bind(row.try_get::<i64, _>("class")?)
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}
