//! Schedules: an expression in an IANA time zone, and the instants at which it is due.
//!
//! Nothing here reads a clock or waits: [`Schedule::after`] is a pure function of its arguments, and so is all the rest.
//!
//! # Expressions
//!
//! * **Five fields**, as crontab(5) means them: minute 0-59, hour 0-23, day of the month 1-31, month 1-12, day of the
//!   week 0-7, where 0 and 7 are Sunday. **Six fields** begin with a second, 0-59. Fields are separated by spaces or
//!   tabs.
//! * A field is a list, with commas, of `*`, values and ranges. Months and days of the week have names, in any case:
//!   the first three letters in English. Names can stand in lists and ranges too.
//! * `/n` after `*` or a range takes every n-th value, counted from the beginning of the range: `*/25` in the minutes
//!   is 0, 25, 50, every hour anew.
//! * `5-7` in the days of the week is Friday to Sunday. As the end of a range the name `sun` is 7, so `fri-sun` is the
//!   same.
//! * **Either day.** When neither the day of the month nor the day of the week begins with `*`, a day that matches one
//!   of the two is enough: `0 0 13 * fri` is every 13th and every Friday. Otherwise both must match: `0 0 */2 * fri` is
//!   a Friday with an odd date.
//! * `@hourly`, `@daily` (or `@midnight`), `@weekly` (Sunday), `@monthly`, `@yearly` (or `@annually`), at the beginning
//!   of what they name.
//! * `@every 1h30m`: real time, anchored to the Unix epoch and independent of the zone. Whole numbers of `d`, `h`, `m`,
//!   `s`, each unit once, larger ones first; a day is 24 hours; from one second to 366 days.
//!
//! Refused, with the reason: ranges that run backwards, such as `6-0` or `22-2` (crons differ: some take them for
//! nothing); a step without a range, such as `5/10` (crons differ again); steps of zero and steps beyond the field;
//! `@reboot`; and `?`, `L`, `W`, `#`, `~` of other dialects.
//!
//! # Days on which clocks are changed
//!
//! As cron(8) tells apart "jobs that run at a specific time and jobs that run with a granularity greater than one hour"
//! from "jobs that run more frequently":
//!
//! * **At given hours** (some hour of the day is left out: `30 2 * * *`, `*/10 2 * * *`, `0 */6 * * *`), an occurrence
//!   is a local time, and each is due once. One that does not exist, because clocks skip it in spring, is due at the
//!   end of the gap; all that fall into one gap, and one that is due at its end anyway, are one occurrence. One that
//!   exists twice, in autumn, is due in the first pass.
//! * **Every hour** (all 24 hours match: `0 * * * *`, `*/10 * * * *`, `@hourly`), an occurrence is a reading of the
//!   clock, in real time. One that is skipped is not made up for, since the next is never far; in autumn both passes
//!   count, or an hourly backup would pause for two hours.
//!
//! Vixie cron's code takes a `*` at the beginning of the minute or the hour for "more frequently"; it would lose the
//! whole of `*/10 2 * * *` in a gap, and run it in both passes. Here the hours alone decide, by what they take.
//!
//! # Occurrences
//!
//! They are whole seconds, strictly later than the instant asked about, and strictly increasing. An expression that never
//! matches (30 February) has none, and says so at once. The horizon is that of the `cron` crate: nothing is due before 1970
//! or after 2100, except for `@every`. A question costs microseconds, whatever the expression.
//!
//! More than four hundred examples are in `engine/tests/cron/table.json`, worked out by another program in another way.
//!
//! # What was missed, when to begin, and when it is allowed to
//!
//! * [`Schedule::latest`] and [`Schedule::count_between`] look back: what was due last since an instant, and how many times.
//!   They follow the same rules, since they ask [`Schedule::after`].
//! * [`jitter()`] is how long after its time something begins: the same whenever it is asked about the same instant.
//! * [`Windows`] are times of the day, on some days of the week, at which something may run: `mon-fri 22:00-06:00`.

mod civil;
mod error;
mod every;
mod expression;
mod field;
mod jitter;
mod looking_back;
mod occurrences;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod table;
#[cfg(test)]
mod tests;
mod windows;
mod words;

use jiff::{Timestamp, tz::TimeZone};

use civil::CivilTimes;
pub use error::ScheduleError;
use error::What;
use every::Every;
use expression::Expression;
pub use jitter::jitter;
pub use occurrences::Occurrences;
pub use windows::{WindowError, Windows};

/// When something is due: an expression in a time zone. [The module](crate::schedule) has the rules.
///
/// ```
/// use charon_engine::Schedule;
///
/// let schedule = Schedule::parse("30 2 * * *", "Europe/Berlin")?;
/// // On 29 March 2026 there is no half past two in Berlin: it is due when the clocks have jumped to three.
/// let next = schedule.after("2026-03-28T12:00:00Z".parse()?).next();
/// assert_eq!(next, Some("2026-03-29T03:00:00+02:00".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Schedule {
    source: String,
    zone: TimeZone,
    rule: Rule,
}

/// What an expression asks for.
#[derive(Clone, Debug)]
enum Rule {
    /// A constant interval, whatever the clocks on the walls say.
    Every(Every),
    /// Local times, each due once.
    OncePerLocalTime(CivilTimes),
    /// Readings of the local clock, as often as it shows them.
    RealTime(CivilTimes),
}

// === impl Schedule ===

impl Schedule {
    /// Reads an expression, for an IANA time zone such as `Europe/Berlin` or `UTC`.
    pub fn parse(expression: &str, time_zone: &str) -> Result<Self, ScheduleError> {
        let refused = |what| ScheduleError { expression: expression.trim().to_owned(), what };
        let rule = match Expression::parse(expression).map_err(refused)? {
            Expression::Every(every) => Rule::Every(every),
            Expression::Cron(cron) => {
                let times = CivilTimes::new(&cron).map_err(|error| refused(What::Enumeration(error)))?;
                if cron.hour.takes_all() { Rule::RealTime(times) } else { Rule::OncePerLocalTime(times) }
            }
        };
        let zone = named_zone(time_zone).ok_or_else(|| refused(What::Zone(time_zone.to_owned())))?;
        Ok(Self { source: expression.trim().to_owned(), zone, rule })
    }

    /// The expression, as it was given.
    pub fn expression(&self) -> &str {
        &self.source
    }

    /// The zone in which the expression is read.
    pub fn time_zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The instants at which it is due, strictly later than this one, in order. Empty if there are none.
    pub fn after(&self, after: Timestamp) -> Occurrences<'_> {
        Occurrences::new(self, after)
    }
}

/// The zone of this name, if there is one.
pub(crate) fn named_zone(name: &str) -> Option<TimeZone> {
    // An unknown zone behaves like UTC: nobody who asks for it means that.
    TimeZone::get(name).ok().filter(|zone| !zone.is_unknown())
}
