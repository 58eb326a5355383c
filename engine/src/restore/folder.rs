//! To a folder: every chosen file to the same path as in the mirror, and beside it what is beside it there.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    sync::Arc,
};

use charon_provider::{Class, EntryKind, Part};
use futures::{StreamExt, stream};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Restoring, albums,
    putting::{Came, Piece, Place},
};
use crate::{
    error::Error,
    naming,
    run::RunContext,
    sidecars::Sidecar,
    store::{AtHome, ItemRecord, Verified},
};

/// Restores all that is chosen.
pub(super) async fn restore(restoring: &Arc<Restoring>, folder: &Path) -> Result<(), Error> {
    let ctx = &restoring.ctx;
    let place = Arc::new(Place::open(folder, ctx).await?);
    let done = async {
        let mut after = 0;
        while let Some((items, last)) = restoring.next(after).await? {
            after = last;
            if restore_some(restoring, &place, &items).await?.is_none() {
                return Ok(());
            }
        }
        ctx.tell(|progress| progress.found_all = true);
        albums::place(restoring, &place).await
    };
    let done = done.await;
    if let Some(place) = Arc::into_inner(place) {
        place.close().await;
    }
    done
}

/// Restores these items. `None` when the run has stopped.
async fn restore_some(
    restoring: &Arc<Restoring>,
    place: &Arc<Place>,
    items: &[AtHome],
) -> Result<Option<()>, Error> {
    let ctx = &restoring.ctx;
    let pieces: Vec<Piece> = items.iter().flat_map(pieces_of).collect();
    ctx.tell(|progress| {
        progress.found += pieces.len() as u64;
        progress.bytes_found += pieces.iter().filter_map(|piece| Some(piece.bytes?.1)).sum::<u64>();
    });
    let Some(put) = put(restoring, place, pieces).await? else { return Ok(None) };
    let (records, unchanged) = records(ctx, &put);
    let damaged = damaged(items, &put);
    // A disk that comes and goes says nothing of what is on it.
    if !damaged.is_empty() && restoring.is_home_there().await {
        ctx.store.record_damage(ctx.plan, ctx.attempt(), &damaged).await?;
    }
    ctx.record(&records).await?;
    ctx.unchanged(unchanged);
    ctx.tell(|progress| {
        progress.bytes += records.iter().map(|record| record.bytes).sum::<u64>();
    });
    let there: HashSet<&str> =
        put.iter().filter(|(_, came)| is_there(came)).map(|(piece, _)| &*piece.path).collect();
    let owners = items.iter().filter(|item| there.contains(&*item.whole.path));
    beside(restoring, place, owners).await
}

/// The files of an item.
pub(super) fn pieces_of(item: &AtHome) -> impl Iterator<Item = Piece> {
    let whole = (&item.whole, item.name.clone());
    let clip = item.clip.as_ref().map(|clip| (clip, naming::name_of(&clip.path).to_owned()));
    std::iter::once(whole).chain(clip).map(|(file, name)| Piece {
        path: file.path.clone(),
        name,
        bytes: Some((file.sha256, file.size)),
        modified: item.taken_at,
    })
}

/// Puts files there, several at a time, and waits until they outlast a loss of power (I1). `None` when the run has stopped.
pub(super) async fn put(
    restoring: &Arc<Restoring>,
    place: &Arc<Place>,
    pieces: Vec<Piece>,
) -> Result<Option<Vec<(Piece, Came)>>, Error> {
    let putting = pieces.into_iter().map(|piece| {
        let (restoring, place) = (Arc::clone(restoring), Arc::clone(place));
        // A task of its own, so that hashing uses all cores.
        AbortOnDropHandle::new(tokio::spawn(async move {
            let came = place.put(&restoring, &piece).await;
            came.map(|came| (piece, came))
        }))
    });
    let at_a_time = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let mut putting = stream::iter(putting).buffered(at_a_time);
    let mut done = Vec::new();
    loop {
        match restoring.ctx.unless_stopped(putting.next()).await {
            None => return Ok(None),
            Some(None) => break,
            Some(Some(one)) => {
                let one =
                    one.map_err(|panic| Error::Refused(format!("this is a mistake in Charon: {panic}")))?;
                done.push(one?);
            }
        }
    }
    let paths: Vec<String> =
        done.iter().filter(|(_, came)| is_there(came)).map(|(piece, _)| piece.path.clone()).collect();
    place.site.files().settle(&paths).await?;
    Ok(Some(done))
}

fn is_there(came: &Came) -> bool {
    matches!(came, Came::There(_) | Came::WasThere)
}

/// Those of these files of items that turned out to be damaged.
fn damaged(items: &[AtHome], put: &[(Piece, Came)]) -> Vec<Verified> {
    let files = items.iter().flat_map(|item| {
        let clip = item.clip.as_ref().map(|clip| (Part::Clip, clip));
        std::iter::once((Part::Whole, &item.whole))
            .chain(clip)
            .map(|(part, file)| (&*file.path, (item.asset_id, part, file.sha256)))
    });
    let files: HashMap<&str, _> = files.collect();
    let found = put.iter().filter_map(|(piece, came)| {
        let Came::Damaged(damage, _) = came else { return None };
        let (asset_id, part, sha256) = *files.get(&*piece.path)?;
        Some(Verified { asset_id, part, sha256, damage: Some(*damage) })
    });
    found.collect()
}

/// What became of photos and videos, and how many were there before.
fn records(ctx: &RunContext, put: &[(Piece, Came)]) -> (Vec<ItemRecord>, u64) {
    let mut unchanged = 0;
    let mut records = Vec::new();
    for (piece, came) in put {
        let (item, name) = (piece.path.clone(), piece.name.clone());
        records.push(match came {
            Came::There(bytes) => ctx.done(item, name, *bytes),
            Came::WasThere => {
                unchanged += 1;
                continue;
            }
            Came::InTheWay => {
                let reason = format!(
                    "something else is at {} already, and was left there; move it away, or restore to another folder",
                    piece.path
                );
                ctx.failed(item, name, Class::Item, reason)
            }
            Came::Damaged(_, reason) => ctx.failed(item, name, Class::Item, reason.clone()),
            Came::Not(class, reason) => ctx.failed(item, name, *class, reason.clone()),
        });
    }
    (records, unchanged)
}

/// Restores the sidecars of these items, where there are any. `None` when the run has stopped.
async fn beside(
    restoring: &Arc<Restoring>,
    place: &Arc<Place>,
    items: impl Iterator<Item = &AtHome>,
) -> Result<Option<()>, Error> {
    let paths: Vec<String> =
        items.flat_map(|item| Sidecar::ALL.map(|kind| kind.path(&item.whole.path))).collect();
    let found = restoring.home.site.files().look(&paths).await?;
    let files = found.into_iter().flatten().filter(|entry| entry.kind == EntryKind::File);
    let pieces = files.map(|entry| Piece {
        name: naming::name_of(&entry.path).to_owned(),
        path: entry.path,
        bytes: None,
        modified: entry.modified,
    });
    Ok(put_beside(restoring, place, pieces.collect()).await?.map(|_| ()))
}

/// Puts small files there that are no photos: what is in their way is told, and no more than that. Gives how many are there.
pub(super) async fn put_beside(
    restoring: &Arc<Restoring>,
    place: &Arc<Place>,
    pieces: Vec<Piece>,
) -> Result<Option<usize>, Error> {
    let ctx = &restoring.ctx;
    let Some(put) = put(restoring, place, pieces).await? else { return Ok(None) };
    let untold = put.iter().filter_map(|(piece, came)| {
        let reason = match came {
            Came::There(_) | Came::WasThere => return None,
            Came::InTheWay => IN_THE_WAY.to_owned(),
            Came::Damaged(_, reason) | Came::Not(_, reason) => reason.clone(),
        };
        Some(ctx.skipped(piece.path.clone(), piece.name.clone(), reason))
    });
    let untold: Vec<ItemRecord> = untold.collect();
    ctx.record(&untold).await?;
    Ok(Some(put.len() - untold.len()))
}

/// What the record of something that is no photo says when its place is taken.
pub(super) const IN_THE_WAY: &str =
    "beside a photo or in an album: something else is there already, and was left there";
