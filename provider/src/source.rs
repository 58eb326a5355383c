//! The way photos come home.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Error, Fidelity, RemoteId, RemoteItem};

/// Which remote items are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// The first year wanted (UTC); items taken before it are left out, and counted.
    pub start_year: Option<i16>,
    /// Whether archived items are wanted too.
    pub include_archived: bool,
}

impl Selection {
    /// Why an item that was listed is not wanted, if it is not.
    pub fn leaves_out(&self, item: &RemoteItem) -> Option<&'static str> {
        let year = item.taken_at.to_zoned(TimeZone::UTC).year();
        self.start_year.is_some_and(|first| year < first).then_some("before start_year")
    }
}

/// Where a listing goes on. Opaque to everyone but the storage that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub String);

/// One page of a listing. A page without items is not the end; one without `next` is.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// What it lists, in the storage's order. The same item may come again on a later page.
    pub items: Vec<RemoteItem>,
    /// Where to go on.
    pub next: Option<Cursor>,
}

/// What a direct look-up of an id says.
#[derive(Clone, Debug)]
pub enum Existence {
    /// It is there; this is what it looks like now, with a fresh address.
    Found(Box<RemoteItem>),
    /// The storage says that there is no such item.
    NotFound,
    /// The storage could not say, this time.
    Unknown(String),
}

/// Which bytes of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The photo or the video itself.
    Whole,
}

/// The bytes of an item, on their way.
pub struct Body {
    /// How many there will be, if the storage said so.
    pub length: Option<u64>,
    /// How true they are to the original.
    pub fidelity: Fidelity,
    /// The bytes. An error ends them.
    pub bytes: BoxStream<'static, Result<Bytes, Error>>,
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("length", &self.length)
            .field("fidelity", &self.fidelity)
            .finish_non_exhaustive()
    }
}

/// The way photos come home. Each call is one attempt; whether to try again is for the engine to decide.
#[async_trait]
pub trait Source: Send + Sync {
    /// One page of what is wanted, from the beginning or from a cursor.
    async fn list(&self, wanted: &Selection, from: Option<&Cursor>) -> Result<Page, Error>;

    /// The most ids that one [`confirm`](Source::confirm) takes.
    fn confirm_limit(&self) -> usize;

    /// Looks up ids directly, with fresh addresses. The answers come in the order of the ids, one for each.
    async fn confirm(&self, ids: &[RemoteId]) -> Result<Vec<Existence>, Error>;

    /// Opens the bytes of an item.
    ///
    /// # Errors
    /// [`Reason::StaleAddress`](crate::Reason::StaleAddress) when the item's address has expired, or it has none.
    async fn open(&self, item: &RemoteItem, part: Part) -> Result<Body, Error>;
}
