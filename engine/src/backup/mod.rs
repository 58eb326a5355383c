//! The way home: list → diff → assign path → fetch → store → record.
//!
//! Each stage runs beside the others, with a bounded channel between, so that memory does not grow with the library:
//! [`listing`] gets pages, [`diffing`] finds out what is new, [`fetching`] gets the bytes and puts them into their place,
//! [`recording`] makes it durable in the ledger. When the run stops, each stage lets go of what is half done and the next
//! ends because nothing comes any more.

mod addresses;
mod again;
mod better;
mod diffing;
mod fetching;
mod listing;
mod measuring;
mod nearby;
mod quick;
mod recording;
mod selecting;
mod walk;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use charon_provider::{AlbumId, Albums, RemoteId, Selection, Source, Storage};
use jiff::tz::TimeZone;
use tokio::sync::{Mutex, OnceCell, Semaphore, mpsc};

use crate::{
    album_files,
    error::Error,
    ids::RunId,
    mirror::Mirror,
    naming::Layout,
    plan::{AlbumFiles, BackupConfig, DeletionConfig},
    run::RunContext,
    sidecars::{self, Sidecar, Sidecars},
    trash, verify,
};
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
    /// The title of an album of each item, where paths are made of them and no albums are listed: looked up when something is new.
    titles_of_items: OnceCell<HashMap<RemoteId, Arc<str>>>,
    /// What is kept, and beside it.
    keeping: Keeping,
    /// Whether the trash of the mirror holds anything.
    has_trash: AtomicBool,
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
    /// Whether the whole that was home is the original, and what is in its place now may be of use: nothing lesser takes it.
    keeps_original: bool,
    /// How often the storage has said that there is no clip.
    denials: u32,
    /// Where the clip goes, if that is known.
    clip_path: Option<String>,
    /// Where the item, with its present address, is found.
    page: Arc<Addresses>,
    id: RemoteId,
}

/// What a mirror keeps, and beside it.
#[derive(Clone, Debug)]
pub(crate) struct Keeping {
    /// What becomes of items that are gone from the account.
    pub(crate) deletion: DeletionConfig,
    /// What stands for albums; what fits the mirror, if the plan does not say.
    pub(crate) albums: Option<AlbumFiles>,
    pub(crate) sidecars: Sidecars,
    /// The time zone whose days the folders of albums have.
    pub(crate) zone: TimeZone,
    /// How many hundredths of the mirror are verified in each run.
    pub(crate) verify_percent: u8,
}

impl Keeping {
    pub(crate) fn of(config: &BackupConfig) -> Self {
        // A zone that is unknown was refused when the plan was saved.
        let zone = TimeZone::get(&config.time_zone).unwrap_or(TimeZone::UTC);
        Self {
            deletion: config.deletion,
            albums: config.albums,
            sidecars: config.sidecars,
            zone,
            verify_percent: config.verify_percent,
        }
    }
}

impl Backup {
    pub(crate) fn context(&self) -> &Arc<RunContext> {
        &self.ctx
    }

    pub(crate) fn source(&self) -> Option<&dyn Source> {
        self.storage.source()
    }

    /// What is wanted of the storage.
    pub(crate) fn wanted(&self) -> &Selection {
        &self.wanted
    }

    pub(crate) fn deletion(&self) -> &DeletionConfig {
        &self.keeping.deletion
    }

    /// What stands for albums, if the plan says so.
    pub(crate) fn album_files(&self) -> Option<AlbumFiles> {
        self.keeping.albums
    }

    pub(crate) fn albums(&self) -> Option<&dyn Albums> {
        self.storage.albums()
    }

    /// The time zone whose days the folders of albums have.
    pub(crate) fn zone(&self) -> &TimeZone {
        &self.keeping.zone
    }

    pub(crate) fn sidecars(&self) -> &'static [Sidecar] {
        self.keeping.sidecars.kinds()
    }

    pub(crate) fn mirror(&self) -> &Arc<Mirror> {
        &self.mirror
    }

    pub(crate) fn new(
        ctx: Arc<RunContext>,
        storage: Arc<dyn Storage>,
        mirror: Mirror,
        wanted: Selection,
        full_listing_hours: u32,
        keeping: Keeping,
    ) -> Self {
        Self {
            ctx,
            storage,
            mirror: Arc::new(mirror),
            wanted,
            full_listing_hours,
            layout: Layout::usual(),
            titles: HashMap::new(),
            titles_of_items: OnceCell::new(),
            keeping,
            has_trash: AtomicBool::new(false),
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

/// What is brought home.
#[derive(Clone, Copy, Debug)]
enum Which {
    /// What a listing shows that is not home.
    Listed,
    /// What failed in an earlier run.
    FailedOf(RunId),
    /// What is known to be damaged.
    Damaged,
    /// What is home as a copy of lesser fidelity.
    Lesser,
}

/// Runs a backup to its end, or until the run stops.
pub(crate) async fn run(backup: Backup) {
    let which = backup.ctx.failed_of.map_or(Which::Listed, Which::FailedOf);
    let backup = Arc::new(backup);
    bring(&backup, which).await;
    let ctx = &backup.ctx;
    let is_over = ctx.stopped().is_some() || ctx.begins_no_more();
    if backup.keeping.verify_percent == 0 || is_over || !matches!(which, Which::Listed) {
        return;
    }
    if let Err(error) = verify::share(&backup, backup.keeping.verify_percent).await {
        ctx.stop_for(&error);
    }
}

/// Brings home again what is known to be damaged, and nothing else.
pub(crate) async fn repair(backup: &Arc<Backup>) {
    bring(backup, Which::Damaged).await;
}

/// Puts originals in the place of copies of lesser fidelity, and does nothing else.
pub(crate) async fn better(backup: Backup) {
    bring(&Arc::new(backup), Which::Lesser).await;
}

async fn bring(backup: &Arc<Backup>, which: Which) {
    if let Err(error) = look_into_trash(backup).await {
        return backup.ctx.stop_for(&error);
    }
    let (listed_in, listed) = mpsc::channel(LISTED_AHEAD);
    let (placed_in, placed) = mpsc::channel(UNRECORDED);
    // A stage that fails stops the others.
    let or_stop = |ended: Result<(), Error>| ended.unwrap_or_else(|error| backup.ctx.stop_for(&error));
    tokio::join!(
        async {
            or_stop(match which {
                Which::Listed => listing::list(backup, listed_in).await,
                Which::FailedOf(run) => again::failed_of(backup, run, listed_in).await,
                Which::Damaged => again::damaged(backup, listed_in).await,
                Which::Lesser => better::seek(backup, listed_in).await,
            });
        },
        fetching::fetch(backup, listed, placed_in),
        async { or_stop(recording::record(backup, placed).await) },
    );
    if backup.ctx.stopped().is_some() || backup.ctx.begins_no_more() {
        return;
    }
    or_stop(match which {
        Which::Listed => tidy(backup).await,
        // What lies beside a file tells of its bytes.
        Which::FailedOf(_) | Which::Damaged | Which::Lesser => sidecars::after_listing(backup).await,
    });
}

/// What follows when all that a listing has shown is home.
async fn tidy(backup: &Arc<Backup>) -> Result<(), Error> {
    let question = trash::after_listing(backup).await?;
    // A question about the trash is no reason to leave the rest as it is, and an album is brought up to date only with what is home.
    album_files::after_listing(backup).await?;
    sidecars::after_listing(backup).await?;
    if let Some(question) = question {
        backup.ctx.stop(question);
    }
    Ok(())
}

/// Finishes what an earlier run was about to move to the trash, and looks whether anything is in it.
async fn look_into_trash(backup: &Arc<Backup>) -> Result<(), Error> {
    let (files, _) = backup.ctx.store.in_trash(backup.ctx.plan).await?;
    if files > 0 {
        trash::settle_unfinished(backup).await?;
    }
    backup.has_trash.store(files > 0, Ordering::Relaxed);
    Ok(())
}

#[cfg(test)]
mod tests;
