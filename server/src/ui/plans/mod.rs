//! `/plans`: what is to be done, and when; how each plan stands, and making, changing and removing one.

mod editing;
mod editor;
mod folders;
mod presets;
mod restoring;
mod show;
mod telling;
mod words;

use axum::{
    Form, Router,
    extract::{Query, State},
    response::Redirect,
    routing::{get, post},
};
use charon_engine::{PlanId, PlanView, RunOptions, Tone, Trigger};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use maud::{Markup, html};
use serde::Deserialize;

use super::{
    failing::Failing,
    layout::{Page, PageOf, Section},
    states,
    words::ago,
};
use crate::{api::extract::Id, app::App};

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/plans", get(list))
        .route("/plans/new", get(editor::begin).post(editor::make))
        .route("/plans/explain", post(editor::explain))
        .route("/plans/{id}", get(show::show))
        .route("/plans/{id}/edit", get(editor::edit).post(editor::change))
        .route("/plans/{id}/run", post(run))
        .route("/plans/{id}/restore", get(restoring::begin).post(restoring::ask))
        .route("/plans/{id}/pause", post(pause))
        .route("/plans/{id}/resume", post(resume))
        .route("/plans/{id}/remove", get(ask_to_remove).post(remove))
}

/// What has just happened, for the page that is shown next to say.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told {
    told: Option<String>,
}

async fn list(page: PageOf, State(app): State<App>, Query(told): Query<Told>) -> Result<Page, Failing> {
    let engine = app.engine();
    let zone = app.time_zone().await;
    let plans = engine.plans().await?;
    let at_a_glance = engine.dashboard(&zone).await?;
    let content = html! {
        h1 { "Plans" }
        @if told.told.as_deref() == Some("removed") {
            div.notice.good role="status" { p { "The plan is removed. All files stay where they are." } }
        }
        @if plans.is_empty() {
            div.card {
                p {
                    "A plan says what is to be done, and when: a backup plan brings photos home from a storage, an upload plan sends \
                     folders to one. There is none yet."
                }
                p { a.button href="/plans/new" { "Make a plan" } }
            }
        } @else {
            div.actions { a.button href="/plans/new" { "Make a plan" } }
            ul.cards {
                @for plan in &plans {
                    @let status = at_a_glance.plans.iter().find(|status| status.plan == plan.id);
                    li.card { (card(plan, status, at_a_glance.at, &zone)) }
                }
            }
        }
    };
    Ok(page.titled("Plans", Section::Plans, &content))
}

fn card(
    plan: &PlanView,
    status: Option<&charon_engine::PlanStatus>,
    now: Timestamp,
    zone: &TimeZone,
) -> Markup {
    html! {
        h2 { a href={ "/plans/" (plan.id) } { (plan.name) } }
        p {
            (state(plan, status, now)) " "
            span.soft {
                @if plan.config.kind() == "backup" { "backup from " } @else { "upload to " }
                a href={ "/storages/" (plan.storage_id) } { (plan.config.storage()) }
            }
        }
        @if let Some(status) = status { p { (status.sentence.text) } }
        p.soft {
            @match status.and_then(|status| status.last_good_at) {
                Some(at) => { "Last good run " (ago(at, now, zone)) },
                None => "No good run yet",
            }
            " · "
            @match plan.next_at {
                Some(at) => { "next " (ago(at, now, zone)) },
                None => "next when somebody asks",
            }
        }
    }
}

/// How a plan stands, in words that are coloured too.
fn state(plan: &PlanView, status: Option<&charon_engine::PlanStatus>, now: Timestamp) -> Markup {
    let is_paused = plan.paused_at.is_some() && plan.paused_until.is_none_or(|until| until > now);
    let is_live = status.is_some_and(|status| status.live.is_some());
    let (class, words) = match status.map(|status| status.sentence.tone) {
        Some(tone @ Tone::Bad) => (states::tone(tone), "does not get on"),
        _ if is_paused && !is_live => ("", "paused"),
        Some(tone @ Tone::Attention) => (states::tone(tone), "wants a look"),
        _ if is_live => ("busy", "a run is under way"),
        Some(tone @ Tone::Good) => (states::tone(tone), "well"),
        Some(tone @ Tone::Working) => (states::tone(tone), "at work"),
        None => ("", "not known"),
    };
    html! { span.state.(class) { (words) } }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct How {
    /// Whether everything is listed.
    full: Option<String>,
}

async fn run(
    State(app): State<App>,
    _page: PageOf,
    Id(id): Id<PlanId>,
    Form(how): Form<How>,
) -> Result<Redirect, Failing> {
    let options = RunOptions { full_listing: how.full.is_some(), ..RunOptions::default() };
    let (run, _) = app.engine().ask_for_run_by_id(id, Trigger::Manual, options).await?;
    Ok(Redirect::to(&format!("/runs/{run}")))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PauseFor {
    /// Days; until somebody resumes it, if it is empty.
    days: String,
}

async fn pause(
    State(app): State<App>,
    _page: PageOf,
    Id(id): Id<PlanId>,
    Form(asked): Form<PauseFor>,
) -> Result<Redirect, Failing> {
    let days: Option<i64> = asked.days.parse().ok().filter(|days| (1..=3650).contains(days));
    let until =
        days.and_then(|days| app.engine().now().checked_add(SignedDuration::from_hours(24 * days)).ok());
    app.engine().pause_plan_by_id(id, until).await?;
    Ok(Redirect::to(&format!("/plans/{id}?told=paused")))
}

async fn resume(State(app): State<App>, _page: PageOf, Id(id): Id<PlanId>) -> Result<Redirect, Failing> {
    app.engine().resume_plan_by_id(id).await?;
    Ok(Redirect::to(&format!("/plans/{id}?told=resumed")))
}

async fn ask_to_remove(page: PageOf, State(app): State<App>, Id(id): Id<PlanId>) -> Result<Page, Failing> {
    let plan = app.engine().plan_by_id(id).await?;
    let content = html! {
        h1 { "Remove " (plan.name) "?" }
        div.notice.warn {
            p { "This removes the plan, its runs and their log, and what Charon knows of where its items are." }
            @match &plan.config {
                charon_engine::PlanConfig::Backup(backup) => {
                    p { "The photos stay where they are: in " code { (backup.destination) } ", and in " (plan.config.storage()) "." }
                },
                charon_engine::PlanConfig::Upload(_) => {
                    p { "The photos stay where they are: in their folders, and in " (plan.config.storage()) "." }
                },
            }
            p { "A run that is at work stops. This cannot be taken back." }
        }
        form method="post" action={ "/plans/" (id) "/remove" } {
            (page.csrf())
            div.actions {
                button.danger type="submit" { "Remove the plan" }
                a.button.second href={ "/plans/" (id) } { "Keep it" }
            }
        }
    };
    Ok(page.titled("Remove a plan", Section::Plans, &content))
}

async fn remove(State(app): State<App>, _page: PageOf, Id(id): Id<PlanId>) -> Result<Redirect, Failing> {
    app.engine().remove_plan_by_id(id, None).await?;
    Ok(Redirect::to("/plans?told=removed"))
}
