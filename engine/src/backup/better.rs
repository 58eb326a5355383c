//! Better: what is home as a copy of lesser fidelity, for originals to take its place. Nothing is listed: the ledger knows which they are.

use std::sync::Arc;

use charon_provider::{Class, Error as StorageError, Source, WayToOriginals};
use tokio::sync::mpsc;

use super::{
    Addresses, Backup, Wanted,
    diffing::{Better, Missing},
};
use crate::error::Error;

/// Items that are looked up together.
const TOGETHER: u32 = 100;

/// Sends on every item that is home as a lesser copy and may be had as the original.
pub(super) async fn seek(backup: &Arc<Backup>, listed: mpsc::Sender<Wanted>) -> Result<(), Error> {
    let ctx = &backup.ctx;
    let way = backup.storage.source().map_or(WayToOriginals::None, Source::way_to_originals);
    let is_asked = way != WayToOriginals::None;
    let left = ctx.store.lesser_in_all(ctx.plan, ctx.storage, ctx.run, is_asked).await?;
    ctx.tell(|progress| {
        // What an earlier attempt has come to is counted already.
        progress.found = progress.items.done + progress.items.skipped + progress.items.failed + left;
        progress.found_all = true;
    });
    let wanted = if is_asked { Better::Anywhere } else { Better::Nearby };
    let mut after = 0;
    loop {
        let page = ctx.store.lesser(ctx.plan, ctx.storage, ctx.run, after, is_asked, TOGETHER).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.asset_id;
        let page_of = Arc::new(Addresses::of(page.iter().map(|lesser| lesser.item.clone())));
        for lesser in page {
            let one = Wanted {
                asset_id: lesser.asset_id,
                path: lesser.path,
                missing: Missing::nothing_but(wanted, lesser.is_nearby),
                whole_was_home: true,
                clip_was_home: false,
                keeps_original: false,
                denials: 0,
                clip_path: None,
                page: Arc::clone(&page_of),
                id: lesser.item.id,
            };
            if listed.send(one).await.is_err() {
                return Ok(());
            }
        }
    }
}

/// Stops the run if originals do not come for now. Gives whether they may be asked for.
pub(super) fn may_ask(backup: &Backup) -> bool {
    let Some(source) = backup.storage.source() else { return false };
    match source.way_to_originals() {
        WayToOriginals::None => false,
        WayToOriginals::Open => true,
        WayToOriginals::Resting(until) => {
            let cause = format!("what gives them has failed too often, and is left alone until {until}");
            let error = StorageError::new(Class::Transient, "fetch originals", cause);
            backup.ctx.stop_for_storage(
                &error.cured_by("see that it can be reached, then ask again; what has come stays"),
            );
            false
        }
    }
}
