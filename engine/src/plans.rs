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
    storages::refuse_bad_name,
    store::{PlanRow, StorageRow},
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
        };
        if !self.store.add_plan(&row).await? {
            return Err(Error::BadName(format!("there is a plan named {name} already; choose another name")));
        }
        if let PlanConfig::Backup(backup) = &config {
            if let Err(refusal) = Mirror::initialise(&backup.destination, row.id) {
                self.store.remove_plan(row.id).await?;
                return Err(wrong(Mistake::in_field("destination", refusal).into()));
            }
            self.store.mirror_is_ready(row.id).await?;
        }
        Ok(view(&row, config))
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
        self.store.plans().await?.iter().map(|row| Ok(view(row, config_of(row)?))).collect()
    }

    /// One plan.
    pub async fn plan(&self, name: &str) -> Result<PlanView, Error> {
        let row = self.plan_row(name).await?;
        let config = config_of(&row)?;
        Ok(view(&row, config))
    }

    /// Removes a plan, its runs and its part of the ledger. Files, here and there, stay where they are.
    pub async fn remove_plan(&self, name: &str) -> Result<(), Error> {
        let row = self.plan_row(name).await?;
        self.store.remove_plan(row.id).await
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

fn view(row: &PlanRow, config: PlanConfig) -> PlanView {
    PlanView { id: row.id, name: row.name.clone(), config, created_at: row.created_at }
}
