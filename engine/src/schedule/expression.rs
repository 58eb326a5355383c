//! A whole expression: nicknames, `@every`, five or six fields.

use super::{
    error::What,
    every::Every,
    field::{Field, Unit},
};

/// What an expression says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    Every(Every),
    Cron(Cron),
}

/// The fields of a cron expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cron {
    pub(super) second: Field,
    pub(super) minute: Field,
    pub(super) hour: Field,
    pub(super) day_of_month: Field,
    pub(super) month: Field,
    pub(super) day_of_week: Field,
}

// === impl Expression ===

impl Expression {
    pub(super) fn parse(text: &str) -> Result<Self, What> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        match *words {
            [] => Err(What::Empty),
            [nickname, ref rest @ ..] if nickname.starts_with('@') => Self::nickname(nickname, rest),
            [minute, hour, day_of_month, month, day_of_week] => {
                let fields = [minute, hour, day_of_month, month, day_of_week];
                Cron::parse(Field::only(Unit::Second, 0), fields, 1).map(Self::Cron)
            }
            [second, minute, hour, day_of_month, month, day_of_week] => {
                let second = Field::parse(Unit::Second, 1, second)?;
                let fields = [minute, hour, day_of_month, month, day_of_week];
                Cron::parse(second, fields, 2).map(Self::Cron)
            }
            ref other => Err(What::FieldCount { found: other.len() }),
        }
    }

    fn nickname(nickname: &str, rest: &[&str]) -> Result<Self, What> {
        let fields = match (nickname.to_ascii_lowercase().as_str(), rest) {
            ("@every", _) => {
                let found = rest.join(" ");
                let every = Every::parse(&found);
                return every.map(Self::Every).map_err(|fault| What::Every { found, fault });
            }
            ("@hourly", []) => "0 * * * *",
            ("@daily" | "@midnight", []) => "0 0 * * *",
            ("@weekly", []) => "0 0 * * 0",
            ("@monthly", []) => "0 0 1 * *",
            ("@yearly" | "@annually", []) => "0 0 1 1 *",
            ("@reboot", _) => return Err(What::Reboot),
            _ => {
                let found = [&[nickname], rest].concat().join(" ");
                return Err(What::Nickname { found });
            }
        };
        Self::parse(fields)
    }
}

// === impl Cron ===

impl Cron {
    /// Reads the fields from the minute on. `first` is the number of the minute, for messages.
    fn parse(second: Field, fields: [&str; 5], first: usize) -> Result<Self, What> {
        let [minute, hour, day_of_month, month, day_of_week] = fields;
        Ok(Self {
            second,
            minute: Field::parse(Unit::Minute, first, minute)?,
            hour: Field::parse(Unit::Hour, first + 1, hour)?,
            day_of_month: Field::parse(Unit::DayOfMonth, first + 2, day_of_month)?,
            month: Field::parse(Unit::Month, first + 3, month)?,
            day_of_week: Field::parse(Unit::DayOfWeek, first + 4, day_of_week)?,
        })
    }

    /// Whether a day that matches one of the two day fields is enough.
    pub(super) fn either_day(&self) -> bool {
        !self.day_of_month.begins_with_star && !self.day_of_week.begins_with_star
    }
}

#[cfg(test)]
mod tests {
    use super::Expression;

    #[test]
    fn nicknames_are_what_crontab_says_in_any_case() {
        for (nickname, fields) in [
            ("@hourly", "0 * * * *"),
            ("@daily", "0 0 * * *"),
            ("@Midnight", "0 0 * * *"),
            (" @weekly ", "0 0 * * 0"),
            ("@monthly", "0 0 1 * *"),
            ("@yearly", "0 0 1 1 *"),
            ("@ANNUALLY", "0 0 1 1 *"),
            ("0\t0  1 1 *", "0 0 0 1 1 *"),
        ] {
            let read = |text| Expression::parse(text).expect(text);
            assert_eq!(read(nickname), read(fields), "{nickname}");
        }
    }

    #[test]
    fn an_expression_that_is_wrong_says_what_is_accepted() {
        for (text, expected) in [
            ("", "it is empty; write five fields"),
            (" \t ", "it is empty"),
            ("* * * *", "it has 4 fields; write five"),
            ("0 0 0 1 1 * 2026", "it has 7 fields; write five"),
            ("@fortnightly", "@fortnightly is not known; the known ones are @hourly, @daily"),
            ("@daily 3", "@daily 3 is not known"),
            ("@reboot", "@reboot names no time"),
            ("@every", "the interval \"\" is missing; write one such as 6h"),
            ("@every 0h", "the interval \"0h\" is shorter than one second"),
            ("@every 1h 30m", "the interval \"1h 30m\" is not made of whole numbers"),
            ("0 24 * * *", "in the hour (field 2), \"24\""),
            ("0 0 24 * * *", "in the hour (field 3), \"24\""),
            ("61 0 0 * * *", "in the second (field 1), \"61\""),
            ("0 0 * * monday", "in the day of the week (field 5), \"monday\""),
        ] {
            let said = Expression::parse(text).expect_err(text).to_string();
            assert!(said.contains(expected), "for {text:?}: {said}");
        }
    }
}
