//! A page for what could not be done.

use axum::{
    body::to_bytes,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use charon_engine::Error;
use maud::html;

use super::layout::bare;
use crate::api::problem::Problem;

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
        let problem = match self {
            Self::Problem(problem) => problem,
            Self::Elsewhere(path) => return Redirect::to(&path).into_response(),
        };
        let title = match problem.status() {
            StatusCode::NOT_FOUND => "There is no such page",
            StatusCode::FORBIDDEN => "This is not allowed",
            StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => "This cannot be done as things are",
            _ => "This could not be done",
        };
        let page = bare(
            title,
            &html! {
                h1 { (title) }
                p { (problem.detail()) }
                @if !problem.errors().is_empty() {
                    ul { @for wrong in problem.errors() { li { code { (wrong.pointer) } " " (wrong.reason) } } }
                }
                p { a href="/" { "Back to the dashboard" } }
            },
        );
        (problem.status(), page).into_response()
    }
}

/// An answer of a page's address as a page, also where it is a problem as programs are told it, or plain words of the router.
pub(super) async fn as_page(mut response: Response) -> Response {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        return Failing::Problem(problem).into_response();
    }
    let status = response.status();
    if !status.is_client_error() || !is_plain(response.headers()) {
        return response;
    }
    let words = to_bytes(response.into_body(), WORDS).await.unwrap_or_default();
    let words = match (status, String::from_utf8_lossy(&words)) {
        (StatusCode::METHOD_NOT_ALLOWED, _) => "this address is not asked in this way".into(),
        (_, words) => words.into_owned(),
    };
    Failing::Problem(Problem::new(status, words)).into_response()
}

/// Whether it is text, or nothing at all.
fn is_plain(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"))
}
