//! Until when a run is parked.

use std::time::Duration;

use charon_provider::{Meter, Resets};
use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};

/// A storage that goes on throttling after many waits is left alone for this long.
const AFTER_THROTTLING: Duration = Duration::from_hours(1);

/// The next moment at which a spent meter starts again: the latest over the meters, since which one is spent is not told.
pub(crate) fn next_reset(meters: &[Meter], now: Timestamp) -> Option<Timestamp> {
    meters.iter().filter_map(|meter| reset_after(&meter.resets, now)).max()
}

/// When a storage that went on throttling is asked again: not before it asked to be.
pub(crate) fn after_throttling(asked: Option<Duration>, now: Timestamp) -> Timestamp {
    now.checked_add(asked.unwrap_or_default().max(AFTER_THROTTLING)).unwrap_or(now)
}

/// The next moment at which what resets so starts again.
pub(crate) fn reset_after(resets: &Resets, now: Timestamp) -> Option<Timestamp> {
    let midnight = day_of(resets, now).checked_add(1.day()).ok()?.to_zoned(zone(resets)).ok()?;
    Some(midnight.timestamp())
}

/// The day that it is now, for what resets so.
pub(crate) fn day_of(resets: &Resets, now: Timestamp) -> Date {
    zone(resets).to_datetime(now).date()
}

/// A zone that is not known is taken for UTC: a day is counted in any case.
fn zone(resets: &Resets) -> TimeZone {
    let Resets::DailyAt(name) = resets;
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    use charon_provider::{Meter, Resets};

    use super::next_reset;

    fn reset(now: &str) -> String {
        let resets = Resets::DailyAt("America/Los_Angeles");
        let meter = Meter { id: "api", account: "1".into(), limit: 10_000, resets };
        next_reset(&[meter], now.parse().expect("a time")).expect("a reset").to_string()
    }

    #[test]
    fn a_daily_meter_resets_at_midnight_in_its_zone() {
        assert_eq!(reset("2026-11-21T12:00:00Z"), "2026-11-22T08:00:00Z");
        assert_eq!(reset("2026-07-01T06:59:59Z"), "2026-07-01T07:00:00Z");
        // The day on which summer time ends has 25 hours.
        assert_eq!(reset("2026-11-01T07:30:00Z"), "2026-11-02T08:00:00Z");
    }
}
