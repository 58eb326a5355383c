//! Quick listings: one that stops at the first page that is known and home, since the newest items come first. It relies upon
//! a full one that is young enough, and is made only where nothing is known to contradict that one.
//!
//! The newest are those that were taken last. What was taken long ago and comes to be listed only now (an old photo that
//! somebody else uploads, or takes out of the archive where archived ones are not wanted) is far behind: the next full listing
//! finds it. So favourites, which are old photos as often as not, are never listed quickly; and where archived items are
//! wanted too, going into the archive and out of it changes nothing in what is listed.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use charon_provider::{AlbumChoice, Class, Existence, RemoteId, RemoteItem, Source};
use jiff::SignedDuration;
use serde_json::json;
use tokio::sync::mpsc;

use super::{Backup, Wanted, diffing};
use crate::{
    error::Error,
    ids::RunId,
    retry::with_retries,
    store::{ItemRecord, StoredCopy},
};

/// Files whose presence is looked at together.
const LOOKED_AT: u32 = 1_000;

/// What a quick listing relies upon.
#[derive(Debug)]
pub(super) struct Basis {
    /// The run that made the full listing.
    full: RunId,
    /// The items that have been listed since then and have not come home. They are looked up directly, wherever in the
    /// listing they are.
    pub(super) unfinished: HashSet<RemoteId>,
}

/// What is asked for, and as whom. Only listings with the same key can be compared.
pub(super) fn key(backup: &Backup) -> String {
    json!({"as": backup.ctx.facts.identity, "wanted": backup.wanted}).to_string()
}

/// What a quick listing can rely upon; `None` where the listing has to be a full one.
pub(super) async fn basis(
    backup: &Backup,
    source: &dyn Source,
    selection: &str,
) -> Result<Option<Basis>, Error> {
    let ctx = &backup.ctx;
    // Those of albums come album by album, the newest first in none of them.
    // Nor are the newest favourites those that were marked last.
    // Nor is there anything to rely upon when an earlier attempt at the run has broken off in the middle of its own.
    if ctx.full_listing
        || ctx.attempt > 1
        || backup.wanted.albums != AlbumChoice::Library
        || backup.wanted.favourites
    {
        return Ok(None);
    }
    let age = SignedDuration::from_hours(backup.full_listing_hours.into());
    let now = ctx.clock.now();
    let Some(full) = ctx.store.full_listing(ctx.plan, ctx.storage, selection, (now - age, now)).await? else {
        return Ok(None);
    };
    // More than one look-up takes is better found by listing.
    let most = source.confirm_limit();
    let unfinished =
        ctx.store.unfinished(ctx.plan, ctx.storage, full, diffing::STILL_PROCESSED, most + 1).await?;
    Ok((unfinished.len() <= most).then(|| Basis { full, unfinished: unfinished.into_iter().collect() }))
}

/// Looks up what has not come home, as if it had been listed.
pub(super) async fn finish(
    backup: &Arc<Backup>,
    source: &dyn Source,
    basis: &Basis,
    listed: &mpsc::Sender<Wanted>,
) -> Result<(), Error> {
    let ids: Vec<RemoteId> = basis.unfinished.iter().cloned().collect();
    if ids.is_empty() {
        return Ok(());
    }
    look_up(backup, source, ids, Some(&basis.unfinished), None, listed).await
}

/// Looks items up, not more than the storage takes at once, and goes on with what is found as if it had been listed. `damaged` says
/// of items that are to be repaired what people call them, and where they are.
pub(super) async fn look_up(
    backup: &Arc<Backup>,
    source: &dyn Source,
    ids: Vec<RemoteId>,
    unfinished: Option<&HashSet<RemoteId>>,
    damaged: Option<&HashMap<RemoteId, (String, String)>>,
    listed: &mpsc::Sender<Wanted>,
) -> Result<(), Error> {
    let ctx = &backup.ctx;
    let answers = match with_retries(ctx, || source.confirm(&ids)).await {
        Some(Ok(answers)) => answers,
        Some(Err(error)) => {
            ctx.stop_for_storage(&error);
            return Ok(());
        }
        None => return Ok(()),
    };
    let mut found: Vec<RemoteItem> = Vec::new();
    let mut failed: Vec<ItemRecord> = Vec::new();
    for (id, answer) in ids.into_iter().zip(answers) {
        let (class, why) = match answer {
            Existence::Found(item) => {
                found.push(*item);
                continue;
            }
            Existence::NotFound => (Class::Item, "the storage says that it is no longer there".to_owned()),
            Existence::Unknown(why) => (Class::Transient, why),
        };
        failed.push(match damaged.and_then(|damaged| damaged.get(&id)) {
            Some((name, path)) => {
                let why = format!("the file {path} is damaged, and cannot be fetched again: {why}");
                ctx.failed(id.0, name.clone(), class, why)
            }
            None => ctx.failed(id.0.clone(), id.0, class, why),
        });
    }
    ctx.tell(|progress| progress.found += failed.len() as u64);
    ctx.record(&failed).await?;
    diffing::diff_page(backup, found, None, unfinished, damaged.is_some(), listed).await.map(drop)
}

/// What is known of the items that the listing has not shown.
#[derive(Debug)]
pub(super) struct Unseen {
    /// How many are home.
    pub(super) home: u64,
    /// How many are left out, by reason.
    pub(super) skipped: BTreeMap<String, u64>,
}

/// What there is of items that the listing has not shown; `None` if a file of them is gone.
pub(super) async fn unseen(backup: &Arc<Backup>, basis: &Basis) -> Result<Option<Unseen>, Error> {
    let ctx = &backup.ctx;
    let (between, passing) = ((basis.full, ctx.run), diffing::STILL_PROCESSED);
    let mut home = 0;
    let mut after: Option<StoredCopy> = None;
    loop {
        let copies = ctx
            .store
            .stored_unseen(ctx.plan, ctx.storage, between, passing, after.as_ref(), LOOKED_AT)
            .await?;
        home += copies.iter().filter(|copy| copy.is_whole()).count() as u64;
        after = copies.last().cloned();
        if after.is_none() {
            let skipped = ctx.store.skipped_unseen(ctx.plan, ctx.storage, between, passing).await?;
            return Ok(Some(Unseen { home, skipped }));
        }
        let files: Vec<(String, u64)> = copies.into_iter().map(|copy| (copy.path, copy.size)).collect();
        if !backup.mirror.gone(&files).await?.is_empty() {
            return Ok(None);
        }
    }
}
