//! What commits come to, at a storage that answers as it is told.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use charon_provider::{
    Album, AlbumId, AlbumPage, Albums, BatchPolicy, Capabilities, Check, Class, Content, Costs, Cursor,
    Error as StorageError, Facts, Format, KeepSession, Kind, Pace, Placement, Position, Readiness, Reason,
    RemoteId, RemoteItem, Selection, Session, Sink, Source, Staged, Storage, UploadLimits, UploadToken,
};
use futures::{FutureExt, StreamExt, stream, stream::BoxStream};
use jiff::Timestamp;
use serde_json::Map;
use tokio::sync::{oneshot, watch};

use super::{Answer, By, Committer, FEW, ToCommit, ToStorage, with_twins};
use crate::{
    budget::{Budgets, Purpose, Spending},
    clock::{Clock, SystemEntropy},
    ids::{PlanId, RunId, Sha256, StorageId},
    lane::Lane,
    run::{Outcome, Progress, RunContext, RunState, Stop},
    store::{PlanRow, StorageRow, Store},
    upload::{After, AlbumsOfRun, Found, Globs, Hashed, Shares, Titles, Truth, Upload, shares::Share},
    vault::Vault,
};

static JPEG: Format = Format { extension: "jpg", kind: Kind::Photo, mime_type: "image/jpeg" };

/// A clock on which every wait is over at once.
#[derive(Debug)]
struct Leaping(Mutex<Timestamp>);

#[async_trait]
impl Clock for Leaping {
    fn now(&self) -> Timestamp {
        *self.0.lock().expect("nothing panics while it holds the time")
    }

    async fn sleep(&self, how_long: Duration) {
        let mut now = self.0.lock().expect("nothing panics while it holds the time");
        *now = now.checked_add(how_long).expect("a time that there is");
    }
}

/// A storage that answers commits as it is told, and else makes every item.
#[derive(Debug)]
struct Desk {
    facts: Facts,
    answers: Mutex<VecDeque<Result<Vec<Option<StorageError>>, StorageError>>>,
    albums_made: Mutex<usize>,
    /// Whether albums are listed.
    shows_albums: AtomicBool,
}

impl Storage for Desk {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn test(&self) -> BoxStream<'_, Check> {
        stream::empty().boxed()
    }

    fn source(&self) -> Option<&dyn Source> {
        None
    }

    fn sink(&self) -> Option<&dyn Sink> {
        Some(self)
    }

    fn albums(&self) -> Option<&dyn Albums> {
        Some(self)
    }
}

#[async_trait]
impl Sink for Desk {
    async fn send(
        &self,
        _: &Content,
        _: Option<&Session>,
        _: &dyn KeepSession,
    ) -> Result<UploadToken, StorageError> {
        Err(StorageError::new(Class::Config, "send", "nothing is sent here"))
    }

    fn requests_to_send(&self, _: u64) -> u32 {
        1
    }

    async fn commit(
        &self,
        _: Option<&Placement>,
        staged: &[Staged],
    ) -> Result<Vec<Result<RemoteItem, StorageError>>, StorageError> {
        let answer = self.answers.lock().expect("answers").pop_front();
        let refusals = answer.unwrap_or_else(|| Ok(vec![None; staged.len()]))?;
        let outcome = |(one, refusal): (&Staged, Option<StorageError>)| match refusal {
            Some(error) => Err(error),
            None => Ok(item(&one.file_name)),
        };
        Ok(staged.iter().zip(refusals).map(outcome).collect())
    }
}

#[async_trait]
impl Albums for Desk {
    async fn list(&self, _: Option<&Cursor>) -> Result<AlbumPage, StorageError> {
        let made = *self.albums_made.lock().expect("albums");
        let made = if self.shows_albums.load(Ordering::Relaxed) { made } else { 0 };
        Ok(AlbumPage { albums: (1..=made).map(album).collect(), next: None })
    }

    async fn create(&self, _: &str) -> Result<Album, StorageError> {
        let mut made = self.albums_made.lock().expect("albums");
        *made += 1;
        Ok(album(*made))
    }

    fn add_limit(&self) -> usize {
        50
    }

    async fn add(&self, _: &AlbumId, _: &[RemoteId]) -> Result<(), StorageError> {
        Ok(())
    }
}

fn album(number: usize) -> Album {
    Album {
        id: AlbumId(format!("album-{number}")),
        title: "Sea".into(),
        items: None,
        writable: true,
        cover: None,
    }
}

fn item(name: &str) -> RemoteItem {
    RemoteItem {
        id: RemoteId(name.to_owned()),
        file_name: name.to_owned(),
        mime_type: "image/jpeg".into(),
        kind: Kind::Photo,
        taken_at: None,
        width: None,
        height: None,
        size: None,
        has_clip: false,
        readiness: Readiness::Ready,
        description: None,
        camera: None,
        address: None,
    }
}

fn refused() -> StorageError {
    StorageError::new(Class::Item, "commit", "damaged")
}

type Told = oneshot::Receiver<Result<(), StorageError>>;

struct Place {
    album: Option<&'static str>,
    desk: Arc<Desk>,
    upload: Arc<Upload>,
    committer: ToStorage,
    store: Store,
    storage: StorageId,
    _folder: tempfile::TempDir,
}

impl Place {
    async fn new(album: Option<&'static str>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("charon.db")).await.expect("a database");
        let clock = Arc::new(Leaping(Mutex::new("2026-01-01T00:00:00Z".parse().expect("a time"))));
        let entropy = Arc::new(SystemEntropy);
        let (storage, plan) = (StorageId::new(&*clock, &*entropy), PlanId::new(&*clock, &*entropy));
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
            mirror_ready: false,
            created_at: clock.now(),
            revision: 0,
            decided_until: None,
            paused_at: None,
            paused_until: None,
            is_inbox: false,
        };
        assert!(store.add_plan(&row).await.expect("a plan"));
        let run = RunId::new(&*clock, &*entropy);
        store.start_run(run, plan, clock.now()).await.expect("a run");
        let facts = Facts {
            identity: "test".into(),
            capabilities: Capabilities {
                list: false,
                download: false,
                upload: true,
                albums: true,
                previews: false,
                destination: false,
            },
            meters: Vec::new(),
            batch: BatchPolicy {
                size: 50,
                staged: 100,
                idle: Duration::ZERO,
                commit_timeout: Duration::from_mins(1),
            },
            limits: UploadLimits::default(),
            selection: Selection::default(),
            costs: Costs::default(),
            pace: Pace::default(),
            read_size: false,
        };
        let desk = Arc::new(Desk {
            facts: facts.clone(),
            answers: Mutex::default(),
            albums_made: Mutex::default(),
            shows_albums: AtomicBool::new(true),
        });
        let lane = Arc::new(Lane::new(clock.clone()));
        let (progress, _) = watch::channel(Progress::default());
        let budgets = Budgets::new(store.clone(), clock.clone());
        let spending = Arc::new(Spending::new(budgets, Purpose::Run));
        let vault = Vault::open(&folder.path().join("charon.key"), entropy.clone()).expect("a vault");
        let ctx = RunContext::new(
            run,
            plan,
            storage,
            store.clone(),
            clock,
            entropy,
            lane,
            spending,
            facts,
            progress,
        );
        let upload = Arc::new(Upload {
            ctx: Arc::new(ctx),
            storage: desk.clone(),
            vault,
            sources: Vec::new(),
            globs: Globs::all(),
            titles: Titles::none(),
            album_position: Position::Last,
            descriptions: false,
            after: After::Keep,
            left: tokio::sync::Mutex::default(),
            albums: AlbumsOfRun::default(),
            shares: Shares::default(),
            truth: Truth::default(),
        });
        let committer = ToStorage::new(Arc::clone(&upload));
        Self { album, desk, upload, committer, store, storage, _folder: folder }
    }

    fn answer(&self, answer: Result<Vec<Option<StorageError>>, StorageError>) {
        self.desk.answers.lock().expect("answers").push_back(answer);
    }

    /// Commits these and settles them as each has been answered; gives what each is told.
    async fn commit(&self, bytes: &[u8]) -> Vec<Told> {
        let (items, told): (Vec<_>, Vec<_>) =
            bytes.iter().map(|byte| to_commit_into(*byte, self.album)).unzip();
        let answer = self.committer.commit(&items).await.expect("no trouble").expect("an answer");
        let Answer::Each(results) = answer else { panic!("{answer:?}") };
        self.settle(items, results, By::Own).await;
        told
    }

    async fn settle(&self, items: Vec<ToCommit>, results: Vec<Result<super::Made, StorageError>>, by: By) {
        let settled = items.into_iter().zip(results).collect();
        self.committer.settle(settled, by).await.expect("settled");
    }

    async fn is_held_against(&self, byte: u8) -> bool {
        let sha256 = Sha256([byte; 32]);
        let known = self.store.known(self.storage, None, &[sha256]).await.expect("a look-up");
        known[&sha256].refused.is_some()
    }
}

/// A file of these bytes.
fn to_commit(byte: u8) -> (ToCommit, Told) {
    to_commit_into(byte, None)
}

/// A file of these bytes that goes into an album.
fn to_commit_into(byte: u8, album: Option<&str>) -> (ToCommit, Told) {
    let name = format!("{byte}.jpg");
    let path = PathBuf::from("/pictures").join(&name);
    let found = Found {
        path,
        source: Path::new("/pictures").into(),
        size: 5,
        modified_ns: 0,
        format: &JPEG,
        place: byte.into(),
        kept: None,
    };
    let token = UploadToken { token: "token".into(), valid_until: Timestamp::MAX };
    let (reply, told) = oneshot::channel();
    let file = Hashed { found, sha256: Sha256([byte; 32]), album: album.map(Into::into) };
    let staged = Staged { file_name: name, description: None, token };
    let share = Arc::new(Share::new(&Arc::default(), file.album.clone()));
    (ToCommit { staged, file, alone: false, share, reply }, told)
}

#[test]
fn who_is_refused_for_the_same_bytes_in_the_same_commit_is_their_item() {
    let (items, _told): (Vec<_>, Vec<_>) = [1, 1, 2, 3].into_iter().map(to_commit).unzip();
    let exists = || Err(refused().because(Reason::AlreadyExists));
    let results = vec![exists(), Ok(item("a")), exists(), Err(refused())];
    let results = with_twins(&items, results);
    assert_eq!(results[0].as_ref().expect("its twin's").id.0, "a");
    assert_eq!(results[1].as_ref().expect("its own").id.0, "a");
    assert_eq!(results[2].as_ref().expect_err("it has no twin").reason, Reason::AlreadyExists);
    assert_eq!(results[3].as_ref().expect_err("it is refused").reason, Reason::Other);
}

#[tokio::test]
async fn a_refusal_is_held_against_bytes_only_where_other_items_are_made() {
    let place = Place::new(None).await;
    place.answer(Ok(vec![Some(refused())]));
    place.commit(&[1]).await;
    assert!(!place.is_held_against(1).await, "nothing says that anything can be made");
    place.answer(Ok(vec![None, Some(refused())]));
    place.commit(&[2, 3]).await;
    assert!(place.is_held_against(3).await, "its neighbour was made");
    for byte in 4..10 {
        place.answer(Ok(vec![Some(refused())]));
        place.commit(&[byte]).await;
        let few = usize::from(byte) < 4 + FEW;
        assert_eq!(place.is_held_against(byte).await, few, "number {byte}");
    }
    place.commit(&[20]).await;
    place.answer(Ok((30..80).map(|_| Some(refused())).collect()));
    place.commit(&(30..80).collect::<Vec<u8>>()).await;
    assert!(!place.is_held_against(30).await, "all of many is no judgement of one");
}

#[tokio::test]
async fn a_refusal_of_many_at_once_is_held_against_those_alone_that_others_were_made_without() {
    let place = Place::new(None).await;
    place.commit(&[1]).await;
    for (byte, by, is_held) in [(2, By::Company, false), (3, By::Exclusion, true)] {
        let (one, _told) = to_commit(byte);
        place.settle(vec![one], vec![Err(refused())], by).await;
        assert_eq!(place.is_held_against(byte).await, is_held, "{by:?}");
    }
}

#[tokio::test]
async fn what_is_refused_when_nobody_waits_any_more_is_recorded() {
    // I9
    let place = Place::new(None).await;
    place.upload.ctx.stop(Stop::cancelled());
    let (items, told): (Vec<_>, Vec<_>) = [1, 2, 3].into_iter().map(to_commit).unzip();
    drop(told);
    let fault = StorageError::new(Class::Transient, "commit", "a fault");
    let results = vec![Ok((item("1.jpg"), None)), Err(refused()), Err(fault)];
    place.settle(items, results, By::Own).await;
    let failed = crate::store::ItemFilter { outcome: Some(Outcome::Failed), after: None };
    let failed = place.store.run_items(place.upload.ctx.run, &failed, 10).await.expect("items");
    let names: Vec<&str> = failed.iter().map(|item| item.name.as_str()).collect();
    assert_eq!(names, ["2.jpg", "3.jpg"]);
    let items = place.upload.ctx.progress().items;
    assert_eq!((items.done, items.failed), (1, 2));
}

#[tokio::test]
async fn an_item_that_was_too_much_slows_the_account_down() {
    // I7
    let place = Place::new(None).await;
    place.answer(Ok(vec![None, Some(StorageError::new(Class::Throttled, "commit", "slow down"))]));
    place.commit(&[1, 2]).await;
    let (ctx, began) = (&place.upload.ctx, place.upload.ctx.clock.now());
    ctx.lane.permit().await;
    assert_eq!(ctx.clock.now().duration_since(began).as_secs(), 30);
}

#[tokio::test]
async fn a_run_that_is_stopped_does_not_wait_for_the_turn_of_another() {
    let place = Place::new(Some("Sea")).await;
    let _turn = place.upload.ctx.lane.turn_to_write().await;
    let (item, _told) = to_commit_into(1, Some("Sea"));
    let items = [item];
    let mut commit = place.committer.commit(&items);
    assert!(commit.as_mut().now_or_never().is_none(), "it waits for its turn");
    place.upload.ctx.stop(Stop::cancelled());
    assert!(commit.await.expect("no trouble").is_none());
}

#[tokio::test]
async fn an_album_that_is_not_found_yet_is_waited_for_and_not_made_twice() {
    // I2
    let place = Place::new(Some("Sea")).await;
    let not_found = |class| StorageError::new(class, "commit", "no such album").because(Reason::NotFound);
    place.answer(Err(not_found(Class::Config)));
    place.answer(Err(not_found(Class::Item)));
    place.desk.shows_albums.store(false, Ordering::Relaxed);
    for told in place.commit(&[1]).await {
        told.await.expect("told").expect("made");
    }
    assert_eq!(*place.desk.albums_made.lock().expect("albums"), 1);
    let known = place.store.known(place.storage, Some(&AlbumId("album-1".into())), &[Sha256([1; 32])]).await;
    assert!(known.expect("a look-up")[&Sha256([1; 32])].in_album);
}

#[tokio::test]
async fn an_album_that_is_found_again_has_kept_its_items_and_another_one_begins_empty() {
    let place = Place::new(Some("Sea")).await;
    place.commit(&[1]).await;
    let in_album = async |id: &str| {
        let known = place.store.known(place.storage, Some(&AlbumId(id.into())), &[Sha256([1; 32])]).await;
        known.expect("a look-up")[&Sha256([1; 32])].in_album
    };
    // It was made by an earlier run, so that "not found" is believed.
    place.upload.albums.are_old();
    place.answer(Err(StorageError::new(Class::Config, "commit", "no such album").because(Reason::NotFound)));
    place.commit(&[2]).await;
    assert_eq!(*place.desk.albums_made.lock().expect("albums"), 1, "it was found again");
    assert!(in_album("album-1").await);
    place.store.remember_album(place.storage, "Sea", &AlbumId("album-2".into())).await.expect("remembered");
    assert!(!in_album("album-1").await && !in_album("album-2").await);
}

#[tokio::test]
async fn who_asks_to_be_left_alone_for_long_parks_the_run_and_holds_the_others_too() {
    // I7
    let place = Place::new(None).await;
    let two_hours = Duration::from_hours(2);
    place.answer(Err(StorageError::new(Class::Throttled, "commit", "slow down").after(Some(two_hours))));
    let (item, _told) = to_commit(1);
    let (ctx, began) = (&place.upload.ctx, place.upload.ctx.clock.now());
    let answer = place.committer.commit(&[item]).await.expect("no trouble");
    assert!(matches!(answer, Some(Answer::ForAll(_))), "{answer:?}");
    assert_eq!(ctx.stopped().expect("a stop").state, RunState::Parked);
    ctx.lane.permit().await;
    assert_eq!(ctx.clock.now().duration_since(began).as_secs(), 7_200);
}
