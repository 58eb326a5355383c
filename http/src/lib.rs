//! How Charon speaks HTTP: the one constructor of clients, and what their answers and errors say.
//!
//! No client follows redirects: who redirects is not the one that was configured, and whoever fetches bytes follows by hand, so that every
//! hop is asked a permit for. None tries again by itself. Proxies are those that the environment names (`HTTPS_PROXY`, `NO_PROXY`), unless
//! the caller says otherwise.
//!
//! Certificates are judged by `rustls-platform-verifier`. Where the system has no verifier of its own (Linux, BSD) it trusts what
//! `rustls-native-certs` loads, and that is the file that `SSL_CERT_FILE` names, where it is set. macOS and Windows judge by their own
//! store and do not know that variable, so its certificates are added there.

mod retry_after;

use std::{error::Error, time::Duration};

use reqwest::{Client, ClientBuilder};

pub use retry_after::retry_after;

/// How long a connection may take to be made, unless the caller has less patience.
const CONNECT: Duration = Duration::from_secs(20);

/// For a client that speaks plain `http` alone, and so needs no certificates to be installed.
pub fn plain() -> ClientBuilder {
    builder().tls_certs_only([])
}

/// For a client that speaks `https`.
#[cfg(not(any(windows, target_vendor = "apple")))]
pub fn secure() -> ClientBuilder {
    builder()
}

/// For a client that speaks `https`.
#[cfg(any(windows, target_vendor = "apple"))]
pub fn secure() -> ClientBuilder {
    let bundle = std::env::var_os("SSL_CERT_FILE").and_then(|path| std::fs::read(path).ok());
    let certificates = bundle.and_then(|pem| reqwest::Certificate::from_pem_bundle(&pem).ok());
    builder().tls_certs_merge(certificates.unwrap_or_default())
}

#[expect(clippy::disallowed_methods, reason = "this is the one constructor of HTTP clients")]
fn builder() -> ClientBuilder {
    // It may be installed already; it is the same one.
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::builder()
        .user_agent(concat!("charon/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
}

/// The last cause in the chain, which is the one that says something.
pub fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
