//! The connection test: stage by stage, each with its time, its cause and its cure. Nothing is left behind.

mod finding;
mod route;

use std::time::Duration;

use charon_provider::{Check, Class, Cost, Error, Host, Verdict};
use futures::{StreamExt, stream, stream::BoxStream};
use reqwest::StatusCode;
use tokio::time::{Instant, timeout};
use url::Url;

use self::finding::Finding;
use crate::{
    api::Api,
    error::{self, AUTHORISE_AGAIN, Subject},
    http::Clients,
    oauth::{Proof, TokenEndpoint},
    rights,
};

/// A stage is given up after this long, its waiting for permits included.
const LONGEST: Duration = Duration::from_secs(30);
/// Requests that only ask whether the proxy for originals is there.
const PROXY: Cost = Cost("proxy");

const PERMISSIONS: &str = "https://myaccount.google.com/permissions";
const LIBRARY_API: &str = "https://console.cloud.google.com/apis/library/photoslibrary.googleapis.com";
const WHAT_GOOGLE_SHOWS: &str = "https://developers.google.com/photos/support/updates";
const GPHOTOSDL: &str = "https://github.com/rclone/gphotosdl";

/// What is tested.
#[derive(Clone, Copy)]
pub(crate) struct Subjects<'a> {
    pub(crate) api: &'a Api,
    pub(crate) endpoint: &'a TokenEndpoint,
    pub(crate) proxy: Option<&'a Url>,
    pub(crate) read_only: bool,
}

/// The stages, in their order.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Endpoint,
    Token,
    Scopes,
    Enabled,
    Items,
    Upload,
    Proxy,
}

/// Runs the stages, ending after the first that fails.
pub(crate) fn stages(subjects: Subjects<'_>) -> BoxStream<'_, Check> {
    stream::unfold(Some(Stage::Endpoint), move |stage| async move {
        let stage = stage?;
        let begun = Instant::now();
        let finding = match timeout(LONGEST, stage.run(subjects)).await {
            Ok(finding) => finding.unwrap_or_else(Finding::failed),
            Err(_) => Finding::failed(late()),
        };
        let next = if finding.verdict == Verdict::Failed { None } else { stage.next(subjects) };
        let check = finding.with_page(stage.page()).into_check(stage.name(), begun.elapsed());
        Some((check, next))
    })
    .boxed()
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::Endpoint => "reach the token endpoint",
            Self::Token => "refresh the token",
            Self::Scopes => "scopes",
            Self::Enabled => "API enabled",
            Self::Items => "list one item",
            Self::Upload => "right to upload",
            Self::Proxy => "full-resolution proxy",
        }
    }

    /// The page where a person can do something about it.
    fn page(self) -> Option<&'static str> {
        match self {
            Self::Endpoint => None,
            Self::Token | Self::Scopes | Self::Upload => Some(PERMISSIONS),
            Self::Enabled => Some(LIBRARY_API),
            Self::Items => Some(WHAT_GOOGLE_SHOWS),
            Self::Proxy => Some(GPHOTOSDL),
        }
    }

    fn next(self, subjects: Subjects<'_>) -> Option<Self> {
        match self {
            Self::Endpoint => Some(Self::Token),
            Self::Token => Some(Self::Scopes),
            Self::Scopes => Some(Self::Enabled),
            Self::Enabled => Some(Self::Items),
            Self::Items if !subjects.read_only => Some(Self::Upload),
            Self::Items | Self::Upload => subjects.proxy.map(|_| Self::Proxy),
            Self::Proxy => None,
        }
    }

    async fn run(self, subjects: Subjects<'_>) -> Result<Finding, Error> {
        let Subjects { api, endpoint, proxy, read_only } = subjects;
        match self {
            Self::Endpoint => reach(endpoint).await,
            Self::Token => token(api).await,
            Self::Scopes => Ok(scopes(api.session().scopes().await.as_deref(), read_only)),
            Self::Enabled => {
                api.list_albums(1, None).await?;
                Ok(Finding::passed("the Photos Library API answers"))
            }
            Self::Items => items(api).await,
            Self::Upload => upload_right(api).await,
            Self::Proxy => match proxy {
                Some(proxy) => full_resolution(proxy, &endpoint.clients, &*endpoint.host).await,
                None => Ok(Finding::passed("there is none")),
            },
        }
    }
}

fn late() -> Error {
    let cause = format!(
        "nothing came of it within {} seconds: nobody answers, or the request waited for its turn (Google asked to slow \
         down, or requests_per_minute is low)",
        LONGEST.as_secs()
    );
    Error::new(Class::Transient, "test the connection", cause).cured_by(
        "test again when no run is at work; if it stays so, check the connection to the internet, and the storage's URLs \
         if it has its own",
    )
}

async fn reach(endpoint: &TokenEndpoint) -> Result<Finding, Error> {
    let route = route::to(&endpoint.url);
    match endpoint.reach().await {
        Ok(status) => Ok(Finding::passed(format!("it answers (HTTP {status}), asked {route}"))),
        Err(mut error) => {
            error.cause = format!("{} (asked {route})", error.cause);
            Err(error)
        }
    }
}

async fn token(api: &Api) -> Result<Finding, Error> {
    let until = |at: Option<jiff::Timestamp>| match at {
        Some(at) => at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        None => "it is refused".to_owned(),
    };
    Ok(match api.session().prove().await? {
        Proof::Renewed { expires_at } => {
            Finding::passed(format!("a new access token, good until {}", until(expires_at)))
        }
        Proof::CannotRenew { expires_at } => {
            let found = format!(
                "no refresh token: the access token is good until {}, then nothing works",
                until(expires_at)
            );
            Finding::warned(found, AUTHORISE_AGAIN)
        }
    })
}

fn scopes(granted: Option<&str>, read_only: bool) -> Finding {
    let Some(granted) = granted else {
        return Finding::passed("Google did not say which rights the token has; the next stages show it");
    };
    let missing = rights::missing(granted, read_only);
    let cure =
        "connect the storage again, here or by `charon authorize`, leaving every box ticked on Google's page";
    if missing.is_empty() {
        let all: Vec<_> = rights::needed(read_only).iter().map(rights::Right::short).collect();
        return Finding::passed(format!("the token has every right that is needed: {}", all.join(", ")));
    }
    let found = format!("the token lacks {}", rights::in_words(&missing));
    if missing.iter().all(|right| right.is_spare) {
        return Finding::warned(found, cure);
    }
    let cure = if missing.iter().any(|right| right.is_to_read()) {
        cure.to_owned()
    } else {
        format!("{cure}; or set read_only if nothing shall be uploaded")
    };
    Finding::failed(Error::new(Class::Auth, "use the token", found).cured_by(cure))
}

async fn items(api: &Api) -> Result<Finding, Error> {
    let (items, next) = api.list_items(1, None).await?;
    Ok(if items.is_empty() && next.is_none() {
        Finding::warned(
            "the account shows this client no photos: since 31 March 2025 Google shows an app only what the app itself \
             has uploaded, and a new client ID starts with nothing",
            "to back up what an earlier client uploaded, use that client's ID; to upload, go on: what Charon uploads it \
             will also see",
        )
    } else {
        Finding::passed("there are items to back up")
    })
}

/// An upload of no bytes leaves nothing behind. Google looks at the right before it looks at the bytes: without it it answers
/// 401, with it 400 "Payload must not be empty".
async fn upload_right(api: &Api) -> Result<Finding, Error> {
    let (answer, bearer) = api.send_nothing().await?;
    let words = bearer.scrub_words(error::fault::Fault::read(&answer).words(answer.status));
    match answer.status {
        status if status.is_success() || words.to_ascii_lowercase().contains("payload must not be empty") => {
            Ok(Finding::passed("the token may upload"))
        }
        StatusCode::BAD_REQUEST => Ok(Finding::warned(
            format!("Google did not say whether the token may upload: {words}"),
            "go on: the first upload will show it",
        )),
        _ => {
            let error =
                error::refused("check the right to upload", Subject::Bytes, &answer, api.host().now());
            Err(bearer.scrub(error))
        }
    }
}

/// Any answer will do, for there is nothing to be had at its root. No token is sent.
async fn full_resolution(proxy: &Url, clients: &Clients, host: &dyn Host) -> Result<Finding, Error> {
    let doing = "reach the full-resolution proxy";
    host.permit(PROXY).await?;
    let unanswered = |trouble| {
        error::unanswered(doing, Subject::Media, trouble)
            .cured_by("start gphotosdl where the field proxy says, or leave that field blank: then Google's copies are taken")
    };
    let mut root = proxy.clone();
    if let Ok(mut path) = root.path_segments_mut() {
        path.pop_if_empty().push("");
    }
    let client = clients.of_proxy(&root).map_err(unanswered)?;
    let response = client.get(root).send().await.map_err(|error| unanswered(error.into()))?;
    Ok(Finding::passed(format!("it answers (HTTP {})", response.status().as_u16())))
}
