//! From civil times to instants: what becomes of an expression on the days on which clocks are changed.

use std::iter::FusedIterator;

use jiff::{
    Timestamp, ToSpan,
    civil::DateTime,
    tz::{AmbiguousOffset, TimeZone},
};

use super::{Rule, Schedule, civil::CivilTimes};

/// The instants at which a schedule is due. Made by [`Schedule::after`].
#[derive(Clone, Debug)]
pub struct Occurrences<'a> {
    schedule: &'a Schedule,
    /// The next one is strictly later than this. `None` when there are no more.
    last: Option<Timestamp>,
}

// === impl Occurrences ===

impl<'a> Occurrences<'a> {
    pub(super) fn new(schedule: &'a Schedule, after: Timestamp) -> Self {
        Self { schedule, last: Some(after) }
    }
}

impl Iterator for Occurrences<'_> {
    type Item = Timestamp;

    fn next(&mut self) -> Option<Timestamp> {
        let after = self.last?;
        let zone = &self.schedule.zone;
        self.last = match &self.schedule.rule {
            Rule::Every(every) => every.after(after),
            Rule::OncePerLocalTime(times) => next_local_time(times, zone, after),
            Rule::RealTime(times) => next_in_real_time(times, zone, after),
        };
        self.last
    }
}

impl FusedIterator for Occurrences<'_> {}

/// The first civil time whose one instant is strictly later.
fn next_local_time(times: &CivilTimes, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
    let mut time = zone.to_datetime(after);
    loop {
        time = times.after(time)?;
        let due = once(time, zone)?;
        if due > after {
            return Some(due);
        }
        // This is the second pass of an autumn hour. All its times were due in the first one.
        time = last_of_the_first_pass(zone, after).map_or(time, |last| time.max(last));
    }
}

/// What the clock showed in the second before it was changed for the last time.
fn last_of_the_first_pass(zone: &TimeZone, now: Timestamp) -> Option<DateTime> {
    let change = zone.preceding(now.checked_add(1.nanosecond()).ok()?).next()?.timestamp();
    Some(zone.to_datetime(change.checked_sub(1.second()).ok()?))
}

/// The first moment at which the clock shows this civil time or a later one: in the first pass if it exists twice, at the end
/// of the gap if it does not exist.
pub(super) fn once(time: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    match zone.to_ambiguous_timestamp(time).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(time).ok(),
        AmbiguousOffset::Fold { before, .. } => before.to_timestamp(time).ok(),
        AmbiguousOffset::Gap { after, .. } => {
            // Read with the offset after the gap, a time within it is an instant shortly before the change.
            let before_the_change = after.to_timestamp(time).ok()?;
            let mut changes = zone.following(before_the_change);
            changes.find(|change| change.offset() == after).map(|change| change.timestamp())
        }
    }
}

/// The first instant, strictly later, at which the local clock shows a matching time.
fn next_in_real_time(times: &CivilTimes, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
    let mut offset = zone.to_offset(after);
    let mut from = offset.to_datetime(after);
    let mut changes = zone.following(after);
    // From one change of the clocks to the next the offset is constant.
    loop {
        let due = offset.to_timestamp(times.after(from)?).ok()?;
        match changes.next() {
            Some(change) if change.timestamp() <= due => {
                offset = change.offset();
                // The change itself may be due.
                from = offset.to_datetime(change.timestamp()).checked_sub(1.second()).ok()?;
            }
            _ => return Some(due),
        }
    }
}
