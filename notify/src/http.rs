//! One attempt at a request over HTTP.
//!
//! What is sent carries tokens and is meant for the address that was entered: no redirect is followed. Requests go
//! through the proxy that the environment names (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`), except for `http` to this machine.
//! A client is made for each request: there are few, and what the environment and the system trust is read anew.

use std::{error::Error as StdError, io, time::Duration};

use charon_http::innermost;
use jiff::Timestamp;
use reqwest::{
    Client, ClientBuilder, Response, StatusCode,
    header::{self, HeaderMap},
};
use url::Url;

use crate::{address, error::DeliveryError, hidden::Hidden};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a request may take, its answer included.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
/// How much of an answer is read, in bytes: enough to say what went wrong.
const MOST: usize = 2048;

/// A request that tells something.
#[derive(Debug)]
pub(crate) struct Telling<'a> {
    pub(crate) url: &'a Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    /// What the server is called in an error: its host, unless that is secret.
    pub(crate) server: &'a str,
    pub(crate) hidden: &'a Hidden,
}

impl Telling<'_> {
    /// Posts it once.
    pub(crate) async fn post(self, now: Timestamp) -> Result<(), DeliveryError> {
        let client = client(self.url).map_err(|error| {
            DeliveryError::lasting(format!(
                "no connection can be made from here: {}",
                self.hidden.hide(&innermost(&error))
            ))
        })?;
        let request = client.post(self.url.clone()).headers(self.headers).body(self.body);
        let response = request.send().await.map_err(|error| trouble(error, self.server, self.hidden))?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let retry_after = response
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| charon_http::retry_after(text, now));
        let said = self.hidden.quote(&beginning(response).await);
        Err(refusal(status, &said, self.server).not_before(retry_after))
    }
}

fn client(url: &Url) -> Result<Client, reqwest::Error> {
    let in_time = |builder: ClientBuilder| builder.connect_timeout(CONNECT).timeout(LIMIT);
    if url.scheme() == "https" {
        return in_time(charon_http::secure()).build();
    }
    let plain = in_time(charon_http::plain());
    if url.host_str().is_some_and(address::is_loopback) { plain.no_proxy().build() } else { plain.build() }
}

/// What an answer begins with. What does not come is not waited for longer than the request may take.
async fn beginning(mut response: Response) -> String {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() >= MOST {
            body.truncate(MOST);
            break;
        }
    }
    String::from_utf8_lossy(&body).into_owned()
}

/// What an answer that is no success means.
fn refusal(status: StatusCode, said: &str, server: &str) -> DeliveryError {
    let said = if said.is_empty() { String::new() } else { format!(": {said}") };
    let words = format!("{server} answered {status}{said}");
    match status.as_u16() {
        408 | 425 | 429 | 500.. => DeliveryError::passing(words),
        300..=399 => DeliveryError::lasting(format!(
            "{words}; redirects are not followed, so enter the address that it redirects to"
        )),
        401 | 403 => DeliveryError::lasting(format!("{words}; check the token or the address")),
        404 | 410 => {
            DeliveryError::lasting(format!("{words}; check the address, it may have been withdrawn"))
        }
        _ => DeliveryError::lasting(words),
    }
}

/// What a request that got no answer means.
fn trouble(error: reqwest::Error, server: &str, hidden: &Hidden) -> DeliveryError {
    let timed_out = error.is_timeout();
    let connecting = error.is_connect();
    let error = error.without_url();
    let cause = hidden.hide(&innermost(&error));
    if is_tls(&error) {
        return DeliveryError::lasting(format!("no private connection to {server} could be made: {cause}"));
    }
    let what = if timed_out {
        format!("{server} did not answer in time")
    } else if connecting {
        format!("no connection to {server} could be made")
    } else {
        format!("the connection to {server} broke")
    };
    DeliveryError::passing(format!("{what}: {cause}"))
}

/// Whether an error comes of TLS: a certificate that is not trusted, or a server that does not speak it.
pub(crate) fn is_tls(error: &(dyn StdError + 'static)) -> bool {
    // An I/O error does not count what it wraps among its sources, only the sources of that.
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.is::<rustls::Error>()
        || wrapped.is_some_and(|inner| is_tls(inner))
        || error.source().is_some_and(is_tls)
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::refusal;

    #[test]
    fn the_status_tells_whether_it_helps_to_try_again() {
        for (status, again) in [
            (301, false),
            (400, false),
            (401, false),
            (404, false),
            (408, true),
            (410, false),
            (429, true),
            (500, true),
            (503, true),
        ] {
            let error = refusal(StatusCode::from_u16(status).expect("a status"), "", "the server");
            assert_eq!(error.can_try_again(), again, "{error}");
        }
    }
}
