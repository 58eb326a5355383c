//! One attempt at a run: from its place in the queue to its end, with everything that keeps an eye on it meanwhile.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use charon_provider::{Class, Error as StorageError, Selection, Storage};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    account,
    adopt::{self, Adoption},
    backup::{self, Backup, Keeping},
    budget::Purpose,
    clock::Clock,
    commands::{self, CommandExit, CommandLine, CommandVariables, CommandsConfig},
    engine::{Engine, RENEWS},
    error::Error,
    hints,
    ids::RunId,
    inbox::{self, Inbox},
    job::Job,
    mirror::Mirror,
    overseeing::{LEASE, Overseer},
    plan::{Gone, PlanConfig, judge_move_to, judge_sources},
    plans::{config_of, incapable},
    restore::{self, Restoring},
    retry,
    run::{Attempt, Outcome, Progress, RunContext, RunState, Stop, Summary, Trouble},
    storages::Opened,
    store::{Before, Ended, ItemFilter, LiveRun, PlanRow, RunRecord},
    trash::{self, IN_TRASH, Trashing},
    upload::{self, Upload},
    verify::{self, Verification},
};

/// The most items whose troubles a summary tells; the database has them all.
const TROUBLES_TOLD: u32 = 100;

/// The runs that a process is at.
#[derive(Clone, Debug, Default)]
pub(crate) struct AtWork(Arc<Mutex<HashMap<RunId, Option<Handle>>>>);

/// What can be done with a run that this process is at.
#[derive(Clone, Debug)]
struct Handle {
    ctx: Arc<RunContext>,
    progress: watch::Receiver<Progress>,
}

/// Takes the run off the list when it is dropped.
#[derive(Debug)]
struct Entry {
    list: AtWork,
    run: RunId,
}

impl AtWork {
    pub(crate) fn runs(&self) -> Vec<RunId> {
        self.list().keys().copied().collect()
    }

    /// Whether this process is at a run.
    pub(crate) fn has(&self, run: RunId) -> bool {
        self.list().contains_key(&run)
    }

    /// Stops a run, if this process is at it and it has begun. Gives whether it has.
    pub(crate) fn stop(&self, run: RunId, why: Stop) -> bool {
        let handle = self.list().get(&run).cloned().flatten();
        handle.map(|handle| handle.ctx.stop(why)).is_some()
    }

    /// What is done so far of a run, if this process is at it.
    pub(crate) fn progress(&self, run: RunId) -> Option<watch::Receiver<Progress>> {
        self.list().get(&run)?.as_ref().map(|handle| handle.progress.clone())
    }

    /// From now on this process is at the run, unless it is already.
    fn enter(&self, run: RunId) -> Option<Entry> {
        let mut list = self.list();
        if list.contains_key(&run) {
            return None;
        }
        list.insert(run, None);
        Some(Entry { list: self.clone(), run })
    }

    fn list(&self) -> std::sync::MutexGuard<'_, HashMap<RunId, Option<Handle>>> {
        self.0.lock().expect("nothing panics while it holds the list")
    }
}

impl Entry {
    /// It has begun.
    fn begun(&self, ctx: &Arc<RunContext>, progress: watch::Receiver<Progress>) {
        self.list.list().insert(self.run, Some(Handle { ctx: Arc::clone(ctx), progress }));
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.list.list().remove(&self.run);
    }
}

/// What a run does, checked and ready.
pub(crate) enum Work {
    Backup(Backup),
    Upload(Arc<Upload>),
    Inbox(Inbox),
    Verify(Verification),
    Originals(Backup),
    Trash(Trashing),
    Adopt(Adoption),
    Restore(Restoring),
}

impl Engine {
    /// Makes an attempt at a run that is in the queue, to its end. Gives false if it is not in the queue, or no longer. What is done
    /// so far is shown meanwhile.
    ///
    /// # Errors
    /// When the database fails. Anything else that keeps the run from its work becomes the end of the run.
    pub(crate) async fn attempt(&self, run: RunId, shown: watch::Sender<Progress>) -> Result<bool, Error> {
        let Some(entry) = self.at_work.enter(run) else { return Ok(false) };
        let now = self.clock.now();
        let lease_until = now.checked_add(LEASE).unwrap_or(now);
        let Some((attempt, before)) = self.store.begin_attempt(run, &self.owner, lease_until, now).await?
        else {
            return Ok(false);
        };
        let Some(live) = self.store.live_run(run).await? else { return Ok(false) };
        let Some(record) = self.store.run(run).await? else { return Ok(false) };
        let Some(row) = self.store.plan_by_id(live.plan).await? else { return Ok(false) };
        let requests = record.requests_by_meter.clone();
        let ended = match self.ready(&row, &live.options.job).await {
            Ok((config, opened)) => {
                let work =
                    self.work((&row, &config), opened, &entry, (attempt, before), (&live, requests), shown);
                Box::pin(work).await
            }
            Err(error) => Worked {
                progress: Progress::default(),
                stop: Some(stop_of(&error)),
                requests: BTreeMap::new(),
                retries: 0,
                storage_seen: None,
                after: None,
                active_ms: live.active_ms,
            },
        };
        let (state, stop) = self.end(attempt, before, &live, record, ended).await?;
        if row.is_inbox {
            self.after_inbox_run(&row, state, stop.as_ref()).await?;
        }
        if let Err(error) = self.tell_of_run(run).await {
            tracing::error!(%error, %run, "what became of a run could not be told");
        }
        drop(entry);
        self.wake();
        Ok(true)
    }

    /// The plan's configuration, and the storage that the job speaks to, open.
    async fn ready(&self, row: &PlanRow, job: &Job) -> Result<(PlanConfig, Opened), Error> {
        let opened = match job.other_storage() {
            None => self.open_storage_of(row, Purpose::Run).await?,
            Some(other) => self.open_row_for(&self.row_of(other).await?, Purpose::Run)?,
        };
        Ok((config_of(row)?, opened))
    }

    async fn work(
        &self,
        (row, config): (&PlanRow, &PlanConfig),
        opened: Opened,
        entry: &Entry,
        (attempt, before): (Attempt, Before),
        (live, requests_before): (&LiveRun, BTreeMap<String, u64>),
        shown: watch::Sender<Progress>,
    ) -> Worked {
        shown.send_replace(Progress {
            items: crate::run::Counts { done: before.done, ..Default::default() },
            bytes: before.bytes,
            ..Progress::default()
        });
        let progress = shown.subscribe();
        let counting = self.tallies.counting(&row.name, config.kind(), &progress.borrow(), &opened.requests);
        let counting = Arc::new(counting);
        let mut ctx = self.context(attempt.run, row, &opened, shown);
        let Opened { storage, requests, revision, .. } = opened;
        ctx.attempt = attempt.number;
        ctx.full_listing = live.options.full_listing;
        ctx.failed_of = live.options.failed_of;
        ctx.done_before.store(before.done, Ordering::Relaxed);
        ctx.active_ms.store(live.active_ms, Ordering::Relaxed);
        let ctx = Arc::new(ctx);
        let requests_so_far = (Arc::clone(&requests), requests_before);
        entry.begun(&ctx, progress);
        let overseer = Overseer::new(Arc::clone(&ctx), Arc::clone(&counting), requests_so_far, config, live);
        if let Err(error) = self.tell_of_start(attempt.run).await {
            tracing::warn!(%error, run = %attempt.run, "the beginning of a run could not be told");
        }
        let commands = config.commands();
        let work = async {
            if let Err(stop) = before_the_work(commands, &ctx, row, live).await {
                return ctx.stop(stop);
            }
            match self.prepare(row, &ctx, storage, &live.options.job).await {
                Ok(Work::Backup(backup)) => backup::run(backup).await,
                Ok(Work::Upload(upload)) => Box::pin(upload::run(upload)).await,
                Ok(Work::Inbox(inbox)) => inbox::run(inbox).await,
                Ok(Work::Originals(backup)) => backup::better(backup).await,
                Ok(Work::Verify(verification)) => verify::run(verification).await,
                Ok(Work::Trash(trashing)) => trash::run(trashing).await,
                Ok(Work::Adopt(adoption)) => Box::pin(adopt::run(adoption)).await,
                Ok(Work::Restore(restoring)) => Box::pin(restore::run(restoring)).await,
                Err(error) => ctx.stop_for(&error),
            }
        };
        tokio::select! {
            biased;
            () = work => {}
            never = overseer.oversee() => match never {},
            never = self.keep_lease(&ctx) => match never {},
        }
        ctx.stop_if_no_more();
        ctx.spending.give_back().await;
        counting.tell(&ctx.progress());
        Worked {
            progress: ctx.progress(),
            stop: ctx.stopped().cloned(),
            requests: requests.by_meter(),
            retries: config.policy().retries,
            storage_seen: Some(revision),
            after: commands.after.clone().map(|after| (after, commands.time_limit())),
            active_ms: ctx.active_ms.load(Ordering::Relaxed),
        }
    }

    /// Without a scheduler, a run sees by itself that other machines know that somebody runs plans.
    async fn keep_lease(&self, ctx: &RunContext) -> std::convert::Infallible {
        loop {
            self.clock.sleep(RENEWS.unsigned_abs()).await;
            if !self.is_scheduling()
                && let Err(error @ Error::BusyElsewhere { .. }) = self.renew_lease().await
            {
                ctx.stop_for(&error);
            }
        }
    }

    /// Records how an attempt ended. Gives what it left the run in, and why it stopped.
    async fn end(
        &self,
        attempt: Attempt,
        before: Before,
        live: &LiveRun,
        mut record: RunRecord,
        worked: Worked,
    ) -> Result<(RunState, Option<Stop>), Error> {
        let Worked { progress, stop, requests, retries, storage_seen, after, active_ms } = worked;
        let now = self.clock.now();
        // One that got on has shown that it can.
        let failures = if progress.items.done > before.done { 0 } else { live.failures };
        let (stop, failures) = self.tried_again(stop, failures, retries);
        record.state = match &stop {
            Some(stop) => stop.state,
            None if progress.items.failed > 0 => RunState::Partial,
            None => RunState::Succeeded,
        };
        record.ended_at = Some(now);
        record.parked_until = stop.as_ref().and_then(|stop| stop.until);
        record.items = progress.items;
        record.bytes = progress.bytes;
        for (meter, count) in requests {
            *record.requests_by_meter.entry(meter).or_default() += count;
        }
        let is_whole = stop.is_none();
        record.stop = stop;
        if let Some((command, limit)) = after {
            after_the_work(&command, limit, &record, &*self.clock, &self.is_ending).await;
        }
        let ended = Ended { record, attempt, is_whole, failures, active_ms, storage_seen };
        if self.store.end_attempt(&ended).await?.is_none() {
            tracing::info!(run = %attempt.run, "an attempt ended that another one had taken over from");
        } else {
            let active = std::time::Duration::from_millis(active_ms);
            self.tallies.left(&live.plan_name, ended.record.state, active);
        }
        Ok((ended.record.state, ended.record.stop))
    }

    /// Where a scheduler is at work, a run that failed for something that may pass is tried again later.
    fn tried_again(&self, stop: Option<Stop>, failures: u32, most: u32) -> (Option<Stop>, u32) {
        let Some(stop) = stop else { return (None, 0) };
        let may_pass = matches!(stop.class, Some(Class::Transient | Class::Throttled | Class::Destination));
        let is_scheduling = self.is_scheduling.load(Ordering::Relaxed);
        if stop.state != RunState::Failed || !may_pass || !is_scheduling || failures >= most {
            return (Some(stop), failures);
        }
        let wait = retry::before_attempt(failures + 1, &*self.entropy);
        let now = self.clock.now();
        let until = now.checked_add(wait).unwrap_or(now);
        (Some(stop.tried_again(until, failures + 1, most)), failures + 1)
    }

    /// Opens the storage of a plan.
    pub(crate) async fn open_storage_of(&self, row: &PlanRow, purpose: Purpose) -> Result<Opened, Error> {
        let storage = self.store.storage_by_id(row.storage_id).await?.ok_or_else(|| {
            let name = &row.name;
            Error::Refused(format!("the plan {name} has lost its storage; remove it and make it again"))
        })?;
        self.open_row_for(&storage, purpose)
    }

    /// The context of a run.
    pub(crate) fn context(
        &self,
        run: RunId,
        row: &PlanRow,
        opened: &Opened,
        progress: watch::Sender<Progress>,
    ) -> RunContext {
        RunContext::new(
            run,
            row.id,
            opened.id,
            self.store.clone(),
            Arc::clone(&self.clock),
            Arc::clone(&self.entropy),
            Arc::clone(&opened.lane),
            Arc::clone(&opened.spending),
            opened.storage.facts().clone(),
            progress,
        )
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
        job: &Job,
    ) -> Result<Work, Error> {
        if let Job::Restore(job) = job {
            return Ok(Work::Restore(self.prepare_restore(row, ctx, storage, job).await?));
        }
        if job.needs_storage() {
            self.refuse_unable(row, ctx, &*storage).await?;
        }
        if let Job::Adopt(job) = job {
            let config = adopt::keeper(row)?;
            let adoption = Box::pin(self.prepare_adoption(row, ctx, storage, &config, job));
            return Ok(Work::Adopt(adoption.await?));
        }
        match config_of(row)? {
            PlanConfig::Upload(_) if !job.is_plan() => Err(Error::Refused(
                "an upload plan keeps no mirror; this can be done with a backup plan".into(),
            )),
            PlanConfig::Backup(config) => {
                let site = self.site(row.id, &config).await?.for_run(ctx);
                if !row.mirror_ready {
                    // The plan was made, and the process ended before its mirror was.
                    Mirror::initialise(&site, row.id).await?;
                    self.store.mirror_is_ready(row.id).await?;
                }
                let mirror = Mirror::open(site, row.id, ctx.run).await?;
                let wanted = match job {
                    Job::Plan => backup::select(ctx, &*storage, &config.selection).await?,
                    Job::Verify(_) | Job::Originals | Job::Trash(_) | Job::Adopt(_) | Job::Restore(_) => {
                        Selection::default()
                    }
                };
                let wrong = |mistakes| Error::Config { what: format!("the plan {}", row.name), mistakes };
                let layout = config.layout().map_err(wrong)?;
                let titles = if layout.has_albums() && job.is_plan() {
                    backup::titles(ctx, &*storage, &wanted).await?
                } else {
                    HashMap::new()
                };
                let (hours, keeping) = (config.full_listing_hours, Keeping::of(&config));
                let backup = Backup::new(Arc::clone(ctx), storage, mirror, wanted, hours, keeping);
                let backup = backup.laid_out(layout, titles);
                Ok(match job {
                    Job::Plan | Job::Adopt(_) | Job::Restore(_) => Work::Backup(backup),
                    Job::Originals => Work::Originals(backup),
                    Job::Verify(job) => Work::Verify(Verification { backup, job: job.clone() }),
                    Job::Trash(job) => Work::Trash(Trashing { backup, job: job.clone() }),
                })
            }
            PlanConfig::Upload(_) if row.is_inbox => {
                self.store.unstage_expired(row.storage_id, self.clock.now()).await?;
                Ok(Work::Inbox(Inbox {
                    ctx: Arc::clone(ctx),
                    storage,
                    vault: self.vault.clone(),
                    spool: self.spool.clone(),
                }))
            }
            PlanConfig::Upload(config) => {
                let mirrors = self.folders(Some(row.id)).await?.mirrors;
                let mut refusals = judge_sources(&config.sources, &mirrors);
                let move_to = config.move_to.as_ref();
                refusals.extend(move_to.and_then(|to| judge_move_to(to, &config.sources, &mirrors)));
                if !refusals.is_empty() {
                    return Err(Error::Refused(format!("{}; nothing was sent", refusals.join("; "))));
                }
                upload::refuse_suddenly_empty(ctx, &config).await?;
                self.store.unstage_expired(row.storage_id, self.clock.now()).await?;
                let upload = Upload::of_plan(Arc::clone(ctx), storage, self.vault.clone(), config)?;
                Ok(Work::Upload(Arc::new(upload)))
            }
        }
    }

    /// What a run has come to.
    pub(crate) async fn summary(&self, record: RunRecord) -> Result<Summary, Error> {
        let failed = ItemFilter { outcome: Some(Outcome::Failed), after: None };
        let failed = self.store.run_items(record.run, &failed, TROUBLES_TOLD).await?;
        let is_told = |state| !matches!(state, RunState::Cancelled | RunState::Queued | RunState::Paused);
        let stop = record.stop.as_ref().filter(|stop| is_told(stop.state)).map(|stop| Trouble {
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
        let listing = self.store.listing(record.run).await?;
        let skipped = self.store.skipped_by_reason(record.run).await?;
        let started_at = record.started_at.unwrap_or(record.queued_at);
        let mut hints = self.hints(&record.plan, &skipped).await?;
        hints.extend(self.news_of_mirror(&record).await?);
        Ok(Summary {
            run: record.run,
            job: record.options.job.name(),
            trigger: record.trigger,
            scheduled_for: record.scheduled_for,
            attempts: record.attempts,
            state: record.state,
            items: record.items,
            bytes: record.bytes,
            requests: record.requests_by_meter.values().sum(),
            requests_by_meter: record.requests_by_meter,
            started_at,
            ended_at: record.ended_at.unwrap_or(started_at),
            parked_until: record.parked_until,
            errors: stop.into_iter().chain(items).collect(),
            hints,
            skipped,
            fidelity: self.store.fidelity_of(record.run).await?,
            adopted: match record.options.job {
                Job::Adopt(_) => Some(self.store.adopted(record.run).await?),
                _ => None,
            },
            verification: self.store.verification(record.run).await?.map(|standing| standing.findings),
            listing: listing.map(|listing| if listing.is_full { "full" } else { "quick" }),
            listing_complete: listing.map(|listing| listing.is_complete),
            plan: record.plan,
        })
    }

    /// What a run has shown of the mirror that somebody should know or do something about.
    async fn news_of_mirror(&self, record: &RunRecord) -> Result<Vec<String>, Error> {
        // What was stopped, or tried something else again, has not looked.
        let has_ended = matches!(record.state, RunState::Succeeded | RunState::Partial);
        if !has_ended || record.options.failed_of.is_some() {
            return Ok(Vec::new());
        }
        let Some(row) = self.store.plan(&record.plan).await? else { return Ok(Vec::new()) };
        let PlanConfig::Backup(config) = config_of(&row)? else { return Ok(Vec::new()) };
        let news = match &record.options.job {
            Job::Plan => hints::News {
                not_mended: self.store.count_damaged(row.id).await?,
                trashed: match config.deletion.gone {
                    Gone::Trash => self.store.count_done_by(record.run, IN_TRASH).await?,
                    Gone::Keep => 0,
                },
                ..hints::News::default()
            },
            Job::Verify(job) => {
                let found = self.store.verification(record.run).await?;
                let found = found.map(|standing| standing.findings).unwrap_or_default();
                hints::News {
                    damaged: if job.repair { self.store.count_damaged(row.id).await? } else { 0 },
                    to_repair: if job.repair { 0 } else { found.bad() },
                    strange: found.strange,
                    went_on: record.attempts > 1,
                    ..hints::News::default()
                }
            }
            Job::Originals => {
                hints::News { no_originals: record.items.total() == 0, ..hints::News::default() }
            }
            _ => hints::News::default(),
        };
        Ok(hints::of_mirror(&news, &record.plan, record.run))
    }

    /// How to include what a run left out.
    async fn hints(&self, plan: &str, skipped: &BTreeMap<String, u64>) -> Result<Vec<String>, Error> {
        if skipped.is_empty() {
            return Ok(Vec::new());
        }
        let Some(row) = self.store.plan(plan).await? else { return Ok(Vec::new()) };
        let PlanConfig::Backup(config) = config_of(&row)? else { return Ok(Vec::new()) };
        // A storage that does not open has told so where it matters.
        let Ok(opened) = self.open_storage_of(&row, Purpose::Person).await else { return Ok(Vec::new()) };
        Ok(hints::of(skipped, &config, &opened.storage.facts().selection))
    }
}

/// What an attempt came to.
struct Worked {
    progress: Progress,
    stop: Option<Stop>,
    requests: BTreeMap<String, u64>,
    /// How often it may be tried again.
    retries: u32,
    /// The version of its storage that it was at work with.
    storage_seen: Option<i64>,
    /// What is run afterwards, and how long it may take.
    after: Option<(CommandLine, Duration)>,
    /// How long the run has been at work.
    active_ms: u64,
}

/// Runs what the plan wants to be run before a run. If that fails, nothing is moved.
async fn before_the_work(
    commands: &CommandsConfig,
    ctx: &RunContext,
    row: &PlanRow,
    live: &LiveRun,
) -> Result<(), Stop> {
    let Some(command) = &commands.before else { return Ok(()) };
    let variables = CommandVariables {
        plan: row.name.clone(),
        run: ctx.run.to_string(),
        trigger: live.trigger.to_string(),
        state: Some(RunState::Running),
        started_at: Some(ctx.clock.now()),
        ..CommandVariables::default()
    };
    ctx.tell(|progress| progress.waiting = Some("the command before the run".into()));
    let ended = commands::run(command, &variables, commands.time_limit(), &*ctx.clock, &ctx.cancel).await;
    ctx.tell(|progress| progress.waiting = None);
    let failed = |why: String| Stop::failed(Some(Class::Destination), why);
    match ended {
        Ok(end) if end.exit == CommandExit::Succeeded => Ok(()),
        // Why the run was stopped is known already.
        Ok(end) if end.exit == CommandExit::Cancelled => Err(Stop::cancelled()),
        Ok(end) => {
            let how = end.exit.in_words();
            // The whole of what it printed may be more than everybody who is told of the run should read.
            tracing::warn!(
                plan = row.name,
                output = end.output.trim(),
                "the command before a run did not succeed"
            );
            let last: String =
                end.output.trim().lines().last().unwrap_or_default().chars().take(200).collect();
            Err(failed(format!("the command before the run {how}, so nothing was moved: {last}")))
        }
        Err(error) => Err(failed(format!("{error}; nothing was moved"))),
    }
}

/// Runs what the plan wants to be run after a run. Whatever comes of it, the run stays what it is.
async fn after_the_work(
    command: &CommandLine,
    limit: Duration,
    record: &RunRecord,
    clock: &dyn Clock,
    is_ending: &CancellationToken,
) {
    let variables = CommandVariables {
        plan: record.plan.clone(),
        run: record.run.to_string(),
        trigger: record.trigger.to_string(),
        state: Some(record.state),
        started_at: record.started_at,
        ended_at: record.ended_at,
        items: record.items,
        bytes: record.bytes,
        message: record.stop.as_ref().map(|stop| stop.message.clone()),
    };
    match commands::run(command, &variables, limit, clock, is_ending).await {
        Ok(end) if end.exit == CommandExit::Succeeded => {}
        Ok(end) => tracing::warn!(
            plan = record.plan,
            how = end.exit.in_words(),
            output = end.output.trim(),
            "the command after a run did not succeed"
        ),
        Err(error) => tracing::warn!(plan = record.plan, %error, "the command after a run could not be run"),
    }
}

/// How a run ends that could not even begin.
fn stop_of(error: &Error) -> Stop {
    let class = match error {
        Error::Storage(error) => Some(error.class),
        Error::Config { .. } | Error::Unknown { .. } => Some(Class::Config),
        Error::Destination(_) => Some(Class::Destination),
        _ => None,
    };
    Stop::failed(class, error.to_string())
}
