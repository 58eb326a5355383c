//! WebDAV servers.

mod client;
mod config;
mod fault;
mod multistatus;
mod store;
mod writing;

use std::sync::Arc;

use charon_provider::{Authorization, Capabilities, Config, Description, Host, Provider, Storage};
use charon_schema::{ConfigSchema, Mistake, Mistakes};
use url::Url;

use self::{
    config::{Fields, Settings},
    store::Store,
};
use crate::storage::{CAPABILITIES, Remote};

/// WebDAV servers: Nextcloud, ownCloud, a NAS, Apache and others.
///
/// ```
/// use charon_provider::Provider as _;
///
/// assert_eq!(charon_provider_remote::WebDav::new().describe().id, "webdav");
/// ```
#[derive(Debug)]
pub struct WebDav {
    description: Description,
}

impl WebDav {
    /// The provider; it is the same every time.
    pub fn new() -> Self {
        Self {
            description: Description {
                id: "webdav",
                name: "WebDAV server",
                summary: "Keeps mirrors in a folder of Nextcloud, ownCloud, a NAS or another server that speaks WebDAV. It \
                          is a place for files, and has no photos to back up.",
                schema: ConfigSchema::of::<Fields>(),
                consenting: None,
            },
        }
    }
}

impl Default for WebDav {
    fn default() -> Self {
        Self::new()
    }
}

impl Provider for WebDav {
    fn describe(&self) -> &Description {
        &self.description
    }

    fn capabilities(&self) -> Option<Capabilities> {
        Some(CAPABILITIES)
    }

    fn open(&self, config: Config, host: Arc<dyn Host>) -> Result<Arc<dyn Storage>, Mistakes> {
        let settings = Settings::read(&config, &self.description.schema)?;
        let store = Store::open(settings, host)
            .map_err(|reason| Mistakes::from(Mistake { pointer: String::new(), reason }))?;
        Ok(Arc::new(Remote::new(store, self.description.id)))
    }

    fn authorize(
        &self,
        _config: Config,
        _redirect: &Url,
        _host: Arc<dyn Host>,
    ) -> Result<Box<dyn Authorization>, Mistakes> {
        let reason =
            "a WebDAV server asks nobody for consent; user and password are in the configuration".to_owned();
        Err(Mistake { pointer: String::new(), reason }.into())
    }
}
