//! Restoring: what a mirror holds is taken to a folder below the roots, or to a storage.

use std::path::PathBuf;

use axum::{Extension, Json as Answer, extract::State, response::Response};
use charon_engine::{
    Job, PlanId, RestoreJob, RestorePreview, RestoreSelection, RestoreTo, RunOptions, StorageId, Trigger,
};
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    asked::{Asked, accepted},
    endpoint::Endpoint,
    extract::{Id, Json},
    problem::Problem,
};
use crate::{access::Asker, app::App, planning};

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::post(
            "/plans/{id}:restore",
            "restore_plan",
            "Takes photos and videos out of a mirror, to a folder or to a storage",
            restore,
        )
        .notes(
            "The mirror stays as it is, and nothing is overwritten. A folder lies below the roots that Charon was started with. If \
             the plan has a run that restores the same and has not ended, that one goes on.",
        )
        .body::<RestoreRequest>()
        .answer::<Asked>(202, "There is such a run")
        .with_header("Location", "where the run is")
        .problems(&[409]),
        Endpoint::post(
            "/plans/{id}:previewRestore",
            "preview_restore",
            "What would be restored, and what it would take",
            preview,
        )
        .notes("Nothing is restored. What a storage is known to have is looked up for it, which takes requests.")
        .body::<RestoreRequest>()
        .answer::<RestorePreview>(200, "What would be restored")
        .problems(&[409, 502]),
    ]
}

/// What is asked for: where to, and what. What is misspelt is refused, since everything would be restored instead.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RestoreRequest {
    /// A folder below the roots, in which the files lie as they do in the mirror. Either this or `storage`.
    folder: Option<PathBuf>,
    /// The id of a storage: what its account does not hold is sent there, and albums are put together again.
    storage: Option<StorageId>,
    /// Taken on this day or later, in the time zone of the plan.
    taken_from: Option<Date>,
    /// Taken on this day or before.
    taken_until: Option<Date>,
    /// In one of the albums with these titles.
    albums: Option<Vec<String>>,
    /// With such a name: a glob as gitignore has them, without regard to case.
    name: Option<String>,
}

impl RestoreRequest {
    fn job(self) -> Result<RestoreJob, Problem> {
        let target = match (self.folder, self.storage) {
            (Some(folder), None) => RestoreTo::Folder(folder),
            (None, Some(storage)) => RestoreTo::Storage(storage),
            (None, None) => {
                return Err(Problem::wrong_field("/folder", "is to be given, or a storage"));
            }
            (Some(_), Some(_)) => {
                return Err(Problem::wrong_field("/storage", "cannot be given together with a folder"));
            }
        };
        if self.albums.as_ref().is_some_and(Vec::is_empty) {
            return Err(Problem::wrong_field(
                "/albums",
                "is to name one at least; without it, albums do not matter",
            ));
        }
        let selection = RestoreSelection {
            taken_from: self.taken_from,
            taken_until: self.taken_until,
            albums: self.albums.unwrap_or_default(),
            name: self.name,
        };
        Ok(RestoreJob { target, selection })
    }
}

async fn restore(
    State(app): State<App>,
    Id(id): Id<PlanId>,
    Json(request): Json<RestoreRequest>,
) -> Result<Response, Problem> {
    let job = from_afar(&app, request.job()?).await?;
    let engine = app.engine();
    engine.judge_restore(id, &job).await?;
    let options = RunOptions { job: Job::Restore(job), ..RunOptions::default() };
    Ok(accepted(engine.ask_for_run_by_id(id, Trigger::Api, options).await?))
}

async fn preview(
    State(app): State<App>,
    Extension(asker): Extension<Asker>,
    Id(id): Id<PlanId>,
    Json(request): Json<RestoreRequest>,
) -> Result<Answer<RestorePreview>, Problem> {
    let job = from_afar(&app, request.job()?).await?;
    Ok(Answer(planning::preview_restore(&app, &asker, id, &job).await?))
}

/// What is to be restored, with the folder where it really is.
///
/// # Errors
/// A folder that may not be named.
pub(crate) async fn from_afar(app: &App, mut job: RestoreJob) -> Result<RestoreJob, Problem> {
    if let RestoreTo::Folder(folder) = &mut job.target {
        let (roots, asked) = (app.roots().clone(), folder.clone());
        // A disk that hangs holds nobody up who does not ask for it.
        let judged = tokio::task::spawn_blocking(move || roots.judge(&asked)).await;
        let reason = match judged {
            Ok(Ok(real)) => {
                *folder = real;
                return Ok(job);
            }
            Ok(Err(why)) => why.to_string(),
            Err(panic) => {
                tracing::error!(%panic, "a folder was not judged by a mistake in Charon");
                "could not be looked at; the log of Charon says why".to_owned()
            }
        };
        return Err(Problem::wrong_field("/folder", reason));
    }
    Ok(job)
}
