//! Counting: what a restore to a storage would send, without sending any of it.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use charon_provider::Fidelity;

use super::{
    RestorePreview, Restoring, Target,
    standing::{self, There},
    storage::title_at,
};
use crate::{
    error::Error,
    ids::Sha256,
    store::AtHome,
    upload::{self, Counted, FOR_AN_ALBUM, Upload},
};

/// What goes into one album, or into none.
#[derive(Debug, Default)]
struct OfAlbum {
    new: u64,
    to_join: u64,
}

/// The albums of an item that are chosen.
type Titles = BTreeSet<Arc<str>>;

/// Looks at all that is chosen, and at what the storage has of it.
pub(super) async fn count(restoring: &Restoring) -> Result<(RestorePreview, Counted), Error> {
    let Restoring { ctx, target: Target::Storage(upload), .. } = restoring else {
        return Ok(<(RestorePreview, Counted)>::default());
    };
    let (mut preview, mut counted) = (RestorePreview::default(), Counted::default());
    let mut albums: BTreeMap<Option<Arc<str>>, OfAlbum> = BTreeMap::new();
    let mut after = 0;
    while let Some((items, last)) = restoring.next(after).await? {
        after = last;
        let stopped = || Error::Refused("the preview was stopped".into());
        let standing = standing::of(upload, &items).await?.ok_or_else(stopped)?;
        let titles: Vec<Titles> = items.iter().map(|item| titles_of(restoring, upload, item)).collect();
        let joined = joined(upload, &items, &titles).await?;
        for ((item, there), mut titles) in items.iter().zip(standing).zip(titles) {
            preview.files += 1;
            preview.bytes += item.whole.size;
            preview.api_copies += u64::from(item.fidelity == Fidelity::ApiCopy);
            match there {
                There::Has(_) => preview.unchanged += 1,
                There::Unknown(_) => continue,
                There::Lacks { known, .. } if upload::is_held_back(&known, ctx.clock.now()) => {
                    counted.held_back += 1;
                    continue;
                }
                There::Lacks { .. } => {
                    albums.entry(titles.pop_first()).or_default().new += 1;
                    counted.new += 1;
                    counted.bytes += item.whole.size;
                    let sink = upload.storage.sink();
                    counted.sends += u64::from(sink.map_or(1, |sink| sink.requests_to_send(item.whole.size)));
                }
            }
            for title in
                titles.into_iter().filter(|title| !joined.contains(&(Arc::clone(title), item.asset_id)))
            {
                albums.entry(Some(title)).or_default().to_join += 1;
            }
        }
    }
    counted.files = preview.files;
    let batch = ctx.facts.batch.size.max(1) as u64;
    let join = upload.storage.albums().map_or(1, |albums| albums.add_limit().max(1)) as u64;
    for (title, one) in albums {
        counted.commits += one.new.div_ceil(batch) + one.to_join.div_ceil(join);
        if title.is_some() && upload::known_album(upload, title.as_deref()).await?.is_none() {
            counted.commits += FOR_AN_ALBUM;
        }
    }
    Ok((preview, counted))
}

fn titles_of(restoring: &Restoring, upload: &Upload, item: &AtHome) -> Titles {
    if upload.storage.albums().is_none() {
        return Titles::new();
    }
    let chosen = item.albums.iter().filter(|title| restoring.home.chosen.has_album(title));
    chosen.map(|title| title_at(title, upload.ctx.facts.limits.album_title_chars)).collect()
}

/// Which items are in which of their albums, as far as the ledger knows it.
async fn joined(
    upload: &Upload,
    items: &[AtHome],
    titles: &[Titles],
) -> Result<HashSet<(Arc<str>, i64)>, Error> {
    let ctx = &upload.ctx;
    let mut joined = HashSet::new();
    let all: Titles = titles.iter().flatten().cloned().collect();
    for title in all {
        let Some(album) = upload::known_album(upload, Some(&title)).await? else { continue };
        let of_album = items.iter().zip(titles).filter(|(_, titles)| titles.contains(&title));
        let of_album: Vec<&AtHome> = of_album.map(|(item, _)| item).collect();
        let contents: Vec<Sha256> = of_album.iter().map(|item| item.whole.sha256).collect();
        let known = ctx.store.known(ctx.storage, Some(&album), &contents).await?;
        for item in of_album {
            if known.get(&item.whole.sha256).is_some_and(|known| known.in_album) {
                joined.insert((Arc::clone(&title), item.asset_id));
            }
        }
    }
    Ok(joined)
}
