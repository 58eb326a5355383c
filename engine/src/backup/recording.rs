//! Record: what is in its place becomes part of the ledger, many items to a transaction, and counts only then (I1, I10).

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{Backup, UNRECORDED, fetching::Fetched};
use crate::{error::Error, store::Learnt};

/// Records what comes, until nothing comes any more. Goes on when the run stops, so that what is in its place is known.
pub(super) async fn record(backup: &Arc<Backup>, mut placed: mpsc::Receiver<Fetched>) -> Result<(), Error> {
    let ctx = &backup.ctx;
    let mut fetched = Vec::with_capacity(UNRECORDED);
    while placed.recv_many(&mut fetched, UNRECORDED).await > 0 {
        let mut learnt = Learnt::default();
        let mut paths = Vec::new();
        let mut unchanged = 0;
        // Let go at the end of this turn, when the ledger has them.
        let mut ways = Vec::with_capacity(fetched.len());
        for one in fetched.drain(..) {
            for (stored, path) in one.stored {
                learnt.stored.push(stored);
                paths.push(path);
            }
            learnt.no_clip.extend(one.no_clip);
            learnt.untrashed.extend(one.untrashed);
            unchanged += u64::from(one.is_unchanged);
            learnt.records.extend(one.record);
            ways.extend(one.way);
        }
        if !paths.is_empty() {
            backup.mirror.settle(&paths).await?;
        }
        ctx.store.record_learnt(ctx.plan, ctx.storage, ctx.attempt(), &learnt).await?;
        ctx.unchanged(unchanged);
        ctx.tell(|progress| {
            progress.count(&learnt.records);
            progress.bytes += learnt.records.iter().map(|record| record.bytes).sum::<u64>();
        });
    }
    Ok(())
}
