//! The database: all SQL of Charon is in this folder, behind functions named for what they do.
//!
//! One SQLite file in the data directory, WAL, `synchronous=FULL`. Writes go through one connection, reads through a few
//! others. Ids and times are given by the caller.

mod access;
mod adopting;
mod album_files;
mod albums;
mod backup;
mod budget;
mod dashboard;
mod engines;
mod events;
mod hosts;
mod inbox;
mod ledger;
mod library;
mod listings;
mod occurrences;
mod originals;
mod overview;
mod plans;
mod queue;
mod restoring;
mod runs;
mod sidecars;
mod staging;
mod standing;
mod storage_tests;
mod storages;
mod telling;
mod trash;
mod uploads;
mod verifying;

use std::{fs, path::Path, time::Duration};

use charon_provider::Fidelity;
use jiff::Timestamp;
use sqlx::{
    Executor, Row, Sqlite, SqlitePool, Transaction,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

pub(crate) use access::{NewSession, NewTokenRow};
pub(crate) use adopting::{SyncFile, read_gphotos_sync};
pub(crate) use album_files::{AlbumEntry, AlbumItem};
pub(crate) use backup::BackupStanding;
pub(crate) use budget::{DayRow, Take};
pub(crate) use dashboard::{DayOfRuns, EndedRun, Home, NotRun};
pub(crate) use engines::EngineLease;
pub(crate) use inbox::{Added, NewReceipt, ReceiptRow, Settled, SettledAs};
pub(crate) use ledger::{Assigned, Copy, Learnt, Listed, Stored};
pub(crate) use library::{MonthOfClasses, Place as LibraryPlace, Shelved, Wanted as LibraryWanted, class};
pub(crate) use listings::{Listing, StoredCopy};
pub(crate) use occurrences::{Decided, NewDecision};
pub use occurrences::{Decision, Occurrence};
pub(crate) use plans::PlanRow;
pub(crate) use queue::{Before, Ended, LiveRun, NewRun, SoFar};
pub(crate) use restoring::AtHome;
#[cfg(test)]
pub(crate) use restoring::File;
pub(crate) use runs::AttemptRecord;
pub use runs::{ItemFilter, ItemRecord, RunFilter, RunRecord};
pub(crate) use staging::Refusal;
pub(crate) use standing::OfFidelity;
pub(crate) use storage_tests::{TestRow, WaitingRow};
pub(crate) use storages::{Changed, StorageRow};
pub use telling::DeliveryRecord;
pub(crate) use telling::{ChannelRow, Due, Outgoing, ToldRun};
pub(crate) use trash::{Nominee, TrashedFile};
pub(crate) use uploads::{Committed, HashedFile, Known, KnownFile, Taken};
pub(crate) use verifying::{FoundDamage, Kept, Verified};

use crate::{error::Error, ids::Sha256, run::Attempt};

/// SQLite before this one can corrupt a database when its write-ahead log is reset (fixed in 3.51.3).
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);

/// The open database.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    writer: SqlitePool,
    reader: SqlitePool,
    /// One connection that never writes, which is asked whether others have.
    watcher: SqlitePool,
}

impl Store {
    /// Opens the database, or makes it, and brings it to the present version. An older one is copied aside first.
    pub(crate) async fn open(path: &Path) -> Result<Self, Error> {
        // Two processes that start together must not both migrate.
        let lock_path = path.with_extension("migrating");
        let lock = fs::File::create(&lock_path)
            .and_then(|file| file.lock().map(|()| file))
            .map_err(|source| Error::DataFile { doing: "lock", path: lock_path, source })?;

        let unusable = |reason: String| Error::Unusable { path: path.to_owned(), reason };
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // KiB per connection: what does not fit is in the system's cache anyway, and memory stays as it is.
            .pragma("cache_size", "-1024")
            .busy_timeout(Duration::from_secs(30));
        let writer =
            SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await.map_err(
                |error| unusable(format!("{error}; is it a Charon database, and can you write there?")),
            )?;
        refuse_old_sqlite(&writer).await.map_err(&unusable)?;
        migrate(&writer, path).await.map_err(&unusable)?;
        let options = options.read_only(true);
        let reader = SqlitePoolOptions::new()
            .max_connections(4)
            .connect_with(options.clone())
            .await
            .map_err(|error| unusable(error.to_string()))?;
        // Made when it is first asked, and kept: what it answers can only be compared with what it has answered.
        let watcher = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(options);
        drop(lock);
        Ok(Self { writer, reader, watcher })
    }

    /// A number that changes whenever somebody has written to the database, whichever process it was.
    pub(crate) async fn data_version(&self) -> Result<i64, Error> {
        let row = sqlx::query("PRAGMA data_version").fetch_one(&self.watcher).await;
        row.and_then(|row| row.try_get(0)).doing("look whether something changed")
    }

    /// Begins to write. Takes the write lock at once: another process that has it is waited for, which a transaction that begins
    /// by reading could not do.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        match self.writer.begin_with("BEGIN IMMEDIATE").await {
            // Where a disk is full, SQLite ends the transaction itself, and the connection still takes itself to be in it, for
            // ever. A new one is in none.
            Err(sqlx::Error::InvalidSavePointStatement) => {
                self.writer.acquire().await?.close().await?;
                self.writer.begin_with("BEGIN IMMEDIATE").await
            }
            begun => begun,
        }
    }

    /// Begins to write what an attempt at a run has come to.
    ///
    /// # Errors
    /// [`Error::Superseded`] when there is a later attempt, or the run is not at work any more.
    async fn begin_for(
        &self,
        attempt: Attempt,
        doing: &'static str,
    ) -> Result<Transaction<'static, Sqlite>, Error> {
        let mut tx = self.begin().await.doing(doing)?;
        match queue::is_at_work(&mut tx, attempt).await.doing(doing)? {
            Some(_) => Ok(tx),
            None => Err(Error::Superseded),
        }
    }

    /// Reads the whole database for damage.
    pub(crate) async fn check_integrity(&self) -> Result<(), String> {
        let answer = sqlx::query("PRAGMA quick_check")
            .fetch_one(&self.reader)
            .await
            .and_then(|row| row.try_get::<String, _>(0))
            .map_err(|error| error.to_string())?;
        if answer == "ok" { Ok(()) } else { Err(answer) }
    }

    /// Holds the turn to write, so that nothing is recorded for a while.
    #[cfg(test)]
    pub(crate) async fn hold_writes(&self) -> Transaction<'static, Sqlite> {
        self.begin().await.expect("the turn to write")
    }

    /// Takes a table away, so that what needs it fails.
    #[cfg(test)]
    pub(crate) async fn break_ledger(&self) {
        self.writer.execute("DROP TABLE copies").await.expect("dropped");
    }

    /// Lets all connections go, so that the write-ahead log is folded into the database.
    pub(crate) async fn close(&self) {
        self.watcher.close().await;
        self.reader.close().await;
        self.writer.close().await;
    }
}

async fn refuse_old_sqlite(pool: &SqlitePool) -> Result<(), String> {
    let version: String = sqlx::query("SELECT sqlite_version()")
        .fetch_one(pool)
        .await
        .and_then(|row| row.try_get(0))
        .map_err(|error| error.to_string())?;
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    let found = (next(), next(), next());
    if found >= OLDEST_SQLITE {
        return Ok(());
    }
    Err(format!(
        "this program was built with SQLite {version}, which can damage a database; 3.51.3 is needed"
    ))
}

/// The versions of the database, the oldest first.
fn migrator() -> Migrator {
    let migration = |version, name: &'static str, sql: &'static str| {
        let (kind, sql) = (sqlx::migrate::MigrationType::Simple, sqlx::SqlStr::from_static(sql));
        sqlx::migrate::Migration::new(version, name.into(), kind, sql, false)
    };
    Migrator::with_migrations(vec![
        migration(1, "first rooms", include_str!("../../migrations/0001_first_rooms.sql")),
        migration(2, "trust", include_str!("../../migrations/0002_trust.sql")),
        migration(3, "scheduler", include_str!("../../migrations/0003_scheduler.sql")),
        migration(4, "telling", include_str!("../../migrations/0004_telling.sql")),
        migration(5, "budget", include_str!("../../migrations/0005_budget.sql")),
        migration(6, "compact", include_str!("../../migrations/0006_compact.sql")),
        migration(7, "hosts", include_str!("../../migrations/0007_hosts.sql")),
        migration(8, "nightly", include_str!("../../migrations/0008_nightly.sql")),
        migration(9, "access", include_str!("../../migrations/0009_access.sql")),
        migration(10, "library", include_str!("../../migrations/0010_library.sql")),
        migration(11, "inbox", include_str!("../../migrations/0011_inbox.sql")),
        migration(13, "storage tests", include_str!("../../migrations/0013_storage_tests.sql")),
        migration(14, "refusals", include_str!("../../migrations/0014_refusals.sql")),
        migration(15, "consents", include_str!("../../migrations/0015_consents.sql")),
        migration(16, "proof", include_str!("../../migrations/0016_proof.sql")),
        migration(17, "upload albums", include_str!("../../migrations/0017_upload_albums.sql")),
        migration(18, "trash", include_str!("../../migrations/0018_trash.sql")),
        migration(19, "albums", include_str!("../../migrations/0019_albums.sql")),
        migration(20, "sidecars", include_str!("../../migrations/0020_sidecars.sql")),
        migration(21, "originals", include_str!("../../migrations/0021_originals.sql")),
        migration(22, "shares", include_str!("../../migrations/0022_shares.sql")),
    ])
}

async fn migrate(pool: &SqlitePool, path: &Path) -> Result<(), String> {
    let migrator = migrator();
    let newest = migrator.iter().map(|migration| migration.version).max().unwrap_or_default();
    let present = present_version(pool).await;
    if present > 0 && present < newest {
        let aside = path.with_extension(format!("before-version-{newest}.db"));
        copy_aside(pool, &aside)
            .await
            .map_err(|error| format!("it could not be copied aside before its migration: {error}"))?;
    }
    migrator.run(pool).await.map_err(|error| match error {
        sqlx::migrate::MigrateError::VersionMissing(version) => {
            format!("it was written by a newer Charon (version {version} of the database); use that one")
        }
        other => other.to_string(),
    })
}

/// Copies the whole database. Under the name that is given there is never a part of a copy, nor one that is not durable. An
/// older copy gives way: what it was made before was undone, or it would not be made again.
async fn copy_aside(pool: &SqlitePool, aside: &Path) -> Result<(), String> {
    let partial = aside.with_extension("partial");
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.to_string()),
        _ => {}
    }
    sqlx::query("VACUUM INTO ?")
        .bind(partial.to_string_lossy().into_owned())
        .execute(pool)
        .await
        .map_err(|error| error.to_string())?;
    publish(&partial, aside).map_err(|error| error.to_string())
}

/// Gives a file that is complete its name, durably.
fn publish(partial: &Path, path: &Path) -> std::io::Result<()> {
    let flush = |path: &Path| fs::File::open(path).and_then(|file| file.sync_all());
    flush(partial)?;
    fs::rename(partial, path)?;
    if cfg!(unix) { path.parent().map_or(Ok(()), flush) } else { Ok(()) }
}

/// The newest migration that the database has, or 0.
async fn present_version(pool: &SqlitePool) -> i64 {
    let row = pool.fetch_one("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations").await;
    // A new database has no such table.
    row.and_then(|row| row.try_get(0)).unwrap_or(0)
}

/// Names what was being done, for an error that a person reads.
pub(crate) trait Doing<T> {
    fn doing(self, doing: &'static str) -> Result<T, Error>;
}

impl<T> Doing<T> for Result<T, sqlx::Error> {
    fn doing(self, doing: &'static str) -> Result<T, Error> {
        self.map_err(|source| Error::Store { doing, source })
    }
}

fn decode_error(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

/// A column that was written from a type with a textual form.
fn parsed<T>(row: &sqlx::sqlite::SqliteRow, column: &str) -> Result<T, sqlx::Error>
where
    T: std::str::FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    row.try_get::<&str, _>(column)?.parse().map_err(decode_error)
}

fn maybe_time(row: &sqlx::sqlite::SqliteRow, column: &str) -> Result<Option<Timestamp>, sqlx::Error> {
    row.try_get::<Option<&str>, _>(column)?.map(|text| text.parse().map_err(decode_error)).transpose()
}

/// A moment as large tables keep it: in microseconds since 1970.
fn micros(moment: Timestamp) -> i64 {
    moment.as_microsecond()
}

/// A column that was written with [`micros`].
fn moment(row: &sqlx::sqlite::SqliteRow, column: &str) -> Result<Timestamp, sqlx::Error> {
    Timestamp::from_microsecond(row.try_get(column)?).map_err(decode_error)
}

/// The number by which large tables know the storage, the plan or the run that is bound under this name.
macro_rules! no {
    (storage $bound:literal) => {
        concat!("(SELECT no FROM storages WHERE id = ", $bound, ")")
    };
    (plan $bound:literal) => {
        concat!("(SELECT no FROM plans WHERE id = ", $bound, ")")
    };
    (run $bound:literal) => {
        concat!("(SELECT no FROM runs WHERE id = ", $bound, ")")
    };
}
use no;

/// The id of the storage that a run speaks to: its plan's, or the one that it restores to.
macro_rules! spoken_to {
    () => {
        "COALESCE((SELECT other.id FROM storages AS other WHERE other.id = runs.options ->> '$.job.storage'), plans.storage_id)"
    };
}
use spoken_to;

/// A column that was written as a count.
fn count(row: &sqlx::sqlite::SqliteRow, column: &str) -> Result<u64, sqlx::Error> {
    row.try_get::<i64, _>(column)?.try_into().map_err(decode_error)
}

/// A count as SQLite keeps it.
fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The SHA-256 that a column holds.
fn sha256_of(row: &sqlx::sqlite::SqliteRow, column: &str) -> Result<Sha256, sqlx::Error> {
    Ok(Sha256(row.try_get::<&[u8], _>(column)?.try_into().map_err(decode_error)?))
}

/// How true bytes are to their original, as a column holds it; where it holds nothing, a lesser copy.
fn fidelity_of(row: &sqlx::sqlite::SqliteRow, column: &str) -> Result<Fidelity, sqlx::Error> {
    let is_original = row.try_get::<Option<&str>, _>(column)? == Some("original");
    Ok(if is_original { Fidelity::Original } else { Fidelity::ApiCopy })
}

#[cfg(test)]
mod tests;
