//! `/session` and `/sessions`: who asks, and which browsers are signed in.

use axum::{Extension, Json, extract::State, http::StatusCode};
use charon_engine::{Engine, Scope, Session, SessionId};
use schemars::JsonSchema;
use serde::Serialize;

use super::{endpoint::Endpoint, extract::Id, paging::Page, problem::Problem};
use crate::access::Who;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/session", "get_session", "Who asks, and what they may", show)
            .answer::<Asking>(200, "The token or the session that this was asked with"),
        Endpoint::get("/sessions", "list_sessions", "The browsers that are signed in", list)
            .scope(Scope::Admin)
            .answer::<Page<Session>>(200, "All sessions, the one that came last first"),
        Endpoint::delete("/sessions/{id}", "end_session", "Signs a browser out", end)
            .answer_empty(204, "It is signed out"),
    ]
}

/// Who asks.
#[derive(Debug, Serialize, JsonSchema)]
struct Asking {
    /// `admin`, or the name of the token.
    name: String,
    /// What they may.
    scope: Scope,
    /// The session of a browser; `null` for a token.
    session: Option<SessionId>,
}

async fn show(Extension(who): Extension<Who>) -> Json<Asking> {
    Json(Asking { name: who.name, scope: who.scope, session: who.session })
}

async fn list(State(engine): State<Engine>) -> Result<Json<Page<Session>>, Problem> {
    Ok(Json(Page::whole(engine.sessions().await?)))
}

async fn end(State(engine): State<Engine>, Id(id): Id<SessionId>) -> Result<StatusCode, Problem> {
    if engine.end_session(id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found("session"))
    }
}
