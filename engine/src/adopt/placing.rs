//! Placing: where an adopted file is in the mirror. One that lies there stays where it is (I4); one of another folder is linked to the
//! place that the plan's layout gives it, or copied where it cannot be linked. The other folder is not changed in any way.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::Path,
};

use charon_provider::Class;
use jiff::Timestamp;

use super::{Adoption, examining::Good, matching::Item};
use crate::{
    error::Error,
    ids::Sha256,
    mirror::{self, Mirror},
    naming::{self, Subject},
};

/// A place in the mirror.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) path: String,
    /// Whether the ledger does not have it yet.
    pub(super) is_new: bool,
}

/// The places of items whose files are at these paths of the folder that is adopted; `None` where each one is somebody else's.
pub(super) async fn places(
    adoption: &Adoption,
    mirror: &Mirror,
    items: &[(&Item, &str)],
) -> Result<Vec<Option<Place>>, Error> {
    let own = |path: &str| adoption.is_in_place().then(|| path.to_owned());
    let candidates: Vec<Vec<String>> = items
        .iter()
        .map(|(item, path)| {
            let unnamed = item.name.trim().is_empty();
            let subject = Subject {
                id: &item.id.0,
                file_name: if unnamed { naming::unnamed(&item.mime_type) } else { &item.name },
                taken_at: item.taken_at,
                album: None,
                camera: item.camera.as_ref(),
            };
            let known = item.path.is_some();
            own(path).into_iter().chain(adoption.layout.candidates(&subject)).filter(|_| !known).collect()
        })
        .collect();
    let all: Vec<&String> = candidates.iter().flatten().collect();
    let keys: HashMap<&String, String> = all.iter().map(|path| (*path, naming::path_key(path))).collect();
    let mut taken = adoption
        .ctx
        .store
        .taken_paths(adoption.ctx.plan, &keys.values().cloned().collect::<Vec<_>>())
        .await?;
    let in_the_way: HashSet<String> = mirror.taken(&all.into_iter().cloned().collect::<Vec<_>>()).await?;
    let mut place = |((item, path), candidates): (&(&Item, &str), &Vec<String>)| {
        if let Some(path) = &item.path {
            return Some(Place { path: path.clone(), is_new: false });
        }
        let is_free = |candidate: &&String| {
            let is_own = own(path).as_ref() == Some(*candidate);
            (is_own || !in_the_way.contains(*candidate)) && taken.insert(keys[candidate].clone())
        };
        candidates.iter().find(is_free).map(|path| Place { path: path.clone(), is_new: true })
    };
    Ok(items.iter().zip(&candidates).map(&mut place).collect())
}

/// What became of a file on its way to its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    /// It is there.
    There,
    /// Something else is there, and stays.
    InTheWay,
    /// It is not any more what it was when it was read.
    Changed,
}

/// Sees to it that a good file is at its place in the mirror. What somebody else has put there stays.
pub(super) async fn put(
    adoption: &Adoption,
    mirror: &Mirror,
    (from, good): (&str, Good),
    place: &str,
    taken_at: Option<Timestamp>,
) -> Result<Put, Error> {
    if adoption.is_in_place() && from == place {
        return Ok(Put::There);
    }
    let there = mirror.files().look(&[place.to_owned()]).await?.pop().flatten();
    if there.is_some() {
        if is_the_same(mirror, place, good.sha256).await {
            return Ok(Put::There);
        }
        return Ok(Put::InTheWay);
    }
    let temporary = mirror.beside();
    let is_linked = match (adoption.source().root(), mirror.root()) {
        (Some(root), Some(_)) => {
            let (file, link) = (root.join(from), temporary.clone());
            crate::plans::looked_at(move || link_to(&file, &link)).await?
        }
        _ => false,
    };
    if !is_linked {
        let copied = mirror::fetch(adoption.source().files(), from, &temporary, |_| ()).await?;
        // Whatever is wrong, nothing can be written there.
        let (sha256, _) = copied.map_err(|error| {
            let error = charon_provider::Error { class: Class::Destination, ..error };
            error.cured_by("make room there, then adopt again")
        })?;
        if sha256 != good.sha256 {
            drop(tokio::fs::remove_file(&temporary).await);
            return Ok(Put::Changed);
        }
    }
    // The file that a link is to has the time that it has.
    let put = mirror.files().put(place, &temporary, taken_at.filter(|_| !is_linked)).await;
    // Moved, or it is one file under two names.
    drop(tokio::fs::remove_file(&temporary).await);
    put?;
    Ok(Put::There)
}

async fn is_the_same(mirror: &Mirror, path: &str, sha256: Sha256) -> bool {
    mirror::hash(mirror.files(), path).await.is_ok_and(|there| there == sha256)
}

/// Gives a file another name, if that can be done. Blocks.
fn link_to(file: &Path, link: &Path) -> bool {
    let linked = fs::hard_link(file, link).is_ok();
    // To be flushed it has to be opened for writing, which its owner may not want.
    if linked && fs::File::options().write(true).open(link).is_err() {
        drop(fs::remove_file(link));
        return false;
    }
    linked
}
