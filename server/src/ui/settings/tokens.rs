//! What other programs come in with. The secret of a token is shown once, when it was made.

use axum::{
    Form,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use charon_engine::{Scope, Token, TokenId};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use maud::{Markup, html};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{Outcome, back, draw as draw_page, mistake, refuse_others};
use crate::{
    access::Audited,
    api::{extract::Id, problem::Problem},
    app::App,
    ui::{failing::Failing, layout::PageOf, words},
};

/// What was entered, and what is wrong with it.
#[derive(Debug)]
pub(super) struct Refused {
    entered: Wanted,
    problem: Problem,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Wanted {
    name: String,
    scope: Scope,
    /// So many days it lasts; empty for ever.
    days: String,
}

const SCOPES: [(Scope, &str); 3] = [
    (Scope::Read, "Look at everything that is shown"),
    (Scope::Run, "Also begin and steer runs, and upload items"),
    (Scope::Admin, "Change everything"),
];

const LASTS: [(&str, &str); 4] =
    [("30", "30 days"), ("90", "90 days"), ("365", "A year"), ("", "Until it is revoked")];

pub(super) async fn draw(
    app: &App,
    page: &PageOf,
    refused: Option<&Refused>,
    new: Option<&(String, SecretString)>,
    now: Timestamp,
    zone: &TimeZone,
) -> Result<Markup, Failing> {
    refuse_others(page)?;
    let tokens = app.engine().tokens().await?;
    Ok(html! {
        section aria-labelledby="tokens" {
            h2 #tokens { "Tokens of the API" }
            p { "Other programs come in with a token: " code { "Authorization: Bearer charon_…" } ". What they can do is "
                a href="/api" { "described here" } "." }
            @if let Some((name, secret)) = new {
                div.notice.good role="status" {
                    p { "The token " strong { (name) } " is made. Copy it now: it cannot be shown again." }
                    div.field {
                        label for="secret" { "The new token" }
                        input #secret type="text" readonly value=(secret.expose_secret()) spellcheck="false" autocomplete="off";
                    }
                }
            }
            // Above the others: what is wrong with it is in sight where the page comes back to.
            (form(page, refused))
            @if tokens.is_empty() { p.soft { "There are none." } } @else {
                ul.cards { @for token in &tokens { li.card { (one(page, token, now, zone)) } } }
            }
        }
    })
}

fn one(page: &PageOf, token: &Token, now: Timestamp, zone: &TimeZone) -> Markup {
    let has_ended = token.expires_at.is_some_and(|end| end <= now);
    html! {
        h3 { (token.name) " " span.state { (token.scope) } @if has_ended { " " span.state.bad { "ended" } } }
        dl.facts {
            dt { "Made" } dd { (words::moment(token.created_at, zone)) }
            dt { "Used last" }
            dd { @match token.used_at { Some(at) => (words::ago(at, now, zone)), None => "never" } }
            dt { "Ends" }
            dd { @match token.expires_at { Some(at) => (words::moment(at, zone)), None => "when it is revoked" } }
        }
        form method="post" action={ "/settings/tokens/" (token.id) }
            data-confirm={ "Revoke " (token.name) "? Whatever uses it cannot come in any more." } {
            (page.csrf())
            button.danger type="submit" { "Revoke" span.visually-hidden { " " (token.name) } }
        }
    }
}

fn form(page: &PageOf, refused: Option<&Refused>) -> Markup {
    let entered = refused.map(|refused| &refused.entered);
    let problem = refused.map(|refused| &refused.problem);
    let scope = entered.map_or(Scope::Read, |entered| entered.scope);
    let days = entered.map_or("", |entered| &entered.days);
    let is_wrong = problem.is_some_and(|problem| !problem.errors().is_empty());
    html! {
        form method="post" action="/settings/tokens#tokens" {
            (page.csrf())
            fieldset {
                legend { "A new token" }
                @if let Some(problem) = problem.filter(|problem| problem.errors().is_empty()) {
                    p.notice.bad role="alert" { (problem.detail()) }
                }
                div.field {
                    label for="token-name" { "Name" }
                    input #token-name type="text" name="name" required maxlength="100" autocomplete="off"
                        value=(entered.map_or("", |entered| &entered.name)) aria-invalid=[is_wrong.then_some("true")]
                        aria-describedby=[is_wrong.then_some("token-name-mistake")];
                    (mistake(problem, "/name", "token-name-mistake"))
                    p.help { "What it is for, such as Home Assistant." }
                }
                div.field {
                    label for="token-scope" { "It may" }
                    select #token-scope name="scope" {
                        @for (each, words) in SCOPES {
                            option value=(each) selected[each == scope] { (words) " (" (each) ")" }
                        }
                    }
                }
                div.field {
                    label for="token-days" { "It lasts" }
                    select #token-days name="days" {
                        @for (each, words) in LASTS { option value=(each) selected[each == days] { (words) } }
                    }
                }
            }
            button type="submit" { "Make the token" }
        }
    }
}

pub(super) async fn create(
    State(app): State<App>,
    page: PageOf,
    Form(wanted): Form<Wanted>,
) -> Result<Response, Failing> {
    refuse_others(&page)?;
    let days: Option<i64> = wanted.days.parse().ok().filter(|days| (1..=3650).contains(days));
    let expires_at =
        days.and_then(|days| app.engine().now().checked_add(SignedDuration::from_hours(24 * days)).ok());
    let made = if days.is_none() && !wanted.days.is_empty() {
        Err(Problem::bad_request("a token lasts for 1 to 3650 days, or until it is revoked"))
    } else {
        app.engine().create_token(wanted.name.trim(), wanted.scope, expires_at).await.map_err(Problem::from)
    };
    let told = Audited::new("create_token", Some(wanted.name.clone())).with("scope", wanted.scope.as_str());
    let (status, outcome) = match made {
        Ok(new) => {
            let new_token = Some((new.token.name, new.secret));
            (StatusCode::CREATED, Outcome { new_token, ..Outcome::default() })
        }
        Err(problem) => {
            let (status, token) = (problem.status(), Some(Refused { entered: wanted, problem }));
            (status, Outcome { token, ..Outcome::default() })
        }
    };
    Ok(told.on((status, draw_page(&app, &page, outcome).await?).into_response()))
}

pub(super) async fn revoke(
    State(app): State<App>,
    page: PageOf,
    Id(id): Id<TokenId>,
) -> Result<Response, Failing> {
    refuse_others(&page)?;
    // One that was revoked meanwhile is what was wanted.
    let token = app.engine().revoke_token(id).await?;
    let name = token.map_or_else(|| id.to_string(), |token| token.name);
    Ok(Audited::new("revoke_token", Some(name)).on(back("revoked")))
}
