//! What the engine's public functions can fail with.

use std::{io, path::PathBuf};

use charon_provider::Class;
use charon_schema::Mistakes;

/// Something that the engine was asked to do and did not.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database did not do as it was told.
    #[error("failed to {doing} in the database: {}", in_words(source))]
    Store {
        /// What was being done.
        doing: &'static str,
        /// What went wrong.
        source: sqlx::Error,
    },
    /// The database cannot be used.
    #[error("the database {path} cannot be used: {reason}", path = path.display())]
    Unusable {
        /// The database file.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// A file of the data directory could not be read or written.
    #[error("failed to {doing} {path}: {source}", path = path.display())]
    DataFile {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// The key does not open the secrets.
    #[error("{0}")]
    Vault(String),
    /// A configuration is wrong.
    #[error("the configuration of {what} is wrong: {mistakes}")]
    Config {
        /// Whose configuration.
        what: String,
        /// Every mistake, with its place.
        mistakes: Mistakes,
    },
    /// There is no such thing.
    #[error("there is no {what} {}; {known}", called(name))]
    Unknown {
        /// A storage, a plan, a provider.
        what: &'static str,
        /// What was asked for: its name, or its id.
        name: String,
        /// Which ones there are.
        known: String,
    },
    /// A name that cannot be given, or is taken.
    #[error("{0}")]
    BadName(String),
    /// It is not any more as whoever wants to change it has seen it.
    #[error("{what} was changed by somebody else meanwhile; look at it again, then change it")]
    Changed {
        /// What was to be changed.
        what: String,
    },
    /// Not as things are: what was seen, and what to do.
    #[error("{0}")]
    Refused(String),
    /// A destination is not what it was: what was seen, and what to do.
    #[error("{0}")]
    Destination(String),
    /// Another process runs plans on this data directory.
    #[error("another charon is running a plan with the data directory {path}; wait for it to end, or stop it", path = .0.display())]
    Busy(PathBuf),
    /// A process on another machine runs plans on this data directory.
    #[error("a charon on another machine runs plans with the data directory {path}, or did so until a moment ago; end it, or wait until {until}", path = path.display())]
    BusyElsewhere {
        /// The data directory.
        path: PathBuf,
        /// Until when it has said that it does.
        until: jiff::Timestamp,
    },
    /// An attempt at a run that another one has taken over from, or whose plan was removed.
    #[error("the run was taken over by another attempt, or its plan was removed")]
    Superseded,
    /// A notice did not get through.
    #[error("{channel} could not be told: {source}")]
    Delivery {
        /// Which channel.
        channel: String,
        /// Why.
        source: charon_notify::DeliveryError,
    },
    /// A storage failed.
    #[error(transparent)]
    Storage(#[from] charon_provider::Error),
}

impl Error {
    /// Whether the one who asked has given something wrong, rather than something having gone wrong.
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::Config { .. } | Self::BadName(_) | Self::Unknown { what: "provider", .. } => true,
            Self::Storage(error) => error.class == Class::Config,
            _ => false,
        }
    }
}

/// What was asked for by its name, or by its id.
fn called(name: &str) -> String {
    let is_id = uuid::Uuid::try_parse(name).is_ok();
    format!("{} {name}", if is_id { "with the id" } else { "named" })
}

/// What the database says, and what to do where that is known.
fn in_words(error: &sqlx::Error) -> String {
    let answer = error.as_database_error();
    let code: Option<u32> =
        answer.and_then(sqlx::error::DatabaseError::code).and_then(|code| code.parse().ok());
    // The primary code is in the lowest byte (SQLite, "Result and Error Codes").
    match code.map(|code| code & 0xff) {
        Some(8) => format!("{error}; let the user that runs charon write to the data directory"),
        Some(10) => format!("{error}; check the disk of the data directory"),
        Some(13) => format!("{error}; make room on the disk of the data directory, then do it again"),
        _ => error.to_string(),
    }
}
