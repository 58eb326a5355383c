//! List, diff, assign path: what the storage has, and what of it is not home yet.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use charon_provider::{Class, Cursor, Error as StorageError, Page, Readiness, RemoteId, RemoteItem, Source};
use tokio::sync::mpsc;

use super::{Addresses, Backup, Wanted};
use crate::{
    error::Error,
    naming,
    retry::with_retries,
    store::{Assigned, Listed},
};

/// Lists to the end, and sends on every item that has to be fetched.
pub(super) async fn list(backup: &Arc<Backup>, listed: mpsc::Sender<Wanted>) -> Result<(), Error> {
    let Some(source) = backup.storage.source() else {
        return Err(Error::Refused(
            "this storage cannot be read from; choose another one for a backup plan".into(),
        ));
    };
    // One page is fetched ahead while the one before it is compared with the ledger.
    let (pages_in, mut pages) = mpsc::channel(1);
    // Owns both ends that it uses: when it ends, for whatever reason, pages stop coming and nothing more is fetched.
    let diff = async move {
        while let Some(items) = pages.recv().await {
            let Some(sent) = backup.ctx.unless_stopped(diff_page(backup, items, &listed)).await else {
                break;
            };
            sent?;
        }
        Ok(())
    };
    let ((), diffed) = tokio::join!(list_pages(backup, source, pages_in), diff);
    if backup.ctx.stopped().is_none() {
        backup.ctx.tell(|progress| progress.found_all = true);
    }
    diffed
}

async fn list_pages(backup: &Backup, source: &dyn Source, pages: mpsc::Sender<Vec<RemoteItem>>) {
    let ctx = &backup.ctx;
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = match with_retries(ctx, || list_page(backup, source, cursor.as_ref())).await {
            Some(Ok(page)) => page,
            Some(Err(error)) => return ctx.stop_for_storage(&error),
            None => return,
        };
        let Some(Ok(())) = ctx.unless_stopped(pages.send(page.items)).await else { return };
        cursor = page.next;
        if cursor.is_none() {
            return;
        }
    }
}

/// One page. A page that names itself as the next one leads nowhere; asked again, the storage may know better.
async fn list_page(
    backup: &Backup,
    source: &dyn Source,
    cursor: Option<&Cursor>,
) -> Result<Page, StorageError> {
    let page = source.list(&backup.wanted, cursor).await?;
    if page.next.is_some() && page.next.as_ref() == cursor {
        let cause = "a page of the listing names itself as the next one";
        return Err(StorageError::new(Class::Transient, "list the photos", cause));
    }
    Ok(page)
}

/// Compares one page with the ledger, assigns the paths of what is new, and sends on what has to be fetched.
async fn diff_page(
    backup: &Arc<Backup>,
    items: Vec<RemoteItem>,
    listed: &mpsc::Sender<Wanted>,
) -> Result<(), Error> {
    let ctx = &backup.ctx;
    let ids: Vec<&RemoteId> = items.iter().map(|item| &item.id).collect();
    let known = ctx.store.listed(ctx.plan, ctx.storage, &ids).await?;

    // The same item may come again, on this page or on a later one.
    let mut seen = HashSet::new();
    let is_first = |item: &&RemoteItem| {
        let before = known.get(&item.id).is_some_and(|known| known.shown_by == Some(ctx.run));
        !before && seen.insert(item.id.clone())
    };
    let items: Vec<&RemoteItem> = items.iter().filter(is_first).collect();
    ctx.tell(|progress| progress.found += items.len() as u64);

    let missing = missing_copies(backup, &known).await?;
    let is_home = |id: &RemoteId| {
        known.get(id).and_then(|known| known.copy.as_ref()).is_some_and(|copy| copy.stored)
            && !missing.contains(id)
    };
    let (home, away): (Vec<&RemoteItem>, Vec<&RemoteItem>) = items.iter().partition(|item| is_home(&item.id));

    let mut left_out = Vec::new();
    let mut wanted = Vec::new();
    for item in away {
        let (id, name) = (item.id.0.clone(), item.file_name.clone());
        match (backup.wanted.leaves_out(item), item.readiness) {
            (Some(reason), _) => left_out.push(ctx.skipped(id, name, reason)),
            (None, Readiness::Processing) => {
                left_out.push(ctx.skipped(
                    id,
                    name,
                    "still being processed by the storage; a later run fetches it",
                ));
            }
            (None, Readiness::Failed) => {
                let reason = "the storage could not process this video, so there is nothing to fetch";
                left_out.push(ctx.failed(id, name, Class::Item, reason.into()));
            }
            (None, Readiness::Ready) => wanted.push(item),
        }
    }

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

    ctx.tell(|progress| progress.items.unchanged += home.len() as u64);
    ctx.record(&left_out).await?;

    let page = Arc::new(Addresses::of(wanted.iter().map(|item| (*item).clone())));
    for ((item, path), asset_id) in wanted.iter().zip(paths).zip(assets) {
        let wanted = Wanted { asset_id, path: path.path, page: Arc::clone(&page), id: item.id.clone() };
        if listed.send(wanted).await.is_err() {
            break;
        }
    }
    Ok(())
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

/// The items whose files the ledger has as stored, and which are not there any more: they are fetched again.
async fn missing_copies(
    backup: &Arc<Backup>,
    known: &HashMap<RemoteId, Listed>,
) -> Result<HashSet<RemoteId>, Error> {
    let stored: Vec<(RemoteId, String)> = known
        .iter()
        .filter_map(|(id, listed)| {
            let copy = listed.copy.as_ref().filter(|copy| copy.stored)?;
            Some((id.clone(), copy.path.clone()))
        })
        .collect();
    let mirror = Arc::clone(&backup.mirror);
    blocking(move || stored.into_iter().filter(|(_, path)| !mirror.holds(path)).map(|(id, _)| id).collect())
        .await
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
    let candidates: Vec<Vec<String>> = wanted
        .iter()
        .map(|item| match known.get(&item.id).and_then(|known| known.copy.as_ref()) {
            Some(_) => Vec::new(),
            None => naming::candidates(&item.file_name, item.taken_at.unwrap_or(ctx.clock.now()), &item.id.0)
                .collect(),
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
        .map(|(item, chosen)| match (known.get(&item.id).and_then(|known| known.copy.as_ref()), chosen) {
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
async fn blocking<T: Send + 'static>(look: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(look)
        .await
        .map_err(|error| Error::Refused(format!("looking at the mirror failed: {error}")))
}
