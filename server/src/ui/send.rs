//! `/storages/{id}/send`: one file by hand, and what programs need to do the same.

use std::{convert::Infallible, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, header},
    middleware::from_fn,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use charon_engine::{Handing, Mode, Receipt, ReceiptId, ReceiptState, StorageId, StorageView};
use jiff::{Timestamp, tz::TimeZone};
use maud::{Markup, html};
use serde::Deserialize;

use super::{
    failing::Failing,
    layout::{Page, PageOf, Section},
    table::scrolling,
    words,
};
use crate::{
    api::{
        extract::{Id, Query},
        items,
        problem::Problem,
    },
    app::App,
    bodies::takes_files,
    public_url::shown_to,
};

/// How long a page waits for the item.
const WAITS: Duration = Duration::from_mins(1);
/// So many of the last receipts are shown.
const SHOWN: u32 = 20;

/// Which receipt the page tells of.
#[derive(Debug, Deserialize)]
struct Asked {
    receipt: Option<ReceiptId>,
}

pub(crate) fn router() -> Router<App> {
    let page =
        get(show).post(take).layer::<_, Infallible>(from_fn(takes_files)).layer(DefaultBodyLimit::disable());
    Router::new().route("/storages/{id}/send", page)
}

async fn show(
    page: PageOf,
    State(app): State<App>,
    Id(storage): Id<StorageId>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Page, Failing> {
    let storage = app.engine().storage_by_id(storage).await?;
    let told = match asked.receipt {
        Some(id) => Some(app.engine().receipt(id).await?),
        None => None,
    };
    draw(&page, &app, &storage, &headers, told.as_ref(), None).await
}

async fn take(
    page: PageOf,
    State(app): State<App>,
    Id(storage): Id<StorageId>,
    request: Request,
) -> Result<Response, Failing> {
    let headers = request.headers().clone();
    let storage = app.engine().storage_by_id(storage).await?;
    match take_in(&app, storage.id, request).await {
        Ok(receipt) => {
            let path = format!("/storages/{}/send?receipt={}", storage.id, receipt.id);
            Ok(Redirect::to(&path).into_response())
        }
        Err(problem) => {
            let drawn = draw(&page, &app, &storage, &headers, None, Some(&problem)).await?;
            // What is left of the file is not wanted.
            Ok((problem.status(), [(header::CONNECTION, "close")], drawn).into_response())
        }
    }
}

async fn take_in(app: &App, storage: StorageId, request: Request) -> Result<Receipt, Problem> {
    let form = items::form_of(request).await?;
    let receipt = items::take_in_form(app.engine(), storage, form, Handing::default(), Mode::Sync).await?;
    items::in_the_end(app, receipt, WAITS).await
}

async fn draw(
    page: &PageOf,
    app: &App,
    storage: &StorageView,
    headers: &HeaderMap,
    told: Option<&Receipt>,
    problem: Option<&Problem>,
) -> Result<Page, Failing> {
    let receipts = app.engine().receipts(storage.id, None, SHOWN).await?;
    let (now, zone) = (app.engine().now(), app.time_zone().await);
    let title = format!("Send a photo to {}", storage.name);
    let path = format!("/storages/{}/send", storage.id);
    let content = html! {
        p.soft { a href={ "/storages/" (storage.id) } { (storage.name) } }
        h1 { (title) }
        @if let Some(receipt) = told { (outcome(receipt)) }
        @if let Some(problem) = problem {
            div.notice.bad role="alert" id="mistake" {
                p { strong { "It was not taken in." } }
                @if problem.errors().is_empty() { p { (problem.detail()) } }
                @for wrong in problem.errors() { p { (wrong.reason) } }
            }
        }
        form.card method="post" action=(path) enctype="multipart/form-data" {
            // In front of the file: it is looked at before the file is read.
            (page.csrf())
            div.field {
                label for="album" { "Album" }
                input type="text" id="album" name="album" autocomplete="off" aria-describedby="album-help";
                p.help id="album-help" { "The title of the album that it goes into; made if it is not there. Leave it empty for none." }
            }
            div.field {
                label for="file" { "Photo or video" span.required { " (required)" } }
                input type="file" id="file" name="file" required accept="image/*,video/*"
                    aria-invalid=[problem.map(|_| "true")] aria-describedby=[problem.map(|_| "mistake")];
            }
            button type="submit" { "Send" }
        }
        (for_programs(storage, &shown_to(app, headers)))
        (listed(&receipts, now, &zone))
    };
    Ok(page.titled(&title, Section::Storages, &content))
}

fn outcome(receipt: &Receipt) -> Markup {
    let (class, words) = match receipt.state {
        ReceiptState::Sent if receipt.was_there == Some(true) => {
            ("good", "was there already; it was not sent again.".to_owned())
        }
        ReceiptState::Sent => ("good", "is there.".to_owned()),
        ReceiptState::Failed => (
            "bad",
            format!(
                "could not be sent: {}",
                receipt.reason.as_deref().unwrap_or("the storage does not take it")
            ),
        ),
        ReceiptState::Waiting => {
            let why = receipt.waiting.as_deref().unwrap_or("its turn");
            let reason = receipt.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            ("warn", format!("is safely here and will be sent. It waits for {why}{reason}."))
        }
    };
    html! {
        div class={ "notice " (class) } role="status" { p { strong { (receipt.file_name) } " " (words) } }
    }
}

fn for_programs(storage: &StorageView, charon: &str) -> Markup {
    let address = format!("{charon}/api/v1/storages/{}/items", storage.id);
    let curl = format!(
        "curl --fail-with-body -H 'Authorization: Bearer charon_…' \\\n  -F album='Front door' -F file=@photo.jpg \\\n  {address}"
    );
    let shell = format!(
        "shell_command:\n  photo_to_charon: >-\n    curl --fail-with-body --max-time 600\n    -H 'Authorization: Bearer charon_…'\n    \
         -F 'album=Front door' -F 'file=@{{{{ file }}}}'\n    '{address}?mode=async'"
    );
    html! {
        details.card {
            summary { "From a program: curl, Home Assistant, a phone" }
            p { "Make a token with the scope " code { "run" } " on the page " a href="/settings" { "Settings" }
                ", and put it in the place of " code { "charon_…" } "." }
            h3 { "curl" }
            pre tabindex="0" { code { (curl) } }
            h3 { "Home Assistant" }
            p { "In " code { "configuration.yaml" } "; an automation then calls the action "
                code { "shell_command.photo_to_charon" } " with the path of the file as " code { "file" } ":" }
            pre tabindex="0" { code { (shell) } }
            p { a href="/api" { "All that the API can do" } }
        }
    }
}

fn listed(receipts: &[Receipt], now: Timestamp, zone: &TimeZone) -> Markup {
    html! {
        h2 { "What came in" }
        @if receipts.is_empty() {
            p.soft { "Nothing yet." }
        } @else {
            (scrolling("What came in", &html! {
                table {
                    thead { tr { th scope="col" { "File" } th scope="col" { "Album" } th.number scope="col" { "Size" }
                        th scope="col" { "Came" } th scope="col" { "State" } } }
                    tbody {
                        @for receipt in receipts {
                            tr {
                                td { (receipt.file_name) }
                                td { (receipt.album.as_deref().unwrap_or("")) }
                                td.number { (words::bytes(receipt.size)) }
                                td { (words::ago(receipt.received_at, now, zone)) }
                                td { (state(receipt)) }
                            }
                        }
                    }
                }
            }))
        }
    }
}

fn state(receipt: &Receipt) -> Markup {
    let (class, word) = match receipt.state {
        ReceiptState::Sent if receipt.was_there == Some(true) => ("good", "was there"),
        ReceiptState::Sent => ("good", "sent"),
        ReceiptState::Waiting => ("warn", "waiting"),
        ReceiptState::Failed => ("bad", "failed"),
    };
    html! {
        span class={ "state " (class) } { (word) }
        @if let Some(why) = receipt.reason.as_deref().or(receipt.waiting.as_deref()) { br; span.soft { (why) } }
    }
}
