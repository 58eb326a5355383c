//! Writing: what each sidecar says is compared with what was written last.

use std::{collections::HashMap, sync::Arc};

use charon_provider::{Class, EntryKind, Error as StorageError, Reason};
use futures::{StreamExt, TryStreamExt, stream};
use sha2::Digest;

use super::{Sidecar, Told, Written, json, xmp};
use crate::{backup::Backup, error::Error, ids::Sha256, mirror};

/// Items that are looked at together.
const TOGETHER: u32 = 500;
/// Sidecars that are written at a time.
const AT_A_TIME: usize = 16;
/// The longest sidecar that may be Charon's, in bytes.
const LONGEST: u64 = 1024 * 1024;

/// Brings the sidecars of all items up to date.
pub(crate) async fn after_listing(backup: &Arc<Backup>) -> Result<(), Error> {
    let ctx = backup.context();
    let kinds = backup.sidecars();
    let listing = ctx.store.listing(ctx.run).await?;
    // What is known of items changes with full listings, and with what is new.
    let is_news = listing.is_some_and(|listing| listing.is_full) || ctx.progress().items.done > 0;
    if kinds.is_empty() || !is_news {
        return Ok(());
    }
    let mut after = 0;
    loop {
        let Some(page) = ctx.unless_stopped(ctx.store.told(ctx.plan, ctx.storage, after, TOGETHER)).await
        else {
            return Ok(());
        };
        let page = page?;
        let Some(last) = page.last().map(|last| last.asset_id) else { return Ok(()) };
        after = last;
        let mut changed = Vec::new();
        for told in &page {
            for kind in kinds {
                let text = match kind {
                    Sidecar::Json => json::write(told),
                    Sidecar::Xmp => xmp::write(told),
                };
                let sha256 = Sha256(sha2::Sha256::digest(&text).into());
                let last = told.written.iter().find(|last| last.kind == *kind);
                let is_written = last.is_some_and(|last| last.is_there && last.sha256 == sha256);
                if !is_written {
                    changed.push((told, *kind, last, sha256, text));
                }
            }
        }
        // Most of them are new, and nothing is at their places.
        let paths: Vec<String> = changed.iter().map(|(told, kind, ..)| kind.path(&told.path)).collect();
        let there = backup.mirror().files().look(&paths).await?;
        let mut new = Vec::with_capacity(changed.len());
        for (((told, kind, last, sha256, text), path), there) in changed.into_iter().zip(paths).zip(there) {
            if there.is_none() || may_be_written(backup, told, kind, last, sha256).await? {
                new.push(((told.asset_id, kind, sha256), path, text));
            }
        }
        let rows: Vec<_> = new.iter().map(|(row, ..)| *row).collect();
        ctx.store.intend_sidecars(ctx.plan, ctx.attempt(), &rows).await?;
        let mut paths = Vec::with_capacity(new.len());
        // Flushing many together takes hardly longer than flushing one.
        let writing = new.into_iter().map(async |(_, path, text)| {
            backup.mirror().write(&path, text).await?;
            Ok::<_, StorageError>(path)
        });
        let mut writing = stream::iter(writing).buffer_unordered(AT_A_TIME);
        while let Some(path) = writing.try_next().await? {
            paths.push(path);
        }
        drop(writing);
        if !paths.is_empty() {
            backup.mirror().settle(&paths).await?;
        }
        ctx.store.sidecars_are_written(ctx.plan, &rows).await?;
    }
}

/// Whether nobody else's file is at the place of a sidecar.
async fn may_be_written(
    backup: &Arc<Backup>,
    told: &Told,
    kind: Sidecar,
    last: Option<&Written>,
    new: Sha256,
) -> Result<bool, Error> {
    let (files, path) = (backup.mirror().files(), kind.path(&told.path));
    let Some(there) = files.look(std::slice::from_ref(&path)).await?.pop().flatten() else { return Ok(true) };
    if there.kind != EntryKind::File {
        return Ok(false);
    }
    let is_ours = async {
        if let Some(last) = last {
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
