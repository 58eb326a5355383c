//! Copies of the database, made while it is in use, and when the last one was made.

use std::{fs, io, path::Path};

use jiff::Timestamp;
use serde_json::json;
use sqlx::{ConnectOptions, Connection, Row, sqlite::SqliteConnectOptions};

use super::{Doing, Store, events::write_event, maybe_time, parsed, publish};
use crate::{
    error::Error,
    events::{EventKind, NewEvent},
};

/// From where the time of the next backup is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BackupStanding {
    pub(crate) since: Timestamp,
    /// When the last one was made.
    pub(crate) done_at: Option<Timestamp>,
}

impl Store {
    /// Copies the whole database to a file for its owner alone, over a connection of its own: nobody waits for it. Under the name
    /// that is given there is never a part of a copy, nor one that is damaged or not durable.
    pub(crate) async fn back_up(&self, to: &Path) -> Result<(), Error> {
        let partial = to.with_extension("partial");
        let done = self.copy_into(&partial, to).await;
        if done.is_err() {
            // It was not made, or it is of no use; the error that is told is the one that says why.
            drop(fs::remove_file(&partial));
        }
        done
    }

    async fn copy_into(&self, partial: &Path, to: &Path) -> Result<(), Error> {
        const DOING: &str = "copy everything";
        let failed = |doing: &'static str| {
            let path = partial.to_owned();
            move |source| Error::DataFile { doing, path, source }
        };
        make_private_file(partial).map_err(failed("make the copy of the database"))?;
        // A reader that nobody else waits for. SQLite lets one that may not write to the database copy it elsewhere.
        let mut reader = self.reader.connect_options().connect().await.doing(DOING)?;
        sqlx::query("VACUUM INTO ?")
            .bind(partial.to_string_lossy().into_owned())
            .execute(&mut reader)
            .await
            .doing(DOING)?;
        reader.close().await.doing(DOING)?;
        verify(partial).await?;
        let (from, here) = (partial.to_owned(), to.to_owned());
        let published = tokio::task::spawn_blocking(move || publish(&from, &here)).await;
        let published = published.unwrap_or_else(|panic| Err(io::Error::other(panic)));
        published.map_err(failed("make durable"))
    }

    /// From where the time of the next backup is counted; from `now`, if nobody has looked before.
    pub(crate) async fn backup_standing(&self, now: Timestamp) -> Result<BackupStanding, Error> {
        const DOING: &str = "look up the last backup";
        let row = sqlx::query("SELECT since, done_at FROM chores WHERE name = 'backup'")
            .fetch_optional(&self.reader)
            .await
            .doing(DOING)?;
        if let Some(row) = row {
            let (since, done_at) =
                (parsed(&row, "since").doing(DOING)?, maybe_time(&row, "done_at").doing(DOING)?);
            return Ok(BackupStanding { since, done_at });
        }
        self.count_backups_from(now).await?;
        Ok(BackupStanding { since: now, done_at: None })
    }

    /// The time of the next backup is counted from here.
    pub(crate) async fn count_backups_from(&self, since: Timestamp) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO chores (name, since) VALUES ('backup', ?)
             ON CONFLICT (name) DO UPDATE SET since = excluded.since",
        )
        .bind(since.to_string())
        .execute(&self.writer)
        .await
        .doing("note from when on backups are due")
        .map(drop)
    }

    /// A backup was made.
    pub(crate) async fn backed_up(&self, at: Timestamp) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO chores (name, since, done_at) VALUES ('backup', ?1, ?1)
             ON CONFLICT (name) DO UPDATE SET since = excluded.since, done_at = excluded.done_at",
        )
        .bind(at.to_string())
        .execute(&self.writer)
        .await
        .doing("note that the database was backed up")
        .map(drop)
    }

    /// When the last backup was made.
    pub(crate) async fn backed_up_at(&self) -> Result<Option<Timestamp>, Error> {
        let row = sqlx::query("SELECT done_at FROM chores WHERE name = 'backup'")
            .fetch_optional(&self.reader)
            .await;
        row.and_then(|row| row.map_or(Ok(None), |row| maybe_time(&row, "done_at")))
            .doing("look up the last backup")
    }

    /// A backup could not be made.
    pub(crate) async fn backup_failed(&self, message: &str, at: Timestamp) -> Result<(), Error> {
        const DOING: &str = "tell that a backup failed";
        let data = json!({ "message": message });
        let event = NewEvent { kind: EventKind::BackupFailed, plan: None, run: None, data };
        let mut tx = self.begin().await.doing(DOING)?;
        write_event(&mut tx, at, &event).await.doing(DOING)?;
        tx.commit().await.doing(DOING)
    }
}

/// An empty file, which SQLite fills; what an attempt was killed over gives way.
fn make_private_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Opens a copy and reads it for damage.
async fn verify(path: &Path) -> Result<(), Error> {
    let answer = async {
        let mut copy = SqliteConnectOptions::new().filename(path).read_only(true).connect().await?;
        let row = sqlx::query("PRAGMA quick_check").fetch_one(&mut copy).await?;
        let answer: String = row.try_get(0)?;
        // An empty file is sound, too, but has no such table.
        sqlx::query("SELECT COUNT(*) FROM _sqlx_migrations").fetch_one(&mut copy).await?;
        copy.close().await?;
        Ok::<String, sqlx::Error>(answer)
    };
    let damage = match answer.await {
        Ok(answer) if answer == "ok" => return Ok(()),
        Ok(answer) => answer,
        Err(error) => error.to_string(),
    };
    let (path, reason) = (path.to_owned(), format!("this copy of the database is damaged ({damage})"));
    Err(Error::Unusable { path, reason })
}
