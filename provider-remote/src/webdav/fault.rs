//! What a server's refusal means.

use charon_provider::{Class, Error, Reason};
use reqwest::{Method, StatusCode};

use crate::wire::{Refusal, Wire};

const TAKES_NONE: &str = "check that the server takes files there: it may be read-only, or full";
const FULL: &str = "make room on the server, or raise the user's quota";

/// A refusal as an error of its class.
pub(super) fn of(doing: &str, refusal: &Refusal, wire: &Wire) -> Error {
    let status = refusal.status;
    let changes = !matches!(refusal.method.as_str(), "GET" | "PROPFIND");
    let (class, cure) = match status.as_u16() {
        401 => (Class::Destination, Some("check user and password")),
        403 if changes => (
            Class::Destination,
            Some("allow the user to write, rename and delete there; the share may be read-only"),
        ),
        403 => (Class::Destination, Some("allow the user to read there")),
        // So some servers say that a file cannot be written, for whatever reason; its folder is there.
        404 | 409 if refusal.method == Method::PUT => (Class::Destination, Some(TAKES_NONE)),
        405 if changes => (Class::Destination, Some(TAKES_NONE)),
        405 | 501 => {
            (Class::Destination, Some("check the endpoint: what answers there does not speak WebDAV"))
        }
        300..=399 => {
            (Class::Destination, Some("enter the address that the server redirects to as the endpoint"))
        }
        409 => (Class::Item, Some("something else than a folder is in the way")),
        413 => (Class::Item, Some("let the server, or the proxy before it, take larger files")),
        423 => (Class::Transient, Some("somebody holds a lock on it; it may pass")),
        429 => (Class::Throttled, None),
        503 if refusal.retry_after.is_some() => (Class::Throttled, None),
        507 => (Class::Destination, Some(FULL)),
        408 | 500..=599 => (Class::Transient, None),
        _ => (Class::Item, None),
    };
    let words = message(&refusal.body).map(|words| format!(": {}", wire.quoted(&words))).unwrap_or_default();
    let mut error =
        Error::new(class, doing, format!("the server says HTTP {status}{words}")).after(refusal.retry_after);
    if status == StatusCode::NOT_FOUND && class == Class::Item {
        error = Error { cause: "there is no such file".to_owned(), ..error }.because(Reason::NotFound);
    }
    if let Some(cure) = cure { error.cured_by(cure) } else { error }
}

/// The server's own words, where it has them in a form that is for people (Nextcloud, ownCloud and other sabre/dav).
fn message(body: &str) -> Option<String> {
    let document = roxmltree::Document::parse(body.trim_start_matches('\u{feff}')).ok()?;
    let found = document.descendants().find(|node| node.tag_name().name() == "message")?;
    found.text().map(str::trim).filter(|words| !words.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use charon_provider::{Class, Reason};
    use reqwest::{Method, StatusCode};

    use super::of;
    use crate::wire::{Refusal, tests::wire};

    fn refused(method: &str, status: u16, retry_after: Option<u64>, body: &str) -> charon_provider::Error {
        let refusal = Refusal {
            method: Method::from_bytes(method.as_bytes()).unwrap(),
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: retry_after.map(Duration::from_secs),
            body: body.to_owned(),
        };
        of("write a.jpg", &refusal, &wire())
    }

    #[test]
    fn a_refusal_has_its_class() {
        for (method, status, class) in [
            ("PROPFIND", 401, Class::Destination),
            ("PUT", 403, Class::Destination),
            ("PUT", 405, Class::Destination),
            ("PUT", 404, Class::Destination),
            ("PUT", 507, Class::Destination),
            ("PROPFIND", 301, Class::Destination),
            ("PROPFIND", 405, Class::Destination),
            ("PUT", 413, Class::Item),
            ("PUT", 423, Class::Transient),
            ("PUT", 500, Class::Transient),
            ("PUT", 503, Class::Transient),
            ("PUT", 429, Class::Throttled),
        ] {
            let error = refused(method, status, None, "");
            assert_eq!(error.class, class, "{method} {status}: {error}");
            assert!(error.cure.is_some() || class != Class::Destination, "{method} {status} has no cure");
        }
        assert_eq!(refused("PUT", 503, Some(120), "").class, Class::Throttled);
        assert_eq!(refused("GET", 404, None, "").reason, Reason::NotFound);
    }

    #[test]
    fn the_servers_own_words_are_told_without_secrets() {
        // I6
        let body = "<d:error xmlns:d=\"DAV:\" xmlns:s=\"http://sabredav.org/ns\"><s:message>hunter2 is not\n allowed\
                    </s:message></d:error>";
        assert_eq!(
            refused("PUT", 403, None, body).cause,
            "the server says HTTP 403 Forbidden: [secret] is not allowed"
        );
    }
}
