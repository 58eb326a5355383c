//! Count: what an upload would send, without sending any of it.

use std::{collections::HashSet, sync::Arc};

use tokio::sync::mpsc;

use super::{FOUND_AHEAD, Hashed, LOOKED_UP, Upload, albums, hashing, refusals, scanning};
use crate::{error::Error, ids::Sha256};

/// What an upload would send.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counted {
    /// Files that the storage takes.
    pub(crate) files: u64,
    /// Files that it has refused, and that are not sent again yet.
    pub(crate) held_back: u64,
    /// Different files that it does not have.
    pub(crate) new: u64,
    /// The bytes of those of them whose bytes it does not have either.
    pub(crate) bytes: u64,
    /// The requests that send those bytes.
    pub(crate) sends: u64,
    /// Different files that it has, and that are not in the album.
    pub(crate) to_join: u64,
    /// Whether there is an album to be looked for.
    pub(crate) album_is_unknown: bool,
}

/// Scans and hashes all folders, and compares them with the ledger.
pub(crate) async fn count(upload: Upload) -> Result<Counted, Error> {
    let upload = Arc::new(upload);
    let ctx = &upload.ctx;
    let (found_in, found) = mpsc::channel(FOUND_AHEAD);
    let (hashed_in, hashed) = mpsc::channel(LOOKED_UP);
    let or_stop = |ended: Result<(), Error>| ended.unwrap_or_else(|error| ctx.stop_for(&error));
    let ((), (), counted) = tokio::join!(
        async { or_stop(scanning::scan(&upload, found_in).await) },
        async { or_stop(hashing::hash(&upload, found, hashed_in).await) },
        compare(&upload, hashed),
    );
    counted
}

async fn compare(upload: &Upload, mut hashed: mpsc::Receiver<Hashed>) -> Result<Counted, Error> {
    let ctx = &upload.ctx;
    let album = albums::known(upload).await?;
    let mut counted = Counted::default();
    let mut seen: HashSet<Sha256> = HashSet::new();
    let mut files = Vec::with_capacity(LOOKED_UP);
    while hashed.recv_many(&mut files, LOOKED_UP).await > 0 {
        let contents: Vec<Sha256> = files.iter().map(|file| file.sha256).collect();
        let known = ctx.store.known(ctx.storage, album.as_ref(), &contents).await?;
        for file in files.drain(..) {
            counted.files += 1;
            let known = known.get(&file.sha256).cloned().unwrap_or_default();
            if known.remote_id.is_none()
                && refusals::held_back(known.refused.as_ref(), ctx.clock.now()).is_some()
            {
                counted.held_back += 1;
                continue;
            }
            if !seen.insert(file.sha256) {
                continue;
            }
            if known.remote_id.is_some() {
                counted.to_join += u64::from(upload.album.is_some() && !known.in_album);
                continue;
            }
            counted.new += 1;
            if known.staged.is_none_or(|(_, valid_until)| valid_until <= ctx.clock.now()) {
                counted.bytes += file.found.size;
                let sink = upload.storage.sink();
                counted.sends += u64::from(sink.map_or(1, |sink| sink.requests_to_send(file.found.size)));
            }
        }
    }
    let something = counted.new + counted.to_join > 0;
    counted.album_is_unknown = something && upload.album.is_some() && album.is_none();
    Ok(counted)
}
