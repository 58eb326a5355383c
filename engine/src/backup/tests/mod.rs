//! Backups of a storage that is not there, into a mirror and a ledger that are.

mod listings;
mod parts;
mod proof;
mod selections;
mod shelf;
mod trash;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use charon_provider::{Readiness, Selection, Storage};
use jiff::Timestamp;
use serde_json::Map;
use tokio::sync::watch;

use super::{Backup, Keeping};
use crate::{
    budget::{Budgets, Purpose, Spending},
    clock::{Clock, SystemEntropy},
    ids::{PlanId, RunId, StorageId},
    lane::Lane,
    mirror::{Mirror, Site},
    plan::{AlbumFiles, DeletionConfig},
    run::{Counts, Progress, RunContext, RunState},
    sidecars::Sidecars,
    store::{Listing, PlanRow, StorageRow, Store},
};
use shelf::{Shelf, shown};

/// A clock on which every wait is over at once.
#[derive(Debug)]
struct Leaping(Mutex<Timestamp>);

impl Leaping {
    fn advance(&self, by: Duration) {
        let mut now = self.0.lock().expect("nothing panics while it holds the time");
        *now = now.checked_add(by).expect("a time that there is");
    }
}

#[async_trait]
impl Clock for Leaping {
    fn now(&self) -> Timestamp {
        // So that ids, which begin with their time, are in order.
        self.advance(Duration::from_millis(1));
        *self.0.lock().expect("nothing panics while it holds the time")
    }

    async fn sleep(&self, how_long: Duration) {
        self.advance(how_long);
    }
}

/// A storage, a ledger, a mirror.
struct Place {
    shelf: Arc<Shelf>,
    store: Store,
    clock: Arc<Leaping>,
    lane: Arc<Lane>,
    storage: StorageId,
    plan: PlanId,
    hours: u32,
    keeping: Keeping,
    folder: tempfile::TempDir,
}

/// How a run ended.
struct Ended {
    items: Counts,
    progress: Progress,
    stop: Option<crate::run::Stop>,
    listing: Option<Listing>,
}

impl Place {
    async fn new() -> Self {
        Self::of(Shelf::new(false)).await
    }

    async fn of(shelf: Shelf) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("charon.db")).await.expect("a database");
        let clock = Arc::new(Leaping(Mutex::new("2026-01-01T00:00:00Z".parse().expect("a time"))));
        let storage = StorageId::new(&*clock, &SystemEntropy);
        let plan = PlanId::new(&*clock, &SystemEntropy);
        let row = StorageRow {
            id: storage,
            name: "storage".into(),
            provider: "test".into(),
            config: Map::new(),
            secrets: Vec::new(),
            secrets_revision: 1,
            identity: None,
            created_at: clock.now(),
            revision: 0,
            account_name: None,
            consented_at: None,
            renewed_at: None,
        };
        assert!(store.add_storage(&row).await.expect("a storage"));
        let row = PlanRow {
            id: plan,
            name: "plan".into(),
            storage_id: storage,
            config: Map::new(),
            mirror_ready: true,
            created_at: clock.now(),
            revision: 0,
            decided_until: None,
            paused_at: None,
            paused_until: None,
            is_inbox: false,
        };
        assert!(store.add_plan(&row).await.expect("a plan"));
        Mirror::initialise(&Site::folder(&folder.path().join("mirror")), plan).await.expect("a mirror");
        let lane = Arc::new(Lane::new(clock.clone()));
        let keeping = Keeping {
            deletion: DeletionConfig::default(),
            albums: Some(AlbumFiles::None),
            sidecars: Sidecars::None,
            zone: jiff::tz::TimeZone::UTC,
            verify_percent: 0,
        };
        Self { shelf: Arc::new(shelf), store, clock, lane, storage, plan, hours: 24, keeping, folder }
    }

    /// A run, ready to begin.
    async fn backup(&self, change: impl FnOnce(&mut RunContext)) -> (Backup, watch::Receiver<Progress>) {
        let run = RunId::new(&*self.clock, &SystemEntropy);
        self.store.start_run(run, self.plan, self.clock.now()).await.expect("a run");
        let (progress_in, progress) = watch::channel(Progress::default());
        let mut ctx = RunContext::new(
            run,
            self.plan,
            self.storage,
            self.store.clone(),
            self.clock.clone(),
            Arc::new(SystemEntropy),
            Arc::clone(&self.lane),
            Arc::new(Spending::new(Budgets::new(self.store.clone(), self.clock.clone()), Purpose::Run)),
            self.shelf.facts().clone(),
            progress_in,
        );
        change(&mut ctx);
        let mirror =
            Mirror::open(Site::folder(&self.path("mirror")), self.plan, run).await.expect("its marker");
        let storage: Arc<dyn Storage> = self.shelf.clone();
        let wanted = Selection::default();
        (Backup::new(Arc::new(ctx), storage, mirror, wanted, self.hours, self.keeping.clone()), progress)
    }

    async fn run(&self) -> Ended {
        self.run_with(|_| {}, |_| {}).await
    }

    async fn run_with(
        &self,
        change: impl FnOnce(&mut RunContext),
        want: impl FnOnce(&mut Selection),
    ) -> Ended {
        let (mut backup, progress) = self.backup(change).await;
        want(&mut backup.wanted);
        let ctx = Arc::clone(&backup.ctx);
        super::run(backup).await;
        let progress = progress.borrow().clone();
        let listing = self.store.listing(ctx.run).await.expect("the database");
        Ended { items: progress.items, progress, stop: ctx.stopped().cloned(), listing }
    }

    /// Runs, and expects that it came to its end with these counts.
    async fn counts(&self, done: u64, unchanged: u64, skipped: u64, failed: u64) -> Ended {
        let ended = self.run().await;
        assert_eq!(ended.stop, None);
        assert_eq!(ended.items, Counts { done, unchanged, skipped, failed });
        assert_eq!(ended.progress.found, ended.items.total(), "every item has come to an end");
        ended
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// The files of the mirror.
    fn mirrored(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(&self.path("mirror/photos"), "photos", &mut files);
        files
    }
}

fn collect(folder: &Path, name: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        let name = format!("{name}/{}", path.file_name().expect("a name").to_string_lossy());
        if path.is_dir() {
            collect(&path, &name, files);
        } else {
            files.insert(name, std::fs::read(&path).expect("a file"));
        }
    }
}

#[tokio::test]
async fn every_item_that_cannot_be_had_is_told() {
    // I9
    let place = Place::new().await;
    place.shelf.state().items = (0..21).map(|number| shown(&number.to_string())).collect();
    for shown in &mut place.shelf.state().items {
        shown.item.readiness = Readiness::Failed;
    }
    place.counts(0, 0, 0, 21).await;
}

#[tokio::test]
async fn a_ledger_that_fails_in_mid_listing_ends_the_run() {
    let place = Place::new().await;
    place.shelf.state().items = (0..21).map(|number| shown(&number.to_string())).collect();
    place.shelf.state().page_items = 1;
    let (backup, _progress) = place.backup(|_| {}).await;
    place.store.break_ledger().await;
    let ctx = Arc::clone(&backup.ctx);
    let ended = tokio::time::timeout(Duration::from_secs(20), super::run(backup)).await;
    assert!(ended.is_ok(), "the run hangs");
    let stop = ctx.stopped().expect("a reason");
    assert_eq!(stop.state, RunState::Failed);
    assert!(stop.message.contains("database"), "{}", stop.message);
}

#[tokio::test]
async fn an_item_is_under_way_until_the_ledger_has_it() {
    // I1, I2: what a crash makes the next run fetch again is what is under way, one item for each connection.
    const CONNECTIONS: usize = 16;
    let place = Place::new().await;
    place.shelf.state().items = (0..100).map(|number| shown(&number.to_string())).collect();
    place.shelf.state().hold_opens = true;
    let opened = || place.shelf.state().asked.iter().filter(|what| what.starts_with("open")).count();
    let hold_up = async {
        while opened() < CONNECTIONS {
            tokio::task::yield_now().await;
        }
        let turn = place.store.hold_writes().await;
        place.shelf.state().hold_opens = false;
        while place.mirrored().len() < CONNECTIONS {
            tokio::task::yield_now().await;
        }
        // More would be opened at once.
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert_eq!((opened(), place.mirrored().len()), (CONNECTIONS, CONNECTIONS));
        drop(turn);
    };
    tokio::join!(place.counts(100, 0, 0, 0), hold_up);
    assert_eq!(opened(), 100);
}

#[tokio::test]
async fn items_without_a_name_or_a_date_get_paths_that_stay() {
    // I4
    let place = Place::new().await;
    let mut undated = shown("undated");
    undated.item.taken_at = None;
    let mut nothing = shown("nothing");
    (nothing.item.taken_at, nothing.item.file_name) = (None, String::new());
    let mut future = shown("future");
    future.item.taken_at = Some("2099-12-31T23:59:59Z".parse().expect("a time"));
    place.shelf.state().items = vec![undated, nothing, future];
    place.counts(3, 0, 0, 0).await;
    let mirrored = place.mirrored();
    let paths: Vec<&str> = mirrored.keys().map(String::as_str).collect();
    assert_eq!(
        paths,
        ["photos/2099/12/future.jpg", "photos/undated/undated.jpg", "photos/undated/unnamed.jpg"]
    );
    // A date that is learnt later moves nothing.
    place.shelf.state().items[0].item.taken_at = Some("2020-01-01T00:00:00Z".parse().expect("a time"));
    std::fs::remove_file(place.path("mirror/photos/undated/undated.jpg")).expect("it is there");
    place.counts(1, 2, 0, 0).await;
    assert_eq!(place.mirrored(), mirrored);
}

#[tokio::test]
async fn sizes_are_measured_first_where_the_storage_says_so() {
    // I10
    let place = Place::of(Shelf::new(true)).await;
    place.shelf.state().items = vec![shown("a"), shown("bc")];
    let ended = place.counts(2, 0, 0, 0).await;
    assert_eq!((ended.progress.bytes_found, ended.progress.bytes), (25, 25));
    let asked = place.shelf.asked("");
    let first_open = asked.iter().position(|what| what.starts_with("open")).expect("a fetch");
    assert!(asked[..first_open].contains(&"measure a".to_owned()), "{asked:?}");
    place.counts(0, 2, 0, 0).await;
    assert_eq!(place.shelf.asked("measure"), [""; 0], "what is home is not measured");
}
