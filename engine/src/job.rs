//! What a run does: what its plan is for, or another long thing with the plan's mirror.

use std::path::PathBuf;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::StorageId;

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
    /// Takes files of the mirror to where they are wanted.
    Restore(RestoreJob),
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

/// What is taken out of a mirror, and where to. The mirror stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RestoreJob {
    /// Where to.
    #[serde(flatten)]
    pub target: RestoreTo,
    /// What.
    #[serde(flatten)]
    pub selection: RestoreSelection,
}

/// Where files of a mirror are taken to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RestoreTo {
    /// A folder, in which they lie as they do in the mirror.
    Folder(PathBuf),
    /// A storage: what its account does not hold is sent there, and albums are put together again.
    Storage(StorageId),
}

/// What is taken out of a mirror: what all of these say, and everything where none of them is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RestoreSelection {
    /// Taken on this day or later, in the time zone of the plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken_from: Option<Date>,
    /// Taken on this day or before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken_until: Option<Date>,
    /// In one of the albums with these titles.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub albums: Vec<String>,
    /// With such a name: a glob as gitignore has them, without regard to case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
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
            Self::Restore(_) => self.other_storage().is_some(),
        }
    }

    /// The storage that it speaks to instead of the plan's, if it does.
    pub(crate) fn other_storage(&self) -> Option<StorageId> {
        match self {
            Self::Restore(RestoreJob { target: RestoreTo::Storage(storage), .. }) => Some(*storage),
            _ => None,
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
            Self::Restore(_) => Some("restore"),
        }
    }
}
