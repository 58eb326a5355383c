//! Shares of the commit: before a file is sent, its own requests and those that will commit it are taken from the day's budget,
//! so that no bytes are sent that could not be committed.
//!
//! A commit is shared by as many files as it takes. What is taken for it stays in a purse until a commit begins; then
//! the commit pays from it, and what it does not need goes back.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use charon_provider::Error as StorageError;

use super::{Hashed, Upload};
use crate::{
    budget::{self, Purpose, Purse},
    store::Known,
};

/// An album that is not known is looked for, then made.
const FOR_AN_ALBUM: u32 = 2;
/// A file that takes more requests than this part of a day has need not have all of them before it is begun: it goes on the next day.
const LARGEST_PART: u32 = 2;

/// Requests by meter.
type Requests = BTreeMap<&'static str, u32>;

/// What a run has taken ahead for the commits of what it sends.
#[derive(Debug)]
pub(crate) struct Shares {
    /// Files that are or will be staged, and whose commit has not begun.
    staged: Arc<AtomicUsize>,
    album_is_known: AtomicBool,
    purse: Purse,
    /// Held while it is found out what is missing, until that is taken.
    turn: tokio::sync::Mutex<()>,
}

impl Default for Shares {
    fn default() -> Self {
        Self {
            staged: Arc::default(),
            album_is_known: AtomicBool::default(),
            purse: Purse::new(Purpose::Run),
            turn: tokio::sync::Mutex::default(),
        }
    }
}

impl Shares {
    /// Takes whether the album of the plan is known.
    pub(super) fn album_is(&self, known: bool) {
        self.album_is_known.store(known, Ordering::Relaxed);
    }

    /// A purse from which the commit of these is paid.
    pub(super) async fn of_commit(
        &self,
        upload: &Upload,
        shares: impl Iterator<Item = &Share> + Send,
    ) -> Arc<Purse> {
        let _turn = self.turn.lock().await;
        shares.for_each(Share::is_being_committed);
        let purse = Purse::new(Purpose::Commit);
        let spending = &upload.ctx.spending;
        for (meter, count) in self.of_commits(upload, 1) {
            if let Some(day) = spending.day(meter) {
                purse.put(self.purse.take(meter, day, count));
            }
        }
        // A batch that is not full leaves others behind, which need one more. If there is none, what is kept for people is there.
        match spending.ahead(&self.missing(upload)).await {
            Ok(taken) => self.purse.put(taken),
            Err(error) => tracing::debug!(%error, "what is staged has no share of a commit"),
        }
        Arc::new(purse)
    }

    /// What the commits of all that is staged take, and has not been taken yet.
    fn missing(&self, upload: &Upload) -> Requests {
        let staged = self.staged.load(Ordering::Relaxed);
        if staged == 0 {
            return Requests::new();
        }
        let commits = u32::try_from(staged.div_ceil(upload.ctx.facts.batch.size.max(1))).unwrap_or(u32::MAX);
        let mut missing = self.of_commits(upload, commits);
        for (meter, count) in &mut missing {
            if let Some(day) = upload.ctx.spending.day(meter) {
                *count = count.saturating_sub(self.purse.holds(meter, day));
            }
        }
        missing
    }

    /// What so many commits take, with the album that they need.
    fn of_commits(&self, upload: &Upload, commits: u32) -> Requests {
        let album_is_missing = upload.album.is_some() && !self.album_is_known.load(Ordering::Relaxed);
        let mut requests = Requests::new();
        for cost in &upload.ctx.facts.costs.commit {
            *requests.entry(cost.0).or_default() += commits + if album_is_missing { FOR_AN_ALBUM } else { 0 };
        }
        requests
    }
}

/// The share of one file: it counts from before it is sent until its commit begins.
#[derive(Debug)]
pub(super) struct Share {
    staged: Arc<AtomicUsize>,
    counts: AtomicBool,
}

impl Share {
    pub(super) fn new(staged: &Arc<AtomicUsize>) -> Self {
        let share = Self { staged: Arc::clone(staged), counts: AtomicBool::new(false) };
        share.is_to_be_committed();
        share
    }

    fn is_to_be_committed(&self) {
        if !self.counts.swap(true, Ordering::Relaxed) {
            self.staged.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn is_being_committed(&self) {
        if self.counts.swap(false, Ordering::Relaxed) {
            self.staged.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.is_being_committed();
    }
}

/// The room that one file has in the day's budget.
#[derive(Debug)]
pub(super) struct Room {
    upload: Arc<Upload>,
    length: u64,
    share: Arc<Share>,
    /// What its sending is paid from.
    sending: Arc<Purse>,
}

impl Room {
    /// Makes room for a file: for its share of the commit, and for its sending unless its bytes are there already.
    ///
    /// # Errors
    /// [`Reason::OverBudget`](charon_provider::Reason::OverBudget) when there is none today.
    pub(super) async fn of(upload: &Arc<Upload>, file: &Hashed, known: &Known) -> Result<Self, StorageError> {
        let now = upload.ctx.clock.now();
        let is_there = known.staged.as_ref().is_some_and(|(_, valid_until)| *valid_until > now);
        let room = Self {
            upload: Arc::clone(upload),
            length: file.found.size,
            share: Arc::new(Share::new(&upload.shares.staged)),
            sending: Arc::new(Purse::new(Purpose::Run)),
        };
        room.make(!is_there).await?;
        Ok(room)
    }

    /// Makes room for another attempt, in which the bytes are sent again or not.
    pub(super) async fn once_more(&self, is_sent: bool) -> Result<(), StorageError> {
        self.share.is_to_be_committed();
        self.make(is_sent).await
    }

    async fn make(&self, is_sent: bool) -> Result<(), StorageError> {
        let Upload { shares, ctx, storage, .. } = &*self.upload;
        let _turn = shares.turn.lock().await;
        let mut own = Requests::new();
        if let Some(sink) = storage.sink().filter(|_| is_sent) {
            let requests = sink.requests_to_send(self.length);
            for cost in &ctx.facts.costs.send {
                let most = ctx.spending.of_a_day(cost.0).map_or(u32::MAX, |day| (day / LARGEST_PART).max(1));
                *own.entry(cost.0).or_default() += requests.min(most);
            }
        }
        let mut wanted = shares.missing(&self.upload);
        for (meter, count) in &own {
            *wanted.entry(meter).or_default() += count;
        }
        for mut taken in ctx.spending.ahead(&wanted).await? {
            let of_sending = own.get(taken.meter()).copied().unwrap_or_default();
            self.sending.put([taken.split(of_sending)]);
            shares.purse.put([taken]);
        }
        Ok(())
    }

    pub(super) fn share(&self) -> &Arc<Share> {
        &self.share
    }

    /// Does the sending, paid from what was taken for it.
    pub(super) async fn paying<T>(&self, sending: impl Future<Output = T>) -> T {
        budget::paying(Arc::clone(&self.sending), sending).await
    }
}
