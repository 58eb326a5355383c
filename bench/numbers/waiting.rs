//! The yardstick: the same program, made to wait for each batch to be committed before it sends the next.

use std::{path::PathBuf, sync::Arc};

use charon_engine::{Engine, Registry, Settings};
use charon_provider::{
    Albums, Authorization, Check, Config, Description, Facts, Host, Mistakes, Provider, Sink, Source, Storage,
};
use charon_provider_gphotos::GPhotos;
use futures::stream::BoxStream;
use url::Url;

/// The argument that makes this program the yardstick.
pub(crate) const AS_YARDSTICK: &str = "--wait-for-each-batch";

/// Runs a plan of a data directory: `--wait-for-each-batch DIR PLAN`. Prints the summary as `charon run --json` does.
pub(crate) async fn run(arguments: &[String]) {
    let [data_dir, plan] = arguments else { panic!("a data directory and a plan, and not {arguments:?}") };
    let registry = Registry::default().with(Waiting(GPhotos::new()));
    let engine = Engine::open(Settings::new(PathBuf::from(data_dir), registry)).await.expect("an engine");
    let run = engine.start(plan).await.expect("a run");
    let summary = run.finished().await.expect("a summary");
    println!("{}", serde_json::to_string(&summary).expect("JSON"));
    engine.close().await;
}

/// Google Photos, of which no more is staged than one batch.
#[derive(Debug)]
struct Waiting(GPhotos);

#[derive(Debug)]
struct WaitingStorage {
    storage: Arc<dyn Storage>,
    facts: Facts,
}

impl Provider for Waiting {
    fn describe(&self) -> &Description {
        self.0.describe()
    }

    fn open(&self, config: Config, host: Arc<dyn Host>) -> Result<Arc<dyn Storage>, Mistakes> {
        let storage = self.0.open(config, host)?;
        let mut facts = storage.facts().clone();
        facts.batch.staged = facts.batch.size;
        Ok(Arc::new(WaitingStorage { storage, facts }))
    }

    fn authorize(
        &self,
        config: Config,
        redirect: &Url,
        host: Arc<dyn Host>,
    ) -> Result<Box<dyn Authorization>, Mistakes> {
        self.0.authorize(config, redirect, host)
    }
}

impl Storage for WaitingStorage {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn test(&self) -> BoxStream<'_, Check> {
        self.storage.test()
    }

    fn source(&self) -> Option<&dyn Source> {
        self.storage.source()
    }

    fn sink(&self) -> Option<&dyn Sink> {
        self.storage.sink()
    }

    fn albums(&self) -> Option<&dyn Albums> {
        self.storage.albums()
    }
}
