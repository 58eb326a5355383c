//! Plans.

use std::collections::HashMap;

use charon_provider::RemoteId;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sqlx::{Row, sqlite::SqliteRow};

use super::{Doing, Store, decode_error, parsed};
use crate::{
    error::Error,
    ids::{PlanId, StorageId},
};

#[derive(Clone, Debug)]
pub(crate) struct PlanRow {
    pub(crate) id: PlanId,
    pub(crate) name: String,
    pub(crate) storage_id: StorageId,
    pub(crate) config: Map<String, Value>,
    pub(crate) mirror_ready: bool,
    pub(crate) created_at: Timestamp,
}

impl Store {
    /// Gives false if a plan has the name already.
    pub(crate) async fn add_plan(&self, plan: &PlanRow) -> Result<bool, Error> {
        let done = sqlx::query(
            "INSERT INTO plans (id, name, storage_id, config, mirror_ready, created_at)
             VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING",
        )
        .bind(plan.id.to_string())
        .bind(&plan.name)
        .bind(plan.storage_id.to_string())
        .bind(Value::Object(plan.config.clone()).to_string())
        .bind(plan.mirror_ready)
        .bind(plan.created_at.to_string())
        .execute(&self.writer)
        .await
        .doing("add a plan")?;
        Ok(done.rows_affected() == 1)
    }

    pub(crate) async fn plans(&self) -> Result<Vec<PlanRow>, Error> {
        let rows = sqlx::query("SELECT * FROM plans ORDER BY name").fetch_all(&self.reader).await;
        rows.and_then(|rows| rows.iter().map(read).collect()).doing("list the plans")
    }

    pub(crate) async fn plan(&self, name: &str) -> Result<Option<PlanRow>, Error> {
        let row =
            sqlx::query("SELECT * FROM plans WHERE name = ?").bind(name).fetch_optional(&self.reader).await;
        row.and_then(|row| row.as_ref().map(read).transpose()).doing("look up a plan")
    }

    /// From now on, the plan's destination must carry its marker.
    pub(crate) async fn mirror_is_ready(&self, id: PlanId) -> Result<(), Error> {
        sqlx::query("UPDATE plans SET mirror_ready = 1 WHERE id = ?")
            .bind(id.to_string())
            .execute(&self.writer)
            .await
            .doing("record that a mirror is ready")
            .map(drop)
    }

    /// Where those of these items are whose bytes the plan has stored.
    pub(crate) async fn copies_of(
        &self,
        plan: PlanId,
        storage: StorageId,
        ids: &[&RemoteId],
    ) -> Result<HashMap<RemoteId, String>, Error> {
        const DOING: &str = "look up copies";
        let rows = sqlx::query(
            "SELECT remotes.remote_id, copies.path FROM json_each(?1) AS wanted
             CROSS JOIN remotes ON remotes.storage_id = ?2 AND remotes.remote_id = wanted.value
             JOIN copies ON copies.plan_id = ?3 AND copies.asset_id = remotes.asset_id AND copies.part = 'whole'
                 AND copies.sha256 IS NOT NULL",
        )
        .bind(json!(ids).to_string())
        .bind(storage.to_string())
        .bind(plan.to_string())
        .fetch_all(&self.reader)
        .await
        .doing(DOING)?;
        rows.iter()
            .map(|row| Ok((RemoteId(row.try_get(0)?), row.try_get(1)?)))
            .collect::<Result<_, _>>()
            .doing(DOING)
    }

    pub(crate) async fn remove_plan(&self, id: PlanId) -> Result<(), Error> {
        sqlx::query("DELETE FROM plans WHERE id = ?")
            .bind(id.to_string())
            .execute(&self.writer)
            .await
            .doing("remove a plan")
            .map(drop)
    }
}

fn read(row: &SqliteRow) -> Result<PlanRow, sqlx::Error> {
    Ok(PlanRow {
        id: parsed(row, "id")?,
        name: row.try_get("name")?,
        storage_id: parsed(row, "storage_id")?,
        config: serde_json::from_str(row.try_get("config")?).map_err(decode_error)?,
        mirror_ready: row.try_get("mirror_ready")?,
        created_at: parsed(row, "created_at")?,
    })
}
