//! Storages and plans as a host gives them along with each run: made where they are not there, changed where the host has
//! changed them, and left alone otherwise.
//!
//! A host keeps the token that it was given once and sends it again and again, while the stored one is renewed. What it sends is
//! therefore compared with what it sent the last time, field by field, and not with what is stored.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};
use sha2::Digest;

use crate::{
    engine::Engine,
    error::Error,
    ids::{Sha256, StorageId},
    plan::PlanConfig,
    plans::{as_map, config_of},
};

/// What became of something that a host gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Put {
    /// It was not there.
    Added,
    /// The host has changed it.
    Updated,
    /// It is as the host gave it the last time.
    Unchanged,
}

/// How each field was when it was sent: its SHA-256.
type Fingerprints = BTreeMap<String, String>;

impl Engine {
    /// Makes the storage `name` as a host says that it is. Secrets that are left out, or are as the host sent them the last time,
    /// stay as they are stored, for they may have been renewed since. Sends no request.
    ///
    /// # Errors
    /// As for [`add_storage`](Engine::add_storage) and [`update_storage`](Engine::update_storage); a storage of this name that
    /// is of another provider.
    pub async fn put_storage(
        &self,
        name: &str,
        provider: &str,
        mut given: Map<String, Value>,
    ) -> Result<Put, Error> {
        let sent = fingerprints(&given);
        let Some(row) = self.store.storage(name).await? else {
            let id = self.add_storage(name, provider, given).await?.id;
            self.remember_sent(id, &sent).await?;
            return Ok(Put::Added);
        };
        let schema = &self.registry.provider(provider)?.describe().schema;
        if row.provider != provider {
            return Err(Error::Refused(format!(
                "the storage {name} is of the provider {} and not of {provider}; give the other one another name",
                row.provider
            )));
        }
        let before = self.sent_before(row.id).await?;
        if before == sent {
            return Ok(Put::Unchanged);
        }
        // Whoever sends secrets somewhere else says them anew (I6), and the host has said them.
        if schema.rebound(&row.config, &given).is_empty() {
            let is_old = |field: &String| schema.is_secret(field) && before.get(field) == sent.get(field);
            given.retain(|field, _| !is_old(field));
        }
        self.update_storage(name, given).await?;
        self.remember_sent(row.id, &sent).await?;
        Ok(Put::Updated)
    }

    /// Makes the plan `name` as a host says that it is. What is known of its items stays, and so must its kind, its storage and
    /// the destination of a backup: the ledger would not apply to others.
    ///
    /// # Errors
    /// As for [`add_plan`](Engine::add_plan); a kind, a storage or a destination that is another one now.
    pub async fn put_plan(&self, name: &str, config: Map<String, Value>) -> Result<Put, Error> {
        let Some(row) = self.store.plan(name).await? else {
            self.add_plan(name, config).await?;
            return Ok(Put::Added);
        };
        let wrong = |mistakes| Error::Config { what: format!("the plan {name}"), mistakes };
        let read = PlanConfig::read(config.clone()).map_err(wrong)?;
        if as_map(&read)? == as_map(&config_of(&row)?)? {
            return Ok(Put::Unchanged);
        }
        self.update_plan(name, config).await?;
        Ok(Put::Updated)
    }

    /// What a host sent last for a storage; nothing, if none has, or if the key that it was sealed with is gone.
    async fn sent_before(&self, id: StorageId) -> Result<Fingerprints, Error> {
        let Some(sealed) = self.store.sent_config(id).await? else { return Ok(Fingerprints::new()) };
        let opened = self.vault.unseal(&place(id), &sealed).ok();
        Ok(opened.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default())
    }

    async fn remember_sent(&self, id: StorageId, sent: &Fingerprints) -> Result<(), Error> {
        let text = Value::from_iter(sent.clone()).to_string();
        self.store.remember_sent_config(id, &self.vault.seal(&place(id), text.as_bytes())).await
    }
}

fn place(id: StorageId) -> String {
    format!("storage/{id}/sent")
}

fn fingerprints(config: &Map<String, Value>) -> Fingerprints {
    let fingerprint = |value: &Value| Sha256(sha2::Sha256::digest(value.to_string()).into()).to_string();
    config.iter().map(|(field, value)| (field.clone(), fingerprint(value))).collect()
}
