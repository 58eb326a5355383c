//! Changes of plans that there are: another configuration, a pause. Who says which version has been seen changes no other one.

use charon_schema::{Mistake, Mistakes};
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::{
    engine::Engine,
    error::Error,
    ids::PlanId,
    plan::PlanConfig,
    plans::{PlanView, as_map, config_of, name_taken},
    storages::refuse_bad_name,
    store::{Changed, PlanRow},
    timing::Pause,
};

/// What somebody makes of a plan.
#[derive(Clone, Debug)]
pub struct PlanChange {
    /// Its name; `None` for the one that it has.
    pub name: Option<String>,
    /// Its whole configuration.
    pub config: Map<String, Value>,
    /// The [revision](PlanView::revision) that they have seen; `None` for whichever it is.
    pub seen: Option<i64>,
}

impl Engine {
    /// Replaces the configuration of a plan, as [`change_plan`](Engine::change_plan) does.
    pub async fn update_plan(&self, name: &str, config: Map<String, Value>) -> Result<PlanView, Error> {
        let row = self.plan_row(name).await?;
        self.replace_plan(row, PlanChange { name: None, config, seen: None }).await
    }

    /// Replaces the name and the configuration of a plan. Its kind, its storage and its mirror stay: with others it would be another
    /// plan. A new schedule takes effect at once, and drops what was due under the old one. Channels that are told of the plan
    /// are told of it under its new name.
    ///
    /// # Errors
    /// Every mistake in the configuration; a name that is taken; [`Error::Changed`] when it is not the version that was seen, or
    /// somebody else changes it at the same time.
    pub async fn change_plan(&self, id: PlanId, change: PlanChange) -> Result<PlanView, Error> {
        let row = self.plan_row_by_id(id).await?;
        self.replace_plan(row, change).await
    }

    async fn replace_plan(&self, mut row: PlanRow, change: PlanChange) -> Result<PlanView, Error> {
        refuse_changed(&row, change.seen)?;
        let name = change.name.unwrap_or_else(|| row.name.clone());
        if name != row.name {
            refuse_bad_name("plan", &name)?;
        }
        let before = config_of(&row)?;
        let config = self.judge_change(&row, &before, change.config).await?;
        row.config = as_map(&config)?;
        let is_new_schedule = before.schedule() != config.schedule();
        match self.store.update_plan(&row, &name, is_new_schedule, self.clock.now()).await? {
            Changed::Done => {}
            Changed::Meanwhile => return Err(changed(&row)),
            Changed::NameTaken => return Err(name_taken(&name)),
        }
        self.wake();
        self.plan_by_id(row.id).await
    }

    /// Judges a new configuration of a plan.
    pub(crate) async fn judge_change(
        &self,
        row: &PlanRow,
        before: &PlanConfig,
        config: Map<String, Value>,
    ) -> Result<PlanConfig, Error> {
        let wrong = |mistakes| Error::Config { what: format!("the plan {}", row.name), mistakes };
        let config = PlanConfig::read(config).map_err(wrong)?;
        let mut mistakes = pinned(before, &config);
        if mistakes.is_empty() {
            mistakes = self.judge_folders(&config, Some(row.id)).await?;
            if let Some(storage) = self.store.storage_by_id(row.storage_id).await? {
                mistakes.extend(self.unable(&storage, &config)?);
            }
        }
        if mistakes.is_empty() { Ok(config) } else { Err(wrong(Mistakes(mistakes))) }
    }

    /// Pauses the schedule of a plan: it is not due until it is resumed, or until the moment given. A run that is at work goes on.
    pub async fn pause_plan(&self, name: &str, until: Option<Timestamp>) -> Result<PlanView, Error> {
        let id = self.plan_row(name).await?.id;
        self.pause_plan_by_id(id, until).await
    }

    /// As [`pause_plan`](Engine::pause_plan), for the plan with this id.
    pub async fn pause_plan_by_id(&self, id: PlanId, until: Option<Timestamp>) -> Result<PlanView, Error> {
        if until.is_some_and(|until| until <= self.clock.now()) {
            return Err(Error::BadName("a pause ends in the future; give a later time".into()));
        }
        self.set_pause(id, Some(Pause { until })).await
    }

    /// Resumes the schedule of a plan. What was due while it was paused is not made up for.
    pub async fn resume_plan(&self, name: &str) -> Result<PlanView, Error> {
        let id = self.plan_row(name).await?.id;
        self.resume_plan_by_id(id).await
    }

    /// As [`resume_plan`](Engine::resume_plan), for the plan with this id.
    pub async fn resume_plan_by_id(&self, id: PlanId) -> Result<PlanView, Error> {
        self.set_pause(id, None).await
    }

    async fn set_pause(&self, id: PlanId, pause: Option<Pause>) -> Result<PlanView, Error> {
        loop {
            let row = self.plan_row_by_id(id).await?;
            let now = self.clock.now();
            if pause.is_none() && row.paused_at.is_none() {
                return self.plan_by_id(id).await;
            }
            // A pause that is over ended when it said, though nobody was there to see it.
            let ended_at = row.paused_until.filter(|until| pause.is_none() && *until <= now);
            let decided_until = ended_at.max(row.decided_until.filter(|_| ended_at.is_some())).unwrap_or(now);
            let plan = (row.id, row.name.as_str(), row.revision);
            if self.store.pause_plan(plan, pause, decided_until, now).await? {
                self.wake();
                return self.plan_by_id(id).await;
            }
        }
    }
}

/// Refuses another version of a plan than the one that was seen.
pub(crate) fn refuse_changed(row: &PlanRow, seen: Option<i64>) -> Result<(), Error> {
    if seen.is_some_and(|seen| seen != row.revision) { Err(changed(row)) } else { Ok(()) }
}

fn changed(row: &PlanRow) -> Error {
    Error::Changed { what: format!("the plan {}", row.name) }
}

/// What of a plan stays for ever, and is not as it was.
fn pinned(old: &PlanConfig, new: &PlanConfig) -> Vec<Mistake> {
    let another = |field: &str, old: &str| {
        Mistake::in_field(
            field,
            format!(
                "was {old}, and stays so for as long as the plan is there; give the other plan another name"
            ),
        )
    };
    let mut mistakes = Vec::new();
    if old.storage() != new.storage() {
        mistakes.push(another("storage", old.storage()));
    }
    match (old, new) {
        (PlanConfig::Backup(old), PlanConfig::Backup(new)) if old.destination != new.destination => {
            mistakes.push(another("destination", &old.destination.to_string()));
        }
        _ if old.kind() != new.kind() => mistakes.push(another("kind", old.kind())),
        _ => {}
    }
    mistakes
}
