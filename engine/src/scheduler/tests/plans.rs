//! What the scheduler knows of the plans: pauses that end, clocks that are set back, changes that must not be overlooked.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::instant;
use crate::{
    clock::{Clock, ManualClock, SystemEntropy},
    engine::{Engine, Settings},
    ids::{PlanId, StorageId},
    registry::Registry,
    scheduler::plans::Plans,
    store::{PlanRow, StorageRow},
    timing::Pause,
};

struct Shelf {
    engine: Engine,
    clock: Arc<ManualClock>,
    storage: StorageId,
    _folder: tempfile::TempDir,
}

impl Shelf {
    /// At twelve o'clock.
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(ManualClock::at(instant("2026-01-10T12:00:00Z")));
        let settings = Settings {
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            ..Settings::new(folder.path().join("data"), Registry::default())
        };
        let engine = Engine::open(settings).await.expect("an engine");
        let storage = StorageId::new(&*clock, &SystemEntropy);
        let row = StorageRow {
            id: storage,
            name: "family".into(),
            provider: "none".into(),
            config: serde_json::Map::new(),
            secrets: Vec::new(),
            secrets_revision: 1,
            identity: None,
            created_at: clock.now(),
            revision: 0,
            account_name: None,
            consented_at: None,
            renewed_at: None,
        };
        engine.store.add_storage(&row).await.expect("stored");
        Self { engine, clock, storage, _folder: folder }
    }

    /// A plan that is due every hour.
    async fn add(&self, name: &str) -> PlanId {
        let config = json!({
            "kind": "backup", "storage": "family", "destination": "/nowhere", "selection": {"favourites": false},
            "full_listing_hours": 24, "schedule": {"cron": "0 * * * *", "timezone": "UTC"}, "policy": {"retries": 0},
        });
        let Value::Object(config) = config else { panic!("an object") };
        let row = PlanRow {
            id: PlanId::new(&*self.clock, &SystemEntropy),
            name: name.into(),
            storage_id: self.storage,
            config,
            mirror_ready: true,
            created_at: self.clock.now(),
            revision: 0,
            decided_until: Some(self.clock.now()),
            paused_at: None,
            paused_until: None,
            is_inbox: false,
        };
        assert!(self.engine.store.add_plan(&row).await.expect("stored"));
        row.id
    }

    async fn refresh(&self, plans: &mut Plans) {
        plans.refresh(&self.engine, self.clock.now()).await.expect("read");
    }

    async fn row(&self, plan: PlanId) -> PlanRow {
        self.engine.store.plan_by_id(plan).await.expect("a row").expect("it is there")
    }
}

fn hour(hour: u32) -> Timestamp {
    instant(&format!("2026-01-10T{hour:02}:00:00Z"))
}

#[tokio::test]
async fn a_plan_that_takes_the_place_of_a_removed_one_is_not_overlooked() {
    let (shelf, mut plans) = (Shelf::new().await, Plans::default());
    shelf.add("first").await;
    let second = shelf.add("second").await;
    shelf.refresh(&mut plans).await;
    // As many plans as before; and the one with the latest change is another one.
    shelf.engine.store.remove_plan(second, "second", shelf.clock.now()).await.expect("removed");
    let third = shelf.add("third").await;
    shelf.refresh(&mut plans).await;
    assert!(plans.get(third).is_some() && plans.get(second).is_none());
}

#[tokio::test]
async fn what_is_due_between_the_end_of_a_pause_and_the_moment_at_which_it_is_seen_is_not_lost() {
    // I3
    let (shelf, mut plans) = (Shelf::new().await, Plans::default());
    let plan = shelf.add("home").await;
    let until = hour(14) + SignedDuration::from_mins(30);
    shelf.engine.pause_plan("home", Some(until)).await.expect("paused");
    let paused = shelf.row(plan).await;
    assert_eq!(paused.paused_until, Some(until));
    shelf.refresh(&mut plans).await;
    assert_eq!((plans.due(hour(14)), plans.next()), (Vec::new(), Some(until)));
    // Nobody was there when it ended.
    shelf.clock.advance(Duration::from_hours(5));
    plans.end_pauses(&shelf.engine, shelf.clock.now()).await.expect("ended");
    shelf.refresh(&mut plans).await;
    let row = shelf.row(plan).await;
    assert_eq!((row.paused_at, row.decided_until), (None, Some(until)));
    assert_eq!((plans.due(shelf.clock.now()), plans.next()), (vec![plan], Some(hour(15))));
}

#[tokio::test]
async fn a_pause_that_was_changed_meanwhile_is_not_ended() {
    let (shelf, mut plans) = (Shelf::new().await, Plans::default());
    let plan = shelf.add("home").await;
    let pause = async |until| {
        let row = shelf.row(plan).await;
        let named = (plan, "home", row.revision);
        shelf.engine.store.pause_plan(named, Some(until), hour(12), hour(12)).await.expect("written")
    };
    assert!(pause(Pause { until: Some(hour(13)) }).await);
    shelf.refresh(&mut plans).await;
    assert!(pause(Pause { until: None }).await);
    plans.end_pauses(&shelf.engine, hour(14)).await.expect("looked at");
    assert!(shelf.row(plan).await.paused_at.is_some(), "somebody has paused it for good");
}

#[tokio::test]
async fn resuming_a_plan_that_is_not_paused_drops_nothing_that_is_due() {
    let shelf = Shelf::new().await;
    let plan = shelf.add("home").await;
    shelf.clock.advance(Duration::from_hours(2));
    shelf.engine.resume_plan("home").await.expect("looked at");
    assert_eq!(shelf.row(plan).await.decided_until, Some(hour(12)));
}

#[tokio::test]
async fn a_clock_that_was_set_back_is_followed_and_that_is_remembered() {
    let (shelf, mut plans) = (Shelf::new().await, Plans::default());
    let plan = shelf.add("home").await;
    shelf.refresh(&mut plans).await;
    assert_eq!(plans.next(), Some(hour(13)));
    // By a little: all of it was decided before.
    shelf.clock.set_back(Duration::from_secs(30));
    plans.set_back(&shelf.engine, shelf.clock.now()).await.expect("set back");
    assert_eq!((plans.next(), shelf.row(plan).await.decided_until), (Some(hour(13)), Some(hour(12))));
    // By much: nobody waits until it is as late again.
    shelf.clock.set_back(Duration::from_hours(3));
    plans.set_back(&shelf.engine, shelf.clock.now()).await.expect("set back");
    assert_eq!(plans.next(), Some(hour(9)));
    // Whoever begins anew later on knows that nothing has been decided since then.
    shelf.clock.advance(Duration::from_hours(2));
    let mut anew = Plans::default();
    shelf.refresh(&mut anew).await;
    assert_eq!(anew.next(), Some(hour(9)));
    assert_eq!(anew.due(shelf.clock.now()), [plan]);
}

#[tokio::test]
async fn a_start_after_the_clock_was_set_back_follows_it_and_remembers_that() {
    let shelf = Shelf::new().await;
    shelf.add("home").await;
    shelf.clock.set_back(Duration::from_mins(210));
    for hours in [0, 2] {
        shelf.clock.advance(Duration::from_hours(hours));
        let mut plans = Plans::default();
        shelf.refresh(&mut plans).await;
        assert_eq!(plans.next(), Some(hour(9)));
    }
}
