//! The last days of a plan, one by one: whether its runs were good, whether it was missed, whether it was overdue.

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date, tz::TimeZone};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    ids::{PlanId, RunId},
    run::{RunState, named},
    schedule::Schedule,
    store::{DayOfRuns, NotRun},
};

named! {
    /// How a day of a plan went.
    DayVerdict {
        /// The last run was good.
        Good = "good",
        /// Some items of the last run failed.
        Partial = "partial",
        /// The last run failed.
        Failed = "failed",
        /// Somebody stopped the last run.
        Cancelled = "cancelled",
        /// A run has not come to its end.
        Working = "working",
        /// The plan was due, and nobody was there to run it.
        Missed = "missed",
        /// There has been no good run for longer than the plan allows.
        Overdue = "overdue",
        /// Nothing was due.
        Nothing = "nothing",
        /// There was no such plan yet.
        Before = "before",
    }
}

/// A day of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DayOfPlan {
    /// The day, in the time zone that was asked for.
    pub date: Date,
    /// How it went.
    pub verdict: DayVerdict,
    /// The same in words, with what there is to add.
    pub text: String,
    /// How many runs were asked for on the day.
    pub runs: u64,
    /// The newest of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<RunId>,
    /// Whether the plan was missed on this day.
    pub is_missed: bool,
    /// Whether the plan was overdue at the end of the day.
    pub is_overdue: bool,
}

/// A day, from its first moment to before the next one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Day {
    pub(crate) date: Date,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

/// The last days in a time zone, today at the end.
pub(crate) fn last_days(count: u16, zone: &TimeZone, now: Timestamp) -> Vec<Day> {
    let today = zone.to_datetime(now).date();
    let start = |date: Date| date.to_zoned(zone.clone()).ok().map(|start| start.timestamp());
    let day = |back: u16| {
        let date = today.checked_sub(i64::from(back).days()).ok()?;
        Some(Day { date, from: start(date)?, to: start(date.tomorrow().ok()?)? })
    };
    (0..count).rev().filter_map(day).collect()
}

/// What is known of a plan's last days.
#[derive(Debug)]
pub(crate) struct Known<'a> {
    pub(crate) plan: PlanId,
    pub(crate) made_at: Timestamp,
    pub(crate) schedule: Option<&'a Schedule>,
    pub(crate) overdue_days: Option<u32>,
    /// When the last good run before the first day ended.
    pub(crate) good_before: Option<Timestamp>,
    /// The runs of all plans, by the places of their days.
    pub(crate) runs: &'a [DayOfRuns],
    /// Where the first day is among those that the runs are told by.
    pub(crate) first_day: usize,
    pub(crate) not_run: &'a [NotRun],
}

/// The strip of a plan.
pub(crate) fn of(known: &Known<'_>, days: &[Day], now: Timestamp) -> Vec<DayOfPlan> {
    let of_plan = || known.runs.iter().filter(|runs| runs.plan == known.plan);
    let good: Vec<Timestamp> =
        of_plan().filter(|runs| runs.state == RunState::Succeeded).filter_map(|runs| runs.ended_at).collect();
    let judge = |(place, day): (usize, &Day)| {
        let runs: Vec<&DayOfRuns> = of_plan().filter(|runs| runs.day == place + known.first_day).collect();
        let last_good =
            good.iter().copied().filter(|ended_at| *ended_at < day.to).max().max(known.good_before);
        let is_overdue = is_overdue(known, last_good, day, now);
        of_day(known, day, &runs, is_overdue)
    };
    days.iter().enumerate().map(judge).collect()
}

fn of_day(known: &Known<'_>, day: &Day, runs: &[&DayOfRuns], is_overdue: bool) -> DayOfPlan {
    let newest = runs.iter().max_by_key(|runs| runs.newest);
    let count: u64 = runs.iter().map(|runs| runs.runs).sum();
    let of_plan = || known.not_run.iter().filter(|one| one.plan == known.plan);
    let is_missed = of_plan().any(|one| was_missed(one, day, known.schedule));
    let is_left_out = of_plan().any(|one| one.is_overlap && is_on(one.scheduled_for, day));
    let verdict = match newest {
        Some(newest) => match newest.state {
            RunState::Succeeded => DayVerdict::Good,
            RunState::Partial => DayVerdict::Partial,
            RunState::Failed => DayVerdict::Failed,
            RunState::Cancelled => DayVerdict::Cancelled,
            _ => DayVerdict::Working,
        },
        None if day.to <= known.made_at => DayVerdict::Before,
        None if is_missed => DayVerdict::Missed,
        None if is_left_out => DayVerdict::Working,
        None if is_overdue => DayVerdict::Overdue,
        None => DayVerdict::Nothing,
    };
    let mut text = vec![
        match verdict {
            DayVerdict::Good => "good",
            DayVerdict::Partial => "some items failed",
            DayVerdict::Failed => "failed",
            DayVerdict::Cancelled => "stopped",
            DayVerdict::Working if newest.is_none() => "a run of an earlier day had not ended",
            DayVerdict::Working => "not ended",
            DayVerdict::Missed => "missed: it was due, and nobody was there to run it",
            DayVerdict::Overdue => "overdue",
            DayVerdict::Nothing => "nothing due",
            DayVerdict::Before => "no such plan yet",
        }
        .to_owned(),
    ];
    if count > 1 {
        let by_state: Vec<String> = runs.iter().map(|runs| format!("{} {}", runs.runs, runs.state)).collect();
        text.push(format!("{count} runs ({})", by_state.join(", ")));
    }
    if is_missed && verdict != DayVerdict::Missed {
        text.push("missed before".into());
    }
    if is_overdue && verdict != DayVerdict::Overdue {
        text.push("overdue".into());
    }
    DayOfPlan {
        date: day.date,
        verdict,
        text: text.join(", "),
        runs: count,
        newest: newest.map(|runs| runs.newest),
        is_missed,
        is_overdue,
    }
}

fn is_on(moment: Timestamp, day: &Day) -> bool {
    moment >= day.from && moment < day.to
}

/// Whether a plan was due on the day, and nobody was there.
fn was_missed(one: &NotRun, day: &Day, schedule: Option<&Schedule>) -> bool {
    if one.is_overlap {
        return false;
    }
    // The moment itself has a run where that makes up for those before it.
    if !one.is_made_up_for && is_on(one.scheduled_for, day) {
        return true;
    }
    let Some(since) = one.missed_since else { return false };
    let (from, to) = (since.max(day.from), one.scheduled_for.min(day.to));
    if from >= to {
        return false;
    }
    let Some(schedule) = schedule else { return is_on(since, day) };
    let just_before = from.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(from);
    schedule.after(just_before).next().is_some_and(|due| due < to)
}

fn is_overdue(known: &Known<'_>, last_good: Option<Timestamp>, day: &Day, now: Timestamp) -> bool {
    let Some(days) = known.overdue_days else { return false };
    let since = last_good.unwrap_or(known.made_at).max(known.made_at);
    day.to.min(now).duration_since(since) >= SignedDuration::from_hours(24 * i64::from(days))
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, tz::TimeZone};
    use uuid::Uuid;

    use super::{DayVerdict, Known, last_days, of};
    use crate::{
        clock::{ManualClock, SystemEntropy},
        ids::{PlanId, RunId},
        run::RunState,
        schedule::Schedule,
        store::{DayOfRuns, NotRun},
    };

    const PLAN: PlanId = PlanId(Uuid::from_u128(1));

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn run_at(text: &str) -> RunId {
        RunId::new(&ManualClock::at(at(text)), &SystemEntropy)
    }

    #[test]
    fn days_are_those_of_the_zone_also_where_the_clocks_are_changed() {
        let berlin = TimeZone::get("Europe/Berlin").expect("a zone");
        let days = last_days(3, &berlin, at("2026-10-25T23:30:00Z"));
        let told: Vec<(String, i64)> = days
            .iter()
            .map(|day| (day.date.to_string(), day.to.duration_since(day.from).as_hours()))
            .collect();
        let told: Vec<(&str, i64)> = told.iter().map(|(date, hours)| (date.as_str(), *hours)).collect();
        assert_eq!(told, [("2026-10-24", 24), ("2026-10-25", 25), ("2026-10-26", 24)]);
        assert_eq!(days[2].from, at("2026-10-25T23:00:00Z"));
    }

    #[test]
    fn each_day_says_how_it_went() {
        let now = at("2026-11-12T12:00:00Z");
        let days = last_days(12, &TimeZone::UTC, now);
        let schedule = Schedule::parse("30 2 * * *", "UTC").expect("a schedule");
        let runs = |date: &str, state, runs| DayOfRuns {
            day: days.iter().position(|day| day.date.to_string() == date).expect("one of the days") + 60,
            plan: PLAN,
            state,
            runs,
            newest: run_at(&format!("{date}T02:30:00Z")),
            ended_at: Some(at(&format!("{date}T02:40:00Z"))),
            done: 1,
            failed: 0,
            bytes: 1,
        };
        let not_run =
            |plan, scheduled_for: &str, missed_since: Option<&str>, is_overlap, is_made_up_for| NotRun {
                plan,
                scheduled_for: at(scheduled_for),
                missed_since: missed_since.map(at),
                is_overlap,
                is_made_up_for,
            };
        let later = DayOfRuns {
            newest: run_at("2026-11-03T03:30:00Z"),
            ..runs("2026-11-03", RunState::Succeeded, 1)
        };
        let known = Known {
            plan: PLAN,
            made_at: at("2026-11-02T01:00:00Z"),
            schedule: Some(&schedule),
            overdue_days: Some(3),
            good_before: None,
            first_day: 60,
            runs: &[
                runs("2026-11-02", RunState::Succeeded, 1),
                runs("2026-11-03", RunState::Failed, 2),
                later,
                runs("2026-11-04", RunState::Partial, 1),
                runs("2026-11-05", RunState::Failed, 1),
                runs("2026-11-10", RunState::Cancelled, 1),
                runs("2026-11-12", RunState::Running, 1),
                // Of another plan.
                DayOfRuns { plan: PlanId(Uuid::from_u128(2)), ..runs("2026-11-11", RunState::Succeeded, 1) },
            ],
            not_run: &[
                // Three days without the machine, and one that was made up for.
                not_run(PLAN, "2026-11-09T02:30:00Z", Some("2026-11-07T02:30:00Z"), false, false),
                not_run(PLAN, "2026-11-10T02:30:00Z", None, false, true),
                not_run(PLAN, "2026-11-11T02:30:00Z", None, true, false),
                not_run(PlanId(Uuid::from_u128(2)), "2026-11-06T02:30:00Z", None, false, false),
            ],
        };
        let strip = of(&known, &days, now);
        let told: Vec<(i8, DayVerdict, &str)> =
            strip.iter().map(|day| (day.date.day(), day.verdict, day.text.as_str())).collect();
        let missed = "missed: it was due, and nobody was there to run it";
        let missed_and_overdue = "missed: it was due, and nobody was there to run it, overdue";
        assert_eq!(
            told,
            [
                (1, DayVerdict::Before, "no such plan yet"),
                (2, DayVerdict::Good, "good"),
                (3, DayVerdict::Good, "good, 3 runs (2 failed, 1 succeeded)"),
                (4, DayVerdict::Partial, "some items failed"),
                (5, DayVerdict::Failed, "failed"),
                (6, DayVerdict::Overdue, "overdue"),
                (7, DayVerdict::Missed, missed_and_overdue),
                (8, DayVerdict::Missed, missed_and_overdue),
                (9, DayVerdict::Missed, missed_and_overdue),
                (10, DayVerdict::Cancelled, "stopped, overdue"),
                (11, DayVerdict::Working, "a run of an earlier day had not ended, overdue"),
                (12, DayVerdict::Working, "not ended, overdue"),
            ]
        );
        // Without a schedule and limits, nothing is overdue.
        let known = Known { overdue_days: None, schedule: None, ..known };
        let strip = of(&known, &days, now);
        assert_eq!((strip[5].verdict, strip[6].text.as_str()), (DayVerdict::Nothing, missed));
    }
}
