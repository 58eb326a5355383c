//! The scheduler with the engine around it, on a clock that is moved by hand: trying again, limits, windows, waits that end.

mod ending;
mod trying_again;
mod waiting;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    fake::{Answers, Fake, World},
    map,
};
use crate::{
    clock::{Clock, ManualClock},
    engine::{Engine, Settings},
    ids::RunId,
    registry::Registry,
    run::{RunOptions, RunState, Trigger},
    scheduler::{Scheduler, SchedulerSettings},
    store::RunRecord,
};

/// An engine with a scheduler, on a clock that begins at noon UTC.
pub(super) struct Stage {
    pub(super) engine: Engine,
    pub(super) scheduler: Scheduler,
    pub(super) world: Arc<World>,
    pub(super) clock: Arc<ManualClock>,
    folder: tempfile::TempDir,
}

impl Stage {
    /// With a storage named `family` whose token is `first`.
    pub(super) async fn new() -> Self {
        let (world, folder) = (Arc::new(World::default()), tempfile::tempdir().expect("a folder"));
        let clock = Arc::new(ManualClock::at("2026-01-10T12:00:00Z".parse().expect("a time")));
        let engine = Self::open(&world, &clock, &folder).await;
        let scheduler = engine.scheduler(SchedulerSettings::default()).await.expect("a scheduler");
        let stage = Self { engine, scheduler, world, clock, folder };
        stage.update_storage("first").await;
        stage
    }

    async fn open(world: &Arc<World>, clock: &Arc<ManualClock>, folder: &tempfile::TempDir) -> Engine {
        let registry = Registry::default().with(Fake::new(Arc::clone(world)));
        let settings = Settings {
            clock: Arc::clone(clock) as Arc<dyn Clock>,
            ..Settings::new(folder.path().join("data"), registry)
        };
        Engine::open(settings).await.expect("an engine")
    }

    pub(super) async fn update_storage(&self, token: &str) {
        let config = map(json!({"client": "ours", "token": token}));
        if self.engine.storage("family").await.is_ok() {
            self.engine.update_storage("family", config).await.expect("a storage");
        } else {
            self.engine.add_storage("family", "fake", config).await.expect("a storage");
        }
    }

    /// A backup plan, with this besides.
    pub(super) async fn add_plan(&self, name: &str, besides: Value) {
        let mut plan = map(json!({
            "kind": "backup", "storage": "family", "destination": self.folder.path().join(name),
        }));
        plan.extend(map(besides));
        self.engine.add_plan(name, plan).await.expect("a plan");
    }

    pub(super) async fn ask(&self, plan: &str) -> RunId {
        let asked = self.engine.ask_for_run(plan, Trigger::Manual, RunOptions::default()).await;
        asked.expect("asked").0
    }

    /// Takes turns until the run is in this state.
    pub(super) async fn until(&mut self, run: RunId, state: RunState) -> RunRecord {
        let get_there = async {
            loop {
                self.scheduler.tick().await.expect("a turn");
                let record = self.engine.run_record(run).await.expect("a run");
                let has_come = match state {
                    // As far as its request.
                    RunState::Running => record.state == state && self.world.keeps_waiting("first"),
                    // Nothing is left of the attempt.
                    _ => record.state == state && !self.engine.at_work.has(run),
                };
                if has_come {
                    return record;
                }
                for _ in 0..50 {
                    tokio::task::yield_now().await;
                }
            }
        };
        // A disk may be slow.
        let there = tokio::time::timeout(Duration::from_mins(1), get_there).await;
        let Ok(record) = there else {
            panic!("it does not become {state}: {:?}", self.record(run).await);
        };
        record
    }

    pub(super) async fn record(&self, run: RunId) -> RunRecord {
        self.engine.run_record(run).await.expect("a run")
    }

    /// The runs of a plan, the newest first.
    async fn runs(&self, plan: &str) -> Vec<RunRecord> {
        self.engine.runs(Some(plan), 100).await.expect("runs")
    }

    pub(super) fn answer(&self, answers: Answers) {
        self.world.answer("first", answers);
    }

    pub(super) fn minutes_later(&self, minutes: u64) {
        self.clock.advance(Duration::from_mins(minutes));
    }

    /// Moves the clock to a moment, and gives how many seconds that took.
    pub(super) fn wait_until(&self, moment: Timestamp) -> f64 {
        let wait = moment.duration_since(self.clock.now());
        self.clock.advance(wait.try_into().expect("it is yet to come"));
        wait.as_secs_f64()
    }

    /// Ends the process, and starts another one.
    pub(super) async fn restart(self) -> Self {
        let Self { engine, scheduler, world, clock, folder } = self;
        let gone = Arc::downgrade(&engine.awake);
        drop((engine, scheduler));
        while gone.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
        let engine = Self::open(&world, &clock, &folder).await;
        let scheduler = engine.scheduler(SchedulerSettings::default()).await.expect("a scheduler");
        Self { engine, scheduler, world, clock, folder }
    }
}
