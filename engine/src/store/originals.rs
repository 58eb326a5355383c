//! Originals: where they may be had for what is home as a lesser copy.

use charon_provider::{Kind, Readiness, RemoteId, RemoteItem};
use jiff::Timestamp;
use sqlx::{Row, sqlite::SqliteRow};

use super::{Doing, Store, count, decode_error, no, sha256_of};
use crate::{
    error::Error,
    ids::{PlanId, RunId, Sha256, StorageId},
};

/// Whether an original of an item may lie in a folder of this machine.
macro_rules! is_nearby {
    ($asset:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM contents AS sent CROSS JOIN local_files ON local_files.sha256 = sent.sha256
                 WHERE sent.asset_id = ",
            $asset,
            " AND sent.part = 0 AND sent.fidelity = 'original')"
        )
    };
}
pub(super) use is_nearby;

/// Whether a copy of the plan `?1` is one of lesser fidelity that the run `?3` has not come to; unless all are wanted, one whose original
/// may lie in a folder of this machine.
macro_rules! is_lesser {
    ($all:literal) => {
        concat!(
            "copies.plan = ",
            no!(plan "?1"),
            " AND copies.part = 0 AND copies.class IN (0, 1) AND copies.damage IS NULL AND (",
            $all,
            " OR ",
            is_nearby!("copies.asset_id"),
            ") AND NOT EXISTS (SELECT 1 FROM run_items WHERE run_items.item = +copies.asset_id AND run_items.run = ",
            no!(run "?3"),
            ")"
        )
    };
}

/// A file of this machine that was the original of an item when it was hashed.
#[derive(Clone, Debug)]
pub(crate) struct Nearby {
    pub(crate) path: String,
    pub(crate) size: u64,
    pub(crate) sha256: Sha256,
}

/// An item that is home as a copy of lesser fidelity.
#[derive(Clone, Debug)]
pub(crate) struct Lesser {
    pub(crate) asset_id: i64,
    /// Where it is, below the destination.
    pub(crate) path: String,
    /// What the ledger knows of it. It has no address.
    pub(crate) item: RemoteItem,
    /// Whether the original may lie in a folder of this machine.
    pub(crate) is_nearby: bool,
}

impl Store {
    /// The files of this machine that were the original of an item.
    pub(crate) async fn originals_nearby(&self, asset_id: i64) -> Result<Vec<Nearby>, Error> {
        const DOING: &str = "look for an original on this machine";
        let rows = sqlx::query(
            "SELECT local_files.path, sent.size, sent.sha256 FROM contents AS sent
             CROSS JOIN local_files ON local_files.sha256 = sent.sha256
             WHERE sent.asset_id = ? AND sent.part = 0 AND sent.fidelity = 'original'",
        )
        .bind(asset_id)
        .fetch_all(&self.reader)
        .await
        .doing(DOING)?;
        let read = |row: &SqliteRow| {
            Ok(Nearby {
                path: row.try_get("path")?,
                size: count(row, "size")?,
                sha256: sha256_of(row, "sha256")?,
            })
        };
        rows.iter().map(read).collect::<Result<_, sqlx::Error>>().doing(DOING)
    }

    /// What the whole of an item was when it was stored.
    pub(crate) async fn stored_whole(&self, plan: PlanId, asset_id: i64) -> Result<Option<Sha256>, Error> {
        const DOING: &str = "look up what was stored";
        let row = sqlx::query(concat!(
            "SELECT sha256 FROM copies WHERE asset_id = ?2 AND part = 0 AND sha256 IS NOT NULL AND plan = ",
            no!(plan "?1"),
        ))
        .bind(plan.to_string())
        .bind(asset_id)
        .fetch_optional(&self.reader)
        .await
        .doing(DOING)?;
        row.map(|row| sha256_of(&row, "sha256")).transpose().doing(DOING)
    }

    /// How many items [`lesser`](Self::lesser) gives in all.
    pub(crate) async fn lesser_in_all(
        &self,
        plan: PlanId,
        storage: StorageId,
        run: RunId,
        all: bool,
    ) -> Result<u64, Error> {
        const DOING: &str = "count the copies of lesser fidelity";
        let row = sqlx::query(concat!(
            "SELECT COUNT(*) AS lesser FROM copies WHERE ",
            is_lesser!("?5"),
            " AND EXISTS (SELECT 1 FROM remotes WHERE remotes.asset_id = copies.asset_id AND remotes.storage = ",
            no!(storage "?2"),
            ") AND copies.asset_id > ?4"
        ))
        .bind(plan.to_string())
        .bind(storage.to_string())
        .bind(run.to_string())
        .bind(0)
        .bind(all)
        .fetch_one(&self.reader)
        .await
        .doing(DOING)?;
        count(&row, "lesser").doing(DOING)
    }

    /// The items of a plan behind this one that are home as lesser copies and that the run has not come to: so many at most. Unless
    /// all are wanted, those whose original may lie in a folder of this machine.
    pub(crate) async fn lesser(
        &self,
        plan: PlanId,
        storage: StorageId,
        run: RunId,
        after: i64,
        all: bool,
        most: u32,
    ) -> Result<Vec<Lesser>, Error> {
        const DOING: &str = "list the copies of lesser fidelity";
        let rows = sqlx::query(concat!(
            "SELECT copies.asset_id, copies.path, remotes.remote_id, remotes.file_name, remotes.mime_type, remotes.taken_at, ",
            is_nearby!("copies.asset_id"),
            " AS is_nearby FROM copies
             CROSS JOIN remotes ON remotes.asset_id = copies.asset_id AND remotes.storage = ",
            no!(storage "?2"),
            " AND remotes.remote_id = (SELECT MIN(remote_id) FROM remotes AS first WHERE first.asset_id = copies.asset_id
                 AND first.storage = ",
            no!(storage "?2"),
            ")
             WHERE ",
            is_lesser!("?5"),
            " AND copies.asset_id > ?4 ORDER BY copies.asset_id LIMIT ?6",
        ))
        .bind(plan.to_string())
        .bind(storage.to_string())
        .bind(run.to_string())
        .bind(after)
        .bind(all)
        .bind(most)
        .fetch_all(&self.writer)
        .await
        .doing(DOING)?;
        rows.iter().map(read).collect::<Result<_, sqlx::Error>>().doing(DOING)
    }
}

fn read(row: &SqliteRow) -> Result<Lesser, sqlx::Error> {
    let mime_type: String = row.try_get("mime_type")?;
    let taken_at: Option<i64> = row.try_get("taken_at")?;
    Ok(Lesser {
        asset_id: row.try_get("asset_id")?,
        path: row.try_get("path")?,
        item: RemoteItem {
            id: RemoteId(row.try_get("remote_id")?),
            file_name: row.try_get("file_name")?,
            kind: if mime_type.starts_with("video/") { Kind::Video } else { Kind::Photo },
            mime_type,
            taken_at: taken_at.map(Timestamp::from_microsecond).transpose().map_err(decode_error)?,
            width: None,
            height: None,
            size: None,
            has_clip: false,
            readiness: Readiness::Ready,
            description: None,
            camera: None,
            address: None,
        },
        is_nearby: row.try_get("is_nearby")?,
    })
}
