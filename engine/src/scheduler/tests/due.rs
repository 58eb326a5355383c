//! When a plan is due, and what follows from it.

use std::{collections::HashSet, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::{instant, live_run};
use crate::{
    run::RunState,
    schedule::{Schedule, jitter},
    scheduler::due::{Due, due},
    store::{Decision, LiveRun},
    timing::{MissedPolicy, OverlapPolicy, ScheduleConfig},
};

const SEED: &str = "a plan";

/// Every hour, in UTC.
fn hourly() -> ScheduleConfig {
    ScheduleConfig {
        cron: "0 * * * *".into(),
        timezone: "UTC".into(),
        windows: Vec::new(),
        jitter_minutes: 0,
        missed: MissedPolicy::RunOnce,
        missed_max_age_hours: 3,
        overlap: OverlapPolicy::Skip,
    }
}

/// What follows at a time of 10 January, when all was decided until another.
fn at(config: &ScheduleConfig, decided_until: &str, now: &str, live: &[LiveRun]) -> Option<Due> {
    let time = |clock: &str| instant(&format!("2026-01-10T{clock}Z"));
    let (schedule, _) = config.read().expect("a schedule");
    let live: Vec<&LiveRun> = live.iter().collect();
    due(&schedule, config, time(decided_until), time(now), &live, SEED)
}

fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M").to_string()
}

#[test]
fn the_latest_moment_stands_for_all_that_went_by_and_counts_them() {
    let cases = [
        // (decided until, now, missed, what follows: for when, decision, how many before, since when)
        ("10:00:00", "10:59:59.9", MissedPolicy::RunOnce, None),
        ("10:00:00", "11:00:00", MissedPolicy::RunOnce, Some(("11:00", Decision::Run, 0, None))),
        ("10:00:00", "11:01:00", MissedPolicy::RunOnce, Some(("11:00", Decision::Run, 0, None))),
        ("10:00:00", "11:01:00", MissedPolicy::Skip, Some(("11:00", Decision::Run, 0, None))),
        ("10:00:00", "11:01:00.1", MissedPolicy::RunOnce, Some(("11:00", Decision::CatchUp, 0, None))),
        ("10:00:00", "11:01:00.1", MissedPolicy::Skip, Some(("11:00", Decision::Missed, 0, Some("11:00")))),
        ("10:00:00", "11:59:00", MissedPolicy::RunOnce, Some(("11:00", Decision::CatchUp, 0, None))),
        // Several in one go.
        ("06:30:00", "10:30:00", MissedPolicy::RunOnce, Some(("10:00", Decision::CatchUp, 3, Some("07:00")))),
        ("06:30:00", "10:30:00", MissedPolicy::Skip, Some(("10:00", Decision::Missed, 3, Some("07:00")))),
        // The machine came back just in time: one runs, the others were missed.
        ("06:30:00", "10:00:30", MissedPolicy::Skip, Some(("10:00", Decision::Run, 3, Some("07:00")))),
        // Nothing is due twice, nor while the clock is behind.
        ("10:00:00", "10:00:00", MissedPolicy::RunOnce, None),
        ("10:00:00", "09:00:00", MissedPolicy::RunOnce, None),
    ];
    for (decided_until, now, missed, expected) in cases {
        let config = ScheduleConfig { missed, ..hourly() };
        let due = at(&config, decided_until, now, &[]);
        let told = due
            .as_ref()
            .map(|due| (clock(due.scheduled_for), due.decision, due.missed, due.missed_since.map(clock)));
        let expected = expected.map(|(at, decision, missed, since): (&str, _, _, Option<&str>)| {
            (at.to_owned(), decision, missed, since.map(str::to_owned))
        });
        assert_eq!(told, expected, "from {decided_until} to {now} with {missed}");
    }
}

#[test]
fn what_was_missed_for_longer_than_its_greatest_age_is_not_made_up_for() {
    let config = ScheduleConfig { cron: "0 6 * * *".into(), ..hourly() };
    for (now, expected) in
        [("08:59:59", Decision::CatchUp), ("09:00:00", Decision::CatchUp), ("09:00:01", Decision::Missed)]
    {
        let due = at(&config, "01:00:00", now, &[]).expect("it is due");
        assert_eq!((due.decision, due.missed), (expected, 0), "at {now}");
        assert_eq!(due.missed_since.is_some(), expected == Decision::Missed, "at {now}");
    }
}

#[test]
fn a_run_that_has_not_ended_leaves_out_is_waited_for_or_gives_way_as_the_plan_says() {
    use OverlapPolicy::{CancelPrevious, QueueOne, Skip};
    let unbegun = |state| LiveRun { attempt: 0, ..live_run(1, 1, state) };
    let begun = |state| LiveRun { attempt: 1, ..live_run(1, 1, state) };
    let (all_begun, all_unbegun) = (
        [RunState::Queued, RunState::Running, RunState::Pausing, RunState::Paused, RunState::Parked]
            .map(begun),
        [RunState::Paused].map(unbegun),
    );
    for run in all_begun.iter().chain(&all_unbegun) {
        for (overlap, expected) in [
            (Skip, (Decision::Overlap, false)),
            (QueueOne, (Decision::Run, false)),
            (CancelPrevious, (Decision::Run, true)),
        ] {
            let config = ScheduleConfig { overlap, ..hourly() };
            let due = at(&config, "10:00:00", "11:00:00", std::slice::from_ref(run)).expect("it is due");
            assert_eq!((due.decision, due.cancels), expected, "{overlap} with {run:?}");
        }
    }
    // One waits for its turn: another one would be too many.
    let two = [begun(RunState::Running), unbegun(RunState::Queued)];
    for (overlap, expected) in [
        (Skip, (Decision::Overlap, false)),
        (QueueOne, (Decision::Overlap, false)),
        (CancelPrevious, (Decision::Run, true)),
    ] {
        let config = ScheduleConfig { overlap, ..hourly() };
        for live in [&two[..], &two[1..]] {
            let due = at(&config, "10:00:00", "11:00:00", live).expect("it is due");
            assert_eq!((due.decision, due.cancels), expected, "{overlap} with {live:?}");
        }
    }
}

#[test]
fn a_run_that_makes_up_for_missed_ones_overlaps_like_any_other_and_what_is_not_made_up_for_overlaps_nothing()
{
    let running = [live_run(1, 1, RunState::Running)];
    let due = at(&hourly(), "08:00:00", "10:30:00", &running).expect("it is due");
    assert_eq!((due.decision, due.missed, due.cancels), (Decision::Overlap, 1, false));
    let config = ScheduleConfig { overlap: OverlapPolicy::CancelPrevious, ..hourly() };
    let due = at(&config, "08:00:00", "10:30:00", &running).expect("it is due");
    assert_eq!((due.decision, due.cancels), (Decision::CatchUp, true));
    let config = ScheduleConfig { missed: MissedPolicy::Skip, ..config };
    let due = at(&config, "08:00:00", "10:30:00", &running).expect("it is due");
    assert_eq!((due.decision, due.cancels), (Decision::Missed, false));
}

#[test]
fn only_a_run_that_is_on_time_waits_for_its_jitter() {
    let config = ScheduleConfig { jitter_minutes: 10, ..hourly() };
    let expected = instant("2026-01-10T11:00:00Z")
        + SignedDuration::try_from(jitter(SEED, instant("2026-01-10T11:00:00Z"), Duration::from_mins(10)))
            .expect("short");
    assert!(expected > instant("2026-01-10T11:00:50Z"), "the seed is one with a delay");
    let due = at(&config, "10:00:00", "11:00:00", &[]).expect("it is due");
    assert_eq!(due.start_after, Some(expected));
    let due = at(&config, "10:00:00", "11:30:00", &[]).expect("it is due");
    assert_eq!((due.decision, due.start_after), (Decision::CatchUp, None));
    assert_eq!(at(&hourly(), "10:00:00", "11:00:00", &[]).expect("it is due").start_after, None);
}

#[test]
fn what_was_decided_before_the_clock_was_set_back_is_not_counted_among_the_missed() {
    let (schedule, decided_until) =
        (Schedule::parse("0 * * * *", "UTC").expect("right"), instant("2026-01-10T06:30:00Z"));
    let cases: [(&[&str], _, _); 5] = [
        (&[], 3, Some("07:00")),
        (&["07:00", "08:00"], 1, Some("09:00")),
        (&["06:00", "08:00", "10:00"], 2, Some("07:00")),
        // By another schedule.
        (&["07:07", "08:07"], 3, Some("07:00")),
        (&["07:00", "08:00", "09:00"], 0, None),
    ];
    for (before, missed, since) in cases {
        let mut due = at(&hourly(), "06:30:00", "10:30:00", &[]).expect("it is due");
        let before: HashSet<Timestamp> =
            before.iter().map(|time| instant(&format!("2026-01-10T{time}:00Z"))).collect();
        due.leave_out(&before, &schedule, decided_until);
        let told = (due.missed, due.missed_since.map(clock));
        assert_eq!(told, (missed, since.map(str::to_owned)), "without {before:?}");
    }
}
