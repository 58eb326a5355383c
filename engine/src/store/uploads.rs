//! The ledger, as uploads use it: which local bytes are known, which of them a storage has, and what commits have made.

use std::collections::HashMap;

use charon_provider::{AlbumId, Fidelity, RemoteId};
use jiff::{Timestamp, civil::Date};
use serde_json::json;
use sqlx::{Row, Sqlite, Transaction};

use super::{
    Doing, ItemRecord, Refusal, Store, albums::insert_album_item, decode_error, micros, no, parsed,
    runs::record_items, sha256_of, staging::read_refusal, stored,
};
use crate::{
    error::Error,
    ids::{PlanId, Sha256, StorageId},
    run::Attempt,
};

/// What was known of a local file when it was hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KnownFile {
    pub(crate) size: u64,
    /// Nanoseconds since the Unix epoch.
    pub(crate) modified_ns: i64,
    pub(crate) sha256: Sha256,
    pub(crate) taken: Taken,
}

/// What a file itself says of the day on which it was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Nobody has wanted to know.
    #[default]
    NotLookedUp,
    /// Nothing.
    NotSaid,
    On(Date),
}

impl Taken {
    /// The day, if it is known.
    pub(crate) fn day(self) -> Option<Date> {
        if let Self::On(day) = self { Some(day) } else { None }
    }

    /// As it is stored: nothing said is an empty text.
    fn stored(self) -> Option<String> {
        match self {
            Self::NotLookedUp => None,
            Self::NotSaid => Some(String::new()),
            Self::On(day) => Some(day.to_string()),
        }
    }
}

impl From<Option<Date>> for Taken {
    fn from(day: Option<Date>) -> Self {
        day.map_or(Self::NotSaid, Self::On)
    }
}

/// A local file that has just been hashed.
#[derive(Clone, Debug)]
pub(crate) struct HashedFile {
    pub(crate) path: String,
    pub(crate) file: KnownFile,
}

/// What the ledger knows of some bytes at a storage.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// The item that they are there.
    pub(crate) remote_id: Option<RemoteId>,
    /// Whether that item is in the album in question.
    pub(crate) in_album: bool,
    /// What was given for them when they were sent, encrypted, if they have been sent and not committed.
    pub(crate) staged: Option<(Vec<u8>, Timestamp)>,
    /// Why they are not there, if the storage has refused them.
    pub(crate) refused: Option<Refusal>,
}

/// An item that a commit has made.
#[derive(Clone, Debug)]
pub(crate) struct Committed {
    pub(crate) sha256: Sha256,
    pub(crate) size: u64,
    pub(crate) remote_id: RemoteId,
    pub(crate) file_name: String,
    pub(crate) mime_type: String,
    pub(crate) taken_at: Option<Timestamp>,
    /// How true its bytes are.
    pub(crate) fidelity: Fidelity,
    /// The asset that they are of, where that is known.
    pub(crate) asset_id: Option<i64>,
    /// The item that it was before, and that is not there any more.
    pub(crate) instead_of: Option<RemoteId>,
    pub(crate) record: ItemRecord,
}

impl Store {
    /// What is known of the files at these paths.
    pub(crate) async fn known_files(&self, paths: &[&str]) -> Result<HashMap<String, KnownFile>, Error> {
        let rows = sqlx::query("SELECT * FROM local_files WHERE path IN (SELECT value FROM json_each(?))")
            .bind(json!(paths).to_string())
            .fetch_all(&self.reader)
            .await
            .doing("look up local files")?;
        let read = |row: &sqlx::sqlite::SqliteRow| {
            let file = KnownFile {
                size: super::count(row, "size")?,
                modified_ns: row.try_get("modified_ns")?,
                sha256: sha256_of(row, "sha256")?,
                taken: taken_of(row)?,
            };
            Ok((row.try_get("path")?, file))
        };
        rows.iter().map(read).collect::<Result<_, sqlx::Error>>().doing("look up local files")
    }

    pub(crate) async fn record_hashes(&self, files: &[HashedFile]) -> Result<(), Error> {
        let rows: Vec<_> = files
            .iter()
            .map(|HashedFile { path, file }| {
                json!([
                    path,
                    stored(file.size),
                    file.modified_ns,
                    file.sha256.to_string(),
                    file.taken.stored()
                ])
            })
            .collect();
        sqlx::query(
            "INSERT INTO local_files (path, size, modified_ns, sha256, taken_on)
             SELECT value ->> 0, value ->> 1, value ->> 2, unhex(value ->> 3), value ->> 4 FROM json_each(?) WHERE true
             ON CONFLICT (path) DO UPDATE SET size = excluded.size, modified_ns = excluded.modified_ns,
                 sha256 = excluded.sha256, taken_on = excluded.taken_on",
        )
        .bind(json!(rows).to_string())
        .execute(&self.writer)
        .await
        .doing("record hashes")
        .map(drop)
    }

    /// What the ledger knows of these bytes at a storage, and of their being in an album.
    pub(crate) async fn known(
        &self,
        storage: StorageId,
        album: Option<&AlbumId>,
        contents: &[Sha256],
    ) -> Result<HashMap<Sha256, Known>, Error> {
        let wanted: Vec<String> = contents.iter().map(ToString::to_string).collect();
        let rows = sqlx::query(concat!(
            "SELECT wanted.value AS sha256, remotes.remote_id, staged.token, staged.valid_until,
                    refusals.reason AS refused_for, refusals.again_at,
                    album_items.remote_id IS NOT NULL AS in_album
             FROM json_each(?1) AS wanted
             LEFT JOIN contents ON contents.sha256 = unhex(wanted.value) AND contents.part = 0
             LEFT JOIN remotes ON remotes.asset_id = contents.asset_id AND remotes.storage = ",
            no!(storage "?2"),
            "
             LEFT JOIN album_items ON album_items.storage_id = ?2 AND album_items.album_id = ?3
                   AND album_items.remote_id = remotes.remote_id
             LEFT JOIN staged ON staged.storage_id = ?2 AND staged.sha256 = wanted.value
             LEFT JOIN refusals ON refusals.storage_id = ?2 AND refusals.sha256 = wanted.value",
        ))
        .bind(json!(wanted).to_string())
        .bind(storage.to_string())
        .bind(album.map(|album| album.0.clone()))
        .fetch_all(&self.writer)
        .await
        .doing("look up contents")?;
        let mut known = HashMap::with_capacity(rows.len());
        for row in &rows {
            let read = || {
                let sha256: Sha256 = parsed(row, "sha256")?;
                let token: Option<Vec<u8>> = row.try_get("token")?;
                let staged = match token {
                    Some(token) => Some((token, parsed(row, "valid_until")?)),
                    None => None,
                };
                let remote_id = row.try_get::<Option<String>, _>("remote_id")?.map(RemoteId);
                let refused = read_refusal(row)?;
                Ok((sha256, Known { remote_id, in_album: row.try_get("in_album")?, staged, refused }))
            };
            let (sha256, one) = read().doing("look up contents")?;
            // The same bytes may belong to several assets; the one that says most is the answer.
            let best: &mut Known = known.entry(sha256).or_default();
            if (one.in_album, one.remote_id.is_some()) >= (best.in_album, best.remote_id.is_some()) {
                *best = one;
            }
        }
        Ok(known)
    }

    /// Records the items that a commit has made, their album, and what became of their files, all or none (I1).
    pub(crate) async fn record_committed(
        &self,
        storage: StorageId,
        album: Option<&AlbumId>,
        attempt: Attempt,
        items: &[Committed],
    ) -> Result<(), Error> {
        const DOING: &str = "record committed items";
        let mut tx = self.begin().await.doing(DOING)?;
        for item in items {
            record_committed_item(&mut tx, storage, album, item).await.doing(DOING)?;
        }
        record_items(&mut tx, attempt, items.iter().map(|item| &item.record)).await?;
        tx.commit().await.doing(DOING)
    }

    /// How many files a source folder showed at the end of its last complete scan.
    pub(crate) async fn source_files(&self, plan: PlanId, path: &str) -> Result<Option<u64>, Error> {
        let row = sqlx::query("SELECT files FROM sources WHERE plan_id = ? AND path = ?")
            .bind(plan.to_string())
            .bind(path)
            .fetch_optional(&self.reader)
            .await;
        row.and_then(|row| row.map(|row| super::count(&row, "files")).transpose())
            .doing("look up a source folder")
    }

    /// Records what becomes of a file that goes out of its source folder, and how many fewer files that shows; if it is not what it
    /// was any more, its hash is forgotten.
    pub(crate) async fn record_left(
        &self,
        plan: PlanId,
        attempt: Attempt,
        item: &ItemRecord,
        (source, fewer): (&str, i64),
        is_forgotten: bool,
    ) -> Result<(), Error> {
        const DOING: &str = "record that a file goes";
        let mut tx = self.begin().await.doing(DOING)?;
        record_items(&mut tx, attempt, std::iter::once(item)).await?;
        if fewer != 0 {
            sqlx::query("UPDATE sources SET files = MAX(files - ?, 0) WHERE plan_id = ? AND path = ?")
                .bind(fewer)
                .bind(plan.to_string())
                .bind(source)
                .execute(&mut *tx)
                .await
                .doing(DOING)?;
        }
        if is_forgotten {
            sqlx::query("DELETE FROM local_files WHERE path = ?")
                .bind(&item.item)
                .execute(&mut *tx)
                .await
                .doing(DOING)?;
        }
        tx.commit().await.doing(DOING)
    }

    pub(crate) async fn set_source_files(&self, plan: PlanId, path: &str, files: u64) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO sources (plan_id, path, files) VALUES (?, ?, ?)
             ON CONFLICT (plan_id, path) DO UPDATE SET files = excluded.files",
        )
        .bind(plan.to_string())
        .bind(path)
        .bind(stored(files))
        .execute(&self.writer)
        .await
        .doing("record a source folder")
        .map(drop)
    }
}

fn taken_of(row: &sqlx::sqlite::SqliteRow) -> Result<Taken, sqlx::Error> {
    Ok(match row.try_get::<Option<&str>, _>("taken_on")? {
        None => Taken::NotLookedUp,
        Some("") => Taken::NotSaid,
        Some(day) => Taken::On(day.parse().map_err(decode_error)?),
    })
}

/// An item takes the place of one that is not there any more, with all that is known of it.
async fn take_the_place(
    tx: &mut Transaction<'_, Sqlite>,
    storage: StorageId,
    old: &RemoteId,
    new: &RemoteId,
) -> Result<(), sqlx::Error> {
    // It went out of all albums, even if it comes back under the same name.
    sqlx::query(
        "DELETE FROM album_items WHERE storage_id = ?1 AND remote_id = ?2
             AND album_id IN (SELECT album_id FROM albums WHERE storage_id = ?1)",
    )
    .bind(storage.to_string())
    .bind(&old.0)
    .execute(&mut **tx)
    .await?;
    if old == new {
        return Ok(());
    }
    for sql in [
        concat!(
            "UPDATE OR IGNORE remotes SET remote_id = ?3 WHERE storage = ",
            no!(storage "?1"),
            " AND remote_id = ?2"
        ),
        // Where the new one was known already.
        concat!(
            "DELETE FROM remotes WHERE storage = ",
            no!(storage "?1"),
            " AND remote_id = ?2 AND ?3 IS NOT NULL"
        ),
    ] {
        sqlx::query(sql).bind(storage.to_string()).bind(&old.0).bind(&new.0).execute(&mut **tx).await?;
    }
    Ok(())
}

async fn record_committed_item(
    tx: &mut Transaction<'_, Sqlite>,
    storage: StorageId,
    album: Option<&AlbumId>,
    item: &Committed,
) -> Result<(), sqlx::Error> {
    let sha256 = item.sha256.to_string();
    if let Some(old) = &item.instead_of {
        take_the_place(tx, storage, old, &item.remote_id).await?;
    }
    // The storage may know the bytes as an item that the ledger has already; otherwise it may be known whose they are, or they may be
    // an asset that only other storages hold (in one storage an asset is one item); otherwise the asset is new.
    let row = sqlx::query(concat!(
        "SELECT COALESCE((SELECT asset_id FROM remotes WHERE storage = ",
        no!(storage "?1"),
        " AND remote_id = ?2), ?4,
                         (SELECT asset_id FROM contents WHERE sha256 = ?3 AND part = 0 AND NOT EXISTS (
                              SELECT 1 FROM remotes
                              WHERE remotes.asset_id = contents.asset_id AND storage = ",
        no!(storage "?1"),
        ") LIMIT 1)),
                (SELECT COALESCE(MAX(id), 0) + 1 FROM assets)",
    ))
    .bind(storage.to_string())
    .bind(&item.remote_id.0)
    .bind(&item.sha256.0[..])
    .bind(item.asset_id)
    .fetch_one(&mut **tx)
    .await?;
    let asset = if let Some(asset) = row.try_get::<Option<i64>, _>(0)? {
        asset
    } else {
        let asset: i64 = row.try_get(1)?;
        sqlx::query("INSERT INTO assets (id) VALUES (?)").bind(asset).execute(&mut **tx).await?;
        asset
    };
    sqlx::query(concat!(
        "INSERT INTO remotes (storage, remote_id, asset_id, file_name, mime_type, taken_at, first_seen_at)
         VALUES (",
        no!(storage "?1"),
        ", ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (storage, remote_id) DO NOTHING",
    ))
    .bind(storage.to_string())
    .bind(&item.remote_id.0)
    .bind(asset)
    .bind(&item.file_name)
    .bind(&item.mime_type)
    .bind(item.taken_at.map(micros))
    .bind(micros(item.record.at))
    .execute(&mut **tx)
    .await?;
    let fidelity = serde_json::to_value(item.fidelity).map_err(decode_error)?;
    // A copy of lesser fidelity does not become the original by being sent, and the original stays it.
    sqlx::query(
        "INSERT INTO contents (asset_id, part, sha256, size, fidelity) VALUES (?, 0, ?, ?, ?)
         ON CONFLICT (asset_id, part, sha256) DO UPDATE SET fidelity = excluded.fidelity WHERE excluded.fidelity = 'original'",
    )
    .bind(asset)
    .bind(&item.sha256.0[..])
    .bind(stored(item.size))
    .bind(fidelity.as_str().unwrap_or_default())
    .execute(&mut **tx)
    .await?;
    // Where the very bytes are home, they are known to be the original now.
    sqlx::query(
        "UPDATE copies SET class = class + 2 WHERE plan IN (SELECT no FROM plans) AND asset_id = ?1 AND part = 0 AND sha256 = ?2
             AND class IN (0, 1) AND EXISTS (SELECT 1 FROM contents
                 WHERE asset_id = ?1 AND part = 0 AND sha256 = ?2 AND fidelity = 'original')",
    )
    .bind(asset)
    .bind(&item.sha256.0[..])
    .execute(&mut **tx)
    .await?;
    for statement in [
        "DELETE FROM staged WHERE storage_id = ? AND sha256 = ?",
        "DELETE FROM refusals WHERE storage_id = ? AND sha256 = ?",
    ] {
        sqlx::query(statement).bind(storage.to_string()).bind(&sha256).execute(&mut **tx).await?;
    }
    if let Some(album) = album {
        insert_album_item(tx, storage, album, &item.remote_id).await?;
    }
    Ok(())
}
