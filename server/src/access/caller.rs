//! From where somebody asks.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::Request,
    http::{HeaderMap, header, uri::Authority},
};

use crate::{app::App, guard::is_this_machine};

/// The other side of a connection. The connection puts it among the extensions of each request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Who asks, as far as the network tells. The gate puts it among the extensions of each request.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The address that it comes from; that of the client where a reverse proxy of ours says it.
    pub(crate) address: Option<IpAddr>,
    /// Whether it is a program of this machine that asks for it by a name of this machine, with no proxy between. Nobody is where
    /// there is a proxy (`--public-url`): one that does not say for whom it asks would make the whole Internet local.
    pub(crate) is_local: bool,
}

/// What proxies add to a request.
const BY_PROXIES: [&str; 8] = [
    "cf-connecting-ip",
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-server",
    "x-real-ip",
];

impl Caller {
    pub(crate) fn of(app: &App, request: &Request) -> Self {
        let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip().to_canonical());
        let headers = request.headers();
        let is_local = app.public_url().is_none()
            && peer.is_some_and(|peer| peer.is_loopback())
            && seen_as_this_machine(headers).is_some();
        // Only where there is a proxy, and only from where it may be: the Internet is no place for it.
        let has_proxy = app.public_url().is_some() && peer.is_some_and(is_near);
        let address = if has_proxy { forwarded_for(headers).or(peer) } else { peer };
        Self { address, is_local }
    }

    /// As the audit log and the list of sessions have it.
    pub(crate) fn words(&self) -> String {
        self.address.map_or_else(|| "unknown".to_owned(), |address| address.to_string())
    }
}

/// The name of this machine by which a request asks, if it does and no proxy says that it has handed it on: it comes from a program of
/// this machine, or through a tunnel.
pub(crate) fn seen_as_this_machine(headers: &HeaderMap) -> Option<Authority> {
    if BY_PROXIES.iter().any(|name| headers.contains_key(*name)) {
        return None;
    }
    let host = headers.get(header::HOST)?.to_str().ok()?.parse().ok()?;
    Some(host).filter(is_this_machine)
}

/// The address that the proxy next to us has seen: the last one, since those before it are only what it was told.
fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all("x-forwarded-for").iter().next_back()?;
    let text = last.to_str().ok()?.rsplit(',').next()?.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

/// This machine, or one of a network at home or of containers.
pub(crate) fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::{forwarded_for, is_near};

    #[test]
    fn the_last_address_that_is_forwarded_counts() {
        for (values, address) in [
            (&["203.0.113.7"][..], Some("203.0.113.7")),
            (&["10.0.0.1, 203.0.113.7"], Some("203.0.113.7")),
            (&["127.0.0.1", "203.0.113.7"], Some("203.0.113.7")),
            (&["203.0.113.7:4711"], Some("203.0.113.7")),
            (&["[2001:db8::7]:4711"], Some("2001:db8::7")),
            (&["[2001:db8::7]"], Some("2001:db8::7")),
            (&["::ffff:203.0.113.7"], Some("203.0.113.7")),
            (&["unknown"], None),
            (&["203.0.113.7,"], None),
            (&[], None),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("x-forwarded-for", value.parse().expect("a value"));
            }
            assert_eq!(forwarded_for(&headers), address.map(|text| text.parse().expect("one")), "{values:?}");
        }
    }

    #[test]
    fn a_proxy_is_near() {
        for (address, expected) in [
            ("127.0.0.1", true),
            ("::1", true),
            ("172.17.0.1", true),
            ("192.168.1.2", true),
            ("fd00::1", true),
            ("203.0.113.7", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(is_near(address.parse().expect("an address")), expected, "{address}");
        }
    }
}
