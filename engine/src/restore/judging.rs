//! Judging: what cannot be restored is refused before anything is, and what would be is told.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use charon_provider::{EntryKind, Fidelity, Storage};
use charon_schema::{Mistake, Mistakes};
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::watch;

use super::{Chosen, Home, Restoring, TOGETHER, Target, counting, folder};
use crate::{
    account,
    budget::Purpose,
    engine::Engine,
    error::Error,
    estimate::{Estimate, of_upload, refuse_stopped},
    ids::{PlanId, RunId, StorageId},
    job::{RestoreJob, RestoreTo},
    mirror::{Mirror, Site, mirror_above},
    plan::{BackupConfig, PlanConfig, real_path},
    plans::{Folders, config_of, looked_at},
    run::{Progress, RunContext},
    store::{AtHome, PlanRow},
    upload::Upload,
};

/// What would be restored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RestorePreview {
    /// How many files are chosen.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many of them are where they should be already; of a folder, as far as their sizes tell.
    pub unchanged: u64,
    /// How many of them cannot go to their place in a folder, since something else is there.
    pub in_the_way: u64,
    /// How many of them are not the original bytes: what a storage gave as a copy of lesser fidelity stays that.
    pub api_copies: u64,
    /// What it takes to send what the storage does not have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Estimate>,
}

impl Engine {
    /// Refuses what could not be restored, before a run is asked for.
    ///
    /// # Errors
    /// Every mistake in what is asked for; nothing that is chosen is home; the mirror or the target is not there, or not fit for it.
    pub async fn judge_restore(&self, plan: PlanId, job: &RestoreJob) -> Result<(), Error> {
        let row = self.plan_row_by_id(plan).await?;
        self.restorable(&row, job).await.map(drop)
    }

    /// What would be restored. Nothing is.
    ///
    /// # Errors
    /// As for [`judge_restore`](Engine::judge_restore).
    pub async fn preview_restore(&self, plan: PlanId, job: &RestoreJob) -> Result<RestorePreview, Error> {
        let row = self.plan_row_by_id(plan).await?;
        let home = self.restorable(&row, job).await?;
        match &job.target {
            RestoreTo::Folder(folder) => self.count_for_folder(&row, &home, folder).await,
            RestoreTo::Storage(storage) => Box::pin(self.count_for_storage(&row, home, *storage)).await,
        }
    }

    async fn count_for_storage(
        &self,
        row: &PlanRow,
        mut home: Home,
        storage: StorageId,
    ) -> Result<RestorePreview, Error> {
        let opened = self.open_row_for(&self.row_of(storage).await?, Purpose::Person)?;
        let (progress, _) = watch::channel(Progress::default());
        let run = RunId::new(&*self.clock, &*self.entropy);
        let mut ctx = self.context(run, row, &opened, progress);
        ctx.is_dry = true;
        let ctx = Arc::new(ctx);
        home.site = home.site.for_run(&ctx);
        account::refuse_another(&ctx, &*opened.storage).await?;
        let upload = Upload::of_given(Arc::clone(&ctx), opened.storage, self.vault.clone());
        let restoring = Restoring { ctx: Arc::clone(&ctx), home, target: Target::Storage(Arc::new(upload)) };
        let counted = counting::count(&restoring).await;
        refuse_stopped(&ctx)?;
        let (preview, counted) = counted?;
        Ok(RestorePreview { estimate: Some(of_upload(&ctx, &counted).await?), ..preview })
    }

    async fn count_for_folder(
        &self,
        row: &PlanRow,
        home: &Home,
        folder: &Path,
    ) -> Result<RestorePreview, Error> {
        let mut preview = RestorePreview::default();
        let target = Site::folder(folder);
        let mut after = 0;
        loop {
            let page = self.store.at_home(row.id, home.storage, after, TOGETHER).await?;
            let Some(last) = page.last().map(|last| last.asset_id) else { return Ok(preview) };
            after = last;
            let chosen: Vec<&AtHome> = page.iter().filter(|item| home.chosen.has(item)).collect();
            let pieces: Vec<_> = chosen.iter().flat_map(|item| folder::pieces_of(item)).collect();
            let paths: Vec<String> = pieces.iter().map(|piece| piece.path.clone()).collect();
            let there = target.files().look(&paths).await?;
            for (piece, there) in pieces.iter().zip(there) {
                let size = piece.bytes.map_or(0, |(_, size)| size);
                preview.files += 1;
                preview.bytes += size;
                match there {
                    Some(there) if there.kind == EntryKind::File && there.size == size => {
                        preview.unchanged += 1;
                    }
                    Some(_) => preview.in_the_way += 1,
                    None => {}
                }
            }
            preview.api_copies +=
                chosen.iter().filter(|item| item.fidelity == Fidelity::ApiCopy).count() as u64;
        }
    }

    /// Looks before it leaps (I11): all that the restore needs is there, and fit for it.
    pub(crate) async fn prepare_restore(
        &self,
        row: &PlanRow,
        ctx: &Arc<RunContext>,
        storage: Arc<dyn Storage>,
        job: &RestoreJob,
    ) -> Result<Restoring, Error> {
        let mut home = self.restorable(row, job).await?;
        home.site = home.site.for_run(ctx);
        let target = match &job.target {
            RestoreTo::Folder(folder) => Target::Folder(folder.clone()),
            RestoreTo::Storage(id) => {
                account::refuse_another(ctx, &*storage).await?;
                self.store.unstage_expired(*id, self.clock.now()).await?;
                Target::Storage(Arc::new(Upload::of_given(Arc::clone(ctx), storage, self.vault.clone())))
            }
        };
        Ok(Restoring { ctx: Arc::clone(ctx), home, target })
    }

    /// What is home of what is wanted, if there is anything and it can go where it is wanted.
    async fn restorable(&self, row: &PlanRow, job: &RestoreJob) -> Result<Home, Error> {
        let PlanConfig::Backup(config) = config_of(row)? else {
            return Err(Error::Refused(format!(
                "{} is an upload plan, and keeps no mirror; what a backup plan keeps can be restored",
                row.name
            )));
        };
        let chosen = self.what_is_chosen(row, &config, job).await?;
        match &job.target {
            RestoreTo::Folder(folder) => self.refuse_unfit_folder(folder).await?,
            RestoreTo::Storage(storage) => self.refuse_unfit_storage(*storage).await?,
        }
        let site = self.site(row.id, &config).await?;
        Mirror::look(&site, row.id).await?;
        let home = Home { site, storage: row.storage_id, chosen };
        let mut after = 0;
        loop {
            let page = self.store.at_home(row.id, home.storage, after, TOGETHER).await?;
            if page.iter().any(|item| home.chosen.has(item)) {
                return Ok(home);
            }
            after = page.last().map(|last| last.asset_id).ok_or_else(|| {
                let is_empty = after == 0;
                Error::Refused(if is_empty {
                    format!("nothing is home yet in the mirror of {}; run the plan first", row.name)
                } else {
                    format!("nothing in the mirror of {} is among what was chosen", row.name)
                })
            })?;
        }
    }

    async fn what_is_chosen(
        &self,
        row: &PlanRow,
        config: &BackupConfig,
        job: &RestoreJob,
    ) -> Result<Chosen, Error> {
        let wrong = |mistakes| Error::Config { what: "the restore".into(), mistakes };
        let zone = TimeZone::get(&config.time_zone).unwrap_or(TimeZone::UTC);
        let chosen = Chosen::read(&job.selection, &zone).map_err(wrong)?;
        if chosen.albums().is_empty() {
            return Ok(chosen);
        }
        let known = self.store.storage_albums(row.storage_id).await?;
        let is_known = |title: &&String| known.iter().any(|(_, other)| other == *title);
        let mut unknown = chosen.albums().iter().filter(|title| !is_known(title)).peekable();
        if unknown.peek().is_none() {
            return Ok(chosen);
        }
        let titles: Vec<&str> = known.iter().map(|(_, title)| title.as_str()).take(20).collect();
        let there_are = if titles.is_empty() {
            "no album is known; full runs of a plan with \"albums\" or \"sidecars\" learn of them".to_owned()
        } else {
            format!("there are {}", titles.join(", "))
        };
        let mistakes = unknown.map(|title| {
            Mistake::in_field(
                "albums",
                format!("holds {title}, which is no album that is known; {there_are}"),
            )
        });
        Err(wrong(Mistakes(mistakes.collect())))
    }

    async fn refuse_unfit_storage(&self, storage: StorageId) -> Result<(), Error> {
        let row = self.row_of(storage).await?;
        if self.declared_by(&row)?.capabilities.upload {
            return Ok(());
        }
        let reason = format!("{} takes no uploads (is it read-only?); choose another one", row.name);
        let mistakes = Mistake::in_field("storage", reason).into();
        Err(Error::Config { what: "the restore".into(), mistakes })
    }

    async fn refuse_unfit_folder(&self, folder: &Path) -> Result<(), Error> {
        let wrong = |reason: String| Error::Config {
            what: "the restore".into(),
            mistakes: Mistake::in_field("folder", reason).into(),
        };
        if !folder.is_absolute() {
            return Err(wrong("is to be a whole path, from the root on".into()));
        }
        let folders = self.folders(None).await?;
        let folder = folder.to_owned();
        looked_at(move || judge_folder(&folder, &folders)).await?.map_or(Ok(()), |reason| Err(wrong(reason)))
    }
}

/// Why a folder is not one to restore to, if it is not: what is put there would get into a mirror, or be sent out (I11). Blocks.
fn judge_folder(folder: &Path, folders: &Folders) -> Option<String> {
    let real = real_path(folder);
    if real.exists() && !real.is_dir() {
        return Some("is not a folder".into());
    }
    if let Some(above) = real.parent().filter(|above| !above.is_dir()) {
        return Some(format!(
            "is to be made in {}, which is not there: is the disk mounted?",
            above.display()
        ));
    }
    let mirrors = folders.mirrors.iter().filter_map(|mirror| mirror.folder()).map(real_path);
    let mut mirrors = mirrors.chain(mirror_above(&real).map(Path::to_owned));
    if let Some(mirror) = mirrors.find(|mirror| real.starts_with(mirror) || mirror.starts_with(&real)) {
        return Some(format!(
            "lies within the mirror {0}, or around it, where only its plan puts files; choose another folder",
            mirror.display()
        ));
    }
    let mut sources = folders.sources.iter().map(|source: &PathBuf| real_path(source));
    sources.find(|source| real.starts_with(source) || source.starts_with(&real)).map(|source| {
        format!(
            "lies within {}, which an upload plan sends out, or around it: what is restored would be sent out again; choose another folder",
            source.display()
        )
    })
}
