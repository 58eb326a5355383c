//! What somebody wants done with the trash, as a run.

use std::{collections::BTreeMap, sync::Arc};

use charon_provider::Class;

use super::moving::{self, Back};
use crate::{
    backup::Backup,
    error::Error,
    job::TrashJob,
    run::RunContext,
    store::{ItemRecord, Learnt, TrashedFile},
};

/// What is to be done with a trash, checked and ready.
#[derive(Debug)]
pub(crate) struct Trashing {
    /// The mirror, and the ledger.
    pub(crate) backup: Backup,
    pub(crate) job: TrashJob,
}

/// Does it, until it is done or the run stops.
pub(crate) async fn run(trashing: Trashing) {
    let Trashing { backup, job } = trashing;
    let backup = Arc::new(backup);
    let ctx = backup.context();
    let done = async {
        moving::settle_unfinished(&backup).await?;
        match &job {
            TrashJob::Restore { items } => restore(&backup, items).await,
            TrashJob::Empty { everything } => empty(&backup, *everything).await,
        }
    };
    if let Err(error) = done.await {
        ctx.stop_for(&error);
    }
}

async fn restore(backup: &Arc<Backup>, items: &[i64]) -> Result<(), Error> {
    let ctx = backup.context();
    let mut after = 0;
    loop {
        let page = ctx.store.trashed(ctx.plan, ctx.storage, after, 100).await?;
        let Some(last) = page.last().map(|last| last.asset_id) else { break };
        after = last;
        let mut of_items: BTreeMap<i64, Vec<TrashedFile>> = BTreeMap::new();
        for file in page.into_iter().filter(|file| items.is_empty() || items.contains(&file.asset_id)) {
            of_items.entry(file.asset_id).or_default().push(file);
        }
        for (asset, files) in of_items {
            if ctx.stopped().is_some() {
                return Ok(());
            }
            // The other file of the last one may be behind the page.
            let files =
                if asset == last { ctx.store.trashed_of(ctx.plan, ctx.storage, asset).await? } else { files };
            restore_one(backup, asset, &files).await?;
            moving::clear_folders(backup, &files).await;
        }
    }
    ctx.tell(|progress| progress.found_all = true);
    Ok(())
}

async fn restore_one(backup: &Arc<Backup>, asset: i64, files: &[TrashedFile]) -> Result<(), Error> {
    let ctx = backup.context();
    let Some(first) = files.first() else { return Ok(()) };
    let mut learnt = Learnt::default();
    let mut not_back = None;
    for file in files {
        let TrashedFile { path, aside, .. } = file;
        match moving::put_back(backup, file).await {
            Ok(Back::There) => {
                learnt.stored.push(moving::stored(backup, file));
                learnt.untrashed.push((file.asset_id, file.part));
            }
            Err(error) if learnt.stored.is_empty() => return Err(error),
            Ok(Back::InTheWay) => {
                not_back = Some(format!("something else is at {path}; move it away, then restore again"));
            }
            Ok(Back::NotInTrash) => {
                not_back = Some(format!("{aside} is not there: somebody has taken it out of the trash"));
            }
            Ok(Back::Changed) => {
                not_back = Some(format!(
                    "{aside} is not what went to the trash any more (the disk may be failing), and stays there; copy it yourself if it \
                     is of use"
                ));
            }
            Err(error) => not_back = Some(error.to_string()),
        }
    }
    let paths: Vec<String> = files.iter().map(|file| file.path.clone()).collect();
    backup.mirror().settle(&paths).await?;
    let is_back = not_back.is_none();
    let record = match not_back {
        None => {
            let bytes = files.iter().map(|file| file.size).sum();
            ItemRecord {
                reason: Some("taken out of the trash".into()),
                ..ctx.done(id(first), first.name.clone(), bytes)
            }
        }
        Some(reason) => ctx.failed(id(first), first.name.clone(), Class::Item, reason),
    };
    learnt.records.push(record);
    if is_back {
        // First: should what follows be cut short, it is not nominated again.
        ctx.store.keep(ctx.plan, asset, ctx.run).await?;
    }
    ctx.store.record_learnt(ctx.plan, ctx.storage, ctx.attempt(), &learnt).await?;
    tell(ctx, &learnt.records);
    Ok(())
}

async fn empty(backup: &Arc<Backup>, everything: bool) -> Result<(), Error> {
    let ctx = backup.context();
    let now = ctx.clock.now();
    let removed = moving::empty(backup, |file| everything || file.until <= now).await?;
    let records: Vec<ItemRecord> = removed
        .iter()
        .map(|file| {
            let record = ctx.done(id(file), file.name.clone(), 0);
            ItemRecord { reason: Some("removed from the trash for good".into()), ..record }
        })
        .collect();
    for records in records.chunks(500) {
        ctx.store.record_run_items(ctx.attempt(), records).await?;
        tell(ctx, records);
    }
    ctx.tell(|progress| progress.found_all = true);
    Ok(())
}

fn id(file: &TrashedFile) -> String {
    file.remote.as_ref().map_or_else(|| file.path.clone(), |remote| remote.0.clone())
}

fn tell(ctx: &RunContext, records: &[ItemRecord]) {
    ctx.tell(|progress| {
        progress.found += records.len() as u64;
        progress.count(records);
        progress.bytes += records.iter().map(|record| record.bytes).sum::<u64>();
    });
}
