//! The budget: how many requests a day's quota leaves, counted for all that share it, across processes and restarts.
//!
//! Requests are counted in the database before they are made: a run takes some at a time ([`counter`]), so that a kill counts
//! a few too many and never too few, and what is left over is given back at the end of a run. A day is one as the meter
//! has it, and what was taken on a day is worth nothing on another. Runs leave a [`reserve`] for people. What is sent takes its share of
//! the commit ahead ([`ahead`]). Each opening of a storage spends through its own [`spending`], which knows who asks.

mod ahead;
mod counter;
mod spending;
#[cfg(test)]
mod tests;
mod view;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use charon_provider::Meter;

use crate::{clock::Clock, error::Error, parking, store::Store};
pub(crate) use ahead::{Ahead, Purse, paying};
use counter::Counter;
pub(crate) use spending::Spending;
pub use view::{BudgetView, DayOfRequests};

/// The largest part of a limit that is kept in reserve.
const LARGEST_PART: u32 = 4;
/// So many percent of a limit are kept in reserve.
const PERCENT: u32 = 2;
/// No fewer than these are kept, if the limit has room for them.
const FEWEST: u32 = 20;

/// Who asks, and so how much of the day's requests may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A run: not what is kept for people.
    Run,
    /// A commit of what a run has sent: first what was taken ahead for it, and if it takes more, whatever is there, since
    /// what was sent would otherwise be worth nothing.
    Commit,
    /// A person who waits for the answer.
    Person,
}

/// Of the limit of a meter, what runs leave for people: a test, a list of albums, an estimate.
pub(crate) fn reserve(limit: u32) -> u32 {
    let part = limit / 100 * PERCENT + limit % 100 * PERCENT / 100;
    part.max(FEWEST).min(limit / LARGEST_PART)
}

/// All that this process counts.
#[derive(Clone, Debug)]
pub(crate) struct Budgets {
    store: Store,
    clock: Arc<dyn Clock>,
    counters: Arc<Mutex<HashMap<Key, Arc<Counter>>>>,
}

/// What shares a counter. Storages with different limits count together in the database, and each obeys its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    account: String,
    meter: &'static str,
    limit: u32,
}

impl Budgets {
    pub(crate) fn new(store: Store, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, counters: Arc::default() }
    }

    /// The counter of a meter, always the same one.
    fn counter(&self, meter: &Meter) -> Arc<Counter> {
        let key = Key { account: meter.account.clone(), meter: meter.id, limit: meter.limit };
        let mut counters = self.counters();
        let new = || Arc::new(Counter::new(self.store.clone(), meter.clone()));
        Arc::clone(counters.entry(key).or_insert_with(new))
    }

    /// Remembers that the server itself says that nothing is left today, or that it does not any more.
    pub(crate) async fn set_spent(&self, meter: &Meter, is_spent: bool) -> Result<(), Error> {
        let day = parking::day_of(&meter.resets, self.clock.now());
        self.store.set_spent(&meter.account, meter.id, day, is_spent).await?;
        if is_spent {
            let counters: Vec<_> = self.counters().values().cloned().collect();
            for counter in counters.iter().filter(|counter| counter.counts_with(meter)) {
                counter.ask_anew();
            }
        }
        Ok(())
    }

    fn counters(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Arc<Counter>>> {
        self.counters.lock().expect("nothing panics while it holds the counters")
    }
}
