//! What hosts have sent: fingerprints of configurations, which are encrypted before they come here, and plans that they change.

use serde_json::{Map, Value};
use sqlx::Row;

use super::{Doing, Store};
use crate::{
    error::Error,
    ids::{PlanId, StorageId},
};

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

    /// Replaces the configuration of a plan. What is known of its items stays.
    pub(crate) async fn replace_plan_config(
        &self,
        id: PlanId,
        config: &Map<String, Value>,
    ) -> Result<(), Error> {
        sqlx::query("UPDATE plans SET config = ? WHERE id = ?")
            .bind(Value::Object(config.clone()).to_string())
            .bind(id.to_string())
            .execute(&self.writer)
            .await
            .doing("change a plan")
            .map(drop)
    }
}
