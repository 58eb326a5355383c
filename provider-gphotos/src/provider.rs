//! The provider: what it says of itself, and how a configuration becomes a storage.

use std::sync::Arc;

use charon_provider::{
    Authorization, Capabilities, Config, Consenting, Description, Host, Provider, Storage,
};
use charon_schema::{Mistake, Mistakes};
use secrecy::ExposeSecret;
use url::Url;

use crate::{
    config::{self, ClientSecret, Settings},
    http::Clients,
    oauth::{TokenEndpoint, consent::Asking},
    storage::GPhotosStorage,
};

/// Google Photos.
///
/// ```
/// use charon_provider::Provider as _;
///
/// let gphotos = charon_provider_gphotos::GPhotos::new();
/// assert_eq!(gphotos.describe().id, "gphotos");
/// ```
#[derive(Debug)]
pub struct GPhotos {
    description: Description,
}

impl GPhotos {
    /// The provider; it is the same every time.
    pub fn new() -> Self {
        Self {
            description: Description {
                id: "gphotos",
                name: "Google Photos",
                summary: "Backs up and uploads photos and videos through Google's Library API, which shows an app only \
                          what the app itself has uploaded and gives re-encoded copies without the location.",
                schema: config::schema(),
                consenting: Some(Consenting {
                    field: "token",
                    button: "Connect with Google",
                    words: "Google asks you to choose the account and to allow what Charon asks for: leave every box ticked. \
                            If Google says that the app is not verified, that is your own client from the Cloud console: \
                            choose Advanced, then go on. A client whose consent screen is in \"Testing\" is stopped every 7 \
                            days; publish the app to keep its consent.",
                    instead: "the token that `charon authorize` or `rclone authorize` has printed",
                }),
            },
        }
    }
}

impl Default for GPhotos {
    fn default() -> Self {
        Self::new()
    }
}

impl Provider for GPhotos {
    fn describe(&self) -> &Description {
        &self.description
    }

    fn capabilities(&self) -> Option<Capabilities> {
        Some(Capabilities {
            list: true,
            download: true,
            upload: true,
            albums: true,
            previews: true,
            destination: false,
        })
    }

    fn open(&self, config: Config, host: Arc<dyn Host>) -> Result<Arc<dyn Storage>, Mistakes> {
        let settings = Settings::read(&config, &self.description.schema)?;
        let clients = clients(&[&settings.api_url, &settings.token_url])?;
        Ok(Arc::new(GPhotosStorage::new(settings, config.secrets, config.revision, clients, host)))
    }

    fn authorize(
        &self,
        config: Config,
        redirect: &Url,
        host: Arc<dyn Host>,
    ) -> Result<Box<dyn Authorization>, Mistakes> {
        let settings = Settings::read_before_consent(&config, &self.description.schema)?;
        let clients = Arc::new(clients(&[&settings.token_url])?);
        let field = config.secrets.get("client_secret").map_or("", |secret| secret.expose_secret());
        let secret = ClientSecret::read(field).unwrap_or_default().secret;
        let endpoint =
            TokenEndpoint { client_id: settings.client_id, url: settings.token_url, clients, host };
        Ok(Box::new(Asking::begin(settings.auth_url, redirect, endpoint, secret, settings.read_only)))
    }
}

/// Clients that can speak to all of these.
fn clients(endpoints: &[&Url]) -> Result<Clients, Mistakes> {
    let of_the_whole = |reason: String| Mistake { pointer: String::new(), reason };
    let clients =
        Clients::new().map_err(|words| of_the_whole(format!("no HTTP client can be made: {words}")))?;
    if endpoints.iter().any(|url| url.scheme() == "https") {
        clients.can_be_private().map_err(|words| {
            of_the_whole(format!(
                "https cannot be spoken: {words}; install your system's CA certificates (ca-certificates) \
                 or let SSL_CERT_FILE name a file with them"
            ))
        })?;
    }
    Ok(clients)
}
