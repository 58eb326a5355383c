//! What is printed: one kind of event a struct field here, one line of JSON there.

use charon_engine::{Counts, Error, Progress, Put, RunId, Summary, Trouble};
use charon_provider::{Capabilities, Check, Class};
use charon_schema::Mistake;
use serde::Serialize;

use crate::exit::{Exit, Failure};

/// One line of standard output.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Event<'a> {
    /// Something that was sent and makes no difference, and why.
    Note { message: &'a str },
    /// A stage of a test has ended.
    Check(&'a Check),
    /// A test has ended.
    Result(Tested),
    /// A run has begun.
    Started(Started<'a>),
    /// How far a run is.
    Progress(Far<'a>),
    /// What became of one item that failed.
    Item {
        outcome: &'static str,
        #[serde(flatten)]
        trouble: &'a Trouble,
    },
    /// A run has ended: what `charon run --json` prints, and the exit code.
    Summary {
        exit_code: u8,
        #[serde(flatten)]
        summary: &'a Summary,
    },
    /// It was refused, or failed before it could begin.
    Error(&'a Refused),
}

/// The kinds of events of each command, in the order in which they come.
pub(super) const OF_A_TEST: [&str; 4] = ["note", "check", "result", "error"];
pub(super) const OF_A_RUN: [&str; 6] = ["note", "started", "progress", "item", "summary", "error"];

/// What a test came to.
#[derive(Debug, Serialize)]
pub(super) struct Tested {
    pub(super) ok: bool,
    pub(super) exit_code: u8,
    /// Why there is no verdict, if it was given up.
    pub(super) message: Option<String>,
    /// What the storage can do, if its configuration is right.
    pub(super) capabilities: Option<Capabilities>,
    /// What is wrong with the configuration, each with its place in the document.
    pub(super) mistakes: Vec<Mistake>,
}

/// What was begun.
#[derive(Debug, Serialize)]
pub(super) struct Started<'a> {
    pub(super) protocol: &'static str,
    pub(super) run: RunId,
    pub(super) plan: &'a str,
    pub(super) kind: &'a str,
    pub(super) storage: &'a str,
    /// What became of the storage that the document describes.
    pub(super) storage_was: Put,
    /// The same for the plan.
    pub(super) plan_was: Put,
}

/// How far a run is: what is done, never what is hoped for (I10).
#[derive(Debug, Serialize)]
pub(super) struct Far<'a> {
    items: Counts,
    bytes: u64,
    bytes_found: u64,
    found: u64,
    found_all: bool,
    waiting: Option<&'a str>,
}

impl<'a> From<&'a Progress> for Far<'a> {
    fn from(progress: &'a Progress) -> Self {
        Self {
            items: progress.items,
            bytes: progress.bytes,
            bytes_found: progress.bytes_found,
            found: progress.found,
            found_all: progress.found_all,
            waiting: progress.waiting.as_deref(),
        }
    }
}

/// Why something was refused, for a program.
#[derive(Debug, Serialize)]
pub(super) struct Refused {
    class: &'static str,
    message: String,
    cure: Option<String>,
    mistakes: Vec<Mistake>,
    exit_code: u8,
}

/// Why something was refused, and how the program ends.
#[derive(Debug)]
pub(super) struct Refusal {
    refused: Refused,
    exit: Exit,
}

impl Refusal {
    fn new(class: &'static str, message: impl Into<String>, exit: Exit) -> Self {
        let (message, mistakes) = (message.into(), Vec::new());
        Self { refused: Refused { class, message, cure: None, mistakes, exit_code: exit.code() }, exit }
    }

    /// What was sent is wrong.
    pub(super) fn input(message: impl Into<String>) -> Self {
        Self::new("config", message, Exit::Usage)
    }

    /// It was stopped before it began.
    pub(super) fn stopped() -> Self {
        Self::new("cancelled", "it was stopped before it had begun", Exit::Interrupted)
    }

    pub(super) fn cured_by(mut self, cure: impl Into<String>) -> Self {
        self.refused.cure = Some(cure.into());
        self
    }

    pub(super) fn with(mut self, mistakes: Vec<Mistake>) -> Self {
        self.refused.mistakes = mistakes;
        self
    }

    /// The same with the places of the mistakes counted from the whole document: they are within its field `field`.
    pub(super) fn within(mut self, field: &str) -> Self {
        self.refused.mistakes = within(field, self.refused.mistakes);
        self
    }

    pub(super) fn event(&self) -> Event<'_> {
        Event::Error(&self.refused)
    }

    pub(super) fn into_failure(self) -> Failure {
        Failure::of(self.refused.message, self.exit)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let exit = if error.is_bad_input() { Exit::Usage } else { Exit::Failed };
        let class = match &error {
            Error::Config { .. } | Error::BadName(_) | Error::Unknown { .. } => "config",
            Error::Storage(error) => class(error.class),
            Error::Destination(_) => "destination",
            Error::Refused(_) => "refused",
            Error::Busy(_) | Error::BusyElsewhere { .. } => "busy",
            // The database, the key, the data directory.
            _ => "data",
        };
        let refusal = Self::new(class, error.to_string(), exit);
        match error {
            Error::Config { mistakes, .. } => {
                refusal.with(mistakes.0).cured_by("correct the fields that mistakes names, and send it again")
            }
            Error::Busy(_) => refusal.cured_by("start it again when the other run has ended"),
            Error::Storage(charon_provider::Error { cure: Some(cure), .. }) => refusal.cured_by(cure),
            _ => refusal,
        }
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::new("data", failure.to_string(), failure.exit())
    }
}

/// The mistakes of a part of a document, with their places in the whole.
pub(super) fn within(field: &str, mistakes: Vec<Mistake>) -> Vec<Mistake> {
    let moved = |mistake: Mistake| Mistake { pointer: format!("{field}{}", mistake.pointer), ..mistake };
    mistakes.into_iter().map(moved).collect()
}

fn class(class: Class) -> &'static str {
    match class {
        Class::Auth => "auth",
        Class::Quota => "quota",
        Class::Throttled => "throttled",
        Class::Transient => "transient",
        Class::Item => "item",
        Class::Destination => "destination",
        Class::Config => "config",
    }
}
