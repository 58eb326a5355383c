//! `/plans/{id}/restore`: what is home is taken to where it is wanted: a form, what would be done, and the beginning of it.

use std::path::PathBuf;

use axum::{
    Extension, Form,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use charon_engine::{
    Job, PlanId, PlanView, RestoreJob, RestorePreview, RestoreSelection, RestoreTo, RunOptions, StorageId,
    Trigger, with_commas,
};
use maud::{Markup, html};
use serde::Deserialize;

use crate::{
    access::{Asker, OnlyLooked},
    api::{extract::Id, problem::Problem, restoring::from_afar},
    app::App,
    planning,
    ui::{
        failing::Failing,
        layout::{Page, PageOf, Section},
        words::{bytes, counted},
    },
};

/// What the form says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    /// An id, or nothing for a folder.
    storage: String,
    folder: String,
    from: String,
    until: String,
    album: String,
    name: String,
    #[serde(rename = "do")]
    what: String,
}

/// What is told above the form.
enum Told {
    Nothing,
    Preview(RestorePreview),
    Wrong(Problem),
}

/// The form.
pub(super) async fn begin(page: PageOf, State(app): State<App>, Id(id): Id<PlanId>) -> Result<Page, Failing> {
    let plan = app.engine().plan_by_id(id).await?;
    draw(&page, &app, &plan, &Wanted::default(), &Told::Nothing).await
}

/// The form was sent: to see what would be done, or to do it.
pub(super) async fn ask(
    page: PageOf,
    State(app): State<App>,
    Extension(asker): Extension<Asker>,
    Id(id): Id<PlanId>,
    Form(wanted): Form<Wanted>,
) -> Result<Response, Failing> {
    let plan = app.engine().plan_by_id(id).await?;
    let begins = wanted.what == "restore";
    let told = match act(&app, &asker, id, &wanted, begins).await {
        Ok(Acted::Begun(to)) => return Ok(to.into_response()),
        Ok(Acted::Previewed(preview)) => Told::Preview(preview),
        Err(problem) => Told::Wrong(problem),
    };
    let drawn = draw(&page, &app, &plan, &wanted, &told).await?;
    Ok(match told {
        Told::Wrong(_) => (StatusCode::UNPROCESSABLE_ENTITY, drawn).into_response(),
        Told::Nothing | Told::Preview(_) => OnlyLooked.on(drawn),
    })
}

/// What came of a form.
enum Acted {
    Begun(Redirect),
    Previewed(RestorePreview),
}

async fn act(
    app: &App,
    asker: &Asker,
    plan: PlanId,
    wanted: &Wanted,
    begins: bool,
) -> Result<Acted, Problem> {
    let job = from_afar(app, wanted.job()?).await?;
    if !begins {
        return Ok(Acted::Previewed(planning::preview_restore(app, asker, plan, &job).await?));
    }
    app.engine().judge_restore(plan, &job).await?;
    let options = RunOptions { job: Job::Restore(job), ..RunOptions::default() };
    let (run, _) = app.engine().ask_for_run_by_id(plan, Trigger::Manual, options).await?;
    Ok(Acted::Begun(Redirect::to(&format!("/runs/{run}"))))
}

impl Wanted {
    fn job(&self) -> Result<RestoreJob, Problem> {
        let target = match self.storage.trim() {
            "" if self.folder.trim().is_empty() => {
                return Err(Problem::wrong_field("/folder", "is missing: say where to, or choose a storage"));
            }
            "" => RestoreTo::Folder(PathBuf::from(self.folder.trim())),
            id => {
                let read: Result<StorageId, _> = id.parse();
                RestoreTo::Storage(
                    read.map_err(|_| Problem::wrong_field("/storage", "is none of those that there are"))?,
                )
            }
        };
        let day = |field: &str, text: &str| match text.trim() {
            "" => Ok(None),
            text => text
                .parse()
                .map(Some)
                .map_err(|_| Problem::wrong_field(field, "is to be a day, such as 2024-07-31")),
        };
        let text = |text: &str| (!text.trim().is_empty()).then(|| text.to_owned());
        Ok(RestoreJob {
            target,
            selection: RestoreSelection {
                taken_from: day("/taken_from", &self.from)?,
                taken_until: day("/taken_until", &self.until)?,
                albums: text(&self.album).into_iter().collect(),
                name: text(&self.name),
            },
        })
    }
}

async fn draw(
    page: &PageOf,
    app: &App,
    plan: &PlanView,
    wanted: &Wanted,
    told: &Told,
) -> Result<Page, Failing> {
    let engine = app.engine();
    let albums = engine.library_albums(plan.id).await?;
    let storages = engine.storage_details().await?;
    let able = storages.iter().filter(|storage| storage.capabilities.is_some_and(|able| able.upload));
    let title = format!("Restore from {}", plan.name);
    let content = html! {
        p.soft { a href={ "/plans/" (plan.id) } { (plan.name) } }
        h1 { (title) }
        p { "What is at home is taken to where it is wanted. The mirror stays as it is, and nothing is overwritten." }
        @match told {
            Told::Nothing => {},
            Told::Wrong(problem) => (wrong(problem)),
            Told::Preview(preview) => (previewed(preview)),
        }
        form.card method="post" action={ "/plans/" (plan.id) "/restore" } {
            (page.csrf())
            div.field {
                label for="storage" { "Where to" }
                select id="storage" name="storage" aria-describedby="storage-help" {
                    option value="" { "A folder of this machine" }
                    @for one in able {
                        @let id = one.storage.id.to_string();
                        option value=(id) selected[id == wanted.storage] { "The account of " (one.storage.name) }
                    }
                }
                p.help id="storage-help" {
                    "An account is sent what it does not hold, with descriptions, and albums are put together again. That may take days: a \
                     preview says how many."
                }
            }
            div.field {
                label for="folder" { "Folder" }
                input type="text" id="folder" name="folder" value=(wanted.folder) autocomplete="off" aria-describedby="folder-help";
                p.help id="folder-help" { "Photos lie in it as they do in the mirror. It is made if it is not there." }
            }
            h2 { "Only some of them" }
            div.field {
                label for="from" { "Taken from" }
                input type="date" id="from" name="from" value=(wanted.from);
            }
            div.field {
                label for="until" { "Taken until" }
                input type="date" id="until" name="until" value=(wanted.until);
            }
            div.field {
                label for="album" { "Album" }
                select id="album" name="album" {
                    option value="" { "All, and what is in none" }
                    @for album in &albums { option value=(album.title) selected[album.title == wanted.album] { (album.title) } }
                }
            }
            div.field {
                label for="name" { "Name" }
                input type="text" id="name" name="name" value=(wanted.name) autocomplete="off" aria-describedby="name-help";
                p.help id="name-help" { "For instance " code { "IMG_12*.jpg" } ". Case does not matter." }
            }
            div.actions {
                button.second type="submit" name="do" value="preview" { "See what would be done" }
                button type="submit" name="do" value="restore" { "Restore" }
            }
        }
    };
    Ok(page.titled(&title, Section::Plans, &content))
}

fn wrong(problem: &Problem) -> Markup {
    html! {
        div.notice.bad role="alert" {
            p { strong { "Nothing was restored." } }
            @if problem.errors().is_empty() { p { (problem.detail()) } }
            @for wrong in problem.errors() { p { (field(&wrong.pointer)) " " (wrong.reason) } }
        }
    }
}

/// What the form calls a field.
fn field(pointer: &str) -> &str {
    match pointer.trim_start_matches('/') {
        "folder" => "The folder",
        "storage" => "The storage",
        "taken_from" => "The first day",
        "taken_until" => "The last day",
        "albums" => "The album",
        "name" => "The name",
        other => other,
    }
}

fn previewed(preview: &RestorePreview) -> Markup {
    let files = |count| counted(count, "file", "files");
    html! {
        div.notice.good role="status" {
            p { strong { (files(preview.files)) " (" (bytes(preview.bytes)) ")" } " would be restored. Nothing was done yet." }
            ul {
                @if preview.unchanged > 0 { li { (files(preview.unchanged)) " of them there already" } }
                @if preview.in_the_way > 0 { li { (files(preview.in_the_way)) " in whose place something else is: that stays" } }
                @if preview.api_copies > 0 {
                    li { (files(preview.api_copies)) " that are not the original bytes, but the copies that the account gave" }
                }
                @if let Some(estimate) = &preview.estimate {
                    li {
                        (with_commas(estimate.new)) " to be sent"
                        @if let Some(size) = estimate.bytes { " (" (bytes(size)) ")" }
                        ": " (estimate.sentence())
                    }
                }
            }
        }
    }
}
