//! Time and randomness, injected: a test can live a daily quota in a second and repeat itself exactly.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use rand::{TryRng, rngs::SysRng};

/// Tells the time and waits.
#[async_trait]
pub trait Clock: Send + Sync + fmt::Debug {
    /// The present moment.
    fn now(&self) -> Timestamp;

    /// Waits. A wait is given up by dropping it.
    async fn sleep(&self, how_long: Duration);
}

/// The clock on the wall.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else is given")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn sleep(&self, how_long: Duration) {
        tokio::time::sleep(how_long).await;
    }
}

/// Gives random bytes.
pub trait Entropy: Send + Sync + fmt::Debug {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);

    /// A number from 0 (inclusive) to 1 (exclusive).
    fn fraction(&self) -> f64 {
        let mut bytes = [0; 4];
        self.fill(&mut bytes);
        f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
    }
}

/// The operating system's random numbers.
#[derive(Clone, Copy, Debug)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        SysRng.try_fill_bytes(buffer).expect("the operating system gives random numbers");
    }
}

/// A clock that a test moves by hand.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct ManualClock {
    state: std::sync::Mutex<Hands>,
}

#[cfg(test)]
#[derive(Debug)]
struct Hands {
    now: Timestamp,
    sleepers: Vec<(Timestamp, tokio::sync::oneshot::Sender<()>)>,
}

#[cfg(test)]
impl ManualClock {
    pub(crate) fn at(now: Timestamp) -> Self {
        Self { state: std::sync::Mutex::new(Hands { now, sleepers: Vec::new() }) }
    }

    /// Moves the time, and wakes whoever wanted to sleep until then.
    pub(crate) fn advance(&self, by: Duration) {
        let mut hands = self.state.lock().expect("nothing panics while it holds the hands");
        hands.now = hands.now.checked_add(by).expect("a time that there is");
        let now = hands.now;
        for (_, wake) in hands.sleepers.extract_if(.., |(until, _)| *until <= now) {
            // One who does not listen any more has given up the wait.
            wake.send(()).ok();
        }
    }

    /// Sets the time back. Whoever sleeps sleeps no longer for it.
    pub(crate) fn set_back(&self, by: Duration) {
        let mut hands = self.state.lock().expect("nothing panics while it holds the hands");
        hands.now = hands.now.checked_sub(by).expect("a time that there is");
        for (until, _) in &mut hands.sleepers {
            *until = until.checked_sub(by).expect("a time that there is");
        }
    }

    /// Moves the time to where the next sleeper wakes. Gives false when nobody sleeps.
    pub(crate) fn advance_to_next(&self) -> bool {
        let wait = {
            let mut hands = self.state.lock().expect("nothing panics while it holds the hands");
            hands.sleepers.retain(|(_, wake)| !wake.is_closed());
            let next = hands.sleepers.iter().map(|(until, _)| *until).min();
            next.map(|until| until.duration_since(hands.now).unsigned_abs())
        };
        wait.inspect(|wait| self.advance(*wait)).is_some()
    }
}

#[cfg(test)]
#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.state.lock().expect("nothing panics while it holds the hands").now
    }

    async fn sleep(&self, how_long: Duration) {
        let (wake, woken) = tokio::sync::oneshot::channel();
        {
            let mut hands = self.state.lock().expect("nothing panics while it holds the hands");
            let until = hands.now.checked_add(how_long).unwrap_or(Timestamp::MAX);
            if until <= hands.now {
                return;
            }
            hands.sleepers.push((until, wake));
        }
        // The clock is dropped with the test.
        drop(woken.await);
    }
}
