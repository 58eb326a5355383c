//! The annotations that a field of a configuration may carry beside what JSON Schema has a word for.
//!
//! They are set with `#[schemars(extend("x-secret" = true))]` and read by whoever draws a form. The names are the keys
//! in the schema; the standard words (`title`, `description`, `default`, `minimum`, `maximum`, `enum`) keep their meaning.

/// `true`: the value is a secret. It is stored encrypted, and no answer ever contains it.
pub const SECRET: &str = "x-secret";
/// `true`: where secrets go, or what they are for. Whoever changes such a field enters the secrets again.
pub const BINDS_SECRETS: &str = "x-binds-secrets";
/// `true`: shown only to those who ask for advanced settings.
pub const ADVANCED: &str = "x-advanced";
/// The heading under which a form shows the field.
pub const GROUP: &str = "x-group";
/// The unit of a number, for instance `"bytes"`.
pub const UNIT: &str = "x-unit";
/// The place of the field in a form, counted from 1.
pub const ORDER: &str = "x-order";
/// How the field takes part in signing in, in Pluton's words: `"client"`, `"oauth"`, `"password"` or `"all"`. Pluton's form
/// shows the fields of one such kind together, before all others.
pub const AUTH: &str = "x-auth";
