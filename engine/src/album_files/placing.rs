//! Placing: what should stand for each album is compared with what the ledger says is there, and with the disk; only what differs is
//! made or taken away.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use charon_provider::{AlbumId, Class};
use serde_json::json;
use sha2::Digest;

use super::{layout, making};
use crate::{
    backup::Backup,
    error::Error,
    ids::Sha256,
    naming,
    plan::AlbumFiles,
    store::{AlbumEntry, AlbumItem},
};

/// Makes what stands for the albums of the storage as it should be.
pub(super) async fn place(backup: &Arc<Backup>, kind: AlbumFiles) -> Result<(), Error> {
    let ctx = backup.context();
    let albums = ctx.store.storage_albums(ctx.storage).await?;
    let there: HashSet<&AlbumId> = albums.iter().map(|(id, _)| id).collect();
    for (id, title) in &albums {
        if ctx.unless_stopped(std::future::ready(())).await.is_none() {
            return Ok(());
        }
        place_one(backup, kind, id, title).await?;
    }
    clear(backup, |album| !there.contains(album)).await
}

/// Takes away what stands for albums that are not wanted.
pub(super) async fn clear(backup: &Arc<Backup>, is_to_go: impl Fn(&AlbumId) -> bool) -> Result<(), Error> {
    let ctx = backup.context();
    for gone in ctx.store.albums_placed(ctx.plan).await?.iter().filter(|album| is_to_go(album)) {
        let entries = ctx.store.album_entries(ctx.plan, gone).await?;
        take_away(backup, &entries).await?;
        ctx.store.set_album_folder(ctx.plan, gone, None).await?;
    }
    Ok(())
}

async fn place_one(backup: &Arc<Backup>, kind: AlbumFiles, id: &AlbumId, title: &str) -> Result<(), Error> {
    let (ctx, mirror) = (backup.context(), backup.mirror());
    let items = ctx.store.album_items_home(ctx.plan, ctx.storage, id).await?;
    let before: HashMap<String, AlbumEntry> = {
        let entries = ctx.store.album_entries(ctx.plan, id).await?;
        entries.into_iter().map(|entry| (entry.path.clone(), entry)).collect()
    };
    let (wanted, manifest) = if items.is_empty() {
        ctx.store.set_album_folder(ctx.plan, id, None).await?;
        (BTreeMap::new(), None)
    } else {
        let last = items.iter().filter_map(|item| item.taken_at).max();
        let candidates = layout::folders(title, last, backup.zone(), &id.0);
        let keyed =
            candidates.map(|folder| (naming::path_key(&folder), folder)).map(|(key, folder)| (folder, key));
        let folder = ctx.store.set_album_folder(ctx.plan, id, Some(&keyed)).await?;
        let Some(folder) = folder else {
            let cause = "every folder that it could have is another album's";
            return Err(
                charon_provider::Error::new(Class::Item, format!("place the album {title}"), cause).into()
            );
        };
        wanted(kind, &folder, (id, title), &items)
    };
    // What is not on the disk any more is made again.
    let paths: Vec<String> = wanted.keys().cloned().collect();
    let found = mirror.files().look(&paths).await?;
    let on_disk: BTreeSet<String> = found.into_iter().flatten().map(|entry| entry.path).collect();
    let mut new: Vec<&AlbumEntry> = Vec::new();
    for entry in wanted.values() {
        let last = before.get(&entry.path);
        let is_on_disk = on_disk.contains(&entry.path);
        if last == Some(entry) && is_on_disk {
            continue;
        }
        // Somebody else's file is neither overwritten nor taken for ours.
        let is_free = !is_on_disk
            || match last {
                Some(last) => making::is_ours(mirror, last).await?,
                // One that leads to the same photo is as good as ours, whoever has put it there.
                None => making::is_alike(mirror, entry).await,
            };
        if is_free {
            new.push(entry);
        } else {
            tracing::warn!(
                path = entry.path,
                "something else is where a link of an album should be, and is left there"
            );
        }
    }
    ctx.store.add_album_entries(ctx.plan, ctx.attempt(), &new).await?;
    for entry in &new {
        making::make(mirror, entry, manifest.clone()).await?;
    }
    let made: Vec<String> = new.iter().map(|entry| entry.path.clone()).collect();
    if !made.is_empty() {
        mirror.settle(&made).await?;
    }
    let old: Vec<AlbumEntry> =
        before.into_values().filter(|entry| !wanted.contains_key(&entry.path)).collect();
    take_away(backup, &old).await
}

/// What should stand for an album, by path, and its manifest if it is one.
fn wanted(
    kind: AlbumFiles,
    folder: &str,
    (id, title): (&AlbumId, &str),
    items: &[AlbumItem],
) -> (BTreeMap<String, AlbumEntry>, Option<Vec<u8>>) {
    if kind == AlbumFiles::Manifest {
        let listed: Vec<_> = items
            .iter()
            .map(|item| json!({ "position": item.position, "path": item.path, "sha256": item.sha256, "media_id": item.remote }))
            .collect();
        let about =
            "An album of the account that the photos of this mirror come from; paths are below the mirror.";
        let manifest = json!({ "about": about, "id": id, "title": title, "items": listed });
        let text = serde_json::to_vec_pretty(&manifest).unwrap_or_default();
        let sha256 = Sha256(sha2::Sha256::digest(&text).into());
        let path = format!("{folder}.json");
        let entry = AlbumEntry { path: path.clone(), album: id.clone(), kind, target: String::new(), sha256 };
        return (BTreeMap::from([(path, entry)]), Some(text));
    }
    let entries = items.iter().map(|item| {
        let path = layout::entry(folder, item.position, &item.path);
        let entry = AlbumEntry {
            path: path.clone(),
            album: id.clone(),
            kind,
            target: item.path.clone(),
            // A symbolic link does not hold what it leads to.
            sha256: if kind == AlbumFiles::Symlink { Sha256([0; 32]) } else { item.sha256 },
        };
        (path, entry)
    });
    (entries.collect(), None)
}

/// Removes entries, and the folders that are empty then.
async fn take_away(backup: &Arc<Backup>, entries: &[AlbumEntry]) -> Result<(), Error> {
    let (ctx, mirror) = (backup.context(), backup.mirror());
    if entries.is_empty() {
        return Ok(());
    }
    for entry in entries {
        if making::is_ours(mirror, entry).await? {
            mirror.files().remove(&entry.path).await?;
        } else {
            tracing::warn!(path = entry.path, "what stood for an album was changed, and is left there");
        }
    }
    let paths: Vec<String> = entries.iter().map(|entry| entry.path.clone()).collect();
    mirror.settle(&paths).await?;
    ctx.store.remove_album_entries(ctx.plan, ctx.attempt(), &paths).await?;
    let mut folders: BTreeSet<&str> = BTreeSet::new();
    for path in &paths {
        let above = path.rsplit_once('/').map(|(above, _)| above);
        folders.extend(above);
        folders.extend(above.and_then(|above| above.rsplit_once('/')).map(|(year, _)| year));
    }
    // The deeper ones first; one that holds something else stays.
    for folder in folders.into_iter().rev().filter(|folder| folder.contains('/')) {
        if let Err(error) = mirror.files().remove(folder).await {
            tracing::debug!(%error, folder, "a folder of albums stays");
        }
    }
    Ok(())
}
