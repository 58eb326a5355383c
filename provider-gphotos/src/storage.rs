//! One Google Photos account, ready to be used: the rooms of the contract, each in its own file, over one API client.

use std::{fmt, sync::Arc};

use charon_provider::{Albums, Check, Facts, Host, Revision, Secrets, Sink, Source, Storage};
use futures::stream::BoxStream;
use url::Url;

use crate::{
    api::{Api, Media},
    check::{self, Subjects},
    config::Settings,
    facts,
    http::Clients,
    oauth::{Session, TokenEndpoint},
    originals::Originals,
};

/// One account.
pub(crate) struct GPhotosStorage {
    pub(crate) api: Api,
    pub(crate) media: Media,
    pub(crate) originals: Option<Originals>,
    endpoint: Arc<TokenEndpoint>,
    proxy: Option<Url>,
    facts: Facts,
}

impl GPhotosStorage {
    pub(crate) fn new(
        settings: Settings,
        secrets: Secrets,
        revision: Revision,
        clients: Clients,
        host: Arc<dyn Host>,
    ) -> Self {
        let facts = facts::of(&settings);
        let clients = Arc::new(clients);
        let endpoint = Arc::new(TokenEndpoint {
            client_id: settings.client_id,
            url: settings.token_url,
            clients: Arc::clone(&clients),
            host: Arc::clone(&host),
        });
        let session = Session::new(Arc::clone(&endpoint), settings.token, secrets, revision);
        let media = Media::new(Arc::clone(&clients), Arc::clone(&host));
        let originals = settings
            .proxy
            .clone()
            .map(|proxy| Originals::new(proxy, Arc::clone(&clients), Arc::clone(&host)));
        let mut api = Api::new(settings.api_url, clients, session, host);
        api.send_cost = settings.send_cost;
        Self { api, media, originals, endpoint, proxy: settings.proxy, facts }
    }
}

impl fmt::Debug for GPhotosStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GPhotosStorage")
            .field("capabilities", &self.facts.capabilities)
            .finish_non_exhaustive()
    }
}

impl Storage for GPhotosStorage {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn test(&self) -> BoxStream<'_, Check> {
        check::stages(Subjects {
            api: &self.api,
            endpoint: &self.endpoint,
            proxy: self.proxy.as_ref(),
            read_only: !self.facts.capabilities.upload,
        })
    }

    fn source(&self) -> Option<&dyn Source> {
        Some(self)
    }

    fn sink(&self) -> Option<&dyn Sink> {
        if self.facts.capabilities.upload { Some(self) } else { None }
    }

    fn albums(&self) -> Option<&dyn Albums> {
        Some(self)
    }
}
