//! The emulator's time: the system's clock plus an offset, or a clock that stands still.
//!
//! Everything that expires (base URLs, tokens, the daily quota) reads this clock, so that a test can live a day in an
//! instant. Nothing else in the crate may ask the system for the time.

use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};

/// A clock that can be moved forward.
#[derive(Debug)]
pub(crate) struct Clock {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    fixed: Option<Timestamp>,
    offset: SignedDuration,
}

impl Clock {
    /// A clock that follows the system's, or one that stands still at `fixed`.
    pub(crate) fn new(fixed: Option<Timestamp>) -> Clock {
        Clock { inner: Mutex::new(Inner { fixed, offset: SignedDuration::ZERO }) }
    }

    /// What time it is for the emulator.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the emulator reads the system's clock"
    )]
    pub(crate) fn now(&self) -> Timestamp {
        let inner = self.inner.lock().expect("no code panics while it holds the clock");
        let base = inner.fixed.unwrap_or_else(Timestamp::now);
        base.checked_add(inner.offset).unwrap_or(Timestamp::MAX)
    }

    /// Moves the clock forward (or back, with a negative duration).
    pub(crate) fn advance(&self, by: SignedDuration) {
        let mut inner = self.inner.lock().expect("no code panics while it holds the clock");
        inner.offset = inner.offset.saturating_add(by);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_clock_moves_only_when_it_is_told_to() {
        let start: Timestamp = "2026-11-21T07:00:00Z".parse().unwrap();
        let clock = Clock::new(Some(start));
        assert_eq!(clock.now(), start);
        clock.advance(SignedDuration::from_hours(2));
        assert_eq!(clock.now().to_string(), "2026-11-21T09:00:00Z");
    }
}
