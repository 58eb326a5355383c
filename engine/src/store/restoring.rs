//! What is home, with all that is needed to take it elsewhere.

use charon_provider::{AlbumId, Fidelity};
use jiff::Timestamp;
use sqlx::{Row, sqlite::SqliteRow};

use super::{Doing, Store, count, decode_error, fidelity_of, no, sha256_of};
use crate::{
    error::Error,
    ids::{PlanId, Sha256, StorageId},
    naming,
};

const DOING: &str = "list what is home";

/// An item that is home.
#[derive(Clone, Debug)]
pub(crate) struct AtHome {
    pub(crate) asset_id: i64,
    pub(crate) whole: File,
    /// The clip of a motion photo, if that is home too.
    pub(crate) clip: Option<File>,
    pub(crate) fidelity: Fidelity,
    /// What people call it.
    pub(crate) name: String,
    pub(crate) taken_at: Option<Timestamp>,
    pub(crate) description: Option<String>,
    /// The titles of the albums that it is in.
    pub(crate) albums: Vec<String>,
}

/// A file of a mirror.
#[derive(Clone, Debug)]
pub(crate) struct File {
    /// Below the destination, with forward slashes.
    pub(crate) path: String,
    pub(crate) sha256: Sha256,
    pub(crate) size: u64,
}

/// What is read of each item, whose file is `whole`.
macro_rules! at_home {
    ($from:literal, $where:literal) => {
        concat!(
            "SELECT whole.asset_id, whole.path, whole.sha256, whole.size, bytes.fidelity, remotes.file_name, remotes.taken_at,
                 remotes.description, clip.path AS clip_path, clip.sha256 AS clip_sha256, clip.size AS clip_size,
                 (SELECT json_group_array(title) FROM (SELECT DISTINCT storage_albums.title FROM album_members AS of_it
                     CROSS JOIN storage_albums ON storage_albums.storage = of_it.storage
                         AND storage_albums.album_id = of_it.album_id
                     WHERE of_it.asset_id = whole.asset_id AND of_it.storage = ",
            no!(storage "?2"),
            " ORDER BY storage_albums.title)) AS albums FROM ",
            $from,
            " LEFT JOIN remotes ON remotes.asset_id = whole.asset_id AND remotes.storage = ",
            no!(storage "?2"),
            " AND remotes.remote_id = (SELECT MIN(remote_id) FROM remotes AS first WHERE first.asset_id = whole.asset_id
                 AND first.storage = ",
            no!(storage "?2"),
            ")
             LEFT JOIN contents AS bytes ON bytes.asset_id = whole.asset_id AND bytes.part = 0 AND bytes.sha256 = whole.sha256
             LEFT JOIN copies AS clip ON clip.plan = whole.plan AND clip.asset_id = whole.asset_id AND clip.part = 1
                 AND clip.sha256 IS NOT NULL
             WHERE whole.plan = ",
            no!(plan "?1"),
            " AND whole.part = 0 AND whole.sha256 IS NOT NULL AND ",
            $where
        )
    };
}

impl Store {
    /// The items of a plan that are home, behind this one, in the order in which they became known: so many at most.
    pub(crate) async fn at_home(
        &self,
        plan: PlanId,
        storage: StorageId,
        after: i64,
        most: u32,
    ) -> Result<Vec<AtHome>, Error> {
        let sql = at_home!("copies AS whole", "whole.asset_id > ?3 ORDER BY whole.asset_id LIMIT ?4");
        let rows = sqlx::query(sql)
            .bind(plan.to_string())
            .bind(storage.to_string())
            .bind(after)
            .bind(most)
            .fetch_all(&self.reader)
            .await;
        rows.and_then(|rows| rows.iter().map(read).collect()).doing(DOING)
    }

    /// Those of an album that are home, in the order of the album.
    pub(crate) async fn at_home_in_album(
        &self,
        plan: PlanId,
        storage: StorageId,
        album: &AlbumId,
    ) -> Result<Vec<AtHome>, Error> {
        let sql = at_home!(
            "album_members CROSS JOIN copies AS whole ON whole.asset_id = album_members.asset_id",
            "album_members.storage = (SELECT no FROM storages WHERE id = ?2) AND album_members.album_id = ?3
             GROUP BY album_members.position ORDER BY album_members.position"
        );
        let rows = sqlx::query(sql)
            .bind(plan.to_string())
            .bind(storage.to_string())
            .bind(&album.0)
            .fetch_all(&self.reader)
            .await;
        rows.and_then(|rows| rows.iter().map(read).collect()).doing(DOING)
    }
}

fn read(row: &SqliteRow) -> Result<AtHome, sqlx::Error> {
    let file = |path: String, sha256: &str, size: &str| {
        Ok::<_, sqlx::Error>(File { path, sha256: sha256_of(row, sha256)?, size: count(row, size)? })
    };
    let path: String = row.try_get("path")?;
    let name: Option<String> = row.try_get("file_name")?;
    let clip: Option<String> = row.try_get("clip_path")?;
    let taken_at: Option<i64> = row.try_get("taken_at")?;
    Ok(AtHome {
        asset_id: row.try_get("asset_id")?,
        name: name.unwrap_or_else(|| naming::name_of(&path).to_owned()),
        whole: file(path, "sha256", "size")?,
        clip: clip.map(|path| file(path, "clip_sha256", "clip_size")).transpose()?,
        fidelity: fidelity_of(row, "fidelity")?,
        taken_at: taken_at.map(Timestamp::from_microsecond).transpose().map_err(decode_error)?,
        description: row.try_get("description")?,
        albums: serde_json::from_str(row.try_get("albums")?).map_err(decode_error)?,
    })
}
