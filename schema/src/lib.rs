//! JSON Schema with manners.
//!
//! A provider describes its configuration once, as a struct that derives [`schemars::JsonSchema`]. From that one
//! description this room draws everything that has to agree with it: what a form shows ([`annotation`]), what is wrong
//! with a configuration and where ([`ConfigSchema::validate`]), which fields are secret, and how to take them out
//! ([`ConfigSchema::split`]) or hide them ([`ConfigSchema::redact`]), what a property takes ([`shape()`]), what Pluton's form
//! asks for ([`ConfigSchema::pluton_fields`]) and what its answers mean ([`ConfigSchema::understand`]).
//!
//! No I/O happens here.

pub mod annotation;
mod mistake;
mod pluton;
mod secrets;
mod shape;
mod strings;
mod validate;

pub use mistake::{Mistake, Mistakes};
pub use pluton::{PlutonField, PlutonOption, Understood};
pub use shape::{Choice, Shape, fields, is_nullable, property, shape};
pub use strings::as_strings;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

/// The schema of one kind of configuration, ready to judge and to describe.
#[derive(Debug)]
pub struct ConfigSchema {
    json: Value,
    validator: jsonschema::Validator,
}

impl ConfigSchema {
    /// The schema (JSON Schema draft 2020-12) of the configuration that `T` is read from.
    ///
    /// # Panics
    /// Only if `schemars` derived something that is no valid schema; a room's tests build its schema once, so that
    /// this cannot reach a user.
    pub fn of<T: JsonSchema>() -> Self {
        let schema = SchemaSettings::draft2020_12()
            .with(|settings| settings.inline_subschemas = true)
            .into_generator()
            .into_root_schema_for::<T>();
        let json = schema.to_value();
        let validator = jsonschema::validator_for(&json).expect("a derived schema is a valid schema");
        Self { json, validator }
    }

    /// The schema in a JSON Schema document that was written elsewhere, for instance by another program.
    ///
    /// # Errors
    /// Why it is no valid schema.
    pub fn from_json(json: Value) -> Result<Self, String> {
        let validator = jsonschema::validator_for(&json).map_err(|error| error.to_string())?;
        Ok(Self { json, validator })
    }

    /// The JSON Schema document itself, annotations included.
    pub fn as_json(&self) -> &Value {
        &self.json
    }

    /// The names of the fields, in the order in which a form shows them ([`annotation::ORDER`], then by name).
    pub fn fields(&self) -> Vec<&str> {
        shape::fields(&self.json)
    }
}
