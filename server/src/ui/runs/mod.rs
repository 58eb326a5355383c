//! `/runs`: all runs, the newest first, and what can be done about each.

mod items;
mod show;

use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use charon_engine::{PlanId, RunFilter, RunId, RunRecord, RunState, in_brief, with_commas};
use jiff::{Timestamp, tz::TimeZone};
use maud::{Markup, html};
use serde::Deserialize;

use super::{
    failing::Failing,
    layout::{Page, PageOf, Section},
    states,
    table::scrolling,
    words,
};
use crate::{
    api::{
        extract::{Id, Query},
        paging::{cursor, place},
    },
    app::App,
};

/// Runs of a page.
const SHOWN: u32 = 50;

pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/runs", get(list))
        .route("/runs/{id}", get(show::show))
        .route("/runs/{id}/items", get(items::show))
        .route("/runs/{id}/cancel", get(ask_to_cancel).post(cancel))
        .route("/runs/{id}/pause", post(pause))
        .route("/runs/{id}/resume", post(resume))
        .route("/runs/{id}/retry-failed", post(retry))
}

/// Which runs are to be shown; a form that leaves something open sends it empty.
#[derive(Debug, Default, Deserialize)]
struct Filter {
    #[serde(default)]
    plan: String,
    #[serde(default)]
    state: String,
    cursor: Option<String>,
}

async fn list(page: PageOf, State(app): State<App>, Query(filter): Query<Filter>) -> Result<Page, Failing> {
    let engine = app.engine();
    let plan: Option<PlanId> = filter.plan.parse().ok();
    let state: Option<RunState> = filter.state.parse().ok();
    let before: Option<RunId> = place(filter.cursor.as_deref())?;
    let after = engine.newest_event().await?;
    let mut runs = engine.runs_of(&RunFilter { plan, state, before }, SHOWN + 1).await?;
    let has_more = runs.len() > SHOWN as usize;
    runs.truncate(SHOWN as usize);
    let next = runs.last().filter(|_| has_more).map(|last| {
        format!("/runs?plan={}&state={}&cursor={}", chosen(plan), chosen(state), cursor(&last.run))
    });
    let plans: Vec<(PlanId, String)> =
        engine.plans().await?.into_iter().map(|plan| (plan.id, plan.name)).collect();
    let (now, zone) = (engine.now(), app.time_zone().await);
    // Only the newest page changes by itself.
    let live = before.is_none().then_some("/api/v1/events?items=false");
    let content = html! {
        h1 { "Runs" }
        (choice(&plans, plan, state))
        div data-live=[live] data-after=(after) {
            div data-part="runs" { (table(&runs, now, &zone)) }
        }
        nav.actions aria-label="Pages" {
            @if before.is_some() { a.button.second href={ "/runs?plan=" (chosen(plan)) "&state=" (chosen(state)) } { "Newest" } }
            @if let Some(next) = next { a.button.second rel="next" href=(next) { "Older" } }
        }
    };
    Ok(page.titled("Runs", Section::Runs, &content))
}

fn chosen<T: ToString>(choice: Option<T>) -> String {
    choice.map(|choice| choice.to_string()).unwrap_or_default()
}

fn choice(plans: &[(PlanId, String)], plan: Option<PlanId>, state: Option<RunState>) -> Markup {
    html! {
        form.filters method="get" action="/runs" {
            div.field {
                label for="plan" { "Plan" }
                select id="plan" name="plan" {
                    option value="" { "All plans" }
                    @for (id, name) in plans { option value=(id) selected[plan == Some(*id)] { (name) } }
                }
            }
            div.field {
                label for="state" { "State" }
                select id="state" name="state" {
                    option value="" { "All states" }
                    @for one in states::ALL { option value=(one) selected[state == Some(one)] { (states::in_words(one)) } }
                }
            }
            button.second type="submit" { "Show" }
        }
    }
}

fn table(runs: &[RunRecord], now: Timestamp, zone: &TimeZone) -> Markup {
    if runs.is_empty() {
        return html! { p { "There are no such runs." } };
    }
    let table = html! {
        table {
            thead {
                tr {
                    th scope="col" { "Run" }
                    th scope="col" { "Plan" }
                    th scope="col" { "State" }
                    th.number scope="col" { "Done" }
                    th.number scope="col" { "Failed" }
                    th.number scope="col" { "Bytes" }
                    th.number scope="col" { "Took" }
                }
            }
            tbody {
                @for run in runs {
                    tr {
                        td {
                            a href={ "/runs/" (run.run) } { (words::moment(run.queued_at, zone)) }
                            br;
                            span.soft { (states::trigger(run.trigger)) }
                        }
                        td { (run.plan) @if let Some(job) = run.options.job.name() { ": " (job) } }
                        td {
                            (states::state(run.state))
                            @if let Some(waiting) = &run.waiting { br; span.soft { "waits for " (in_brief(waiting)) } }
                        }
                        td.number { (with_commas(run.items.done)) }
                        td.number { (with_commas(run.items.failed)) }
                        td.number { (words::bytes(run.bytes)) }
                        td.number { (took(run, now)) }
                    }
                }
            }
        }
    };
    scrolling("Runs", &table)
}

/// How long a run took, or has taken so far.
fn took(run: &RunRecord, now: Timestamp) -> String {
    let Some(began) = run.started_at else { return "–".into() };
    let until =
        run.ended_at.filter(|_| !matches!(run.state, RunState::Running | RunState::Pausing)).unwrap_or(now);
    words::duration(until.duration_since(began))
}

fn back(run: RunId) -> Redirect {
    Redirect::to(&format!("/runs/{run}"))
}

async fn ask_to_cancel(
    page: PageOf,
    State(app): State<App>,
    Id(run): Id<RunId>,
) -> Result<Response, Failing> {
    let record = app.engine().run_record(run).await?;
    if !record.state.is_live() {
        return Ok(back(run).into_response());
    }
    let content = html! {
        h1 { "Stop the run of " (record.plan) "?" }
        p { "What is done stays, and the next run goes on from there." }
        form.actions method="post" action={ "/runs/" (run) "/cancel" } {
            (page.csrf())
            button.danger type="submit" { "Stop it" }
            a.button.second href={ "/runs/" (run) } { "Let it go on" }
        }
    };
    Ok(page.titled("Stop a run", Section::Runs, &content).into_response())
}

async fn cancel(_page: PageOf, State(app): State<App>, Id(run): Id<RunId>) -> Result<Redirect, Failing> {
    app.engine().cancel_run(run).await?;
    Ok(back(run))
}

async fn pause(_page: PageOf, State(app): State<App>, Id(run): Id<RunId>) -> Result<Redirect, Failing> {
    app.engine().pause_run(run).await?;
    Ok(back(run))
}

async fn resume(_page: PageOf, State(app): State<App>, Id(run): Id<RunId>) -> Result<Redirect, Failing> {
    app.engine().resume_run(run).await?;
    Ok(back(run))
}

async fn retry(_page: PageOf, State(app): State<App>, Id(run): Id<RunId>) -> Result<Redirect, Failing> {
    Ok(back(app.engine().retry_failed(run).await?))
}
