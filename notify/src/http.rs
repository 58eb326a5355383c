//! The one constructor of HTTP clients of this room, and one attempt at a request.
//!
//! No client follows redirects: what is sent carries tokens and is meant for the address that was entered. Requests go
//! through the proxy that the environment names (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`), except for `http` to this machine.
//! A client is made for each request: there are few, and what the environment and the system trust is read anew.
//!
//! Certificates are judged by `rustls-platform-verifier`. Where the system has no verifier of its own (Linux, BSD) it
//! trusts what `rustls-native-certs` loads, and that is the file that `SSL_CERT_FILE` names, where it is set. macOS and
//! Windows judge by their own store and do not know that variable, so its certificates are added there.

use std::{error::Error as StdError, io, time::Duration};

use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};
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
/// Nobody is left alone for longer than this on the word of a header.
const LONGEST_WAIT: Duration = Duration::from_hours(24);
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
            .and_then(|text| wait(text, now));
        let said = self.hidden.quote(&beginning(response).await);
        Err(refusal(status, &said, self.server).not_before(retry_after))
    }
}

fn client(url: &Url) -> Result<Client, reqwest::Error> {
    // Another room may have installed it already; it is the same one.
    drop(rustls::crypto::ring::default_provider().install_default());
    if url.scheme() == "https" {
        return secure_builder().build();
    }
    // Plain http needs no certificates to be installed.
    let plain = builder().tls_certs_only([]);
    if url.host_str().is_some_and(address::is_loopback) { plain.no_proxy().build() } else { plain.build() }
}

#[expect(clippy::disallowed_methods, reason = "this is the one constructor of HTTP clients of this room")]
fn builder() -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("charon/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .timeout(LIMIT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
}

#[cfg(not(any(windows, target_vendor = "apple")))]
fn secure_builder() -> ClientBuilder {
    builder()
}

#[cfg(any(windows, target_vendor = "apple"))]
fn secure_builder() -> ClientBuilder {
    let bundle = std::env::var_os("SSL_CERT_FILE").and_then(|path| std::fs::read(path).ok());
    let certificates = bundle.and_then(|pem| reqwest::Certificate::from_pem_bundle(&pem).ok());
    builder().tls_certs_merge(certificates.unwrap_or_default())
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

/// The last cause in the chain, which is the one that says something.
pub(crate) fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        words = inner.to_string();
        cause = inner.source();
    }
    words
}

/// How long a `Retry-After` header asks to wait: seconds, or a date. `None` if it cannot be read.
fn wait(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds).min(LONGEST_WAIT));
    }
    let date = DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok()?;
    Some(Duration::try_from(date.duration_since(now)).unwrap_or(Duration::ZERO).min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::StatusCode;

    use super::{refusal, wait};

    #[test]
    fn seconds_and_dates_are_understood() {
        let now = "2026-11-21T08:00:00Z".parse().expect("a time");
        assert_eq!(wait("120", now), Some(Duration::from_mins(2)));
        assert_eq!(wait("Sat, 21 Nov 2026 08:00:30 GMT", now), Some(Duration::from_secs(30)));
        assert_eq!(wait("Sat, 21 Nov 2026 07:00:30 GMT", now), Some(Duration::ZERO));
        assert_eq!(wait("99999999999", now), Some(Duration::from_hours(24)));
        assert_eq!(wait("soon", now), None);
    }

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
