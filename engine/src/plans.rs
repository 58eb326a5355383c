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
    ids::{PlanId, StorageId},
    mirror::Mirror,
    plan::{AlbumFiles, MirrorPlace, PlanConfig, judge_destination, judge_move_to, judge_sources},
    registry::known,
    replanning::refuse_changed,
    run::Stop,
    storages::refuse_bad_name,
    store::{Occurrence, PlanRow, StorageRow},
    timing::ScheduleConfig,
};

/// A plan as it can be shown.
#[derive(Clone, Debug, Serialize)]
pub struct PlanView {
    /// Its id; the mirror's marker carries it.
    pub id: PlanId,
    /// Its name.
    pub name: String,
    /// The storage that it is of, which is told by its name too.
    pub storage_id: StorageId,
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
    /// Which version of it this is: another one after every change that somebody makes.
    #[serde(skip)]
    pub revision: i64,
}

impl Engine {
    /// Adds a plan. The destination of a backup plan becomes a mirror: it gets its marker.
    ///
    /// # Errors
    /// Every mistake in the configuration; a name that is taken; a storage that cannot do it; folders that overlap (I11).
    pub async fn add_plan(&self, name: &str, config: Map<String, Value>) -> Result<PlanView, Error> {
        let wrong = |mistakes| Error::Config { what: format!("the plan {name}"), mistakes };
        let (row, config) = self.add_plan_row(name, config).await?;
        if let PlanConfig::Backup(backup) = &config {
            let initialised = async {
                let site = self.site(row.id, backup).await?;
                Mirror::initialise(&site, row.id).await
            };
            if let Err(refusal) = initialised.await {
                self.store.remove_plan(row.id, name, self.clock.now()).await?;
                return Err(wrong(Mistake::in_field("destination", refusal.to_string()).into()));
            }
            self.store.mirror_is_ready(row.id).await?;
        }
        self.wake();
        self.plan_by_id(row.id).await
    }

    /// Adds a plan whose destination is not looked at yet.
    pub(crate) async fn add_plan_row(
        &self,
        name: &str,
        config: Map<String, Value>,
    ) -> Result<(PlanRow, PlanConfig), Error> {
        refuse_bad_name("plan", name)?;
        let (config, storage) = self.judge_new_plan(name, config).await?;
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
            is_inbox: false,
        };
        if !self.store.add_plan(&row).await? {
            return Err(name_taken(name));
        }
        Ok((row, config))
    }

    /// Judges the configuration of a plan that is not there yet. Gives it, and the storage that it is of.
    pub(crate) async fn judge_new_plan(
        &self,
        name: &str,
        config: Map<String, Value>,
    ) -> Result<(PlanConfig, StorageRow), Error> {
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
        match storage {
            Ok(storage) if mistakes.is_empty() => Ok((config, storage)),
            _ => Err(wrong(Mistakes(mistakes))),
        }
    }

    /// What became of the moments at which a plan was due, from a moment on, the newest first.
    pub async fn occurrences(
        &self,
        name: &str,
        since: Timestamp,
        most: u32,
    ) -> Result<Vec<Occurrence>, Error> {
        self.store.occurrences(self.plan_row(name).await?.id, (since, None), most).await
    }

    /// As [`occurrences`](Engine::occurrences), for the plan with this id: those before a moment, if it is given.
    pub async fn occurrences_by_id(
        &self,
        id: PlanId,
        (since, before): (Timestamp, Option<Timestamp>),
        most: u32,
    ) -> Result<Vec<Occurrence>, Error> {
        self.store.occurrences(self.plan_row_by_id(id).await?.id, (since, before), most).await
    }

    /// Why the storage cannot do what the plan wants, if it cannot.
    pub(crate) fn unable(&self, storage: &StorageRow, config: &PlanConfig) -> Result<Vec<Mistake>, Error> {
        let opened = self.open_row(storage)?.storage;
        let unable = incapable(&storage.name, config, opened.facts().capabilities);
        let mut mistakes: Vec<Mistake> =
            unable.into_iter().map(|reason| Mistake::in_field("storage", reason)).collect();
        if let PlanConfig::Upload(upload) = config {
            mistakes.extend(upload.judge_length(opened.facts().limits.album_title_chars));
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
        let config = config.clone();
        let mut mistakes = Vec::new();
        if let PlanConfig::Backup(backup) = &config {
            mistakes.extend(self.judge_keeper(backup).await?);
            let needs_folder =
                matches!(backup.albums, Some(AlbumFiles::Symlink | AlbumFiles::Hardlink | AlbumFiles::Copy));
            if needs_folder && backup.destination.folder().is_none() {
                let reason = "can only be made in a folder of this machine; a storage keeps manifests";
                mistakes.push(Mistake::in_field("albums", reason));
            }
        }
        let refused = |field, refusals: Vec<String>| {
            refusals.into_iter().map(move |refusal| Mistake::in_field(field, refusal)).collect::<Vec<_>>()
        };
        let looked = looked_at(move || match config {
            PlanConfig::Backup(backup) => {
                let refusals = judge_destination(&backup.destination, &others.mirrors, &others.sources);
                refused("destination", refusals)
            }
            PlanConfig::Upload(upload) => {
                let move_to = upload.move_to.as_ref();
                let move_to = move_to.and_then(|to| judge_move_to(to, &upload.sources, &others.mirrors));
                let mut mistakes = refused("sources", judge_sources(&upload.sources, &others.mirrors));
                mistakes.extend(refused("move_to", move_to.into_iter().collect()));
                mistakes
            }
        });
        mistakes.extend(looked.await?);
        Ok(mistakes)
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

    /// One plan, by its id.
    pub async fn plan_by_id(&self, id: PlanId) -> Result<PlanView, Error> {
        let row = self.plan_row_by_id(id).await?;
        let config = config_of(&row)?;
        Ok(self.view_of_plan(&row, config))
    }

    /// Removes a plan, its runs and its part of the ledger. Files, here and there, stay where they are. A run that is at work
    /// stops.
    pub async fn remove_plan(&self, name: &str) -> Result<(), Error> {
        self.remove_row_of_plan(self.plan_row(name).await?).await
    }

    /// As [`remove_plan`](Engine::remove_plan), for the plan with this id.
    ///
    /// # Errors
    /// [`Error::Changed`] when it is not the version that was seen, if any is given.
    pub async fn remove_plan_by_id(&self, id: PlanId, seen: Option<i64>) -> Result<(), Error> {
        let row = self.plan_row_by_id(id).await?;
        refuse_changed(&row, seen)?;
        self.remove_row_of_plan(row).await
    }

    async fn remove_row_of_plan(&self, row: PlanRow) -> Result<(), Error> {
        let live = self.store.live_runs().await?;
        self.store.remove_plan(row.id, &row.name, self.clock.now()).await?;
        for run in live.iter().filter(|run| run.plan == row.id) {
            self.at_work.stop(run.run, Stop::cancelled());
        }
        self.wake();
        Ok(())
    }

    /// The plan of this name that somebody has made; that of an inbox is Charon's own.
    pub(crate) async fn plan_row(&self, name: &str) -> Result<PlanRow, Error> {
        match self.store.plan(name).await?.filter(|row| !row.is_inbox) {
            Some(row) => Ok(row),
            None => Err(self.unknown_plan(name.to_owned()).await?),
        }
    }

    /// As [`plan_row`](Engine::plan_row), for the plan with this id.
    pub(crate) async fn plan_row_by_id(&self, id: PlanId) -> Result<PlanRow, Error> {
        match self.store.plan_by_id(id).await?.filter(|row| !row.is_inbox) {
            Some(row) => Ok(row),
            None => Err(self.unknown_plan(id.to_string()).await?),
        }
    }

    async fn unknown_plan(&self, name: String) -> Result<Error, Error> {
        let rows = self.store.plans().await?;
        let known = known("plan", rows.iter().map(|row| row.name.as_str()));
        Ok(Error::Unknown { what: "plan", name, known })
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

pub(crate) fn name_taken(name: &str) -> Error {
    Error::BadName(format!("there is a plan named {name} already; choose another name"))
}

/// Looks at a disk, off the threads that wait for the network: it may hang.
pub(crate) async fn looked_at<T: Send + 'static>(
    look: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    let looked = tokio::task::spawn_blocking(look).await;
    looked.map_err(|panic| Error::Refused(format!("this is a mistake in Charon: {panic}")))
}

/// The capability that the storage lacks for the plan, if it lacks one.
pub(crate) fn incapable(storage: &str, config: &PlanConfig, able: Capabilities) -> Option<String> {
    match config {
        _ if able.destination && !able.list && !able.upload => Some(format!(
            "{storage} is a place for mirrors, and has no photos of its own; use a storage of an account with photos"
        )),
        PlanConfig::Backup(_) if !able.list || !able.download => {
            Some(format!("{storage} cannot be read from; use another storage"))
        }
        PlanConfig::Upload(_) if !able.upload => Some(format!(
            "{storage} takes no uploads (it is read-only); use another storage, or add one without read_only"
        )),
        PlanConfig::Backup(_) | PlanConfig::Upload(_) => None,
    }
}

/// The folders that plans keep and send.
#[derive(Debug, Default)]
pub(crate) struct Folders {
    pub(crate) mirrors: Vec<MirrorPlace>,
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
            storage_id: row.storage_id,
            config,
            created_at: row.created_at,
            paused_at: row.paused_at,
            paused_until: row.paused_until,
            next_at,
            revision: row.revision,
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
