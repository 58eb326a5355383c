//! `/plans/{id}`: one plan: what it does, what comes next, and what became of it so far.

use axum::extract::{Query, State};
use charon_engine::{Decision, Occurrence, PlanId, PlanStatus, PlanView, RunFilter, RunRecord};
use jiff::{Timestamp, tz::TimeZone};
use maud::{Markup, html};

use super::{Told, state, telling, words};
use crate::{
    api::extract::Id,
    app::App,
    ui::{
        failing::Failing,
        layout::{Page, PageOf, Section},
        mirror::question,
        states, strip,
        table::scrolling,
        words::{ago, bytes, counted, duration, moment},
    },
};

/// So many runs are shown; all others are a page further.
const RUNS: u32 = 15;
/// So many moments at which it was not run are shown.
const NOT_RUN: usize = 10;

pub(super) async fn show(
    page: PageOf,
    State(app): State<App>,
    Id(id): Id<PlanId>,
    Query(told): Query<Told>,
) -> Result<Page, Failing> {
    let engine = app.engine();
    let plan = engine.plan_by_id(id).await?;
    let zone = app.time_zone().await;
    // Whoever listens from here on misses nothing of what came after this was looked up.
    let after = engine.newest_event().await?;
    let at_a_glance = engine.dashboard(&zone).await?;
    let status = at_a_glance.plans.iter().find(|status| status.plan == id);
    let upcoming = engine.upcoming(id, 5).await?;
    let runs = engine.runs_of(&RunFilter { plan: Some(id), ..RunFilter::default() }, RUNS).await?;
    let decided = engine.occurrences_by_id(id, (Timestamp::MIN, None), 100).await?;
    let now = at_a_glance.at;
    let told_of_it = telling::channels_of(&app, Some(&plan.name)).await?;
    let is_paused = plan.paused_at.is_some() && plan.paused_until.is_none_or(|until| until > now);
    let content = html! {
        p { a href="/plans" { "Plans" } }
        h1 { (plan.name) }
        @if let Some(news) = news(told.told.as_deref()) { div.notice.good role="status" { p { (news) } } }
        div data-live="/api/v1/events?items=false" data-after=(after) {
            div data-part="standing" { (standing(&plan, status, now)) }
        }
        (actions(&page, &plan, is_paused))
        div.card {
            h2 { "What it does" }
            (words::facts(&plan, &upcoming))
            p.soft {
                "Told when a run of it fails or is overdue: " (telling::names(told_of_it.as_deref())) ". "
                a href="/settings/notifications" { "Notifications" }
            }
        }
        (mirror(&page, &app, &plan, status).await?)
        div.card {
            h2 { "What comes next" }
            @if is_paused { (pause_words(&plan, &zone)) }
            (words::next(&upcoming))
        }
        div.card {
            h2 { "History" }
            @if let Some(status) = status { (strip::draw(&plan.name, &status.strip)) }
            (history(&runs, now, &zone))
            (not_run(&decided, &zone))
        }
    };
    Ok(page.titled(&plan.name, Section::Plans, &content))
}

/// What the plan keeps at home, if it is a backup plan; the mirror's own page has the rest.
async fn mirror(
    page: &PageOf,
    app: &App,
    plan: &PlanView,
    status: Option<&PlanStatus>,
) -> Result<Markup, Failing> {
    if plan.config.kind() != "backup" {
        return Ok(html! {});
    }
    let in_trash = app.engine().trash_standing(plan.id).await?.files;
    let at = format!("/plans/{}", plan.id);
    Ok(html! {
        (question(page, app.engine(), plan).await?)
        div.card {
            h2 { a href={ (at) "/mirror" } { "Mirror" } }
            @if let Some((items, size)) = status.and_then(|status| status.items_home.zip(status.bytes_home)) {
                p { (counted(items, "item", "items")) " at home, " (bytes(size)) "." }
            }
            p {
                a href={ (at) "/mirror" } { "Originals and copies, proof, reports" } " · "
                a href={ (at) "/trash" } { @if in_trash > 0 { "Trash (" (counted(in_trash, "file", "files")) ")" } @else { "Trash" } }
            }
        }
    })
}

/// How it stands.
fn standing(plan: &PlanView, status: Option<&PlanStatus>, now: Timestamp) -> Markup {
    html! {
        @if let Some(status) = status {
            section.sentence.(states::tone(status.sentence.tone)) aria-label="How it stands" {
                p.headline { (status.sentence.text) }
                p { (state(plan, Some(status), now))
                    @if let Some(run) = status.live { " " a href={ "/runs/" (run) } { "Look at the run" } }
                }
            }
        } @else {
            p { (state(plan, None, now)) }
        }
    }
}

fn news(told: Option<&str>) -> Option<&'static str> {
    match told? {
        "added" => Some("The plan is saved."),
        "changed" => Some("Your changes are saved."),
        "paused" => Some("Its schedule is paused. A run that is at work goes on."),
        "resumed" => Some("Its schedule goes on. What was due meanwhile is not made up for."),
        _ => None,
    }
}

fn actions(page: &PageOf, plan: &PlanView, is_paused: bool) -> Markup {
    let at = format!("/plans/{}", plan.id);
    html! {
        div.actions {
            form method="post" action={ (at) "/run" } { (page.csrf()) button type="submit" { "Run now" } }
            a.button.second href={ (at) "/edit" } { "Edit" }
            @if plan.config.kind() == "backup" { a.button.second href={ (at) "/restore" } { "Restore…" } }
            @if is_paused {
                form method="post" action={ (at) "/resume" } {
                    (page.csrf())
                    button.second type="submit" { "Resume the schedule" }
                }
            }
            a.button.danger href={ (at) "/remove" } { "Remove" }
        }
        @if !is_paused && plan.config.schedule().is_some() {
            details.card {
                summary { "Pause the schedule" }
                form method="post" action={ (at) "/pause" } {
                    (page.csrf())
                    div.field {
                        label for="days" { "For how long" }
                        select id="days" name="days" {
                            option value="" { "until I resume it" }
                            option value="1" { "a day" }
                            option value="7" { "a week" }
                            option value="30" { "30 days" }
                        }
                    }
                    button.second type="submit" { "Pause" }
                }
            }
        }
        @if plan.config.kind() == "backup" {
            details.card {
                summary { "Run now, and list everything" }
                form method="post" action={ (at) "/run" } {
                    (page.csrf())
                    p.soft {
                        "A usual run may stop listing where everything is known already. This one goes to the end, which takes \
                         more requests."
                    }
                    button.second type="submit" name="full" value="yes" { "Run with a whole listing" }
                }
            }
        }
    }
}

fn pause_words(plan: &PlanView, zone: &TimeZone) -> Markup {
    html! {
        p {
            "Its schedule is paused"
            @if let Some(at) = plan.paused_at { " since " (moment(at, zone)) }
            @if let Some(until) = plan.paused_until { ", until " (moment(until, zone)) }
            "."
        }
    }
}

fn history(runs: &[RunRecord], now: Timestamp, zone: &TimeZone) -> Markup {
    html! {
        @if runs.is_empty() {
            p.soft { "There has been no run yet." }
        } @else {
            (scrolling("Runs", &history_table(runs, now, zone)))
            @if let Some(first) = runs.first() {
                p { a href={ "/runs?plan=" (first.plan_id) } { "All runs of this plan" } }
            }
        }
    }
}

fn history_table(runs: &[RunRecord], now: Timestamp, zone: &TimeZone) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { "Run" } th scope="col" { "How it ended" } th.number scope="col" { "Done" }
                th.number scope="col" { "Failed" } th.number scope="col" { "Moved" } th.number scope="col" { "Took" }
            } }
            tbody {
                @for run in runs {
                    tr {
                        td { a href={ "/runs/" (run.run) } { (ago(run.started_at.unwrap_or(run.queued_at), now, zone)) } }
                        td { (states::state(run.state)) }
                        td.number { (charon_engine::with_commas(run.items.done)) }
                        td.number { (charon_engine::with_commas(run.items.failed)) }
                        td.number { (bytes(run.bytes)) }
                        td.number {
                            @if let (Some(from), Some(to)) = (run.started_at, run.ended_at) { (duration(to.duration_since(from))) }
                        }
                    }
                }
            }
        }
    }
}

/// The moments at which it was due and not run.
fn not_run(decided: &[Occurrence], zone: &TimeZone) -> Markup {
    let told: Vec<_> = decided
        .iter()
        .filter_map(|one| {
            let why = match one.decision {
                Decision::Missed => "nobody was there to run it, and nothing makes up for it",
                Decision::CatchUp => "it was missed, and a run made up for it",
                Decision::Overlap => "it was left out: a run had not ended",
                Decision::Run => return None,
            };
            Some((one, why))
        })
        .take(NOT_RUN)
        .collect();
    html! {
        @if !told.is_empty() {
            h3 { "Not run when it was due" }
            ul {
                @for (one, why) in told {
                    li {
                        (moment(one.scheduled_for, zone)) ": " (why)
                        @if one.missed > 0 { " (with " (one.missed) " before it)" }
                    }
                }
            }
        }
    }
}
