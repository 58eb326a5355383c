//! What every handler is given.

use std::{net::SocketAddr, sync::Arc};

use axum::extract::FromRef;
use charon_engine::{Engine, Roots};
use jiff::tz::TimeZone;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    ServerSettings,
    access::{Limiter, Refusals},
    consents::Consents,
    drafts::Drafts,
    live::Hub,
    planning::PREVIEWS,
    thumbnails::Thumbnails,
};

/// The engine, and what this server was started with. Cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Inner>);

struct Inner {
    engine: Engine,
    address: SocketAddr,
    shutdown: CancellationToken,
    public_url: Option<Url>,
    roots: Roots,
    logins: Limiter,
    refusals: Refusals,
    hub: Hub,
    thumbnails: Thumbnails,
    drafts: Drafts,
    consents: Consents,
    previews: Semaphore,
}

impl App {
    /// `address` is where it really listens.
    pub(crate) fn new(
        engine: Engine,
        address: SocketAddr,
        settings: ServerSettings,
        shutdown: CancellationToken,
    ) -> Self {
        let roots = Roots::new(settings.roots, &engine);
        let public_url = settings.public_url.map(|url| url.0);
        let hub = Hub::new(engine.clone(), shutdown.clone());
        let thumbnails = Thumbnails::new(engine.data_dir());
        Self(Arc::new(Inner {
            engine,
            address,
            shutdown,
            public_url,
            roots,
            logins: Limiter::default(),
            refusals: Refusals::default(),
            drafts: Drafts::default(),
            consents: Consents::default(),
            previews: Semaphore::new(PREVIEWS),
            hub,
            thumbnails,
        }))
    }

    /// The storages that are being made or changed in browsers.
    pub(crate) fn drafts(&self) -> &Drafts {
        &self.0.drafts
    }

    /// The consents that are being asked for.
    pub(crate) fn consents(&self) -> &Consents {
        &self.0.consents
    }

    /// Whoever makes a preview holds one of these.
    pub(crate) fn previews(&self) -> &Semaphore {
        &self.0.previews
    }

    /// The engine.
    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// The small pictures of what is home.
    pub(crate) fn thumbnails(&self) -> &Thumbnails {
        &self.0.thumbnails
    }

    /// Where the server listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Where those who listen are told what happens.
    pub(crate) fn hub(&self) -> &Hub {
        &self.0.hub
    }

    /// Cancelled when the server is to end: answers that go on and on end then.
    pub(crate) fn shutdown(&self) -> &CancellationToken {
        &self.0.shutdown
    }

    /// The address under which a reverse proxy shows it, if there is one.
    pub(crate) fn public_url(&self) -> Option<&Url> {
        self.0.public_url.as_ref()
    }

    /// The folders below which folders may be named.
    pub(crate) fn roots(&self) -> &Roots {
        &self.0.roots
    }

    /// How often a password may be tried.
    pub(crate) fn logins(&self) -> &Limiter {
        &self.0.logins
    }

    /// What was refused, and is not written down each time.
    pub(crate) fn refusals(&self) -> &Refusals {
        &self.0.refusals
    }

    /// The time zone in which times are shown.
    pub(crate) async fn time_zone(&self) -> TimeZone {
        let settings = self.0.engine.instance_settings().await;
        settings
            .ok()
            .and_then(|settings| TimeZone::get(&settings.value.time_zone).ok())
            .unwrap_or(TimeZone::UTC)
    }
}

impl FromRef<App> for Engine {
    fn from_ref(app: &App) -> Self {
        app.0.engine.clone()
    }
}
