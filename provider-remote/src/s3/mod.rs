//! S3-compatible stores.

mod config;
mod fault;
mod store;
mod transport;
mod upload;

use std::sync::Arc;

use charon_provider::{Authorization, Capabilities, Config, Description, Host, Provider, Storage};
use charon_schema::{ConfigSchema, Mistake, Mistakes};
use url::Url;

use self::{
    config::{Fields, Settings},
    store::Store,
};
use crate::storage::{CAPABILITIES, Remote};

/// S3-compatible stores: Amazon's, MinIO, Backblaze B2, Cloudflare R2 and others.
///
/// ```
/// use charon_provider::Provider as _;
///
/// assert_eq!(charon_provider_remote::S3::new().describe().id, "s3");
/// ```
#[derive(Debug)]
pub struct S3 {
    description: Description,
}

impl S3 {
    /// The provider; it is the same every time.
    pub fn new() -> Self {
        Self {
            description: Description {
                id: "s3",
                name: "S3-compatible store",
                summary: "Keeps mirrors in a bucket of Amazon S3, MinIO, Backblaze B2, Cloudflare R2 or another store that \
                          speaks S3. It is a place for files, and has no photos to back up.",
                schema: ConfigSchema::of::<Fields>(),
                consenting: None,
            },
        }
    }
}

impl Default for S3 {
    fn default() -> Self {
        Self::new()
    }
}

impl Provider for S3 {
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
        let reason = "an S3 store asks nobody for consent; its keys are in the configuration".to_owned();
        Err(Mistake { pointer: String::new(), reason }.into())
    }
}
