//! Scan: every file below the source folders, in order. What is not taken is recorded with its reason (I9).

use std::{
    fs::Metadata,
    path::{Path, PathBuf},
    sync::Arc,
    time::UNIX_EPOCH,
};

use charon_provider::{Class, UploadLimits};
use tokio::sync::mpsc;
use walkdir::{DirEntry, WalkDir};

use super::{Found, Upload};
use crate::{error::Error, mirror, store::ItemRecord};

/// Folders that NAS systems and file managers fill with thumbnails and rubbish.
const NOT_PHOTOS: [&str; 7] = [
    "@eaDir",
    "#recycle",
    "$RECYCLE.BIN",
    "System Volume Information",
    "lost+found",
    ".thumbnails",
    ".Trash",
];

/// What a scan says of one entry.
#[derive(Debug)]
enum Seen {
    Found(Found),
    Skipped { path: PathBuf, reason: String },
    Failed { path: PathBuf, class: Class, reason: String },
}

/// Scans all source folders, and sends on what the storage takes.
pub(super) async fn scan(upload: &Arc<Upload>, found: mpsc::Sender<Found>) -> Result<(), Error> {
    for source in &upload.sources {
        let Some(files) = upload.ctx.unless_stopped(scan_one(upload, source, &found)).await else {
            return Ok(());
        };
        remember_count(upload, source, files?).await?;
    }
    upload.ctx.tell(|progress| progress.found_all = true);
    Ok(())
}

/// Scans one source folder; gives how many files the storage takes, or `None` when the run has ended meanwhile.
async fn scan_one(
    upload: &Arc<Upload>,
    source: &Path,
    found: &mpsc::Sender<Found>,
) -> Result<Option<u64>, Error> {
    let (seen_in, mut seen) = mpsc::channel(super::FOUND_AHEAD);
    let (root, limits) = (source.to_owned(), upload.ctx.facts.limits.clone());
    // Ends by itself when `seen` is dropped.
    let walk = tokio::task::spawn_blocking(move || walk(&root, &limits, &seen_in));
    let ctx = &upload.ctx;
    let mut files = 0;
    while let Some(one) = seen.recv().await {
        ctx.tell(|progress| progress.found += 1);
        let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match one {
            Seen::Found(file) => {
                files += 1;
                if found.send(file).await.is_err() {
                    return Ok(None);
                }
            }
            Seen::Skipped { path, reason } => {
                ctx.record(&[ctx.skipped(path_key(&path), name(&path), reason)]).await?;
            }
            Seen::Failed { path, class, reason } => {
                ctx.record(&[ctx.failed(path_key(&path), name(&path), class, reason)]).await?;
            }
        }
    }
    walk.await.map_err(|error| Error::Refused(format!("scanning {} failed: {error}", source.display())))?;
    Ok(Some(files))
}

/// A folder that held photos and is suddenly empty is an unmounted disk (I11).
async fn remember_count(upload: &Upload, source: &Path, files: Option<u64>) -> Result<(), Error> {
    let Some(files) = files else { return Ok(()) };
    let (ctx, key) = (&upload.ctx, path_key(source));
    let before = ctx.store.source_files(ctx.plan, &key).await?.unwrap_or_default();
    if files == 0 && before > 0 {
        return Err(Error::Refused(format!(
            "the source {} is empty, and held {before} photos and videos at the last run: is the disk mounted? If it is \
             meant to be empty, take it out of the plan",
            source.display()
        )));
    }
    ctx.store.set_source_files(ctx.plan, &key, files).await
}

/// Walks the tree; ends early when nobody listens. Blocks.
fn walk(root: &Path, limits: &UploadLimits, seen: &mpsc::Sender<Seen>) {
    let mut entries = WalkDir::new(root).sort_by_file_name().into_iter();
    while let Some(entry) = entries.next() {
        let one = match entry {
            Ok(entry) if entry.file_type().is_dir() => {
                let Some(reason) = folder_to_skip(&entry) else { continue };
                entries.skip_current_dir();
                Some(Seen::Skipped { path: entry.into_path(), reason: reason.into() })
            }
            Ok(entry) => Some(judge(&entry, limits)),
            Err(error) => {
                let path = error.path().unwrap_or(root).to_owned();
                let reason = format!(
                    "it cannot be read: {}",
                    error.io_error().map_or_else(|| error.to_string(), ToString::to_string)
                );
                Some(Seen::Failed { path, class: Class::Transient, reason })
            }
        };
        if let Some(one) = one
            && seen.blocking_send(one).is_err()
        {
            return;
        }
    }
}

fn folder_to_skip(entry: &DirEntry) -> Option<&'static str> {
    if entry.depth() == 0 {
        return None;
    }
    let name = entry.file_name().to_string_lossy();
    if NOT_PHOTOS.contains(&&*name) {
        return Some("a folder of thumbnails or rubbish");
    }
    if name.starts_with('.') {
        return Some("a hidden folder");
    }
    (mirror::mirror_above(entry.path()) == Some(entry.path())).then_some("the mirror of a backup plan")
}

fn judge(entry: &DirEntry, limits: &UploadLimits) -> Seen {
    let path = entry.path().to_owned();
    let name = entry.file_name().to_string_lossy();
    let skipped = |path, reason: &str| Seen::Skipped { path, reason: reason.to_owned() };
    if name.starts_with('.') {
        return skipped(path, "a hidden file");
    }
    if entry.file_type().is_symlink() {
        return skipped(path, "a symbolic link");
    }
    if !entry.file_type().is_file() {
        return skipped(path, "not a regular file");
    }
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    let Some(format) = limits.format_of(&extension) else {
        return skipped(path, "not a photo or video that the storage takes");
    };
    let metadata = match entry.metadata() {
        Ok(metadata) => metadata,
        Err(error) => {
            let reason = format!("it cannot be read: {error}");
            return Seen::Failed { path, class: Class::Transient, reason };
        }
    };
    let (size, largest) = (metadata.len(), limits.largest(format.kind));
    if size == 0 {
        return Seen::Failed { path, class: Class::Item, reason: "the file is empty (zero bytes)".into() };
    }
    if size > largest {
        let reason = format!(
            "the file has {size} bytes, and the storage takes at most {largest}; nothing of it was sent"
        );
        return Seen::Failed { path, class: Class::Item, reason };
    }
    Seen::Found(Found { path, size, modified_ns: modified_ns(&metadata), format })
}

/// Nanoseconds since the Unix epoch, as precisely as the file system keeps them.
pub(super) fn modified_ns(metadata: &Metadata) -> i64 {
    let Ok(modified) = metadata.modified() else { return 0 };
    match modified.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos),
    }
}

/// A path as text, without loss: names that are no UTF-8 are written in hexadecimal.
pub(super) fn path_key(path: &Path) -> String {
    if let Some(text) = path.to_str() {
        return text.to_owned();
    }
    let bytes = path.as_os_str().as_encoded_bytes();
    std::iter::once("hex:".to_owned()).chain(bytes.iter().map(|byte| format!("{byte:02x}"))).collect()
}

/// Records a file that could not be read as failed.
pub(super) fn unreadable(upload: &Upload, found: &Found, error: &std::io::Error) -> ItemRecord {
    let reason = match error.kind() {
        std::io::ErrorKind::NotFound => "it vanished while the run was at work".to_owned(),
        _ => format!("it cannot be read: {error}"),
    };
    upload.ctx.failed(found.key(), found.name(), Class::Transient, reason)
}
