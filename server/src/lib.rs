//! Charon over HTTP: the web UI, the API (`/api/v1`), whether it is well (`/healthz`) and its metrics (`/metrics`).
//!
//! It knows the engine's public functions, and neither SQL nor any provider.
//!
//! The rooms within: `connections` (accepting, limits, ending), `patience` (clients that do not read), `guard` (what is refused
//! before anything else), `app` (what every handler is given), `access` (who asks, and what they may), `api` (the resources, as
//! JSON), `ui` (the pages), and `health` and `metrics` for monitors.

mod access;
mod api;
mod app;
mod connections;
mod guard;
mod health;
mod metrics;
mod patience;
mod ui;

use std::{io, net::SocketAddr};

use app::App;
use axum::{Router, middleware, routing::get};
use charon_engine::Engine;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use ui::failing::Failing;

/// A port of this machine, listening.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Others could reach it.
    #[error(
        "{0} can be reached by other machines, and there is no password yet: listen on a loopback address, such as \
         127.0.0.1:8484, and reach it from elsewhere through a tunnel (ssh -L)"
    )]
    Reachable(SocketAddr),
    /// Somebody listens there already.
    #[error(
        "something else listens on {0} already: choose another port with --listen (port 0 takes a free one), or do without \
         with --no-http"
    )]
    Taken(SocketAddr),
    /// Another reason.
    #[error("failed to listen on {address}: {source}")]
    Refused {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

impl Server {
    /// Refuses an address that other machines can reach, without listening on it.
    pub fn refuse_reachable(address: SocketAddr) -> Result<(), BindError> {
        if address.ip().is_loopback() { Ok(()) } else { Err(BindError::Reachable(address)) }
    }

    /// Listens on a loopback address; on a free port for port 0.
    pub async fn bind(address: SocketAddr) -> Result<Self, BindError> {
        Self::refuse_reachable(address)?;
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => BindError::Taken(address),
            _ => BindError::Refused { address, source },
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `shutdown`; then finishes the answers that have begun, within a few seconds.
    pub async fn serve(self, engine: Engine, shutdown: CancellationToken) {
        let app = App::new(engine, self.address, shutdown.clone());
        connections::serve(self.listener, router(&app), &shutdown).await;
    }
}

/// What can be asked for.
fn router(app: &App) -> Router {
    let routes = Router::new()
        .route("/healthz", get(health::answer))
        .route("/metrics", get(metrics::answer))
        .merge(api::router(app))
        .merge(ui::router())
        .fallback(|| async { Failing::not_found("page") })
        .with_state(app.clone());
    // The verbs are rewritten before the routes are looked at, so the routes stand behind a router that has none.
    Router::new()
        .fallback_service(routes)
        .layer(middleware::map_request(api::rewrite))
        .layer(middleware::from_fn(guard::guard))
}

#[cfg(test)]
mod tests;
