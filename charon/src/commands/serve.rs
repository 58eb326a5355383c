//! `charon serve`: runs plans by their schedules, in the foreground.

use std::time::Duration;

use charon_engine::{Engine, Error, Scheduler, SchedulerSettings};

use crate::{
    args::Serve,
    exit::{Exit, Failure},
    output::say_aside,
    signals::interrupted,
};

/// How often it is tried whether another charon has ended.
const BETWEEN_TRIES: Duration = Duration::from_millis(500);

pub(crate) async fn run(engine: &Engine, serve: &Serve) -> Result<Exit, Failure> {
    let stop = interrupted();
    tokio::pin!(stop);
    let settings = SchedulerSettings { max_runs: serve.max_runs, grace: Duration::from_secs(serve.grace) };
    let scheduler = tokio::select! {
        biased;
        () = &mut stop => return Ok(Exit::Done),
        scheduler = begin(engine, settings) => scheduler?,
    };
    let plans = engine.plans().await?;
    let scheduled = plans.iter().filter(|plan| plan.config.schedule().is_some()).count();
    say_aside(&format!(
        "charon: running {scheduled} of {} plans by their schedules; stop it with Ctrl-C",
        plans.len()
    ));
    scheduler.run_until(stop).await?;
    say_aside("charon: stopped");
    Ok(Exit::Done)
}

/// Becomes the one that runs plans, once nobody else is.
async fn begin(engine: &Engine, settings: SchedulerSettings) -> Result<Scheduler, Failure> {
    let mut is_told = false;
    loop {
        match engine.scheduler(settings).await {
            Err(busy @ (Error::Busy(_) | Error::BusyElsewhere { .. })) => {
                if !is_told {
                    say_aside(&format!("charon: waiting, since {busy}"));
                }
                is_told = true;
                tokio::time::sleep(BETWEEN_TRIES).await;
            }
            other => return Ok(other?),
        }
    }
}
