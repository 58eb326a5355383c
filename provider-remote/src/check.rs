//! The connection test: reach the server, open the place, write, read, rename, remove. Nothing is left behind.

mod scratch;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use charon_provider::{Check, Class, Destination, Error, Host, Verdict};
use futures::{StreamExt, stream, stream::BoxStream};
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, timeout};

use self::scratch::Scratch;

/// A stage is given up after this long, its waiting for permits included.
const LONGEST: Duration = Duration::from_secs(30);
/// A clock that differs from the server's by more is worth a word. S3 refuses what is more than 15 minutes off.
const CLOSE: SignedDuration = SignedDuration::from_mins(5);

/// A destination that can be tried out.
#[async_trait]
pub(crate) trait Place: Destination {
    /// Asks the server for any answer, without telling it a secret.
    async fn reach(&self) -> Result<Reached, Error>;

    /// Opens the place with what the configuration says; gives what was found, in words.
    async fn enter(&self) -> Result<String, Error>;

    /// What the stage is called that opens the place.
    fn entering(&self) -> &'static str;

    /// The engine.
    fn host(&self) -> &Arc<dyn Host>;
}

/// An answer of the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reached {
    /// Its status.
    pub(crate) status: u16,
    /// What time it is there.
    pub(crate) date: Option<Timestamp>,
}

impl Reached {
    /// What a response says.
    pub(crate) fn of(response: &reqwest::Response) -> Self {
        let date = response.headers().get(reqwest::header::DATE).and_then(|date| date.to_str().ok());
        let parser = jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true);
        Self {
            status: response.status().as_u16(),
            date: date.and_then(|date| parser.parse_timestamp(date).ok()),
        }
    }
}

/// The stages, in their order.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Reach,
    Enter,
    Write,
    Read,
    Rename,
    Remove,
}

/// What a stage found out.
struct Finding {
    verdict: Verdict,
    found: String,
    cure: Option<String>,
}

impl Finding {
    fn passed(found: impl Into<String>) -> Self {
        Self { verdict: Verdict::Passed, found: found.into(), cure: None }
    }

    fn failed(error: Error) -> Self {
        let cure =
            error.cure.unwrap_or_else(|| "test again; if it stays so, look into the server's log".to_owned());
        Self { verdict: Verdict::Failed, found: error.cause, cure: Some(cure) }
    }
}

/// Runs the stages, ending after the first that fails.
pub(crate) fn stages<P: Place>(place: &P) -> BoxStream<'_, Check> {
    let begin = Some((Stage::Reach, Scratch::new(&**place.host())));
    stream::unfold(begin, move |at| async move {
        let (stage, mut scratch) = at?;
        let started = Instant::now();
        let finding = match timeout(LONGEST, stage.run(place, &mut scratch)).await {
            Ok(finding) => finding.unwrap_or_else(Finding::failed),
            Err(_) => Finding::failed(late()),
        };
        let next = match finding.verdict {
            Verdict::Failed => {
                // It has failed already; what cannot be removed either is hidden from every listing.
                drop(timeout(LONGEST, scratch.tidy(place)).await);
                None
            }
            _ => stage.next().map(|next| (next, scratch)),
        };
        let Finding { verdict, found, cure } = finding;
        let check =
            Check { stage: stage.name(place), verdict, took: started.elapsed(), found, cure, link: None };
        Some((check, next))
    })
    .boxed()
}

impl Stage {
    fn name<P: Place>(self, place: &P) -> &'static str {
        match self {
            Self::Reach => "reach the server",
            Self::Enter => place.entering(),
            Self::Write => "write a file",
            Self::Read => "read it back",
            Self::Rename => "rename it",
            Self::Remove => "remove it",
        }
    }

    fn next(self) -> Option<Self> {
        match self {
            Self::Reach => Some(Self::Enter),
            Self::Enter => Some(Self::Write),
            Self::Write => Some(Self::Read),
            Self::Read => Some(Self::Rename),
            Self::Rename => Some(Self::Remove),
            Self::Remove => None,
        }
    }

    async fn run<P: Place>(self, place: &P, scratch: &mut Scratch) -> Result<Finding, Error> {
        match self {
            Self::Reach => Ok(reached(place.reach().await?, place.host().now())),
            Self::Enter => place.enter().await.map(Finding::passed),
            Self::Write => scratch.write(place).await.map(Finding::passed),
            Self::Read => scratch.read(place).await.map(Finding::passed),
            Self::Rename => scratch.rename(place).await.map(Finding::passed),
            Self::Remove => scratch.remove(place).await.map(Finding::passed),
        }
    }
}

fn late() -> Error {
    let cause = format!("nothing came of it within {} seconds", LONGEST.as_secs());
    Error::new(Class::Transient, "test the connection", cause).cured_by(
        "check that the server runs, that the endpoint is right, and that nothing else keeps it busy",
    )
}

fn reached(Reached { status, date }: Reached, now: Timestamp) -> Finding {
    let found = format!("it answers (HTTP {status})");
    let off = date.map_or(SignedDuration::ZERO, |date| now.duration_since(date));
    if off.abs() <= CLOSE {
        return Finding::passed(found);
    }
    let minutes = off.abs().as_mins();
    let words = if off.is_positive() { "ahead of" } else { "behind" };
    Finding {
        verdict: Verdict::Warned,
        found: format!("{found}; the clock of this machine is {minutes} minutes {words} that of the server"),
        cure: Some(
            "set the clocks: an S3 store refuses requests that are more than 15 minutes off".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use charon_provider::Verdict;
    use jiff::{SignedDuration, Timestamp};

    use super::{Reached, reached};

    #[test]
    fn a_clock_that_is_off_is_told() {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24);
        let found = |off: i64| {
            reached(Reached { status: 200, date: Some(now - SignedDuration::from_mins(off)) }, now)
        };
        assert_eq!(found(4).verdict, Verdict::Passed);
        assert_eq!(reached(Reached { status: 403, date: None }, now).verdict, Verdict::Passed);
        for (off, words) in [(20, "20 minutes ahead of"), (-20, "20 minutes behind")] {
            let finding = found(off);
            assert_eq!(finding.verdict, Verdict::Warned);
            assert!(finding.found.contains(words) && finding.cure.is_some(), "{}", finding.found);
        }
    }
}
