//! `/runs/{id}/items`: what became of the items of a run, one by one.

use axum::extract::State;
use charon_engine::{ItemFilter, ItemRecord, Outcome, RunId, with_commas};
use maud::{Markup, html};
use serde::Deserialize;

use crate::{
    api::{
        extract::{Id, Query},
        paging::{cursor, place},
    },
    app::App,
    ui::{
        failing::Failing,
        layout::{Page, PageOf, Section},
        table::scrolling,
        words,
    },
};

/// Items of a page.
const SHOWN: u32 = 100;

#[derive(Debug, Deserialize)]
pub(super) struct Filter {
    #[serde(default)]
    outcome: String,
    cursor: Option<String>,
}

pub(super) async fn show(
    page: PageOf,
    State(app): State<App>,
    Id(run): Id<RunId>,
    Query(filter): Query<Filter>,
) -> Result<Page, Failing> {
    let engine = app.engine();
    let record = engine.run_record(run).await?;
    let outcome: Option<Outcome> = filter.outcome.parse().ok();
    let is_unchanged = filter.outcome == "unchanged";
    // What an inbox sends has no plan that is shown.
    let plan = if is_unchanged { engine.plan_by_id(record.plan_id).await.ok() } else { None };
    let wanted = ItemFilter { outcome, after: place(filter.cursor.as_deref())? };
    let mut items = if is_unchanged { Vec::new() } else { engine.run_items(run, &wanted, SHOWN + 1).await? };
    let has_more = items.len() > SHOWN as usize;
    items.truncate(SHOWN as usize);
    let next = items.last().filter(|_| has_more).map(|last| {
        format!("/runs/{run}/items?outcome={}&cursor={}", filter.outcome_name(), cursor(&last.item))
    });
    let title = format!("Items {}", filter.words());
    let content = html! {
        p { a href={ "/runs/" (run) } { "Back to the run of " (record.plan) } }
        h1 { (title) }
        nav.actions aria-label="Outcomes" {
            @for (name, count) in [
                ("done", record.items.done),
                ("unchanged", record.items.unchanged),
                ("skipped", record.items.skipped),
                ("failed", record.items.failed),
            ] {
                a href={ "/runs/" (run) "/items?outcome=" (name) } aria-current=[(filter.outcome == name).then_some("page")] {
                    (with_commas(count)) " " (name)
                }
            }
        }
        @if is_unchanged {
            p {
                (words::counted(record.items.unchanged, "item was", "items were"))
                " where they should be since before this run, by what the ledger knows; a run keeps no list of them."
            }
            @match &plan {
                Some(plan) if plan.config.kind() == "backup" => {
                    p { a href={ "/library?plan=" (plan.id) } { "The library shows all that is at home." } }
                },
                Some(plan) => {
                    p { a href={ "/storages/" (plan.storage_id) } { "They are in the storage " (plan.config.storage()) "." } }
                },
                None => {},
            }
        } @else if items.is_empty() {
            p { "There are none." }
            @if outcome == Some(Outcome::Skipped) && record.items.skipped > 0 {
                p.soft { "A quick listing counted what earlier runs had left out behind the place where it stopped; the last full listing has a row for each." }
            }
        } @else {
            (table(&items))
        }
        nav.actions aria-label="Pages" {
            @if let Some(next) = next { a.button.second rel="next" href=(next) { "More" } }
        }
    };
    Ok(page.titled(&title, Section::Runs, &content))
}

impl Filter {
    fn outcome_name(&self) -> &str {
        let outcome: Option<Outcome> = self.outcome.parse().ok();
        outcome.map_or("", Outcome::as_str)
    }

    fn words(&self) -> &str {
        match self.outcome.as_str() {
            "unchanged" => "that were where they should be",
            "done" => "that are done",
            "skipped" => "that were skipped",
            "failed" => "that failed",
            _ => "of the run",
        }
    }
}

fn table(items: &[ItemRecord]) -> Markup {
    let table = html! {
        table {
            thead { tr { th scope="col" { "Item" } th scope="col" { "Outcome" } th scope="col" { "Reason" } th.number scope="col" { "Bytes" } } }
            tbody {
                @for item in items {
                    tr {
                        td { (item.name) br; code.soft { (item.item) } }
                        td { (item.outcome) }
                        td { (item.reason.as_deref().unwrap_or("–")) }
                        td.number { (words::bytes(item.bytes)) }
                    }
                }
            }
        }
    };
    scrolling("Items", &table)
}
