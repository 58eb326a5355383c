//! Storages: a name, a configuration, and the secrets, which are encrypted before they come here.

use jiff::Timestamp;
use serde_json::{Map, Value};
use sqlx::{Row, sqlite::SqliteRow};

use super::{Doing, Store, decode_error, parsed};
use crate::{error::Error, ids::StorageId};

#[derive(Clone, Debug)]
pub(crate) struct StorageRow {
    pub(crate) id: StorageId,
    pub(crate) name: String,
    pub(crate) provider: String,
    pub(crate) config: Map<String, Value>,
    pub(crate) secrets: Vec<u8>,
    pub(crate) secrets_revision: u64,
    pub(crate) created_at: Timestamp,
}

impl Store {
    /// Gives false if a storage has the name already.
    pub(crate) async fn add_storage(&self, storage: &StorageRow) -> Result<bool, Error> {
        let done = sqlx::query(
            "INSERT INTO storages (id, name, provider, config, secrets, secrets_revision, created_at)
             VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING",
        )
        .bind(storage.id.to_string())
        .bind(&storage.name)
        .bind(&storage.provider)
        .bind(Value::Object(storage.config.clone()).to_string())
        .bind(&storage.secrets)
        .bind(super::stored(storage.secrets_revision))
        .bind(storage.created_at.to_string())
        .execute(&self.writer)
        .await
        .doing("add a storage")?;
        Ok(done.rows_affected() == 1)
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
    pub(crate) async fn save_secrets(&self, id: StorageId, seen: u64, sealed: &[u8]) -> Result<bool, Error> {
        let done = sqlx::query(
            "UPDATE storages SET secrets = ?, secrets_revision = secrets_revision + 1
             WHERE id = ? AND secrets_revision = ?",
        )
        .bind(sealed)
        .bind(id.to_string())
        .bind(super::stored(seen))
        .execute(&self.writer)
        .await
        .doing("save secrets")?;
        Ok(done.rows_affected() == 1)
    }

    /// Replaces configuration and secrets; a token that is being refreshed meanwhile is not saved over them.
    pub(crate) async fn update_storage(&self, storage: &StorageRow) -> Result<(), Error> {
        sqlx::query(
            "UPDATE storages SET config = ?, secrets = ?, secrets_revision = secrets_revision + 1 WHERE id = ?",
        )
        .bind(Value::Object(storage.config.clone()).to_string())
        .bind(&storage.secrets)
        .bind(storage.id.to_string())
        .execute(&self.writer)
        .await
        .doing("update a storage")
        .map(drop)
    }

    pub(crate) async fn remove_storage(&self, id: StorageId) -> Result<(), Error> {
        sqlx::query("DELETE FROM storages WHERE id = ?")
            .bind(id.to_string())
            .execute(&self.writer)
            .await
            .doing("remove a storage")
            .map(drop)
    }
}

fn read(row: &SqliteRow) -> Result<StorageRow, sqlx::Error> {
    Ok(StorageRow {
        id: parsed(row, "id")?,
        name: row.try_get("name")?,
        provider: row.try_get("provider")?,
        config: serde_json::from_str(row.try_get("config")?).map_err(decode_error)?,
        secrets: row.try_get("secrets")?,
        secrets_revision: super::count(row, "secrets_revision")?,
        created_at: parsed(row, "created_at")?,
    })
}
