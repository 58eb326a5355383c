//! What hosts have sent: fingerprints of configurations, which are encrypted before they come here.

use sqlx::Row;

use super::{Doing, Store};
use crate::{error::Error, ids::StorageId};

impl Store {
    /// The fingerprints of the configuration that a host sent last, if one has sent any.
    pub(crate) async fn sent_config(&self, id: StorageId) -> Result<Option<Vec<u8>>, Error> {
        const DOING: &str = "look up what was sent last";
        let row = sqlx::query("SELECT fingerprints FROM sent_configs WHERE storage_id = ?")
            .bind(id.to_string())
            .fetch_optional(&self.reader)
            .await
            .doing(DOING)?;
        row.map(|row| row.try_get(0)).transpose().doing(DOING)
    }

    pub(crate) async fn remember_sent_config(&self, id: StorageId, fingerprints: &[u8]) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO sent_configs (storage_id, fingerprints) VALUES (?1, ?2)
             ON CONFLICT (storage_id) DO UPDATE SET fingerprints = ?2",
        )
        .bind(id.to_string())
        .bind(fingerprints)
        .execute(&self.writer)
        .await
        .doing("remember what was sent")
        .map(drop)
    }
}
