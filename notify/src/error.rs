//! Why a notice did not get through, and whether it helps to try again.

use std::time::Duration;

/// An attempt that failed. What it says contains no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct DeliveryError {
    words: String,
    can_try_again: bool,
    retry_after: Option<Duration>,
}

impl DeliveryError {
    /// It may get through another time.
    pub(crate) fn passing(words: impl Into<String>) -> Self {
        Self { words: words.into(), can_try_again: true, retry_after: None }
    }

    /// It does not get through before somebody changes something.
    pub(crate) fn lasting(words: impl Into<String>) -> Self {
        Self { words: words.into(), can_try_again: false, retry_after: None }
    }

    /// Not sooner than this.
    pub(crate) fn not_before(mut self, retry_after: Option<Duration>) -> Self {
        self.retry_after = retry_after;
        self
    }

    /// Whether the same notice may get through another time, with nothing changed on this side.
    pub fn can_try_again(&self) -> bool {
        self.can_try_again
    }

    /// How long the server asked to be left alone; a day at most.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}
