//! Files that are given to be sent one by one, with their hashes, instead of being found in folders.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use charon_provider::{BatchPolicy, Position, Storage, UploadLimits};
use tokio::sync::mpsc;

use super::{
    After, AlbumsOfRun, Found, Globs, Hashed, LOOKED_UP, Onwards, Shares, Titles, Truth, Upload, batcher,
    committing::ToStorage, scanning, sending,
};
use crate::{error::Error, ids::Sha256, run::RunContext, vault::Vault};

/// A file whose bytes are known.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) path: PathBuf,
    pub(crate) size: u64,
    pub(crate) sha256: Sha256,
    /// The title of the album that it goes into.
    pub(crate) album: Option<String>,
}

impl Upload {
    /// Files that are given say themselves which album they go into.
    pub(crate) fn of_given(ctx: Arc<RunContext>, storage: Arc<dyn Storage>, vault: Vault) -> Self {
        Self {
            ctx,
            storage,
            vault,
            sources: Vec::new(),
            globs: Globs::all(),
            titles: Titles::none(),
            album_position: Position::Last,
            descriptions: false,
            after: After::Keep,
            left: tokio::sync::Mutex::default(),
            albums: AlbumsOfRun::default(),
            shares: Shares::default(),
            truth: Truth::default(),
        }
    }
}

/// Looks at a file that is given: it is there, and of the size that it was.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] when it is another one than it was, or nothing that the storage takes.
pub(crate) async fn look_at(given: Given, limits: &UploadLimits) -> io::Result<Hashed> {
    let metadata = tokio::fs::metadata(&given.path).await?;
    let invalid = |what: &str| Err(io::Error::new(io::ErrorKind::InvalidData, what));
    if metadata.len() != given.size {
        return invalid("it has another size than before");
    }
    let extension = given.path.extension().unwrap_or_default().to_string_lossy();
    let Some(format) = limits.format_of(&extension) else {
        return invalid("the storage does not take such files any more");
    };
    let modified_ns = scanning::modified_ns(&metadata);
    let source: Arc<Path> = given.path.parent().unwrap_or(Path::new("")).into();
    let found =
        Found { path: given.path, source, size: given.size, modified_ns, format, place: 0, kept: None };
    Ok(Hashed { found, sha256: given.sha256, album: given.album.map(Into::into) })
}

/// Sends these files to their end, or until the run stops. What the run records of them tells how each ended.
pub(crate) async fn send_given(upload: Arc<Upload>, given: Vec<Hashed>) {
    let policy = upload.ctx.facts.batch;
    send_all(upload, given, &policy).await;
}

/// The same, with batches put together in this way.
pub(super) async fn send_all(upload: Arc<Upload>, given: Vec<Hashed>, policy: &BatchPolicy) {
    let ctx = &upload.ctx;
    ctx.tell(|progress| {
        progress.found += given.len() as u64;
        progress.bytes_found += given.iter().map(|file| file.found.size).sum::<u64>();
    });
    let (hashed_in, hashed) = mpsc::channel(LOOKED_UP);
    let (intake, batcher) = batcher::batcher(policy);
    let more_may_come = intake.announce();
    let committer = ToStorage::new(Arc::clone(&upload));
    let or_stop = |ended: Result<(), Error>| ended.unwrap_or_else(|error| ctx.stop_for(&error));
    let give = async move {
        for (place, mut file) in (0..).zip(given) {
            file.found.place = place;
            if hashed_in.send(file).await.is_err() {
                break;
            }
        }
    };
    tokio::join!(
        give,
        async { or_stop(sending::send(&upload, hashed, intake, more_may_come, Onwards::nowhere()).await) },
        async { or_stop(batcher.run(&committer, &*ctx.clock).await) },
    );
}
