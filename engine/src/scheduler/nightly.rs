//! A copy of the database each night, in the folder `backups` of the data directory: after three o'clock of the system's local
//! time, or as soon as there is somebody to make it. A night begins at three and has one copy at most; two copies are at least
//! twenty hours apart. The copy is made in a task of its own, so nothing waits for it. One that fails is told of as an event and
//! tried again an hour later.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date, tz::TimeZone};
use tokio::sync::oneshot;
use tokio_util::task::AbortOnDropHandle;

use crate::{engine::Engine, error::Error, store::BackupStanding};

/// A night begins at this hour.
const HOUR: i8 = 3;
/// A copy is made again when the last one is this old.
const LEAST_AGE: SignedDuration = SignedDuration::from_hours(20);
/// One that failed is tried again after this.
const TRIED_AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(1);
/// So many copies are kept, the newest ones.
const KEPT: usize = 7;

/// The one who makes the copies.
#[derive(Debug)]
pub(super) struct Nightly {
    pub(super) zone: TimeZone,
    standing: Option<BackupStanding>,
    failed_at: Option<Timestamp>,
    work: Option<Work>,
}

/// A copy that is being made.
#[derive(Debug)]
struct Work {
    /// Whether it was made, once that is known.
    is_done: oneshot::Receiver<bool>,
    /// Ends with the one who waits for it.
    _task: AbortOnDropHandle<()>,
}

impl Default for Nightly {
    fn default() -> Self {
        Self { zone: TimeZone::system(), standing: None, failed_at: None, work: None }
    }
}

impl Nightly {
    /// Begins a copy if one is due. Gives when to come again; `None` while one is being made, whose end wakes the scheduler.
    pub(super) async fn tick(&mut self, engine: &Engine, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        if let Some(work) = &mut self.work {
            let is_done = match work.is_done.try_recv() {
                Err(oneshot::error::TryRecvError::Empty) => return Ok(None),
                Ok(is_done) => is_done,
                // A mistake in Charon ended it.
                Err(oneshot::error::TryRecvError::Closed) => false,
            };
            self.failed_at = (!is_done).then_some(now);
            (self.work, self.standing) = (None, None);
        }
        let mut standing = match self.standing {
            Some(standing) => standing,
            None => engine.store.backup_standing(now).await?,
        };
        // A clock that was set back is no reason to wait for the old time.
        if standing.since > now {
            engine.store.count_backups_from(now).await?;
            standing.since = now;
        }
        self.standing = Some(standing);
        let mut due = due(standing, &self.zone);
        if let Some(failed_at) = self.failed_at {
            due = due.max(failed_at.min(now).checked_add(TRIED_AGAIN_AFTER).unwrap_or(Timestamp::MAX));
        }
        if due > now {
            return Ok(Some(due));
        }
        let (engine, night) = (engine.clone(), night(now, &self.zone));
        let (tell, is_done) = oneshot::channel();
        let task = tokio::spawn(async move {
            // Nobody listens once the scheduler has ended.
            tell.send(back_up(&engine, night, now).await).ok();
            engine.wake();
        });
        self.work = Some(Work { is_done, _task: AbortOnDropHandle::new(task) });
        Ok(None)
    }
}

/// When the next copy is due.
fn due(standing: BackupStanding, zone: &TimeZone) -> Timestamp {
    let since = standing.since;
    let local = since.to_zoned(zone.clone());
    let at_three = |date: Date| {
        let zoned = date.at(HOUR, 0, 0, 0).to_zoned(zone.clone());
        zoned.map_or(Timestamp::MAX, |zoned| zoned.timestamp())
    };
    let today = at_three(local.date());
    let next = if today > since { today } else { at_three(local.date().tomorrow().unwrap_or(Date::MAX)) };
    if standing.done_at == Some(since) {
        next.max(since.checked_add(LEAST_AGE).unwrap_or(Timestamp::MAX))
    } else {
        next
    }
}

/// The day on which the night of a moment began.
fn night(now: Timestamp, zone: &TimeZone) -> Date {
    let local = now.to_zoned(zone.clone()).datetime();
    local.checked_sub(HOUR.hours()).unwrap_or(local).date()
}

/// Makes the copy of a night, and takes away those that are too many. Gives whether it was made; tells of it if not.
async fn back_up(engine: &Engine, night: Date, now: Timestamp) -> bool {
    let error = match make(engine, night).await {
        Ok(path) => match engine.store.backed_up(now).await {
            Ok(()) => {
                tracing::info!(path = %path.display(), "the database was backed up");
                return true;
            }
            Err(error) => error,
        },
        Err(error) => error,
    };
    tracing::error!(%error, "the nightly backup of the database failed; it is tried again in an hour");
    if let Err(error) = engine.store.backup_failed(&error.to_string(), now).await {
        tracing::error!(%error, "nobody could be told of that by an event");
    }
    false
}

async fn make(engine: &Engine, night: Date) -> Result<PathBuf, Error> {
    let folder = engine.data_dir.join("backups");
    make_private_folder(&folder).map_err(|source| Error::DataFile {
        doing: "make the folder for backups of the database",
        path: folder.clone(),
        source,
    })?;
    // What earlier attempts were killed over.
    remove(&folder, &named(&folder, ".partial").unwrap_or_default());
    let path = folder.join(format!("charon-{night}.db"));
    engine.store.back_up(&path).await?;
    let mut copies = named(&folder, ".db").unwrap_or_default();
    copies.sort_unstable();
    remove(&folder, &copies[..copies.len().saturating_sub(KEPT)]);
    Ok(path)
}

/// The files of a folder that bear the name of a copy, with this ending.
fn named(folder: &Path, ending: &str) -> io::Result<Vec<String>> {
    let is_ours = |name: &String| {
        let day = name.strip_prefix("charon-").and_then(|rest| rest.strip_suffix(ending));
        day.is_some_and(|day| day.parse::<Date>().is_ok_and(|date| date.to_string() == day))
    };
    let names = fs::read_dir(folder)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.filter(is_ours).collect())
}

fn remove(folder: &Path, names: &[String]) {
    for name in names {
        if let Err(error) = fs::remove_file(folder.join(name)) {
            tracing::warn!(%error, name, "an old backup of the database could not be removed");
        }
    }
}

fn make_private_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(test)]
mod tests;
