//! Pages of other sites: what they make a browser send is told by the browser itself (`Origin`, `Sec-Fetch-Site`), and refused.

use axum::http::{HeaderMap, header};
use url::Url;

/// What a request says of the page that it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// It is one of ours.
    Ours,
    /// It is of another site.
    Elsewhere,
    /// It does not say: no browser of these years sends it so when something is to be changed.
    Untold,
}

/// Where a request comes from that is to change something.
pub(super) fn of(headers: &HeaderMap, public_url: Option<&Url>) -> Origin {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let site = headers.get("sec-fetch-site").map(|value| value.to_str().unwrap_or_default());
    // "none" is somebody who uses the browser itself, such as by loading a page anew.
    if site.is_some_and(|site| site != "same-origin" && site != "none") {
        return Origin::Elsewhere;
    }
    if !headers.contains_key(header::ORIGIN) {
        return Origin::Untold;
    }
    let Some(origin) = text(header::ORIGIN).and_then(|origin| Url::parse(origin).ok()) else {
        return Origin::Elsewhere;
    };
    let is_public = public_url.is_some_and(|url| url.origin() == origin.origin());
    // The scheme is the proxy's: behind one that does TLS, only the name is seen here.
    let of_host =
        text(header::HOST).and_then(|host| Url::parse(&format!("{}://{host}", origin.scheme())).ok());
    let is_host = matches!(origin.scheme(), "http" | "https")
        && of_host.is_some_and(|host| host.origin() == origin.origin());
    if is_public || is_host { Origin::Ours } else { Origin::Elsewhere }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;
    use url::Url;

    use super::{Origin, of};

    #[test]
    fn only_pages_of_our_own_host_are_ours() {
        let public = Url::parse("https://photos.example").expect("a URL");
        for (fields, expected) in [
            (&[("origin", "http://localhost:8484")][..], Origin::Ours),
            (&[("origin", "https://localhost:8484"), ("sec-fetch-site", "same-origin")], Origin::Ours),
            (&[("origin", "http://LOCALHOST:8484")], Origin::Ours),
            (&[("origin", "https://photos.example")], Origin::Ours),
            (&[("origin", "https://photos.example:443")], Origin::Ours),
            (&[], Origin::Untold),
            (&[("sec-fetch-site", "none")], Origin::Untold),
            (&[("origin", "http://photos.example")], Origin::Elsewhere),
            (&[("origin", "http://localhost")], Origin::Elsewhere),
            (&[("origin", "http://localhost:3000"), ("sec-fetch-site", "same-site")], Origin::Elsewhere),
            (&[("origin", "http://localhost:8484.evil.example")], Origin::Elsewhere),
            (&[("origin", "http://evil.example")], Origin::Elsewhere),
            (&[("origin", "null")], Origin::Elsewhere),
            (&[("origin", "")], Origin::Elsewhere),
            (&[("origin", "file:///tmp")], Origin::Elsewhere),
            (&[("sec-fetch-site", "cross-site")], Origin::Elsewhere),
            (&[("origin", "http://localhost:8484"), ("sec-fetch-site", "cross-site")], Origin::Elsewhere),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("host", "localhost:8484".parse().expect("a value"));
            for (name, value) in fields {
                headers.append(*name, value.parse().expect("a value"));
            }
            assert_eq!(of(&headers, Some(&public)), expected, "{fields:?}");
        }
    }
}
