//! `charon plan …`.

use charon_engine::{
    AfterUpload, AlbumPosition, Engine, Gone, MissedPolicy, OverlapPolicy, PlanConfig, PlanView, quoted,
};
use serde_json::json;

use crate::{
    args::Plan,
    commands::{preview, schedule::read_time},
    exit::{Exit, Failure},
    output::{Output, read_object, table},
};

pub(crate) async fn run(engine: &Engine, command: Plan, output: Output) -> Result<Exit, Failure> {
    match command {
        Plan::Add { name, config } => {
            let view = engine.add_plan(&name, read_object(&config)?).await?;
            output.print(&view, || format!("Added the plan {name}. Run it: charon run {}", quoted(&name)))?;
        }
        Plan::List => {
            let plans = engine.plans().await?;
            output.print(&plans, || match plans.as_slice() {
                [] => "There is no plan yet. Add one: charon plan add NAME --config FILE".into(),
                plans => table(HEADER, plans.iter().map(row)),
            })?;
        }
        Plan::Show { name } => {
            let view = engine.plan(&name).await?;
            output.print(&view, || show(&view))?;
        }
        Plan::Update { name, config } => {
            let view = engine.update_plan(&name, read_object(&config)?).await?;
            output.print(&view, || format!("Updated the plan {name}.{}", next(&view)))?;
        }
        Plan::Pause { name, until } => {
            let until = until.as_deref().map(read_time).transpose()?;
            let view = engine.pause_plan(&name, until).await?;
            output.print(&view, || match until {
                Some(until) => format!("The schedule of {name} is paused until {until}."),
                None => format!(
                    "The schedule of {name} is paused. Resume it: charon plan resume {}",
                    quoted(&name)
                ),
            })?;
        }
        Plan::Resume { name } => {
            let view = engine.resume_plan(&name).await?;
            output.print(&view, || format!("The schedule of {name} goes on.{}", next(&view)))?;
        }
        Plan::Preview { name } => return preview::run(engine, &name, output).await,
        Plan::Remove { name } => {
            engine.remove_plan(&name).await?;
            output.print(&json!({ "removed": name }), || {
                format!("Removed the plan {name}. All files stay where they are.")
            })?;
        }
    }
    Ok(Exit::Done)
}

const HEADER: [&str; 5] = ["NAME", "KIND", "STORAGE", "NEXT", "FOLDERS"];

/// When it is due next, as a sentence behind another one.
fn next(view: &PlanView) -> String {
    view.next_at.map(|next| format!(" It is due at {next}.")).unwrap_or_default()
}

fn row(view: &PlanView) -> [String; 5] {
    let next = match (view.next_at, view.paused_at, view.config.schedule()) {
        (_, Some(_), Some(_)) => match view.paused_until {
            Some(until) => format!("paused until {}", until.strftime("%Y-%m-%d %H:%M:%SZ")),
            None => "paused".to_owned(),
        },
        (Some(next), ..) => next.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        (None, _, Some(_)) => "never".to_owned(),
        (None, _, None) => "by hand".to_owned(),
    };
    let folders = match &view.config {
        PlanConfig::Backup(backup) => backup.destination.to_string(),
        PlanConfig::Upload(upload) => {
            let sources: Vec<String> =
                upload.sources.iter().map(|source| source.display().to_string()).collect();
            match &upload.album {
                Some(album) => format!("{} → album {album}", sources.join(", ")),
                None => sources.join(", "),
            }
        }
    };
    [view.name.clone(), view.config.kind().into(), view.config.storage().into(), next, folders]
}

/// The plan, and what of it is not as it is without a word.
fn show(view: &PlanView) -> String {
    let mut text = table(HEADER, [row(view)]);
    let mut more = match &view.config {
        PlanConfig::Backup(backup) => {
            let mut lines = vec![
                format!("selection: {}", backup.selection.in_words()),
                match backup.full_listing_hours {
                    0 => "every listing goes to the end".into(),
                    1 => "a listing goes to the end every hour".into(),
                    hours => format!("a listing goes to the end every {hours} hours"),
                },
            ];
            if !backup.has_usual_layout() {
                lines.push(format!(
                    "new photos go to {}, by the dates of {}",
                    backup.layout, backup.time_zone
                ));
            }
            if backup.verify_percent > 0 {
                lines.push(format!("each run reads {} % of the mirror again", backup.verify_percent));
            }
            let deletion = &backup.deletion;
            lines.push(match deletion.gone {
                Gone::Keep => "what is gone from the account stays at home".into(),
                Gone::Trash => format!(
                    "what {} full listings have lacked goes to the trash, for {} days; above {} % of the library the run asks",
                    deletion.after_listings, deletion.trash_days, deletion.most_percent
                ),
            });
            lines
        }
        PlanConfig::Upload(upload) => {
            let position = match upload.album_position {
                AlbumPosition::Last => "behind all others",
                AlbumPosition::First => "before all others",
            };
            let descriptions = if upload.descriptions { "taken from sidecar files" } else { "not sent" };
            let album = upload.album.as_ref().map(|_| format!("new photos go {position} in the album"));
            let mut lines: Vec<String> = album.into_iter().collect();
            lines.push(format!("descriptions are {descriptions}"));
            if !upload.include.is_empty() {
                lines.push(format!("only: {}", upload.include.join(", ")));
            }
            if !upload.exclude.is_empty() {
                lines.push(format!("without: {}", upload.exclude.join(", ")));
            }
            match (&upload.after, &upload.move_to) {
                (AfterUpload::Delete, _) => lines.push("files are deleted once the storage has them".into()),
                (_, Some(to)) => {
                    lines.push(format!("files are moved to {} once the storage has them", to.display()));
                }
                (AfterUpload::Keep | AfterUpload::MoveTo, None) => {}
            }
            lines
        }
    };
    more.extend(schedule(view));
    for line in more {
        text += &format!("\n  {line}");
    }
    text
}

/// When it runs by itself, and within what bounds.
fn schedule(view: &PlanView) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(schedule) = view.config.schedule() {
        lines.push(format!("due: {} in {}", schedule.cron, schedule.timezone));
        if !schedule.windows.is_empty() {
            lines.push(format!("at work only: {}", schedule.windows.join(", ")));
        }
        lines.push(match schedule.missed {
            MissedPolicy::Skip => "a time that was missed is not made up for".into(),
            MissedPolicy::RunOnce => {
                format!(
                    "times that were missed are made up for by one run, within {} hours",
                    schedule.missed_max_age_hours
                )
            }
        });
        lines.push(match schedule.overlap {
            OverlapPolicy::Skip => "a time at which a run has not ended is left out".into(),
            OverlapPolicy::QueueOne => "at a time at which a run has not ended, one waits for it".into(),
            OverlapPolicy::CancelPrevious => {
                "at a time at which a run has not ended, that one is stopped".into()
            }
        });
    }
    if let Some(minutes) = view.config.policy().time_limit_minutes {
        lines.push(format!("a run ends after {minutes} minutes at work"));
    }
    lines
}
