//! A mirror: the tree of files that a backup plan keeps.
//!
//! It carries a [`marker`] with the plan's id, without which nothing is written. Bytes go to a temporary file of this machine
//! ([`incoming`], [`bundle`]), are checked and hashed there, and are then put into their place whole (I1): by the [`folder`] that the
//! mirror is, or by the storage that keeps it.

mod bundle;
mod folder;
mod incoming;
mod marker;
mod opening;
mod patient;
mod site;

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use charon_provider::{Class, Destination, Entry, EntryKind, Error};
use futures::TryStreamExt;
use jiff::Timestamp;
use sha2::Digest;
use tokio::io::AsyncWriteExt;

use crate::{
    ids::{PlanId, RunId, Sha256},
    naming,
    verify::Damage,
};
#[cfg(test)]
pub(crate) use bundle::tests::archive;
pub(crate) use folder::no_room;
pub(crate) use incoming::{Arrived, Incoming, Received};
pub(crate) use marker::mirror_above;
pub(crate) use opening::open_below;
pub(crate) use site::Site;

/// Charon's own folder within a mirror.
pub(crate) const OWN_FOLDER: &str = ".charon";
const INCOMING: &str = "incoming";
const SET_ASIDE: &str = "set-aside";
/// File systems keep modification times to two seconds (FAT) or better.
const COARSEST_TIME: Duration = Duration::from_secs(2);

/// The mirror of a plan, open for one run.
#[derive(Debug)]
pub(crate) struct Mirror {
    site: Site,
    plan: PlanId,
    run: RunId,
    next_number: AtomicU64,
}

impl Mirror {
    /// A name that nothing else has, in this run or in another.
    fn fresh_name(&self) -> String {
        format!("{}-{}", self.run, self.next_number.fetch_add(1, Ordering::Relaxed))
    }

    /// The files that it is made of.
    pub(crate) fn files(&self) -> &dyn Destination {
        self.site.files()
    }

    /// Those of these paths below the destination at which there is something.
    pub(crate) async fn taken(&self, paths: &[String]) -> Result<HashSet<String>, Error> {
        let found = self.files().look(paths).await?;
        Ok(found.into_iter().flatten().map(|entry| entry.path).collect())
    }

    /// Those of these paths at which there is no file of so many bytes, with what is there instead. Only what is surely not there
    /// is missing: a disk that fails is an error.
    pub(crate) async fn gone(&self, files: &[(String, u64)]) -> Result<HashMap<String, Damage>, Error> {
        let paths: Vec<String> = files.iter().map(|(path, _)| path.clone()).collect();
        let found = self.files().look(&paths).await?;
        let damage = |entry: &Option<Entry>, size| match entry {
            Some(entry) if entry.kind == EntryKind::File && entry.size == size => None,
            Some(_) => Some(Damage::Changed),
            None => Some(Damage::Missing),
        };
        let gone = files.iter().zip(&found);
        Ok(gone.filter_map(|((path, size), entry)| Some((path.clone(), damage(entry, *size)?))).collect())
    }

    /// Puts received bytes into their place, with the capture time as their modification time. That they are there outlasts a
    /// loss of power after [`settle`](Self::settle). Without a capture time the modification time is the present. `was_ours` says
    /// that the ledger has had a file of this item there.
    ///
    /// Gives where what was there has been set aside to, below the destination, if something was.
    pub(crate) async fn place(
        &self,
        received: Received,
        path: &str,
        taken_at: Option<Timestamp>,
        was_ours: bool,
    ) -> Result<Option<String>, Error> {
        let aside = match self.clear_the_way(path, &received, taken_at, was_ours).await? {
            Way::Free => None,
            Way::Cleared(aside) => Some(aside),
            Way::Blocked => {
                let cause =
                    format!("{path} is there already with other content, and Charon has no record of it");
                return Err(Error::new(Class::Item, format!("store {path}"), cause)
                    .cured_by("move it away, then run the plan again"));
            }
        };
        self.files().put(path, received.path(), taken_at).await?;
        Ok(aside)
    }

    /// Puts received bytes in the place of a file that is of no use any more, if it still is the one that was stored. Gives whether it was.
    pub(crate) async fn replace(
        &self,
        stored: Sha256,
        path: &str,
        received: &Received,
        taken_at: Option<Timestamp>,
    ) -> Result<bool, Error> {
        let is_as_stored = hash(self.files(), path).await.is_ok_and(|present| present == stored);
        if is_as_stored {
            self.files().put(path, received.path(), taken_at).await?;
        }
        Ok(is_as_stored)
    }

    /// Sees to it that the place of received bytes is free, or holds these same bytes. Somebody else's file is never
    /// overwritten.
    ///
    /// An earlier run may have placed the item and ended before it could say so. Its file has the capture time as its
    /// modification time (if the item has one, and the destination keeps times), but need not have the same bytes, since a storage
    /// may encode anew each time. And a file that a run did record may have been changed since. Such files are set aside and not
    /// overwritten either, in case they are somebody else's after all.
    async fn clear_the_way(
        &self,
        path: &str,
        received: &Received,
        taken_at: Option<Timestamp>,
        was_ours: bool,
    ) -> Result<Way, Error> {
        let Some(there) = self.files().look(&[path.to_owned()]).await?.pop().flatten() else {
            return Ok(Way::Free);
        };
        if there.kind != EntryKind::File {
            return Ok(Way::Blocked);
        }
        if there.size == received.size {
            match hash(self.files(), path).await {
                Ok(sha256) if sha256 == received.sha256 => return Ok(Way::Free),
                // A bad place of the disk, for instance: to set it aside needs no reading.
                Err(error) if !was_ours || error.class == Class::Transient => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
        let modified = there.modified.unwrap_or(Timestamp::MIN);
        let is_dated = !self.files().keeps_times()
            || taken_at
                .is_none_or(|taken_at| modified.duration_since(taken_at).unsigned_abs() <= COARSEST_TIME);
        if is_dated || was_ours { self.set_aside(path).await.map(Way::Cleared) } else { Ok(Way::Blocked) }
    }

    /// Moves a file into a folder of its own, so that it takes no other's place; gives where it is now.
    pub(crate) async fn set_aside(&self, path: &str) -> Result<String, Error> {
        let name = naming::name_of(path);
        let aside = format!("{OWN_FOLDER}/{SET_ASIDE}/{}/{name}", self.fresh_name());
        self.files().rename(path, &aside).await?;
        self.files().settle(std::slice::from_ref(&aside)).await?;
        tracing::info!(from = path, to = aside, "set aside a file that was in the way");
        Ok(aside)
    }

    /// Where it is on this machine, if it is.
    pub(crate) fn root(&self) -> Option<&Path> {
        self.site.root()
    }

    /// A path of this machine for something that is made before it is put into its place; nothing else has it.
    pub(crate) fn beside(&self) -> PathBuf {
        self.site.workshop().join(self.fresh_name())
    }

    /// Whether the mirror as such can be read.
    pub(crate) async fn is_there(&self) -> bool {
        Self::look(&self.site, self.plan).await.is_ok()
    }

    /// Writes a small file, whole.
    pub(crate) async fn write(&self, path: &str, bytes: Vec<u8>) -> Result<(), Error> {
        self.site.write(path, bytes, &self.fresh_name(), None).await
    }

    /// Waits until what is at these paths outlasts a loss of power.
    pub(crate) async fn settle(&self, paths: &[String]) -> Result<(), Error> {
        self.files().settle(paths).await
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

/// What the bytes of a file are known by.
pub(crate) async fn hash(files: &dyn Destination, path: &str) -> Result<Sha256, Error> {
    hash_counting(files, path, |_| ()).await.map(|(sha256, _)| sha256)
}

/// The same, with how many bytes there are; `read` hears of them as they come.
pub(crate) async fn hash_counting(
    files: &dyn Destination,
    path: &str,
    read: impl Fn(u64),
) -> Result<(Sha256, u64), Error> {
    let mut bytes = files.read(path, 0, None).await?;
    let (mut hasher, mut size) = (sha2::Sha256::new(), 0);
    while let Some(piece) = bytes.try_next().await? {
        hasher.update(&piece);
        size += piece.len() as u64;
        read(piece.len() as u64);
    }
    Ok((Sha256(hasher.finalize().into()), size))
}

/// Reads a file into one of this machine, hashing on the way. The inner error is of the writing.
pub(crate) async fn fetch(
    files: &dyn Destination,
    path: &str,
    to: &Path,
    moved: impl Fn(usize),
) -> Result<Result<(Sha256, u64), Error>, Error> {
    let mut bytes = files.read(path, 0, None).await?;
    let (mut hasher, mut size) = (sha2::Sha256::new(), 0);
    let failed = |error: &std::io::Error| no_room(&format!("copy {path}"), to, error);
    let mut file = match tokio::fs::File::create(to).await {
        Ok(file) => file,
        Err(error) => return Ok(Err(failed(&error))),
    };
    while let Some(piece) = bytes.try_next().await? {
        hasher.update(&piece);
        size += piece.len() as u64;
        if let Err(error) = file.write_all(&piece).await {
            return Ok(Err(failed(&error)));
        }
        moved(piece.len());
    }
    if let Err(error) = file.flush().await {
        return Ok(Err(failed(&error)));
    }
    Ok(Ok((Sha256(hasher.finalize().into()), size)))
}

/// Reads a small file, or as much of it.
pub(crate) async fn read_small(files: &dyn Destination, path: &str, most: u64) -> Result<Vec<u8>, Error> {
    let pieces = files.read(path, 0, Some(most)).await?;
    let text = pieces.try_fold(Vec::new(), async |mut text, piece| {
        text.extend_from_slice(&piece);
        Ok(text)
    });
    text.await
}

/// Empties a workshop, or makes one. Blocks.
fn clear(workshop: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(workshop) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::create_dir_all(workshop)
}

#[cfg(test)]
mod tests;
