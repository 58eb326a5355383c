//! Batches: which staged items are committed together, and when. One commit at a time (I8), while the next items are staged.
//!
//! Several batches may be put together at a time, one for each album, since a commit is for one. A batch goes out when it is full, when
//! nothing has joined it for a while, or when nothing more can come before one goes: then it is the one that was joined longest ago.
//! One that is refused as a whole for what one item of it is goes again in ever smaller parts. What a commit is, is left to a [`Committer`]; what
//! becomes of an item that failed, to whoever handed it in.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use async_trait::async_trait;
use charon_provider::{BatchPolicy, Error as StorageError, Reason};
use futures::future::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::coming::{Coming, One};
use crate::{clock::Clock, error::Error};

/// So many items of a batch that are refused one after the other, and none that is taken, say that it is not for what they are.
const REFUSALS: usize = 5;

/// An item that waits to be committed.
pub(super) trait Waiting: Send + Sync {
    /// Its place among all; a batch is committed in this order.
    fn place(&self) -> u64;

    /// The album that its commit is for, if it is for one; all of a commit are for the same.
    fn album(&self) -> Option<&Arc<str>>;

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
    /// The most that may be staged.
    most: usize,
    idle: Duration,
    coming: Coming,
    staged: mpsc::Receiver<T>,
}

/// Batches that are being put together, that which was joined longest ago first.
struct Open<'c, T> {
    batches: VecDeque<Batch<'c, T>>,
    items: usize,
}

/// The items of one album.
struct Batch<'c, T> {
    items: Vec<T>,
    /// Comes when nothing has joined it for a while.
    idle: BoxFuture<'c, ()>,
}

/// An intake, and the batcher that gets what is handed in there.
pub(super) fn batcher<T>(policy: &BatchPolicy) -> (Intake<T>, Batcher<T>) {
    let size = policy.size.max(1);
    let most = policy.staged.max(size);
    let (staged_in, staged) = mpsc::channel(most);
    let coming = Coming::new();
    let intake = Intake { slots: Arc::new(Semaphore::new(most)), coming: coming.clone(), staged: staged_in };
    (intake, Batcher { size, most, idle: policy.idle, coming, staged })
}

impl<T> Intake<T> {
    /// Waits until one item more may be staged; it may be so until the slot is dropped. The item is announced then, in the place of
    /// what was announced before: nothing else comes from who waits here.
    pub(super) async fn slot(&self, instead: Option<One>) -> Option<(OwnedSemaphorePermit, One)> {
        let waits = self.coming.waits();
        drop(instead);
        let slot = Arc::clone(&self.slots).acquire_owned().await.ok()?;
        let announced = self.announce();
        drop(waits);
        Some((slot, announced))
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
        let mut open = Open { batches: VecDeque::new(), items: 0 };
        while let Some(batch) = self.next(&mut open, clock).await {
            if !commit_in_parts(committer, batch).await? {
                break;
            }
        }
        Ok(())
    }

    /// The next batch, in order.
    async fn next<'c>(&mut self, open: &mut Open<'c, T>, clock: &'c dyn Clock) -> Option<Vec<T>> {
        loop {
            // All that may be staged waits here: nothing comes before some of it is committed.
            let is_full = open.items >= self.most;
            let next = match open.batches.front_mut() {
                None => Some(self.staged.recv().await?),
                Some(oldest) => tokio::select! {
                    biased;
                    next = self.staged.recv() => next,
                    () = self.coming.nothing(is_full) => None,
                    () = &mut oldest.idle => None,
                },
            };
            match next {
                Some(item) if item.is_alone() => return Some(vec![item]),
                Some(item) => {
                    let idle = clock.sleep(self.idle);
                    if open.join(item, idle) >= self.size {
                        return open.joined_last();
                    }
                }
                None => return open.joined_first(),
            }
        }
    }
}

impl<'c, T: Waiting> Open<'c, T> {
    /// Puts an item into the batch of its album. Gives how many are in there by now.
    fn join(&mut self, item: T, idle: BoxFuture<'c, ()>) -> usize {
        let same = self
            .batches
            .iter()
            .position(|batch| batch.items.first().is_some_and(|other| other.album() == item.album()));
        let mut batch =
            same.and_then(|at| self.batches.remove(at)).map_or_else(Vec::new, |batch| batch.items);
        batch.push(item);
        let length = batch.len();
        self.items += 1;
        self.batches.push_back(Batch { items: batch, idle });
        length
    }

    fn joined_first(&mut self) -> Option<Vec<T>> {
        let batch = self.batches.pop_front();
        self.out(batch)
    }

    fn joined_last(&mut self) -> Option<Vec<T>> {
        let batch = self.batches.pop_back();
        self.out(batch)
    }

    /// The items of a batch, in order.
    fn out(&mut self, batch: Option<Batch<'c, T>>) -> Option<Vec<T>> {
        let mut items = batch?.items;
        self.items -= items.len();
        items.sort_by_key(Waiting::place);
        Some(items)
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
