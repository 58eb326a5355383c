//! Storages: configured accounts.

use std::sync::Arc;

use charon_provider::{Config, Consent, Host, Provider, Revision, Secrets, Storage};
use charon_schema::{Mistake, Mistakes};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    budget::{Purpose, Spending},
    engine::Engine,
    error::Error,
    host::{Requests, StorageHost, seal, unseal},
    ids::StorageId,
    lane::Lane,
    registry::known,
    store::StorageRow,
};

/// A storage as it can be shown: its secrets hidden (I6).
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct StorageView {
    /// Its id.
    pub id: StorageId,
    /// Its name.
    pub name: String,
    /// The id of its provider.
    pub provider: String,
    /// Its configuration, secrets replaced by dots.
    pub config: Map<String, Value>,
    /// When it was added.
    pub created_at: Timestamp,
}

impl Engine {
    /// Adds a storage. Sends no request.
    ///
    /// # Errors
    /// Every mistake in the configuration; a name that is taken or empty.
    pub async fn add_storage(
        &self,
        name: &str,
        provider: &str,
        config: Map<String, Value>,
    ) -> Result<StorageView, Error> {
        refuse_bad_name("storage", name)?;
        let id = StorageId::new(&*self.clock, &*self.entropy);
        let (row, ..) = self.judge_storage(id, name, provider, config, self.clock.now())?;
        if !self.store.add_storage(&row).await? {
            return Err(Error::BadName(format!(
                "there is a storage named {name} already; choose another name, or change that one with `charon storage update`"
            )));
        }
        self.view(&row)
    }

    /// Replaces the whole configuration of a storage. Secrets that it leaves out are kept, unless a field says anew where they
    /// go: whoever changes an endpoint enters the secrets again (I6). What the ledger knows stays. Sends no request.
    ///
    /// # Errors
    /// Every mistake in the configuration; a configuration of another client, to which the ledger would not apply (I11).
    pub async fn update_storage(&self, name: &str, config: Map<String, Value>) -> Result<StorageView, Error> {
        let old = self.storage_row(name).await?;
        let config = self.with_kept_secrets(&old, config)?;
        self.replace(old, config).await
    }

    /// A new configuration with the stored secrets that it leaves out.
    fn with_kept_secrets(
        &self,
        old: &StorageRow,
        mut config: Map<String, Value>,
    ) -> Result<Map<String, Value>, Error> {
        // Secrets that do not open any more cannot be kept; what is then missing is told as missing.
        let Ok(stored) = unseal(&self.vault, old) else { return Ok(config) };
        let mut kept = stored.expose();
        kept.retain(|field, _| !config.contains_key(field));
        let rebound = self.registry.provider(&old.provider)?.describe().schema.rebound(&old.config, &config);
        if !kept.is_empty() && !rebound.is_empty() {
            let reason = format!("is to be entered again, since {} is another one now", rebound.join(", "));
            let mistakes = kept.keys().map(|field| Mistake::in_field(field, reason.clone())).collect();
            return Err(Error::Config {
                what: format!("the storage {}", old.name),
                mistakes: Mistakes(mistakes),
            });
        }
        config.extend(kept);
        Ok(config)
    }

    /// Stores what a consent gave among the secrets of a storage. What the ledger knows stays; whether the consent is of
    /// the account that it knows is looked into before the next run does anything, unless the consent tells (I11).
    ///
    /// # Errors
    /// As for [`update_storage`](Engine::update_storage).
    pub async fn adopt_consent(&self, name: &str, consent: Consent) -> Result<StorageView, Error> {
        let old = self.storage_row(name).await?;
        let mut config = old.config.clone();
        config.extend(unseal(&self.vault, &old)?.with(consent.field, consent.value).expose());
        let id = old.id;
        let view = self.replace(old, config).await?;
        if let Some(account) = consent.account_id {
            // If it is the one that the storage has been used with, there is no doubt; another one is refused by the next run.
            self.store.settle_account(id, &account).await?;
        }
        Ok(view)
    }

    async fn replace(&self, old: StorageRow, config: Map<String, Value>) -> Result<StorageView, Error> {
        let name = old.name.clone();
        let (row, secrets) = self.judge_storage(old.id, &name, &old.provider, config, old.created_at)?;
        // Old secrets that do not open any more are no reason to refuse new ones: that is how it is mended.
        let is_new_consent =
            unseal(&self.vault, &old).map_or(true, |before| before.expose() != secrets.expose());
        // Nor are mistakes in the old configuration.
        let opened = || self.open_row(&old).ok().map(|opened| opened.storage.facts().identity.clone());
        let before = old.identity.clone().or_else(opened);
        if before.is_some() && before != row.identity {
            return Err(Error::Refused(format!(
                "the new configuration of {name} is of another client, which would not see what this one has sent; add a \
                 storage of another name for it"
            )));
        }
        self.store.update_storage(&row, is_new_consent).await?;
        // Runs that wait for a person: this is what the person does.
        self.store.requeue_those_of(row.id, self.clock.now()).await?;
        self.wake();
        self.view(&row)
    }

    /// Judges a configuration as a whole; gives the row that it would be, and its secrets.
    fn judge_storage(
        &self,
        id: StorageId,
        name: &str,
        provider: &str,
        config: Map<String, Value>,
        created_at: Timestamp,
    ) -> Result<(StorageRow, Secrets), Error> {
        let provider = self.registry.provider(provider)?;
        let (config, opened) = judge(&**provider, config, self.host(id, Purpose::Person));
        let opened =
            opened.map_err(|mistakes| Error::Config { what: format!("the storage {name}"), mistakes })?;
        let secrets = config.secrets;
        let row = StorageRow {
            id,
            name: name.to_owned(),
            provider: provider.describe().id.to_owned(),
            config: config.fields,
            secrets: seal(&self.vault, id, &secrets),
            secrets_revision: 1,
            identity: Some(opened.facts().identity.clone()),
            created_at,
        };
        Ok((row, secrets))
    }

    /// All storages, by name.
    pub async fn storages(&self) -> Result<Vec<StorageView>, Error> {
        self.store.storages().await?.iter().map(|row| self.view(row)).collect()
    }

    /// One storage.
    pub async fn storage(&self, name: &str) -> Result<StorageView, Error> {
        self.view(&self.storage_row(name).await?)
    }

    /// Removes a storage and what the ledger knows of it. What it holds stays where it is.
    ///
    /// # Errors
    /// When a plan uses it.
    pub async fn remove_storage(&self, name: &str) -> Result<(), Error> {
        let row = self.storage_row(name).await?;
        let plans = self.store.plans().await?;
        let users: Vec<&str> =
            plans.iter().filter(|plan| plan.storage_id == row.id).map(|plan| plan.name.as_str()).collect();
        if !users.is_empty() {
            let message =
                format!("the storage {name} is used by {}; remove the plans first", users.join(", "));
            return Err(Error::Refused(message));
        }
        if self.store.has_waiting_receipts(row.id).await? {
            return Err(Error::Refused(format!(
                "the inbox of {name} holds files that have not been sent yet; wait until they are, then remove it"
            )));
        }
        if let Some(inbox) = self.store.inbox_plan(row.id).await? {
            self.remove_plan(&inbox.name).await?;
        }
        self.store.remove_storage(row.id).await
    }

    /// Opens a storage, to test it or to list its albums.
    pub async fn open_storage(&self, name: &str) -> Result<Arc<dyn Storage>, Error> {
        let row = self.storage_row(name).await?;
        Ok(self.open_row(&row)?.storage)
    }

    pub(crate) async fn storage_row(&self, name: &str) -> Result<StorageRow, Error> {
        if let Some(row) = self.store.storage(name).await? {
            return Ok(row);
        }
        let rows = self.store.storages().await?;
        let known = known("storage", rows.iter().map(|row| row.name.as_str()));
        Err(Error::Unknown { what: "storage", name: name.to_owned(), known })
    }

    /// Opens a storage for a person who waits for the answer; as [`open_row_for`](Engine::open_row_for).
    pub(crate) fn open_row(&self, row: &StorageRow) -> Result<Opened, Error> {
        self.open_row_for(row, Purpose::Person)
    }

    /// Opens a storage in its lane, with a count of requests of its own, which the budget counts as well.
    pub(crate) fn open_row_for(&self, row: &StorageRow, purpose: Purpose) -> Result<Opened, Error> {
        let provider = self.registry.provider(&row.provider)?;
        let config = Config {
            fields: row.config.clone(),
            secrets: unseal(&self.vault, row)?,
            revision: Revision(row.secrets_revision),
        };
        let wrong = |mistakes| Error::Config { what: format!("the storage {}", row.name), mistakes };
        let host = self.host(row.id, purpose);
        let (lane, requests) = (Arc::clone(&host.lane), Arc::clone(&host.requests));
        let spending = Arc::clone(&host.spending);
        let storage = provider.open(config, host).map_err(wrong)?;
        lane.set_pace(storage.facts().pace);
        spending.declare(&storage.facts().meters);
        Ok(Opened { storage, lane, spending, requests })
    }

    fn host(&self, storage: StorageId, purpose: Purpose) -> Arc<StorageHost> {
        Arc::new(StorageHost {
            storage,
            store: self.store.clone(),
            vault: self.vault.clone(),
            clock: Arc::clone(&self.clock),
            entropy: Arc::clone(&self.entropy),
            lane: self.lanes.of(storage),
            spending: Arc::new(Spending::new(self.budgets.clone(), purpose)),
            requests: Arc::default(),
        })
    }

    fn view(&self, row: &StorageRow) -> Result<StorageView, Error> {
        let schema = &self.registry.provider(&row.provider)?.describe().schema;
        let mut config = row.config.clone();
        config.extend(unseal(&self.vault, row)?.expose());
        Ok(StorageView {
            id: row.id,
            name: row.name.clone(),
            provider: row.provider.clone(),
            config: schema.redact(&config),
            created_at: row.created_at,
        })
    }
}

/// A storage that is open.
pub(crate) struct Opened {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) lane: Arc<Lane>,
    /// What its requests are counted by.
    pub(crate) spending: Arc<Spending>,
    /// What it has asked for since it was opened.
    pub(crate) requests: Arc<Requests>,
}

/// Judges a configuration as a whole: what only the provider can judge is told along with the rest.
pub(crate) fn judge(
    provider: &dyn Provider,
    config: Map<String, Value>,
    host: Arc<dyn Host>,
) -> (Config, Result<Arc<dyn Storage>, Mistakes>) {
    let schema = &provider.describe().schema;
    let judged = schema.validate(&Value::Object(config.clone()));
    let (fields, secrets) = schema.split(config);
    let config = Config { fields, secrets: Secrets::new(secrets), revision: Revision(1) };
    let opened = match (judged, provider.open(config.clone(), host)) {
        (Ok(()), Ok(opened)) => Ok(opened),
        (Err(mistakes), Ok(_)) | (Ok(()), Err(mistakes)) => Err(mistakes),
        (Err(mistakes), Err(others)) => Err(mistakes.and(others)),
    };
    (config, opened)
}

/// Names are typed on command lines and shown in tables.
pub(crate) fn refuse_bad_name(what: &str, name: &str) -> Result<(), Error> {
    let is_good = !name.is_empty()
        && name.chars().count() <= 100
        && name.trim() == name
        && !name.starts_with('-')
        && !name.chars().any(char::is_control);
    if is_good {
        return Ok(());
    }
    Err(Error::BadName(format!(
        "{name:?} is no name for a {what}: a name has 1 to 100 characters, no control characters, no space at either end, and \
         does not begin with -"
    )))
}
