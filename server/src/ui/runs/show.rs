//! `/runs/{id}`: one run, as it goes on.

use axum::extract::State;
use charon_engine::{
    Cause, Counts, Error, Failures, Progress, RunId, RunRecord, RunState, StorageId, VerificationView,
    with_commas,
};
use jiff::{Timestamp, tz::TimeZone};
use maud::{Markup, html};

use super::took;
use crate::{
    api::{extract::Id, runs::progress_of},
    app::App,
    ui::{
        failing::Failing,
        layout::{Page, PageOf, Section},
        mirror::verdict,
        states, words,
    },
};

pub(super) async fn show(page: PageOf, State(app): State<App>, Id(run): Id<RunId>) -> Result<Page, Failing> {
    let engine = app.engine();
    // Whoever listens from here on misses nothing of what came after this was looked up.
    let after = engine.newest_event().await?;
    let record = engine.run_record(run).await?;
    let progress = progress_of(engine, &record).await?;
    let failures =
        if progress.items.failed > 0 { engine.run_failures(run).await? } else { Failures::default() };
    let (now, zone) = (engine.now(), app.time_zone().await);
    let account = account_that_waits(&app, &record).await?;
    let verification = engine.verification(run).await?;
    let live = record.state.is_live().then(|| format!("/api/v1/runs/{run}/events?items=false"));
    let content = html! {
        div data-live=[live] data-after=(after) data-run=(run) {
            div data-part="head" { (head(&record, &zone)) }
            div.actions data-part="actions" {
                @if let Some(account) = &account { (account.cures(&page)) }
                (states::actions(&page, &record))
                a.button.second href={ "/api/v1/runs/" (run) "/log" } download { "Download the log" }
                a href={ "/runs/" (run) } { "Refresh" }
            }
            div data-part="progress" {
                @if record.state.is_live() {
                    section.card aria-labelledby="progress" {
                        h2 id="progress" { "How far it is" }
                        (states::progress(&progress))
                        p.soft data-fact="waiting" { @if let Some(why) = waiting(&record, &progress) { "Waits for " (why) } }
                        p.visually-hidden role="status" data-fact="status" {}
                        (current(&progress))
                    }
                }
            }
            div data-part="outcomes" { (outcomes(&record, &progress)) }
            div data-part="report" { @if let Some(verification) = &verification { (report(&record, verification)) } }
            div data-part="failures" { (causes(&page, &record, &failures)) }
            div data-part="facts" { (facts(&record, now, &zone)) }
        }
    };
    Ok(page.titled(&format!("Run of {}", record.plan), Section::Runs, &content))
}

fn head(record: &RunRecord, zone: &TimeZone) -> Markup {
    html! {
        h1 {
            "Run of "
            @if record.is_inbox { (record.plan) } @else { a href={ "/plans/" (record.plan_id) } { (record.plan) } }
            " " (states::state(record.state))
        }
        p.soft { (words::moment(record.queued_at, zone)) ", " (states::trigger(record.trigger)) }
        @if let Some(stop) = &record.stop {
            @let class = match record.state { RunState::Failed => "bad", RunState::Cancelled | RunState::Queued => "", _ => "warn" };
            div.notice.(class) {
                p { (stop.message) }
                @if let Some(until) = stop.until { p { "It goes on by itself at " (words::moment(until, zone)) "." } }
            }
        }
    }
}

/// An account that has to let Charon in again before a run goes on.
struct Account {
    storage: StorageId,
    can_be_connected: bool,
}

async fn account_that_waits(app: &App, record: &RunRecord) -> Result<Option<Account>, Failing> {
    if !states::waits_for_consent(record) {
        return Ok(None);
    }
    let engine = app.engine();
    let storage = match engine.plan_by_id(record.plan_id).await {
        Ok(plan) => engine.storage_by_id(plan.storage_id).await?,
        // What an inbox sends has no plan that is shown.
        Err(Error::Unknown { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let provider = engine.registry().provider(&storage.provider)?.describe();
    Ok(Some(Account { storage: storage.id, can_be_connected: provider.consenting.is_some() }))
}

impl Account {
    fn cures(&self, page: &PageOf) -> Markup {
        let at = format!("/storages/{}", self.storage);
        html! {
            @if self.can_be_connected {
                form method="post" action={ (at) "/reconnect" } { (page.csrf()) button type="submit" { "Connect again" } }
            }
            a.button.second href=(at) { "Look at the storage" }
        }
    }
}

fn waiting(record: &RunRecord, progress: &Progress) -> Option<String> {
    // Why it waits stands above already.
    if record.state == RunState::Parked && record.stop.is_some() {
        return None;
    }
    progress.waiting.clone().or_else(|| record.waiting.clone())
}

/// The files that bytes are moved of now.
fn current(progress: &Progress) -> Markup {
    html! {
        ul.current data-fact="current" aria-label="Files under way" {
            @for file in &progress.current {
                li {
                    span { (file.name) }
                    " "
                    span.soft {
                        (words::bytes(file.bytes))
                        @if let Some(of) = file.of { " of " (words::bytes(of)) }
                    }
                }
            }
        }
    }
}

/// What became of the items; each count opens to them (I9).
fn outcomes(record: &RunRecord, progress: &Progress) -> Markup {
    let Counts { done, unchanged, skipped, failed } = progress.items;
    let at = format!("/runs/{}/items?outcome=", record.run);
    let outcome = |fact: &str, count: u64, words: &str, help: &str| {
        html! {
            li.card {
                a href={ (at) (fact) } { span.count data-fact=(fact) { (with_commas(count)) } " " (words) }
                span.soft { (help) }
            }
        }
    };
    html! {
        h2 { "What became of the items" }
        ul.outcomes {
            (outcome("done", done, "done", "moved in this run"))
            (outcome("unchanged", unchanged, "unchanged", "where they should be since before"))
            (outcome("skipped", skipped, "skipped", "left out, each for a reason"))
            (outcome("failed", failed, "failed", "each for a reason; a later run tries again"))
        }
    }
}

/// What a verification found, and where its report is.
fn report(record: &RunRecord, verification: &VerificationView) -> Markup {
    html! {
        h2 { "What it found" }
        (verdict(verification, record))
        p { a href={ "/plans/" (record.plan_id) "/verifications/" (record.run) } { "The report" } }
    }
}

fn causes(page: &PageOf, record: &RunRecord, failures: &Failures) -> Markup {
    if failures.causes.is_empty() {
        return html! {};
    }
    html! {
        h2 { "Why items failed" }
        ul.causes { @for cause in &failures.causes { li.card { (cause_of(cause)) } } }
        @if failures.is_cut {
            p.soft { "Of the first " (with_commas(failures.looked_at)) " that failed, the most frequent causes." }
        }
        p {
            a href={ "/runs/" (record.run) "/items?outcome=failed" } { "All items that failed" }
        }
        @if !record.state.is_live() {
            div.actions { (states::action(page, record.run, "retry-failed", "Try them again", "second")) }
        }
    }
}

fn cause_of(cause: &Cause) -> Markup {
    html! {
        h3 { (words::counted(cause.items, "item", "items")) ": " (cause.reason) }
        p { (cause.cure) }
        p.soft {
            "For instance "
            @for (place, example) in cause.examples.iter().enumerate() { @if place > 0 { ", " } (example.name) }
            @if cause.is_tried_again { ". A later run tries them again by itself." } @else { "." }
        }
    }
}

fn facts(record: &RunRecord, now: Timestamp, zone: &TimeZone) -> Markup {
    let moment = |at: Option<Timestamp>| at.map_or("–".to_owned(), |at| words::moment(at, zone));
    html! {
        h2 { "Facts" }
        dl.facts {
            @if let Some(job) = record.options.job.name() { dt { "Does" } dd { (job) } }
            dt { "Began" } dd { (moment(record.started_at)) }
            dt { "Ended" } dd { (moment(record.ended_at.filter(|_| !record.state.is_live()))) }
            dt { "Took" } dd { (took(record, now)) }
            dt { "Attempts" } dd { (record.attempts) }
            @if let Some(at) = record.scheduled_for { dt { "Due" } dd { (words::moment(at, zone)) } }
            dt { "Bytes" } dd { span data-fact="bytes" { (words::bytes(record.bytes)) } }
            @for (meter, count) in &record.requests_by_meter { dt { "Requests (" (meter) ")" } dd { (with_commas(*count)) } }
            @if let Some(of) = record.options.failed_of { dt { "Tries again" } dd { "what failed in " a href={ "/runs/" (of) } { "an earlier run" } } }
            @if record.options.full_listing { dt { "Listing" } dd { "to its end, whatever is known" } }
            dt { "Id" } dd { code { (record.run) } }
        }
    }
}
