//! `charon schedule`: what an expression means, without a data directory.

use charon_engine::{
    Schedule,
    clock::{Clock, SystemClock},
    system_time_zone,
};
use jiff::{Timestamp, tz::TimeZone};

use crate::{
    args::Schedule as Command,
    exit::{Exit, Failure},
    output::{Output, say, say_aside, to_json},
};

pub(crate) fn run(command: &Command, output: Output) -> Result<Exit, Failure> {
    match command {
        Command::Next { expression, timezone, after, count } => {
            next(expression, timezone.as_deref(), after.as_deref(), usize::from(*count), output)
        }
    }
}

/// Prints the next occurrences: instants in UTC for scripts, local times for people.
fn next(
    expression: &str,
    time_zone: Option<&str>,
    after: Option<&str>,
    count: usize,
    output: Output,
) -> Result<Exit, Failure> {
    let time_zone = time_zone.map_or_else(system_time_zone, str::to_owned);
    let schedule =
        Schedule::parse(expression, &time_zone).map_err(|error| Failure::usage(error.to_string()))?;
    let after = after.map_or_else(|| Ok(SystemClock.now()), read_time)?;
    let occurrences: Vec<Timestamp> = schedule.after(after).take(count).collect();
    if output.json {
        say(&to_json(&occurrences)?)?;
    } else if occurrences.is_empty() {
        say_aside(&format!("\"{}\" is never due after {after}", schedule.expression()));
    } else {
        let lines: Vec<String> =
            occurrences.iter().map(|due| in_local_time(*due, schedule.time_zone())).collect();
        say(&lines.join("\n"))?;
    }
    Ok(Exit::Done)
}

/// `Sun 2026-03-29 03:00:00 +02:00`.
fn in_local_time(instant: Timestamp, zone: &TimeZone) -> String {
    instant.to_zoned(zone.clone()).strftime("%a %F %T %:z").to_string()
}

pub(super) fn read_time(text: &str) -> Result<Timestamp, Failure> {
    text.parse().map_err(|_| {
        Failure::usage(format!(
            "the time \"{text}\" is wrong: write it as RFC 3339 has it, such as 2026-03-29T00:00:00Z or 2026-03-29T02:00:00+02:00"
        ))
    })
}
