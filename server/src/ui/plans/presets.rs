//! When a plan runs, as most people want it: every hour, day, week or month; any expression for all others.

use jiff::civil::Time;
use maud::{Markup, html};

/// The days of the week, Monday first, with their names in an expression.
const DAYS: [(&str, &str); 7] = [
    ("mon", "Monday"),
    ("tue", "Tuesday"),
    ("wed", "Wednesday"),
    ("thu", "Thursday"),
    ("fri", "Friday"),
    ("sat", "Saturday"),
    ("sun", "Sunday"),
];

/// How often, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Preset {
    pub(super) often: Often,
    /// `03:00`; of an hourly one the minutes alone count.
    at: String,
    weekday: String,
    day: String,
    /// The expression, for all others.
    cron: String,
}

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Often {
    /// Only when somebody asks.
    Never,
    Hourly,
    Daily,
    Weekly,
    Monthly,
    Custom,
}

const OFTEN: [(Often, &str, &str); 6] = [
    (Often::Daily, "daily", "Every day"),
    (Often::Hourly, "hourly", "Every hour"),
    (Often::Weekly, "weekly", "Every week"),
    (Often::Monthly, "monthly", "Every month"),
    (Often::Custom, "custom", "As a cron expression says"),
    (Often::Never, "never", "Only when I ask for it"),
];

impl Default for Preset {
    fn default() -> Self {
        Self {
            often: Often::Daily,
            at: "03:00".into(),
            weekday: "sun".into(),
            day: "1".into(),
            cron: String::new(),
        }
    }
}

impl Preset {
    /// What an expression says, as a preset if it is one.
    pub(super) fn of(cron: Option<&str>) -> Self {
        let Some(cron) = cron else { return Self { often: Often::Never, ..Self::default() } };
        let words: Vec<&str> = match cron.trim().to_ascii_lowercase().as_str() {
            "@hourly" => vec!["0", "*", "*", "*", "*"],
            "@daily" | "@midnight" => vec!["0", "0", "*", "*", "*"],
            "@weekly" => vec!["0", "0", "*", "*", "0"],
            "@monthly" => vec!["0", "0", "1", "*", "*"],
            _ => cron.split_ascii_whitespace().collect(),
        };
        let custom = Self { often: Often::Custom, cron: cron.to_owned(), ..Self::default() };
        let &[minute, hour, day, "*", weekday] = words.as_slice() else { return custom };
        let Some(minute) = number(minute, 0, 59) else { return custom };
        let at = |hour: u8| format!("{hour:02}:{minute:02}");
        let preset = match (hour, day, weekday) {
            ("*", "*", "*") => Some((Often::Hourly, at(0), None, None)),
            (hour, "*", "*") => number(hour, 0, 23).map(|hour| (Often::Daily, at(hour), None, None)),
            (hour, "*", weekday) => number(hour, 0, 23)
                .zip(day_of_week(weekday))
                .map(|(hour, weekday)| (Often::Weekly, at(hour), Some(weekday), None)),
            (hour, day, "*") => number(hour, 0, 23)
                .zip(number(day, 1, 31))
                .map(|(hour, day)| (Often::Monthly, at(hour), None, Some(day))),
            _ => None,
        };
        let Some((often, at, weekday, day)) = preset else { return custom };
        let usual = Self::default();
        Self {
            often,
            at,
            weekday: weekday.map_or(usual.weekday, str::to_owned),
            day: day.map_or(usual.day, |day| day.to_string()),
            cron: String::new(),
        }
    }

    /// What was entered. A form that does not know of presets says the expression alone.
    pub(super) fn sent(sent: &[(String, String)]) -> Self {
        let value =
            |name: &str| sent.iter().rev().find(|(sent, _)| sent == name).map(|(_, value)| value.trim());
        let cron = value("/schedule/cron").unwrap_or_default();
        let often = OFTEN.iter().find(|(_, name, _)| Some(*name) == value("often")).map(|(often, ..)| *often);
        let Some(often) = often else { return Self::of(Some(cron).filter(|cron| !cron.is_empty())) };
        let usual = Self::default();
        Self {
            often,
            at: value("at").unwrap_or(&usual.at).to_owned(),
            weekday: value("weekday").unwrap_or(&usual.weekday).to_owned(),
            day: value("day").unwrap_or(&usual.day).to_owned(),
            cron: cron.to_owned(),
        }
    }

    /// The expression; `None` if it does not run by itself.
    ///
    /// # Errors
    /// What is missing.
    pub(super) fn cron(&self) -> Result<Option<String>, String> {
        let time =
            || self.at.parse::<Time>().map_err(|_| "needs a time of the day, such as 03:00".to_owned());
        let at = || time().map(|time| format!("{} {}", time.minute(), time.hour()));
        Ok(Some(match self.often {
            Often::Never => return Ok(None),
            Often::Custom if self.cron.is_empty() => {
                return Err("needs a cron expression, such as 30 2 * * *".to_owned());
            }
            Often::Custom => self.cron.clone(),
            Often::Hourly => format!("{} * * * *", time()?.minute()),
            Often::Daily => format!("{} * * *", at()?),
            Often::Weekly => {
                let weekday =
                    day_of_week(&self.weekday).ok_or_else(|| "needs a day of the week".to_owned())?;
                format!("{} * * {weekday}", at()?)
            }
            Often::Monthly => {
                let day =
                    number(&self.day, 1, 31).ok_or_else(|| "needs a day of the month, 1 to 31".to_owned())?;
                format!("{} {day} * *", at()?)
            }
        }))
    }

    /// The controls, in place of the one for the expression. `data-often` says to which of them each belongs.
    pub(super) fn draw(&self, id: &str, described_by: Option<&str>, is_wrong: bool) -> Markup {
        html! {
            div.presets {
                select id=(id) name="often" aria-describedby=[described_by] aria-invalid=[is_wrong.then_some("true")] {
                    @for (often, name, words) in OFTEN {
                        option value=(name) selected[often == self.often] { (words) }
                    }
                }
                div.when data-often="daily weekly monthly hourly" {
                    label for="at" { "At" }
                    input type="time" id="at" name="at" value=(self.at);
                    span.soft data-often="hourly" { "every hour at these minutes" }
                }
                div.when data-often="weekly" {
                    label for="weekday" { "On (every week)" }
                    select id="weekday" name="weekday" {
                        @for (name, words) in DAYS { option value=(name) selected[name == self.weekday] { (words) } }
                    }
                }
                div.when data-often="monthly" {
                    label for="day" { "On day (every month)" }
                    input type="number" id="day" name="day" min="1" max="31" value=(self.day);
                }
                div.when data-often="custom" {
                    label for="cron" { "Cron expression" }
                    input type="text" id="cron" name="/schedule/cron" value=(self.cron) spellcheck="false"
                        autocapitalize="off" placeholder="for example 30 2 * * mon-fri" aria-describedby="cron-help";
                    p.help id="cron-help" {
                        "Five fields as crontab has them: minute, hour, day of the month, month, day of the week. Or six, with seconds \
                         first; or " code { "@daily" } " and its kin; or an interval, such as " code { "@every 6h" } "."
                    }
                }
            }
        }
    }
}

fn number(text: &str, least: u8, most: u8) -> Option<u8> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| is_plain && (least..=most).contains(number))
}

fn day_of_week(text: &str) -> Option<&'static str> {
    let by_number = |number: u8| DAYS[usize::from((number + 6) % 7)].0;
    let by_name = DAYS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(name, _)| *name);
    by_name.or_else(|| number(text, 0, 7).map(by_number))
}

#[cfg(test)]
mod tests {
    use super::{Often, Preset};

    #[test]
    fn an_expression_that_is_a_preset_is_shown_as_one_and_stays_what_it_is() {
        for (cron, often, same) in [
            ("0 3 * * *", Often::Daily, "0 3 * * *"),
            ("30 2 * * 7", Often::Weekly, "30 2 * * sun"),
            ("30 2 * * Mon", Often::Weekly, "30 2 * * mon"),
            ("@weekly", Often::Weekly, "0 0 * * sun"),
            ("5 4 31 * *", Often::Monthly, "5 4 31 * *"),
            ("15 * * * *", Often::Hourly, "15 * * * *"),
            ("@daily", Often::Daily, "0 0 * * *"),
            ("*/5 * * * *", Often::Custom, "*/5 * * * *"),
            ("0 3 * 7 *", Often::Custom, "0 3 * 7 *"),
            ("0 3 13 * fri", Often::Custom, "0 3 13 * fri"),
            ("0 0 3 * * *", Often::Custom, "0 0 3 * * *"),
            ("@every 6h", Often::Custom, "@every 6h"),
            ("nonsense", Often::Custom, "nonsense"),
        ] {
            let preset = Preset::of(Some(cron));
            assert_eq!(preset.often, often, "{cron}");
            assert_eq!(preset.cron(), Ok(Some(same.to_owned())), "{cron}");
        }
        assert_eq!(Preset::of(None).cron(), Ok(None));
    }

    #[test]
    fn what_is_entered_becomes_an_expression() {
        let entered = |sent: &[(&str, &str)]| {
            let sent: Vec<_> =
                sent.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            Preset::sent(&sent).cron()
        };
        let some = |cron: &str| Ok(Some(cron.to_owned()));
        assert_eq!(entered(&[("often", "daily"), ("at", "02:30")]), some("30 2 * * *"));
        assert_eq!(
            entered(&[("often", "weekly"), ("at", "02:30"), ("weekday", "wed")]),
            some("30 2 * * wed")
        );
        assert_eq!(entered(&[("often", "monthly"), ("at", "02:30"), ("day", "15")]), some("30 2 15 * *"));
        assert_eq!(entered(&[("often", "hourly"), ("at", "00:07")]), some("7 * * * *"));
        assert_eq!(entered(&[("often", "custom"), ("/schedule/cron", "@every 6h")]), some("@every 6h"));
        assert_eq!(entered(&[("/schedule/cron", "@every 6h")]), some("@every 6h"));
        assert_eq!(entered(&[("often", "never"), ("/schedule/cron", "@every 6h")]), Ok(None));
        assert_eq!(entered(&[]), Ok(None));
        for wrong in [
            vec![("often", "daily"), ("at", "")],
            vec![("often", "monthly"), ("day", "32")],
            vec![("often", "custom")],
        ] {
            assert!(entered(&wrong).is_err(), "{wrong:?}");
        }
    }
}
