//! What a run does: what its plan is for, or another long thing with the plan's mirror.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a run does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Job {
    /// What the plan is for: a backup, or an upload.
    #[default]
    Plan,
    /// Reads the files of the mirror and compares them with what was stored.
    Verify(VerifyJob),
    /// Puts originals in the place of copies of lesser fidelity, where they have turned up.
    Originals,
    /// Takes files out of the trash of the mirror, or empties it.
    Trash(TrashJob),
    /// Takes what lies in a folder already into the ledger.
    Adopt(AdoptJob),
}

/// What is adopted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AdoptJob {
    /// The folder; `None` for the plan's own mirror.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// The database of gphotos-sync, where it is not in the folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<PathBuf>,
}

/// What is done with a trash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum TrashJob {
    /// Files go back to where they were, and stay there whatever listings lack.
    Restore {
        /// The items, by the numbers that the ledger knows them by; none for all of them.
        #[serde(default)]
        items: Vec<i64>,
    },
    /// Files are removed for good.
    Empty {
        /// All of them, and not only those that have been there for long enough.
        #[serde(default)]
        everything: bool,
    },
}

/// How a mirror is verified.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct VerifyJob {
    /// Whether what is missing or changed is fetched again.
    pub repair: bool,
    /// Only the next share of the files, in hundredths of all of them: those that follow where the last verification ended. `None`
    /// for all of them, and a look for files that are not Charon's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
}

impl Job {
    /// What the plan is for.
    pub(crate) fn is_plan(&self) -> bool {
        *self == Self::Plan
    }

    /// Whether it speaks to the plan's storage, and so needs the lane of its account.
    pub(crate) fn needs_storage(&self) -> bool {
        match self {
            Self::Plan | Self::Originals | Self::Adopt(_) => true,
            Self::Verify(verify) => verify.repair,
            Self::Trash(_) => false,
        }
    }

    /// Whether one who asks for the other may be given this one instead.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self == other
    }

    /// What it is called where runs are listed; `None` for what the plan is for.
    pub fn name(&self) -> Option<&'static str> {
        match self {
            Self::Plan => None,
            Self::Verify(_) => Some("verify"),
            Self::Originals => Some("originals"),
            Self::Adopt(_) => Some("adopt"),
            Self::Trash(TrashJob::Restore { .. }) => Some("trash restore"),
            Self::Trash(TrashJob::Empty { .. }) => Some("trash empty"),
        }
    }
}
