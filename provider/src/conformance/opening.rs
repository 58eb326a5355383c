//! Opening a storage, and what it declares.

use std::{collections::HashSet, sync::Arc};

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::{
    World,
    case::{Case, Ends, Stop},
    host::TestHost,
};
use crate::{Host, Kind, Resets, Revision};

pub(super) async fn an_opening_sends_no_request(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    let facts = opened.storage.facts();
    case.expect(!facts.identity.is_empty(), || "the storage does not say as whom it sees".into());
    drop(opened.storage.test());
    let permits = opened.host.take_permits();
    case.expect(permits.is_empty(), || format!("opening asked for permits: {permits:?}"));
    let requests = opened.world.requests()?;
    case.expect(requests == 0, || format!("opening made {requests} requests"));
    Ok(())
}

/// The pointers of the mistakes in a configuration.
fn mistakes_in(case: &Case<'_>, world: &Arc<dyn World>, config: Map<String, Value>) -> Option<Vec<String>> {
    let config = case.config(config, Revision::default());
    let host = Arc::new(TestHost::new(Arc::clone(world), config.secrets.clone()));
    let mistakes = case.provider().open(config, host as Arc<dyn Host>).err()?;
    case.printed("the mistakes of a configuration", &mistakes);
    for mistake in &mistakes.0 {
        case.expect(!mistake.reason.trim().is_empty(), || {
            format!("the mistake in {:?} is told without a word", mistake.pointer)
        });
    }
    Some(mistakes.0.into_iter().map(|mistake| mistake.pointer).collect())
}

pub(super) async fn every_mistake_is_told_at_once_and_with_its_path(case: &Case<'_>) -> Ends {
    let provider = case.provider();
    let schema = &provider.describe().schema;
    let world = case.world().await;
    let right = world.config();

    let mut wrong: Vec<(String, Option<Value>)> = Vec::new();
    for name in schema.as_json()["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        wrong.push((name.to_owned(), None));
    }
    for name in schema.fields() {
        let field = &schema.as_json()["properties"][name];
        let typed = field["type"].as_str().is_some_and(|kind| kind != "object");
        if !schema.is_secret(name) && typed && wrong.iter().all(|(known, _)| known != name) {
            wrong.push((name.to_owned(), Some(json!({"of": "another type"}))));
        }
    }
    if schema.as_json()["additionalProperties"] == json!(false) {
        wrong.push(("no_such_field".into(), Some(json!(1))));
    }
    let refused_by_provider = case.fixture.mistakes();
    wrong.extend(refused_by_provider.iter().map(|(name, value)| ((*name).to_owned(), Some(value.clone()))));
    if wrong.is_empty() {
        return Err(Stop::Skipped("no configuration can be wrong".into()));
    }

    let spoil = |config: &mut Map<String, Value>, name: &str, value: &Option<Value>| match value {
        Some(value) => drop(config.insert(name.to_owned(), value.clone())),
        None => drop(config.remove(name)),
    };
    for (name, value) in &wrong {
        let mut config = right.clone();
        spoil(&mut config, name, value);
        match mistakes_in(case, &world, config) {
            None => case.expect(false, || format!("a wrong {name} is not refused")),
            Some(found) => case.expect(found.contains(&format!("/{name}")), || {
                format!("a wrong {name} is told as a mistake in {found:?}")
            }),
        }
    }
    // What the schema refuses must not hide what the provider refuses.
    let mut config = right;
    let mut told = HashSet::new();
    for (name, value) in wrong.iter().rev() {
        if told.insert(name.clone()) {
            spoil(&mut config, name, value);
        }
    }
    let found = mistakes_in(case, &world, config).unwrap_or_default();
    let missing: Vec<_> = told.iter().filter(|name| !found.contains(&format!("/{name}"))).collect();
    case.expect(missing.is_empty(), || format!("of many mistakes at once, these are not told: {missing:?}"));
    Ok(())
}

// I6
pub(super) async fn what_is_printed_for_developers_has_no_secret(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    case.printed("the provider", &case.provider());
    case.printed("the description", case.provider().describe());
    case.printed("the configuration", &case.config(opened.world.config(), Revision::default()));
    case.printed("the storage", &opened.storage);
    case.printed("what the storage declares", opened.storage.facts());
    if let Some(source) = opened.storage.source() {
        // Once more when it has learnt something.
        drop(source.list(&crate::Selection::default(), None).await);
        case.printed("the storage after a request", &opened.storage);
    }
    Ok(())
}

pub(super) async fn what_a_storage_declares_fits_together(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    let (storage, facts) = (&opened.storage, opened.storage.facts());
    let able = facts.capabilities;
    case.expect(storage.source().is_some() == (able.list || able.download), || {
        format!("{able:?}, and source() is {}", given(storage.source().is_some()))
    });
    case.expect(!able.previews || able.download, || {
        "it gives small pictures of what it does not give".into()
    });
    case.expect(storage.sink().is_some() == able.upload, || {
        format!("{able:?}, and sink() is {}", given(storage.sink().is_some()))
    });
    case.expect(storage.albums().is_some() == able.albums, || {
        format!("{able:?}, and albums() is {}", given(storage.albums().is_some()))
    });
    if let Some(source) = storage.source() {
        case.expect(source.confirm_limit() >= 1, || "confirm_limit() is 0".into());
        case.expect(facts.costs.page_items >= 1, || "a page has no items".into());
    }
    if let Some(albums) = storage.albums() {
        case.expect(albums.add_limit() >= 1, || "add_limit() is 0".into());
        case.expect(facts.limits.album_title_chars >= 1, || "an album can have no title".into());
    }
    case.expect(facts.pace.connections >= 1, || "no connection at all is allowed".into());

    let mut meters = HashSet::new();
    for meter in &facts.meters {
        case.expect(meters.insert(meter.id), || format!("there are two meters {}", meter.id));
        case.expect(meter.limit >= 1, || format!("the meter {} allows nothing", meter.id));
        case.expect(!meter.account.is_empty(), || format!("nobody is counted by the meter {}", meter.id));
        let Resets::DailyAt(zone) = &meter.resets;
        let known = TimeZone::get(zone).is_ok();
        case.expect(known, || format!("the meter {} resets in the unknown zone {zone}", meter.id));
    }

    if able.upload {
        let batch = facts.batch;
        case.expect(batch.size >= 1, || "a batch takes nothing".into());
        case.expect(batch.staged >= batch.size, || {
            format!("{} may be staged, which is no batch of {}", batch.staged, batch.size)
        });
        case.expect(!batch.commit_timeout.is_zero(), || "a commit may take no time".into());
        let mut extensions = HashSet::new();
        for format in facts.limits.formats {
            let extension = format.extension;
            case.expect(extensions.insert(extension), || format!("{extension} is there twice"));
            let plain = !extension.starts_with('.') && extension == extension.to_ascii_lowercase();
            case.expect(plain, || format!("the extension {extension} is not lower case without its dot"));
            case.expect(format.mime_type.contains('/'), || format!("{extension} has no media type"));
        }
        let kinds: Vec<Kind> = facts.limits.formats.iter().map(|format| format.kind).collect();
        for kind in [Kind::Photo, Kind::Video] {
            let largest = facts.limits.largest(kind);
            case.expect(!kinds.contains(&kind) || largest > 0, || format!("a {kind:?} may have no bytes"));
        }
    }
    Ok(())
}

fn given(is_given: bool) -> &'static str {
    if is_given { "there" } else { "not there" }
}

pub(super) async fn a_read_only_storage_has_no_way_out(case: &Case<'_>) -> Ends {
    let world = case.world().await;
    let opened = case.open_with(&world, world.read_only()?)?;
    let able = opened.storage.facts().capabilities;
    case.expect(!able.upload, || "it says that it takes new items".into());
    case.expect(opened.storage.sink().is_none(), || "sink() is there".into());
    if let Some(albums) = opened.storage.albums() {
        let error = case.fails("make an album in a read-only storage", albums.create("An album").await)?;
        case.expect(error.class == crate::Class::Config, || format!("it is refused as {:?}", error.class));
        let permits = opened.host.take_permits();
        case.expect(permits.is_empty(), || "it asked the server whether it may".into());
    }
    Ok(())
}

pub(super) async fn another_client_has_another_identity(case: &Case<'_>) -> Ends {
    let world = case.world().await;
    let one = case.open_with(&world, world.config())?;
    let other = case.open_with(&world, world.second_client()?)?;
    let again = case.open_with(&world, world.config())?;
    case.expect(one.storage.facts().identity == again.storage.facts().identity, || {
        "the same client has two identities".into()
    });
    case.expect(one.storage.facts().identity != other.storage.facts().identity, || {
        "two clients that see different things have one identity".into()
    });
    Ok(())
}
