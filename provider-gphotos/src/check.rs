//! The connection test: stage by stage, each with its time, its cause and its cure. Nothing is left behind.

use std::time::Duration;

use charon_provider::{Check, Error, Verdict};
use futures::{StreamExt, stream, stream::BoxStream};
use tokio::time::Instant;

use crate::{api::Api, error::AUTHORISE_AGAIN, oauth::Proof};

/// Of these rights, one must be there to upload; the second is what tokens from before April 2025 have.
const UPLOAD_SCOPES: [&str; 2] = [
    "https://www.googleapis.com/auth/photoslibrary.appendonly",
    "https://www.googleapis.com/auth/photoslibrary",
];

/// The stages, in their order.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Token,
    Items,
    Albums,
    UploadRight,
}

/// What a stage found out.
struct Finding {
    verdict: Verdict,
    found: String,
    cure: Option<String>,
}

/// Runs the stages, ending after the first that fails.
pub(crate) fn stages(api: &Api, with_upload: bool) -> BoxStream<'_, Check> {
    stream::unfold(Some(Stage::Token), move |stage| async move {
        let stage = stage?;
        let begun = Instant::now();
        let finding = stage.run(api).await.unwrap_or_else(Finding::failed);
        let next = if finding.verdict == Verdict::Failed { None } else { stage.next(with_upload) };
        Some((finding.into_check(stage.name(), begun.elapsed()), next))
    })
    .boxed()
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::Token => "refresh the token",
            Self::Items => "list one item",
            Self::Albums => "list albums",
            Self::UploadRight => "check the right to upload",
        }
    }

    fn next(self, with_upload: bool) -> Option<Self> {
        match self {
            Self::Token => Some(Self::Items),
            Self::Items => Some(Self::Albums),
            Self::Albums => with_upload.then_some(Self::UploadRight),
            Self::UploadRight => None,
        }
    }

    async fn run(self, api: &Api) -> Result<Finding, Error> {
        match self {
            Self::Token => token(api).await,
            Self::Items => items(api).await,
            Self::Albums => albums(api).await,
            Self::UploadRight => Ok(upload_right(api).await),
        }
    }
}

async fn token(api: &Api) -> Result<Finding, Error> {
    let until =
        |at: Option<jiff::Timestamp>| at.map_or_else(|| "it is refused".to_owned(), |at| at.to_string());
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
        Finding::passed("there are items to back up".to_owned())
    })
}

async fn albums(api: &Api) -> Result<Finding, Error> {
    let (albums, next) = api.list_albums(1, None).await?;
    let none = albums.is_empty() && next.is_none();
    Ok(Finding::passed(
        if none { "this client has made no albums yet" } else { "there are albums" }.to_owned(),
    ))
}

async fn upload_right(api: &Api) -> Finding {
    match api.session().scopes().await {
        None => Finding::passed("Google did not say which rights the token has; the first upload will show".to_owned()),
        Some(scopes) if scopes.split_whitespace().any(|scope| UPLOAD_SCOPES.contains(&scope)) => {
            Finding::passed("the token may upload".to_owned())
        }
        Some(_) => Finding {
            verdict: Verdict::Failed,
            found: "the token has no right to upload".to_owned(),
            cure: Some(
                "run the authorisation again, granting photoslibrary.appendonly, and update the storage's token; or \
                 set read_only if nothing shall be uploaded"
                    .to_owned(),
            ),
        },
    }
}

impl Finding {
    fn passed(found: String) -> Self {
        Self { verdict: Verdict::Passed, found, cure: None }
    }

    fn warned(found: impl Into<String>, cure: &str) -> Self {
        Self { verdict: Verdict::Warned, found: found.into(), cure: Some(cure.to_owned()) }
    }

    fn failed(error: Error) -> Self {
        Self { verdict: Verdict::Failed, found: error.cause, cure: error.cure }
    }

    fn into_check(self, stage: &'static str, took: Duration) -> Check {
        Check { stage, verdict: self.verdict, took, found: self.found, cure: self.cure, link: None }
    }
}
