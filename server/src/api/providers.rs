//! `/providers`: the kinds of storage that are compiled in.

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
};
use charon_engine::Engine;
use charon_provider::{Capabilities, Consenting, Provider};
use charon_schema::PlutonField;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{endpoint::Endpoint, paging::Page, problem::Problem};

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/providers", "list_providers", "The kinds of storage that there are", list)
            .answer::<Page<ProviderView>>(200, "All of them"),
        Endpoint::get(
            "/providers/{provider}",
            "get_provider",
            "One kind of storage, and how it is configured",
            show,
        )
        .path_is::<String>("provider")
        .answer::<ProviderDetail>(200, "The provider"),
    ]
}

/// A kind of storage.
#[derive(Debug, Serialize, JsonSchema)]
struct ProviderView {
    /// Short, stable, lower case.
    id: &'static str,
    /// What people call it.
    name: &'static str,
    /// What it does and what it cannot, in one sentence.
    summary: &'static str,
    /// The most that a storage of this kind can do; `null` if that depends on its configuration.
    capabilities: Option<Capabilities>,
    /// How people are asked for their consent, if they are.
    consenting: Option<Consenting>,
}

/// A kind of storage, and how it is configured.
#[derive(Debug, Serialize, JsonSchema)]
struct ProviderDetail {
    #[serde(flatten)]
    provider: ProviderView,
    /// The JSON Schema (draft 2020-12) of its configuration. Fields with `x-secret` are never told; whoever changes one with
    /// `x-binds-secrets` enters the secrets again.
    schema: Value,
    /// The same fields as Pluton's form has them.
    pluton_fields: Vec<PlutonField>,
    /// The kinds of signing in that Pluton's form offers.
    pluton_auth_types: Vec<String>,
}

impl ProviderView {
    fn of(provider: &dyn Provider) -> Self {
        let description = provider.describe();
        Self {
            id: description.id,
            name: description.name,
            summary: description.summary,
            capabilities: provider.capabilities(),
            consenting: description.consenting,
        }
    }
}

async fn list(State(engine): State<Engine>) -> Json<Page<ProviderView>> {
    let providers = engine.registry().providers().map(|provider| ProviderView::of(&**provider));
    Json(Page::whole(providers.collect()))
}

async fn show(
    State(engine): State<Engine>,
    provider: Result<Path<String>, PathRejection>,
) -> Result<Json<ProviderDetail>, Problem> {
    let Path(provider) = provider.map_err(|_| Problem::not_found("provider"))?;
    let provider = engine.registry().provider(&provider)?;
    let schema = &provider.describe().schema;
    Ok(Json(ProviderDetail {
        provider: ProviderView::of(&**provider),
        schema: schema.as_json().clone(),
        pluton_fields: schema.pluton_fields(),
        pluton_auth_types: schema.pluton_auth_types(),
    }))
}
