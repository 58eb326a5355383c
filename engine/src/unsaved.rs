//! Storages that are not stored, or not as they are tried: a test before saving, and consent before there is a token. Secrets
//! that are refreshed meanwhile stay in memory, and are there for whoever saves the storage afterwards.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use charon_provider::{Authorization, Check, Conflict, Cost, Host, Revision, Secrets, Storage, Verdict};
use futures::{StreamExt, future, stream, stream::BoxStream};
use jiff::Timestamp;
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use crate::{
    budget::{Budgets, Purpose, Spending},
    clock::{Clock, Entropy},
    engine::Engine,
    error::Error,
    host::{another_account, unseal},
    ids::StorageId,
    lane::Lane,
    registry::Registry,
    storages::judge,
    store::StorageRow,
};

/// The first stage of every connection test.
const CONFIG: &str = "config";

/// A storage that is not stored.
#[derive(Clone, Debug)]
pub struct Unsaved {
    storage: Arc<dyn Storage>,
    fields: Map<String, Value>,
    secrets: Held,
}

/// Where the secrets are.
#[derive(Clone, Debug)]
enum Held {
    /// Here alone, renewed ones too.
    InMemory(Arc<MemoryHost>),
    /// All of them are those that are stored, and renewed ones are stored.
    Stored,
}

impl Unsaved {
    /// The storage, ready to be used.
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.storage
    }

    /// The configuration with its secrets as they are now: a renewed token may have replaced the one that was given, which
    /// then is worth nothing. Whoever saves the storage saves this. Secrets that are stored already are left out.
    pub fn config(&self) -> Map<String, Value> {
        let mut config = self.fields.clone();
        if let Held::InMemory(host) = &self.secrets {
            config.extend(host.state().secrets.expose());
        }
        config
    }

    /// Tests it, beginning with the stage `config`, which it has passed. Given up by dropping the stream.
    pub fn test(&self) -> BoxStream<'static, Check> {
        test(Ok(Arc::clone(&self.storage)))
    }
}

impl Engine {
    /// Judges a configuration as [`add_storage`](Engine::add_storage) would, and opens it without storing anything. Sends no
    /// request.
    ///
    /// # Errors
    /// Every mistake in the configuration; a provider that is not known.
    pub fn open_unsaved(&self, provider: &str, config: Map<String, Value>) -> Result<Unsaved, Error> {
        open_on(&self.registry, self.memory_host(None), provider, config)
    }

    /// Tests a configuration before it is saved: first whether it is right, as the stage `config`, then the storage's own
    /// stages. Whoever saves it afterwards had better take [`open_unsaved`](Engine::open_unsaved) and [`Unsaved::test`], since
    /// a token that the test renews may replace the one that was given.
    pub fn test_unsaved(&self, provider: &str, config: Map<String, Value>) -> BoxStream<'static, Check> {
        test(self.open_unsaved(provider, config).map(|unsaved| unsaved.storage))
    }

    /// Tests a stored storage: first whether its configuration is right, as the stage `config`, then its own stages. If all
    /// of them pass, the server is believed to have something left of the day's quota, whatever it has said before.
    ///
    /// # Errors
    /// When there is no such storage.
    pub async fn test(&self, name: &str) -> Result<BoxStream<'static, Check>, Error> {
        Ok(self.test_row(&self.storage_row(name).await?))
    }

    /// As [`test`](Engine::test), for the storage with this id.
    pub async fn test_storage(&self, id: StorageId) -> Result<BoxStream<'static, Check>, Error> {
        Ok(self.test_row(&self.row_of(id).await?))
    }

    fn test_row(&self, row: &StorageRow) -> BoxStream<'static, Check> {
        match self.open_row(row) {
            Ok(opened) => self.kept(test(Ok(opened.storage)), row, Some(opened.spending)),
            Err(error) => self.kept(test(Err(error)), row, None),
        }
    }

    /// Judges a change of a stored storage, and opens it so without storing anything. Secrets that the change leaves out are those
    /// that are stored, unless a field says anew where they go (I6). Sends no request.
    ///
    /// # Errors
    /// When there is no such storage; every mistake in the configuration.
    pub async fn open_changed(&self, id: StorageId, config: Map<String, Value>) -> Result<Unsaved, Error> {
        let row = self.row_of(id).await?;
        let whole = self.with_kept_secrets(&row, config)?;
        let provider = self.registry.provider(&row.provider)?;
        let (fields, secrets) = provider.describe().schema.split(whole.clone());
        let stored = unseal(&self.vault, &row).map(|stored| stored.expose()).unwrap_or_default();
        if Secrets::new(secrets).expose() != stored {
            let account = self.store.account(id).await?.id;
            return open_on(&self.registry, self.memory_host(account), &row.provider, whole);
        }
        // A token that is renewed meanwhile replaces the stored one.
        self.judge_storage(id, &row.name, &row.provider, whole, row.created_at)?;
        let storage = self.open_row(&StorageRow { config: fields.clone(), ..row })?.storage;
        Ok(Unsaved { storage, fields, secrets: Held::Stored })
    }

    /// Begins to ask a person for consent, for a configuration that is not stored and need not have what a consent gives.
    /// `redirect` is where the browser is sent afterwards. Sends no request.
    ///
    /// # Errors
    /// Every mistake in the configuration that stands in the way; a provider that is not known.
    pub fn authorize(
        &self,
        provider: &str,
        config: Map<String, Value>,
        redirect: &Url,
    ) -> Result<Box<dyn Authorization>, Error> {
        let provider = self.registry.provider(provider)?;
        let (fields, secrets) = provider.describe().schema.split(config);
        let config =
            charon_provider::Config { fields, secrets: Secrets::new(secrets), revision: Revision(1) };
        let wrong = |mistakes| Error::Config { what: "the storage".into(), mistakes };
        provider.authorize(config, redirect, self.memory_host(None)).map_err(wrong)
    }

    /// Begins to ask a person for consent anew, for a storage that is stored. Nothing of it changes before
    /// [`adopt_consent`](Engine::adopt_consent). Sends no request.
    ///
    /// # Errors
    /// When there is no such storage, or its secrets do not open; every mistake in its configuration that stands in the way.
    pub async fn authorize_storage(
        &self,
        name: &str,
        redirect: &Url,
    ) -> Result<Box<dyn Authorization>, Error> {
        let row = self.storage_row(name).await?;
        let config = row.config.clone();
        self.authorize_row(&row, config, redirect).await
    }

    /// As [`authorize_storage`](Engine::authorize_storage), for the storage with this id, with a configuration that is not stored in
    /// place of the one that is, if one is given. Secrets that it leaves out are those that are stored (I6).
    pub async fn authorize_changed(
        &self,
        id: StorageId,
        config: Option<Map<String, Value>>,
        redirect: &Url,
    ) -> Result<Box<dyn Authorization>, Error> {
        let row = self.row_of(id).await?;
        let config = config.unwrap_or_else(|| row.config.clone());
        self.authorize_row(&row, config, redirect).await
    }

    async fn authorize_row(
        &self,
        row: &StorageRow,
        config: Map<String, Value>,
        redirect: &Url,
    ) -> Result<Box<dyn Authorization>, Error> {
        let account = self.store.account(row.id).await?.id;
        let provider = self.registry.provider(&row.provider)?;
        let (fields, secrets) = provider.describe().schema.split(self.with_kept_secrets(row, config)?);
        let config = charon_provider::Config {
            fields,
            secrets: Secrets::new(secrets),
            revision: Revision(row.secrets_revision),
        };
        let wrong = |mistakes| Error::Config { what: format!("the storage {}", row.name), mistakes };
        provider.authorize(config, redirect, self.memory_host(account)).map_err(wrong)
    }

    fn memory_host(&self, account: Option<String>) -> Arc<MemoryHost> {
        memory_host(&self.clock, &self.entropy, Some(&self.budgets), account)
    }
}

/// Judges and opens a configuration as [`Engine::open_unsaved`] does, without an engine: there is no data directory, so nothing
/// can be stored, and no request can be counted. Sends no request.
///
/// # Errors
/// Every mistake in the configuration; a provider that is not known.
pub fn open_unsaved(
    registry: &Registry,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
    provider: &str,
    config: Map<String, Value>,
) -> Result<Unsaved, Error> {
    open_on(registry, memory_host(clock, entropy, None, None), provider, config)
}

fn open_on(
    registry: &Registry,
    host: Arc<MemoryHost>,
    provider: &str,
    config: Map<String, Value>,
) -> Result<Unsaved, Error> {
    let provider = registry.provider(provider)?;
    let (config, opened) = judge(&**provider, config, Arc::<MemoryHost>::clone(&host));
    let wrong = |mistakes| Error::Config { what: "the storage".into(), mistakes };
    let storage = opened.map_err(wrong)?;
    host.lane.set_pace(storage.facts().pace);
    if let Some(spending) = &host.spending {
        spending.declare(&storage.facts().meters);
    }
    let mut state = host.state();
    (state.secrets, state.revision) = (config.secrets, config.revision);
    drop(state);
    Ok(Unsaved { storage, fields: config.fields, secrets: Held::InMemory(host) })
}

fn memory_host(
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
    budgets: Option<&Budgets>,
    account: Option<String>,
) -> Arc<MemoryHost> {
    Arc::new(MemoryHost {
        clock: Arc::clone(clock),
        entropy: Arc::clone(entropy),
        lane: Lane::new(Arc::clone(clock)),
        spending: budgets.map(|budgets| Spending::new(budgets.clone(), Purpose::Person)),
        state: Mutex::new(State { account, ..State::default() }),
    })
}

/// The verdict on a configuration as the first stage of a connection test.
pub fn config_check(judged: Result<(), &Error>) -> Check {
    let (verdict, found, cure) = match judged {
        Ok(()) => (Verdict::Passed, "the configuration is right".to_owned(), None),
        Err(Error::Config { mistakes, .. }) => {
            let cure = if mistakes.0.len() == 1 { "correct this field" } else { "correct these fields" };
            (Verdict::Failed, mistakes.to_string(), Some(cure.to_owned()))
        }
        Err(error) => (Verdict::Failed, error.to_string(), None),
    };
    Check { stage: CONFIG, verdict, took: std::time::Duration::ZERO, found, cure, link: None }
}

fn test(opened: Result<Arc<dyn Storage>, Error>) -> BoxStream<'static, Check> {
    let first = config_check(opened.as_ref().map(drop));
    let first = stream::once(future::ready(first));
    let Ok(storage) = opened else { return first.boxed() };
    first.chain(stream::once(future::lazy(|_| own_stages(storage))).flatten()).boxed()
}

/// The stages of a storage, as a stream that keeps the storage. They stop when it is dropped.
fn own_stages(storage: Arc<dyn Storage>) -> BoxStream<'static, Check> {
    let (found, mut checks) = mpsc::channel(1);
    let testing = AbortOnDropHandle::new(tokio::spawn(async move {
        let mut stages = storage.test();
        while let Some(check) = stages.next().await {
            if found.send(check).await.is_err() {
                break;
            }
        }
    }));
    stream::poll_fn(move |cx| {
        // Held for as long as the stream.
        let _testing = &testing;
        checks.poll_recv(cx)
    })
    .boxed()
}

/// The host of a storage that is not stored.
#[derive(Debug)]
struct MemoryHost {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    lane: Lane,
    /// `None` where there is no database to count in.
    spending: Option<Spending>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    secrets: Secrets,
    revision: Revision,
    account: Option<String>,
}

impl MemoryHost {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the secrets")
    }
}

#[async_trait]
impl Host for MemoryHost {
    async fn permit(&self, cost: Cost) -> Result<(), charon_provider::Error> {
        self.lane.permit().await;
        match &self.spending {
            Some(spending) => spending.permit(cost).await,
            None => Ok(()),
        }
    }

    async fn save_secrets(
        &self,
        seen: Revision,
        new: Secrets,
    ) -> Result<Result<Revision, Conflict>, charon_provider::Error> {
        let mut state = self.state();
        if state.revision != seen {
            return Ok(Err(Conflict { secrets: state.secrets.clone(), revision: state.revision }));
        }
        state.revision = Revision(seen.0 + 1);
        state.secrets = new;
        Ok(Ok(state.revision))
    }

    async fn account(&self, id: &str) -> Result<(), charon_provider::Error> {
        let mut state = self.state();
        if state.account.get_or_insert_with(|| id.to_owned()) == id { Ok(()) } else { Err(another_account()) }
    }

    async fn sleep(&self, how_long: std::time::Duration) {
        self.clock.sleep(how_long).await;
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn random(&self, buffer: &mut [u8]) {
        self.entropy.fill(buffer);
    }
}
