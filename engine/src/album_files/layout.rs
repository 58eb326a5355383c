//! Layout: the folder of an album, and what is in it, as gphotos-sync lays it out: `albums/YYYY/MMDD Title/0000_name`, by the day of
//! the last photo. Nothing here touches a disk or a database.

use jiff::{Timestamp, tz::TimeZone};
use sha2::{Digest, Sha256};

use crate::naming;

/// Where albums are.
const ALBUMS: &str = "albums";
/// What an album without a title is called.
const UNTITLED: &str = "Untitled";

/// The folders that an album may have, the preferred one first; another album may have its title and its day.
pub(super) fn folders(title: &str, last: Option<Timestamp>, zone: &TimeZone, id: &str) -> [String; 2] {
    let title = if title.trim().is_empty() { UNTITLED } else { title };
    let (year, day) = match last.map(|last| last.to_zoned(zone.clone())) {
        Some(last) => {
            (format!("{:04}", last.year().max(0)), format!("{:02}{:02} ", last.month(), last.day()))
        }
        None => ("undated".to_owned(), String::new()),
    };
    let hash = format!("{:x}", Sha256::digest(id.as_bytes()));
    let suffix = &hash[..8];
    let in_folder = |name: &str| format!("{ALBUMS}/{year}/{}", naming::folder_name(&format!("{day}{name}")));
    [in_folder(title), in_folder(&format!("{title}-{suffix}"))]
}

/// What the item at a position of an album is called there.
pub(super) fn entry(folder: &str, position: usize, path: &str) -> String {
    let name = naming::name_of(path);
    format!("{folder}/{position:04}_{name}")
}

/// The way from an entry to what it stands for, both below the destination.
pub(crate) fn relative(entry: &str, target: &str) -> String {
    let up = entry.matches('/').count();
    format!("{}{target}", "../".repeat(up))
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::{entry, folders, relative};

    #[test]
    fn an_album_lies_where_gphotos_sync_puts_it() {
        let last = Some("2024-07-31T23:30:00Z".parse().expect("a time"));
        let [folder, other] = folders("Summer", last, &TimeZone::UTC, "id");
        assert_eq!(folder, "albums/2024/0731 Summer");
        assert!(other.starts_with("albums/2024/0731 Summer-"), "{other}");
        let berlin = TimeZone::get("Europe/Berlin").expect("a zone");
        assert_eq!(folders("Summer", last, &berlin, "id")[0], "albums/2024/0801 Summer");
        assert_eq!(folders(" ", None, &TimeZone::UTC, "id")[0], "albums/undated/Untitled");
        assert_eq!(folders("../a/b", None, &TimeZone::UTC, "id")[0], "albums/undated/_._a_b");
        let path = entry(&folder, 7, "photos/2024/07/a.jpg");
        assert_eq!(path, "albums/2024/0731 Summer/0007_a.jpg");
        assert_eq!(relative(&path, "photos/2024/07/a.jpg"), "../../../photos/2024/07/a.jpg");
    }
}
