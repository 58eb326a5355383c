//! Another password, by one who knows the present one.

use axum::{Extension, Form, extract::State, response::Response};
use maud::{Markup, html};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{Outcome, back, draw as draw_page, mistake, refuse_others};
use crate::{
    access::{Audited, Caller, too_many_tries},
    api::problem::Problem,
    app::App,
    ui::{failing::Failing, layout::PageOf},
};

#[derive(Deserialize)]
pub(super) struct Change {
    old: SecretString,
    new: SecretString,
    again: SecretString,
}

pub(super) fn draw(page: &PageOf, problem: Option<&Problem>) -> Markup {
    let plain = problem.filter(|problem| problem.errors().is_empty());
    let field = |name: &str, title: &str, autocomplete: &str, least: Option<u32>| {
        let wrong = format!("{name}-mistake");
        let is_wrong = problem.is_some_and(|problem| {
            problem.errors().iter().any(|wrong| wrong.pointer.strip_prefix('/') == Some(name))
        });
        html! {
            div.field {
                label for=(name) { (title) }
                input id=(name) type="password" name=(name) required minlength=[least] maxlength="1024"
                    autocomplete=(autocomplete) aria-invalid=[is_wrong.then_some("true")]
                    aria-describedby=[is_wrong.then_some(&wrong)];
                (mistake(problem, &format!("/{name}"), &wrong))
            }
        }
    };
    html! {
        section aria-labelledby="password" {
            h2 #password { "Password" }
            @if let Some(problem) = plain { p.notice.bad role="alert" { (problem.detail()) } }
            form method="post" action="/settings/password#password" {
                (page.csrf())
                input type="text" name="username" value="admin" autocomplete="username" hidden;
                fieldset {
                    legend { "Another password" }
                    (field("old", "The present password", "current-password", None))
                    (field("new", "The new password", "new-password", Some(8)))
                    (field("again", "The new password again", "new-password", Some(8)))
                    p.help { "All other browsers are signed out. Tokens stay." }
                }
                button type="submit" { "Change the password" }
            }
        }
    }
}

pub(super) async fn change(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    page: PageOf,
    Form(form): Form<Change>,
) -> Result<Response, Failing> {
    refuse_others(&page)?;
    let changed = if form.new.expose_secret() == form.again.expose_secret() {
        try_to(&app, &caller, &page, &form).await
    } else {
        Err(Problem::wrong_field("/again", "is not the same as the new password"))
    };
    let told = Audited::new("change password", None);
    match changed {
        Ok(()) => Ok(told.on(back("password"))),
        Err(problem) => {
            let status = problem.status();
            let outcome = Outcome { password: Some(problem), ..Outcome::default() };
            Ok(told.on((status, draw_page(&app, &page, outcome).await?)))
        }
    }
}

/// Guesses at the present password are counted here as well: a browser may have been left open.
async fn try_to(app: &App, caller: &Caller, page: &PageOf, form: &Change) -> Result<(), Problem> {
    app.logins().take(caller.address, app.engine().now()).map_err(too_many_tries)?;
    app.engine().change_password(&form.old, &form.new, page.who().session).await?;
    app.logins().forget(caller.address);
    Ok(())
}
