//! A page for what could not be done.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use charon_engine::Error;
use maud::html;

use super::layout::bare;
use crate::api::problem::Problem;

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
