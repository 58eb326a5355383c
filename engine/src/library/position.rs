//! Where a list of a library goes on.

use std::{fmt, str::FromStr};

use super::ItemId;
use crate::store::LibraryPlace;

/// Where a list of a library goes on. As text it is opaque to everyone else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Position {
    /// Behind an item that was taken at this moment.
    Taken {
        /// In seconds since 1970.
        taken: i64,
        /// The item; 0 for before all that were taken in that second.
        item: ItemId,
    },
    /// Behind a name.
    Named(String),
}

impl Position {
    /// Before all items that were taken before this: a month is jumped to by the beginning of the next one.
    pub fn before(moment: jiff::Timestamp) -> Self {
        Self::Taken { taken: moment.as_second(), item: ItemId(0) }
    }

    pub(super) fn behind(place: LibraryPlace) -> Self {
        Self::Taken { taken: place.taken, item: ItemId(place.asset) }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken { taken, item } => write!(f, "t{taken}.{}", item.0),
            Self::Named(key) => write!(f, "n{key}"),
        }
    }
}

impl FromStr for Position {
    type Err = NotAPosition;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(key) = text.strip_prefix('n') {
            return Ok(Self::Named(key.to_owned()));
        }
        let (taken, item) =
            text.strip_prefix('t').and_then(|rest| rest.split_once('.')).ok_or(NotAPosition)?;
        let taken = taken.parse().map_err(|_| NotAPosition)?;
        Ok(Self::Taken { taken, item: ItemId(item.parse().map_err(|_| NotAPosition)?) })
    }
}

/// The text is no position in a library.
#[derive(Debug, thiserror::Error)]
#[error("this is no position in a library")]
pub struct NotAPosition;

#[cfg(test)]
mod tests {
    use super::{ItemId, Position};

    #[test]
    fn a_position_survives_being_written_and_read() {
        for position in [
            Position::Taken { taken: -5, item: ItemId(17) },
            Position::Named("photos/2020/01/träne.jpg".into()),
            Position::Named(String::new()),
        ] {
            assert_eq!(position.to_string().parse::<Position>().expect("what we wrote"), position);
        }
        for text in ["", "t", "t1", "t1.", "t.1", "x1.1", "t1.2.3"] {
            assert!(text.parse::<Position>().is_err(), "{text}");
        }
    }
}
