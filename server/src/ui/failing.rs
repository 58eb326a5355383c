//! A page for what could not be done.

use axum::{
    body::to_bytes,
    extract::Request,
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use charon_engine::Error;
use maud::html;

use super::layout::{PageOf, Section, bare};
use crate::{
    access::{self, Audited, Who},
    api::problem::Problem,
};

/// The longest answer in plain words that becomes a page.
const WORDS: usize = 4_096;

/// Why there is no page: what went wrong, or where to go instead.
#[derive(Debug)]
pub(crate) enum Failing {
    /// Something went wrong.
    Problem(Problem),
    /// Another page has to be seen first.
    Elsewhere(String),
}

impl Failing {
    /// There is no such thing.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::Problem(Problem::not_found(what))
    }
}

impl From<Problem> for Failing {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Error> for Failing {
    fn from(error: Error) -> Self {
        Self::Problem(error.into())
    }
}

impl IntoResponse for Failing {
    fn into_response(self) -> Response {
        match self {
            // Whoever knows who asks, and for what, draws it: `as_page`.
            Self::Problem(problem) => problem.into_response(),
            Self::Elsewhere(path) => Redirect::to(&path).into_response(),
        }
    }
}

/// The page that tells one who asked for this path what went wrong; within the frame for those who are logged in.
pub(crate) fn page(problem: &Problem, who: Option<&Who>, path: &str) -> Response {
    let title = match problem.status() {
        StatusCode::NOT_FOUND => "There is no such page",
        StatusCode::FORBIDDEN => "This is not allowed",
        StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => "This cannot be done as things are",
        _ => "This could not be done",
    };
    let frame = who.and_then(PageOf::of);
    let before = frame.as_ref().and_then(|_| before(path, problem.status()));
    let content = html! {
        h1 { (title) }
        @if !problem.detail().eq_ignore_ascii_case(title) { p { (problem.detail()) } }
        @if !problem.errors().is_empty() {
            ul { @for wrong in problem.errors() { li { code { (wrong.pointer) } " " (wrong.reason) } } }
        }
        p.actions {
            @if let Some((path, words)) = before { a.button href=(path) { (words) } }
            a href="/" { "Back to the dashboard" }
        }
    };
    let page = match frame {
        Some(frame) => frame.titled(title, Section::of(path), &content),
        None => bare(title, &content),
    };
    (problem.status(), page).into_response()
}

/// Any other address.
pub(crate) async fn nowhere(request: Request) -> Response {
    page(&Problem::not_found("page"), access::who(request.extensions()), request.uri().path())
}

/// The page of the thing that a path is about, and what a link to it says; if that is what there is not, the list it would be in.
fn before(path: &str, status: StatusCode) -> Option<(String, &'static str)> {
    let mut segments = path.split('/').skip(1);
    let section = segments.next()?;
    let (thing, list) = match section {
        "storages" => ("Go to the storage", "All storages"),
        "plans" => ("Go to the plan", "All plans"),
        "runs" => ("Go to the run", "All runs"),
        "library" => ("", "The library"),
        "settings" => ("", "The settings"),
        _ => return None,
    };
    let id = segments.next().filter(|id| id.parse::<uuid::Uuid>().is_ok());
    match id.filter(|_| segments.next().is_some() && status != StatusCode::NOT_FOUND && !thing.is_empty()) {
        Some(id) => Some((format!("/{section}/{id}"), thing)),
        None => Some((format!("/{section}"), list)),
    }
}

/// An answer of a page's address as a page, also where it is a problem as programs are told it, or plain words of the router.
pub(super) async fn as_page(request: Request, next: Next) -> Response {
    let who = access::who(request.extensions()).cloned();
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let path = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        return as_told(response, page(&problem, who.as_ref(), &path));
    }
    let status = response.status();
    // What a button does has no page; what it is about has.
    if let Some((about, _)) =
        path.rsplit_once('/').filter(|_| status == StatusCode::METHOD_NOT_ALLOWED && is_read)
    {
        return Redirect::to(if about.is_empty() { "/" } else { about }).into_response();
    }
    if !status.is_client_error() || !is_plain(response.headers()) {
        return response;
    }
    let words = to_bytes(response.into_body(), WORDS).await.unwrap_or_default();
    let words = match (status, String::from_utf8_lossy(&words)) {
        (StatusCode::METHOD_NOT_ALLOWED, _) => "this address is not asked in this way".into(),
        (_, words) => words.into_owned(),
    };
    page(&Problem::new(status, words), who.as_ref(), &path)
}

/// A page in the place of an answer, with what the audit log and the client are told beside it.
fn as_told(mut answer: Response, mut page: Response) -> Response {
    if let Some(audited) = answer.extensions_mut().remove::<Audited>() {
        page.extensions_mut().insert(audited);
    }
    if let Some(wait) = answer.headers_mut().remove(header::RETRY_AFTER) {
        page.headers_mut().insert(header::RETRY_AFTER, wait);
    }
    page
}

/// Whether it is text, or nothing at all.
fn is_plain(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"))
}
