//! Looking at many paths: their folders are listed where that takes fewer requests than asking for each.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use charon_provider::{Depth, Destination, Entry, Error, Host};
use futures::{StreamExt, TryStreamExt, stream};

use crate::{
    known::{Known, Listing},
    paths::folder_of,
};

/// Up to so many files of a folder are asked for one by one.
const FEW: usize = 2;
/// So many things are in one page of a listing. A folder with more pages than paths that are asked for is not listed to its
/// end.
const PAGE: usize = 1000;
/// So many are asked for at a time.
const AT_A_TIME: usize = 8;

/// What is at each of these paths, in their order. `place` is asked for one path at a time.
pub(crate) async fn many(
    place: &dyn Destination,
    known: &Known,
    host: &dyn Host,
    paths: &[String],
) -> Result<Vec<Option<Entry>>, Error> {
    let mut by_folder: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
    for path in paths.iter().filter(|path| !path.is_empty()) {
        by_folder.entry(folder_of(path)).or_default().push(path);
    }
    let mut folders: HashMap<&str, Arc<Listing>> = HashMap::new();
    for (folder, asked) in by_folder {
        if let Some(listing) = folder_with(place, known, host, folder, asked.len()).await? {
            folders.insert(folder, listing);
        }
    }
    let look = |path: &String| {
        let path = path.clone();
        let listing = if path.is_empty() { None } else { folders.get(folder_of(&path)).cloned() };
        async move {
            match listing {
                Some(listing) => Ok(listing.get(&path).cloned()),
                None => place.look(&[path]).await.map(|mut found| found.pop().flatten()),
            }
        }
    };
    stream::iter(paths.iter().map(look)).buffered(AT_A_TIME).try_collect().await
}

/// What a folder holds, if it is known or if it is worth the requests to ask.
async fn folder_with(
    place: &dyn Destination,
    known: &Known,
    host: &dyn Host,
    folder: &str,
    asked: usize,
) -> Result<Option<Arc<Listing>>, Error> {
    if let Some(listing) = known.folder(folder, host.now()) {
        return Ok(Some(listing));
    }
    if asked <= FEW {
        return Ok(None);
    }
    let begun = known.begin();
    let mut listing = Listing::new();
    let mut entries = place.list(folder, Depth::Folder);
    while let Some(entry) = entries.try_next().await? {
        // Where a file and a folder have one name, the file comes first or last; it is what is meant.
        let is_file = entry.kind == charon_provider::EntryKind::File;
        if is_file || !listing.contains_key(&entry.path) {
            listing.insert(entry.path.clone(), entry);
        }
        if listing.len() > asked * PAGE {
            return Ok(None);
        }
    }
    let listing = Arc::new(listing);
    known.keep(folder, begun, host.now(), Arc::clone(&listing));
    Ok(Some(listing))
}
