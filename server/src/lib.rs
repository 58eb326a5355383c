//! Charon over HTTP: the web UI, the API (`/api/v1`), whether it is well (`/healthz`) and its metrics (`/metrics`).
//!
//! It knows the engine's public functions, and neither SQL nor any provider.
//!
//! The rooms within: `connections` (accepting, limits, ending), `crowd` (how many of one address), `patience` (clients that do not
//! read), `guard` (what is refused before anything else), `bodies` (what requests bring), `app` (what every handler is given), `access` (who asks, and what they
//! may), `planning` (what may be said of plans from afar), `api` (the resources, as JSON), `live` (what happens, for those who
//! listen), `ui` (the pages), `drafts`, `consents` and `redirect` (storages that are being made in a browser), `thumbnails` (small
//! pictures of what is home), `ranged` (files and parts of them), and `health` and `metrics` for monitors.

mod access;
mod api;
mod app;
mod bodies;
mod connections;
mod consents;
mod crowd;
mod drafts;
mod guard;
mod health;
mod live;
mod metrics;
mod patience;
mod planning;
mod public_url;
mod ranged;
mod redirect;
mod thumbnails;
mod ui;

use std::{io, net::SocketAddr, path::PathBuf};

use app::App;
use axum::{Router, extract::DefaultBodyLimit, middleware, routing::get};
use charon_engine::Engine;
pub use public_url::{NotPublic, PublicUrl};
pub use thumbnails::draw_thumbnail;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use ui::failing;

/// What a server is started with.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The address under which a reverse proxy shows it, if there is one.
    pub public_url: Option<PublicUrl>,
    /// The folders below which those who come in may name folders.
    pub roots: Vec<PathBuf>,
}

impl ServerSettings {
    /// Only for this machine, at this address.
    pub fn at(listen: SocketAddr) -> Self {
        Self { listen, public_url: None, roots: Vec::new() }
    }

    /// Refuses to be reached by other machines while nobody has set a password: whoever came first would set it.
    pub fn refuse_reachable(&self, has_password: bool) -> Result<(), BindError> {
        match &self.public_url {
            _ if has_password => Ok(()),
            _ if !self.listen.ip().is_loopback() => Err(BindError::Reachable(self.listen.to_string())),
            Some(url) => Err(BindError::Reachable(url.0.to_string())),
            None => Ok(()),
        }
    }
}

/// A port of this machine, listening.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    settings: ServerSettings,
}

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Others could reach it.
    #[error(
        "{0} can be reached by other machines, and there is no password yet: set one with `charon password`, or let \
         CHARON_ADMIN_PASSWORD_FILE name a file that holds one; or listen on a loopback address, such as 127.0.0.1:8484, without \
         --public-url"
    )]
    Reachable(String),
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
    /// Listens.
    ///
    /// # Errors
    /// When other machines could reach it and there is no password; when the address cannot be had.
    pub async fn bind(settings: ServerSettings, has_password: bool) -> Result<Self, BindError> {
        settings.refuse_reachable(has_password)?;
        let address = settings.listen;
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => BindError::Taken(address),
            _ => BindError::Refused { address, source },
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, settings })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `shutdown`; then finishes the answers that have begun, within a few seconds.
    pub async fn serve(self, engine: Engine, shutdown: CancellationToken) {
        let app = App::new(engine, self.address, self.settings, shutdown.clone());
        connections::serve(self.listener, router(&app), app.public_url().is_some(), &shutdown).await;
    }
}

/// What can be asked for.
fn router(app: &App) -> Router {
    let routes = Router::new()
        .route("/healthz", get(health::answer))
        .route("/metrics", get(metrics::answer))
        .merge(api::router())
        .merge(ui::router())
        .fallback(failing::nowhere)
        .with_state(app.clone());
    // The verbs are rewritten before the routes are looked at, so the routes stand behind a router that has none.
    Router::new()
        .fallback_service(routes)
        .layer(middleware::map_request(api::rewrite))
        .layer(middleware::from_fn_with_state(app.clone(), access::gate))
        .layer(DefaultBodyLimit::max(bodies::LARGEST))
        .layer(middleware::from_fn(bodies::hurry))
        .layer(middleware::from_fn_with_state(app.clone(), guard::guard))
}

#[cfg(test)]
mod tests;
