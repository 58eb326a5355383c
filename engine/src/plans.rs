//! The plans of a data directory.

use std::path::PathBuf;

use charon_provider::Capabilities;
use charon_schema::{Mistake, Mistakes};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    engine::Engine,
    error::Error,
    ids::PlanId,
    mirror::Mirror,
    plan::{PlanConfig, judge_destination, judge_sources},
    registry::known,
    run::Stop,
    storages::refuse_bad_name,
    store::{Occurrence, PlanRow, StorageRow},
    timing::{Pause, ScheduleConfig},
};

/// A plan as it can be shown.
#[derive(Clone, Debug, Serialize)]
pub struct PlanView {
    /// Its id; the mirror's marker carries it.
    pub id: PlanId,
    /// Its name.
    pub name: String,
    /// What it does.
    #[serde(flatten)]
    pub config: PlanConfig,
    /// When it was added.
    pub created_at: Timestamp,
    /// Since when its schedule is paused, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_at: Option<Timestamp>,
    /// Until when it is paused, if the pause ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_until: Option<Timestamp>,
    /// When it is due next, if it runs by itself and is not paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
}

impl Engine {
    /// Adds a plan. The destination of a backup plan becomes a mirror: it gets its marker.
    ///
    /// # Errors
    /// Every mistake in the configuration; a name that is taken; a storage that cannot do it; folders that overlap (I11).
    pub async fn add_plan(&self, name: &str, config: Map<String, Value>) -> Result<PlanView, Error> {
        refuse_bad_name("plan", name)?;
        let wrong = |mistakes| Error::Config { what: format!("the plan {name}"), mistakes };
        let config = PlanConfig::read(config).map_err(wrong)?;
        let storage = match self.storage_row(config.storage()).await {
            Ok(storage) => Ok(storage),
            Err(unknown @ Error::Unknown { .. }) => Err(unknown.to_string()),
            Err(other) => return Err(other),
        };
        let mut mistakes = self.judge_folders(&config, None).await?;
        match &storage {
            Ok(storage) => mistakes.extend(self.unable(storage, &config)?),
            Err(unknown) => mistakes.push(Mistake::in_field("storage", unknown.clone())),
        }
        let storage = match storage {
            Ok(storage) if mistakes.is_empty() => storage,
            _ => return Err(wrong(Mistakes(mistakes))),
        };
        let row = PlanRow {
            id: PlanId::new(&*self.clock, &*self.entropy),
            name: name.to_owned(),
            storage_id: storage.id,
            config: as_map(&config)?,
            mirror_ready: false,
            created_at: self.clock.now(),
            revision: 0,
            // What its schedule says of the time before is not missed.
            decided_until: Some(self.clock.now()),
            paused_at: None,
            paused_until: None,
        };
        if !self.store.add_plan(&row).await? {
            return Err(Error::BadName(format!("there is a plan named {name} already; choose another name")));
        }
        if let PlanConfig::Backup(backup) = &config {
            if let Err(refusal) = Mirror::initialise(&backup.destination, row.id) {
                self.store.remove_plan(row.id, name, self.clock.now()).await?;
                return Err(wrong(Mistake::in_field("destination", refusal).into()));
            }
            self.store.mirror_is_ready(row.id).await?;
        }
        self.wake();
        Ok(self.view_of_plan(&row, config))
    }

    /// Replaces the configuration of a plan. Its kind, its storage and its mirror stay: with others it would be another plan. A new
    /// schedule takes effect at once, and drops what was due under the old one.
    ///
    /// # Errors
    /// Every mistake in the configuration.
    pub async fn update_plan(&self, name: &str, config: Map<String, Value>) -> Result<PlanView, Error> {
        let mut row = self.plan_row(name).await?;
        let wrong = |mistakes| Error::Config { what: format!("the plan {name}"), mistakes };
        let before = config_of(&row)?;
        let config = PlanConfig::read(config).map_err(wrong)?;
        let mut mistakes = pinned(&before, &config);
        if mistakes.is_empty() {
            mistakes = self.judge_folders(&config, Some(row.id)).await?;
            if let Some(storage) = self.store.storage_by_id(row.storage_id).await? {
                mistakes.extend(self.unable(&storage, &config)?);
            }
        }
        if !mistakes.is_empty() {
            return Err(wrong(Mistakes(mistakes)));
        }
        row.config = as_map(&config)?;
        let is_new_schedule = before.schedule() != config.schedule();
        self.store.update_plan(&row, is_new_schedule, self.clock.now()).await?;
        self.wake();
        self.plan(name).await
    }

    /// Pauses the schedule of a plan: it is not due until it is resumed, or until the moment given. A run that is at work goes on.
    pub async fn pause_plan(&self, name: &str, until: Option<Timestamp>) -> Result<PlanView, Error> {
        if until.is_some_and(|until| until <= self.clock.now()) {
            return Err(Error::BadName("a pause ends in the future; give a later time".into()));
        }
        self.set_pause(name, Some(Pause { until })).await
    }

    /// Resumes the schedule of a plan. What was due while it was paused is not made up for.
    pub async fn resume_plan(&self, name: &str) -> Result<PlanView, Error> {
        self.set_pause(name, None).await
    }

    async fn set_pause(&self, name: &str, pause: Option<Pause>) -> Result<PlanView, Error> {
        loop {
            let row = self.plan_row(name).await?;
            let now = self.clock.now();
            if pause.is_none() && row.paused_at.is_none() {
                return self.plan(name).await;
            }
            // A pause that is over ended when it said, though nobody was there to see it.
            let ended_at = row.paused_until.filter(|until| pause.is_none() && *until <= now);
            let decided_until = ended_at.max(row.decided_until.filter(|_| ended_at.is_some())).unwrap_or(now);
            let plan = (row.id, row.name.as_str(), row.revision);
            if self.store.pause_plan(plan, pause, decided_until, now).await? {
                self.wake();
                return self.plan(name).await;
            }
        }
    }

    /// What became of the moments at which a plan was due, from a moment on, the newest first.
    pub async fn occurrences(
        &self,
        name: &str,
        since: Timestamp,
        most: u32,
    ) -> Result<Vec<Occurrence>, Error> {
        self.store.occurrences(self.plan_row(name).await?.id, since, most).await
    }

    /// Why the storage cannot do what the plan wants, if it cannot.
    pub(crate) fn unable(&self, storage: &StorageRow, config: &PlanConfig) -> Result<Vec<Mistake>, Error> {
        let opened = self.open_row(storage)?.storage;
        let unable = incapable(&storage.name, config, opened.facts().capabilities);
        let mut mistakes: Vec<Mistake> =
            unable.into_iter().map(|reason| Mistake::in_field("storage", reason)).collect();
        if let PlanConfig::Upload(upload) = config {
            let chars = upload.album.as_ref().map_or(0, |album| album.chars().count());
            let most = opened.facts().limits.album_title_chars;
            if chars > most {
                let reason = format!("is too long: it has {chars} characters, and {most} are the most");
                mistakes.push(Mistake::in_field("album", reason));
            }
        }
        Ok(mistakes)
    }

    /// What is wrong with the folders of a new plan, or of this one, as far as can be seen without touching them.
    pub(crate) async fn judge_folders(
        &self,
        config: &PlanConfig,
        plan: Option<PlanId>,
    ) -> Result<Vec<Mistake>, Error> {
        let others = self.folders(plan).await?;
        let (field, refusals) = match config {
            PlanConfig::Backup(backup) => {
                ("destination", judge_destination(&backup.destination, &others.mirrors, &others.sources))
            }
            PlanConfig::Upload(upload) => ("sources", judge_sources(&upload.sources, &others.mirrors)),
        };
        Ok(refusals.into_iter().map(|refusal| Mistake::in_field(field, refusal)).collect())
    }

    /// All plans, by name.
    pub async fn plans(&self) -> Result<Vec<PlanView>, Error> {
        self.store.plans().await?.iter().map(|row| Ok(self.view_of_plan(row, config_of(row)?))).collect()
    }

    /// One plan.
    pub async fn plan(&self, name: &str) -> Result<PlanView, Error> {
        let row = self.plan_row(name).await?;
        let config = config_of(&row)?;
        Ok(self.view_of_plan(&row, config))
    }

    /// Removes a plan, its runs and its part of the ledger. Files, here and there, stay where they are. A run that is at work
    /// stops.
    pub async fn remove_plan(&self, name: &str) -> Result<(), Error> {
        let row = self.plan_row(name).await?;
        let live = self.store.live_runs().await?;
        self.store.remove_plan(row.id, &row.name, self.clock.now()).await?;
        for run in live.iter().filter(|run| run.plan == row.id) {
            self.at_work.stop(run.run, Stop::cancelled());
        }
        self.wake();
        Ok(())
    }

    pub(crate) async fn plan_row(&self, name: &str) -> Result<PlanRow, Error> {
        if let Some(row) = self.store.plan(name).await? {
            return Ok(row);
        }
        let rows = self.store.plans().await?;
        let known = known("plan", rows.iter().map(|row| row.name.as_str()));
        Err(Error::Unknown { what: "plan", name: name.to_owned(), known })
    }

    /// The folders that plans, other than this one, keep and send.
    pub(crate) async fn folders(&self, but: Option<PlanId>) -> Result<Folders, Error> {
        let mut folders = Folders::default();
        for row in self.store.plans().await?.iter().filter(|row| Some(row.id) != but) {
            match config_of(row)? {
                PlanConfig::Backup(backup) => folders.mirrors.push(backup.destination),
                PlanConfig::Upload(upload) => folders.sources.extend(upload.sources),
            }
        }
        Ok(folders)
    }
}

/// The capability that the storage lacks for the plan, if it lacks one.
pub(crate) fn incapable(storage: &str, config: &PlanConfig, able: Capabilities) -> Option<String> {
    match config {
        PlanConfig::Backup(_) if !able.list || !able.download => {
            Some(format!("{storage} cannot be read from; use another storage"))
        }
        PlanConfig::Upload(_) if !able.upload => Some(format!(
            "{storage} takes no uploads (it is read-only); use another storage, or add one without read_only"
        )),
        PlanConfig::Backup(_) | PlanConfig::Upload(_) => None,
    }
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
            mistakes.push(another("destination", &old.destination.display().to_string()));
        }
        _ if old.kind() != new.kind() => mistakes.push(another("kind", old.kind())),
        _ => {}
    }
    mistakes
}

/// The folders that plans keep and send.
#[derive(Debug, Default)]
pub(crate) struct Folders {
    pub(crate) mirrors: Vec<PathBuf>,
    pub(crate) sources: Vec<PathBuf>,
}

pub(crate) fn config_of(row: &PlanRow) -> Result<PlanConfig, Error> {
    serde_json::from_value(Value::Object(row.config.clone())).map_err(|error| {
        Error::Refused(format!("the stored plan {} is not what this Charon writes: {error}", row.name))
    })
}

pub(crate) fn as_map(config: &PlanConfig) -> Result<Map<String, Value>, Error> {
    match serde_json::to_value(config) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Ok(Map::new()),
        // A path that is no UTF-8, for instance.
        Err(error) => Err(Error::Refused(format!("the plan cannot be stored: {error}"))),
    }
}

impl Engine {
    fn view_of_plan(&self, row: &PlanRow, config: PlanConfig) -> PlanView {
        let next_at = next_at(row, config.schedule(), self.clock.now());
        PlanView {
            id: row.id,
            name: row.name.clone(),
            config,
            created_at: row.created_at,
            paused_at: row.paused_at,
            paused_until: row.paused_until,
            next_at,
        }
    }
}

/// When a plan is due next.
pub(crate) fn next_at(row: &PlanRow, schedule: Option<&ScheduleConfig>, now: Timestamp) -> Option<Timestamp> {
    let (schedule, _) = schedule?.read().ok()?;
    match (row.paused_at, row.paused_until) {
        (None, _) => schedule.after(now).next(),
        (Some(_), Some(until)) => schedule.after(until.max(now)).next(),
        (Some(_), None) => None,
    }
}
