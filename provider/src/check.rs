//! One stage of a connection test.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a stage ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Passed,
    /// It works, but a person should know something.
    Warned,
    /// It does not work; the stages after it are not tried.
    Failed,
}

/// One stage of a connection test, with its time, its cause and its cure.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Check {
    /// What was tried: `refresh the token`.
    pub stage: &'static str,
    /// How it ended.
    pub verdict: Verdict,
    /// How long it took, in milliseconds.
    #[serde(rename = "milliseconds", serialize_with = "milliseconds")]
    #[schemars(with = "u64")]
    pub took: Duration,
    /// What was found, in the server's own words where it had any.
    pub found: String,
    /// What a person can do about it.
    pub cure: Option<String>,
    /// A page where they can do it, or read more.
    pub link: Option<String>,
}

fn milliseconds<S: serde::Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(took.as_millis()).unwrap_or(u64::MAX))
}
