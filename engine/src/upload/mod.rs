//! The way out: scan → hash → diff → send → commit → record.
//!
//! Folders are scanned and hashed ([`scanning`], [`hashing`]) while what is new is being sent ([`sending`]), and files go up
//! while a batch of those before them is being committed ([`batcher`], [`committing`]). Bytes that the storage has already only
//! join the album ([`joining`]). Each stage is bounded, so that memory does not grow with the folders.

mod albums;
mod batcher;
mod coming;
mod committing;
mod content;
mod counting;
mod given;
mod hashing;
mod joining;
mod one_file;
mod refusals;
mod scanning;
mod sending;
mod sessions;
mod shares;
mod sidecars;

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
};

use charon_provider::{Class, Error as StorageError, Format, Position, Storage};
use tokio::sync::mpsc;

use crate::{error::Error, ids::Sha256, run::RunContext, vault::Vault};
use committing::ToStorage;
pub(crate) use counting::{Counted, count};
pub(crate) use given::{Given, look_at, send_given};
pub(crate) use refusals::again_at;
pub(crate) use scanning::{path_key, refuse_suddenly_empty};
pub(crate) use sessions::forget_old;
pub(crate) use shares::Shares;

/// Files that have been found and not been hashed yet.
const FOUND_AHEAD: usize = 256;
/// Files that are looked up in the ledger at once.
const LOOKED_UP: usize = 100;

/// What an upload works with.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) ctx: Arc<RunContext>,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) vault: Vault,
    pub(crate) sources: Vec<PathBuf>,
    /// The title of the album.
    pub(crate) album: Option<String>,
    /// Where in the album new items go.
    pub(crate) album_position: Position,
    /// Whether descriptions are taken from sidecars.
    pub(crate) descriptions: bool,
    /// Whether this run made the album: Google may answer for a while that a new album is not found.
    pub(crate) album_is_new: AtomicBool,
    /// What is taken ahead of the budget for the commits of what is sent.
    pub(crate) shares: Shares,
}

/// A file that a scan has found and that the storage takes.
#[derive(Clone, Debug)]
struct Found {
    path: PathBuf,
    size: u64,
    /// Nanoseconds since the Unix epoch.
    modified_ns: i64,
    format: &'static Format,
    /// Its place in the scan.
    place: u64,
}

/// A file whose bytes are known.
#[derive(Clone, Debug)]
pub(crate) struct Hashed {
    found: Found,
    sha256: Sha256,
}

/// Runs an upload to its end, or until the run stops.
pub(crate) async fn run(upload: Upload) {
    let upload = Arc::new(upload);
    let ctx = &upload.ctx;
    let (found_in, found) = mpsc::channel(FOUND_AHEAD);
    let (hashed_in, hashed) = mpsc::channel(LOOKED_UP);
    let (intake, batcher) = batcher::batcher(&ctx.facts.batch);
    // Nothing is flushed as "the last batch" while files may still come.
    let more_may_come = intake.announce();
    let committer = ToStorage::new(Arc::clone(&upload));
    // A stage that fails stops the others.
    let or_stop = |ended: Result<(), Error>| ended.unwrap_or_else(|error| ctx.stop_for(&error));
    or_stop(sessions::forget_old(&upload).await);
    tokio::join!(
        async { or_stop(scanning::scan(&upload, found_in).await) },
        async { or_stop(hashing::hash(&upload, found, hashed_in).await) },
        async { or_stop(sending::send(&upload, hashed, intake, more_may_come).await) },
        async { or_stop(batcher.run(&committer, &*ctx.clock).await) },
    );
}

impl Upload {
    /// Stops the run for an error that the next file would meet as well.
    fn stop_if_it_concerns_all(&self, error: &StorageError) {
        if !matches!(error.class, Class::Item | Class::Transient) {
            self.ctx.stop_for_storage(error);
        }
    }
}

impl Found {
    /// The path as the ledger keeps it.
    fn key(&self) -> String {
        scanning::path_key(&self.path)
    }

    /// The file's name, which the item shall have too.
    fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}
