//! What of a plan may be said by one who comes in over HTTP, by the roots of this server; and what a run of it would do.

use charon_engine::{Error, Estimate, PlanConfig, PlanId, RestoreJob, RestorePreview};
use charon_schema::{Mistake, Mistakes};
use serde_json::{Map, Value};

use crate::{access::Asker, app::App};

/// So many previews are made at a time: each may list a whole account, or read whole folders.
pub(crate) const PREVIEWS: usize = 2;

/// The configuration with each folder where it really is, and the commands as they are already.
///
/// # Errors
/// The folders that may not be named, and commands that are not as they were.
pub(crate) async fn from_afar(
    app: &App,
    config: Map<String, Value>,
    before: Option<&PlanConfig>,
) -> Result<Map<String, Value>, Mistakes> {
    let (app, before) = (app.clone(), before.cloned());
    // A disk that hangs holds nobody up who does not ask for it.
    let judged = tokio::task::spawn_blocking(move || {
        let below = |path: &std::path::Path| app.roots().judge(path).map_err(|why| why.to_string());
        PlanConfig::from_afar(config, before.as_ref(), &below)
    });
    judged.await.unwrap_or_else(|panic| {
        tracing::error!(%panic, "folders were not judged by a mistake in Charon");
        let reason = "its folders could not be looked at; the log of Charon says why".to_owned();
        Err(Mistake { pointer: String::new(), reason }.into())
    })
}

/// Estimates what a run would do now of a plan, as it is or as it would be with this configuration; or of one that is not there yet.
/// It is given up when who asks goes away.
///
/// # Errors
/// As for [`preview_change`](charon_engine::Engine::preview_change), and when too many are being made.
pub(crate) async fn preview(
    app: &App,
    asker: &Asker,
    plan: Option<PlanId>,
    config: Option<Map<String, Value>>,
) -> Result<Estimate, Error> {
    let estimate = Box::pin(async {
        match (plan, config) {
            (Some(plan), config) => app.engine().preview_change(plan, config).await,
            (None, config) => app.engine().preview_plan(config.unwrap_or_default()).await,
        }
    });
    in_turn(app, asker, estimate).await
}

/// Tells what a restore would do now. It is given up when who asks goes away.
///
/// # Errors
/// As for [`preview_restore`](charon_engine::Engine::preview_restore), and when too many are being made.
pub(crate) async fn preview_restore(
    app: &App,
    asker: &Asker,
    plan: PlanId,
    job: &RestoreJob,
) -> Result<RestorePreview, Error> {
    in_turn(app, asker, Box::pin(app.engine().preview_restore(plan, job))).await
}

async fn in_turn<T>(
    app: &App,
    asker: &Asker,
    preview: impl Future<Output = Result<T, Error>> + Send,
) -> Result<T, Error> {
    let Ok(_turn) = app.previews().try_acquire() else {
        let words = format!("{PREVIEWS} previews are being made already; try again when they have ended");
        return Err(Error::Refused(words));
    };
    let made = asker.unless_gone(preview).await;
    made.unwrap_or_else(|| Err(Error::Refused("nobody waits for the preview any more".into())))
}
