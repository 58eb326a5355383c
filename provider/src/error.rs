//! What can go wrong between the engine and a storage. The class decides what the engine does.

use std::{fmt, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Cost;

/// What kind of trouble it is, and so what the engine does about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The account or its consent: parks the run until a person acts; never tried again by itself.
    Auth,
    /// A daily limit is spent: parks the run until the meter resets.
    Quota,
    /// Too fast: wait (as told, else 30 s and up), then go on.
    Throttled,
    /// A passing fault of the server or the network: try again, ever more slowly.
    Transient,
    /// This item alone: recorded with the reason; the run goes on.
    Item,
    /// Where the bytes should go takes no more: stop cleanly.
    Destination,
    /// The configuration is wrong: refuse before the run starts.
    Config,
}

/// What the engine must be able to tell apart within a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The address of the bytes has expired: [`confirm`](crate::Source::confirm) gives a fresh one.
    StaleAddress,
    /// There is no such item or album.
    NotFound,
    /// The upload token is not, or no longer, accepted: the bytes must be sent again.
    UploadToken,
    /// What came is not what was asked for (a page of text instead of a photo).
    WrongContent,
    /// The listing cannot be followed any further from its cursor: it has to be begun anew.
    ListingExpired,
    /// The upload session is gone: the bytes have to be sent from the beginning, in a session of their own.
    SessionLost,
    /// The item has no such part.
    NoSuchPart,
    /// The same bytes are in the same commit already: to be committed again, alone.
    AlreadyExists,
    /// It cannot be known whether the request took effect: the answer was lost.
    Unanswered,
    /// The engine did not permit the request: its own count says that the day's budget is used up. Nothing was asked.
    OverBudget,
    /// Nothing more than the class says.
    Other,
}

/// Something that a storage failed to do.
#[derive(Clone, Debug, thiserror::Error)]
pub struct Error {
    /// What the engine does about it.
    pub class: Class,
    /// What it must be told apart as.
    pub reason: Reason,
    /// What was being done, as words that read well after "failed to": `list media items`.
    pub doing: String,
    /// What happened: the server's own words where it had any. Never contains a secret.
    pub cause: String,
    /// What a person can do about it.
    pub cure: Option<String>,
    /// How long the server asked to be left alone.
    pub retry_after: Option<Duration>,
    /// What the request cost. Of an error of the class [`Quota`](Class::Quota), it names the meter that is spent.
    pub cost: Option<Cost>,
}

impl Error {
    /// An error of this class, with nothing more to be told.
    pub fn new(class: Class, doing: impl Into<String>, cause: impl Into<String>) -> Self {
        Self {
            class,
            reason: Reason::Other,
            doing: doing.into(),
            cause: cause.into(),
            cure: None,
            retry_after: None,
            cost: None,
        }
    }

    /// The same error, told apart as `reason`.
    #[must_use]
    pub fn because(mut self, reason: Reason) -> Self {
        self.reason = reason;
        self
    }

    /// The same error, with what a person can do about it.
    #[must_use]
    pub fn cured_by(mut self, cure: impl Into<String>) -> Self {
        self.cure = Some(cure.into());
        self
    }

    /// The same error, with how long the server asked to be left alone.
    #[must_use]
    pub fn after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// The same error, with what the request cost.
    #[must_use]
    pub fn at_cost(mut self, cost: Cost) -> Self {
        self.cost = Some(cost);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed to {}: {}", self.doing, self.cause)?;
        if let Some(cure) = &self.cure {
            write!(f, " ({cure})")?;
        }
        Ok(())
    }
}
