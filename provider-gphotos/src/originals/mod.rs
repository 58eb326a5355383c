//! The full-resolution proxy (gphotosdl): `GET {proxy}/id/{mediaItemId}` gives an item as it was uploaded.
//!
//! It drives a browser, one page at a time, and hangs or gives up now and then. So nothing depends on it: what it does not give,
//! Google does, as a lesser copy. It is never sent a token, and its requests cost nothing of Google's quota.

mod breaker;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use charon_provider::{Body, Class, Cost, Error, Fidelity, Host, Kind, RemoteId, RemoteItem};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use reqwest::{StatusCode, header};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;

use self::breaker::{Attempt, Breaker};
use crate::{
    arriving::{Arriving, beginning, counted, end_is_told},
    expected::Expected,
    http::{self, Clients, Trouble, text_header},
};

/// What each request is permitted as. Nothing counts it.
const PROXY: Cost = Cost("proxy");
const DOING: &str = "fetch an original from the full-resolution proxy";
/// Requests at a time. The proxy has one browser: whoever came second would lose its time in waiting for the first.
const AT_A_TIME: usize = 1;
/// How long the first byte may take: the browser has downloaded all of an item before the proxy gives any of it.
const FIRST_BYTE_OF_PHOTO: Duration = Duration::from_mins(2);
const FIRST_BYTE_OF_VIDEO: Duration = Duration::from_mins(15);
/// When the proxy has broken off so often in the middle of an item, Google's copy of it is taken.
const MOST_BREAKS: u32 = 2;
/// Of so many items it is remembered how often they broke off.
const MOST_REMEMBERED: usize = 1000;

/// A proxy that gives originals.
#[derive(Debug)]
pub(crate) struct Originals {
    base: Url,
    clients: Arc<Clients>,
    turns: Arc<Semaphore>,
    account: Account,
}

/// What is known of how the proxy does.
#[derive(Clone, Debug)]
struct Account {
    host: Arc<dyn Host>,
    breaker: Breaker,
    /// How often items broke off in the middle.
    broken: Arc<Mutex<HashMap<String, u32>>>,
}

impl Originals {
    pub(crate) fn new(base: Url, clients: Arc<Clients>, host: Arc<dyn Host>) -> Self {
        let account = Account { host, breaker: Breaker::default(), broken: Arc::default() };
        Self { base, clients, turns: Arc::new(Semaphore::new(AT_A_TIME)), account }
    }

    /// Opens the original of an item; `None` if the proxy does not give it.
    ///
    /// # Errors
    /// The host's alone: the request must not be made.
    pub(crate) async fn open(&self, item: &RemoteItem) -> Result<Option<Body>, Error> {
        if self.account.has_broken_too_often(&item.id.0) {
            tracing::debug!(item = %item.id, "the proxy keeps breaking off in this item; taking Google's copy");
            return Ok(None);
        }
        let Ok(turn) = Arc::clone(&self.turns).acquire_owned().await else { return Ok(None) };
        let Some(attempt) = self.account.breaker.attempt(self.account.host.now()) else { return Ok(None) };
        self.account.host.permit(PROXY).await?;
        let url = self.url_of(&item.id.0);
        let patience = match item.kind {
            Kind::Photo => FIRST_BYTE_OF_PHOTO,
            Kind::Video => FIRST_BYTE_OF_VIDEO,
        };
        match http::within(patience, self.ask(url, item.kind), &*self.account.host).await {
            Some(Ok(Some((length, bytes)))) => {
                let bytes = self.account.watched(bytes, item.id.0.clone(), attempt, turn);
                Ok(Some(Body {
                    offset: 0,
                    length,
                    validator: None,
                    may_be_bundle: item.kind == Kind::Photo,
                    fidelity: Fidelity::Original,
                    bytes,
                }))
            }
            Some(Ok(None)) => {
                attempt.succeeded();
                tracing::debug!(item = %item.id, "the proxy has no such item; taking Google's copy");
                Ok(None)
            }
            Some(Err(words)) => {
                self.account.failed(attempt, &item.id.0, &words);
                Ok(None)
            }
            // That may be for its length, and says nothing of the proxy.
            None if item.kind == Kind::Video => {
                self.account.broke(&item.id.0);
                tracing::debug!(item = %item.id, "the proxy takes too long for this video; taking Google's copy");
                Ok(None)
            }
            None => {
                self.account.failed(attempt, &item.id.0, &http::silence_of(patience));
                Ok(None)
            }
        }
    }

    /// Until when the proxy is left alone, if it is.
    pub(crate) fn resting_until(&self) -> Option<Timestamp> {
        self.account.breaker.resting_until(self.account.host.now())
    }

    /// Takes Google's copy of an item from now on.
    pub(crate) fn decline(&self, item: &RemoteId) {
        (0..MOST_BREAKS).for_each(|_| self.account.broke(&item.0));
    }

    fn url_of(&self, id: &str) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["id", id]);
        }
        url
    }

    /// Makes the request, and looks at the first bytes; `None` if the proxy says that there is no such item.
    ///
    /// # Errors
    /// What is wrong, in words.
    async fn ask(&self, url: Url, kind: Kind) -> Result<Option<(Option<u64>, Arriving)>, String> {
        let client = self.clients.of_proxy(&self.base).map_err(|trouble| trouble.words)?;
        let response = client.get(url).send().await.map_err(|error| Trouble::from(error).words)?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            status => return Err(format!("it answered HTTP {status}")),
        }
        if !end_is_told(&response) {
            return Err("its answer has no length, so that nobody could tell whether it is complete".into());
        }
        let content_type = text_header(&response, header::CONTENT_TYPE).unwrap_or_default();
        let length = response.content_length();
        let bytes = http::arriving(response, Arc::clone(&self.account.host))
            .map_err(|trouble| Error::new(Class::Transient, DOING, trouble.words))
            .boxed();
        let (first, bytes) = beginning(bytes).await.map_err(|error| error.cause)?;
        // The original may be of another format than Google's copy of it, and a live photo is an archive.
        let expected = match kind {
            Kind::Photo => Expected::AnyPhoto,
            Kind::Video => Expected::Video,
        };
        match expected.misfit(&content_type, &first) {
            Some(misfit) => Err(misfit.words().into()),
            None => Ok(Some((length, counted(bytes, length, DOING)))),
        }
    }
}

impl Account {
    /// The same bytes; when they end, or break off, the breaker learns of it. The turn is over then.
    fn watched(&self, bytes: Arriving, id: String, attempt: Attempt, turn: OwnedSemaphorePermit) -> Arriving {
        let account = self.clone();
        stream::unfold(Some((bytes, attempt)), move |state| {
            let (account, id) = (account.clone(), id.clone());
            async move {
                let (mut bytes, attempt) = state?;
                match bytes.next().await {
                    Some(Ok(piece)) => Some((Ok(piece), Some((bytes, attempt)))),
                    Some(Err(error)) => {
                        account.broke(&id);
                        account.failed(attempt, &id, &error.cause);
                        Some((Err(error), None))
                    }
                    None => {
                        account.arrived(&id);
                        attempt.succeeded();
                        None
                    }
                }
            }
        })
        .inspect(move |_| {
            // The turn lives as long as the stream does.
            let _turn = &turn;
        })
        .boxed()
    }

    fn failed(&self, attempt: Attempt, id: &str, words: &str) {
        tracing::debug!(item = id, words, "the full-resolution proxy did not give an original");
        if let Some(rest) = attempt.failed(self.host.now()) {
            tracing::warn!(
                "the full-resolution proxy has failed too often (last: {words}); for {} seconds photos come from Google, \
                 as copies",
                rest.as_secs()
            );
        }
    }

    fn broke(&self, id: &str) {
        let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        if broken.len() >= MOST_REMEMBERED {
            broken.clear();
        }
        *broken.entry(id.to_owned()).or_default() += 1;
    }

    fn arrived(&self, id: &str) {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    fn has_broken_too_often(&self, id: &str) -> bool {
        let broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        broken.get(id).is_some_and(|times| *times >= MOST_BREAKS)
    }
}
