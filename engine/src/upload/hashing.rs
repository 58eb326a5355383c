//! Hash: the SHA-256 of every file, remembered as long as its size and modification time stay.

use std::{
    fs::File,
    io::{self, Read},
    sync::Arc,
    time::Duration,
};

use charon_provider::Class;
use futures::{StreamExt, stream};
use sha2::Digest;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::{Found, Hashed, LOOKED_UP, Upload, scanning, taken};
use crate::{
    error::Error,
    ids::Sha256,
    sniff,
    store::{HashedFile, ItemRecord, KnownFile, Taken},
};

/// Files hashed at a time: disks prefer few readers.
const READERS: usize = 2;
const BUFFER_BYTES: usize = 256 * 1024;
/// A file that was written this shortly before it was hashed may be written again without its time changing.
const TOO_FRESH: Duration = Duration::from_secs(2);

enum Outcome {
    /// The ledger had it.
    Known(Hashed),
    /// It has been read.
    Read(Hashed, Taken),
    Failed(ItemRecord),
}

/// Hashes what comes, and sends it on in the same order.
pub(super) async fn hash(
    upload: &Arc<Upload>,
    mut found: mpsc::Receiver<Found>,
    hashed: mpsc::Sender<Hashed>,
) -> Result<(), Error> {
    let ctx = &upload.ctx;
    let mut files = Vec::with_capacity(LOOKED_UP);
    while let Some(some @ 1..) = ctx.unless_stopped(found.recv_many(&mut files, LOOKED_UP)).await {
        debug_assert_eq!(some, files.len());
        let keys: Vec<String> = files.iter().map(Found::key).collect();
        let known = ctx.store.known_files(&keys.iter().map(String::as_str).collect::<Vec<_>>()).await?;
        let hashing: Vec<_> = files
            .drain(..)
            .zip(keys)
            .map(|(file, key)| {
                let same = known.get(&key).filter(|known| is_same(known, &file)).copied();
                hash_one(Arc::clone(upload), file, same)
            })
            .collect();
        let mut outcomes = stream::iter(hashing).buffered(READERS);
        let mut read = Vec::new();
        loop {
            let Some(next) = ctx.unless_stopped(outcomes.next()).await else { return Ok(()) };
            let one = match next {
                None => break,
                Some(Outcome::Known(one)) => one,
                Some(Outcome::Read(one, taken)) => {
                    read.push((one.clone(), taken));
                    one
                }
                Some(Outcome::Failed(record)) => {
                    ctx.record(&[record]).await?;
                    continue;
                }
            };
            let Some(Ok(())) = ctx.unless_stopped(hashed.send(one)).await else { return Ok(()) };
        }
        remember(upload, &read).await?;
    }
    Ok(())
}

fn is_same(known: &KnownFile, file: &Found) -> bool {
    known.size == file.size && known.modified_ns == file.modified_ns
}

async fn hash_one(upload: Arc<Upload>, file: Found, known: Option<KnownFile>) -> Outcome {
    let titles = &upload.titles;
    let hashed = |found, sha256, taken: Taken| {
        let album = titles.of(&found, taken.day());
        Hashed { found, sha256, album }
    };
    let has_dates = titles.have_dates();
    if let Some(KnownFile { sha256, taken, .. }) = known
        && (taken != Taken::NotLookedUp || !has_dates)
    {
        return Outcome::Known(hashed(file, sha256, taken));
    }
    let found = file.clone();
    let reading = move || {
        let content = known.map_or_else(|| read(&file), |known| Ok(Content::Hashed(known.sha256)))?;
        let is_looked_up = has_dates && matches!(content, Content::Hashed(_));
        let taken = if is_looked_up { taken::on(&file.path).into() } else { Taken::NotLookedUp };
        Ok((content, taken))
    };
    let read = AbortOnDropHandle::new(tokio::task::spawn_blocking(reading)).await;
    match read.unwrap_or_else(|error| Err(io::Error::other(error))) {
        Ok((Content::Hashed(sha256), taken)) => Outcome::Read(hashed(found, sha256, taken), taken),
        Ok((Content::NotMedia(what), _)) => {
            let reason = format!(
                "its name ends like a photo's or video's, but its content {what}; nothing of it was sent"
            );
            Outcome::Failed(upload.ctx.failed(found.key(), found.name(), Class::Item, reason))
        }
        Err(error) => Outcome::Failed(scanning::unreadable(&upload, &found, &error)),
    }
}

enum Content {
    Hashed(Sha256),
    NotMedia(&'static str),
}

/// Reads a file to its end. Blocks.
fn read(found: &Found) -> io::Result<Content> {
    let mut file = File::open(&found.path)?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut hasher = sha2::Sha256::new();
    let mut is_first = true;
    loop {
        let count = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if std::mem::take(&mut is_first) {
            let certain = sniff::is_well_known(found.format.extension);
            if let Some(what) = sniff::not_media(&buffer[..count.min(sniff::HEAD_BYTES)], certain) {
                return Ok(Content::NotMedia(what));
            }
        }
        hasher.update(&buffer[..count]);
    }
    Ok(Content::Hashed(Sha256(hasher.finalize().into())))
}

/// Remembers hashes, but not of files that are so fresh that they may still be written to.
async fn remember(upload: &Upload, read: &[(Hashed, Taken)]) -> Result<(), Error> {
    let settled =
        upload.ctx.clock.now().checked_sub(TOO_FRESH).map_or(i128::MIN, jiff::Timestamp::as_nanosecond);
    let files: Vec<HashedFile> = read
        .iter()
        .filter(|(one, _)| i128::from(one.found.modified_ns) < settled)
        .map(|(one, taken)| HashedFile { path: one.found.key(), file: one.known_file(*taken) })
        .collect();
    if files.is_empty() { Ok(()) } else { upload.ctx.store.record_hashes(&files).await }
}
