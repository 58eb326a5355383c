//! The way home: list → diff → assign path → fetch → store → record.
//!
//! Each stage runs beside the others, with a bounded channel between, so that memory does not grow with the library:
//! [`listing`] gets pages and finds out what is new, [`fetching`] gets the bytes and puts them into their place,
//! [`recording`] makes it durable in the ledger. When the run stops, each stage lets go of what is half done and the next
//! ends because nothing comes any more.

mod addresses;
mod fetching;
mod listing;
mod recording;

use std::sync::Arc;

use charon_provider::{Selection, Storage};
use tokio::sync::mpsc;

use crate::{error::Error, mirror::Mirror, run::RunContext};
use addresses::Addresses;

/// Items that have been listed and not been fetched yet.
const LISTED_AHEAD: usize = 100;
/// Downloads at a time.
const FETCHES: usize = 16;
/// Items that are in their place and not in the ledger yet; also the most that one transaction records.
const UNRECORDED: usize = 64;

/// What a backup works with.
#[derive(Debug)]
pub(crate) struct Backup {
    pub(crate) ctx: Arc<RunContext>,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) mirror: Arc<Mirror>,
    pub(crate) wanted: Selection,
}

/// An item whose bytes are wanted, with the path that the ledger has for it.
#[derive(Debug)]
struct Wanted {
    asset_id: i64,
    path: String,
    /// Where the item, with its present address, is found.
    page: Arc<Addresses>,
    id: charon_provider::RemoteId,
}

/// Runs a backup to its end, or until the run stops.
pub(crate) async fn run(backup: Backup) {
    let backup = Arc::new(backup);
    let (listed_in, listed) = mpsc::channel(LISTED_AHEAD);
    let (placed_in, placed) = mpsc::channel(UNRECORDED);
    // A stage that fails stops the others.
    let or_stop = |ended: Result<(), Error>| ended.unwrap_or_else(|error| backup.ctx.stop_for(&error));
    tokio::join!(
        async { or_stop(listing::list(&backup, listed_in).await) },
        fetching::fetch(&backup, listed, placed_in),
        async { or_stop(recording::record(&backup, placed).await) },
    );
}

#[cfg(test)]
mod tests;
