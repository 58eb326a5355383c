//! `/tokens`: what other programs come in with.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use charon_engine::{Engine, Scope, Token, TokenId};
use jiff::Timestamp;
use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::{
    endpoint::Endpoint,
    extract::{self, Id},
    paging::Page,
    problem::Problem,
};
use crate::access::Audited;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/tokens", "list_tokens", "The tokens of the API, without their secrets", list)
            .scope(Scope::Admin)
            .answer::<Page<Token>>(200, "All tokens, by name"),
        Endpoint::post("/tokens", "create_token", "Makes a token", create)
            .notes("The secret is in the answer, and can never be had again.")
            .body::<NewToken>()
            .answer::<CreatedToken>(201, "The token, with its secret")
            .problems(&[409]),
        Endpoint::delete("/tokens/{id}", "revoke_token", "Revokes a token", revoke)
            .answer_empty(204, "Nobody comes in with it from now on"),
    ]
}

/// A token that is to be made.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewToken {
    /// What to call it: what it is for.
    #[schemars(length(min = 1, max = 100))]
    name: String,
    /// What it may: `read` looks, `run` also begins and steers runs and uploads items, `admin` does everything.
    scope: Scope,
    /// When it ends; never, without it.
    expires_at: Option<Timestamp>,
}

/// A token that was made just now.
#[derive(Debug, Serialize, JsonSchema)]
struct CreatedToken {
    #[serde(flatten)]
    token: Token,
    /// What its holder sends as `Authorization: Bearer …`.
    secret: String,
}

async fn list(State(engine): State<Engine>) -> Result<Json<Page<Token>>, Problem> {
    Ok(Json(Page::whole(engine.tokens().await?)))
}

async fn create(
    State(engine): State<Engine>,
    extract::Json(wanted): extract::Json<NewToken>,
) -> Result<Response, Problem> {
    let new = engine.create_token(&wanted.name, wanted.scope, wanted.expires_at).await?;
    let told =
        Audited::new("create_token", Some(new.token.name.clone())).with("scope", new.token.scope.as_str());
    let created = CreatedToken { secret: new.secret.expose_secret().to_owned(), token: new.token };
    Ok(told.on((StatusCode::CREATED, Json(created))))
}

async fn revoke(State(engine): State<Engine>, Id(id): Id<TokenId>) -> Result<Response, Problem> {
    let token = engine.revoke_token(id).await?.ok_or_else(|| Problem::not_found("token"))?;
    Ok(Audited::new("revoke_token", Some(token.name)).on(StatusCode::NO_CONTENT))
}
