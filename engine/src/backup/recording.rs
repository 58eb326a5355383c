//! Record: what is in its place becomes part of the ledger, many items to a transaction, and counts only then (I1, I10).

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{Backup, UNRECORDED, fetching::Fetched};
use crate::error::Error;

/// Records what comes, until nothing comes any more. Goes on when the run stops, so that what is in its place is known.
pub(super) async fn record(backup: &Arc<Backup>, mut placed: mpsc::Receiver<Fetched>) -> Result<(), Error> {
    let ctx = &backup.ctx;
    let mut fetched = Vec::with_capacity(UNRECORDED);
    while placed.recv_many(&mut fetched, UNRECORDED).await > 0 {
        let (mut stored, mut paths, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        for one in fetched.drain(..) {
            match one {
                Fetched::Placed { stored: item, path } => {
                    stored.push(item);
                    paths.push(path);
                }
                Fetched::Failed(record) => failed.push(record),
            }
        }
        if !stored.is_empty() {
            let mirror = Arc::clone(&backup.mirror);
            let synced =
                tokio::task::spawn_blocking(move || mirror.sync_folders(paths.iter().map(String::as_str)));
            synced
                .await
                .map_err(|error| Error::Refused(format!("flushing the mirror failed: {error}")))??;
            ctx.store.record_stored(ctx.plan, ctx.run, &stored).await?;
            let bytes: u64 = stored.iter().map(|item| item.size).sum();
            ctx.tell(|progress| {
                progress.items.done += stored.len() as u64;
                progress.bytes += bytes;
            });
        }
        ctx.record(&failed).await?;
    }
    Ok(())
}
