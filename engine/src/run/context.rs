//! What every stage of a pipeline is given: how to stop, whom to tell, where to record.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

use charon_provider::{Class, Error as StorageError, Facts, Reason};
use jiff::SignedDuration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Attempt, Outcome, Progress, RunState, Stop};
use crate::{
    budget::Spending,
    clock::{Clock, Entropy},
    error::Error,
    ids::{PlanId, RunId, StorageId},
    lane::Lane,
    moving::Board,
    parking,
    store::{ItemRecord, Store},
};

/// So many items in a row that failed for passing faults say that the fault does not pass.
const FAULTS_IN_A_ROW: u32 = 20;

/// What every stage of a pipeline is given: how to stop, whom to tell, where to record.
#[derive(Debug)]
pub(crate) struct RunContext {
    pub(crate) run: RunId,
    /// The number of the attempt at it.
    pub(crate) attempt: u32,
    pub(crate) plan: PlanId,
    pub(crate) storage: StorageId,
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) lane: Arc<Lane>,
    pub(crate) spending: Arc<Spending>,
    pub(crate) facts: Facts,
    pub(crate) cancel: CancellationToken,
    /// Whether the listing has to go to its end, whatever is known already.
    pub(crate) full_listing: bool,
    /// Only the items that failed in this run.
    pub(crate) failed_of: Option<RunId>,
    /// Whether this is only an estimate: nothing is recorded of its items.
    pub(crate) is_dry: bool,
    /// The files that bytes are moved of now.
    pub(crate) board: Board,
    /// How long the run has been at work, in all its attempts, in milliseconds.
    pub(crate) active_ms: AtomicU64,
    /// How many items earlier attempts have done that this one has not come across yet.
    pub(crate) done_before: AtomicU64,
    stop: OnceLock<Stop>,
    /// Why nothing more is begun, and the token that tells it.
    no_more: OnceLock<StorageError>,
    no_more_token: CancellationToken,
    progress: watch::Sender<Progress>,
    faults_in_a_row: AtomicU32,
}

impl RunContext {
    #[expect(clippy::too_many_arguments, reason = "one place wires a run together")]
    pub(crate) fn new(
        run: RunId,
        plan: PlanId,
        storage: StorageId,
        store: Store,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        lane: Arc<Lane>,
        spending: Arc<Spending>,
        facts: Facts,
        progress: watch::Sender<Progress>,
    ) -> Self {
        Self {
            run,
            attempt: 1,
            plan,
            storage,
            store,
            clock,
            entropy,
            lane,
            spending,
            facts,
            cancel: CancellationToken::new(),
            full_listing: false,
            failed_of: None,
            is_dry: false,
            board: Board::default(),
            active_ms: AtomicU64::new(0),
            done_before: AtomicU64::new(0),
            stop: OnceLock::new(),
            no_more: OnceLock::new(),
            no_more_token: CancellationToken::new(),
            progress,
            faults_in_a_row: AtomicU32::new(0),
        }
    }

    /// The attempt at the run that this is.
    pub(crate) fn attempt(&self) -> Attempt {
        Attempt { run: self.run, number: self.attempt }
    }

    /// Stops the run; the first reason is the one that is told.
    pub(crate) fn stop(&self, why: Stop) {
        // A later reason is a consequence of the first.
        self.stop.get_or_init(|| why);
        self.cancel.cancel();
    }

    /// Why the run stopped, if it did.
    pub(crate) fn stopped(&self) -> Option<&Stop> {
        self.stop.get()
    }

    /// Begins nothing more: the budget is used up. What is under way goes on to its end, since its requests are made or taken
    /// already; then the run is parked.
    fn begin_no_more(&self, why: &StorageError) {
        self.no_more.get_or_init(|| why.clone());
        self.no_more_token.cancel();
    }

    /// Whether nothing more is to be begun, although the run has not stopped.
    pub(crate) fn begins_no_more(&self) -> bool {
        self.no_more_token.is_cancelled()
    }

    /// Waits until nothing more is to be begun.
    pub(crate) async fn no_more(&self) {
        self.no_more_token.cancelled().await;
    }

    /// Stops the run if nothing more was begun in it; to be called when what was under way has come to its end.
    pub(crate) fn stop_if_no_more(&self) {
        if let Some(error) = self.no_more.get() {
            self.stop(self.parked_for_quota(error));
        }
    }

    fn parked_for_quota(&self, error: &StorageError) -> Stop {
        Stop {
            state: RunState::Parked,
            class: Some(Class::Quota),
            message: error.to_string(),
            until: self.spending.until(error, &self.facts.meters),
        }
    }

    /// Does it, unless the run stops first; what is half done is then dropped.
    pub(crate) async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.cancel.run_until_cancelled(work).await
    }

    /// Stops the run because the engine itself failed (the database, for instance).
    pub(crate) fn stop_for(&self, error: &Error) {
        match error {
            Error::Storage(error) => self.stop_for_storage(error),
            Error::Destination(_) => self.stop(Stop::failed(Some(Class::Destination), error.to_string())),
            other => self.stop(Stop::failed(None, other.to_string())),
        }
    }

    /// Stops the run for an error that concerns more than one item, as its class decides.
    pub(crate) fn stop_for_storage(&self, error: &charon_provider::Error) {
        if error.reason == Reason::OverBudget {
            return self.begin_no_more(error);
        }
        let message = error.to_string();
        self.stop(match error.class {
            Class::Auth => Stop { state: RunState::Parked, class: Some(Class::Auth), message, until: None },
            Class::Quota => self.parked_for_quota(error),
            Class::Throttled => Stop {
                state: RunState::Parked,
                class: Some(Class::Throttled),
                message,
                until: Some(parking::after_throttling(error.retry_after, self.clock.now())),
            },
            class => Stop::failed(Some(class), message),
        });
    }

    /// Takes an item's error: either it concerns the item alone, and is given back to be recorded, or it stops the run.
    pub(crate) fn item_failed(&self, error: charon_provider::Error) -> Option<charon_provider::Error> {
        match error.class {
            Class::Item => Some(error),
            Class::Transient => {
                let faults = self.faults_in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
                if faults >= FAULTS_IN_A_ROW {
                    self.stop(Stop::failed(
                        Some(Class::Transient),
                        format!("{faults} items in a row failed, so the run was given up; the last: {error}"),
                    ));
                }
                Some(error)
            }
            Class::Auth | Class::Quota | Class::Throttled | Class::Destination | Class::Config => {
                self.stop_for_storage(&error);
                None
            }
        }
    }

    /// An item worked: faults before it have passed.
    pub(crate) fn item_worked(&self) {
        self.faults_in_a_row.store(0, Ordering::Relaxed);
    }

    /// It has been at work for so much longer; gives how long that is in all.
    pub(crate) fn has_worked_for(&self, longer: SignedDuration) -> SignedDuration {
        let more = u64::try_from(longer.as_millis()).unwrap_or_default();
        let all = self.active_ms.fetch_add(more, Ordering::Relaxed).saturating_add(more);
        SignedDuration::from_millis(i64::try_from(all).unwrap_or(i64::MAX))
    }

    /// Counts items that are where they should be since before this run. Of those that an earlier attempt at the run has put
    /// there, which are counted as done, it counts none.
    pub(crate) fn unchanged(&self, items: u64) {
        let take = |left: u64| Some(left.saturating_sub(items));
        let by_this_run =
            self.done_before.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).unwrap_or_default();
        self.tell(|progress| progress.items.unchanged += items.saturating_sub(by_this_run));
    }

    /// Counts an item as done that was there since before this attempt; one that an earlier attempt has counted is not counted again.
    pub(crate) fn done_again(&self) {
        let take = |left: u64| left.checked_sub(1);
        let was_counted = self.done_before.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok();
        self.tell(|progress| progress.items.done += u64::from(!was_counted));
    }

    /// Counts an item as failed that was counted as done.
    pub(crate) fn not_done_after_all(&self) {
        self.tell(|progress| {
            progress.items.done = progress.items.done.saturating_sub(1);
            progress.items.failed += 1;
        });
    }

    pub(crate) fn tell(&self, change: impl FnOnce(&mut Progress)) {
        self.progress.send_modify(change);
    }

    /// What is done so far, and every change of it.
    pub(crate) fn follow(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    pub(crate) fn progress(&self) -> Progress {
        self.progress.borrow().clone()
    }

    /// Records items that are not done, and counts them.
    pub(crate) async fn record(&self, items: &[ItemRecord]) -> Result<(), Error> {
        if items.is_empty() {
            return Ok(());
        }
        if !self.is_dry {
            self.store.record_run_items(self.attempt(), items).await?;
        }
        self.tell(|progress| progress.count(items));
        Ok(())
    }

    pub(crate) fn done(&self, item: String, name: String, bytes: u64) -> ItemRecord {
        ItemRecord {
            item,
            name,
            outcome: Outcome::Done,
            class: None,
            reason: None,
            bytes,
            at: self.clock.now(),
        }
    }

    pub(crate) fn skipped(&self, item: String, name: String, reason: impl Into<String>) -> ItemRecord {
        let reason = Some(reason.into());
        ItemRecord {
            item,
            name,
            outcome: Outcome::Skipped,
            class: None,
            reason,
            bytes: 0,
            at: self.clock.now(),
        }
    }

    pub(crate) fn failed(&self, item: String, name: String, class: Class, reason: String) -> ItemRecord {
        let (class, reason) = (Some(class), Some(reason));
        ItemRecord { item, name, outcome: Outcome::Failed, class, reason, bytes: 0, at: self.clock.now() }
    }
}
