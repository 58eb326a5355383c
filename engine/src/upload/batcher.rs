//! Batches: which staged items are committed together, and when. One commit at a time (I8), while the next items are staged.
//!
//! A batch goes out when it is full, when nothing has joined it for a while, or when nothing more is coming. One that is refused
//! as a whole for what one item of it is goes again in ever smaller parts. What a commit is, is left to a [`Committer`]; what
//! becomes of an item that failed, to whoever handed it in.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use async_trait::async_trait;
use charon_provider::{BatchPolicy, Error as StorageError, Reason};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::coming::{Coming, One};
use crate::{clock::Clock, error::Error};

/// So many items of a batch that are refused one after the other, and none that is taken, say that it is not for what they are.
const REFUSALS: usize = 5;

/// An item that waits to be committed.
pub(super) trait Waiting: Send + Sync {
    /// Its place among all; a batch is committed in this order.
    fn place(&self) -> u64;

    /// Whether it must not share a commit with others.
    fn is_alone(&self) -> bool;
}

/// What came of one commit.
#[derive(Debug)]
pub(super) enum Answer<M> {
    /// Each item has its own result, in order.
    Each(Vec<Result<M, StorageError>>),
    /// All were refused for what one of them is: apart from it, the others may be taken.
    ForOne(StorageError),
    /// All failed, and would apart.
    ForAll(StorageError),
}

/// How items came to their answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// Each has an answer of its own, if only because it was alone from the beginning.
    Own,
    /// Refused alone, and others of its batch were made without it.
    Exclusion,
    /// All were refused, and nothing tells them apart.
    Company,
}

/// What commits.
#[async_trait]
pub(super) trait Committer: Sync {
    type Item: Waiting;
    type Made: Send;

    /// Commits these together. `None` when the run has stopped before an answer came.
    async fn commit(&self, items: &[Self::Item]) -> Result<Option<Answer<Self::Made>>, Error>;

    /// Takes what became of each item.
    async fn settle(
        &self,
        settled: Vec<(Self::Item, Result<Self::Made, StorageError>)>,
        by: By,
    ) -> Result<(), Error>;

    /// Whether no commit is to be begun any more.
    fn is_stopped(&self) -> bool;

    /// Takes that one item after the other was refused, and none taken: it is not for what they are.
    fn give_up(&self, error: &StorageError);
}

/// Where items are handed in.
#[derive(Debug)]
pub(super) struct Intake<T> {
    slots: Arc<Semaphore>,
    coming: Coming,
    staged: mpsc::Sender<T>,
}

// By hand, since `T` need not be `Clone`.
impl<T> Clone for Intake<T> {
    fn clone(&self) -> Self {
        Self { slots: Arc::clone(&self.slots), coming: self.coming.clone(), staged: self.staged.clone() }
    }
}

/// Where batches come from.
#[derive(Debug)]
pub(super) struct Batcher<T> {
    size: usize,
    idle: Duration,
    coming: Coming,
    staged: mpsc::Receiver<T>,
    /// Those that must not share a commit.
    alone: VecDeque<T>,
}

/// An intake, and the batcher that gets what is handed in there.
pub(super) fn batcher<T>(policy: &BatchPolicy) -> (Intake<T>, Batcher<T>) {
    let size = policy.size.max(1);
    let most = policy.staged.max(size);
    let (staged_in, staged) = mpsc::channel(most);
    let coming = Coming::new();
    let intake = Intake { slots: Arc::new(Semaphore::new(most)), coming: coming.clone(), staged: staged_in };
    (intake, Batcher { size, idle: policy.idle, coming, staged, alone: VecDeque::new() })
}

impl<T> Intake<T> {
    /// Waits until one item more may be staged; it may be so until what this gives is dropped.
    pub(super) async fn slot(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.slots).acquire_owned().await.ok()
    }

    /// Announces an item, or something that may bring one: batches wait for it, until this is dropped.
    pub(super) fn announce(&self) -> One {
        self.coming.one()
    }

    /// Hands in an item that is staged. Gives false when there is nobody any more to commit it.
    pub(super) async fn hand_in(&self, item: T, announced: One) -> bool {
        let taken = self.staged.send(item).await.is_ok();
        drop(announced);
        taken
    }
}

impl<T: Waiting> Batcher<T> {
    /// Commits what is handed in, until nothing can be handed in any more.
    pub(super) async fn run<C: Committer<Item = T>>(
        mut self,
        committer: &C,
        clock: &dyn Clock,
    ) -> Result<(), Error> {
        while let Some(batch) = self.next(clock).await {
            if !commit_in_parts(committer, batch).await? {
                break;
            }
        }
        Ok(())
    }

    /// The next batch, in order.
    async fn next(&mut self, clock: &dyn Clock) -> Option<Vec<T>> {
        let mut batch = Vec::new();
        while batch.len() < self.size {
            let next = if batch.is_empty() {
                match self.alone.pop_front() {
                    Some(item) => return Some(vec![item]),
                    None => self.staged.recv().await,
                }
            } else {
                tokio::select! {
                    biased;
                    next = self.staged.recv() => next,
                    () = self.coming.nothing() => None,
                    () = clock.sleep(self.idle) => None,
                }
            };
            match next {
                Some(item) if item.is_alone() => self.alone.push_back(item),
                Some(item) => batch.push(item),
                None => break,
            }
        }
        batch.sort_by_key(Waiting::place);
        (!batch.is_empty()).then_some(batch)
    }
}

/// Commits one batch; in ever smaller parts, if it is refused as a whole for what one item of it is. Gives false when the run has
/// stopped before an answer came: then nothing more is asked.
async fn commit_in_parts<C: Committer>(committer: &C, batch: Vec<C::Item>) -> Result<bool, Error> {
    let was_alone = batch.len() == 1;
    let mut parts = VecDeque::from([batch]);
    // Those that were refused alone. Whether it was for what they are is known when the others have been tried.
    let mut isolated = Vec::new();
    let (mut refused, mut some_made, mut answered) = (0, false, true);
    while let Some(mut part) = parts.pop_front() {
        // Those that are left are dropped; what was staged is kept, and the next run commits it.
        if committer.is_stopped() {
            break;
        }
        let Some(answer) = committer.commit(&part).await? else {
            answered = false;
            break;
        };
        let error = match answer {
            Answer::Each(results) => {
                some_made |= results.iter().any(Result::is_ok);
                committer.settle(part.into_iter().zip(results).collect(), By::Own).await?;
                continue;
            }
            Answer::ForAll(error) => {
                committer.settle(all_with(part, &error), By::Company).await?;
                continue;
            }
            Answer::ForOne(error) => error,
        };
        refused += usize::from(part.len() == 1);
        let all_alike = refused >= REFUSALS && !some_made;
        if part.len() > 1 && !all_alike {
            let rest = part.split_off(part.len() / 2);
            parts.push_front(rest);
            parts.push_front(part);
            continue;
        }
        if was_alone {
            committer.settle(all_with(part, &error), By::Own).await?;
        } else {
            isolated.extend(all_with(part, &error));
        }
        // The next batch would meet it too. Tokens that are not accepted are another matter: the bytes are sent again.
        if all_alike && error.reason != Reason::UploadToken {
            committer.settle(std::mem::take(&mut isolated), By::Company).await?;
            committer.give_up(&error);
        }
    }
    if !isolated.is_empty() {
        committer.settle(isolated, if some_made { By::Exclusion } else { By::Company }).await?;
    }
    Ok(answered)
}

fn all_with<T, M>(items: Vec<T>, error: &StorageError) -> Vec<(T, Result<M, StorageError>)> {
    items.into_iter().map(|item| (item, Err(error.clone()))).collect()
}

#[cfg(test)]
mod tests;
