//! `:authorize`: a person's consent, over the API. The program that asks shows the person the URL, and brings back the address that
//! their browser ended on.

use axum::{
    Extension, Json as Answer,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
};
use charon_engine::{Engine, StorageId};
use charon_provider::{Authorization, Class, Consent};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;
use uuid::Uuid;

use super::{
    endpoint::Endpoint,
    extract::{Id, Json},
    problem::Problem,
};
use crate::{
    access::Who,
    app::App,
    consents::{AskedWith, Asking, NotTaken, Target},
    drafts::owner,
    redirect::of_browser,
};

pub(crate) fn endpoints() -> Vec<Endpoint> {
    const NOTES: &str = "Send the person to `url`. Their browser then ends on an address that begins with `redirect`; within a \
                         quarter of an hour, give that address to `POST /authorizations/{id}`. Whether it opens there does not \
                         matter.";
    vec![
        Endpoint::post("/storages:authorize", "authorize_new_storage", "Asks for the consent for a storage that is yet to be added", before_saving)
            .notes(NOTES)
            .body::<NewAuthorization>()
            .answer::<AuthorizationView>(201, "What to show to the person")
            .problems(&[404]),
        Endpoint::post("/storages/{id}:authorize", "authorize_storage", "Asks for the consent for a storage anew", stored)
            .notes(NOTES)
            .body::<ChangedAuthorization>()
            .optional_body()
            .answer::<AuthorizationView>(201, "What to show to the person")
            .problems(&[409]),
        Endpoint::post("/authorizations/{id}", "answer_authorization", "Brings back what the browser ended on", answer)
            .notes(
                "A storage has its consent then. For one that is yet to be added, the consent is kept for an hour: name it as \
                 `authorization` when the storage is tested or added. An answer is worth something once.",
            )
            .body::<AuthorizationAnswer>()
            .answer::<ConsentView>(200, "Whose consent it is")
            .problems(&[409, 502]),
    ]
}

/// A storage that is yet to be added and needs a consent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewAuthorization {
    /// The id of its provider.
    provider: String,
    /// Its configuration, without what the consent gives.
    config: Map<String, Value>,
    /// Where the browser is sent afterwards: an address of a loopback host, or one of https.
    redirect: Option<String>,
}

/// A storage that needs its consent anew.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ChangedAuthorization {
    /// Where the browser is sent afterwards: an address of a loopback host, or one of https.
    redirect: Option<String>,
}

/// A consent that is asked for.
#[derive(Debug, Serialize, JsonSchema)]
struct AuthorizationView {
    /// Its id.
    id: Uuid,
    /// The page where a person gives it.
    url: String,
    /// Where the browser is sent afterwards.
    redirect: String,
    /// Until when the answer is taken.
    expires_at: Timestamp,
}

/// What the browser ended on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AuthorizationAnswer {
    /// The whole address, or from its `?` on.
    answer: String,
}

/// A consent that was given.
#[derive(Debug, Serialize, JsonSchema)]
struct ConsentView {
    /// The storage that has it now.
    storage: Option<StorageId>,
    /// The field of the configuration that it belongs into.
    field: &'static str,
    /// Whose it is, as people know it, if that was told.
    account: Option<String>,
}

async fn before_saving(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    headers: HeaderMap,
    Json(new): Json<NewAuthorization>,
) -> Result<impl IntoResponse, Problem> {
    let redirect = redirect(&app, &headers, new.redirect)?;
    let asked_with = AskedWith { provider: new.provider, config: new.config };
    let asked = app.engine().authorize(&asked_with.provider, asked_with.config.clone(), &redirect);
    let authorization = asked.map_err(|error| Problem::of_engine(error, "/config"))?;
    Ok(ask(&app, &who, Target::Later, (authorization, asked_with), redirect))
}

async fn stored(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Id(id): Id<StorageId>,
    headers: HeaderMap,
    body: Option<Json<ChangedAuthorization>>,
) -> Result<impl IntoResponse, Problem> {
    let redirect = redirect(&app, &headers, body.and_then(|Json(body)| body.redirect))?;
    let storage = app.engine().storage_by_id(id).await?;
    let asked_with = AskedWith { provider: storage.provider, config: storage.config };
    let asked = app.engine().authorize_changed(id, None, &redirect).await;
    let authorization = asked.map_err(Problem::of_stored)?;
    Ok(ask(&app, &who, Target::Storage(id), (authorization, asked_with), redirect))
}

fn redirect(app: &App, headers: &HeaderMap, asked: Option<String>) -> Result<Url, Problem> {
    let wrong =
        || Problem::wrong_field("/redirect", "is to be an http address of a loopback host, or one of https");
    let Some(asked) = asked else { return Ok(of_browser(app, headers).url) };
    let url = Url::parse(&asked).map_err(|_| wrong())?;
    let is_loopback = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() == "https" || (url.scheme() == "http" && is_loopback) {
        return Ok(url);
    }
    Err(wrong())
}

fn ask(
    app: &App,
    who: &Who,
    target: Target,
    authorization: (Box<dyn Authorization>, AskedWith),
    redirect: Url,
) -> (StatusCode, Answer<AuthorizationView>) {
    let engine = app.engine();
    let asking = Asking::new((engine.new_id(), owner(who)), target, authorization, redirect, engine.now());
    let view = AuthorizationView {
        id: asking.id,
        url: asking.url.to_string(),
        redirect: asking.redirect.to_string(),
        expires_at: asking.expires_at,
    };
    app.consents().ask(asking, engine.now());
    (StatusCode::CREATED, Answer(view))
}

async fn answer(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Id(id): Id<Uuid>,
    Json(AuthorizationAnswer { answer }): Json<AuthorizationAnswer>,
) -> Result<Answer<ConsentView>, Problem> {
    let now = app.engine().now();
    let asking = app.consents().take(&owner(&who), id, &answer, now).map_err(|error| match error {
        NotTaken::Unknown => Problem::new(StatusCode::NOT_FOUND, error.to_string()),
        _ => Problem::wrong_field("/answer", error.to_string()),
    })?;
    let consent = asking.redeem(&answer).await.map_err(|error| refused(&error))?;
    Ok(Answer(taken(&app, &asking, consent).await?))
}

/// The storage that the consent is for has it; or it is kept for one that is yet to be added.
async fn taken(app: &App, asking: &Asking, consent: Consent) -> Result<ConsentView, Problem> {
    let engine: &Engine = app.engine();
    let (field, account) = (consent.field, consent.account.clone());
    let storage = match asking.target {
        Target::Storage(id) => {
            engine.adopt_consent_of(id, consent, Some(&asking.asked_with.config)).await?;
            Some(id)
        }
        Target::Draft(_) | Target::Later => {
            app.consents().keep(asking, consent, engine.now());
            None
        }
    };
    Ok(ConsentView { storage, field, account })
}

/// The provider does not take the answer, or cannot be asked.
fn refused(error: &charon_provider::Error) -> Problem {
    match error.class {
        Class::Auth | Class::Config | Class::Item => Problem::wrong_field("/answer", error.to_string()),
        _ => Problem::of_storage(error),
    }
}
