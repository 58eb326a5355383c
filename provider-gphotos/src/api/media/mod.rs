//! The bytes behind a base URL. No request here carries a token: whoever has the URL has the bytes.

mod range;

use std::sync::Arc;

use charon_provider::{Body, Class, Cost, Error, Fidelity, Host, Reason, ResumePoint};
use futures::{StreamExt, TryStreamExt};
use reqwest::{Method, Response, StatusCode, header};
use url::Url;

use crate::{
    arriving::{Arriving, beginning, counted, end_is_told},
    endpoint,
    error::{self, Subject},
    expected::{Expected, Misfit},
    http::{self, Answer, Clients, Trouble, text_header},
};

/// The meter of requests for bytes.
pub(crate) const MEDIA: Cost = Cost("media");
const DOING: &str = "fetch the bytes of an item";
/// The largest side that can be asked for.
const LARGEST_SIDE: u32 = 16383;
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

    /// Opens what is behind a base URL, from the beginning or from where it broke off.
    pub(crate) async fn open(
        &self,
        base_url: &str,
        expected: Expected,
        from: Option<&ResumePoint>,
    ) -> Result<Body, Error> {
        if let Some(from) = from.filter(|from| from.offset > 0) {
            let response = self.fetch(Method::GET, &of_bytes(base_url, expected), Some(from)).await?;
            match response.status() {
                StatusCode::PARTIAL_CONTENT => {
                    if let Some(total) = range::total(&response, from) {
                        return Ok(self.rest(response, from, total));
                    }
                    tracing::debug!(
                        "the rest of an item was asked for, and something else came; starting over"
                    );
                }
                StatusCode::RANGE_NOT_SATISFIABLE => {
                    tracing::debug!("the rest of an item is refused; starting over");
                }
                _ => return self.whole(response, expected).await,
            }
        }
        let response = self.fetch(Method::GET, &of_bytes(base_url, expected), None).await?;
        self.whole(response, expected).await
    }

    /// Opens a picture of what is behind a base URL that fits into a square of so many pixels.
    pub(crate) async fn preview(&self, base_url: &str, pixels: u32, is_video: bool) -> Result<Body, Error> {
        let pixels = pixels.clamp(1, LARGEST_SIDE);
        let plain = if is_video { "-no" } else { "" };
        let address = format!("{base_url}=w{pixels}-h{pixels}{plain}");
        let response = self.fetch(Method::GET, &address, None).await?;
        self.whole(response, Expected::AnyPhoto).await
    }

    /// How many bytes are behind a base URL, if the server says so.
    pub(crate) async fn measure(&self, base_url: &str, expected: Expected) -> Result<Option<u64>, Error> {
        let response = self.fetch(Method::HEAD, &of_bytes(base_url, expected), None).await?;
        match response.status() {
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => return Ok(None),
            status if !status.is_success() => return Err(self.refused(response, expected).await),
            _ => {}
        }
        let is_of_it = expected.misfit_of_type(&content_type(&response)).is_none();
        let length = text_header(&response, header::CONTENT_LENGTH).and_then(|text| text.parse().ok());
        Ok(length.filter(|length| is_of_it && *length > 0))
    }

    /// Makes a request, and follows where it is sent to.
    async fn fetch(
        &self,
        method: Method,
        address: &str,
        from: Option<&ResumePoint>,
    ) -> Result<Response, Error> {
        let wrong = |words: &str| Error::new(Class::Item, DOING, words);
        let mut url = Url::parse(address).map_err(|_| wrong("the address that Google gave is not a URL"))?;
        for _ in 0..=MOST_REDIRECTS {
            if !endpoint::is_private(&url) {
                return Err(wrong("the address that Google gave is not https"));
            }
            let response = self.attempt(&method, &url, from).await?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            let target =
                text_header(&response, header::LOCATION).and_then(|location| url.join(&location).ok());
            url =
                target.ok_or_else(|| error::unreadable(DOING, Subject::Media, "a redirect leads nowhere"))?;
        }
        Err(error::unreadable(DOING, Subject::Media, "too many redirects"))
    }

    async fn attempt(
        &self,
        method: &Method,
        url: &Url,
        from: Option<&ResumePoint>,
    ) -> Result<Response, Error> {
        self.host.permit(MEDIA).await?;
        let failed = |trouble: Trouble| error::unanswered(DOING, Subject::Media, trouble);
        let client = self.clients.of(url).map_err(failed)?;
        let mut request = client.request(method.clone(), url.clone());
        if let Some(from) = from {
            request = request
                .header(header::RANGE, format!("bytes={}-", from.offset))
                .header(header::IF_RANGE, &from.validator);
        }
        http::unless_silent(request.send(), &*self.host).await.map_err(failed)
    }

    /// The whole item, if that is what came.
    async fn whole(&self, response: Response, expected: Expected) -> Result<Body, Error> {
        if !response.status().is_success() {
            return Err(self.refused(response, expected).await);
        }
        let unreadable = |words| Err(error::unreadable(DOING, Subject::Media, words));
        if response.status() == StatusCode::PARTIAL_CONTENT {
            return unreadable("a part came although the whole was asked for");
        }
        if !end_is_told(&response) {
            return unreadable("the answer has no length, so that nobody could tell whether it is complete");
        }
        let (content_type, validator) = (content_type(&response), range::validator(&response));
        let length = response.content_length();
        let (first, bytes) = beginning(self.arriving(response)).await?;
        match expected.misfit(&content_type, &first) {
            None => {}
            Some(Misfit::Picture) if expected == Expected::Clip => {
                return Err(no_clip("a picture came in place of the clip"));
            }
            Some(misfit) => return Err(error::wrong_content(DOING, misfit.words())),
        }
        Ok(Body {
            offset: 0,
            length,
            validator,
            may_be_bundle: false,
            fidelity: Fidelity::ApiCopy,
            bytes: counted(bytes, length, DOING),
        })
    }

    /// The rest of an item whose beginning is there already.
    fn rest(&self, response: Response, from: &ResumePoint, total: u64) -> Body {
        let left = total.saturating_sub(from.offset);
        Body {
            offset: from.offset,
            length: Some(total),
            validator: Some(from.validator.clone()),
            may_be_bundle: false,
            fidelity: Fidelity::ApiCopy,
            bytes: counted(self.arriving(response), Some(left), DOING),
        }
    }

    fn arriving(&self, response: Response) -> Arriving {
        http::arriving(response, Arc::clone(&self.host))
            .map_err(|trouble| error::unanswered(DOING, Subject::Media, trouble))
            .boxed()
    }

    async fn refused(&self, response: Response, expected: Expected) -> Error {
        let answer = Answer::read_fault(response, &*self.host).await;
        let error = error::refused(DOING, Subject::Media, &answer, self.host.now()).at_cost(MEDIA);
        match (error.reason, error.class) {
            (Reason::StaleAddress, _) => stale(error.cause),
            (_, Class::Item) if expected == Expected::Clip => no_clip(error.cause),
            _ => error,
        }
    }
}

/// The address of the bytes behind a base URL.
fn of_bytes(base_url: &str, expected: Expected) -> String {
    let parameter = match expected {
        Expected::Photo | Expected::AnyPhoto => "=d",
        Expected::Video | Expected::Clip => "=dv",
    };
    format!("{base_url}{parameter}")
}

fn content_type(response: &Response) -> String {
    text_header(response, header::CONTENT_TYPE).unwrap_or_default()
}

fn no_clip(words: impl Into<String>) -> Error {
    Error::new(Class::Item, "fetch the clip of a motion photo", words).because(Reason::NoSuchPart)
}

/// An address that gives nothing any more: a look-up of the item gives a fresh one.
pub(crate) fn stale(words: impl Into<String>) -> Error {
    Error::new(Class::Transient, DOING, words).because(Reason::StaleAddress)
}
