//! `/settings/audit`: who changed what, and from where.

use axum::extract::State;
use charon_engine::AuditEntry;
use jiff::{Timestamp, tz::TimeZone};
use maud::{Markup, html};

use super::refuse_others;
use crate::{
    api::{
        extract::Query,
        paging::{self, PageQuery},
    },
    app::App,
    ui::{
        failing::Failing,
        layout::{Page, PageOf, Section},
        table::scrolling,
        words,
    },
};

pub(super) async fn show(
    State(app): State<App>,
    page: PageOf,
    Query(query): Query<PageQuery>,
) -> Result<Page, Failing> {
    refuse_others(&page)?;
    let limit = paging::limit(query.limit)?;
    let before = paging::place(query.cursor.as_deref())?;
    let entries = app.engine().audit_entries(before, limit + 1).await?;
    let listed = paging::Page::of(entries, limit, |entry: &AuditEntry| entry.seq);
    let (zone, now) = (app.time_zone().await, app.engine().now());
    let content = html! {
        p { a href="/settings" { "Settings" } }
        h1 { "Audit log" }
        p { "What was changed over HTTP and who tried to come in, the newest first. Who only looks is not written down." }
        @if listed.items.is_empty() { p.soft { "There is nothing here." } } @else {
            (scrolling("Audit log", &html! {
                table {
                    thead { tr {
                        th scope="col" { "When" } th scope="col" { "Who" } th scope="col" { "From" }
                        th scope="col" { "What" } th scope="col" { "Outcome" }
                    } }
                    tbody { @for entry in &listed.items { (row(entry, now, &zone)) } }
                }
            }))
        }
        @if let Some(next) = &listed.next {
            p { a.button.second href={ "/settings/audit?limit=" (limit) "&cursor=" (next) } rel="next" { "Older entries" } }
        }
    };
    Ok(page.titled("Audit log", Section::Settings, &content))
}

fn row(entry: &AuditEntry, now: Timestamp, zone: &TimeZone) -> Markup {
    let status = entry.detail.get("status").and_then(serde_json::Value::as_u64);
    let more = entry.detail.iter().filter(|(name, _)| *name != "status");
    html! {
        tr {
            td { (words::ago(entry.at, now, zone)) }
            td { (entry.who) }
            td { (entry.address) }
            td {
                (entry.action.replace('_', " "))
                @if let Some(target) = &entry.target { " " code { (target) } }
                @for (name, value) in more {
                    br; span.soft { (name) ": " @match value.as_str() { Some(text) => (text), None => (value) } }
                }
            }
            td { (outcome(status)) }
        }
    }
}

fn outcome(status: Option<u64>) -> Markup {
    match status {
        Some(status @ 200..400) => html! { span.state.good title=(status) { "done" } },
        Some(status @ (401 | 403 | 429)) => html! { span.state.bad title=(status) { "refused" } },
        Some(status @ 400..500) => html! { span.state.warn title=(status) { "not done" } },
        Some(status) => html! { span.state.bad title=(status) { "failed" } },
        None => html! { "" },
    }
}
