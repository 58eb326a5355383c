//! What the dashboard does not look up every time: what is so for ever (why items of a run that has ended were left out), and what
//! is dear and may be a little old (what is at home, what the days before yesterday came to).

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp, civil::Date};

use super::facts::{EndedBadly, Whole};
use crate::{
    engine::Engine,
    ids::{PlanId, RunId},
    store::{DayOfRuns, Home, NotRun},
};

/// Whoever asks does not wait longer for a count of all that is home: it is there the next time.
const COUNTED_WITHIN: Duration = Duration::from_millis(15);
/// While runs are at work, what is home is counted anew so often at most.
const COUNTED_ANEW: SignedDuration = SignedDuration::from_mins(5);
/// Days that are over are looked up anew after this.
const PAST_KEPT: SignedDuration = SignedDuration::from_mins(10);
/// Runs of which something is remembered.
const RUNS_KEPT: usize = 1_000;

/// Shared by all that ask.
#[derive(Clone, Debug, Default)]
pub(crate) struct Remembered(Arc<Mutex<Memory>>);

#[derive(Debug, Default)]
struct Memory {
    reasons: HashMap<RunId, Arc<BTreeMap<String, u64>>>,
    causes: HashMap<RunId, String>,
    wholes: HashMap<PlanId, (LastRuns, WholeAndEnd)>,
    homes: HashMap<PlanId, Counted>,
    /// The plans whose homes are being counted.
    counting: HashSet<PlanId>,
    past: Option<(PastKey, Timestamp, Arc<Past>)>,
}

/// By which it is seen that no run of a plan has begun or ended since: the newest, and those that have not ended.
pub(super) type LastRuns = (Option<RunId>, Vec<RunId>);

/// What the runs of a plan have come to.
pub(super) type WholeAndEnd = (Option<Whole>, Option<EndedBadly>);

/// What was counted, and after which run.
#[derive(Clone, Copy, Debug)]
struct Counted {
    after: Option<RunId>,
    at: Timestamp,
    home: Home,
}

/// The days that are over: from where on, and in which zone.
pub(super) type PastKey = (Date, String);

/// What the days that are over came to.
#[derive(Debug, Default)]
pub(super) struct Past {
    pub(super) runs: Vec<DayOfRuns>,
    pub(super) not_run: Vec<NotRun>,
}

impl Remembered {
    pub(super) fn reasons(&self, run: RunId) -> Option<Arc<BTreeMap<String, u64>>> {
        self.memory().reasons.get(&run).cloned()
    }

    pub(super) fn remember_reasons(
        &self,
        run: RunId,
        reasons: BTreeMap<String, u64>,
    ) -> Arc<BTreeMap<String, u64>> {
        let reasons = Arc::new(reasons);
        let mut memory = self.memory();
        if memory.reasons.len() >= RUNS_KEPT {
            memory.reasons.clear();
        }
        memory.reasons.insert(run, Arc::clone(&reasons));
        reasons
    }

    /// Why most of the items that failed in a run failed: the empty reason where that is not known.
    pub(super) fn cause(&self, run: RunId) -> Option<String> {
        self.memory().causes.get(&run).cloned()
    }

    pub(super) fn remember_cause(&self, run: RunId, cause: String) {
        let mut memory = self.memory();
        if memory.causes.len() >= RUNS_KEPT {
            memory.causes.clear();
        }
        memory.causes.insert(run, cause);
    }

    pub(super) fn whole(&self, plan: PlanId, last: &LastRuns) -> Option<WholeAndEnd> {
        let memory = self.memory();
        memory.wholes.get(&plan).filter(|(known, _)| known == last).map(|(_, whole)| whole.clone())
    }

    pub(super) fn remember_whole(&self, plan: PlanId, last: LastRuns, whole: WholeAndEnd) {
        self.memory().wholes.insert(plan, (last, whole));
    }

    pub(super) fn past(&self, key: &PastKey, now: Timestamp) -> Option<Arc<Past>> {
        let memory = self.memory();
        let (known, at, past) = memory.past.as_ref()?;
        let is_fresh = known == key && now >= *at && now.duration_since(*at) < PAST_KEPT;
        is_fresh.then(|| Arc::clone(past))
    }

    pub(super) fn remember_past(&self, key: PastKey, past: Past, now: Timestamp) -> Arc<Past> {
        let past = Arc::new(past);
        self.memory().past = Some((key, now, Arc::clone(&past)));
        past
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().expect("nothing panics while it remembers")
    }
}

impl Engine {
    /// What a plan has at home: as it was counted after its last run, or a little earlier while one is at work. `None` while it is
    /// counted for the first time.
    pub(super) async fn home_of(
        &self,
        plan: PlanId,
        last_run: Option<RunId>,
        is_at_work: bool,
    ) -> Option<Home> {
        let now = self.clock.now();
        let known = {
            let mut memory = self.remembered.memory();
            let known = memory.homes.get(&plan).copied();
            let is_fresh = known.is_some_and(|known| {
                let age = now.duration_since(known.at);
                known.after == last_run
                    && (!is_at_work || (age >= SignedDuration::ZERO && age < COUNTED_ANEW))
            });
            if is_fresh || !memory.counting.insert(plan) {
                return known.map(|known| known.home);
            }
            known
        };
        let engine = self.clone();
        let counting = tokio::spawn(async move {
            let counted = engine.store.home(plan).await;
            let mut memory = engine.remembered.memory();
            memory.counting.remove(&plan);
            match counted {
                Ok(home) => {
                    memory.homes.insert(plan, Counted { after: last_run, at: now, home });
                    Some(home)
                }
                Err(error) => {
                    tracing::warn!(%error, "what is home could not be counted");
                    None
                }
            }
        });
        match tokio::time::timeout(COUNTED_WITHIN, counting).await {
            Ok(Ok(Some(home))) => Some(home),
            _ => known.map(|known| known.home),
        }
    }
}
