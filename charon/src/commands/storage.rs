//! `charon storage …`.

use charon_engine::{Engine, StorageView};
use charon_provider::Album;
use serde_json::{Map, Value, json};

use crate::{
    args::Storage,
    client_secret::ClientSecret,
    commands::{check, import},
    exit::{Exit, Failure},
    output::{Output, read_object, table},
};

/// The field with the words of its owner, where a provider has such a field.
const DESCRIPTION: &str = "description";

pub(crate) async fn run(engine: &Engine, command: Storage, output: Output) -> Result<Exit, Failure> {
    match command {
        Storage::Add { name, provider, config, client_secret } => {
            let mut config = read_object(&config)?;
            client_secret.put_into(&mut config)?;
            let view = engine.add_storage(&name, &provider, config).await?;
            output
                .print(&view, || format!("Added the storage {name}. Test it: charon storage test {name}"))?;
        }
        Storage::Import(command) => return import::run(engine, command, output).await,
        Storage::Update { name, config, client_secret } => {
            let mut config = read_object(&config)?;
            client_secret.put_into(&mut config)?;
            let view = engine.update_storage(&name, config).await?;
            output.print(&view, || {
                format!("Updated the storage {name}. Test it: charon storage test {name}")
            })?;
        }
        Storage::List => {
            let storages = engine.storages().await?;
            output.print(&storages, || match storages.as_slice() {
                [] => "There is no storage yet. Add one: charon storage add NAME --config FILE".into(),
                storages => table(
                    ["NAME", "PROVIDER", "DESCRIPTION"],
                    storages
                        .iter()
                        .map(|view| [view.name.clone(), view.provider.clone(), description(view).to_owned()]),
                ),
            })?;
        }
        Storage::Show { name } => {
            let view = engine.storage(&name).await?;
            output.print(&view, || show(&view))?;
        }
        Storage::Test {
            name: Some(_), client_secret: ClientSecret { client_secret_file: Some(_) }, ..
        } => {
            return Err(Failure::usage(
                "a storage has its client secret already: give --client-secret-file with --config",
            ));
        }
        Storage::Test { name: Some(name), .. } => {
            return check::run(check::Of::Storage, engine.test(&name).await?, output).await;
        }
        Storage::Test { config, provider, client_secret, .. } => {
            let mut config = config.as_deref().map_or_else(|| Ok(Map::new()), read_object)?;
            client_secret.put_into(&mut config)?;
            engine.registry().provider(&provider)?;
            return check::run(check::Of::Config, engine.test_unsaved(&provider, config), output).await;
        }
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
    let fields = view.config.iter().filter(|(field, _)| *field != DESCRIPTION).map(|(field, value)| {
        let value = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        [field.clone(), value]
    });
    let title = match description(view) {
        "" => format!("{} ({})", view.name, view.provider),
        description => format!("{} ({}): {description}", view.name, view.provider),
    };
    format!("{title}\n{}", table(["FIELD", "VALUE"], fields))
}

/// The first line of what its owner says of it.
fn description(view: &StorageView) -> &str {
    let text = view.config.get(DESCRIPTION).and_then(Value::as_str).unwrap_or_default();
    text.lines().next().unwrap_or_default().trim()
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
