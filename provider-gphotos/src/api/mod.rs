//! The Library API, version 1: one method of [`Api`] for each request that is made of it.
//!
//! Every request passes through [`Api::call`], which asks the permit, adds the bearer token, and on a 401 renews the
//! token and makes the same request once more, twice at the most.

mod albums;
mod commit;
mod media;
mod media_items;
mod model;
mod probe;
mod uploads;

use std::sync::Arc;

use charon_provider::{Class, Cost, Error, Host};
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
    uploads::requests_to_send,
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

/// Why a request came to nothing.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    /// Whether it got no answer, or none that was whole.
    pub(crate) is_unanswered: bool,
    /// Whether the server said that it will not.
    pub(crate) is_refused: bool,
}

impl Failure {
    /// Whether the server itself takes the request for a wrong one.
    pub(crate) fn is_a_mistake(&self) -> bool {
        self.is_refused && matches!(self.error.class, Class::Item | Class::Config)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, is_unanswered: false, is_refused: false }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
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
    async fn call(&self, call: &Call<'_>) -> Result<Answer, Failure> {
        self.call_as(call).await.map(|(answer, _)| answer)
    }

    /// The same, with the token that it was made with.
    async fn call_as(&self, call: &Call<'_>) -> Result<(Answer, Bearer), Failure> {
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
            return Ok((answer, bearer));
        }
        Err(self.refused(call, &answer, &bearer))
    }

    fn refused(&self, call: &Call<'_>, answer: &Answer, bearer: &Bearer) -> Failure {
        let error = error::refused(call.doing, call.subject, answer, self.host.now()).at_cost(call.cost);
        Failure { error: bearer.scrub(error), is_unanswered: false, is_refused: true }
    }

    async fn attempt(&self, call: &Call<'_>, bearer: &Bearer) -> Result<Answer, Failure> {
        self.host.permit(call.cost).await?;
        let failed = |trouble: Trouble| Failure {
            is_unanswered: true,
            error: error::unanswered(call.doing, call.subject, trouble),
            is_refused: false,
        };
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
    async fn call_for_object(&self, call: &Call<'_>) -> Result<Map<String, Value>, Failure> {
        let (answer, bearer) = self.call_as(call).await?;
        if answer.body.trim_ascii().is_empty() {
            return Ok(Map::new());
        }
        match serde_json::from_slice(&answer.body) {
            Ok(Value::Object(fields)) if fields.get("error").is_some_and(Value::is_object) => {
                Err(self.refused(call, &answer, &bearer))
            }
            Ok(Value::Object(fields)) => Ok(fields),
            Ok(_) | Err(_) => {
                Err(error::unreadable(call.doing, call.subject, "the answer is not a JSON object").into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use charon_provider::Class;

    use super::{Error, Failure, Subject, Trouble, error};

    #[test]
    fn a_connection_that_cannot_be_trusted_is_no_mistake_in_the_request() {
        let words = "the certificate is unknown".to_owned();
        let error = error::unanswered("ask", Subject::Library, Trouble { sent: false, words });
        assert_eq!(error.class, Class::Config);
        let failure = Failure { error, is_unanswered: true, is_refused: false };
        assert!(!failure.is_a_mistake());
        for (class, is_a_mistake) in [(Class::Config, true), (Class::Item, true), (Class::Auth, false)] {
            let failure = Failure { is_refused: true, ..Error::new(class, "ask", "no").into() };
            assert_eq!(failure.is_a_mistake(), is_a_mistake);
        }
    }
}
