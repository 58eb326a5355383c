//! Diff, assign path: what of a page is not home yet, and where it goes.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use charon_provider::{AlbumChoice, Class, Error as StorageError, Readiness, RemoteId, RemoteItem};
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::{Addresses, Backup, Wanted, measuring, selecting};
use crate::{
    error::Error,
    naming,
    run::RunContext,
    store::{Assigned, Copy, ItemRecord, Listed},
    verify::Damage,
};

/// Why a video is left for a later run.
pub(crate) const STILL_PROCESSED: &str = "still being processed by the storage; a later run fetches it";

/// Compares one page with the ledger, assigns the paths of what is new, and sends on what has to be fetched. Gives whether all
/// of it was known: home, left out by the selection, or among those that are `unfinished` and looked up anyway. `album` is the title of
/// the album that the page was listed in, if it was listed in one. A repair looks at what is damaged though it has been listed before.
pub(super) async fn diff_page(
    backup: &Arc<Backup>,
    items: Vec<RemoteItem>,
    album: Option<&str>,
    unfinished: Option<&HashSet<RemoteId>>,
    is_repair: bool,
    listed: &mpsc::Sender<Wanted>,
) -> Result<bool, Error> {
    let ctx = &backup.ctx;
    let ids: Vec<&RemoteId> = items.iter().map(|item| &item.id).collect();
    let known = ctx.store.listed(ctx.plan, ctx.storage, &ids).await?;
    let gone = gone_copies(backup, &known).await?;
    let asked_again_from = if ctx.full_listing { Timestamp::MAX } else { ctx.clock.now() };
    let missing_of = |item: &RemoteItem| match known.get(&item.id) {
        Some(known) => Missing::of(item, known, &gone, asked_again_from),
        None => Missing::all(item),
    };
    let is_home = |item: &RemoteItem| missing_of(item).is_nothing();
    let was_shown_now = |id: &RemoteId| known.get(id).is_some_and(|known| known.shown_by == Some(ctx.run));
    // What has been found to be damaged since this run has listed it is looked at once more.
    let is_damaged = |id: &RemoteId| {
        let whole = known.get(id).map(|known| known.whole.iter().chain(&known.clip));
        whole.is_some_and(|mut copies| copies.any(|copy| copy.damage.is_some()))
    };
    // What this listing itself has shown before it was begun anew says nothing of what is behind it.
    let is_known = |item: &RemoteItem| {
        let before = known.contains_key(&item.id) && !was_shown_now(&item.id);
        before && (is_home(item) || backup.wanted.leaves_out(item).is_some())
            || unfinished.is_some_and(|unfinished| unfinished.contains(&item.id))
    };
    let all_known = !items.is_empty() && items.iter().all(is_known);

    // The same item may come again, on this page or on a later one.
    let mut seen = HashSet::new();
    let is_new = |item: &RemoteItem| !was_shown_now(&item.id) || (is_repair && is_damaged(&item.id));
    let is_first = |item: &&RemoteItem| is_new(item) && seen.insert(item.id.clone());
    let items: Vec<&RemoteItem> = items.iter().filter(is_first).collect();
    let found = items.iter().filter(|item| !was_shown_now(&item.id)).count() as u64;
    ctx.tell(|progress| progress.found += found);
    let (home, away): (Vec<&RemoteItem>, Vec<&RemoteItem>) = items.iter().partition(|item| {
        let is_left_out = || backup.wanted.leaves_out(item).is_some();
        is_home(item) && (missing_of(item).better == Better::No || is_left_out())
    });

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
    let paths = assign_paths(backup, &wanted, &known, album).await?;
    left_out.extend(
        wanted.iter().zip(&paths).filter(|(_, path)| path.is_none()).map(|(item, _)| no_path(ctx, item)),
    );
    let (wanted, paths): (Vec<&RemoteItem>, Vec<Path>) =
        wanted.into_iter().zip(paths).filter_map(|(item, path)| path.map(|path| (item, path))).unzip();
    let is_wanted: HashSet<&RemoteId> = wanted.iter().map(|item| &item.id).collect();
    let asset_of = |item: &RemoteItem| known.get(&item.id).map(|known| known.asset_id);
    let mut assigned: Vec<Assigned<'_>> = wanted
        .iter()
        .zip(&paths)
        .map(|(item, path)| {
            let new_path = path.is_new.then(|| (path.path.clone(), naming::path_key(&path.path)));
            Assigned::of(item, asset_of(item), new_path)
        })
        .collect();
    // The others have been listed too.
    let others = items.iter().filter(|item| !is_wanted.contains(&item.id));
    assigned.extend(others.map(|item| Assigned::of(item, asset_of(item), None)));
    let assets =
        ctx.store.record_page(ctx.plan, ctx.storage, ctx.attempt(), ctx.clock.now(), &assigned).await?;
    drop(assigning);

    ctx.unchanged(home.len() as u64);
    ctx.record(&left_out).await?;

    let wanted: Vec<(RemoteItem, Missing)> =
        wanted.into_iter().map(|item| (item.clone(), missing_of(item))).collect();
    let Some(wanted) = measuring::measure(backup, wanted).await else { return Ok(false) };
    let page = Arc::new(Addresses::of(wanted.iter().map(|(item, _)| item.clone())));
    for (((item, missing), path), asset_id) in wanted.iter().zip(paths).zip(assets) {
        let known = known.get(&item.id);
        let whole = known.and_then(|known| known.whole.as_ref());
        let clip = known.and_then(|known| known.clip.as_ref());
        let was_home = |copy: Option<&Copy>| copy.is_some_and(|copy| copy.size.is_some());
        let wanted = Wanted {
            asset_id,
            path: path.path,
            missing: *missing,
            whole_was_home: was_home(whole),
            clip_was_home: was_home(clip),
            keeps_original: whole.is_some_and(|copy| {
                let damage = copy.damage.or_else(|| gone.get(&copy.path).copied());
                copy.is_original && damage.is_some_and(|damage| damage != Damage::Missing)
            }),
            denials: known.and_then(|known| known.no_clip.as_ref()).map_or(0, |no_clip| no_clip.times),
            clip_path: clip.map(|clip| clip.path.clone()),
            page: Arc::clone(&page),
            id: item.id.clone(),
        };
        if listed.send(wanted).await.is_err() {
            break;
        }
    }
    Ok(all_known)
}

/// Where an original may be had that takes the place of a lesser copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Better {
    /// None is wanted.
    No,
    /// In a folder of this machine.
    Nearby,
    /// There, and from what the storage has for originals.
    Anywhere,
}

/// Which parts of an item are not home.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Missing {
    pub(super) whole: bool,
    pub(super) clip: bool,
    /// Whether the clip came with the original, in a bundle: then it is to come with it again, since alone there is none, or
    /// a lesser one.
    pub(super) clip_of_bundle: bool,
    /// Whether the whole that is home is a lesser copy, and an original may take its place.
    pub(super) better: Better,
    /// Whether the original may lie in a folder of this machine.
    pub(super) is_nearby: bool,
}

impl Missing {
    /// Those of an item that is new.
    fn all(item: &RemoteItem) -> Self {
        Self { whole: true, clip: item.has_clip, ..Self::nothing_but(Better::No, false) }
    }

    /// Nothing, but that an original may take the place of what is home.
    pub(super) fn nothing_but(better: Better, is_nearby: bool) -> Self {
        Self { whole: false, clip: false, clip_of_bundle: false, better, is_nearby }
    }

    /// Those of an item that the ledger knows; `gone` are the paths where the files are no longer. A clip that came in a bundle
    /// is home only as long as its file is, although the listing does not speak of it. One that there was none of the last
    /// time is asked for again by and by.
    fn of(
        item: &RemoteItem,
        known: &Listed,
        gone: &HashMap<String, Damage>,
        asked_again_from: Timestamp,
    ) -> Self {
        let has =
            |copy: &Copy| copy.size.is_some() && copy.damage.is_none() && !gone.contains_key(&copy.path);
        let is_denied = known.no_clip.as_ref().is_some_and(|no_clip| no_clip.again_at > asked_again_from);
        let clip = !is_denied && known.clip.as_ref().map_or(item.has_clip, |clip| !has(clip));
        let came_along = |clip: &Copy| clip.size.is_some() && (clip.is_original || !item.has_clip);
        let whole = !known.whole.as_ref().is_some_and(has);
        let is_lesser = known.whole.as_ref().is_some_and(|whole| !whole.is_original);
        Self {
            whole,
            clip,
            clip_of_bundle: clip && known.clip.as_ref().is_some_and(came_along),
            better: if !whole && is_lesser && known.is_nearby { Better::Nearby } else { Better::No },
            is_nearby: known.is_nearby,
        }
    }

    /// Whether a file of this machine can be what is wanted: a clip comes with an original that has it.
    pub(super) fn may_be_nearby(self) -> bool {
        self.is_nearby && (self.whole && !self.clip_of_bundle || self.better != Better::No)
    }

    fn is_nothing(self) -> bool {
        !self.whole && !self.clip
    }
}

/// Every path that the item could have is somebody else's.
fn no_path(ctx: &RunContext, item: &RemoteItem) -> ItemRecord {
    let name = &item.file_name;
    let cause =
        "every path that it could have in the mirror is taken by a file that Charon did not put there";
    let error = StorageError::new(Class::Item, format!("find a place for {name}"), cause)
        .cured_by("move one of them away, then run the plan again");
    ctx.failed(item.id.0.clone(), name.clone(), error.class, error.to_string())
}

/// The files that the ledger has as stored, and that are not there any more: they are fetched again.
async fn gone_copies(
    backup: &Arc<Backup>,
    known: &HashMap<RemoteId, Listed>,
) -> Result<HashMap<String, Damage>, Error> {
    let copies = known.values().flat_map(|known| known.whole.iter().chain(&known.clip));
    let stored: Vec<(String, u64)> =
        copies.filter_map(|copy| copy.size.map(|size| (copy.path.clone(), size))).collect();
    Ok(backup.mirror.gone(&stored).await?)
}

/// A path for an item, and whether it has just been chosen.
struct Path {
    path: String,
    is_new: bool,
}

/// The path that each item has, or gets now: the first candidate that neither the ledger nor the disk holds; `None` if none is.
async fn assign_paths(
    backup: &Arc<Backup>,
    wanted: &[&RemoteItem],
    known: &HashMap<RemoteId, Listed>,
    album: Option<&str>,
) -> Result<Vec<Option<Path>>, Error> {
    let ctx = &backup.ctx;
    let has_path = |item: &RemoteItem| known.get(&item.id).and_then(|known| known.whole.as_ref());
    let is_looked_up = backup.layout.has_albums()
        && backup.wanted.albums == AlbumChoice::Library
        && wanted.iter().any(|item| has_path(item).is_none());
    let titles = if is_looked_up {
        let look_up = || selecting::titles_of_items(ctx, &*backup.storage);
        Some(backup.titles_of_items.get_or_try_init(look_up).await?)
    } else {
        None
    };
    let candidates: Vec<Vec<String>> = wanted
        .iter()
        .map(|item| {
            if has_path(item).is_some() {
                return Vec::new();
            }
            let unnamed = item.file_name.trim().is_empty();
            let name = if unnamed { naming::unnamed(&item.mime_type) } else { &item.file_name };
            let subject = naming::Subject {
                id: &item.id.0,
                file_name: name,
                taken_at: item.taken_at,
                album: album.or_else(|| titles?.get(&item.id).map(|title| &**title)),
                camera: item.camera.as_ref(),
            };
            backup.layout.candidates(&subject).collect()
        })
        .collect();
    let keys: Vec<String> = candidates.iter().flatten().map(|path| naming::path_key(path)).collect();
    let mut taken = ctx.store.taken_paths(ctx.plan, &keys).await?;
    let mut chosen: Vec<Option<String>> = vec![None; candidates.len()];
    let mut candidates: Vec<_> = candidates.into_iter().map(Vec::into_iter).enumerate().collect();
    while !candidates.is_empty() {
        // The next that each could have, as far as the ledger goes; most have it at once.
        let mut asked = Vec::new();
        candidates.retain_mut(|(place, paths)| {
            let free = paths.find(|path| taken.insert(naming::path_key(path)));
            asked.extend(free.map(|path| (*place, path)));
            asked.last().is_some_and(|(last, _)| last == place)
        });
        let paths: Vec<String> = asked.iter().map(|(_, path)| path.clone()).collect();
        // Somebody else's file in the mirror is not ours to replace.
        let in_the_way = backup.mirror.taken(&paths).await?;
        for (place, path) in asked {
            if !in_the_way.contains(&path) {
                chosen[place] = Some(path);
            }
        }
        candidates.retain(|(place, _)| chosen[*place].is_none());
    }
    let had_or_chosen = |(item, chosen): (&&RemoteItem, Option<String>)| match has_path(item) {
        Some(copy) => Some(Path { path: copy.path.clone(), is_new: false }),
        None => chosen.map(|path| Path { path, is_new: true }),
    };
    Ok(wanted.iter().zip(chosen).map(had_or_chosen).collect())
}
