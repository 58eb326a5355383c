//! What a run of an inbox does: again and again it takes what may be sent, and lets the stages of an upload send it, for each album
//! apart. What comes meanwhile is begun beside what is under way, so that a small picture does not wait for a large video.

use std::{
    collections::{HashMap, HashSet},
    io,
    sync::Arc,
};

use charon_provider::{Class, Storage};
use futures::{FutureExt, StreamExt, stream::FuturesUnordered};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::{LINGERS, again_at, spool::Spool};
use crate::{
    error::Error,
    ids::{ReceiptId, Sha256},
    run::{Progress, RunContext},
    store::{ReceiptRow, Settled, SettledAs},
    upload::{self, Given, Upload},
    vault::Vault,
};

/// So many files are under way at once.
const FILES: usize = 400;
/// So many groups of them.
const GROUPS: usize = 8;

/// What a run of an inbox works with.
pub(crate) struct Inbox {
    pub(crate) ctx: Arc<RunContext>,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) vault: Vault,
    pub(crate) spool: Spool,
}

/// Files of one album that go out together.
pub(super) struct Group {
    pub(super) album: Option<String>,
    pub(super) files: Vec<ReceiptRow>,
    /// Their bytes.
    contents: Vec<Sha256>,
}

/// The state of the work.
struct Work<'a> {
    inbox: &'a Inbox,
    /// What the stages know of albums and of the budget, for all files together.
    upload: Arc<Upload>,
    /// Each in a task of its own: they go on while it is recorded what became of others.
    under_way: FuturesUnordered<AbortOnDropHandle<usize>>,
    groups: HashMap<usize, Group>,
    /// The bytes that are under way: another file with the same ones waits, and is then known to be there.
    contents: HashSet<Sha256>,
    /// What this attempt has begun: nothing is begun twice in one.
    begun: HashSet<ReceiptId>,
    number: usize,
}

/// Sends what the inbox holds until it holds nothing that may be sent, or the run stops.
pub(crate) async fn run(inbox: Inbox) {
    let (ctx, storage) = (Arc::clone(&inbox.ctx), Arc::clone(&inbox.storage));
    let upload = Arc::new(Upload::of_given(ctx, storage, inbox.vault.clone()));
    let ended = Work {
        inbox: &inbox,
        upload,
        under_way: FuturesUnordered::new(),
        groups: HashMap::new(),
        contents: HashSet::new(),
        begun: HashSet::new(),
        number: 0,
    }
    .run()
    .await;
    if let Err(error) = ended {
        inbox.ctx.stop_for(&error);
    }
}

impl Work<'_> {
    async fn run(mut self) -> Result<(), Error> {
        let ctx = &self.inbox.ctx;
        let mut changes = self.inbox.spool.changes();
        let (mut progress, mut seen) = (ctx.follow(), 0);
        upload::forget_old(&self.upload).await?;
        loop {
            changes.borrow_and_update();
            let next = if self.begins() { self.begin().await? } else { None };
            if self.groups.is_empty() && next.is_none() {
                break;
            }
            let wait = next.map(|next| next.duration_since(ctx.clock.now()).unsigned_abs());
            tokio::select! {
                biased;
                Some(number) = self.under_way.next(), if !self.under_way.is_empty() => {
                    self.ended(number.map_err(mistake)?).await?;
                }
                () = some_ended(&mut progress, &mut seen) => self.settle_under_way().await?,
                // When it stops, what is under way ends by itself.
                () = ctx.cancel.cancelled(), if self.groups.is_empty() => break,
                _ = changes.changed(), if self.begins() => {}
                () = ctx.clock.sleep(wait.unwrap_or_default()), if wait.is_some() => {}
            }
        }
        ctx.tell(|progress| progress.found_all = true);
        Ok(())
    }

    /// Whether anything more is begun.
    fn begins(&self) -> bool {
        let ctx = &self.inbox.ctx;
        let files = self.groups.values().map(|group| group.files.len()).sum::<usize>();
        !ctx.cancel.is_cancelled() && !ctx.begins_no_more() && self.groups.len() < GROUPS && files < FILES
    }

    /// Begins what may be sent now. Gives when to look again, if that is within a moment.
    async fn begin(&mut self) -> Result<Option<Timestamp>, Error> {
        let ctx = &self.inbox.ctx;
        let now = ctx.clock.now();
        let soon = now.checked_add(SignedDuration::try_from(LINGERS).unwrap_or_default()).unwrap_or(now);
        let most = u32::try_from(2 * FILES).unwrap_or(u32::MAX);
        let mut waiting = ctx.store.due_receipts(ctx.storage, soon, most).await?;
        waiting
            .retain(|receipt| !self.begun.contains(&receipt.id) && !self.contents.contains(&receipt.sha256));
        // One that may go takes with it the others of its album that are fresh.
        let due: HashSet<Option<String>> = (waiting.iter())
            .filter(|receipt| receipt.again_at <= now)
            .map(|receipt| receipt.album.clone())
            .collect();
        let (going, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|receipt| {
            receipt.again_at <= now || receipt.failures == 0 && due.contains(&receipt.album)
        });
        let mut groups: HashMap<Option<String>, Vec<ReceiptRow>> = HashMap::new();
        for receipt in going.into_iter().take(FILES) {
            groups.entry(receipt.album.clone()).or_default().push(receipt);
        }
        for (album, mut files) in groups {
            // The same bytes for another album may have been begun a moment ago.
            files.retain(|file| !self.contents.contains(&file.sha256));
            self.begin_group(album, files).await?;
        }
        Ok(later.iter().map(|receipt| receipt.again_at).min())
    }

    async fn begin_group(&mut self, album: Option<String>, files: Vec<ReceiptRow>) -> Result<(), Error> {
        let ctx = &self.inbox.ctx;
        let (mut given, mut kept, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        for receipt in files {
            self.begun.insert(receipt.id);
            let path = self.inbox.spool.path_of(receipt.id, &receipt.file_name);
            let album = album.clone();
            let one = Given { path, size: receipt.size, sha256: receipt.sha256, album };
            match upload::look_at(one, &ctx.facts.limits).await {
                Ok(hashed) => {
                    self.contents.insert(receipt.sha256);
                    given.push(hashed);
                    kept.push(receipt);
                }
                Err(error) => gone.push((receipt, error)),
            }
        }
        if !gone.is_empty() {
            let settled: Vec<Settled> =
                gone.iter().map(|(receipt, error)| self.unreadable(receipt, error)).collect();
            self.inbox.record(&settled, gone.iter().map(|(receipt, _)| receipt)).await?;
        }
        if given.is_empty() {
            return Ok(());
        }
        self.number += 1;
        let (number, upload) = (self.number, Arc::clone(&self.upload));
        let contents = kept.iter().map(|file| file.sha256).collect();
        self.groups.insert(number, Group { album, files: kept, contents });
        let sending = tokio::spawn(upload::send_given(upload, given).map(move |()| number));
        self.under_way.push(AbortOnDropHandle::new(sending));
        Ok(())
    }

    /// What becomes of a file that is not in the spool as it was.
    fn unreadable(&self, receipt: &ReceiptRow, error: &io::Error) -> Settled {
        let became = if error.kind() == io::ErrorKind::NotFound || error.kind() == io::ErrorKind::InvalidData
        {
            let reason = format!("its file is no longer in the spool as it came: {error}; send it again");
            SettledAs::Failed { class: Class::Item, reason }
        } else {
            let reason = format!("its file in the spool cannot be read: {error}");
            let again_at = again_at(self.inbox.ctx.clock.now(), receipt.failures);
            SettledAs::Later { class: Some(Class::Transient), reason, again_at }
        };
        Settled { id: receipt.id, file_name: receipt.file_name.clone(), became }
    }

    /// A group has come to its end.
    async fn ended(&mut self, number: usize) -> Result<(), Error> {
        let Some(group) = self.groups.remove(&number) else { return Ok(()) };
        for sha256 in &group.contents {
            self.contents.remove(sha256);
        }
        let ctx = &self.inbox.ctx;
        let mut settled = self.inbox.settled(&group).await?;
        let is_settled: HashSet<ReceiptId> = settled.iter().map(|one| one.id).collect();
        let was_stopped = ctx.stopped().is_some() || ctx.begins_no_more();
        for file in group.files.iter().filter(|file| !is_settled.contains(&file.id) && !was_stopped) {
            // Nothing ends so as far as we know; and if it does, it must not be tried again at once, for ever.
            let reason = "it is not known what became of it".to_owned();
            let again_at = again_at(ctx.clock.now(), file.failures);
            let became = SettledAs::Later { class: None, reason, again_at };
            settled.push(Settled { id: file.id, file_name: file.file_name.clone(), became });
        }
        self.inbox.record(&settled, group.files.iter()).await
    }

    /// Some of what is under way may have come to its end.
    async fn settle_under_way(&mut self) -> Result<(), Error> {
        let mut numbers: Vec<usize> = self.groups.keys().copied().collect();
        numbers.sort_unstable();
        for number in numbers {
            let Some(group) = self.groups.get(&number) else { continue };
            let settled = self.inbox.settled(group).await?;
            let is_settled: HashSet<ReceiptId> = settled.iter().map(|one| one.id).collect();
            self.inbox.record(&settled, group.files.iter()).await?;
            if let Some(group) = self.groups.get_mut(&number) {
                group.files.retain(|file| !is_settled.contains(&file.id));
            }
        }
        Ok(())
    }
}

impl Inbox {
    /// Records what became of some files; then those that are not needed any more go away.
    async fn record<'a>(
        &self,
        settled: &[Settled],
        files: impl Iterator<Item = &'a ReceiptRow>,
    ) -> Result<(), Error> {
        if settled.is_empty() {
            return Ok(());
        }
        let Self { ctx, spool, .. } = self;
        ctx.store.settle_receipts(ctx.plan, ctx.attempt(), settled, ctx.clock.now()).await?;
        let is_over: HashSet<ReceiptId> = (settled.iter())
            .filter(|one| !matches!(one.became, SettledAs::Later { .. }))
            .map(|one| one.id)
            .collect();
        let over: Vec<(ReceiptId, u64)> =
            files.filter(|file| is_over.contains(&file.id)).map(|file| (file.id, file.size)).collect();
        let removing = spool.clone();
        let removed = tokio::task::spawn_blocking(move || {
            for (id, size) in over {
                removing.remove(id, size);
            }
        });
        removed.await.map_err(mistake)?;
        spool.changed();
        Ok(())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
fn mistake(panic: tokio::task::JoinError) -> Error {
    Error::Refused(format!("this is a mistake in Charon: {panic}"))
}

/// Waits until more items of the run have come to an end than before.
async fn some_ended(progress: &mut watch::Receiver<Progress>, seen: &mut u64) {
    // It cannot be closed: the run holds the sender.
    if let Ok(now) = progress.wait_for(|progress| progress.items.total() > *seen).await {
        *seen = now.items.total();
    }
}
