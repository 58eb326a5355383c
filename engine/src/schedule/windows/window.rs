//! One window: its days, and its times of the day.

use jiff::civil::Weekday;

use super::error::What;

const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const MINUTES_PER_DAY: i64 = 24 * 60;

/// A window, in minutes since the midnight with which the day begins on which it opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// From Sunday on.
    days: [bool; 7],
    /// Less than a day.
    opens: i64,
    /// Later, by a day at the most.
    closes: i64,
}

// === impl Window ===

impl Window {
    /// Reads a window such as `mon-fri 22:00-06:00`.
    pub(super) fn parse(text: &str) -> Result<Self, What> {
        let text = without_spaces_around(&['-', ','], &text.replace('–', "-"));
        let (days, times) = match *text.split_whitespace().collect::<Vec<_>>() {
            [times] => ([true; 7], times),
            [days, times] => (self::days(days)?, times),
            _ => return Err(What::Form),
        };
        let (opens, closes) = times.split_once('-').ok_or(What::Form)?;
        let refused = |found: &str| What::Time { found: found.to_owned() };
        let opens = minutes(opens).filter(|opens| *opens < MINUTES_PER_DAY).ok_or_else(|| refused(opens))?;
        let closes = minutes(closes).ok_or_else(|| refused(closes))?;
        match closes {
            closes if closes == opens => Err(What::NoTime),
            closes if closes < opens => Ok(Self { days, opens, closes: closes + MINUTES_PER_DAY }),
            closes => Ok(Self { days, opens, closes }),
        }
    }

    pub(super) fn opens_on(&self, day: Weekday) -> bool {
        self.days[usize::from(day.to_sunday_zero_offset().unsigned_abs())]
    }

    pub(super) fn opens(&self) -> i64 {
        self.opens
    }

    pub(super) fn closes(&self) -> i64 {
        self.closes
    }
}

/// Whether there is no minute of the week that is in none of them.
pub(super) fn leave_nothing_out(windows: &[Window]) -> bool {
    let week = 7 * MINUTES_PER_DAY;
    let is_open = |minute: i64| {
        let is_in = |window: &Window, day: i64| {
            let since_midnight = (minute - day * MINUTES_PER_DAY).rem_euclid(week);
            (window.opens..window.closes).contains(&since_midnight)
        };
        windows.iter().any(|window| (0..).zip(window.days).any(|(day, is_its)| is_its && is_in(window, day)))
    };
    (0..week).all(is_open)
}

/// `mon-fri`, `sat,sun`: from Sunday on.
fn days(text: &str) -> Result<[bool; 7], What> {
    let day = |name: &str| {
        let found = DAYS.iter().position(|day| day.eq_ignore_ascii_case(name));
        found.ok_or_else(|| What::Day { found: name.to_owned() })
    };
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        // `fri-mon` goes over the end of the week.
        let last = if last < first { last + 7 } else { last };
        for day in first..=last {
            days[day % 7] = true;
        }
    }
    Ok(days)
}

/// `06:00` or `6:00`, up to `24:00`.
fn minutes(text: &str) -> Option<i64> {
    let (hour, minute) = text.split_once(':')?;
    let number =
        |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?;
    let is_form = (1..=2).contains(&hour.len()) && minute.len() == 2;
    let (hour, minute): (i64, i64) = is_form.then(|| Some((number(hour)?, number(minute)?)))??;
    let minutes = hour * 60 + minute;
    (minute < 60 && minutes <= MINUTES_PER_DAY).then_some(minutes)
}

fn without_spaces_around(signs: &[char], text: &str) -> String {
    let mut tight = String::new();
    for word in text.split_whitespace() {
        if !tight.is_empty() && !tight.ends_with(signs) && !word.starts_with(signs) {
            tight.push(' ');
        }
        tight.push_str(word);
    }
    tight
}

#[cfg(test)]
mod tests {
    use super::{Window, leave_nothing_out};

    fn read(text: &str) -> Result<Window, String> {
        Window::parse(text).map_err(|what| what.to_string())
    }

    fn window(days: &str, opens: i64, closes: i64) -> Window {
        let days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"].map(|day| days.contains(day));
        Window { days, opens, closes }
    }

    const ALL: &str = "sun mon tue wed thu fri sat";

    #[test]
    fn a_window_is_two_times_of_the_day_with_days_in_front_or_without() {
        for (text, expected) in [
            ("01:00-06:00", window(ALL, 60, 360)),
            ("1:00-6:05", window(ALL, 60, 365)),
            ("22:00-06:00", window(ALL, 1_320, 1_800)),
            ("00:00-24:00", window(ALL, 0, 1_440)),
            ("22:00-00:00", window(ALL, 1_320, 1_440)),
            ("22:00-24:00", window(ALL, 1_320, 1_440)),
            ("00:01-00:00", window(ALL, 1, 1_440)),
            ("12:00-11:59", window(ALL, 720, 2_159)),
            ("mon-fri 22:00-06:00", window("mon tue wed thu fri", 1_320, 1_800)),
            ("sat,sun 00:00-24:00", window("sat sun", 0, 1_440)),
            ("Fri-MON 1:00-2:00", window("fri sat sun mon", 60, 120)),
            ("sun-sat 1:00-2:00", window(ALL, 60, 120)),
            ("wed-wed,sun 1:00-2:00", window("wed sun", 60, 120)),
            ("mon–fri 22:00–06:00", window("mon tue wed thu fri", 1_320, 1_800)),
            ("  mon - wed , fri\t22:00 – 06:00 ", window("mon tue wed fri", 1_320, 1_800)),
        ] {
            assert_eq!(read(text), Ok(expected), "for {text:?}");
        }
    }

    #[test]
    fn a_window_that_is_wrong_says_what_is_accepted() {
        for (text, expected) in [
            (
                "",
                "it is neither two times with a dash between, nor days and these; write it such as 22:00-06:00",
            ),
            ("always", "it is neither two times"),
            ("mon-fri", "\"mon\" is no time of the day"),
            ("mon fri 22:00-06:00", "it is neither two times"),
            ("22:00 06:00", "\"22:00\" is no day of the week"),
            ("22:00", "it is neither two times"),
            ("22:00-06:00 mon", "\"22:00\" is no day of the week"),
            ("22:00-06:00-07:00", "\"06:00-07:00\" is no time of the day"),
            ("monday 22:00-06:00", "\"monday\" is no day of the week; accepted are mon, tue, wed"),
            ("mon, 22:00-06:00", "\"mon,22:00\" is no time of the day"),
            ("mon,,tue 22:00-06:00", "\"\" is no day of the week"),
            ("1-5 22:00-06:00", "\"1\" is no day of the week"),
            ("25:00-06:00", "\"25:00\" is no time of the day; accepted is 00:00-23:59, and 24:00 at the end"),
            ("24:00-06:00", "\"24:00\" is no time of the day"),
            ("22:00-24:01", "\"24:01\" is no time of the day"),
            ("22:60-06:00", "\"22:60\" is no time of the day"),
            ("22:0-06:00", "\"22:0\" is no time of the day"),
            ("022:00-06:00", "\"022:00\" is no time of the day"),
            ("22:00:00-06:00", "\"22:00:00\" is no time of the day"),
            ("+2:00-06:00", "\"+2:00\" is no time of the day"),
            ("10pm-6am", "\"10pm\" is no time of the day"),
            ("22-6", "\"22\" is no time of the day"),
            ("-06:00", "\"\" is no time of the day"),
            ("06:00-06:00", "it closes when it opens; write 00:00-24:00 for whole days"),
            ("٠٦:00-07:00", "is no time of the day"),
        ] {
            let said = read(text).expect_err(text);
            assert!(said.contains(expected), "for {text:?}: {said}");
        }
    }

    #[test]
    fn windows_leave_nothing_out_only_if_there_is_no_minute_of_the_week_without_one() {
        for (texts, expected) in [
            (&["00:00-24:00"][..], true),
            (&["12:00-11:59"], false),
            (&["12:00-11:59", "11:00-13:00"], true),
            (&["mon-fri 00:00-24:00", "sat,sun 00:00-24:00"], true),
            (&["mon-fri 00:00-24:00", "sat,sun 00:00-23:59"], false),
            (&["sat 12:00-11:59", "sun 11:59-12:01", "sun 12:00-11:59", "mon-fri 11:00-12:00"], false),
            (&["22:00-06:00", "06:00-22:00"], true),
            (&["22:00-06:00", "sun-fri 06:00-22:00"], false),
        ] {
            let windows: Vec<_> = texts.iter().map(|text| read(text).expect(text)).collect();
            assert_eq!(leave_nothing_out(&windows), expected, "for {texts:?}");
        }
    }
}
