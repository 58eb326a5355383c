//! How fast requests and bytes go: a token bucket each, filled by the engine's clock.

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex},
    time::Duration,
};

use charon_provider::Pace;
use governor::{
    Quota, RateLimiter, clock,
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed},
};
use jiff::Timestamp;

use crate::clock::Clock;

/// The most a second that a bucket counts one by one.
const FINEST: u32 = 1_000_000;
const ONE: NonZeroU32 = NonZeroU32::new(1).expect("not zero");

#[derive(Debug)]
struct Bucket {
    limiter: RateLimiter<NotKeyed, InMemoryState, Steady, NoOpMiddleware<Nanos>>,
    /// What it holds when it is full.
    holds: NonZeroU32,
    /// How much one of what it holds stands for.
    unit: u32,
    /// Who wants much is not overtaken for ever by those who want little.
    turn: tokio::sync::Mutex<()>,
}

impl Bucket {
    /// So many a minute, one after the other: a minute has no burst at its beginning.
    fn of_requests(per_minute: NonZeroU32, steady: Steady) -> Self {
        Self::new(per_minute, Duration::from_mins(1), ONE, 1, steady)
    }

    /// So many a second. Many are counted by the hundred or thousand, since the limiter measures in whole nanoseconds.
    fn of_bytes(per_second: NonZeroU32, steady: Steady) -> Self {
        let unit = per_second.get().div_ceil(FINEST);
        let rate = NonZeroU32::new(per_second.get() / unit).unwrap_or(ONE);
        Self::new(rate, Duration::from_secs(1), rate, unit, steady)
    }

    fn new(rate: NonZeroU32, within: Duration, holds: NonZeroU32, unit: u32, steady: Steady) -> Self {
        // Rounded up, so that no period has one too many.
        let period = within.as_nanos().div_ceil(u128::from(rate.get()));
        let period = Duration::from_nanos(u64::try_from(period).unwrap_or(u64::MAX));
        let quota = Quota::with_period(period).expect("not zero").allow_burst(holds);
        let limiter = RateLimiter::direct_with_clock(quota, steady);
        Self { limiter, holds, unit, turn: tokio::sync::Mutex::default() }
    }

    /// Takes so many (no more than it holds), or says how long to wait before the next try.
    fn take(&self, count: NonZeroU32) -> Result<(), Duration> {
        match self.limiter.check_n(count) {
            Ok(Err(not_until)) => Err(not_until.wait_time_from(clock::Clock::now(self.limiter.clock()))),
            Ok(Ok(())) | Err(_) => Ok(()),
        }
    }
}

#[derive(Debug)]
pub(super) struct Paces {
    steady: Steady,
    buckets: Mutex<Buckets>,
}

#[derive(Debug, Default)]
struct Buckets {
    pace: Pace,
    requests: Option<Arc<Bucket>>,
    up: Option<Arc<Bucket>>,
    down: Option<Arc<Bucket>>,
}

impl Paces {
    /// No limits, at first.
    pub(super) fn new(steady: Steady) -> Self {
        Self { steady, buckets: Mutex::default() }
    }

    pub(super) fn set(&self, pace: Pace) {
        let mut buckets = self.buckets();
        let old = std::mem::replace(&mut buckets.pace, pace);
        let requests = |rate| Arc::new(Bucket::of_requests(rate, self.steady.clone()));
        let bytes = |rate| Arc::new(Bucket::of_bytes(rate, self.steady.clone()));
        // What stays as it is keeps its count.
        if old.requests_per_minute != pace.requests_per_minute {
            buckets.requests = pace.requests_per_minute.map(requests);
        }
        if old.up != pace.up {
            buckets.up = pace.up.map(bytes);
        }
        if old.down != pace.down {
            buckets.down = pace.down.map(bytes);
        }
    }

    /// Takes one request, or says how long to wait before the next try.
    pub(super) fn request(&self) -> Result<(), Duration> {
        let bucket = self.buckets().requests.clone();
        bucket.map_or(Ok(()), |bucket| bucket.take(ONE))
    }

    pub(super) async fn up(&self, bytes: usize) {
        let bucket = self.buckets().up.clone();
        self.take(bucket, bytes).await;
    }

    pub(super) async fn down(&self, bytes: usize) {
        let bucket = self.buckets().down.clone();
        self.take(bucket, bytes).await;
    }

    /// Takes so many from a bucket, at most what it holds when it is full at a time.
    async fn take(&self, bucket: Option<Arc<Bucket>>, count: usize) {
        let Some(bucket) = bucket else { return };
        let _turn = bucket.turn.lock().await;
        let mut left = count.div_ceil(bucket.unit as usize);
        while left > 0 {
            let some = u32::try_from(left).unwrap_or(u32::MAX).min(bucket.holds.get());
            let Some(some) = NonZeroU32::new(some) else { return };
            while let Err(wait) = bucket.take(some) {
                self.steady.clock.sleep(wait).await;
            }
            left -= some.get() as usize;
        }
    }

    fn buckets(&self) -> std::sync::MutexGuard<'_, Buckets> {
        self.buckets.lock().expect("nothing panics while it holds the buckets")
    }
}

/// The engine's clock as one that never goes back: a clock on a wall does, and nobody shall wait for it to catch up.
#[derive(Clone, Debug)]
pub(super) struct Steady {
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<(Timestamp, Nanos)>>,
}

impl Steady {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let state = Arc::new(Mutex::new((clock.now(), Nanos::default())));
        Self { clock, state }
    }
}

impl clock::Clock for Steady {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let mut state = self.state.lock().expect("nothing panics while it holds the time");
        let now = self.clock.now();
        let passed = now.duration_since(state.0);
        let passed = if passed.is_positive() { passed.unsigned_abs() } else { Duration::ZERO };
        let passed = u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX);
        *state = (now, Nanos::new(state.1.as_u64().saturating_add(passed)));
        state.1
    }
}
