//! What is half way out: uploads that have begun, bytes that were sent and not committed, and bytes that were refused.

use jiff::Timestamp;
use sqlx::Row;

use super::{Doing, Store, parsed};
use crate::{
    error::Error,
    ids::{Sha256, StorageId},
};

/// Bytes that a storage has refused for what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Its words.
    pub(crate) reason: String,
    /// They are not sent again before this.
    pub(crate) again_at: Timestamp,
}

impl Store {
    /// Keeps what was given for bytes that were sent, so that a crash does not send them again. The session that they were
    /// sent in has come to its end.
    pub(crate) async fn stage(
        &self,
        storage: StorageId,
        sha256: Sha256,
        sealed_token: &[u8],
        valid_until: Timestamp,
    ) -> Result<(), Error> {
        const DOING: &str = "keep an upload token";
        let mut tx = self.begin().await.doing(DOING)?;
        sqlx::query(
            "INSERT INTO staged (storage_id, sha256, token, valid_until) VALUES (?, ?, ?, ?)
             ON CONFLICT (storage_id, sha256) DO UPDATE SET token = excluded.token, valid_until = excluded.valid_until",
        )
        .bind(storage.to_string())
        .bind(sha256.to_string())
        .bind(sealed_token)
        .bind(valid_until.to_string())
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        sqlx::query("DELETE FROM sessions WHERE storage_id = ? AND sha256 = ?")
            .bind(storage.to_string())
            .bind(sha256.to_string())
            .execute(&mut *tx)
            .await
            .doing(DOING)?;
        tx.commit().await.doing(DOING)
    }

    /// Forgets what was given for bytes too long ago to be worth anything.
    pub(crate) async fn unstage_expired(&self, storage: StorageId, now: Timestamp) -> Result<(), Error> {
        sqlx::query("DELETE FROM staged WHERE storage_id = ? AND valid_until <= ?")
            .bind(storage.to_string())
            .bind(now.to_string())
            .execute(&self.writer)
            .await
            .doing("forget old upload tokens")
            .map(drop)
    }

    pub(crate) async fn unstage(&self, storage: StorageId, sha256: Sha256) -> Result<(), Error> {
        sqlx::query("DELETE FROM staged WHERE storage_id = ? AND sha256 = ?")
            .bind(storage.to_string())
            .bind(sha256.to_string())
            .execute(&self.writer)
            .await
            .doing("forget an upload token")
            .map(drop)
    }

    /// Keeps the session of an upload that has begun, so that it can be taken up where it breaks off.
    pub(crate) async fn keep_session(
        &self,
        storage: StorageId,
        sha256: Sha256,
        sealed_session: &[u8],
        now: Timestamp,
    ) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO sessions (storage_id, sha256, session, began_at) VALUES (?, ?, ?, ?)
             ON CONFLICT (storage_id, sha256) DO UPDATE SET session = excluded.session, began_at = excluded.began_at",
        )
        .bind(storage.to_string())
        .bind(sha256.to_string())
        .bind(sealed_session)
        .bind(now.to_string())
        .execute(&self.writer)
        .await
        .doing("keep an upload session")
        .map(drop)
    }

    /// The session of an upload that has begun, encrypted.
    pub(crate) async fn session(&self, storage: StorageId, sha256: Sha256) -> Result<Option<Vec<u8>>, Error> {
        let row = sqlx::query("SELECT session FROM sessions WHERE storage_id = ? AND sha256 = ?")
            .bind(storage.to_string())
            .bind(sha256.to_string())
            .fetch_optional(&self.reader)
            .await;
        row.and_then(|row| row.map(|row| row.try_get("session")).transpose())
            .doing("look up an upload session")
    }

    pub(crate) async fn forget_session(&self, storage: StorageId, sha256: Sha256) -> Result<(), Error> {
        sqlx::query("DELETE FROM sessions WHERE storage_id = ? AND sha256 = ?")
            .bind(storage.to_string())
            .bind(sha256.to_string())
            .execute(&self.writer)
            .await
            .doing("forget an upload session")
            .map(drop)
    }

    /// Forgets sessions that began too long ago to be known to the storage still.
    pub(crate) async fn forget_sessions_before(
        &self,
        storage: StorageId,
        began_at: Timestamp,
    ) -> Result<(), Error> {
        sqlx::query("DELETE FROM sessions WHERE storage_id = ? AND began_at < ?")
            .bind(storage.to_string())
            .bind(began_at.to_string())
            .execute(&self.writer)
            .await
            .doing("forget old upload sessions")
            .map(drop)
    }

    /// Remembers that a storage has refused bytes for what they are; `again_at` says when they are tried again after so many
    /// refusals. What was given for them is worth nothing.
    pub(crate) async fn refuse(
        &self,
        storage: StorageId,
        sha256: Sha256,
        reason: &str,
        again_at: impl Fn(u32) -> Timestamp + Send,
    ) -> Result<Refusal, Error> {
        const DOING: &str = "remember a refusal";
        let mut tx = self.begin().await.doing(DOING)?;
        let row = sqlx::query("SELECT times FROM refusals WHERE storage_id = ? AND sha256 = ?")
            .bind(storage.to_string())
            .bind(sha256.to_string())
            .fetch_optional(&mut *tx)
            .await
            .doing(DOING)?;
        let before: u32 = row.map(|row| row.try_get("times")).transpose().doing(DOING)?.unwrap_or_default();
        let times = before.saturating_add(1);
        let refusal = Refusal { reason: reason.to_owned(), again_at: again_at(times) };
        sqlx::query(
            "INSERT INTO refusals (storage_id, sha256, reason, times, again_at) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (storage_id, sha256) DO UPDATE SET reason = excluded.reason, times = excluded.times,
                 again_at = excluded.again_at",
        )
        .bind(storage.to_string())
        .bind(sha256.to_string())
        .bind(reason)
        .bind(times)
        .bind(refusal.again_at.to_string())
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        sqlx::query("DELETE FROM staged WHERE storage_id = ? AND sha256 = ?")
            .bind(storage.to_string())
            .bind(sha256.to_string())
            .execute(&mut *tx)
            .await
            .doing(DOING)?;
        tx.commit().await.doing(DOING)?;
        Ok(refusal)
    }
}

/// What a row of a look-up says of a refusal.
pub(super) fn read_refusal(row: &sqlx::sqlite::SqliteRow) -> Result<Option<Refusal>, sqlx::Error> {
    let reason: Option<String> = row.try_get("refused_for")?;
    reason.map(|reason| Ok(Refusal { reason, again_at: parsed(row, "again_at")? })).transpose()
}
