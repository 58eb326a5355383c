//! `/plans/{id}/trash`: what backups have moved aside because it is gone from the account, and what they ask about.

use axum::{
    Form, Router,
    extract::State,
    response::Redirect,
    routing::{get, post},
};
use charon_engine::{
    Engine, Gone, ItemId, Job, PlanConfig, PlanId, PlanView, TrashJob, TrashPage, TrashStanding, TrashedItem,
    with_commas,
};
use jiff::{Timestamp, tz::TimeZone};
use maud::{Markup, html};
use serde::Deserialize;

use super::{ask, mirrored, way_back};
use crate::{
    api::{
        extract::{Id, Query},
        paging::{cursor, place},
        problem::Problem,
    },
    app::App,
    ui::{
        failing::Failing,
        layout::{Page, PageOf, Section},
        table::scrolling,
        words::{ago, bytes, counted, moment},
    },
};

/// Files of a page.
const SHOWN: u32 = 100;
/// So many of the items that somebody is asked about are named.
const NAMED: u32 = 50;

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/plans/{id}/trash", get(show))
        .route("/plans/{id}/trash/restore", post(restore))
        .route("/plans/{id}/trash/empty", get(ask_to_empty).post(empty))
        .route("/plans/{id}/trash/agree", post(agree))
        .route("/plans/{id}/trash/keep", post(keep))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Look {
    cursor: Option<String>,
    told: Option<String>,
}

async fn show(
    page: PageOf,
    State(app): State<App>,
    Id(id): Id<PlanId>,
    Query(look): Query<Look>,
) -> Result<Page, Failing> {
    let engine = app.engine();
    let plan = mirrored(engine, id).await?;
    let standing = engine.trash_standing(id).await?;
    let after: Option<i64> = place(look.cursor.as_deref())?;
    let found = engine.trash(id, after.map(ItemId), SHOWN).await?;
    let (now, zone) = (engine.now(), app.time_zone().await);
    let content = html! {
        (way_back(&plan))
        h1 { "Trash of " (plan.name) }
        (news(&page, id, look.told.as_deref()))
        (question(&page, engine, &plan).await?)
        p.soft {
            (what_goes_there(&plan)) " What you put back stays, whatever the account says."
        }
        @if standing.files == 0 {
            p { "The trash is empty." }
        } @else {
            p { (counted(standing.files, "file", "files")) ", " (bytes(standing.bytes)) "." }
            (files(&page, id, &found, now, &zone))
            nav.actions aria-label="Pages" {
                @if after.is_some() { a.button.second href={ "/plans/" (id) "/trash" } { "Back to the beginning" } }
                @if let Some(next) = found.next {
                    a.button.second rel="next" href={ "/plans/" (id) "/trash?cursor=" (cursor(&next.0)) } { "More" }
                }
            }
            h2 { "Empty it" }
            div.actions {
                a.button.second href={ "/plans/" (id) "/trash/empty" } { "Remove what is old enough" }
                a.button.danger href={ "/plans/" (id) "/trash/empty?everything=yes" } { "Remove everything" }
            }
        }
        p { a href={ "/plans/" (id) "/mirror" } { "The mirror" } }
    };
    Ok(page.titled(&format!("Trash of {}", plan.name), Section::Plans, &content))
}

fn news(page: &PageOf, plan: PlanId, told: Option<&str>) -> Markup {
    html! {
        @match told {
            Some("agreed") => {
                div.notice.good role="status" {
                    p { "They may go. The next run that lists everything looks each of them up once more, and moves it to the trash." }
                    form.actions method="post" action={ "/plans/" (plan) "/run" } {
                        (page.csrf())
                        button.second type="submit" name="full" value="yes" { "Run now, and list everything" }
                    }
                }
            },
            Some("kept") => { div.notice.good role="status" { p { "They stay where they are, for good." } } },
            Some("none") => { div.notice.warn role="status" { p { "No file was chosen, so nothing was put back." } } },
            _ => {},
        }
    }
}

/// What comes into this trash.
fn what_goes_there(plan: &PlanView) -> String {
    match &plan.config {
        PlanConfig::Backup(backup) if backup.deletion.gone == Gone::Trash => format!(
            "What is gone from the account comes here after second thoughts, and is removed for good after {}.",
            counted(u64::from(backup.deletion.trash_days), "day", "days")
        ),
        _ => {
            "This plan moves nothing to the trash: what is deleted in the account stays in the mirror.".into()
        }
    }
}

/// The trash on the page of the mirror.
pub(super) fn in_brief(plan: &PlanView, standing: &TrashStanding) -> Markup {
    html! {
        p.soft { (what_goes_there(plan)) }
        p {
            @if standing.files == 0 {
                "It is empty. "
            } @else {
                (counted(standing.files, "file", "files")) ", " (bytes(standing.bytes)) ". "
            }
            a href={ "/plans/" (plan.id) "/trash" } { "Look into the trash" }
        }
    }
}

/// What a run asks about, with both answers; nothing, if nobody is asked.
pub(crate) async fn question(page: &PageOf, engine: &Engine, plan: &PlanView) -> Result<Markup, Failing> {
    let asked = engine.trash_standing(plan.id).await?.asked_about;
    if asked == 0 {
        return Ok(html! {});
    }
    let named = engine.asked_about(plan.id, None, NAMED).await?;
    let at = format!("/plans/{}/trash", plan.id);
    let (items, they) = if asked == 1 {
        ("1 item is".to_owned(), "it")
    } else {
        (format!("{} items are", with_commas(asked)), "they")
    };
    Ok(html! {
        div.notice.bad {
            h2 { (items) " gone from the account" }
            p {
                "That is more than goes to the trash without a question, so nothing of it was moved. If this was done on purpose, " (they)
                " may go; the next run that lists everything looks once more, and the trash keeps the files for a while."
            }
            div.actions {
                form method="post" action={ (at) "/keep" } { (page.csrf()) button type="submit" { "Keep " (counted(asked, "item", "items")) } }
                form method="post" action={ (at) "/agree" } {
                    (page.csrf())
                    input type="hidden" name="items" value=(asked);
                    button.danger type="submit" { (counted(asked, "item", "items")) " may go" }
                }
            }
            details {
                summary { "Which" }
                ul {
                    @for one in &named {
                        li { a href={ "/library/" (plan.id) "/" (one.item.0) } { (one.path) } }
                    }
                }
                @if asked > u64::from(NAMED) { p { "And " (with_commas(asked - u64::from(NAMED))) " more." } }
            }
        }
    })
}

/// The files, to be chosen one by one.
fn files(page: &PageOf, plan: PlanId, found: &TrashPage, now: Timestamp, zone: &TimeZone) -> Markup {
    let table = html! {
        table {
            thead { tr {
                th scope="col" { "Choose" } th scope="col" { "Where it was" } th.number scope="col" { "Size" } th scope="col" { "Since" }
                th scope="col" { "Removed from" } th scope="col" { "Alone" }
            } }
            tbody {
                @for files in found.files.chunk_by(|one, other| one.item == other.item) {
                    @for (place, file) in files.iter().enumerate() { (row(file, place == 0, now, zone)) }
                }
            }
        }
    };
    html! {
        form method="post" action={ "/plans/" (plan) "/trash/restore" } {
            (page.csrf())
            (scrolling("Files in the trash", &table))
            div.actions {
                button type="submit" { "Put the chosen back" }
                button.second type="submit" name="all" value="yes" { "Put everything back" }
            }
        }
    }
}

fn row(file: &TrashedItem, is_first: bool, now: Timestamp, zone: &TimeZone) -> Markup {
    html! {
        tr {
            // Both files of a motion photo go back together.
            td { @if is_first { input type="checkbox" name="item" value=(file.item.0) aria-label={ "Choose " (file.path) }; } }
            td { (file.name) @if file.is_clip { " (its clip)" } br; code.soft { (file.path) } }
            td.number { (bytes(file.size)) }
            td { (ago(file.trashed_at, now, zone)) }
            td { (moment(file.until, zone)) }
            td {
                @if is_first {
                    button.second type="submit" name="only" value=(file.item.0) aria-label={ "Put back " (file.path) } { "Put back" }
                }
            }
        }
    }
}

/// The fields may come several times.
async fn restore(
    State(app): State<App>,
    _page: PageOf,
    Id(id): Id<PlanId>,
    Form(sent): Form<Vec<(String, String)>>,
) -> Result<Redirect, Failing> {
    let of = |name: &str| {
        let items = sent.iter().filter(|(sent, _)| sent == name).map(|(_, value)| value.parse::<i64>());
        items
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| Problem::bad_request("an item is known by its number"))
    };
    let items = if sent.iter().any(|(name, _)| name == "all") {
        Vec::new()
    } else {
        let only = of("only")?;
        let items = if only.is_empty() { of("item")? } else { only };
        if items.is_empty() {
            return Ok(Redirect::to(&format!("/plans/{id}/trash?told=none")));
        }
        items
    };
    ask(&app, id, Job::Trash(TrashJob::Restore { items })).await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct How {
    /// Whether all of it is meant.
    everything: Option<String>,
}

async fn ask_to_empty(
    page: PageOf,
    State(app): State<App>,
    Id(id): Id<PlanId>,
    Query(how): Query<How>,
) -> Result<Page, Failing> {
    let plan = mirrored(app.engine(), id).await?;
    let standing = app.engine().trash_standing(id).await?;
    let all = how.everything.is_some();
    let content = html! {
        (way_back(&plan))
        h1 { @if all { "Remove everything" } @else { "Remove what is old enough" } " from the trash of " (plan.name) "?" }
        div.notice.warn {
            @if all {
                p {
                    (counted(standing.files, "file", "files")) ", " (bytes(standing.bytes)) ". The account does not hold them any more either: "
                    "this cannot be taken back."
                }
            } @else {
                p {
                    "Files whose day has come are removed for good; runs of the plan do so by themselves. The account does not hold them any more "
                    "either: this cannot be taken back."
                }
            }
        }
        form method="post" action={ "/plans/" (id) "/trash/empty" } {
            (page.csrf())
            @if all { input type="hidden" name="everything" value="yes"; }
            div.actions {
                button.danger type="submit" { @if all { "Remove everything for good" } @else { "Remove them for good" } }
                a.button.second href={ "/plans/" (id) "/trash" } { "Keep them" }
            }
        }
    };
    Ok(page.titled("Empty the trash", Section::Plans, &content))
}

async fn empty(
    State(app): State<App>,
    _page: PageOf,
    Id(id): Id<PlanId>,
    Form(how): Form<How>,
) -> Result<Redirect, Failing> {
    ask(&app, id, Job::Trash(TrashJob::Empty { everything: how.everything.is_some() })).await
}

#[derive(Debug, Deserialize)]
struct Seen {
    /// How many items the question was about that was shown.
    items: u64,
}

async fn agree(
    State(app): State<App>,
    _page: PageOf,
    Id(id): Id<PlanId>,
    Form(seen): Form<Seen>,
) -> Result<Redirect, Failing> {
    app.engine().agree_to_deletion(id, seen.items).await?;
    Ok(Redirect::to(&format!("/plans/{id}/trash?told=agreed")))
}

async fn keep(State(app): State<App>, _page: PageOf, Id(id): Id<PlanId>) -> Result<Redirect, Failing> {
    app.engine().refuse_deletion(id).await?;
    Ok(Redirect::to(&format!("/plans/{id}/trash?told=kept")))
}
