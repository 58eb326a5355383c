//! What the model believes of a plan: which moments must have been decided about, and how.

use std::{collections::BTreeMap, fmt};

use jiff::{SignedDuration, Timestamp};

use crate::{
    ids::PlanId,
    run::RunState,
    schedule::{Schedule, Windows},
    store::{Decision, LiveRun, Occurrence},
    timing::{MissedPolicy, OverlapPolicy, Pause, ScheduleConfig},
};

const ON_TIME: SignedDuration = SignedDuration::from_secs(60);

pub(super) struct Believed {
    pub(super) id: PlanId,
    pub(super) storage: String,
    pub(super) config: ScheduleConfig,
    pub(super) schedule: Schedule,
    pub(super) windows: Windows,
    /// All that was due until here is accounted for, or was dropped by an edit or a pause.
    pub(super) accounted_until: Timestamp,
    pub(super) pause: Option<Pause>,
    /// Whether the clock has only gone forward since the plan was made.
    pub(super) is_steady: bool,
    /// What has been decided, as it was seen.
    pub(super) decided: BTreeMap<Timestamp, Occurrence>,
}

impl Believed {
    pub(super) fn new(id: PlanId, storage: String, config: ScheduleConfig, now: Timestamp) -> Self {
        let (schedule, windows) = config.read().expect("a schedule");
        Self {
            id,
            storage,
            config,
            schedule,
            windows,
            accounted_until: now,
            pause: None,
            is_steady: true,
            decided: BTreeMap::new(),
        }
    }

    /// Another schedule, from now on.
    pub(super) fn edit(&mut self, config: ScheduleConfig, now: Timestamp) {
        // The same schedule changes nothing.
        if config != self.config {
            (self.schedule, self.windows) = config.read().expect("a schedule");
            (self.config, self.accounted_until) = (config, now);
        }
    }

    pub(super) fn resume(&mut self, now: Timestamp) {
        let Some(pause) = self.pause.take() else { return };
        let ended_at = pause.until.filter(|until| *until <= now);
        self.accounted_until = ended_at.map_or(now, |ended_at| ended_at.max(self.accounted_until));
    }

    /// Judges what is decided after a turn. `live` are the runs of the plan that had not ended before it; a turn that was killed
    /// may have done nothing.
    pub(super) fn judge(&mut self, rows: Vec<Occurrence>, live: &[LiveRun], now: Timestamp, is_whole: bool) {
        if is_whole && self.pause.and_then(|pause| pause.until).is_some_and(|until| until <= now) {
            self.resume(now);
        }
        let rows: BTreeMap<Timestamp, Occurrence> =
            rows.into_iter().map(|row| (row.scheduled_for, row)).collect();
        for (at, row) in &self.decided {
            assert_eq!(rows.get(at), Some(row), "a decision stays for ever");
        }
        let new: Vec<&Occurrence> =
            rows.values().filter(|row| !self.decided.contains_key(&row.scheduled_for)).collect();
        assert!(new.len() <= 1, "one decision a turn stands for all that went by: {new:?}");
        for row in new {
            self.judge_one(row, live, now);
        }
        self.decided = rows;
        if is_whole && self.pause.is_none() {
            for due in self.schedule.after(self.accounted_until).take_while(|due| *due <= now) {
                assert!(self.is_accounted_for(due), "{due} is lost: {self:?}");
            }
            self.accounted_until = self.accounted_until.max(now);
        }
    }

    fn judge_one(&self, row: &Occurrence, live: &[LiveRun], now: Timestamp) {
        let told = || format!("{row:?} with {live:?} of {self:?}");
        // A pause that ended in the very turn is over.
        let is_paused = self.pause.is_some_and(|pause| pause.until.is_none_or(|until| until > now));
        assert!(!is_paused, "a paused plan is not due: {}", told());
        assert_eq!(row.decided_at, now, "{}", told());
        let before = row.scheduled_for - SignedDuration::from_nanos(1);
        assert_eq!(self.schedule.after(before).next(), Some(row.scheduled_for), "{}", told());
        let late = now.duration_since(row.scheduled_for);
        assert!(!late.is_negative(), "{}", told());
        let most = SignedDuration::from_hours(self.config.missed_max_age_hours.into());
        let is_made_up_for = self.config.missed == MissedPolicy::RunOnce && late <= most;
        let expected = if late <= ON_TIME {
            Decision::Run
        } else if is_made_up_for {
            Decision::CatchUp
        } else {
            Decision::Missed
        };
        let one_waits = live.iter().any(|run| run.state == RunState::Queued && run.attempt == 0);
        let may_overlap = match self.config.overlap {
            OverlapPolicy::Skip => !live.is_empty(),
            OverlapPolicy::QueueOne => one_waits,
            OverlapPolicy::CancelPrevious => false,
        };
        match row.decision {
            Decision::Overlap => assert!(may_overlap && expected != Decision::Missed, "{}", told()),
            decision => assert_eq!(decision, expected, "{}", told()),
        }
        let has_run = matches!(row.decision, Decision::Run | Decision::CatchUp);
        assert_eq!(row.run.is_some(), has_run, "{}", told());
        let counted = row.missed_since.map_or(0, |since| {
            let from = since - SignedDuration::from_nanos(1);
            self.schedule.after(from).take_while(|due| *due < row.scheduled_for).count()
        });
        let missed = usize::try_from(row.missed).expect("few");
        assert!(missed <= counted && (!self.is_steady || missed == counted), "{counted} {}", told());
    }

    fn is_accounted_for(&self, due: Timestamp) -> bool {
        let counts = |row: &Occurrence| row.missed > 0 && row.missed_since.is_some_and(|since| since <= due);
        self.decided.contains_key(&due) || self.decided.range(due..).any(|(_, row)| counts(row))
    }
}

impl fmt::Debug for Believed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last: Vec<_> = self.decided.values().rev().take(4).collect();
        write!(
            f,
            "plan with {:?}, accounted for until {}, paused {:?}, steady {}, decided last {last:?}",
            self.config, self.accounted_until, self.pause, self.is_steady
        )
    }
}
