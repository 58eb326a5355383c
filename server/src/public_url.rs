//! The address under which a reverse proxy shows this Charon.

use std::{fmt, str::FromStr};

use axum::http::{HeaderMap, header};
use url::Url;

use crate::app::App;

/// The address by which the browser that asks, and programs beside it, reach this Charon: nothing stands behind its host.
pub(crate) fn shown_to(app: &App, headers: &HeaderMap) -> String {
    if let Some(url) = app.public_url() {
        return url.as_str().trim_end_matches('/').to_owned();
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    format!("http://{}", host.unwrap_or("localhost:8484"))
}

/// Such as `https://photos.example`: a host of its own, since pages refer to each other from the top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(pub(crate) Url);

/// What is no such address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is to be http:// or https:// and a host, with nothing behind it, such as https://photos.example")]
pub struct NotPublic;

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for PublicUrl {
    type Err = NotPublic;

    fn from_str(text: &str) -> Result<Self, NotPublic> {
        let url = Url::parse(text).map_err(|_| NotPublic)?;
        let is_whole_host = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if is_whole_host { Ok(Self(url)) } else { Err(NotPublic) }
    }
}

#[cfg(test)]
mod tests {
    use super::PublicUrl;

    #[test]
    fn a_public_url_is_a_scheme_and_a_host() {
        for text in
            ["https://photos.example", "https://photos.example/", "http://[::1]:8080", "http://10.0.0.1"]
        {
            assert!(text.parse::<PublicUrl>().is_ok(), "{text}");
        }
        for text in [
            "",
            "photos.example",
            "ftp://photos.example",
            "https://photos.example/charon",
            "https://me@photos.example",
            "https://photos.example?x",
            "https://photos.example#x",
            "https://",
        ] {
            assert!(text.parse::<PublicUrl>().is_err(), "{text}");
        }
    }
}
