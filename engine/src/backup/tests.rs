//! A backup whose surroundings fail must end.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use charon_provider::{
    Albums, BatchPolicy, Body, Capabilities, Check, Class, Costs, Cursor, Error as StorageError, Existence,
    Facts, Kind, Pace, Page, Part, Readiness, RemoteId, RemoteItem, ResumePoint, Selection, Sink, Source,
    Storage, UploadLimits,
};
use futures::{StreamExt, stream::BoxStream};
use serde_json::Map;
use tokio::sync::watch;

use super::Backup;
use crate::{
    clock::{SystemClock, SystemEntropy},
    ids::{PlanId, RunId, StorageId},
    lane::Lane,
    mirror::Mirror,
    run::{Progress, RunContext, RunState},
    store::{PlanRow, StorageRow, Store},
};

/// A storage with many pages, none of whose items can be opened.
#[derive(Debug)]
struct ManyPages(Facts);

#[async_trait]
impl Source for ManyPages {
    async fn list(&self, _: &Selection, from: Option<&Cursor>) -> Result<Page, StorageError> {
        let number: u32 = from.map_or(0, |cursor| cursor.0.parse().expect("our cursor"));
        let item = RemoteItem {
            id: RemoteId(format!("item {number}")),
            file_name: "a.jpg".into(),
            mime_type: "image/jpeg".into(),
            kind: Kind::Photo,
            taken_at: Some(jiff::Timestamp::UNIX_EPOCH),
            width: None,
            height: None,
            size: None,
            has_clip: false,
            readiness: Readiness::Ready,
            address: None,
        };
        Ok(Page { items: vec![item], next: (number < 20).then(|| Cursor((number + 1).to_string())) })
    }

    fn confirm_limit(&self) -> usize {
        50
    }

    async fn confirm(&self, ids: &[RemoteId]) -> Result<Vec<Existence>, StorageError> {
        Ok(ids.iter().map(|_| Existence::NotFound).collect())
    }

    async fn measure(&self, _: &RemoteItem) -> Result<Option<u64>, StorageError> {
        Ok(None)
    }

    async fn open(&self, _: &RemoteItem, _: Part, _: Option<&ResumePoint>) -> Result<Body, StorageError> {
        Err(StorageError::new(Class::Item, "open an item", "there is none"))
    }
}

impl Storage for ManyPages {
    fn facts(&self) -> &Facts {
        &self.0
    }

    fn test(&self) -> BoxStream<'_, Check> {
        futures::stream::empty().boxed()
    }

    fn source(&self) -> Option<&dyn Source> {
        Some(self)
    }

    fn sink(&self) -> Option<&dyn Sink> {
        None
    }

    fn albums(&self) -> Option<&dyn Albums> {
        None
    }
}

struct Place {
    backup: Backup,
    store: Store,
    progress: watch::Receiver<Progress>,
    _folder: tempfile::TempDir,
}

async fn place() -> Place {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(&folder.path().join("charon.db")).await.expect("a database");
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let now = crate::clock::Clock::now(&*clock);
    let storage_id = StorageId::new(&*clock, &*entropy);
    let (plan, run) = (PlanId::new(&*clock, &*entropy), RunId::new(&*clock, &*entropy));
    let storage = StorageRow {
        id: storage_id,
        name: "storage".into(),
        provider: "test".into(),
        config: Map::new(),
        secrets: Vec::new(),
        secrets_revision: 1,
        created_at: now,
    };
    assert!(store.add_storage(&storage).await.expect("a storage"));
    let row = PlanRow {
        id: plan,
        name: "plan".into(),
        storage_id,
        config: Map::new(),
        mirror_ready: true,
        created_at: now,
    };
    assert!(store.add_plan(&row).await.expect("a plan"));
    store.start_run(run, plan, now).await.expect("a run");
    let destination = folder.path().join("mirror");
    Mirror::initialise(&destination, plan).expect("a mirror");
    let facts = Facts {
        identity: "test".into(),
        capabilities: Capabilities { list: true, download: true, upload: false, albums: false },
        meters: Vec::new(),
        batch: BatchPolicy { size: 1, staged: 1, idle: Duration::ZERO, commit_timeout: Duration::ZERO },
        limits: UploadLimits::default(),
        selection: Selection::default(),
        costs: Costs::default(),
        pace: Pace::default(),
        read_size: false,
    };
    let (progress_in, progress) = watch::channel(Progress::default());
    let lane = Arc::new(Lane::new(clock.clone()));
    let ctx = RunContext::new(
        run,
        plan,
        storage_id,
        store.clone(),
        clock,
        entropy,
        lane,
        facts.clone(),
        progress_in,
    );
    let mirror = Mirror::open(&destination, plan, run).expect("its marker");
    let storage = Arc::new(ManyPages(facts));
    let backup = Backup::new(Arc::new(ctx), storage, mirror, Selection::default(), 24);
    Place { backup, store, progress, _folder: folder }
}

#[tokio::test]
async fn every_item_that_cannot_be_had_is_told() {
    // I9
    let place = place().await;
    let ctx = Arc::clone(&place.backup.ctx);
    super::run(place.backup).await;
    assert_eq!(ctx.stopped(), None);
    let progress = place.progress.borrow();
    assert_eq!((progress.found, progress.items.failed), (21, 21));
}

#[tokio::test]
async fn a_ledger_that_fails_in_mid_listing_ends_the_run() {
    let place = place().await;
    place.store.break_ledger().await;
    let ctx = Arc::clone(&place.backup.ctx);
    let ended = tokio::time::timeout(Duration::from_secs(20), super::run(place.backup)).await;
    assert!(ended.is_ok(), "the run hangs");
    let stop = ctx.stopped().expect("a reason");
    assert_eq!(stop.state, RunState::Failed);
    assert!(stop.message.contains("database"), "{}", stop.message);
}
