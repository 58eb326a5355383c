//! Who may come in: the password, sessions, tokens; the audit log; what is set. Secrets come here as hashes.

use jiff::Timestamp;
use serde_json::{Map, Value};
use sqlx::{Row, sqlite::SqliteRow};

use super::{Doing, Store, count, decode_error, micros, moment, parsed, stored};
use crate::{
    access::{AuditEntry, NewAuditEntry, Session, Token},
    error::Error,
    ids::{SessionId, TokenId},
};

/// A browser that signs in.
#[derive(Debug)]
pub(crate) struct NewSession<'a> {
    pub(crate) session: &'a Session,
    /// The hash of what it holds.
    pub(crate) secret: [u8; 32],
    /// So many there may be, with this one.
    pub(crate) most: u32,
}

/// A token that is made.
#[derive(Debug)]
pub(crate) struct NewTokenRow<'a> {
    pub(crate) token: &'a Token,
    /// The hash of what its holder has.
    pub(crate) secret: [u8; 32],
    /// So many there may be, with this one.
    pub(crate) most: u32,
}

impl Store {
    /// The hash of the password, if there is one.
    pub(crate) async fn password(&self) -> Result<Option<String>, Error> {
        const DOING: &str = "look up the password";
        let row =
            sqlx::query("SELECT password FROM admin").fetch_optional(&self.reader).await.doing(DOING)?;
        row.map(|row| row.try_get("password")).transpose().doing(DOING)
    }

    /// Gives false if there is a password already.
    pub(crate) async fn set_first_password(&self, hash: &str, now: Timestamp) -> Result<bool, Error> {
        let done = sqlx::query(
            "INSERT INTO admin (one, password, changed_at) VALUES (1, ?, ?) ON CONFLICT (one) DO NOTHING",
        )
        .bind(hash)
        .bind(micros(now))
        .execute(&self.writer)
        .await
        .doing("set the first password")?;
        Ok(done.rows_affected() == 1)
    }

    /// Replaces the password and ends all sessions but this one. Gives false if it is not what it was any more.
    pub(crate) async fn change_password(
        &self,
        old: &str,
        new: &str,
        keep: Option<SessionId>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        const DOING: &str = "change the password";
        let mut tx = self.begin().await.doing(DOING)?;
        let done = sqlx::query("UPDATE admin SET password = ?, changed_at = ? WHERE password = ?")
            .bind(new)
            .bind(micros(now))
            .bind(old)
            .execute(&mut *tx)
            .await
            .doing(DOING)?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query("DELETE FROM admin_sessions WHERE ?1 IS NULL OR id <> ?1")
            .bind(keep.map(|id| id.to_string()))
            .execute(&mut *tx)
            .await
            .doing(DOING)?;
        tx.commit().await.doing(DOING)?;
        Ok(true)
    }

    /// Sets the password, whatever it was, and ends all sessions.
    pub(crate) async fn reset_password(&self, hash: &str, now: Timestamp) -> Result<(), Error> {
        const DOING: &str = "set the password";
        let mut tx = self.begin().await.doing(DOING)?;
        sqlx::query("INSERT OR REPLACE INTO admin (one, password, changed_at) VALUES (1, ?, ?)")
            .bind(hash)
            .bind(micros(now))
            .execute(&mut *tx)
            .await
            .doing(DOING)?;
        sqlx::query("DELETE FROM admin_sessions").execute(&mut *tx).await.doing(DOING)?;
        tx.commit().await.doing(DOING)
    }

    /// Adds a session. Those that have ended go, and should there be too many, those that have not come for longest.
    pub(crate) async fn add_session(&self, new: &NewSession<'_>) -> Result<(), Error> {
        const DOING: &str = "sign a browser in";
        let session = new.session;
        let mut tx = self.begin().await.doing(DOING)?;
        sqlx::query("DELETE FROM admin_sessions WHERE expires_at <= ?")
            .bind(micros(session.created_at))
            .execute(&mut *tx)
            .await
            .doing(DOING)?;
        sqlx::query(
            "DELETE FROM admin_sessions WHERE id IN (SELECT id FROM admin_sessions ORDER BY seen_at DESC LIMIT -1 OFFSET ?)",
        )
        .bind(new.most.saturating_sub(1))
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        sqlx::query(
            "INSERT INTO admin_sessions (secret, id, created_at, seen_at, expires_at, address, user_agent)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&new.secret[..])
        .bind(session.id.to_string())
        .bind(micros(session.created_at))
        .bind(micros(session.seen_at))
        .bind(micros(session.expires_at))
        .bind(&session.address)
        .bind(&session.user_agent)
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        tx.commit().await.doing(DOING)
    }

    /// The session of this secret, unless it has ended.
    pub(crate) async fn admin_session(
        &self,
        secret: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<Session>, Error> {
        let row = sqlx::query("SELECT * FROM admin_sessions WHERE secret = ? AND expires_at > ?")
            .bind(&secret[..])
            .bind(micros(now))
            .fetch_optional(&self.reader)
            .await;
        row.and_then(|row| row.as_ref().map(read_session).transpose()).doing("look up a session")
    }

    /// Writes down that a session came. Gives false if it is not there any more.
    pub(crate) async fn session_seen(
        &self,
        secret: &[u8; 32],
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<bool, Error> {
        let done = sqlx::query("UPDATE admin_sessions SET seen_at = ?, expires_at = ? WHERE secret = ?")
            .bind(micros(now))
            .bind(micros(expires_at))
            .bind(&secret[..])
            .execute(&self.writer)
            .await
            .doing("write down that a browser came")?;
        Ok(done.rows_affected() == 1)
    }

    pub(crate) async fn sessions(&self, now: Timestamp) -> Result<Vec<Session>, Error> {
        let rows = sqlx::query("SELECT * FROM admin_sessions WHERE expires_at > ? ORDER BY seen_at DESC, id")
            .bind(micros(now))
            .fetch_all(&self.reader)
            .await;
        rows.and_then(|rows| rows.iter().map(read_session).collect()).doing("list the sessions")
    }

    pub(crate) async fn end_session(&self, id: SessionId) -> Result<bool, Error> {
        let done = sqlx::query("DELETE FROM admin_sessions WHERE id = ?")
            .bind(id.to_string())
            .execute(&self.writer)
            .await
            .doing("end a session")?;
        Ok(done.rows_affected() == 1)
    }

    pub(crate) async fn end_sessions(&self, keep: Option<SessionId>) -> Result<(), Error> {
        sqlx::query("DELETE FROM admin_sessions WHERE ?1 IS NULL OR id <> ?1")
            .bind(keep.map(|id| id.to_string()))
            .execute(&self.writer)
            .await
            .doing("end the sessions")
            .map(drop)
    }

    /// Forgets sessions that have ended.
    pub(crate) async fn forget_sessions(&self, now: Timestamp) -> Result<(), Error> {
        sqlx::query("DELETE FROM admin_sessions WHERE expires_at <= ?")
            .bind(micros(now))
            .execute(&self.writer)
            .await
            .doing("forget sessions that have ended")
            .map(drop)
    }

    /// Adds a token. If it cannot be, since its name is taken or there are too many, gives how many there are.
    pub(crate) async fn add_token(&self, new: &NewTokenRow<'_>) -> Result<Option<u32>, Error> {
        const DOING: &str = "add a token";
        let mut tx = self.begin().await.doing(DOING)?;
        let row = sqlx::query("SELECT COUNT(*) FROM tokens").fetch_one(&mut *tx).await;
        let count: u32 = row.and_then(|row| row.try_get(0)).doing(DOING)?;
        if count >= new.most {
            return Ok(Some(count));
        }
        let done = sqlx::query(
            "INSERT INTO tokens (secret, id, name, scope, created_at, used_at, expires_at)
             VALUES (?, ?, ?, ?, ?, NULL, ?) ON CONFLICT (name) DO NOTHING",
        )
        .bind(&new.secret[..])
        .bind(new.token.id.to_string())
        .bind(&new.token.name)
        .bind(new.token.scope.as_str())
        .bind(micros(new.token.created_at))
        .bind(new.token.expires_at.map(micros))
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        if done.rows_affected() == 0 {
            return Ok(Some(count));
        }
        tx.commit().await.doing(DOING)?;
        Ok(None)
    }

    pub(crate) async fn tokens(&self) -> Result<Vec<Token>, Error> {
        let rows = sqlx::query("SELECT * FROM tokens ORDER BY name").fetch_all(&self.reader).await;
        rows.and_then(|rows| rows.iter().map(read_token).collect()).doing("list the tokens")
    }

    /// The token of this secret, unless it has ended.
    pub(crate) async fn token(&self, secret: &[u8; 32], now: Timestamp) -> Result<Option<Token>, Error> {
        let row =
            sqlx::query("SELECT * FROM tokens WHERE secret = ? AND (expires_at IS NULL OR expires_at > ?)")
                .bind(&secret[..])
                .bind(micros(now))
                .fetch_optional(&self.reader)
                .await;
        row.and_then(|row| row.as_ref().map(read_token).transpose()).doing("look up a token")
    }

    /// Writes down that a token was used. Gives false if it is not there any more.
    pub(crate) async fn token_used(&self, secret: &[u8; 32], now: Timestamp) -> Result<bool, Error> {
        let done = sqlx::query("UPDATE tokens SET used_at = ? WHERE secret = ?")
            .bind(micros(now))
            .bind(&secret[..])
            .execute(&self.writer)
            .await
            .doing("write down that a token was used")?;
        Ok(done.rows_affected() == 1)
    }

    pub(crate) async fn revoke_token(&self, id: TokenId) -> Result<Option<Token>, Error> {
        let row = sqlx::query("DELETE FROM tokens WHERE id = ? RETURNING *")
            .bind(id.to_string())
            .fetch_optional(&self.writer)
            .await;
        row.and_then(|row| row.as_ref().map(read_token).transpose()).doing("revoke a token")
    }

    pub(crate) async fn add_audit_entry(&self, entry: &NewAuditEntry, now: Timestamp) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO audit (at, who, address, action, target, detail, refused) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(micros(now))
        .bind(&entry.who)
        .bind(&entry.address)
        .bind(&entry.action)
        .bind(&entry.target)
        .bind(Value::Object(entry.detail.clone()).to_string())
        .bind(entry.is_refused)
        .execute(&self.writer)
        .await
        .doing("write the audit log")
        .map(drop)
    }

    /// The newest entries before that one, the newest first.
    pub(crate) async fn audit_entries(
        &self,
        before: Option<i64>,
        most: u32,
    ) -> Result<Vec<AuditEntry>, Error> {
        let rows = sqlx::query("SELECT * FROM audit WHERE seq < ? ORDER BY seq DESC LIMIT ?")
            .bind(before.unwrap_or(i64::MAX))
            .bind(most)
            .fetch_all(&self.reader)
            .await;
        rows.and_then(|rows| rows.iter().map(read_entry).collect()).doing("read the audit log")
    }

    /// Forgets some of the entries that are older than that. Gives how many.
    pub(crate) async fn forget_old_audit_entries(
        &self,
        before: Timestamp,
        at_once: u32,
    ) -> Result<u64, Error> {
        let done = sqlx::query(
            "DELETE FROM audit WHERE seq IN (SELECT seq FROM audit WHERE at < ? ORDER BY at LIMIT ?)",
        )
        .bind(micros(before))
        .bind(at_once)
        .execute(&self.writer)
        .await
        .doing("forget old entries of the audit log")?;
        Ok(done.rows_affected())
    }

    /// Forgets some of the entries beyond so many of what was refused, or of what was done. Gives how many.
    pub(crate) async fn forget_audit_entries_beyond(
        &self,
        kept: u32,
        refused: bool,
        at_once: u32,
    ) -> Result<u64, Error> {
        let done = sqlx::query(
            "DELETE FROM audit WHERE seq IN (
                 SELECT seq FROM audit WHERE refused = ?1 AND seq <= (
                     SELECT seq FROM audit WHERE refused = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)
                 ORDER BY seq LIMIT ?3)",
        )
        .bind(refused)
        .bind(kept)
        .bind(at_once)
        .execute(&self.writer)
        .await
        .doing("forget entries of the audit log that are too many")?;
        Ok(done.rows_affected())
    }

    /// What is set, and its revision, if anything is.
    pub(crate) async fn settings(&self) -> Result<Option<(u64, Map<String, Value>)>, Error> {
        const DOING: &str = "look up the settings";
        let row = sqlx::query("SELECT * FROM settings").fetch_optional(&self.reader).await.doing(DOING)?;
        row.map(|row| Ok((count(&row, "revision")?, object(&row, "document")?))).transpose().doing(DOING)
    }

    /// Replaces what is set, if that is of this revision still (0 for none). Gives false otherwise.
    pub(crate) async fn replace_settings(&self, seen: u64, document: &str) -> Result<bool, Error> {
        let done = sqlx::query(
            "INSERT INTO settings (one, revision, document) SELECT 1, ?1 + 1, ?2
             WHERE ?1 = COALESCE((SELECT revision FROM settings), 0)
             ON CONFLICT (one) DO UPDATE SET revision = excluded.revision, document = excluded.document",
        )
        .bind(stored(seen))
        .bind(document)
        .execute(&self.writer)
        .await
        .doing("change the settings")?;
        Ok(done.rows_affected() == 1)
    }
}

fn read_session(row: &SqliteRow) -> Result<Session, sqlx::Error> {
    Ok(Session {
        id: parsed(row, "id")?,
        created_at: moment(row, "created_at")?,
        seen_at: moment(row, "seen_at")?,
        expires_at: moment(row, "expires_at")?,
        address: row.try_get("address")?,
        user_agent: row.try_get("user_agent")?,
    })
}

fn read_token(row: &SqliteRow) -> Result<Token, sqlx::Error> {
    Ok(Token {
        id: parsed(row, "id")?,
        name: row.try_get("name")?,
        scope: parsed(row, "scope")?,
        created_at: moment(row, "created_at")?,
        used_at: maybe_moment(row, "used_at")?,
        expires_at: maybe_moment(row, "expires_at")?,
    })
}

fn read_entry(row: &SqliteRow) -> Result<AuditEntry, sqlx::Error> {
    Ok(AuditEntry {
        seq: row.try_get("seq")?,
        at: moment(row, "at")?,
        who: row.try_get("who")?,
        address: row.try_get("address")?,
        action: row.try_get("action")?,
        target: row.try_get("target")?,
        detail: object(row, "detail")?,
    })
}

fn maybe_moment(row: &SqliteRow, column: &str) -> Result<Option<Timestamp>, sqlx::Error> {
    row.try_get::<Option<i64>, _>(column)?
        .map(|micros| Timestamp::from_microsecond(micros).map_err(decode_error))
        .transpose()
}

fn object(row: &SqliteRow, column: &str) -> Result<Map<String, Value>, sqlx::Error> {
    serde_json::from_str(row.try_get(column)?).map_err(decode_error)
}
