//! The albums of the account, as far as Google shows them: those that the same client made.

use async_trait::async_trait;
use charon_provider::{Album, AlbumId, AlbumPage, Albums, Class, Cursor, Error, RemoteId, Storage as _};

use crate::{
    api::{self, AlbumResource},
    facts::ALBUM_TITLE_CHARS,
    storage::GPhotosStorage,
};

#[async_trait]
impl Albums for GPhotosStorage {
    async fn list(&self, from: Option<&Cursor>) -> Result<AlbumPage, Error> {
        let from = from.map(|cursor| cursor.0.as_str());
        let (albums, next) = self.api.list_albums(api::LARGEST_ALBUM_PAGE, from).await?;
        Ok(AlbumPage { albums: albums.into_iter().filter_map(album).collect(), next: next.map(Cursor) })
    }

    async fn create(&self, title: &str) -> Result<Album, Error> {
        let doing = "make an album";
        self.may_write(doing)?;
        let mistake = |words: String| Err(Error::new(Class::Config, doing, words));
        if title.trim().is_empty() {
            return mistake("its title is blank".into());
        }
        let length = title.chars().count();
        if length > ALBUM_TITLE_CHARS {
            return mistake(format!(
                "its title has {length} characters, and Google takes {ALBUM_TITLE_CHARS}"
            ));
        }
        let made = self.api.create_album(title).await?;
        let title = if made.title.is_empty() { title.to_owned() } else { made.title };
        // We made it, so we may add to it, whether or not the answer says so.
        Ok(Album { id: AlbumId(made.id), title, items: Some(0), writable: true, cover: None })
    }

    fn add_limit(&self) -> usize {
        api::LARGEST_ADDITION
    }

    async fn add(&self, album: &AlbumId, items: &[RemoteId]) -> Result<(), Error> {
        self.may_write("add items to an album")?;
        if items.is_empty() {
            return Ok(());
        }
        let items: Vec<&str> = items.iter().map(|id| id.0.as_str()).collect();
        self.api.add_to_album(&album.0, &items).await
    }
}

impl GPhotosStorage {
    fn may_write(&self, doing: &str) -> Result<(), Error> {
        if self.facts().capabilities.upload {
            return Ok(());
        }
        let error = Error::new(Class::Config, doing, "the storage is read-only");
        Err(error.cured_by("set read_only to false, or choose another storage"))
    }
}

fn album(album: AlbumResource) -> Option<Album> {
    if album.id.is_empty() {
        tracing::warn!("Google listed an album without an id; it is passed over");
        return None;
    }
    Some(Album {
        id: AlbumId(album.id),
        title: album.title,
        // An empty album comes without a count.
        items: Some(album.media_items_count.map_or(0, |count| u64::try_from(count.0).unwrap_or(0))),
        writable: album.is_writeable,
        cover: Some(album.cover_photo_media_item_id).filter(|id| !id.is_empty()).map(RemoteId),
    })
}
