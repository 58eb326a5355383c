//! Restoring: what a mirror holds is taken to a folder below the roots, or to a storage.

use axum::{Extension, Json as Answer, extract::State, response::Response};
use charon_engine::{Job, PlanId, RestoreJob, RestorePreview, RestoreTo, RunOptions, Trigger};

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
        .body::<RestoreJob>()
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
        .body::<RestoreJob>()
        .answer::<RestorePreview>(200, "What would be restored")
        .problems(&[409, 502]),
    ]
}

async fn restore(
    State(app): State<App>,
    Id(id): Id<PlanId>,
    Json(job): Json<RestoreJob>,
) -> Result<Response, Problem> {
    let job = from_afar(&app, job).await?;
    let engine = app.engine();
    engine.judge_restore(id, &job).await?;
    let options = RunOptions { job: Job::Restore(job), ..RunOptions::default() };
    Ok(accepted(engine.ask_for_run_by_id(id, Trigger::Api, options).await?))
}

async fn preview(
    State(app): State<App>,
    Extension(asker): Extension<Asker>,
    Id(id): Id<PlanId>,
    Json(job): Json<RestoreJob>,
) -> Result<Answer<RestorePreview>, Problem> {
    let job = from_afar(&app, job).await?;
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
