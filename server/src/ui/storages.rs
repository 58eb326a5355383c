//! `/storages`: the accounts, how each stands, and one of them with all that is known of it.

use axum::{
    Router,
    extract::{Query, State},
    response::{Redirect, Response},
    routing::{get, post},
};
use charon_engine::{HealthState, StorageDetail, StorageId};
use charon_provider::Capabilities;
use charon_schema::ConfigSchema;
use jiff::{Timestamp, tz::TimeZone};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::{
    consenting, drafting,
    failing::Failing,
    layout::{Page, PageOf, Section},
    stages,
    words::{self, ago, counted, moment},
};
use crate::{access::Audited, api::extract::Id, app::App};

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/storages", get(list))
        .route("/storages/{id}", get(show))
        .route("/storages/{id}/test", post(stages::of_storage))
        .route("/storages/{id}/resume", post(resume))
        .route("/storages/{id}/remove", get(ask_to_remove).post(remove))
        .merge(drafting::router())
        .merge(consenting::router())
}

async fn list(page: PageOf, State(app): State<App>, Query(told): Query<Told>) -> Result<Page, Failing> {
    let storages = app.engine().storage_details().await?;
    let (now, zone) = (app.engine().now(), app.time_zone().await);
    let content = html! {
        h1 { "Storages" }
        @match told.told.as_deref() {
            Some("removed") => { div.notice.good role="status" { p { "The storage is removed." } } },
            Some("draft-over") => {
                div.notice.warn role="status" {
                    p {
                        "That form is over: it was saved or discarded, it was left alone for too long, or Charon was started anew. What \
                         was typed into it is not kept."
                    }
                }
            },
            _ => {},
        }
        @if storages.is_empty() {
            div.card {
                p { "A storage is an account that photos are backed up from or uploaded to. There is none yet." }
                p { a.button href="/storages/new" { "Add a storage" } }
            }
        } @else {
            div.actions { a.button href="/storages/new" { "Add a storage" } }
            ul.cards {
                @for storage in &storages { li.card { (card(&app, storage, now, &zone)) } }
            }
        }
    };
    Ok(page.titled("Storages", Section::Storages, &content))
}

fn card(app: &App, storage: &StorageDetail, now: Timestamp, zone: &TimeZone) -> Markup {
    let health = &storage.health;
    html! {
        h2 { a href={ "/storages/" (storage.storage.id) } { (storage.storage.name) } }
        p {
            (state(health.state)) " "
            span.soft { (provider_name(app, &storage.storage.provider)) }
        }
        p.soft {
            @if let Some(account) = &health.account { (account) " · " }
            @if let Some(at) = health.last_good_at { "worked " (ago(at, now, zone)) " · " }
            @if let Some(test) = &health.last_test { "tested " (ago(test.at, now, zone)) " · " }
            (counted(storage.plans.len() as u64, "plan", "plans"))
        }
        @if !health.waiting_runs.is_empty() {
            p { (counted(health.waiting_runs.len() as u64, "run waits", "runs wait")) " for you." }
        }
    }
}

/// How a storage stands, in words that are coloured too.
fn state(state: HealthState) -> Markup {
    let (class, words) = match state {
        HealthState::Works => ("good", "works"),
        HealthState::Warned => ("warn", "works, take note"),
        HealthState::Fails => ("bad", "does not work"),
        HealthState::NeedsYou => ("bad", "needs you"),
        HealthState::Untested => ("", "not tested"),
    };
    html! { span.state.(class) { (words) } }
}

pub(super) fn provider_name<'a>(app: &'a App, id: &'a str) -> &'a str {
    app.engine().registry().provider(id).map_or(id, |provider| provider.describe().name)
}

/// What the page of a storage may be asked to say.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told {
    /// What has just happened.
    told: Option<String>,
}

async fn show(
    page: PageOf,
    State(app): State<App>,
    Id(id): Id<StorageId>,
    Query(told): Query<Told>,
) -> Result<Page, Failing> {
    let engine = app.engine();
    let storage = engine.storage_detail(id).await?;
    let (now, zone) = (engine.now(), app.time_zone().await);
    let provider = engine.registry().provider(&storage.storage.provider)?.describe();
    let at = format!("/storages/{id}");
    let news = match told.told.as_deref() {
        Some("added") => Some("The storage is saved."),
        Some("changed") => Some("Your changes are saved."),
        Some("connected") => {
            Some("Connected: the storage has its new consent, and what waited for it goes on.")
        }
        Some("resumed") => Some("The runs that waited go on."),
        _ => None,
    };
    let health = &storage.health;
    let test = health.last_test.as_ref();
    let content = html! {
        p { a href="/storages" { "Storages" } }
        h1 { (storage.storage.name) " " span data-part="state" { (state(health.state)) } }
        @if let Some(news) = news { div.notice.good role="status" { p { (news) } } }
        div data-part="troubles" { (troubles(&page, &storage, provider.consenting.is_some(), now, &zone)) }
        div.actions {
            form method="post" action={ (at) "/test" } data-test="stages" data-begin[told.told.as_deref() == Some("connected")] {
                (page.csrf())
                button type="submit" { "Test connection" }
            }
            a.button.second href={ (at) "/edit" } { "Edit" }
            @if provider.consenting.is_some() {
                form method="post" action={ (at) "/reconnect" } {
                    (page.csrf())
                    button.second type="submit" { "Reconnect" }
                }
            }
            a.button.danger href={ (at) "/remove" } { "Remove" }
        }
        div.card {
            h2 { "Connection" }
            dl.facts {
                dt { "Provider" } dd { (provider.name) }
                @if provider.consenting.is_some() || health.account.is_some() {
                    dt { "Account" }
                    dd {
                        (health.account.as_deref().unwrap_or("not told by the consent"))
                        @if health.account_in_doubt { " (it may be another one than before; the next run looks)" }
                    }
                }
                @if let Some(at) = health.consented_at.filter(|_| provider.consenting.is_some()) {
                    dt { "Consent" }
                    dd data-part="consent" {
                        "given " (moment(at, &zone))
                        @if let Some(at) = health.renewed_at { "; its token was renewed " (ago(at, now, &zone)) }
                    }
                }
                dt { "Last good run" }
                dd {
                    @match health.last_good_at { Some(at) => (ago(at, now, &zone)), None => "none yet" }
                }
                dt { "Last test" }
                dd data-part="test" {
                    @match test {
                        Some(test) => {
                            (ago(test.at, now, &zone)) ": " (stages::sentence(&test.checks))
                            @if !test.is_current { " The storage has been changed since." }
                        },
                        None => { "none yet" },
                    }
                }
            }
            (stages::panel(test.map(|test| test.checks.as_slice())))
        }
        @if let Some(able) = storage.capabilities {
            div.card {
                h2 { "What it can do" }
                (capabilities(able))
                (meters(&storage, &zone))
            }
        }
        div.card {
            h2 { "Plans that use it" }
            @if storage.plans.is_empty() {
                p { "None yet. " a href="/plans" { "Make a plan" } " " (plans_for(storage.capabilities)) "." }
            } @else {
                ul {
                    @for plan in &storage.plans {
                        li { a href={ "/plans/" (plan.id) } { (plan.name) } " " span.soft { (plan.kind) } }
                    }
                }
            }
        }
        div.card {
            h2 { "Configuration" }
            (configuration(&provider.schema, &storage))
            p.soft { "Added " (moment(storage.storage.created_at, &zone)) "." }
        }
        @if storage.capabilities.is_some_and(|able| able.list) {
            p { a href={ (at) "/browse" } { "Browse what it holds" } }
        }
        @if storage.capabilities.is_some_and(|able| able.upload) {
            p { a href={ (at) "/send" } { "Send a photo to it" } ", by hand or from a program" }
        }
    };
    Ok(page.titled(&storage.storage.name, Section::Storages, &content))
}

/// What is wrong, and the button that cures it.
fn troubles(
    page: &PageOf,
    storage: &StorageDetail,
    can_reconnect: bool,
    now: Timestamp,
    zone: &TimeZone,
) -> Markup {
    let at = format!("/storages/{}", storage.storage.id);
    let waiting = &storage.health.waiting_runs;
    html! {
        @if let Some(problem) = &storage.problem {
            div.notice.bad { p { "This storage cannot be opened: " (problem) } p { "Edit it to mend that." } }
        }
        @if !waiting.is_empty() {
            div.notice.bad {
                p { (counted(waiting.len() as u64, "run waits", "runs wait")) " until you have done something about this storage:" }
                ul {
                    @for run in waiting {
                        li {
                            a href={ "/runs/" (run.run) } { (run.plan) } ", " (ago(run.since, now, zone)) ": "
                            (run.message.as_deref().unwrap_or("it waits for you"))
                        }
                    }
                }
                div.actions {
                    @if can_reconnect {
                        form method="post" action={ (at) "/reconnect" } { (page.csrf()) button type="submit" { "Reconnect" } }
                    }
                    form method="post" action={ (at) "/resume" } {
                        (page.csrf())
                        button.second type="submit" { "I have mended it elsewhere: go on" }
                    }
                }
            }
        }
    }
}

/// What a plan is made for, of what a storage can do.
fn plans_for(able: Option<Capabilities>) -> &'static str {
    match able {
        Some(able) if able.destination && !able.list && !able.upload => "that keeps its mirror there",
        _ => "to back it up, or to upload to it",
    }
}

fn capabilities(able: Capabilities) -> Markup {
    let all = [
        (able.list, "list what it holds"),
        (able.download, "download"),
        (able.upload, "upload"),
        (able.albums, "albums"),
        (able.destination, "keep mirrors"),
    ];
    html! {
        ul.capabilities {
            @for (can, what) in all {
                li { span.state.good[can] { @if can { "yes" } @else { "no" } } " " (what) }
            }
        }
    }
}

fn meters(storage: &StorageDetail, zone: &TimeZone) -> Markup {
    html! {
        @if !storage.meters.is_empty() {
            h3 { "Requests today" }
            dl.facts {
                @for meter in &storage.meters {
                    dt { (words::meter(&meter.meter)) }
                    dd {
                        (charon_engine::with_commas(meter.used)) " of " (charon_engine::with_commas(meter.limit.into()))
                        @if meter.spent_by_server { " (the server says that nothing is left)" }
                        @if let Some(resets) = meter.resets_at { ", anew at " (moment(resets, zone)) }
                    }
                }
            }
            p { a href="/budget" { "The whole budget" } }
        }
    }
}

/// The fields that say something, in the order of the form; secrets only as being there.
fn configuration(schema: &ConfigSchema, storage: &StorageDetail) -> Markup {
    let config = &storage.storage.config;
    html! {
        dl.facts {
            @for field in schema.fields() {
                @if let Some(value) = config.get(field).filter(|value| says_something(value)) {
                    dt { (schema.as_json()["properties"][field]["title"].as_str().unwrap_or(field)) }
                    dd { @if schema.is_secret(field) { "entered, not shown" } @else { (shown(value)) } }
                }
            }
        }
    }
}

fn says_something(value: &Value) -> bool {
    !value.is_null() && value.as_str() != Some("")
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        other => other.to_string(),
    }
}

async fn resume(_: PageOf, State(app): State<App>, Id(id): Id<StorageId>) -> Result<Redirect, Failing> {
    app.engine().storage_by_id(id).await?;
    app.engine().resume_runs_of_storage(id).await?;
    Ok(Redirect::to(&format!("/storages/{id}?told=resumed")))
}

async fn ask_to_remove(page: PageOf, State(app): State<App>, Id(id): Id<StorageId>) -> Result<Page, Failing> {
    let storage = app.engine().storage_by_id(id).await?;
    let plans = app.engine().plans_of_storage(id).await?;
    let content = html! {
        h1 { "Remove " (storage.name) "?" }
        @if plans.is_empty() {
            p { "Charon forgets this account, its consent, and what it knows of the items there." }
            p { "What the account holds stays there, and what has come home stays where it is." }
            form.actions method="post" action={ "/storages/" (id) "/remove" } {
                (page.csrf())
                input type="hidden" name="revision" value=(storage.revision);
                button.danger type="submit" { "Remove it" }
                a.button.second href={ "/storages/" (id) } { "Keep it" }
            }
        } @else {
            p { "It is used by " (counted(plans.len() as u64, "plan", "plans")) ", and can be removed after them:" }
            ul { @for plan in &plans { li { a href={ "/plans/" (plan.id) } { (plan.name) } } } }
            p { a.button.second href={ "/storages/" (id) } { "Back to the storage" } }
        }
    };
    Ok(page.titled("Remove a storage", Section::Storages, &content))
}

/// The version that was seen by the one who removes it.
#[derive(Debug, Deserialize)]
struct Seen {
    revision: i64,
}

async fn remove(
    _: PageOf,
    State(app): State<App>,
    Id(id): Id<StorageId>,
    axum::Form(seen): axum::Form<Seen>,
) -> Result<Response, Failing> {
    let name = app.engine().storage_by_id(id).await?.name;
    app.engine().remove_storage_by_id(id, Some(seen.revision)).await?;
    let done = Audited::new("remove_storage", Some(format!("/storages/{id}"))).with("name", name);
    Ok(done.on(Redirect::to("/storages?told=removed")))
}
