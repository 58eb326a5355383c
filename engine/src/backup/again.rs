//! Again: the items that failed in an earlier run, and nothing else. They are looked up directly; nothing is listed.

use std::sync::Arc;

use charon_provider::RemoteId;
use tokio::sync::mpsc;

use super::{Backup, Wanted, quick};
use crate::{error::Error, ids::RunId, run::Outcome, store::ItemFilter};

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
    let mut filter = ItemFilter { outcome: Some(Outcome::Failed), after: None };
    loop {
        let failed = ctx.store.run_items(run, &filter, most).await?;
        filter.after = failed.last().map(|item| item.item.clone());
        if filter.after.is_none() {
            break;
        }
        let ids: Vec<RemoteId> = failed.into_iter().map(|item| RemoteId(item.item)).collect();
        let looked_up = quick::look_up(backup, source, ids, None, &listed);
        let Some(looked_up) = ctx.unless_stopped(looked_up).await else { return Ok(()) };
        looked_up?;
    }
    ctx.tell(|progress| progress.found_all = true);
    Ok(())
}
