//! Charon over HTTP, on this machine alone: whether it is well (`/healthz`) and its metrics (`/metrics`).
//!
//! It knows the engine's public functions, and neither SQL nor any provider. There is no password yet, so it listens on loopback
//! addresses and answers to loopback names only: a page of another site whose name is made to point here is refused.
//!
//! The rooms within: `connections` (accepting, limits, ending), `patience` (clients that do not read), `guard` (what is refused
//! before anything else), and one for each thing that can be asked for: `health`, `metrics`.

mod connections;
mod guard;
mod health;
mod metrics;
mod patience;

use std::{io, net::SocketAddr};

use axum::{Router, http::StatusCode, middleware, response::IntoResponse, routing::get};
use charon_engine::Engine;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

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
        connections::serve(self.listener, router(engine), &shutdown).await;
    }
}

/// What can be asked for.
fn router(engine: Engine) -> Router {
    Router::new()
        .route("/healthz", get(health::answer))
        .route("/metrics", get(metrics::answer))
        .fallback(|| async { (StatusCode::NOT_FOUND, "there is nothing here\n").into_response() })
        .layer(middleware::from_fn(guard::guard))
        .with_state(engine)
}

#[cfg(test)]
mod tests;
