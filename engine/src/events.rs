//! Events: all that happens to plans and runs, as rows with a sequence number. They are written in the same transaction as what
//! they tell of, so none is told that did not happen and none is lost. Who listens ([`Engine::subscribe`]) is handed what the
//! rows say, in order, whichever process wrote them; one who is too slow is told to read again from where it was.

use std::{collections::VecDeque, sync::Arc};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::broadcast;

use crate::{
    engine::Engine,
    error::Error,
    ids::{PlanId, RunId},
    run::named,
};

/// Events that a listener may be behind before it is told to read again.
const BEHIND: usize = 1024;
/// Events that are read from the database at once.
pub(crate) const READ_AT_ONCE: u32 = 500;

named! {
    /// What an event tells of.
    EventKind {
        /// A run is in the queue.
        Queued = "run.queued",
        /// An attempt at a run has begun.
        Started = "run.started",
        /// What became of items of a run.
        Items = "run.items",
        /// Somebody asked a run to pause or to stop.
        Asked = "run.asked",
        /// A run is paused.
        Paused = "run.paused",
        /// A run waits for a quota, a person, or its next attempt.
        Parked = "run.parked",
        /// A run that was paused, parked or left by a process that died is in the queue again.
        Requeued = "run.requeued",
        /// A run came to its end.
        Ended = "run.ended",
        /// Occurrences of a plan went by without a run.
        Missed = "plan.missed",
        /// An occurrence was left out, since a run of the plan had not ended.
        Overlapped = "plan.overlapped",
        /// A storage was added.
        StorageAdded = "storage.added",
        /// A storage was changed: its name, its configuration or its consent.
        StorageChanged = "storage.changed",
        /// A storage was removed.
        StorageRemoved = "storage.removed",
        /// A plan was added.
        PlanAdded = "plan.added",
        /// A plan was changed.
        PlanChanged = "plan.changed",
        /// A plan's schedule was paused or resumed.
        PlanPaused = "plan.paused",
        /// A plan was removed.
        PlanRemoved = "plan.removed",
        /// A file was handed over to be sent.
        InboxReceived = "inbox.received",
        /// A file that was handed over is at its storage.
        InboxSent = "inbox.sent",
        /// A file that was handed over cannot be sent.
        InboxFailed = "inbox.failed",
        /// The nightly backup of the database could not be made.
        BackupFailed = "database.backup_failed",
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Event {
    /// Its place among all events; later ones have larger numbers, and no number comes twice.
    pub seq: i64,
    /// When it happened.
    pub at: Timestamp,
    /// What it tells of.
    pub kind: EventKind,
    /// The plan that it concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanId>,
    /// The run that it concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The details, by kind.
    pub data: Value,
}

/// An event that has yet to be written.
#[derive(Clone, Debug)]
pub(crate) struct NewEvent {
    pub(crate) kind: EventKind,
    pub(crate) plan: Option<PlanId>,
    pub(crate) run: Option<RunId>,
    pub(crate) data: Value,
}

/// Where events that have been read from the database are handed to those who listen.
#[derive(Clone, Debug)]
pub(crate) struct Bus(broadcast::Sender<Arc<Event>>);

impl Default for Bus {
    fn default() -> Self {
        Self(broadcast::Sender::new(BEHIND))
    }
}

/// The one who reads the events of the database and hands them on, in order.
#[derive(Debug)]
pub(crate) struct Tail {
    /// The last one that was handed on.
    seen: i64,
}

impl Tail {
    /// From now on.
    pub(crate) async fn new(engine: &Engine) -> Result<Self, Error> {
        Ok(Self { seen: engine.store.newest_event().await? })
    }

    /// Hands on what the database has that has not been handed on yet.
    pub(crate) async fn hand_on(&mut self, engine: &Engine) -> Result<(), Error> {
        // Without listeners there is nothing to read, but for where they will begin.
        if engine.bus.0.receiver_count() == 0 {
            let newest = engine.store.newest_event().await?;
            // Whoever has come meanwhile may have looked before this one happened.
            if engine.bus.0.receiver_count() == 0 {
                self.seen = newest;
                return Ok(());
            }
        }
        loop {
            let events = engine.store.events(None, self.seen, READ_AT_ONCE).await?;
            let Some(last) = events.last() else { return Ok(()) };
            self.seen = last.seq;
            for event in events {
                // Fails only when the last listener has left meanwhile.
                engine.bus.0.send(Arc::new(event)).ok();
            }
        }
    }
}

/// Events as they happen.
#[derive(Debug)]
pub struct Subscription {
    /// What had happened before, from where the listener asked to begin.
    before: VecDeque<Told>,
    live: broadcast::Receiver<Arc<Event>>,
    last: i64,
}

/// What a listener is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// Something happened.
    Event(Arc<Event>),
    /// The listener was too slow, and has missed some: it is to read again ([`Engine::events`]) from after this number.
    ReadAgain {
        /// The last event that it was told.
        after: i64,
    },
}

impl Subscription {
    /// Waits for what happens next. `None` when the engine is gone.
    pub async fn next(&mut self) -> Option<Told> {
        if let Some(told) = self.before.pop_front() {
            if let Told::Event(event) = &told {
                self.last = event.seq;
            }
            return Some(told);
        }
        loop {
            match self.live.recv().await {
                // What was read from the database may come again.
                Ok(event) if event.seq <= self.last => {}
                Ok(event) => {
                    self.last = event.seq;
                    return Some(Told::Event(event));
                }
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    // All that was handed on so far is in the database. To go on with the oldest that is still here would be to
                    // fall behind again at once.
                    self.live = self.live.resubscribe();
                    return Some(Told::ReadAgain { after: self.last });
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

impl Engine {
    /// The events after a number, the oldest first, of one run or of all; at most `most` of them.
    pub async fn events(&self, run: Option<RunId>, after: i64, most: u32) -> Result<Vec<Event>, Error> {
        self.store.events(run, after, most).await
    }

    /// The number of the newest event; 0 if nothing has happened yet.
    pub async fn newest_event(&self) -> Result<i64, Error> {
        self.store.newest_event().await
    }

    /// Listens to what happens from now on, or from after an event that was told before. Events come as long as a scheduler is
    /// at work in this process.
    pub async fn subscribe(&self, after: Option<i64>) -> Result<Subscription, Error> {
        let live = self.bus.0.subscribe();
        let newest = self.store.newest_event().await?;
        let last = after.unwrap_or(newest);
        let before = self.store.events(None, last, READ_AT_ONCE).await?;
        let is_all = before.last().is_none_or(|event| event.seq >= newest);
        let before = before.into_iter().map(|event| Told::Event(Arc::new(event)));
        let before =
            if is_all { before.collect() } else { VecDeque::from([Told::ReadAgain { after: last }]) };
        Ok(Subscription { before, live, last })
    }
}
