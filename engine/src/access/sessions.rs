//! Browsers that are signed in.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::secret::{bounded, derived, hash_of, new_secret};
use crate::{engine::Engine, error::Error, ids::SessionId, store::NewSession};

/// A browser that has not come for so long is signed out.
const IDLE: SignedDuration = SignedDuration::from_hours(24 * 7);
/// And any is after so long.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 30);
/// When it came last is written down so often at most: those who only look do not make the disk write.
const NOTED_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// So many browsers may be signed in; one more, and the one that has not come for longest is signed out.
const MOST: u32 = 100;

/// A browser that is signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Session {
    /// Its id. It opens nothing.
    pub id: SessionId,
    /// When it signed in.
    pub created_at: Timestamp,
    /// When it came last, to the minute.
    pub seen_at: Timestamp,
    /// When it is signed out if it does not come again.
    pub expires_at: Timestamp,
    /// The address from where it signed in.
    pub address: String,
    /// What it calls itself.
    pub user_agent: Option<String>,
}

/// A session, and what is secret of it.
#[derive(Clone, Debug)]
pub struct OpenedSession {
    /// What can be shown.
    pub session: Session,
    /// What the browser holds and shows. It is told here and never again.
    pub secret: SecretString,
    /// What a page of ours sends along with everything that changes something, and no page of others can know.
    pub csrf: SecretString,
}

impl Engine {
    /// Signs a browser in, whose password was checked.
    pub async fn open_session(
        &self,
        address: &str,
        user_agent: Option<&str>,
    ) -> Result<OpenedSession, Error> {
        let now = self.clock.now();
        let secret = new_secret("", &*self.entropy);
        let session = Session {
            id: SessionId::new(&*self.clock, &*self.entropy),
            created_at: now,
            seen_at: now,
            expires_at: expiry(now, now),
            address: bounded(address, 100),
            user_agent: user_agent.map(|name| bounded(name, 300)),
        };
        let new = NewSession { session: &session, secret: known(&secret).unwrap_or_default(), most: MOST };
        self.store.add_session(&new).await?;
        Ok(opened(session, secret))
    }

    /// The session whose secret this is, unless it has ended.
    pub async fn session(&self, secret: &SecretString) -> Result<Option<OpenedSession>, Error> {
        let Some(hash) = known(secret) else { return Ok(None) };
        let now = self.clock.now();
        let Some(mut session) = self.store.admin_session(&hash, now).await? else { return Ok(None) };
        // A clock that was set back is no reason to write all the time.
        if now.duration_since(session.seen_at) >= NOTED_EVERY {
            let expires_at = expiry(session.created_at, now);
            // Another one may have ended it at this very moment.
            if !self.store.session_seen(&hash, now, expires_at).await? {
                return Ok(None);
            }
            (session.seen_at, session.expires_at) = (now, expires_at);
        }
        Ok(Some(opened(session, secret.clone())))
    }

    /// Whether there is a session whose secret this is, and it has not ended. To ask is no visit.
    pub async fn has_session(&self, secret: &SecretString) -> Result<bool, Error> {
        let Some(hash) = known(secret) else { return Ok(false) };
        Ok(self.store.admin_session(&hash, self.clock.now()).await?.is_some())
    }

    /// The browsers that are signed in, the one that came last first.
    pub async fn sessions(&self) -> Result<Vec<Session>, Error> {
        self.store.sessions(self.clock.now()).await
    }

    /// Signs a browser out. Gives false if there is no such session.
    pub async fn end_session(&self, id: SessionId) -> Result<bool, Error> {
        self.store.end_session(id).await
    }

    /// Signs all browsers out, but for this one.
    pub async fn end_sessions(&self, keep: Option<SessionId>) -> Result<(), Error> {
        self.store.end_sessions(keep).await
    }
}

fn known(secret: &SecretString) -> Option<[u8; 32]> {
    hash_of(secret.expose_secret())
}

fn opened(session: Session, secret: SecretString) -> OpenedSession {
    let csrf = derived("csrf", secret.expose_secret()).into();
    OpenedSession { session, secret, csrf }
}

/// When a session ends that came last at that time.
fn expiry(created_at: Timestamp, seen_at: Timestamp) -> Timestamp {
    let after = |time: Timestamp, wait| time.checked_add(wait).unwrap_or(Timestamp::MAX);
    after(seen_at, IDLE).min(after(created_at, LONGEST))
}
