//! What must hold after every turn, and once everything has come to rest.

use std::collections::{HashMap, HashSet};

use charon_provider::Class;

use super::{case::Case, story};
use crate::{
    ids::RunId,
    run::{RunState, Trigger},
    scheduler::{self, Waiting},
    store::{Decision, LiveRun, RunFilter, RunRecord},
    timing::Pause,
};

const ALL: u32 = 100_000;

impl Case {
    async fn runs(&self) -> Vec<RunRecord> {
        self.engine().store.runs(&RunFilter::default(), ALL).await.expect("runs")
    }

    /// Judges what was decided in a turn, before which these runs had not ended.
    pub(super) async fn judge_decisions(&mut self, before: &[LiveRun], is_whole: bool) {
        let now = self.now();
        let store = self.engine().store.clone();
        for plan in self.plans.values_mut() {
            let rows =
                store.occurrences(plan.id, (jiff::Timestamp::MIN, None), ALL).await.expect("occurrences");
            let live: Vec<LiveRun> = before.iter().filter(|run| run.plan == plan.id).cloned().collect();
            plan.judge(rows, &live, now, is_whole);
        }
        let (mut at_work, mut lanes) = (0, HashSet::new());
        for run in self.live().await {
            if matches!(run.state, RunState::Running | RunState::Pausing) {
                at_work += 1;
                assert!(lanes.insert(run.lane.clone()), "two in one lane: {run:?}");
            }
        }
        assert!(at_work <= 4, "{at_work} at once");
    }

    /// Judges all runs, when nothing more happens.
    pub(super) async fn judge_runs(&mut self) {
        let (runs, live) = (self.runs().await, self.live().await);
        self.judge_occurrences(&runs);
        let states: HashMap<RunId, RunState> = runs.iter().map(|run| (run.run, run.state)).collect();
        for run in &self.held {
            let state = states.get(run).copied().unwrap_or(RunState::Cancelled);
            assert!(state == RunState::Paused || !state.is_live(), "{run} was paused, and is {state}");
        }
        for run in &self.doomed {
            let state = states.get(run).copied().unwrap_or(RunState::Cancelled);
            assert!(!state.is_live(), "{run} was cancelled, and is {state}");
        }
        let waiting = scheduler::waiting(self.engine()).await.expect("what they wait for");
        for run in &live {
            self.judge_wait(run, waiting.get(&run.run), &live);
        }
    }

    fn judge_occurrences(&self, runs: &[RunRecord]) {
        for (name, plan) in &self.plans {
            let mut runs: HashMap<_, _> = (runs.iter())
                .filter(|run| run.plan == *name && run.scheduled_for.is_some())
                .map(|run| (run.run, run))
                .collect();
            for row in plan.decided.values() {
                let Some(run) = row.run else { continue };
                let run = runs.remove(&run).unwrap_or_else(|| panic!("{name} has no run for {row:?}"));
                assert_eq!(run.scheduled_for, Some(row.scheduled_for));
                let expected =
                    if row.decision == Decision::Run { Trigger::Schedule } else { Trigger::CatchUp };
                assert_eq!(run.trigger, expected);
            }
            assert!(runs.is_empty(), "runs of {name} for nothing: {runs:?}");
        }
    }

    /// A run that waits does so for a reason that is true.
    fn judge_wait(&self, run: &LiveRun, waiting: Option<&Waiting>, live: &[LiveRun]) {
        let now = self.now();
        let is_at_work = |run: &&LiveRun| matches!(run.state, RunState::Running | RunState::Pausing);
        let plan = self.plans.values().find(|plan| plan.id == run.plan).expect("a plan that is there");
        let told = || format!("{run:?} waits for {waiting:?} at {now}, beside {live:#?}");
        let waits = || waiting.unwrap_or_else(|| panic!("{}", told()));
        let is_true = match run.state {
            RunState::Running | RunState::Pausing => self.world.keeps_waiting(&run.storage_name),
            RunState::Queued => match waits() {
                Waiting::Lane { storage, .. } => {
                    live.iter().filter(is_at_work).any(|other| other.storage_name == *storage)
                }
                Waiting::SamePlan { .. } => live.iter().any(|other| {
                    other.plan == run.plan && other.run != run.run && other.state != RunState::Queued
                }),
                Waiting::Limit(most) => live.iter().filter(is_at_work).count() >= *most,
                Waiting::Time(at) => *at > now && run.start_after == Some(*at),
                Waiting::Window(at) => {
                    at.is_some_and(|at| at > now) && !plan.windows.is_open(now) && run.keeps_to_windows()
                }
                Waiting::Pause(until) => {
                    plan.pause == Some(Pause { until: *until }) && run.keeps_to_windows()
                }
                _ => false,
            },
            RunState::Parked => match run.until {
                Some(until) => until > now,
                None => run.class() == Some(Class::Auth),
            },
            RunState::Paused => match run.until {
                Some(until) => until > now && run.keeps_to_windows() && !plan.windows.is_open(now),
                None => self.held.contains(&run.run),
            },
            _ => false,
        };
        assert!(is_true, "{}", told());
    }

    /// Reads what the events tell of all runs.
    pub(super) async fn judge_stories(&self) {
        let events = self.engine().events(None, 0, ALL).await.expect("events");
        let states = self.runs().await.iter().map(|run| (run.run, run.state)).collect();
        story::read(&events, &states);
    }
}
