//! Asking: what is adopted into which plan, judged before anything is done (I11).

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use charon_provider::Storage;
use serde_json::{Map, Value};

use super::Adoption;
use crate::{
    backup,
    engine::Engine,
    error::Error,
    ids::PlanId,
    job::AdoptJob,
    mirror::{Mirror, Site, mirror_above},
    plan::{BackupConfig, MirrorPlace, PlanConfig},
    plans::{PlanView, config_of, looked_at},
    run::RunContext,
    store::PlanRow,
};

/// What somebody wants to be adopted.
#[derive(Clone, Debug, Default)]
pub struct Adopting {
    /// The folder, or `NAME:path` of a storage that keeps files; `None` for the mirror of the plan.
    pub place: Option<PathBuf>,
    /// The plan: one that there is, or the name of one that is to be made.
    pub plan: Option<String>,
    /// The storage of a plan that is to be made; it need not be named where there is one only.
    pub storage: Option<String>,
    /// The database of gphotos-sync, where it is not in the folder.
    pub database: Option<PathBuf>,
}

/// The plan that something is adopted into.
#[derive(Clone, Debug)]
pub struct AdoptingPlan {
    /// Its name.
    pub name: String,
    /// Its configuration, if it is to be made first. The folder becomes its mirror.
    pub new: Option<Map<String, Value>>,
    /// What its run does.
    pub job: AdoptJob,
}

impl Engine {
    /// Finds out which plan a folder is adopted into, and changes nothing.
    ///
    /// # Errors
    /// When there is no such folder, or it cannot be told which plan.
    pub async fn adopting(&self, asked: Adopting) -> Result<AdoptingPlan, Error> {
        let place = match &asked.place {
            Some(place) => Some(place_of(place).await?),
            None => None,
        };
        let database = match asked.database {
            Some(database) => Some(real_file(database).await?),
            None => None,
        };
        let folder = place.as_ref().and_then(MirrorPlace::folder).map(Path::to_owned);
        let job = AdoptJob { folder: folder.clone(), database };
        let there_is = |name: String| Ok(AdoptingPlan { name, new: None, job: job.clone() });
        let plans = self.plans().await?;
        let Some(place) = place else {
            let Some(name) = asked.plan else {
                return Err(Error::Refused(
                    "say which folder is to be adopted, or of which plan: charon adopt DIR".into(),
                ));
            };
            return there_is(self.plan(&name).await?.name);
        };
        let backups: Vec<&PlanView> =
            plans.iter().filter(|plan| matches!(plan.config, PlanConfig::Backup(_))).collect();
        let over = backups.iter().find(|plan| is_mirror_of(plan, &place));
        match (&asked.plan, over) {
            (Some(name), _) if plans.iter().any(|plan| plan.name == *name) => {
                if folder.is_none() && over.is_none_or(|over| over.name != *name) {
                    return Err(Error::Refused(format!(
                        "{place} is not a folder of this machine, and not the mirror of {name}; it can only become the mirror of a \
                         new plan"
                    )));
                }
                refuse_other_storage(&plans, name, asked.storage.as_deref())?;
                return there_is(name.clone());
            }
            (Some(name), Some(over)) => {
                return Err(Error::Refused(format!(
                    "{place} is the mirror of the plan {}; adopt it into that one, not into a new plan {name}",
                    over.name
                )));
            }
            (None, Some(over)) => {
                refuse_other_storage(&plans, &over.name, asked.storage.as_deref())?;
                return there_is(over.name.clone());
            }
            (None, None) if !backups.is_empty() && asked.storage.is_none() => {
                let names: Vec<&str> = backups.iter().map(|plan| plan.name.as_str()).collect();
                return Err(Error::Refused(format!(
                    "say with --plan where the photos belong: into the mirror of a plan that there is ({}), or the name of a new \
                     plan, whose mirror the folder becomes as it is",
                    names.join(", ")
                )));
            }
            (_, None) => {}
        }
        let name = asked.plan.or_else(|| Some(folder?.file_name()?.to_str()?.to_owned()));
        let Some(name) = name else {
            return Err(Error::Refused("say with --plan what the new plan is to be called".into()));
        };
        let storage = match asked.storage {
            Some(storage) => storage,
            None => self.only_storage().await?,
        };
        // A path that is no Unicode cannot be written down.
        let destination = serde_json::to_value(&place).map_err(|error| Error::Refused(error.to_string()))?;
        let config = [("kind", "backup".into()), ("storage", storage.into()), ("destination", destination)];
        let config: Map<String, Value> =
            config.into_iter().map(|(field, value)| (field.to_owned(), value)).collect();
        // Every mistake is told before anything is made.
        let (judged, _) = self.judge_new_plan(&name, config.clone()).await?;
        if let PlanConfig::Backup(backup) = &judged {
            let nobody = PlanId::new(&*self.clock, &*self.entropy);
            self.refuse_foreign(&self.site(nobody, backup).await?).await?;
        }
        Ok(AdoptingPlan { name, new: Some(config), job })
    }

    /// The storage that has photos, if there is one only.
    async fn only_storage(&self) -> Result<String, Error> {
        let mut able = Vec::new();
        for storage in self.storages().await? {
            let row = self.storage_row(&storage.name).await?;
            if self.declared_by(&row)?.capabilities.list {
                able.push(storage.name);
            }
        }
        match able.as_slice() {
            [] => Err(Error::Refused(
                "there is no storage yet; add the account first: charon authorize, charon storage add".into(),
            )),
            [_] => Ok(able.remove(0)),
            _ => {
                Err(Error::Refused(format!("say with --storage whose photos they are: {}", able.join(", "))))
            }
        }
    }

    /// Adds the plan of an adoption. Its destination becomes its mirror only when something there has turned out to be the account's.
    ///
    /// # Errors
    /// As for [`add_plan`](Engine::add_plan), but for what lies at the destination.
    pub async fn add_adopting_plan(&self, adopting: &AdoptingPlan) -> Result<(), Error> {
        let Some(config) = &adopting.new else { return Ok(()) };
        self.add_plan_row(&adopting.name, config.clone()).await.map(drop)
    }

    /// Removes the plan that was made for an adoption that has come to nothing. Gives whether it was removed.
    pub async fn drop_adopting_plan(&self, adopting: &AdoptingPlan) -> Result<bool, Error> {
        let row = self.plan_row(&adopting.name).await?;
        if adopting.new.is_none() || row.mirror_ready {
            return Ok(false);
        }
        self.remove_plan(&adopting.name).await?;
        Ok(true)
    }

    /// Refuses a place that is the mirror of a plan that there is; that of a plan that there is no more may be taken over (I11).
    async fn refuse_foreign(&self, site: &Site) -> Result<(), Error> {
        let Some(owner) = Mirror::owner(site).await? else { return Ok(()) };
        match self.store.plan_by_id(owner).await? {
            None => Ok(()),
            Some(plan) => Err(Error::Refused(format!(
                "{} carries the marker of the plan {}, which there is still; two plans over one mirror would get in each other's \
                 way, so nothing was adopted",
                site.shown(),
                plan.name
            ))),
        }
    }

    /// Gets an adoption ready, and touches nothing.
    pub(crate) async fn prepare_adoption(
        &self,
        row: &PlanRow,
        ctx: &Arc<RunContext>,
        storage: Arc<dyn Storage>,
        config: &BackupConfig,
        job: &AdoptJob,
    ) -> Result<Adoption, Error> {
        let site = self.site(row.id, config).await?.for_run(ctx);
        let from = match &job.folder {
            Some(folder) => {
                let folder = real_folder(folder.clone()).await?;
                let mirror = config.destination.folder().and_then(|mirror| mirror.canonicalize().ok());
                (mirror.as_deref() != Some(&*folder)).then_some((folder, mirror))
            }
            None => None,
        };
        if row.mirror_ready {
            Mirror::look(&site, row.id).await?;
        } else if Mirror::owner(&site).await? != Some(row.id) {
            self.refuse_foreign(&site).await?;
        }
        let from = match from {
            Some((folder, mirror)) => {
                if mirror.is_some_and(|mirror| mirror.starts_with(&folder) || folder.starts_with(mirror)) {
                    return Err(Error::Refused(format!(
                        "{} and the mirror of the plan, {}, lie within each other; adopt the mirror itself, or a folder beside it",
                        folder.display(),
                        config.destination
                    )));
                }
                if let Some(above) = mirror_above(&folder) {
                    self.refuse_foreign(&Site::folder(above)).await?;
                }
                Some(Site::folder(&folder))
            }
            None => None,
        };
        let wanted = backup::select(ctx, &*storage, &config.selection).await?;
        let wrong = |mistakes| Error::Config { what: format!("the plan {}", row.name), mistakes };
        Ok(Adoption {
            ctx: Arc::clone(ctx),
            storage,
            wanted,
            layout: config.layout().map_err(wrong)?,
            site,
            is_ready: row.mirror_ready,
            from,
            database: job.database.clone(),
            told: Mutex::default(),
        })
    }
}

/// The configuration of a plan that keeps a mirror.
pub(crate) fn keeper(row: &PlanRow) -> Result<BackupConfig, Error> {
    match config_of(row)? {
        PlanConfig::Backup(config) => Ok(config),
        PlanConfig::Upload(_) => Err(Error::Refused(
            "an upload plan keeps no mirror; adopt into a backup plan, or name a new one".into(),
        )),
    }
}

/// Whether a plan keeps its mirror at a place. Folders are compared by where they really are.
fn is_mirror_of(plan: &PlanView, place: &MirrorPlace) -> bool {
    let PlanConfig::Backup(backup) = &plan.config else { return false };
    match (&backup.destination, place) {
        (MirrorPlace::Folder(mirror), MirrorPlace::Folder(folder)) => {
            mirror.canonicalize().is_ok_and(|mirror| mirror == *folder)
        }
        (mirror, place) => mirror == place,
    }
}

/// A folder that there is, or a place that a storage keeps.
async fn place_of(named: &Path) -> Result<MirrorPlace, Error> {
    let stored =
        named.to_str().and_then(|text| MirrorPlace::read(text).ok()).filter(|place| place.folder().is_none());
    match (stored, real_folder(named.to_owned()).await) {
        (Some(stored), Err(_)) => Ok(stored),
        (_, folder) => folder.map(MirrorPlace::Folder),
    }
}

fn refuse_other_storage(plans: &[PlanView], name: &str, storage: Option<&str>) -> Result<(), Error> {
    let plan = plans.iter().find(|plan| plan.name == name);
    match (plan, storage) {
        (Some(plan), Some(storage)) if plan.config.storage() != storage => Err(Error::Refused(format!(
            "the plan {name} is of the storage {}, not of {storage}",
            plan.config.storage()
        ))),
        _ => Ok(()),
    }
}

async fn real_folder(folder: PathBuf) -> Result<PathBuf, Error> {
    let shown = folder.display().to_string();
    let found = looked_at(move || folder.canonicalize().map(|real| (real.is_dir(), real))).await?;
    match found {
        Ok((true, real)) => Ok(real),
        Ok((false, _)) => Err(Error::Refused(format!("{shown} is not a folder"))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Error::Refused(format!("there is no folder {shown}; is the disk mounted?")))
        }
        Err(error) => Err(Error::Refused(format!("the folder {shown} cannot be read: {error}"))),
    }
}

async fn real_file(file: PathBuf) -> Result<PathBuf, Error> {
    let shown = file.display().to_string();
    let found = looked_at(move || file.canonicalize().ok().filter(|real| real.is_file())).await?;
    found.ok_or_else(|| Error::Refused(format!("there is no file {shown}")))
}
