//! Writing: what each sidecar says is compared with what was written last.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use charon_provider::{Class, EntryKind, Error as StorageError, Reason};
use futures::{StreamExt, TryStreamExt, stream};
use sha2::Digest;

use super::{Sidecar, Told, json, xmp};
use crate::{backup::Backup, error::Error, ids::Sha256, mirror};

/// Items that are looked at together.
const TOGETHER: u32 = 500;
/// Sidecars that are written at a time.
const AT_A_TIME: usize = 32;
/// The longest sidecar that may be Charon's, in bytes.
const LONGEST: u64 = 1024 * 1024;

/// Some items, and those of their sidecars that are not as they should be.
#[derive(Debug)]
struct Page {
    items: Vec<Told>,
    changed: Vec<Changed>,
}

/// A sidecar that is not as it should be.
#[derive(Debug)]
struct Changed {
    /// Which of the items it is of.
    item: usize,
    kind: Sidecar,
    sha256: Sha256,
    /// What it should say.
    text: Vec<u8>,
}

/// Brings the sidecars of all items up to date.
pub(crate) async fn after_listing(backup: &Arc<Backup>) -> Result<(), Error> {
    let ctx = backup.context();
    let listing = ctx.store.listing(ctx.run).await?;
    // What is known of items changes with full listings, and with what is new.
    let is_news = listing.is_some_and(|listing| listing.is_full) || ctx.progress().items.done > 0;
    if backup.sidecars().is_empty() || !is_news {
        return Ok(());
    }
    // What is gone is looked for with full listings alone.
    let is_full = listing.is_some_and(|listing| listing.is_full);
    let mut ready = compare(backup, 0, is_full).await?;
    while let Some(page) = ready {
        if ctx.stopped().is_some() {
            return Ok(());
        }
        // While some are flushed, the next are made up.
        let last = page.items.last().map_or(0, |last| last.asset_id);
        let (written, following) = tokio::join!(write(backup, page), compare(backup, last, is_full));
        written?;
        ready = following?;
    }
    Ok(())
}

/// Finds out what the sidecars of the items behind this one should say, and which do not; `None` when no item is left, or the
/// run stops.
async fn compare(backup: &Arc<Backup>, after: i64, is_full: bool) -> Result<Option<Page>, Error> {
    let ctx = backup.context();
    let Some(items) = ctx.unless_stopped(ctx.store.told(ctx.plan, ctx.storage, after, TOGETHER)).await else {
        return Ok(None);
    };
    let items = items?;
    let gone = if is_full { gone(backup, &items).await? } else { HashSet::new() };
    let mut changed = Vec::new();
    for (item, told) in items.iter().enumerate() {
        for kind in backup.sidecars() {
            let text = match kind {
                Sidecar::Json => json::write(told),
                Sidecar::Xmp => xmp::write(told),
            };
            let sha256 = Sha256(sha2::Sha256::digest(&text).into());
            let is_written = told.last(*kind).is_some_and(|last| last.is_there && last.sha256 == sha256);
            if !is_written || gone.contains(&(item, *kind)) {
                changed.push(Changed { item, kind: *kind, sha256, text });
            }
        }
    }
    Ok((!items.is_empty()).then_some(Page { items, changed }))
}

/// Those of the sidecars of these items that were written and are not there any more, though their photos are. On a server each look is
/// a request, which it is not worth.
async fn gone(backup: &Arc<Backup>, items: &[Told]) -> Result<HashSet<(usize, Sidecar)>, Error> {
    if backup.mirror().root().is_none() {
        return Ok(HashSet::new());
    }
    let written = |(item, told): (usize, &Told)| {
        let kinds =
            backup.sidecars().iter().filter(|kind| told.last(**kind).is_some_and(|last| last.is_there));
        kinds.map(|kind| ((item, *kind), kind.path(&told.path))).collect::<Vec<_>>()
    };
    let (keys, paths): (Vec<_>, Vec<String>) = items.iter().enumerate().flat_map(written).unzip();
    let files = backup.mirror().files();
    let found = files.look(&paths).await?;
    let gone: Vec<(usize, Sidecar)> =
        keys.into_iter().zip(found).filter(|(_, found)| found.is_none()).map(|(key, _)| key).collect();
    let photos: Vec<String> = gone.iter().map(|(item, _)| items[*item].path.clone()).collect();
    let photos = files.look(&photos).await?;
    Ok(gone.into_iter().zip(photos).filter(|(_, photo)| photo.is_some()).map(|(key, _)| key).collect())
}

/// Puts sidecars into their places, where nobody else's are.
async fn write(backup: &Arc<Backup>, page: Page) -> Result<(), Error> {
    let ctx = backup.context();
    let Page { items, changed } = page;
    // Most of them are new, and nothing is at their places.
    let paths: Vec<String> = changed.iter().map(|one| one.kind.path(&items[one.item].path)).collect();
    let there = backup.mirror().files().look(&paths).await?;
    let (mut rows, mut texts) = (Vec::with_capacity(paths.len()), Vec::with_capacity(paths.len()));
    for ((one, path), there) in changed.into_iter().zip(paths).zip(there) {
        let told = &items[one.item];
        if there.is_none() || may_be_written(backup, told, one.kind, one.sha256).await? {
            rows.push((told.asset_id, one.kind, one.sha256));
            texts.push((path, one.text));
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    ctx.store.intend_sidecars(ctx.plan, ctx.attempt(), &rows).await?;
    // Flushing many together takes hardly longer than flushing one.
    let writing = texts.into_iter().map(async |(path, text)| {
        backup.mirror().write(&path, text).await?;
        Ok::<_, StorageError>(path)
    });
    let paths: Vec<String> = stream::iter(writing).buffer_unordered(AT_A_TIME).try_collect().await?;
    backup.mirror().settle(&paths).await?;
    ctx.store.sidecars_are_written(ctx.plan, &rows).await
}

/// Whether nobody else's file is at the place of a sidecar.
async fn may_be_written(
    backup: &Arc<Backup>,
    told: &Told,
    kind: Sidecar,
    new: Sha256,
) -> Result<bool, Error> {
    let (files, path) = (backup.mirror().files(), kind.path(&told.path));
    let Some(there) = files.look(std::slice::from_ref(&path)).await?.pop().flatten() else { return Ok(true) };
    if there.kind != EntryKind::File {
        return Ok(false);
    }
    let is_ours = async {
        if let Some(last) = told.last(kind) {
            let present = mirror::hash(files, &path).await?;
            return Ok::<_, StorageError>(
                [Some(new), Some(last.sha256), last.before].contains(&Some(present)),
            );
        }
        // A Charon that has lost its database may have written it.
        let text = mirror::read_small(files, &path, LONGEST).await?;
        Ok(match kind {
            Sidecar::Json => json::read(&text).is_some_and(|sheet| {
                (sheet.media_id, sheet.file.path) == (told.remote.0.clone(), told.path.clone())
            }),
            Sidecar::Xmp => xmp::is_ours(&text),
        })
    };
    let is_ours = match is_ours.await {
        Ok(is_ours) => is_ours,
        // What cannot be read is nobody's to overwrite.
        Err(error) if error.class == Class::Item => false,
        Err(error) => return Err(error.into()),
    };
    if !is_ours {
        tracing::info!(path, "a sidecar was written or changed by another program, and is left as it is");
    }
    Ok(is_ours)
}

/// Where the sidecars of a file of an item are, as far as they are those that Charon has written: others are not its to move.
pub(crate) async fn of(
    backup: &Backup,
    asset_id: i64,
    path: &str,
) -> Result<HashMap<Sidecar, String>, Error> {
    let ctx = backup.context();
    let written = ctx.store.written_sidecars(ctx.plan, asset_id).await?;
    let files = backup.mirror().files();
    let mut ours = HashMap::new();
    for last in written {
        let path = last.kind.path(path);
        match mirror::hash(files, &path).await {
            Ok(present) if present == last.sha256 || Some(present) == last.before => {
                ours.insert(last.kind, path);
            }
            Ok(_) => {}
            Err(error) if error.class == Class::Item || error.reason == Reason::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(ours)
}
