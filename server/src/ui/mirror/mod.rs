//! `/plans/{id}/mirror`: what a backup plan keeps at home, how true it is to the originals, the proof that it is good, and its trash.

mod report;
mod trash;

use axum::{
    Form, Router,
    extract::State,
    response::Redirect,
    routing::{get, post},
};
use charon_engine::{
    Engine, FilesOf, Job, MirrorStanding, PlanConfig, PlanId, PlanView, RunId, RunOptions, Trigger,
    VerificationView, VerifyJob, with_commas,
};
use jiff::{Timestamp, tz::TimeZone};
use maud::{Markup, html};
use serde::Deserialize;

use super::{
    failing::Failing,
    layout::{Page, PageOf, Section},
    table::scrolling,
    words::{ago, bytes, counted, moment},
};
use crate::{
    api::{
        extract::{Id, Query},
        paging::{cursor, place},
        problem::Problem,
    },
    app::App,
};
pub(super) use report::verdict;
pub(super) use trash::question;

/// Verifications of a page.
const SHOWN: u32 = 10;

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/plans/{id}/mirror", get(show))
        .route("/plans/{id}/verify", post(verify))
        .route("/plans/{id}/originals", post(originals))
        .route("/plans/{id}/verifications/{run}", get(report::show))
        .merge(trash::router())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Look {
    cursor: Option<String>,
}

async fn show(
    page: PageOf,
    State(app): State<App>,
    Id(id): Id<PlanId>,
    Query(look): Query<Look>,
) -> Result<Page, Failing> {
    let engine = app.engine();
    let plan = mirrored(engine, id).await?;
    let standing = engine.mirror_standing(id).await?;
    let before: Option<RunId> = place(look.cursor.as_deref())?;
    let mut past = engine.verifications(id, before, SHOWN + 1).await?;
    let has_more = past.len() > SHOWN as usize;
    past.truncate(SHOWN as usize);
    let (now, zone) = (engine.now(), app.time_zone().await);
    let content = html! {
        (way_back(&plan))
        h1 { "Mirror of " (plan.name) }
        (question(&page, engine, &plan).await?)
        div.card { (home(&page, &plan, &standing)) }
        div.card {
            h2 id="proof" { "Proof" }
            (proof(&standing, now, &zone))
            (buttons(&page, id))
            (verifications(id, &past, now, &zone))
            nav.actions aria-label="Pages" {
                @if before.is_some() { a.button.second href={ "/plans/" (id) "/mirror#proof" } { "Newest" } }
                @if let Some(last) = past.last().filter(|_| has_more) {
                    a.button.second rel="next" href={ "/plans/" (id) "/mirror?cursor=" (cursor(&last.run)) "#proof" } { "Older" }
                }
            }
        }
        div.card {
            h2 { "Trash" }
            (trash::in_brief(&plan, &standing.trash))
        }
    };
    Ok(page.titled(&format!("Mirror of {}", plan.name), Section::Plans, &content))
}

/// The plan that keeps a mirror.
async fn mirrored(engine: &Engine, id: PlanId) -> Result<PlanView, Failing> {
    let plan = engine.plan_by_id(id).await?;
    match plan.config {
        PlanConfig::Backup(_) => Ok(plan),
        PlanConfig::Upload(_) => Err(Problem::conflict("an upload plan keeps no mirror").into()),
    }
}

fn way_back(plan: &PlanView) -> Markup {
    html! { p { a href="/plans" { "Plans" } " › " a href={ "/plans/" (plan.id) } { (plan.name) } } }
}

/// What is at home, by how true it is to the originals.
fn home(page: &PageOf, plan: &PlanView, standing: &MirrorStanding) -> Markup {
    let library = format!("/library?plan={}", plan.id);
    let row = |name: Markup, of: &FilesOf| {
        html! {
            tr {
                th scope="row" { (name) }
                td.number { (with_commas(of.items)) } td.number { (with_commas(of.files)) } td.number { (bytes(of.bytes)) }
            }
        }
    };
    let table = html! {
        table {
            thead { tr {
                th scope="col" { "Fidelity" } th.number scope="col" { "Items" } th.number scope="col" { "Files" }
                th.number scope="col" { "Bytes" }
            } }
            tbody {
                (row(html! { a href={ (library) "&fidelity=original" } { "Originals" } }, &standing.originals))
                (row(html! { a href={ (library) "&fidelity=api-copy" } { "Copies from the API" } }, &standing.api_copies))
            }
        }
    };
    html! {
        h2 { "What is at home" }
        @if standing.files == 0 {
            p { "Nothing is home yet. The next run of the plan brings home what the storage shows." }
        } @else {
            p { (counted(standing.files, "file", "files")) ", " (bytes(standing.bytes)) "." }
            (scrolling("What is at home, by fidelity", &table))
            p.soft {
                "An original has the very bytes that were taken or uploaded. A copy from the API is what Google gives of it: without the "
                "location, and encoded anew."
            }
            @if standing.api_copies.files > 0 {
                form.actions method="post" action={ "/plans/" (plan.id) "/originals" } {
                    (page.csrf())
                    button.second type="submit" { "Look for originals" }
                    span.soft { "On this machine, and at the storage's full-resolution source, if it has one." }
                }
            }
        }
    }
}

/// How much is known to be good, and since when.
fn proof(standing: &MirrorStanding, now: Timestamp, zone: &TimeZone) -> Markup {
    let verified = &standing.verified;
    html! {
        @if let Some(last) = &standing.last_verification {
            p {
                "The last verification ended " (ago(last.at, now, zone)) ": " (found(last)) "."
            }
        } @else {
            p { "This mirror has not been verified yet. A verification reads the files again, and compares them with what was stored." }
        }
        dl.facts {
            dt { "Read again and good" }
            dd { (with_commas(verified.good)) " of " (counted(standing.files, "file", "files")) }
            dt { "In the last 30 days" } dd { (with_commas(verified.in_30_days)) }
            dt { "In the last 365 days" } dd { (with_commas(verified.in_a_year)) }
            @if let Some(oldest) = verified.oldest_at { dt { "The longest ago" } dd { (ago(oldest, now, zone)) } }
            dt { "Not read again yet" } dd { (with_commas(verified.never)) }
            dt { "Damaged" }
            dd {
                @if verified.damaged > 0 {
                    span.state.bad { (with_commas(verified.damaged)) } " The next run of the plan fetches again what the account still holds."
                } @else { "none that is known" }
            }
        }
    }
}

fn buttons(page: &PageOf, plan: PlanId) -> Markup {
    html! {
        form method="post" action={ "/plans/" (plan) "/verify" } {
            (page.csrf())
            div.field {
                label for="percent" { "How much of it" }
                select id="percent" name="percent" aria-describedby="percent-help" {
                    option value="" { "everything" }
                    @for percent in [5, 10, 25, 50] { option value=(percent) { "the next " (percent) " % of the files" } }
                }
                p.help id="percent-help" {
                    "Everything also looks for files that are not Charon's. To repair is to fetch again what is missing or changed."
                }
            }
            div.actions {
                button type="submit" { "Verify" }
                button.second type="submit" name="repair" value="yes" { "Verify and repair" }
                a href={ "/api/v1/plans/" (plan) "/sums" } download="SHA256SUMS" { "Download the checksums" }
            }
        }
    }
}

/// What a verification found, in a few words.
fn found(of: &VerificationView) -> String {
    let found = &of.findings;
    let mut parts =
        vec![format!("{} of {} good", with_commas(found.good), counted(found.files, "file", "files"))];
    for (count, what) in [
        (found.missing, "missing"),
        (found.changed, "changed"),
        (found.unreadable, "unreadable"),
        (found.strange, "not Charon's"),
    ] {
        if count > 0 {
            parts.push(format!("{} {what}", with_commas(count)));
        }
    }
    parts.join(", ")
}

fn verifications(plan: PlanId, past: &[VerificationView], now: Timestamp, zone: &TimeZone) -> Markup {
    if past.is_empty() {
        return html! {};
    }
    let table = html! {
        table {
            thead { tr {
                th scope="col" { "Report" } th scope="col" { "Of" } th.number scope="col" { "Good" } th.number scope="col" { "Missing" }
                th.number scope="col" { "Changed" } th.number scope="col" { "Unreadable" } th.number scope="col" { "Not Charon's" }
            } }
            tbody {
                @for one in past {
                    tr {
                        td {
                            a href={ "/plans/" (plan) "/verifications/" (one.run) } { (moment(one.at, zone)) }
                            br; span.soft { (ago(one.at, now, zone)) }
                        }
                        td { @match one.percent { Some(percent) => { (percent) " %" }, None => "everything" } }
                        td.number { (with_commas(one.findings.good)) }
                        td.number { (with_commas(one.findings.missing)) }
                        td.number { (with_commas(one.findings.changed)) }
                        td.number { (with_commas(one.findings.unreadable)) }
                        td.number { (with_commas(one.findings.strange)) }
                    }
                }
            }
        }
    };
    html! { h3 { "Reports" } (scrolling("Verifications", &table)) }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct How {
    percent: String,
    repair: Option<String>,
}

async fn verify(
    State(app): State<App>,
    _page: PageOf,
    Id(id): Id<PlanId>,
    Form(how): Form<How>,
) -> Result<Redirect, Failing> {
    let percent = match how.percent.as_str() {
        "" => None,
        text => {
            let percent = text.parse().ok().filter(|percent| (1..=100).contains(percent));
            Some(percent.ok_or_else(|| Problem::bad_request("the share is to be 1 to 100"))?)
        }
    };
    ask(&app, id, Job::Verify(VerifyJob { repair: how.repair.is_some(), percent })).await
}

async fn originals(State(app): State<App>, _page: PageOf, Id(id): Id<PlanId>) -> Result<Redirect, Failing> {
    ask(&app, id, Job::Originals).await
}

/// Asks for a run that does this with a mirror, and leads to it.
async fn ask(app: &App, plan: PlanId, job: Job) -> Result<Redirect, Failing> {
    let options = RunOptions { job, ..RunOptions::default() };
    let (run, _) = app.engine().ask_for_run_by_id(plan, Trigger::Manual, options).await?;
    Ok(Redirect::to(&format!("/runs/{run}")))
}
