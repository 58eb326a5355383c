//! `/plans/new` and `/plans/{id}/edit`: making and changing a plan. The form is sent as a whole with each button, so nothing of it is
//! kept on the server.

use std::time::Duration;

use axum::{
    Extension, Form,
    extract::{Query, State},
    http::StatusCode,
    response::{Html, IntoResponse, Redirect, Response},
};
use charon_engine::{ChannelView, Error, PlanChange, PlanId, PlanView};
use charon_provider::Album;
use charon_schema::{Mistake, Mistakes};
use maud::{Markup, html};
use serde::Deserialize;

use super::{
    editing::{Choosable, Editing},
    folders::Browsing,
    telling, words,
};
use crate::{
    access::{Asker, OnlyLooked},
    api::extract::Id,
    app::App,
    planning,
    ui::{
        failing::Failing,
        form,
        layout::{Page, PageOf, Section},
    },
};

/// The albums of a storage are waited for no longer than this.
const ALBUMS_WITHIN: Duration = Duration::from_secs(20);
/// No more pages of albums are asked for.
const ALBUM_PAGES: usize = 10;

type Sent = Vec<(String, String)>;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Kind {
    kind: Option<String>,
    storage: Option<String>,
}

/// An empty form, or the choice of which one it is to be.
pub(super) async fn begin(
    page: PageOf,
    State(app): State<App>,
    Query(asked): Query<Kind>,
) -> Result<Page, Failing> {
    let has_storage = !app.engine().storages().await?.is_empty();
    let kind = asked.kind.as_deref().filter(|kind| has_storage && matches!(*kind, "backup" | "upload"));
    let Some(kind) = kind else { return Ok(choose(&page, has_storage, asked.storage.as_deref())) };
    let zone = app.time_zone().await;
    let editing = Editing::new(kind, zone.iana_name().unwrap_or("UTC"));
    let mut editing = editing.ok_or_else(|| Failing::not_found("kind of plan"))?;
    if let Some(storage) = asked.storage {
        editing.config.insert("storage".to_owned(), storage.into());
    }
    shown(&page, &app, editing).await
}

fn choose(page: &PageOf, has_storage: bool, storage: Option<&str>) -> Page {
    let link = |kind: &str| match storage {
        Some(storage) => {
            let query = [("kind", kind), ("storage", storage)];
            let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
            format!("/plans/new?{query}")
        }
        None => format!("/plans/new?kind={kind}"),
    };
    let content = html! {
        p { a href="/plans" { "Plans" } }
        h1 { "Make a plan" }
        @if has_storage {
            ul.cards {
                li.card {
                    h2 { a href=(link("backup")) { "Backup plan" } }
                    p { "Brings the photos and videos of a storage home, into a folder of this machine, and keeps them there." }
                }
                li.card {
                    h2 { a href=(link("upload")) { "Upload plan" } }
                    p { "Sends the photos and videos in folders of this machine to a storage." }
                }
            }
        } @else {
            div.card {
                p { "A plan needs a storage: an account that photos come from or go to. There is none yet." }
                p { a.button href="/storages/new" { "Add a storage" } }
            }
        }
    };
    page.titled("Make a plan", Section::Plans, &content)
}

/// The form of a plan that there is.
pub(super) async fn edit(page: PageOf, State(app): State<App>, Id(id): Id<PlanId>) -> Result<Page, Failing> {
    let plan = app.engine().plan_by_id(id).await?;
    let editing = Editing::of(plan).ok_or_else(|| Failing::not_found("kind of plan"))?;
    shown(&page, &app, editing).await
}

/// A form for a new plan was sent.
pub(super) async fn make(
    page: PageOf,
    State(app): State<App>,
    Extension(asker): Extension<Asker>,
    Form(sent): Form<Sent>,
) -> Result<Response, Failing> {
    act(&page, (&app, &asker), None, &sent).await
}

/// A form for a plan that there is was sent.
pub(super) async fn change(
    page: PageOf,
    State(app): State<App>,
    Extension(asker): Extension<Asker>,
    Id(id): Id<PlanId>,
    Form(sent): Form<Sent>,
) -> Result<Response, Failing> {
    let plan = app.engine().plan_by_id(id).await?;
    act(&page, (&app, &asker), Some(plan), &sent).await
}

/// What the schedule in a form means, as a part of the page.
pub(super) async fn explain(
    _page: PageOf,
    State(app): State<App>,
    Form(sent): Form<Sent>,
) -> Result<Response, Failing> {
    let editing = Editing::sent(value(&sent, "kind").unwrap_or_default(), None, &sent);
    let mut editing = editing.ok_or_else(|| Failing::not_found("kind of plan"))?;
    explained(&app, &mut editing);
    Ok(OnlyLooked.on(Html(editing.explained_words().into_string())))
}

fn value<'a>(sent: &'a [(String, String)], name: &str) -> Option<&'a str> {
    sent.iter().find(|(sent, _)| sent == name).map(|(_, value)| value.as_str())
}

async fn act(
    page: &PageOf,
    (app, asker): (&App, &Asker),
    of: Option<PlanView>,
    sent: &Sent,
) -> Result<Response, Failing> {
    let kind = match &of {
        Some(plan) => plan.config.kind(),
        None => value(sent, "kind").unwrap_or_default(),
    };
    let mut editing = Editing::sent(kind, of, sent).ok_or_else(|| Failing::not_found("kind of plan"))?;
    if let Some(asked) = value(sent, "browse") {
        editing.mistakes.clear();
        editing.browsing = Browsing::read(app, asked).await;
        let folder = editing.browsing.as_ref().and_then(Browsing::folder);
        let field =
            ["destination", "move_to"].into_iter().find(|field| asked.starts_with(&format!("/{field}=")));
        if let Some((field, folder)) = field.zip(folder) {
            editing.config.insert(field.to_owned(), folder.into());
        }
    } else if let Some(folder) = value(sent, "add") {
        editing.mistakes.clear();
        editing.add_source(folder);
    } else {
        match value(sent, "do") {
            Some("check") => editing.mistakes.clear(),
            Some("albums") => {
                editing.mistakes.clear();
                editing.albums = Some(albums(app, &editing).await);
            }
            Some("preview") => preview(app, asker, &mut editing).await?,
            _ => {
                if let Some(saved) = save(app, &mut editing).await? {
                    return Ok(saved.into_response());
                }
            }
        }
    }
    let status = if editing.mistakes.is_empty() && editing.trouble.is_none() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    Ok((status, shown(page, app, editing).await?).into_response())
}

/// What is wrong with it that keeps it from being saved is put beside its fields; what else went wrong is told above them.
fn told(editing: &mut Editing, error: Error) -> Result<(), Failing> {
    match error {
        Error::Config { mistakes, .. } => editing.add_mistakes(mistakes),
        Error::BadName(reason) => editing.mistakes.push(Mistake { pointer: "/name".into(), reason }),
        Error::Unknown { .. }
        | Error::Refused(_)
        | Error::Destination(_)
        | Error::Storage(_)
        | Error::Changed { .. } => editing.trouble = Some(error.to_string()),
        other => return Err(other.into()),
    }
    Ok(())
}

/// The configuration as one may say it who comes in over HTTP.
async fn from_afar(
    app: &App,
    editing: &Editing,
) -> Result<serde_json::Map<String, serde_json::Value>, Mistakes> {
    planning::from_afar(app, editing.whole(), editing.of.as_ref().map(|plan| &plan.config)).await
}

async fn preview(app: &App, asker: &Asker, editing: &mut Editing) -> Result<(), Failing> {
    let config = match from_afar(app, editing).await {
        Ok(config) if editing.mistakes.is_empty() => config,
        Ok(_) => return Ok(()),
        Err(mistakes) => {
            editing.add_mistakes(mistakes);
            return Ok(());
        }
    };
    let of = editing.of.as_ref().map(|plan| plan.id);
    match planning::preview(app, asker, of, Some(config)).await {
        Ok(estimate) => editing.preview = Some(estimate),
        Err(error) => told(editing, error)?,
    }
    Ok(())
}

/// Saves it, and says where it is shown; nothing if something is wrong with it.
async fn save(app: &App, editing: &mut Editing) -> Result<Option<Redirect>, Failing> {
    let config = match from_afar(app, editing).await {
        Ok(config) => config,
        Err(mistakes) => {
            editing.add_mistakes(mistakes);
            return Ok(None);
        }
    };
    if !editing.mistakes.is_empty() {
        return Ok(None);
    }
    let saved = match &editing.of {
        Some(plan) => {
            let change = PlanChange { name: Some(editing.name.clone()), config, seen: editing.seen };
            app.engine().change_plan(plan.id, change).await.map(|plan| (plan, "changed"))
        }
        None => app.engine().add_plan(&editing.name, config).await.map(|plan| (plan, "added")),
    };
    match saved {
        Ok((plan, told)) => Ok(Some(Redirect::to(&format!("/plans/{}?told={told}", plan.id)))),
        Err(error) => {
            told(editing, error)?;
            Ok(None)
        }
    }
}

fn explained(app: &App, editing: &mut Editing) {
    let schedule = editing.entered_schedule();
    editing.explained = schedule.map(|schedule| app.engine().explain_schedule(schedule, 5));
}

/// The albums of the storage that is chosen.
async fn albums(app: &App, editing: &Editing) -> Result<Vec<Album>, String> {
    let name = editing.config.get("storage").and_then(serde_json::Value::as_str);
    let name = name.filter(|name| !name.is_empty()).ok_or("choose the storage first")?;
    let storage = app.engine().open_storage(name).await.map_err(|error| error.to_string())?;
    let source = storage.albums().ok_or("this storage has no albums")?;
    let listing = async {
        let (mut found, mut cursor) = (Vec::new(), None);
        for _ in 0..ALBUM_PAGES {
            let listed = source.list(cursor.as_ref()).await.map_err(|error| error.to_string())?;
            found.extend(listed.albums);
            cursor = listed.next;
            if cursor.is_none() {
                break;
            }
        }
        Ok(found)
    };
    let waited = tokio::time::timeout(ALBUMS_WITHIN, listing).await;
    waited.unwrap_or_else(|_| Err("the storage did not answer in time; try again".to_owned()))
}

/// The storages, and what those lack that cannot do it.
async fn storages(app: &App, kind: &str) -> Result<Vec<Choosable>, Failing> {
    let mut all = Vec::new();
    for storage in app.engine().storages().await? {
        let unable = match app.engine().open_storage(&storage.name).await {
            Ok(opened) => {
                let able = opened.facts().capabilities;
                match kind {
                    "backup" | "upload" if able.destination && !able.list && !able.upload => {
                        Some("it is a place for mirrors, and has no photos of its own".to_owned())
                    }
                    "backup" if !able.list || !able.download => Some("it cannot be read from".to_owned()),
                    "upload" if !able.upload => Some("it takes no uploads (it is read-only)".to_owned()),
                    _ => None,
                }
            }
            Err(error) => Some(error.to_string()),
        };
        all.push(Choosable { name: storage.name, unable });
    }
    Ok(all)
}

async fn shown(page: &PageOf, app: &App, mut editing: Editing) -> Result<Page, Failing> {
    if editing.of.is_none() {
        editing.storages = storages(app, editing.kind).await?;
    }
    explained(app, &mut editing);
    let told = telling::channels_of(app, editing.of.as_ref().map(|plan| plan.name.as_str())).await?;
    let action = editing.action();
    let (title, back) = match &editing.of {
        Some(plan) => (format!("Change {}", plan.name), format!("/plans/{}", plan.id)),
        None if editing.kind == "backup" => ("New backup plan".to_owned(), "/plans".to_owned()),
        None => ("New upload plan".to_owned(), "/plans".to_owned()),
    };
    let content = html! {
        p { a href=(back) { "Back" } }
        h1 { (title) }
        @if let Some(trouble) = &editing.trouble {
            div.notice.bad role="alert" {
                p { (trouble) }
                @if editing.of.as_ref().map(|plan| plan.revision) != editing.seen {
                    p { a href=(action) { "Look at it as it is now" } ", without what you have entered here." }
                }
            }
        }
        @if let Some(estimate) = &editing.preview {
            div.notice role="status" id="preview" {
                h2 { "If it ran now" }
                (words::estimate(estimate, editing.kind))
            }
        }
        form method="post" action=(action) autocomplete="off" {
            // Who presses Enter in a field means to save.
            button.visually-hidden type="submit" name="do" value="save" tabindex="-1" aria-hidden="true" { "Save" }
            (page.csrf())
            input type="hidden" name="kind" value=(editing.kind);
            @if let Some(seen) = editing.seen { input type="hidden" name="seen" value=(seen); }
            (editing.draw())
            (elsewhere(&editing, told.as_deref()))
            div.actions {
                button type="submit" name="do" value="save" { "Save" }
                button.second type="submit" name="do" value="preview" formnovalidate
                    data-doing="Looking at what there is; that may take a while…" { "Preview" }
                a.button.quiet href=(back) { "Discard" }
            }
            p.soft {
                @if editing.kind == "backup" {
                    "The preview lists what the storage shows, which takes requests of today's quota. Nothing is moved by it."
                } @else {
                    "The preview looks at all files and hashes those that are new. Nothing is sent by it."
                }
            }
        }
    };
    let title = form::title(&title, !editing.mistakes.is_empty() || editing.trouble.is_some());
    Ok(page.titled(&title, Section::Plans, &content))
}

/// What is set elsewhere.
fn elsewhere(editing: &Editing, told: Option<&[ChannelView]>) -> Markup {
    let storage = editing.of.as_ref().map(|plan| format!("/storages/{}", plan.storage_id));
    // In a tab of its own, so that what was entered stays.
    let away = |to: &str, words: &str| html! { a href=(to) target="_blank" { (words) " (in a new tab)" } };
    html! {
        div.card {
            h2 { "Set elsewhere" }
            ul {
                @if editing.kind == "upload" {
                    li {
                        "How uploads become photos in batches, and how many go at once: with "
                        (away(storage.as_deref().unwrap_or("/storages"), "the storage")) "."
                    }
                } @else {
                    li {
                        "How many downloads go at once, and how fast: with "
                        (away(storage.as_deref().unwrap_or("/storages"), "the storage")) "."
                    }
                }
                li {
                    "Who is told when a run fails or is overdue: "
                    (telling::names(told))
                    ". That is set in the " (away("/settings/notifications", "notifications")) "."
                }
                li { "Commands before and after a run: on the machine itself, with " code { "charon plan update" } "." }
            }
        }
    }
}
