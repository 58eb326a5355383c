//! Fetch and store: the bytes of several items at a time, each checked and put into its place.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use charon_provider::{Body, Class, Error, Fidelity, Part, Reason, RemoteId, RemoteItem, Source};
use futures::{StreamExt, stream::FuturesUnordered};
use jiff::Timestamp;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::task::AbortOnDropHandle;

use super::{Backup, Wanted, better, diffing::Better, nearby};
use crate::{
    lane::Lane,
    mirror::{Arrived, Incoming, Received},
    moving::Moving,
    naming,
    retry::with_retries,
    run::RunContext,
    sniff,
    store::{ItemRecord, Stored},
    trash, upload,
};

/// An address that was renewed this often and is stale again is no address.
const RENEWALS: u32 = 3;

/// An original that came complete, and wrong, this often will be no better the next time.
const WRONG_ORIGINALS: u32 = 2;

/// Why a copy of lesser fidelity stays.
const NO_ORIGINAL: &str = "what gives originals has none of it now; the copy stays";

/// What was learnt of an item; the ledger does not know yet.
#[derive(Debug, Default)]
pub(super) struct Fetched {
    /// What is in its place, and where that is.
    pub(super) stored: Vec<(Stored, String)>,
    /// Set when the storage says that there is no clip, with when it may be asked again.
    pub(super) no_clip: Option<(RemoteId, Timestamp)>,
    /// What was brought back from the trash.
    pub(super) untrashed: Vec<(i64, Part)>,
    /// Where files that were in the way have been set aside to.
    set_aside: Vec<String>,
    /// Whether there turned out to be nothing to fetch.
    pub(super) is_unchanged: bool,
    /// What became of the item; `None` when the run stopped before that was settled.
    pub(super) record: Option<ItemRecord>,
    /// Held until all of this is in the ledger.
    pub(super) way: Option<OwnedSemaphorePermit>,
}

/// Fetches what comes, until nothing comes any more or the run stops.
///
/// An item is under way until the ledger has it, and there are never more under way than there are connections: that is all
/// that a crash makes the next run fetch again.
pub(super) async fn fetch(
    backup: &Arc<Backup>,
    mut listed: mpsc::Receiver<Wanted>,
    placed: mpsc::Sender<Fetched>,
) {
    let ways = Arc::new(Semaphore::new(backup.ctx.facts.pace.connections.clamp(1, Semaphore::MAX_PERMITS)));
    // Tasks of their own, so that hashing and decrypting use more than one core. They end when they are dropped.
    let mut under_way = FuturesUnordered::new();
    let mut more_may_come = true;
    while more_may_come || !under_way.is_empty() {
        tokio::select! {
            // Nothing more is begun. What is being fetched lets go at once, and what is being put into its place gets there
            // and is recorded.
            () = backup.ctx.cancel.cancelled(), if more_may_come => more_may_come = false,
            // What has been asked for already still comes.
            () = backup.ctx.no_more(), if more_may_come => more_may_come = false,
            Some(ended) = under_way.next(), if !under_way.is_empty() => match ended {
                // Closed only when recording has failed, which stops the run.
                Ok(Some(fetched)) => drop(placed.send(fetched).await),
                Ok(None) => {}
                Err(panic) => {
                    let cause = format!("this is a mistake in Charon: {panic}");
                    backup.ctx.stop_for_storage(&Error::new(Class::Transient, "fetch an item", cause));
                }
            },
            (way, next) = next(&ways, &mut listed), if more_may_come => match next {
                Some(wanted) => {
                    let task = tokio::spawn(fetch_one(Arc::clone(backup), wanted, way));
                    under_way.push(AbortOnDropHandle::new(task));
                }
                None => more_may_come = false,
            },
        }
    }
}

/// Waits until one more item may be under way, and for that item. Nothing is lost when it is dropped before.
async fn next(
    ways: &Arc<Semaphore>,
    listed: &mut mpsc::Receiver<Wanted>,
) -> (OwnedSemaphorePermit, Option<Wanted>) {
    let way = Arc::clone(ways).acquire_owned().await.expect("it is never closed");
    (way, listed.recv().await)
}

/// `None` when the run has stopped before anything was learnt of the item.
async fn fetch_one(backup: Arc<Backup>, wanted: Wanted, way: OwnedSemaphorePermit) -> Option<Fetched> {
    let ctx = &backup.ctx;
    let item = wanted.page.get(&wanted.id)?;
    let (id, name) = (item.id.0.clone(), item.file_name.clone());
    let mut fetched = Fetched { way: Some(way), ..Fetched::default() };
    let outcome = fetch_parts(&backup, &wanted, item, &mut fetched).await;
    wanted.page.done(&wanted.id);
    fetched.record = match outcome {
        Some(Ok(())) => {
            ctx.item_worked();
            let bytes = fetched.stored.iter().map(|(stored, _)| stored.size).sum();
            fetched.is_unchanged = fetched.stored.is_empty() && wanted.missing.better != Better::Anywhere;
            let reason = (!fetched.set_aside.is_empty()).then(|| {
                let aside = fetched.set_aside.join(" and ");
                format!("what was in its place is kept as {aside}")
            });
            if fetched.stored.is_empty() && !fetched.is_unchanged {
                Some(ctx.skipped(id, name, NO_ORIGINAL))
            } else {
                (!fetched.is_unchanged).then(|| ItemRecord { reason, ..ctx.done(id, name, bytes) })
            }
        }
        // The run was stopped for another reason, and this item has not failed.
        Some(Err(error)) if ctx.stopped().is_some() && error.class == Class::Transient => {
            tracing::debug!(%error, item = id, "let go of");
            None
        }
        Some(Err(error)) => {
            ctx.item_failed(error).map(|error| ctx.failed(id, name, error.class, error.to_string()))
        }
        None => None,
    };
    let is_something = fetched.record.is_some() || fetched.is_unchanged || !fetched.stored.is_empty();
    is_something.then_some(fetched)
}

/// Fetches what is not home of an item: the whole, then the clip beside it. What came before something failed is kept.
async fn fetch_parts(
    backup: &Arc<Backup>,
    wanted: &Wanted,
    mut item: RemoteItem,
    fetched: &mut Fetched,
) -> Option<Result<(), Error>> {
    let mut missing = wanted.missing;
    if backup.has_trash.load(Ordering::Relaxed) {
        match trash::bring_back(backup, wanted.asset_id, |part| match part {
            Part::Whole => missing.whole,
            Part::Clip => missing.clip,
        })
        .await
        {
            Ok(back) => {
                for (stored, path) in back {
                    match stored.part {
                        Part::Whole => missing.whole = false,
                        Part::Clip => (missing.clip, missing.clip_of_bundle) = (false, false),
                    }
                    fetched.untrashed.push((stored.asset_id, stored.part));
                    fetched.stored.push((stored, path));
                }
            }
            Err(crate::error::Error::Storage(error)) => return Some(Err(error)),
            Err(error) => {
                backup.ctx.stop_for(&error);
                return None;
            }
        }
    }
    let mut clip = None;
    if missing.may_be_nearby() {
        match nearby::original(backup, wanted.asset_id).await {
            Ok(Some(original)) => {
                match place(backup, wanted, original, Part::Whole, wanted.path.clone(), &item, fetched).await
                {
                    Ok(stored) => fetched.stored.push(stored),
                    Err(error) => return Some(Err(error)),
                }
                (missing.whole, missing.better) = (false, Better::No);
            }
            Ok(None) => {}
            Err(crate::error::Error::Storage(error)) => return Some(Err(error)),
            Err(error) => {
                backup.ctx.stop_for(&error);
                return None;
            }
        }
    }
    if missing.better == Better::Anywhere {
        if !better::may_ask(backup) {
            return None;
        }
        return Some(match receive(backup, wanted, &mut item, Part::Whole).await? {
            Ok(arrived) => match arrived.and_then(|arrived| arrived.whole) {
                Some(whole) => place(backup, wanted, whole, Part::Whole, wanted.path.clone(), &item, fetched)
                    .await
                    .map(|stored| fetched.stored.push(stored)),
                None => Ok(()),
            },
            Err(error) => Err(error),
        });
    }
    // A whole that is home stays, whatever comes along with its clip.
    if missing.whole || missing.clip_of_bundle {
        let arrived = match receive(backup, wanted, &mut item, Part::Whole).await? {
            Ok(arrived) => arrived.unwrap_or_default(),
            Err(error) => return Some(Err(error)),
        };
        if let Some(whole) = arrived.whole.filter(|_| missing.whole) {
            match place(backup, wanted, whole, Part::Whole, wanted.path.clone(), &item, fetched).await {
                Ok(stored) => fetched.stored.push(stored),
                Err(error) => return Some(Err(error)),
            }
        }
        clip = arrived.clip;
    }
    if clip.is_none() && missing.clip_of_bundle && !item.has_clip {
        let cause = "the file of the clip is gone; it came with the original, and no original comes now";
        let error = Error::new(Class::Item, format!("fetch the clip of {}", item.file_name), cause);
        return Some(Err(error.cured_by("see that the full-resolution source can be reached")));
    }
    if clip.is_none() && missing.clip {
        clip = match receive(backup, wanted, &mut item, Part::Clip).await? {
            Ok(Some(arrived)) => arrived.clip,
            Ok(None) => {
                tracing::debug!(item = %item.id, "there is no clip");
                let again_at = upload::again_at(backup.ctx.clock.now(), wanted.denials + 1);
                fetched.no_clip = Some((item.id.clone(), again_at));
                if wanted.clip_was_home {
                    let cause =
                        "the file of the clip is gone, and the storage says that it has none (any more)";
                    let doing = format!("fetch the clip of {}", item.file_name);
                    return Some(Err(Error::new(Class::Item, doing, cause)));
                }
                None
            }
            Err(error) => return Some(Err(error)),
        };
    }
    let Some(clip) = clip else { return Some(Ok(())) };
    let path = match clip_path(backup, wanted, &clip).await {
        Ok(path) => path,
        Err(error) => return Some(Err(error)),
    };
    let placed = place(backup, wanted, clip, Part::Clip, path, &item, fetched).await;
    Some(placed.map(|stored| fetched.stored.push(stored)))
}

/// Gets the bytes, with a fresh address whenever the one at hand has expired; the inner `None` says that there is no such
/// part, or no bundle where the whole is wanted for its clip alone. What came of a body that broke off is gone on from, with whatever address.
async fn receive(
    backup: &Arc<Backup>,
    wanted: &Wanted,
    item: &mut RemoteItem,
    part: Part,
) -> Option<Result<Option<Arrived>, Error>> {
    let (ctx, source) = (&backup.ctx, backup.storage.source()?);
    let incoming = Mutex::new(Incoming::new(Arc::clone(&backup.mirror), part));
    let wrong_originals = AtomicU32::new(0);
    let is_better = part == Part::Whole && wanted.missing.better == Better::Anywhere;
    let is_for_clip = part == Part::Whole && !wanted.missing.whole && !is_better;
    let mut renewals = 0;
    loop {
        let expired =
            !is_better && item.address.as_ref().is_none_or(|address| address.valid_until <= ctx.clock.now());
        let error = if expired {
            Error::new(Class::Transient, format!("fetch {}", item.file_name), "its address has expired")
                .because(Reason::StaleAddress)
        } else {
            let keeps_original = wanted.keeps_original && part == Part::Whole;
            let attempt = || {
                receive_once(
                    ctx,
                    source,
                    item,
                    part,
                    (is_for_clip, keeps_original, is_better),
                    &incoming,
                    &wrong_originals,
                )
            };
            match with_retries(ctx, attempt).await? {
                Ok(arrived) => return Some(Ok(arrived)),
                Err(error) => error,
            }
        };
        if error.reason != Reason::StaleAddress || renewals == RENEWALS {
            return Some(Err(concerning_the_item(error)));
        }
        renewals += 1;
        *item = match wanted.page.renew(ctx, source, item).await? {
            Ok(item) => item,
            Err(error) => return Some(Err(error)),
        };
    }
}

/// A server that answers, and again and again with what cannot be right for this item, has no passing fault: the other items
/// may well come.
fn concerning_the_item(error: Error) -> Error {
    match error.reason {
        Reason::StaleAddress | Reason::WrongContent => Error { class: Class::Item, ..error },
        _ => error,
    }
}

async fn receive_once(
    ctx: &RunContext,
    source: &dyn Source,
    item: &RemoteItem,
    part: Part,
    (is_for_clip, keeps_original, is_better): (bool, bool, bool),
    incoming: &Mutex<Incoming>,
    wrong_originals: &AtomicU32,
) -> Result<Option<Arrived>, Error> {
    // Attempts come one after the other.
    let mut incoming = incoming.lock().await;
    let slot = ctx.lane.transfer().await;
    let body = if is_better {
        match source.open_original(item).await? {
            Some(body) => body,
            None => return Ok(None),
        }
    } else {
        match source.open(item, part, incoming.resume_point().as_ref()).await {
            Err(error) if error.reason == Reason::NoSuchPart && part == Part::Clip => return Ok(None),
            opened => opened?,
        }
    };
    if is_for_clip && !body.may_be_bundle {
        return Ok(None);
    }
    let fidelity = body.fidelity;
    if keeps_original && fidelity == Fidelity::ApiCopy {
        let cause = "the file was the original and is not as it was stored, and the storage gives a copy of lesser fidelity, \
                     which does not take its place";
        let error = Error::new(Class::Item, format!("fetch {} again", item.file_name), cause);
        return Err(error.cured_by("put the original back, or move the file away and run the plan again"));
    }
    let length = body.length.map(|length| length + body.offset);
    let moving = ctx.board.begin(&item.file_name, body.offset, length);
    let taken = incoming.take(paced(body, Arc::clone(&ctx.lane), moving), item).await;
    if let Err(error) = &taken
        && (error.reason, fidelity) == (Reason::WrongContent, Fidelity::Original)
        && wrong_originals.fetch_add(1, Ordering::Relaxed) + 1 == WRONG_ORIGINALS
    {
        tracing::warn!(item = %item.id, name = item.file_name, %error, "no original comes of it; a copy is taken instead");
        source.decline_original(&item.id);
    }
    let arrived = taken?;
    slot.worked();
    Ok(Some(arrived))
}

/// The same body, as fast as its bytes may come down.
fn paced(body: Body, lane: Arc<Lane>, moving: Moving) -> Body {
    let moving = Arc::new(moving);
    let bytes = body.bytes.then(move |chunk| {
        let (lane, moving) = (Arc::clone(&lane), Arc::clone(&moving));
        async move {
            let bytes = chunk.as_ref().map_or(0, bytes::Bytes::len);
            lane.bytes_down(bytes).await;
            moving.moved(bytes);
            chunk
        }
    });
    Body { bytes: bytes.boxed(), ..body }
}

/// Where the clip goes: a path that it has, or one that is committed to the ledger now (I4). What it is called depends on its
/// first bytes, so this comes after they are here.
async fn clip_path(backup: &Arc<Backup>, wanted: &Wanted, clip: &Received) -> Result<String, Error> {
    if let Some(path) = &wanted.clip_path {
        return Ok(path.clone());
    }
    let failed = |cause: String| Error::new(Class::Destination, "find a place for a clip", cause);
    let ctx = &backup.ctx;
    let candidates: Vec<String> =
        naming::clip_candidates(&wanted.path, sniff::clip_extension(&clip.head), &wanted.id.0).collect();
    let _assigning = backup.assigning.lock().await;
    let taken = backup.mirror.taken(&candidates).await?;
    let free = candidates.into_iter().filter(|path| !taken.contains(path));
    let free: Vec<(String, String)> =
        free.map(|path| (naming::path_key(&path), path)).map(|(key, path)| (path, key)).collect();
    let assigned = ctx.store.assign_clip(ctx.plan, wanted.asset_id, &free).await;
    assigned.map_err(|error| failed(error.to_string()))?.ok_or_else(|| {
        let cause = "every path that it could have is taken by a file that Charon did not put there";
        Error::new(Class::Item, format!("store the clip of {}", wanted.path), cause)
            .cured_by("move one of them away, then run the plan again")
    })
}

/// Puts bytes into their place.
async fn place(
    backup: &Arc<Backup>,
    wanted: &Wanted,
    received: Received,
    part: Part,
    path: String,
    item: &RemoteItem,
    fetched: &mut Fetched,
) -> Result<(Stored, String), Error> {
    let stored = Stored {
        asset_id: wanted.asset_id,
        part,
        sha256: received.sha256,
        size: received.size,
        fidelity: received.fidelity,
        at: backup.ctx.clock.now(),
    };
    let was_ours = match part {
        Part::Whole => wanted.whole_was_home,
        Part::Clip => wanted.clip_was_home,
    };
    // The copy that an original takes the place of is of no use any more, if it is still the one that was stored.
    let gives_way = if part == Part::Whole && wanted.missing.better != Better::No {
        let known = backup.ctx.store.stored_whole(backup.ctx.plan, wanted.asset_id).await;
        known.map_err(|error| Error::new(Class::Destination, format!("store {path}"), error.to_string()))?
    } else {
        None
    };
    let _turn = backup.placing.acquire().await.expect("it is never closed");
    if let Some(lesser) = gives_way
        && backup.mirror.replace(lesser, &path, &received, item.taken_at).await?
    {
        return Ok((stored, path));
    }
    let aside = backup.mirror.place(received, &path, item.taken_at, was_ours).await?;
    fetched.set_aside.extend(aside);
    Ok((stored, path))
}
