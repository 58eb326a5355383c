//! When a plan runs, and within what bounds: the parts of its configuration that both kinds of plans share.

use charon_schema::{Mistake, Mistakes};
use jiff::{Timestamp, tz::TimeZone};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    run::named,
    schedule::{Schedule, Windows, named_zone},
};

/// When a plan is due, and what becomes of a moment that was missed or comes while it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct ScheduleConfig {
    /// When the plan is due.
    #[schemars(
        title = "Due",
        description = "When the plan is due: five fields as crontab(5) has them (\"30 2 * * *\"), six with seconds first, \
                       @daily and its kin, or an interval (\"@every 6h\").",
        length(min = 1),
        extend("x-group" = "Schedule", "x-order" = 1)
    )]
    pub cron: String,
    /// The IANA time zone that it is told in; without it, that of this machine when the plan is saved.
    #[serde(default = "system_time_zone")]
    #[schemars(
        title = "Time zone",
        default,
        transform = without_default,
        extend("x-group" = "Schedule", "x-order" = 2)
    )]
    pub timezone: String,
    /// The times at which a run by this schedule may be at work.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        title = "Allowed windows",
        description = "The times at which a run by this schedule may be at work, such as \"01:00-06:00\" or \"sat,sun \
                       00:00-24:00\". Outside, it pauses, and goes on in the next one. Without any it may always.",
        extend("x-group" = "Schedule", "x-order" = 3)
    )]
    pub windows: Vec<String>,
    /// A run begins up to so many minutes later than it is due, at random, so that not all plans begin at once.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(
        title = "Jitter",
        range(max = 1440),
        extend("x-group" = "Schedule", "x-order" = 4, "x-unit" = "minutes", "x-advanced" = true)
    )]
    pub jitter_minutes: u32,
    /// What becomes of moments that were missed, since the machine was off or asleep: one run for all of them, or none.
    #[serde(default = "run_once")]
    #[schemars(title = "Missed", extend("x-group" = "Schedule", "x-order" = 5))]
    pub missed: MissedPolicy,
    /// A missed moment that is longer ago is not made up for.
    #[serde(default = "a_week")]
    #[schemars(
        title = "Made up for within",
        range(min = 1, max = 8760),
        extend("x-group" = "Schedule", "x-order" = 6, "x-unit" = "hours", "x-advanced" = true)
    )]
    pub missed_max_age_hours: u32,
    /// What becomes of a moment at which a run of the plan has not ended: it is left out, it waits, or that run is stopped.
    #[serde(default = "skip")]
    #[schemars(title = "Overlap", extend("x-group" = "Schedule", "x-order" = 7))]
    pub overlap: OverlapPolicy,
}

/// A plan's schedule is paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pause {
    /// Until when; `None` until somebody resumes it.
    pub(crate) until: Option<Timestamp>,
}

/// The bounds of a plan's runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(inline)]
pub struct PolicyConfig {
    /// A run that has been at work for so long ends; the next one goes on from there. Waiting does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        title = "Time limit",
        range(min = 1, max = 43_200),
        extend("x-group" = "Runs", "x-order" = 1, "x-unit" = "minutes", "x-advanced" = true)
    )]
    pub time_limit_minutes: Option<u32>,
    /// How often a run that failed for something that may pass (the network, a full disk) is tried again, ever more slowly.
    #[schemars(
        title = "Tries again",
        range(max = 20),
        extend("x-group" = "Runs", "x-order" = 2, "x-unit" = "times", "x-advanced" = true)
    )]
    pub retries: u32,
    /// You are told when there has been no good run for so long.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        title = "Overdue after",
        range(min = 1, max = 365),
        extend("x-group" = "Runs", "x-order" = 3, "x-unit" = "days")
    )]
    pub overdue_days: Option<u32>,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self { time_limit_minutes: None, retries: 3, overdue_days: None }
    }
}

named! {
    /// What becomes of moments that were missed.
    #[schemars(inline)]
    MissedPolicy {
        /// Nothing.
        Skip = "skip",
        /// One run makes up for all of them.
        RunOnce = "run_once",
    }
}

named! {
    /// What becomes of a moment at which a run of the plan has not ended.
    #[schemars(inline)]
    OverlapPolicy {
        /// It is left out.
        Skip = "skip",
        /// A run for it waits for the other one to end; one at most.
        QueueOne = "queue_one",
        /// The other run is stopped, and the one for it goes on from there.
        CancelPrevious = "cancel_previous",
    }
}

fn run_once() -> MissedPolicy {
    MissedPolicy::RunOnce
}

fn skip() -> OverlapPolicy {
    OverlapPolicy::Skip
}

fn a_week() -> u32 {
    168
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Which one it is depends on the machine, so no schema can tell it.
fn without_default(schema: &mut schemars::Schema) {
    schema.remove("default");
}

/// The name of the zone that this machine is set to. One without a name in the IANA database is as good as unknown.
pub fn system_time_zone() -> String {
    let zone = TimeZone::try_system().ok();
    zone.and_then(|zone| zone.iana_name().map(str::to_owned)).unwrap_or_else(|| "UTC".to_owned())
}

impl ScheduleConfig {
    /// Refuses a schedule that is never due, whenever it is asked, as one on 31 February is.
    pub(crate) fn refuse_never(&self, schedule: &Schedule) -> Result<(), Mistakes> {
        if schedule.after(Timestamp::UNIX_EPOCH).next().is_some() {
            return Ok(());
        }
        let reason = format!(
            "{:?} is never due: there is no such day in any year; choose another day or month",
            self.cron
        );
        Err(Mistake { pointer: "/schedule/cron".into(), reason }.into())
    }

    /// What it means.
    ///
    /// # Errors
    /// Every mistake in it, each in its field below `schedule`.
    pub(crate) fn read(&self) -> Result<(Schedule, Windows), Mistakes> {
        let mistake = |field: &str, reason: String| Mistake { pointer: format!("/schedule/{field}"), reason };
        let mut mistakes = Vec::new();
        // What else is wrong is told too, and has nothing to do with the zone.
        let zone = if named_zone(&self.timezone).is_some() { self.timezone.as_str() } else { "UTC" };
        if zone != self.timezone {
            let reason = format!(
                "there is no time zone {:?}; write one of the IANA database, such as Europe/Berlin or UTC",
                self.timezone
            );
            mistakes.push(mistake("timezone", reason));
        }
        let schedule = Schedule::parse(&self.cron, zone)
            .map_err(|error| mistakes.push(mistake("cron", error.to_string())));
        let windows = Windows::parse(&self.windows, zone)
            .map_err(|error| mistakes.push(mistake("windows", error.to_string())));
        match (schedule, windows) {
            (Ok(schedule), Ok(windows)) if mistakes.is_empty() => Ok((schedule, windows)),
            _ => Err(Mistakes(mistakes)),
        }
    }
}
