//! Albums in a mirror: folders of links, copies or manifests that stand for the albums of the storage.
//!
//! After a complete listing, [`membership`] asks the storage what is in its albums, in their order; [`layout`] says what should stand
//! for each; [`placing`] makes it so in place, entry by entry: what the ledger says was put there, and nothing else, is taken away.

mod layout;
mod making;
mod membership;
mod placing;

use std::sync::Arc;

pub(crate) use layout::relative;
pub(crate) use making::make_link;
pub(crate) use membership::items_of;

use crate::{backup::Backup, error::Error, plan::AlbumFiles};

/// Brings what stands for albums up to date, if this run has listed everything.
pub(crate) async fn after_listing(backup: &Arc<Backup>) -> Result<(), Error> {
    let ctx = backup.context();
    let kind = match backup.album_files() {
        Some(kind) => kind,
        None if making::can_link(backup.mirror()).await => AlbumFiles::Symlink,
        None => AlbumFiles::Manifest,
    };
    if kind == AlbumFiles::None {
        placing::clear(backup, |_| true).await?;
    }
    let listing = ctx.store.listing(ctx.run).await?;
    let is_whole = listing.is_some_and(|listing| listing.is_full && listing.is_complete);
    // Sidecars tell of albums too.
    let is_wanted = is_whole && (kind != AlbumFiles::None || !backup.sidecars().is_empty());
    let Some(albums) = backup.albums().filter(|_| is_wanted && ctx.stopped().is_none()) else {
        return Ok(());
    };
    if membership::list(backup, albums).await? && kind != AlbumFiles::None {
        placing::place(backup, kind).await?;
    }
    Ok(())
}
