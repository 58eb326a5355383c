//! Asking for runs, and following them: whoever asks need not be the process that runs them. A run is asked for in the database;
//! if no process runs plans, this one does it itself, and otherwise it watches.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::{
    engine::Engine,
    error::Error,
    ids::{PlanId, RunId},
    job::Job,
    run::{Progress, RunOptions, RunState, Stop, Summary, Trigger, Wish},
    scheduler::{self, Waiting},
    store::{ItemFilter, ItemRecord, NewRun, RunFilter, RunRecord},
};

/// How often a run that another process is at is looked at.
const LOOKS: Duration = Duration::from_millis(200);

/// A run that somebody has asked for. If this process is at it, dropping it ends it at once, as a crash would.
#[derive(Debug)]
pub struct Run {
    engine: Engine,
    id: RunId,
    is_new: bool,
    is_here: bool,
    progress: watch::Receiver<Progress>,
    work: AbortOnDropHandle<Result<Summary, Error>>,
}

/// Stops a run from elsewhere.
#[derive(Clone, Debug)]
pub struct Canceller {
    engine: Engine,
    run: RunId,
}

impl Canceller {
    /// Asks the run to stop: current files are dropped cleanly, what was sent is committed.
    pub fn cancel(&self) {
        self.engine.at_work.stop(self.run, Stop::cancelled());
        let (engine, run) = (self.engine.clone(), self.run);
        // Written down, so that it does not go on should this process be killed before its end. The run tells by its end that it
        // was heard.
        drop(tokio::spawn(async move { engine.cancel_run(run).await }));
    }
}

impl Run {
    /// Its id.
    pub fn id(&self) -> RunId {
        self.id
    }

    /// Whether it was not there before it was asked for.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Whether this process does it, and not another one.
    pub fn is_here(&self) -> bool {
        self.is_here
    }

    /// What is done so far, and every change of it.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// Stops it from elsewhere.
    pub fn canceller(&self) -> Canceller {
        Canceller { engine: self.engine.clone(), run: self.id }
    }

    /// Waits for its end, or until it is parked or paused.
    ///
    /// # Errors
    /// When its end could not be recorded, or its plan was removed.
    pub async fn finished(self) -> Result<Summary, Error> {
        self.work
            .await
            .unwrap_or_else(|panic| Err(Error::Refused(format!("this is a mistake in Charon: {panic}"))))
    }
}

impl Engine {
    /// Asks for a run of a plan, now, and sees that it is done: by this process if no other one runs plans.
    ///
    /// # Errors
    /// When there is no such plan, or the database fails. Anything else that keeps the run from its work becomes the end of
    /// the run.
    pub async fn start(&self, plan: &str) -> Result<Run, Error> {
        self.start_with(plan, RunOptions::default()).await
    }

    /// Asks for a run of a plan, now, in another way than usual.
    ///
    /// If the plan has a run that has not ended, that one goes on: one that was interrupted, paused or parked goes on at once, and
    /// one that is at work is followed.
    ///
    /// # Errors
    /// As for [`start`](Engine::start).
    pub async fn start_with(&self, plan: &str, options: RunOptions) -> Result<Run, Error> {
        self.plan_row(plan).await?;
        let is_ours = match self.take_ownership().await {
            Ok(()) => true,
            Err(Error::Busy(_) | Error::BusyElsewhere { .. }) => false,
            Err(error) => return Err(error),
        };
        let (id, is_new) = self.ask_for_run(plan, Trigger::Manual, options).await?;
        Ok(self.follow(id, is_new, is_ours))
    }

    /// Puts a run of a plan into the queue, for the process that runs plans. Gives the run, and whether it is a new one: if the
    /// plan has a run that has not ended, that one goes on.
    ///
    /// # Errors
    /// When there is no such plan, or the database fails.
    pub async fn ask_for_run(
        &self,
        plan: &str,
        trigger: Trigger,
        options: RunOptions,
    ) -> Result<(RunId, bool), Error> {
        let id = self.plan_row(plan).await?.id;
        self.ask_for_run_by_id(id, trigger, options).await
    }

    /// As [`ask_for_run`](Engine::ask_for_run), for the plan with this id.
    ///
    /// # Errors
    /// As for that.
    pub async fn ask_for_run_by_id(
        &self,
        plan: PlanId,
        trigger: Trigger,
        options: RunOptions,
    ) -> Result<(RunId, bool), Error> {
        let row = if options.job.is_plan() {
            self.plan_row_by_id(plan).await?
        } else {
            // What it is about is the plan's mirror.
            self.mirrored_plan(plan).await?
        };
        let asked = self.store.ask_for_run(&self.new_run(row.id, trigger, options), self.clock.now()).await?;
        self.wake();
        Ok(asked)
    }

    fn new_run(&self, plan: PlanId, trigger: Trigger, options: RunOptions) -> NewRun {
        let run = RunId::new(&*self.clock, &*self.entropy);
        NewRun { run, plan, trigger, scheduled_for: None, start_after: None, options }
    }

    fn follow(&self, id: RunId, is_new: bool, is_ours: bool) -> Run {
        let (progress_in, progress) = watch::channel(Progress::default());
        let is_here = is_ours && !self.is_scheduling() && !self.at_work.has(id);
        let engine = self.clone();
        let work = async move {
            if is_here {
                Box::pin(engine.attempt(id, progress_in.clone())).await?;
            }
            Box::pin(engine.watch(id, &progress_in)).await
        };
        let work = AbortOnDropHandle::new(tokio::spawn(work));
        Run { engine: self.clone(), id, is_new, is_here, progress, work }
    }

    /// Watches a run until it ends or is parked or paused. Should the process that is at it be gone, this one takes over.
    async fn watch(&self, run: RunId, progress: &watch::Sender<Progress>) -> Result<Summary, Error> {
        loop {
            let gone = || Error::Refused("the plan of the run was removed".into());
            let mut record = self.store.run(run).await?.ok_or_else(gone)?;
            if !matches!(record.state, RunState::Queued | RunState::Running | RunState::Pausing) {
                return self.summary(record).await;
            }
            if !self.is_scheduling() && self.take_ownership().await.is_ok() {
                // Nobody else is there to do it, by now.
                if !self.at_work.has(run) {
                    Box::pin(self.attempt(run, progress.clone())).await?;
                    continue;
                }
            }
            let mut now = match self.at_work.progress(run) {
                Some(here) => here.borrow().clone(),
                None => self.store.progress(run).await?.unwrap_or_default(),
            };
            if record.state == RunState::Queued {
                self.tell_what_they_wait_for(std::slice::from_mut(&mut record)).await?;
                now.waiting = record.waiting.map(|waiting| format!("waits: {waiting}"));
            }
            progress.send_if_modified(|shown| {
                let is_new = *shown != now;
                *shown = now;
                is_new
            });
            self.clock.sleep(LOOKS).await;
        }
    }

    /// Ends a run: one that is at work finishes what it holds, and keeps what is done.
    ///
    /// # Errors
    /// When there is no such run, or it has ended.
    pub async fn cancel_run(&self, run: RunId) -> Result<RunState, Error> {
        self.ask_of_run(run, Wish::Cancel, Stop::cancelled()).await
    }

    /// Lets a run wait until it is resumed: one that is at work finishes what it holds, and leaves its lane free.
    ///
    /// # Errors
    /// When there is no such run, or it has ended.
    pub async fn pause_run(&self, run: RunId) -> Result<RunState, Error> {
        self.ask_of_run(run, Wish::Pause, Stop::paused()).await
    }

    async fn ask_of_run(&self, run: RunId, wish: Wish, why: Stop) -> Result<RunState, Error> {
        let record = self.run_record(run).await?;
        if !record.state.is_live() {
            return Err(Error::Refused(format!("the run {run} has ended already ({})", record.state)));
        }
        let state = self.store.ask(run, wish, self.clock.now()).await?.unwrap_or(record.state);
        self.at_work.stop(run, why);
        self.wake();
        Ok(state)
    }

    /// Lets a run that is paused or parked go on now, from where it was.
    ///
    /// # Errors
    /// When there is no such run, or it is neither paused nor parked.
    pub async fn resume_run(&self, run: RunId) -> Result<(), Error> {
        let record = self.run_record(run).await?;
        if !matches!(record.state, RunState::Paused | RunState::Parked) {
            return Err(Error::Refused(format!(
                "the run {run} is {}, and only one that is paused or waits can be resumed",
                record.state
            )));
        }
        self.store.resume(record.plan_id, run, self.clock.now()).await?;
        self.wake();
        Ok(())
    }

    /// Asks for a new run of the items alone that failed in one that has ended; where the run was one of an inbox, of all that waits
    /// in the inbox.
    ///
    /// # Errors
    /// When there is no such run, nothing in it failed, or the plan has a run that has not ended.
    pub async fn retry_failed(&self, run: RunId) -> Result<RunId, Error> {
        let record = self.run_record(run).await?;
        if record.state.is_live() {
            return Err(Error::Refused(format!(
                "the run {run} has not ended (it is {}); what failed in it can be tried again afterwards",
                record.state
            )));
        }
        if record.is_inbox {
            return self.retry_inbox(&record).await;
        }
        let failed = ItemFilter { outcome: Some(crate::run::Outcome::Failed), after: None };
        if self.store.run_items(run, &failed, 1).await?.is_empty() {
            return Err(Error::Refused(format!(
                "nothing failed in the run {run}; there is nothing to try again"
            )));
        }
        let options = match &record.options.job {
            // What it has restored is left as it is.
            job @ Job::Restore(_) => RunOptions { job: job.clone(), ..RunOptions::default() },
            _ => RunOptions { failed_of: Some(run), ..RunOptions::default() },
        };
        let (id, is_new) = self.ask_for_run(&record.plan, Trigger::Retry, options).await?;
        if !is_new {
            return Err(Error::Refused(format!(
                "the plan {} has a run that has not ended ({id}), which goes on now; try again after it",
                record.plan
            )));
        }
        Ok(id)
    }

    /// Follows a run that was asked for, until it ends.
    ///
    /// # Errors
    /// When there is no such run.
    pub async fn follow_run(&self, run: RunId) -> Result<Run, Error> {
        self.run_record(run).await?;
        let is_ours = match self.take_ownership().await {
            Ok(()) => true,
            Err(Error::Busy(_) | Error::BusyElsewhere { .. }) => false,
            Err(error) => return Err(error),
        };
        Ok(self.follow(run, false, is_ours))
    }

    /// The newest runs, of one plan or of all, the newest first.
    pub async fn runs(&self, plan: Option<&str>, most: u32) -> Result<Vec<RunRecord>, Error> {
        let plan = match plan {
            // Those of an inbox too.
            Some(name) => match self.store.plan(name).await? {
                Some(row) => Some(row.id),
                None => Some(self.plan_row(name).await?.id),
            },
            None => None,
        };
        self.runs_of(&RunFilter { plan, ..RunFilter::default() }, most).await
    }

    /// Runs, the newest first, as many as are asked for; the last one's id is where the next page begins.
    pub async fn runs_of(&self, filter: &RunFilter, most: u32) -> Result<Vec<RunRecord>, Error> {
        let mut runs = self.store.runs(filter, most).await?;
        if runs.iter().any(|run| run.state.is_live()) {
            if self.recover_abandoned_runs().await? {
                runs = self.store.runs(filter, most).await?;
            }
            self.tell_what_they_wait_for(&mut runs).await?;
        }
        Ok(runs)
    }

    /// One run, with what it waits for.
    ///
    /// # Errors
    /// When there is no such run.
    pub async fn run_record(&self, run: RunId) -> Result<RunRecord, Error> {
        let mut record = self.store.run(run).await?.ok_or_else(|| Error::Unknown {
            what: "run",
            name: run.to_string(),
            known: "`charon runs` lists them".into(),
        })?;
        self.tell_what_they_wait_for(std::slice::from_mut(&mut record)).await?;
        Ok(record)
    }

    /// What became of the items of a run, by media id or path; the last one's is where the next page begins.
    pub async fn run_items(
        &self,
        run: RunId,
        filter: &ItemFilter,
        most: u32,
    ) -> Result<Vec<ItemRecord>, Error> {
        self.store.run_items(run, filter, most).await
    }

    /// What is done so far of a run that is at work, whichever process is at it.
    pub async fn run_progress(&self, run: RunId) -> Result<Option<Progress>, Error> {
        match self.at_work.progress(run) {
            Some(here) => Ok(Some(here.borrow().clone())),
            None => self.store.progress(run).await,
        }
    }

    /// How far the runs are that this process is at. Looks at nothing but memory.
    pub fn at_work(&self) -> Vec<(RunId, Progress)> {
        let far = |run: RunId| Some((run, self.at_work.progress(run)?.borrow().clone()));
        self.at_work.runs().into_iter().filter_map(far).collect()
    }

    async fn tell_what_they_wait_for(&self, runs: &mut [RunRecord]) -> Result<(), Error> {
        if !runs.iter().any(|run| run.state.is_live()) {
            return Ok(());
        }
        let waiting = scheduler::waiting(self).await?;
        for run in runs.iter_mut().filter(|run| run.state.is_live()) {
            run.waiting = waiting.get(&run.run).map(Waiting::to_string);
        }
        Ok(())
    }

    pub(crate) fn is_scheduling(&self) -> bool {
        self.is_scheduling.load(std::sync::atomic::Ordering::Relaxed)
    }
}

// Runs are followed from several tasks.
const _: fn() = || {
    fn is_send<T: Send + Sync>() {}
    is_send::<Arc<Run>>();
};
