//! Which URLs may be spoken to: `https` anywhere, `http` on this machine alone.

use url::{Host, Url};

/// Whether the host of this URL is this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Whether what is sent to this URL cannot be read on the way.
pub(crate) fn is_private(url: &Url) -> bool {
    match url.scheme() {
        "https" => url.has_host(),
        "http" => is_loopback(url),
        _ => false,
    }
}

/// Reads an endpoint that secrets may be sent to.
///
/// # Errors
/// Why it cannot be one, as a fragment that reads well after the field's name.
pub(crate) fn parse(text: &str) -> Result<Url, &'static str> {
    let url =
        Url::parse(text.trim()).map_err(|_| "is not a URL; expected one such as https://example.org")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("must begin with https://");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not carry a user name or a password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must not have a ? or # part");
    }
    if !is_private(&url) {
        return Err(
            "must begin with https://, because tokens are sent to it and plain http can be read on the way \
                    (http is accepted only for this machine: localhost, 127.0.0.1 or [::1])",
        );
    }
    Ok(url)
}

/// Reads where originals come from; blank means nowhere. No secret is ever sent there, so plain `http` is as good.
///
/// # Errors
/// Why it cannot be one, as a fragment that reads well after the field's name.
pub(crate) fn parse_proxy(text: &str) -> Result<Option<Url>, &'static str> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    match Url::parse(text.trim()) {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            Err("must not carry a user name or a password")
        }
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(Some(url)),
        _ => Err("is not a URL; expected one such as http://localhost:8282"),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn https_is_accepted_anywhere_and_http_on_this_machine_alone() {
        for good in [
            "https://photoslibrary.googleapis.com",
            "http://127.0.0.1:8080/base",
            "http://localhost",
            "http://[::1]:9",
        ] {
            assert!(parse(good).is_ok(), "{good} was refused: {:?}", parse(good));
        }
        for bad in [
            "http://photos.example.org",
            "http://127.0.0.1.example.org",
            "http://192.168.1.2",
            "ftp://localhost",
            "photos",
            "",
            "https://user:pass@example.org",
            "https://example.org/?key=1",
        ] {
            assert!(parse(bad).is_err(), "{bad} was accepted");
        }
    }
}
