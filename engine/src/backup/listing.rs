//! List: the pages that the storage shows of what is wanted, one after the other, to the last one or to where all is known.

use std::{collections::BTreeMap, sync::Arc};

use charon_provider::{RemoteItem, Source};
use tokio::sync::{mpsc, oneshot};

use super::{
    Backup, Walk, Wanted, diffing,
    quick::{self, Basis, Unseen},
};
use crate::{error::Error, store::Listing};

/// A page on its way to be compared with the ledger.
struct Listed {
    items: Vec<RemoteItem>,
    /// The title of the album that they were listed in, where that is told.
    album: Option<String>,
    /// Who waits to hear whether all of it was known.
    asked: Option<oneshot::Sender<bool>>,
}

/// Where the pages ended.
#[derive(Debug)]
enum End {
    /// At the last page.
    Last,
    /// At a page that was known, as are all behind it; this is known of what is there.
    Known(Unseen),
    /// The run stopped.
    Stopped,
}

/// Lists, and sends on every item that has to be fetched.
pub(super) async fn list(backup: &Arc<Backup>, listed: mpsc::Sender<Wanted>) -> Result<(), Error> {
    let ctx = &backup.ctx;
    let Some(source) = backup.storage.source() else {
        return Err(Error::Refused(
            "this storage cannot be read from; choose another one for a backup plan".into(),
        ));
    };
    let selection = quick::key(backup);
    let basis = quick::basis(backup, source, &selection).await?;
    ctx.store.begin_listing(ctx.plan, ctx.storage, ctx.attempt(), &selection, ctx.clock.now()).await?;
    if let Some(basis) = &basis {
        let Some(looked_up) = ctx.unless_stopped(quick::finish(backup, source, basis, &listed)).await else {
            return Ok(());
        };
        looked_up?;
    }
    // One page is fetched ahead while the one before it is compared with the ledger.
    let (pages_in, mut pages) = mpsc::channel::<Listed>(1);
    let unfinished = basis.as_ref().map(|basis| &basis.unfinished);
    // Owns both ends that it uses: when it ends, for whatever reason, pages stop coming and nothing more is fetched.
    let diff = async move {
        while let Some(page) = pages.recv().await {
            let diffed =
                diffing::diff_page(backup, page.items, page.album.as_deref(), unfinished, false, &listed);
            let Some(is_known) = ctx.unless_stopped(diffed).await else { break };
            let is_known = is_known?;
            // It is told in vain only when the run stops.
            page.asked.map(|asked| asked.send(is_known));
        }
        Ok::<_, Error>(())
    };
    let (end, diffed) = tokio::join!(list_pages(backup, source, basis.as_ref(), pages_in), diff);
    diffed?;
    let end = if ctx.stopped().is_some() { End::Stopped } else { end? };
    let how = Listing { is_full: matches!(end, End::Last), is_complete: !matches!(end, End::Stopped) };
    let mut skipped = BTreeMap::new();
    if let End::Known(unseen) = end {
        ctx.unchanged(unseen.home);
        skipped = unseen.skipped;
        let left_out: u64 = skipped.values().sum();
        ctx.tell(|progress| {
            progress.found += unseen.home + left_out;
            progress.items.skipped += left_out;
        });
    }
    ctx.store.end_listing(ctx.run, how, ctx.progress().found, &skipped, ctx.clock.now()).await?;
    if how.is_complete {
        ctx.tell(|progress| progress.found_all = true);
    }
    Ok(())
}

async fn list_pages(
    backup: &Arc<Backup>,
    source: &dyn Source,
    mut basis: Option<&Basis>,
    pages: mpsc::Sender<Listed>,
) -> Result<End, Error> {
    let ctx = &backup.ctx;
    let mut walk = Walk::default();
    loop {
        if ctx.begins_no_more() {
            return Ok(End::Stopped);
        }
        let page = match walk.photos(ctx, source, &backup.wanted).await {
            Some(Ok(Some(page))) => page,
            Some(Ok(None)) => return Ok(End::Last),
            Some(Err(error)) if walk.begins_anew(&error) => continue,
            Some(Err(error)) => {
                ctx.stop_for_storage(&error);
                return Ok(End::Stopped);
            }
            None => return Ok(End::Stopped),
        };
        let (asked, answer) = basis.map(|_| oneshot::channel()).unzip();
        let album = page.album.and_then(|id| backup.titles.get(&id).cloned());
        let listed = Listed { items: page.items, album, asked };
        let Some(Ok(())) = ctx.unless_stopped(pages.send(listed)).await else { return Ok(End::Stopped) };
        if page.next.is_none() {
            return Ok(End::Last);
        }
        if let (Some(answer), Some(relied_upon)) = (answer, basis) {
            let Some(Ok(is_known)) = ctx.unless_stopped(answer).await else { return Ok(End::Stopped) };
            if is_known {
                match quick::unseen(backup, relied_upon).await? {
                    Some(unseen) => return Ok(End::Known(unseen)),
                    // A file is gone: it is fetched again, which takes a listing of all.
                    None => basis = None,
                }
            }
        }
    }
}
