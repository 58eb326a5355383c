//! `/settings`: what is set for the whole of it, the password, the browsers that are signed in, tokens; below it the audit log.

mod audit;
mod general;
mod password;
mod sessions;
mod tokens;

use axum::{
    Router,
    extract::{Query, State},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use maud::{Markup, html};
use serde::Deserialize;

use super::{
    failing::Failing,
    form,
    layout::{PageOf, Section},
};
use crate::{access::Scope, api::problem::Problem, app::App};

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/settings", get(show).post(general::save))
        .route("/settings/password", post(password::change))
        .route("/settings/sessions", post(sessions::end_others))
        .route("/settings/sessions/{id}", post(sessions::end))
        .route("/settings/tokens", post(tokens::create))
        .route("/settings/tokens/{id}", post(tokens::revoke))
        .route("/settings/audit", get(audit::show))
}

/// What the page may be asked to say.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told {
    /// What has just been done.
    told: Option<String>,
}

impl Told {
    fn in_words(&self) -> Option<&'static str> {
        match self.told.as_deref()? {
            "saved" => Some("The settings are saved."),
            "password" => Some("The password is changed, and all other browsers are signed out."),
            "signed-out" => Some("That browser is signed out."),
            "others-signed-out" => Some("All other browsers are signed out."),
            "revoked" => Some("The token is revoked. Whatever used it cannot come in any more."),
            _ => None,
        }
    }
}

/// What the page shows beside what there is: what became of what was just sent.
#[derive(Debug, Default)]
struct Outcome {
    /// What was done, in words.
    done: Option<&'static str>,
    general: Option<general::Refused>,
    password: Option<Problem>,
    token: Option<tokens::Refused>,
    /// The name and the secret of a token that was made just now.
    new_token: Option<(String, secrecy::SecretString)>,
}

async fn show(State(app): State<App>, page: PageOf, Query(told): Query<Told>) -> Result<Response, Failing> {
    draw(&app, &page, Outcome { done: told.in_words(), ..Outcome::default() }).await
}

async fn draw(app: &App, page: &PageOf, outcome: Outcome) -> Result<Response, Failing> {
    let zone = app.time_zone().await;
    let now = app.engine().now();
    let general = general::draw(app, page, outcome.general.as_ref()).await?;
    let sessions = sessions::draw(app, page, now, &zone).await?;
    let tokens =
        tokens::draw(app, page, outcome.token.as_ref(), outcome.new_token.as_ref(), now, &zone).await?;
    let content = html! {
        h1 { "Settings" }
        @if let Some(done) = outcome.done { p.notice.good role="status" { (done) } }
        (general)
        section aria-labelledby="notifications" {
            h2 #notifications { "Notifications" }
            p { "Who is told when a run fails, or waits for somebody: by webhook, ntfy, e-mail or ping." }
            p { a.button.second href="/settings/notifications" { "Who is told" } }
        }
        (password::draw(page, outcome.password.as_ref()))
        (sessions)
        (tokens)
        section aria-labelledby="audit" {
            h2 #audit { "Audit log" }
            p { "Who changed what, and from where." }
            p { a.button.second href="/settings/audit" { "Open the audit log" } }
        }
    };
    let is_refused = outcome.general.is_some() || outcome.password.is_some() || outcome.token.is_some();
    Ok(page.titled(&form::title("Settings", is_refused), Section::Settings, &content).into_response())
}

/// Only one who may change everything may see who is signed in. A program with a lesser token has the API.
fn refuse_others(page: &PageOf) -> Result<(), Failing> {
    if page.who().scope == Scope::Admin {
        return Ok(());
    }
    let words = "this page is for those who may change everything (the scope admin)";
    Err(Failing::Problem(Problem::new(axum::http::StatusCode::FORBIDDEN, words)))
}

/// Back to the page, which shows what there is now and tells what was done.
fn back(told: &str) -> Response {
    // To the top, wherever the form was: it is told there.
    Redirect::to(&format!("/settings?told={told}#content")).into_response()
}

/// What is wrong with one field of a form.
fn mistake(problem: Option<&Problem>, pointer: &str, id: &str) -> Markup {
    let wrong = problem.and_then(|problem| problem.errors().iter().find(|wrong| wrong.pointer == pointer));
    html! {
        @if let Some(wrong) = wrong { p.mistake id=(id) { "It " (wrong.reason) "." } }
    }
}
