//! Making names durable: a file that was made, renamed or linked is there after a power cut only once its folder is flushed.

use std::{io, path::Path};

/// Flushes a folder. Blocks.
#[cfg(unix)]
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    match std::fs::File::open(folder)?.sync_all() {
        // Some network file systems do not know how to flush a folder.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Ok(())
        }
        other => other,
    }
}

/// Elsewhere a folder cannot be opened to be flushed; the file system keeps renames in order.
#[cfg(not(unix))]
pub(crate) fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
