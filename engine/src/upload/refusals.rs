//! Bytes that a storage has refused for what they are: they are tried again ever more rarely, and not sent until then (I7).

use charon_provider::{Class, Error as StorageError, Reason};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use crate::store::{Known, Refusal};

/// The longest wait before bytes are tried again.
const MOST_DAYS: i64 = 90;

/// Whether an answer to a commit is about the bytes of one file, and would be the same again.
pub(super) fn is_of_bytes(error: &StorageError) -> bool {
    (error.class, error.reason) == (Class::Item, Reason::Other)
}

/// When bytes are tried again that have been refused so many times: after 1 day, 3, 9, 27, …
pub(crate) fn again_at(now: Timestamp, times: u32) -> Timestamp {
    let days = 3_i64.saturating_pow(times.saturating_sub(1)).min(MOST_DAYS);
    now.checked_add(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MAX)
}

/// What was refused, with the day on which it is tried again.
pub(super) fn with_date(reason: &str, again_at: Timestamp) -> String {
    let day = again_at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M UTC");
    format!("{reason}; sent again after {day}, it is tried again")
}

/// Why bytes are not sent now, if they have been refused and it is too early to try them again.
pub(super) fn held_back(refusal: Option<&Refusal>, now: Timestamp) -> Option<String> {
    let refusal = refusal.filter(|refusal| refusal.again_at > now)?;
    let before = format!("not sent, since the storage refused it before: {}", refusal.reason);
    Some(with_date(&before, refusal.again_at))
}

/// Whether bytes are held back, by what the ledger knows of them.
pub(crate) fn is_held_back(known: &Known, now: Timestamp) -> bool {
    held_back(known.refused.as_ref(), now).is_some()
}

#[cfg(test)]
mod tests {
    use charon_provider::{Class, Error as StorageError, Reason};
    use jiff::Timestamp;

    use super::{again_at, held_back, is_of_bytes};
    use crate::store::Refusal;

    fn time(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn what_was_refused_is_tried_again_ever_more_rarely() {
        // I7
        let now = time("2026-01-01T00:00:00Z");
        for (times, days) in [(1, 1), (2, 3), (3, 9), (4, 27), (5, 81), (6, 90), (7, 90), (u32::MAX, 90)] {
            let wait = again_at(now, times).duration_since(now);
            assert_eq!(wait.as_hours(), 24 * days, "after {times} refusals");
        }
    }

    #[test]
    fn what_was_refused_is_held_back_until_its_time_with_the_reason_and_the_day() {
        // I9
        let refusal = Refusal { reason: "it is damaged".into(), again_at: time("2026-01-02T03:04:05Z") };
        let why = held_back(Some(&refusal), time("2026-01-02T03:04:04Z")).expect("too early");
        assert!(why.contains("it is damaged") && why.contains("2026-01-02 03:04 UTC"), "{why}");
        assert_eq!(held_back(Some(&refusal), time("2026-01-02T03:04:05Z")), None);
        assert_eq!(held_back(None, time("2026-01-02T03:04:05Z")), None);
    }

    #[test]
    fn only_what_bytes_are_is_held_against_them() {
        for (class, reason, is_theirs) in [
            (Class::Item, Reason::Other, true),
            (Class::Item, Reason::UploadToken, false),
            (Class::Item, Reason::AlreadyExists, false),
            (Class::Item, Reason::NotFound, false),
            (Class::Transient, Reason::Other, false),
            (Class::Destination, Reason::Other, false),
        ] {
            let error = StorageError::new(class, "test", "no").because(reason);
            assert_eq!(is_of_bytes(&error), is_theirs, "{class:?} {reason:?}");
        }
    }
}
