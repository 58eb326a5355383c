//! Membership: which items are in which album, in their order.

use std::sync::Arc;

use charon_provider::{AlbumChoice, Albums, Class, Cursor, Reason, RemoteId, Selection, Source};

use crate::{
    backup::{Backup, Walk},
    error::Error,
    retry::with_retries,
    run::RunContext,
};

/// Lists all albums, and what is in each. Gives false if the run stops, or that cannot be told now.
pub(super) async fn list(backup: &Arc<Backup>, albums: &dyn Albums) -> Result<bool, Error> {
    let ctx = backup.context();
    let Some(source) = backup.source() else { return Ok(false) };
    let mut walk = Walk::default();
    let mut from: Option<Cursor> = None;
    loop {
        let page = with_retries(ctx, async || {
            let page = albums.list(from.as_ref()).await?;
            walk.refuse_circle(page.next.as_ref(), "list the albums")?;
            Ok(page)
        });
        let page = match page.await {
            Some(Ok(page)) => page,
            Some(Err(error)) => {
                ctx.stop_for_storage(&error);
                return Ok(false);
            }
            None => return Ok(false),
        };
        for album in page.albums {
            // An empty one needs no request.
            let wanted =
                Selection { albums: AlbumChoice::These(vec![album.id.clone()]), ..Selection::default() };
            let items =
                if album.items == Some(0) { Some(Vec::new()) } else { items_of(ctx, source, &wanted).await };
            let Some(items) = items else { return Ok(false) };
            ctx.store.record_album(ctx.storage, ctx.attempt(), &album.id, &album.title, &items).await?;
        }
        let Some(next) = page.next else { break };
        walk.go(&next);
        from = Some(next);
    }
    ctx.store.forget_unlisted_albums(ctx.storage, ctx.attempt()).await?;
    if !backup.sidecars().is_empty() {
        let wanted = Selection { favourites: true, include_archived: true, ..Selection::default() };
        let Some(favourites) = items_of(ctx, source, &wanted).await else { return Ok(false) };
        ctx.store.set_favourites(ctx.storage, ctx.attempt(), &favourites).await?;
    }
    Ok(true)
}

/// What is in an album, or among the favourites, in its order. `None` if the run stops, or that cannot be told now.
pub(crate) async fn items_of(
    ctx: &RunContext,
    source: &dyn Source,
    wanted: &Selection,
) -> Option<Vec<RemoteId>> {
    let mut walk = Walk::default();
    let mut from: Option<Cursor> = None;
    let mut items = Vec::new();
    loop {
        let page = with_retries(ctx, async || {
            let page = source.list(wanted, from.as_ref()).await?;
            walk.refuse_circle(page.next.as_ref(), "list an album")?;
            Ok(page)
        });
        let page = match page.await? {
            Ok(page) => page,
            // It was removed a moment ago, or cannot be relied upon: all stays as it is until the next listing.
            Err(error)
                if matches!(error.class, Class::Item | Class::Config)
                    || error.reason == Reason::ListingExpired =>
            {
                tracing::warn!(%error, "the albums could not be listed");
                return None;
            }
            Err(error) => {
                ctx.stop_for_storage(&error);
                return None;
            }
        };
        items.extend(page.items.into_iter().map(|item| item.id));
        let Some(next) = page.next else { return Some(items) };
        walk.go(&next);
        from = Some(next);
    }
}
