//! Who may come in over HTTP: the administrator's password, the browsers that are signed in, tokens for other programs; what they
//! did (the audit log), and what is set for the whole of it.
//!
//! What comes in is compared by its hash, and goes out once or never (I6).

mod audit;
mod instance;
mod password;
mod secret;
mod sessions;
#[cfg(test)]
mod tests;
mod tokens;

pub use audit::{AuditEntry, NewAuditEntry};
pub use instance::{InstanceSettings, Versioned};
pub(crate) use password::Hashing;
pub use sessions::{OpenedSession, Session};
pub use tokens::{NewToken, Scope, Token};
