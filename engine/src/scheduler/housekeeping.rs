//! What has to be done now and then: old events are forgotten, a copy of the database is made each night.

use jiff::{SignedDuration, Timestamp};

use super::nightly::Nightly;
use crate::{engine::Engine, error::Error};

/// How often.
const EVERY: SignedDuration = SignedDuration::from_hours(1);
/// Events are kept for so long.
const EVENTS_KEPT: SignedDuration = SignedDuration::from_hours(24 * 30);
/// What was told of single items is kept for so long.
const ITEM_EVENTS_KEPT: SignedDuration = SignedDuration::from_hours(48);
/// What was decided about occurrences is kept for so long.
const OCCURRENCES_KEPT: SignedDuration = SignedDuration::from_hours(24 * 400);
/// What became of files that were handed over is kept for so long.
const RECEIPTS_KEPT: SignedDuration = SignedDuration::from_hours(24 * 30);
/// So many events are forgotten at once, so that nobody waits for long.
const AT_ONCE: u32 = 2_000;

/// What was done last.
#[derive(Debug, Default)]
pub(super) struct Housekeeping {
    next: Option<Timestamp>,
    nightly: Nightly,
}

impl Housekeeping {
    /// Does what is to be done, a little at a time. Gives when to come again.
    pub(super) async fn tick(&mut self, engine: &Engine, now: Timestamp) -> Result<Timestamp, Error> {
        let forget_again_at = self.forget(engine, now).await?;
        let back_up_at = self.nightly.tick(engine, now).await?;
        Ok(back_up_at.map_or(forget_again_at, |at| at.min(forget_again_at)))
    }

    /// Forgets what is old. Gives when to come again.
    async fn forget(&mut self, engine: &Engine, now: Timestamp) -> Result<Timestamp, Error> {
        // A clock that was set back is no reason to wait for the old time.
        if let Some(next) = self.next.filter(|next| *next > now && next.duration_since(now) <= EVERY) {
            return Ok(next);
        }
        let before = |kept| now.checked_sub(kept).unwrap_or(Timestamp::MIN);
        let forgotten = engine.store.forget_events(before(EVENTS_KEPT), AT_ONCE).await?;
        let of_items = engine.store.forget_item_events(before(ITEM_EVENTS_KEPT), AT_ONCE).await?;
        engine.forget_told(now).await?;
        engine.store.forget_occurrences(before(OCCURRENCES_KEPT)).await?;
        let receipts = engine.store.forget_receipts(before(RECEIPTS_KEPT), AT_ONCE).await?;
        let most = forgotten.max(of_items).max(receipts);
        let is_all = engine.forget_access(now).await? && most < u64::from(AT_ONCE);
        let wait = if is_all { EVERY } else { SignedDuration::from_secs(1) };
        let next = now.checked_add(wait).unwrap_or(Timestamp::MAX);
        self.next = Some(next);
        Ok(next)
    }
}
