//! A run: its state, its counts, why it stopped, what it came to. [`context`](RunContext) is what the stages of its pipeline are given.

mod context;

use std::collections::BTreeMap;

use charon_provider::Class;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use context::RunContext;

use crate::{adopt::Adopted, ids::RunId, job::Job, store::ItemRecord, verify::Findings};

/// An enum whose variants have names that stay: in the database, in JSON, on a screen.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        $(#[$doc])*
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)* }

        impl $name {
            /// The name in the database, in JSON and on a screen.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::run::UnknownName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text { $($text => Ok(Self::$variant),)* _ => Err($crate::run::UnknownName(text.to_owned())) }
            }
        }
    };
}

pub(crate) use named;

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
    /// Whether it has not come to its end: a process is at it, or it waits for something.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Queued | Self::Running | Self::Pausing | Self::Paused | Self::Parked)
    }
}

named! {
    /// Why there is a run.
    Trigger {
        /// Its plan was due.
        Schedule = "schedule",
        /// Its plan had been due while nobody was there to run it.
        CatchUp = "catch_up",
        /// Somebody asked for it.
        Manual = "manual",
        /// Somebody asked for what had failed in an earlier one.
        Retry = "retry",
        /// A program asked for it.
        Api = "api",
    }
}

impl Trigger {
    /// Larger ones go first: somebody who asks is there and waits.
    pub(crate) fn priority(self) -> i64 {
        match self {
            Self::Schedule | Self::CatchUp => 0,
            Self::Manual | Self::Retry | Self::Api => 1,
        }
    }

    /// Whether it keeps to the windows of the plan's schedule. One who asks for a run means now.
    pub(crate) fn keeps_to_windows(self) -> bool {
        matches!(self, Self::Schedule | Self::CatchUp)
    }
}

named! {
    /// What somebody asks of the one who is at a run.
    Wish {
        /// To finish what it holds and wait to be resumed.
        Pause = "pause",
        /// To finish what it holds and end.
        Cancel = "cancel",
    }
}

/// One attempt at a run. What it writes is refused once there is a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) run: RunId,
    /// From 1 on.
    pub(crate) number: u32,
}

/// How a run is to go about it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RunOptions {
    /// What it does.
    #[serde(skip_serializing_if = "Job::is_plan")]
    pub job: Job,
    /// Whether the listing has to go to its end, whatever is known already.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub full_listing: bool,
    /// Only the items that failed in this run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_of: Option<RunId>,
}

impl RunOptions {
    /// What two who ask for the same run have together: as much as either wants.
    pub(crate) fn and(&self, other: &Self) -> Self {
        Self {
            job: self.job.clone(),
            full_listing: self.full_listing || other.full_listing,
            failed_of: self.failed_of.filter(|run| other.failed_of == Some(*run)),
        }
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

    /// Somebody asked it to pause.
    pub fn paused() -> Self {
        Self {
            state: RunState::Paused,
            class: None,
            message: "it was paused; it goes on when it is resumed".into(),
            until: None,
        }
    }

    /// Its window is over.
    pub(crate) fn outside_window(until: Option<Timestamp>) -> Self {
        let message = match until {
            Some(until) => format!("its window is over; it goes on in the next one, at {until}"),
            None => "its window is over, and there is no other one".into(),
        };
        Self { state: RunState::Paused, class: None, message, until }
    }

    /// The process that was at it is no more, and another attempt goes on from there.
    pub fn interrupted() -> Self {
        Self {
            state: RunState::Queued,
            class: None,
            message: "the program ended in the middle of it; it goes on from there".into(),
            until: None,
        }
    }

    /// It would have waited for a person, and the person has changed its storage meanwhile.
    pub(crate) fn acted_upon() -> Self {
        let message = "its storage was changed while it was at work; it goes on with that".into();
        Self { state: RunState::Queued, class: None, message, until: None }
    }

    /// It had not begun when the schedule that it was due by was changed.
    pub(crate) fn rescheduled() -> Self {
        let message = "the plan's schedule was changed before it began".into();
        Self { state: RunState::Cancelled, class: None, message, until: None }
    }

    /// The program ended in the middle of it again and again.
    pub(crate) fn in_vain(times: u32) -> Self {
        let message = format!(
            "the program ended in the middle of it {times} times in a row, and nothing was done meanwhile; see in its log why"
        );
        Self::failed(None, message)
    }

    /// The program ends while it is at work.
    pub(crate) fn shutting_down() -> Self {
        let message = "the program was stopped; it goes on when the program is started again".into();
        Self { state: RunState::Queued, class: None, message, until: None }
    }

    /// It has been at work for as long as its plan allows.
    pub(crate) fn out_of_time(minutes: u32) -> Self {
        Self::failed(
            None,
            format!("its time limit of {minutes} minutes is over; the next run goes on from there"),
        )
    }

    /// Another attempt is made later.
    pub(crate) fn tried_again(mut self, until: Timestamp, failures: u32, most: u32) -> Self {
        self.state = RunState::Parked;
        self.until = Some(until);
        self.message += &format!("; it is tried again at {until} ({failures} of {most})");
        self
    }

    pub(crate) fn failed(class: Option<Class>, message: impl Into<String>) -> Self {
        Self { state: RunState::Failed, class, message: message.into(), until: None }
    }
}

/// What can be shown of a run while it goes on: only what is done, never what is hoped for (I10).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
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
    /// Bytes per second, over the last while; `None` until there is a while to tell of.
    pub bytes_per_second: Option<u64>,
    /// Items per minute, over the last while.
    pub items_per_minute: Option<u64>,
    /// How many seconds the rest takes at this rate: an estimate, and only once everything has been found.
    pub seconds_left: Option<u64>,
    /// The files that bytes are moved of now.
    pub current: Vec<Current>,
}

/// A file that bytes are moved of now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Current {
    /// What people call it.
    pub name: String,
    /// How many bytes have been moved.
    pub bytes: u64,
    /// How many there are, if that is known.
    pub of: Option<u64>,
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

/// What a run came to: the object that `charon run --json` ends with.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The run's id.
    pub run: RunId,
    /// The plan's name.
    pub plan: String,
    /// What it did, if that was not what the plan is for: `verify`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<&'static str>,
    /// Why there was a run.
    pub trigger: Trigger,
    /// The occurrence that it was for, if its plan was due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduled_for: Option<Timestamp>,
    /// How many attempts it took.
    pub attempts: u32,
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
    /// What an adoption has come to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adopted: Option<Adopted>,
    /// What a verification found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification: Option<Findings>,
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
