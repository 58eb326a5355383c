//! How the program ends: exit codes that scripts depend on, and failures as sentences.

use std::{fmt, process::ExitCode};

use charon_engine::{Error, RunState};

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything is done.
    Done,
    /// It failed.
    Failed,
    /// Wrong usage, or a configuration that was refused.
    Usage,
    /// Some items failed.
    Partial,
    /// The run waits for a quota or for a person.
    Parked,
    /// Ctrl-C.
    Interrupted,
}

impl Exit {
    pub(crate) fn of(state: RunState) -> Self {
        match state {
            RunState::Succeeded => Self::Done,
            RunState::Partial => Self::Partial,
            RunState::Parked | RunState::Paused | RunState::Queued => Self::Parked,
            RunState::Cancelled => Self::Interrupted,
            RunState::Failed | RunState::Running | RunState::Pausing => Self::Failed,
        }
    }

    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Partial => 3,
            Self::Parked => 4,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// A sentence for standard error, and the exit code that goes with it.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    exit: Exit,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), exit: Exit::Failed }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), exit: Exit::Usage }
    }

    pub(crate) fn of(message: impl Into<String>, exit: Exit) -> Self {
        Self { message: message.into(), exit }
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = match &error {
            // One mistake a line: they are read side by side with the file.
            Error::Config { what, mistakes } => {
                mistakes.0.iter().fold(format!("the configuration of {what} is wrong:"), |text, mistake| {
                    format!("{text}\n  {mistake}")
                })
            }
            other => other.to_string(),
        };
        if error.is_bad_input() { Self::usage(message) } else { Self::new(message) }
    }
}
