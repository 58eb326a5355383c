//! Deletion with second thoughts (I5).
//!
//! [`gone`] counts what complete listings lack of what is home, looks up what enough of them have lacked, and asks before much is
//! moved; [`moving`] takes files to the dated trash of the mirror and back; [`job`] restores and empties it when somebody says so;
//! [`view`] shows it.

mod gone;
mod job;
mod moving;
mod view;

pub(crate) use gone::after_listing;
pub(crate) use job::{Trashing, run};
pub(crate) use moving::{GONE, IN_TRASH, bring_back, settle_unfinished};
pub use view::{AskedItem, TrashPage, TrashStanding, TrashedItem};

/// What somebody has said of an item that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nobody was asked.
    None,
    /// Somebody was asked.
    Asked,
    /// It may go.
    Agreed,
    /// It stays.
    Keep,
}

impl Answer {
    pub(crate) fn of(number: i64) -> Self {
        match number {
            1 => Self::Asked,
            2 => Self::Agreed,
            3 => Self::Keep,
            _ => Self::None,
        }
    }

    pub(crate) fn number(self) -> i64 {
        match self {
            Self::None => 0,
            Self::Asked => 1,
            Self::Agreed => 2,
            Self::Keep => 3,
        }
    }
}
