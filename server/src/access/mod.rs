//! Who asks, and what they may.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{api::problem::Problem, app::App};

/// What one who asks may do; a later one may do all that an earlier one may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    /// See everything but secrets.
    Read,
    /// Ask for runs and stop them, and send items.
    Run,
    /// Change everything.
    Admin,
}

impl Scope {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Run => "run",
            Self::Admin => "admin",
        }
    }
}

/// One who asks, and is known. Handlers behind [`require`] find it among the request's extensions.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    /// What people call them: `admin`, or the name of a token.
    pub(crate) name: String,
    pub(crate) scope: Scope,
    /// What a form has to bring, for one who is known by a cookie.
    pub(crate) csrf: Option<String>,
}

/// Who asks, if it is somebody.
pub(crate) async fn who(_app: &App, _headers: &HeaderMap) -> Result<Option<Who>, Problem> {
    Ok(None)
}

/// Lets one through who may do what the endpoint needs.
pub(crate) async fn require(
    State((app, scope)): State<(App, Scope)>,
    mut request: Request,
    next: Next,
) -> Response {
    let who = match who(&app, request.headers()).await {
        Ok(Some(who)) => who,
        Ok(None) => {
            let words = "bring a token of the API (Authorization: Bearer charon_…), or log in";
            return Problem::new(StatusCode::UNAUTHORIZED, words).into_response();
        }
        Err(problem) => return problem.into_response(),
    };
    if who.scope < scope {
        let words =
            format!("{} has the scope {}, and this needs {}", who.name, who.scope.as_str(), scope.as_str());
        return Problem::new(StatusCode::FORBIDDEN, words).into_response();
    }
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD);
    let brought = request.headers().get("x-csrf-token").and_then(|value| value.to_str().ok());
    if let Some(csrf) = &who.csrf
        && !is_safe
        && brought != Some(csrf)
    {
        let words = "bring the header X-CSRF-Token with the token of this session";
        return Problem::new(StatusCode::FORBIDDEN, words).into_response();
    }
    request.extensions_mut().insert(who);
    next.run(request).await
}

/// Where one who is not known goes first: to log in, or to set the password of a new Charon. Afterwards the page that was asked
/// for is shown.
pub(crate) async fn way_in(_app: &App, _asked: &Uri) -> Result<String, Problem> {
    Ok("/login".to_owned())
}
