//! The one constructor of HTTP clients of this room.
//!
//! Certificates are judged by `rustls-platform-verifier`. Where the system has no verifier of its own (Linux, BSD) it
//! trusts what `rustls-native-certs` loads, and that is the file that `SSL_CERT_FILE` names, where it is set. macOS and
//! Windows judge by their own store and do not know that variable, so its certificates are added there.

use std::time::Duration;

use reqwest::{Client, ClientBuilder};
use url::Url;

use super::trouble::innermost;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(20);

/// A client for a server.
///
/// # Errors
/// Why there can be none.
pub(super) fn to(server: &Url) -> Result<Client, String> {
    // Another room may have installed it already; it is the same one.
    drop(rustls::crypto::ring::default_provider().install_default());
    let builder = match server.scheme() {
        "https" => secure(),
        // This client never speaks TLS, and so needs no certificates to be installed.
        _ => builder().no_proxy().tls_certs_only([]),
    };
    builder.build().map_err(|error| {
        format!(
            "https cannot be spoken: {}; install your system's CA certificates (ca-certificates) or let SSL_CERT_FILE name \
             a file with them",
            innermost(&error)
        )
    })
}

#[expect(clippy::disallowed_methods, reason = "this is the one constructor of HTTP clients of this room")]
fn builder() -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("charon/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
}

#[cfg(not(any(windows, target_vendor = "apple")))]
fn secure() -> ClientBuilder {
    builder()
}

#[cfg(any(windows, target_vendor = "apple"))]
fn secure() -> ClientBuilder {
    let bundle = std::env::var_os("SSL_CERT_FILE").and_then(|path| std::fs::read(path).ok());
    let certificates = bundle.and_then(|pem| reqwest::Certificate::from_pem_bundle(&pem).ok());
    builder().tls_certs_merge(certificates.unwrap_or_default())
}
