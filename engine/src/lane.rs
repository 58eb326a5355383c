//! The lane of one account: how fast requests go, a hold when the account asks to be left alone, and the count of requests.

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    sync::{Arc, Mutex},
    time::Duration,
};

use charon_provider::Cost;
use governor::{
    DefaultDirectRateLimiter, Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
};
use jiff::Timestamp;

use crate::clock::Clock;

/// A fuse, not a brake: no run needs more than this many requests a second, and one that makes more has gone wrong.
const REQUESTS_PER_SECOND: NonZeroU32 = NonZeroU32::new(1_000).expect("not zero");

/// One account's lane.
#[derive(Debug)]
pub(crate) struct Lane {
    clock: Arc<dyn Clock>,
    pace: DefaultDirectRateLimiter,
    state: Mutex<State>,
    writing: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    held_until: Option<Timestamp>,
    requests: BTreeMap<&'static str, u64>,
}

impl Lane {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let pace = RateLimiter::direct(Quota::per_second(REQUESTS_PER_SECOND));
        Self { clock, pace, state: Mutex::default(), writing: tokio::sync::Mutex::default() }
    }

    /// Waits until a request fits, and counts it.
    pub(crate) async fn permit(&self, cost: Cost) {
        loop {
            let held_until = self.state().held_until;
            let wait = match held_until.map(|until| until.duration_since(self.clock.now())) {
                Some(hold) if hold.is_positive() => hold.unsigned_abs(),
                // The fuse measures real time, whatever the clock says: it is there for a program that has gone wrong.
                _ => match self.pace.check() {
                    Ok(()) => break,
                    Err(not_until) => not_until.wait_time_from(DefaultClock::default().now()),
                },
            };
            self.clock.sleep(wait).await;
        }
        *self.state().requests.entry(cost.0).or_default() += 1;
    }

    /// Waits for the turn to write: an account takes one structured write at a time (I8). The turn ends when it is dropped.
    pub(crate) async fn turn_to_write(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.writing.lock().await
    }

    /// Lets no request through for this long: the account asked for it. A longer hold stays.
    pub(crate) fn hold(&self, how_long: Duration) {
        let until = self.clock.now().checked_add(how_long).unwrap_or(Timestamp::MAX);
        let mut state = self.state();
        state.held_until = state.held_until.max(Some(until));
    }

    /// The requests so far, by meter.
    pub(crate) fn requests(&self) -> BTreeMap<String, u64> {
        self.state().requests.iter().map(|(meter, count)| ((*meter).to_owned(), *count)).collect()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the lane")
    }
}
