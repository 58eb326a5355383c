//! Whether the engine is well: its scheduler turns and can do its work, and its database answers. Told to whoever asks
//! ([`Engine::health`]): a monitor, a service manager.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::Instant;

use crate::{engine::Engine, error::Error};

/// A scheduler looks several times a second. One that has not for so long hangs, even if it had a slow disk to wait for.
const HANGS_AFTER: Duration = Duration::from_secs(30);
/// A database that takes longer than this to answer the smallest question does not answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// Why the engine is not well.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwell {
    /// There is no scheduler in this process, or it has ended.
    #[error("no scheduler is at work")]
    Absent,
    /// It has just begun.
    #[error("the scheduler has not come to its first turn yet")]
    Beginning,
    /// It hangs.
    #[error(
        "the scheduler has not turned for {0} seconds; if it stays so, look at the log and restart charon"
    )]
    Hangs(u64),
    /// What it tries fails.
    #[error("the scheduler cannot do its work, and tries again: {0}")]
    Fails(String),
    /// The database does not answer.
    #[error("the database does not answer: {0}")]
    Database(String),
}

/// What the scheduler tells of itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pulse(Arc<Mutex<Beat>>);

#[derive(Debug, Default)]
struct Beat {
    /// When it looked last whether there is something to do, by the steady clock and by the one on the wall.
    looked: Option<(Instant, Timestamp)>,
    has_turned: bool,
    fault: Option<String>,
}

impl Pulse {
    /// The scheduler looks whether there is something to do.
    pub(crate) fn looked(&self, now: Timestamp) {
        self.beat().looked = Some((Instant::now(), now));
    }

    /// It did what there was to do.
    pub(crate) fn turned(&self) {
        let mut beat = self.beat();
        (beat.has_turned, beat.fault) = (true, None);
    }

    /// It could not.
    pub(crate) fn failed(&self, error: &Error) {
        self.beat().fault = Some(error.to_string());
    }

    /// It is no more.
    pub(crate) fn gone(&self) {
        *self.beat() = Beat::default();
    }

    /// When it looked last.
    pub(crate) fn looked_at(&self) -> Option<Timestamp> {
        self.beat().looked.map(|(_, at)| at)
    }

    fn judge(&self) -> Result<(), Unwell> {
        let beat = self.beat();
        let (looked, _) = beat.looked.ok_or(Unwell::Absent)?;
        let silent = looked.elapsed();
        if silent > HANGS_AFTER {
            return Err(Unwell::Hangs(silent.as_secs()));
        }
        match &beat.fault {
            Some(fault) => Err(Unwell::Fails(fault.clone())),
            None if beat.has_turned => Ok(()),
            None => Err(Unwell::Beginning),
        }
    }

    fn beat(&self) -> MutexGuard<'_, Beat> {
        self.0.lock().expect("nothing panics while it holds the pulse")
    }
}

impl Engine {
    /// Whether the scheduler of this process turns and does its work, and the database answers.
    ///
    /// # Errors
    /// Why not, as a sentence.
    pub async fn health(&self) -> Result<(), Unwell> {
        self.pulse.judge()?;
        match tokio::time::timeout(ANSWERS_WITHIN, self.store.newest_event()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(Unwell::Database(error.to_string())),
            Err(_) => {
                Err(Unwell::Database(format!("it has taken more than {} seconds", ANSWERS_WITHIN.as_secs())))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::{Pulse, Unwell};
    use crate::error::Error;

    #[tokio::test(start_paused = true)]
    async fn a_scheduler_is_well_once_it_has_turned_and_as_long_as_it_turns_and_does_its_work() {
        let (pulse, now) = (Pulse::default(), Timestamp::UNIX_EPOCH);
        assert_eq!(pulse.judge(), Err(Unwell::Absent));
        pulse.looked(now);
        assert_eq!(pulse.judge(), Err(Unwell::Beginning));
        pulse.turned();
        assert_eq!((pulse.judge(), pulse.looked_at()), (Ok(()), Some(now)));

        tokio::time::advance(Duration::from_secs(29)).await;
        assert_eq!(pulse.judge(), Ok(()));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(pulse.judge(), Err(Unwell::Hangs(31)));
        pulse.looked(now);
        assert_eq!(pulse.judge(), Ok(()));

        pulse.failed(&Error::Refused("the disk is full".into()));
        assert_eq!(pulse.judge(), Err(Unwell::Fails("the disk is full".into())));
        pulse.turned();
        assert_eq!(pulse.judge(), Ok(()));
        pulse.gone();
        assert_eq!(pulse.judge(), Err(Unwell::Absent));
    }
}
