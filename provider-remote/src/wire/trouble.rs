//! A request that got no whole answer.

use std::time::Duration;

use charon_http::innermost;
use charon_provider::{Class, Error};
use url::Url;

/// What happened to a request. Contains no URL (its host at most) and no header.
pub(super) fn of(doing: &str, error: reqwest::Error) -> Error {
    let server = error.url().and_then(Url::host_str).map_or_else(|| "the server".to_owned(), str::to_owned);
    let what = if error.is_timeout() {
        format!("{server} did not answer in time")
    } else if error.is_connect() {
        format!("no connection to {server} could be made")
    } else {
        format!("the connection to {server} broke")
    };
    let is_connect = error.is_connect();
    let cause = innermost(&error.without_url());
    let is_distrusted = is_connect && cause.to_ascii_lowercase().contains("certificate");
    let class = if is_distrusted { Class::Destination } else { Class::Transient };
    let told = Error::new(class, doing, format!("{what}: {cause}"));
    if is_distrusted {
        told.cured_by("let SSL_CERT_FILE name a file with the certificate that the server's own is signed by")
    } else if is_connect {
        told.cured_by("check that the server runs, and that the endpoint is right")
    } else {
        told
    }
}

/// That nothing came for so long.
pub(super) fn silence(doing: &str, patience: Duration) -> Error {
    Error::new(Class::Transient, doing, format!("nothing moved for {} seconds", patience.as_secs()))
}
