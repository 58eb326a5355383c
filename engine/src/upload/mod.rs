//! The way out: scan → hash → diff → send → commit → record.
//!
//! Folders are scanned and hashed ([`scanning`], [`hashing`]) while what is new is being sent ([`sending`]), and files go up
//! while a batch of those before them is being committed ([`batcher`], [`committing`]). Bytes that the storage has already only
//! join their albums ([`joining`]). What is where it should be may go out of its folder then ([`afterwards`]). Each stage is bounded, so that memory does not grow with the folders.

mod afterwards;
mod albums;
mod batcher;
mod coming;
mod committing;
mod content;
mod counting;
mod given;
mod globs;
mod hashing;
mod joining;
mod kept;
mod leaving;
mod one_file;
mod refusals;
mod scanning;
mod sending;
mod sessions;
mod shares;
mod sidecars;
mod taken;
mod titles;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use charon_provider::{Class, Error as StorageError, Format, Position, Storage};
use charon_schema::Mistakes;
use tokio::sync::{Mutex, mpsc};

use crate::{
    error::Error,
    ids::Sha256,
    plan::{AlbumPosition, UploadConfig},
    run::RunContext,
    store::{KnownFile, Taken},
    vault::Vault,
};
use afterwards::Onwards;
use albums::AlbumsOfRun;
pub(crate) use albums::{forget as forget_album, known as known_album, look_for as look_for_album};
use committing::ToStorage;
pub(crate) use counting::{Counted, FOR_AN_ALBUM, count};
pub(crate) use given::{Given, look_at, send_given};
pub(crate) use globs::Globs;
pub(crate) use kept::{Kept, Truth, of_mirror, send_in_order};
pub(crate) use leaving::{After, name_anew};
pub(crate) use refusals::{again_at, is_held_back};
pub(crate) use scanning::{path_key, refuse_suddenly_empty};
pub(crate) use sessions::forget_old;
pub(crate) use shares::Shares;
pub(crate) use taken::moment as taken_moment;
pub(crate) use titles::Titles;

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
    /// Which files are sent.
    pub(crate) globs: Globs,
    /// Which albums they go into.
    pub(crate) titles: Titles,
    /// Where in the album new items go.
    pub(crate) album_position: Position,
    /// Whether descriptions are taken from sidecars.
    pub(crate) descriptions: bool,
    /// What becomes of files once they are where they should be.
    pub(crate) after: After,
    /// How many files have gone from each source folder, by its path.
    pub(crate) left: Mutex<HashMap<String, i64>>,
    /// What the run has learnt of albums.
    pub(crate) albums: AlbumsOfRun,
    /// What is taken ahead of the budget for the commits of what is sent.
    pub(crate) shares: Shares,
    /// What a restore has found out of the storage.
    pub(crate) truth: Truth,
}

/// A file that a scan has found and that the storage takes.
#[derive(Clone, Debug)]
struct Found {
    path: PathBuf,
    /// The source folder that it was found in.
    source: Arc<Path>,
    size: u64,
    /// Nanoseconds since the Unix epoch.
    modified_ns: i64,
    format: &'static Format,
    /// Its place in the scan.
    place: u64,
    /// What is known of it, where it is a file of a mirror; its path is below the destination of that.
    kept: Option<Arc<Kept>>,
}

/// A file whose bytes are known.
#[derive(Clone, Debug)]
pub(crate) struct Hashed {
    found: Found,
    sha256: Sha256,
    /// The title of the album that it goes into.
    album: Option<Arc<str>>,
}

/// Runs an upload to its end, or until the run stops.
pub(crate) async fn run(upload: Arc<Upload>) {
    let ctx = &upload.ctx;
    let (found_in, found) = mpsc::channel(FOUND_AHEAD);
    let (hashed_in, hashed) = mpsc::channel(LOOKED_UP);
    let (intake, batcher) = batcher::batcher(&ctx.facts.batch);
    // Nothing is flushed as "the last batch" while files may still come.
    let more_may_come = intake.announce();
    let (onwards, settled) = Onwards::of(&upload.after);
    let committer = ToStorage::new(Arc::clone(&upload));
    // A stage that fails stops the others.
    let or_stop = |ended: Result<(), Error>| ended.unwrap_or_else(|error| ctx.stop_for(&error));
    or_stop(sessions::forget_old(&upload).await);
    tokio::join!(
        async { or_stop(scanning::scan(&upload, found_in).await) },
        async { or_stop(hashing::hash(&upload, found, hashed_in).await) },
        async { or_stop(sending::send(&upload, hashed, intake, more_may_come, onwards).await) },
        async { or_stop(batcher.run(&committer, &*ctx.clock).await) },
        async { or_stop(afterwards::see_to(&upload, settled).await) },
    );
}

impl Upload {
    /// The upload of a plan.
    ///
    /// # Errors
    /// What is wrong with its configuration; it was judged when it was saved.
    pub(crate) fn of_plan(
        ctx: Arc<RunContext>,
        storage: Arc<dyn Storage>,
        vault: Vault,
        config: UploadConfig,
    ) -> Result<Self, Error> {
        let wrong = |mistakes: Mistakes| Error::Config { what: "the plan".into(), mistakes };
        Ok(Self {
            globs: config.globs().map_err(wrong)?,
            after: config.after().map_err(wrong)?,
            left: Mutex::default(),
            titles: config.titles(ctx.facts.limits.album_title_chars).map_err(wrong)?,
            ctx,
            storage,
            vault,
            sources: config.sources,
            album_position: match config.album_position {
                AlbumPosition::Last => Position::Last,
                AlbumPosition::First => Position::First,
            },
            descriptions: config.descriptions,
            albums: AlbumsOfRun::default(),
            shares: Shares::default(),
            truth: Truth::default(),
        })
    }

    /// Stops the run for an error that the next file would meet as well.
    fn stop_if_it_concerns_all(&self, error: &StorageError) {
        if !matches!(error.class, Class::Item | Class::Transient) {
            self.ctx.stop_for_storage(error);
        }
    }
}

impl Hashed {
    /// The file as the ledger keeps it.
    fn known_file(&self, taken: Taken) -> KnownFile {
        let Self { found, sha256, .. } = self;
        KnownFile { size: found.size, modified_ns: found.modified_ns, sha256: *sha256, taken }
    }
}

impl Found {
    /// The path as the ledger keeps it.
    fn key(&self) -> String {
        scanning::path_key(&self.path)
    }

    /// The file's name, which the item shall have too.
    fn name(&self) -> String {
        if let Some(kept) = &self.kept {
            return kept.name.clone();
        }
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}
