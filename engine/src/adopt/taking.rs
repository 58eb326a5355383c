//! Taking: what was found is read, put into its place where it is not there, and recorded.

use std::sync::Arc;

use charon_provider::{Class, Kind, Part};
use futures::{StreamExt, stream};
use jiff::{Timestamp, tz::TimeZone};
use tokio_util::task::AbortOnDropHandle;

use super::{
    AMBIGUOUS, Adoption, BY_ID, BY_NAME, DOUBLE, UNLISTED,
    examining::{Good, examine},
    listing::is_home,
    matching::{Claim, is_on_another_clock},
    placing::{Place, Put, places, put},
    tree::Tree,
};
use crate::{
    error::Error,
    mirror::{Mirror, Site},
    naming,
    plans::looked_at,
    store::{Assigned, ItemRecord, Learnt, Stored},
    upload,
};

/// Items that are recorded together.
const TOGETHER: usize = 64;

/// A claim, and what its files turned out to be.
struct Examined {
    claim: Claim,
    /// The file that is adopted.
    good: Option<(usize, Good)>,
    clip: Option<(usize, Good)>,
    /// What became of the others.
    records: Vec<ItemRecord>,
}

/// Takes in what files are claimed to be, and tells what cannot be taken. Without a mirror it only looks.
pub(super) async fn take(
    adoption: &Arc<Adoption>,
    mirror: Option<&Mirror>,
    tree: &Arc<Tree>,
    claims: Vec<Claim>,
) -> Result<(), Error> {
    let ctx = &adoption.ctx;
    let mut claims = claims.into_iter();
    loop {
        let mut batch: Vec<Claim> = claims.by_ref().take(TOGETHER).collect();
        if batch.is_empty() {
            return Ok(());
        }
        look_up_unlisted(adoption, &mut batch).await?;
        let (home, batch): (Vec<Claim>, Vec<Claim>) = batch.into_iter().partition(|claim| claim.item.is_home);
        ctx.unchanged(home.len() as u64);
        let others = home.iter().flat_map(|claim| {
            // The file that is home need not be one of this folder.
            let own = claim
                .files
                .iter()
                .position(|file| claim.item.path.as_deref() == Some(&*tree.files[*file].path));
            let own = own.unwrap_or_default();
            claim.files.iter().enumerate().filter(move |(place, _)| *place != own).map(|(_, file)| *file)
        });
        let others: Vec<ItemRecord> = others.map(|file| adoption.left(tree, file, DOUBLE)).collect();
        adoption.tell(&others).await?;
        let reading = batch.into_iter().map(|claim| {
            let (adoption, tree) = (Arc::clone(adoption), Arc::clone(tree));
            // A task of its own, so that hashing uses all cores.
            AbortOnDropHandle::new(tokio::spawn(async move { examine_claim(&adoption, &tree, claim).await }))
        });
        let at_a_time = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let mut reading = stream::iter(reading).buffered(at_a_time);
        let mut examined = Vec::new();
        while let Some(one) = ctx.unless_stopped(reading.next()).await {
            let Some(one) = one else { break };
            let one = one.map_err(|panic| Error::Refused(format!("this is a mistake in Charon: {panic}")))?;
            examined.push(one?);
        }
        if ctx.stopped().is_some() {
            return Ok(());
        }
        match mirror {
            Some(mirror) => record(adoption, mirror, tree, examined).await?,
            None => {
                for one in examined {
                    let done = one.good.map(|(_, good)| done(adoption, &one.claim, good.size));
                    adoption.tell(&one.records.into_iter().chain(done).collect::<Vec<_>>()).await?;
                }
            }
        }
    }
}

/// Of what the account does not list, the ledger may know something all the same.
async fn look_up_unlisted(adoption: &Adoption, claims: &mut [Claim]) -> Result<(), Error> {
    let ctx = &adoption.ctx;
    let ids: Vec<_> =
        claims.iter().filter(|claim| !claim.item.is_listed).map(|claim| &claim.item.id).collect();
    let known = ctx.store.listed(ctx.plan, ctx.storage, &ids).await?;
    for item in claims.iter_mut().map(|claim| &mut claim.item).filter(|item| !item.is_listed) {
        let Some(known) = known.get(&item.id) else { continue };
        item.asset_id = Some(known.asset_id);
        let Some(whole) = &known.whole else { continue };
        item.path = Some(whole.path.clone());
        let there = adoption.site.files().look(std::slice::from_ref(&whole.path)).await?.pop().flatten();
        item.is_home = is_home(whole, there.as_ref());
    }
    Ok(())
}

async fn examine_claim(adoption: &Adoption, tree: &Tree, claim: Claim) -> Result<Examined, Error> {
    let source: &Site = adoption.source();
    let written = |file: usize| tree.files[file].known.as_ref().and_then(|known| known.bytes);
    let (mut good, mut records) = (Vec::new(), Vec::new());
    for (place, file) in claim.files.iter().enumerate() {
        if claim.by_its_own_word && !says_so(source, &tree.files[*file].path, claim.item.taken_at).await? {
            records.push(adoption.left(tree, *file, AMBIGUOUS));
            continue;
        }
        match examine(source.files(), &tree.files[*file], claim.item.kind == Kind::Video, written(*file))
            .await?
        {
            Ok(one) => good.push((*file, one)),
            Err(wrong) => {
                let path = tree.files[*file].path.clone();
                let reason = format!("{path} {wrong}; it was not adopted, and stays where it is");
                records.push(adoption.ctx.failed(path.clone(), path, Class::Item, reason));
            }
        }
        // Where ids say so, the first good one will do.
        if claim.is_sure && !good.is_empty() {
            let others = &claim.files[place + 1..];
            records.extend(others.iter().map(|file| adoption.left(tree, *file, DOUBLE)));
            break;
        }
    }
    if !claim.is_sure && claim.files.len() > 1 {
        let is_one =
            good.len() == claim.files.len() && good.iter().all(|(_, one)| one.sha256 == good[0].1.sha256);
        let (kept, why) = if is_one { (1, DOUBLE) } else { (0, AMBIGUOUS) };
        records.extend(good.drain(kept..).map(|(file, _)| adoption.left(tree, file, why)));
    }
    let good = good.first().copied();
    let mut clip = None;
    if let Some(file) = claim.clip.filter(|_| good.is_some()) {
        let written = claim.files.iter().find_map(|still| {
            let (place, bytes) = tree.files[*still].known.as_ref()?.clip?;
            (place == file).then_some(bytes)
        });
        match examine(source.files(), &tree.files[file], true, written).await? {
            Ok(one) => clip = Some((file, one)),
            Err(wrong) => {
                let path = tree.files[file].path.clone();
                let reason = format!("the clip {path} {wrong}; it was not adopted, and stays where it is");
                records.push(adoption.ctx.failed(path.clone(), path, Class::Item, reason));
            }
        }
    }
    Ok(Examined { claim, good, clip, records })
}

/// Whether a photo or video says itself that it was taken at this time.
async fn says_so(source: &Site, path: &str, taken_at: Option<Timestamp>) -> Result<bool, Error> {
    let (Some(root), Some(taken_at)) = (source.root(), taken_at) else { return Ok(false) };
    let path = root.join(path);
    let said = looked_at(move || upload::taken_moment(&path)).await?;
    // It has no zone: taken for a time of UTC, it is off by that of its own.
    let said = said.and_then(|said| said.to_zoned(TimeZone::UTC).ok());
    Ok(said.is_some_and(|said| is_on_another_clock(said.timestamp(), taken_at)))
}

fn done(adoption: &Adoption, claim: &Claim, bytes: u64) -> ItemRecord {
    let how = match (claim.is_sure, claim.item.is_listed) {
        (true, true) => BY_ID,
        (true, false) => UNLISTED,
        (false, _) => BY_NAME,
    };
    ItemRecord {
        reason: Some(how.into()),
        ..adoption.ctx.done(claim.item.id.0.clone(), claim.item.name.clone(), bytes)
    }
}

/// Puts good files into their places, and records them (I1).
async fn record(
    adoption: &Adoption,
    mirror: &Mirror,
    tree: &Tree,
    examined: Vec<Examined>,
) -> Result<(), Error> {
    let ctx = &adoption.ctx;
    let mut records = Vec::new();
    let mut good = Vec::new();
    for mut one in examined {
        records.append(&mut one.records);
        if let Some(file) = one.good {
            good.push((one, file));
        }
    }
    let wanted: Vec<_> =
        good.iter().map(|(one, (file, _))| (&one.claim.item, &*tree.files[*file].path)).collect();
    let found = places(adoption, mirror, &wanted).await?;
    let mut placed: Vec<(&Examined, (usize, Good), Place)> = Vec::new();
    for ((one, file), place) in good.iter().zip(found) {
        let Some(place) = place else {
            let path = tree.files[file.0].path.clone();
            let reason =
                format!("{path} finds no place in the mirror: every path that it could have is taken");
            records.push(ctx.failed(path.clone(), path, Class::Item, reason));
            continue;
        };
        placed.push((one, *file, place));
    }
    let taken: Vec<(Assigned<'_>, bool)> = placed
        .iter()
        .map(|(one, _, place)| {
            let item = &one.claim.item;
            let camera = item.camera.as_ref();
            let assigned = Assigned {
                asset_id: item.asset_id,
                remote_id: &item.id,
                file_name: &item.name,
                mime_type: &item.mime_type,
                taken_at: item.taken_at,
                description: item.description.as_deref(),
                camera: camera
                    .map_or((None, None), |camera| (camera.make.as_deref(), camera.model.as_deref())),
                path: place.is_new.then(|| (place.path.clone(), naming::path_key(&place.path))),
            };
            (assigned, item.is_listed)
        })
        .collect();
    let assets = ctx.store.take_in(ctx.plan, ctx.storage, ctx.attempt(), ctx.clock.now(), &taken).await?;
    let mut learnt = Learnt::default();
    let mut paths = Vec::new();
    for ((one, (file, good), place), asset) in placed.iter().zip(assets) {
        let item = &one.claim.item;
        let from = &tree.files[*file].path;
        match put(adoption, mirror, (from, *good), &place.path, item.taken_at).await? {
            Put::There => {}
            other => {
                records.push(not_put(adoption, from, &place.path, other));
                continue;
            }
        }
        paths.push(place.path.clone());
        learnt.stored.push(stored(adoption, asset, Part::Whole, *good));
        records.push(done(adoption, &one.claim, good.size));
        let Some((file, good)) = one.clip else { continue };
        let from = &tree.files[file].path;
        let ending = from.rfind('.').map_or("", |dot| &from[dot..]);
        let own = adoption.is_in_place().then(|| from.clone());
        let candidates = own.into_iter().chain(naming::clip_candidates(&place.path, ending, &item.id.0));
        let candidates: Vec<String> = candidates.collect();
        let taken = mirror.taken(&candidates).await?;
        let is_free = |path: &String| !taken.contains(path) || (adoption.is_in_place() && path == from);
        let candidates: Vec<_> = candidates
            .into_iter()
            .filter(is_free)
            .map(|path| (path.clone(), naming::path_key(&path)))
            .collect();
        let Some(path) = ctx.store.assign_clip(ctx.plan, asset, &candidates).await? else { continue };
        match put(adoption, mirror, (from, good), &path, item.taken_at).await? {
            Put::There => {}
            other => {
                records.push(not_put(adoption, from, &path, other));
                continue;
            }
        }
        paths.push(path);
        learnt.stored.push(stored(adoption, asset, Part::Clip, good));
    }
    mirror.settle(&paths).await?;
    learnt.records = records;
    ctx.store.record_learnt(ctx.plan, ctx.storage, ctx.attempt(), &learnt).await?;
    ctx.tell(|progress| {
        progress.count(&learnt.records);
        progress.bytes += learnt.records.iter().map(|record| record.bytes).sum::<u64>();
    });
    Ok(())
}

/// A file that could not go to its place.
fn not_put(adoption: &Adoption, from: &str, place: &str, why: Put) -> ItemRecord {
    let reason = match why {
        Put::Changed => format!("{from} was changed while it was being adopted; adopt again"),
        _ => format!("something else is at {place}, where {from} belongs, and was left there"),
    };
    adoption.ctx.failed(from.to_owned(), from.to_owned(), Class::Item, reason)
}

fn stored(adoption: &Adoption, asset_id: i64, part: Part, good: Good) -> Stored {
    let Good { sha256, size, fidelity } = good;
    Stored { asset_id, part, sha256, size, fidelity, at: adoption.ctx.clock.now() }
}
