//! What exists: items, albums, their order, and what is known about every byte sequence that was uploaded.
//!
//! One [`State`] sits behind one mutex that is never held across an await. Methods here are synchronous and do no
//! rendering: bytes of seeded items are made from their [`Content`] outside of the lock.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::{
    account::{Account, Owner},
    content::{Clip, Content},
    exif::Exif,
    fault::ActiveFault,
    moved::Moved,
    oauth::Tokens,
    quota::Quota,
    random::Random,
    settings::Settings,
    sniff::Sniffed,
    stats::Stats,
    uploads::Uploads,
};

/// A content's identity.
pub(crate) type Hash = [u8; 32];

#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) id: String,
    pub(crate) owner: Owner,
    pub(crate) filename: String,
    pub(crate) description: String,
    pub(crate) mime_type: String,
    pub(crate) taken_at: Timestamp,
    pub(crate) created_at: Timestamp,
    pub(crate) dimensions: Option<(u32, u32)>,
    pub(crate) exif: Box<Exif>,
    pub(crate) frames_per_second: Option<f64>,
    pub(crate) content: Content,
    /// Hash and size; of seeded pictures only once somebody asks.
    pub(crate) known: Option<(Hash, u64)>,
    pub(crate) times_uploaded: u64,
    /// What moves, in a motion or live photo.
    pub(crate) clip: Option<Clip>,
    pub(crate) favorite: bool,
    pub(crate) archived: bool,
    /// What is shown as `creationTime` instead of the real one; an empty text: nothing.
    pub(crate) creation_time: Option<String>,
    /// How often the bytes were changed.
    pub(crate) version: u64,
    /// Gone; the number is not given again.
    pub(crate) removed: bool,
}

impl Item {
    /// An item that nothing is known of beyond its name, type, date and bytes.
    pub(crate) fn blank(
        owner: Owner,
        filename: String,
        mime_type: &str,
        taken_at: Timestamp,
        content: Content,
    ) -> Item {
        Item {
            id: String::new(),
            owner,
            filename,
            description: String::new(),
            mime_type: mime_type.to_owned(),
            taken_at,
            created_at: taken_at,
            dimensions: None,
            exif: Box::default(),
            frames_per_second: None,
            content,
            known: None,
            times_uploaded: 0,
            clip: None,
            favorite: false,
            archived: false,
            creation_time: None,
            version: 0,
            removed: false,
        }
    }

    pub(crate) fn is_video(&self) -> bool {
        self.mime_type.starts_with("video/")
    }
}

/// One place in an album.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    Item(usize),
    Enrichment(String),
}

#[derive(Debug, Clone)]
pub(crate) struct Album {
    pub(crate) id: String,
    pub(crate) owner: Owner,
    pub(crate) title: String,
    pub(crate) created_at: Timestamp,
    pub(crate) cover: Option<usize>,
    pub(crate) entries: Vec<Entry>,
    /// The items among the entries, to keep them apart quickly.
    pub(crate) members: BTreeSet<usize>,
    /// Gone; the number is not given again.
    pub(crate) removed: bool,
}

impl Album {
    /// Takes items out, if they are there.
    pub(crate) fn take_out(&mut self, items: &[usize]) {
        self.members.retain(|member| !items.contains(member));
        self.entries.retain(|entry| !matches!(entry, Entry::Item(item) if items.contains(item)));
        if self.cover.is_some_and(|cover| items.contains(&cover)) {
            self.cover = None;
        }
    }

    pub(crate) fn items(&self) -> impl Iterator<Item = usize> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Item(item) => Some(*item),
            Entry::Enrichment(_) => None,
        })
    }
}

/// Everything, behind the mutex.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) settings: Settings,
    pub(crate) random: Random,
    pub(crate) items: Vec<Item>,
    pub(crate) item_ids: HashMap<String, usize>,
    /// Items by the time they were taken.
    pub(crate) timeline: BTreeSet<(Timestamp, usize)>,
    by_content: HashMap<(Owner, Hash), usize>,
    /// Seeded items whose hash nobody has asked for, by what their file says about itself.
    by_looks: HashMap<(Owner, String), Vec<usize>>,
    pub(crate) albums: Vec<Album>,
    pub(crate) album_ids: HashMap<String, usize>,
    pub(crate) uploads: Uploads,
    pub(crate) tokens: Tokens,
    pub(crate) faults: Vec<ActiveFault>,
    pub(crate) fault_number: u64,
    pub(crate) stats: Stats,
    pub(crate) moved: Moved,
    pub(crate) quota: Quota,
    /// Base URLs of an earlier generation are dead.
    pub(crate) base_url_generation: u32,
    /// Page tokens of an earlier generation are dead.
    pub(crate) page_token_generation: u32,
    /// Base URLs of these owners' items that were minted until then are dead.
    pub(crate) revoked: BTreeMap<Owner, Timestamp>,
    pub(crate) seeded: u64,
}

impl State {
    pub(crate) fn new(settings: Settings) -> State {
        State {
            random: Random::new(settings.seed),
            settings,
            items: Vec::new(),
            item_ids: HashMap::new(),
            timeline: BTreeSet::new(),
            by_content: HashMap::new(),
            by_looks: HashMap::new(),
            albums: Vec::new(),
            album_ids: HashMap::new(),
            uploads: Uploads::default(),
            tokens: Tokens::default(),
            faults: Vec::new(),
            fault_number: 0,
            stats: Stats::default(),
            moved: Moved::default(),
            quota: Quota::default(),
            base_url_generation: 0,
            page_token_generation: 0,
            revoked: BTreeMap::new(),
            seeded: 0,
        }
    }

    /// Adds an item and returns its number.
    pub(crate) fn add_item(&mut self, mut item: Item) -> usize {
        let number = self.items.len();
        item.id = match item.known {
            // The same bytes of the same owner are the same item (facts §3), also in the next world of the same seed.
            Some((hash, _)) => {
                let seed = self.settings.seed.to_le_bytes();
                let mut parts = vec![&seed[..], item.owner.client_id.as_bytes(), &hash];
                if item.owner.account != Account::of(&Settings::default().account_email).sub {
                    parts.push(item.owner.account.as_bytes());
                }
                Random::of(&parts).media_item_id()
            }
            None => self.random.media_item_id(),
        };
        // Page tokens tell milliseconds.
        item.taken_at = Timestamp::from_millisecond(item.taken_at.as_millisecond()).unwrap_or(item.taken_at);
        self.item_ids.insert(item.id.clone(), number);
        self.timeline.insert((item.taken_at, number));
        if let Some((hash, _)) = item.known {
            self.by_content.insert((item.owner.clone(), hash), number);
        } else {
            // The file of a large video tells no date.
            let told = Some(item.taken_at).filter(|_| !matches!(item.content, Content::Large(_)));
            let looks = looks(item.exif.unique_id.as_ref(), told, item.dimensions);
            self.by_looks.entry((item.owner.clone(), looks)).or_default().push(number);
        }
        self.items.push(item);
        number
    }

    /// The item of the same owner that has the same bytes.
    pub(crate) fn same_bytes(
        &self,
        owner: &Owner,
        (hash, size): (Hash, u64),
        sniffed: Option<&Sniffed>,
    ) -> Option<usize> {
        if let Some(&number) = self.by_content.get(&(owner.clone(), hash)) {
            return Some(number);
        }
        // A seeded item's hash is not known until it is needed: what the file says about itself leads to it.
        let sniffed = sniffed?;
        let looks = looks(sniffed.exif.unique_id.as_ref(), sniffed.taken_at, sniffed.dimensions);
        let candidates = self.by_looks.get(&(owner.clone(), looks))?.iter().copied();
        let same = |number: &usize| {
            let content = &self.items[*number].content;
            let fits = !matches!(content, Content::Large(large) if large.size() != size);
            fits && content.digest() == Some((hash, size))
        };
        let open = |number: &usize| !self.items[*number].removed && self.items[*number].known.is_none();
        candidates.filter(open).find(same)
    }

    /// Lets an item's bytes no longer lead to it.
    pub(crate) fn forget(&mut self, number: usize) {
        let item = &mut self.items[number];
        if let Some((hash, _)) = item.known.take() {
            let key = (item.owner.clone(), hash);
            if self.by_content.get(&key) == Some(&number) {
                self.by_content.remove(&key);
            }
        }
    }

    /// Remembers what a seeded item's bytes turned out to be.
    pub(crate) fn learn(&mut self, number: usize, hash: Hash, size: u64) {
        let item = &mut self.items[number];
        item.known = Some((hash, size));
        self.by_content.entry((item.owner.clone(), hash)).or_insert(number);
    }

    /// Adds an album and returns its number.
    pub(crate) fn add_album(&mut self, owner: &Owner, title: &str, created_at: Timestamp) -> usize {
        let number = self.albums.len();
        let id = self.random.album_id();
        self.album_ids.insert(id.clone(), number);
        self.albums.push(Album {
            id,
            owner: owner.clone(),
            title: title.to_owned(),
            created_at,
            cover: None,
            entries: Vec::new(),
            members: BTreeSet::new(),
            removed: false,
        });
        number
    }

    /// Puts an item into an album at `position` (the end, if `None`); an item that is there already stays where it is.
    pub(crate) fn put_into_album(&mut self, album: usize, item: usize, position: Option<usize>) -> bool {
        let album = &mut self.albums[album];
        if !album.members.insert(item) {
            return false;
        }
        let position = position.unwrap_or(album.entries.len()).min(album.entries.len());
        album.entries.insert(position, Entry::Item(item));
        true
    }
}

fn looks(unique_id: Option<&String>, taken_at: Option<Timestamp>, dimensions: Option<(u32, u32)>) -> String {
    match unique_id {
        Some(unique_id) => unique_id.clone(),
        None => format!("{:?} {dimensions:?}", taken_at.map(Timestamp::as_second)),
    }
}

/// SHA-256.
pub(crate) fn hash_of(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        write!(out, "{byte:02x}").expect("writing to a string cannot fail");
        out
    })
}
