//! Enumerates the civil times of a cron expression: dates and times of day, without a zone.
//!
//! The `cron` crate does it, and this is the only file that asks it. It is never given a real zone: with one it answers
//! with times in the past, and skips or repeats those of the days on which clocks are changed. Its UTC stands for "no zone".

use chrono::{Datelike, NaiveDate, Timelike, Utc};
use jiff::civil::{DateTime, date};

use super::{
    expression::Cron,
    field::{Field, Unit},
};

/// The `cron` crate knows the years from 1970 on.
const BEFORE_THE_FIRST: DateTime = date(1969, 12, 31).at(23, 59, 59, 0);

/// The civil times that match an expression.
#[derive(Clone, Debug)]
pub(super) struct CivilTimes {
    /// That crate wants both days to match. Where either is enough there are two, and a time of one of them is enough.
    alternatives: Vec<cron::Schedule>,
}

// === impl CivilTimes ===

impl CivilTimes {
    pub(super) fn new(cron: &Cron) -> Result<Self, cron::error::Error> {
        let enumerated = |day_of_month: &Field, day_of_week: &Field| {
            let fields = [&cron.second, &cron.minute, &cron.hour, day_of_month, &cron.month, day_of_week]
                .map(Field::to_cron);
            fields.join(" ").parse()
        };
        let alternatives = if cron.either_day() {
            let by_month = enumerated(&cron.day_of_month, &Field::every(Unit::DayOfWeek))?;
            let by_week = enumerated(&Field::every(Unit::DayOfMonth), &cron.day_of_week)?;
            vec![by_month, by_week]
        } else {
            vec![enumerated(&cron.day_of_month, &cron.day_of_week)?]
        };
        Ok(Self { alternatives })
    }

    /// The first matching time that is strictly later, if there is one before 2101. What it matches are whole seconds.
    pub(super) fn after(&self, after: DateTime) -> Option<DateTime> {
        let after = to_chrono(after.max(BEFORE_THE_FIRST))?;
        self.alternatives.iter().filter_map(|times| from_chrono(times.after(&after).next()?)).min()
    }
}

/// Without the fraction of the second.
fn to_chrono(time: DateTime) -> Option<chrono::DateTime<Utc>> {
    let part = |value: i8| u32::try_from(value).ok();
    let day = NaiveDate::from_ymd_opt(time.year().into(), part(time.month())?, part(time.day())?)?;
    Some(day.and_hms_opt(part(time.hour())?, part(time.minute())?, part(time.second())?)?.and_utc())
}

fn from_chrono(time: chrono::DateTime<Utc>) -> Option<DateTime> {
    let part = |value: u32| i8::try_from(value).ok();
    let (year, month, day) = (i16::try_from(time.year()).ok()?, part(time.month())?, part(time.day())?);
    DateTime::new(year, month, day, part(time.hour())?, part(time.minute())?, part(time.second())?, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::CivilTimes;
    use crate::schedule::expression::Expression;

    fn after(expression: &str, after: &str) -> Option<String> {
        let Ok(Expression::Cron(cron)) = Expression::parse(expression) else { panic!("{expression}") };
        let times = CivilTimes::new(&cron).expect("it can be enumerated");
        times.after(after.parse().expect("a time")).map(|time| time.to_string())
    }

    #[test]
    fn times_are_strictly_later_whole_seconds_within_the_horizon() {
        for (expression, from, expected) in [
            ("0 0 * * *", "2026-11-21T00:00:00", Some("2026-11-22T00:00:00")),
            ("* * * * * *", "2026-11-21T00:00:00.999999999", Some("2026-11-21T00:00:01")),
            ("59 59 23 31 12 *", "2026-12-31T23:59:58.9", Some("2026-12-31T23:59:59")),
            ("0 0 1 1 *", "-009999-01-01T00:00:00", Some("1970-01-01T00:00:00")),
            ("0 0 1 1 *", "2099-12-31T23:59:59", Some("2100-01-01T00:00:00")),
            ("0 0 1 1 *", "2100-01-01T00:00:00", None),
            ("0 0 1 1 *", "9999-12-31T23:59:59.999999999", None),
            ("0 0 29 2 *", "2096-03-01T00:00:00", None),
            ("0 0 30 2 *", "2026-01-01T00:00:00", None),
        ] {
            assert_eq!(after(expression, from).as_deref(), expected, "{expression} after {from}");
        }
    }
}
