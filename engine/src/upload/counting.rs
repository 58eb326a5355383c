//! Count: what an upload would send, without sending any of it.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use tokio::sync::mpsc;

use super::{
    After, FOUND_AHEAD, Hashed, LOOKED_UP, Upload, afterwards, albums, hashing, refusals, scanning, sending,
};
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
    /// The requests that make items of them, and put those that it has into albums.
    pub(crate) commits: u64,
    /// The requests that look for items before their files go.
    pub(crate) look_ups: u64,
}

/// What goes into one album.
#[derive(Debug, Default)]
struct OfAlbum {
    new: u64,
    to_join: u64,
}

/// An album that is not known is looked for, then made.
pub(crate) const FOR_AN_ALBUM: u64 = 2;

/// Scans and hashes all folders, and compares them with the ledger.
pub(crate) async fn count(upload: Arc<Upload>) -> Result<Counted, Error> {
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
    let mut by_album: HashMap<Option<Arc<str>>, OfAlbum> = HashMap::new();
    let mut counted = Counted::default();
    let mut seen: HashSet<Sha256> = HashSet::new();
    let mut in_albums: HashSet<(Sha256, Arc<str>)> = HashSet::new();
    let mut files = Vec::with_capacity(LOOKED_UP);
    while hashed.recv_many(&mut files, LOOKED_UP).await > 0 {
        let known = sending::known(upload, &files).await?;
        for (file, known) in files.drain(..).zip(known) {
            counted.files += 1;
            if known.remote_id.is_none()
                && refusals::held_back(known.refused.as_ref(), ctx.clock.now()).is_some()
            {
                counted.held_back += 1;
                continue;
            }
            let is_first = seen.insert(file.sha256);
            let is_first_there = (file.album.clone())
                .is_some_and(|title| !known.in_album && in_albums.insert((file.sha256, title)));
            if known.remote_id.is_some() || !is_first {
                if is_first_there {
                    by_album.entry(file.album).or_default().to_join += 1;
                }
                continue;
            }
            by_album.entry(file.album).or_default().new += 1;
            counted.new += 1;
            if known.staged.is_none_or(|(_, valid_until)| valid_until <= ctx.clock.now()) {
                counted.bytes += file.found.size;
                let sink = upload.storage.sink();
                counted.sends += u64::from(sink.map_or(1, |sink| sink.requests_to_send(file.found.size)));
            }
        }
    }
    let batch = u64::try_from(ctx.facts.batch.size.max(1)).unwrap_or(u64::MAX);
    let to_join = upload.storage.albums().map_or(1, |albums| albums.add_limit().max(1));
    let to_join = u64::try_from(to_join).unwrap_or(u64::MAX);
    if upload.after != After::Keep
        && let Some(source) = upload.storage.source()
    {
        let limit = u64::try_from(afterwards::together(source)).unwrap_or(u64::MAX);
        counted.look_ups = (counted.files - counted.held_back).div_ceil(limit);
    }
    for (title, one) in by_album {
        counted.commits += one.new.div_ceil(batch) + one.to_join.div_ceil(to_join);
        if title.is_some() && albums::known(upload, title.as_deref()).await?.is_none() {
            counted.commits += FOR_AN_ALBUM;
        }
    }
    Ok(counted)
}
