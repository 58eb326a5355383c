//! When a plan is due next, for people: in plain words, and with the reason where there is nothing to come.

use std::time::Duration;

use charon_schema::{ConfigSchema, Mistake, Mistakes};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    engine::Engine,
    error::Error,
    ids::PlanId,
    plans::config_of,
    schedule::{Schedule, Windows, jitter},
    timing::ScheduleConfig,
};

/// The most times that are told.
pub const MOST_UPCOMING: usize = 100;

/// When something is due next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Upcoming {
    /// The schedule in plain words; `null` without one.
    pub words: Option<String>,
    /// The time zone that it is read in; `null` without a schedule.
    pub timezone: Option<String>,
    /// The next times, in order.
    pub times: Vec<UpcomingTime>,
    /// Why there are none, if there are none.
    pub reason: Option<String>,
    /// What else decides when a run begins: how long it may be put off at random, and when it may be at work.
    pub notes: Vec<String>,
}

/// One time at which something is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UpcomingTime {
    /// The moment.
    pub due_at: Timestamp,
    /// The moment as the clocks of the schedule's time zone show it: `Sun 2026-03-29 03:00:00 +02:00`.
    pub local: String,
    /// When its run begins if nothing else is in the way: later by the plan's jitter, and within its windows. `null` where that is
    /// not known before the plan is saved.
    pub begins_at: Option<Timestamp>,
}

impl Engine {
    /// When a plan is due next.
    ///
    /// # Errors
    /// When there is no such plan.
    pub async fn upcoming(&self, plan: PlanId, most: usize) -> Result<Upcoming, Error> {
        let row = self.plan_row_by_id(plan).await?;
        let config = config_of(&row)?;
        let Some(schedule) = config.schedule() else {
            let reason = "it has no schedule: it runs when somebody asks for it".to_owned();
            return Ok(Upcoming { reason: Some(reason), ..Upcoming::default() });
        };
        let read = match schedule.read() {
            Ok(read) => read,
            Err(mistakes) => {
                return Ok(Upcoming { reason: Some(mistakes.to_string()), ..Upcoming::default() });
            }
        };
        let now = self.clock.now();
        let from = match (row.paused_at, row.paused_until) {
            (None, _) => Some(now),
            (Some(_), until) => until.map(|until| until.max(now)),
        };
        let mut upcoming = told(schedule, &read, from, most, Some(&row.id.to_string()));
        match (from, row.paused_until.filter(|until| *until > now)) {
            (None, _) => upcoming.reason = Some("its schedule is paused, until somebody resumes it".into()),
            (Some(_), Some(until)) if row.paused_at.is_some() => {
                let until = until.to_zoned(read.0.time_zone().clone()).strftime("%F %H:%M");
                upcoming.notes.insert(0, format!("Its schedule is paused until {until}."));
            }
            _ => {}
        }
        Ok(upcoming)
    }

    /// What a schedule means that is not saved: the fields of [`ScheduleConfig`], of which `cron` alone is needed.
    ///
    /// # Errors
    /// Every mistake in it, by its field.
    pub fn explain_schedule(&self, schedule: Map<String, Value>, most: usize) -> Result<Upcoming, Mistakes> {
        let schema = ConfigSchema::of::<ScheduleConfig>();
        let given = Value::Object(schema.coerce(schedule));
        schema.validate(&given)?;
        let contradiction =
            |error: serde_json::Error| Mistake { pointer: String::new(), reason: error.to_string() };
        let config: ScheduleConfig = serde_json::from_value(given).map_err(contradiction)?;
        let here = |mistake: Mistake| {
            let pointer = mistake.pointer.strip_prefix("/schedule").map(str::to_owned);
            Mistake { pointer: pointer.unwrap_or(mistake.pointer), reason: mistake.reason }
        };
        let read = config.read().and_then(|read| config.refuse_never(&read.0).map(|()| read));
        let read = read.map_err(|mistakes| Mistakes(mistakes.0.into_iter().map(here).collect()))?;
        Ok(told(&config, &read, Some(self.clock.now()), most, None))
    }
}

/// The next times after a moment, if there is one from which they are asked for.
fn told(
    config: &ScheduleConfig,
    (schedule, windows): &(Schedule, Windows),
    from: Option<Timestamp>,
    most: usize,
    seed: Option<&str>,
) -> Upcoming {
    let most_late = Duration::from_mins(config.jitter_minutes.into());
    let begins_at = |due: Timestamp| {
        let late = match (seed, config.jitter_minutes) {
            (_, 0) => Duration::ZERO,
            (Some(seed), _) => jitter(seed, due, most_late),
            (None, _) => return None,
        };
        windows.opens_at(due.checked_add(late).ok()?)
    };
    let time = |due: Timestamp| UpcomingTime {
        due_at: due,
        local: due.to_zoned(schedule.time_zone().clone()).strftime("%a %F %T %:z").to_string(),
        begins_at: begins_at(due),
    };
    let times = from.into_iter().flat_map(|from| schedule.after(from)).take(most.min(MOST_UPCOMING));
    let times: Vec<UpcomingTime> = times.map(time).collect();
    let mut notes = Vec::new();
    if config.jitter_minutes > 0 {
        notes.push(format!("A run begins up to {} minutes later, at random.", config.jitter_minutes));
    }
    if !config.windows.is_empty() {
        notes.push(format!("A run is at work only within {}.", config.windows.join(", ")));
    }
    let is_over = times.is_empty() && from.is_some() && most > 0;
    Upcoming {
        words: Some(schedule.in_words()),
        timezone: Some(config.timezone.clone()),
        times,
        reason: is_over.then(|| "the schedule is not due any more".to_owned()),
        notes,
    }
}
