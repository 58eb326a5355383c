//! `charon plan …`.

use charon_engine::{AlbumPosition, AlbumsConfig, BackupConfig, Engine, MediaKind, PlanConfig, PlanView};
use serde_json::json;

use crate::{
    args::Plan,
    commands::preview,
    exit::{Exit, Failure},
    output::{Output, read_object, table},
};

pub(crate) async fn run(engine: &Engine, command: Plan, output: Output) -> Result<Exit, Failure> {
    match command {
        Plan::Add { name, config } => {
            let view = engine.add_plan(&name, read_object(&config)?).await?;
            output.print(&view, || format!("Added the plan {name}. Run it: charon run {name}"))?;
        }
        Plan::List => {
            let plans = engine.plans().await?;
            output.print(&plans, || match plans.as_slice() {
                [] => "There is no plan yet. Add one: charon plan add NAME --config FILE".into(),
                plans => table(["NAME", "KIND", "STORAGE", "FOLDERS"], plans.iter().map(row)),
            })?;
        }
        Plan::Show { name } => {
            let view = engine.plan(&name).await?;
            output.print(&view, || show(&view))?;
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

fn row(view: &PlanView) -> [String; 4] {
    let folders = match &view.config {
        PlanConfig::Backup(backup) => backup.destination.display().to_string(),
        PlanConfig::Upload(upload) => {
            let sources: Vec<String> =
                upload.sources.iter().map(|source| source.display().to_string()).collect();
            match &upload.album {
                Some(album) => format!("{} → album {album}", sources.join(", ")),
                None => sources.join(", "),
            }
        }
    };
    [view.name.clone(), view.config.kind().into(), view.config.storage().into(), folders]
}

/// The plan, and what of it is not as it is without a word.
fn show(view: &PlanView) -> String {
    let mut text = table(["NAME", "KIND", "STORAGE", "FOLDERS"], [row(view)]);
    let more = match &view.config {
        PlanConfig::Backup(backup) => vec![
            format!("selection: {}", selection(backup)),
            match backup.full_listing_hours {
                0 => "every listing goes to the end".into(),
                1 => "a listing goes to the end every hour".into(),
                hours => format!("a listing goes to the end every {hours} hours"),
            },
        ],
        PlanConfig::Upload(upload) => {
            let position = match upload.album_position {
                AlbumPosition::Last => "behind all others",
                AlbumPosition::First => "before all others",
            };
            let descriptions = if upload.descriptions { "taken from sidecar files" } else { "not sent" };
            let album = upload.album.as_ref().map(|_| format!("new photos go {position} in the album"));
            album.into_iter().chain([format!("descriptions are {descriptions}")]).collect()
        }
    };
    for line in more {
        text += &format!("\n  {line}");
    }
    text
}

/// What a backup wants, in words.
fn selection(backup: &BackupConfig) -> String {
    let wanted = &backup.selection;
    let kind = match wanted.kind {
        Some(MediaKind::Photo) => "photos",
        Some(MediaKind::Video) => "videos",
        None => "photos and videos",
    };
    let mut words = if wanted.favourites { format!("favourite {kind}") } else { kind.to_owned() };
    match &wanted.albums {
        Some(AlbumsConfig::Every(_)) => words += " in any album",
        Some(AlbumsConfig::These(albums)) => words += &format!(" in {}", albums.join(", ")),
        None => {}
    }
    if let Some(year) = wanted.start_year {
        words += &format!(", from {year} on");
    }
    match wanted.include_archived {
        Some(true) => words += ", archived ones too",
        Some(false) => words += ", no archived ones",
        None => {}
    }
    words
}
