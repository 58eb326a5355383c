//! Read: every file that the ledger has as stored is read and hashed, as many at a time as there are cores.

use std::sync::Arc;

use charon_provider::{Class, Error as StorageError, Part, Reason};
use futures::{StreamExt, stream};
use tokio_util::task::AbortOnDropHandle;

use super::Damage;
use crate::{
    backup::Backup,
    error::Error,
    job::VerifyJob,
    mirror::{self, Mirror},
    retry::with_retries,
    run::RunContext,
    store::{ItemRecord, Kept, Verified},
};

/// Files that are listed, read and recorded together.
const TOGETHER: u32 = 500;

/// Reads all that is to be read, from where an earlier attempt has come to. As part of a backup it leaves the counts of items to that,
/// but takes back that what is damaged is home.
pub(super) async fn read(backup: &Arc<Backup>, job: &VerifyJob, is_part: bool) -> Result<(), Error> {
    let (ctx, mirror) = (backup.context(), backup.mirror());
    let mut standing = ctx.store.begin_verification(ctx.plan, ctx.attempt(), job.percent).await?;
    let (files, bytes) = ctx.store.kept_in_all(ctx.plan).await?;
    let share = |all: u64| job.percent.map_or(all, |percent| (all * u64::from(percent)).div_ceil(100));
    ctx.tell(|progress| {
        if is_part {
            return;
        }
        (progress.found, progress.bytes_found, progress.found_all) = (share(files), share(bytes), true);
        (progress.items.unchanged, progress.bytes) = (standing.findings.good, standing.findings.bytes);
    });
    let mut has_wrapped = standing.position < standing.first;
    while !standing.is_over {
        let Some(()) = ctx.unless_stopped(std::future::ready(())).await else { return Ok(()) };
        // One more, since the last item of a page that is full may be left out.
        let left = share(files).saturating_sub(standing.findings.files).saturating_add(1);
        let most = job.percent.map_or(TOGETHER, |_| u32::try_from(left).unwrap_or(TOGETHER).min(TOGETHER));
        let mut page = ctx.store.kept(ctx.plan, ctx.storage, standing.position, most).await?;
        if has_wrapped {
            page.retain(|kept| kept.asset_id <= standing.first);
        }
        let Some(last) = page.last().map(|last| last.asset_id) else {
            // A share goes round: behind the last item comes the first.
            if job.percent.is_some() && !has_wrapped && standing.first > 0 {
                (has_wrapped, standing.position) = (true, 0);
            } else {
                standing.is_over = true;
                let now = ctx.clock.now();
                ctx.store.record_verified(ctx.plan, ctx.attempt(), &[], &[], &standing, now).await?;
            }
            continue;
        };
        let reading = page.into_iter().map(|kept| {
            let (ctx, mirror) = (Arc::clone(ctx), Arc::clone(mirror));
            // A task of its own, so that hashing uses all cores.
            AbortOnDropHandle::new(tokio::spawn(async move { (judge(&ctx, &mirror, &kept).await, kept) }))
        });
        let at_a_time = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let mut judged = stream::iter(reading).buffered(at_a_time);
        let (mut found, mut records) = (Vec::new(), Vec::new());
        while let Some(Some(one)) = ctx.unless_stopped(judged.next()).await {
            let (damage, kept) =
                one.map_err(|panic| Error::Refused(format!("this is a mistake in Charon: {panic}")))?;
            let damage = damage?;
            standing.findings.count(damage);
            standing.findings.bytes += if damage == Some(Damage::Missing) { 0 } else { kept.size };
            records.extend(damage.filter(|_| !job.repair).map(|damage| record(ctx, &kept, damage)));
            found.push(Verified { asset_id: kept.asset_id, part: kept.part, sha256: kept.sha256, damage });
        }
        if ctx.stopped().is_some() {
            return Ok(());
        }
        standing.position = last;
        standing.is_over = job.percent.is_some() && standing.findings.files >= share(files);
        if is_part {
            ctx.store.tell_damage(ctx.attempt(), &found, ctx.clock.now()).await?;
        }
        ctx.store
            .record_verified(ctx.plan, ctx.attempt(), &found, &records, &standing, ctx.clock.now())
            .await?;
        let damaged =
            found.iter().filter(|one| one.damage.is_some() && one.part == Part::Whole).count() as u64;
        ctx.tell(|progress| {
            progress.count(&records);
            progress.items.unchanged = if is_part {
                progress.items.unchanged.saturating_sub(damaged)
            } else {
                standing.findings.good
            };
        });
    }
    Ok(())
}

/// What is wrong with a file, if something is.
async fn judge(ctx: &RunContext, mirror: &Mirror, kept: &Kept) -> Result<Option<Damage>, StorageError> {
    let read = with_retries(ctx, || {
        mirror::hash_counting(mirror.files(), &kept.path, |bytes| {
            ctx.tell(|progress| progress.bytes += bytes);
        })
    });
    let Some(read) = read.await else {
        // It is read again when the run goes on.
        return Err(StorageError::new(Class::Transient, "read a file of the mirror", "the run was stopped"));
    };
    let error = match read {
        Ok((sha256, size)) => {
            let is_good = (sha256, size) == (kept.sha256, kept.size);
            return Ok((!is_good).then_some(Damage::Changed));
        }
        Err(error) => error,
    };
    match (error.reason, error.class) {
        (Reason::NotFound, _) if mirror.is_there().await => Ok(Some(Damage::Missing)),
        // Where the disk is gone, no file of it is.
        (Reason::NotFound, _) => Err(StorageError { class: Class::Destination, ..error }
            .cured_by("see that the disk of the mirror is mounted, then verify again")),
        (_, Class::Item) => {
            tracing::warn!(%error, "a file of the mirror cannot be read");
            Ok(Some(Damage::Unreadable))
        }
        // The disk or the server may be gone, or have one bad place: the marker tells.
        (_, Class::Destination | Class::Transient) if mirror.is_there().await => {
            tracing::warn!(%error, "a file of the mirror cannot be read");
            Ok(Some(Damage::Unreadable))
        }
        _ => Err(error),
    }
}

fn record(ctx: &RunContext, kept: &Kept, damage: Damage) -> ItemRecord {
    let reason = damage.of(&kept.path);
    let item = kept.remote.as_ref().map_or_else(|| kept.path.clone(), |remote| remote.0.clone());
    ctx.failed(item, kept.name.clone(), Class::Item, reason)
}
