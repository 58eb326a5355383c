//! The spool: a private folder of the data directory in which files wait to be sent, each in a folder with the id of its receipt.
//! What is still coming is in a folder of its own, and is given its place once it is complete and flushed.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use sha2::Digest;
use tokio::sync::watch;

use crate::{
    durable::sync_folder,
    ids::{ReceiptId, Sha256},
    sniff,
};

/// The spool holds so many bytes at most, unless somebody says otherwise: the largest video that Google takes, and as much again.
const LIMIT: u64 = 40 * 1024 * 1024 * 1024;
/// What is still coming.
const INCOMING: &str = ".incoming";

/// The spool of a data directory. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Spool {
    folder: Arc<Path>,
    used: Arc<AtomicU64>,
    limit: Arc<AtomicU64>,
    /// Grows whenever something was taken in, or something became of what was.
    changes: watch::Sender<u64>,
}

/// A file that is coming. It is removed when it is dropped, unless it has been given its place.
#[derive(Debug)]
pub(super) struct Coming {
    spool: Spool,
    id: ReceiptId,
    file: File,
    path: PathBuf,
    hasher: sha2::Sha256,
    pub(super) head: Vec<u8>,
    pub(super) size: u64,
    is_placed: bool,
}

/// Why bytes could not be spooled.
#[derive(Debug)]
pub(super) enum SpoolError {
    /// The spool holds as much as it may.
    Full {
        limit: u64,
    },
    Io(io::Error),
}

impl From<io::Error> for SpoolError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Spool {
    /// The spool of this data directory; nothing is made yet.
    pub(crate) fn new(data_dir: &Path) -> Self {
        Self {
            folder: data_dir.join("inbox").into(),
            used: Arc::default(),
            limit: Arc::new(AtomicU64::new(LIMIT)),
            changes: watch::Sender::new(0),
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn set_limit(&self, bytes: u64) {
        self.limit.store(bytes, Ordering::Relaxed);
    }

    /// Something was taken in, or something became of what was.
    pub(super) fn changed(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Whether so many bytes more would be too many; gives how many there may be.
    pub(super) fn is_full_with(&self, bytes: u64) -> Option<u64> {
        let limit = self.limit.load(Ordering::Relaxed);
        (self.used.load(Ordering::Relaxed).saturating_add(bytes) > limit).then_some(limit)
    }

    /// Where the file of a receipt is.
    pub(super) fn path_of(&self, id: ReceiptId, name: &str) -> PathBuf {
        self.folder.join(id.to_string()).join(name)
    }

    /// Begins a file. Blocks.
    pub(super) fn begin(&self, id: ReceiptId) -> io::Result<Coming> {
        if !self.folder.is_dir() {
            make_private(&self.folder)?;
            // It holds what receipts are given for.
            self.folder.parent().map_or(Ok(()), sync_folder)?;
        }
        let incoming = self.folder.join(INCOMING);
        make_private(&incoming)?;
        let path = incoming.join(id.to_string());
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path)?;
        Ok(Coming {
            spool: self.clone(),
            id,
            file,
            path,
            hasher: sha2::Sha256::new(),
            head: Vec::new(),
            size: 0,
            is_placed: false,
        })
    }

    /// Removes the file of a receipt that is no longer needed. One that is not there is no mistake. Blocks.
    pub(super) fn remove(&self, id: ReceiptId, size: u64) {
        let folder = self.folder.join(id.to_string());
        match fs::remove_dir_all(&folder) {
            Ok(()) => self.give_back(size),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // The next start tries again.
            Err(error) => {
                tracing::warn!(%error, folder = %folder.display(), "what was sent could not be removed");
            }
        }
    }

    /// Removes everything but the files of these receipts, and counts what they take. Blocks.
    pub(super) fn sweep(&self, waiting: &HashSet<ReceiptId>) -> io::Result<()> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut used = 0;
        for entry in entries {
            let entry = entry?;
            let id = entry.file_name().to_str().and_then(|name| name.parse::<ReceiptId>().ok());
            if id.is_some_and(|id| waiting.contains(&id)) {
                for file in fs::read_dir(entry.path())? {
                    used += file?.metadata()?.len();
                }
            } else if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            }
        }
        self.used.store(used, Ordering::Relaxed);
        Ok(())
    }

    fn take(&self, bytes: u64) -> Result<(), SpoolError> {
        let limit = self.limit.load(Ordering::Relaxed);
        let more = |used: u64| used.checked_add(bytes).filter(|all| *all <= limit);
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.map(drop).map_err(|_| SpoolError::Full { limit })
    }

    fn give_back(&self, bytes: u64) {
        let less = |used: u64| Some(used.saturating_sub(bytes));
        // It cannot fail: there always is a number.
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).ok();
    }
}

impl Coming {
    /// Takes more bytes. Blocks.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), SpoolError> {
        self.spool.take(bytes.len() as u64)?;
        self.size += bytes.len() as u64;
        let missing = sniff::HEAD_BYTES.saturating_sub(self.head.len());
        self.head.extend_from_slice(&bytes[..bytes.len().min(missing)]);
        self.hasher.update(bytes);
        Ok(self.file.write_all(bytes)?)
    }

    /// Gives the file its place, durably. Gives its hash. Blocks.
    pub(super) fn finish(&mut self, name: &str) -> io::Result<Sha256> {
        self.file.sync_all()?;
        let place = self.spool.path_of(self.id, name);
        let folder = self.spool.folder.join(self.id.to_string());
        make_private(&folder)?;
        let placed = fs::rename(&self.path, &place)
            .and_then(|()| sync_folder(&folder))
            .and_then(|()| sync_folder(&self.spool.folder));
        if let Err(error) = placed {
            drop(fs::remove_dir_all(&folder));
            return Err(error);
        }
        self.is_placed = true;
        Ok(Sha256(self.hasher.clone().finalize().into()))
    }

    pub(super) fn id(&self) -> ReceiptId {
        self.id
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        if !self.is_placed {
            // What cannot be removed now is removed at the next start.
            drop(fs::remove_file(&self.path));
            self.spool.give_back(self.size);
        }
    }
}

/// Makes a folder, and those above it, for their owner alone.
fn make_private(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
