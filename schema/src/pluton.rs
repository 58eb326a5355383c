//! Pluton's words: the field list that its form draws, and what its answers mean.
//!
//! Pluton describes a provider by a list of fields instead of a JSON Schema, draws them without judging what is typed, and may
//! send every value as a string. Its record of a storage has fields of its own, which are understood here.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    ConfigSchema, annotation,
    strings::{is, variants, written_default},
};

/// One field of a form, as Pluton has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlutonField {
    /// What the form calls it.
    pub label: String,
    /// The name of the field in the configuration.
    pub value: String,
    /// How it is drawn: `string`, `password`, `bool`, `tristate`, `int`, `duration`, `select` or `commaseplist`.
    pub field_type: &'static str,
    /// The kind of signing in that it belongs to ([`annotation::AUTH`]); without it, Pluton shows it among the advanced ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_field_type: Option<String>,
    /// Whether it must be filled in.
    pub required: bool,
    /// What it is if it is left as it is: true or false for a `bool`, a string for all others.
    pub default: Value,
    /// What it is for, with its unit and its bounds, which Pluton's form does not show otherwise.
    pub description: String,
    /// What a `select` lets choose from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<PlutonOption>,
}

/// One choice of a `select`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PlutonOption {
    /// What the form calls it.
    pub label: String,
    /// What is sent.
    pub value: String,
}

/// A configuration as Pluton gave it, understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Understood {
    /// What the schema can judge.
    pub config: Map<String, Value>,
    /// What was given and makes no difference, and why: sentences for the host's log. They quote no value.
    pub notes: Vec<String>,
}

/// What Pluton's record of a storage holds beside the configuration.
const OF_THE_RECORD: [&str; 9] =
    ["id", "name", "type", "authType", "defaultPath", "tags", "createdAt", "updatedAt", "features"];
/// Where Pluton's record of a storage holds the configuration, if it is given whole.
const PARTS_OF_THE_RECORD: [&str; 2] = ["settings", "credentials"];
/// What rclone's providers have, and so Pluton's, and why it makes no difference here.
const WITHOUT_EFFECT: [(&str, &str); 2] = [
    ("encoding", "Charon gives names that are safe on every file system by itself"),
    ("description", "this provider keeps none"),
];

impl ConfigSchema {
    /// The fields as Pluton's form wants them, in the order of a form.
    pub fn pluton_fields(&self) -> Vec<PlutonField> {
        self.fields()
            .into_iter()
            .filter_map(|name| Some(self.pluton_field(name, self.property(name)?)))
            .collect()
    }

    /// The kinds of signing in that the fields belong to; `noauth` if there are none.
    pub fn pluton_auth_types(&self) -> Vec<String> {
        let mut types = Vec::new();
        for name in self.fields().into_iter().filter_map(|field| self.auth_of(field)) {
            if !types.contains(&name) {
                types.push(name);
            }
        }
        if types.is_empty() { vec!["noauth".into()] } else { types }
    }

    /// What a configuration that Pluton gives means: it may be the configuration alone or Pluton's whole record of a storage,
    /// and every value may be a string (see [`coerce`](Self::coerce)). Fields that the schema does not know stay, for
    /// [`validate`](Self::validate) to judge.
    pub fn understand(&self, mut given: Map<String, Value>) -> Understood {
        let mut config = Map::new();
        for part in PARTS_OF_THE_RECORD {
            if let Some(Value::Object(fields)) = self.take_foreign(&mut given, part, Value::is_object) {
                config.extend(fields);
            }
        }
        for name in OF_THE_RECORD {
            self.take_foreign(&mut given, name, |_| true);
        }
        config.extend(given);
        let mut notes = Vec::new();
        for (name, why) in WITHOUT_EFFECT {
            let taken = self.take_foreign(&mut config, name, |_| true);
            if taken.is_some_and(|value| !value.is_null() && value != "") {
                notes.push(format!("{name} is ignored: {why}"));
            }
        }
        Understood { config: self.coerce(config), notes }
    }

    /// Takes a field away that the schema does not know.
    fn take_foreign(
        &self,
        config: &mut Map<String, Value>,
        name: &str,
        fits: impl Fn(&Value) -> bool,
    ) -> Option<Value> {
        let is_foreign = self.property(name).is_none() && config.get(name).is_some_and(fits);
        if is_foreign { config.remove(name) } else { None }
    }

    fn auth_of(&self, field: &str) -> Option<String> {
        self.property(field)?.get(annotation::AUTH)?.as_str().map(str::to_owned)
    }

    fn pluton_field(&self, name: &str, property: &Value) -> PlutonField {
        let options = options(property);
        let field_type = if self.is_secret(name) { "password" } else { field_type(property, &options) };
        let default = match property.get("default") {
            Some(default @ Value::Bool(_)) if field_type == "bool" => default.clone(),
            None if field_type == "bool" => false.into(),
            // A secret has none that could be shown.
            _ if field_type == "password" => "".into(),
            Some(default) => written_default(default).into(),
            None => "".into(),
        };
        PlutonField {
            label: text(property, "title").unwrap_or(name).to_owned(),
            value: name.to_owned(),
            field_type,
            auth_field_type: self.auth_of(name),
            required: self.as_json()["required"]
                .as_array()
                .is_some_and(|all| all.iter().any(|one| one == name)),
            default,
            description: description(property),
            options,
        }
    }
}

fn text<'a>(property: &'a Value, name: &str) -> Option<&'a str> {
    property.get(name).and_then(Value::as_str)
}

fn field_type(property: &Value, options: &[PlutonOption]) -> &'static str {
    let any = |name: &str| variants(property).into_iter().any(|one| is(one, name));
    if any("boolean") {
        if any("null") { "tristate" } else { "bool" }
    } else if any("array") {
        "commaseplist"
    } else if !options.is_empty() {
        "select"
    } else if any("integer") {
        "int"
    } else if text(property, annotation::UNIT) == Some("duration") {
        "duration"
    } else {
        "string"
    }
}

fn options(property: &Value) -> Vec<PlutonOption> {
    let all = variants(property);
    let values = all.iter().flat_map(|one| {
        let several = one.get("enum").and_then(Value::as_array).into_iter().flatten();
        several.chain(one.get("const")).filter_map(Value::as_str)
    });
    values.map(|value| PlutonOption { label: value.to_owned(), value: value.to_owned() }).collect()
}

/// The description, with the bounds and the unit of a number.
fn description(property: &Value) -> String {
    let words = text(property, "description").unwrap_or_default().to_owned();
    let bound = |name: &str| property.get(name).and_then(Value::as_i64);
    let bounds = match (bound("minimum"), bound("maximum")) {
        (Some(least), Some(most)) => format!(" From {least} to {most}"),
        (None, Some(most)) => format!(" At most {most}"),
        (Some(least), None) => format!(" At least {least}"),
        (None, None) => return words,
    };
    match text(property, annotation::UNIT).filter(|unit| *unit != "year") {
        Some(unit) => format!("{words}{bounds} {unit}."),
        None => format!("{words}{bounds}."),
    }
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde_json::{Value, json};

    use crate::ConfigSchema;

    #[derive(JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Example {
        /// Who asks.
        #[schemars(title = "Client", extend("x-auth" = "client", "x-order" = 1))]
        client: String,
        #[serde(default)]
        #[schemars(extend("x-auth" = "client", "x-secret" = true, "x-order" = 2))]
        secret: String,
        #[serde(default = "yes")]
        #[schemars(extend("x-order" = 3))]
        flag: bool,
        #[schemars(extend("x-order" = 4))]
        maybe: Option<bool>,
        /// How many.
        #[serde(default = "ten")]
        #[schemars(range(min = 1, max = 64), extend("x-unit" = "files", "x-order" = 5))]
        count: u8,
        #[serde(default)]
        #[schemars(extend("x-order" = 6))]
        mode: Mode,
        #[serde(default = "wait")]
        #[schemars(extend("x-unit" = "duration", "x-order" = 7))]
        wait: String,
        #[serde(default)]
        #[schemars(extend("x-order" = 8))]
        names: Vec<String>,
    }

    #[derive(Default, serde::Serialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    #[schemars(inline)]
    enum Mode {
        #[default]
        Sync,
        #[expect(dead_code, reason = "only its schema is used")]
        Off,
    }

    fn yes() -> bool {
        true
    }

    fn ten() -> u8 {
        10
    }

    fn wait() -> String {
        "0s".into()
    }

    #[test]
    fn a_schema_becomes_plutons_field_list() {
        let schema = ConfigSchema::of::<Example>();
        let fields = serde_json::to_value(schema.pluton_fields()).expect("JSON");
        let expected = json!([
            {"label": "Client", "value": "client", "fieldType": "string", "authFieldType": "client", "required": true,
             "default": "", "description": "Who asks."},
            {"label": "secret", "value": "secret", "fieldType": "password", "authFieldType": "client", "required": false,
             "default": "", "description": ""},
            {"label": "flag", "value": "flag", "fieldType": "bool", "required": false, "default": true, "description": ""},
            {"label": "maybe", "value": "maybe", "fieldType": "tristate", "required": false, "default": "",
             "description": ""},
            {"label": "count", "value": "count", "fieldType": "int", "required": false, "default": "10",
             "description": "How many. From 1 to 64 files."},
            {"label": "mode", "value": "mode", "fieldType": "select", "required": false, "default": "sync",
             "description": "", "options": [{"label": "sync", "value": "sync"}, {"label": "off", "value": "off"}]},
            {"label": "wait", "value": "wait", "fieldType": "duration", "required": false, "default": "0s",
             "description": ""},
            {"label": "names", "value": "names", "fieldType": "commaseplist", "required": false, "default": "",
             "description": ""},
        ]);
        assert_eq!(fields, expected, "{fields:#}");
        assert_eq!(schema.pluton_auth_types(), ["client"]);
    }

    #[test]
    fn the_defaults_of_the_form_are_those_of_the_schema() {
        let schema = ConfigSchema::of::<Example>();
        let filled = schema.pluton_fields().into_iter().map(|field| (field.value, field.default)).collect();
        let understood = Value::Object(schema.understand(filled).config);
        assert_eq!(understood, json!({"flag": true, "count": 10, "mode": "sync", "wait": "0s"}));
    }

    #[test]
    fn a_whole_record_of_a_storage_is_understood() {
        let schema = ConfigSchema::of::<Example>();
        let record = json!({
            "id": "x1", "name": "family", "type": "gphotos", "authType": "client", "defaultPath": "/", "tags": [],
            "settings": {"count": "20", "flag": "false", "encoding": "slash,crlf", "description": ""},
            "credentials": {"client": "me", "secret": "hunter2"},
        });
        let understood = schema.understand(record.as_object().cloned().expect("an object"));
        let expected = json!({"client": "me", "secret": "hunter2", "count": 20, "flag": false});
        assert_eq!(Value::Object(understood.config), expected);
        assert_eq!(
            understood.notes,
            ["encoding is ignored: Charon gives names that are safe on every file system by itself"]
        );
    }

    #[test]
    fn an_unknown_field_is_left_to_be_told() {
        let given = json!({"client": "me", "cuont": "3"});
        let schema = ConfigSchema::of::<Example>();
        let understood = schema.understand(given.as_object().cloned().expect("an object"));
        let mistakes = schema.validate(&Value::Object(understood.config)).expect_err("a mistake").to_string();
        assert_eq!(mistakes, "cuont: is not a known field; did you mean count?");
    }
}
