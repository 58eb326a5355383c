//! Again: the items that failed in an earlier run, and nothing else. They are looked up directly; nothing is listed.

use std::{collections::HashMap, sync::Arc};

use charon_provider::{Class, RemoteId};
use tokio::sync::mpsc;

use super::{Backup, Wanted, quick};
use crate::{
    error::Error,
    ids::RunId,
    run::Outcome,
    store::{ItemFilter, ItemRecord, Kept},
};

/// Looks up what failed in a run, and sends on what has to be fetched of it.
pub(super) async fn failed_of(
    backup: &Arc<Backup>,
    run: RunId,
    listed: mpsc::Sender<Wanted>,
) -> Result<(), Error> {
    let ctx = &backup.ctx;
    let Some(source) = backup.storage.source() else {
        return Err(Error::Refused(
            "this storage cannot be read from; choose another one for a backup plan".into(),
        ));
    };
    let most = u32::try_from(source.confirm_limit().max(1)).unwrap_or(u32::MAX);
    ctx.store.forget_shown(ctx.storage, ctx.attempt()).await?;
    let mut filter = ItemFilter { outcome: Some(Outcome::Failed), after: None };
    loop {
        let failed = ctx.store.run_items(run, &filter, most).await?;
        filter.after = failed.last().map(|item| item.item.clone());
        if filter.after.is_none() {
            break;
        }
        let ids: Vec<RemoteId> = failed.into_iter().map(|item| RemoteId(item.item)).collect();
        let looked_up = quick::look_up(backup, source, ids, None, None, &listed);
        let Some(looked_up) = ctx.unless_stopped(looked_up).await else { return Ok(()) };
        looked_up?;
    }
    ctx.tell(|progress| progress.found_all = true);
    Ok(())
}

/// Looks up what is known to be damaged in the mirror, and sends on what has to be fetched of it.
pub(super) async fn damaged(backup: &Arc<Backup>, listed: mpsc::Sender<Wanted>) -> Result<(), Error> {
    let ctx = &backup.ctx;
    let Some(source) = backup.storage.source() else {
        return Err(Error::Refused(
            "this storage cannot be read from, so nothing can be repaired from it".into(),
        ));
    };
    let most = u32::try_from(source.confirm_limit().max(1)).unwrap_or(u32::MAX);
    // What this run has listed itself stays listed.
    if ctx.store.listing(ctx.run).await?.is_none() {
        ctx.store.forget_shown(ctx.storage, ctx.attempt()).await?;
    }
    let mut after = 0;
    loop {
        let damaged = ctx.store.damaged(ctx.plan, ctx.storage, after, most).await?;
        let Some(last) = damaged.last() else { return Ok(()) };
        // Both files of the last item are looked after together.
        after = last.asset_id;
        let mut ids: Vec<RemoteId> = damaged.iter().filter_map(|kept| kept.remote.clone()).collect();
        ids.dedup();
        let of = |kept: &Kept| Some((kept.remote.clone()?, (kept.name.clone(), kept.path.clone())));
        let names: HashMap<RemoteId, (String, String)> = damaged.iter().rev().filter_map(of).collect();
        let unheld = damaged.iter().filter(|kept| kept.remote.is_none());
        let unheld: Vec<ItemRecord> = unheld.map(|kept| not_held(backup, kept)).collect();
        ctx.record(&unheld).await?;
        if !ids.is_empty() {
            let looked_up = quick::look_up(backup, source, ids, None, Some(&names), &listed);
            let Some(looked_up) = ctx.unless_stopped(looked_up).await else { return Ok(()) };
            looked_up?;
        }
    }
}

fn not_held(backup: &Backup, kept: &Kept) -> ItemRecord {
    let reason =
        format!("the file {} is damaged, and the storage does not hold it: it cannot be repaired", kept.path);
    backup.ctx.failed(kept.path.clone(), kept.name.clone(), Class::Item, reason)
}
