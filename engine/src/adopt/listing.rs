//! Listing: all that the account shows goes into the ledger, and what files of a tree fit is remembered.

use std::collections::{HashMap, HashSet};

use charon_provider::{Destination, Entry, EntryKind, RemoteId, RemoteItem};

use super::{
    Adoption,
    matching::{Fit, Item, by_name},
    tree::Tree,
};
use crate::{
    backup::Walk,
    error::Error,
    naming,
    store::{Assigned, Copy, Listed, Listing},
};

/// What the listings of adoptions are known by. No plan asks for that, so the backup after one lists in full.
const SELECTION: &str = "adoption";

/// Files by what items may know them by.
struct Index {
    by_id: HashMap<RemoteId, Vec<usize>>,
    by_key: HashMap<String, Vec<usize>>,
}

impl Index {
    fn of(tree: &Tree) -> Self {
        let (mut by_id, mut by_key) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        for (place, found) in tree.files.iter().enumerate() {
            match &found.known {
                Some(known) => by_id.entry(known.id.clone()).or_default().push(place),
                None => by_key.entry(found.key()).or_default().push(place),
            }
        }
        Self { by_id, by_key }
    }

    /// The files that fit an item.
    fn fits(&self, tree: &Tree, item: &RemoteItem) -> Vec<(usize, Fit)> {
        let by_id = self.by_id.get(&item.id).into_iter().flatten().map(|place| (*place, Fit::Id));
        let mut fits: HashMap<usize, Fit> = by_id.collect();
        let unnamed = item.file_name.trim().is_empty();
        let name = if unnamed { naming::unnamed(&item.mime_type) } else { &item.file_name };
        let mut keys: HashSet<String> = HashSet::new();
        let mut look = |name: &str, is_told_by_id: bool| {
            let key = naming::path_key(name);
            let places = self.by_key.get(&key).filter(|_| keys.insert(key));
            for place in places.into_iter().flatten() {
                let fit =
                    if is_told_by_id { Some(Fit::Id) } else { by_name(&tree.files[*place], item.taken_at) };
                if let Some(fit) = fit {
                    fits.entry(*place).and_modify(|known| *known = fit.min(*known)).or_insert(fit);
                }
            }
        };
        look(name, false);
        for (place, candidate) in naming::file_names(name, &item.id.0).enumerate() {
            // All but the first carry a hash of the id.
            look(&candidate, place > 0);
        }
        let mut fits: Vec<_> = fits.into_iter().collect();
        fits.sort_unstable();
        fits
    }
}

/// Goes through all that the account shows. Gives the items that files fit, or `None` when the run has stopped.
pub(super) async fn list(adoption: &Adoption, tree: &Tree) -> Result<Option<Vec<Item>>, Error> {
    let ctx = &adoption.ctx;
    let source =
        adoption.storage.source().ok_or_else(|| Error::Refused("this storage cannot be read from".into()))?;
    if !ctx.is_dry {
        ctx.store.begin_listing(ctx.plan, ctx.storage, ctx.attempt(), SELECTION, ctx.clock.now()).await?;
    }
    let index = Index::of(tree);
    let (mut items, mut count) = (Vec::new(), 0);
    let mut seen: HashSet<RemoteId> = HashSet::new();
    let mut walk = Walk::default();
    loop {
        if ctx.begins_no_more() {
            return Ok(None);
        }
        let page = match walk.photos(ctx, source, &adoption.wanted).await {
            Some(Ok(Some(page))) => page,
            Some(Ok(None)) => break,
            Some(Err(error)) if walk.begins_anew(&error) => continue,
            Some(Err(error)) => {
                ctx.stop_for_storage(&error);
                return Ok(None);
            }
            None => return Ok(None),
        };
        let known = ctx
            .store
            .listed(ctx.plan, ctx.storage, &page.items.iter().map(|item| &item.id).collect::<Vec<_>>())
            .await?;
        let assets = record(adoption, &page.items, &known).await?;
        let fitting: Vec<_> = page
            .items
            .iter()
            .zip(assets)
            .map(|(item, asset_id)| (index.fits(tree, item), item, asset_id))
            // The same item may come again, on this page or on a later one.
            .filter(|(fits, item, _)| !fits.is_empty() && seen.insert(item.id.clone()))
            .collect();
        let paths: Vec<Option<&str>> =
            fitting.iter().map(|(_, item, _)| Some(&*known.get(&item.id)?.whole.as_ref()?.path)).collect();
        let shown: Vec<&RemoteItem> = fitting.iter().map(|(_, item, _)| *item).collect();
        let home = home(adoption.site.files(), &shown, &paths, &known).await?;
        for (((fits, item, asset_id), path), is_home) in fitting.into_iter().zip(paths).zip(home) {
            items.push(Item {
                id: item.id.clone(),
                name: item.file_name.clone(),
                mime_type: item.mime_type.clone(),
                kind: item.kind,
                taken_at: item.taken_at,
                description: item.description.clone(),
                camera: item.camera.clone(),
                has_clip: item.has_clip,
                asset_id,
                path: path.map(str::to_owned),
                is_home,
                is_listed: true,
                fits,
            });
        }
        count += page.items.len() as u64;
    }
    if !ctx.is_dry {
        let how = Listing { is_full: true, is_complete: true };
        ctx.store
            .end_listing(ctx.run, how, count, &std::collections::BTreeMap::new(), ctx.clock.now())
            .await?;
    }
    Ok(Some(items))
}

/// Writes down what a page shows. Gives the assets of its items, in their order.
async fn record(
    adoption: &Adoption,
    items: &[RemoteItem],
    known: &HashMap<RemoteId, Listed>,
) -> Result<Vec<Option<i64>>, Error> {
    let ctx = &adoption.ctx;
    let asset = |item: &RemoteItem| known.get(&item.id).map(|known| known.asset_id);
    if ctx.is_dry {
        return Ok(items.iter().map(asset).collect());
    }
    let assigned: Vec<Assigned<'_>> =
        items.iter().map(|item| Assigned::of(item, asset(item), None)).collect();
    let assets =
        ctx.store.record_page(ctx.plan, ctx.storage, ctx.attempt(), ctx.clock.now(), &assigned).await?;
    Ok(assets.into_iter().map(Some).collect())
}

/// Which of these items are home: the ledger says so, and their files are there.
async fn home(
    files: &dyn Destination,
    items: &[&RemoteItem],
    paths: &[Option<&str>],
    known: &HashMap<RemoteId, Listed>,
) -> Result<Vec<bool>, Error> {
    let asked: Vec<String> = paths.iter().flatten().map(|path| (*path).to_owned()).collect();
    let there = files.look(&asked).await?;
    let mut there = there.iter();
    let home = items.iter().zip(paths).map(|(item, path)| {
        let whole = known.get(&item.id).and_then(|known| known.whole.as_ref());
        path.is_some() && whole.is_some_and(|copy| is_home(copy, there.next().and_then(Option::as_ref)))
    });
    Ok(home.collect())
}

/// Whether a file is home, when this is what is at its path.
pub(super) fn is_home(copy: &Copy, there: Option<&Entry>) -> bool {
    let Some(size) = copy.size else { return false };
    there.is_some_and(|entry| entry.kind == EntryKind::File && entry.size == size) && copy.damage.is_none()
}
