//! The engine, as a provider sees it: the [`Host`] of one storage.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use charon_provider::{Class, Conflict, Cost, Host, Revision, Secrets};
use jiff::Timestamp;
use serde_json::{Map, Value};
use tokio::sync::watch;

use crate::{
    budget::Spending,
    clock::{Clock, Entropy},
    error::Error,
    ids::StorageId,
    lane::Lane,
    store::{StorageRow, Store},
    vault::Vault,
};

/// The host of one storage that is stored.
#[derive(Debug)]
pub(crate) struct StorageHost {
    pub(crate) storage: StorageId,
    pub(crate) store: Store,
    pub(crate) vault: Vault,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) lane: Arc<Lane>,
    pub(crate) spending: Arc<Spending>,
    pub(crate) requests: Arc<Requests>,
}

/// The requests that one opening of a storage has made, by meter. The lane may be shared; the count is not.
#[derive(Debug, Default)]
pub(crate) struct Requests(Mutex<BTreeMap<&'static str, u64>>);

impl Requests {
    pub(crate) fn count(&self, cost: Cost) {
        *self.counts().entry(cost.0).or_default() += 1;
    }

    /// The requests so far, by meter.
    pub(crate) fn by_meter(&self) -> BTreeMap<String, u64> {
        self.counts().iter().map(|(meter, count)| ((*meter).to_owned(), *count)).collect()
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, u64>> {
        self.0.lock().expect("nothing panics while it counts")
    }
}

tokio::task_local! {
    /// Whether the work waits for a permit.
    static WAITS: watch::Sender<bool>;
}

/// Does it, within the time given; `None` if it takes longer. Waiting for a permit does not count: the time begins anew with
/// each that is given.
pub(crate) async fn within<T>(
    limit: Duration,
    clock: &dyn Clock,
    work: impl Future<Output = T>,
) -> Option<T> {
    let (waits, seen) = watch::channel(false);
    tokio::select! {
        biased;
        done = WAITS.scope(waits, work) => Some(done),
        () = time_is_over(limit, clock, seen) => None,
    }
}

async fn time_is_over(limit: Duration, clock: &dyn Clock, mut waits: watch::Receiver<bool>) {
    // The other end is there for as long as the work.
    while waits.wait_for(|waits| !waits).await.is_ok() {
        tokio::select! {
            biased;
            _ = waits.wait_for(|waits| *waits) => {}
            () = clock.sleep(limit) => return,
        }
    }
}

/// Tells whoever measures the time that it does not count, for as long as this lives.
struct Waiting;

impl Waiting {
    fn begin() -> Self {
        Self::tell(true);
        Self
    }

    fn tell(waits: bool) {
        // Nobody may measure.
        WAITS.try_with(|sender| sender.send_replace(waits)).ok();
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        Self::tell(false);
    }
}

#[async_trait]
impl Host for StorageHost {
    async fn permit(&self, cost: Cost) -> Result<(), charon_provider::Error> {
        let waiting = Waiting::begin();
        self.lane.permit().await;
        self.spending.permit(cost).await?;
        drop(waiting);
        self.requests.count(cost);
        Ok(())
    }

    async fn save_secrets(
        &self,
        seen: Revision,
        new: Secrets,
    ) -> Result<Result<Revision, Conflict>, charon_provider::Error> {
        let failed = |error: Error| {
            charon_provider::Error::new(Class::Destination, "store the refreshed token", error.to_string())
        };
        let sealed = seal(&self.vault, self.storage, &new);
        if self.store.save_secrets(self.storage, seen.0, &sealed, self.clock.now()).await.map_err(failed)? {
            return Ok(Ok(Revision(seen.0 + 1)));
        }
        let row = self.store.storage_by_id(self.storage).await.map_err(failed)?.ok_or_else(|| {
            charon_provider::Error::new(
                Class::Config,
                "store the refreshed token",
                "the storage has been removed",
            )
        })?;
        let newer = unseal(&self.vault, &row).map_err(failed)?;
        Ok(Err(Conflict { secrets: newer, revision: Revision(row.secrets_revision) }))
    }

    async fn account(&self, id: &str) -> Result<(), charon_provider::Error> {
        let failed = |error: Error| {
            charon_provider::Error::new(Class::Destination, "remember whose account it is", error.to_string())
        };
        match self.store.settle_account(self.storage, id).await.map_err(failed)? {
            Some(account) if account != id => Err(another_account()),
            _ => Ok(()),
        }
    }

    async fn sleep(&self, how_long: Duration) {
        self.clock.sleep(how_long).await;
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn random(&self, buffer: &mut [u8]) {
        self.entropy.fill(buffer);
    }
}

/// The account behind a storage is not the one that it was (I11).
pub(crate) fn another_account() -> charon_provider::Error {
    charon_provider::Error::new(
        Class::Auth,
        "recognise the account",
        "this token is for another account than the storage has been used with",
    )
    .cured_by(
        "authorise the storage again with the account that it was used with, or add a storage of another name for this one",
    )
}

/// Encrypts a storage's secrets for its row.
pub(crate) fn seal(vault: &Vault, storage: StorageId, secrets: &Secrets) -> Vec<u8> {
    let plain = zeroize::Zeroizing::new(Value::Object(secrets.expose()).to_string());
    vault.seal(&place(storage), plain.as_bytes())
}

/// Decrypts a storage's secrets.
pub(crate) fn unseal(vault: &Vault, row: &StorageRow) -> Result<Secrets, Error> {
    let plain = vault.unseal(&place(row.id), &row.secrets)?;
    let fields: Map<String, Value> = serde_json::from_slice(&plain).map_err(|_| {
        Error::Vault(format!("the stored secrets of {} are not what Charon writes", row.name))
    })?;
    Ok(Secrets::new(fields))
}

fn place(storage: StorageId) -> String {
    format!("storage/{storage}")
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use charon_provider::{Cost, Host};
    use futures::FutureExt;

    use super::{StorageHost, within};
    use crate::{
        budget::{Budgets, Purpose, Spending},
        clock::{ManualClock, SystemEntropy},
        ids::StorageId,
        lane::Lane,
        store::Store,
        vault::Vault,
    };

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn waiting_for_a_permit_is_not_waiting_for_an_answer() {
        // I7
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().expect("a time")));
        let entropy = Arc::new(SystemEntropy);
        let store = Store::open(&folder.path().join("charon.db")).await.expect("a database");
        let budgets = Budgets::new(store.clone(), clock.clone());
        let host = StorageHost {
            storage: StorageId::new(&*clock, &*entropy),
            store,
            vault: Vault::open(&folder.path().join("charon.key"), entropy.clone()).expect("a vault"),
            clock: clock.clone(),
            entropy,
            lane: Arc::new(Lane::new(clock.clone())),
            spending: Arc::new(Spending::new(budgets, Purpose::Run)),
            requests: Arc::default(),
        };
        let seconds = |seconds| clock.advance(Duration::from_secs(seconds));
        host.lane.hold(Duration::from_mins(1));
        let mut work = Box::pin(within(LIMIT, &*clock, async {
            host.permit(Cost("api")).await.expect("a permit");
            std::future::pending::<()>().await;
        }));
        for _ in 0..7 {
            assert_eq!(work.as_mut().now_or_never(), None, "it waits for its permit");
            seconds(9);
        }
        // It has its permit since now, and no answer comes.
        assert_eq!(work.as_mut().now_or_never(), None);
        seconds(9);
        assert_eq!(work.as_mut().now_or_never(), None);
        seconds(1);
        assert_eq!(work.as_mut().now_or_never(), Some(None));
    }
}
