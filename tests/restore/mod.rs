//! What is home comes back: to a folder, bit for bit, and to an account, once; whatever ends the program meanwhile.

mod folder;
#[cfg(unix)]
mod killed;
pub(crate) mod storage;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use gphotos_emulator::Seed;
use serde_json::{Value, json};

use crate::support::Place;

/// What is at a path of a tree: where a link leads, or the bytes of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Link(PathBuf),
    File(Vec<u8>),
}

/// All that is in a tree, but for Charon's own.
pub(crate) fn tree(root: &Path) -> BTreeMap<String, Entry> {
    fn look(root: &Path, folder: &Path, found: &mut BTreeMap<String, Entry>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(root).expect("below it").to_string_lossy().into_owned();
            let metadata = fs::symlink_metadata(&path).expect("it is there");
            if metadata.is_symlink() {
                found.insert(name, Entry::Link(fs::read_link(&path).expect("a link")));
            } else if metadata.is_dir() && name != ".charon" {
                look(root, &path, found);
            } else if metadata.is_file() {
                found.insert(name, Entry::File(fs::read(&path).expect("a file")));
            }
        }
    }
    let mut found = BTreeMap::new();
    look(root, root, &mut found);
    found
}

/// The photos and videos of a tree.
fn photos(root: &Path) -> BTreeMap<String, Entry> {
    let mut found = tree(root);
    let is_beside = |path: &str| {
        [Some("json"), Some("xmp")].contains(&Path::new(path).extension().and_then(|end| end.to_str()))
    };
    found.retain(|path, _| path.starts_with("photos/") && !is_beside(path));
    found
}

/// Two albums, `Sea` and `Summer`, home with links, and with sidecars beside each photo.
async fn at_home(items: u32) -> Place {
    let place = Place::new().await;
    let titles = vec!["Sea".to_owned(), "Summer".to_owned()];
    place.world().seed(&Seed { albums: 2, album_titles: titles, ..Seed::plain(items, 5_000) });
    place.add_storage().await;
    let config = json!({"kind": "backup", "storage": "family", "destination": place.path("mirror"),
        "albums": "symlink", "sidecars": "both"});
    place.add_plan("home", &config).await;
    assert_eq!(place.run("home").await.0, 0);
    place
}

/// Restores; gives the exit code and the summary.
async fn restore(place: &Place, more: &[&str]) -> (Option<i32>, Value) {
    let ended = place.charon(&[&["restore", "home", "--json"], more].concat()).await;
    (ended.code, ended.json())
}

/// Changes one byte of a file, and nothing else that can be seen from outside.
fn rot(path: &Path) {
    let mut bytes = fs::read(path).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).expect("written");
}

fn counts(summary: &Value) -> [u64; 4] {
    ["done", "unchanged", "skipped", "failed"]
        .map(|what| summary["items"][what].as_u64().unwrap_or_else(|| panic!("{summary:#}")))
}
