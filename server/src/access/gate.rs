//! What stands before all routes: who asks and from where, pages of other sites, the token of the session, the audit log.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use charon_engine::{Error, NewAuditEntry, Scope};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::{Caller, Who, cookie, form, origin, origin::Origin};
use crate::{
    api::{self, problem::Problem},
    app::App,
    ui::failing,
};

/// What the audit log is told of an answer, instead of the method and the path. Among the extensions of the answer.
#[derive(Clone, Debug)]
pub(crate) struct Audited {
    action: String,
    target: Option<String>,
    detail: Map<String, Value>,
    /// Who did it, where that is not who asked.
    who: Option<String>,
}

impl Audited {
    /// This was done, to that.
    pub(crate) fn new(action: impl Into<String>, target: Option<String>) -> Self {
        Self { action: action.into(), target, detail: Map::new(), who: None }
    }

    /// More of it. Must hold no secret.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.detail.insert(name.to_owned(), value.into());
        self
    }

    /// Somebody did it who was not known before.
    pub(crate) fn by(mut self, who: &str) -> Self {
        self.who = Some(who.to_owned());
        self
    }

    /// The answer, with this to be told of it.
    pub(crate) fn on(self, answer: impl IntoResponse) -> Response {
        let mut response = answer.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Nothing is changed by what was asked for, so the audit log is told nothing of it. Among the extensions of the answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OnlyLooked;

impl OnlyLooked {
    /// The answer, of which nothing is to be told.
    pub(crate) fn on(self, answer: impl IntoResponse) -> Response {
        let mut response = answer.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The one who waits for the answer to a request that may change something. Such a request comes to its end without them; what changes
/// nothing need not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asker(CancellationToken);

impl Asker {
    /// Does this, unless nobody waits for it any more.
    pub(crate) async fn unless_gone<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.0.run_until_cancelled(work).await
    }
}

/// Lets a request through with what is known of who sends it, or refuses it.
pub(crate) async fn gate(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let caller = Caller::of(&app, &request);
    let who = match identify(&app, request.headers()).await {
        Ok(who) => who,
        Err(problem) => return refused(&problem, None, &path),
    };
    request.extensions_mut().insert(caller.clone());
    if let Some(who) = &who {
        request.extensions_mut().insert(who.clone());
    }
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return next.run(request).await;
    }
    let asker = Asker::default();
    request.extensions_mut().insert(asker.clone());
    let _leaves = asker.0.drop_guard();
    let done = Audited::new(request.method().as_str(), Some(path.clone()));
    // Who asks may go away at any moment; what was begun comes to its end, and into the log, all the same.
    let changing = tokio::spawn(async move {
        let response = match judge(&app, who.as_ref(), request).await {
            Ok(request) => next.run(request).await,
            Err(problem) => refused(&problem, who.as_ref(), &path),
        };
        write_down(&app, &caller, who.as_ref(), done, response).await
    });
    changing.await.unwrap_or_else(|panic| {
        tracing::error!(%panic, "a request ended by a mistake in Charon");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "Charon could not do it; its log says why")
            .into_response()
    })
}

/// What is told one whose request goes no further: a program as it reads it, a person on a page.
fn refused(problem: &Problem, who: Option<&Who>, path: &str) -> Response {
    if path.starts_with(api::BASE) {
        problem.clone().into_response()
    } else {
        failing::page(problem, who, path)
    }
}

/// Who asks: a program by its token, or a browser by its cookie. One with a token that opens nothing is nobody.
async fn identify(app: &App, headers: &HeaderMap) -> Result<Option<Who>, Problem> {
    if let Some(authorization) = headers.get(header::AUTHORIZATION) {
        let Some(secret) = bearer(authorization) else { return Ok(None) };
        let token = app.engine().token(&secret).await?;
        return Ok(token.map(|token| Who {
            name: token.name,
            scope: token.scope,
            csrf: None,
            session: None,
            token: Some(token.id),
        }));
    }
    let Some(secret) = cookie::read(app, headers) else { return Ok(None) };
    let opened = app.engine().session(&secret).await?;
    Ok(opened.map(|opened| Who {
        name: "admin".to_owned(),
        scope: Scope::Admin,
        csrf: Some(opened.csrf.expose_secret().to_owned()),
        session: Some(opened.session.id),
        token: None,
    }))
}

/// Whether one who was let in with these headers still would be. That is no visit: a page that stays open does not keep its session
/// from ending.
pub(crate) async fn is_still_known(app: &App, headers: &HeaderMap) -> Result<bool, Error> {
    if let Some(authorization) = headers.get(header::AUTHORIZATION) {
        let Some(secret) = bearer(authorization) else { return Ok(false) };
        return Ok(app.engine().token(&secret).await?.is_some());
    }
    let Some(secret) = cookie::read(app, headers) else { return Ok(false) };
    app.engine().has_session(&secret).await
}

fn bearer(authorization: &HeaderValue) -> Option<SecretString> {
    let (scheme, secret) = authorization.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim().into())
}

/// Whether a request that is to change something comes from a page of ours, if it comes from a browser.
async fn judge(app: &App, who: Option<&Who>, request: Request) -> Result<Request, Problem> {
    // No browser sends a token by itself.
    if who.is_some_and(|who| who.csrf.is_none()) {
        return Ok(request);
    }
    let origin = origin::of(request.headers(), app.public_url());
    let csrf = who.and_then(|who| who.csrf.as_deref());
    match (origin, csrf) {
        (Origin::Ours, Some(csrf)) => {
            let (request, brought) = form::token(request).await?;
            if brought.is_some_and(|brought| form::is_same(&brought, csrf)) {
                return Ok(request);
            }
            let words = "this did not come with the token of your session (the field csrf, or the header X-CSRF-Token): load \
                         the page anew, and send it again from there";
            Err(Problem::new(StatusCode::FORBIDDEN, words))
        }
        // Nobody is signed in yet; and no browser, if it does not say where it comes from.
        (Origin::Ours | Origin::Untold, None) => Ok(request),
        (Origin::Untold, Some(_)) => {
            let words = "a request with a session's cookie has to say which page it comes from (Origin); programs bring a \
                         token of the API instead";
            Err(Problem::new(StatusCode::FORBIDDEN, words))
        }
        (Origin::Elsewhere, _) => {
            let words = "this was sent from a page of another site, and nothing was changed; if that page is this Charon behind a \
                         reverse proxy, start it with --public-url and that page's address";
            Err(Problem::new(StatusCode::FORBIDDEN, words))
        }
    }
}

/// Writes down what somebody did who is known, or became known by it. What is refused again and again is not, each time.
async fn write_down(
    app: &App,
    caller: &Caller,
    who: Option<&Who>,
    done: Audited,
    mut response: Response,
) -> Response {
    let mut done = response.extensions_mut().remove::<Audited>().unwrap_or(done);
    let Some(name) = done.who.take().or_else(|| who.map(Who::audited)) else { return response };
    if response.extensions_mut().remove::<OnlyLooked>().is_some() {
        return response;
    }
    let status = response.status();
    let is_refused = status.is_client_error() || status.is_server_error();
    if is_refused {
        let alike = app.refusals().count(&name, status.as_u16(), app.engine().now());
        let Some(times) = alike else { return response };
        if times > 1 {
            done.detail.insert("times".to_owned(), times.into());
        }
    }
    done.detail.insert("status".to_owned(), status.as_u16().into());
    let entry = NewAuditEntry {
        who: name,
        address: caller.words(),
        action: done.action,
        target: done.target,
        detail: done.detail,
        is_refused,
    };
    if let Err(error) = app.engine().audit(entry).await {
        tracing::error!(%error, "what was done could not be written into the audit log");
    }
    response
}
