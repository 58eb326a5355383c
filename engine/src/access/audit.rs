//! The audit log: who changed what, when, and from where.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::secret::bounded;
use crate::{engine::Engine, error::Error};

/// So many entries of what was done are kept at most, however young they are; and so many of what was refused, which so push nothing
/// of what was done out of the log.
const MOST: u32 = 100_000;
const MOST_REFUSED: u32 = 20_000;
/// So many are forgotten at once, so that nobody waits for long.
pub(super) const AT_ONCE: u32 = 2_000;
/// No text of an entry is longer.
const LONGEST: usize = 300;
/// The details of an entry have so many bytes at most.
const LONGEST_DETAIL: usize = 4 * 1024;

/// One thing that somebody did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AuditEntry {
    /// Its number; later ones are greater.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// Who: the administrator, or a token by its name.
    pub who: String,
    /// The address from where.
    pub address: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub target: Option<String>,
    /// What more there is to say of it. Never a secret.
    pub detail: Map<String, Value>,
}

/// One thing that somebody does, for the log. What is too long is cut off.
#[derive(Clone, Debug, Default)]
pub struct NewAuditEntry {
    /// Who.
    pub who: String,
    /// The address from where.
    pub address: String,
    /// What is done, such as `token.created` or `POST /api/v1/plans`.
    pub action: String,
    /// To what.
    pub target: Option<String>,
    /// What more there is to say of it. Must hold no secret.
    pub detail: Map<String, Value>,
    /// Whether it was refused, or not done.
    pub is_refused: bool,
}

impl Engine {
    /// Writes down what somebody did.
    pub async fn audit(&self, entry: NewAuditEntry) -> Result<(), Error> {
        let mut detail = entry.detail;
        if Value::Object(detail.clone()).to_string().len() > LONGEST_DETAIL {
            detail = Map::from_iter([("left_out".to_owned(), Value::from("too long to be kept"))]);
        }
        let bounded = NewAuditEntry {
            who: bounded(&entry.who, LONGEST),
            address: bounded(&entry.address, LONGEST),
            action: bounded(&entry.action, LONGEST),
            target: entry.target.map(|target| bounded(&target, LONGEST)),
            detail,
            is_refused: entry.is_refused,
        };
        self.store.add_audit_entry(&bounded, self.clock.now()).await
    }

    /// What was done, the newest first; before the entry of that number, if one is given.
    pub async fn audit_entries(&self, before: Option<i64>, most: u32) -> Result<Vec<AuditEntry>, Error> {
        self.store.audit_entries(before, most).await
    }

    /// Forgets sessions that have ended, and what the audit log does not keep any longer. Gives false if more is to be forgotten.
    pub(crate) async fn forget_access(&self, now: Timestamp) -> Result<bool, Error> {
        self.store.forget_sessions(now).await?;
        let kept =
            SignedDuration::from_hours(24 * i64::from(self.instance_settings().await?.value.audit_days));
        let before = now.checked_sub(kept).unwrap_or(Timestamp::MIN);
        let old = self.store.forget_old_audit_entries(before, AT_ONCE).await?;
        let done = self.store.forget_audit_entries_beyond(MOST, false, AT_ONCE).await?;
        let refused = self.store.forget_audit_entries_beyond(MOST_REFUSED, true, AT_ONCE).await?;
        Ok(old.max(done).max(refused) < u64::from(AT_ONCE))
    }
}
