//! One Google Photos account, ready to be used: the rooms of the contract, each in its own file, over one API client.

use std::{fmt, sync::Arc};

use charon_provider::{Albums, Check, Facts, Host, Revision, Secrets, Sink, Source, Storage};
use futures::stream::BoxStream;

use crate::{
    api::{Api, Media},
    check,
    config::Settings,
    facts,
    http::Clients,
    oauth::Session,
    originals::Originals,
};

/// One account.
pub(crate) struct GPhotosStorage {
    pub(crate) api: Api,
    pub(crate) media: Media,
    pub(crate) originals: Option<Originals>,
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
        let session = Session::new(
            settings.client_id,
            settings.token_url,
            settings.token,
            secrets,
            revision,
            Arc::clone(&clients),
            Arc::clone(&host),
        );
        let media = Media::new(Arc::clone(&clients), Arc::clone(&host));
        let originals = settings
            .proxy
            .clone()
            .map(|proxy| Originals::new(proxy, Arc::clone(&clients), Arc::clone(&host)));
        Self { api: Api::new(settings.api_url, clients, session, host), media, originals, facts }
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
        check::stages(&self.api, self.facts.capabilities.upload)
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
