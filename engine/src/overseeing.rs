//! Keeps an eye on an attempt while it is at work: whether somebody asks it to pause or to stop, whether its time or its window
//! is over, whether it still is the latest attempt; and lets other processes see how far it is.

use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::{
    error::Error,
    host::Requests,
    plan::PlanConfig,
    run::{Progress, RunContext, Stop, Wish},
    schedule::Windows,
    store::{LiveRun, SoFar},
    tallies::Counting,
};

/// An attempt whose lease has not been renewed for so long may be taken over. (Today the lock of the data directory says
/// who is alive; leases are for several machines on one database.)
pub(crate) const LEASE: SignedDuration = SignedDuration::from_mins(2);
/// How often it looks.
const LOOKS: Duration = Duration::from_millis(250);
/// How often, at most, it writes what others see.
const WRITES: Duration = Duration::from_secs(1);
/// A lease is renewed at least this often.
const RENEWS: Duration = Duration::from_secs(30);
/// What a machine has slept through, or a clock has jumped, counts as so much time at work at most.
const LONGEST_LOOK: SignedDuration = SignedDuration::from_mins(30);
/// Rates are those of the last while of this length.
const WHILE: SignedDuration = SignedDuration::from_secs(30);

/// Whoever keeps an eye on an attempt.
pub(crate) struct Overseer {
    ctx: Arc<RunContext>,
    counting: Arc<Counting>,
    requests: Arc<Requests>,
    /// Those of earlier attempts, by meter.
    requests_before: BTreeMap<String, u64>,
    /// For how many minutes it may be at work.
    time_limit: Option<u32>,
    /// When it may be at work.
    windows: Windows,
}

impl Overseer {
    pub(crate) fn new(
        ctx: Arc<RunContext>,
        counting: Arc<Counting>,
        (requests, requests_before): (Arc<Requests>, BTreeMap<String, u64>),
        config: &PlanConfig,
        run: &LiveRun,
    ) -> Self {
        // It bounds what the plan is for; to read a whole mirror takes as long as it takes.
        let time_limit = config.policy().time_limit_minutes.filter(|_| run.options.job.is_plan());
        let windows = if run.keeps_to_windows() {
            let schedule = config.schedule().and_then(|schedule| schedule.read().ok());
            schedule.map(|(_, windows)| windows).unwrap_or_default()
        } else {
            Windows::default()
        };
        Self { ctx, counting, requests, requests_before, time_limit, windows }
    }

    /// Those of all attempts, by meter.
    fn all_requests(&self) -> BTreeMap<String, u64> {
        let mut all = self.requests_before.clone();
        for (meter, count) in self.requests.by_meter() {
            *all.entry(meter).or_default() += count;
        }
        all
    }

    /// Until it is dropped.
    pub(crate) async fn oversee(self) -> Infallible {
        let ctx = &self.ctx;
        let mut rates = Rates::default();
        let (mut written, mut told) = (Instant::now(), Progress::default());
        let mut looked_at = ctx.clock.now();
        loop {
            let now = ctx.clock.now();
            let worked =
                ctx.has_worked_for(now.duration_since(looked_at).clamp(SignedDuration::ZERO, LONGEST_LOOK));
            looked_at = now;
            if let Some(minutes) = self.time_limit
                && worked >= SignedDuration::from_mins(minutes.into())
            {
                ctx.stop(Stop::out_of_time(minutes));
            }
            if !self.windows.is_open(now) {
                ctx.stop(Stop::outside_window(self.windows.opens_at(now)));
            }
            match ctx.store.wish(ctx.attempt()).await {
                Ok(Some(Wish::Pause)) => ctx.stop(Stop::paused()),
                Ok(Some(Wish::Cancel)) => ctx.stop(Stop::cancelled()),
                Ok(None) => {}
                Err(error @ Error::Superseded) => ctx.stop_for(&error),
                // The work itself meets it soon enough.
                Err(error) => tracing::debug!(%error, "nobody could be asked whether the run is to stop"),
            }
            let mut progress = rates.with(ctx.progress(), now);
            self.counting.tell(&progress);
            progress.current = ctx.board.shown();
            if progress != ctx.progress() {
                ctx.tell(|shown| {
                    shown.bytes_per_second = progress.bytes_per_second;
                    shown.items_per_minute = progress.items_per_minute;
                    shown.seconds_left = progress.seconds_left;
                    shown.current.clone_from(&progress.current);
                });
            }
            let since = written.elapsed();
            if (since >= WRITES && progress != told) || since >= RENEWS {
                let until = now.checked_add(LEASE).unwrap_or(now);
                let so_far = SoFar { worked, progress: &progress, requests: &self.all_requests() };
                match ctx.store.renew_lease(ctx.attempt(), until, &so_far).await {
                    Ok(true) => (written, told) = (Instant::now(), progress),
                    Ok(false) => ctx.stop_for(&Error::Superseded),
                    Err(error) => tracing::debug!(%error, "the lease of a run could not be renewed"),
                }
            }
            ctx.clock.sleep(LOOKS).await;
        }
    }
}

/// How fast a run gets on.
#[derive(Debug, Default)]
struct Rates {
    /// What was done when, over the last while.
    seen: VecDeque<(Timestamp, u64, u64)>,
}

impl Rates {
    /// The progress with the rates that follow from it and what was seen before.
    fn with(&mut self, mut progress: Progress, now: Timestamp) -> Progress {
        let moved = progress.items.done + progress.items.failed;
        if self.seen.back().is_none_or(|(at, ..)| now.duration_since(*at) >= SignedDuration::from_secs(1)) {
            self.seen.push_back((now, progress.bytes, moved));
        }
        while self.seen.len() > 2 && self.seen.front().is_some_and(|(at, ..)| now.duration_since(*at) > WHILE)
        {
            self.seen.pop_front();
        }
        let Some((since, bytes, items)) = self.seen.front().copied() else { return progress };
        let took = now.duration_since(since).as_millis();
        let Some(took) = u64::try_from(took).ok().filter(|took| *took >= 1_000) else { return progress };
        let rate = |more: u64, per: u64| more.saturating_mul(per) / took;
        let (more_bytes, more_items) = (progress.bytes.saturating_sub(bytes), moved.saturating_sub(items));
        progress.bytes_per_second = Some(rate(more_bytes, 1_000));
        progress.items_per_minute = Some(rate(more_items, 60_000));
        let left = progress.found.saturating_sub(progress.items.total());
        progress.seconds_left =
            (progress.found_all && more_items > 0).then(|| left.saturating_mul(took) / more_items / 1_000);
        progress
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::Rates;
    use crate::run::{Counts, Progress};

    #[test]
    fn rates_are_those_of_the_last_while_and_the_rest_is_told_once_everything_is_found() {
        // I10
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
        let at = |seconds: i64| start + jiff::SignedDuration::from_secs(seconds);
        let progress = |done: u64, found_all| Progress {
            items: Counts { done, ..Counts::default() },
            bytes: done * 1_000,
            found: 1_000,
            found_all,
            ..Progress::default()
        };
        let mut rates = Rates::default();
        assert_eq!(rates.with(progress(0, false), at(0)).bytes_per_second, None);
        let told = rates.with(progress(20, false), at(10));
        assert_eq!(
            (told.bytes_per_second, told.items_per_minute, told.seconds_left),
            (Some(2_000), Some(120), None)
        );
        let told = rates.with(progress(20, true), at(20));
        assert_eq!((told.bytes_per_second, told.items_per_minute), (Some(1_000), Some(60)));
        assert_eq!(told.seconds_left, Some(980));
        // What was long ago does not count any more.
        for second in 21..=60 {
            rates.with(progress(20, true), at(second));
        }
        let told = rates.with(progress(20, true), at(61));
        assert_eq!((told.bytes_per_second, told.seconds_left), (Some(0), None));
    }
}
