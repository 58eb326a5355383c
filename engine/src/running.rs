//! Running a plan: from its row to a run, to a summary.

use std::{
    collections::HashSet,
    path::Path,
    sync::{Arc, Mutex},
};

use charon_provider::{Class, Error as StorageError, Position, Storage};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::{
    account,
    backup::{self, Backup},
    budget::Purpose,
    engine::Engine,
    error::Error,
    hints,
    host::Requests,
    ids::{PlanId, RunId},
    mirror::Mirror,
    plan::{AlbumPosition, PlanConfig, judge_sources},
    plans::{config_of, incapable},
    run::{Outcome, Progress, RunContext, RunState, Stop, Summary, Trouble},
    storages::Opened,
    store::{PlanRow, RunRecord},
    upload::{self, Upload},
};

/// The most items whose troubles a summary tells; the database has them all.
const TROUBLES_TOLD: u32 = 100;

/// A run that is under way. Dropping it ends it at once, as a crash would.
#[derive(Debug)]
pub struct Run {
    ctx: Arc<RunContext>,
    progress: watch::Receiver<Progress>,
    work: AbortOnDropHandle<Result<Summary, Error>>,
}

/// Stops a run from elsewhere.
#[derive(Clone, Debug)]
pub struct Canceller(Arc<RunContext>);

impl Canceller {
    /// Asks the run to stop: current files are dropped cleanly, what was sent is committed.
    pub fn cancel(&self) {
        self.0.stop(Stop::cancelled());
    }
}

impl Run {
    /// Its id.
    pub fn id(&self) -> RunId {
        self.ctx.run
    }

    /// What is done so far, and every change of it.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// Stops it from elsewhere.
    pub fn canceller(&self) -> Canceller {
        Canceller(Arc::clone(&self.ctx))
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When its end could not be recorded.
    pub async fn finished(self) -> Result<Summary, Error> {
        self.work
            .await
            .unwrap_or_else(|panic| Err(Error::Refused(format!("this is a mistake in Charon: {panic}"))))
    }
}

/// The one run of its plan that is under way in this process, until this is dropped.
#[derive(Debug)]
struct OnlyRun {
    plan: PlanId,
    under_way: Arc<Mutex<HashSet<PlanId>>>,
}

impl Drop for OnlyRun {
    fn drop(&mut self) {
        self.under_way.lock().expect("nothing panics while it holds the runs").remove(&self.plan);
    }
}

/// How a run is to go about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// Whether the listing has to go to its end, whatever is known already.
    pub full_listing: bool,
}

/// What a run does, checked and ready.
pub(crate) enum Work {
    Backup(Backup),
    Upload(Upload),
}

impl Engine {
    /// Starts a run of a plan, now. This process becomes the one that runs plans.
    ///
    /// # Errors
    /// When there is no such plan, a run of it is under way, or another process runs plans. Anything else that keeps the run from its work becomes the
    /// end of the run.
    pub async fn start(&self, plan: &str) -> Result<Run, Error> {
        self.start_with(plan, RunOptions::default()).await
    }

    /// Starts a run of a plan, now, in another way than usual.
    ///
    /// # Errors
    /// As for [`start`](Engine::start).
    pub async fn start_with(&self, plan: &str, options: RunOptions) -> Result<Run, Error> {
        let row = self.plan_row(plan).await?;
        self.take_ownership().await?;
        let alone = self.only_run_of(&row)?;
        let opened = self.open_storage_of(&row, Purpose::Run).await?;
        let (progress_in, progress) = watch::channel(Progress::default());
        let mut ctx = self.context(&row, &opened, progress_in);
        let Opened { storage, requests, .. } = opened;
        ctx.full_listing = options.full_listing;
        let ctx = Arc::new(ctx);
        let started_at = self.clock.now();
        self.store.supersede_parked_runs(row.id).await?;
        self.store.start_run(ctx.run, row.id, started_at).await?;
        let work = work(self.clone(), row, Arc::clone(&ctx), storage, requests, started_at);
        let work = async move {
            let _alone = alone;
            work.await
        };
        Ok(Run { ctx, progress, work: AbortOnDropHandle::new(tokio::spawn(work)) })
    }

    /// Refuses a second run of a plan beside one that is under way: they would take each other's files for their own.
    fn only_run_of(&self, row: &PlanRow) -> Result<OnlyRun, Error> {
        let mut under_way = self.under_way.lock().expect("nothing panics while it holds the runs");
        if !under_way.insert(row.id) {
            return Err(Error::Refused(format!(
                "a run of the plan {} is under way; wait for its end, or stop it first",
                row.name
            )));
        }
        Ok(OnlyRun { plan: row.id, under_way: Arc::clone(&self.under_way) })
    }

    /// Opens the storage of a plan.
    pub(crate) async fn open_storage_of(&self, row: &PlanRow, purpose: Purpose) -> Result<Opened, Error> {
        let storage = self.store.storage_by_id(row.storage_id).await?.ok_or_else(|| {
            let name = &row.name;
            Error::Refused(format!("the plan {name} has lost its storage; remove it and make it again"))
        })?;
        self.open_row_for(&storage, purpose)
    }

    /// The context of a new run.
    pub(crate) fn context(
        &self,
        row: &PlanRow,
        opened: &Opened,
        progress: watch::Sender<Progress>,
    ) -> RunContext {
        RunContext::new(
            RunId::new(&*self.clock, &*self.entropy),
            row.id,
            row.storage_id,
            self.store.clone(),
            Arc::clone(&self.clock),
            Arc::clone(&self.entropy),
            Arc::clone(&opened.lane),
            Arc::clone(&opened.spending),
            opened.storage.facts().clone(),
            progress,
        )
    }

    /// The newest runs, of one plan or of all, the newest first.
    pub async fn runs(&self, plan: Option<&str>, most: u32) -> Result<Vec<RunRecord>, Error> {
        let plan = match plan {
            Some(name) => Some(self.plan_row(name).await?.id),
            None => None,
        };
        let runs = self.store.runs(plan, most).await?;
        if runs.iter().any(|run| run.state.is_live()) && self.end_abandoned_runs().await? {
            return self.store.runs(plan, most).await;
        }
        Ok(runs)
    }

    /// Refuses a storage that cannot do what the plan wants, or is another account's.
    pub(crate) async fn refuse_unable(
        &self,
        row: &PlanRow,
        ctx: &RunContext,
        storage: &dyn Storage,
    ) -> Result<(), Error> {
        let config = config_of(row)?;
        // It may have become read-only since the plan was saved.
        if let Some(reason) = incapable(config.storage(), &config, ctx.facts.capabilities) {
            return Err(StorageError::new(Class::Config, "run the plan", reason).into());
        }
        account::refuse_another(ctx, storage).await
    }

    /// Looks before it leaps (I11): what the plan needs is there, and is what it was.
    pub(crate) async fn prepare(
        &self,
        row: &PlanRow,
        ctx: &Arc<RunContext>,
        storage: Arc<dyn Storage>,
    ) -> Result<Work, Error> {
        self.refuse_unable(row, ctx, &*storage).await?;
        match config_of(row)? {
            PlanConfig::Backup(config) => {
                if !row.mirror_ready {
                    // The plan was made, and the process ended before its mirror was.
                    Mirror::initialise(&config.destination, row.id).map_err(Error::Destination)?;
                    self.store.mirror_is_ready(row.id).await?;
                }
                let mirror =
                    Mirror::open(&config.destination, row.id, ctx.run).map_err(Error::Destination)?;
                let wanted = backup::select(ctx, &*storage, &config.selection).await?;
                let hours = config.full_listing_hours;
                Ok(Work::Backup(Backup::new(Arc::clone(ctx), storage, mirror, wanted, hours)))
            }
            PlanConfig::Upload(config) => {
                let mirrors = self.folders(Some(row.id)).await?.mirrors;
                let refusals = judge_sources(&config.sources, &mirrors);
                if !refusals.is_empty() {
                    return Err(Error::Refused(format!("{}; nothing was sent", refusals.join("; "))));
                }
                upload::refuse_suddenly_empty(ctx, &config.sources).await?;
                self.store.unstage_expired(row.storage_id, self.clock.now()).await?;
                Ok(Work::Upload(Upload {
                    ctx: Arc::clone(ctx),
                    storage,
                    vault: self.vault.clone(),
                    sources: config.sources,
                    album: config.album,
                    album_position: match config.album_position {
                        AlbumPosition::Last => Position::Last,
                        AlbumPosition::First => Position::First,
                    },
                    descriptions: config.descriptions,
                    album_is_new: std::sync::atomic::AtomicBool::new(false),
                    shares: upload::Shares::default(),
                }))
            }
        }
    }
}

async fn work(
    engine: Engine,
    row: PlanRow,
    ctx: Arc<RunContext>,
    storage: Arc<dyn Storage>,
    requests: Arc<Requests>,
    started_at: Timestamp,
) -> Result<Summary, Error> {
    match engine.prepare(&row, &ctx, storage).await {
        Ok(Work::Backup(backup)) => backup::run(backup).await,
        Ok(Work::Upload(upload)) => upload::run(upload).await,
        Err(error) => ctx.stop_for(&error),
    }
    ctx.stop_if_no_more();
    ctx.spending.give_back().await;
    let progress = ctx.progress();
    let stop = ctx.stopped().cloned();
    let state = match &stop {
        Some(stop) => stop.state,
        None if progress.items.failed > 0 => RunState::Partial,
        None => RunState::Succeeded,
    };
    let record = RunRecord {
        run: ctx.run,
        plan: row.name.clone(),
        state,
        queued_at: started_at,
        started_at: Some(started_at),
        ended_at: Some(engine.clock.now()),
        parked_until: stop.as_ref().and_then(|stop| stop.until),
        items: progress.items,
        bytes: progress.bytes,
        requests_by_meter: requests.by_meter(),
        stop,
    };
    engine.store.end_run(&record).await?;
    let mut summary = summary(&engine, record, started_at).await?;
    if let PlanConfig::Backup(config) = config_of(&row)? {
        summary.hints = hints::of(&summary.skipped, &config, &ctx.facts.selection);
    }
    Ok(summary)
}

async fn summary(engine: &Engine, record: RunRecord, started_at: Timestamp) -> Result<Summary, Error> {
    let failed = engine.store.run_items(record.run, Outcome::Failed, TROUBLES_TOLD).await?;
    let stop = record.stop.as_ref().filter(|stop| stop.state != RunState::Cancelled).map(|stop| Trouble {
        item: None,
        path: None,
        class: stop.class,
        message: stop.message.clone(),
        will_retry: stop.until.is_some(),
    });
    let items = failed.into_iter().map(|item| Trouble {
        // Files are recorded by their path, remote items by their id.
        path: Path::new(&item.item).is_absolute().then_some(item.item),
        item: Some(item.name),
        class: item.class,
        message: item.reason.unwrap_or_default(),
        will_retry: true,
    });
    let listing = engine.store.listing(record.run).await?;
    Ok(Summary {
        run: record.run,
        plan: record.plan,
        state: record.state,
        items: record.items,
        bytes: record.bytes,
        requests: record.requests_by_meter.values().sum(),
        requests_by_meter: record.requests_by_meter,
        started_at,
        ended_at: record.ended_at.unwrap_or(started_at),
        parked_until: record.parked_until,
        errors: stop.into_iter().chain(items).collect(),
        skipped: engine.store.skipped_by_reason(record.run).await?,
        hints: Vec::new(),
        fidelity: engine.store.fidelity_of(record.run).await?,
        listing: listing.map(|listing| if listing.is_full { "full" } else { "quick" }),
        listing_complete: listing.map(|listing| listing.is_complete),
    })
}
