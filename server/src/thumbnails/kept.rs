//! Thumbnails that have been made, on disk: so many bytes at most, those that nobody has asked for the longest give way. All of it
//! can be thrown away at any time.

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use charon_engine::Sha256;

use super::Size;

/// What a thumbnail is known by: the bytes that it is made of, and how large it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) sha256: Sha256,
    pub(super) pixels: u16,
}

impl Key {
    pub(super) fn new(sha256: Sha256, size: Size) -> Self {
        Self { sha256, pixels: size.pixels() }
    }

    fn path(&self) -> PathBuf {
        let hash = self.sha256.to_string();
        PathBuf::from(&hash[..2]).join(format!("{hash}-{}.jpg", self.pixels))
    }

    fn of_path(path: &Path) -> Option<Self> {
        let (hash, pixels) = path.file_name()?.to_str()?.strip_suffix(".jpg")?.split_once('-')?;
        Some(Self { sha256: hash.parse().ok()?, pixels: pixels.parse().ok()? })
    }
}

/// The thumbnails on disk.
#[derive(Debug)]
pub(super) struct Kept {
    folder: PathBuf,
    most: u64,
    /// Read from the folder when the first one is asked for.
    index: OnceLock<Mutex<Index>>,
    next_name: AtomicU64,
}

#[derive(Debug, Default)]
struct Index {
    bytes: u64,
    turn: u64,
    known: HashMap<Key, Entry>,
    by_turn: BTreeMap<u64, Key>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    turn: u64,
    bytes: u64,
}

impl Index {
    fn forget(&mut self, key: &Key) {
        if let Some(entry) = self.known.remove(key) {
            self.by_turn.remove(&entry.turn);
            self.bytes -= entry.bytes;
        }
    }

    /// It was asked for now.
    fn note(&mut self, key: Key, bytes: u64) {
        self.forget(&key);
        self.turn += 1;
        self.known.insert(key, Entry { turn: self.turn, bytes });
        self.by_turn.insert(self.turn, key);
        self.bytes += bytes;
    }

    fn oldest(&self) -> Option<Key> {
        self.by_turn.first_key_value().map(|(_, key)| *key)
    }
}

impl Kept {
    pub(super) fn new(folder: PathBuf, most: u64) -> Self {
        Self { folder, most, index: OnceLock::new(), next_name: AtomicU64::new(0) }
    }

    /// The bytes of a thumbnail, if it is there. Blocks.
    pub(super) fn get(&self, key: Key) -> Option<Vec<u8>> {
        if !self.index().known.contains_key(&key) {
            return None;
        }
        let read = fs::read(self.folder.join(key.path()));
        let mut index = self.index();
        // Somebody may have cleared the folder, and a power cut leaves half a file, or none of it.
        let Some(bytes) = read.ok().filter(|bytes| is_whole(bytes)) else {
            index.forget(&key);
            return None;
        };
        index.note(key, bytes.len() as u64);
        Some(bytes)
    }

    /// Keeps a thumbnail; others give way to it. Blocks.
    pub(super) fn put(&self, key: Key, bytes: &[u8]) -> io::Result<()> {
        let path = self.folder.join(key.path());
        // Another process may be at the same one.
        let name =
            format!("{}-{}.partial", std::process::id(), self.next_name.fetch_add(1, Ordering::Relaxed));
        let partial = self.folder.join(name);
        fs::create_dir_all(path.parent().unwrap_or(&self.folder))?;
        let written = fs::write(&partial, bytes).and_then(|()| fs::rename(&partial, &path));
        if let Err(error) = written {
            fs::remove_file(&partial).ok();
            return Err(error);
        }
        let mut too_many = Vec::new();
        let mut index = self.index();
        index.note(key, bytes.len() as u64);
        while index.bytes > self.most
            && let Some(oldest) = index.oldest()
        {
            index.forget(&oldest);
            too_many.push(oldest);
        }
        drop(index);
        for key in too_many {
            fs::remove_file(self.folder.join(key.path())).ok();
        }
        Ok(())
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        let index = self.index.get_or_init(|| Mutex::new(read(&self.folder)));
        index.lock().expect("nothing panics while it holds the index")
    }
}

/// Whether a JPEG has its beginning and its end.
fn is_whole(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\xff\xd8") && bytes.ends_with(b"\xff\xd9")
}

/// What is in the folder, the oldest first. What was half written is removed.
fn read(folder: &Path) -> Index {
    let mut found: Vec<(SystemTime, Key, u64)> = Vec::new();
    let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    for entry in entries(folder) {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "partial") {
            fs::remove_file(&path).ok();
        }
        for file in entries(&path) {
            let (Some(key), Ok(metadata)) = (Key::of_path(&file.path()), file.metadata()) else { continue };
            found.push((metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), key, metadata.len()));
        }
    }
    found.sort_by_key(|(modified, ..)| *modified);
    let mut index = Index::default();
    for (_, key, bytes) in found {
        index.note(key, bytes);
    }
    index
}

#[cfg(test)]
mod tests {
    use charon_engine::Sha256;

    use super::{Kept, Key};

    fn key(number: u8) -> Key {
        Key { sha256: Sha256([number; 32]), pixels: 320 }
    }

    /// So many bytes, which begin and end as those of a JPEG.
    fn picture(number: u8, bytes: usize) -> Vec<u8> {
        [&b"\xff\xd8"[..], &vec![number; bytes - 4], b"\xff\xd9"].concat()
    }

    #[test]
    fn those_that_nobody_asks_for_give_way_and_the_rest_is_found_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let kept = Kept::new(folder.path().to_owned(), 350);
        for number in 0..3 {
            kept.put(key(number), &picture(number, 100)).expect("kept");
        }
        assert_eq!(kept.get(key(0)).expect("it is there"), picture(0, 100));
        kept.put(key(3), &picture(3, 100)).expect("kept");
        let there: Vec<bool> = (0..4).map(|number| kept.get(key(number)).is_some()).collect();
        assert_eq!(there, [true, false, true, true]);
        // One that is larger than all that may be kept is not kept, and takes all others with it.
        std::fs::write(folder.path().join("1-2.partial"), "half a picture").expect("a file");
        let again = Kept::new(folder.path().to_owned(), 350);
        assert_eq!(again.get(key(2)).expect("it is there"), picture(2, 100));
        assert!(!folder.path().join("1-2.partial").exists());
        again.put(key(2), &picture(7, 50)).expect("kept");
        assert_eq!(again.get(key(2)).expect("it is there"), picture(7, 50));
        again.put(key(9), &[9; 400]).expect("kept for no time");
        assert!((0..10).all(|number| again.get(key(number)).is_none()));
    }

    #[test]
    fn a_folder_that_was_cleared_is_no_trouble() {
        let folder = tempfile::tempdir().expect("a folder");
        let kept = Kept::new(folder.path().join("cache"), 1000);
        assert!(kept.get(key(1)).is_none());
        kept.put(key(1), &picture(1, 20)).expect("kept");
        std::fs::remove_dir_all(folder.path().join("cache")).expect("cleared");
        assert!(kept.get(key(1)).is_none());
        kept.put(key(1), &picture(1, 20)).expect("kept");
        assert!(kept.get(key(1)).is_some());
        // Nor is a power cut that has left half of it.
        let file = folder.path().join("cache").join(key(1).path());
        std::fs::write(&file, &picture(1, 20)[..10]).expect("a file");
        assert!(kept.get(key(1)).is_none());
        kept.put(key(1), &picture(1, 20)).expect("kept");
        assert_eq!(kept.get(key(1)).expect("it is there"), picture(1, 20));
    }
}
