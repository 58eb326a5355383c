//! A mirror: the tree of files that a backup plan keeps.
//!
//! It carries a [`marker`] with the plan's id, without which nothing is written. Bytes go to a
//! temporary file beside the marker ([`incoming`], [`bundle`]), are checked, hashed and flushed there, and are then renamed
//! into their place (I1).

mod bundle;
mod incoming;
mod marker;
mod opening;

use std::{
    collections::{BTreeSet, HashSet},
    fs::{self, File, Metadata},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use charon_provider::{Class, Error};
use jiff::Timestamp;
use sha2::Digest;

use crate::{
    durable::sync_folder,
    ids::{RunId, Sha256},
};
#[cfg(test)]
pub(crate) use bundle::tests::archive;
pub(crate) use incoming::{Arrived, Incoming, Received};
pub(crate) use marker::mirror_above;
pub(crate) use opening::open_below;

/// Charon's own folder within a mirror.
pub(crate) const OWN_FOLDER: &str = ".charon";
const INCOMING: &str = "incoming";
const SET_ASIDE: &str = "set-aside";
/// File systems keep modification times to two seconds (FAT) or better.
const COARSEST_TIME: Duration = Duration::from_secs(2);

/// The mirror of a plan, open for one run.
#[derive(Debug)]
pub(crate) struct Mirror {
    root: PathBuf,
    run: RunId,
    next_number: AtomicU64,
    /// Folders whose names are durable, as are those above them.
    durable: Mutex<HashSet<PathBuf>>,
}

impl Mirror {
    fn at(root: &Path, run: RunId) -> Self {
        Self { root: root.to_owned(), run, next_number: AtomicU64::new(0), durable: Mutex::default() }
    }

    /// A name that nothing else has, in this run or in another.
    fn fresh_name(&self) -> String {
        format!("{}-{}", self.run, self.next_number.fetch_add(1, Ordering::Relaxed))
    }

    /// Whether there is anything at this path, which is below the destination.
    pub(crate) fn is_taken(&self, path: &str) -> Result<bool, Error> {
        let path = self.root.join(path);
        Ok(there(&path, fs::symlink_metadata(&path))?.is_some())
    }

    /// Whether a file is at this path that has so many bytes. Only what is surely not there is gone: a disk that fails is an
    /// error.
    pub(crate) fn holds(&self, path: &str, size: u64) -> Result<bool, Error> {
        let path = self.root.join(path);
        let metadata = there(&path, fs::metadata(&path))?;
        Ok(metadata.is_some_and(|metadata| metadata.is_file() && metadata.len() == size))
    }

    /// Puts received bytes into their place: modification time set, flushed, renamed. The rename becomes durable with
    /// [`sync_folders`](Self::sync_folders). Without a capture time the modification time is the present. `was_ours` says that
    /// the ledger has had a file of this item there. Blocks.
    ///
    /// Gives where what was there has been set aside to, below the destination, if something was.
    pub(crate) fn place(
        &self,
        mut received: Received,
        path: &str,
        taken_at: Option<Timestamp>,
        was_ours: bool,
    ) -> Result<Option<String>, Error> {
        let target = self.root.join(path);
        let doing = || format!("store {path}");
        if let Some(taken_at) = taken_at
            && let Err(error) = received.set_modified(SystemTime::from(taken_at))
        {
            // Some file systems know no time before 1980; the photo is worth more than its date.
            tracing::warn!(%error, path, "the modification time could not be set");
        }
        let placed = received
            .flush()
            // It becomes durable with the file's name in it.
            .and_then(|()| target.parent().map_or(Ok(()), fs::create_dir_all))
            .and_then(|()| self.clear_the_way(&target, &received, taken_at, was_ours))
            .and_then(|cleared| {
                if !matches!(cleared, Way::Blocked) {
                    received.rename(&target)?;
                }
                Ok(cleared)
            });
        match placed {
            Ok(Way::Free) => Ok(None),
            Ok(Way::Cleared(aside)) => Ok(Some(aside)),
            Ok(Way::Blocked) => {
                let cause = format!(
                    "{} is there already with other content, and Charon has no record of it",
                    target.display()
                );
                Err(Error::new(Class::Item, doing(), cause).cured_by("move it away, then run the plan again"))
            }
            Err(error) => Err(no_room(&doing(), &target, &error)),
        }
    }

    /// Sees to it that the place of received bytes is free, or holds these same bytes. Somebody else's file is never
    /// overwritten.
    ///
    /// An earlier run may have placed the item and ended before it could say so. Its file has the capture time as its
    /// modification time (if the item has one), but need not have the same bytes, since a storage may encode anew each time.
    /// And a file that a run did record may have been changed since. Such files are set aside and not overwritten either, in
    /// case they are somebody else's after all.
    fn clear_the_way(
        &self,
        target: &Path,
        received: &Received,
        taken_at: Option<Timestamp>,
        was_ours: bool,
    ) -> io::Result<Way> {
        let metadata = match fs::symlink_metadata(target) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Way::Free),
            Err(error) => return Err(error),
        };
        if !metadata.is_file() {
            return Ok(Way::Blocked);
        }
        if has_bytes(target, &metadata, received)? {
            return Ok(Way::Free);
        }
        let modified = Timestamp::try_from(metadata.modified()?).unwrap_or(Timestamp::MIN);
        let is_dated =
            taken_at.is_none_or(|taken_at| modified.duration_since(taken_at).unsigned_abs() <= COARSEST_TIME);
        if is_dated || was_ours { self.set_aside(target).map(Way::Cleared) } else { Ok(Way::Blocked) }
    }

    /// Moves a file into a folder of its own, so that it takes no other's place; gives where it is now.
    fn set_aside(&self, target: &Path) -> io::Result<String> {
        let below = format!("{OWN_FOLDER}/{SET_ASIDE}/{}", self.fresh_name());
        let folder = self.root.join(&below);
        fs::create_dir_all(self.root.join(OWN_FOLDER).join(SET_ASIDE))?;
        fs::create_dir(&folder)?;
        let name = target.file_name().unwrap_or_default();
        fs::rename(target, folder.join(name))?;
        sync_folder(&folder)?;
        folder.parent().map_or(Ok(()), sync_folder)?;
        let aside = format!("{below}/{}", name.to_string_lossy());
        tracing::warn!(from = %target.display(), to = aside, "set aside a file that was in the way");
        Ok(aside)
    }

    /// Makes the renames into the folders of these paths durable. Blocks.
    pub(crate) fn sync_folders<'a>(&self, paths: impl Iterator<Item = &'a str>) -> Result<(), Error> {
        let targets: Vec<PathBuf> = paths.map(|path| self.root.join(path)).collect();
        let mut durable = self.durable.lock().expect("nothing panics while it holds the folders");
        let mut folders = BTreeSet::new();
        for folder in targets.iter().filter_map(|target| target.parent()) {
            folders.insert(folder);
            if !durable.contains(folder) {
                // Those above too: another item's folder may have been made a moment ago, and not be flushed yet.
                let above = folder.ancestors().skip(1);
                folders.extend(above.take_while(|above| above.starts_with(&self.root)));
            }
        }
        folders.iter().try_for_each(|folder| {
            sync_folder(folder).map_err(|error| no_room("flush the mirror", folder, &error))
        })?;
        durable.extend(folders.into_iter().map(Path::to_owned));
        Ok(())
    }
}

/// The way to the place of received bytes.
#[derive(Debug)]
enum Way {
    /// Nothing is there, or these same bytes.
    Free,
    /// What was there is here now, below the destination.
    Cleared(String),
    /// Somebody else's file is there.
    Blocked,
}

/// What a look at a path found; `None` if there is nothing, and cannot be.
fn there(path: &Path, looked: io::Result<Metadata>) -> Result<Option<Metadata>, Error> {
    match looked {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error)
            if matches!(
                error.kind(),
                // A name that is too long, or a file where its folder should be: what is put there says so.
                io::ErrorKind::NotFound | io::ErrorKind::InvalidFilename | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => {
            let cause = format!("{error}, looking at {}", path.display());
            Err(Error::new(Class::Destination, "look at the mirror", cause).cured_by(cure(&error)))
        }
    }
}

/// Whether a file has just these bytes.
fn has_bytes(target: &Path, metadata: &Metadata, received: &Received) -> io::Result<bool> {
    if metadata.len() != received.size {
        return Ok(false);
    }
    let mut hasher = sha2::Sha256::new();
    let mut file = File::open(target)?;
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Sha256(hasher.finalize().into()) == received.sha256),
            count => hasher.update(&buffer[..count]),
        }
    }
}

fn no_room(doing: &str, path: &Path, error: &io::Error) -> Error {
    let cause = format!("{error}, writing to {}", path.display());
    match error.kind() {
        // This name, or something at its place, and not the disk.
        io::ErrorKind::InvalidFilename
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::AlreadyExists => {
            Error::new(Class::Item, doing, cause).cured_by("see what is there and move it away")
        }
        _ => Error::new(Class::Destination, doing, cause).cured_by(cure(error)),
    }
}

/// What to do about a disk that does not do as it is told.
fn cure(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room there, then run the plan again; what is already home stays"
        }
        io::ErrorKind::PermissionDenied => "let the user that runs charon read and write there",
        io::ErrorKind::ReadOnlyFilesystem => "mount the file system for writing",
        _ => "check the disk, then run the plan again",
    }
}

#[cfg(test)]
mod tests;
