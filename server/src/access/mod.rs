//! Who asks, and what they may.
//!
//! * [`gate`] stands before all routes: it finds out who asks (a browser by its cookie, a program by its token) and from where,
//!   refuses what a page of another site makes a browser send, asks for the token of the session (CSRF) with everything that
//!   changes something, and writes down who changed what. A handler can forget none of it.
//! * [`require`] stands before each endpoint of the API and asks for its scope. Pages ask for a browser that is signed in
//!   (`ui::layout::PageOf`).
//! * Handlers behind them take `Extension<Who>` where it matters who asks, and `Extension<Caller>` where it matters from where.
//!   One who wants more in the audit log than the endpoint's name puts an [`Audited`] among the extensions of its answer.
//!
//! The rooms within: `caller` (from where), `cookie`, `origin` (pages of other sites), `form` (the field `csrf`), `limit` (how often
//! a password may be tried), `refusals` (what of them is written down), `signing_in` (passwords become sessions).

mod caller;
mod cookie;
mod form;
mod gate;
mod limit;
mod origin;
mod refusals;
mod signing_in;

use axum::{
    extract::{Request, State},
    http::{Extensions, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
pub(crate) use caller::{Caller, Peer, is_near, seen_as_this_machine};
pub(crate) use charon_engine::Scope;
use charon_engine::{SessionId, TokenId};
pub(crate) use gate::{Asker, Audited, OnlyLooked, gate, is_still_known};
pub(crate) use limit::Limiter;
pub(crate) use refusals::Refusals;
pub(crate) use signing_in::{set_password, sign_in, sign_out, told, too_many_tries};

use crate::{
    api::{AskedFor, problem::Problem},
    app::App,
};

/// One who asks, and is known. Handlers behind [`require`] find it among the request's extensions.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    /// What people call them: `admin`, or the name of a token.
    pub(crate) name: String,
    pub(crate) scope: Scope,
    /// What a form has to bring, for one who is known by a cookie.
    pub(crate) csrf: Option<String>,
    /// The session of one who is known by a cookie.
    pub(crate) session: Option<SessionId>,
    /// The token of one who is known by that.
    pub(crate) token: Option<TokenId>,
}

impl Who {
    /// As the audit log has it: a token may have any name.
    fn audited(&self) -> String {
        if self.session.is_some() { self.name.clone() } else { format!("token {}", self.name) }
    }
}

/// Who asks, if it is somebody that [`gate`] knows.
pub(crate) fn who(extensions: &Extensions) -> Option<&Who> {
    extensions.get()
}

/// What [`require`] has to know of an endpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Required {
    pub(crate) scope: Scope,
    /// What the audit log calls it.
    pub(crate) operation: &'static str,
    /// Whether it changes something.
    pub(crate) changes: bool,
}

/// Lets one through who may do what the endpoint needs.
pub(crate) async fn require(State(required): State<Required>, request: Request, next: Next) -> Response {
    let asked = request.extensions().get().map(|AskedFor(path)| path.clone());
    let target = asked.unwrap_or_else(|| request.uri().path().to_owned());
    let mut response = match refusal(required.scope, who(request.extensions())) {
        None => next.run(request).await,
        Some(problem) => problem.into_response(),
    };
    if !required.changes {
        return OnlyLooked.on(response);
    }
    if response.extensions().get::<Audited>().is_none() {
        response.extensions_mut().insert(Audited::new(required.operation, Some(target)));
    }
    response
}

fn refusal(scope: Scope, who: Option<&Who>) -> Option<Problem> {
    let Some(who) = who else {
        let words = "bring a token of the API (Authorization: Bearer charon_…), or log in";
        return Some(Problem::new(StatusCode::UNAUTHORIZED, words));
    };
    (who.scope < scope).then(|| {
        let words = format!(
            "{} has the scope {}, and this needs {scope}; make a token of that scope on the page Settings",
            who.name, who.scope
        );
        Problem::new(StatusCode::FORBIDDEN, words)
    })
}

/// Where one who is not known goes first: to log in, or to set the password of a new Charon. Afterwards the page that was asked
/// for is shown, or that on which a button was pressed.
pub(crate) async fn way_in(app: &App, asked: &Parts) -> Result<String, Problem> {
    if !app.engine().has_password().await? {
        return Ok("/setup".to_owned());
    }
    let next = page_asked_for(asked).filter(|page| page != "/");
    Ok(next.map_or_else(
        || "/login".to_owned(),
        |next| {
            let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
            format!("/login?next={next}")
        },
    ))
}

/// The page that was asked for; where something was to be done, the page on which that was asked for. Of that only its path is taken:
/// whatever else a browser says, it is a page of ours.
fn page_asked_for(asked: &Parts) -> Option<String> {
    if matches!(asked.method, Method::GET | Method::HEAD) {
        return asked.uri.path_and_query().map(|asked| asked.as_str().to_owned());
    }
    let from = asked.headers.get(header::REFERER)?.to_str().ok()?;
    let from = from.parse::<url::Url>().ok()?;
    Some(from[url::Position::BeforePath..url::Position::AfterQuery].to_owned())
}

#[cfg(test)]
mod tests;
