//! The requests of WebDAV, one attempt each.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use charon_provider::{Class, Entry, Error, Reason};
use jiff::Timestamp;
use reqwest::{
    Method, Response, StatusCode,
    header::{self, HeaderMap, HeaderName, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use url::Url;

use super::{
    config::Settings,
    fault,
    multistatus::{self, Strange},
};
use crate::wire::{Outgoing, Payload, Wire};

/// Gives a file its time, where a server knows this (Nextcloud, ownCloud, rclone).
const MTIME: HeaderName = HeaderName::from_static("x-oc-mtime");

/// A server, and who signs in.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) wire: Wire,
    /// The folder of the destination, with a slash at its end.
    base: Url,
    authorization: Option<HeaderValue>,
}

/// What a method may do to what is at its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overwrite {
    No,
    Yes,
}

impl Client {
    pub(super) fn new(settings: &Settings, host: Arc<dyn charon_provider::Host>) -> Result<Self, String> {
        let (user, password) = (&settings.user, settings.password.expose_secret());
        let signed = SecretString::from(BASE64_STANDARD.encode(format!("{user}:{password}")));
        let authorization = (!user.is_empty())
            .then(|| HeaderValue::try_from(format!("Basic {}", signed.expose_secret())))
            .transpose()
            .map_err(|error| error.to_string())?
            .map(|mut value| {
                value.set_sensitive(true);
                value
            });
        let secrets = if user.is_empty() { Vec::new() } else { vec![signed, settings.password.clone()] };
        let wire = Wire::to(&settings.endpoint, host, secrets)?;
        let base = below(&settings.endpoint, &settings.root, true);
        Ok(Self { wire, base, authorization })
    }

    fn url(&self, path: &str, is_folder: bool) -> Url {
        below(&self.base, path, is_folder)
    }

    async fn send(
        &self,
        doing: &str,
        method: &'static str,
        url: Url,
        mut headers: HeaderMap,
        payload: Payload,
    ) -> Result<Response, Error> {
        if let Some(authorization) = &self.authorization {
            headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|error| Error::new(Class::Config, doing, error.to_string()))?;
        self.wire.send(doing, Outgoing { method, url, headers, payload }).await
    }

    /// An answer that is a success, or the error that it is.
    async fn fine(&self, doing: &str, method: &'static str, response: Response) -> Result<Response, Error> {
        // 207 to anything but PROPFIND says that some of it was not done.
        let partly = response.status() == StatusCode::MULTI_STATUS && method != "PROPFIND";
        if response.status().is_success() && !partly {
            return Ok(response);
        }
        let refusal =
            self.wire.refusal(Method::from_bytes(method.as_bytes()).unwrap_or_default(), response).await;
        if partly {
            return Err(Error::new(Class::Transient, doing, "the server did a part of it alone"));
        }
        Err(fault::of(doing, &refusal, &self.wire))
    }

    /// Asks the server for any answer, without signing in.
    pub(super) async fn reach(&self, doing: &str) -> Result<Response, Error> {
        let method = Method::OPTIONS;
        let (url, headers) = (self.base.clone(), HeaderMap::new());
        self.wire.send(doing, Outgoing { method, url, headers, payload: Payload::Nothing }).await
    }

    /// What is at a path (`depth` 0), or at it and right below (1); `None` where the server says that there is nothing.
    pub(super) async fn find(
        &self,
        doing: &str,
        path: &str,
        is_folder: bool,
        depth: u8,
    ) -> Result<Option<Vec<Entry>>, Error> {
        let mut headers = HeaderMap::new();
        headers.insert("depth", HeaderValue::from(u16::from(depth)));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml; charset=utf-8"));
        let question = || Payload::Bytes(multistatus::QUESTION.into());
        let mut response =
            self.send(doing, "PROPFIND", self.url(path, is_folder), headers.clone(), question()).await?;
        // Apache sends whoever asks for a folder to the same with a slash at its end.
        if !is_folder && response.status().is_redirection() && is_told_as_folder(&response) {
            response = self.send(doing, "PROPFIND", self.url(path, true), headers, question()).await?;
        }
        let response = match self.fine(doing, "PROPFIND", response).await {
            Err(error) if error.reason == Reason::NotFound => return Ok(None),
            other => other?,
        };
        let strange = |why: String| {
            let cause = format!("the server's answer makes no sense: {why}");
            Error::new(Class::Destination, doing, cause)
                .cured_by("check the endpoint: what answers there may be something else than WebDAV")
        };
        if response.status() != StatusCode::MULTI_STATUS {
            return Err(strange(format!("HTTP {}", response.status())));
        }
        let xml = self.wire.whole(doing, response).await?;
        multistatus::read(&String::from_utf8_lossy(&xml), &self.base).map(Some).map_err(|why| match why {
            Strange::BrokenOff => Error::new(Class::Transient, doing, "the server's answer broke off"),
            Strange::Other(why) => strange(why),
        })
    }

    /// Asks for the bytes of a file from `from` on, up to `until`. Any answer is given.
    pub(super) async fn get(
        &self,
        doing: &str,
        path: &str,
        from: u64,
        until: Option<u64>,
    ) -> Result<Response, Error> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if from > 0 || until.is_some() {
            let last = until.map(|until| (until - 1).to_string()).unwrap_or_default();
            let range = HeaderValue::try_from(format!("bytes={from}-{last}"));
            headers.insert(
                header::RANGE,
                range.map_err(|error| Error::new(Class::Item, doing, error.to_string()))?,
            );
        }
        let response = self.send(doing, "GET", self.url(path, false), headers, Payload::Nothing).await?;
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            return Ok(response);
        }
        self.fine(doing, "GET", response).await
    }

    /// Sends a file to a path.
    pub(super) async fn put(
        &self,
        doing: &str,
        path: &str,
        modified: Option<Timestamp>,
        payload: Payload,
    ) -> Result<(), Error> {
        let mut headers = HeaderMap::new();
        if let Some(modified) = modified {
            headers.insert(MTIME, HeaderValue::from(modified.as_second()));
        }
        let response = self.send(doing, "PUT", self.url(path, false), headers, payload).await?;
        self.fine(doing, "PUT", response).await.map(drop)
    }

    /// Makes a folder, in one that is there. Gives whether there is one now: not so if the one above is missing.
    pub(super) async fn make_folder(&self, doing: &str, path: &str) -> Result<bool, Error> {
        let url = self.url(path, true);
        let response = self.send(doing, "MKCOL", url, HeaderMap::new(), Payload::Nothing).await?;
        match response.status() {
            // 405: there is something already.
            StatusCode::METHOD_NOT_ALLOWED => Ok(true),
            StatusCode::CONFLICT | StatusCode::NOT_FOUND => Ok(false),
            _ => self.fine(doing, "MKCOL", response).await.map(|_| true),
        }
    }

    /// Gives a file another path. Gives whether that was done: not so if something is there that is not to be overwritten.
    pub(super) async fn rename(
        &self,
        doing: &str,
        from: &str,
        to: &str,
        overwrite: Overwrite,
    ) -> Result<bool, Error> {
        let mut headers = HeaderMap::new();
        let destination = HeaderValue::try_from(self.url(to, false).as_str());
        headers.insert(
            "destination",
            destination.map_err(|error| Error::new(Class::Item, doing, error.to_string()))?,
        );
        headers.insert(
            "overwrite",
            HeaderValue::from_static(if overwrite == Overwrite::Yes { "T" } else { "F" }),
        );
        let response = self.send(doing, "MOVE", self.url(from, false), headers, Payload::Nothing).await?;
        // Apache says of a folder that it is elsewhere.
        let is_folder = response.status().is_redirection() && overwrite == Overwrite::No;
        if is_folder || response.status() == StatusCode::PRECONDITION_FAILED {
            return Ok(false);
        }
        self.fine(doing, "MOVE", response).await.map(|_| true)
    }

    /// Removes what is at a path, with all that is below it.
    pub(super) async fn delete(&self, doing: &str, path: &str, is_folder: bool) -> Result<(), Error> {
        let url = self.url(path, is_folder);
        let response = self.send(doing, "DELETE", url, HeaderMap::new(), Payload::Nothing).await?;
        if matches!(response.status(), StatusCode::NOT_FOUND | StatusCode::GONE) {
            return Ok(());
        }
        self.fine(doing, "DELETE", response).await.map(drop)
    }
}

/// Whether an answer leads to the same path with a slash at its end. Its host does not matter: nobody goes there.
fn is_told_as_folder(response: &Response) -> bool {
    let location = response.headers().get(header::LOCATION).and_then(|location| location.to_str().ok());
    let location = location.and_then(|location| response.url().join(location).ok());
    location.is_some_and(|location| {
        location.path().ends_with('/')
            && multistatus::parts_of(&location) == multistatus::parts_of(response.url())
    })
}

/// The URL of what is below another.
fn below(base: &Url, path: &str, is_folder: bool) -> Url {
    let mut url = base.clone();
    // A URL of http or https can always be a base.
    if let Ok(mut parts) = url.path_segments_mut() {
        parts.pop_if_empty();
        if !path.is_empty() {
            parts.extend(path.split('/'));
        }
        if is_folder {
            parts.push("");
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::below;

    #[test]
    fn any_name_makes_a_url_that_means_it() {
        let base = "https://nas.example.org/dav/".parse().unwrap();
        for (path, is_folder, url) in [
            ("", true, "https://nas.example.org/dav/"),
            ("a/b c", true, "https://nas.example.org/dav/a/b%20c/"),
            ("100% #1?.jpg", false, "https://nas.example.org/dav/100%25%20%231%3F.jpg"),
            ("%41\\\"ü\".jpg", false, "https://nas.example.org/dav/%2541%5C%22%C3%BC%22.jpg"),
            ("a+b&c;d.jpg", false, "https://nas.example.org/dav/a+b&c;d.jpg"),
        ] {
            assert_eq!(below(&base, path, is_folder).as_str(), url);
        }
        let root = "https://nas.example.org:5006".parse().unwrap();
        assert_eq!(below(&root, "a", false).as_str(), "https://nas.example.org:5006/a");
    }
}
