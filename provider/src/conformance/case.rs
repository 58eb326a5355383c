//! One case while it is tried: its worlds, what was seen, and what is wrong.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Map, Value};

use super::{Cannot, Fixture, Outcome, World, host::TestHost};
use crate::{Albums, Check, Config, Error, Host, Provider, Revision, Secrets, Sink, Source, Storage};

/// Why a case ends before its end.
pub(super) enum Stop {
    /// The promise is broken in such a way that nothing more can be tried.
    Failed(String),
    /// It cannot be tried.
    Skipped(String),
}

/// How a case ends.
pub(super) type Ends = Result<(), Stop>;

impl From<Cannot> for Stop {
    fn from(Cannot(why): Cannot) -> Self {
        Self::Skipped(why)
    }
}

/// One case while it is tried.
pub(super) struct Case<'a> {
    pub(super) fixture: &'a dyn Fixture,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    problems: Vec<String>,
    worlds: Vec<Arc<dyn World>>,
    /// What the provider printed, and where: searched for secrets at the end.
    printed: Vec<(String, String)>,
}

impl<'a> Case<'a> {
    pub(super) fn new(fixture: &'a dyn Fixture) -> Self {
        Self { fixture, seen: Mutex::default() }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something that has to hold; the case goes on either way.
    pub(super) fn expect(&self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            let problem = otherwise();
            self.seen().problems.push(problem);
        }
    }

    /// Something that has to succeed for the case to go on.
    pub(super) fn fine<T>(&self, doing: &str, result: Result<T, Error>) -> Result<T, Stop> {
        result.map_err(|error| {
            self.note(&error);
            Stop::Failed(format!("{doing}: {error} [{:?}, {:?}]", error.class, error.reason))
        })
    }

    /// Something that has to fail for the case to go on.
    pub(super) fn fails<T>(&self, doing: &str, result: Result<T, Error>) -> Result<Error, Stop> {
        let error = result.err().ok_or_else(|| Stop::Failed(format!("{doing}: this should have failed")))?;
        self.note(&error);
        Ok(error)
    }

    /// Remembers an error, to search it for secrets.
    fn note(&self, error: &Error) {
        self.printed("an error", error);
        self.seen().printed.push(("an error".into(), error.to_string()));
    }

    /// Remembers what something prints for developers, to search it for secrets.
    pub(super) fn printed(&self, what: &str, value: &(impl Debug + ?Sized)) {
        let texts = [format!("{value:?}"), format!("{value:#?}")];
        self.seen().printed.extend(texts.map(|text| (what.to_owned(), text)));
    }

    /// Remembers a stage of a connection test, to search it for secrets.
    pub(super) fn told(&self, check: &Check) {
        self.printed(&format!("the stage {:?}", check.stage), check);
    }

    pub(super) fn provider(&self) -> Arc<dyn Provider> {
        self.fixture.provider()
    }

    pub(super) async fn world(&self) -> Arc<dyn World> {
        let world = self.fixture.world().await;
        self.seen().worlds.push(Arc::clone(&world));
        world
    }

    /// A configuration as the engine gives it: with its secrets apart.
    pub(super) fn config(&self, fields: Map<String, Value>, revision: Revision) -> Config {
        let (fields, secrets) = self.provider().describe().schema.split(fields);
        Config { fields, secrets: Secrets::new(secrets), revision }
    }

    /// A storage on an account of its own.
    pub(super) async fn open(&self) -> Result<Opened, Stop> {
        let world = self.world().await;
        let config = world.config();
        self.open_with(&world, config)
    }

    /// A storage on the account of a world, with this configuration.
    pub(super) fn open_with(
        &self,
        world: &Arc<dyn World>,
        config: Map<String, Value>,
    ) -> Result<Opened, Stop> {
        let config = self.config(config, Revision::default());
        let host = Arc::new(TestHost::new(Arc::clone(world), config.secrets.clone()));
        self.open_on(world, &host, config)
    }

    /// The same account, opened once more with what is stored now, as another process would.
    pub(super) fn open_again(&self, opened: &Opened) -> Result<Opened, Stop> {
        let (secrets, revision) = opened.host.stored();
        let config = Config { fields: opened.fields.clone(), secrets, revision };
        self.open_on(&opened.world, &opened.host, config)
    }

    fn open_on(&self, world: &Arc<dyn World>, host: &Arc<TestHost>, config: Config) -> Result<Opened, Stop> {
        let fields = config.fields.clone();
        let storage = self
            .provider()
            .open(config, Arc::clone(host) as Arc<dyn Host>)
            .map_err(|mistakes| Stop::Failed(format!("a right configuration is refused: {mistakes}")))?;
        Ok(Opened { world: Arc::clone(world), host: Arc::clone(host), storage, fields })
    }

    /// What came of the case.
    pub(super) fn judge(self, ended: Ends) -> Outcome {
        let Seen { mut problems, worlds, printed } =
            self.seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        let secrets: Vec<String> = worlds.iter().flat_map(|world| world.secrets()).collect();
        for (what, text) in printed {
            // The secret itself is not repeated here either.
            if secrets.iter().any(|secret| !secret.is_empty() && text.contains(secret)) {
                problems.push(format!("a secret can be read in what is printed of {what}"));
            }
        }
        match ended {
            Err(Stop::Failed(problem)) => problems.push(problem),
            Err(Stop::Skipped(why)) if problems.is_empty() => return Outcome::Skipped(why),
            Ok(()) | Err(Stop::Skipped(_)) => {}
        }
        if problems.is_empty() { Outcome::Kept } else { Outcome::Broken(problems) }
    }
}

/// A storage that was opened, and the account behind it.
pub(super) struct Opened {
    pub(super) world: Arc<dyn World>,
    pub(super) host: Arc<TestHost>,
    pub(super) storage: Arc<dyn Storage>,
    fields: Map<String, Value>,
}

impl Opened {
    pub(super) fn source(&self) -> Result<&dyn Source, Stop> {
        self.storage.source().ok_or_else(|| Stop::Skipped("the storage gives nothing".into()))
    }

    pub(super) fn sink(&self) -> Result<&dyn Sink, Stop> {
        self.storage.sink().ok_or_else(|| Stop::Skipped("the storage takes nothing".into()))
    }

    pub(super) fn albums(&self) -> Result<&dyn Albums, Stop> {
        self.storage.albums().ok_or_else(|| Stop::Skipped("the storage has no albums".into()))
    }
}
