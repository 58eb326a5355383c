//! A storage that is browsed: kept open for a while, with what its pages have told of their items, and the small pictures that were
//! fetched. All of it is bounded.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use charon_provider::{Class, Error as StorageError, Existence, Reason, RemoteId, RemoteItem, Source};
use jiff::Timestamp;
use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use super::ask;
use crate::{engine::Engine, error::Error, ids::StorageId, storages::Opened};

/// A storage that nobody has browsed for so long is let go.
const IDLE: Duration = Duration::from_mins(10);
/// So many items are remembered.
const ITEMS: usize = 5_000;
/// So many bytes of small pictures are kept.
const PICTURES: usize = 16 * 1024 * 1024;
/// So many small pictures are fetched at a time, and so many originals: a page has many, and runs go on beside it.
const AT_A_TIME: usize = 4;

/// The storages that are browsed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shelves(Arc<Mutex<HashMap<StorageId, Arc<Shelf>>>>);

/// One of them.
pub(crate) struct Shelf {
    pub(super) opened: Opened,
    /// What it was opened with; with another configuration it is another one.
    config: Map<String, Value>,
    secrets: Vec<u8>,
    /// Held while items are looked up, so that others find theirs among them.
    looking: tokio::sync::Mutex<()>,
    pub(super) fetching: Semaphore,
    pub(super) originals: Arc<Semaphore>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    used_at: Option<Timestamp>,
    items: HashMap<RemoteId, RemoteItem>,
    /// In the order in which they came; some may be there twice.
    order: VecDeque<RemoteId>,
    /// Items that nobody has told of yet, and that are likely to be asked for.
    expected: Vec<RemoteId>,
    pictures: HashMap<(RemoteId, u32), Bytes>,
    picture_order: VecDeque<(RemoteId, u32)>,
    picture_bytes: usize,
}

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shelf").finish_non_exhaustive()
    }
}

impl Engine {
    /// A storage, open to be browsed.
    pub(crate) async fn shelf(&self, storage: StorageId) -> Result<Arc<Shelf>, Error> {
        let row = self.store.storage_by_id(storage).await?.ok_or_else(|| Error::Unknown {
            what: "storage",
            name: storage.to_string(),
            known: "it may have been removed; choose another one".into(),
        })?;
        let now = self.clock.now();
        let mut shelves = self.shelves.0.lock().expect("nothing panics while it holds the shelves");
        shelves.retain(|_, browsed| !browsed.is_idle(now));
        let known = shelves
            .get(&storage)
            .filter(|browsed| browsed.config == row.config && browsed.secrets == row.secrets);
        let browsed = if let Some(browsed) = known {
            Arc::clone(browsed)
        } else {
            let browsed = Arc::new(Shelf {
                opened: self.open_row(&row)?,
                config: row.config,
                secrets: row.secrets,
                looking: tokio::sync::Mutex::default(),
                fetching: Semaphore::new(AT_A_TIME),
                originals: Arc::new(Semaphore::new(AT_A_TIME)),
                kept: Mutex::default(),
            });
            shelves.insert(storage, Arc::clone(&browsed));
            browsed
        };
        browsed.kept().used_at = Some(now);
        Ok(browsed)
    }
}

impl Shelf {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("nothing panics while it holds what is kept")
    }

    fn is_idle(&self, now: Timestamp) -> bool {
        let used_at = self.kept().used_at;
        used_at.is_none_or(|used_at| now.duration_since(used_at).unsigned_abs() >= IDLE)
    }

    /// These are likely to be asked for.
    pub(crate) fn expect(&self, ids: impl Iterator<Item = RemoteId>) {
        let mut kept = self.kept();
        kept.expected = ids.filter(|id| !kept.items.contains_key(id)).collect();
    }

    /// Remembers what a page told of its items.
    pub(super) fn keep(&self, items: Vec<RemoteItem>) {
        let mut kept = self.kept();
        for item in items {
            kept.order.push_back(item.id.clone());
            kept.items.insert(item.id.clone(), item);
        }
        while kept.order.len() > ITEMS {
            if let Some(oldest) = kept.order.pop_front()
                && !kept.order.contains(&oldest)
            {
                kept.items.remove(&oldest);
            }
        }
    }

    /// An item as it was last seen, with an address other than the one that turned out stale; looked up if that is not known, together
    /// with others that need it.
    pub(super) async fn item(
        &self,
        engine: &Engine,
        source: &dyn Source,
        id: &RemoteId,
        stale: Option<&RemoteItem>,
    ) -> Result<RemoteItem, Error> {
        let known = || {
            let item = self.kept().items.get(id).cloned();
            item.filter(|item| stale.is_none_or(|stale| stale.address != item.address))
        };
        if let Some(item) = known() {
            return Ok(item);
        }
        let _turn = self.looking.lock().await;
        if let Some(item) = known() {
            return Ok(item);
        }
        let ids = self.to_look_up(id, source.confirm_limit(), engine.clock.now());
        let answers = ask(engine, &self.opened, || source.confirm(&ids)).await?;
        let doing = "look the item up";
        let mut own = Err(StorageError::new(Class::Transient, doing, "the storage did not answer for it"));
        let mut found = Vec::new();
        for (asked, answer) in ids.iter().zip(answers) {
            let answer = match answer {
                Existence::Found(item) => {
                    found.push((*item).clone());
                    Ok(*item)
                }
                Existence::NotFound => {
                    let gone = "the storage says that it is not there";
                    Err(StorageError::new(Class::Item, doing, gone).because(Reason::NotFound))
                }
                Existence::Unknown(why) => Err(StorageError::new(Class::Transient, doing, why)),
            };
            if asked == id {
                own = answer;
            }
        }
        self.keep(found);
        own.map_err(|error| match error.reason {
            Reason::NotFound => Error::Unknown {
                what: "item",
                name: id.to_string(),
                known: "the storage says that it is not there; it may have been deleted".into(),
            },
            _ => error.into(),
        })
    }

    /// This item, those that are expected, and those whose addresses are over, as many as one look-up takes.
    fn to_look_up(&self, first: &RemoteId, most: usize, now: Timestamp) -> Vec<RemoteId> {
        let mut kept = self.kept();
        let mut ids = vec![first.clone()];
        let expected = std::mem::take(&mut kept.expected);
        let over = kept.order.iter().rev().filter(|id| {
            let address = kept.items.get(*id).and_then(|item| item.address.as_ref());
            address.is_some_and(|address| address.valid_until <= now)
        });
        for id in expected.iter().chain(over) {
            if ids.len() >= most {
                break;
            }
            if !ids.contains(id) {
                ids.push(id.clone());
            }
        }
        ids
    }

    /// A small picture that was fetched a moment ago.
    pub(super) fn picture(&self, id: &RemoteId, pixels: u32) -> Option<Bytes> {
        self.kept().pictures.get(&(id.clone(), pixels)).cloned()
    }

    /// Keeps a small picture; the oldest ones give way.
    pub(super) fn keep_picture(&self, id: &RemoteId, pixels: u32, bytes: Bytes) {
        let mut kept = self.kept();
        let key = (id.clone(), pixels);
        kept.picture_bytes += bytes.len();
        match kept.pictures.insert(key.clone(), bytes) {
            Some(before) => kept.picture_bytes -= before.len(),
            None => kept.picture_order.push_back(key),
        }
        while kept.picture_bytes > PICTURES {
            let Some(oldest) = kept.picture_order.pop_front() else { break };
            if let Some(bytes) = kept.pictures.remove(&oldest) {
                kept.picture_bytes -= bytes.len();
            }
        }
    }
}
