//! Trying again: the class of an error decides whether and when. `backoff` generates the intervals; the sleeping, the
//! counting and the class are ours.

use std::time::Duration;

use backoff::{ExponentialBackoff, ExponentialBackoffBuilder, backoff::Backoff};
use charon_provider::{Class, Error, Reason};

use crate::{clock::Entropy, run::RunContext};

/// Not even a server that asks for no wait is asked again sooner.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Who is asked to slow down, and not for how long, is quiet for so long at least.
pub(crate) const SLOW_DOWN: Duration = Duration::from_secs(30);
/// Who is asked to wait for longer does not sit and wait: the run is parked.
const LONGEST_WAIT: Duration = Duration::from_mins(15);

/// A destination that says no is asked so often again before it is believed.
const DOUBTS: u32 = 2;

/// The intervals between the attempts at one thing.
#[derive(Debug)]
struct Intervals {
    transient: Series,
    throttled: Series,
}

#[derive(Debug)]
struct Series {
    generator: ExponentialBackoff,
    left: u32,
}

impl Series {
    fn new(first: Duration, longest: Duration, retries: u32) -> Self {
        let generator = ExponentialBackoffBuilder::new()
            .with_initial_interval(first)
            .with_multiplier(2.0)
            .with_max_interval(longest)
            .with_max_elapsed_time(None)
            // Ours comes from the injected randomness.
            .with_randomization_factor(0.0)
            .build();
        Self { generator, left: retries }
    }

    fn next(&mut self) -> Option<Duration> {
        self.left = self.left.checked_sub(1)?;
        self.generator.next_backoff()
    }
}

impl Intervals {
    fn new() -> Self {
        Self {
            // Google asks for exponential backoff from one second for 5xx, and for at least 30 s after a 429
            // (Photos API best practices).
            transient: Series::new(Duration::from_secs(1), Duration::from_mins(1), 5),
            throttled: Series::new(SLOW_DOWN, Duration::from_mins(5), 8),
        }
    }

    /// How long to wait before the next attempt; `None` when there shall be none.
    fn after(&mut self, error: &Error, entropy: &dyn Entropy) -> Option<Duration> {
        // These want another address, or the bytes again, and not the same request.
        if matches!(error.reason, Reason::StaleAddress | Reason::UploadToken) {
            return None;
        }
        // Never sooner than the server asked (I7), nor all the sooner because it asked for nothing.
        let asked = error.retry_after.map(|asked| asked.max(FIRST_WAIT));
        // Jitter in full, so that not all come back at once: a passing fault within the planned time, a request to slow down
        // after it.
        let (least, jitter) = match error.class {
            Class::Transient => (asked.unwrap_or_default(), self.transient.next()?),
            Class::Throttled => {
                let planned = self.throttled.next()?;
                let least = asked.unwrap_or(planned);
                (least, least)
            }
            Class::Auth | Class::Quota | Class::Item | Class::Destination | Class::Config => return None,
        };
        if least > LONGEST_WAIT {
            return None;
        }
        // Above 0, and the whole of it at most.
        Some(least + jitter.mul_f64(1.0 - entropy.fraction()))
    }
}

/// How long a run that failed for something that may pass waits before it is tried again, after so many failures; from a minute
/// up to an hour, a share of it at random.
pub(crate) fn before_attempt(failures: u32, entropy: &dyn Entropy) -> Duration {
    let mut series = Series::new(Duration::from_mins(1), Duration::from_hours(1), failures.max(1));
    let mut wait = Duration::from_mins(1);
    while let Some(next) = series.next() {
        wait = next;
    }
    wait.mul_f64(1.0 - entropy.fraction() / 2.0)
}

/// Does something until it works, or fails in a way that trying again does not mend, or has been tried often enough. `None`
/// when the run stops first: what is half done is then dropped.
pub(crate) async fn with_retries<T, F, W>(ctx: &RunContext, attempt: F) -> Option<Result<T, Error>>
where
    F: FnMut() -> W,
    W: Future<Output = Result<T, Error>>,
{
    with_retries_and_grace(ctx, Duration::ZERO, attempt).await
}

/// Does it, which may go on for `grace` after the run has stopped; what is half done then is dropped.
pub(crate) async fn with_grace<T>(
    ctx: &RunContext,
    grace: Duration,
    work: impl Future<Output = T>,
) -> Option<T> {
    let grace_is_over = async {
        ctx.cancel.cancelled().await;
        if !grace.is_zero() {
            ctx.clock.sleep(grace).await;
        }
    };
    tokio::select! {
        biased;
        () = grace_is_over => None,
        done = work => Some(done),
    }
}

/// Like [`with_retries`], for what had better not be dropped half done: an attempt may go on for `grace` after the run has
/// stopped, and one may still be made.
pub(crate) async fn with_retries_and_grace<T, F, W>(
    ctx: &RunContext,
    grace: Duration,
    mut attempt: F,
) -> Option<Result<T, Error>>
where
    F: FnMut() -> W,
    W: Future<Output = Result<T, Error>>,
{
    let mut intervals = Intervals::new();
    loop {
        let error = match with_grace(ctx, grace, attempt()).await? {
            Ok(value) => return Some(Ok(value)),
            Err(error) => error,
        };
        let error = parks_if_long(error);
        ctx.spending.learn_from(&error).await;
        let Some(wait) = intervals.after(&error, &*ctx.entropy) else {
            // The others of the account are not to ask sooner either, although this one does not sit and wait (I7).
            if let Some(asked) = error.retry_after.filter(|_| error.class == Class::Throttled) {
                ctx.lane.slow_down(asked);
            }
            return Some(Err(error));
        };
        tracing::debug!(%error, ?wait, "waiting to try again");
        // Who asks to be left alone is asked nothing at all meanwhile.
        if error.class == Class::Throttled {
            ctx.lane.slow_down(wait);
        } else if error.retry_after.is_some() {
            ctx.lane.hold(wait);
        }
        ctx.tell(|progress| progress.waiting = Some(waiting_for(&error, wait)));
        let slept = ctx.unless_stopped(ctx.clock.sleep(wait)).await;
        ctx.tell(|progress| progress.waiting = None);
        slept?;
    }
}

/// Does something at a destination until it works, as [`with_retries`] does; what it asks holds up nobody else. A destination that
/// does not come round ends the run: the next file would fare no better.
///
/// # Errors
/// The last error. When the run stops first, a passing one: what stopped the run is known.
pub(crate) async fn at_destination<T, F, W>(ctx: &RunContext, mut attempt: F) -> Result<T, Error>
where
    F: FnMut() -> W,
    W: Future<Output = Result<T, Error>>,
{
    let mut intervals = Intervals::new();
    // A server may refuse for a moment what it takes a second later.
    let mut doubts = DOUBTS;
    loop {
        let stopped = || Error::new(Class::Transient, "use the destination", "the run was stopped");
        let error = match ctx.unless_stopped(attempt()).await.ok_or_else(stopped)? {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let judged = match error.class {
            Class::Destination if doubts > 0 => {
                doubts -= 1;
                Error { class: Class::Transient, ..error.clone() }
            }
            _ => error.clone(),
        };
        let Some(wait) = intervals.after(&judged, &*ctx.entropy) else {
            let class = match error.class {
                Class::Transient | Class::Throttled => Class::Destination,
                class => class,
            };
            return Err(Error { class, ..error });
        };
        tracing::debug!(%error, ?wait, "waiting to try the destination again");
        ctx.tell(|progress| {
            progress.waiting = Some(format!("the destination: {}", waiting_for(&error, wait)));
        });
        let slept = ctx.unless_stopped(ctx.clock.sleep(wait)).await;
        ctx.tell(|progress| progress.waiting = None);
        slept.ok_or_else(stopped)?;
    }
}

/// Whoever asks to be left alone for long, whatever the fault, is left alone: the run is parked until then.
fn parks_if_long(error: Error) -> Error {
    match error.class {
        Class::Transient if error.retry_after.is_some_and(|asked| asked > LONGEST_WAIT) => {
            Error { class: Class::Throttled, ..error }
        }
        _ => error,
    }
}

fn waiting_for(error: &Error, wait: Duration) -> String {
    let why = if error.class == Class::Throttled {
        "the storage asked to slow down"
    } else {
        "trying again after a fault"
    };
    format!("{why}, {} s", wait.as_secs().max(1))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use charon_provider::{Class, Error};

    use super::Intervals;
    use crate::clock::Entropy;

    /// Always the same fraction, given in sixteenths.
    #[derive(Debug)]
    struct Sixteenths(u8);

    impl Entropy for Sixteenths {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(0);
            // The highest bits of the number that a fraction is made of.
            if let Some(last) = buffer.last_mut() {
                *last = self.0 << 4;
            }
        }
    }

    fn waits(class: Class, entropy: &dyn Entropy) -> Vec<f64> {
        let mut intervals = Intervals::new();
        let error = Error::new(class, "test", "a fault");
        std::iter::from_fn(|| intervals.after(&error, entropy)).map(|wait| wait.as_secs_f64()).collect()
    }

    fn wait(error: &Error, sixteenths: u8) -> Option<Duration> {
        Intervals::new().after(error, &Sixteenths(sixteenths))
    }

    #[test]
    fn passing_faults_are_tried_again_ever_more_slowly_and_not_for_ever() {
        assert_eq!(waits(Class::Transient, &Sixteenths(0)), [1.0, 2.0, 4.0, 8.0, 16.0]);
        // Jitter in full: anything down to nothing.
        assert_eq!(waits(Class::Transient, &Sixteenths(12)), [0.25, 0.5, 1.0, 2.0, 4.0]);
    }

    #[test]
    fn who_asks_to_slow_down_is_left_alone_for_half_a_minute_and_up() {
        // I7
        let most = [60.0, 120.0, 240.0, 480.0, 600.0, 600.0, 600.0, 600.0];
        assert_eq!(waits(Class::Throttled, &Sixteenths(0)), most);
        let least = [30.0, 60.0, 120.0, 240.0, 300.0, 300.0, 300.0, 300.0];
        for (wait, least) in waits(Class::Throttled, &Sixteenths(15)).into_iter().zip(least) {
            assert!(wait > least && wait < least * 1.1, "{wait}");
        }
    }

    #[test]
    fn what_trying_again_does_not_mend_is_not_tried_again() {
        // I7
        for class in [Class::Auth, Class::Quota, Class::Item, Class::Destination, Class::Config] {
            assert_eq!(waits(class, &Sixteenths(0)), [0.0; 0]);
        }
    }

    #[test]
    fn never_sooner_than_the_server_asked() {
        // I7
        let hundred = Duration::from_secs(100);
        for class in [Class::Throttled, Class::Transient] {
            let error = Error::new(class, "test", "slow down").after(Some(hundred));
            for sixteenths in 0..16 {
                let wait = wait(&error, sixteenths).expect("a wait");
                assert!(wait > hundred && wait <= hundred * 2, "{class:?}: {wait:?}");
            }
            let at_once = wait(&error.after(Some(Duration::ZERO)), 15).expect("a wait");
            assert!(at_once >= Duration::from_secs(1), "{class:?}: {at_once:?}");
        }
    }

    #[test]
    fn a_long_wait_is_not_sat_out() {
        let error = Error::new(Class::Throttled, "test", "slow down").after(Some(Duration::from_hours(2)));
        assert_eq!(wait(&error, 0), None);
    }
}
