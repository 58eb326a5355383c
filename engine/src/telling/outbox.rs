//! The outbox: what is to be told is kept until it has got through, tried ever more rarely, and given up in the end.

use std::{fmt, str::FromStr, time::Duration};

use charon_notify::DeliveryError;
use futures::future::join_all;
use jiff::{Timestamp, ToSpan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    engine::Engine,
    error::Error,
    run::UnknownName,
    store::{ChannelRow, DeliveryRecord, Due},
};

/// How many are told at a time.
const AT_A_TIME: u32 = 4;
/// How long nobody else takes what this process is telling. Telling takes a minute at most.
const TAKEN: Duration = Duration::from_mins(5);
/// The wait after the first attempt. Each one after that is four times as long.
const FIRST_WAIT: Duration = Duration::from_mins(1);
/// The longest wait of our own.
const LONGEST_WAIT: Duration = Duration::from_hours(6);
/// After so many attempts it is given up.
const MOST_ATTEMPTS: u32 = 10;
/// What is older is no news.
const LONGEST: Duration = Duration::from_hours(3 * 24);

/// Whether a notice has got through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum DeliveryState {
    /// It is still to be told.
    Pending,
    /// It has been told.
    Delivered,
    /// It is not tried any more.
    GivenUp,
}

impl DeliveryState {
    /// The name in the database, in JSON and on a screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::GivenUp => "given_up",
        }
    }
}

impl fmt::Display for DeliveryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for DeliveryState {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        [Self::Pending, Self::Delivered, Self::GivenUp]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| UnknownName(text.to_owned()))
    }
}

impl Engine {
    /// Tells what is due, a few at a time, each within a minute; gives when to come again, if there is anything left. Several
    /// processes may do so. Dropped in the middle, it leaves what it was telling for another time, some minutes later.
    ///
    /// # Errors
    /// When the database does not do as it is told. What does not get through is no error: it is written down.
    pub async fn deliver_due(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        loop {
            // What came to be told meanwhile does not wait until all the rest is through.
            let now = now.max(self.clock.now());
            let due = self.store.take_due(now, later(now.max(self.clock.now()), TAKEN), AT_A_TIME).await?;
            if due.is_empty() {
                return self.store.next_due().await;
            }
            let channels = self.store.channels().await?;
            for told in join_all(due.iter().map(|due| self.tell(due, &channels))).await {
                told?;
            }
        }
    }

    /// Forgets what was told long ago, and what could not be.
    pub(crate) async fn forget_told(&self, now: Timestamp) -> Result<(), Error> {
        let before = |days: i32| now.checked_sub((days * 24).hours()).unwrap_or(Timestamp::MIN);
        self.store.forget_told(DeliveryState::Delivered, before(30)).await?;
        self.store.forget_told(DeliveryState::GivenUp, before(90)).await
    }

    /// What is to be told and what has been, the newest first: of one channel or of all, in one state or in any.
    ///
    /// # Errors
    /// When there is no such channel.
    pub async fn deliveries(
        &self,
        channel: Option<&str>,
        state: Option<DeliveryState>,
        most: u32,
    ) -> Result<Vec<DeliveryRecord>, Error> {
        let channel = match channel {
            Some(name) => Some(self.channel_row(name).await?.id),
            None => None,
        };
        self.store.deliveries(channel, state, None, most).await
    }

    /// One attempt, and what came of it.
    async fn tell(&self, due: &Due, channels: &[ChannelRow]) -> Result<(), Error> {
        // One that has been removed meanwhile has taken its notices with it.
        let Some(row) = channels.iter().find(|row| row.id == due.channel) else { return Ok(()) };
        let (error, can_try_again, asked) = match self.open_channel(row) {
            Ok(channel) => match channel.deliver(&due.notice, self.clock.now()).await {
                Ok(()) => return self.store.delivered(due.id, self.clock.now()).await,
                Err(error) => (error.to_string(), error.can_try_again(), error.retry_after()),
            },
            // The key may be put back.
            Err(error) => (error.to_string(), true, None),
        };
        let now = self.clock.now();
        let again = next_attempt(due.attempts, can_try_again, asked, due.enqueued_at, now);
        tracing::warn!(channel = row.name, event = %due.notice.event, %error, attempts = due.attempts, "a notice did not get through");
        self.store.undelivered(due.id, &error, again, now).await
    }

    /// Tells a channel that it works, and waits for the answer. Nothing is written down.
    ///
    /// # Errors
    /// When there is no such channel; why it could not be told.
    pub async fn test_channel(&self, name: &str) -> Result<(), Error> {
        let row = self.channel_row(name).await?;
        let channel = self.open_channel(&row)?;
        self.try_channel(&channel)
            .await
            .map_err(|source| Error::Delivery { channel: format!("the channel {name}"), source })
    }

    /// The same for a channel that is not saved.
    ///
    /// # Errors
    /// Every mistake in the configuration; why it could not be told.
    pub async fn test_unsaved_channel(
        &self,
        kind: &str,
        config: serde_json::Map<String, serde_json::Value>,
    ) -> Result<(), Error> {
        let wrong = |mistakes| Error::Config { what: "the channel".into(), mistakes };
        let channel = charon_notify::Channel::read(kind, config).map_err(wrong)?;
        let failed = |source| Error::Delivery { channel: "the channel".into(), source };
        self.try_channel(&channel).await.map_err(failed)
    }

    async fn try_channel(&self, channel: &charon_notify::Channel) -> Result<(), DeliveryError> {
        let id = crate::ids::NoticeId::new(&*self.clock, &*self.entropy);
        channel.deliver(&charon_notify::Notice::test(id.to_string()), self.clock.now()).await
    }
}

/// When it is tried again after so many attempts; `None` if it is given up.
fn next_attempt(
    attempts: u32,
    can_try_again: bool,
    asked: Option<Duration>,
    enqueued_at: Timestamp,
    now: Timestamp,
) -> Option<Timestamp> {
    if !can_try_again || attempts >= MOST_ATTEMPTS {
        return None;
    }
    let own = FIRST_WAIT.saturating_mul(4_u32.saturating_pow(attempts.saturating_sub(1))).min(LONGEST_WAIT);
    let next = later(now, own.max(asked.unwrap_or_default()));
    (next <= later(enqueued_at, LONGEST)).then_some(next)
}

fn later(now: Timestamp, wait: Duration) -> Timestamp {
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::{later, next_attempt};

    fn minutes(minutes: u64) -> Duration {
        Duration::from_mins(minutes)
    }

    #[test]
    fn attempts_are_ever_rarer_and_not_for_ever() {
        let start = Timestamp::UNIX_EPOCH;
        let (mut now, mut waits) = (start, Vec::new());
        for attempt in 1.. {
            let Some(next) = next_attempt(attempt, true, None, start, now) else { break };
            waits.push(next.duration_since(now).as_secs() / 60);
            now = next;
        }
        assert_eq!(waits, [1, 4, 16, 64, 256, 360, 360, 360, 360]);
    }

    #[test]
    fn never_sooner_than_the_server_asked_and_never_after_three_days() {
        let start = Timestamp::UNIX_EPOCH;
        let next = |attempts, asked, now| next_attempt(attempts, true, Some(asked), start, now);
        assert_eq!(next(1, minutes(30), start), Some(later(start, minutes(30))));
        // Nor sooner than we would on our own.
        assert_eq!(next(3, minutes(1), start), Some(later(start, minutes(16))));
        let late = later(start, minutes(3 * 24 * 60 - 20));
        assert_eq!(next(1, minutes(20), late), Some(later(late, minutes(20))));
        assert_eq!(next(1, minutes(21), late), None);
    }

    #[test]
    fn what_another_attempt_does_not_mend_is_given_up_at_once() {
        assert_eq!(next_attempt(1, false, None, Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH), None);
    }
}
