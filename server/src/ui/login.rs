//! `/login`, `/setup` and `/logout`: becoming known, and ceasing to be.

use axum::{
    Extension, Form, Router,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{AppendHeaders, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use maud::{Markup, html};
use secrecy::SecretString;
use serde::Deserialize;

use super::{
    failing::Failing,
    layout::{Page, bare},
};
use crate::{
    access::{self, Audited, Caller, Who},
    api::{extract::Query, problem::Problem},
    app::App,
};

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/login", get(show_login).post(login))
        .route("/setup", get(show_setup).post(setup))
        .route("/logout", post(logout))
}

#[derive(Debug, Deserialize)]
struct Asked {
    next: Option<String>,
}

async fn show_login(
    State(app): State<App>,
    who: Option<Extension<Who>>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failing> {
    let next = destination(asked.next.as_deref());
    if who.is_some_and(|who| who.session.is_some()) {
        return Ok(Redirect::to(next).into_response());
    }
    if !app.engine().has_password().await? {
        return Ok(Redirect::to("/setup").into_response());
    }
    Ok(login_page(next, None).into_response())
}

#[derive(Deserialize)]
struct Login {
    password: SecretString,
    next: Option<String>,
}

async fn login(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Form(form): Form<Login>,
) -> Response {
    let next = destination(form.next.as_deref());
    match access::sign_in(&app, &caller, &headers, &form.password).await {
        Ok(cookie) => access::told(Ok(()), come_in(cookie, next)),
        Err(problem) => access::told(Err(&problem), refused(&problem, login_page(next, Some(&problem)))),
    }
}

async fn show_setup(State(app): State<App>) -> Result<Response, Failing> {
    if app.engine().has_password().await? {
        return Ok(Redirect::to("/login").into_response());
    }
    Ok(setup_page(None).into_response())
}

#[derive(Deserialize)]
struct Setup {
    password: SecretString,
    again: SecretString,
}

async fn setup(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Form(form): Form<Setup>,
) -> Response {
    use secrecy::ExposeSecret;
    let set = if form.password.expose_secret() == form.again.expose_secret() {
        access::set_password(&app, &caller, &headers, &form.password).await
    } else {
        Err(Problem::wrong_field("/again", "is not the same as the password: type both again"))
    };
    match set {
        Ok(cookie) => Audited::new("first password set", None).by("admin").on(come_in(cookie, "/")),
        Err(problem) => refused(&problem, setup_page(Some(&problem))),
    }
}

async fn logout(
    State(app): State<App>,
    headers: HeaderMap,
    who: Option<Extension<Who>>,
) -> Result<Response, Failing> {
    let cookie = access::sign_out(&app, &headers, who.as_deref()).await?;
    // What the browser has kept of pages goes, too.
    let clear = [("clear-site-data", HeaderValue::from_static("\"cache\""))];
    Ok(Audited::new("signed out", None).on((clear, come_in(cookie, "/login"))))
}

/// To a page, with a cookie that is set or taken away.
fn come_in(cookie: HeaderValue, next: &str) -> Response {
    (AppendHeaders([(header::SET_COOKIE, cookie)]), Redirect::to(next)).into_response()
}

/// The page again, with what the problem says beside it.
fn refused(problem: &Problem, page: Page) -> Response {
    let mut response = (problem.status(), page).into_response();
    let of_problem = problem.clone().into_response();
    if let Some(wait) = of_problem.headers().get(header::RETRY_AFTER) {
        response.headers_mut().insert(header::RETRY_AFTER, wait.clone());
    }
    response
}

/// Where one goes who has come in: to a page of ours.
fn destination(next: Option<&str>) -> &str {
    let is_ours = |next: &&str| {
        next.starts_with('/')
            // Browsers take both for the name of another host.
            && !next.starts_with("//")
            && !next.starts_with("/\\")
            && next.chars().all(|char| char.is_ascii_graphic())
    };
    next.filter(is_ours).unwrap_or("/")
}

fn login_page(next: &str, problem: Option<&Problem>) -> Page {
    bare(
        "Log in",
        &html! {
            h1 { "Log in" }
            (what_is_wrong(problem))
            form method="post" action="/login" {
                input type="hidden" name="next" value=(next);
                (username())
                div.field {
                    label for="password" { "Password" }
                    input #password type="password" name="password" required autofocus autocomplete="current-password"
                        aria-invalid=[problem.map(|_| "true")];
                }
                button type="submit" { "Log in" }
            }
        },
    )
}

fn setup_page(problem: Option<&Problem>) -> Page {
    bare(
        "Welcome",
        &html! {
            h1 { "Welcome to Charon" }
            p { "Choose the password with which you will log in. It is asked for in each browser; on this machine, "
                code { "charon password" } " sets another one should it be lost." }
            (what_is_wrong(problem))
            form method="post" action="/setup" {
                (username())
                div.field {
                    label for="password" { "Password" }
                    input #password type="password" name="password" required autofocus minlength="8" maxlength="1024"
                        autocomplete="new-password" aria-describedby="password-help";
                    p.help #password-help { "At least 8 characters. A few words that nobody guesses are better than signs." }
                }
                div.field {
                    label for="again" { "The same password again" }
                    input #again type="password" name="again" required minlength="8" maxlength="1024"
                        autocomplete="new-password";
                }
                button type="submit" { "Set the password" }
            }
        },
    )
}

/// What password managers keep the password under.
fn username() -> Markup {
    html! { input type="text" name="username" value="admin" autocomplete="username" hidden; }
}

fn what_is_wrong(problem: Option<&Problem>) -> Markup {
    html! {
        @if let Some(problem) = problem {
            div.notice.bad role="alert" {
                @if problem.errors().is_empty() { p { (problem.detail()) } }
                @for wrong in problem.errors() { p { "The password " (wrong.reason) "." } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::destination;

    #[test]
    fn one_who_comes_in_goes_to_a_page_of_ours() {
        for (next, ours) in [
            (None, "/"),
            (Some("/runs?plan=7&x=%20"), "/runs?plan=7&x=%20"),
            (Some("//evil.example"), "/"),
            (Some("/\\evil.example"), "/"),
            (Some("/\t/evil.example"), "/"),
            (Some("https://evil.example"), "/"),
            (Some("javascript:alert(1)"), "/"),
            (Some(""), "/"),
            (Some("/a\r\nSet-Cookie: x"), "/"),
        ] {
            assert_eq!(destination(next), ours, "{next:?}");
        }
    }
}
