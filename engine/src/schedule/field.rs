//! One field of a cron expression: which values it takes.

use super::error::{FieldFault, What};

/// What a field counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Second,
    Minute,
    Hour,
    DayOfMonth,
    Month,
    DayOfWeek,
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS_OF_WEEK: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// The values that a field takes. Sunday is 0 here, never 7.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    unit: Unit,
    /// Bit n is set when n is taken.
    taken: u64,
    /// Whether it begins with `*`. Crons decide by that, not by the values, how the two days go together.
    pub(super) begins_with_star: bool,
}

// === impl Unit ===

impl Unit {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::DayOfMonth => "day of the month",
            Self::Month => "month",
            Self::DayOfWeek => "day of the week",
        }
    }

    fn least(self) -> u8 {
        match self {
            Self::DayOfMonth | Self::Month => 1,
            Self::Second | Self::Minute | Self::Hour | Self::DayOfWeek => 0,
        }
    }

    /// The largest number that can be written.
    fn most(self) -> u8 {
        match self {
            Self::Second | Self::Minute => 59,
            Self::Hour => 23,
            Self::DayOfMonth => 31,
            Self::Month => 12,
            Self::DayOfWeek => 7,
        }
    }

    /// The names of the values, from the least on.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Month => &MONTHS,
            Self::DayOfWeek => &DAYS_OF_WEEK,
            _ => &[],
        }
    }

    fn accepted(self) -> String {
        let numbers = format!("{}-{}", self.least(), self.most());
        match self {
            Self::Month => format!("{numbers} or jan-dec"),
            Self::DayOfWeek => format!("{numbers} or sun-sat (0 and 7 are Sunday)"),
            _ => numbers,
        }
    }

    /// One value: a number or a name.
    fn value(self, text: &str) -> Result<u8, FieldFault> {
        let by_name = self.names().iter().zip(self.least()..);
        if let Some((_, value)) = by_name.clone().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
            return Ok(value);
        }
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            // Too many digits for the type are out of range as well.
            let value = text.parse().ok().filter(|value| (self.least()..=self.most()).contains(value));
            return value.ok_or_else(|| FieldFault::OutOfRange { accepted: self.accepted() });
        }
        let accepted = self.accepted();
        let is_dialect = text.contains(['?', '#', '~', '%'])
            || (text.to_ascii_uppercase().trim_start_matches(|c: char| c.is_ascii_digit()))
                .trim_matches(['L', 'W', 'C', 'H'])
                .is_empty();
        if is_dialect && !text.is_empty() {
            Err(FieldFault::Dialect { accepted })
        } else {
            Err(FieldFault::NotAValue { accepted })
        }
    }
}

// === impl Field ===

impl Field {
    /// The field that takes everything.
    pub(super) fn every(unit: Unit) -> Self {
        let mut field = Self { unit, taken: 0, begins_with_star: true };
        field.take(unit.least(), unit.most(), 1);
        field
    }

    /// The field that takes one value.
    pub(super) fn only(unit: Unit, value: u8) -> Self {
        let mut field = Self { unit, taken: 0, begins_with_star: false };
        field.take(value, value, 1);
        field
    }

    /// Reads a field. Its number, from one, is for the message.
    pub(super) fn parse(unit: Unit, number: usize, text: &str) -> Result<Self, What> {
        let mut field = Self { unit, taken: 0, begins_with_star: text.starts_with('*') };
        for part in text.split(',') {
            let refused = |fault, part: &str| What::Field { unit, number, part: part.to_owned(), fault };
            if part.is_empty() {
                return Err(refused(FieldFault::EmptyPart, text));
            }
            field.add(part).map_err(|fault| refused(fault, part))?;
        }
        Ok(field)
    }

    /// Whether there is no value that it leaves out.
    pub(super) fn takes_all(&self) -> bool {
        self.taken == Self::every(self.unit).taken
    }

    /// The values that it takes, in order.
    pub(super) fn values(&self) -> Vec<u8> {
        (self.unit.least()..=self.unit.most()).filter(|value| self.taken & (1 << value) != 0).collect()
    }

    /// As the `cron` crate reads it: `*`, or the values one by one. Days of the week by name, since that crate counts from
    /// 1 = Sunday.
    pub(super) fn to_cron(&self) -> String {
        if self.takes_all() {
            return "*".to_owned();
        }
        let in_words = self.values().into_iter().map(|value| match self.unit {
            Unit::DayOfWeek => DAYS_OF_WEEK[usize::from(value)].to_owned(),
            _ => value.to_string(),
        });
        in_words.collect::<Vec<_>>().join(",")
    }

    /// Takes the values of one part of the list.
    fn add(&mut self, part: &str) -> Result<(), FieldFault> {
        let unit = self.unit;
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (part, None),
        };
        let (first, last) = if range == "*" {
            (unit.least(), unit.most())
        } else if let Some((first, last)) = range.split_once('-') {
            let (first, mut last) = (unit.value(first)?, (last, unit.value(last)?));
            // `fri-sun` goes up to the other Sunday. The digit 0 stays what it is.
            if unit == Unit::DayOfWeek && first > 0 && last.0.eq_ignore_ascii_case("sun") {
                last.1 = 7;
            }
            (first, last.1)
        } else {
            let value = unit.value(range)?;
            if step.is_some() {
                let instead = format!("{range}-{}{}", unit.most(), &part[range.len()..]);
                return Err(FieldFault::StepWithoutRange { instead });
            }
            (value, value)
        };
        if first > last {
            return Err(FieldFault::Backwards { instead: unit.forwards(first, last) });
        }
        let step = step.map_or(Ok(1), |step| {
            let digits = step.bytes().all(|byte| byte.is_ascii_digit());
            let step = step.parse().ok().filter(|step| digits && (1..=unit.most()).contains(step));
            step.ok_or(FieldFault::Step { most: unit.most() })
        })?;
        self.take(first, last, step);
        Ok(())
    }

    fn take(&mut self, first: u8, last: u8, step: u8) {
        for value in (first..=last).step_by(step.into()) {
            let value = if self.unit == Unit::DayOfWeek { value % 7 } else { value };
            self.taken |= 1 << value;
        }
    }
}

impl Unit {
    /// How a range that was written backwards can be written.
    fn forwards(self, first: u8, last: u8) -> String {
        let part = |from, to| if from == to { format!("{from}") } else { format!("{from}-{to}") };
        match (self, last) {
            (Self::DayOfWeek, 0) => part(first, 7),
            _ => format!("{},{}", part(first, self.most()), part(self.least(), last)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Field, Unit};

    fn taken(unit: Unit, text: &str) -> String {
        Field::parse(unit, 1, text).map_or_else(|error| error.to_string(), |field| field.to_cron())
    }

    #[test]
    fn a_field_takes_what_crontab_says() {
        for (unit, text, expected) in [
            (Unit::Minute, "*", "*"),
            (Unit::Minute, "0-59", "*"),
            (Unit::Minute, "*/1", "*"),
            (Unit::Minute, "*/25", "0,25,50"),
            (Unit::Minute, "5-30/10", "5,15,25"),
            (Unit::Minute, "7,3,3,1-2", "1,2,3,7"),
            (Unit::Minute, "007", "7"),
            (Unit::Hour, "8-11", "8,9,10,11"),
            (Unit::DayOfMonth, "*/10", "1,11,21,31"),
            (Unit::Month, "jan,MAR-May", "1,3,4,5"),
            (Unit::Month, "*/5", "1,6,11"),
            (Unit::DayOfWeek, "0", "sun"),
            (Unit::DayOfWeek, "7", "sun"),
            (Unit::DayOfWeek, "5-7", "sun,fri,sat"),
            (Unit::DayOfWeek, "fri-sun", "sun,fri,sat"),
            (Unit::DayOfWeek, "Sun-tue", "sun,mon,tue"),
            (Unit::DayOfWeek, "sun-sun", "sun"),
            (Unit::DayOfWeek, "0-7", "*"),
            (Unit::DayOfWeek, "1-7", "*"),
            (Unit::DayOfWeek, "*/2", "sun,tue,thu,sat"),
            (Unit::DayOfWeek, "*/7", "sun"),
            (Unit::DayOfWeek, "mon-fri/2", "mon,wed,fri"),
        ] {
            assert_eq!(taken(unit, text), expected, "for {text:?} as {unit:?}");
        }
    }

    #[test]
    fn a_field_that_is_wrong_says_where_and_what_is_accepted() {
        for (unit, text, expected) in [
            (Unit::Minute, "60", "in the minute (field 1), \"60\" is out of range; accepted is 0-59"),
            (Unit::Minute, "1,99999999999", "\"99999999999\" is out of range"),
            (
                Unit::Hour,
                "1,x",
                "in the hour (field 1), \"x\" is neither a value, a range nor *; accepted is 0-23",
            ),
            (Unit::Hour, "+1", "\"+1\" is neither"),
            (Unit::Hour, "-1", "\"-1\" is neither"),
            (Unit::Hour, "1-", "\"1-\" is neither"),
            (Unit::Hour, "1-2-3", "\"1-2-3\" is neither"),
            (Unit::Hour, "mon", "\"mon\" is neither"),
            (Unit::Hour, "1,,2", "\"1,,2\" has nothing between two commas"),
            (Unit::Hour, "1,", "has nothing between two commas, or at an end"),
            (Unit::Hour, "22-2", "\"22-2\" runs backwards; write 22-23,0-2"),
            (Unit::DayOfMonth, "0", "\"0\" is out of range; accepted is 1-31"),
            (Unit::DayOfMonth, "L", "\"L\" is of another cron dialect; accepted is 1-31"),
            (Unit::DayOfMonth, "15W", "is of another cron dialect"),
            (Unit::DayOfMonth, "?", "is of another cron dialect"),
            (Unit::Month, "13", "accepted is 1-12 or jan-dec"),
            (
                Unit::Month,
                "january",
                "\"january\" is neither a value, a range nor *; accepted is 1-12 or jan-dec",
            ),
            (Unit::Month, "nov-feb", "\"nov-feb\" runs backwards; write 11-12,1-2"),
            (Unit::DayOfWeek, "8", "accepted is 0-7 or sun-sat (0 and 7 are Sunday)"),
            (Unit::DayOfWeek, "6-0", "\"6-0\" runs backwards; write 6-7"),
            (Unit::DayOfWeek, "sat-mon", "\"sat-mon\" runs backwards; write 6-7,0-1"),
            (Unit::DayOfWeek, "fri#2", "is of another cron dialect"),
            (Unit::Minute, "5/10", "\"5/10\" has a step and no range; write 5-59/10"),
            (Unit::Minute, "*/0", "\"*/0\" has no usable step; a step is a whole number from 1 to 59"),
            (Unit::Minute, "*/90", "has no usable step"),
            (Unit::Minute, "*/", "has no usable step"),
            (Unit::Minute, "*/+5", "has no usable step"),
            (Unit::Minute, "*/5/5", "has no usable step"),
            (Unit::Minute, "**", "\"**\" is neither"),
            (Unit::Minute, "٣", "\"٣\" is neither"),
        ] {
            let said = taken(unit, text);
            assert!(said.contains(expected), "for {text:?} as {unit:?}: {said}");
        }
    }
}
