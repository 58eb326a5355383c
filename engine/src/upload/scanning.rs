//! Scan: every file below the source folders, in order. What is not taken is recorded with its reason (I9).

use std::{
    fs::Metadata,
    path::{Path, PathBuf},
    sync::Arc,
    time::UNIX_EPOCH,
};

use charon_provider::{Class, Format, UploadLimits};
use tokio::sync::mpsc;
use walkdir::{DirEntry, WalkDir};

use super::{Found, Globs, Upload};
use crate::{
    error::Error,
    ids::RunId,
    mirror,
    plan::UploadConfig,
    run::{Outcome, RunContext},
    store::{ItemFilter, ItemRecord},
};

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

/// What the record of a file says that is none.
pub(super) const NOT_TAKEN: &str = "not a photo or video that the storage takes";

/// So many files that failed are looked up at once.
const AT_ONCE: u32 = 256;

/// What a scan says of one entry.
#[derive(Debug)]
enum Seen {
    Found(Found),
    Skipped { path: PathBuf, reason: String },
    Failed { path: PathBuf, class: Class, reason: String },
}

/// Scans all source folders, and sends on what the storage takes.
pub(super) async fn scan(upload: &Arc<Upload>, found: mpsc::Sender<Found>) -> Result<(), Error> {
    if let Some(run) = upload.ctx.failed_of {
        return failed_of(upload, run, found).await;
    }
    let mut place = 0;
    for source in &upload.sources {
        let scanned = upload.ctx.unless_stopped(scan_one(upload, source, &found, &mut place)).await;
        let Some(files) = scanned else {
            return Ok(());
        };
        let Some(files) = files? else { return Ok(()) };
        // An estimate is no run that later ones are compared with, and its plan may not be saved.
        if !upload.ctx.is_dry {
            let source = path_key(source);
            // Those that have gone meanwhile are not there any more.
            let left = upload.left.lock().await;
            let files = files.saturating_add_signed(-left.get(&source).copied().unwrap_or_default());
            upload.ctx.store.set_source_files(upload.ctx.plan, &source, files).await?;
        }
    }
    upload.ctx.tell(|progress| progress.found_all = true);
    Ok(())
}

/// Scans one source folder; gives how many files the storage takes, or `None` when the run has ended meanwhile.
async fn scan_one(
    upload: &Arc<Upload>,
    source: &Path,
    found: &mpsc::Sender<Found>,
    place: &mut u64,
) -> Result<Option<u64>, Error> {
    let walk = Walk::new(source, source, &upload.ctx.facts.limits, &upload.globs);
    pass_on(upload, source, walk, found, place).await
}

/// The files that failed in an earlier run, and nothing else.
async fn failed_of(upload: &Arc<Upload>, run: RunId, found: mpsc::Sender<Found>) -> Result<(), Error> {
    let ctx = &upload.ctx;
    let limits = ctx.facts.limits.clone();
    let mut filter = ItemFilter { outcome: Some(Outcome::Failed), after: None };
    let mut place = 0;
    loop {
        let failed = ctx.store.run_items(run, &filter, AT_ONCE).await?;
        filter.after = failed.last().map(|item| item.item.clone());
        if filter.after.is_none() {
            break;
        }
        let (limits, globs) = (limits.clone(), upload.globs.clone());
        // What lies outside of the plan's folders by now is no longer wanted.
        let sources = upload.sources.clone();
        let paths = failed.into_iter().filter_map(|item| path_of(&item.item));
        let source_of = |path: &PathBuf| sources.iter().find(|source| path.starts_with(source)).cloned();
        let paths: Vec<(PathBuf, PathBuf)> =
            paths.filter_map(|path| source_of(&path).map(|source| (source, path))).collect();
        let seen =
            paths.into_iter().flat_map(move |(source, path)| Walk::new(&source, &path, &limits, &globs));
        let passed = pass_on(upload, Path::new("the files that failed"), seen, &found, &mut place);
        let Some(passed) = ctx.unless_stopped(passed).await else { return Ok(()) };
        if passed?.is_none() {
            return Ok(());
        }
    }
    ctx.tell(|progress| progress.found_all = true);
    Ok(())
}

/// Records what is not taken, and sends on the rest; gives how many files the storage takes, or `None` when the run has ended.
async fn pass_on(
    upload: &Arc<Upload>,
    source: &Path,
    mut entries: impl Iterator<Item = Seen> + Send + 'static,
    found: &mpsc::Sender<Found>,
    place: &mut u64,
) -> Result<Option<u64>, Error> {
    let (seen_in, mut seen) = mpsc::channel(super::FOUND_AHEAD);
    // Ends by itself when `seen` is dropped.
    let walk = tokio::task::spawn_blocking(move || entries.try_for_each(|one| seen_in.blocking_send(one)));
    let ctx = &upload.ctx;
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut files = 0;
    let (mut some, mut not_taken) = (Vec::new(), Vec::new());
    // Together, since what is recorded one by one costs a flush of the disk each.
    while seen.recv_many(&mut some, super::LOOKED_UP).await > 0 {
        ctx.tell(|progress| progress.found += some.len() as u64);
        for one in some.drain(..) {
            match one {
                Seen::Found(file) => {
                    files += 1;
                    *place += 1;
                    if found.send(Found { place: *place, ..file }).await.is_err() {
                        return Ok(None);
                    }
                }
                Seen::Skipped { path, reason } => {
                    not_taken.push(ctx.skipped(path_key(&path), name(&path), reason));
                }
                Seen::Failed { path, class, reason } => {
                    not_taken.push(ctx.failed(path_key(&path), name(&path), class, reason));
                }
            }
        }
        ctx.record(&not_taken).await?;
        not_taken.clear();
    }
    // The inner result only says whether somebody listened to the end.
    drop(
        walk.await
            .map_err(|error| Error::Refused(format!("scanning {} failed: {error}", source.display())))?,
    );
    Ok(Some(files))
}

/// A folder that held photos and is suddenly empty is an unmounted disk (I11): refused before anything is sent.
pub(crate) async fn refuse_suddenly_empty(ctx: &RunContext, config: &UploadConfig) -> Result<(), Error> {
    for source in &config.sources {
        let before = ctx.store.source_files(ctx.plan, &path_key(source)).await?.unwrap_or_default();
        if before == 0 {
            continue;
        }
        let mut walk = Walk::new(source, source, &ctx.facts.limits, &Globs::all());
        let first =
            tokio::task::spawn_blocking(move || walk.find(|one| !matches!(one, Seen::Skipped { .. })))
                .await
                .map_err(|error| Error::Refused(format!("scanning {} failed: {error}", source.display())))?;
        if first.is_none() {
            return Err(Error::Refused(format!(
                "the source {} is empty, and held {before} photos and videos at the last run: is the disk mounted? If it \
                 is meant to be empty, take it out of the plan",
                source.display()
            )));
        }
    }
    Ok(())
}

/// The entries of a tree, in order, each judged. Blocks.
struct Walk {
    source: Arc<Path>,
    limits: UploadLimits,
    globs: Globs,
    entries: walkdir::IntoIter,
}

impl Walk {
    /// Of a source, what is at this path or below.
    fn new(source: &Path, root: &Path, limits: &UploadLimits, globs: &Globs) -> Self {
        let entries = WalkDir::new(root).sort_by_file_name().into_iter();
        Self { source: source.into(), limits: limits.clone(), globs: globs.clone(), entries }
    }

    /// Why the plan leaves it out, if it does.
    fn excluded(&self, entry: &DirEntry) -> Option<String> {
        let below = entry.path().strip_prefix(&self.source).ok()?;
        let is_source = below.as_os_str().is_empty();
        if is_source { None } else { self.globs.exclude(below, entry.file_type().is_dir()) }
    }
}

impl Iterator for Walk {
    type Item = Seen;

    fn next(&mut self) -> Option<Seen> {
        loop {
            match self.entries.next()? {
                Ok(entry) if entry.file_type().is_dir() => {
                    let reason = self.excluded(&entry).or_else(|| folder_to_skip(&entry).map(Into::into));
                    let Some(reason) = reason else { continue };
                    self.entries.skip_current_dir();
                    return Some(Seen::Skipped { path: entry.into_path(), reason });
                }
                Ok(entry) => {
                    return Some(match self.excluded(&entry) {
                        Some(reason) => Seen::Skipped { path: entry.into_path(), reason },
                        None => self.judge(&entry),
                    });
                }
                Err(error) => {
                    let path = error.path().unwrap_or(&self.source).to_owned();
                    let cause = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
                    let reason = format!("it cannot be read: {cause}");
                    return Some(Seen::Failed { path, class: Class::Transient, reason });
                }
            }
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

impl Walk {
    fn judge(&self, entry: &DirEntry) -> Seen {
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
        let Some(format) = self.limits.format_of(&extension) else {
            return skipped(path, NOT_TAKEN);
        };
        if !path.strip_prefix(&self.source).is_ok_and(|below| self.globs.include(below)) {
            return skipped(path, "left out, as it is not among what the plan includes");
        }
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            Err(error) => {
                let reason = format!("it cannot be read: {error}");
                return Seen::Failed { path, class: Class::Transient, reason };
            }
        };
        let size = metadata.len();
        if let Some(reason) = unfit_size(size, format, &self.limits) {
            return Seen::Failed { path, class: Class::Item, reason };
        }
        // Its place is known only to the scan as a whole.
        let source = Arc::clone(&self.source);
        Seen::Found(Found {
            path,
            source,
            size,
            modified_ns: modified_ns(&metadata),
            format,
            place: 0,
            kept: None,
        })
    }
}

/// Why a file of this size is not taken, if it is not.
pub(super) fn unfit_size(size: u64, format: &Format, limits: &UploadLimits) -> Option<String> {
    let largest = limits.largest(format.kind);
    if size == 0 {
        return Some("the file is empty (zero bytes)".into());
    }
    (size > largest).then(|| {
        format!("the file has {size} bytes, and the storage takes at most {largest}; nothing of it was sent")
    })
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
pub(crate) fn path_key(path: &Path) -> String {
    if let Some(text) = path.to_str() {
        return text.to_owned();
    }
    let bytes = path.as_os_str().as_encoded_bytes();
    std::iter::once("hex:".to_owned()).chain(bytes.iter().map(|byte| format!("{byte:02x}"))).collect()
}

/// The path that a key stands for.
fn path_of(key: &str) -> Option<PathBuf> {
    let Some(hex) = key.strip_prefix("hex:") else { return Some(PathBuf::from(key)) };
    let byte = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect::<Option<_>>()?;
    #[cfg(unix)]
    return Some(PathBuf::from(<std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes)));
    // Elsewhere names are text.
    #[cfg(not(unix))]
    return String::from_utf8(bytes).ok().map(PathBuf::from);
}

/// Records a file that could not be read as failed.
pub(super) fn unreadable(upload: &Upload, found: &Found, error: &std::io::Error) -> ItemRecord {
    let reason = match error.kind() {
        std::io::ErrorKind::NotFound => "it vanished while the run was at work".to_owned(),
        _ => format!("it cannot be read: {error}"),
    };
    upload.ctx.failed(found.key(), found.name(), Class::Transient, reason)
}
