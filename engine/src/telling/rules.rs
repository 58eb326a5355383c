//! What is worth telling, from how runs ended. Nothing here reads a clock or a database.
//!
//! A good run is one that succeeded: a partial one is not, since some items are not where they should be. Runs that wait for
//! a quota, that somebody stopped, or that are still at work, are neither good nor bad, and what is told does not depend on
//! them.

use std::num::NonZeroU32;

use charon_notify::Event;
use jiff::{SignedDuration, Timestamp};

use crate::run::{RunState, Stop};

/// How a run ended, as far as it matters for telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Everything is done.
    Good,
    /// Some items failed.
    Partial,
    /// It could not come to its end.
    Failed,
    /// It waits for a person, or waited for one in vain.
    NeedsPerson,
    /// It says nothing.
    Neither,
}

impl End {
    pub(crate) fn of(state: RunState, stop: Option<&Stop>) -> Self {
        let waits_for_a_person =
            stop.is_some_and(|stop| stop.state == RunState::Parked && stop.until.is_none());
        match state {
            RunState::Succeeded => Self::Good,
            RunState::Partial => Self::Partial,
            RunState::Failed => Self::Failed,
            // A parked run that gave way to a new one keeps the reason for which it was parked.
            RunState::Parked | RunState::Cancelled if waits_for_a_person => Self::NeedsPerson,
            _ => Self::Neither,
        }
    }

    fn is_bad(self) -> bool {
        matches!(self, Self::Partial | Self::Failed | Self::NeedsPerson)
    }
}

/// What is told of a run that has ended so, after those before it, the newest first. `in_a_row`: after how many failures in a
/// row that is told, and after as many more again.
pub(crate) fn events(ended: End, before: &[End], in_a_row: NonZeroU32) -> Vec<Event> {
    let mut events = Vec::new();
    match ended {
        End::Good => {
            events.push(Event::Success);
            let last = before.iter().find(|end| **end != End::Neither);
            if last.is_some_and(|end| end.is_bad()) {
                events.push(Event::Recovered);
            }
        }
        End::Partial => events.push(Event::Partial),
        End::Failed => {
            events.push(Event::Failure);
            if failed_in_a_row(ended, before).is_multiple_of(in_a_row.get()) {
                events.push(Event::FailuresInARow);
            }
        }
        End::NeedsPerson => events.push(Event::NeedsAttention),
        End::Neither => {}
    }
    events
}

/// How many runs have failed in a row, the last one included. One that waits for a person ends no row and counts in none.
pub(crate) fn failed_in_a_row(ended: End, before: &[End]) -> u32 {
    let failed = std::iter::once(&ended)
        .chain(before)
        .take_while(|end| !matches!(end, End::Good | End::Partial))
        .filter(|end| **end == End::Failed)
        .count();
    u32::try_from(failed).unwrap_or(u32::MAX)
}

/// Since when a plan has had no good run, if that is so many days by now: since its last good run ended, or since it was made.
pub(crate) fn overdue_since(
    last_good: Option<Timestamp>,
    made_at: Timestamp,
    days: NonZeroU32,
    now: Timestamp,
) -> Option<Timestamp> {
    let since = last_good.unwrap_or(made_at);
    let limit = SignedDuration::from_hours(i64::from(days.get()) * 24);
    (now.duration_since(since) >= limit).then_some(since)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use charon_notify::Event::{self, Failure, FailuresInARow, NeedsAttention, Recovered, Success};

    use super::{
        End::{self, Failed, Good, NeedsPerson, Neither},
        events, overdue_since,
    };
    use crate::run::{RunState, Stop};

    const THREE: NonZeroU32 = NonZeroU32::new(3).expect("three");

    #[test]
    fn what_is_told_depends_on_how_the_runs_before_ended() {
        let cases: [(End, &[End], &[Event]); 22] = [
            (Good, &[], &[Success]),
            (Good, &[Good], &[Success]),
            (Good, &[Failed, Good], &[Success, Recovered]),
            (Good, &[End::Partial], &[Success, Recovered]),
            (Good, &[NeedsPerson], &[Success, Recovered]),
            (Good, &[Neither, Failed], &[Success, Recovered]),
            (Good, &[Neither, Good, Failed], &[Success]),
            (Good, &[Good, Failed], &[Success]),
            (End::Partial, &[], &[Event::Partial]),
            (End::Partial, &[Failed, Failed], &[Event::Partial]),
            (Failed, &[], &[Failure]),
            (Failed, &[Failed], &[Failure]),
            (Failed, &[Failed, Failed], &[Failure, FailuresInARow]),
            (Failed, &[Failed, Failed, Failed], &[Failure]),
            (Failed, &[Failed; 5], &[Failure, FailuresInARow]),
            (Failed, &[Failed, Good, Failed], &[Failure]),
            (Failed, &[Failed, End::Partial, Failed], &[Failure]),
            (Failed, &[Neither, Failed, NeedsPerson, Failed, Good], &[Failure, FailuresInARow]),
            (NeedsPerson, &[], &[NeedsAttention]),
            (NeedsPerson, &[NeedsPerson], &[NeedsAttention]),
            (Neither, &[], &[]),
            (Neither, &[Failed, Failed], &[]),
        ];
        for (ended, before, expected) in cases {
            assert_eq!(events(ended, before, THREE), expected, "{ended:?} after {before:?}");
        }
        assert_eq!(events(Failed, &[Good], NonZeroU32::MIN), [Failure, FailuresInARow]);
    }

    #[test]
    fn how_a_run_ended_is_read_from_its_state_and_its_reason() {
        let parked = |until: Option<&str>| Stop {
            state: RunState::Parked,
            class: None,
            message: String::new(),
            until: until.map(|time| time.parse().expect("a time")),
        };
        let (person, quota) = (parked(None), parked(Some("2026-01-02T08:00:00Z")));
        for (state, stop, expected) in [
            (RunState::Succeeded, None, Good),
            (RunState::Partial, None, End::Partial),
            (RunState::Failed, Some(Stop::interrupted()), Failed),
            (RunState::Parked, Some(person.clone()), NeedsPerson),
            (RunState::Parked, Some(quota.clone()), Neither),
            // They gave way to a new run.
            (RunState::Cancelled, Some(person), NeedsPerson),
            (RunState::Cancelled, Some(quota), Neither),
            (RunState::Cancelled, Some(Stop::cancelled()), Neither),
            (RunState::Running, None, Neither),
            (RunState::Queued, None, Neither),
        ] {
            assert_eq!(End::of(state, stop.as_ref()), expected, "{state} {stop:?}");
        }
    }

    #[test]
    fn a_plan_is_overdue_days_after_its_last_good_run_or_after_it_was_made() {
        let time = |text: &str| text.parse::<jiff::Timestamp>().expect("a time");
        let made = time("2026-01-01T00:00:00Z");
        let good = time("2026-01-05T02:30:00Z");
        for (last_good, now, expected) in [
            (None, "2026-01-03T23:59:59Z", None),
            (None, "2026-01-04T00:00:00Z", Some(made)),
            (Some(good), "2026-01-08T02:29:59Z", None),
            (Some(good), "2026-01-08T02:30:00Z", Some(good)),
            (Some(good), "2027-01-01T00:00:00Z", Some(good)),
            // The clock was set back.
            (Some(good), "2025-12-01T00:00:00Z", None),
        ] {
            assert_eq!(overdue_since(last_good, made, THREE, time(now)), expected, "{last_good:?} {now}");
        }
    }
}
