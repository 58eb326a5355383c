//! `charon plan …`.

use charon_engine::{Engine, PlanConfig, PlanView};
use serde_json::json;

use crate::{
    args::Plan,
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
            output.print(&view, || table(["NAME", "KIND", "STORAGE", "FOLDERS"], [row(&view)]))?;
        }
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
