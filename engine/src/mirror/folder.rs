//! A folder of this machine that keeps the files of a mirror: flushed before they are renamed, and their names flushed after.

use std::{
    collections::{BTreeSet, HashSet},
    fs::{self, File, FileTimes, Metadata},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::Mutex,
    time::SystemTime,
};

use async_trait::async_trait;
use bytes::Bytes;
use charon_provider::{Class, Depth, Destination, Entry, EntryKind, Error, Reason};
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use jiff::Timestamp;
use tokio::sync::mpsc;
use walkdir::WalkDir;

use super::{INCOMING, OWN_FOLDER};
use crate::durable::sync_folder;

/// Files are read in pieces of this size, off the threads that wait for the network.
const PIECE_BYTES: usize = 1024 * 1024;
/// Folders that are flushed at a time: together they take hardly longer than one.
const FLUSHED_AT_A_TIME: usize = 16;
/// Entries of a listing that wait to be taken.
const LISTED_AHEAD: usize = 1_000;

/// A folder of this machine.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    workshop: PathBuf,
    /// Folders whose names are durable, as are those above them.
    durable: Mutex<HashSet<PathBuf>>,
}

impl Folder {
    pub(crate) fn new(root: &Path) -> Self {
        let workshop = root.join(OWN_FOLDER).join(INCOMING);
        Self { root: root.to_owned(), workshop, durable: Mutex::default() }
    }

    /// The folders whose flushing makes the names at these paths durable.
    fn to_flush(&self, paths: &[String]) -> BTreeSet<PathBuf> {
        let durable = self.durable.lock().expect("nothing panics while it holds the folders");
        let mut folders = BTreeSet::new();
        for path in paths {
            let Some(folder) = self.root.join(path).parent().map(Path::to_owned) else { continue };
            if !durable.contains(&folder) {
                // Those above too: another item's folder may have been made a moment ago, and not be flushed yet.
                let above = folder.ancestors().skip(1);
                folders.extend(above.take_while(|above| above.starts_with(&self.root)).map(Path::to_owned));
            }
            folders.insert(folder);
        }
        folders
    }
}

#[async_trait]
impl Destination for Folder {
    async fn look(&self, paths: &[String]) -> Result<Vec<Option<Entry>>, Error> {
        let (root, paths) = (self.root.clone(), paths.to_vec());
        blocking("look at the mirror", move || paths.into_iter().map(|path| look(&root, path)).collect())
            .await
    }

    fn list(&self, folder: &str, depth: Depth) -> BoxStream<'_, Result<Entry, Error>> {
        let (root, start) = (self.root.clone(), self.root.join(folder));
        let (entries, listed) = mpsc::channel(LISTED_AHEAD);
        drop(tokio::task::spawn_blocking(move || list(&root, &start, depth, &entries)));
        stream::unfold(listed, async |mut listed| Some((listed.recv().await?, listed))).boxed()
    }

    async fn read(
        &self,
        path: &str,
        from: u64,
        most: Option<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        let path = self.root.join(path);
        let file = blocking("read a file", move || {
            let mut file = File::open(&path).map_err(|error| unreadable(&path, &error))?;
            file.seek(SeekFrom::Start(from)).map_err(|error| unreadable(&path, &error))?;
            Ok((file.take(most.unwrap_or(u64::MAX)), path))
        })
        .await?;
        let next = async |(mut file, path): (io::Take<File>, PathBuf)| {
            let read = blocking("read a file", move || {
                let mut piece = Vec::with_capacity(PIECE_BYTES);
                let most = PIECE_BYTES as u64;
                let count = file.by_ref().take(most).read_to_end(&mut piece);
                count.map_err(|error| unreadable(&path, &error))?;
                Ok((!piece.is_empty()).then(|| (Bytes::from(piece), (file, path))))
            });
            read.await
        };
        Ok(stream::try_unfold((file.0, file.1), next).boxed())
    }

    async fn put(&self, path: &str, file: &Path, modified: Option<Timestamp>) -> Result<(), Error> {
        let (root, file, path) = (self.root.clone(), file.to_owned(), path.to_owned());
        blocking(&format!("store {path}"), move || {
            let open = File::options().write(true).open(&file);
            let open = open.map_err(|error| no_room(&format!("store {path}"), &root.join(&path), &error))?;
            store(&root, &path, &open, &file, modified)
        })
        .await
    }

    async fn rename(&self, from: &str, to: &str) -> Result<(), Error> {
        let (from, to) = (self.root.join(from), self.root.join(to));
        blocking("move a file", move || {
            to.parent()
                .map_or(Ok(()), fs::create_dir_all)
                .map_err(|error| no_room("move a file", &to, &error))?;
            fs::rename(&from, &to).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => unreadable(&from, &error),
                _ => no_room("move a file", &to, &error),
            })
        })
        .await
    }

    async fn remove(&self, path: &str) -> Result<(), Error> {
        let path = self.root.join(path);
        blocking("remove a file", move || {
            let removed = match fs::symlink_metadata(&path) {
                Ok(metadata) if metadata.is_dir() => fs::remove_dir(&path),
                Ok(_) => fs::remove_file(&path),
                Err(error) => Err(error),
            };
            match removed {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Err(Error::new(
                    Class::Item,
                    "remove a folder",
                    format!("{} is not empty", path.display()),
                )),
                removed => removed.map_err(|error| no_room("remove a file", &path, &error)),
            }
        })
        .await
    }

    async fn settle(&self, paths: &[String]) -> Result<(), Error> {
        let folders = self.to_flush(paths);
        let flushing =
            folders.iter().cloned().map(|folder| blocking("flush the mirror", move || flush(&folder)));
        let () = stream::iter(flushing).buffer_unordered(FLUSHED_AT_A_TIME).try_collect().await?;
        self.durable.lock().expect("nothing panics while it holds the folders").extend(folders);
        Ok(())
    }

    fn keeps_times(&self) -> bool {
        true
    }

    fn workshop(&self) -> Option<&Path> {
        Some(&self.workshop)
    }
}

/// Does something with the disk, off the threads that wait for the network.
async fn blocking<T: Send + 'static>(
    doing: &str,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.map_err(|panic| {
        Error::new(Class::Destination, doing, format!("this is a mistake in Charon: {panic}"))
    })?
}

/// Makes the names in a folder durable. Blocks.
fn flush(folder: &Path) -> Result<(), Error> {
    match sync_folder(folder) {
        // It was removed, and the folder above says so.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        flushed => flushed.map_err(|error| no_room("flush the mirror", folder, &error)),
    }
}

/// Flushes a file, which is open for writing, and gives it its name. Blocks.
pub(super) fn store(
    root: &Path,
    path: &str,
    open: &File,
    file: &Path,
    modified: Option<Timestamp>,
) -> Result<(), Error> {
    let target = root.join(path);
    let failed = |error: io::Error| no_room(&format!("store {path}"), &target, &error);
    if let Some(modified) = modified
        && let Err(error) = open.set_times(FileTimes::new().set_modified(SystemTime::from(modified)))
    {
        // Some file systems know no time before 1980; the photo is worth more than its date.
        tracing::warn!(%error, path, "the modification time could not be set");
    }
    open.sync_all().map_err(failed)?;
    let renamed = match fs::rename(file, &target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // It becomes durable with the file's name in it.
            target.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
            fs::rename(file, &target)
        }
        renamed => renamed,
    };
    renamed.map_err(failed)
}

fn look(root: &Path, path: String) -> Result<Option<Entry>, Error> {
    let at = root.join(&path);
    let found = match fs::symlink_metadata(&at) {
        // What a link leads to is there as well.
        Ok(link) if link.is_symlink() => match fs::metadata(&at) {
            Ok(metadata) => Ok(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(link),
            Err(error) => Err(error),
        },
        found => found,
    };
    match found {
        Ok(metadata) => Ok(Some(entry(path, &metadata))),
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
            let cause = format!("{error}, looking at {}", at.display());
            Err(Error::new(Class::Destination, "look at the mirror", cause).cured_by(cure(&error)))
        }
    }
}

fn entry(path: String, metadata: &Metadata) -> Entry {
    let kind = match metadata.file_type() {
        kind if kind.is_file() => EntryKind::File,
        kind if kind.is_dir() => EntryKind::Folder,
        _ => EntryKind::Other,
    };
    let size = if kind == EntryKind::File { metadata.len() } else { 0 };
    let modified = metadata.modified().ok().and_then(|time| Timestamp::try_from(time).ok());
    Entry { path, kind, size, modified }
}

fn list(root: &Path, start: &Path, depth: Depth, entries: &mpsc::Sender<Result<Entry, Error>>) {
    let walk = WalkDir::new(start).min_depth(1).max_depth(match depth {
        Depth::Folder => 1,
        Depth::Tree => usize::MAX,
    });
    let unfinished = root.join(OWN_FOLDER).join(INCOMING);
    let is_told = |entry: &walkdir::DirEntry| entry.path() != unfinished;
    for found in walk.into_iter().filter_entry(is_told) {
        let entry = match found {
            Ok(found) if depth == Depth::Tree && found.file_type().is_dir() => continue,
            Ok(found) => match (below(root, found.path()), found.metadata()) {
                (Some(path), Ok(metadata)) => Ok(entry(path, &metadata)),
                // It vanished a moment ago.
                (_, Err(error))
                    if error.io_error().is_some_and(|error| error.kind() == io::ErrorKind::NotFound) =>
                {
                    continue;
                }
                (None, _) => {
                    let cause = format!("the name of {} is no Unicode", found.path().display());
                    Err(Error::new(Class::Item, "list the mirror", cause).cured_by("give it another name"))
                }
                (_, Err(error)) => Err(unlisted(&error)),
            },
            Err(error)
                if error.path() == Some(start)
                    && error.io_error().is_some_and(|error| error.kind() == io::ErrorKind::NotFound) =>
            {
                return;
            }
            Err(error) => Err(unlisted(&error)),
        };
        if entries.blocking_send(entry).is_err() {
            return;
        }
    }
}

/// A path below the root, with forward slashes.
fn below(root: &Path, path: &Path) -> Option<String> {
    let parts = path.strip_prefix(root).ok()?.iter().map(|part| part.to_str());
    Some(parts.collect::<Option<Vec<_>>>()?.join("/"))
}

fn unlisted(error: &walkdir::Error) -> Error {
    if error.io_error().is_some_and(|error| error.kind() == io::ErrorKind::NotADirectory) {
        let path = error.path().unwrap_or(Path::new("")).display();
        return Error::new(Class::Destination, "list the mirror", format!("{path} is not a folder"))
            .cured_by("choose another one");
    }
    Error::new(Class::Destination, "list the mirror", error.to_string())
        .cured_by("let the user that runs charon read there")
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    let cause = format!("{error}, reading {}", path.display());
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            Error::new(Class::Item, "read a file of the mirror", cause).because(Reason::NotFound)
        }
        // This file, and not the disk.
        io::ErrorKind::PermissionDenied | io::ErrorKind::IsADirectory => {
            Error::new(Class::Item, "read a file of the mirror", cause).cured_by(cure(error))
        }
        _ => Error::new(Class::Destination, "read a file of the mirror", cause).cured_by(cure(error)),
    }
}

/// Why something could not be written.
pub(crate) fn no_room(doing: &str, path: &Path, error: &io::Error) -> Error {
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
pub(super) fn cure(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room there, then run the plan again; what is already home stays"
        }
        io::ErrorKind::PermissionDenied => "let the user that runs charon read and write there",
        io::ErrorKind::ReadOnlyFilesystem => "mount the file system for writing",
        _ => "check the disk, then run the plan again",
    }
}
