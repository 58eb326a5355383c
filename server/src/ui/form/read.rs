//! What a browser sends of a form, as a configuration.

use charon_schema::{ConfigSchema, Mistake, Shape, fields, is_nullable, property, shape};
use serde_json::{Map, Value};

use super::field::pointer_to;

/// Of a choice of words or a list: the list.
pub(super) const LIST: &str = "~list";

/// What was entered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entered {
    /// The configuration, for its schema to judge. What could not be read is there as text; a secret that is to be forgotten, as null.
    pub(crate) config: Map<String, Value>,
    /// What contradicts itself.
    pub(crate) mistakes: Vec<Mistake>,
}

/// The name of the control that says of which kind a value is. No pointer looks like it.
pub(super) fn kind_name(pointer: &str) -> String {
    format!("{pointer}~kind")
}

/// The name of the box that says that a stored secret is to be forgotten.
pub(super) fn forget_name(pointer: &str) -> String {
    format!("{pointer}~forget")
}

/// Reads the fields of a form, in the order in which they were sent. Names that are no pointers are the page's own.
pub(crate) fn read(schema: &ConfigSchema, sent: &[(String, String)]) -> Entered {
    let mut reader = Reader { sent, mistakes: Vec::new() };
    let mut config = reader.object(schema.as_json(), "");
    reader.add_unknown(schema.as_json(), &mut config);
    let mut config = schema.coerce(config);
    for field in schema.fields().into_iter().filter(|field| schema.is_secret(field)) {
        if !config.contains_key(field) && reader.text(&forget_name(&pointer_to("", field))).is_some() {
            config.insert(field.to_owned(), Value::Null);
        }
    }
    Entered { config, mistakes: reader.mistakes }
}

struct Reader<'a> {
    sent: &'a [(String, String)],
    mistakes: Vec<Mistake>,
}

impl Reader<'_> {
    fn object(&mut self, object: &Value, parent: &str) -> Map<String, Value> {
        let mut read = Map::new();
        for name in fields(object) {
            let Some(property) = property(object, name) else { continue };
            let pointer = pointer_to(parent, name);
            let value = match shape(property) {
                Shape::Fields => {
                    let fields = self.object(property, &pointer);
                    (!fields.is_empty()).then_some(Value::Object(fields))
                }
                Shape::Boolean => self.boolean(property, &pointer),
                Shape::List => self.list(&pointer),
                Shape::ChoiceOrList(_) => self.choice_or_list(&pointer),
                _ => self.text(&pointer).map(Value::from),
            };
            if let Some(value) = value {
                read.insert(name.to_owned(), value);
            }
        }
        read
    }

    fn all(&self, name: &str) -> impl DoubleEndedIterator<Item = &str> {
        self.sent.iter().filter(move |(sent, _)| sent == name).map(|(_, value)| value.as_str())
    }

    /// What was entered last, unless it is empty. Browsers end lines with two characters.
    fn text(&self, name: &str) -> Option<String> {
        self.all(name).next_back().filter(|text| !text.is_empty()).map(|text| text.replace("\r\n", "\n"))
    }

    /// A box that is as it is by default says nothing.
    fn boolean(&self, property: &Value, pointer: &str) -> Option<Value> {
        let value = match self.text(pointer)?.as_str() {
            "true" | "on" => Value::Bool(true),
            "false" => Value::Bool(false),
            other => return Some(other.into()),
        };
        (is_nullable(property) || property.get("default") != Some(&value)).then_some(value)
    }

    /// Each line of each control of the name. Written as JSON, which is read as the schema wants it.
    fn list(&self, name: &str) -> Option<Value> {
        let lines: Vec<&str> =
            self.all(name).flat_map(str::lines).map(str::trim).filter(|line| !line.is_empty()).collect();
        (!lines.is_empty()).then(|| Value::from(lines).to_string().into())
    }

    fn choice_or_list(&mut self, pointer: &str) -> Option<Value> {
        let list = self.list(pointer);
        let kind = self.all(&kind_name(pointer)).next_back().map(str::to_owned);
        match kind.as_deref() {
            None => list,
            // That is what was said; whether it may be empty is judged elsewhere.
            Some(LIST) => Some(list.unwrap_or_else(|| Value::Array(Vec::new()))),
            Some(_) if list.is_some() => {
                let reason = "is chosen to be something else than the list, and the list is not empty: choose the list, or \
                              empty it";
                self.mistakes.push(Mistake { pointer: pointer.to_owned(), reason: reason.to_owned() });
                list
            }
            Some("") => None,
            Some(word) => Some(word.into()),
        }
    }

    /// What the schema does not know, for it to judge.
    fn add_unknown(&self, schema: &Value, config: &mut Map<String, Value>) {
        for (pointer, value) in self.sent.iter().filter(|(name, _)| name.starts_with('/') && !is_beside(name))
        {
            let name = pointer.trim_start_matches('/').split('/').next().unwrap_or_default();
            let name = name.replace("~1", "/").replace("~0", "~");
            if property(schema, &name).is_none() && !value.is_empty() {
                config.insert(name, value.as_str().into());
            }
        }
    }
}

fn is_beside(name: &str) -> bool {
    name.ends_with("~kind") || name.ends_with("~forget")
}
