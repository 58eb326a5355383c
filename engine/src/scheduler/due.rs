//! When a plan is due, and what follows from it. Looks at nothing but what it is given.

use std::{collections::HashSet, time::Duration};

use jiff::{SignedDuration, Timestamp};

use crate::{
    run::RunState,
    schedule::{Schedule, jitter},
    store::{Decision, LiveRun},
    timing::{MissedPolicy, OverlapPolicy, ScheduleConfig},
};

/// A run that begins so much later than it was due has not been missed: the machine was just starting.
const ON_TIME: SignedDuration = SignedDuration::from_secs(60);
/// Missed occurrences are counted no further than this.
pub(super) const MOST_COUNTED: u32 = 100_000;

/// What is decided about the occurrences since the last decision: of the latest one, which stands for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// The latest one.
    pub(super) scheduled_for: Timestamp,
    pub(super) decision: Decision,
    /// How many before it went by, and the first of those.
    pub(super) missed: u32,
    pub(super) missed_since: Option<Timestamp>,
    /// A run for it does not begin sooner than this.
    pub(super) start_after: Option<Timestamp>,
    /// Whether the plan's run that has not ended is to give way.
    pub(super) cancels: bool,
}

impl Due {
    /// Does not count those among the missed that were decided before.
    pub(super) fn leave_out(
        &mut self,
        before: &HashSet<Timestamp>,
        schedule: &Schedule,
        decided_until: Timestamp,
    ) {
        if before.is_empty() {
            return;
        }
        // Not all that was decided before is of this schedule.
        let went_by = schedule.after(decided_until).take_while(|at| *at < self.scheduled_for);
        let mut missed = went_by.filter(|at| !before.contains(at)).zip(1..=MOST_COUNTED);
        let first = missed.next();
        self.missed = missed.last().or(first).map_or(0, |(_, count)| count);
        let itself = Some(self.scheduled_for).filter(|_| self.decision == Decision::Missed);
        self.missed_since = first.map(|(at, _)| at).or(itself);
    }
}

/// What follows from a plan's schedule at a moment. `None` while nothing is due. `decided_until` is where the last decision
/// was; `live` are the runs of the plan that have not ended; `seed` is the plan's own, for its jitter.
pub(super) fn due(
    schedule: &Schedule,
    config: &ScheduleConfig,
    decided_until: Timestamp,
    now: Timestamp,
    live: &[&LiveRun],
    seed: &str,
) -> Option<Due> {
    let latest = schedule.latest(decided_until, now)?;
    let first = schedule.after(decided_until).next().filter(|first| *first < latest);
    let missed = match first {
        Some(_) => schedule.count_between(decided_until, latest, MOST_COUNTED).saturating_sub(1),
        None => 0,
    };
    let late = now.duration_since(latest);
    let most_late = SignedDuration::from_hours(config.missed_max_age_hours.into());
    let decision = if late <= ON_TIME {
        Decision::Run
    } else if config.missed == MissedPolicy::RunOnce && late <= most_late {
        Decision::CatchUp
    } else {
        Decision::Missed
    };
    let mut due = Due {
        scheduled_for: latest,
        decision,
        missed,
        missed_since: first,
        start_after: None,
        cancels: false,
    };
    if decision == Decision::Missed {
        due.missed_since = due.missed_since.or(Some(latest));
        return Some(due);
    }
    if !live.is_empty() {
        let one_waits = live.iter().any(|run| run.state == RunState::Queued && run.attempt == 0);
        match config.overlap {
            OverlapPolicy::Skip => due.decision = Decision::Overlap,
            OverlapPolicy::QueueOne if one_waits => due.decision = Decision::Overlap,
            OverlapPolicy::QueueOne => {}
            OverlapPolicy::CancelPrevious => due.cancels = true,
        }
    }
    if decision == Decision::Run && config.jitter_minutes > 0 {
        let most = Duration::from_mins(config.jitter_minutes.into());
        due.start_after = latest.checked_add(jitter(seed, latest, most)).ok().filter(|at| *at > now);
    }
    Some(due)
}
