//! Diff, assign path: what of a page is not home yet, and where it goes.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use charon_provider::{Class, Readiness, RemoteId, RemoteItem};
use tokio::sync::mpsc;

use super::{Addresses, Backup, Wanted, measuring};
use crate::{
    error::Error,
    naming,
    store::{Assigned, Copy, Listed},
};

/// Why a video is left for a later run.
pub(super) const STILL_PROCESSED: &str = "still being processed by the storage; a later run fetches it";

/// Compares one page with the ledger, assigns the paths of what is new, and sends on what has to be fetched. Gives whether all
/// of it was known: home, left out by the selection, or among those that are `unfinished` and looked up anyway.
pub(super) async fn diff_page(
    backup: &Arc<Backup>,
    items: Vec<RemoteItem>,
    unfinished: Option<&HashSet<RemoteId>>,
    listed: &mpsc::Sender<Wanted>,
) -> Result<bool, Error> {
    let ctx = &backup.ctx;
    let ids: Vec<&RemoteId> = items.iter().map(|item| &item.id).collect();
    let known = ctx.store.listed(ctx.plan, ctx.storage, &ids).await?;
    let missing = missing_copies(backup, &known).await?;
    let is_home = |item: &RemoteItem| {
        known.get(&item.id).is_some_and(|known| missing_parts(item, known, &missing).is_none())
    };
    let was_shown_now = |id: &RemoteId| known.get(id).is_some_and(|known| known.shown_by == Some(ctx.run));
    // What this listing itself has shown before it was begun anew says nothing of what is behind it.
    let is_known = |item: &RemoteItem| {
        let before = known.contains_key(&item.id) && !was_shown_now(&item.id);
        before && (is_home(item) || backup.wanted.leaves_out(item).is_some())
            || unfinished.is_some_and(|unfinished| unfinished.contains(&item.id))
    };
    let all_known = !items.is_empty() && items.iter().all(is_known);

    // The same item may come again, on this page or on a later one.
    let mut seen = HashSet::new();
    let is_first = |item: &&RemoteItem| !was_shown_now(&item.id) && seen.insert(item.id.clone());
    let items: Vec<&RemoteItem> = items.iter().filter(is_first).collect();
    ctx.tell(|progress| progress.found += items.len() as u64);
    let (home, away): (Vec<&RemoteItem>, Vec<&RemoteItem>) = items.iter().partition(|item| is_home(item));

    let mut left_out = Vec::new();
    let mut wanted = Vec::new();
    for item in away {
        let (id, name) = (item.id.0.clone(), item.file_name.clone());
        match (backup.wanted.leaves_out(item), item.readiness) {
            (Some(reason), _) => left_out.push(ctx.skipped(id, name, reason)),
            (None, Readiness::Processing) => left_out.push(ctx.skipped(id, name, STILL_PROCESSED)),
            (None, Readiness::Failed) => {
                let reason = "the storage could not process this video, so there is nothing to fetch";
                left_out.push(ctx.failed(id, name, Class::Item, reason.into()));
            }
            (None, Readiness::Ready) => wanted.push(item),
        }
    }

    let assigning = backup.assigning.lock().await;
    let paths = assign_paths(backup, &wanted, &known).await?;
    let is_wanted: HashSet<&RemoteId> = wanted.iter().map(|item| &item.id).collect();
    let mut assigned: Vec<Assigned<'_>> = wanted
        .iter()
        .zip(&paths)
        .map(|(item, path)| {
            let new_path = path.is_new.then(|| (path.path.clone(), naming::path_key(&path.path)));
            assigned(item, &known, new_path)
        })
        .collect();
    // The others have been listed too.
    let others = items.iter().filter(|item| !is_wanted.contains(&item.id));
    assigned.extend(others.map(|item| self::assigned(item, &known, None)));
    let assets = ctx.store.record_page(ctx.plan, ctx.storage, ctx.run, ctx.clock.now(), &assigned).await?;
    drop(assigning);

    ctx.tell(|progress| progress.items.unchanged += home.len() as u64);
    ctx.record(&left_out).await?;

    let wanted: Vec<RemoteItem> = wanted.into_iter().cloned().collect();
    let Some(wanted) = measuring::measure(backup, wanted).await else { return Ok(false) };
    let page = Arc::new(Addresses::of(wanted.iter().cloned()));
    for ((item, path), asset_id) in wanted.iter().zip(paths).zip(assets) {
        let known = known.get(&item.id);
        let (whole, clip) = known
            .map_or(Some((true, item.has_clip)), |known| missing_parts(item, known, &missing))
            .unwrap_or_default();
        let wanted = Wanted {
            asset_id,
            path: path.path,
            whole,
            clip,
            clip_path: known.and_then(|known| known.clip.as_ref()).map(|clip| clip.path.clone()),
            page: Arc::clone(&page),
            id: item.id.clone(),
        };
        if listed.send(wanted).await.is_err() {
            break;
        }
    }
    Ok(all_known)
}

/// Which parts of an item are not home: the whole, the clip; `None` if none is missing. A clip that came in a bundle is home
/// only as long as its file is, although the listing does not speak of it.
fn missing_parts(item: &RemoteItem, known: &Listed, missing: &HashSet<String>) -> Option<(bool, bool)> {
    let has = |copy: &Copy| copy.stored && !missing.contains(&copy.path);
    let whole = !known.whole.as_ref().is_some_and(has);
    let clip = !known.no_clip && known.clip.as_ref().map_or(item.has_clip, |clip| !has(clip));
    (whole || clip).then_some((whole, clip))
}

fn assigned<'a>(
    item: &'a RemoteItem,
    known: &HashMap<RemoteId, Listed>,
    path: Option<(String, String)>,
) -> Assigned<'a> {
    Assigned {
        remote_id: &item.id,
        file_name: &item.file_name,
        mime_type: &item.mime_type,
        taken_at: item.taken_at,
        asset_id: known.get(&item.id).map(|known| known.asset_id),
        path,
    }
}

/// The files that the ledger has as stored, and that are not there any more: they are fetched again.
async fn missing_copies(
    backup: &Arc<Backup>,
    known: &HashMap<RemoteId, Listed>,
) -> Result<HashSet<String>, Error> {
    let copies = known.values().flat_map(|known| known.whole.iter().chain(&known.clip));
    let stored: Vec<String> = copies.filter(|copy| copy.stored).map(|copy| copy.path.clone()).collect();
    let mirror = Arc::clone(&backup.mirror);
    blocking(move || stored.into_iter().filter(|path| !mirror.holds(path)).collect()).await
}

/// A path for an item, and whether it has just been chosen.
struct Path {
    path: String,
    is_new: bool,
}

/// The path that each item has, or gets now: the first candidate that neither the ledger nor the disk holds.
async fn assign_paths(
    backup: &Arc<Backup>,
    wanted: &[&RemoteItem],
    known: &HashMap<RemoteId, Listed>,
) -> Result<Vec<Path>, Error> {
    let ctx = &backup.ctx;
    let has_path = |item: &RemoteItem| known.get(&item.id).and_then(|known| known.whole.as_ref());
    let candidates: Vec<Vec<String>> = wanted
        .iter()
        .map(|item| {
            if has_path(item).is_some() {
                return Vec::new();
            }
            let unnamed = item.file_name.trim().is_empty();
            let name = if unnamed { naming::unnamed(&item.mime_type) } else { &item.file_name };
            naming::candidates(name, item.taken_at, &item.id.0).collect()
        })
        .collect();
    let keys: Vec<String> = candidates.iter().flatten().map(|path| naming::path_key(path)).collect();
    let mut taken = ctx.store.taken_paths(ctx.plan, &keys).await?;
    let mirror = Arc::clone(&backup.mirror);
    let chosen: Vec<Option<String>> = blocking(move || {
        let mut free = |path: &String| {
            let key = naming::path_key(path);
            // Somebody else's file in the mirror is not ours to replace.
            !taken.contains(&key) && !mirror.holds(path) && taken.insert(key)
        };
        candidates.into_iter().map(|paths| paths.into_iter().find(|path| free(path))).collect()
    })
    .await?;
    wanted
        .iter()
        .zip(chosen)
        .map(|(item, chosen)| match (has_path(item), chosen) {
            (Some(copy), _) => Ok(Path { path: copy.path.clone(), is_new: false }),
            (None, Some(path)) => Ok(Path { path, is_new: true }),
            (None, None) => Err(Error::Refused(format!(
                "every path that {} could have in the mirror is taken by a file that Charon did not put there",
                item.file_name
            ))),
        })
        .collect()
}

/// Looks at the disk without holding up everything else.
pub(super) async fn blocking<T: Send + 'static>(
    look: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(look)
        .await
        .map_err(|error| Error::Refused(format!("looking at the mirror failed: {error}")))
}
