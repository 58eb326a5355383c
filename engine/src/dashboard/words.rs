//! Spans of time, and the ends of sentences, as people say them.

use jiff::{SignedDuration, Timestamp};

/// `3 h`, `2 days`, `5 min`: as exact as matters at a glance.
pub(super) fn span(duration: SignedDuration) -> String {
    let seconds = duration.abs().as_secs();
    let (minutes, hours, days) = (seconds / 60, (seconds + 1_800) / 3_600, (seconds + 43_200) / 86_400);
    if seconds < 60 {
        "less than a minute".into()
    } else if minutes < 90 {
        format!("{minutes} min")
    } else if hours < 48 {
        format!("{hours} h")
    } else {
        format!("{days} days")
    }
}

/// `3 h ago`, or `just now`.
pub(super) fn ago(then: Timestamp, now: Timestamp) -> String {
    let passed = now.duration_since(then);
    if passed < SignedDuration::from_mins(1) { "just now".into() } else { format!("{} ago", span(passed)) }
}

/// `in 21 h`, or `now`.
pub(super) fn until(then: Timestamp, now: Timestamp) -> String {
    if then <= now { "now".into() } else { format!("in {}", span(then.duration_since(now))) }
}

/// A reason without the end of its sentence.
pub(super) fn unended(text: &str) -> &str {
    text.trim_end_matches(['.', ' '])
}

/// A reason as a sentence that ends.
pub(super) fn ended(text: &str) -> String {
    let text = unended(text);
    if text.ends_with('…') { text.into() } else { format!("{text}.") }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::{ago, span, until};

    #[test]
    fn spans_are_as_exact_as_matters() {
        for (seconds, expected) in [
            (0, "less than a minute"),
            (59, "less than a minute"),
            (60, "1 min"),
            (89 * 60, "89 min"),
            (90 * 60, "2 h"),
            (3 * 3_600 + 100, "3 h"),
            (21 * 3_600, "21 h"),
            (47 * 3_600, "47 h"),
            (48 * 3_600, "2 days"),
            (10 * 86_400 + 3_600, "10 days"),
        ] {
            assert_eq!(span(SignedDuration::from_secs(seconds)), expected);
        }
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(ago(now, now), "just now");
        assert_eq!(ago(now - SignedDuration::from_hours(3), now), "3 h ago");
        assert_eq!(
            (until(now, now), until(now + SignedDuration::from_hours(21), now)),
            ("now".into(), "in 21 h".into())
        );
    }
}
