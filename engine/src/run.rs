//! A run: its state, its counts, why it stopped, and the context that every stage of a pipeline is given.

use std::{
    collections::BTreeMap,
    fmt,
    str::FromStr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use charon_provider::{Class, Facts};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    clock::{Clock, Entropy},
    error::Error,
    ids::{PlanId, RunId, StorageId},
    lane::Lane,
    parking,
    store::{ItemRecord, Store},
};

/// So many items in a row that failed for passing faults say that the fault does not pass.
const FAULTS_IN_A_ROW: u32 = 20;

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)* }

        impl $name {
            /// The name in the database, in JSON and on a screen.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, UnknownName> {
                match text { $($text => Ok(Self::$variant),)* _ => Err(UnknownName(text.to_owned())) }
            }
        }
    };
}

/// A name that the database should not hold.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a name that this program writes")]
pub struct UnknownName(pub(crate) String);

named! {
    /// Where a run stands.
    RunState {
        /// It waits for its turn.
        Queued = "queued",
        /// It is at work.
        Running = "running",
        /// It was asked to pause and is finishing what it holds.
        Pausing = "pausing",
        /// It waits until it is resumed.
        Paused = "paused",
        /// It waits for a quota or for a person.
        Parked = "parked",
        /// Every item is done, unchanged or skipped for a reason.
        Succeeded = "succeeded",
        /// It came to its end, but some items failed.
        Partial = "partial",
        /// It could not come to its end.
        Failed = "failed",
        /// Somebody stopped it.
        Cancelled = "cancelled",
    }
}

impl RunState {
    /// Whether a process is at it, or should be.
    pub(crate) fn is_live(self) -> bool {
        matches!(self, Self::Queued | Self::Running | Self::Pausing | Self::Paused)
    }
}

named! {
    /// What became of an item, where that is told in a row of its own.
    Outcome {
        /// It is where it should be, durably.
        Done = "done",
        /// It was left out, for the reason given.
        Skipped = "skipped",
        /// It could not be done, for the reason given.
        Failed = "failed",
    }
}

/// How many items ended how. Every item of a run is in one of them (I9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Moved in this run.
    pub done: u64,
    /// Where they should be since before this run.
    pub unchanged: u64,
    /// Left out, each for a reason.
    pub skipped: u64,
    /// Not done, each for a reason.
    pub failed: u64,
}

impl Counts {
    /// All items that have come to an end.
    pub fn total(&self) -> u64 {
        self.done + self.unchanged + self.skipped + self.failed
    }
}

/// Why a run ended before its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// What the run became: parked, failed or cancelled.
    pub state: RunState,
    /// The class of the error behind it, if there was one.
    pub class: Option<Class>,
    /// What happened, why, and what to do.
    pub message: String,
    /// When a parked run can go on; `None` when a person has to do something first.
    pub until: Option<Timestamp>,
}

impl Stop {
    /// Somebody asked for it.
    pub fn cancelled() -> Self {
        Self {
            state: RunState::Cancelled,
            class: None,
            message: "it was stopped; the next run goes on from here".into(),
            until: None,
        }
    }

    /// The process that ran it is no more.
    pub fn interrupted() -> Self {
        Self::failed(None, "the program ended in the middle of it; the next run goes on from there")
    }

    pub(crate) fn failed(class: Option<Class>, message: impl Into<String>) -> Self {
        Self { state: RunState::Failed, class, message: message.into(), until: None }
    }
}

/// What can be shown of a run while it goes on: only what is done, never what is hoped for (I10).
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// What became of the items so far.
    pub items: Counts,
    /// Bytes of the items that are done.
    pub bytes: u64,
    /// Bytes of the items found so far that have to be moved, as far as their sizes have been measured.
    pub bytes_found: u64,
    /// Items found so far.
    pub found: u64,
    /// Whether everything has been found, so that `found` is the total.
    pub found_all: bool,
    /// What the run waits for, if it waits.
    pub waiting: Option<String>,
}

impl Progress {
    /// Counts items whose end is recorded.
    pub(crate) fn count(&mut self, items: &[ItemRecord]) {
        for item in items {
            match item.outcome {
                Outcome::Done => self.items.done += 1,
                Outcome::Skipped => self.items.skipped += 1,
                Outcome::Failed => self.items.failed += 1,
            }
        }
    }
}

/// What every stage of a pipeline is given: how to stop, whom to tell, where to record.
#[derive(Debug)]
pub(crate) struct RunContext {
    pub(crate) run: RunId,
    pub(crate) plan: PlanId,
    pub(crate) storage: StorageId,
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) lane: Arc<Lane>,
    pub(crate) facts: Facts,
    pub(crate) cancel: CancellationToken,
    /// Whether the listing has to go to its end, whatever is known already.
    pub(crate) full_listing: bool,
    /// Whether this is only an estimate: nothing is recorded of its items.
    pub(crate) is_dry: bool,
    stop: OnceLock<Stop>,
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
        facts: Facts,
        progress: watch::Sender<Progress>,
    ) -> Self {
        Self {
            run,
            plan,
            storage,
            store,
            clock,
            entropy,
            lane,
            facts,
            cancel: CancellationToken::new(),
            full_listing: false,
            is_dry: false,
            stop: OnceLock::new(),
            progress,
            faults_in_a_row: AtomicU32::new(0),
        }
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
        let message = error.to_string();
        self.stop(match error.class {
            Class::Auth => Stop { state: RunState::Parked, class: Some(Class::Auth), message, until: None },
            Class::Quota => Stop {
                state: RunState::Parked,
                class: Some(Class::Quota),
                message,
                until: parking::next_reset(&self.facts.meters, self.clock.now()),
            },
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

    pub(crate) fn tell(&self, change: impl FnOnce(&mut Progress)) {
        self.progress.send_modify(change);
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
            self.store.record_run_items(self.run, items).await?;
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

/// What a run came to: the object that `charon run --json` ends with.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The run's id.
    pub run: RunId,
    /// The plan's name.
    pub plan: String,
    /// Where the run stands now.
    pub state: RunState,
    /// What became of the items.
    pub items: Counts,
    /// Bytes of the items that are done.
    pub bytes: u64,
    /// HTTP requests, all of them: of the API, for bytes, for tokens.
    pub requests: u64,
    /// The same, by meter.
    pub requests_by_meter: BTreeMap<String, u64>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended, or was parked.
    pub ended_at: Timestamp,
    /// From when on a run that is parked for a quota can go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parked_until: Option<Timestamp>,
    /// Why it stopped before its end, then what went wrong with items (the first hundred).
    pub errors: Vec<Trouble>,
    /// How many items were skipped, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// How to include what was left out, where there is a way.
    pub hints: Vec<String>,
    /// How true the items are that a backup brought home: how many are `original`, how many `api-copy`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fidelity: BTreeMap<String, u64>,
    /// Whether a backup listed all that the storage shows (`full`), or only what is new (`quick`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listing: Option<&'static str>,
    /// Whether that listing came to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listing_complete: Option<bool>,
}

/// One thing that went wrong.
#[derive(Clone, Debug, Serialize)]
pub struct Trouble {
    /// The item, or `None` when it concerns the run as a whole.
    pub item: Option<String>,
    /// Where the item is, if it is a file of this machine: several may have the same name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What kind of trouble.
    pub class: Option<Class>,
    /// What happened, why, and what to do.
    pub message: String,
    /// Whether a later run tries the item again.
    pub will_retry: bool,
}
