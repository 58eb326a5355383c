//! Preview: what an adoption would come to, and nothing is written.

use std::sync::Arc;

use charon_provider::Error as StorageError;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::watch;

use super::{Adopted, AdoptingPlan, adopt, keeper};
use crate::{
    budget::Purpose,
    engine::Engine,
    error::Error,
    ids::{PlanId, RunId},
    plans::as_map,
    run::Progress,
    store::{ItemRecord, PlanRow},
};

/// What an adoption would come to.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AdoptionPreview {
    /// The plan that it would be adopted into.
    pub plan: String,
    /// Whether the plan would be made for it.
    pub is_new: bool,
    /// What it would come to.
    pub adopted: Adopted,
    /// Items that are home already.
    pub unchanged: u64,
    /// What would become of each item and file.
    pub items: Vec<ItemRecord>,
}

impl Engine {
    /// Does all that an adoption does, but for writing. It is given up by dropping it.
    ///
    /// # Errors
    /// What would keep the adoption from being made.
    pub async fn preview_adoption(&self, adopting: &AdoptingPlan) -> Result<AdoptionPreview, Error> {
        let row = match &adopting.new {
            None => self.plan_row(&adopting.name).await?,
            Some(config) => {
                let (config, storage) = self.judge_new_plan(&adopting.name, config.clone()).await?;
                PlanRow {
                    id: PlanId::new(&*self.clock, &*self.entropy),
                    name: adopting.name.clone(),
                    storage_id: storage.id,
                    config: as_map(&config)?,
                    mirror_ready: false,
                    created_at: self.clock.now(),
                    revision: 0,
                    decided_until: None,
                    paused_at: None,
                    paused_until: None,
                    is_inbox: false,
                }
            }
        };
        let config = keeper(&row)?;
        let opened = self.open_storage_of(&row, Purpose::Person).await?;
        let (progress, _) = watch::channel(Progress::default());
        let run = RunId::new(&*self.clock, &*self.entropy);
        let mut ctx = self.context(run, &row, &opened, progress);
        ctx.is_dry = true;
        let ctx = Arc::new(ctx);
        self.refuse_unable(&row, &ctx, &*opened.storage).await?;
        let adoption = self.prepare_adoption(&row, &ctx, opened.storage, &config, &adopting.job).await?;
        let adoption = Arc::new(adoption);
        adopt(&adoption).await?;
        if let Some(stop) = ctx.stopped() {
            return Err(match stop.class {
                Some(class) => StorageError::new(class, "look at the folder", stop.message.clone()).into(),
                None => Error::Refused(stop.message.clone()),
            });
        }
        let items = std::mem::take(&mut *adoption.told.lock().expect("nothing panics while it tells"));
        let mut adopted = Adopted::default();
        for item in &items {
            adopted.count(item.outcome, item.reason.as_deref(), 1);
        }
        let unchanged = ctx.progress().items.unchanged;
        let is_new = adopting.new.is_some();
        Ok(AdoptionPreview { plan: row.name, is_new, adopted, unchanged, items })
    }
}
