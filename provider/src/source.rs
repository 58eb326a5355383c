//! The way photos come home.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::{AlbumId, Class, Error, Fidelity, Kind, Reason, RemoteId, RemoteItem};

/// Which remote items are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// The first year wanted (UTC); items taken before it are left out, and counted.
    pub start_year: Option<i16>,
    /// Whether archived items are wanted too.
    pub include_archived: bool,
    /// Photos or videos alone; `None` for both.
    pub kind: Option<Kind>,
    /// Whether only favourites are wanted.
    pub favourites: bool,
    /// Which albums are wanted.
    pub albums: AlbumChoice,
}

/// Which albums are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlbumChoice {
    /// The whole library, in albums or not.
    #[default]
    Library,
    /// What is in any album.
    Every,
    /// What is in one of these.
    These(Vec<AlbumId>),
}

impl Selection {
    /// Why an item that was listed is not wanted, if it is not.
    pub fn leaves_out(&self, item: &RemoteItem) -> Option<&'static str> {
        if self.kind.is_some_and(|kind| kind != item.kind) {
            return Some(match item.kind {
                Kind::Photo => "a photo, and the selection is of videos",
                Kind::Video => "a video, and the selection is of photos",
            });
        }
        let year = item.taken_at?.to_zoned(TimeZone::UTC).year();
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
    /// The album that all of these were listed in, where albums are listed one after the other.
    pub album: Option<AlbumId>,
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
    /// The short clip beside the still of a motion photo.
    Clip,
}

/// Where the bytes of an item broke off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResumePoint {
    /// How many there are already.
    pub offset: u64,
    /// What [`Body::validator`] said of them: other bytes must not be put behind these.
    pub validator: String,
}

/// The bytes of an item, on their way.
pub struct Body {
    /// Where they begin: at the [`ResumePoint`], or at 0 when the storage sends them all again.
    pub offset: u64,
    /// How many the item has, counted from 0, if the storage said so.
    pub length: Option<u64>,
    /// What tells these bytes from others of the same item (an entity tag); without it they cannot be resumed.
    pub validator: Option<String>,
    /// Whether they may be a ZIP archive with the still and the clip of a live photo, whatever the item's name says.
    pub may_be_bundle: bool,
    /// How true they are to the original.
    pub fidelity: Fidelity,
    /// The bytes. An error ends them.
    pub bytes: BoxStream<'static, Result<Bytes, Error>>,
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("offset", &self.offset)
            .field("length", &self.length)
            .field("fidelity", &self.fidelity)
            .finish_non_exhaustive()
    }
}

/// Whether a storage has a way to originals beside the one that may give lesser copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayToOriginals {
    /// It has none: what [`Source::open`] gives is all there is.
    None,
    /// It can be asked.
    Open,
    /// It has failed, and is left alone until then.
    Resting(Timestamp),
}

/// The way photos come home. Each call is one attempt; whether to try again is for the engine to decide.
#[async_trait]
pub trait Source: Send + Sync {
    /// One page of what is wanted, from the beginning or from a cursor. Those taken last come first, as far as the storage has
    /// an order.
    ///
    /// # Errors
    /// [`Reason::ListingExpired`](crate::Reason::ListingExpired) when the cursor is no longer accepted.
    async fn list(&self, wanted: &Selection, from: Option<&Cursor>) -> Result<Page, Error>;

    /// The most ids that one [`confirm`](Source::confirm) takes.
    fn confirm_limit(&self) -> usize;

    /// Looks up ids directly, with fresh addresses. The answers come in the order of the ids, one for each.
    async fn confirm(&self, ids: &[RemoteId]) -> Result<Vec<Existence>, Error>;

    /// Opens the bytes of an item.
    ///
    /// # Errors
    /// [`Reason::StaleAddress`](crate::Reason::StaleAddress) when the item's address has expired, or it has none.
    /// [`Reason::NoSuchPart`](crate::Reason::NoSuchPart) when the item has no such part after all.
    async fn open(&self, item: &RemoteItem, part: Part, from: Option<&ResumePoint>) -> Result<Body, Error>;

    /// Opens a small picture of an item, of whatever format of pictures, whose sides have at most so many pixels: of a video, one of its
    /// frames. Its shape is kept.
    ///
    /// # Errors
    /// [`Reason::NoSuchPart`](crate::Reason::NoSuchPart) where there are no such pictures, of this item or of any; otherwise as for
    /// [`open`](Source::open).
    async fn preview(&self, _item: &RemoteItem, _pixels: u32) -> Result<Body, Error> {
        let cause = "this storage gives no small pictures";
        Err(Error::new(Class::Item, "fetch a small picture", cause).because(Reason::NoSuchPart))
    }

    /// Whether [`open_original`](Source::open_original) is of use now.
    fn way_to_originals(&self) -> WayToOriginals {
        WayToOriginals::None
    }

    /// Opens the original of an item, and nothing lesser; `None` if it does not come now. It needs no address.
    ///
    /// # Errors
    /// As for [`open`](Source::open).
    async fn open_original(&self, _item: &RemoteItem) -> Result<Option<Body>, Error> {
        Ok(None)
    }

    /// Says that what came as the original of an item was wrong, again and again: from now on [`open`](Source::open) is to
    /// give the lesser copy of it, where there is one.
    fn decline_original(&self, _item: &RemoteId) {}

    /// How many bytes an item has, without fetching them; `None` if the storage does not say.
    ///
    /// # Errors
    /// As for [`open`](Source::open).
    async fn measure(&self, item: &RemoteItem) -> Result<Option<u64>, Error>;
}
