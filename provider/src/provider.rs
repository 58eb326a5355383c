//! A provider: a kind of storage that describes itself.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use charon_schema::{ConfigSchema, Mistakes};
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Serialize;
use url::Url;

use crate::{Capabilities, Config, Error, Host, Storage};

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
    /// How people are asked for their consent, if they are.
    pub consenting: Option<Consenting>,
}

/// How people are asked for their consent, in the provider's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Consenting {
    /// The field of the configuration that a consent fills in.
    pub field: &'static str,
    /// What the button says: `Connect with Google`.
    pub button: &'static str,
    /// What happens then, and what to look out for: a few sentences.
    pub words: &'static str,
    /// What may be pasted in place of a consent: `a token that rclone has printed`.
    pub instead: &'static str,
}

/// A kind of storage, compiled in.
pub trait Provider: Send + Sync + fmt::Debug {
    /// What it is called and how it is configured.
    fn describe(&self) -> &Description;

    /// The most that a storage of this provider can do, before any is configured; what one can do is among its
    /// [facts](Storage::facts). `None` if that depends on the configuration alone.
    fn capabilities(&self) -> Option<Capabilities> {
        None
    }

    /// Makes a storage of a configuration. Sends no request. A configuration that the schema refuses is given too, so that
    /// all its mistakes can be told at once; no storage comes of it.
    ///
    /// # Errors
    /// Every mistake in the configuration that the schema cannot express (a token that cannot be read, an endpoint
    /// that is no URL), with the path to the field.
    fn open(&self, config: Config, host: Arc<dyn Host>) -> Result<Arc<dyn Storage>, Mistakes>;

    /// Begins to ask a person for consent in the browser. The configuration need not have what a consent gives (a token).
    /// `redirect` is where the browser is sent afterwards. Sends no request.
    ///
    /// # Errors
    /// Every mistake in the configuration that stands in the way.
    fn authorize(
        &self,
        config: Config,
        redirect: &Url,
        host: Arc<dyn Host>,
    ) -> Result<Box<dyn Authorization>, Mistakes>;
}

/// A consent that is being asked for.
#[async_trait]
pub trait Authorization: Send + Sync {
    /// The page where a person gives it.
    fn url(&self) -> &Url;

    /// Turns what came back into a secret of the configuration. `answer` is the URL that the browser was sent to, whole
    /// or from its `?` on.
    ///
    /// # Errors
    /// When it was refused, is of another asking, or gives fewer rights than are needed.
    async fn redeem(&self, answer: &str) -> Result<Consent, Error>;
}

/// What a consent gave.
#[derive(Debug)]
pub struct Consent {
    /// The field of the configuration that it belongs into.
    pub field: &'static str,
    /// Its value.
    pub value: SecretString,
    /// The account, as people know it (an e-mail address), if that was told.
    pub account: Option<String>,
    /// The account's id that stays, as [`Host::account`] is told it, if that was told with the consent.
    pub account_id: Option<String>,
}
