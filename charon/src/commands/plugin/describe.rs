//! `charon plugin describe`: all that a host needs to know before it asks for anything.

use charon_engine::{PlanConfig, Registry};
use charon_provider::Provider;
use charon_schema::ConfigSchema;
use serde_json::{Value, json};

use super::{
    PROTOCOL,
    document::{RunDocument, TestDocument},
    event::{OF_A_RUN, OF_A_TEST},
};
use crate::{
    exit::{Exit, Failure},
    output::say,
};

pub(super) fn print(registry: &Registry, only: Option<&str>) -> Result<Exit, Failure> {
    let providers: Vec<Value> = match only {
        Some(id) => vec![provider(&**registry.provider(id)?)],
        None => registry.providers().map(|one| provider(&**one)).collect(),
    };
    let described = json!({
        "protocol": PROTOCOL,
        "program": env!("CARGO_PKG_NAME"),
        "version": env!("CARGO_PKG_VERSION"),
        "providers": providers,
        "plans": PlanConfig::schemas(),
        "commands": {
            "describe": {"arguments": ["plugin", "describe"], "input": null, "events": []},
            "test": {
                "arguments": ["plugin", "test"],
                "input": ConfigSchema::of::<TestDocument>().as_json(),
                "events": OF_A_TEST,
            },
            "run": {
                "arguments": ["plugin", "run"],
                "input": ConfigSchema::of::<RunDocument>().as_json(),
                "events": OF_A_RUN,
            },
        },
    });
    say(&described.to_string())?;
    Ok(Exit::Done)
}

fn provider(provider: &dyn Provider) -> Value {
    let described = provider.describe();
    json!({
        "id": described.id,
        "name": described.name,
        "docs": described.summary,
        "capabilities": provider.capabilities(),
        "schema": described.schema.as_json(),
        "pluton": {
            "name": described.name,
            "authTypes": described.schema.pluton_auth_types(),
            "settings": described.schema.pluton_fields(),
        },
    })
}
