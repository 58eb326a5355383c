//! `charon trash`: what backups have moved aside because it is gone from the account.

use charon_engine::{Engine, ItemId, Job, PlanId, RunOptions, TrashJob, TrashedItem, quoted};
use serde_json::json;

use super::run::run_with;
use crate::{
    args::Trash,
    exit::{Exit, Failure},
    output::{Output, bytes, say_aside, table},
};

/// Files that are looked up at once.
const AT_ONCE: u32 = 500;

pub(crate) async fn run(engine: &Engine, command: Trash, output: Output) -> Result<Exit, Failure> {
    match command {
        Trash::List { plan, limit } => {
            let id = engine.plan(&plan).await?.id;
            let standing = engine.trash_standing(id).await?;
            let files = files(engine, id, limit, |_| true).await?;
            let asked = engine.asked_about(id, None, limit).await?;
            let shown = quoted(&plan);
            output.print(&json!({ "standing": standing, "files": files, "asked": asked }), || {
                let mut text = if files.is_empty() {
                    "The trash is empty.".to_owned()
                } else {
                    let rows = files.iter().map(|file| {
                        [
                            file.item.0.to_string(),
                            file.path.clone(),
                            bytes(file.size),
                            file.trashed_at.strftime("%Y-%m-%d").to_string(),
                            file.until.strftime("%Y-%m-%d").to_string(),
                        ]
                    });
                    table(["ITEM", "WHERE IT WAS", "SIZE", "SINCE", "UNTIL"], rows)
                };
                if standing.files > files.len() as u64 {
                    text += &format!("\n{} of {} files (--limit shows more)", files.len(), standing.files);
                }
                if standing.asked_about > 0 {
                    text += &format!("\n{} items are gone from the account:", standing.asked_about);
                    for item in &asked {
                        text += &format!("\n  {}", item.path);
                    }
                    if standing.asked_about > asked.len() as u64 {
                        text += "\n  … and more (--limit shows them)";
                    }
                    text += &format!(
                        "\nThey wait for your answer: charon trash agree {shown} --items {}, or charon trash keep {shown}",
                        standing.asked_about
                    );
                }
                text
            })?;
            Ok(Exit::Done)
        }
        Trash::Restore { plan, items, all } => {
            let id = engine.plan(&plan).await?.id;
            let items = if all { Vec::new() } else { chosen(engine, id, &items).await? };
            let job = Job::Trash(TrashJob::Restore { items });
            run_with(engine, &plan, RunOptions { job, ..RunOptions::default() }, output).await
        }
        Trash::Empty { plan, everything } => {
            let job = Job::Trash(TrashJob::Empty { everything });
            run_with(engine, &plan, RunOptions { job, ..RunOptions::default() }, output).await
        }
        Trash::Agree { plan, items } => agree(engine, &plan, items, output).await,
        Trash::Keep { plan } => {
            let kept = engine.refuse_deletion(engine.plan(&plan).await?.id).await?;
            output.print(&json!({ "items": kept, "may_go": false }), || {
                format!("{kept} items stay where they are.")
            })?;
            Ok(Exit::Done)
        }
    }
}

/// Agrees to as many items as somebody has seen; to as many as it shows now, if nobody says how many those were.
async fn agree(engine: &Engine, plan: &str, seen: Option<u64>, output: Output) -> Result<Exit, Failure> {
    let id = engine.plan(plan).await?.id;
    let seen = if let Some(seen) = seen {
        seen
    } else {
        let asked = engine.trash_standing(id).await?.asked_about;
        if asked > 0 && !output.quiet {
            say_aside(&format!("{asked} items of {plan} are gone from the account."));
        }
        asked
    };
    let agreed = engine.agree_to_deletion(id, seen).await?;
    output.print(&json!({ "items": agreed, "may_go": true }), || {
        format!(
            "{agreed} items may go: the next full listing looks each up once more, and moves it (charon run {} --full).",
            quoted(plan)
        )
    })?;
    Ok(Exit::Done)
}

/// The items that are named by their number or by a path.
async fn chosen(engine: &Engine, plan: PlanId, named: &[String]) -> Result<Vec<i64>, Failure> {
    let found = files(engine, plan, u32::MAX, |file| {
        named.iter().any(|name| *name == file.path || *name == file.item.0.to_string())
    })
    .await?;
    if let Some(missing) = named
        .iter()
        .find(|name| !found.iter().any(|file| **name == file.path || **name == file.item.0.to_string()))
    {
        return Err(Failure::usage(format!(
            "there is no {missing} in the trash; `charon trash list` shows what is there, and what the items are called"
        )));
    }
    let mut items: Vec<i64> = found.iter().map(|file| file.item.0).collect();
    items.dedup();
    Ok(items)
}

async fn files(
    engine: &Engine,
    plan: PlanId,
    most: u32,
    is_wanted: impl Fn(&TrashedItem) -> bool,
) -> Result<Vec<TrashedItem>, Failure> {
    let mut found = Vec::new();
    let mut after: Option<ItemId> = None;
    loop {
        let page = engine.trash(plan, after, AT_ONCE).await?;
        found.extend(page.files.into_iter().filter(&is_wanted));
        after = page.next;
        if after.is_none() || found.len() >= most as usize {
            found.truncate(most as usize);
            return Ok(found);
        }
    }
}
