//! Where a browser is sent back to after a consent.
//!
//! Google takes a plain HTTP address of a loopback host alone, whatever its port and path. Where the browser is on this machine, or
//! reaches it through a tunnel, that is how it sees us anyway. Where it is elsewhere, it ends on an address that does not open, and
//! the person brings that address back.

use axum::http::HeaderMap;
use url::Url;

use crate::{access::seen_as_this_machine, app::App};

/// The page that a browser comes back to.
pub(crate) const CALLBACK: &str = "/oauth/callback";

/// Where a browser is sent back to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Redirect {
    pub(crate) url: Url,
    /// Whether that opens in the browser that asks.
    pub(crate) comes_back: bool,
}

/// Where the browser that sent this is to be sent back to.
pub(crate) fn of_browser(app: &App, headers: &HeaderMap) -> Redirect {
    let seen_as = seen_as_this_machine(headers);
    if let Some(url) = seen_as.and_then(|host| Url::parse(&format!("http://{host}{CALLBACK}")).ok()) {
        return Redirect { url, comes_back: true };
    }
    let public =
        app.public_url().filter(|url| url.scheme() == "https").and_then(|url| url.join(CALLBACK).ok());
    match public {
        Some(url) => Redirect { url, comes_back: true },
        None => Redirect { url: of_this_machine(app), comes_back: false },
    }
}

/// A page of this machine, which opens in no browser of another one.
pub(crate) fn of_this_machine(app: &App) -> Url {
    let url = format!("http://127.0.0.1:{}{CALLBACK}", app.address().port());
    Url::parse(&url).expect("a host, a port and a path are a URL")
}
