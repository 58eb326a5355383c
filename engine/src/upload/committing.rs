//! Commit and record: what a [`batcher`](super::batcher) puts together becomes items, and the ledger learns of them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use charon_provider::{
    AlbumId, Class, Error as StorageError, Fidelity, Placement, Reason, RemoteItem, Sink, Staged,
};
use tokio::sync::oneshot;

use super::{
    Hashed, Upload, albums,
    batcher::{Answer, By, Committer, Waiting},
    refusals,
    shares::Share,
};
use crate::{
    budget,
    error::Error,
    host,
    retry::{SLOW_DOWN, with_grace, with_retries_and_grace},
    run::{RunState, Stop},
    store::Committed,
};

/// How long a commit, and the album that it needs, may each still take after somebody has stopped the run.
const GRACE: Duration = Duration::from_secs(10);
/// So many refusals without an item that was made are no judgement of the bytes.
const FEW: usize = 5;

/// A staged file that waits to become an item.
#[derive(Debug)]
pub(super) struct ToCommit {
    pub(super) staged: Staged,
    pub(super) file: Hashed,
    /// Whether it must not share a commit: it was refused for sharing one with the same bytes.
    pub(super) alone: bool,
    /// What it has of the requests that are taken ahead for commits.
    pub(super) share: Arc<Share>,
    /// Told once the item is in the ledger, or why it is not.
    pub(super) reply: oneshot::Sender<Result<(), StorageError>>,
}

impl Waiting for ToCommit {
    fn place(&self) -> u64 {
        self.file.found.place
    }

    fn album(&self) -> Option<&Arc<str>> {
        self.file.album.as_ref()
    }

    fn is_alone(&self) -> bool {
        self.alone
    }
}

/// Commits to the storage of a run.
pub(super) struct ToStorage {
    upload: Arc<Upload>,
    /// How many items have been refused since one was made.
    refused_since: AtomicUsize,
}

impl ToStorage {
    pub(super) fn new(upload: Arc<Upload>) -> Self {
        // As long as nothing has been made, nothing says that anything can be.
        Self { upload, refused_since: AtomicUsize::new(FEW) }
    }

    /// Whether what is refused here is refused for what it is. Refusals say that of one file only where others are made.
    fn is_judgement(&self, settled: &[(ToCommit, Result<Made, StorageError>)], by: By) -> bool {
        let made = settled.iter().any(|(_, result)| result.is_ok());
        let before = self.refused_since.load(Ordering::Relaxed);
        let refused = if made { 0 } else { before.saturating_add(settled.len()) };
        if by != By::Exclusion {
            self.refused_since.store(refused, Ordering::Relaxed);
        }
        match by {
            By::Own => refused <= FEW,
            By::Exclusion => true,
            By::Company => false,
        }
    }

    /// One commit, repeated as the class of its error says. An album that is gone is found or made again, once.
    async fn commit_paid(&self, items: &[ToCommit]) -> Result<Option<Answer<Made>>, Error> {
        let upload = &self.upload;
        let title = album_of(items);
        let Some(sink) = upload.storage.sink() else { return Ok(None) };
        let mut forgotten = false;
        loop {
            let turn = with_grace(&upload.ctx, GRACE, upload.ctx.lane.turn_to_write()).await;
            let Some(turn) = turn else { return Ok(None) };
            let album = match title {
                None => None,
                Some(title) => match albums::ensure(upload, title, GRACE).await {
                    Some(album) => {
                        let album = album?;
                        upload.shares.album_is(title, true);
                        Some(album)
                    }
                    None => return Ok(None),
                },
            };
            // Whoever has taken over commits what is staged (I8).
            if let Err(error) = upload.ctx.store.wish(upload.ctx.attempt()).await {
                upload.ctx.stop_for(&error);
                return Ok(None);
            }
            let answer_was_lost = AtomicBool::new(false);
            let answer = commit_once(upload, sink, album.as_ref(), items, &answer_was_lost).await;
            drop(turn);
            let error = match answer {
                None => return Ok(None),
                Some(Ok(results)) if results.len() == items.len() => {
                    let errors = || results.iter().filter_map(|result| result.as_ref().err());
                    for error in errors().filter(|error| error.class == Class::Quota).take(1) {
                        upload.ctx.spending.learn_from(error).await;
                    }
                    let throttled = errors().filter(|error| error.class == Class::Throttled);
                    if let Some(wait) = throttled.map(|error| error.retry_after.unwrap_or(SLOW_DOWN)).max() {
                        upload.ctx.lane.slow_down(wait);
                    }
                    let with_album = |item| (item, album.clone());
                    let results = with_twins(items, results).into_iter();
                    return Ok(Some(Answer::Each(results.map(|result| result.map(with_album)).collect())));
                }
                Some(Ok(results)) => {
                    let (answers, asked) = (results.len(), items.len());
                    let message = format!(
                        "the storage answered for {answers} of {asked} items; the next run sorts it out"
                    );
                    upload.ctx.stop(Stop::failed(Some(Class::Transient), message));
                    return Ok(None);
                }
                Some(Err(error)) => error,
            };
            if let Some((album, title)) = album.as_ref().zip(title)
                && !forgotten
                && (error.reason, error.class) == (Reason::NotFound, Class::Config)
            {
                albums::forget(upload, album).await?;
                upload.shares.album_is(title, false);
                forgotten = true;
                continue;
            }
            // A commit whose answer was lost has used up the tokens of all: no need to find out which.
            let of_all = error.reason == Reason::UploadToken && answer_was_lost.into_inner();
            return Ok(Some(if error.class == Class::Item && !of_all {
                Answer::ForOne(error)
            } else {
                upload.stop_if_it_concerns_all(&error);
                Answer::ForAll(error)
            }));
        }
    }
}

/// An item, and the album it is in.
type Made = (RemoteItem, Option<AlbumId>);

#[async_trait]
impl Committer for ToStorage {
    type Item = ToCommit;
    type Made = Made;

    async fn commit(&self, items: &[ToCommit]) -> Result<Option<Answer<Made>>, Error> {
        let shares = items.iter().map(|one| &*one.share);
        let purse = self.upload.shares.of_commit(&self.upload, album_of(items), shares).await;
        budget::paying(purse, self.commit_paid(items)).await
    }

    /// Records the items that were made (I1), and what was refused; then tells everyone.
    async fn settle(
        &self,
        settled: Vec<(ToCommit, Result<Made, StorageError>)>,
        by: By,
    ) -> Result<(), Error> {
        let Upload { ctx, .. } = &*self.upload;
        let is_judgement = self.is_judgement(&settled, by);
        let (mut committed, mut album, mut replies) = (Vec::new(), None, Vec::new());
        for (ToCommit { file, reply, .. }, result) in settled {
            let result = match result {
                Ok((item, in_album)) => {
                    album = in_album;
                    let kept = file.found.kept.as_deref();
                    if kept.is_some() {
                        self.upload.truth.made(&item.id);
                    }
                    let record = ctx.done(file.found.key(), file.found.name(), file.found.size);
                    committed.push(Committed {
                        sha256: file.sha256,
                        size: file.found.size,
                        remote_id: item.id,
                        file_name: item.file_name,
                        mime_type: item.mime_type,
                        taken_at: item.taken_at,
                        fidelity: kept.map_or(Fidelity::Original, |kept| kept.fidelity),
                        asset_id: kept.map(|kept| kept.asset_id),
                        instead_of: kept.and_then(|kept| kept.gone.clone()),
                        record,
                    });
                    Ok(())
                }
                Err(error) if is_judgement && refusals::is_of_bytes(&error) => {
                    let again_at = |times| refusals::again_at(ctx.clock.now(), times);
                    let reason = error.to_string();
                    let refusal = ctx.store.refuse(ctx.storage, file.sha256, &reason, again_at).await?;
                    Err(StorageError { cause: refusals::with_date(&error.cause, refusal.again_at), ..error })
                }
                Err(error) => Err(error),
            };
            replies.push((reply, result, file.found));
        }
        if !committed.is_empty() {
            ctx.store.record_committed(ctx.storage, album.as_ref(), ctx.attempt(), &committed).await?;
            let bytes: u64 = committed.iter().map(|item| item.size).sum();
            ctx.tell(|progress| {
                progress.items.done += committed.len() as u64;
                progress.bytes += bytes;
            });
        }
        let mut untold = Vec::new();
        for (reply, result, found) in replies {
            // Nobody listens when the run has stopped. The ledger knows what is done, and must know what failed (I9); an error
            // that concerns more than the item is why the run ends.
            if let Err(Err(error)) = reply.send(result)
                && matches!(error.class, Class::Item | Class::Transient)
            {
                untold.push(ctx.failed(found.key(), found.name(), error.class, error.to_string()));
            }
        }
        ctx.record(&untold).await
    }

    /// What was staged is kept in the ledger: after a quota or a fault, the next run commits it. But one who presses Ctrl-C still
    /// gets what was sent.
    fn is_stopped(&self) -> bool {
        self.upload.ctx.stopped().is_some_and(|stop| stop.state != RunState::Cancelled)
    }

    fn give_up(&self, error: &StorageError) {
        let message = format!("the storage refuses one file after the other; the last answer: {error}");
        self.upload.ctx.stop(Stop::failed(Some(error.class), message));
    }
}

/// One commit, repeated as the class of its errors says. An attempt that takes too long counts as one whose answer was lost.
async fn commit_once(
    upload: &Upload,
    sink: &dyn Sink,
    album: Option<&AlbumId>,
    items: &[ToCommit],
    answer_was_lost: &AtomicBool,
) -> Option<Result<Vec<Result<RemoteItem, StorageError>>, StorageError>> {
    let staged: Vec<Staged> = items.iter().map(|one| one.staged.clone()).collect();
    let album = album.map(|album| {
        let position = upload.truth.position().unwrap_or_else(|| upload.album_position.clone());
        Placement { album: album.clone(), position }
    });
    let limit = upload.ctx.facts.batch.commit_timeout;
    with_retries_and_grace(&upload.ctx, GRACE, || async {
        let commit = sink.commit(album.as_ref(), &staged);
        let outcome = host::within(limit, &*upload.ctx.clock, commit).await.unwrap_or_else(|| {
            let cause = format!("no answer came within {} s", limit.as_secs_f64());
            Err(StorageError::new(Class::Transient, "commit a batch", cause).because(Reason::Unanswered))
        });
        if outcome.as_ref().is_err_and(|error| error.reason == Reason::Unanswered) {
            answer_was_lost.store(true, Ordering::Relaxed);
        }
        outcome.map_err(|error| match (error.reason, &album) {
            // A commit names nothing else that could be gone.
            (Reason::NotFound, Some(_)) => {
                let title = album_of(items).map_or("", |title| title);
                albums::not_yet_if_new(upload, title, StorageError { class: Class::Config, ..error })
            }
            _ => error,
        })
    })
    .await
}

/// The album that a commit is for.
fn album_of(items: &[ToCommit]) -> Option<&Arc<str>> {
    items.first().and_then(Waiting::album)
}

/// The results, with the item of its twin for each that was refused because the same bytes are in the same commit.
fn with_twins(
    items: &[ToCommit],
    results: Vec<Result<RemoteItem, StorageError>>,
) -> Vec<Result<RemoteItem, StorageError>> {
    let twin = |at: usize| {
        let same = |other: &usize| *other != at && items[*other].file.sha256 == items[at].file.sha256;
        (0..items.len()).filter(same).find_map(|other| results[other].as_ref().ok().cloned())
    };
    let twins: Vec<Option<RemoteItem>> = results
        .iter()
        .enumerate()
        .map(|(at, result)| {
            let error = result.as_ref().err()?;
            if error.reason == Reason::AlreadyExists { twin(at) } else { None }
        })
        .collect();
    results.into_iter().zip(twins).map(|(result, twin)| twin.map_or(result, Ok)).collect()
}

#[cfg(test)]
mod tests;
