//! `charon adopt DIR`: what lies in a folder already is taken over.

use charon_engine::{
    Adopted, Adopting, AdoptionPreview, Engine, Job, RunOptions, RunState, quoted, with_commas,
};

use super::run::{run_to_end, tell as tell_run};
use crate::{
    exit::{Exit, Failure},
    output::{Output, say_aside},
    signals::interrupted,
};

/// So many files are named of those that are left alone.
const NAMED: usize = 20;

pub(crate) async fn run(
    engine: &Engine,
    asked: Adopting,
    dry_run: bool,
    output: Output,
) -> Result<Exit, Failure> {
    let adopting = engine.adopting(asked).await?;
    if dry_run {
        let stop = interrupted();
        let preview = tokio::select! {
            preview = engine.preview_adoption(&adopting) => preview?,
            () = stop => return Ok(Exit::Interrupted),
        };
        output.print(&preview, || tell_preview(&preview))?;
        return Ok(Exit::Done);
    }
    engine.add_adopting_plan(&adopting).await?;
    let options = RunOptions { job: Job::Adopt(adopting.job.clone()), ..RunOptions::default() };
    let summary = run_to_end(engine, &adopting.name, options, output).await?;
    output.print(&summary, || tell_run(&summary))?;
    if matches!(summary.state, RunState::Failed | RunState::Cancelled)
        && engine.drop_adopting_plan(&adopting).await?
    {
        say_aside(&format!("charon: nothing was adopted, so the plan {} was not kept", adopting.name));
    } else if adopting.new.is_some() && !output.quiet {
        say_aside(&format!(
            "charon: the folder is now the mirror of the plan {}; charon run {} brings home what is missing",
            adopting.name,
            quoted(&adopting.name)
        ));
    }
    Ok(Exit::of(summary.state))
}

/// What an adoption has come to, in lines of their own.
pub(super) fn tell(adopted: &Adopted) -> String {
    let Adopted { by_id, not_shown, by_name, doubles, unmatched, ambiguous, damaged, others } = *adopted;
    let counts = [
        (by_id, "adopted by their media ids"),
        (not_shown, "adopted by their media ids, although the account does not show them to Charon"),
        (by_name, "adopted by their names and times"),
        (doubles, "further files of the same items, left alone"),
        (unmatched, "not matched with anything that the account shows, left alone"),
        (ambiguous, "ambiguous, left alone"),
        (damaged, "damaged, not adopted"),
        (others, "other files, left alone"),
    ];
    counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .fold(String::new(), |text, (count, what)| format!("{text}\n  {} {what}", with_commas(count)))
}

fn tell_preview(preview: &AdoptionPreview) -> String {
    let new = if preview.is_new { " (a new plan)" } else { "" };
    let mut text = format!("{}{new}: this is what would be adopted", preview.plan);
    if preview.unchanged > 0 {
        text += &format!("\n  {} home already", with_commas(preview.unchanged));
    }
    text += &tell(&preview.adopted);
    let left: Vec<_> =
        preview.items.iter().filter(|item| item.outcome != charon_engine::Outcome::Done).collect();
    for item in left.iter().take(NAMED) {
        text += &format!("\n  {}: {}", item.item, item.reason.as_deref().unwrap_or_default());
    }
    if left.len() > NAMED {
        text += &format!("\n  … and {} more (--json tells all)", with_commas((left.len() - NAMED) as u64));
    }
    text + "\nNothing was written."
}
