//! The library: what the mirror of a backup plan holds, by when it was taken, by name and by album; and its files.
//!
//! It is what the ledger knows, and asks nobody. Albums are those that the last listing of albums showed, and those that Charon has put
//! items into.

mod counted;
mod file;
mod position;
mod standing;

use charon_provider::{AlbumId, Fidelity, Kind, RemoteId};
use jiff::{Timestamp, civil::Date};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use counted::Counted;
pub use file::StoredFile;
pub use position::{NotAPosition, Position};
pub use standing::{FilesOf, MirrorStanding, VerifiedFiles};

use crate::{
    engine::Engine,
    error::Error,
    ids::{PlanId, Sha256, StorageId},
    naming,
    plan::{BackupConfig, PlanConfig},
    plans::config_of,
    store::{LibraryPlace, LibraryWanted, Shelved, class},
    verify::Damage,
};

/// The number of an item in the ledger. It is never another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ItemId(pub i64);

/// Which items of a library are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LibraryFilter {
    /// Not taken before this.
    pub from: Option<Timestamp>,
    /// Taken before this.
    pub before: Option<Timestamp>,
    /// Photos or videos alone.
    pub kind: Option<Kind>,
    /// Only those that are so true to the original.
    pub fidelity: Option<Fidelity>,
    /// Only those of an album.
    pub album: Option<AlbumId>,
    /// Only those whose files' names begin so, in whatever case.
    pub name: Option<String>,
}

/// An item of a mirror.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LibraryItem {
    /// Its number.
    pub id: ItemId,
    /// Its original file name.
    pub name: String,
    /// Its media type.
    pub mime_type: String,
    /// Photo or video.
    pub kind: Kind,
    /// When it was taken, if the storage knows.
    pub taken_at: Option<Timestamp>,
    /// When its bytes were stored.
    pub stored_at: Timestamp,
    /// Bytes.
    pub size: u64,
    /// What its bytes are known by.
    pub sha256: Sha256,
    /// How true it is to the original.
    pub fidelity: Fidelity,
    /// Where it is below the destination.
    pub path: String,
}

/// A page of a library.
#[derive(Clone, Debug)]
pub struct LibraryPage {
    /// The items: those that were taken last first; of a search by name those in the last folder first, by name backwards.
    pub items: Vec<LibraryItem>,
    /// Where to go on; `None` at the end. A page of a search may be short, or empty, and not be the last one.
    pub next: Option<Position>,
}

/// How many items were taken in a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MonthOfItems {
    /// The first day of the month, by UTC; `None` for those of which nobody knows when they were taken.
    pub month: Option<Date>,
    /// How many.
    pub items: u64,
}

/// An album that is known of a plan's storage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LibraryAlbum {
    /// How the storage names it.
    pub id: AlbumId,
    /// Its title.
    pub title: String,
    /// How many of its items are in the mirror.
    pub items: u64,
    /// The one of them that was taken last.
    pub cover: Option<ItemId>,
}

/// All that the ledger knows of an item.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ItemDetails {
    /// The item.
    #[serde(flatten)]
    pub item: LibraryItem,
    /// Its files in the mirror: the item itself, and the clip of a motion photo.
    pub parts: Vec<StoredPart>,
    /// The storages that hold it.
    pub storages: Vec<Holder>,
    /// The other mirrors that it is in.
    pub mirrors: Vec<InMirror>,
    /// The albums that it is known to be in, by title.
    pub albums: Vec<InAlbum>,
    /// The item that was taken next after it.
    pub newer: Option<ItemId>,
    /// The item that was taken before it.
    pub older: Option<ItemId>,
}

/// A file in a mirror.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct StoredPart {
    /// Whether it is the clip of a motion photo, and not the item itself.
    pub is_clip: bool,
    /// Where it is below the destination.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// What its bytes are known by.
    pub sha256: Sha256,
    /// When it was stored.
    pub stored_at: Timestamp,
    /// How true it is to the original.
    pub fidelity: Fidelity,
    /// When it was last read again and found to be as it was stored.
    pub verified_at: Option<Timestamp>,
    /// What is known to be wrong with it: it counts as not home.
    pub damage: Option<Damage>,
}

/// A storage that holds an item.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Holder {
    /// The storage.
    pub storage: StorageId,
    /// Its name.
    pub name: String,
    /// How it names the item.
    pub media_id: RemoteId,
    /// When it was first seen there.
    pub first_seen_at: Timestamp,
}

/// An album that an item is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct InAlbum {
    /// How the storage names it.
    pub id: AlbumId,
    /// Its title.
    pub title: String,
}

/// A mirror that an item is in.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct InMirror {
    /// The plan that keeps it.
    pub plan: PlanId,
    /// The name of the plan.
    pub name: String,
    /// Where the item is in it.
    pub path: String,
}

impl LibraryFilter {
    /// In the words of the database.
    fn wanted(&self) -> LibraryWanted {
        let mut classes = 0;
        for kind in
            [Kind::Photo, Kind::Video].into_iter().filter(|kind| self.kind.is_none_or(|only| only == *kind))
        {
            for fidelity in [Fidelity::Original, Fidelity::ApiCopy] {
                if self.fidelity.is_none_or(|only| only == fidelity) {
                    classes |= 1 << class(kind, fidelity);
                }
            }
        }
        LibraryWanted { classes, from: self.from, before: self.before }
    }
}

impl Engine {
    /// A page of a library, from the beginning or from where another page ended: `most` items at most.
    ///
    /// # Errors
    /// When there is no such backup plan; [`Error::BadName`] when the position is one of another list.
    pub async fn library(
        &self,
        plan: PlanId,
        filter: &LibraryFilter,
        from: Option<&Position>,
        most: u32,
    ) -> Result<LibraryPage, Error> {
        self.backup_of(plan).await?;
        let wanted = filter.wanted();
        let name = filter.name.as_deref().map(naming::beginning_key).filter(|name| !name.is_empty());
        let behind = match (from, &name, &filter.album) {
            (None, ..) | (Some(Position::Named(_)), Some(_), None) => LibraryPlace::END,
            (Some(Position::Taken { taken, item }), name, album) if name.is_none() || album.is_some() => {
                LibraryPlace { taken: *taken, asset: item.0 }
            }
            _ => {
                return Err(Error::BadName("the cursor is one of another list; begin without one".into()));
            }
        };
        // One more tells whether there are more.
        let most = most.max(1);
        let (mut found, mut next) = match (&filter.album, &name) {
            (Some(album), name) => {
                let name = name.as_deref().unwrap_or_default();
                (self.store.library_of_album(plan, &wanted, (album, name), behind, most + 1).await?, None)
            }
            (None, Some(name)) => {
                let behind = match from {
                    Some(Position::Named(key)) => Some(key.as_str()),
                    _ => None,
                };
                let (found, next) = self.store.library_named(plan, &wanted, (name, behind), most).await?;
                (found, next.map(Position::Named))
            }
            (None, None) => (self.store.library_page(plan, &wanted, behind, most + 1).await?, None),
        };
        if found.len() > most as usize {
            found.truncate(most as usize);
            next = found.last().map(|last| Position::behind(last.place));
        }
        Ok(LibraryPage { items: found.into_iter().map(|Shelved { item, .. }| item).collect(), next })
    }

    /// In which months how many items of a library were taken, the last month first, and at the end those that nobody can date.
    /// What it counts may be a few seconds old while items are stored. Of a filter, the dates, the album and the name do not count.
    ///
    /// # Errors
    /// When there is no such backup plan.
    pub async fn library_months(
        &self,
        plan: PlanId,
        filter: &LibraryFilter,
    ) -> Result<Vec<MonthOfItems>, Error> {
        self.backup_of(plan).await?;
        let classes = filter.wanted().classes;
        let counted = self.counted.months(&self.store, &*self.clock, plan).await?;
        let months = counted.iter().map(|month| {
            let of_class = month.items.iter().enumerate().filter(|(class, _)| classes >> class & 1 == 1);
            MonthOfItems {
                month: month.began.map(|began| began.to_zoned(jiff::tz::TimeZone::UTC).date()),
                items: of_class.map(|(_, items)| items).sum(),
            }
        });
        Ok(months.filter(|month| month.items > 0).collect())
    }

    /// The albums that are known of a plan's storage, by title: those that it showed when its albums were listed last, and those into
    /// which Charon has put items. The counts may be a few seconds old while items are stored.
    ///
    /// # Errors
    /// When there is no such backup plan.
    pub async fn library_albums(&self, plan: PlanId) -> Result<Vec<LibraryAlbum>, Error> {
        self.backup_of(plan).await?;
        let albums = self.counted.albums(&self.store, &*self.clock, plan).await?;
        Ok(albums.to_vec())
    }

    /// An item of a library, as lists show it.
    ///
    /// # Errors
    /// When there is no such backup plan, or no such item in its mirror.
    pub async fn library_brief(&self, plan: PlanId, item: ItemId) -> Result<LibraryItem, Error> {
        Ok(self.shelved(plan, item).await?.item)
    }

    /// All that the ledger knows of an item of a library.
    ///
    /// # Errors
    /// When there is no such backup plan, or no such item in its mirror.
    pub async fn library_item(&self, plan: PlanId, item: ItemId) -> Result<ItemDetails, Error> {
        self.backup_of(plan).await?;
        let Shelved { place, item: found, .. } = self.shelved(plan, item).await?;
        let older = self.store.library_page(plan, &LibraryWanted::all(), place, 1).await?.pop();
        let newer = self.store.library_newer(plan, place).await?;
        Ok(ItemDetails {
            item: found,
            parts: self.store.library_parts(plan, item).await?,
            storages: self.store.holders(item).await?,
            mirrors: self.store.other_mirrors(plan, item).await?,
            albums: self.store.albums_of(item).await?,
            newer: newer.map(|newer| newer.item.id),
            older: older.map(|older| older.item.id),
        })
    }

    async fn shelved(&self, plan: PlanId, item: ItemId) -> Result<Shelved, Error> {
        self.store.library_item(plan, item).await?.ok_or_else(|| Error::Unknown {
            what: "item",
            name: item.0.to_string(),
            known: "it is not in the mirror of this plan; look for it in the library".into(),
        })
    }

    /// The configuration of a backup plan.
    async fn backup_of(&self, plan: PlanId) -> Result<BackupConfig, Error> {
        let unknown = || Error::Unknown {
            what: "backup plan",
            name: plan.to_string(),
            known: "it may have been removed; choose another plan".into(),
        };
        match config_of(&self.store.plan_by_id(plan).await?.ok_or_else(unknown)?)? {
            PlanConfig::Backup(backup) => Ok(backup),
            PlanConfig::Upload(_) => Err(unknown()),
        }
    }
}
