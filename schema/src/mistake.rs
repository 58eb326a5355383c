//! What is wrong with a configuration: one [`Mistake`] per place, all of them at once.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Mistake {
    /// JSON Pointer (RFC 6901) to the wrong field, for instance `/batch_size`. Empty for the configuration as a whole.
    pub pointer: String,
    /// What is wrong, as a fragment that reads well after the field's name. Never contains a secret.
    pub reason: String,
}

impl Mistake {
    /// A mistake in the field `name` of the configuration's first level.
    pub fn in_field(name: &str, reason: impl Into<String>) -> Self {
        Self { pointer: format!("/{}", name.replace('~', "~0").replace('/', "~1")), reason: reason.into() }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pointer.strip_prefix('/') {
            Some(field) => write!(f, "{field}: {}", self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

/// Every mistake of one configuration; never empty when it is an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct Mistakes(pub Vec<Mistake>);

impl Mistakes {
    /// These mistakes, and those of another judgement in fields that these do not name already. In the order of their
    /// pointers.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        let new: Vec<Mistake> = others
            .0
            .into_iter()
            .filter(|other| self.0.iter().all(|one| one.pointer != other.pointer))
            .collect();
        self.0.extend(new);
        self.0.sort_by(|a, b| a.pointer.cmp(&b.pointer));
        self
    }
}

impl From<Mistake> for Mistakes {
    fn from(mistake: Mistake) -> Self {
        Self(vec![mistake])
    }
}
