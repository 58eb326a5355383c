//! `charon restore PLAN`.

use charon_engine::{
    Engine, Job, RestoreJob, RestorePreview, RestoreSelection, RestoreTo, RunOptions, with_commas,
};

use super::run;
use crate::{
    args::Restore,
    exit::{Exit, Failure},
    output::{Output, bytes},
    signals::interrupted,
};

pub(crate) async fn restore(engine: &Engine, asked: Restore, output: Output) -> Result<Exit, Failure> {
    let plan = engine.plan(&asked.plan).await?;
    let job = job_of(engine, &asked).await?;
    if asked.dry_run {
        let stop = interrupted();
        let preview = tokio::select! {
            preview = engine.preview_restore(plan.id, &job) => preview?,
            () = stop => return Ok(Exit::Interrupted),
        };
        output.print(&preview, || tell(&asked.plan, &preview))?;
        return Ok(Exit::Done);
    }
    engine.judge_restore(plan.id, &job).await?;
    let options = RunOptions { job: Job::Restore(job), ..RunOptions::default() };
    run::run_with(engine, &asked.plan, options, output).await
}

async fn job_of(engine: &Engine, asked: &Restore) -> Result<RestoreJob, Failure> {
    let target = match (&asked.to_folder, &asked.to_storage) {
        (Some(folder), _) => RestoreTo::Folder(
            std::path::absolute(folder).map_err(|error| Failure::usage(format!("--to-folder: {error}")))?,
        ),
        (None, Some(storage)) => RestoreTo::Storage(engine.storage(storage).await?.id),
        (None, None) => return Err(Failure::usage("say where to: --to-folder or --to-storage")),
    };
    let day = |option: &str, day: Option<&String>| {
        let read = |day: &String| {
            day.parse().map_err(|_| {
                Failure::usage(format!("{option} is to be a day, such as 2024-07-31, and not {day}"))
            })
        };
        day.map(read).transpose()
    };
    Ok(RestoreJob {
        target,
        selection: RestoreSelection {
            taken_from: day("--from", asked.from.as_ref())?,
            taken_until: day("--to", asked.to.as_ref())?,
            albums: asked.albums.clone(),
            name: asked.name.clone(),
        },
    })
}

fn tell(plan: &str, preview: &RestorePreview) -> String {
    let RestorePreview { files, bytes: size, unchanged, in_the_way, api_copies, estimate } = preview;
    let mut text = format!("{plan}: {} files ({}) are chosen", with_commas(*files), bytes(*size));
    if *unchanged > 0 {
        text += &format!("\n  there already: {}", with_commas(*unchanged));
    }
    if *in_the_way > 0 {
        text +=
            &format!("\n  not to be restored, since something else is there: {}", with_commas(*in_the_way));
    }
    if *api_copies > 0 {
        text += &format!(
            "\n  not the original bytes, but the copies that the account gave: {}",
            with_commas(*api_copies)
        );
    }
    if let Some(estimate) = estimate {
        let size = estimate.bytes.map(|size| format!(" ({})", bytes(size))).unwrap_or_default();
        text += &format!("\n  to be sent: {}{size}: {}", with_commas(estimate.new), estimate.sentence());
        if estimate.held_back > 0 {
            text += &format!("\n  refused before, tried again later: {}", with_commas(estimate.held_back));
        }
        if let (Some(by), 2..) = (&estimate.by, estimate.days) {
            text += &format!(
                "\n  it takes so long by the daily limit of {by}: a restore is parked when the day's requests are used up, and goes on \
                 by itself under charon serve"
            );
        }
    }
    text + "\nNothing was restored."
}
