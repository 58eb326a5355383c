//! The engine as a whole, with a provider that speaks to nobody.

mod account;
mod browsing;
mod budget;
mod changing;
mod dashboard;
mod estimates;
mod fake;
mod inbox;
mod library;
mod model;
mod planning;
mod put;
mod restoring;
mod runs;
mod scheduling;
mod telling;
mod unsaved;

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::{
    clock::{Clock, SystemClock, SystemEntropy},
    engine::{Engine, Settings},
    ids::RunId,
    registry::Registry,
    run::Summary,
    store::Assigned,
};
use fake::{Fake, World};

/// An engine on a folder of its own, and the world that its provider sees.
struct Place {
    engine: Engine,
    world: Arc<World>,
    clock: Arc<dyn Clock>,
    folder: tempfile::TempDir,
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

/// The configuration of a storage with this token.
fn config(token: &str) -> Map<String, Value> {
    map(json!({"client": "ours", "token": token}))
}

impl Place {
    async fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock)).await
    }

    async fn with_clock(clock: Arc<dyn Clock>) -> Self {
        let (world, folder) = (Arc::new(World::default()), tempfile::tempdir().expect("a folder"));
        let engine = Self::open(&world, &folder, &clock).await;
        Self { engine, world, clock, folder }
    }

    /// Another engine on the same folder, as another process has it.
    async fn another_engine(&self) -> Engine {
        Self::open(&self.world, &self.folder, &self.clock).await
    }

    async fn open(world: &Arc<World>, folder: &tempfile::TempDir, clock: &Arc<dyn Clock>) -> Engine {
        let registry = Registry::default().with(Fake::new(Arc::clone(world)));
        let settings = Settings::new(folder.path().join("data"), registry);
        Engine::open(Settings { clock: Arc::clone(clock), ..settings }).await.expect("an engine")
    }

    async fn add_storage(&self, token: &str) {
        self.engine.add_storage("family", "fake", config(token)).await.expect("a storage");
    }

    async fn add_backup(&self) {
        let plan =
            json!({"kind": "backup", "storage": "family", "destination": self.folder.path().join("mirror")});
        self.engine.add_plan("home", map(plan)).await.expect("a plan");
    }

    fn upload_plan(&self) -> Map<String, Value> {
        let pictures = self.folder.path().join("pictures");
        std::fs::create_dir_all(&pictures).expect("a folder");
        map(json!({"kind": "upload", "storage": "family", "sources": [pictures]}))
    }

    async fn run(&self, plan: &str) -> Summary {
        self.engine.start(plan).await.expect("a run").finished().await.expect("its end")
    }

    /// Puts what the account of this token holds into the ledger, as a listing does.
    async fn learn(&self, token: &str) {
        let engine = &self.engine;
        let plan = engine.plan("home").await.expect("a plan").id;
        let storage = engine.storage("family").await.expect("a storage").id;
        let (now, run) = (engine.clock.now(), RunId::new(&*engine.clock, &SystemEntropy));
        let attempt = engine.store.start_run(run, plan, now).await.expect("a run");
        let items = self.world.items_of(token);
        let listed: Vec<Assigned<'_>> = items
            .iter()
            .map(|item| Assigned {
                remote_id: &item.id,
                file_name: &item.file_name,
                mime_type: &item.mime_type,
                taken_at: item.taken_at,
                description: None,
                camera: (None, None),
                asset_id: None,
                path: None,
            })
            .collect();
        engine.store.record_page(plan, storage, attempt, now, &listed).await.expect("recorded");
        engine.store.give_up_runs().await;
    }
}
