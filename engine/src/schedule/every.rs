//! `@every 6h`: a constant interval, anchored to the Unix epoch.
//!
//! Anchored there, its occurrences depend on no zone, no start-up and no last run: everyone works out the same ones.

use std::ops::RangeInclusive;

use jiff::Timestamp;

use super::error::EveryFault;

const SECONDS: RangeInclusive<i64> = 1..=366 * 86_400;

/// The units, larger ones first, with their seconds.
const UNITS: [(char, i64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// An interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Every {
    /// At least one.
    seconds: i64,
}

// === impl Every ===

impl Every {
    /// Reads an interval such as `1h30m`.
    pub(super) fn parse(text: &str) -> Result<Self, EveryFault> {
        if text.is_empty() {
            return Err(EveryFault::Missing);
        }
        let (mut rest, mut units, mut seconds) = (text, UNITS.iter(), 0_i64);
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|digits| *digits > 0);
            let (number, after_number) = rest.split_at(digits.ok_or(EveryFault::Form)?);
            let mut letters = after_number.chars();
            let letter = letters.next().ok_or(EveryFault::Form)?;
            // Only what comes after the last unit is looked at.
            let (_, unit) = units.find(|(unit, _)| *unit == letter).ok_or(EveryFault::Form)?;
            let part = number.parse::<i64>().ok().and_then(|number| number.checked_mul(*unit));
            seconds = part.and_then(|part| seconds.checked_add(part)).ok_or(EveryFault::TooLong)?;
            rest = letters.as_str();
        }
        match seconds {
            seconds if seconds < *SECONDS.start() => Err(EveryFault::TooShort),
            seconds if seconds > *SECONDS.end() => Err(EveryFault::TooLong),
            seconds => Ok(Self { seconds }),
        }
    }

    /// How long it is.
    pub(super) fn seconds(self) -> i64 {
        self.seconds
    }

    /// The first multiple since the epoch that is strictly later. `None` at the end of representable time.
    pub(super) fn after(self, after: Timestamp) -> Option<Timestamp> {
        // The second that an instant before the epoch lies in begins before it, not after it.
        let begun = after.as_second() - i64::from(after.subsec_nanosecond() < 0);
        let next = begun.div_euclid(self.seconds).checked_add(1)?.checked_mul(self.seconds)?;
        Timestamp::from_second(next).ok()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::Every;

    fn seconds(text: &str) -> Result<i64, String> {
        Every::parse(text).map(|every| every.seconds).map_err(|fault| fault.to_string())
    }

    #[test]
    fn an_interval_is_whole_numbers_of_units() {
        for (text, expected) in [
            ("6h", 21_600),
            ("90m", 5_400),
            ("1h30m", 5_400),
            ("1d", 86_400),
            ("1s", 1),
            ("366d", 31_622_400),
        ] {
            assert_eq!(seconds(text), Ok(expected), "for {text}");
        }
    }

    #[test]
    fn zero_absurd_and_unreadable_intervals_are_refused() {
        for (text, expected) in [
            ("", "is missing"),
            ("0h", "shorter than one second"),
            ("0d0h0m0s", "shorter than one second"),
            ("367d", "longer than 366 days"),
            ("99999999999999999999h", "longer than 366 days"),
            ("9999999999999999d", "longer than 366 days"),
            ("6", "whole numbers with the units"),
            ("h", "whole numbers with the units"),
            ("-1h", "whole numbers with the units"),
            ("1.5h", "whole numbers with the units"),
            ("1 h", "whole numbers with the units"),
            ("30m1h", "larger ones first"),
            ("1h1h", "at most once"),
            ("1w", "units d, h, m, s"),
            ("6H", "units d, h, m, s"),
            ("1hé", "units d, h, m, s"),
        ] {
            let said = seconds(text).expect_err(text);
            assert!(said.contains(expected), "for {text:?}: {said}");
        }
    }

    #[test]
    fn multiples_count_from_the_epoch_in_both_directions() {
        for (text, after, expected) in [
            ("6h", "2026-11-21T05:59:59.999999999Z", "2026-11-21T06:00:00Z"),
            ("6h", "2026-11-21T06:00:00Z", "2026-11-21T12:00:00Z"),
            ("90m", "2026-11-21T00:00:00Z", "2026-11-21T01:30:00Z"),
            ("6h", "1969-12-31T23:59:59.5Z", "1970-01-01T00:00:00Z"),
            ("6h", "1969-12-31T17:59:59.5Z", "1969-12-31T18:00:00Z"),
            ("7d", "1970-01-01T00:00:00Z", "1970-01-08T00:00:00Z"),
        ] {
            let next = Every::parse(text).expect(text).after(after.parse().expect("a time"));
            assert_eq!(next.map(|next| next.to_string()).as_deref(), Some(expected), "{text} after {after}");
        }
        assert_eq!(Every::parse("6h").expect("6h").after(Timestamp::MAX), None);
    }
}
