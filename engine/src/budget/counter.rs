//! The counter of one meter: takes requests from the database some at a time, ahead of their use.

use std::sync::{Arc, Mutex};

use charon_provider::Meter;
use jiff::{Timestamp, civil::Date};

use super::{Ahead, Purpose, reserve};
use crate::{
    error::Error,
    parking,
    store::{Store, Take},
};

/// So many are taken at a time for runs: the most that a kill counts too many. One by one, each would cost a flush of the disk.
pub(super) const BLOCK: u32 = 16;

#[derive(Debug)]
pub(crate) struct Counter {
    store: Store,
    meter: Meter,
    block: Mutex<Block>,
    /// Held while a block is taken, so that one is taken and not one for each who waits.
    taking: tokio::sync::Mutex<()>,
}

/// What was taken for runs and is not used yet.
#[derive(Debug, Default)]
struct Block {
    day: Date,
    left: u32,
    /// Whether the database is to be asked before any more of it is used.
    is_in_doubt: bool,
}

/// Why requests were not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// How many were asked for.
    pub(crate) wanted: u32,
    /// How many there are left, for whoever asked.
    pub(crate) left: u32,
    /// How many there are beside them, which are kept for people.
    pub(crate) kept: u32,
    /// Whether the server itself has said that there are none.
    pub(crate) is_by_server: bool,
    /// When the count starts again.
    pub(crate) until: Option<Timestamp>,
}

impl Counter {
    pub(super) fn new(store: Store, meter: Meter) -> Self {
        Self { store, meter, block: Mutex::default(), taking: tokio::sync::Mutex::default() }
    }

    pub(crate) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Whether that meter's count is this one's, whatever its limit.
    pub(super) fn counts_with(&self, meter: &Meter) -> bool {
        (self.meter.id, &self.meter.account) == (meter.id, &meter.account)
    }

    /// The day that it is now, as the meter has it.
    pub(super) fn day(&self, now: Timestamp) -> Date {
        parking::day_of(&self.meter.resets, now)
    }

    /// How many there are for runs on a day on which nothing else is done.
    pub(super) fn for_runs(&self) -> u32 {
        self.meter.limit - reserve(self.meter.limit)
    }

    /// Takes requests, all of them or none.
    pub(crate) async fn take(
        self: &Arc<Self>,
        wanted: u32,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<Result<Ahead, Refusal>, Error> {
        match purpose {
            Purpose::Run => self.take_for_run(wanted, now).await,
            Purpose::Person => self.take_at_once(wanted, purpose, now).await,
            Purpose::Commit => match self.take_for_run(wanted, now).await? {
                Err(refusal) if !refusal.is_by_server => self.take_at_once(wanted, purpose, now).await,
                taken => Ok(taken),
            },
        }
    }

    /// From the block, or from the next one.
    async fn take_for_run(
        self: &Arc<Self>,
        wanted: u32,
        now: Timestamp,
    ) -> Result<Result<Ahead, Refusal>, Error> {
        let day = self.day(now);
        if let Some(taken) = self.of_block(wanted, day) {
            return Ok(Ok(taken));
        }
        let _turn = self.taking.lock().await;
        if let Some(taken) = self.of_block(wanted, day) {
            return Ok(Ok(taken));
        }
        let mut taken = self.all_of_block();
        if taken.day() != day {
            // Nothing is left of another day but the truth about it.
            self.give_back_of(&mut taken).await?;
        }
        let missing = wanted.saturating_sub(taken.left()).max(1);
        let take =
            Take { least: missing, most: missing.max(BLOCK), limit: self.for_runs(), though_spent: false };
        let given = match self.store.take_requests(&self.meter.account, self.meter.id, day, take).await? {
            Ok(given) => given,
            Err(count) => {
                let left = u64::from(self.for_runs()).saturating_sub(count.used);
                let left = u32::try_from(left).unwrap_or(u32::MAX).saturating_add(taken.left());
                let beside = u64::from(self.meter.limit).saturating_sub(count.used);
                let kept = u32::try_from(beside).unwrap_or(u32::MAX).min(reserve(self.meter.limit));
                return Ok(Err(self.refusal(wanted, left, kept, count.is_spent, now)));
            }
        };
        let mut all = Ahead::new(Arc::clone(self), day, given);
        all.join(taken);
        let wanted = all.split(wanted);
        self.block().is_in_doubt = false;
        Ok(Ok(wanted))
    }

    /// From the database, with what is kept for people. A person may ask a server that has said that nothing is left: it may
    /// have been given more.
    async fn take_at_once(
        self: &Arc<Self>,
        wanted: u32,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<Result<Ahead, Refusal>, Error> {
        let day = self.day(now);
        let (limit, though_spent) = (self.meter.limit, purpose == Purpose::Person);
        let take = Take { least: wanted, most: wanted, limit, though_spent };
        let taken = self.store.take_requests(&self.meter.account, self.meter.id, day, take).await?;
        Ok(taken.map(|_| Ahead::used(Arc::clone(self), day)).map_err(|count| {
            let left = u64::from(limit).saturating_sub(count.used);
            let left = u32::try_from(left).unwrap_or(u32::MAX);
            self.refusal(wanted, left, 0, count.is_spent && !though_spent, now)
        }))
    }

    fn refusal(&self, wanted: u32, left: u32, kept: u32, is_by_server: bool, now: Timestamp) -> Refusal {
        let until = parking::reset_after(&self.meter.resets, now);
        Refusal { wanted, left, kept, is_by_server, until }
    }

    /// So many of the block, if it is this day's and has them.
    fn of_block(self: &Arc<Self>, wanted: u32, day: Date) -> Option<Ahead> {
        let mut block = self.block();
        if block.day != day || block.is_in_doubt || block.left < wanted {
            return None;
        }
        block.left -= wanted;
        drop(block);
        Some(Ahead::new(Arc::clone(self), day, wanted))
    }

    fn all_of_block(self: &Arc<Self>) -> Ahead {
        let mut block = self.block();
        let (day, left) = (block.day, std::mem::take(&mut block.left));
        drop(block);
        Ahead::new(Arc::clone(self), day, left)
    }

    /// Puts into the block what was taken and not used. What is of an earlier day is worth nothing any more.
    pub(super) fn put_back(&self, day: Date, count: u32) {
        let mut block = self.block();
        if block.day == day {
            block.left += count;
        } else if count > 0 && (block.left == 0 || block.day < day) {
            (block.day, block.left) = (day, count);
        }
    }

    /// The database is asked before anything more is taken from the block.
    pub(super) fn ask_anew(&self) {
        self.block().is_in_doubt = true;
    }

    /// Gives what is left of the block back to all.
    pub(super) async fn give_back(self: &Arc<Self>) -> Result<(), Error> {
        let mut left = self.all_of_block();
        self.give_back_of(&mut left).await
    }

    async fn give_back_of(&self, ahead: &mut Ahead) -> Result<(), Error> {
        // Before it is given back: what the database may have got is not used here any more.
        let (day, count) = (ahead.day(), ahead.spend_all());
        if count == 0 {
            return Ok(());
        }
        self.store.give_back_requests(&self.meter.account, self.meter.id, day, count).await
    }

    /// How many of a day are in the block.
    pub(super) fn unused(&self, day: Date) -> u32 {
        let block = self.block();
        if block.day == day { block.left } else { 0 }
    }

    fn block(&self) -> std::sync::MutexGuard<'_, Block> {
        self.block.lock().expect("nothing panics while it holds a block")
    }
}
