//! Matching: which file is which item. By the media id where one is written; otherwise by name and time, where exactly one file and
//! exactly one item fit. Between two nobody guesses.

use std::collections::{BTreeMap, HashMap, HashSet};

use charon_provider::{Camera, Kind, RemoteId};
use jiff::{SignedDuration, Timestamp};

use super::tree::{Found, Tree, may_be_on};

/// File systems keep modification times to two seconds (FAT) or better.
const COARSEST_TIME: SignedDuration = SignedDuration::from_secs(2);
/// No clocks on earth are further apart.
const FURTHEST_ZONES: SignedDuration = SignedDuration::from_hours(14);
/// Clocks of zones are apart by a multiple of this.
const BETWEEN_ZONES: i64 = 15 * 60;

/// How a file and an item fit, the surer one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    /// The item's media id is written of it.
    Id,
    /// It has the item's name, and the time at which it was taken.
    Time,
    /// It has the item's name, and the time at which it was taken, on the clock of another zone.
    Zone,
    /// It has the item's name, and lies where photos of those days are: it is the item if it says itself that it was taken then.
    Days,
}

/// An item of the account that files fit.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) id: RemoteId,
    pub(super) name: String,
    pub(super) mime_type: String,
    pub(super) kind: Kind,
    pub(super) taken_at: Option<Timestamp>,
    pub(super) description: Option<String>,
    pub(super) camera: Option<Camera>,
    pub(super) has_clip: bool,
    /// What the ledger knows it as.
    pub(super) asset_id: Option<i64>,
    /// The path that it has in the mirror, if it has one.
    pub(super) path: Option<String>,
    /// Whether it is home there.
    pub(super) is_home: bool,
    /// Whether the listing of this run has shown it.
    pub(super) is_listed: bool,
    /// The files that fit, and how.
    pub(super) fits: Vec<(usize, Fit)>,
}

/// An item, and the files that may be it, those first that are to be preferred.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) item: Item,
    pub(super) files: Vec<usize>,
    /// Whether the media id says so. Several files without one are it only if all have the same bytes.
    pub(super) is_sure: bool,
    /// Whether a file is it only if it says itself when it was taken, and that is the item's time.
    pub(super) by_its_own_word: bool,
    /// The file of its clip.
    pub(super) clip: Option<usize>,
}

/// What is known of each file.
#[derive(Debug, Default)]
pub(super) struct Matched {
    pub(super) claims: Vec<Claim>,
    /// More than one item fits, or more than one file fits the item.
    pub(super) ambiguous: Vec<usize>,
    /// No item fits.
    pub(super) unmatched: Vec<usize>,
    /// The item is at another file for sure.
    pub(super) doubles: Vec<usize>,
}

/// How a file of an item's name fits the item, if it does.
pub(super) fn by_name(found: &Found, taken_at: Option<Timestamp>) -> Option<Fit> {
    let Some(taken_at) = taken_at else {
        return found.path.split('/').any(|part| part == "undated").then_some(Fit::Days);
    };
    if let Some(modified) = found.modified {
        if modified.duration_since(taken_at).abs() <= COARSEST_TIME {
            return Some(Fit::Time);
        }
        if is_on_another_clock(modified, taken_at) {
            return Some(Fit::Zone);
        }
    }
    found.days().filter(|days| may_be_on(*days, taken_at)).map(|_| Fit::Days)
}

/// Whether two times are one moment, each on the clock of some zone.
pub(super) fn is_on_another_clock(one: Timestamp, other: Timestamp) -> bool {
    let apart = one.duration_since(other).abs();
    let beyond = apart.as_secs().rem_euclid(BETWEEN_ZONES);
    let coarse = COARSEST_TIME.as_secs();
    apart <= FURTHEST_ZONES && (beyond <= coarse || BETWEEN_ZONES - beyond <= coarse)
}

/// Decides which file is which item. `items` are those of the account that any file fits.
pub(super) fn decide(tree: &Tree, mut items: Vec<Item>) -> Matched {
    let clip_of = |found: &Found| Some(found.known.as_ref()?.clip.as_ref()?.0);
    let mut clips: HashSet<usize> = tree.files.iter().filter_map(clip_of).collect();
    let mut fits: HashMap<usize, Vec<(usize, Fit)>> = HashMap::new();
    for (place, item) in items.iter_mut().enumerate() {
        item.fits.retain(|(file, _)| !clips.contains(file));
        for (file, fit) in &item.fits {
            fits.entry(*file).or_default().push((place, *fit));
        }
    }
    let mut chosen: Vec<Vec<(usize, Fit)>> = vec![Vec::new(); items.len()];
    let mut matched = Matched::default();
    // Items that the account does not list, by their ids.
    let mut unlisted: BTreeMap<RemoteId, Vec<usize>> = BTreeMap::new();
    for (file, found) in tree.files.iter().enumerate().filter(|(file, _)| !clips.contains(file)) {
        match (surest(fits.get(&file).map(Vec::as_slice).unwrap_or_default()), &found.known) {
            (Choice::One(item, fit), _) => chosen[item].push((file, fit)),
            (_, Some(known)) => unlisted.entry(known.id.clone()).or_default().push(file),
            (Choice::Several, None) => matched.ambiguous.push(file),
            (Choice::None, None) => matched.unmatched.push(file),
        }
    }
    for (item, mut files) in items.into_iter().zip(chosen) {
        let Some(surest) = files.iter().map(|(_, fit)| *fit).min() else { continue };
        // Another file that fits as well as the one that chose it, and fits another item too, puts it in doubt.
        let is_doubted = surest != Fit::Id
            && item
                .fits
                .iter()
                .any(|(file, fit)| *fit <= surest && !files.iter().any(|(chosen, _)| chosen == file));
        if is_doubted {
            matched.ambiguous.extend(files.iter().map(|(file, _)| *file));
            continue;
        }
        let less_sure = files.extract_if(.., |(_, fit)| *fit > surest);
        let others: Vec<usize> = less_sure.map(|(file, _)| file).collect();
        if surest == Fit::Id {
            matched.doubles.extend(others);
        } else {
            matched.ambiguous.extend(others);
        }
        let files = files.into_iter().map(|(file, _)| file).collect();
        let mut claim = claim(tree, item, files, surest == Fit::Id);
        claim.by_its_own_word = surest == Fit::Days;
        if claim.clip.is_none() && claim.item.has_clip {
            let beside = claim.files.first().and_then(|file| clip_beside(tree, *file));
            claim.clip = beside.filter(|file| !fits.contains_key(file) && tree.files[*file].known.is_none());
        }
        matched.claims.push(claim);
    }
    for files in unlisted.into_values() {
        let Some(known) = files.first().and_then(|file| tree.files[*file].known.as_deref()) else { continue };
        let item = Item {
            id: known.id.clone(),
            name: known.name.clone(),
            mime_type: known.mime_type.clone(),
            kind: if known.mime_type.starts_with("video/") { Kind::Video } else { Kind::Photo },
            taken_at: known.taken_at,
            description: known.description.clone(),
            camera: known.camera.clone(),
            has_clip: false,
            asset_id: None,
            path: None,
            is_home: false,
            is_listed: false,
            fits: Vec::new(),
        };
        matched.claims.push(claim(tree, item, files, true));
    }
    matched.tell_doubles_of_albums(tree);
    clips.extend(matched.claims.iter().filter_map(|claim| claim.clip));
    let is_clip = |file: &usize| clips.contains(file);
    for files in [&mut matched.ambiguous, &mut matched.unmatched, &mut matched.doubles] {
        files.retain(|file| !is_clip(file));
        files.sort_unstable();
    }
    matched
}

impl Matched {
    /// Files that stand for albums' photos are doubles of what is claimed, whatever they are called.
    fn tell_doubles_of_albums(&mut self, tree: &Tree) {
        let is_of_album = |file: &usize| tree.files[*file].is_of_album();
        if !self.unmatched.iter().any(is_of_album) {
            return;
        }
        let claimed = self.claims.iter().flat_map(|claim| &claim.files).filter(|file| !is_of_album(file));
        let claimed: HashSet<_> = claimed.map(|file| alike(&tree.files[*file])).collect();
        let is_double = |file: &mut usize| is_of_album(file) && claimed.contains(&alike(&tree.files[*file]));
        self.doubles.extend(self.unmatched.extract_if(.., is_double));
    }
}

/// What a photo and the file that stands for it in an album have in common.
fn alike(found: &Found) -> (String, u64, Option<Timestamp>) {
    (found.key(), found.size, found.modified)
}

enum Choice {
    None,
    One(usize, Fit),
    Several,
}

/// The one item that a file fits best.
fn surest(fits: &[(usize, Fit)]) -> Choice {
    let Some(best) = fits.iter().map(|(_, fit)| *fit).min() else { return Choice::None };
    let mut items = fits.iter().filter(|(_, fit)| *fit == best);
    match (items.next(), items.next()) {
        (Some((item, fit)), None) => Choice::One(*item, *fit),
        _ => Choice::Several,
    }
}

fn claim(tree: &Tree, item: Item, mut files: Vec<usize>, is_sure: bool) -> Claim {
    let rank = |file: &usize| {
        let found = &tree.files[*file];
        // The path that it has already, then one whose sidecar is there.
        let is_other = item.path.as_deref() != Some(&*found.path);
        let is_unwritten = found.known.as_ref().is_none_or(|known| known.bytes.is_none());
        let (is_of_album, path) = found.rank();
        (is_other, is_unwritten, is_of_album, path.to_owned())
    };
    files.sort_by_cached_key(rank);
    let clip = files.iter().find_map(|file| Some(tree.files[*file].known.as_ref()?.clip.as_ref()?.0));
    Claim { item, files, is_sure, by_its_own_word: false, clip }
}

/// The clip of a motion photo beside its still, where nothing is written of either.
fn clip_beside(tree: &Tree, still: usize) -> Option<usize> {
    let (stem, _) = tree.files[still].path.rsplit_once('.')?;
    let place =
        ["mp4", "mov", "MP4", "MOV"].iter().find_map(|ending| tree.at.get(&format!("{stem}.{ending}")))?;
    (*place != still).then_some(*place)
}

#[cfg(test)]
mod tests;
