//! The album of an upload plan: remembered, else found by its title, else made.

use std::{sync::atomic::Ordering, time::Duration};

use charon_provider::{AlbumId, Albums, Class, Cursor, Error as StorageError, Reason};
use jiff::{SignedDuration, Timestamp};

use super::Upload;
use crate::{error::Error, retry::with_retries_and_grace};

/// An album of which it is not known whether it was made is looked for so long, after the attempt to make it.
const PATIENCE: SignedDuration = SignedDuration::from_secs(30);
/// The wait before the second look; the later ones are longer.
const FIRST_LOOK: Duration = Duration::from_secs(1);

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
    let found = with_retries_and_grace(ctx, grace, || find_or_make(upload, albums, title)).await?;
    let album = match found.map_err(Error::from).flatten() {
        Ok(album) => album,
        Err(error) => return Some(Err(error)),
    };
    Some(ctx.store.remember_album(ctx.storage, title, &album).await.map(|()| album))
}

/// Forgets which album the title stands for: the storage does not know it any more. What was in it is forgotten when another
/// takes its place.
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

/// Finds the album, or makes it. Whether an earlier attempt has made it may not be known: then it is looked for with patience.
async fn find_or_make(
    upload: &Upload,
    albums: &dyn Albums,
    title: &str,
) -> Result<Result<AlbumId, Error>, StorageError> {
    let ctx = &upload.ctx;
    let intended_at = match ctx.store.album_intended_at(ctx.storage, title).await {
        Ok(intended_at) => intended_at,
        Err(error) => return Ok(Err(error)),
    };
    let began = ctx.clock.now();
    let mut wait = FIRST_LOOK;
    loop {
        if let Some(album) = find(albums, title).await? {
            return Ok(Ok(album));
        }
        // As long as it may still come to light. A clock that was put back does not make us wait for ever.
        let since = |moment: Timestamp| ctx.clock.now().duration_since(moment);
        let may_come = intended_at.is_some_and(|at| since(at) < PATIENCE && since(began) < PATIENCE);
        if !may_come {
            break;
        }
        tracing::debug!(title, ?wait, "looking again for an album that may have been made");
        ctx.clock.sleep(wait).await;
        wait *= 2;
    }
    if let Err(error) = ctx.store.intend_album(ctx.storage, title, ctx.clock.now()).await {
        return Ok(Err(error));
    }
    let error = match albums.create(title).await {
        Ok(album) => {
            upload.album_is_new.store(true, Ordering::Relaxed);
            return Ok(Ok(album.id));
        }
        Err(error) => error,
    };
    if error.reason != Reason::Unanswered
        && let Err(error) = ctx.store.album_was_not_made(ctx.storage, title).await
    {
        return Ok(Err(error));
    }
    Err(error)
}

/// The album of this title that items can be put into, if there is one.
async fn find(albums: &dyn Albums, title: &str) -> Result<Option<AlbumId>, StorageError> {
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = albums.list(cursor.as_ref()).await?;
        if let Some(album) = page.albums.into_iter().find(|album| album.writable && album.title == title) {
            return Ok(Some(album.id));
        }
        if page.next.is_none() {
            return Ok(None);
        }
        if page.next == cursor {
            // The album may be among those that were not shown: making it now could make it twice.
            let cause = "a page of the listing names itself as the next one";
            return Err(StorageError::new(Class::Transient, "list the albums", cause));
        }
        cursor = page.next;
    }
}
