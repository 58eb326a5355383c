//! Moving: to the trash of a mirror and back. The ledger knows where a file goes before it goes, so that one that a kill has left on the
//! way is found.

use std::{collections::BTreeMap, sync::Arc};

use charon_provider::{Class, EntryKind, Error as StorageError, Part};
use jiff::SignedDuration;

use crate::{
    backup::Backup,
    error::Error,
    mirror::{OWN_FOLDER, hash},
    retry::with_retries,
    sidecars,
    store::{ItemRecord, Nominee, Stored, TrashedFile},
};

/// How the record of an item begins that is gone from the account and not home any more.
pub(crate) const GONE: &str = "gone from the account; ";
/// How that of one begins that a run has moved to the trash.
pub(crate) const IN_TRASH: &str = "gone from the account; in the trash of the mirror";
/// Items that are moved together.
const TOGETHER: usize = 50;
/// Files of the trash that are looked at together.
const LISTED: u32 = 200;

/// Moves the files of items to the trash of today.
pub(super) async fn to_trash(backup: &Arc<Backup>, items: &[&Nominee]) -> Result<(), Error> {
    let (ctx, mirror) = (backup.context(), backup.mirror());
    for some in items.chunks(TOGETHER) {
        if ctx.stopped().is_some() {
            return Ok(());
        }
        let now = ctx.clock.now();
        let days = SignedDuration::from_hours(24 * i64::from(backup.deletion().trash_days));
        let until = now.checked_add(days).unwrap_or(now);
        // A folder of this run's own: nothing that lies in the trash gives way to something else.
        let run = ctx.run.to_string();
        let own = &run[run.len().saturating_sub(8)..];
        let folder = format!("{OWN_FOLDER}/trash/{}/{own}/", now.strftime("%Y-%m-%d"));
        let assets: Vec<i64> = some.iter().map(|nominee| nominee.asset_id).collect();
        ctx.store.begin_trashing(ctx.plan, ctx.attempt(), &assets, &folder, (now, until)).await?;
        let mut moved = Vec::new();
        let mut records: Vec<ItemRecord> = Vec::new();
        let mut not_there = Vec::new();
        for nominee in some {
            let mut told = format!("{IN_TRASH} until {}", until.strftime("%Y-%m-%d"));
            let files = ctx.store.trashed_of(ctx.plan, ctx.storage, nominee.asset_id).await?;
            // What is in the trash already stays there as it is.
            for file in files.into_iter().filter(|file| !file.is_there) {
                match is_as_stored(backup, &file).await? {
                    Some(true) => {
                        mirror.files().rename(&file.path, &file.aside).await?;
                        move_sidecars(backup, file.asset_id, &file.path, &file.aside).await?;
                    }
                    // It is not what was stored, and may be of use to somebody: nobody removes it.
                    Some(false) => {
                        told = format!(
                            "{GONE}the file was changed, and is kept as {}",
                            mirror.set_aside(&file.path).await?
                        );
                        not_there.push((file.asset_id, file.part));
                    }
                    None => {
                        told = format!("{GONE}the file was not in the mirror any more");
                        not_there.push((file.asset_id, file.part));
                    }
                }
                moved.push(file);
            }
            let record = ctx.done(nominee.remote.0.clone(), nominee.name.clone(), 0);
            records.push(ItemRecord { reason: Some(told), ..record });
        }
        let paths: Vec<String> =
            moved.iter().flat_map(|file| [file.path.clone(), file.aside.clone()]).collect();
        mirror.settle(&paths).await?;
        ctx.store.are_trashed(ctx.plan, ctx.attempt(), &moved, &records).await?;
        ctx.store.untrash(ctx.plan, &not_there).await?;
        ctx.tell(|progress| {
            progress.found += records.len() as u64;
            progress.count(&records);
        });
    }
    Ok(())
}

/// What an earlier run was about to move and was killed over is either in the trash by now, or stays where it is.
pub(crate) async fn settle_unfinished(backup: &Arc<Backup>) -> Result<(), Error> {
    let (ctx, mirror) = (backup.context(), backup.mirror());
    for files in all(backup).await? {
        let unfinished: Vec<TrashedFile> = files.into_iter().filter(|file| !file.is_there).collect();
        let asides: Vec<String> = unfinished.iter().map(|file| file.aside.clone()).collect();
        let found = mirror.files().look(&asides).await?;
        let (there, not_moved): (Vec<_>, Vec<_>) =
            unfinished.into_iter().zip(found).partition(|(_, found)| found.is_some());
        let there: Vec<TrashedFile> = there.into_iter().map(|(file, _)| file).collect();
        ctx.store.are_trashed(ctx.plan, ctx.attempt(), &there, &[]).await?;
        let not_moved: Vec<(i64, Part)> =
            not_moved.iter().map(|(file, _)| (file.asset_id, file.part)).collect();
        ctx.store.untrash(ctx.plan, &not_moved).await?;
    }
    Ok(())
}

/// Brings the files of an item back from the trash to where they were, as far as these parts are wanted. Gives those that are in
/// their places now.
pub(crate) async fn bring_back(
    backup: &Arc<Backup>,
    asset: i64,
    is_wanted: impl Fn(Part) -> bool,
) -> Result<Vec<(Stored, String)>, Error> {
    let ctx = backup.context();
    let mut back = Vec::new();
    for file in ctx.store.trashed_of(ctx.plan, ctx.storage, asset).await? {
        if !file.is_there || !is_wanted(file.part) {
            continue;
        }
        match put_back(backup, &file).await {
            Ok(Back::There) => back.push((stored(backup, &file), file.path)),
            Ok(Back::NotInTrash | Back::InTheWay | Back::Changed) => {}
            // What is back already is recorded.
            Err(error) if !back.is_empty() => {
                tracing::warn!(%error, path = file.path, "a file stays in the trash");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(back)
}

/// What became of a file that was to be put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Back {
    /// It is where it was.
    There,
    /// It is not in the trash any more.
    NotInTrash,
    /// Something else has its place.
    InTheWay,
    /// It is not what went there, and stays in the trash.
    Changed,
}

/// Moves a file from the trash to where it was, if it still is what went there.
pub(super) async fn put_back(backup: &Backup, file: &TrashedFile) -> Result<Back, Error> {
    let files = backup.mirror().files();
    let found = files.look(&[file.path.clone(), file.aside.clone()]).await?;
    let is_there = found[1].as_ref().is_some_and(|aside| aside.kind == EntryKind::File);
    if found[0].as_ref().is_some_and(|there| there.size == file.size)
        && hash(files, &file.path).await? == file.sha256
    {
        // An earlier attempt has put it back, and ended before it could say so, or in the middle of a move that is none on a server.
        if is_there {
            files.remove(&file.aside).await?;
        }
        return Ok(Back::There);
    }
    if found[0].is_some() {
        return Ok(Back::InTheWay);
    }
    if !is_there {
        return Ok(Back::NotInTrash);
    }
    let Some(read) = with_retries(backup.context(), || hash(files, &file.aside)).await else {
        return Err(Error::Refused("the run was stopped".into()));
    };
    match read {
        Ok(sha256) if sha256 == file.sha256 => {}
        // It may still be of use to somebody, and what the account has is fetched instead.
        Ok(_) => return Ok(Back::Changed),
        // One bad place of the disk, and not the disk.
        Err(_) if backup.mirror().is_there().await => return Ok(Back::Changed),
        Err(error) => return Err(error.into()),
    }
    files.rename(&file.aside, &file.path).await?;
    move_sidecars(backup, file.asset_id, &file.aside, &file.path).await?;
    files.settle(std::slice::from_ref(&file.aside)).await?;
    Ok(Back::There)
}

/// Whether a file is as it was stored; `None` if there is none.
async fn is_as_stored(backup: &Backup, file: &TrashedFile) -> Result<Option<bool>, StorageError> {
    let files = backup.mirror().files();
    let found = files.look(std::slice::from_ref(&file.path)).await?.pop().flatten();
    let Some(found) = found else { return Ok(None) };
    if found.kind != EntryKind::File || found.size != file.size {
        return Ok(Some(false));
    }
    match hash(files, &file.path).await {
        Ok(sha256) => Ok(Some(sha256 == file.sha256)),
        // It cannot be read: moving it needs no reading.
        Err(error) if matches!(error.class, Class::Item | Class::Destination) => Ok(Some(false)),
        Err(error) => Err(error),
    }
}

/// Sidecars that Charon has written go where their file goes, unless somebody else's are there.
async fn move_sidecars(backup: &Backup, asset_id: i64, from: &str, to: &str) -> Result<(), Error> {
    for (kind, path) in sidecars::of(backup, asset_id, from).await? {
        let (files, to) = (backup.mirror().files(), kind.path(to));
        if files.look(std::slice::from_ref(&to)).await?.into_iter().flatten().next().is_none() {
            files.rename(&path, &to).await?;
        }
    }
    Ok(())
}

pub(super) fn stored(backup: &Backup, file: &TrashedFile) -> Stored {
    Stored {
        asset_id: file.asset_id,
        part: file.part,
        sha256: file.sha256,
        size: file.size,
        fidelity: file.fidelity,
        at: backup.context().clock.now(),
    }
}

/// Removes what has been in the trash for long enough.
pub(super) async fn empty_expired(backup: &Arc<Backup>) -> Result<(), Error> {
    let now = backup.context().clock.now();
    empty(backup, |file| file.until <= now).await.map(drop)
}

/// Removes files of the trash for good; gives which.
pub(super) async fn empty(
    backup: &Arc<Backup>,
    is_to_go: impl Fn(&TrashedFile) -> bool,
) -> Result<Vec<TrashedFile>, Error> {
    let (ctx, mirror) = (backup.context(), backup.mirror());
    let mut removed = Vec::new();
    for files in all(backup).await? {
        let files: Vec<TrashedFile> =
            files.into_iter().filter(|file| file.is_there && is_to_go(file)).collect();
        for file in &files {
            if ctx.stopped().is_some() {
                return Ok(removed);
            }
            mirror.files().remove(&file.aside).await?;
            for sidecar in sidecars::of(backup, file.asset_id, &file.aside).await?.into_values() {
                mirror.files().remove(&sidecar).await?;
            }
        }
        // The file first: a row without one is told as nothing, and a file without a row would stay for ever.
        let asides: Vec<String> = files.iter().map(|file| file.aside.clone()).collect();
        mirror.settle(&asides).await?;
        let gone: Vec<(i64, Part)> = files.iter().map(|file| (file.asset_id, file.part)).collect();
        ctx.store.untrash(ctx.plan, &gone).await?;
        removed.extend(files);
    }
    clear_folders(backup, &removed).await;
    Ok(removed)
}

/// Removes the folders that are empty by now; what cannot be removed does no harm.
pub(super) async fn clear_folders(backup: &Backup, removed: &[TrashedFile]) {
    let mut folders: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for file in removed {
        let mut path = file.aside.as_str();
        while let Some((above, _)) =
            path.rsplit_once('/').filter(|(above, _)| above.len() > OWN_FOLDER.len() + 6)
        {
            folders.entry(above.matches('/').count()).or_default().push(above);
            path = above;
        }
    }
    for (_, mut folders) in folders.into_iter().rev() {
        folders.sort_unstable();
        folders.dedup();
        for folder in folders {
            if let Err(error) = backup.mirror().files().remove(folder).await {
                tracing::debug!(%error, folder, "a folder of the trash stays");
            }
        }
    }
}

/// What is in the trash, some files at a time.
async fn all(backup: &Arc<Backup>) -> Result<Vec<Vec<TrashedFile>>, Error> {
    let ctx = backup.context();
    let mut pages = Vec::new();
    let mut after = 0;
    loop {
        let mut page = ctx.store.trashed(ctx.plan, ctx.storage, after, LISTED).await?;
        if page.len() == LISTED as usize {
            // The other file of the last item may be behind it.
            let last = page.last().map(|last| last.asset_id);
            page.retain(|file| Some(file.asset_id) != last);
        }
        let Some(last) = page.last() else { return Ok(pages) };
        after = last.asset_id;
        pages.push(page);
    }
}
