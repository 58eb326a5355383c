//! What is refused before anything else: on a loopback address, names that are not this machine's (a page of another site, whose name
//! was made to point here). And what every answer carries.
//!
//! On an address that other machines reach, any name is answered to: it may have many, and a page of another site, whatever its name is
//! made to point to, has no cookie of ours and finds the log-in page.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{
    api::{BASE, problem::Problem},
    app::App,
};

/// What a page may load and do: nothing that is not ours, and no script or style that stands in the page itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What every answer carries beside that.
const ALWAYS: [(&str, &str); 6] = [
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), publickey-credentials-get=(), usb=()",
    ),
];

/// Lets a request through, or refuses it.
pub(crate) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = match refusal(&app, &request) {
        None => next.run(request).await,
        Some(refusal) => refusal,
    };
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(POLICY));
    for (name, value) in ALWAYS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

/// Why a request is refused, if it is: a program of the API is told so as everything else.
fn refusal(app: &App, request: &Request) -> Option<Response> {
    let (status, words) = misdirected(app, request)?;
    if request.uri().path().starts_with(BASE) {
        return Some(Problem::new(status, words).into_response());
    }
    Some((status, format!("{words}\n")).into_response())
}

fn misdirected(app: &App, request: &Request) -> Option<(StatusCode, &'static str)> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Some((StatusCode::BAD_REQUEST, "a request has one Host"));
    };
    let named = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
    let is_ours = |authority: &Authority| is_answered_to(app, authority);
    if named.as_ref().is_some_and(is_ours) && request.uri().authority().is_none_or(is_ours) {
        return None;
    }
    let words = "this is Charon on this machine: ask for it by the name localhost, 127.0.0.1 or [::1], or start it with \
                 --public-url and the address that you have asked for";
    Some((StatusCode::MISDIRECTED_REQUEST, words))
}

/// Whether this is a name of ours.
fn is_answered_to(app: &App, authority: &Authority) -> bool {
    if authority.as_str().contains('@') {
        return false;
    }
    let host = authority.host();
    let is_public =
        app.public_url().and_then(url::Url::host_str).is_some_and(|public| public.eq_ignore_ascii_case(host));
    is_public || !app.address().ip().is_loopback() || is_this_machine(authority)
}

/// Whether this is a name of this machine that nobody else can make point elsewhere. Any port is right: there may be a tunnel.
pub(crate) fn is_this_machine(authority: &Authority) -> bool {
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
