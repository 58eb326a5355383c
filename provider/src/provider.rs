//! A provider: a kind of storage that describes itself.

use std::{fmt, sync::Arc};

use charon_schema::{ConfigSchema, Mistakes};

use crate::{Config, Host, Storage};

/// What a provider says of itself before anything is configured.
#[derive(Debug)]
pub struct Description {
    /// Short, stable, lower case: `gphotos`. It is stored with every storage.
    pub id: &'static str,
    /// What people call it: `Google Photos`.
    pub name: &'static str,
    /// One sentence on what it does and what it cannot.
    pub summary: &'static str,
    /// The schema of its configuration.
    pub schema: ConfigSchema,
}

/// A kind of storage, compiled in.
pub trait Provider: Send + Sync + fmt::Debug {
    /// What it is called and how it is configured.
    fn describe(&self) -> &Description;

    /// Makes a storage of a configuration. Sends no request. A configuration that the schema refuses is given too, so that
    /// all its mistakes can be told at once; no storage comes of it.
    ///
    /// # Errors
    /// Every mistake in the configuration that the schema cannot express (a token that cannot be read, an endpoint
    /// that is no URL), with the path to the field.
    fn open(&self, config: Config, host: Arc<dyn Host>) -> Result<Arc<dyn Storage>, Mistakes>;
}
