//! A destination while one promise is tried on it.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use futures::TryStreamExt;
use jiff::Timestamp;

use crate::{
    Class, Depth, Destination, Entry, EntryKind, Error,
    conformance::{
        Outcome,
        case::{Ends, Stop},
    },
};

/// A put that fails for a passing fault is tried so many times.
const ATTEMPTS: u32 = 3;
/// No two files of a process have one name.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A destination while one promise is tried on it.
pub(super) struct Tried<'a> {
    pub(super) destination: &'a dyn Destination,
    folder: String,
    problems: Mutex<Vec<String>>,
}

/// A file of this machine that goes away.
pub(super) struct Local(PathBuf);

impl Drop for Local {
    fn drop(&mut self) {
        // It may have been moved away.
        drop(fs::remove_file(&self.0));
    }
}

impl std::ops::Deref for Local {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl<'a> Tried<'a> {
    pub(super) fn new(destination: &'a dyn Destination, folder: String) -> Self {
        Self { destination, folder, problems: Mutex::default() }
    }

    /// A path in the folder of this case.
    pub(super) fn at(&self, name: &str) -> String {
        if name.is_empty() { self.folder.clone() } else { format!("{}/{name}", self.folder) }
    }

    /// Something that has to hold; the case goes on either way.
    pub(super) fn expect(&self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            let problem = otherwise();
            self.problems.lock().unwrap_or_else(PoisonError::into_inner).push(problem);
        }
    }

    /// Something that has to succeed for the case to go on.
    #[expect(clippy::unused_self, reason = "it reads as the others do")]
    pub(super) fn fine<T>(&self, doing: &str, result: Result<T, Error>) -> Result<T, Stop> {
        result.map_err(|error| {
            Stop::Failed(format!("{doing}: {error} [{:?}, {:?}]", error.class, error.reason))
        })
    }

    /// Something that has to fail for the case to go on.
    pub(super) fn fails<T>(&self, doing: &str, result: Result<T, Error>) -> Result<Error, Stop> {
        let error = result.err().ok_or_else(|| Stop::Failed(format!("{doing}: this should have failed")))?;
        self.expect(!error.cause.trim().is_empty(), || format!("{doing}: the error says nothing"));
        Ok(error)
    }

    /// A file of this machine with these bytes, ready to be put.
    pub(super) fn local(&self, bytes: &[u8]) -> Result<Local, Stop> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = self.destination.workshop().map_or_else(env::temp_dir, Path::to_owned);
        let local = Local(folder.join(format!("charon-conformance-{}-{number}", process::id())));
        let written: io::Result<()> = fs::write(&*local, bytes);
        written.map_err(|error| Stop::Skipped(format!("no file can be made on this machine: {error}")))?;
        Ok(local)
    }

    /// Puts a file of these bytes in the folder of this case.
    pub(super) async fn put(&self, name: &str, bytes: &[u8]) -> Ends {
        self.put_of(name, bytes, None).await
    }

    /// The same, with a time.
    pub(super) async fn put_of(&self, name: &str, bytes: &[u8], modified: Option<Timestamp>) -> Ends {
        let mut attempts = 0;
        loop {
            let local = self.local(bytes)?;
            let put = self.destination.put(&self.at(name), &local, modified).await;
            attempts += 1;
            // The engine tries again too.
            if !matches!(&put, Err(error) if error.class == Class::Transient && attempts < ATTEMPTS) {
                return self.fine(&format!("put {name:?}"), put);
            }
        }
    }

    /// What is at a path of this case.
    pub(super) async fn look(&self, name: &str) -> Result<Option<Entry>, Stop> {
        let looked = self.destination.look(&[self.at(name)]).await;
        let found = self.fine(&format!("look at {name:?}"), looked)?;
        let [found] = <[_; 1]>::try_from(found)
            .map_err(|found| Stop::Failed(format!("a look at one path gives {} answers", found.len())))?;
        Ok(found)
    }

    /// The bytes of a file of this case.
    pub(super) async fn read(&self, name: &str, from: u64, most: Option<u64>) -> Result<Vec<u8>, Stop> {
        let doing = format!("read {name:?}");
        let mut bytes = self.fine(&doing, self.destination.read(&self.at(name), from, most).await)?;
        let mut whole = Vec::new();
        while let Some(piece) = self.fine(&doing, bytes.try_next().await)? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole)
    }

    /// Whether a file of these bytes is there, looked at and read.
    pub(super) async fn holds(&self, name: &str, bytes: &[u8]) -> Ends {
        let found = self.look(name).await?;
        let is_told = found.as_ref().is_some_and(|found| {
            found.kind == EntryKind::File && found.size == bytes.len() as u64 && found.path == self.at(name)
        });
        self.expect(is_told, || format!("{name:?} has {} bytes, and a look tells {found:?}", bytes.len()));
        let read = self.read(name, 0, None).await?;
        self.expect(read == bytes, || {
            format!("of {name:?} with {} bytes, {} bytes are read, or others", bytes.len(), read.len())
        });
        Ok(())
    }

    /// Everything in a folder of this case, sorted; folders end with a slash.
    pub(super) async fn list(&self, name: &str, depth: Depth) -> Result<Vec<String>, Stop> {
        let mut entries = self.destination.list(&self.at(name), depth);
        let (mut names, above) = (Vec::new(), format!("{}/", self.folder));
        while let Some(entry) = self.fine(&format!("list {name:?}"), entries.try_next().await)? {
            let slash = if entry.kind == EntryKind::Folder { "/" } else { "" };
            names.push(format!("{}{slash}", entry.path.strip_prefix(&above).unwrap_or(&entry.path)));
        }
        names.sort_unstable();
        Ok(names)
    }

    /// What came of the case.
    pub(super) fn judge(self, ended: Ends) -> Outcome {
        let mut problems = self.problems.into_inner().unwrap_or_else(PoisonError::into_inner);
        match ended {
            Err(Stop::Failed(problem)) => problems.push(problem),
            Err(Stop::Skipped(why)) if problems.is_empty() => return Outcome::Skipped(why),
            Ok(()) | Err(Stop::Skipped(_)) => {}
        }
        if problems.is_empty() { Outcome::Kept } else { Outcome::Broken(problems) }
    }
}

/// So many bytes that are not the same anywhere.
pub(super) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&(state ^ (state >> 29)).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
