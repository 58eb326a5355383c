//! What every handler is given.

use std::{net::SocketAddr, sync::Arc};

use axum::extract::FromRef;
use charon_engine::Engine;
use tokio_util::sync::CancellationToken;

/// The engine, and what this server was started with. Cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Inner>);

struct Inner {
    engine: Engine,
    address: SocketAddr,
    shutdown: CancellationToken,
}

impl App {
    pub(crate) fn new(engine: Engine, address: SocketAddr, shutdown: CancellationToken) -> Self {
        Self(Arc::new(Inner { engine, address, shutdown }))
    }

    /// The engine.
    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// Where the server listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Cancelled when the server is to end: answers that go on and on end then.
    pub(crate) fn shutdown(&self) -> &CancellationToken {
        &self.0.shutdown
    }
}

impl FromRef<App> for Engine {
    fn from_ref(app: &App) -> Self {
        app.0.engine.clone()
    }
}
