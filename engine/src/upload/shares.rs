//! Shares of the commit: before a file is sent, its own requests and those that will commit it are taken from the day's budget,
//! so that no bytes are sent that could not be committed.
//!
//! A commit is shared by as many files of one album as it takes. What is taken for it stays in a purse until a commit begins; then
//! the commit pays from it, and what it does not need goes back.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
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

/// The title of an album, or none.
type Title = Option<Arc<str>>;

/// How many files of each album are or will be staged, and their commit has not begun.
#[derive(Debug, Default)]
pub(super) struct ByAlbum(Mutex<BTreeMap<Title, usize>>);

impl ByAlbum {
    fn held(&self) -> MutexGuard<'_, BTreeMap<Title, usize>> {
        self.0.lock().expect("nothing panics while it counts")
    }
}

/// What a run has taken ahead for the commits of what it sends.
#[derive(Debug)]
pub(crate) struct Shares {
    staged: Arc<ByAlbum>,
    /// The albums that need not be looked for.
    known: Mutex<HashSet<Arc<str>>>,
    purse: Purse,
    /// Held while it is found out what is missing, until that is taken.
    turn: tokio::sync::Mutex<()>,
}

impl Default for Shares {
    fn default() -> Self {
        Self {
            staged: Arc::default(),
            known: Mutex::default(),
            purse: Purse::new(Purpose::Run),
            turn: tokio::sync::Mutex::default(),
        }
    }
}

impl Shares {
    /// Takes whether an album is known.
    pub(super) fn album_is(&self, title: &Arc<str>, is_known: bool) {
        let mut known = self.known.lock().expect("nothing panics while it holds the titles");
        if is_known {
            known.insert(Arc::clone(title));
        } else {
            known.remove(title);
        }
    }

    fn is_known(&self, title: &str) -> bool {
        self.known.lock().expect("nothing panics while it holds the titles").contains(title)
    }

    /// A purse from which the commit of these is paid, which go into this album.
    pub(super) async fn of_commit(
        &self,
        upload: &Upload,
        album: Option<&Arc<str>>,
        shares: impl Iterator<Item = &Share> + Send,
    ) -> Arc<Purse> {
        let _turn = self.turn.lock().await;
        shares.for_each(Share::is_being_committed);
        let purse = Purse::new(Purpose::Commit);
        let spending = &upload.ctx.spending;
        let unknown = album.filter(|title| !self.is_known(title));
        for (meter, count) in of_commits(upload, 1, u32::from(unknown.is_some())) {
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
        let size = upload.ctx.facts.batch.size.max(1);
        let (mut commits, mut unknown) = (0_usize, 0);
        for (title, staged) in &*self.staged.held() {
            commits += staged.div_ceil(size);
            unknown += u32::from(title.as_ref().is_some_and(|title| !self.is_known(title)));
        }
        if commits == 0 {
            return Requests::new();
        }
        let mut missing = of_commits(upload, u32::try_from(commits).unwrap_or(u32::MAX), unknown);
        for (meter, count) in &mut missing {
            if let Some(day) = upload.ctx.spending.day(meter) {
                *count = count.saturating_sub(self.purse.holds(meter, day));
            }
        }
        missing
    }
}

/// What so many commits take, with the albums that they need and that are not known.
fn of_commits(upload: &Upload, commits: u32, albums: u32) -> Requests {
    let mut requests = Requests::new();
    for cost in &upload.ctx.facts.costs.commit {
        *requests.entry(cost.0).or_default() += commits.saturating_add(albums.saturating_mul(FOR_AN_ALBUM));
    }
    requests
}

/// The share of one file: it counts from before it is sent until its commit begins.
#[derive(Debug)]
pub(super) struct Share {
    staged: Arc<ByAlbum>,
    album: Title,
    counts: AtomicBool,
}

impl Share {
    pub(super) fn new(staged: &Arc<ByAlbum>, album: Title) -> Self {
        let share = Self { staged: Arc::clone(staged), album, counts: AtomicBool::new(false) };
        share.is_to_be_committed();
        share
    }

    fn is_to_be_committed(&self) {
        if !self.counts.swap(true, Ordering::Relaxed) {
            *self.staged.held().entry(self.album.clone()).or_default() += 1;
        }
    }

    fn is_being_committed(&self) {
        if self.counts.swap(false, Ordering::Relaxed) {
            let mut staged = self.staged.held();
            if let Some(count) = staged.get_mut(&self.album) {
                *count -= 1;
                if *count == 0 {
                    staged.remove(&self.album);
                }
            }
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
            share: Arc::new(Share::new(&upload.shares.staged, file.album.clone())),
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
