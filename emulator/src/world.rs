//! The truth behind the API: what exists, what was asked, what goes wrong, and what time it is.
//!
//! A [`World`] is a handle; clones are the same world. Everything that the admin paths can do is a method here.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;

use crate::{
    account::Owner,
    clock::Clock,
    content::Content,
    fault::{ActiveFault, Fault},
    seed::{Seed, Seeded},
    settings::Settings,
    sniff::sniff,
    state::{Item, State, hash_of, hex},
    stats::Stats,
};

/// A handle to the emulated world.
#[derive(Debug, Clone)]
pub struct World {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    clock: Clock,
    url: OnceLock<String>,
}

/// An item as it really is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ItemTruth {
    /// Media item id.
    pub id: String,
    /// Which client's it is.
    pub client_id: String,
    /// `sub` of the account that it belongs to.
    pub account: String,
    /// The name of the first upload.
    pub filename: String,
    /// The user's text.
    pub description: String,
    /// MIME type.
    pub mime_type: String,
    /// `creationTime`.
    pub taken_at: Timestamp,
    /// When it came into the library.
    pub created_at: Timestamp,
    /// Pixels, if known.
    pub dimensions: Option<(u32, u32)>,
    /// SHA-256 of the original bytes, lower-case hexadecimal; `None` where hashes were not asked for.
    pub sha256: Option<String>,
    /// Bytes of the original; `None` where hashes were not asked for.
    pub size: Option<u64>,
    /// How many batchCreate results led to it: 0 for seeded items.
    pub times_uploaded: u64,
    /// Whether it is a motion or live photo: [`World::clip`] has what moves.
    pub clip: bool,
    /// Whether the user starred it.
    pub favorite: bool,
    /// Whether the user archived it.
    pub archived: bool,
    /// Ids of the albums that hold it.
    pub albums: Vec<String>,
}

/// An album as it really is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AlbumTruth {
    /// Album id.
    pub id: String,
    /// Which client's it is.
    pub client_id: String,
    /// `sub` of the account that it belongs to.
    pub account: String,
    /// Title.
    pub title: String,
    /// Ids of its items, in order.
    pub item_ids: Vec<String>,
    /// Entries that are not items: texts, places, maps.
    pub enrichments: usize,
}

/// A fault that was added, and how often it happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FaultTruth {
    /// Number for [`World::remove_fault`].
    pub number: u64,
    /// How often it happened.
    pub done: u64,
    /// The fault.
    pub fault: Fault,
}

/// Why something could not be done to the world.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// `PATCH /-/settings` with something that is not a change of settings.
    #[error("the settings cannot be changed so: {0}")]
    Settings(#[source] serde_json::Error),
    /// Neither a picture nor a video.
    #[error("{0} is neither a picture nor a video")]
    NotMedia(String),
}

impl World {
    /// A world without a server, empty.
    pub fn new(settings: Settings) -> World {
        let clock = Clock::new(settings.fixed_time);
        World {
            inner: Arc::new(Inner { state: Mutex::new(State::new(settings)), clock, url: OnceLock::new() }),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere must not hide behind a poisoned lock: the state is consistent between statements.
        self.inner.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn set_url(&self, url: String) {
        // Set once, by the server that has just bound its address.
        self.inner.url.get_or_init(|| url);
    }

    pub(crate) fn url(&self) -> &str {
        self.inner.url.get().map_or("http://127.0.0.1", String::as_str)
    }

    /// The emulator's time.
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// Moves the emulator's time forward.
    pub fn advance(&self, by: SignedDuration) {
        self.inner.clock.advance(by);
    }

    /// Fills a library.
    pub fn seed(&self, seed: &Seed) -> Seeded {
        let now = self.now();
        self.lock().seed(seed, now)
    }

    /// Puts a file into a client's library as if the user had uploaded it by other means; returns its id. It belongs to
    /// the account in the settings.
    pub fn add_item(
        &self,
        client_id: &str,
        filename: &str,
        bytes: impl Into<Bytes>,
    ) -> Result<String, WorldError> {
        let bytes = bytes.into();
        let sniffed = sniff(&bytes).ok_or_else(|| WorldError::NotMedia(filename.to_owned()))?;
        let now = self.now();
        let hash = hash_of(&bytes);
        let mut state = self.lock();
        let owner = Owner::new(client_id, &state.settings.account());
        if let Some(number) = state.same_bytes(&owner, (hash, bytes.len() as u64), Some(&sniffed)) {
            return Ok(state.items[number].id.clone());
        }
        let known = Some((hash, bytes.len() as u64));
        let taken_at = sniffed.taken_at.unwrap_or(now);
        let content = Content::Stored(bytes);
        let blank = Item::blank(owner, filename.to_owned(), sniffed.mime_type, taken_at, content);
        let number = state.add_item(Item {
            created_at: now,
            dimensions: sniffed.dimensions,
            exif: Box::new(sniffed.exif),
            frames_per_second: sniffed.frames_per_second,
            known,
            ..blank
        });
        Ok(state.items[number].id.clone())
    }

    /// How many items exist, whoever they belong to.
    pub fn item_count(&self) -> usize {
        self.lock().item_ids.len()
    }

    /// Every item, in the order in which they came. Seeded pictures are drawn and hashed for this, once; see
    /// [`World::items_without_hashes`].
    pub fn items(&self) -> Vec<ItemTruth> {
        let unknown: Vec<(usize, Content)> = {
            let state = self.lock();
            let numbered = state.items.iter().enumerate();
            numbered
                .filter(|(_, item)| !item.removed && item.known.is_none())
                .map(|(n, item)| (n, item.content.clone()))
                .collect()
        };
        for (number, content) in unknown {
            if let Some((hash, size)) = content.digest() {
                self.lock().learn(number, hash, size);
            }
        }
        self.items_without_hashes()
    }

    /// Every item; hashes and sizes only where they are known already.
    pub fn items_without_hashes(&self) -> Vec<ItemTruth> {
        let state = self.lock();
        let mut albums = vec![Vec::new(); state.items.len()];
        for album in &state.albums {
            for item in album.items() {
                albums[item].push(album.id.clone());
            }
        }
        let items = state.items.iter().zip(albums);
        items
            .filter(|(item, _)| !item.removed)
            .map(|(item, albums)| ItemTruth {
                id: item.id.clone(),
                client_id: item.owner.client_id.clone(),
                account: item.owner.account.clone(),
                filename: item.filename.clone(),
                description: item.description.clone(),
                mime_type: item.mime_type.clone(),
                taken_at: item.taken_at,
                created_at: item.created_at,
                dimensions: item.dimensions,
                sha256: item.known.map(|(hash, _)| hex(&hash)),
                size: item.known.map(|(_, size)| size),
                times_uploaded: item.times_uploaded,
                clip: item.clip.is_some(),
                favorite: item.favorite,
                archived: item.archived,
                albums,
            })
            .collect()
    }

    /// The original bytes of an item; `None` if there is no such item or its bytes were not kept. A large video is not
    /// held at once: see [`World::original_part`].
    pub fn original(&self, id: &str) -> Option<Bytes> {
        self.read(id, |item| item.content.clone())?.original()
    }

    /// Every album, in the order in which they came.
    pub fn albums(&self) -> Vec<AlbumTruth> {
        let state = self.lock();
        let albums = state.albums.iter().filter(|album| !album.removed);
        albums
            .map(|album| AlbumTruth {
                id: album.id.clone(),
                client_id: album.owner.client_id.clone(),
                account: album.owner.account.clone(),
                title: album.title.clone(),
                item_ids: album.items().map(|item| state.items[item].id.clone()).collect(),
                enrichments: album.entries.len() - album.members.len(),
            })
            .collect()
    }

    /// What was asked since the start or the last reset.
    pub fn stats(&self) -> Stats {
        self.lock().stats.clone()
    }

    /// Begins to count anew.
    pub fn reset_stats(&self) {
        self.lock().stats = Stats::default();
    }

    /// Adds a misbehaviour; returns its number.
    pub fn add_fault(&self, fault: Fault) -> u64 {
        let mut state = self.lock();
        state.fault_number += 1;
        let number = state.fault_number;
        state.faults.push(ActiveFault::new(number, fault));
        number
    }

    /// Ends one misbehaviour; whether there was one.
    pub fn remove_fault(&self, number: u64) -> bool {
        let mut state = self.lock();
        let before = state.faults.len();
        state.faults.retain(|fault| fault.number != number);
        state.faults.len() < before
    }

    /// Behaves again.
    pub fn clear_faults(&self) {
        self.lock().faults.clear();
    }

    /// The misbehaviours that were added.
    pub fn faults(&self) -> Vec<FaultTruth> {
        let state = self.lock();
        let faults = state.faults.iter();
        faults.map(|f| FaultTruth { number: f.number, done: f.done, fault: f.fault.clone() }).collect()
    }

    /// How the emulator behaves now.
    pub fn settings(&self) -> Settings {
        self.lock().settings.clone()
    }

    /// Changes the settings. `listen`, `seed` and `fixed_time` are only read at the start.
    pub fn update_settings(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.lock().settings);
    }

    /// Changes the settings that are named in a JSON object; returns all of them.
    pub fn patch_settings(&self, patch: &Value) -> Result<Settings, WorldError> {
        let mut state = self.lock();
        let mut all = serde_json::to_value(&state.settings).map_err(WorldError::Settings)?;
        match patch.as_object() {
            Some(changes) => {
                for (name, value) in changes {
                    all[name] = value.clone();
                }
            }
            None => all = patch.clone(),
        }
        state.settings = serde_json::from_value(all).map_err(WorldError::Settings)?;
        Ok(state.settings.clone())
    }

    /// Kills every base URL minted so far.
    pub fn expire_base_urls(&self) {
        self.lock().base_url_generation += 1;
    }
}
