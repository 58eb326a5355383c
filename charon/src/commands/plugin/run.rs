//! `charon plugin run`: the storage and the plan become as the document says, and the plan is run.

use std::{future::pending, time::Duration};

use charon_engine::{Engine, PlanConfig, Progress, Put, Run, RunOptions, Settings, Summary};
use charon_schema::Mistake;
use serde_json::{Map, Value};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use super::{
    Around, PROTOCOL,
    document::{self, PlanDocument, RunDocument, StorageDocument},
    event::{Event, Far, Refusal, Started},
    lines::Lines,
    stopping::Stopping,
    test::understood,
};
use crate::{args, exit::Exit};

/// Between two lines of progress.
const BETWEEN: Duration = Duration::from_millis(500);
/// Progress is told again after this though nothing has changed: a sign of life, by which it is also noticed that nobody reads.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

pub(super) async fn run(around: Around, lines: &Lines, stopping: &Stopping) -> Result<Exit, Refusal> {
    let mut document: RunDocument = document::read(stopping.asked()).await?;
    let data_dir = match document.data_dir.take().or(around.data_dir) {
        Some(data_dir) => data_dir,
        None => args::default_data_dir()?,
    };
    let settings = Settings { key_file: around.key_file, ..Settings::new(data_dir, around.registry) };
    let engine = Engine::open(settings).await?;
    let summary = run_on(&engine, document, around.quiet, lines, stopping).await;
    engine.close().await;
    let summary = summary?;
    let exit = Exit::of(summary.state);
    for trouble in summary.errors.iter().filter(|trouble| trouble.item.is_some()) {
        lines.send(&Event::Item { outcome: "failed", trouble }).await;
    }
    lines.send(&Event::Summary { exit_code: exit.code(), summary: &summary }).await;
    Ok(exit)
}

async fn run_on(
    engine: &Engine,
    document: RunDocument,
    quiet: bool,
    lines: &Lines,
    stopping: &Stopping,
) -> Result<Summary, Refusal> {
    let RunDocument { storage, plan, options, .. } = document;
    let (storage_name, storage_was) = put_storage(engine, storage, lines).await?;
    let (plan_name, kind, plan_was) = put_plan(engine, plan, &storage_name).await?;
    let run = start(engine, &plan_name, options.full_listing).await?;
    let started = Started {
        protocol: PROTOCOL,
        run: run.id(),
        plan: &plan_name,
        kind: &kind,
        storage: &storage_name,
        storage_was,
        plan_was,
    };
    lines.send(&Event::Started(started)).await;
    watch(run, quiet, lines, stopping).await
}

async fn put_storage(
    engine: &Engine,
    storage: StorageDocument,
    lines: &Lines,
) -> Result<(String, Put), Refusal> {
    let StorageDocument { name, provider, config } = storage;
    let config = understood(engine.registry(), &provider, config, lines)
        .await
        .map_err(|refusal| refusal.within("/storage"))?;
    let put = engine.put_storage(&name, &provider, config).await;
    let put = put.map_err(|error| Refusal::from(error).within("/storage/config"))?;
    Ok((name, put))
}

async fn put_plan(
    engine: &Engine,
    plan: PlanDocument,
    storage: &str,
) -> Result<(String, String, Put), Refusal> {
    let PlanDocument { name, config } = plan;
    let config = with_storage(PlanConfig::coerce(config), storage)?;
    let kind = config.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    let put = engine.put_plan(&name, config).await;
    let put = put.map_err(|error| Refusal::from(error).within("/plan"))?;
    Ok((name, kind, put))
}

/// The plan with the name of its storage, which the document gives beside it.
fn with_storage(mut config: Map<String, Value>, storage: &str) -> Result<Map<String, Value>, Refusal> {
    match config.insert("storage".into(), storage.into()) {
        Some(other) if other != storage => {
            let reason =
                format!("is another storage than {storage}, which the document describes; leave it out");
            let refusal = Refusal::input(format!("the plan's storage {reason}"));
            Err(refusal.with(vec![Mistake { pointer: "/plan/storage".into(), reason }]))
        }
        _ => Ok(config),
    }
}

/// How a run is begun; all that is done with it afterwards is in `watch`.
async fn start(engine: &Engine, plan: &str, full_listing: bool) -> Result<Run, Refusal> {
    Ok(engine.start_with(plan, RunOptions { full_listing, ..RunOptions::default() }).await?)
}

/// Tells a run's progress until it ends. Whoever asks stops it cleanly: what was sent is committed.
async fn watch(run: Run, quiet: bool, lines: &Lines, stopping: &Stopping) -> Result<Summary, Refusal> {
    let (progress, canceller) = (run.progress(), run.canceller());
    let asked = async {
        stopping.asked().cancelled().await;
        canceller.cancel();
        pending::<()>().await;
    };
    let told = async {
        if !quiet {
            tell(progress.clone(), lines).await;
        }
        pending::<()>().await;
    };
    let summary = tokio::select! {
        summary = run.finished() => summary?,
        () = asked => unreachable!("it goes on until the run ends"),
        () = told => unreachable!("it goes on until the run ends"),
    };
    if !quiet {
        let last = progress.borrow().clone();
        lines.send(&Event::Progress(Far::from(&last))).await;
    }
    Ok(summary)
}

async fn tell(mut progress: watch::Receiver<Progress>, lines: &Lines) {
    loop {
        let now = progress.borrow_and_update().clone();
        lines.offer(&Event::Progress(Far::from(&now)));
        sleep(BETWEEN).await;
        if let Ok(Err(_)) = timeout(SIGN_OF_LIFE, progress.changed()).await {
            // Nothing changes any more.
            return;
        }
    }
}
