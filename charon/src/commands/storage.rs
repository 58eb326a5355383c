//! `charon storage …`.

use charon_engine::{Engine, StorageView};
use charon_provider::{Album, Check, Verdict};
use futures::StreamExt;
use serde_json::{Value, json};

use crate::{
    args::Storage,
    exit::{Exit, Failure},
    output::{Output, read_object, say, table},
};

pub(crate) async fn run(engine: &Engine, command: Storage, output: Output) -> Result<Exit, Failure> {
    match command {
        Storage::Add { name, provider, config } => {
            let view = engine.add_storage(&name, &provider, read_object(&config)?).await?;
            output
                .print(&view, || format!("Added the storage {name}. Test it: charon storage test {name}"))?;
        }
        Storage::Update { name, config } => {
            let view = engine.update_storage(&name, read_object(&config)?).await?;
            output.print(&view, || {
                format!("Updated the storage {name}. Test it: charon storage test {name}")
            })?;
        }
        Storage::List => {
            let storages = engine.storages().await?;
            output.print(&storages, || match storages.as_slice() {
                [] => "There is no storage yet. Add one: charon storage add NAME --config FILE".into(),
                storages => {
                    table(["NAME", "PROVIDER"], storages.iter().map(|s| [s.name.clone(), s.provider.clone()]))
                }
            })?;
        }
        Storage::Show { name } => {
            let view = engine.storage(&name).await?;
            output.print(&view, || show(&view))?;
        }
        Storage::Test { name } => return test(engine, &name, output).await,
        Storage::Albums { name } => {
            let albums = albums(engine, &name).await?;
            output.print(&albums, || match albums.as_slice() {
                [] => "There is no album that this client can see.".into(),
                albums => table(
                    ["TITLE", "ITEMS", "WRITABLE", "ID"],
                    albums.iter().map(|album| {
                        let items = album.items.map(|items| items.to_string()).unwrap_or_default();
                        let writable = if album.writable { "yes" } else { "no" };
                        [album.title.clone(), items, writable.into(), album.id.to_string()]
                    }),
                ),
            })?;
        }
        Storage::Remove { name } => {
            engine.remove_storage(&name).await?;
            output.print(&json!({ "removed": name }), || {
                format!("Removed the storage {name}. What the account holds stays where it is.")
            })?;
        }
    }
    Ok(Exit::Done)
}

fn show(view: &StorageView) -> String {
    let fields = view.config.iter().map(|(field, value)| {
        let value = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        [field.clone(), value]
    });
    format!("{} ({})\n{}", view.name, view.provider, table(["FIELD", "VALUE"], fields))
}

async fn test(engine: &Engine, name: &str, output: Output) -> Result<Exit, Failure> {
    let storage = engine.open_storage(name).await?;
    let mut stages = storage.test();
    let mut checks: Vec<Check> = Vec::new();
    while let Some(check) = stages.next().await {
        if !output.json {
            say(&stage(&check))?;
        }
        checks.push(check);
    }
    let failed = checks.iter().any(|check| check.verdict == Verdict::Failed);
    output.print(&json!({ "passed": !failed, "checks": checks }), || {
        if failed { "The connection does not work yet.".into() } else { "The connection works.".into() }
    })?;
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

fn stage(check: &Check) -> String {
    let verdict = match check.verdict {
        Verdict::Passed => "ok    ",
        Verdict::Warned => "note  ",
        Verdict::Failed => "FAILED",
    };
    let mut text = format!("{verdict}  {} ({} ms): {}", check.stage, check.took.as_millis(), check.found);
    if let Some(cure) = &check.cure {
        text += &format!("\n        {cure}");
    }
    text
}

async fn albums(engine: &Engine, name: &str) -> Result<Vec<Album>, Failure> {
    let storage = engine.open_storage(name).await?;
    let source = storage.albums().ok_or_else(|| Failure::new(format!("the storage {name} has no albums")))?;
    let (mut albums, mut cursor) = (Vec::new(), None);
    loop {
        let page = source.list(cursor.as_ref()).await.map_err(charon_engine::Error::from)?;
        albums.extend(page.albums);
        if page.next.is_none() || page.next == cursor {
            return Ok(albums);
        }
        cursor = page.next;
    }
}
