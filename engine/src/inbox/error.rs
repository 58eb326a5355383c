//! Why a file is not taken in.

use crate::error::Error;

/// Why a file is not taken in. Each says what was seen and what to do.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// The storage takes no uploads, or none into albums.
    #[error("{0}")]
    Unable(String),
    /// Its name is none.
    #[error("{0}")]
    Name(String),
    /// The title of the album is none.
    #[error("{0}")]
    Album(String),
    /// The key by which it is to be known again is none.
    #[error("{0}")]
    Key(String),
    /// A file of the same key was taken in before, and it was another one.
    #[error("{0}")]
    KeyTaken(String),
    /// It has no bytes.
    #[error("{0}")]
    Empty(String),
    /// It is no photo or video that the storage takes.
    #[error("{0}")]
    NotMedia(String),
    /// It is larger than the storage takes.
    #[error("{0}")]
    TooLarge(String),
    /// The inboxes hold as much as they may. It passes.
    #[error("{0}")]
    Full(String),
    /// The disk of the data directory is full.
    #[error("{0}")]
    DiskFull(String),
    /// Something went wrong.
    #[error(transparent)]
    Engine(#[from] Error),
}
