//! The Library API, version 1: one method of [`Api`] for each request that is made of it.
//!
//! Every request passes through [`Api::call`], which asks the permit, adds the bearer token, and on a 401 renews the
//! token once and makes the same request once more.

mod albums;
mod commit;
mod media;
mod media_items;
mod model;
mod probe;
mod uploads;

use std::sync::Arc;

use charon_provider::{Cost, Error, Host};
use reqwest::{Client, RequestBuilder, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Map, Value};
use url::Url;

use crate::{
    error::{self, Subject},
    http::{self, Answer, Clients, Progress, Trouble},
    oauth::{Bearer, Session},
};

pub(crate) use self::{
    albums::{LARGEST_ADDITION, LARGEST_PAGE as LARGEST_ALBUM_PAGE},
    commit::{DOING as COMMITTING, NewItem, matched},
    media::{MEDIA, Media, stale},
    media_items::{ItemPage, LARGEST_LOOKUP, LARGEST_PAGE as LARGEST_ITEM_PAGE, Search},
    model::{AlbumResource, Int64, ItemResult, MediaItem, Status, VideoStatus},
};

/// The meter of every request of the Library API, uploads of bytes included (but see [`Api::send_cost`]).
pub(crate) const API: Cost = Cost("api");

/// So often is the token renewed for one request. A new one may be refused too, for a moment.
const MOST_RENEWALS: usize = 2;

/// A client of the Library API for one account.
#[derive(Debug)]
pub(crate) struct Api {
    base: Url,
    clients: Arc<Clients>,
    session: Session,
    host: Arc<dyn Host>,
    /// What every request that sends bytes is counted as. Google documents that it counts them; some have measured that it
    /// does not.
    pub(crate) send_cost: Cost,
}

/// One request, as often as it has to be made.
struct Call<'a> {
    /// Reads well after "failed to".
    doing: &'a str,
    subject: Subject,
    /// What each attempt is counted as.
    cost: Cost,
    url: Url,
    /// Makes the request, with everything but the bearer token.
    build: &'a (dyn Fn(&Client, Url) -> RequestBuilder + Send + Sync),
    /// How far the body has come, if it is a long one.
    progress: Option<&'a Progress>,
}

impl Api {
    pub(crate) fn new(base: Url, clients: Arc<Clients>, session: Session, host: Arc<dyn Host>) -> Self {
        Self { base, clients, session, host, send_cost: API }
    }

    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    pub(crate) fn host(&self) -> &dyn Host {
        &*self.host
    }

    /// The URL of a path below `/v1`, whose last segment may hold characters of any kind.
    fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push("v1").extend(segments);
        }
        url
    }

    /// Makes a request and gives the answer if it is a success.
    async fn call(&self, call: &Call<'_>) -> Result<Answer, Error> {
        let mut bearer = self.session.bearer().await?;
        let mut answer = self.attempt(call, &bearer).await?;
        for _ in 0..MOST_RENEWALS {
            if answer.status != StatusCode::UNAUTHORIZED {
                break;
            }
            bearer = self.session.instead_of(&bearer).await?;
            answer = self.attempt(call, &bearer).await?;
        }
        if answer.status.is_success() {
            return Ok(answer);
        }
        Err(bearer.scrub(error::refused(call.doing, call.subject, &answer, self.host.now())))
    }

    async fn attempt(&self, call: &Call<'_>, bearer: &Bearer) -> Result<Answer, Error> {
        self.host.permit(call.cost).await?;
        let failed = |trouble: Trouble| error::unanswered(call.doing, call.subject, trouble);
        let client = self.clients.of(&call.url).map_err(failed)?;
        let request = (call.build)(client, call.url.clone()).bearer_auth(bearer.0.expose_secret());
        let answer = match call.progress {
            Some(progress) => http::upload(request, progress, &*self.host).await,
            // The engine has its own limit for a commit.
            None if call.subject == Subject::Commit => http::exchange_patiently(request, &*self.host).await,
            None => http::exchange(request, &*self.host).await,
        };
        answer.map_err(failed)
    }

    /// Makes a request whose answer is a JSON object.
    async fn call_for_object(&self, call: &Call<'_>) -> Result<Map<String, Value>, Error> {
        let answer = self.call(call).await?;
        let unreadable = |words: &str| error::unreadable(call.doing, call.subject, words);
        if answer.body.trim_ascii().is_empty() {
            return Ok(Map::new());
        }
        match serde_json::from_slice(&answer.body) {
            Ok(Value::Object(fields)) if fields.get("error").is_some_and(Value::is_object) => {
                Err(error::refused(call.doing, call.subject, &answer, self.host.now()))
            }
            Ok(Value::Object(fields)) => Ok(fields),
            Ok(_) | Err(_) => Err(unreadable("the answer is not a JSON object")),
        }
    }
}
