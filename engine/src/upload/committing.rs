//! Commit and record: batches of staged files become items, one commit at a time (I8), while the next files go up.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use charon_provider::{
    AlbumId, Class, Error as StorageError, Placement, Position, Reason, RemoteItem, Sink, Staged,
};
use tokio::sync::{mpsc, oneshot};

use super::{Hashed, Upload, albums, coming::Coming};
use crate::{
    error::Error,
    retry::with_retries_and_grace,
    run::{RunState, Stop},
    store::Committed,
};

/// How long a commit, and the album that it needs, may each still take after somebody has stopped the run.
const GRACE: Duration = Duration::from_secs(10);

/// So many files of a batch that are refused one after the other, and none that is taken, say that it is not for what they are.
const REFUSALS: usize = 5;

/// A staged file that waits to become an item.
#[derive(Debug)]
pub(super) struct ToCommit {
    pub(super) staged: Staged,
    pub(super) file: Hashed,
    /// Told once the item is in the ledger, or why it is not.
    pub(super) reply: oneshot::Sender<Result<(), StorageError>>,
}

/// Commits what comes, until nothing comes any more.
pub(super) async fn commit(
    upload: &Arc<Upload>,
    mut staged: mpsc::Receiver<ToCommit>,
    coming: &Coming,
) -> Result<(), Error> {
    let policy = upload.ctx.facts.batch;
    while let Some(first) = staged.recv().await {
        let mut batch = vec![first];
        while batch.len() < policy.size {
            let next = tokio::select! {
                biased;
                next = staged.recv() => next,
                // Nothing more is coming: no need to wait for the timer.
                () = coming.nothing() => None,
                () = upload.ctx.clock.sleep(policy.idle) => None,
            };
            match next {
                Some(next) => batch.push(next),
                None => break,
            }
        }
        // What was staged is kept in the ledger: after a quota or a fault, the next run commits it. But one who presses
        // Ctrl-C still gets what was sent.
        if upload.ctx.stopped().is_some_and(|stop| stop.state != RunState::Cancelled) {
            continue;
        }
        commit_batch(upload, batch).await?;
    }
    Ok(())
}

/// Commits one batch; in ever smaller parts, if the storage refuses it as a whole for what one item is.
async fn commit_batch(upload: &Arc<Upload>, batch: Vec<ToCommit>) -> Result<(), Error> {
    let Some(sink) = upload.storage.sink() else { return Ok(()) };
    let mut parts = VecDeque::from([batch]);
    let (mut forgotten, mut refused, mut some_made) = (false, 0, false);
    while let Some(mut part) = parts.pop_front() {
        let turn = upload.ctx.lane.turn_to_write().await;
        let album = match &upload.album {
            None => None,
            Some(title) => match albums::ensure(upload, title, GRACE).await {
                Some(album) => Some(album?),
                None => return Ok(()),
            },
        };
        let answer_was_lost = AtomicBool::new(false);
        let outcome = commit_part(upload, sink, album.as_ref(), &part, &answer_was_lost).await;
        drop(turn);
        let error = match outcome {
            None => return Ok(()),
            Some(Ok(results)) => {
                some_made |= results.iter().any(Result::is_ok);
                settle(upload, album.as_ref(), part, results).await?;
                continue;
            }
            Some(Err(error)) => error,
        };
        if let Some(album) = &album
            && !forgotten
            && error.reason == Reason::NotFound
        {
            // A commit names nothing else that could be gone.
            albums::forget(upload, album).await?;
            forgotten = true;
            parts.push_front(part);
            continue;
        }
        if error.reason == Reason::UploadToken && answer_was_lost.into_inner() {
            // The commit whose answer was lost has used up the tokens of all: no need to find out which.
            reply_to_all([part], &error);
            continue;
        }
        refused += usize::from(part.len() == 1);
        // One after the other is refused, and none is taken: it is not what one of them is.
        let all_alike = refused >= REFUSALS && !some_made;
        if all_alike && error.reason != Reason::UploadToken {
            // The next batch would meet it too.
            let message = format!("the storage refuses one file after the other; the last answer: {error}");
            upload.ctx.stop(Stop::failed(Some(error.class), message));
            reply_to_all(std::iter::once(part).chain(parts), &error);
            return Ok(());
        }
        if error.class == Class::Item && part.len() > 1 && !all_alike {
            let rest = part.split_off(part.len() / 2);
            parts.push_front(rest);
            parts.push_front(part);
        } else {
            upload.stop_if_it_concerns_all(&error);
            reply_to_all([part], &error);
        }
    }
    Ok(())
}

fn reply_to_all(parts: impl IntoIterator<Item = Vec<ToCommit>>, error: &StorageError) {
    for one in parts.into_iter().flatten() {
        // Nobody listens when the run has stopped.
        drop(one.reply.send(Err(error.clone())));
    }
}

async fn commit_part(
    upload: &Upload,
    sink: &dyn Sink,
    album: Option<&AlbumId>,
    part: &[ToCommit],
    answer_was_lost: &AtomicBool,
) -> Option<Result<Vec<Result<RemoteItem, StorageError>>, StorageError>> {
    let staged: Vec<Staged> = part.iter().map(|one| one.staged.clone()).collect();
    let album = album.map(|album| Placement { album: album.clone(), position: Position::Last });
    with_retries_and_grace(&upload.ctx, GRACE, || async {
        let outcome = sink.commit(album.as_ref(), &staged).await;
        if outcome.as_ref().is_err_and(|error| error.reason == Reason::Unanswered) {
            answer_was_lost.store(true, Ordering::Relaxed);
        }
        outcome
    })
    .await
}

/// Records the items that were made (I1), then tells everyone.
async fn settle(
    upload: &Arc<Upload>,
    album: Option<&AlbumId>,
    part: Vec<ToCommit>,
    results: Vec<Result<RemoteItem, StorageError>>,
) -> Result<(), Error> {
    let ctx = &upload.ctx;
    if results.len() != part.len() {
        let message = format!(
            "the storage answered for {} of {} items; the next run sorts it out",
            results.len(),
            part.len()
        );
        ctx.stop(Stop::failed(Some(Class::Transient), message));
        return Ok(());
    }
    let (mut committed, mut replies) = (Vec::new(), Vec::new());
    for (one, result) in part.into_iter().zip(results) {
        let ToCommit { file, reply, .. } = one;
        match result {
            Ok(item) => {
                let record = ctx.done(file.found.key(), file.found.name(), file.found.size);
                committed.push(Committed {
                    sha256: file.sha256,
                    size: file.found.size,
                    remote_id: item.id,
                    file_name: item.file_name,
                    mime_type: item.mime_type,
                    taken_at: item.taken_at,
                    record,
                });
                replies.push((reply, Ok(())));
            }
            Err(error) => replies.push((reply, Err(error))),
        }
    }
    ctx.store.record_committed(ctx.storage, album, ctx.run, &committed).await?;
    let bytes: u64 = committed.iter().map(|item| item.size).sum();
    ctx.tell(|progress| {
        progress.items.done += committed.len() as u64;
        progress.bytes += bytes;
    });
    for (reply, result) in replies {
        // Nobody listens when the run has stopped; the ledger knows.
        drop(reply.send(result));
    }
    Ok(())
}
