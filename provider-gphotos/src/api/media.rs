//! The bytes behind a base URL. No request here carries a token: whoever has the URL has the bytes.

use std::sync::Arc;

use charon_provider::{Body, Class, Cost, Error, Fidelity, Host, Reason};
use futures::{StreamExt, TryStreamExt};
use reqwest::{Response, header};
use url::Url;

use crate::{
    endpoint,
    error::{self, Subject},
    http::{Answer, Clients, Patience, Trouble, text_header},
};

/// The meter of requests for bytes.
pub(crate) const MEDIA: Cost = Cost("media");
const DOING: &str = "fetch the bytes of an item";
/// How many redirects are followed.
const MOST_REDIRECTS: usize = 3;

/// What fetches bytes.
#[derive(Debug)]
pub(crate) struct Media {
    clients: Arc<Clients>,
    host: Arc<dyn Host>,
}

impl Media {
    pub(crate) fn new(clients: Arc<Clients>, host: Arc<dyn Host>) -> Self {
        Self { clients, host }
    }

    /// Opens what a base URL with its parameter (`=d`, `=dv`) gives.
    pub(crate) async fn open(&self, base_url: &str, parameter: &str) -> Result<Body, Error> {
        let wrong = |words: &str| Error::new(Class::Item, DOING, words);
        let mut url = Url::parse(&format!("{base_url}{parameter}"))
            .map_err(|_| wrong("the address that Google gave is not a URL"))?;
        for _ in 0..=MOST_REDIRECTS {
            if !endpoint::is_private(&url) {
                return Err(wrong("the address that Google gave is not https"));
            }
            let response = self.attempt(&url).await?;
            if !response.status().is_redirection() {
                return self.body(response).await;
            }
            let target =
                text_header(&response, header::LOCATION).and_then(|location| url.join(&location).ok());
            url =
                target.ok_or_else(|| error::unreadable(DOING, Subject::Media, "a redirect leads nowhere"))?;
        }
        Err(error::unreadable(DOING, Subject::Media, "too many redirects"))
    }

    async fn attempt(&self, url: &Url) -> Result<Response, Error> {
        self.host.permit(MEDIA).await?;
        let failed = |trouble: Trouble| error::unanswered(DOING, Subject::Media, trouble);
        let client = self.clients.of(url, Patience::Exchange).map_err(failed)?;
        client.get(url.clone()).send().await.map_err(|error| failed(error.into()))
    }

    async fn body(&self, response: Response) -> Result<Body, Error> {
        if !response.status().is_success() {
            let answer = Answer::read_fault(response).await;
            let error = error::refused(DOING, Subject::Media, &answer, self.host.now());
            return Err(if error.reason == Reason::StaleAddress { stale(error.cause) } else { error });
        }
        let content_type = text_header(&response, header::CONTENT_TYPE).unwrap_or_default();
        if content_type.to_ascii_lowercase().starts_with("text/html") {
            return Err(error::unreadable(
                DOING,
                Subject::Media,
                "a web page came in place of the photo or video",
            ));
        }
        let length = response.content_length();
        let bytes = response
            .bytes_stream()
            .map_err(|error| error::unanswered(DOING, Subject::Media, error.into()))
            .boxed();
        Ok(Body {
            offset: 0,
            length,
            validator: None,
            may_be_bundle: false,
            fidelity: Fidelity::ApiCopy,
            bytes,
        })
    }
}

/// An address that gives nothing any more: a look-up of the item gives a fresh one.
pub(crate) fn stale(words: impl Into<String>) -> Error {
    Error::new(Class::Transient, DOING, words).because(Reason::StaleAddress)
}
