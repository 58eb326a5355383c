//! Passwords become sessions, and sessions end.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use charon_engine::Error;
use secrecy::SecretString;

use super::{Audited, Caller, Who, cookie};
use crate::{api::problem::Problem, app::App};

/// Signs a browser in that brings the password.
///
/// # Errors
/// 401 for another password; 429 when it was tried too often. Both are in the audit log, the second not for each try.
pub(crate) async fn sign_in(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    password: &SecretString,
) -> Result<HeaderValue, Problem> {
    app.logins().take(caller.address, app.engine().now()).map_err(too_many_tries)?;
    if !app.engine().check_password(password).await? {
        let words = "this is not the password; set another one with `charon password` if it is lost";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, words));
    }
    app.logins().forget(caller.address);
    open(app, caller, headers).await
}

/// The password was tried too often; so many seconds are to be waited.
pub(crate) fn too_many_tries(seconds: u64) -> Problem {
    let words = format!(
        "the password was tried too often; wait for {seconds} seconds, and try again. Set another one with `charon password` if it \
         is lost"
    );
    Problem::new(StatusCode::TOO_MANY_REQUESTS, words).after(seconds)
}

/// Sets the first password, and signs the browser in that brings it.
///
/// # Errors
/// 409 when there is one; 422 for one that is too short or too long.
pub(crate) async fn set_password(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    password: &SecretString,
) -> Result<HeaderValue, Problem> {
    // Hashing costs something, and whoever reaches the port may ask for it.
    if app.engine().has_password().await? {
        let words = "there is a password already: log in with it, or set another one with `charon password`";
        return Err(Problem::conflict(words));
    }
    app.engine().set_first_password(password).await?;
    open(app, caller, headers).await
}

async fn open(app: &App, caller: &Caller, headers: &HeaderMap) -> Result<HeaderValue, Problem> {
    let user_agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let opened = app.engine().open_session(&caller.words(), user_agent).await?;
    Ok(cookie::set(app, headers, &opened.secret))
}

/// Signs a browser out.
pub(crate) async fn sign_out(
    app: &App,
    headers: &HeaderMap,
    who: Option<&Who>,
) -> Result<HeaderValue, Error> {
    if let Some(session) = who.and_then(|who| who.session) {
        app.engine().end_session(session).await?;
    }
    Ok(cookie::unset(app, headers))
}

/// What the audit log is told of one who signs in, or is refused.
pub(crate) fn told(outcome: Result<(), &Problem>, answer: impl IntoResponse) -> Response {
    match outcome {
        Ok(()) => Audited::new("signed in", None).by("admin").on(answer),
        Err(problem) if problem.status() == StatusCode::UNAUTHORIZED => {
            Audited::new("wrong password", None).by("somebody").on(answer)
        }
        // Not each try that is not even looked at, nor what is no fault of the password.
        Err(_) => answer.into_response(),
    }
}
