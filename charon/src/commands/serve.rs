//! `charon serve`: runs plans by their schedules, in the foreground, and tells a service manager and monitors how it is.

use std::{path::PathBuf, sync::Arc, time::Duration};

use charon_engine::{Engine, Error, Scheduler, SchedulerSettings};
use charon_server::{BindError, Server, ServerSettings};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    args::Serve,
    commands::password,
    exit::{Exit, Failure},
    output::say_aside,
    service_manager::ServiceManager,
    signals::interrupted,
};

/// How often it is tried whether another charon has ended.
const BETWEEN_TRIES: Duration = Duration::from_millis(500);
/// How often it is looked whether the scheduler has come to its first turn.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
/// How often the service manager is told how it is, unless it wants to be told more often.
const TELLS: Duration = Duration::from_secs(30);

pub(crate) async fn run(engine: &Engine, serve: &Serve) -> Result<Exit, Failure> {
    let stop = interrupted();
    tokio::pin!(stop);
    let settings = http_settings(serve)?;
    if let Some(settings) = &settings {
        password::take_from_file(engine).await?;
        settings.refuse_reachable(engine.has_password().await?)?;
    }
    let manager = Arc::new(ServiceManager::from_environment());
    let scheduling = SchedulerSettings { max_runs: serve.max_runs, grace: Duration::from_secs(serve.grace) };
    let scheduler = tokio::select! {
        biased;
        () = &mut stop => {
            manager.stopping();
            return Ok(Exit::Done);
        }
        scheduler = begin(engine, scheduling, &manager) => scheduler?,
    };
    let has_password = engine.has_password().await?;
    let public_url = settings.as_ref().and_then(|settings| settings.public_url.clone());
    let http = match settings {
        Some(settings) => Some(Server::bind(settings, has_password).await?),
        None => None,
    };
    let plans = engine.plans().await?;
    let of_themselves = plans.iter().filter(|plan| plan.config.schedule().is_some()).count();
    let doing = format!("running {of_themselves} of {} plans by their schedules", plans.len());
    say_aside(&format!("charon: {doing}; stop it with Ctrl-C"));
    if let Some(http) = &http {
        say_aside(&format!("charon: http://{}", http.address()));
        if let Some(url) = public_url {
            say_aside(&format!("charon: shown as {url}"));
        }
        if !has_password {
            say_aside("charon: there is no password yet; open that address in a browser to set it");
        }
    }

    let closing = CancellationToken::new();
    let serving = http.map(|http| tokio::spawn(http.serve(engine.clone(), closing.clone())));
    let telling = tell_how_it_is(engine.clone(), Arc::clone(&manager), doing);
    let telling = AbortOnDropHandle::new(tokio::spawn(telling));
    let stop = async {
        stop.await;
        drop(telling);
        manager.stopping();
        closing.cancel();
    };
    let ended = scheduler.run_until(stop).await;
    // Also where the scheduler ended by itself.
    closing.cancel();
    if let Some(serving) = serving
        && let Err(panic) = serving.await
    {
        tracing::error!(%panic, "the HTTP server ended by a mistake in Charon");
    }
    ended?;
    say_aside("charon: stopped");
    Ok(Exit::Done)
}

/// What the web UI and the API are started with, unless there are none.
fn http_settings(serve: &Serve) -> Result<Option<ServerSettings>, Failure> {
    if serve.no_http {
        return Ok(None);
    }
    let home = || std::env::home_dir().into_iter().collect::<Vec<PathBuf>>();
    let roots = if serve.roots.is_empty() { home() } else { serve.roots.clone() };
    if let Some(relative) = roots.iter().find(|root| !root.is_absolute()) {
        let words = format!("--root {} is to be a whole path, such as /home/me/photos", relative.display());
        return Err(Failure::usage(words));
    }
    Ok(Some(ServerSettings { listen: serve.listen, public_url: serve.public_url.clone(), roots }))
}

/// Becomes the one that runs plans, once nobody else is.
async fn begin(
    engine: &Engine,
    settings: SchedulerSettings,
    manager: &ServiceManager,
) -> Result<Scheduler, Failure> {
    let mut is_told = false;
    loop {
        match engine.scheduler(settings).await {
            Err(busy @ (Error::Busy(_) | Error::BusyElsewhere { .. })) => {
                if !is_told {
                    say_aside(&format!("charon: waiting, since {busy}"));
                    manager.status(&format!("waiting, since {busy}"));
                }
                is_told = true;
                tokio::time::sleep(BETWEEN_TRIES).await;
            }
            other => return Ok(other?),
        }
    }
}

/// Tells the service manager when the scheduler is at work, and from then on whether it is well.
async fn tell_how_it_is(engine: Engine, manager: Arc<ServiceManager>, doing: String) {
    if !manager.is_there() {
        return;
    }
    let mut told = None;
    while let Err(unwell) = engine.health().await {
        if told.as_ref() != Some(&unwell) {
            manager.status(&unwell.to_string());
            told = Some(unwell);
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    manager.ready(&doing);
    let every = manager.wants_to_hear_every().map_or(TELLS, |every| every.min(TELLS));
    let mut is_well = true;
    loop {
        tokio::time::sleep(every).await;
        match engine.health().await {
            Ok(()) => {
                manager.alive();
                if !is_well {
                    manager.status(&doing);
                }
                is_well = true;
            }
            Err(unwell) => {
                tracing::warn!(%unwell, "charon is not well");
                manager.status(&unwell.to_string());
                is_well = false;
            }
        }
    }
}

impl From<BindError> for Failure {
    fn from(error: BindError) -> Self {
        match &error {
            BindError::Reachable(_) => Self::usage(error.to_string()),
            BindError::Taken(_) | BindError::Refused { .. } => Self::new(error.to_string()),
        }
    }
}
