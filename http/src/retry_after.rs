//! The `Retry-After` header: seconds, or the date from which on one may try again (RFC 9110, section 10.2.3).

use std::time::Duration;

use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};

/// Nobody is left alone for longer than this on the word of a header.
const LONGEST: Duration = Duration::from_hours(24);

/// How long the header asks to wait, a day at most; `None` if it cannot be read.
pub fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
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

    use super::retry_after;

    #[test]
    fn seconds_and_dates_are_understood() {
        let now = "2026-11-21T08:00:00Z".parse().expect("a time");
        for (text, wait) in [
            ("120", Some(Duration::from_mins(2))),
            ("Sat, 21 Nov 2026 08:00:30 GMT", Some(Duration::from_secs(30))),
            ("Sat, 21 Nov 2026 07:00:30 GMT", Some(Duration::ZERO)),
            ("99999999999", Some(Duration::from_hours(24))),
            ("-1", None),
            ("soon", None),
        ] {
            assert_eq!(retry_after(text, now), wait, "{text}");
        }
    }
}
