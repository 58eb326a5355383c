//! The scheduler: one loop in the one process that runs plans. At each turn ([`Scheduler::tick`]) it decides about what is due
//! ([`due`]), puts back into the queue whose waiting is over, and begins what may begin ([`choosing`]). All that it knows is in the
//! database, so it can end at any moment; how long each run takes is the run's own affair ([`Engine::attempt`]).
//!
//! It is woken when something was asked of it, by this process or another one, and when the next moment has come. What time it is
//! by the clock on the wall is looked at several times a second, so that a machine that has slept, or a clock that was set,
//! is noticed at once.

mod choosing;
mod due;
mod housekeeping;
mod messenger;
mod nightly;
mod plans;
#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, HashSet},
    num::NonZeroUsize,
    sync::atomic::Ordering,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::watch,
    task::{self, JoinError, JoinSet},
    time::{MissedTickBehavior, interval},
};

pub(crate) use choosing::Waiting;
use choosing::{choose, has_rested};
use due::{MOST_COUNTED, due};
use housekeeping::Housekeeping;
use messenger::Messenger;
use plans::Plans;

use crate::{
    engine::{Engine, RENEWS},
    error::Error,
    events::Tail,
    ids::{PlanId, RunId},
    retry,
    run::{RunOptions, RunState, Stop, Trigger},
    store::{Decided, Decision, LiveRun, NewDecision, NewRun, Occurrence},
};

/// How often it is looked whether another process has asked for something, and what time it is.
const LOOKS: Duration = Duration::from_millis(250);

/// How a scheduler goes about it.
#[derive(Clone, Copy, Debug)]
pub struct SchedulerSettings {
    /// So many runs at most are at work at once, each in a lane of its own.
    pub max_runs: NonZeroUsize,
    /// How long runs may take to finish what they hold when the program is to end.
    pub grace: Duration,
}

impl Default for SchedulerSettings {
    fn default() -> Self {
        Self { max_runs: NonZeroUsize::new(4).expect("not zero"), grace: Duration::from_secs(20) }
    }
}

/// The scheduler of a data directory, at work in this process.
#[derive(Debug)]
pub struct Scheduler {
    engine: Engine,
    settings: SchedulerSettings,
    plans: Plans,
    tail: Tail,
    housekeeping: Housekeeping,
    messenger: Messenger,
    attempts: JoinSet<Result<bool, Error>>,
    /// When it said last that it runs plans.
    leased_at: Timestamp,
    /// The runs that those are for. They are at work, whatever the database says as yet.
    begun: HashMap<task::Id, RunId>,
    /// Runs whose last attempt could not be begun or recorded: how often, and until when no other one is made.
    held_back: HashMap<RunId, (u32, Timestamp)>,
    /// When it was looked last: a clock that is behind this was set back.
    looked_at: Timestamp,
}

impl Engine {
    /// Makes this process the one that runs plans, by their schedules too.
    ///
    /// # Errors
    /// [`Error::Busy`] when another process is it; when the database is damaged.
    pub async fn scheduler(&self, settings: SchedulerSettings) -> Result<Scheduler, Error> {
        self.max_runs.store(u32::try_from(settings.max_runs.get()).unwrap_or(u32::MAX), Ordering::Relaxed);
        self.take_ownership().await?;
        self.renew_lease().await?;
        self.open_inboxes().await?;
        self.is_scheduling.store(true, Ordering::Relaxed);
        Ok(Scheduler {
            engine: self.clone(),
            settings,
            plans: Plans::default(),
            tail: Tail::new(self).await?,
            housekeeping: Housekeeping::default(),
            messenger: Messenger::default(),
            attempts: JoinSet::new(),
            leased_at: self.clock.now(),
            begun: HashMap::new(),
            held_back: HashMap::new(),
            looked_at: self.clock.now(),
        })
    }
}

impl Scheduler {
    /// Runs plans until `stop` is there, then lets runs finish what they hold, or leaves them to the next start.
    ///
    /// # Errors
    /// When the database fails for good.
    pub async fn run_until(mut self, stop: impl Future<Output = ()>) -> Result<(), Error> {
        tokio::pin!(stop);
        let mut looks = interval(LOOKS);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut seen, mut next, mut faults) = (None, None, 0_u32);
        let mut is_asked = true;
        loop {
            let version = self.engine.store.data_version().await.ok();
            let now = self.engine.clock.now();
            self.engine.pulse.looked(now);
            let is_time = next.is_some_and(|next: Timestamp| next <= now) || now < self.looked_at;
            if is_asked || is_time || version != seen {
                seen = version;
                match self.tick().await {
                    Ok(again_at) => {
                        (next, faults) = (again_at, 0);
                        self.engine.pulse.turned();
                    }
                    // A disk that is full for a moment must not end it.
                    Err(error) => {
                        faults += 1;
                        self.engine.pulse.failed(&error);
                        tracing::error!(%error, faults, "the scheduler could not do its work; it tries again");
                        next = Some(now + SignedDuration::from_secs(i64::from(faults.min(60))));
                    }
                }
            }
            is_asked = tokio::select! {
                biased;
                () = &mut stop => break,
                () = self.engine.awake.notified() => true,
                Some(ended) = self.attempts.join_next_with_id(), if !self.attempts.is_empty() => {
                    self.ended(ended);
                    true
                }
                _ = looks.tick() => false,
            };
        }
        self.shut_down().await
    }

    /// One turn: does all that is to be done at this moment, and tells when there is something to do again if nothing happens
    /// before.
    ///
    /// # Errors
    /// When the database fails. The next turn begins where this one ended.
    pub async fn tick(&mut self) -> Result<Option<Timestamp>, Error> {
        let now = self.engine.clock.now();
        if now < self.looked_at {
            tracing::warn!(from = %self.looked_at, to = %now, "the clock was set back; schedules go on by the time it tells now");
            self.plans.set_back(&self.engine, now).await?;
        }
        self.looked_at = now;
        if now.duration_since(self.leased_at).abs() >= RENEWS {
            if let Err(error) = self.engine.renew_lease().await {
                // Somebody else runs plans by now (this machine has slept for long): nothing here may go on.
                if matches!(error, Error::BusyElsewhere { .. }) {
                    for run in self.engine.at_work.runs() {
                        self.engine.at_work.stop(run, Stop::shutting_down());
                    }
                }
                return Err(error);
            }
            self.leased_at = now;
        }
        while let Some(ended) = self.attempts.try_join_next_with_id() {
            self.ended(ended);
        }
        self.plans.refresh(&self.engine, now).await?;
        self.plans.end_pauses(&self.engine, now).await?;
        self.plans.refresh(&self.engine, now).await?;
        let mut live = self.live_runs().await?;
        let due = self.plans.due(now);
        let something_was_due = !due.is_empty();
        for plan in due {
            self.decide(plan, &live, now).await?;
        }
        let allowed = self.plans.allowed();
        let rested: Vec<(PlanId, RunId, Timestamp)> = (live.iter())
            .filter_map(|run| {
                Some((run.plan, run.run, run.until.filter(|_| has_rested(run, &allowed, now))?))
            })
            .collect();
        self.engine.store.requeue_rested(&rested, now).await?;
        // What nobody is at any more, though it should be at work: its end could not be recorded.
        let is_left = |run: &LiveRun| run.owner.is_some() && !self.engine.at_work.has(run.run);
        let something_was_left = live.iter().any(is_left);
        if something_was_left {
            self.engine.store.recover(|run| self.engine.at_work.has(run), now).await?;
        }
        if something_was_due || something_was_left || !rested.is_empty() {
            live = self.live_runs().await?;
        }
        let choice = choose(&live, &allowed, now, self.settings.max_runs.get());
        for run in choice.begin {
            let engine = self.engine.clone();
            let attempt = self
                .attempts
                .spawn(async move { Box::pin(engine.attempt(run, watch::Sender::default())).await });
            self.begun.insert(attempt.id(), run);
        }
        let clean_again_at = self.housekeeping.tick(&self.engine, now).await?;
        let tell_again_at = self.messenger.tick(&self.engine, now).await?;
        self.tail.hand_on(&self.engine).await?;
        let renew_at = self.leased_at.checked_add(RENEWS).ok();
        Ok([self.plans.next(), choice.again_at, Some(clean_again_at), Some(tell_again_at), renew_at]
            .into_iter()
            .flatten()
            .min())
    }

    /// An attempt is over. One that could not be begun, or not be recorded, is not made again at once.
    fn ended(&mut self, ended: Result<(task::Id, Result<bool, Error>), JoinError>) {
        let (id, has_failed) = match ended {
            Ok((id, Ok(_))) => (id, false),
            Ok((id, Err(error))) => {
                tracing::error!(%error, "an attempt at a run could not be recorded; it is taken up again later");
                self.engine.pulse.failed(&error);
                (id, true)
            }
            Err(panic) => {
                tracing::error!(%panic, "a run ended by a mistake in Charon; it is taken up again later");
                (panic.id(), true)
            }
        };
        let Some(run) = self.begun.remove(&id) else { return };
        if has_failed {
            let times = self.held_back.get(&run).map_or(1, |(times, _)| times + 1);
            let until =
                self.engine.clock.now().checked_add(retry::before_attempt(times, &*self.engine.entropy));
            self.held_back.insert(run, (times, until.unwrap_or(Timestamp::MAX)));
        } else {
            self.held_back.remove(&run);
        }
    }

    /// The runs that have not come to their end. Those that this process has begun are at work, though they may not have got to
    /// writing it down: no other one may begin in their place.
    async fn live_runs(&self) -> Result<Vec<LiveRun>, Error> {
        let mut live = self.engine.store.live_runs().await?;
        let begun: HashSet<RunId> = self.begun.values().copied().chain(self.engine.at_work.runs()).collect();
        for run in live.iter_mut().filter(|run| begun.contains(&run.run)) {
            if run.state == RunState::Queued {
                run.state = RunState::Running;
            }
        }
        for run in &mut live {
            let until = self.held_back.get(&run.run).map(|(_, until)| *until);
            run.start_after = run.start_after.max(until);
        }
        Ok(live)
    }

    /// Decides about what is due of one plan.
    async fn decide(&mut self, plan: PlanId, live: &[LiveRun], now: Timestamp) -> Result<(), Error> {
        let engine = &self.engine;
        let Some(planned) = self.plans.get(plan) else { return Ok(()) };
        // What else is done with its mirror is no earlier run of the plan.
        let is_earlier = |run: &&LiveRun| run.plan == plan && run.options.job.is_plan();
        let live: Vec<&LiveRun> = live.iter().filter(is_earlier).collect();
        let (decided_until, seed) = (planned.decided_until, plan.to_string());
        let Some(mut due) = due(&planned.schedule, &planned.config, decided_until, now, &live, &seed) else {
            self.plans.decided(plan, now);
            return Ok(());
        };
        if due.missed > 0 {
            // After the clock was set back, some of those may have been decided before.
            let before = engine.store.occurrences(plan, (decided_until, None), MOST_COUNTED).await?;
            let before: HashSet<Timestamp> = before.iter().map(|known| known.scheduled_for).collect();
            due.leave_out(&before, &planned.schedule, decided_until);
        }
        let trigger = match due.decision {
            Decision::Run => Some(Trigger::Schedule),
            Decision::CatchUp => Some(Trigger::CatchUp),
            Decision::Missed | Decision::Overlap => None,
        };
        let run = trigger.map(|trigger| NewRun {
            run: RunId::new(&*engine.clock, &*engine.entropy),
            plan,
            trigger,
            scheduled_for: Some(due.scheduled_for),
            start_after: due.start_after,
            options: RunOptions::default(),
        });
        let decision = NewDecision {
            plan,
            plan_name: &planned.name,
            revision: planned.revision,
            occurrence: Occurrence {
                scheduled_for: due.scheduled_for,
                decision: due.decision,
                run: run.as_ref().map(|run| run.run),
                missed: due.missed,
                missed_since: due.missed_since,
                decided_at: now,
            },
            cancel: live.iter().filter(|_| due.cancels).map(|run| run.run).collect(),
            run,
        };
        let decided = engine.store.decide(&decision).await?;
        if decided == Decided::Now {
            for previous in &decision.cancel {
                engine.at_work.stop(*previous, Stop::cancelled());
            }
        }
        if decided != Decided::Not {
            self.plans.decided(plan, due.scheduled_for);
        }
        Ok(())
    }

    /// Asks all runs to finish what they hold, waits for them for a while, and leaves the rest to the next start.
    async fn shut_down(mut self) -> Result<(), Error> {
        self.engine.is_ending.cancel();
        let ended = async {
            while !self.attempts.is_empty() {
                // Again and again: one that has only just begun hears nothing yet.
                for run in self.engine.at_work.runs() {
                    self.engine.at_work.stop(run, Stop::shutting_down());
                }
                tokio::time::timeout(LOOKS, self.attempts.join_next()).await.ok();
            }
        };
        if tokio::time::timeout(self.settings.grace, ended).await.is_err() {
            tracing::warn!("some runs did not end in time; the next start takes them up");
        }
        Ok(())
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        self.engine.is_scheduling.store(false, Ordering::Relaxed);
        self.engine.pulse.gone();
    }
}

/// What each run that has not ended, and is not at work, waits for, by what the database says now.
pub(crate) async fn waiting(engine: &Engine) -> Result<HashMap<RunId, Waiting>, Error> {
    let live = engine.store.live_runs().await?;
    let plans: HashSet<PlanId> = live.iter().map(|run| run.plan).collect();
    let allowed = plans::allowed(engine, &plans).await?;
    let most = engine.store.max_runs().await?.map_or(1, |most| usize::try_from(most).unwrap_or(usize::MAX));
    let mut waiting = choose(&live, &allowed, engine.clock.now(), most).waiting;
    if !engine.somebody_runs_plans() {
        for (run, why) in &mut waiting {
            let is_queued = live.iter().any(|one| one.run == *run && one.state == RunState::Queued);
            if is_queued {
                *why = Waiting::Engine;
            }
        }
    }
    Ok(waiting)
}
