//! Storages: configured accounts.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use charon_provider::{Config, Facts, Host, Provider, Revision, Secrets, Storage};
use charon_schema::Mistakes;
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
    plan::MirrorPlace,
    registry::known,
    run::Stop,
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
    /// Which version of it this is: another one after every change that somebody makes, and the same when a token is renewed.
    #[serde(skip)]
    pub revision: i64,
}

/// Refuses a name that no plan could say as the place of its mirror.
pub(crate) fn refuse_unnameable(name: &str) -> Result<(), Error> {
    if MirrorPlace::can_name(name) {
        return Ok(());
    }
    Err(Error::BadName(format!(
        "{name:?} cannot be the name of a storage that keeps mirrors: such a name has two characters or more, and no slash or colon"
    )))
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
        if self.declared_by(&row)?.capabilities.destination {
            refuse_unnameable(name)?;
        }
        if !self.store.add_storage(&row).await? {
            return Err(Error::BadName(format!(
                "there is a storage named {name} already; choose another name, or change that one with `charon storage update`"
            )));
        }
        self.storage_by_id(id).await
    }

    /// Judges a configuration as a whole; gives the row that it would be, and its secrets.
    pub(crate) fn judge_storage(
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
            revision: 0,
            account_name: None,
            consented_at: None,
            renewed_at: None,
        };
        Ok((row, secrets))
    }

    /// All storages, by name.
    pub async fn storages(&self) -> Result<Vec<StorageView>, Error> {
        self.store.storages().await?.iter().map(|row| self.view(row)).collect()
    }

    /// One storage.
    ///
    /// # Errors
    /// When there is no such storage, or its secrets do not open: whoever asks by name is told so at once.
    pub async fn storage(&self, name: &str) -> Result<StorageView, Error> {
        let row = self.storage_row(name).await?;
        unseal(&self.vault, &row)?;
        self.view(&row)
    }

    /// One storage, by its id.
    pub async fn storage_by_id(&self, id: StorageId) -> Result<StorageView, Error> {
        self.view(&self.row_of(id).await?)
    }

    /// Removes a storage and what the ledger knows of it. What it holds stays where it is.
    ///
    /// # Errors
    /// When a plan uses it.
    pub async fn remove_storage(&self, name: &str) -> Result<(), Error> {
        self.remove_row(self.storage_row(name).await?).await
    }

    /// As [`remove_storage`](Engine::remove_storage), for the storage with this id.
    ///
    /// # Errors
    /// [`Error::Changed`] when it is not the version that was seen, if any is given.
    pub async fn remove_storage_by_id(&self, id: StorageId, seen: Option<i64>) -> Result<(), Error> {
        let row = self.row_of(id).await?;
        if seen.is_some_and(|seen| seen != row.revision) {
            return Err(Error::Changed { what: format!("the storage {}", row.name) });
        }
        self.remove_row(row).await
    }

    async fn remove_row(&self, row: StorageRow) -> Result<(), Error> {
        let name = &row.name;
        let plans = self.store.plans().await?;
        let kept = self.kept_by(name).await?;
        let live = self.store.live_runs().await?;
        let users = plans.iter().filter(|plan| plan.storage_id == row.id).chain(&kept);
        let users: Vec<&str> = users.map(|plan| plan.name.as_str()).collect();
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
        if let Some(run) = live.iter().find(|run| run.options.job.other_storage() == Some(row.id)) {
            return Err(Error::Refused(format!(
                "a restore of the plan {} sends to the storage {name}; wait until it is done, or stop it, then remove the storage",
                run.plan_name
            )));
        }
        let inbox = self.store.inbox_plan(row.id).await?.map(|plan| plan.id);
        if self.store.remove_storage(&row, inbox, self.clock.now()).await? {
            for run in live.iter().filter(|run| Some(run.plan) == inbox) {
                self.at_work.stop(run.run, Stop::cancelled());
            }
            self.known_facts.forget(row.id);
            return Ok(());
        }
        Err(Error::Changed { what: format!("the storage {name}") })
    }

    /// Opens a storage, to test it or to list its albums.
    pub async fn open_storage(&self, name: &str) -> Result<Arc<dyn Storage>, Error> {
        let row = self.storage_row(name).await?;
        Ok(self.open_row(&row)?.storage)
    }

    /// As [`open_storage`](Engine::open_storage), for the storage with this id.
    pub async fn open_storage_by_id(&self, id: StorageId) -> Result<Arc<dyn Storage>, Error> {
        Ok(self.open_row(&self.row_of(id).await?)?.storage)
    }

    pub(crate) async fn storage_row(&self, name: &str) -> Result<StorageRow, Error> {
        match self.store.storage(name).await? {
            Some(row) => Ok(row),
            None => Err(self.unknown_storage(name.to_owned()).await?),
        }
    }

    /// The row of a storage, by its id.
    pub(crate) async fn row_of(&self, id: StorageId) -> Result<StorageRow, Error> {
        match self.store.storage_by_id(id).await? {
            Some(row) => Ok(row),
            None => Err(self.unknown_storage(id.to_string()).await?),
        }
    }

    async fn unknown_storage(&self, name: String) -> Result<Error, Error> {
        let rows = self.store.storages().await?;
        let known = known("storage", rows.iter().map(|row| row.name.as_str()));
        Ok(Error::Unknown { what: "storage", name, known })
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
        Ok(Opened { id: row.id, storage, lane, spending, requests, revision: row.revision })
    }

    /// What a storage declares of itself. It is opened only if it was changed since it was asked last: that costs a page its time.
    pub(crate) fn declared_by(&self, row: &StorageRow) -> Result<Facts, Error> {
        if let Some((_, facts)) = self.known_facts.all().get(&row.id).filter(|known| known.0 == row.revision)
        {
            return Ok(facts.clone());
        }
        let facts = self.open_row(row)?.storage.facts().clone();
        self.known_facts.all().insert(row.id, (row.revision, facts.clone()));
        Ok(facts)
    }

    pub(crate) fn host(&self, storage: StorageId, purpose: Purpose) -> Arc<StorageHost> {
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

    /// A storage as it can be shown. Secrets that do not open are not shown as set.
    pub(crate) fn view(&self, row: &StorageRow) -> Result<StorageView, Error> {
        let schema = &self.registry.provider(&row.provider)?.describe().schema;
        let mut config = row.config.clone();
        if let Ok(secrets) = unseal(&self.vault, row) {
            config.extend(secrets.expose());
        }
        Ok(StorageView {
            id: row.id,
            name: row.name.clone(),
            provider: row.provider.clone(),
            config: schema.redact(&config),
            created_at: row.created_at,
            revision: row.revision,
        })
    }
}

/// What storages declared of themselves, and in which version.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownFacts(Arc<Mutex<HashMap<StorageId, (i64, Facts)>>>);

impl KnownFacts {
    fn all(&self) -> MutexGuard<'_, HashMap<StorageId, (i64, Facts)>> {
        self.0.lock().expect("nothing panics while it holds them")
    }

    fn forget(&self, id: StorageId) {
        self.all().remove(&id);
    }
}

/// A storage that is open.
pub(crate) struct Opened {
    pub(crate) id: StorageId,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) lane: Arc<Lane>,
    /// What its requests are counted by.
    pub(crate) spending: Arc<Spending>,
    /// What it has asked for since it was opened.
    pub(crate) requests: Arc<Requests>,
    /// Which version of it was opened.
    pub(crate) revision: i64,
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
