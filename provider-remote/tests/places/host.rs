//! The engine, as these tests play it.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use charon_provider::{Class, Conflict, Cost, Error, Host, Reason, Revision, Secrets};
use jiff::{SignedDuration, Timestamp};

/// A host that counts what it permits, until it permits nothing more.
#[derive(Debug, Default)]
pub(crate) struct Engine {
    pub(crate) permits: AtomicU64,
    pub(crate) refuses: AtomicBool,
    /// How far its clock is ahead, in minutes.
    pub(crate) ahead: AtomicU64,
    drawn: AtomicU64,
}

#[async_trait]
impl Host for Engine {
    async fn permit(&self, _cost: Cost) -> Result<(), Error> {
        if self.refuses.load(Ordering::Relaxed) {
            return Err(Error::new(Class::Quota, "go on", "the budget is spent").because(Reason::OverBudget));
        }
        self.permits.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn save_secrets(&self, seen: Revision, _new: Secrets) -> Result<Result<Revision, Conflict>, Error> {
        Ok(Ok(seen))
    }

    async fn account(&self, _id: &str) -> Result<(), Error> {
        Ok(())
    }

    #[expect(clippy::disallowed_methods, reason = "real servers live in real time")]
    fn now(&self) -> Timestamp {
        let minutes = i64::try_from(self.ahead.load(Ordering::Relaxed)).expect("few");
        Timestamp::try_from(SystemTime::now()).expect("a time") + SignedDuration::from_mins(minutes)
    }

    async fn sleep(&self, how_long: Duration) {
        tokio::time::sleep(how_long).await;
    }

    // Anybody can guess these, but no two of them are the same.
    fn random(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let drawn =
                self.drawn.fetch_add(1, Ordering::Relaxed) + u64::from(std::process::id()).rotate_left(32);
            let bytes = drawn.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}
