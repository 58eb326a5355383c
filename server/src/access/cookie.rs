//! The cookie of a session. No script can read it (`HttpOnly`), and requests that pages of other sites make do not carry it
//! (`SameSite=Lax`: `Strict` would also keep it from the redirect by which Google's consent page comes back). Behind TLS it never
//! goes over a plain connection (`Secure`), and no other name of the site can set it (`__Host-`).

use axum::http::{HeaderMap, HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};

use super::caller::Caller;
use crate::app::App;

/// No secret of ours is longer.
const LONGEST: usize = 100;

/// What the cookie is called for this caller. Cookies do not know ports, so the name does: two Charons on one machine would
/// sign each other's browsers out.
fn name(app: &App, caller: &Caller) -> String {
    if is_secure(app, caller) {
        "__Host-charon".to_owned()
    } else {
        format!("charon-{}", app.address().port())
    }
}

/// Whether the browser is on the other side of TLS. One of this machine that comes without the proxy is not.
fn is_secure(app: &App, caller: &Caller) -> bool {
    app.public_url().is_some_and(|url| url.scheme() == "https") && !caller.is_local
}

/// The secret that the browser brings, if it brings one.
pub(super) fn read(app: &App, caller: &Caller, headers: &HeaderMap) -> Option<SecretString> {
    let name = name(app, caller);
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut named = cookies.flat_map(|text| text.split(';')).filter_map(|cookie| {
        let (found, value) = cookie.trim().split_once('=')?;
        (found == name && value.len() <= LONGEST).then_some(value)
    });
    named.next().map(SecretString::from)
}

/// Lets the browser keep the secret for as long as a session lasts at most; when it really ends is known here.
pub(super) fn set(app: &App, caller: &Caller, secret: &SecretString) -> HeaderValue {
    let mut value = value(app, caller, secret.expose_secret(), 60 * 60 * 24 * 30);
    value.set_sensitive(true);
    value
}

/// Lets the browser forget it.
pub(super) fn unset(app: &App, caller: &Caller) -> HeaderValue {
    value(app, caller, "", 0)
}

fn value(app: &App, caller: &Caller, secret: &str, max_age: u32) -> HeaderValue {
    let name = name(app, caller);
    let secure = if is_secure(app, caller) { "; Secure" } else { "" };
    let text = format!("{name}={secret}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age}{secure}");
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}
