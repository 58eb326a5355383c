//! `/plans/{id}/verifications/{run}`: what a verification found, and what became of each thing that is wrong.

use axum::extract::State;
use charon_engine::{Job, Outcome, Problem, RunRecord, RunState, VerificationView};
use maud::{Markup, html};

use super::{Look, found, mirrored, way_back};
use crate::{
    api::{
        extract::Query,
        paging::{cursor, place},
        verifications::RunOf,
    },
    app::App,
    ui::{
        failing::Failing,
        layout::{Page, PageOf, Section},
        states,
        table::scrolling,
        words::{bytes, moment},
    },
};

/// Problems of a page.
const SHOWN: u32 = 100;

pub(super) async fn show(
    page: PageOf,
    State(app): State<App>,
    RunOf { plan: id, run }: RunOf,
    Query(look): Query<Look>,
) -> Result<Page, Failing> {
    let engine = app.engine();
    let plan = mirrored(engine, id).await?;
    let record = engine.run_record(run).await?;
    let view = engine.verification(run).await?.filter(|_| record.plan_id == id);
    let view = view.ok_or_else(|| Failing::not_found("verification of this plan"))?;
    let after: Option<String> = place(look.cursor.as_deref())?;
    let mut problems = engine.verification_problems(run, after.clone(), SHOWN + 1).await?;
    let has_more = problems.len() > SHOWN as usize;
    problems.truncate(SHOWN as usize);
    let zone = app.time_zone().await;
    let here = format!("/plans/{id}/verifications/{run}");
    let content = html! {
        (way_back(&plan))
        h1 { "Verification of " (plan.name) }
        (verdict(&view, &record))
        dl.facts {
            dt { "Of" } dd { @match view.percent { Some(percent) => { (percent) " % of the files" }, None => "everything" } }
            dt { @if record.state.is_live() { "As of" } @else { "Ended" } } dd { (moment(view.at, &zone)) }
            dt { "Read" } dd { (bytes(view.findings.bytes)) }
            dt { "Run" } dd { a href={ "/runs/" (run) } { "Look at the run" } " " (states::state(record.state)) }
            dt { "Mirror" } dd { a href={ "/plans/" (id) "/mirror" } { "All reports" } }
        }
        h2 { "What is wrong" }
        @if problems.is_empty() {
            p { @if after.is_some() { "There is nothing more." } @else { "Nothing." } }
        } @else {
            (scrolling("What is wrong", &table(&problems, &record)))
        }
        nav.actions aria-label="Pages" {
            @if after.is_some() { a.button.second href=(here) { "Back to the beginning" } }
            @if let Some(last) = problems.last().filter(|_| has_more) {
                a.button.second rel="next" href={ (here) "?cursor=" (cursor(&last.item)) } { "More" }
            }
        }
    };
    Ok(page.titled(&format!("Verification of {}", plan.name), Section::Plans, &content))
}

/// What it found, in a sentence.
pub(crate) fn verdict(view: &VerificationView, record: &RunRecord) -> Markup {
    let is_damaged = view.findings.bad() > 0;
    let is_repaired = is_damaged && repairs(record) && record.state == RunState::Succeeded;
    let tone = match (view.is_whole, is_damaged && !is_repaired, view.findings.strange) {
        (true, true, _) => "bad",
        (true, false, 0) => "good",
        _ => "warn",
    };
    html! {
        p.sentence.(tone) {
            @if !view.is_whole { "So far: " }
            (found(view)) "."
            @if is_repaired { " What was damaged is repaired." }
        }
    }
}

/// Whether a run mends what it finds to be damaged; a backup that reads a share does.
fn repairs(record: &RunRecord) -> bool {
    !matches!(&record.options.job, Job::Verify(job) if !job.repair)
}

fn table(problems: &[Problem], record: &RunRecord) -> Markup {
    let repairs = repairs(record);
    html! {
        table {
            thead { tr { th scope="col" { "File" } th scope="col" { "What became of it" } th scope="col" { "Why" } } }
            tbody {
                @for problem in problems {
                    tr {
                        td { (problem.name) br; code.soft { (problem.path.as_ref().unwrap_or(&problem.item)) } }
                        td {
                            @match problem.outcome {
                                Outcome::Done => { span.state.good { "repaired" } },
                                Outcome::Failed if repairs => { span.state.bad { "not repaired" } },
                                Outcome::Failed => { span.state.bad { "damaged" } },
                                Outcome::Skipped => { span.state { "left as it is" } },
                            }
                        }
                        td { (problem.reason.as_deref().unwrap_or("–")) }
                    }
                }
            }
        }
    }
}
