//! The lane of one account, which all runs of this process share that use the account: how fast requests and bytes go, how
//! many transfers there are at a time, a hold when the account asks to be left alone, and whose turn it is to write.

mod pace;
mod slots;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use charon_provider::Pace;
use governor::{
    DefaultDirectRateLimiter, Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    nanos::Nanos,
};

use crate::{clock::Clock, ids::StorageId};
use pace::{Paces, Steady};
use slots::Slots;
pub(crate) use slots::Transfer;

/// A fuse, not a brake: no run needs more than this many requests a second, and one that makes more has gone wrong.
const REQUESTS_PER_SECOND: std::num::NonZeroU32 = std::num::NonZeroU32::new(1_000).expect("not zero");

/// The lanes of the storages that are in use.
#[derive(Clone, Debug)]
pub(crate) struct Lanes {
    clock: Arc<dyn Clock>,
    lanes: Arc<Mutex<HashMap<StorageId, Arc<Lane>>>>,
}

impl Lanes {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, lanes: Arc::default() }
    }

    /// The lane of a storage, always the same one.
    pub(crate) fn of(&self, storage: StorageId) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().expect("nothing panics while it holds the lanes");
        let lane = lanes.entry(storage).or_insert_with(|| Arc::new(Lane::new(Arc::clone(&self.clock))));
        Arc::clone(lane)
    }
}

/// One account's lane.
#[derive(Debug)]
pub(crate) struct Lane {
    clock: Arc<dyn Clock>,
    steady: Steady,
    fuse: DefaultDirectRateLimiter,
    paces: Paces,
    slots: Slots,
    /// By the steady clock: one on a wall that is set back shall not hold anybody for longer.
    held_until: Mutex<Nanos>,
    writing: tokio::sync::Mutex<()>,
}

impl Lane {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let steady = Steady::new(Arc::clone(&clock));
        Self {
            fuse: RateLimiter::direct(Quota::per_second(REQUESTS_PER_SECOND)),
            paces: Paces::new(steady.clone()),
            steady,
            slots: Slots::new(Pace::default().connections),
            held_until: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
            clock,
        }
    }

    /// From now on at this pace.
    pub(crate) fn set_pace(&self, pace: Pace) {
        self.paces.set(pace);
        self.slots.set_ceiling(pace.connections);
    }

    /// Waits until a request fits: nobody has asked to be left alone, and the pace allows it.
    pub(crate) async fn permit(&self) {
        while let Err(wait) = self.try_permit() {
            self.clock.sleep(wait).await;
        }
    }

    /// Permits a request, or says how long to wait before the next try.
    fn try_permit(&self) -> Result<(), Duration> {
        let hold = self.held_for();
        if !hold.is_zero() {
            return Err(hold);
        }
        // The fuse measures real time, whatever the clock says: it is there for a program that has gone wrong.
        self.fuse.check().map_err(|not_until| not_until.wait_time_from(DefaultClock::default().now()))?;
        self.paces.request()
    }

    /// Waits for a slot: so many transfers go on at a time. The slot is free again when it is dropped.
    pub(crate) async fn transfer(&self) -> Transfer {
        self.slots.take().await
    }

    /// Waits until so many bytes more may go up.
    pub(crate) async fn bytes_up(&self, count: usize) {
        self.paces.up(count).await;
    }

    /// Waits until so many bytes more may come down.
    pub(crate) async fn bytes_down(&self, count: usize) {
        self.paces.down(count).await;
    }

    /// Waits for the turn to write: an account takes one structured write at a time (I8). The turn ends when it is dropped.
    pub(crate) async fn turn_to_write(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.writing.lock().await
    }

    /// Lets no request through for this long: the account asked for it. A longer hold stays.
    pub(crate) fn hold(&self, how_long: Duration) {
        let how_long = u64::try_from(how_long.as_nanos()).unwrap_or(u64::MAX);
        let until = Nanos::new(self.now().saturating_add(how_long));
        let mut held_until = self.held_until();
        *held_until = (*held_until).max(until);
    }

    /// The account asked to slow down: a hold, and from then on fewer transfers at a time. What was under way when the
    /// hold began asks for no further slowing.
    pub(crate) fn slow_down(&self, how_long: Duration) {
        if self.held_for().is_zero() {
            self.slots.halve();
        }
        self.hold(how_long);
    }

    fn now(&self) -> u64 {
        governor::clock::Clock::now(&self.steady).as_u64()
    }

    /// For how long nothing goes through from now on.
    fn held_for(&self) -> Duration {
        let now = self.now();
        Duration::from_nanos(self.held_until().as_u64().saturating_sub(now))
    }

    fn held_until(&self) -> std::sync::MutexGuard<'_, Nanos> {
        self.held_until.lock().expect("nothing panics while it holds the lane")
    }
}

#[cfg(test)]
mod tests;
