//! What becomes of items that are home and no longer in the account.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What becomes of items that are gone from the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(inline)]
pub struct DeletionConfig {
    /// What becomes of their files.
    #[schemars(
        title = "Files of items that are gone",
        description = "What becomes of the files of items that were deleted in the account: they stay, or they go to a trash in the \
                       mirror, from where they can be taken back.",
        extend("x-group" = "Deletion", "x-order" = 1)
    )]
    pub gone: Gone,
    /// How many complete listings in a row have to lack an item before it is looked up.
    #[schemars(
        title = "Listings without it",
        description = "So many complete listings in a row have to lack an item before it is looked up, and counts as gone only if \
                       the account says that it is not there.",
        range(min = 2, max = 100),
        extend("x-group" = "Deletion", "x-order" = 2, "x-unit" = "listings", "x-advanced" = true)
    )]
    pub after_listings: u32,
    /// How long files stay in the trash.
    #[schemars(
        title = "Days in the trash",
        description = "How long files stay in the trash before they are removed for good.",
        range(min = 1, max = 3650),
        extend("x-group" = "Deletion", "x-order" = 3, "x-unit" = "days", "x-advanced" = true)
    )]
    pub trash_days: u32,
    /// Above this share of the library in one run, somebody is asked first.
    #[schemars(
        title = "Most at once",
        description = "If more than this share of the library is gone in one run, nothing is moved, and the run asks.",
        range(max = 100),
        extend("x-group" = "Deletion", "x-order" = 4, "x-unit" = "percent", "x-advanced" = true)
    )]
    pub most_percent: u8,
}

impl Default for DeletionConfig {
    fn default() -> Self {
        Self { gone: Gone::Keep, after_listings: 3, trash_days: 30, most_percent: 5 }
    }
}

impl DeletionConfig {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What becomes of the files of items that are gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Gone {
    /// They stay where they are.
    #[default]
    Keep,
    /// They go to the trash.
    Trash,
}
