//! The stages of a connection test: drawn whole when all have ended, or sent one by one for `charon.js` to draw.

use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use charon_engine::{PastCheck, StorageId, worst};
use charon_provider::{Check, Verdict};
use futures::{StreamExt, stream::BoxStream};
use maud::{Markup, html};

use super::{
    failing::Failing,
    layout::{PageOf, Section},
};
use crate::{
    api::{
        extract::Id,
        testing::{NDJSON, as_they_come},
    },
    app::App,
};

/// Whether the one who asks draws the stages itself.
pub(super) fn are_drawn_there(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains(NDJSON))
}

/// All stages, once they have ended.
pub(super) async fn all(stages: BoxStream<'static, Check>) -> Vec<PastCheck> {
    stages.map(|check| PastCheck::from(&check)).collect().await
}

/// What came of a test in one sentence.
pub(super) fn sentence(checks: &[PastCheck]) -> String {
    let failed = checks.iter().find(|check| check.verdict == Verdict::Failed);
    match (failed, worst(checks.iter().map(|check| check.verdict))) {
        (Some(failed), _) => format!("It does not work yet: “{}” failed.", failed.stage),
        (None, Verdict::Warned) => "It works, and there is something to know.".to_owned(),
        (None, _) => "It works: every stage passed.".to_owned(),
    }
}

/// The list of stages, as `charon.js` draws it too.
pub(super) fn list(checks: &[PastCheck]) -> Markup {
    html! {
        ol.stages {
            @for check in checks {
                li class=(class(check.verdict)) {
                    strong { (check.stage) } " "
                    span.state.(class(check.verdict)) { (words(check.verdict)) } " "
                    span.soft { (check.milliseconds) " ms" }
                    p { (check.found) }
                    @if let Some(cure) = &check.cure { p { "What to do: " (cure) } }
                    @if let Some(link) = &check.link {
                        p { a href=(link) target="_blank" rel="noopener noreferrer" { (link) } }
                    }
                }
            }
        }
    }
}

/// Where a test is told, live where there is a script and drawn whole where there is none.
pub(super) fn panel(checks: Option<&[PastCheck]>) -> Markup {
    html! {
        section.stages-panel #stages aria-live="polite" aria-label="Connection test" {
            @if let Some(checks) = checks {
                p.verdict { (sentence(checks)) }
                (list(checks))
            }
        }
    }
}

pub(super) fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "good",
        Verdict::Warned => "warn",
        Verdict::Failed => "bad",
    }
}

fn words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Warned => "take note",
        Verdict::Failed => "failed",
    }
}

/// `POST /storages/{id}/test`.
pub(super) async fn of_storage(
    page: PageOf,
    State(app): State<App>,
    Id(id): Id<StorageId>,
    headers: HeaderMap,
) -> Result<Response, Failing> {
    let stages = app.engine().test_storage(id).await?;
    if are_drawn_there(&headers) {
        return Ok(as_they_come(stages, app.shutdown()));
    }
    let checks = all(stages).await;
    let storage = app.engine().storage_by_id(id).await?;
    let content = html! {
        p { a href={ "/storages/" (id) } { "Back to " (storage.name) } }
        h1 { "Connection test of " (storage.name) }
        (panel(Some(&checks)))
        form.actions method="post" action={ "/storages/" (id) "/test" } {
            (page.csrf())
            button type="submit" { "Test again" }
            a.button.second href={ "/storages/" (id) } { "Back to the storage" }
        }
    };
    Ok(page.titled("Connection test", Section::Storages, &content).into_response())
}
