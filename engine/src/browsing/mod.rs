//! Browsing a storage itself, for a person who waits: its albums, its items, small pictures and originals. Nothing of it is stored.
//!
//! A storage that is browsed stays open for a while, and what a page has told of its items is kept for as long: so a picture needs no
//! further look-up ([`shelf`]). Every request waits in the storage's lane and is counted in the budget, as one of a person.

mod asking;
mod bytes;
mod shelf;

use std::collections::HashMap;

use charon_provider::{
    AlbumChoice, AlbumId, Class, Cursor, Error as StorageError, Kind, RemoteId, RemoteItem, Selection, Source,
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    engine::Engine,
    error::Error,
    ids::{PlanId, StorageId},
    library::ItemId,
};
use asking::ask;
pub use bytes::{Original, Preview};
use shelf::Shelf;
pub(crate) use shelf::Shelves;

/// A page of what a storage itself shows.
#[derive(Clone, Debug)]
pub struct Browsed<T> {
    /// What it lists, in the storage's order.
    pub items: Vec<T>,
    /// Where to go on. A page without items is not the end; one without this is.
    pub next: Option<String>,
}

/// An album, as the storage shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RemoteAlbum {
    /// How the storage names it.
    pub id: AlbumId,
    /// Its title.
    pub title: String,
    /// How many items it holds, if the storage says so.
    pub items: Option<u64>,
    /// The item that it shows on its cover, if the storage says so.
    pub cover: Option<RemoteId>,
}

/// An item, as the storage shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BrowsedItem {
    /// How the storage names it.
    pub id: RemoteId,
    /// Its file name.
    pub name: String,
    /// Its media type; may be empty.
    pub mime_type: String,
    /// Photo or video.
    pub kind: Kind,
    /// When it was taken, if the storage knows.
    pub taken_at: Option<Timestamp>,
    /// Pixels, if the storage says so.
    pub width: Option<u32>,
    /// Pixels, if the storage says so.
    pub height: Option<u32>,
    /// The mirrors that it is in.
    pub home: Vec<InLibrary>,
}

/// Where an item of a storage is at home.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct InLibrary {
    /// The plan that keeps the mirror.
    pub plan: PlanId,
    /// Its number in that library.
    pub item: ItemId,
}

impl Engine {
    /// A page of the albums of a storage, from the beginning or from where another page ended.
    ///
    /// # Errors
    /// When there is no such storage, when it has no albums, and what it answers.
    pub async fn browse_albums(
        &self,
        storage: StorageId,
        from: Option<&str>,
    ) -> Result<Browsed<RemoteAlbum>, Error> {
        let browsed = self.shelf(storage).await?;
        let albums = browsed.opened.storage.albums().ok_or_else(|| unable("albums"))?;
        let from = from.map(|text| Cursor(text.to_owned()));
        let page = ask(self, &browsed.opened, || albums.list(from.as_ref())).await?;
        let albums: Vec<RemoteAlbum> = page
            .albums
            .into_iter()
            .map(|album| RemoteAlbum {
                id: album.id,
                title: album.title,
                items: album.items,
                cover: album.cover,
            })
            .collect();
        // They are looked up together with the first one that is to be seen.
        browsed.expect(albums.iter().filter_map(|album| album.cover.clone()));
        Ok(Browsed { items: albums, next: page.next.map(|Cursor(next)| next) })
    }

    /// A page of the items of a storage, all of them or those of an album.
    ///
    /// # Errors
    /// When there is no such storage, when it cannot be read from, and what it answers.
    pub async fn browse_items(
        &self,
        storage: StorageId,
        album: Option<&AlbumId>,
        from: Option<&str>,
    ) -> Result<Browsed<BrowsedItem>, Error> {
        let browsed = self.shelf(storage).await?;
        let source = readable(&browsed)?;
        let albums = album.map_or(AlbumChoice::Library, |album| AlbumChoice::These(vec![album.clone()]));
        let wanted = Selection { albums, ..Selection::default() };
        let from = from.map(|text| Cursor(text.to_owned()));
        let page = ask(self, &browsed.opened, || source.list(&wanted, from.as_ref())).await?;
        let ids: Vec<&RemoteId> = page.items.iter().map(|item| &item.id).collect();
        let mut home = self.store.home_of(storage, &ids).await?;
        let items = page.items.iter().map(|item| shown(item, &mut home)).collect();
        browsed.keep(page.items);
        Ok(Browsed { items, next: page.next.map(|Cursor(next)| next) })
    }

    /// One item of a storage.
    ///
    /// # Errors
    /// When there is no such storage or item, and what the storage answers.
    pub async fn browse_item(&self, storage: StorageId, item: &RemoteId) -> Result<BrowsedItem, Error> {
        let browsed = self.shelf(storage).await?;
        let item = browsed.item(self, readable(&browsed)?, item, None).await?;
        let mut home = self.store.home_of(storage, &[&item.id]).await?;
        Ok(shown(&item, &mut home))
    }
}

fn shown(item: &RemoteItem, home: &mut HashMap<RemoteId, Vec<InLibrary>>) -> BrowsedItem {
    BrowsedItem {
        id: item.id.clone(),
        name: item.file_name.clone(),
        mime_type: item.mime_type.clone(),
        kind: item.kind,
        taken_at: item.taken_at,
        width: item.width,
        height: item.height,
        home: home.remove(&item.id).unwrap_or_default(),
    }
}

fn readable(browsed: &Shelf) -> Result<&dyn Source, Error> {
    browsed.opened.storage.source().ok_or_else(|| unable("items that can be read"))
}

fn unable(what: &str) -> Error {
    let error = StorageError::new(Class::Config, "browse the storage", format!("this storage has no {what}"));
    Error::Storage(error.cured_by("choose another storage"))
}
