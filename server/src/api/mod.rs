//! The HTTP API. Each resource has a file that lists its endpoints; see `endpoint` for what one is. To add one: write its handler, and
//! an [`Endpoint`] that says what it takes and what it answers, in the list of its file.
//!
//! ```text
//! pub(crate) fn endpoints() -> Vec<Endpoint> {
//!     vec![
//!         Endpoint::get("/runs", "list_runs", "Runs, the newest first", list)
//!             .query::<RunsQuery>()
//!             .answer::<Page<RunRecord>>(200, "A page of runs"),
//!         Endpoint::post("/runs/{id}:cancel", "cancel_run", "Ends a run", cancel)
//!             .scope(Scope::Run)
//!             .answer::<RunRecord>(202, "It finishes what it holds, and ends")
//!             .problems(&[409]),
//!     ]
//! }
//!
//! async fn list(State(engine): State<Engine>, Query(query): Query<RunsQuery>) -> Result<Json<Page<RunRecord>>, Problem> { … }
//! ```
//!
//! Handlers take `State<App>` or `State<Engine>`, [`extract::Query`], [`extract::Json`], [`extract::Id`], [`etag::IfMatch`], and
//! `Extension<Who>` where it matters who asks.

mod endpoint;
pub(crate) mod etag;
pub(crate) mod extract;
mod openapi;
pub(crate) mod paging;
pub(crate) mod problem;
mod verbs;

mod asked;
mod audit;
mod authorizing;
pub(crate) mod browse;
mod budget;
mod dashboard;
mod events;
mod folders;
pub(crate) mod items;
pub(crate) mod library;
mod mirror;
pub(crate) mod notifications;
mod plans;
mod providers;
pub(crate) mod restoring;
pub(crate) mod runs;
mod schedules;
mod session;
mod settings;
mod storages;
pub(crate) mod testing;
mod tokens;
mod trash;
pub(crate) mod verifications;

use std::{collections::BTreeMap, sync::LazyLock};

use axum::{
    Router,
    body::Bytes,
    http::{Method, StatusCode, header},
    middleware::from_fn_with_state,
    response::IntoResponse,
    routing::{MethodRouter, get},
};
use endpoint::Endpoint;
use serde_json::Value;
pub(crate) use verbs::{AskedFor, rewrite};

use crate::{access, app::App};
use problem::Problem;

/// Where the API begins.
pub(crate) const BASE: &str = "/api/v1";

/// All endpoints, by the resource that they belong to: its name and what it is. The order is that of the document.
pub(crate) fn resources() -> Vec<(&'static str, &'static str, Vec<Endpoint>)> {
    let storages = [storages::endpoints(), testing::endpoints(), authorizing::endpoints()];
    vec![
        ("Dashboard", "Everything at a glance.", dashboard::endpoints()),
        (
            "Runs",
            "Everything that was done and is being done, and what became of each item.",
            runs::endpoints(),
        ),
        ("Events", "What happens, as it happens.", events::endpoints()),
        (
            "Providers",
            "The kinds of storage that there are, and how they are configured.",
            providers::endpoints(),
        ),
        (
            "Storages",
            "Configured accounts, their tests and their consents.",
            storages.into_iter().flatten().collect(),
        ),
        ("Budget", "What the daily quotas leave, and what has been used.", budget::endpoints()),
        ("Items", "Single files that programs hand over to be sent.", items::endpoints()),
        ("Notifications", "Who is told what becomes of runs, and how.", notifications::endpoints()),
        ("Settings", "What is set for the whole of it.", settings::endpoints()),
        ("Sessions", "Who asks, and which browsers are signed in.", session::endpoints()),
        ("Tokens", "What other programs come in with.", tokens::endpoints()),
        ("Audit", "Who changed what, and from where.", audit::endpoints()),
        (
            "Plans",
            "What is to be done, and when.",
            [plans::endpoints(), restoring::endpoints()].into_iter().flatten().collect(),
        ),
        ("Schedules", "What schedules mean.", schedules::endpoints()),
        ("Folders", "The folders that plans may name.", folders::endpoints()),
        ("Library", "What the mirrors of backup plans hold.", library::endpoints()),
        (
            "Mirror",
            "How the mirrors of backup plans stand, the proof that they are good, and their trash.",
            [mirror::endpoints(), verifications::endpoints(), trash::endpoints()]
                .into_iter()
                .flatten()
                .collect(),
        ),
        ("Browse", "What storages themselves show, fetched from them.", browse::endpoints()),
    ]
}

/// The OpenAPI document.
pub(crate) fn document() -> &'static Value {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(|| openapi::document(&resources()));
    &DOCUMENT
}

/// The API's part of the router.
pub(crate) fn router() -> Router<App> {
    let mut routes: BTreeMap<String, MethodRouter<App>> = BTreeMap::new();
    for endpoint in resources().into_iter().flat_map(|(_, _, endpoints)| endpoints) {
        let path = format!("{BASE}{}", endpoint.route());
        let handler = match endpoint.scope {
            Some(scope) => {
                let required =
                    access::Required { scope, operation: endpoint.operation, changes: endpoint.changes };
                endpoint.handler.layer(from_fn_with_state(required, access::require))
            }
            None => endpoint.handler,
        };
        let route = routes.remove(&path).unwrap_or_default().merge(handler);
        routes.insert(path, route);
    }
    let described =
        routes.into_iter().fold(Router::new(), |router, (path, route)| router.route(&path, route));
    described
        .route(&format!("{BASE}/openapi.json"), get(openapi_json))
        .route(BASE, axum::routing::any(nothing))
        .route(&format!("{BASE}/{{*rest}}"), axum::routing::any(nothing))
        .method_not_allowed_fallback(wrong_method)
}

async fn openapi_json() -> impl IntoResponse {
    static TEXT: LazyLock<Bytes> =
        LazyLock::new(|| serde_json::to_vec(document()).map(Bytes::from).unwrap_or_default());
    ([(header::CONTENT_TYPE, "application/json")], TEXT.clone())
}

async fn nothing() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is nothing here; /api/v1/openapi.json says what there is")
}

async fn wrong_method(method: Method) -> Problem {
    let words = format!("{method} is not to be used here; the field Allow says what is");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, words)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{document, resources};

    #[test]
    fn each_operation_has_a_name_of_its_own_and_an_answer() {
        let mut names = BTreeSet::new();
        for endpoint in resources().into_iter().flat_map(|(_, _, endpoints)| endpoints) {
            assert!(names.insert(endpoint.operation), "{} is there twice", endpoint.operation);
            assert!(!endpoint.answers.is_empty(), "{} answers nothing", endpoint.operation);
            let ended = !endpoint.summary.ends_with('.') && !endpoint.summary.is_empty();
            assert!(ended, "{}: a summary is a line without its full stop", endpoint.operation);
        }
    }

    #[test]
    fn whatever_the_document_refers_to_is_in_it() {
        let text = document().to_string();
        for rest in text.split("\"$ref\":\"#").skip(1) {
            let pointer = rest.split('"').next().expect("its end");
            assert!(document().pointer(pointer).is_some(), "{pointer} is not there");
        }
    }
}
