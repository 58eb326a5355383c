//! What is refused before anything else: names that are not this machine's (a page of another site, whose name was made to point
//! here). And what every answer carries.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::{
    extract::Request,
    http::{HeaderValue, StatusCode, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};

/// What a page may load and do: nothing that is not ours, and no script or style that stands in the page itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Lets a request through, or refuses it.
pub(crate) async fn guard(request: Request, next: Next) -> Response {
    let mut response = match refusal(&request) {
        None => next.run(request).await,
        Some(refusal) => refusal,
    };
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(POLICY));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    response
}

/// Why a request is refused, if it is.
fn refusal(request: &Request) -> Option<Response> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Some((StatusCode::BAD_REQUEST, "a request has one Host\n").into_response());
    };
    let named = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
    let is_ours = named.is_some_and(|host| is_this_machine(&host))
        && request.uri().authority().is_none_or(is_this_machine);
    if !is_ours {
        let words = "this is Charon on this machine: ask for it by the name localhost, 127.0.0.1 or [::1]\n";
        return Some((StatusCode::MISDIRECTED_REQUEST, words).into_response());
    }
    None
}

/// Whether this is a name of this machine that nobody else can make point elsewhere. Any port is right: there may be a tunnel.
fn is_this_machine(authority: &Authority) -> bool {
    if authority.as_str().contains('@') {
        return false;
    }
    let host = authority.host();
    let v6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || v6.and_then(|host| host.parse::<Ipv6Addr>().ok()).is_some_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use axum::http::uri::Authority;

    use super::is_this_machine;

    #[test]
    fn only_names_of_this_machine_are_answered_to() {
        for (host, is_ours) in [
            ("localhost", true),
            ("LocalHost:8484", true),
            ("127.0.0.1:8484", true),
            ("127.1.2.3", true),
            ("[::1]:8484", true),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("evil.example:8484", false),
            ("evil@localhost", false),
            ("localhost@evil.example", false),
            ("0.0.0.0:8484", false),
            ("192.168.0.1", false),
            ("[::]:8484", false),
            ("[::ffff:192.168.0.1]", false),
        ] {
            let authority: Authority = host.parse().expect("an authority");
            assert_eq!(is_this_machine(&authority), is_ours, "{host}");
        }
    }
}
