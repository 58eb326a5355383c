//! Albums in a folder: the links, copies and manifests that stand for them in the mirror stand there too, where all of an album is
//! restored.

use std::{collections::HashMap, fs, io, path::Path, sync::Arc};

use charon_provider::AlbumId;

use super::{
    Restoring,
    folder::{IN_THE_WAY, put_beside},
    putting::{Piece, Place},
};
use crate::{
    album_files::{make_link, relative},
    error::Error,
    mirror, naming,
    plan::AlbumFiles,
    plans::looked_at,
    store::AlbumEntry,
};

/// What became of a link.
enum Linked {
    Made,
    WasThere,
    /// The photo that it is for is not there.
    Nothing,
    InTheWay,
}

/// Restores what stands for the chosen albums.
pub(super) async fn place(restoring: &Arc<Restoring>, place: &Arc<Place>) -> Result<(), Error> {
    let Restoring { ctx, home, .. } = &**restoring;
    if !home.chosen.has_whole_albums() {
        return Ok(());
    }
    let titles: HashMap<AlbumId, String> =
        ctx.store.storage_albums(home.storage).await?.into_iter().collect();
    for album in ctx.store.albums_placed(ctx.plan).await? {
        let is_chosen = match titles.get(&album) {
            Some(title) => home.chosen.has_album(title),
            None => home.chosen.albums().is_empty(),
        };
        if !is_chosen {
            continue;
        }
        if ctx.stopped().is_some() {
            return Ok(());
        }
        let entries = ctx.store.album_entries(ctx.plan, &album).await?;
        let (manifests, links): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|entry| entry.kind == AlbumFiles::Manifest);
        let manifests = manifests.into_iter().map(|entry| Piece {
            name: naming::name_of(&entry.path).to_owned(),
            path: entry.path,
            bytes: None,
            modified: None,
        });
        put_beside(restoring, place, manifests.collect()).await?;
        if !link_all(restoring, place, links).await? {
            return Ok(());
        }
    }
    Ok(())
}

/// Makes the links of an album. Gives false where none can be made.
async fn link_all(restoring: &Restoring, place: &Place, links: Vec<AlbumEntry>) -> Result<bool, Error> {
    let ctx = &restoring.ctx;
    let (mut made, mut untold) = (Vec::new(), Vec::new());
    let mut can_be_made = true;
    for link in links {
        match link_one(place, &link).await? {
            Ok(Linked::Made) => made.push(link.path),
            Ok(Linked::WasThere | Linked::Nothing) => {}
            Ok(Linked::InTheWay) => {
                untold.push(ctx.skipped(
                    link.path.clone(),
                    naming::name_of(&link.path).to_owned(),
                    IN_THE_WAY,
                ));
            }
            Err(error) => {
                let reason = format!("no links of albums can be made there ({error}); the photos are there");
                untold.push(ctx.skipped(link.path.clone(), naming::name_of(&link.path).to_owned(), reason));
                can_be_made = false;
                break;
            }
        }
    }
    place.site.files().settle(&made).await?;
    ctx.record(&untold).await?;
    Ok(can_be_made)
}

async fn link_one(place: &Place, link: &AlbumEntry) -> Result<io::Result<Linked>, Error> {
    if place.has_other(&link.target) {
        return Ok(Ok(Linked::Nothing));
    }
    let (root, beside, entry) = (place.root.clone(), place.beside(), link.clone());
    let looked = looked_at(move || there(&root, &entry).map(|there| (there, root, entry))).await?;
    let (there, root, entry) = match looked {
        Ok(looked) => looked,
        Err(error) => return Ok(Err(error)),
    };
    Ok(match there {
        There::Link => Ok(Linked::WasThere),
        There::Other => Ok(Linked::InTheWay),
        There::NoPhoto => Ok(Linked::Nothing),
        There::File => {
            let is_same =
                mirror::hash(place.site.files(), &link.path).await.is_ok_and(|sha256| sha256 == link.sha256);
            Ok(if is_same { Linked::WasThere } else { Linked::InTheWay })
        }
        There::Free => looked_at(move || make_link(&root, &beside, &entry)).await?.map(|()| Linked::Made),
    })
}

/// What is at the place of a link.
enum There {
    Free,
    /// The link.
    Link,
    File,
    Other,
    /// Nothing, and nothing that it could lead to.
    NoPhoto,
}

/// Looks there. Blocks.
fn there(root: &Path, link: &AlbumEntry) -> io::Result<There> {
    let at = root.join(&link.path);
    match fs::symlink_metadata(&at) {
        Ok(found) if found.is_symlink() && link.kind == AlbumFiles::Symlink => {
            let leads_there = fs::read_link(&at)? == Path::new(&relative(&link.path, &link.target));
            Ok(if leads_there { There::Link } else { There::Other })
        }
        Ok(found) if found.is_file() && link.kind != AlbumFiles::Symlink => Ok(There::File),
        Ok(_) => Ok(There::Other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let is_photo = fs::symlink_metadata(root.join(&link.target)).is_ok_and(|found| found.is_file());
            Ok(if is_photo { There::Free } else { There::NoPhoto })
        }
        Err(error) => Err(error),
    }
}
