//! The cookie of a session. No script can read it (`HttpOnly`), and requests that pages of other sites make do not carry it
//! (`SameSite=Lax`: `Strict` would also keep it from the redirect by which Google's consent page comes back). Behind TLS it never
//! goes over a plain connection (`Secure`), and no other name of the site can set it (`__Host-`). Who comes by another name than that
//! of `--public-url` (a tunnel, an address of the network at home) is not behind TLS, and has a plain one.

use axum::http::{HeaderMap, HeaderValue, header, uri::Authority};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::app::App;

/// No secret of ours is longer.
const LONGEST: usize = 100;

const SECURE: &str = "__Host-charon";

/// What the cookie is called on a plain connection. Cookies do not know ports, so the name does: two Charons on one machine would
/// sign each other's browsers out.
fn plain(app: &App) -> String {
    format!("charon-{}", app.address().port())
}

/// Whether the browser is on the other side of TLS: it has asked for the public address, by what it says itself (`Origin`), or by the
/// name that the proxy hands on.
fn is_secure(app: &App, headers: &HeaderMap) -> bool {
    let Some(public) = app.public_url().filter(|url| url.scheme() == "https") else { return false };
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let origin = text(header::ORIGIN).and_then(|origin| Url::parse(origin).ok());
    let host = text(header::HOST).and_then(|host| host.parse::<Authority>().ok());
    let is_public =
        |host: &Authority| public.host_str().is_some_and(|public| public.eq_ignore_ascii_case(host.host()));
    origin.is_some_and(|origin| origin.origin() == public.origin()) || host.as_ref().is_some_and(is_public)
}

/// The secret that the browser brings, if it brings one. Behind a proxy that does not hand on the name that was asked for, the secure
/// one is not expected, and does all the same.
pub(super) fn read(app: &App, headers: &HeaderMap) -> Option<SecretString> {
    let secure = named(SECURE, headers);
    if secure.is_some() || is_secure(app, headers) { secure } else { named(&plain(app), headers) }
}

fn named(name: &str, headers: &HeaderMap) -> Option<SecretString> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut named = cookies.flat_map(|text| text.split(';')).filter_map(|cookie| {
        let (found, value) = cookie.trim().split_once('=')?;
        (found == name && value.len() <= LONGEST).then_some(value)
    });
    named.next().map(SecretString::from)
}

/// Lets the browser keep the secret for as long as a session lasts at most; when it really ends is known here.
pub(super) fn set(app: &App, headers: &HeaderMap, secret: &SecretString) -> HeaderValue {
    let mut value = value(app, headers, secret.expose_secret(), 60 * 60 * 24 * 30);
    value.set_sensitive(true);
    value
}

/// Lets the browser forget it.
pub(super) fn unset(app: &App, headers: &HeaderMap) -> HeaderValue {
    value(app, headers, "", 0)
}

fn value(app: &App, headers: &HeaderMap, secret: &str, max_age: u32) -> HeaderValue {
    let (name, secure) =
        if is_secure(app, headers) { (SECURE.to_owned(), "; Secure") } else { (plain(app), "") };
    let text = format!("{name}={secret}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age}{secure}");
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}
