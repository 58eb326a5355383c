//! Which addresses may be spoken to: `https` anywhere, `http` on this machine, and elsewhere if somebody says so.

use url::{Host, Url};

/// Whether the host of this URL is this machine.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Reads the address of a server.
///
/// # Errors
/// Why it cannot be one, as a fragment that reads well after the field's name.
pub(crate) fn parse(text: &str, allow_http: bool) -> Result<Url, &'static str> {
    let url =
        Url::parse(text.trim()).map_err(|_| "is not a URL; expected one such as https://nas.example.org")?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("must begin with https:// (or http://)");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not carry a user name or a password; they have fields of their own");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must not have a ? or # part");
    }
    if url.scheme() == "http" && !is_loopback(&url) && !allow_http {
        return Err(
            "must begin with https://, because plain http can be read on the way; in a network that you trust, set \
                    allow_http",
        );
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn plain_http_leaves_this_machine_only_where_that_is_allowed() {
        for good in
            ["https://s3.example.org", "http://127.0.0.1:9000/base", "http://localhost", "http://[::1]:9"]
        {
            assert!(parse(good, false).is_ok(), "{good} was refused: {:?}", parse(good, false));
        }
        for plain in ["http://nas:5005/photos", "http://192.168.1.2", "http://127.0.0.1.example.org"] {
            assert!(parse(plain, false).is_err_and(|reason| reason.contains("allow_http")), "{plain}");
            assert!(parse(plain, true).is_ok(), "{plain}");
        }
        for bad in [
            "ftp://localhost",
            "photos",
            "",
            "https://user:pass@example.org",
            "https://example.org/?key=1",
            "https://",
        ] {
            assert!(parse(bad, true).is_err(), "{bad} was accepted");
        }
    }
}
