//! Where the files of a mirror are kept.

use std::{fmt, path::Path};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use jiff::Timestamp;

use crate::Error;

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link, which nobody has followed, or anything else that is neither.
    Other,
}

/// One thing at a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Below the destination, with forward slashes: `photos/2024/07/a.jpg`. A folder has no slash at its end.
    pub path: String,
    /// What it is.
    pub kind: EntryKind,
    /// The bytes of a file; 0 for anything else.
    pub size: u64,
    /// When it was last changed, if the destination knows. Where [`keeps_times`](Destination::keeps_times) says so, it is what
    /// [`put`](Destination::put) was given.
    pub modified: Option<Timestamp>,
}

/// How far below a folder a listing goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// What is in the folder itself, folders among them.
    Folder,
    /// Every file below it, however deep; folders are not told.
    Tree,
}

/// A place that keeps files under paths below it. Paths are relative, with forward slashes, in Unicode, without empty, `.` or `..`
/// parts; the empty path is the destination itself.
///
/// One call is one attempt, and an error has the class that decides what the engine does: [`Destination`](crate::Class::Destination)
/// when no other file would fare better (it is full, read-only, forbidden, not there), [`Transient`](crate::Class::Transient) when
/// another attempt may, [`Item`](crate::Class::Item) when this path alone is at fault.
#[async_trait]
pub trait Destination: Send + Sync + fmt::Debug {
    /// What is at each of these paths, in their order; `None` where there is surely nothing. Whoever looks at many paths asks for
    /// them together, so that an implementation may list their folders instead of asking for each.
    ///
    /// # Errors
    /// When it cannot be told of one of them: a path that cannot be looked at is never told as missing.
    async fn look(&self, paths: &[String]) -> Result<Vec<Option<Entry>>, Error>;

    /// What is below a folder (all of it, if the folder is ""), in any order, as it comes. A folder that is not there holds nothing.
    /// What a kill has left unfinished is not told.
    fn list(&self, folder: &str, depth: Depth) -> BoxStream<'_, Result<Entry, Error>>;

    /// The bytes of a file from `from` on, at most `most` of them if that is given.
    ///
    /// # Errors
    /// [`Reason::NotFound`](crate::Reason::NotFound) when there is no such file.
    async fn read(
        &self,
        path: &str,
        from: u64,
        most: Option<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error>;

    /// Puts a file of this machine there, whole: whatever happens, and whenever the process is killed, either all of it is at the
    /// path in the end or what was there before. What was there is replaced; folders above are made. The file may be moved away;
    /// if it still is where it was, the caller removes it. `modified` is the time that the file shall bear, where that can be.
    ///
    /// # Errors
    /// [`Class::Destination`](crate::Class::Destination) when it is full or cannot be written to.
    async fn put(&self, path: &str, file: &Path, modified: Option<Timestamp>) -> Result<(), Error>;

    /// Gives a file another path; folders above are made. What is at the other path already is replaced.
    ///
    /// # Errors
    /// [`Reason::NotFound`](crate::Reason::NotFound) when there is no such file.
    async fn rename(&self, from: &str, to: &str) -> Result<(), Error>;

    /// Removes a file, or a folder that is empty. One that is not there is removed already.
    ///
    /// # Errors
    /// A folder with something in it is not removed: class [`Item`](crate::Class::Item).
    async fn remove(&self, path: &str) -> Result<(), Error>;

    /// Waits until the files at these paths, or their absence, outlast a loss of power. Nothing to do where they do anyway.
    ///
    /// # Errors
    /// When that cannot be said.
    async fn settle(&self, _paths: &[String]) -> Result<(), Error> {
        Ok(())
    }

    /// Whether files bear the time that they were put with.
    fn keeps_times(&self) -> bool {
        false
    }

    /// A folder of this machine in which a file can be made ready so that [`put`](Destination::put) needs no copy; `None` if any
    /// will do.
    fn workshop(&self) -> Option<&Path> {
        None
    }
}
