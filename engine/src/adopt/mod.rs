//! Taking over: what lies in a folder already comes into the ledger, so that the next backup fetches nothing of it again.
//!
//! [`tree`] looks at what lies there, [`written`] reads what gphotos-sync or Charon have written down of it, [`listing`] goes through
//! all that the account shows, [`matching`] decides which file is which item, [`examining`] reads each to its end, [`placing`] and
//! [`taking`] put it into its place and record it. [`asking`] is what a command line says first, [`preview`] the same without writing.
//!
//! What is known of a folder is held in memory, some hundred bytes of each file, since a name has to be compared with all others before
//! anything can be said of it; nothing of it has to survive a crash: what is adopted is in the ledger, and the rest is looked at again.

mod asking;
mod examining;
mod listing;
mod matching;
mod placing;
mod preview;
mod taking;
mod tree;
mod written;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use charon_provider::{Class, Selection, Storage};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    error::Error,
    mirror::{Mirror, Site},
    naming::Layout,
    run::{Outcome, RunContext, Stop},
    store::ItemRecord,
};
pub(crate) use asking::keeper;
pub use asking::{Adopting, AdoptingPlan};
pub use preview::AdoptionPreview;
use tree::Tree;

/// Why an item is done.
const BY_ID: &str = "adopted by its media id";
const UNLISTED: &str = "adopted by its media id; the account does not show it to Charon";
const BY_NAME: &str = "adopted by its name and when it was taken";
/// Why a file is left alone.
const DOUBLE: &str = "another file of an item that has been adopted or is home already";
const AMBIGUOUS: &str = "more than one item or more than one file fits its name and time; it was left alone";
const UNMATCHED: &str = "nothing that the account shows fits its name and time; it was left alone";
const OTHER: &str = "no photo or video by its name; it was left alone";

/// Records that are written together.
const TOGETHER: usize = 500;

/// What an adoption has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Adopted {
    /// Items that are adopted because a media id is written of their files.
    pub by_id: u64,
    /// The same, of items that the account does not show.
    pub not_shown: u64,
    /// Items that are adopted because their name and time fit, and nothing else fits as well.
    pub by_name: u64,
    /// Further files of items that are adopted.
    pub doubles: u64,
    /// Photos and videos that fit nothing that the account shows.
    pub unmatched: u64,
    /// Photos and videos of which it cannot be told which item they are.
    pub ambiguous: u64,
    /// Photos and videos that are cut off, empty, or not what their names say.
    pub damaged: u64,
    /// Other files.
    pub others: u64,
}

impl Adopted {
    /// Counts so many items that something became of.
    pub(crate) fn count(&mut self, outcome: Outcome, reason: Option<&str>, items: u64) {
        let count = match (outcome, reason) {
            (Outcome::Failed, _) => &mut self.damaged,
            (_, Some(BY_ID)) => &mut self.by_id,
            (_, Some(UNLISTED)) => &mut self.not_shown,
            (_, Some(BY_NAME)) => &mut self.by_name,
            (_, Some(DOUBLE)) => &mut self.doubles,
            (_, Some(AMBIGUOUS)) => &mut self.ambiguous,
            (_, Some(UNMATCHED)) => &mut self.unmatched,
            _ => &mut self.others,
        };
        *count += items;
    }
}

/// An adoption, checked and ready.
#[derive(Debug)]
pub(crate) struct Adoption {
    ctx: Arc<RunContext>,
    storage: Arc<dyn Storage>,
    wanted: Selection,
    layout: Layout,
    /// Where the mirror is, or will be.
    site: Site,
    /// Whether it carries the plan's marker.
    is_ready: bool,
    /// What is adopted, where that is not the mirror itself.
    from: Option<Site>,
    /// The database of gphotos-sync, if somebody has named one.
    database: Option<PathBuf>,
    /// What is told, where nothing is recorded.
    told: Mutex<Vec<ItemRecord>>,
}

impl Adoption {
    fn is_in_place(&self) -> bool {
        self.from.is_none()
    }

    /// What is adopted.
    fn source(&self) -> &Site {
        self.from.as_ref().unwrap_or(&self.site)
    }

    /// A file that is left where it is.
    fn left(&self, tree: &Tree, file: usize, why: &str) -> ItemRecord {
        let found = &tree.files[file];
        self.ctx.skipped(found.path.clone(), found.path.clone(), why)
    }

    /// Tells what became of files.
    async fn tell(&self, records: &[ItemRecord]) -> Result<(), Error> {
        for records in records.chunks(TOGETHER) {
            self.ctx.record(records).await?;
        }
        if self.ctx.is_dry {
            self.told.lock().expect("nothing panics while it tells").extend_from_slice(records);
        }
        Ok(())
    }
}

/// Adopts, to the end or until the run stops.
pub(crate) async fn run(adoption: Adoption) {
    let adoption = Arc::new(adoption);
    if let Err(error) = adopt(&adoption).await {
        adoption.ctx.stop_for(&error);
    }
}

async fn adopt(adoption: &Arc<Adoption>) -> Result<(), Error> {
    let ctx = &adoption.ctx;
    let source = adoption.source();
    let Some(mut tree) = tree::scan(ctx, source.files()).await? else { return Ok(()) };
    if let Some(root) = source.root()
        && let Some(database) = written::database_of(adoption.database.as_ref(), root)
    {
        written::by_gphotos_sync(&mut tree, &database, root).await?;
    }
    written::by_sidecars(ctx, &mut tree, source.files()).await?;
    let Some(items) = listing::list(adoption, &tree).await? else { return Ok(()) };
    ctx.tell(|progress| progress.found_all = true);
    let matched = matching::decide(&tree, items);
    let tree = Arc::new(tree);
    for (files, why) in
        [(&matched.doubles, DOUBLE), (&matched.ambiguous, AMBIGUOUS), (&matched.unmatched, UNMATCHED)]
    {
        let records: Vec<ItemRecord> = files.iter().map(|file| adoption.left(&tree, *file, why)).collect();
        adoption.tell(&records).await?;
    }
    let others: Vec<ItemRecord> =
        tree.others.iter().map(|path| ctx.skipped(path.clone(), path.clone(), OTHER)).collect();
    adoption.tell(&others).await?;
    if matched.claims.is_empty() {
        ctx.stop(Stop::failed(
            Some(Class::Config),
            format!(
                "nothing in {} is known to be a photo of this account, so nothing was adopted and nothing was written there; \
                 is it the right folder, and the right storage?",
                source.shown()
            ),
        ));
        return Ok(());
    }
    if ctx.is_dry {
        return taking::take(adoption, None, &tree, matched.claims).await;
    }
    if !adoption.is_ready {
        adoption.site_becomes_mirror().await?;
    }
    let mirror = Mirror::open(adoption.site.clone(), ctx.plan, ctx.run).await?;
    taking::take(adoption, Some(&mirror), &tree, matched.claims).await
}

impl Adoption {
    /// From now on the place is the plan's mirror.
    async fn site_becomes_mirror(&self) -> Result<(), Error> {
        if self.is_in_place() {
            Mirror::take_over(&self.site, self.ctx.plan).await?;
        } else {
            Mirror::initialise(&self.site, self.ctx.plan).await?;
        }
        self.ctx.store.mirror_is_ready(self.ctx.plan).await
    }
}
