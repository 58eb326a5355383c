//! An emulated account, an engine in a hurry, and what must be true whatever happened.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use charon_engine::{
    Engine, Registry, Settings as EngineSettings, Summary,
    clock::{Clock, SystemClock},
};
use charon_provider::Verdict;
use charon_provider_gphotos::GPhotos;
use futures::StreamExt;
use gphotos_emulator::{Action, Emulator, Fault, Seed, Settings, World, picture::Picture};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{CLIENT_ID, hex_sha256, picture};

/// How much faster the engine's time goes than the real one.
const HURRY: u32 = 100;

/// Which way through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Backup,
    Upload,
}

impl Way {
    fn plan(self) -> &'static str {
        match self {
            Self::Backup => "home",
            Self::Upload => "out",
        }
    }
}

/// A clock that goes fast, and jumps.
#[derive(Debug)]
struct QuickClock {
    began_at: Timestamp,
    began: tokio::time::Instant,
    jumped_seconds: AtomicI64,
}

#[async_trait]
impl Clock for QuickClock {
    fn now(&self) -> Timestamp {
        let jumped = SignedDuration::from_secs(self.jumped_seconds.load(Ordering::Relaxed));
        self.began_at + self.began.elapsed() * HURRY + jumped
    }

    async fn sleep(&self, how_long: Duration) {
        tokio::time::sleep(how_long / HURRY).await;
    }
}

/// One emulated account with a backup plan `home` and an upload plan `out`.
pub(super) struct Account {
    pub(super) emulator: Emulator,
    folder: TempDir,
    clock: Arc<QuickClock>,
    engine: Engine,
    batch_mode: &'static str,
}

impl Account {
    /// An account, whose uploads are committed in this mode.
    pub(super) async fn new(seed: u64, batch_mode: &'static str) -> Self {
        let settings = Settings {
            default_client_id: CLIENT_ID.into(),
            keep_bytes: true,
            seed,
            upload_granularity: 256 * 1024,
            ..Settings::default()
        };
        let emulator = Emulator::start(settings).await.expect("the emulator starts");
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(QuickClock {
            began_at: SystemClock.now(),
            began: tokio::time::Instant::now(),
            jumped_seconds: AtomicI64::new(0),
        });
        let settings = EngineSettings {
            clock: Arc::<QuickClock>::clone(&clock),
            ..EngineSettings::new(folder.path().join("data"), Registry::default().with(GPhotos::new()))
        };
        let engine = Engine::open(settings).await.expect("an engine");
        let account = Self { emulator, folder, clock, engine, batch_mode };
        account.engine.add_storage("family", "gphotos", object(&account.config())).await.expect("a storage");
        account
    }

    pub(super) fn world(&self) -> &World {
        self.emulator.world()
    }

    /// The configuration of the storage, with a consent that is new each time.
    fn config(&self) -> Value {
        let url = self.emulator.url();
        json!({
            "client_id": CLIENT_ID,
            "client_secret": "a-client-secret",
            "token": self.emulator.token_blob(CLIENT_ID, &[]),
            "token_url": format!("{url}/token"),
            "api_url": url,
            // Two commits at least, and more than one file at a time.
            "batch_size": 10,
            "batch_mode": self.batch_mode,
        })
    }

    /// Puts photos and videos into the account, and makes the plan that brings them home.
    pub(super) async fn with_photos_there(self, photos: u32) -> Self {
        let seed = Seed { items: photos, video_share: 0.2, ..Seed::plain(photos, 4_000) };
        self.world().seed(&seed);
        // Several pages, also of so few.
        self.fault(Fault::always(Action::SmallPages { items: 7 }));
        let config = json!({
            "kind": "backup", "storage": "family", "destination": self.path("mirror"), "full_listing_hours": 0,
        });
        self.engine.add_plan("home", object(&config)).await.expect("a backup plan");
        self
    }

    /// Draws photos, one of them so large that it is sent in parts, and makes the plan that sends them out.
    pub(super) async fn with_photos_here(self, photos: u32) -> Self {
        let folder = self.path("pictures");
        fs::create_dir_all(&folder).expect("a folder");
        for number in 1..photos {
            fs::write(folder.join(format!("IMG_{number:04}.jpg")), picture(number)).expect("a picture");
        }
        let large = Picture { padded_to: Some(40_000_000), number: Some(0), ..Picture::new(7) };
        fs::write(folder.join("IMG_0000.jpg"), large.jpeg()).expect("a large picture");
        let config = json!({"kind": "upload", "storage": "family", "sources": [folder], "album": "Album"});
        self.engine.add_plan("out", object(&config)).await.expect("an upload plan");
        self
    }

    /// Adds a fault; gives its number.
    pub(super) fn fault(&self, fault: Fault) -> u64 {
        self.world().add_fault(fault)
    }

    /// Whether a fault has happened.
    pub(super) fn met(&self, number: u64) -> bool {
        self.world().faults().iter().any(|fault| fault.number == number && fault.done > 0)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Lets time pass.
    pub(super) fn wait(&self, how_long: SignedDuration) {
        self.clock.jumped_seconds.fetch_add(how_long.as_secs(), Ordering::Relaxed);
    }

    /// A person consents again.
    pub(super) async fn consent_again(&self) {
        self.engine.update_storage("family", object(&self.config())).await.expect("a new token");
    }

    /// A person tests the storage, sees that it answers, and so lifts what a server has said of the day's quota.
    pub(super) async fn test_passes(&self) {
        let checks: Vec<_> = self.engine.test("family").await.expect("a test").collect().await;
        assert!(checks.iter().all(|check| check.verdict != Verdict::Failed), "{checks:?}");
    }

    /// Runs the plan to its end.
    pub(super) async fn run(&self, way: Way) -> Summary {
        let run = self.engine.start(way.plan()).await.expect("it starts");
        tokio::time::timeout(Duration::from_secs(150), run.finished())
            .await
            .expect("the run hangs")
            .expect("its end is recorded")
    }

    /// What must be true after every run, whatever became of it.
    pub(super) fn assert_nothing_is_wrong(&self, way: Way, summary: &Summary, told: &str) {
        // I1, I10: what is told as done is done.
        let there = summary.items.done + summary.items.unchanged;
        match way {
            Way::Backup => {
                let known = self.remote_hashes();
                let files = self.mirrored();
                assert!(
                    files.len() as u64 >= there,
                    "{told}: fewer files than are told as done: {summary:#?}"
                );
                for (path, hash) in &files {
                    assert!(known.contains_key(hash), "{told}: {path} has bytes that nobody sent");
                }
                let mut hashes: Vec<_> = files.iter().map(|(_, hash)| hash).collect();
                hashes.sort();
                hashes.dedup();
                assert_eq!(hashes.len(), files.len(), "{told}: something is there twice: {files:?}");
            }
            Way::Upload => {
                let wanted = self.local_hashes();
                let items = self.remote_hashes();
                let arrived = wanted.iter().filter(|hash| items.contains_key(*hash)).count();
                assert!(arrived as u64 >= there, "{told}: fewer items than are told as done: {summary:#?}");
                assert!(items.values().all(|times| *times == 1), "{told}: something is there twice");
                for hash in items.keys() {
                    assert!(wanted.contains(hash), "{told}: an item has bytes that nobody has");
                }
                let albums = self.world().albums();
                assert!(albums.len() <= 1, "{told}: the album was made more than once: {albums:?}");
                for album in albums {
                    let mut ids = album.item_ids.clone();
                    ids.sort();
                    ids.dedup();
                    assert_eq!(ids.len(), album.item_ids.len(), "{told}: something is in the album twice");
                }
            }
        }
    }

    /// Everything has arrived, once.
    pub(super) fn assert_all_is_there(&self, way: Way, told: &str) {
        match way {
            Way::Backup => {
                let mut known: Vec<_> = self.remote_hashes().into_keys().collect();
                let mut files: Vec<_> = self.mirrored().into_iter().map(|(_, hash)| hash).collect();
                known.sort();
                files.sort();
                assert_eq!(files, known, "{told}: the mirror is the library");
            }
            Way::Upload => {
                let albums = self.world().albums();
                assert_eq!(albums.len(), 1, "{told}: there is one album");
                let mut wanted = self.local_hashes();
                let mut arrived: Vec<_> = self.remote_hashes().into_keys().collect();
                wanted.sort();
                arrived.sort();
                assert_eq!(arrived, wanted, "{told}: the library is the folder");
                assert_eq!(albums[0].item_ids.len(), wanted.len(), "{told}: all are in the album");
            }
        }
    }

    /// No more was sent than the files that there are and `more`: requests of uploads, those that failed included.
    pub(super) fn assert_little_was_sent_twice(&self, way: Way, more: u64, told: &str) {
        if way == Way::Upload {
            let files = self.local_hashes().len() as u64;
            let sent = self.world().stats().count("uploads");
            assert!(sent <= files + more, "{told}: {sent} requests to send {files} files");
        }
    }

    /// A run in which nothing is new moves nothing.
    pub(super) async fn assert_another_run_moves_nothing(&self, way: Way, told: &str) {
        self.world().reset_stats();
        let summary = self.run(way).await;
        assert_eq!(summary.state.as_str(), "succeeded", "{told}: {summary:#?}");
        assert_eq!((summary.items.done, summary.items.failed), (0, 0), "{told}: {summary:#?}");
        let stats = self.world().stats();
        let moved = stats.media_requests + stats.count("uploads") + stats.count("mediaItems.batchCreate");
        assert_eq!(moved, 0, "{told}: {stats:?}");
    }

    /// The SHA-256 of every item in the library, and how many items have it.
    fn remote_hashes(&self) -> BTreeMap<String, u32> {
        let mut hashes = BTreeMap::new();
        for item in self.world().items() {
            *hashes.entry(item.sha256.expect("a hash")).or_default() += 1;
        }
        hashes
    }

    fn local_hashes(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("pictures")).expect("the folder");
        entries.map(|entry| hex_sha256(&fs::read(entry.expect("an entry").path()).expect("a file"))).collect()
    }

    /// The files of the mirror, without Charon's own folder, with their SHA-256.
    fn mirrored(&self) -> Vec<(String, String)> {
        let mirror = self.path("mirror");
        let mut files = Vec::new();
        collect(&mirror, &mirror, &mut files);
        let is_beside = |path: &str| {
            let ending = Path::new(path).extension().unwrap_or_default();
            ending == "json" || ending == "xmp" || path.starts_with("albums/")
        };
        files.retain(|(path, _)| !is_beside(path));
        files
    }
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.file_name().is_some_and(|name| name == ".charon") {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path.strip_prefix(root).expect("below it").to_string_lossy().into_owned();
            files.push((name, hex_sha256(&fs::read(&path).expect("a file"))));
        }
    }
}

fn object(value: &Value) -> serde_json::Map<String, Value> {
    value.as_object().cloned().expect("an object")
}
