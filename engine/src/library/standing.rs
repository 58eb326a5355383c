//! A mirror in numbers: how much is home, how true it is to the originals, how much of it was verified, what lies in its trash.

use charon_provider::Fidelity;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{engine::Engine, error::Error, ids::PlanId, trash::TrashStanding, verify::VerificationView};

/// A mirror in numbers.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MirrorStanding {
    /// Files that are stored.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those whose bytes are the ones that were taken or uploaded.
    pub originals: FilesOf,
    /// Those that are copies as the API gives them.
    pub api_copies: FilesOf,
    /// How many of them were read again since they were stored.
    pub verified: VerifiedFiles,
    /// The last verification that came to the end of its reading.
    pub last_verification: Option<VerificationView>,
    /// What is in the trash, and whether somebody is asked.
    pub trash: TrashStanding,
}

/// Files of one fidelity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FilesOf {
    /// Photos and videos.
    pub items: u64,
    /// Their files; a motion photo has two.
    pub files: u64,
    /// Bytes.
    pub bytes: u64,
}

/// How many files were verified since they were stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VerifiedFiles {
    /// Found to be as they were stored, by the last verification that read them.
    pub good: u64,
    /// Of those, in the last thirty days.
    pub in_30_days: u64,
    /// Of those, in the last 365 days.
    pub in_a_year: u64,
    /// When the one of those was verified whose turn was the longest ago.
    pub oldest_at: Option<Timestamp>,
    /// Not read again since they were stored.
    pub never: u64,
    /// Known to be missing, changed or unreadable.
    pub damaged: u64,
}

impl Engine {
    /// A mirror in numbers.
    ///
    /// # Errors
    /// When there is no such plan, or it keeps no mirror.
    pub async fn mirror_standing(&self, plan: PlanId) -> Result<MirrorStanding, Error> {
        let plan = self.mirrored_plan(plan).await?.id;
        let ago = |days: i64| {
            self.clock.now().checked_sub(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MIN)
        };
        let counted = self.counted.fidelities(&self.store, &*self.clock, plan, (ago(30), ago(365))).await?;
        let of = |fidelity| {
            counted.iter().find(|one| one.fidelity == fidelity).map(|one| one.files).unwrap_or_default()
        };
        let (originals, api_copies) = (of(Fidelity::Original), of(Fidelity::ApiCopy));
        Ok(MirrorStanding {
            files: originals.files + api_copies.files,
            bytes: originals.bytes + api_copies.bytes,
            originals,
            api_copies,
            verified: counted
                .iter()
                .map(|one| one.verified)
                .fold(VerifiedFiles::default(), VerifiedFiles::and),
            last_verification: self.verifications(plan, None, 1).await?.pop(),
            trash: self.trash_standing(plan).await?,
        })
    }
}

impl VerifiedFiles {
    /// Both together.
    fn and(self, other: Self) -> Self {
        let oldest_at = [self.oldest_at, other.oldest_at].into_iter().flatten().min();
        Self {
            good: self.good + other.good,
            in_30_days: self.in_30_days + other.in_30_days,
            in_a_year: self.in_a_year + other.in_a_year,
            oldest_at,
            never: self.never + other.never,
            damaged: self.damaged + other.damaged,
        }
    }
}
