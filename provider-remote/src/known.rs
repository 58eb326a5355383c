//! What folders held a moment ago, so that whoever looks at many files in a row does not ask for their folder each time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use charon_provider::Entry;
use jiff::{SignedDuration, Timestamp};

use crate::paths::folder_of;

/// For so long what a folder held is believed. Nobody else writes to a mirror while a run is at it.
const BELIEVED: SignedDuration = SignedDuration::from_secs(30);
/// The most folders that are remembered.
const MOST: usize = 16;
/// The most folders of which it is remembered that something was written there.
const MOST_WRITTEN: usize = 10_000;

/// What is in one folder, by path.
pub(crate) type Listing = HashMap<String, Entry>;

/// What folders held a moment ago.
#[derive(Debug, Default)]
pub(crate) struct Known(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    /// How many writes have begun or ended.
    writes: u64,
    /// The number of the last write below each folder.
    written: HashMap<String, u64>,
    /// Of writes up to this one it is not known where they were.
    forgotten: u64,
    listings: HashMap<String, (Timestamp, Arc<Listing>)>,
}

/// The moment at which a listing began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun(u64);

impl Known {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the folder held, if that is known and still believed.
    pub(crate) fn folder(&self, folder: &str, now: Timestamp) -> Option<Arc<Listing>> {
        let memory = self.memory();
        let (at, listing) = memory.listings.get(folder)?;
        let age = now.duration_since(*at);
        (SignedDuration::ZERO <= age && age <= BELIEVED).then(|| Arc::clone(listing))
    }

    /// To be called before a folder is listed.
    pub(crate) fn begin(&self) -> Begun {
        Begun(self.memory().writes)
    }

    /// Remembers what a folder holds, unless something was written there meanwhile.
    pub(crate) fn keep(&self, folder: &str, begun: Begun, now: Timestamp, listing: Arc<Listing>) {
        let mut memory = self.memory();
        let written = memory.written.get(folder).copied().unwrap_or_default().max(memory.forgotten);
        if written > begun.0 {
            return;
        }
        if memory.listings.len() >= MOST {
            memory.listings.clear();
        }
        memory.listings.insert(folder.to_owned(), (now, listing));
    }

    /// To be called before something is written at a path, and after it: what was known of the folders above is not so any
    /// more.
    pub(crate) fn written(&self, path: &str) {
        let mut memory = self.memory();
        memory.writes += 1;
        let number = memory.writes;
        if memory.written.len() >= MOST_WRITTEN {
            memory.written.clear();
            memory.forgotten = number;
        }
        let mut folder = path;
        while !folder.is_empty() {
            folder = folder_of(folder);
            memory.listings.remove(folder);
            memory.written.insert(folder.to_owned(), number);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::{SignedDuration, Timestamp};

    use super::{Known, Listing};

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn keep(known: &Known, folder: &str) {
        known.keep(folder, known.begin(), NOW, Arc::new(Listing::new()));
    }

    #[test]
    fn what_a_folder_held_is_believed_for_half_a_minute() {
        let known = Known::default();
        keep(&known, "a/b");
        let after = |seconds| known.folder("a/b", NOW + SignedDuration::from_secs(seconds)).is_some();
        assert!(after(0) && after(30));
        assert!(!after(31) && !after(-1));
        assert!(known.folder("a", NOW).is_none());
    }

    #[test]
    fn a_write_makes_the_folders_above_it_unknown() {
        let known = Known::default();
        for folder in ["", "a", "a/b", "a/c"] {
            keep(&known, folder);
        }
        known.written("a/b/new.jpg");
        let left: Vec<_> =
            ["", "a", "a/b", "a/c"].into_iter().filter(|it| known.folder(it, NOW).is_some()).collect();
        assert_eq!(left, ["a/c"]);
    }

    #[test]
    fn a_listing_that_a_write_has_overtaken_is_not_believed() {
        let known = Known::default();
        let begun = known.begin();
        known.written("a/new.jpg");
        known.keep("a", begun, NOW, Arc::new(Listing::new()));
        assert!(known.folder("a", NOW).is_none());
        known.keep("b", begun, NOW, Arc::new(Listing::new()));
        assert!(known.folder("b", NOW).is_some());
    }
}
