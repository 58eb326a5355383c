//! The client for a server.

use charon_http::innermost;
use reqwest::Client;
use url::Url;

/// A client for a server.
///
/// # Errors
/// Why there can be none.
pub(super) fn to(server: &Url) -> Result<Client, String> {
    let builder = match server.scheme() {
        "https" => charon_http::secure(),
        _ => charon_http::plain().no_proxy(),
    };
    builder.build().map_err(|error| {
        format!(
            "https cannot be spoken: {}; install your system's CA certificates (ca-certificates) or let SSL_CERT_FILE name \
             a file with them",
            innermost(&error)
        )
    })
}
