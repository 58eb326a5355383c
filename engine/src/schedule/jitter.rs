//! How long after its time something begins, so that not everybody begins at once.

use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// A delay from zero to `at_most`, both included, and as likely as any other in between.
///
/// It is a function of its arguments: asked again about the same instant, after a restart or elsewhere, it answers the same.
/// The seed tells apart those that are due at the same instant; a plan's id does. Another instant has another delay.
///
/// ```
/// use std::time::Duration;
/// use charon_engine::schedule::jitter;
///
/// let due = "2026-03-28T01:30:00Z".parse()?;
/// let delay = jitter("a plan's id", due, Duration::from_mins(10));
/// assert!(delay <= Duration::from_mins(10));
/// assert_eq!(delay, jitter("a plan's id", due, Duration::from_mins(10)));
/// # Ok::<(), jiff::Error>(())
/// ```
pub fn jitter(seed: &str, scheduled_for: Timestamp, at_most: Duration) -> Duration {
    // The instant has a constant length, so no two pairs read the same.
    let digest = Sha256::new().chain_update(scheduled_for.as_nanosecond().to_be_bytes()).chain_update(seed);
    // Half of it is many times more than any delay needs: what the remainder favours cannot be noticed.
    let number = digest.finalize().iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte));
    Duration::from_nanos_u128(number % (at_most.as_nanos() + 1))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::{SignedDuration, Timestamp};

    use super::jitter;

    const HOUR: Duration = Duration::from_hours(1);

    fn due() -> Timestamp {
        "2026-03-28T01:30:00Z".parse().expect("a time")
    }

    #[test]
    fn the_same_instant_has_the_same_delay_in_every_version() {
        // Worked out with another program: the first 16 bytes of SHA-256 of the nanoseconds since 1970, as 16 bytes, and of
        // the seed, as a number, modulo one nanosecond more than the most.
        for (seed, at_most, expected) in [
            ("", HOUR, 624_164_203_696),
            ("a", HOUR, 2_310_848_725_904),
            ("018f3a5e-0000-7000-8000-000000000001", Duration::from_mins(10), 493_302_364_360),
        ] {
            assert_eq!(jitter(seed, due(), at_most).as_nanos(), expected, "for {seed:?}");
        }
    }

    #[test]
    fn seeds_and_instants_have_delays_of_their_own() {
        let delay = jitter("a", due(), HOUR);
        assert_ne!(delay, jitter("b", due(), HOUR));
        assert_ne!(delay, jitter("a", due() + SignedDuration::from_nanos(1), HOUR));
        assert_ne!(delay, jitter("a", due() - SignedDuration::from_hours(24), HOUR));
    }

    #[test]
    fn no_delay_is_longer_than_the_most_and_the_most_may_be_anything() {
        for at_most in [Duration::ZERO, Duration::from_nanos(1), HOUR, Duration::MAX] {
            for seed in 0..100 {
                assert!(jitter(&seed.to_string(), due(), at_most) <= at_most);
            }
        }
        let delays =
            (0..100).map(|seed| jitter(&seed.to_string(), due(), Duration::from_nanos(1)).as_nanos());
        let delays: std::collections::BTreeSet<_> = delays.collect();
        assert_eq!(delays, [0, 1].into(), "both ends are included");
        assert_eq!(jitter("a", Timestamp::MIN, Duration::ZERO), jitter("b", Timestamp::MAX, Duration::ZERO));
    }

    #[test]
    fn delays_are_spread_evenly() {
        let mut tenths = [0_u32; 10];
        for day in 0..10_000 {
            let delay = jitter("a plan", due() + SignedDuration::from_hours(24 * day), HOUR);
            tenths[usize::try_from(delay.as_secs() / 360).expect("small")] += 1;
        }
        // A thousand each, give or take; 150 is five standard deviations.
        assert!(tenths.iter().all(|count| (850..1_150).contains(count)), "{tenths:?}");
    }
}
