//! The albums that uploads put items into: which one a title stands for, which one is being made, and what is in them.

use charon_provider::{AlbumId, RemoteId};
use jiff::Timestamp;
use sqlx::{Row, Sqlite, Transaction};

use super::{Doing, ItemRecord, Store, maybe_time, runs::record_items};
use crate::{error::Error, ids::StorageId, run::Attempt};

impl Store {
    /// The album that Charon uses for a title.
    pub(crate) async fn album(&self, storage: StorageId, title: &str) -> Result<Option<AlbumId>, Error> {
        let row = sqlx::query(
            "SELECT album_id FROM albums WHERE storage_id = ? AND title = ? AND album_id IS NOT NULL",
        )
        .bind(storage.to_string())
        .bind(title)
        .fetch_optional(&self.writer)
        .await;
        row.and_then(|row| row.map(|row| row.try_get(0).map(AlbumId)).transpose()).doing("look up an album")
    }

    /// When Charon began to make an album of which it does not know whether it was made.
    pub(crate) async fn album_intended_at(
        &self,
        storage: StorageId,
        title: &str,
    ) -> Result<Option<Timestamp>, Error> {
        let row = sqlx::query(
            "SELECT intended_at FROM albums WHERE storage_id = ? AND title = ? AND album_id IS NULL",
        )
        .bind(storage.to_string())
        .bind(title)
        .fetch_optional(&self.writer)
        .await;
        row.and_then(|row| row.map_or(Ok(None), |row| maybe_time(&row, "intended_at")))
            .doing("look up an album that is being made")
    }

    /// Records that an album is about to be made.
    pub(crate) async fn intend_album(
        &self,
        storage: StorageId,
        title: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO albums (storage_id, title, intended_at) VALUES (?, ?, ?)
             ON CONFLICT (storage_id, title) DO UPDATE SET intended_at = excluded.intended_at",
        )
        .bind(storage.to_string())
        .bind(title)
        .bind(now.to_string())
        .execute(&self.writer)
        .await
        .doing("record that an album is about to be made")
        .map(drop)
    }

    /// Takes back that an album was about to be made: it was surely not made.
    pub(crate) async fn album_was_not_made(&self, storage: StorageId, title: &str) -> Result<(), Error> {
        sqlx::query("DELETE FROM albums WHERE storage_id = ? AND title = ? AND album_id IS NULL")
            .bind(storage.to_string())
            .bind(title)
            .execute(&self.writer)
            .await
            .doing("record that an album was not made")
            .map(drop)
    }

    /// Remembers the album that a title stands for. What was in albums that no title stands for any more is forgotten.
    pub(crate) async fn remember_album(
        &self,
        storage: StorageId,
        title: &str,
        album: &AlbumId,
    ) -> Result<(), Error> {
        const DOING: &str = "remember an album";
        let mut tx = self.begin().await.doing(DOING)?;
        sqlx::query(
            "INSERT INTO albums (storage_id, title, album_id) VALUES (?, ?, ?)
             ON CONFLICT (storage_id, title) DO UPDATE SET album_id = excluded.album_id",
        )
        .bind(storage.to_string())
        .bind(title)
        .bind(&album.0)
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        sqlx::query(
            "DELETE FROM album_items WHERE storage_id = ?1 AND album_id NOT IN (
                 SELECT album_id FROM albums WHERE storage_id = ?1 AND album_id IS NOT NULL)",
        )
        .bind(storage.to_string())
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        tx.commit().await.doing(DOING)
    }

    /// Forgets which title an album stands for: it was not found. When it was made, and what was put into it, stays: it may
    /// come to light again.
    pub(crate) async fn forget_album(&self, storage: StorageId, album: &AlbumId) -> Result<(), Error> {
        sqlx::query("UPDATE albums SET album_id = NULL WHERE storage_id = ? AND album_id = ?")
            .bind(storage.to_string())
            .bind(&album.0)
            .execute(&self.writer)
            .await
            .doing("forget an album")
            .map(drop)
    }

    /// Records items that the storage had already and that have joined an album, with what became of their files.
    pub(crate) async fn record_joined(
        &self,
        storage: StorageId,
        album: &AlbumId,
        attempt: Attempt,
        joined: &[(RemoteId, ItemRecord)],
    ) -> Result<(), Error> {
        const DOING: &str = "record items that joined an album";
        let mut tx = self.begin().await.doing(DOING)?;
        for (remote_id, _) in joined {
            insert_album_item(&mut tx, storage, album, remote_id).await.doing(DOING)?;
        }
        record_items(&mut tx, attempt, joined.iter().map(|(_, record)| record)).await?;
        tx.commit().await.doing(DOING)
    }
}

pub(super) async fn insert_album_item(
    tx: &mut Transaction<'_, Sqlite>,
    storage: StorageId,
    album: &AlbumId,
    remote_id: &RemoteId,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO album_items (storage_id, album_id, remote_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(storage.to_string())
    .bind(&album.0)
    .bind(&remote_id.0)
    .execute(&mut **tx)
    .await
    .map(drop)
}
