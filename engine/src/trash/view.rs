//! The trash of a mirror, and the question about what is to go there, as people see them.

use charon_provider::{Part, RemoteId};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::Answer;
use crate::{
    engine::Engine, error::Error, ids::PlanId, library::ItemId, numbers::with_commas, plan::PlanConfig,
    plans::config_of, store::PlanRow,
};

/// What is in the trash of a mirror, in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TrashStanding {
    /// Files in the trash.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Items that are gone from the account, and about which somebody is asked; they are still in their places.
    pub asked_about: u64,
}

/// A file in the trash.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TrashedItem {
    /// The item that it is of.
    pub item: ItemId,
    /// What people call it.
    pub name: String,
    /// How the storage named it.
    pub media_id: Option<RemoteId>,
    /// Whether it is the clip of a motion photo, and not the item itself.
    pub is_clip: bool,
    /// Where it was, below the destination.
    pub path: String,
    /// Where it is now, below the destination.
    pub aside: String,
    /// Bytes.
    pub size: u64,
    /// When it came there.
    pub trashed_at: Timestamp,
    /// From then on a run may remove it for good.
    pub until: Timestamp,
}

/// An item that is gone from the account, and about which somebody is asked. It is still in its place.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AskedItem {
    /// The item.
    pub item: ItemId,
    /// What people call it.
    pub name: String,
    /// Where it is, below the destination.
    pub path: String,
}

/// Some of what is in the trash.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TrashPage {
    /// The files, in the order in which their items became known.
    pub files: Vec<TrashedItem>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<ItemId>,
}

impl Engine {
    /// What is in the trash of a backup plan, in numbers.
    ///
    /// # Errors
    /// When there is no such plan, or it keeps no mirror.
    pub async fn trash_standing(&self, plan: PlanId) -> Result<TrashStanding, Error> {
        let row = self.mirrored_plan(plan).await?;
        let (files, bytes) = self.store.in_trash(row.id).await?;
        Ok(TrashStanding { files, bytes, asked_about: self.store.asked_about(row.id).await? })
    }

    /// A page of the trash of a backup plan, behind this item: so many files at most, those of one item together.
    ///
    /// # Errors
    /// When there is no such plan, or it keeps no mirror.
    pub async fn trash(&self, plan: PlanId, after: Option<ItemId>, most: u32) -> Result<TrashPage, Error> {
        let row = self.mirrored_plan(plan).await?;
        let most = most.max(2);
        let after = after.map_or(0, |after| after.0);
        let mut files = self.store.trashed(row.id, row.storage_id, after, most.saturating_add(1)).await?;
        let is_cut = files.len() > most as usize;
        if is_cut {
            let behind = files.split_off(most as usize).first().map(|behind| behind.asset_id);
            if files.first().map(|first| first.asset_id) != behind {
                files.retain(|file| Some(file.asset_id) != behind);
            }
        }
        let next = files.last().filter(|_| is_cut).map(|last| ItemId(last.asset_id));
        let shown = files.into_iter().filter(|file| file.is_there).map(|file| TrashedItem {
            item: ItemId(file.asset_id),
            name: file.name,
            media_id: file.remote,
            is_clip: file.part == Part::Clip,
            path: file.path,
            aside: file.aside,
            size: file.size,
            trashed_at: file.trashed_at,
            until: file.until,
        });
        Ok(TrashPage { files: shown.collect(), next })
    }

    /// The items that are gone from the account, and about which somebody is asked, behind this one: so many at most.
    ///
    /// # Errors
    /// When there is no such plan, or it keeps no mirror.
    pub async fn asked_about(
        &self,
        plan: PlanId,
        after: Option<ItemId>,
        most: u32,
    ) -> Result<Vec<AskedItem>, Error> {
        let row = self.mirrored_plan(plan).await?;
        let after = after.map_or(0, |after| after.0);
        let found = self.store.asked_items(row.id, row.storage_id, after, most).await?;
        let item = |(item, name, path)| AskedItem { item: ItemId(item), name, path };
        Ok(found.into_iter().map(item).collect())
    }

    /// Agrees that the items that are gone from the account, and about which somebody is asked, go to the trash: the next complete
    /// listing looks them up once more. `seen` is how many they were when they were shown to whoever agrees. Gives how many they are.
    ///
    /// # Errors
    /// When there is no such plan, it keeps no mirror, nobody is asked, or somebody is asked about more by now.
    pub async fn agree_to_deletion(&self, plan: PlanId, seen: u64) -> Result<u64, Error> {
        self.answer_deletion(plan, Answer::Agreed, seen).await
    }

    /// Keeps the items about which somebody is asked where they are, for good. Gives how many they are.
    ///
    /// # Errors
    /// When there is no such plan, it keeps no mirror, or nobody is asked.
    pub async fn refuse_deletion(&self, plan: PlanId) -> Result<u64, Error> {
        self.answer_deletion(plan, Answer::Keep, u64::MAX).await
    }

    async fn answer_deletion(&self, plan: PlanId, answer: Answer, seen: u64) -> Result<u64, Error> {
        let row = self.mirrored_plan(plan).await?;
        let asked = self.store.answer(row.id, answer, seen).await?;
        if asked == 0 {
            return Err(Error::Refused(format!(
                "the plan {} asks about nothing that would be moved to the trash",
                row.name
            )));
        }
        if asked > seen {
            return Err(Error::Refused(format!(
                "the plan {} asks about {} items by now, and not about {} as when you looked; look again, and answer then",
                row.name,
                with_commas(asked),
                with_commas(seen)
            )));
        }
        Ok(asked)
    }

    /// A plan that keeps a mirror.
    pub(crate) async fn mirrored_plan(&self, plan: PlanId) -> Result<PlanRow, Error> {
        let row = self.plan_row_by_id(plan).await?;
        match config_of(&row)? {
            PlanConfig::Backup(_) => Ok(row),
            PlanConfig::Upload(_) => {
                Err(Error::Refused(format!("{} is an upload plan, and keeps no mirror", row.name)))
            }
        }
    }
}
