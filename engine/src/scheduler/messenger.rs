//! Tells people what became of runs, beside everything else: a server that does not answer holds nobody up.

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;

use crate::{engine::Engine, error::Error};

/// How often it is looked which plans are overdue.
const LOOKS: SignedDuration = SignedDuration::from_mins(10);
/// So many events are looked at at once.
const AT_ONCE: u32 = 200;

/// The one who tells.
#[derive(Debug, Default)]
pub(super) struct Messenger {
    /// What is being told now.
    telling: JoinSet<Result<Option<Timestamp>, Error>>,
    /// When there is something to tell again, as far as is known.
    next: Option<Timestamp>,
    /// The newest event that has been seen; others may have led to something to tell.
    seen: i64,
    looked_at: Option<Timestamp>,
    /// Up to which event it is written down what is to be told.
    written: Option<i64>,
}

impl Messenger {
    /// Writes down what is to be told of the runs that have ended or were parked since the last time, also by a process that is no
    /// more and had not come to that.
    async fn write_down(&mut self, engine: &Engine) -> Result<(), Error> {
        let mut after = match self.written {
            Some(after) => after,
            None => engine.store.told_until().await?,
        };
        loop {
            let ends = engine.store.ends_after(after, AT_ONCE).await?;
            let Some((last, _)) = ends.last().copied() else { break };
            for (_, run) in ends {
                engine.tell_of_run(run).await?;
            }
            engine.store.set_told_until(last).await?;
            after = last;
        }
        self.written = Some(after);
        Ok(())
    }

    /// Does what is to be done. Gives when to come again, if nothing happens before.
    pub(super) async fn tick(&mut self, engine: &Engine, now: Timestamp) -> Result<Timestamp, Error> {
        self.write_down(engine).await?;
        let is_time = self.looked_at.is_none_or(|at| now.duration_since(at).abs() >= LOOKS);
        if is_time {
            engine.tell_overdue(now).await?;
            self.looked_at = Some(now);
        }
        while let Some(told) = self.telling.try_join_next() {
            match told {
                Ok(Ok(next)) => self.next = next,
                Ok(Err(error)) => tracing::error!(%error, "people could not be told"),
                Err(panic) => tracing::error!(%panic, "telling people ended by a mistake in Charon"),
            }
        }
        let newest = engine.store.newest_event().await?;
        let may_be_something = is_time || newest != self.seen || self.next.is_some_and(|next| next <= now);
        if may_be_something && self.telling.is_empty() {
            self.seen = newest;
            self.next = None;
            let engine = engine.clone();
            self.telling.spawn(async move {
                let next = engine.deliver_due(engine.clock.now()).await;
                engine.wake();
                next
            });
        }
        let look_again = now.checked_add(LOOKS).unwrap_or(Timestamp::MAX);
        Ok(self.next.map_or(look_again, |next| next.min(look_again)))
    }
}
