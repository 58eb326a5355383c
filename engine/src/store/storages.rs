//! Storages: a name, a configuration, and the secrets, which are encrypted before they come here.

use charon_provider::RemoteId;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sqlx::{Row, Sqlite, Transaction, sqlite::SqliteRow};

use super::{Doing, Store, decode_error, events::write_event, no, parsed};
use crate::{
    error::Error,
    events::{EventKind, NewEvent},
    ids::{PlanId, StorageId},
};

#[derive(Clone, Debug)]
pub(crate) struct StorageRow {
    pub(crate) id: StorageId,
    pub(crate) name: String,
    pub(crate) provider: String,
    pub(crate) config: Map<String, Value>,
    pub(crate) secrets: Vec<u8>,
    pub(crate) secrets_revision: u64,
    /// What decides which items the storage sees; `None` if it was saved by a Charon that did not keep it.
    pub(crate) identity: Option<String>,
    pub(crate) created_at: Timestamp,
    /// Grows with every change that somebody makes, and not when a token is renewed.
    pub(crate) revision: i64,
    /// Whose account it is, as people know it, where that was told.
    pub(crate) account_name: Option<String>,
    /// When its secrets were given the last time; `None` if that was not kept.
    pub(crate) consented_at: Option<Timestamp>,
    /// When its token was renewed the last time since.
    pub(crate) renewed_at: Option<Timestamp>,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    /// It is stored.
    Done,
    /// It is not any more as it was read.
    Meanwhile,
    /// Another one has the name.
    NameTaken,
}

/// What is known of the account behind a storage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    /// Its id that stays, once it has been told.
    pub(crate) id: Option<String>,
    /// Whether it may be another one than before: there is a new consent, and nothing has shown whose it is.
    pub(crate) in_doubt: bool,
}

impl Store {
    /// Gives false if a storage has the name already.
    pub(crate) async fn add_storage(&self, storage: &StorageRow) -> Result<bool, Error> {
        const DOING: &str = "add a storage";
        let mut tx = self.begin().await.doing(DOING)?;
        let data = json!({ "name": storage.name });
        let event = NewEvent { kind: EventKind::StorageAdded, plan: None, run: None, data };
        let no = write_event(&mut tx, storage.created_at, &event).await.doing(DOING)?;
        let done = sqlx::query(
            "INSERT INTO storages (no, id, name, provider, config, secrets, secrets_revision, identity, created_at, revision,
                 consented_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?1, ?9) ON CONFLICT (name) DO NOTHING",
        )
        .bind(no)
        .bind(storage.id.to_string())
        .bind(&storage.name)
        .bind(&storage.provider)
        .bind(Value::Object(storage.config.clone()).to_string())
        .bind(&storage.secrets)
        .bind(super::stored(storage.secrets_revision))
        .bind(&storage.identity)
        .bind(storage.created_at.to_string())
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        tx.commit().await.doing(DOING)?;
        Ok(true)
    }

    pub(crate) async fn storages(&self) -> Result<Vec<StorageRow>, Error> {
        let rows = sqlx::query("SELECT * FROM storages ORDER BY name").fetch_all(&self.reader).await;
        rows.and_then(|rows| rows.iter().map(read).collect()).doing("list the storages")
    }

    pub(crate) async fn storage(&self, name: &str) -> Result<Option<StorageRow>, Error> {
        let row = sqlx::query("SELECT * FROM storages WHERE name = ?")
            .bind(name)
            .fetch_optional(&self.reader)
            .await;
        row.and_then(|row| row.as_ref().map(read).transpose()).doing("look up a storage")
    }

    pub(crate) async fn storage_by_id(&self, id: StorageId) -> Result<Option<StorageRow>, Error> {
        let row = sqlx::query("SELECT * FROM storages WHERE id = ?")
            .bind(id.to_string())
            .fetch_optional(&self.reader)
            .await;
        row.and_then(|row| row.as_ref().map(read).transpose()).doing("look up a storage")
    }

    /// Saves secrets over those of revision `seen`. Gives false if those stored are of another revision by now.
    pub(crate) async fn save_secrets(
        &self,
        id: StorageId,
        seen: u64,
        sealed: &[u8],
        now: Timestamp,
    ) -> Result<bool, Error> {
        let done = sqlx::query(
            "UPDATE storages SET secrets = ?, renewed_at = ?, secrets_revision = secrets_revision + 1
             WHERE id = ? AND secrets_revision = ?",
        )
        .bind(sealed)
        .bind(now.to_string())
        .bind(id.to_string())
        .bind(super::stored(seen))
        .execute(&self.writer)
        .await
        .doing("save secrets")?;
        Ok(done.rows_affected() == 1)
    }

    /// Replaces name, configuration and secrets of a storage that is still as it was read; a token that is being refreshed meanwhile
    /// is not saved over them. Plans know it under its new name. With a new consent, the account is in doubt if the ledger knows items
    /// of it, and anybody's if it knows none.
    pub(crate) async fn update_storage(
        &self,
        old: &StorageRow,
        new: &StorageRow,
        is_new_consent: bool,
        now: Timestamp,
    ) -> Result<Changed, Error> {
        const DOING: &str = "update a storage";
        let mut tx = self.begin().await.doing(DOING)?;
        let data = json!({ "name": new.name, "storage": new.id });
        let event = NewEvent { kind: EventKind::StorageChanged, plan: None, run: None, data };
        let revision = write_event(&mut tx, now, &event).await.doing(DOING)?;
        let done = sqlx::query(
            "UPDATE OR IGNORE storages SET config = ?2, secrets = ?3, secrets_revision = secrets_revision + 1, identity = ?5,
                 name = ?6, revision = ?7, account_name = ?8,
                 account = CASE WHEN ?4 AND NOT known.any THEN NULL ELSE account END,
                 account_in_doubt = CASE WHEN ?4 THEN known.any ELSE account_in_doubt END,
                 consented_at = CASE WHEN ?4 THEN ?11 ELSE consented_at END,
                 renewed_at = CASE WHEN ?4 THEN NULL ELSE renewed_at END
             FROM (SELECT EXISTS (SELECT 1 FROM remotes WHERE storage = (SELECT no FROM storages WHERE id = ?1)) AS any) AS known
             WHERE id = ?1 AND revision = ?9 AND secrets_revision = ?10",
        )
        .bind(new.id.to_string())
        .bind(Value::Object(new.config.clone()).to_string())
        .bind(&new.secrets)
        .bind(is_new_consent)
        .bind(&new.identity)
        .bind(&new.name)
        .bind(revision)
        .bind(&new.account_name)
        .bind(old.revision)
        .bind(super::stored(old.secrets_revision))
        .bind(now.to_string())
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        if done.rows_affected() == 0 {
            let is_taken = old.name != new.name && is_named(&mut tx, &new.name).await.doing(DOING)?;
            return Ok(if is_taken { Changed::NameTaken } else { Changed::Meanwhile });
        }
        if old.name != new.name {
            super::plans::rename_storage(&mut tx, new.id, (&old.name, &new.name), now).await.doing(DOING)?;
        }
        tx.commit().await.doing(DOING)?;
        Ok(Changed::Done)
    }

    /// Whose account it is, as people know it.
    pub(crate) async fn name_account(&self, id: StorageId, name: &str) -> Result<(), Error> {
        sqlx::query("UPDATE storages SET account_name = ? WHERE id = ?")
            .bind(name)
            .bind(id.to_string())
            .execute(&self.writer)
            .await
            .doing("remember whose account it is")
            .map(drop)
    }

    pub(crate) async fn account(&self, id: StorageId) -> Result<Account, Error> {
        let row = sqlx::query("SELECT account, account_in_doubt FROM storages WHERE id = ?")
            .bind(id.to_string())
            .fetch_optional(&self.reader)
            .await;
        let read = |row: &SqliteRow| {
            Ok::<_, sqlx::Error>(Account { id: row.try_get(0)?, in_doubt: row.try_get(1)? })
        };
        row.and_then(|row| row.as_ref().map(read).transpose())
            .map(Option::unwrap_or_default)
            .doing("look up an account")
    }

    /// Takes an account that was told for the storage's, if none was told before; one that is the same as before is no
    /// longer in doubt. As long as there is a doubt, none is taken: it could be the wrong one. Gives the storage's account;
    /// `None` if it has none yet, or has been removed.
    pub(crate) async fn settle_account(&self, id: StorageId, account: &str) -> Result<Option<String>, Error> {
        const DOING: &str = "remember an account";
        let row = sqlx::query(
            "UPDATE storages SET account = CASE WHEN account_in_doubt THEN account ELSE COALESCE(account, ?1) END,
                 account_in_doubt = CASE WHEN account = ?1 THEN 0 ELSE account_in_doubt END
             WHERE id = ?2 RETURNING account",
        )
        .bind(account)
        .bind(id.to_string())
        .fetch_optional(&self.writer)
        .await
        .doing(DOING)?;
        row.map(|row| row.try_get::<Option<String>, _>(0)).transpose().doing(DOING).map(Option::flatten)
    }

    /// The account is the one that it was.
    pub(crate) async fn account_is_certain(&self, id: StorageId) -> Result<(), Error> {
        sqlx::query("UPDATE storages SET account_in_doubt = 0 WHERE id = ?")
            .bind(id.to_string())
            .execute(&self.writer)
            .await
            .doing("record whose account it is")
            .map(drop)
    }

    /// Some of the items that the ledger knows of a storage: spread over all of them in the order in which they came to be
    /// known, the newest first.
    pub(crate) async fn some_remotes(&self, id: StorageId, most: usize) -> Result<Vec<RemoteId>, Error> {
        const DOING: &str = "look up some items";
        let rows = sqlx::query(concat!(
            "WITH numbered AS (SELECT remote_id, ROW_NUMBER() OVER (ORDER BY first_seen_at DESC, remote_id) - 1 AS number,
                                      COUNT(*) OVER () AS count
                               FROM remotes WHERE storage = ", no!(storage "?1"), ")
             SELECT remote_id FROM numbered WHERE number * ?2 % count < ?2 ORDER BY number",
        ))
        .bind(id.to_string())
        .bind(super::stored(most.max(1) as u64))
        .fetch_all(&self.reader)
        .await
        .doing(DOING)?;
        rows.iter().map(|row| row.try_get(0).map(RemoteId)).collect::<Result<_, _>>().doing(DOING)
    }

    /// Removes a storage that no plan uses, if it is still as it was read. Gives false if it is not.
    pub(crate) async fn remove_storage(
        &self,
        storage: &StorageRow,
        inbox: Option<PlanId>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        const DOING: &str = "remove a storage";
        let mut tx = self.begin().await.doing(DOING)?;
        if let Some(inbox) = inbox {
            super::plans::remove_row(&mut tx, inbox).await.doing(DOING)?;
        }
        let done = sqlx::query(
            "DELETE FROM storages WHERE id = ?1 AND revision = ?2 AND NOT EXISTS (SELECT 1 FROM plans WHERE storage_id = ?1)
             AND NOT EXISTS (SELECT 1 FROM receipts WHERE receipts.storage = storages.no AND receipts.state = 'waiting')",
        )
        .bind(storage.id.to_string())
        .bind(storage.revision)
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        let data = json!({ "name": storage.name, "storage": storage.id });
        let event = NewEvent { kind: EventKind::StorageRemoved, plan: None, run: None, data };
        write_event(&mut tx, now, &event).await.doing(DOING)?;
        tx.commit().await.doing(DOING)?;
        Ok(true)
    }
}

async fn is_named(tx: &mut Transaction<'_, Sqlite>, name: &str) -> Result<bool, sqlx::Error> {
    let row =
        sqlx::query("SELECT 1 FROM storages WHERE name = ?").bind(name).fetch_optional(&mut **tx).await?;
    Ok(row.is_some())
}

fn read(row: &SqliteRow) -> Result<StorageRow, sqlx::Error> {
    Ok(StorageRow {
        id: parsed(row, "id")?,
        name: row.try_get("name")?,
        provider: row.try_get("provider")?,
        config: serde_json::from_str(row.try_get("config")?).map_err(decode_error)?,
        secrets: row.try_get("secrets")?,
        secrets_revision: super::count(row, "secrets_revision")?,
        identity: row.try_get("identity")?,
        created_at: parsed(row, "created_at")?,
        revision: row.try_get("revision")?,
        account_name: row.try_get("account_name")?,
        consented_at: super::maybe_time(row, "consented_at")?,
        renewed_at: super::maybe_time(row, "renewed_at")?,
    })
}
