//! Membership: which items are in which album, in their order.

use std::sync::Arc;

use charon_provider::{AlbumChoice, Albums, Class, Reason, RemoteId, Selection, Source};

use crate::{
    backup::{Backup, Walk},
    error::Error,
    run::RunContext,
};

/// Lists all albums, and what is in each. Gives false if the run stops, or that cannot be told now.
pub(super) async fn list(backup: &Arc<Backup>, albums: &dyn Albums) -> Result<bool, Error> {
    let ctx = backup.context();
    let Some(source) = backup.source() else { return Ok(false) };
    let mut walk = Walk::default();
    loop {
        let page = match walk.albums(ctx, albums).await {
            Some(Ok(Some(page))) => page,
            Some(Ok(None)) => break,
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
    let mut items = Vec::new();
    loop {
        let page = match walk.photos(ctx, source, wanted).await? {
            Ok(Some(page)) => page,
            Ok(None) => return Some(items),
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
    }
}
