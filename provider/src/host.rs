//! What the engine does for a provider.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{Error, Revision, Secrets};

/// What one HTTP attempt costs, named by the [`Meter`](crate::Meter) that counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cost(pub &'static str);

/// Somebody else saved newer secrets; these are they.
#[derive(Debug)]
pub struct Conflict {
    /// The secrets that are stored now.
    pub secrets: Secrets,
    /// Their revision.
    pub revision: Revision,
}

/// The engine, as a provider sees it.
#[async_trait]
pub trait Host: Send + Sync + fmt::Debug {
    /// Asked before every HTTP attempt. Waits until the attempt fits the pace, and counts it.
    ///
    /// # Errors
    /// Class [`Quota`](crate::Class::Quota) when the budget is spent: the attempt must not be made (I7).
    async fn permit(&self, cost: Cost) -> Result<(), Error>;

    /// Stores refreshed secrets at once, if those stored are still the ones of revision `seen`. Gives the new revision.
    ///
    /// # Errors
    /// [`Ok`] of [`Err`]: the conflict, with the newer secrets, which are to be used instead. The outer error: they
    /// could not be stored.
    async fn save_secrets(&self, seen: Revision, new: Secrets) -> Result<Result<Revision, Conflict>, Error>;

    /// Tells whose account the storage speaks for, by an id that stays, whenever that is learnt.
    ///
    /// # Errors
    /// Class [`Auth`](crate::Class::Auth) when the storage has been another account's until now: nothing may be done with
    /// this one (I11).
    async fn account(&self, id: &str) -> Result<(), Error>;

    /// The present moment, by the engine's clock.
    fn now(&self) -> Timestamp;

    /// Waits, by the engine's clock. A wait is given up by dropping it.
    async fn sleep(&self, how_long: Duration);

    /// Fills a buffer with random bytes that nobody can guess, by the engine's randomness.
    fn random(&self, buffer: &mut [u8]);
}
