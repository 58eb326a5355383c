//! One case: the engine, what the model believes of it, and the operations.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

use charon_provider::Class;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::{
    super::{
        fake::{Answers, Fake, World},
        map,
    },
    believed::Believed,
    dice::{BrokenOff, Dice},
};
use crate::{
    clock::{Clock, ManualClock},
    engine::{Engine, Settings},
    ids::RunId,
    registry::Registry,
    run::{RunOptions, RunState, Trigger},
    scheduler::{Scheduler, SchedulerSettings},
    store::{LiveRun, RunFilter},
    timing::{Pause, ScheduleConfig},
};

const STORAGES: u64 = 5;
const PLANS: usize = 6;
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

pub(super) struct Case {
    dice: Dice,
    pub(super) world: Arc<World>,
    pub(super) clock: Arc<ManualClock>,
    entropy: Arc<Dice>,
    folder: TempDir,
    // Before the engine, which it is a part of.
    scheduler: Option<Scheduler>,
    engine: Option<Engine>,
    pub(super) plans: BTreeMap<String, Believed>,
    made: u32,
    /// Runs that somebody has paused, and those that somebody has cancelled.
    pub(super) held: HashSet<RunId>,
    pub(super) doomed: HashSet<RunId>,
}

impl Case {
    pub(super) async fn new(seed: u64) -> Self {
        let dice = Dice::new(seed);
        // Nights on which clocks are changed, and one like any other.
        let begin = ["2026-03-28T12:00:00Z", "2026-10-24T12:00:00Z", "2026-06-01T00:00:00Z"];
        let begin: Timestamp = dice.pick(&begin).expect("one").parse().expect("a time");
        let mut case = Self {
            world: Arc::default(),
            clock: Arc::new(ManualClock::at(begin)),
            entropy: Arc::new(Dice::new(!seed)),
            folder: tempfile::tempdir().expect("a folder"),
            scheduler: None,
            engine: None,
            plans: BTreeMap::new(),
            made: 0,
            held: HashSet::new(),
            doomed: HashSet::new(),
            dice,
        };
        case.start().await;
        for storage in 0..STORAGES {
            let name = format!("s{storage}");
            let config = map(json!({"client": "ours", "token": name}));
            case.engine().add_storage(&name, "fake", config).await.expect("a storage");
        }
        case
    }

    pub(super) fn engine(&self) -> &Engine {
        self.engine.as_ref().expect("it has been started")
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn start(&mut self) {
        let registry = Registry::default().with(Fake::new(Arc::clone(&self.world)));
        let settings = Settings {
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            entropy: Arc::clone(&self.entropy) as Arc<dyn crate::clock::Entropy>,
            ..Settings::new(self.folder.path().join("data"), registry)
        };
        let engine = Engine::open(settings).await.expect("an engine");
        self.scheduler = Some(engine.scheduler(SchedulerSettings::default()).await.expect("a scheduler"));
        self.engine = Some(engine);
    }

    /// Ends the process in the middle of a turn and of all that is under way, and starts it again.
    async fn kill(&mut self) {
        let before = self.live().await;
        let mut scheduler = self.scheduler.take().expect("it has been started");
        let (polls, yields) = (self.dice.below(60), self.dice.below(400));
        let turn = BrokenOff { work: Box::pin(scheduler.tick()), polls };
        let whole = turn.await.is_some();
        println!("  killed after {polls} polls ({whole}) and {yields} yields");
        for _ in 0..yields {
            tokio::task::yield_now().await;
        }
        let engine = self.engine.take().expect("it has been started");
        let gone = Arc::downgrade(&engine.awake);
        drop((scheduler, engine));
        while gone.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
        self.start().await;
        self.judge_decisions(&before, false).await;
    }

    pub(super) async fn live(&self) -> Vec<LiveRun> {
        self.engine().store.live_runs().await.expect("the queue")
    }

    /// Takes turns until nothing more happens.
    pub(super) async fn settle(&mut self) {
        for _ in 0..100 {
            let before = self.live().await;
            let newest = self.engine().newest_event().await.expect("a number");
            let scheduler = self.scheduler.as_mut().expect("it has been started");
            scheduler.tick().await.expect("a turn");
            self.judge_decisions(&before, true).await;
            self.rest().await;
            if self.engine().newest_event().await.expect("a number") == newest {
                return self.judge_runs().await;
            }
        }
        panic!("it never comes to rest: {:?}", self.live().await);
    }

    /// Lets all that is at work get on, until it waits for answers.
    async fn rest(&self) {
        let get_on = async {
            loop {
                for _ in 0..30 {
                    tokio::task::yield_now().await;
                }
                let live = self.live().await;
                let is_busy = |run: &RunId| {
                    let live = live.iter().find(|live| live.run == *run);
                    live.is_none_or(|live| !self.world.keeps_waiting(&live.storage_name))
                };
                if !self.engine().at_work.runs().iter().any(is_busy) {
                    return;
                }
            }
        };
        // A disk may be slow.
        let rests = tokio::time::timeout(Duration::from_mins(1), get_on).await;
        assert!(rests.is_ok(), "a run does not get on: {:?}", self.live().await);
    }

    fn random_config(&self) -> ScheduleConfig {
        let windows: [&[&str]; 4] = [&[], &[], &["22:00-06:00"], &["08:00-20:00", "sat 00:00-24:00"]];
        let config = json!({
            "cron": self.dice.pick(&["@every 7m", "0 * * * *", "0 * * * *", "30 2 * * *"]),
            "timezone": self.dice.pick(&["Europe/Berlin", "UTC"]),
            "windows": self.dice.pick(&windows),
            "jitter_minutes": self.dice.pick(&[0, 0, 10]),
            "missed": self.dice.pick(&["skip", "run_once"]),
            "missed_max_age_hours": self.dice.pick(&[1, 6, 168]),
            "overlap": self.dice.pick(&["skip", "queue_one", "cancel_previous"]),
        });
        serde_json::from_value(config).expect("a schedule")
    }

    fn config(&self, name: &str, storage: &str, schedule: &ScheduleConfig) -> Map<String, Value> {
        let limit = self.dice.pick(&[None, None, Some(45)]).flatten();
        let mut policy = json!({"retries": 2});
        if let Some(limit) = limit {
            policy["time_limit_minutes"] = json!(limit);
        }
        map(json!({
            "kind": "backup", "storage": storage, "schedule": schedule, "policy": policy,
            "destination": self.folder.path().join(name),
        }))
    }

    fn some_plan(&self) -> Option<String> {
        self.dice.pick(&self.plans.keys().cloned().collect::<Vec<_>>())
    }

    /// One that has not ended, mostly, or one of the others.
    async fn some_run(&self) -> Option<RunId> {
        let live: Vec<RunId> = self.live().await.iter().map(|run| run.run).collect();
        if self.dice.percent(90) && !live.is_empty() {
            return self.dice.pick(&live);
        }
        let runs = self.engine().store.runs(&RunFilter::default(), 20).await.expect("runs");
        self.dice.pick(&runs.iter().map(|run| run.run).collect::<Vec<_>>())
    }

    pub(super) async fn do_something(&mut self) {
        self.operate().await;
        // Several things may happen between two turns.
        if self.dice.percent(75) {
            self.settle().await;
        }
    }

    async fn operate(&mut self) {
        match self.dice.below(100) {
            0..=11 => self.add_or_edit().await,
            12..=13 => {
                let Some(name) = self.some_plan() else { return };
                println!("  remove {name}");
                self.engine().remove_plan(&name).await.expect("removed");
                self.plans.remove(&name);
            }
            14..=20 => self.pause_or_resume_plan().await,
            21..=35 => self.act_on_a_run().await,
            36..=41 => {
                let Some(name) = self.some_plan() else { return };
                let asked = self.engine().ask_for_run(&name, Trigger::Manual, RunOptions::default()).await;
                let (run, is_new) = asked.expect("asked");
                println!("  ask for {name}: {run} (new: {is_new})");
                // One that is just about to pause does so; whoever asks for it follows it until then.
                if self.live().await.iter().any(|live| live.run == run && live.state == RunState::Queued) {
                    self.held.remove(&run);
                }
            }
            42..=58 => {
                let storage = format!("s{}", self.dice.below(STORAGES));
                let answers = [
                    Answers::Well,
                    Answers::NotYet,
                    Answers::NotYet,
                    Answers::With(Class::Destination),
                    Answers::With(Class::Config),
                    Answers::With(Class::Auth),
                    Answers::With(Class::Quota),
                ];
                let answers = self.dice.pick(&answers).expect("one");
                println!("  {storage} answers {answers:?}");
                self.world.answer(&storage, answers);
            }
            59..=62 => {
                let storage = format!("s{}", self.dice.below(STORAGES));
                println!("  update {storage}");
                let config = map(json!({"client": "ours", "token": storage}));
                self.engine().update_storage(&storage, config).await.expect("updated");
            }
            63..=74 => self.forward(self.dice.below(20 * MINUTE)),
            75..=80 => self.forward(self.dice.below(9 * HOUR)),
            81..=83 => self.forward(self.dice.below(80 * HOUR)),
            84..=87 => self.set_back(),
            _ => self.kill().await,
        }
    }

    fn forward(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
        println!("  {seconds} s later it is {}", self.now());
    }

    fn set_back(&mut self) {
        let most = self.dice.pick(&[2 * MINUTE, 2 * MINUTE, 40 * MINUTE, 5 * HOUR]).expect("one");
        self.clock.set_back(Duration::from_secs(1 + self.dice.below(most)));
        println!("  set back to {}", self.now());
        for plan in self.plans.values_mut() {
            plan.is_steady = false;
        }
    }

    async fn add_or_edit(&mut self) {
        let config = self.random_config();
        let now = self.now();
        if self.plans.len() < PLANS && self.dice.percent(70) {
            self.made += 1;
            let (name, storage) = (format!("p{}", self.made), format!("s{}", self.dice.below(STORAGES)));
            println!("  add {name} on {storage} with {config:?}");
            let view = self.engine().add_plan(&name, self.config(&name, &storage, &config)).await;
            let id = view.expect("a plan").id;
            self.plans.insert(name, Believed::new(id, storage, config, now));
        } else if let Some(name) = self.some_plan() {
            println!("  edit {name}: {config:?}");
            let plan = &self.plans[&name];
            let (id, is_another) = (plan.id, plan.config != config);
            let fields = self.config(&name, &plan.storage, &config);
            self.engine().update_plan(&name, fields).await.expect("updated");
            self.plans.get_mut(&name).expect("it is there").edit(config, now);
            let live = self.live().await;
            let is_old = |run: &&LiveRun| {
                let waits = run.state == RunState::Queued && run.attempt == 0 && run.priority == 0;
                run.plan == id && waits
            };
            assert!(!is_another || !live.iter().any(|run| is_old(&run)), "dropped by the edit: {live:?}");
        }
    }

    async fn pause_or_resume_plan(&mut self) {
        let Some(name) = self.some_plan() else { return };
        let now = self.now();
        if self.dice.percent(50) {
            let until = self.dice.percent(60).then(|| {
                now + SignedDuration::from_secs(i64::try_from(1 + self.dice.below(5 * HOUR)).expect("few"))
            });
            println!("  pause {name} until {until:?}");
            self.engine().pause_plan(&name, until).await.expect("paused");
            let plan = self.plans.get_mut(&name).expect("it is there");
            (plan.pause, plan.accounted_until) = (Some(Pause { until }), now);
        } else {
            println!("  resume {name}");
            self.engine().resume_plan(&name).await.expect("resumed");
            self.plans.get_mut(&name).expect("it is there").resume(now);
        }
    }

    async fn act_on_a_run(&mut self) {
        let Some(run) = self.some_run().await else { return };
        let engine = self.engine().clone();
        // What cannot be done in the state that the run is in is refused.
        match self.dice.below(8) {
            0..=2 => {
                let asked = engine.pause_run(run).await;
                println!("  pause {run}: {asked:?}");
                if asked.is_ok() {
                    self.doomed.remove(&run);
                    self.held.insert(run);
                }
            }
            3..=4 => {
                let asked = engine.cancel_run(run).await;
                println!("  cancel {run}: {asked:?}");
                if asked.is_ok() {
                    self.held.remove(&run);
                    self.doomed.insert(run);
                }
            }
            5 => println!("  retry {run}: {:?}", engine.retry_failed(run).await),
            _ => {
                let resumed = engine.resume_run(run).await;
                println!("  resume {run}: {resumed:?}");
                if resumed.is_ok() {
                    self.held.remove(&run);
                }
            }
        }
    }

    /// Everything is answered well, and the clock goes on in small steps: what waits for a moment gets on when it has come.
    pub(super) async fn let_everything_end(&mut self) {
        for storage in 0..STORAGES {
            self.world.answer(&format!("s{storage}"), Answers::Well);
        }
        println!("  everything is answered well from now on");
        for _ in 0..12 {
            self.settle().await;
            self.forward(101 * MINUTE);
        }
        self.settle().await;
        self.judge_stories().await;
    }
}
