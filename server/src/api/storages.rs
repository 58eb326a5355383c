//! `/storages`: configured accounts. Their tests are in `testing`, their consents in `authorizing`.

use axum::{
    Extension,
    extract::State,
    http::{StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use charon_engine::{Engine, StorageChange, StorageDetail, StorageId};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    BASE,
    endpoint::Endpoint,
    etag::{ETag, IfMatch},
    extract::{Id, Json},
    paging::Page,
    problem::Problem,
};
use crate::{access::Who, app::App, consents::Given, drafts::owner};

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/storages", "list_storages", "All storages, by name", list)
            .answer::<Page<StorageDetail>>(200, "All of them"),
        Endpoint::post("/storages", "add_storage", "Adds a storage; sends no request to it", add)
            .body::<NewStorage>()
            .answer::<StorageDetail>(201, "The storage, its secrets hidden")
            .with_header("Location", "where it is")
            .with_etag()
            .problems(&[404, 409]),
        Endpoint::get("/storages/{id}", "get_storage", "A storage, with all that is known of it", show)
            .answer::<StorageDetail>(200, "The storage, its secrets hidden")
            .with_etag(),
        Endpoint::put("/storages/{id}", "change_storage", "Replaces the name and the configuration of a storage", change)
            .notes(
                "Secrets that are left out, or given as the dots that GET shows, are kept; unless a field with `x-binds-secrets` \
                 changes: then they are asked for again. Those that are null are forgotten.",
            )
            .body::<ChangedStorage>()
            .answer::<StorageDetail>(200, "The storage as it is now")
            .with_etag()
            .problems(&[409]),
        Endpoint::delete("/storages/{id}", "remove_storage", "Removes a storage, and what is known of its items", remove)
            .notes("What the account holds, and what has come home, stays where it is. One that a plan uses is not removed.")
            .header("If-Match", "the ETag of the version that is to be removed", false)
            .answer_empty(204, "It is gone")
            .problems(&[409, 412]),
    ]
}

/// A storage that is to be added.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewStorage {
    /// What it is to be called.
    name: String,
    /// The id of its provider.
    provider: String,
    /// Its configuration, as the provider's schema describes it.
    config: Map<String, Value>,
    /// The id of an authorization that was answered: what it gave goes into the configuration.
    authorization: Option<Uuid>,
}

/// A storage as it is to be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ChangedStorage {
    /// What it is called.
    name: String,
    /// Its whole configuration. Secrets may be left out.
    config: Map<String, Value>,
    /// The id of an authorization that was answered: what it gave goes into the configuration.
    authorization: Option<Uuid>,
}

/// The version of a storage, as everybody who changes it names it.
pub(super) fn etag(storage: &StorageDetail) -> ETag {
    ETag::of(&format!("{} {}", storage.storage.id, storage.storage.revision))
}

async fn list(State(engine): State<Engine>) -> Result<axum::Json<Page<StorageDetail>>, Problem> {
    Ok(axum::Json(Page::whole(engine.storage_details().await?)))
}

async fn show(State(engine): State<Engine>, Id(id): Id<StorageId>) -> Result<Response, Problem> {
    let storage = engine.storage_detail(id).await?;
    Ok(etag(&storage).on(axum::Json(storage)))
}

async fn add(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Json(new): Json<NewStorage>,
) -> Result<Response, Problem> {
    let engine = app.engine();
    let NewStorage { name, provider, mut config, authorization } = new;
    let given = with_consent(&app, &who, authorization, (&provider, &mut config))?;
    let added = engine.add_storage(&name, &provider, config).await;
    let id = added.map_err(|error| Problem::of_engine(error, "/config"))?.id;
    adopted(&app, id, authorization, given).await?;
    let storage = engine.storage_detail(id).await?;
    let location = AppendHeaders([(header::LOCATION, format!("{BASE}/storages/{id}"))]);
    Ok(etag(&storage).on((StatusCode::CREATED, location, axum::Json(storage))))
}

async fn change(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Id(id): Id<StorageId>,
    seen: IfMatch,
    Json(new): Json<ChangedStorage>,
) -> Result<Response, Problem> {
    let engine = app.engine();
    let now = engine.storage_detail(id).await?;
    seen.must_be(&etag(&now))?;
    let ChangedStorage { name, mut config, authorization } = new;
    let given = with_consent(&app, &who, authorization, (&now.storage.provider, &mut config))?;
    let change = StorageChange { name, config, seen: Some(now.storage.revision) };
    let changed = engine.change_storage(id, change).await;
    changed.map_err(|error| Problem::of_engine(error, "/config"))?;
    adopted(&app, id, authorization, given).await?;
    let storage = engine.storage_detail(id).await?;
    Ok(etag(&storage).on(axum::Json(storage)))
}

async fn remove(
    State(engine): State<Engine>,
    Id(id): Id<StorageId>,
    seen: IfMatch,
) -> Result<impl IntoResponse, Problem> {
    let now = engine.storage_detail(id).await?;
    seen.may_be(&etag(&now))?;
    let revision = (seen != IfMatch::Absent).then_some(now.storage.revision);
    engine.remove_storage_by_id(id, revision).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Puts what a consent gave into a configuration, if it names the same place as the one that it was asked with.
pub(super) fn with_consent(
    app: &App,
    who: &Who,
    authorization: Option<Uuid>,
    (provider, config): (&str, &mut Map<String, Value>),
) -> Result<Option<Given>, Problem> {
    let Some(id) = authorization else { return Ok(None) };
    let given = app.consents().given(&owner(who), id, app.engine().now()).ok_or_else(|| {
        Problem::wrong_field(
            "/authorization",
            "is none that was answered within the last hour and is not used; authorize again",
        )
    })?;
    let elsewhere = if given.asked_with.provider == provider {
        let schema = &app.engine().registry().provider(provider)?.describe().schema;
        given.asked_with.rebound(schema, config)
    } else {
        vec!["the provider"]
    };
    if !elsewhere.is_empty() {
        let reason = format!("was given where {} was another one; authorize again", elsewhere.join(", "));
        return Err(Problem::wrong_field("/authorization", reason));
    }
    config.insert(given.field.to_owned(), secrecy::ExposeSecret::expose_secret(&given.value).into());
    Ok(Some(given))
}

/// A storage has what a consent gave.
async fn adopted(
    app: &App,
    storage: StorageId,
    authorization: Option<Uuid>,
    given: Option<Given>,
) -> Result<(), Problem> {
    if let (Some(id), Some(given)) = (authorization, given) {
        app.engine().account_was_told(storage, &given.account).await?;
        app.consents().used(id, app.engine().now());
    }
    Ok(())
}
