//! The album of an upload plan: remembered, else found by its title, else made.

use std::{sync::atomic::Ordering, time::Duration};

use charon_provider::{AlbumId, Albums, Class, Cursor, Error as StorageError, Reason};

use super::Upload;
use crate::{error::Error, retry::with_retries_and_grace};

/// The id of the plan's album, if the ledger has it. Sends no request.
pub(super) async fn known(upload: &Upload) -> Result<Option<AlbumId>, Error> {
    match &upload.album {
        Some(title) => upload.ctx.store.album(upload.ctx.storage, title).await,
        None => Ok(None),
    }
}

/// The id of the plan's album, which is looked for and made if need be. `None` when the run stops; it may still take `grace`
/// then.
pub(super) async fn ensure(upload: &Upload, title: &str, grace: Duration) -> Option<Result<AlbumId, Error>> {
    let ctx = &upload.ctx;
    match known(upload).await {
        Ok(Some(album)) => return Some(Ok(album)),
        Ok(None) => {}
        Err(error) => return Some(Err(error)),
    }
    let Some(albums) = upload.storage.albums() else {
        let cause = "this storage has no albums; take the album out of the plan";
        return Some(Err(StorageError::new(Class::Config, format!("find the album {title}"), cause).into()));
    };
    // Looking and making are tried again together: if the answer to the making was lost, the album is there.
    let album = match with_retries_and_grace(ctx, grace, || find_or_make(upload, albums, title)).await? {
        Ok(album) => album,
        Err(error) => return Some(Err(error.into())),
    };
    Some(ctx.store.remember_album(ctx.storage, title, &album).await.map(|()| album))
}

/// Forgets an album that the storage does not know any more, with what was in it.
pub(super) async fn forget(upload: &Upload, album: &AlbumId) -> Result<(), Error> {
    upload.ctx.store.forget_album(upload.ctx.storage, album).await
}

/// The error, as it is to be taken when this run has made the album: "not found" then means "not yet".
pub(super) fn not_yet_if_new(upload: &Upload, error: StorageError) -> StorageError {
    let is_lost = (error.reason, error.class) == (Reason::NotFound, Class::Config);
    if is_lost && upload.album_is_new.load(Ordering::Relaxed) {
        return StorageError { class: Class::Transient, ..error };
    }
    error
}

async fn find_or_make(upload: &Upload, albums: &dyn Albums, title: &str) -> Result<AlbumId, StorageError> {
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = albums.list(cursor.as_ref()).await?;
        if let Some(album) = page.albums.into_iter().find(|album| album.writable && album.title == title) {
            return Ok(album.id);
        }
        if page.next.is_some() && page.next == cursor {
            // The album may be among those that were not shown: making it now could make it twice.
            let cause = "a page of the listing names itself as the next one";
            return Err(StorageError::new(Class::Transient, "list the albums", cause));
        }
        if page.next.is_none() {
            let album = albums.create(title).await?;
            upload.album_is_new.store(true, Ordering::Relaxed);
            return Ok(album.id);
        }
        cursor = page.next;
    }
}
