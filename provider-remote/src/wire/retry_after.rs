//! The `Retry-After` header: seconds, or the date from which on one may try again.

use std::time::Duration;

use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};

/// Nobody is left alone for longer than this on the word of a header.
const LONGEST: Duration = Duration::from_hours(24);

/// How long the header asks to wait; `None` if it cannot be read.
pub(super) fn parse(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds).min(LONGEST));
    }
    let date = DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok()?;
    Some(Duration::try_from(date.duration_since(now)).unwrap_or(Duration::ZERO).min(LONGEST))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::parse;

    #[test]
    fn seconds_and_dates_are_understood() {
        let now = "2026-11-21T08:00:00Z".parse().unwrap();
        assert_eq!(parse("120", now), Some(Duration::from_mins(2)));
        assert_eq!(parse("Sat, 21 Nov 2026 08:00:30 GMT", now), Some(Duration::from_secs(30)));
        assert_eq!(parse("Sat, 21 Nov 2026 07:00:30 GMT", now), Some(Duration::ZERO));
        assert_eq!(parse("99999999999", now), Some(Duration::from_hours(24)));
        assert_eq!(parse("-1", now), None);
        assert_eq!(parse("soon", now), None);
    }
}
