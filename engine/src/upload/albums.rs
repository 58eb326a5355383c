//! The albums that files go into: remembered, else found by their titles, else made.

use std::{
    collections::{HashMap, HashSet},
    sync::Mutex,
    time::Duration,
};

use charon_provider::{AlbumId, Albums, Class, Cursor, Error as StorageError, Reason};
use jiff::{SignedDuration, Timestamp};

use super::Upload;
use crate::{
    error::Error,
    retry::{with_retries, with_retries_and_grace},
};

/// An album of which it is not known whether it was made is looked for so long, after the attempt to make it.
const PATIENCE: SignedDuration = SignedDuration::from_secs(30);
/// The wait before the second look; the later ones are longer.
const FIRST_LOOK: Duration = Duration::from_secs(1);

/// What a run has learnt of albums.
#[derive(Debug, Default)]
pub(crate) struct AlbumsOfRun {
    /// Those that it has made: Google may answer for a while that a new album is not found.
    new: Mutex<HashSet<String>>,
    /// Those that the storage has shown, by their titles. Many albums that are not there yet are not looked for one by one.
    shown: Mutex<Option<HashMap<String, AlbumId>>>,
}

impl AlbumsOfRun {
    fn is_new(&self, title: &str) -> bool {
        self.new.lock().expect(HELD).contains(title)
    }

    fn made(&self, title: &str, album: &AlbumId) {
        self.new.lock().expect(HELD).insert(title.to_owned());
        if let Some(shown) = &mut *self.shown.lock().expect(HELD) {
            shown.insert(title.to_owned(), album.clone());
        }
    }

    /// As if an earlier run had made them.
    #[cfg(test)]
    pub(super) fn are_old(&self) {
        self.new.lock().expect(HELD).clear();
    }

    /// What was shown may not be so any more.
    fn look_again(&self) {
        *self.shown.lock().expect(HELD) = None;
    }
}

const HELD: &str = "nothing panics while it holds what is known of albums";

/// The id of the album of this title, if the ledger has it. Sends no request.
pub(crate) async fn known(upload: &Upload, title: Option<&str>) -> Result<Option<AlbumId>, Error> {
    match title {
        Some(title) => upload.ctx.store.album(upload.ctx.storage, title).await,
        None => Ok(None),
    }
}

/// The id of the album of this title, if there is one: it is looked for, and not made. `None` when the run stops.
pub(crate) async fn look_for(upload: &Upload, title: &str) -> Option<Result<Option<AlbumId>, Error>> {
    match known(upload, Some(title)).await {
        Ok(None) => {}
        known => return Some(known),
    }
    let Some(albums) = upload.storage.albums() else { return Some(Ok(None)) };
    let found = with_retries(&upload.ctx, || find(upload, albums, title)).await?;
    Some(found.map_err(Error::from))
}

/// The id of the album of this title, which is looked for and made if need be. `None` when the run stops; it may still take `grace`
/// then.
pub(super) async fn ensure(upload: &Upload, title: &str, grace: Duration) -> Option<Result<AlbumId, Error>> {
    let ctx = &upload.ctx;
    match known(upload, Some(title)).await {
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
pub(crate) async fn forget(upload: &Upload, album: &AlbumId) -> Result<(), Error> {
    upload.albums.look_again();
    upload.ctx.store.forget_album(upload.ctx.storage, album).await
}

/// The error, as it is to be taken when this run has made the album: "not found" then means "not yet".
pub(super) fn not_yet_if_new(upload: &Upload, title: &str, error: StorageError) -> StorageError {
    let is_lost = (error.reason, error.class) == (Reason::NotFound, Class::Config);
    if is_lost && upload.albums.is_new(title) {
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
    if intended_at.is_some() {
        upload.albums.look_again();
    }
    let began = ctx.clock.now();
    let mut wait = FIRST_LOOK;
    loop {
        if let Some(album) = find(upload, albums, title).await? {
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
        upload.albums.look_again();
    }
    if let Err(error) = ctx.store.intend_album(ctx.storage, title, ctx.clock.now()).await {
        return Ok(Err(error));
    }
    let error = match albums.create(title).await {
        Ok(album) => {
            upload.albums.made(title, &album.id);
            return Ok(Ok(album.id));
        }
        Err(error) => error,
    };
    upload.albums.look_again();
    if error.reason != Reason::Unanswered
        && let Err(error) = ctx.store.album_was_not_made(ctx.storage, title).await
    {
        return Ok(Err(error));
    }
    Err(error)
}

/// The album of this title that items can be put into, if there is one.
async fn find(upload: &Upload, albums: &dyn Albums, title: &str) -> Result<Option<AlbumId>, StorageError> {
    let shown = |shown: &HashMap<String, AlbumId>| shown.get(title).cloned();
    if let Some(found) = upload.albums.shown.lock().expect(HELD).as_ref().map(shown) {
        return Ok(found);
    }
    let all = list(albums).await?;
    let found = shown(&all);
    *upload.albums.shown.lock().expect(HELD) = Some(all);
    Ok(found)
}

/// The albums that items can be put into, the first of each title.
async fn list(albums: &dyn Albums) -> Result<HashMap<String, AlbumId>, StorageError> {
    let mut all = HashMap::new();
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = albums.list(cursor.as_ref()).await?;
        for album in page.albums.into_iter().filter(|album| album.writable) {
            all.entry(album.title).or_insert(album.id);
        }
        if page.next.is_none() {
            return Ok(all);
        }
        if page.next == cursor {
            // The album may be among those that were not shown: making it now could make it twice.
            let cause = "a page of the listing names itself as the next one";
            return Err(StorageError::new(Class::Transient, "list the albums", cause));
        }
        cursor = page.next;
    }
}
