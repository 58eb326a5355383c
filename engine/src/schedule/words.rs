//! A schedule in plain words, as people say it: "every day at 03:00". What has no such words is told by its expression.

use super::{
    Schedule,
    every::Every,
    expression::{Cron, Expression},
};

/// More times of a day than these are not told one by one.
const TOLD_ONE_BY_ONE: usize = 6;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

impl Schedule {
    /// What it means in plain words, with its zone: "every day at 03:00 in Europe/Berlin". An expression that has no plain words
    /// is told as it is.
    pub fn in_words(&self) -> String {
        let zone = self.zone.iana_name().unwrap_or("UTC");
        match Expression::parse(&self.source) {
            // The same everywhere.
            Ok(Expression::Every(every)) => interval(every),
            Ok(Expression::Cron(cron)) => match in_words(&cron) {
                Some(words) => format!("{words} in {zone}"),
                None => format!("by the expression {} in {zone}", self.source),
            },
            Err(_) => self.source.clone(),
        }
    }
}

/// `every 6 hours`, `every 1 hour 30 minutes`.
fn interval(every: Every) -> String {
    let mut rest = every.seconds();
    let mut parts = Vec::new();
    for (unit, seconds) in [("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)] {
        let count = rest / seconds;
        rest %= seconds;
        if count > 0 {
            parts.push((count, unit));
        }
    }
    match parts.as_slice() {
        [(1, unit)] => format!("every {unit}"),
        parts => {
            let told = parts
                .iter()
                .map(|(count, unit)| format!("{count} {unit}{}", if *count == 1 { "" } else { "s" }));
            format!("every {}", told.collect::<Vec<_>>().join(" "))
        }
    }
}

/// When on a day.
enum Times {
    /// At these: `at 03:00`.
    At(String),
    /// Again and again: `every 10 minutes`.
    Often(String),
}

fn in_words(cron: &Cron) -> Option<String> {
    let days = days(cron)?;
    Some(match (times(cron)?, days) {
        (Times::At(times), Days::All) => format!("every day {times}"),
        (Times::At(times), Days::Some { leading, .. }) => format!("{leading} {times}"),
        (Times::Often(times), Days::All) => times,
        (Times::Often(times), Days::Some { trailing, .. }) => format!("{times} {trailing}"),
    })
}

fn times(cron: &Cron) -> Option<Times> {
    let (hours, minutes, seconds) = (cron.hour.values(), cron.minute.values(), cron.second.values());
    let all_hours = cron.hour.takes_all();
    if let ([minute], [second], [_, ..]) = (&*minutes, &*seconds, &*hours) {
        let second = *second;
        if all_hours {
            let at = match (minute, second) {
                (0, 0) => String::new(),
                (minute, 0) => format!(" at {minute} minutes past"),
                (minute, second) => format!(" at {minute} minutes and {second} seconds past"),
            };
            return Some(Times::Often(format!("every hour{at}")));
        }
        if hours.len() <= TOLD_ONE_BY_ONE {
            let times = hours.iter().map(|hour| clock(*hour, *minute, second)).collect();
            return Some(Times::At(format!("at {}", listed(times))));
        }
        if let Some(step) = step(&hours, 24).filter(|_| *minute == 0 && second == 0) {
            return Some(Times::Often(format!("every {step} hours from 00:00 on")));
        }
        let (first, last) = stretch(&hours)?;
        let (first, last) = (clock(first, *minute, second), clock(last, *minute, second));
        return Some(Times::Often(format!("every hour from {first} to {last}")));
    }
    if seconds != [0] {
        let is_always = all_hours && cron.minute.takes_all();
        let step = step(&seconds, 60).filter(|_| is_always)?;
        return Some(Times::Often(if step == 1 {
            "every second".into()
        } else {
            format!("every {step} seconds")
        }));
    }
    if hours.len() * minutes.len() <= TOLD_ONE_BY_ONE {
        let of = |hour: &u8| minutes.iter().map(|minute| clock(*hour, *minute, 0)).collect::<Vec<_>>();
        return Some(Times::At(format!("at {}", listed(hours.iter().flat_map(of).collect()))));
    }
    let often = match step(&minutes, 60) {
        Some(1) => "every minute".to_owned(),
        Some(step) => format!("every {step} minutes"),
        None if minutes.len() <= TOLD_ONE_BY_ONE => {
            format!("every hour at {} minutes past", listed(minutes.iter().map(u8::to_string).collect()))
        }
        None => return None,
    };
    if all_hours {
        return Some(Times::Often(often));
    }
    let (first, last) = stretch(&hours)?;
    let last_minute = minutes.last().copied().unwrap_or_default();
    Some(Times::Often(format!(
        "{often} from {} to {}",
        clock(first, minutes[0], 0),
        clock(last, last_minute, 0)
    )))
}

/// On which days.
enum Days {
    All,
    Some {
        /// As a sentence begins with them: `every Monday`.
        leading: String,
        /// As one ends with them: `on Mondays`.
        trailing: String,
    },
}

fn days(cron: &Cron) -> Option<Days> {
    let (of_month, of_week) = (cron.day_of_month.values(), cron.day_of_week.values());
    let months: Vec<String> =
        cron.month.values().iter().map(|month| MONTHS[usize::from(*month) - 1].into()).collect();
    let all_months = cron.month.takes_all();
    let within = if all_months { String::new() } else { format!(" in {}", listed(months.clone())) };
    let same = |words: String| Days::Some { leading: words.clone(), trailing: words };
    match (cron.day_of_month.takes_all(), cron.day_of_week.takes_all()) {
        (true, true) if all_months => Some(Days::All),
        (true, true) => {
            Some(Days::Some { leading: format!("every day{within}"), trailing: within.trim().into() })
        }
        (true, false) => {
            let (leading, trailing) = of_the_week(&of_week);
            Some(Days::Some {
                leading: format!("{leading}{within}"),
                trailing: format!("{trailing}{within}"),
            })
        }
        (false, true) if all_months => Some(same(format!("on the {} of every month", ordinals(&of_month)))),
        (false, true) => match (&*of_month, &*months) {
            ([day], [month]) => Some(same(format!("on {day} {month} of every year"))),
            _ => Some(same(format!("on the {} of {}", ordinals(&of_month), listed(months)))),
        },
        (false, false) if cron.either_day() => {
            let of = if all_months { "every month".to_owned() } else { listed(months) };
            let (_, week) = of_the_week(&of_week);
            Some(same(format!("on the {} of {of} and {week}{within}", ordinals(&of_month))))
        }
        (false, false) => None,
    }
}

/// `every Monday` and `on Mondays`.
fn of_the_week(days: &[u8]) -> (String, String) {
    match days {
        [1, 2, 3, 4, 5] => ("every day from Monday to Friday".into(), "from Monday to Friday".into()),
        days => {
            // A week begins on Monday.
            let sunday_last = days.iter().filter(|day| **day > 0).chain(days.iter().filter(|day| **day == 0));
            let names: Vec<&str> = sunday_last.map(|day| DAYS[usize::from(*day)]).collect();
            let plural = names.iter().map(|name| format!("{name}s")).collect();
            let singular = names.iter().map(|name| (*name).to_owned()).collect();
            (format!("every {}", listed(singular)), format!("on {}", listed(plural)))
        }
    }
}

fn clock(hour: u8, minute: u8, second: u8) -> String {
    match second {
        0 => format!("{hour:02}:{minute:02}"),
        second => format!("{hour:02}:{minute:02}:{second:02}"),
    }
}

/// `1st and 15th`.
fn ordinals(days: &[u8]) -> String {
    let ending = |day: u8| match (day % 10, day / 10) {
        (1, tens) if tens != 1 => "st",
        (2, tens) if tens != 1 => "nd",
        (3, tens) if tens != 1 => "rd",
        _ => "th",
    };
    match stretch(days) {
        Some((first, last)) if days.len() > 2 => {
            format!("{first}{} to {last}{}", ending(first), ending(last))
        }
        _ => listed(days.iter().map(|day| format!("{day}{}", ending(*day))).collect()),
    }
}

/// `a, b and c`.
fn listed(mut words: Vec<String>) -> String {
    match words.pop() {
        Some(last) if !words.is_empty() => format!("{} and {last}", words.join(", ")),
        Some(last) => last,
        None => String::new(),
    }
}

/// Every how many these values come, from 0 on and all around the clock.
fn step(values: &[u8], all: u8) -> Option<u8> {
    let step = all.checked_div(u8::try_from(values.len()).ok()?)?;
    let is_even =
        values.iter().enumerate().all(|(index, value)| usize::from(*value) == index * usize::from(step));
    (is_even && usize::from(step) * values.len() == usize::from(all)).then_some(step)
}

/// The first and the last of these values, if none between them is left out.
fn stretch(values: &[u8]) -> Option<(u8, u8)> {
    let (first, last) = (*values.first()?, *values.last()?);
    (usize::from(last - first) + 1 == values.len()).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use crate::Schedule;

    #[test]
    fn schedules_are_said_as_people_say_them() {
        for (expression, words) in [
            ("0 3 * * *", "every day at 03:00 in Europe/Berlin"),
            ("@daily", "every day at 00:00 in Europe/Berlin"),
            ("30 2 * * *", "every day at 02:30 in Europe/Berlin"),
            ("15 30 2 * * *", "every day at 02:30:15 in Europe/Berlin"),
            ("0 3,15 * * *", "every day at 03:00 and 15:00 in Europe/Berlin"),
            ("0,30 9 * * *", "every day at 09:00 and 09:30 in Europe/Berlin"),
            ("0 */6 * * *", "every day at 00:00, 06:00, 12:00 and 18:00 in Europe/Berlin"),
            ("0 */2 * * *", "every 2 hours from 00:00 on in Europe/Berlin"),
            ("0 8-20 * * *", "every hour from 08:00 to 20:00 in Europe/Berlin"),
            ("@hourly", "every hour in Europe/Berlin"),
            ("5 * * * *", "every hour at 5 minutes past in Europe/Berlin"),
            ("5,35 * * * *", "every hour at 5 and 35 minutes past in Europe/Berlin"),
            ("* * * * *", "every minute in Europe/Berlin"),
            ("*/10 * * * *", "every 10 minutes in Europe/Berlin"),
            (
                "*/15 9-17 * * mon-fri",
                "every 15 minutes from 09:00 to 17:45 from Monday to Friday in Europe/Berlin",
            ),
            ("*/30 * * * * *", "every 30 seconds in Europe/Berlin"),
            ("0 3 * * mon", "every Monday at 03:00 in Europe/Berlin"),
            ("@weekly", "every Sunday at 00:00 in Europe/Berlin"),
            ("0 3 * * sat,sun", "every Saturday and Sunday at 03:00 in Europe/Berlin"),
            ("0 3 * * 1-5", "every day from Monday to Friday at 03:00 in Europe/Berlin"),
            ("0 * * * mon", "every hour on Mondays in Europe/Berlin"),
            ("@monthly", "on the 1st of every month at 00:00 in Europe/Berlin"),
            ("0 4 1,15 * *", "on the 1st and 15th of every month at 04:00 in Europe/Berlin"),
            ("0 4 1-7 * *", "on the 1st to 7th of every month at 04:00 in Europe/Berlin"),
            ("0 4 2,3,11,22 * *", "on the 2nd, 3rd, 11th and 22nd of every month at 04:00 in Europe/Berlin"),
            ("@yearly", "on 1 January of every year at 00:00 in Europe/Berlin"),
            ("0 0 29 2 *", "on 29 February of every year at 00:00 in Europe/Berlin"),
            ("0 0 1 1,7 *", "on the 1st of January and July at 00:00 in Europe/Berlin"),
            ("0 3 * 7 *", "every day in July at 03:00 in Europe/Berlin"),
            ("0 3 * 7 sun", "every Sunday in July at 03:00 in Europe/Berlin"),
            ("0 0 13 * fri", "on the 13th of every month and on Fridays at 00:00 in Europe/Berlin"),
            ("@every 6h", "every 6 hours"),
            ("@every 1h", "every hour"),
            ("@every 1h30m", "every 1 hour 30 minutes"),
            ("@every 7d", "every 7 days"),
            // What has no plain words.
            ("0 0 */2 * fri", "by the expression 0 0 */2 * fri in Europe/Berlin"),
            ("*/25 * * * *", "every hour at 0, 25 and 50 minutes past in Europe/Berlin"),
            ("1-40/3 1,5,9 * * *", "by the expression 1-40/3 1,5,9 * * * in Europe/Berlin"),
            ("0 0,1,2,5,6,9,22 * * *", "by the expression 0 0,1,2,5,6,9,22 * * * in Europe/Berlin"),
        ] {
            let schedule = Schedule::parse(expression, "Europe/Berlin").expect(expression);
            assert_eq!(schedule.in_words(), words, "{expression}");
        }
    }
}
