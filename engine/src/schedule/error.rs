//! Why an expression is refused: what is wrong, where, and what is accepted instead.

use super::field::Unit;

/// An expression, or its time zone, that was refused.
#[derive(Debug, thiserror::Error)]
#[error("the schedule \"{expression}\" is wrong: {what}")]
pub struct ScheduleError {
    pub(super) expression: String,
    pub(super) what: What,
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub(super) enum What {
    #[error(
        "it is empty; write five fields (minute, hour, day of the month, month, day of the week), such as \"30 2 * * *\""
    )]
    Empty,
    #[error(
        "it has {found} fields; write five (minute, hour, day of the month, month, day of the week), or six with the second first"
    )]
    FieldCount { found: usize },
    #[error(
        "{found} is not known; the known ones are @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually, @every 6h"
    )]
    Nickname { found: String },
    #[error("@reboot names no time; write one, such as @daily or @every 6h")]
    Reboot,
    #[error("the interval \"{found}\" {fault}; write one such as 6h, 90m, 1h30m or 1d")]
    Every { found: String, fault: EveryFault },
    #[error("in the {unit} (field {number}), \"{part}\" {fault}", unit = unit.name())]
    Field { unit: Unit, number: usize, part: String, fault: FieldFault },
    #[error("there is no time zone \"{0}\"; write one of the IANA database, such as Europe/Berlin or UTC")]
    Zone(String),
    #[error("its times cannot be enumerated: {0}")]
    Enumeration(cron::error::Error),
}

/// What is wrong with the interval of `@every`.
#[derive(Debug, thiserror::Error)]
pub(super) enum EveryFault {
    #[error("is missing")]
    Missing,
    #[error(
        "is not made of whole numbers with the units d, h, m, s, each at most once and larger ones first"
    )]
    Form,
    #[error("is shorter than one second")]
    TooShort,
    #[error("is longer than 366 days")]
    TooLong,
}

/// What is wrong with a part of a field, and what would be right.
#[derive(Debug, thiserror::Error)]
pub(super) enum FieldFault {
    #[error("has nothing between two commas, or at an end; write values with one comma between them")]
    EmptyPart,
    #[error("is neither a value, a range nor *; accepted is {accepted}")]
    NotAValue { accepted: String },
    #[error("is out of range; accepted is {accepted}")]
    OutOfRange { accepted: String },
    #[error("runs backwards; write {instead}")]
    Backwards { instead: String },
    #[error("has a step and no range; write {instead}")]
    StepWithoutRange { instead: String },
    #[error("has no usable step; a step is a whole number from 1 to {most}")]
    Step { most: u8 },
    #[error("is of another cron dialect; accepted is {accepted}")]
    Dialect { accepted: String },
}
