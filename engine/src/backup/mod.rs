//! The way home: list → diff → assign path → fetch → store → record.
//!
//! Each stage runs beside the others, with a bounded channel between, so that memory does not grow with the library:
//! [`listing`] gets pages, [`diffing`] finds out what is new, [`fetching`] gets the bytes and puts them into their place,
//! [`recording`] makes it durable in the ledger. When the run stops, each stage lets go of what is half done and the next
//! ends because nothing comes any more.

mod addresses;
mod again;
mod diffing;
mod fetching;
mod listing;
mod measuring;
mod quick;
mod recording;
mod selecting;
mod walk;

use std::{collections::HashMap, sync::Arc};

use charon_provider::{AlbumId, RemoteId, Selection, Storage};
use tokio::sync::{Mutex, Semaphore, mpsc};

use crate::{error::Error, mirror::Mirror, naming::Layout, run::RunContext};
use addresses::Addresses;
use diffing::Missing;
pub(crate) use diffing::STILL_PROCESSED;
pub(crate) use selecting::{select, titles};
pub(crate) use walk::Walk;

/// Files that are flushed and put into their places at a time: more only stand in each other's way.
const PLACED_AT_A_TIME: usize = 4;
/// Items that have been listed and not been fetched yet.
const LISTED_AHEAD: usize = 100;
/// Items that wait for the ledger to have them; also the most that one transaction records.
const UNRECORDED: usize = 64;

/// What a backup works with.
#[derive(Debug)]
pub(crate) struct Backup {
    ctx: Arc<RunContext>,
    storage: Arc<dyn Storage>,
    mirror: Arc<Mirror>,
    wanted: Selection,
    /// For how long a full listing lets others be quick.
    full_listing_hours: u32,
    /// How the paths of new items are made up.
    layout: Layout,
    /// The titles of the albums that are listed, where paths are made of them.
    titles: HashMap<AlbumId, String>,
    /// Held from finding a path free to having it in the ledger.
    assigning: Mutex<()>,
    /// Held while a file is flushed and put into its place.
    placing: Semaphore,
}

/// An item that is not home, or not all of it, with the paths that the ledger has for it.
#[derive(Debug)]
struct Wanted {
    asset_id: i64,
    path: String,
    /// What of it is wanted.
    missing: Missing,
    /// Whether the whole, and the clip, have been home before.
    whole_was_home: bool,
    clip_was_home: bool,
    /// How often the storage has said that there is no clip.
    denials: u32,
    /// Where the clip goes, if that is known.
    clip_path: Option<String>,
    /// Where the item, with its present address, is found.
    page: Arc<Addresses>,
    id: RemoteId,
}

impl Backup {
    pub(crate) fn new(
        ctx: Arc<RunContext>,
        storage: Arc<dyn Storage>,
        mirror: Mirror,
        wanted: Selection,
        full_listing_hours: u32,
    ) -> Self {
        Self {
            ctx,
            storage,
            mirror: Arc::new(mirror),
            wanted,
            full_listing_hours,
            layout: Layout::usual(),
            titles: HashMap::new(),
            assigning: Mutex::default(),
            placing: Semaphore::new(PLACED_AT_A_TIME),
        }
    }
}

impl Backup {
    /// With new items at the paths of this layout, in which albums have these titles.
    pub(crate) fn laid_out(self, layout: Layout, titles: HashMap<AlbumId, String>) -> Self {
        Self { layout, titles, ..self }
    }
}

/// Runs a backup to its end, or until the run stops.
pub(crate) async fn run(backup: Backup) {
    let backup = Arc::new(backup);
    let (listed_in, listed) = mpsc::channel(LISTED_AHEAD);
    let (placed_in, placed) = mpsc::channel(UNRECORDED);
    // A stage that fails stops the others.
    let or_stop = |ended: Result<(), Error>| ended.unwrap_or_else(|error| backup.ctx.stop_for(&error));
    tokio::join!(
        async {
            or_stop(match backup.ctx.failed_of {
                Some(run) => again::failed_of(&backup, run, listed_in).await,
                None => listing::list(&backup, listed_in).await,
            });
        },
        fetching::fetch(&backup, listed, placed_in),
        async { or_stop(recording::record(&backup, placed).await) },
    );
}

#[cfg(test)]
mod tests;
