//! What is known of a plan, from which all that is said of it is concluded. Everything here is measured (I10).

use charon_provider::Class;
use jiff::Timestamp;

use crate::{
    backup::STILL_PROCESSED,
    engine::Engine,
    error::Error,
    ids::{PlanId, RunId, StorageId},
    run::{Counts, RunState},
    store::{EndedRun, Home},
    trash,
};

/// What is known of a plan.
#[derive(Clone, Debug)]
pub(crate) struct PlanFacts {
    pub(crate) plan: PlanId,
    pub(crate) name: String,
    /// `backup` or `upload`.
    pub(crate) kind: &'static str,
    /// The name of its storage.
    pub(crate) storage: String,
    pub(crate) storage_id: StorageId,
    /// What people call the storage's provider: `Google Photos`.
    pub(crate) provider: String,
    pub(crate) has_schedule: bool,
    pub(crate) next_at: Option<Timestamp>,
    /// Whether its schedule is paused.
    pub(crate) is_paused: bool,
    pub(crate) paused_until: Option<Timestamp>,
    pub(crate) last_good_at: Option<Timestamp>,
    /// Since when there has been no good run, if that is longer than the plan allows.
    pub(crate) overdue_since: Option<Timestamp>,
    /// The newest run that came to the end of its work, with what was made up for since.
    pub(crate) whole: Option<Whole>,
    /// How the newest run ended, if that is not the one above or one that made up for it.
    pub(crate) last_end: Option<EndedBadly>,
    /// The run that has not come to its end.
    pub(crate) live: Option<Live>,
    /// What is at home, if that has been counted.
    pub(crate) home: Option<Home>,
    /// Files of its mirror that are known to be damaged.
    pub(crate) damaged: u64,
    /// Items that are gone from the account, and about which somebody is asked.
    pub(crate) asked_about: u64,
}

/// What a run came to that looked at everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    pub(crate) run: RunId,
    /// The newest run in which what is still missing failed: the same one, or one that tried again.
    pub(crate) failed_in: RunId,
    pub(crate) ended_at: Timestamp,
    /// Items that there were.
    pub(crate) shown: u64,
    /// Of those, the ones that are where they should be.
    pub(crate) safe: u64,
    /// Left out, each for a reason.
    pub(crate) left_out: u64,
    /// Not ready at the storage yet.
    pub(crate) processed: u64,
    pub(crate) failed: u64,
    /// Why most of those failed.
    pub(crate) cause: Option<String>,
}

/// A run that did not come to the end of its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EndedBadly {
    pub(crate) run: RunId,
    pub(crate) state: RunState,
    pub(crate) ended_at: Timestamp,
    pub(crate) class: Option<Class>,
    pub(crate) message: String,
}

/// A run that has not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Live {
    pub(crate) run: RunId,
    pub(crate) state: RunState,
    /// Items that are where they should be, of all that it has come across.
    pub(crate) safe: u64,
    /// What it waits for, if it waits.
    pub(crate) waiting: Option<String>,
    /// Until when, if it goes on by itself.
    pub(crate) until: Option<Timestamp>,
    /// Whether it waits for a person.
    pub(crate) needs_person: bool,
    pub(crate) class: Option<Class>,
}

impl Whole {
    /// From the newest runs that came to their end, the newest first: the last of them looked at everything, and those before it
    /// tried again what had failed.
    pub(crate) fn of(runs: &[EndedRun]) -> Option<Self> {
        let (base, again) = runs.split_last().filter(|(base, _)| base.failed_of.is_none())?;
        let mut safe = base.items.done + base.items.unchanged;
        let mut left_out = base.items.skipped;
        let mut failed_in = base.run;
        // What each run has left undone.
        let mut undone: Vec<(RunId, u64)> = vec![(base.run, base.items.failed)];
        for run in again.iter().rev() {
            let of = |(of, _): &&mut (RunId, u64)| Some(*of) == run.failed_of;
            let Some((_, left)) = undone.iter_mut().find(of) else { continue };
            *left = left.saturating_sub(run.items.total());
            safe += run.items.done + run.items.unchanged;
            left_out += run.items.skipped;
            undone.push((run.run, run.items.failed));
            failed_in = if run.items.failed > 0 { run.run } else { failed_in };
        }
        Some(Self {
            run: base.run,
            failed_in,
            ended_at: base.ended_at,
            shown: base.items.total(),
            safe,
            left_out,
            processed: 0,
            failed: undone.iter().map(|(_, left)| left).sum(),
            cause: None,
        })
    }

    /// Items that are wanted: all but those that are left out.
    pub(crate) fn wanted(&self) -> u64 {
        self.shown.saturating_sub(self.left_out)
    }
}

impl Engine {
    /// What runs of a plan that came to their end have left undone, and how they went.
    pub(super) async fn whole_of(&self, plan: PlanId) -> Result<(Option<Whole>, Option<EndedBadly>), Error> {
        let runs = self.store.whole_runs(plan).await?;
        let newest = runs.first().map(|run| run.run);
        let mut whole = Whole::of(&runs);
        if let Some(whole) = &mut whole {
            // What that run found to be gone from the account is not shown any more.
            let gone = self.store.count_done_by(whole.run, trash::GONE).await?;
            (whole.shown, whole.safe) = (whole.shown.saturating_sub(gone), whole.safe.saturating_sub(gone));
            if whole.left_out > 0 {
                whole.processed = self.still_processed(whole.run).await?.min(whole.left_out);
                whole.left_out -= whole.processed;
            }
            if whole.failed > 0 {
                whole.cause = self.main_cause(whole.failed_in).await?;
            }
        }
        let last_end = self.store.last_end(plan).await?.filter(|end| newest.is_none_or(|run| end.run > run));
        let last_end = last_end.map(|end| EndedBadly {
            run: end.run,
            state: end.state,
            ended_at: end.ended_at,
            class: end.stop.as_ref().and_then(|stop| stop.class),
            message: end.stop.map(|stop| stop.message).unwrap_or_default(),
        });
        Ok((whole, last_end))
    }

    /// How many items a run left for later, since the storage was not done with them.
    async fn still_processed(&self, run: RunId) -> Result<u64, Error> {
        let reasons = match self.remembered.reasons(run) {
            Some(reasons) => reasons,
            None => self.remembered.remember_reasons(run, self.store.skipped_by_reason(run).await?),
        };
        Ok(reasons.get(STILL_PROCESSED).copied().unwrap_or_default())
    }

    /// Why most of the items that failed in a run failed.
    async fn main_cause(&self, run: RunId) -> Result<Option<String>, Error> {
        let known = |cause: String| Some(cause).filter(|cause| !cause.is_empty());
        if let Some(cause) = self.remembered.cause(run) {
            return Ok(known(cause));
        }
        let failures = self.run_failures(run).await?;
        let cause = failures.causes.into_iter().next().map(|cause| cause.reason).unwrap_or_default();
        self.remembered.remember_cause(run, cause.clone());
        Ok(known(cause))
    }
}

/// Items that are where they should be.
pub(super) fn safe(items: &Counts) -> u64 {
    items.done + items.unchanged
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::Whole;
    use crate::{
        ids::RunId,
        run::{Counts, RunState},
        store::EndedRun,
    };

    fn run(number: u128, failed_of: Option<u128>, [done, unchanged, skipped, failed]: [u64; 4]) -> EndedRun {
        EndedRun {
            run: RunId(Uuid::from_u128(number)),
            state: if failed > 0 { RunState::Partial } else { RunState::Succeeded },
            ended_at: Timestamp::UNIX_EPOCH,
            items: Counts { done, unchanged, skipped, failed },
            failed_of: failed_of.map(|number| RunId(Uuid::from_u128(number))),
            stop: None,
        }
    }

    #[test]
    fn what_was_tried_again_with_success_is_not_missing_any_more() {
        let base = run(1, None, [10, 100, 5, 8]);
        let told = |runs: &[EndedRun]| {
            let whole = Whole::of(runs).expect("a whole run");
            (whole.shown, whole.safe, whole.left_out, whole.failed, whole.failed_in.0.as_u128())
        };
        assert_eq!(told(std::slice::from_ref(&base)), (123, 110, 5, 8, 1));
        let again = run(2, Some(1), [5, 1, 0, 2]);
        assert_eq!(told(&[again.clone(), base.clone()]), (123, 116, 5, 2, 2));
        let and_again = run(3, Some(2), [1, 0, 1, 0]);
        assert_eq!(told(&[and_again, again.clone(), base.clone()]), (123, 117, 6, 0, 2));
        // One that tried again what another run had left says nothing of this one.
        assert_eq!(told(&[run(4, Some(99), [7, 0, 0, 0]), base]), (123, 110, 5, 8, 1));
        assert_eq!(Whole::of(&[again]), None);
        assert_eq!(Whole::of(&[]), None);
    }
}
