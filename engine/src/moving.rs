//! The files that bytes are moved of now, for whoever watches a run.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::run::Current;

/// Who watches sees so many of them at most.
const SHOWN: usize = 32;

/// All of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board(Arc<Mutex<Entries>>);

#[derive(Debug, Default)]
struct Entries {
    next: u64,
    entries: BTreeMap<u64, Arc<Entry>>,
}

#[derive(Debug)]
struct Entry {
    name: String,
    bytes: AtomicU64,
    of: Option<u64>,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(crate) struct Moving {
    board: Board,
    place: u64,
    entry: Arc<Entry>,
}

impl Board {
    /// A file of which `at` bytes are there already, of so many in all.
    pub(crate) fn begin(&self, name: &str, at: u64, of: Option<u64>) -> Moving {
        let entry = Arc::new(Entry { name: name.to_owned(), bytes: AtomicU64::new(at), of });
        let mut entries = self.entries();
        let place = entries.next;
        entries.next += 1;
        entries.entries.insert(place, Arc::clone(&entry));
        drop(entries);
        Moving { board: self.clone(), place, entry }
    }

    /// What is on it, those that began first before the others.
    pub(crate) fn shown(&self) -> Vec<Current> {
        let entries = self.entries();
        let current = |entry: &Arc<Entry>| Current {
            name: entry.name.clone(),
            bytes: entry.bytes.load(Ordering::Relaxed),
            of: entry.of,
        };
        entries.entries.values().take(SHOWN).map(current).collect()
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, Entries> {
        self.0.lock().expect("nothing panics while it holds the board")
    }
}

impl Moving {
    /// So many more.
    pub(crate) fn moved(&self, bytes: usize) {
        self.entry.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// From here on: it goes on from there, or begins again.
    pub(crate) fn is_at(&self, bytes: u64) {
        self.entry.bytes.store(bytes, Ordering::Relaxed);
    }
}

impl Drop for Moving {
    fn drop(&mut self) {
        self.board.entries().entries.remove(&self.place);
    }
}

#[cfg(test)]
mod tests {
    use super::Board;
    use crate::run::Current;

    #[test]
    fn what_is_moved_is_shown_until_it_is_there() {
        let board = Board::default();
        let one = board.begin("a.jpg", 0, Some(100));
        let other = board.begin("b.mp4", 50, None);
        one.moved(30);
        other.moved(1);
        other.is_at(7);
        let shown = |name: &str, bytes, of| Current { name: name.into(), bytes, of };
        assert_eq!(board.shown(), [shown("a.jpg", 30, Some(100)), shown("b.mp4", 7, None)]);
        drop(one);
        assert_eq!(board.shown(), [shown("b.mp4", 7, None)]);
    }
}
