//! What a host sends: one JSON document on standard input. It may close its end afterwards, or keep it open.

use std::{
    io::{self, BufReader, Read},
    path::PathBuf,
};

use charon_schema::ConfigSchema;
use schemars::JsonSchema;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::event::Refusal;

/// No document is longer, in bytes.
const LONGEST: u64 = 16 * 1024 * 1024;

/// What `plugin test` reads.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Test")]
pub(super) struct TestDocument {
    /// The id of the provider.
    #[serde(default = "gphotos")]
    pub(super) provider: String,
    /// Its configuration, in the types of its schema or all as strings; or Pluton's record of a storage.
    #[schemars(extend("x-secret" = true))]
    pub(super) config: Map<String, Value>,
}

/// What `plugin run` reads.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Run")]
pub(super) struct RunDocument {
    /// Where the database and the key are; goes before the command line and the environment.
    pub(super) data_dir: Option<PathBuf>,
    /// The storage that the plan uses.
    #[schemars(extend("x-secret" = true))]
    pub(super) storage: StorageDocument,
    /// What is to be done: a backup plan or an upload plan.
    pub(super) plan: PlanDocument,
    /// How to go about it.
    #[serde(default)]
    pub(super) options: OptionsDocument,
}

/// A storage, made or changed before the run begins.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct StorageDocument {
    /// What to call it.
    pub(super) name: String,
    /// The id of the provider.
    #[serde(default = "gphotos")]
    pub(super) provider: String,
    /// Its configuration, in the types of its schema or all as strings; or Pluton's record of a storage.
    pub(super) config: Map<String, Value>,
}

/// A plan, made or changed before the run begins. Its fields are those of the schemas of plans, but for `storage`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct PlanDocument {
    /// What to call it.
    pub(super) name: String,
    #[serde(flatten)]
    pub(super) config: Map<String, Value>,
}

/// How to go about a run.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(inline)]
pub(super) struct OptionsDocument {
    /// List everything, though a quick listing would do.
    pub(super) full_listing: bool,
}

fn gphotos() -> String {
    "gphotos".into()
}

/// Reads a document from standard input. Nothing that is told of its mistakes quotes what is within a storage.
pub(super) async fn read<T>(stop: &CancellationToken) -> Result<T, Refusal>
where
    T: DeserializeOwned + JsonSchema,
{
    let reading = tokio::task::spawn_blocking(|| {
        let stdin = BufReader::new(io::stdin()).take(LONGEST);
        // The parser stops at the end of the document, so that the host need not close its end.
        Value::deserialize(&mut serde_json::Deserializer::from_reader(stdin))
    });
    let read = tokio::select! {
        biased;
        () = stop.cancelled() => return Err(Refusal::stopped()),
        read = reading => read,
    };
    // The parser's message tells line and column, and quotes nothing.
    let unreadable = |error: &dyn std::fmt::Display| {
        Refusal::input(format!("standard input is not one JSON document: {error}"))
            .cured_by("write the document that docs/plugin.md describes, as one JSON object")
    };
    let document = read.map_err(|error| unreadable(&error))?.map_err(|error| unreadable(&error))?;
    understand(document)
}

fn understand<T>(document: Value) -> Result<T, Refusal>
where
    T: DeserializeOwned + JsonSchema,
{
    let schema = ConfigSchema::of::<T>();
    let document = match document {
        Value::Object(map) => Value::Object(schema.coerce(map)),
        // Its mistake must not quote it.
        _ => return Err(Refusal::input("standard input holds JSON that is no object: write { … }")),
    };
    schema.validate(&document).map_err(|mistakes| {
        Refusal::input(format!("the document is wrong: {mistakes}"))
            .with(mistakes.0)
            .cured_by("correct the fields that mistakes names, and send it again")
    })?;
    // What serde says could quote a secret, and the schema has had its say.
    serde_json::from_value(document).map_err(|_| Refusal::input("the document does not fit its schema"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{RunDocument, TestDocument, understand};

    fn refused(document: Value) -> Value {
        let Err(refusal) = understand::<RunDocument>(document) else { panic!("it was accepted") };
        serde_json::to_value(refusal.event()).expect("JSON")
    }

    #[test]
    fn documents_may_come_as_strings() {
        let run: RunDocument = understand(json!({
            "data_dir": "",
            "storage": {"name": "family", "config": r#"{"token": ""}"#},
            "plan": {"name": "home", "kind": "backup", "full_listing_hours": "1"},
            "options": {"full_listing": "true"},
        }))
        .expect("a document");
        assert!(run.options.full_listing && run.data_dir.is_none());
        assert_eq!((run.storage.provider.as_str(), &run.storage.config["token"]), ("gphotos", &json!("")));
        assert_eq!(Value::Object(run.plan.config), json!({"kind": "backup", "full_listing_hours": "1"}));
        let test: TestDocument = understand(json!({"config": {}})).expect("a document");
        assert_eq!(test.provider, "gphotos");
    }

    #[test]
    fn mistakes_are_told_with_their_places_and_without_secrets() {
        // I6
        let error =
            refused(json!({"storage": {"name": "x", "config": "hunter2"}, "plan": {"kind": "backup"}}));
        let places: Vec<&str> = error["mistakes"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|one| one["pointer"].as_str())
            .collect();
        assert_eq!(places, ["/plan/name", "/storage/config"]);
        assert!(!error.to_string().contains("hunter2"), "{error}");
        for wrong in
            [json!({"storage": "hunter2", "plan": {"name": "x"}}), json!("hunter2"), json!(["hunter2"])]
        {
            let error = refused(wrong);
            assert!(!error.to_string().contains("hunter2"), "{error}");
            assert_eq!(error["exit_code"], 2);
        }
    }
}
