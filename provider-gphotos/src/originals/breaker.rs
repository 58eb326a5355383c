//! Whether it is worth asking the proxy: after some failures in a row it is left alone for a while, then asked once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// So many failures in a row open the breaker.
const MOST_FAILURES: u32 = 3;
const SHORTEST_REST: SignedDuration = SignedDuration::from_mins(1);
const LONGEST_REST: SignedDuration = SignedDuration::from_mins(30);

/// Counts the failures of one proxy.
#[derive(Clone, Debug, Default)]
pub(super) struct Breaker {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Failures in a row.
    failures: u32,
    /// Left alone until then, after a rest of that length.
    resting: Option<(Timestamp, SignedDuration)>,
    /// Whether somebody is finding out if the rest has helped.
    probing: bool,
}

/// One attempt at the proxy. Dropped without a verdict, it says nothing of it.
#[derive(Debug)]
pub(super) struct Attempt {
    breaker: Breaker,
    is_probe: bool,
}

impl Breaker {
    /// An attempt, unless the proxy is to be left alone.
    pub(super) fn attempt(&self, now: Timestamp) -> Option<Attempt> {
        let mut state = self.state();
        let is_probe = match state.resting {
            None => false,
            Some((until, _)) if now < until || state.probing => return None,
            Some(_) => true,
        };
        state.probing |= is_probe;
        Some(Attempt { breaker: self.clone(), is_probe })
    }

    /// Until when the proxy is to be left alone, if it is to be.
    pub(super) fn resting_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.state().resting.map(|(until, _)| until).filter(|until| now < *until)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt {
    /// The proxy did what it is for, or said that it has no such item.
    pub(super) fn succeeded(self) {
        let mut state = self.breaker.state();
        state.failures = 0;
        state.resting = None;
    }

    /// It did not. Gives how long it is left alone, if this is what opens the breaker.
    pub(super) fn failed(self, now: Timestamp) -> Option<SignedDuration> {
        let mut state = self.breaker.state();
        state.failures = state.failures.saturating_add(1);
        let rest = match state.resting {
            Some((_, before)) if self.is_probe => (before + before).min(LONGEST_REST),
            None if state.failures >= MOST_FAILURES => SHORTEST_REST,
            // It was begun before the breaker opened, or there is patience left.
            _ => return None,
        };
        state.resting = Some((now.checked_add(rest).unwrap_or(Timestamp::MAX), rest));
        Some(rest)
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if self.is_probe {
            self.breaker.state().probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::Breaker;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn fail(breaker: &Breaker, seconds: i64) -> Option<i64> {
        let attempt = breaker.attempt(at(seconds)).expect("an attempt");
        attempt.failed(at(seconds)).map(|rest| rest.as_secs())
    }

    #[test]
    fn three_failures_in_a_row_open_it_and_each_rest_is_twice_as_long_as_the_one_before() {
        let breaker = Breaker::default();
        assert_eq!([fail(&breaker, 0), fail(&breaker, 0), fail(&breaker, 0)], [None, None, Some(60)]);
        let mut now = 0;
        for (rest, next) in [(60, 120), (120, 240), (240, 480), (480, 960), (960, 1800), (1800, 1800)] {
            assert!(breaker.attempt(at(now + rest - 1)).is_none(), "it was asked during its rest");
            now += rest;
            assert_eq!(fail(&breaker, now), Some(next));
        }
    }

    #[test]
    fn a_success_closes_it_and_forgets_the_failures() {
        let breaker = Breaker::default();
        fail(&breaker, 0);
        fail(&breaker, 0);
        breaker.attempt(at(0)).unwrap().succeeded();
        assert_eq!([fail(&breaker, 0), fail(&breaker, 0), fail(&breaker, 0)], [None, None, Some(60)]);
        breaker.attempt(at(60)).unwrap().succeeded();
        assert_eq!(fail(&breaker, 60), None);
        assert!(breaker.attempt(at(60)).is_some());
    }

    #[test]
    fn after_a_rest_one_attempt_is_made_at_a_time_and_one_that_says_nothing_is_made_again() {
        let breaker = Breaker::default();
        // Under way when the breaker opens; its failure makes the rest no longer.
        let earlier = breaker.attempt(at(0)).unwrap();
        for _ in 0..3 {
            fail(&breaker, 0);
        }
        assert_eq!(earlier.failed(at(30)), None);
        let probe = breaker.attempt(at(60)).expect("a probe");
        assert!(breaker.attempt(at(60)).is_none(), "a second probe");
        drop(probe);
        let probe = breaker.attempt(at(61)).expect("another probe");
        assert_eq!(probe.failed(at(61)), Some(SignedDuration::from_mins(2)));
    }
}
