//! Where notices may be sent: `http` or `https`, to any host. People run ntfy and webhooks in their own network, where there
//! often are no certificates.

use url::{Host, Url};

/// Reads the address of a server.
///
/// # Errors
/// Why it cannot be one, as a fragment that reads well after the field's name. It does not quote the address.
pub(crate) fn parse(text: &str) -> Result<Url, &'static str> {
    let url =
        Url::parse(text.trim()).map_err(|_| "is not a URL; expected one such as https://example.org/hook")?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("must begin with https:// or http://");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not carry a user name or a password");
    }
    if url.fragment().is_some() {
        return Err("must not have a # part");
    }
    Ok(url)
}

/// Whether a host name or an address is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    match Host::parse(host) {
        Ok(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Ipv6(address)) => address.is_loopback(),
        Err(_) => host.parse::<std::net::Ipv6Addr>().is_ok_and(|address| address.is_loopback()),
    }
}

#[cfg(test)]
mod tests {
    use super::{is_loopback, parse};

    #[test]
    fn servers_in_the_own_network_are_accepted_and_nonsense_is_not() {
        for good in ["http://192.168.1.2:8080/hook?token=1", "https://hooks.example.org", " http://nas/x "] {
            assert!(parse(good).is_ok(), "{good} was refused: {:?}", parse(good));
        }
        for bad in ["", "nas/x", "ftp://nas", "file:///etc/passwd", "https://u:p@nas", "https://nas/#a"] {
            assert!(parse(bad).is_err(), "{bad} was accepted");
        }
    }

    #[test]
    fn this_machine_is_known_by_its_names() {
        for (host, expected) in [
            ("localhost", true),
            ("127.0.0.5", true),
            ("[::1]", true),
            ("::1", true),
            ("nas", false),
            ("192.168.1.2", false),
            ("localhost.example.org", false),
        ] {
            assert_eq!(is_loopback(host), expected, "{host}");
        }
    }
}
