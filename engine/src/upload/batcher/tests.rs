use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use charon_provider::{BatchPolicy, Class, Error as StorageError, Reason};
use proptest::prelude::*;
use tokio::{sync::oneshot, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{Answer, By, Committer, Intake, One, Waiting, batcher};
use crate::{
    clock::{Clock, ManualClock},
    error::Error,
};

/// What a storage does with an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Taken,
    /// Its own result is a refusal.
    Refused,
    /// The commits that it is in are refused as a whole.
    Spoils,
    /// Refused in company, taken alone.
    HasTwin,
    /// Fails once, for a passing fault.
    FailsOnce,
}

/// What a storage does with one commit, whatever is in it.
#[derive(Clone, Copy, Debug)]
struct Step {
    takes_ms: u64,
    /// All fail for a passing fault.
    fails: bool,
    /// The run is stopped, for instance by a spent quota: before the commit has been answered, or by its answer.
    stops: Option<bool>,
}

/// A file in the eyes of those who stage.
#[derive(Clone, Copy, Debug)]
struct Plan {
    fate: Fate,
    staged_after_ms: u64,
    /// Which album it goes into.
    album: Option<&'static str>,
}

struct Item {
    file: u64,
    fate: Fate,
    album: Option<Arc<str>>,
    alone: bool,
    reply: Option<oneshot::Sender<Result<(), StorageError>>>,
    fake: Arc<Fake>,
}

impl Waiting for Item {
    fn place(&self) -> u64 {
        self.file
    }

    fn album(&self) -> Option<&Arc<str>> {
        self.album.as_ref()
    }

    fn is_alone(&self) -> bool {
        self.alone
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        if self.reply.is_some() && !self.fake.may_leave_items() {
            self.fake.complain(format!("the item of file {} came to no end", self.file));
        }
    }
}

/// A storage that does as it is told, and watches.
struct Fake {
    clock: Arc<ManualClock>,
    size: usize,
    staged: AtomicUsize,
    most_staged: AtomicUsize,
    committing: AtomicBool,
    stopped: AtomicBool,
    cancelled: CancellationToken,
    given_up: AtomicBool,
    steps: Mutex<VecDeque<Step>>,
    failed_once: Mutex<BTreeSet<u64>>,
    made: Mutex<BTreeMap<u64, u32>>,
    commits: Mutex<Vec<Vec<u64>>>,
    complaints: Mutex<Vec<String>>,
    /// How each item came to its answer.
    by: Mutex<Vec<(u64, By)>>,
}

impl Fake {
    fn new(size: usize, steps: Vec<Step>) -> Arc<Self> {
        Arc::new(Self {
            clock: Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().expect("a time"))),
            size,
            staged: AtomicUsize::default(),
            most_staged: AtomicUsize::default(),
            committing: AtomicBool::default(),
            stopped: AtomicBool::default(),
            cancelled: CancellationToken::new(),
            given_up: AtomicBool::default(),
            steps: Mutex::new(steps.into()),
            failed_once: Mutex::default(),
            made: Mutex::default(),
            commits: Mutex::default(),
            complaints: Mutex::default(),
            by: Mutex::default(),
        })
    }

    fn complain(&self, what: String) {
        self.complaints.lock().expect("complaints").push(what);
    }

    fn may_leave_items(&self) -> bool {
        self.stopped.load(Ordering::SeqCst) || self.cancelled.is_cancelled()
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.cancelled.cancel();
    }

    fn result(&self, item: &Item, company: usize) -> Result<u64, StorageError> {
        let error = |class| StorageError::new(class, "commit", "no");
        match item.fate {
            Fate::Refused | Fate::Spoils => Err(error(Class::Item)),
            Fate::HasTwin if company > 1 => Err(error(Class::Item).because(Reason::AlreadyExists)),
            Fate::FailsOnce if self.failed_once.lock().expect("files").insert(item.file) => {
                Err(error(Class::Transient))
            }
            Fate::Taken | Fate::HasTwin | Fate::FailsOnce => Ok(item.file),
        }
    }
}

#[async_trait]
impl Committer for Arc<Fake> {
    type Item = Item;
    type Made = u64;

    async fn commit(&self, items: &[Item]) -> Result<Option<Answer<u64>>, Error> {
        let places: Vec<u64> = items.iter().map(|item| item.file).collect();
        if self.committing.swap(true, Ordering::SeqCst) {
            self.complain("two commits at a time".into());
        }
        if places.is_empty() || places.len() > self.size {
            self.complain(format!("a batch of {} items", places.len()));
        }
        if !places.is_sorted() {
            self.complain(format!("out of order: {places:?}"));
        }
        if items.iter().any(|item| item.album != items[0].album) {
            self.complain(format!("two albums in one commit: {places:?}"));
        }
        if places.len() > 1 && items.iter().any(Waiting::is_alone) {
            self.complain(format!("one that must be alone is among {places:?}"));
        }
        if self.stopped.load(Ordering::SeqCst) {
            self.complain("a commit after the run was stopped".into());
        }
        self.commits.lock().expect("commits").push(places);
        let step = self.steps.lock().expect("steps").pop_front();
        if let Some(step) = step {
            self.clock.sleep(Duration::from_millis(step.takes_ms)).await;
        }
        self.committing.store(false, Ordering::SeqCst);
        let stops = step.and_then(|step| step.stops);
        if stops.is_some() {
            self.stop();
        }
        if stops == Some(false) {
            return Ok(None);
        }
        let error = |class| StorageError::new(class, "commit", "no");
        Ok(Some(if stops == Some(true) {
            Answer::ForAll(error(Class::Quota))
        } else if step.is_some_and(|step| step.fails) {
            Answer::ForAll(error(Class::Transient))
        } else if items.iter().any(|item| item.fate == Fate::Spoils) {
            Answer::ForOne(error(Class::Item))
        } else {
            Answer::Each(items.iter().map(|item| self.result(item, items.len())).collect())
        }))
    }

    async fn settle(&self, settled: Vec<(Item, Result<u64, StorageError>)>, by: By) -> Result<(), Error> {
        self.by.lock().expect("settled").extend(settled.iter().map(|(item, _)| (item.file, by)));
        for (mut item, result) in settled {
            if let Ok(file) = &result {
                assert_eq!(*file, item.file, "each has its own result");
                *self.made.lock().expect("made").entry(item.file).or_default() += 1;
            }
            // Nobody listens after a cancel.
            drop(item.reply.take().expect("told once").send(result.map(drop)));
        }
        Ok(())
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    fn give_up(&self, _error: &StorageError) {
        self.given_up.store(true, Ordering::SeqCst);
        self.stop();
    }
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Done,
    Failed,
    Stopped,
}

/// One file on its way, as the sending stage does it: a slot, the bytes, the commit, and again where that helps.
async fn one_file(fake: Arc<Fake>, intake: Intake<Item>, file: u64, plan: Plan) -> End {
    let Some(Some((slot, announced))) = fake.cancelled.run_until_cancelled(intake.slot(None)).await else {
        return End::Stopped;
    };
    let staged = fake.staged.fetch_add(1, Ordering::SeqCst) + 1;
    fake.most_staged.fetch_max(staged, Ordering::SeqCst);
    let end = stage_and_commit(&fake, &intake, announced, file, plan).await;
    fake.staged.fetch_sub(1, Ordering::SeqCst);
    drop(slot);
    end
}

async fn stage_and_commit(
    fake: &Arc<Fake>,
    intake: &Intake<Item>,
    announced: One,
    file: u64,
    plan: Plan,
) -> End {
    let (mut alone, mut announced) = (false, Some(announced));
    for _ in 0..3 {
        let announced = announced.take().unwrap_or_else(|| intake.announce());
        let bytes = fake.clock.sleep(Duration::from_millis(plan.staged_after_ms));
        if fake.cancelled.run_until_cancelled(bytes).await.is_none() {
            return End::Stopped;
        }
        let (reply, answer) = oneshot::channel();
        let album = plan.album.map(Into::into);
        let item = Item { file, fate: plan.fate, album, alone, reply: Some(reply), fake: Arc::clone(fake) };
        if !intake.hand_in(item, announced).await {
            return End::Stopped;
        }
        match fake.cancelled.run_until_cancelled(answer).await {
            Some(Ok(Ok(()))) => return End::Done,
            Some(Ok(Err(error))) if error.reason == Reason::AlreadyExists => alone = true,
            Some(Ok(Err(error))) if error.class == Class::Transient => {}
            Some(Ok(Err(_))) => return End::Failed,
            Some(Err(_)) | None => return End::Stopped,
        }
    }
    End::Failed
}

/// Runs all files to their end, moving the clock whenever nothing else moves; gives what became of each.
fn run(fake: &Arc<Fake>, policy: &BatchPolicy, files: &[Plan], cancel_after: Option<u64>) -> Vec<End> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let (intake, batcher) = batcher(policy);
        let mut tasks = JoinSet::new();
        for (file, plan) in (0..).zip(files.iter().copied()) {
            let (fake, intake) = (Arc::clone(fake), intake.clone());
            tasks.spawn(async move { Some((file, one_file(fake, intake, file, plan).await)) });
        }
        drop(intake);
        let committing = Arc::clone(fake);
        tasks.spawn(async move {
            batcher.run(&committing, &*committing.clock).await.expect("no trouble");
            None
        });
        if let Some(ms) = cancel_after {
            let fake = Arc::clone(fake);
            tasks.spawn(async move {
                fake.clock.sleep(Duration::from_millis(ms)).await;
                fake.cancelled.cancel();
                None
            });
        }
        let mut ends = BTreeMap::new();
        loop {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            while let Some(ended) = tasks.try_join_next() {
                if let Some((file, end)) = ended.expect("no panic") {
                    assert_eq!(ends.insert(file, end), None, "one outcome for each");
                }
            }
            if tasks.is_empty() {
                break ends.into_values().collect();
            }
            assert!(fake.clock.advance_to_next(), "nothing moves any more: {ends:?}");
        }
    })
}

fn policy(size: usize, staged: usize, idle_ms: u64) -> BatchPolicy {
    let idle = Duration::from_millis(idle_ms);
    BatchPolicy { size, staged, idle, commit_timeout: Duration::from_mins(10) }
}

fn any_plan() -> impl Strategy<Value = Plan> {
    let fate = prop_oneof![
        12 => Just(Fate::Taken),
        1 => Just(Fate::Refused),
        1 => Just(Fate::Spoils),
        1 => Just(Fate::HasTwin),
        1 => Just(Fate::FailsOnce),
    ];
    let album =
        prop_oneof![2 => Just(None), 2 => Just(Some("A")), 1 => Just(Some("B")), 1 => Just(Some("C"))];
    (fate, 0..300_u64, album).prop_map(|(fate, staged_after_ms, album)| Plan { fate, staged_after_ms, album })
}

fn any_step() -> impl Strategy<Value = Step> {
    let stops = prop_oneof![60 => Just(None), 1 => any::<bool>().prop_map(Some)];
    (0..500_u64, prop::bool::weighted(0.1), stops).prop_map(|(takes_ms, fails, stops)| Step {
        takes_ms,
        fails,
        stops,
    })
}

proptest! {
    #[test]
    fn every_item_has_exactly_one_outcome_whatever_happens(
        (size, staged) in (1..8_usize).prop_flat_map(|size| (Just(size), size..4 * size)),
        idle_ms in 0..200_u64,
        files in prop::collection::vec(any_plan(), 0..40),
        steps in prop::collection::vec(any_step(), 0..40),
        cancel_after in prop::option::weighted(0.3, 0..3_000_u64),
    ) {
        // I1, I8, I9
        let fake = Fake::new(size, steps);
        let ends = run(&fake, &policy(size, staged, idle_ms), &files, cancel_after);
        prop_assert_eq!(ends.len(), files.len());
        prop_assert_eq!(&*fake.complaints.lock().expect("complaints"), &Vec::<String>::new());
        prop_assert!(fake.most_staged.load(Ordering::SeqCst) <= staged);
        let made = fake.made.lock().expect("made");
        prop_assert!(made.values().all(|times| *times == 1), "{:?}", made);
        for (file, end) in (0..).zip(&ends) {
            // After a cancel, what was made may have nobody left to be told.
            prop_assert!(*end != End::Done || made.contains_key(&file), "file {} is done and was not made", file);
            prop_assert!(*end != End::Failed || !made.contains_key(&file), "file {} failed and was made", file);
            prop_assert!(*end != End::Stopped || fake.may_leave_items(), "file {} was left", file);
        }
    }
}

/// Files that are all staged at once.
fn files(fates: &[Fate]) -> Vec<Plan> {
    fates.iter().map(|&fate| Plan { fate, staged_after_ms: 0, album: None }).collect()
}

fn commits(fake: &Fake) -> Vec<Vec<u64>> {
    fake.commits.lock().expect("commits").clone()
}

fn since_start(fake: &Fake) -> i128 {
    fake.clock.now().as_millisecond().into()
}

#[test]
fn a_full_batch_goes_out_at_once_and_the_last_does_not_wait_for_more() {
    let fake = Fake::new(3, Vec::new());
    let before = since_start(&fake);
    let ends = run(&fake, &policy(3, 10, 60_000), &files(&[Fate::Taken; 7]), None);
    assert_eq!(ends, [End::Done; 7]);
    assert_eq!(commits(&fake), [vec![0, 1, 2], vec![3, 4, 5], vec![6]]);
    assert_eq!(since_start(&fake), before, "nobody waited");
}

#[test]
fn a_batch_that_nothing_joins_goes_out_after_a_while() {
    let late = Plan { fate: Fate::Taken, staged_after_ms: 5_000, album: None };
    let plans = [files(&[Fate::Taken; 2]), vec![late]].concat();
    let fake = Fake::new(3, Vec::new());
    assert_eq!(run(&fake, &policy(3, 10, 1_000), &plans, None), [End::Done; 3]);
    assert_eq!(commits(&fake), [vec![0, 1], vec![2]]);
    // One that is on its way is waited for where that is allowed.
    let fake = Fake::new(3, Vec::new());
    assert_eq!(run(&fake, &policy(3, 10, 6_000), &plans, None), [End::Done; 3]);
    assert_eq!(commits(&fake), [vec![0, 1, 2]]);
}

/// Files that go into these albums, each staged after so long.
fn into_albums(files: &[(&'static str, u64)]) -> Vec<Plan> {
    let plan = |&(album, staged_after_ms)| Plan { fate: Fate::Taken, staged_after_ms, album: Some(album) };
    files.iter().map(plan).collect()
}

#[test]
fn albums_do_not_share_a_batch_and_each_batch_is_full_as_long_as_there_are_files() {
    let plans: Vec<Plan> = ["A", "B"].iter().flat_map(|album| into_albums(&[(*album, 0); 7])).collect();
    let fake = Fake::new(3, Vec::new());
    let before = since_start(&fake);
    assert_eq!(run(&fake, &policy(3, 14, 60_000), &plans, None), [End::Done; 14]);
    let mut commits = commits(&fake);
    assert_eq!(since_start(&fake), before, "nobody waited");
    commits.sort();
    assert_eq!(commits, [vec![0, 1, 2], vec![3, 4, 5], vec![6], vec![7, 8, 9], vec![10, 11, 12], vec![13]]);
}

#[test]
fn an_album_that_waits_for_the_rest_of_its_files_does_not_hold_up_another() {
    // The second file of the first album takes longest.
    let plans = into_albums(&[("A", 0), ("B", 100), ("B", 200), ("A", 5_000)]);
    let fake = Fake::new(2, Vec::new());
    assert_eq!(run(&fake, &policy(2, 10, 60_000), &plans, None), [End::Done; 4]);
    assert_eq!(commits(&fake), [[1, 2], [0, 3]]);
}

#[test]
fn each_batch_has_its_own_patience() {
    // While others keep joining the second album, nothing joins the first.
    let plans = into_albums(&[("A", 0), ("B", 600), ("B", 1_200), ("B", 1_800), ("B", 2_400), ("A", 4_000)]);
    let fake = Fake::new(9, Vec::new());
    assert_eq!(run(&fake, &policy(9, 10, 1_000), &plans, None), [End::Done; 6]);
    assert_eq!(commits(&fake), [vec![0], vec![1, 2, 3, 4], vec![5]]);
}

#[test]
fn where_all_that_may_be_staged_waits_the_batch_that_was_joined_longest_ago_goes_and_no_other() {
    // Four may be staged: two of the first album, and of the second as many as there is room for.
    let plans = into_albums(&[("A", 0), ("A", 0), ("B", 1), ("B", 1), ("B", 1), ("B", 1)]);
    let fake = Fake::new(4, Vec::new());
    let before = since_start(&fake);
    assert_eq!(run(&fake, &policy(4, 4, 60_000), &plans, None), [End::Done; 6]);
    assert_eq!(commits(&fake), [vec![0, 1], vec![2, 3, 4, 5]]);
    assert!(since_start(&fake) - before < 10, "nobody waited for more than the bytes");
}

#[test]
fn a_batch_goes_in_the_order_of_the_scan_whatever_was_staged_first() {
    let plans: Vec<Plan> = [30, 10, 20, 0]
        .map(|staged_after_ms| Plan { fate: Fate::Taken, staged_after_ms, album: None })
        .to_vec();
    let fake = Fake::new(4, Vec::new());
    run(&fake, &policy(4, 10, 1_000), &plans, None);
    assert_eq!(commits(&fake), [[0, 1, 2, 3]]);
}

#[test]
fn one_that_spoils_a_batch_fails_alone() {
    let mut fates = [Fate::Taken; 8];
    fates[5] = Fate::Spoils;
    let fake = Fake::new(8, Vec::new());
    let ends = run(&fake, &policy(8, 16, 0), &files(&fates), None);
    let failed: Vec<usize> = (0..8).filter(|&at| ends[at] == End::Failed).collect();
    assert_eq!(failed, [5]);
    assert_eq!(commits(&fake).len(), 1 + 2 * 3, "halved three times");
}

#[test]
fn a_storage_that_refuses_one_after_the_other_is_given_up() {
    let fake = Fake::new(50, Vec::new());
    let ends = run(&fake, &policy(50, 100, 0), &files(&[Fate::Spoils; 50]), None);
    assert!(fake.given_up.load(Ordering::SeqCst));
    assert_eq!(ends.iter().filter(|end| **end == End::Failed).count(), super::REFUSALS);
    assert!(commits(&fake).len() <= 20, "{:?}", commits(&fake));
}

#[test]
fn one_with_a_twin_is_committed_again_on_its_own() {
    let mut fates = [Fate::Taken; 4];
    fates[1] = Fate::HasTwin;
    let fake = Fake::new(4, Vec::new());
    assert_eq!(run(&fake, &policy(4, 8, 0), &files(&fates), None), [End::Done; 4]);
    assert_eq!(commits(&fake), [vec![0, 1, 2, 3], vec![1]]);
}

#[test]
fn who_spoils_a_batch_is_told_apart_only_where_the_others_are_made() {
    let plan = |fate| Plan { fate, staged_after_ms: 0, album: None };
    let by_of = |fates: &[Fate]| {
        let fake = Fake::new(10, Vec::new());
        let files: Vec<Plan> = fates.iter().map(|fate| plan(*fate)).collect();
        run(&fake, &policy(10, 20, 1_000), &files, None);
        let by = fake.by.lock().expect("settled").clone();
        (0..fates.len() as u64).map(|file| by.iter().find(|(of, _)| *of == file).map(|(_, by)| *by)).collect()
    };
    let by: Vec<Option<By>> = by_of(&[Fate::Spoils, Fate::Taken, Fate::Taken, Fate::Taken]);
    assert_eq!(by, [Some(By::Exclusion), Some(By::Own), Some(By::Own), Some(By::Own)]);
    let by: Vec<Option<By>> = by_of(&[Fate::Spoils; 3]);
    assert_eq!(by, [Some(By::Company); 3]);
    let by: Vec<Option<By>> = by_of(&[Fate::Spoils]);
    assert_eq!(by, [Some(By::Own)]);
}
