//! `/folders`: the folders below the roots, for a form to choose from.

use std::path::PathBuf;

use axum::{Json as Answer, extract::State};
use charon_engine::FolderList;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{endpoint::Endpoint, extract::Query, problem::Problem};
use crate::{access::Scope, app::App};

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get(
            "/folders",
            "list_folders",
            "The folders in one, or the roots below which folders may be named",
            list,
        )
        .scope(Scope::Admin)
        .query::<Where>()
        .answer::<FolderList>(200, "The folders, without those that are hidden"),
    ]
}

/// Which folder is looked into.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Where {
    /// Its whole path; the roots, if this is left out.
    path: Option<String>,
}

async fn list(State(app): State<App>, Query(asked): Query<Where>) -> Result<Answer<FolderList>, Problem> {
    let listed = app.roots().folders_in(asked.path.map(PathBuf::from)).await;
    listed.map(Answer).map_err(|why| Problem::bad_request(format!("the path {why}")))
}
