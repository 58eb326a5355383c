//! What the runs of this process have come to since it began, counted while they are at work. Kept in memory, as counters that are
//! read from outside usually are; what the database knows of runs outlives the process.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use crate::{
    host::Requests,
    run::{Counts, Progress, RunState},
};

/// The upper bounds of [`Durations`], in seconds.
pub const DURATION_BOUNDS: [u64; 9] = [1, 10, 60, 300, 1_800, 3_600, 14_400, 43_200, 86_400];

/// What has been counted since the process began.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// By the name of the plan.
    pub plans: BTreeMap<String, PlanTally>,
    /// HTTP requests, by meter.
    pub requests: BTreeMap<String, u64>,
    /// How long runs that ended were at work, by what they are: `backup`, `upload`.
    pub durations: BTreeMap<&'static str, Durations>,
}

/// What has been counted of the runs of a plan.
#[derive(Clone, Debug, Default)]
pub struct PlanTally {
    /// Items that came to an end.
    pub items: Counts,
    /// Bytes of the items that are done.
    pub bytes: u64,
    /// Runs that ended, by the state that they ended in.
    pub ended: BTreeMap<&'static str, u64>,
    kind: Option<&'static str>,
}

/// How long something took, many times.
#[derive(Clone, Debug, Default)]
pub struct Durations {
    /// How often it took no longer than each of [`DURATION_BOUNDS`] says, and longer than the bound before.
    pub within: [u64; DURATION_BOUNDS.len()],
    /// How often in all.
    pub count: u64,
    /// How long in all.
    pub sum: Duration,
}

impl Durations {
    fn observe(&mut self, took: Duration) {
        self.count += 1;
        self.sum += took;
        let fits = |bound: &u64| took <= Duration::from_secs(*bound);
        if let Some(bucket) = DURATION_BOUNDS.iter().position(fits) {
            self.within[bucket] += 1;
        }
    }
}

/// Where the runs of a process are counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tallies(Arc<Mutex<Tally>>);

impl Tallies {
    /// What there is now.
    pub(crate) fn so_far(&self) -> Tally {
        self.tally().clone()
    }

    /// Counts an attempt at a run that has come to `progress` before.
    pub(crate) fn counting(
        &self,
        plan: &str,
        kind: &'static str,
        progress: &Progress,
        requests: &Arc<Requests>,
    ) -> Counting {
        self.tally().plans.entry(plan.to_owned()).or_default().kind = Some(kind);
        Counting {
            tallies: self.clone(),
            plan: plan.to_owned(),
            requests: Arc::clone(requests),
            told: Mutex::new(Told {
                items: progress.items,
                bytes: progress.bytes,
                requests: BTreeMap::new(),
            }),
        }
    }

    /// A run was left in a state, after it has been at work for so long in all.
    pub(crate) fn left(&self, plan: &str, state: RunState, active: Duration) {
        if state.is_live() {
            return;
        }
        let mut tally = self.tally();
        let of_plan = tally.plans.entry(plan.to_owned()).or_default();
        *of_plan.ended.entry(state.as_str()).or_default() += 1;
        if let Some(kind) = of_plan.kind {
            tally.durations.entry(kind).or_default().observe(active);
        }
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.0.lock().expect("nothing panics while it counts")
    }
}

/// Counts one attempt at a run.
#[derive(Debug)]
pub(crate) struct Counting {
    tallies: Tallies,
    plan: String,
    requests: Arc<Requests>,
    told: Mutex<Told>,
}

/// What of an attempt has been counted.
#[derive(Debug)]
struct Told {
    items: Counts,
    bytes: u64,
    requests: BTreeMap<String, u64>,
}

impl Counting {
    /// Counts what is done by now. What a counter has counted, it keeps.
    pub(crate) fn tell(&self, progress: &Progress) {
        let requests = self.requests.by_meter();
        let mut told = self.told.lock().expect("nothing panics while it counts");
        let mut tally = self.tallies.tally();
        let more = |told: &mut u64, now: u64| {
            let more = now.saturating_sub(*told);
            *told += more;
            more
        };
        for (meter, count) in requests {
            let more = more(told.requests.entry(meter.clone()).or_default(), count);
            *tally.requests.entry(meter).or_default() += more;
        }
        let of_plan = tally.plans.entry(self.plan.clone()).or_default();
        of_plan.bytes += more(&mut told.bytes, progress.bytes);
        let (items, now) = (&mut told.items, &progress.items);
        of_plan.items.done += more(&mut items.done, now.done);
        of_plan.items.unchanged += more(&mut items.unchanged, now.unchanged);
        of_plan.items.skipped += more(&mut items.skipped, now.skipped);
        of_plan.items.failed += more(&mut items.failed, now.failed);
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use charon_provider::Cost;

    use super::Tallies;
    use crate::{
        host::Requests,
        run::{Counts, Progress, RunState},
    };

    fn progress(done: u64, failed: u64, bytes: u64) -> Progress {
        Progress { items: Counts { done, failed, ..Counts::default() }, bytes, ..Progress::default() }
    }

    #[test]
    fn what_is_told_twice_is_counted_once_and_what_an_earlier_attempt_did_is_not_counted_again() {
        // I10
        let (tallies, requests) = (Tallies::default(), Arc::new(Requests::default()));
        let counting = tallies.counting("home", "backup", &progress(10, 0, 100), &requests);
        requests.count(Cost("api"));
        for _ in 0..3 {
            counting.tell(&progress(12, 1, 130));
        }
        // What failed came home in the end: a counter does not go back.
        counting.tell(&progress(13, 0, 140));
        let tally = tallies.so_far();
        let of_plan = &tally.plans["home"];
        assert_eq!((of_plan.items.done, of_plan.items.failed, of_plan.bytes), (3, 1, 40));
        assert_eq!(tally.requests["api"], 1);
    }

    #[test]
    fn only_runs_that_ended_are_counted_as_ended_and_by_how_long_they_took() {
        let (tallies, requests) = (Tallies::default(), Arc::new(Requests::default()));
        tallies.counting("home", "backup", &Progress::default(), &requests);
        tallies.left("home", RunState::Parked, Duration::from_secs(7));
        for seconds in [1, 7, 10, 100_000] {
            tallies.left("home", RunState::Succeeded, Duration::from_secs(seconds));
        }
        let tally = tallies.so_far();
        assert_eq!(tally.plans["home"].ended.iter().collect::<Vec<_>>(), [(&"succeeded", &4)]);
        let durations = &tally.durations["backup"];
        assert_eq!(durations.within, [1, 2, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!((durations.count, durations.sum), (4, Duration::from_secs(100_018)));
    }
}
