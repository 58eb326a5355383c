//! What is half way out: uploads that have begun, bytes that were sent and not committed, and bytes that were refused.

use jiff::Timestamp;
use sqlx::Row;

use super::{Doing, HashedFile, Store, parsed, stored};
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

    /// Keeps the session of an upload of a file that has begun, so that it can be taken up where it breaks off.
    pub(crate) async fn keep_session(
        &self,
        storage: StorageId,
        file: &HashedFile,
        sealed_session: &[u8],
        now: Timestamp,
    ) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO sessions (storage_id, sha256, path, size, modified_ns, session, began_at) VALUES (?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (storage_id, sha256) DO UPDATE SET path = excluded.path, size = excluded.size,
                 modified_ns = excluded.modified_ns, session = excluded.session, began_at = excluded.began_at",
        )
        .bind(storage.to_string())
        .bind(file.file.sha256.to_string())
        .bind(&file.path)
        .bind(stored(file.file.size))
        .bind(file.file.modified_ns)
        .bind(sealed_session)
        .bind(now.to_string())
        .execute(&self.writer)
        .await
        .doing("keep an upload session")
        .map(drop)
    }

    /// The session of an upload that has begun, encrypted. Only for a file that is as it was then: one that was another
    /// in between may have left other bytes in it.
    pub(crate) async fn session(
        &self,
        storage: StorageId,
        file: &HashedFile,
    ) -> Result<Option<Vec<u8>>, Error> {
        let row = sqlx::query(
            "SELECT session FROM sessions
             WHERE storage_id = ? AND sha256 = ? AND path = ? AND size = ? AND modified_ns = ?",
        )
        .bind(storage.to_string())
        .bind(file.file.sha256.to_string())
        .bind(&file.path)
        .bind(stored(file.file.size))
        .bind(file.file.modified_ns)
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

#[cfg(test)]
mod tests {
    use charon_provider::AlbumId;
    use jiff::{SignedDuration, Timestamp};

    use super::{Refusal, Store};
    use crate::{
        clock::{SystemClock, SystemEntropy},
        ids::{Sha256, StorageId},
        store::{HashedFile, KnownFile, StorageRow, Taken},
    };

    const BYTES: Sha256 = Sha256([7; 32]);

    fn time(hours: i64) -> Timestamp {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
        start + SignedDuration::from_hours(hours)
    }

    async fn store(folder: &tempfile::TempDir) -> (Store, StorageId) {
        let store = Store::open(&folder.path().join("charon.db")).await.expect("a database");
        let row = StorageRow {
            id: StorageId::new(&SystemClock, &SystemEntropy),
            name: "family".into(),
            provider: "test".into(),
            config: serde_json::Map::new(),
            secrets: Vec::new(),
            secrets_revision: 0,
            identity: None,
            created_at: time(0),
            revision: 0,
            account_name: None,
            consented_at: None,
            renewed_at: None,
        };
        assert!(store.add_storage(&row).await.expect("added"));
        (store, row.id)
    }

    fn file() -> HashedFile {
        let file =
            KnownFile { size: 40_000_000, modified_ns: 1_234, sha256: BYTES, taken: Taken::NotLookedUp };
        HashedFile { path: "/pictures/a.mp4".into(), file }
    }

    async fn refusal(store: &Store, storage: StorageId) -> Option<Refusal> {
        let known = store.known(storage, None, &[BYTES]).await.expect("a look-up");
        known[&BYTES].refused.clone()
    }

    #[tokio::test]
    async fn a_refusal_counts_how_often_and_leaves_nothing_staged() {
        let folder = tempfile::tempdir().expect("a folder");
        let (store, storage) = store(&folder).await;
        assert_eq!(refusal(&store, storage).await, None);
        store.stage(storage, BYTES, b"token", time(23)).await.expect("staged");
        for times in 1..=4_u32 {
            let again_at = |counted| {
                assert_eq!(counted, times);
                time(i64::from(counted))
            };
            let given = store.refuse(storage, BYTES, "damaged", again_at).await.expect("remembered");
            assert_eq!(given, Refusal { reason: "damaged".into(), again_at: time(i64::from(times)) });
            assert_eq!(refusal(&store, storage).await, Some(given));
        }
        let known = store.known(storage, None, &[BYTES]).await.expect("a look-up");
        assert_eq!(known[&BYTES].staged, None);
    }

    #[tokio::test]
    async fn a_session_is_kept_until_the_bytes_are_staged_or_it_is_too_old() {
        let folder = tempfile::tempdir().expect("a folder");
        let (store, storage) = store(&folder).await;
        let file = file();
        let kept = async || store.session(storage, &file).await.expect("a look-up");
        store.keep_session(storage, &file, b"one", time(0)).await.expect("kept");
        store.keep_session(storage, &file, b"two", time(5)).await.expect("kept");
        assert_eq!(kept().await.as_deref(), Some(&b"two"[..]));
        store.forget_sessions_before(storage, time(5)).await.expect("done");
        assert!(kept().await.is_some(), "as old as is still believed");
        store.forget_sessions_before(storage, time(6)).await.expect("done");
        assert_eq!(kept().await, None);
        store.keep_session(storage, &file, b"three", time(7)).await.expect("kept");
        store.stage(storage, BYTES, b"token", time(30)).await.expect("staged");
        assert_eq!(kept().await, None);
    }

    #[tokio::test]
    async fn a_session_is_of_one_file_as_it_was() {
        // I1
        let folder = tempfile::tempdir().expect("a folder");
        let (store, storage) = store(&folder).await;
        store.keep_session(storage, &file(), b"one", time(0)).await.expect("kept");
        let mut others = [file(), file(), file()];
        others[0].path = "/pictures/b.mp4".into();
        others[1].file.size += 1;
        others[2].file.modified_ns += 1;
        for other in others {
            assert_eq!(store.session(storage, &other).await.expect("a look-up"), None, "{other:?}");
        }
        assert!(store.session(storage, &file()).await.expect("a look-up").is_some());
    }

    #[tokio::test]
    async fn an_album_that_is_being_made_is_no_album_yet() {
        let folder = tempfile::tempdir().expect("a folder");
        let (store, storage) = store(&folder).await;
        let intended = async || store.album_intended_at(storage, "Sea").await.expect("a look-up");
        let album = async || store.album(storage, "Sea").await.expect("a look-up");
        store.intend_album(storage, "Sea", time(1)).await.expect("recorded");
        assert_eq!((intended().await, album().await), (Some(time(1)), None));
        store.album_was_not_made(storage, "Sea").await.expect("recorded");
        assert_eq!(intended().await, None);
        store.intend_album(storage, "Sea", time(2)).await.expect("recorded");
        let id = AlbumId("sea".into());
        store.remember_album(storage, "Sea", &id).await.expect("recorded");
        store.album_was_not_made(storage, "Sea").await.expect("nothing to take back");
        assert_eq!((intended().await, album().await), (None, Some(id)));
    }
}
