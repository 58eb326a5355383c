//! Looking back: the latest occurrence of a stretch, and how many there are. What was missed is judged by these.

use jiff::Timestamp;

use super::Schedule;

impl Schedule {
    /// The latest instant at which it was due: later than `not_before`, and not later than `now`.
    ///
    /// It asks some thirty times for a next occurrence, however long the stretch and however dense the expression.
    ///
    /// ```
    /// use charon_engine::Schedule;
    ///
    /// let schedule = Schedule::parse("30 2 * * *", "Europe/Berlin")?;
    /// let latest = schedule.latest("2026-01-01T00:00:00Z".parse()?, "2026-11-21T12:00:00Z".parse()?);
    /// assert_eq!(latest, Some("2026-11-21T02:30:00+01:00".parse()?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn latest(&self, not_before: Timestamp, now: Timestamp) -> Option<Timestamp> {
        // Occurrences are whole seconds. Before 1970, an instant lies in the second that begins before it as well.
        let second = |instant: Timestamp| instant.as_second() - i64::from(instant.subsec_nanosecond() < 0);
        let next = |after: Timestamp| self.after(after).next();
        let first = next(not_before).filter(|due| *due <= now)?;
        // One at which it is due, and one after which it is not up to now. They close in on each other.
        let (mut latest, mut none_after) = (second(first), second(now));
        while latest < none_after {
            let middle = latest + (none_after - latest) / 2;
            match next(Timestamp::from_second(middle).ok()?).map(second).filter(|due| *due <= none_after) {
                Some(due) => latest = due,
                None => none_after = middle,
            }
        }
        Timestamp::from_second(latest).ok()
    }

    /// How many times it is due later than `after` and not later than `until`, counted no further than `at_most`.
    ///
    /// Takes time in proportion to the answer.
    pub fn count_between(&self, after: Timestamp, until: Timestamp, at_most: u32) -> u32 {
        self.after(after)
            .take_while(|due| *due <= until)
            .zip(1..=at_most)
            .last()
            .map_or(0, |(_, count)| count)
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use proptest::prelude::*;

    use super::Schedule;
    use crate::schedule::properties::{fields, zone_and_minute};

    fn instant(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn latest(expression: &str, not_before: &str, now: &str) -> Option<String> {
        let schedule = Schedule::parse(expression, "Europe/Berlin").expect(expression);
        schedule.latest(instant(not_before), instant(now)).map(|due| due.to_string())
    }

    #[test]
    fn the_latest_of_many_years_is_found_at_once_however_dense_or_sparse() {
        for (expression, not_before, now, expected) in [
            ("* * * * * *", "1970-01-01T00:00:00Z", "2026-11-21T12:34:56.789Z", Some("2026-11-21T12:34:56Z")),
            ("* * * * * *", "1970-01-01T00:00:00Z", "2100-06-01T00:00:00Z", Some("2100-06-01T00:00:00Z")),
            ("@every 1s", "-009999-01-02T12:00:00Z", "9999-12-01T00:00:00.5Z", Some("9999-12-01T00:00:00Z")),
            ("@every 6h", "1960-01-01T00:00:00Z", "1969-12-31T23:59:59.5Z", Some("1969-12-31T18:00:00Z")),
            ("@every 1s", "1960-01-01T00:00:00Z", "1969-12-31T23:59:57.5Z", Some("1969-12-31T23:59:57Z")),
            ("@every 1s", "1969-12-31T23:59:50Z", "1969-12-31T23:59:59.5Z", Some("1969-12-31T23:59:59Z")),
            ("30 2 * * *", "2016-01-01T00:00:00Z", "2026-11-21T12:00:00Z", Some("2026-11-21T01:30:00Z")),
            ("0 0 29 2 *", "1970-01-01T00:00:00Z", "2027-12-31T00:00:00Z", Some("2024-02-28T23:00:00Z")),
            ("0 0 29 2 */7", "1970-01-01T00:00:00Z", "2031-12-31T00:00:00Z", Some("2004-02-28T23:00:00Z")),
            ("0 0 30 2 *", "1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z", None),
            // Nothing is due after 2100, and the last one of all stays the latest.
            ("0 0 1 1 *", "1970-01-01T00:00:00Z", "9999-12-01T00:00:00Z", Some("2099-12-31T23:00:00Z")),
        ] {
            assert_eq!(latest(expression, not_before, now).as_deref(), expected, "{expression} until {now}");
        }
    }

    #[test]
    fn the_stretch_begins_after_its_first_instant_and_ends_with_its_last() {
        for (not_before, now, expected) in [
            ("2026-11-21T01:29:59.999Z", "2026-11-21T01:30:00Z", Some("2026-11-21T01:30:00Z")),
            ("2026-11-21T01:30:00Z", "2026-11-22T01:29:59.999Z", None),
            ("2026-11-21T01:30:00Z", "2026-11-22T01:30:00Z", Some("2026-11-22T01:30:00Z")),
            ("2026-11-21T01:30:00Z", "2026-11-21T01:30:00Z", None),
            // The other way round there is nothing between.
            ("2026-11-23T00:00:00Z", "2026-11-21T00:00:00Z", None),
            // On 29 March it is due at the end of the gap.
            ("2026-03-28T12:00:00Z", "2026-03-29T00:59:59Z", None),
            ("2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z", Some("2026-03-29T01:00:00Z")),
            // On 25 October in the first pass.
            ("2026-10-24T12:00:00Z", "2026-10-25T01:45:00Z", Some("2026-10-25T00:30:00Z")),
            ("2026-10-25T00:30:00Z", "2026-10-25T23:00:00Z", None),
        ] {
            let found = latest("30 2 * * *", not_before, now);
            assert_eq!(found.as_deref(), expected, "from {not_before} to {now}");
            let schedule = Schedule::parse("30 2 * * *", "Europe/Berlin").expect("it is right");
            let count = schedule.count_between(instant(not_before), instant(now), 9);
            assert_eq!(count, u32::from(expected.is_some()), "from {not_before} to {now}");
        }
    }

    #[test]
    fn a_count_goes_no_further_than_it_is_told() {
        let schedule = Schedule::parse("* * * * * *", "UTC").expect("it is right");
        let (after, until) = (instant("2026-01-01T00:00:00Z"), instant("2026-01-01T00:01:00Z"));
        for (at_most, expected) in [(0, 0), (1, 1), (59, 59), (60, 60), (61, 60), (u32::MAX, 60)] {
            assert_eq!(schedule.count_between(after, until, at_most), expected);
        }
        assert_eq!(schedule.count_between(after, Timestamp::MAX, 100), 100);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn looking_back_finds_what_going_through_them_one_by_one_finds(
            fields in fields(),
            seconds in prop_oneof![Just(""), Just("0 "), Just("7,30-59/4 ")],
            every in proptest::option::weighted(0.1, 1..200_000_u32),
            (zone, start) in zone_and_minute(),
            years_back in prop_oneof![9 => Just(0), 1 => Just(60_i64)],
            (fraction, length) in (0..1_000_000_000_i64, 0..60 * 3_600_i64),
            at_most in 0..100_u32,
        ) {
            let cron = format!("{seconds}{}", fields.text());
            let text = every.map_or(cron, |every| format!("@every {every}s"));
            let schedule = Schedule::parse(&text, zone).expect("it is generated from the grammar");
            // Some before 1970.
            let start = start - SignedDuration::from_hours(years_back * 365 * 24);
            let not_before = start + SignedDuration::from_nanos(fraction);
            // With many seconds, a shorter stretch, or the other side of the comparison takes long.
            let length = if text.starts_with("7,") || every.is_some() { length / 10 } else { length };
            let now = not_before + SignedDuration::from_millis(length * 997);
            let all: Vec<_> = schedule.after(not_before).take_while(|due| *due <= now).collect();
            let told = format!("{text} in {zone} from {not_before} to {now}");
            prop_assert_eq!(schedule.latest(not_before, now), all.last().copied(), "{}", told);
            let count = u32::try_from(all.len()).expect("few").min(at_most);
            prop_assert_eq!(schedule.count_between(not_before, now, at_most), count, "{}", told);
        }
    }
}
