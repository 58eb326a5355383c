//! Names of files in a mirror.
//!
//! A path, once assigned, stays for ever (I4), so these rules do too:
//!
//! * The [`layout`] says which folders a photo goes to: to `photos/YYYY/MM/name`, by its capture time in UTC (as gphotos-sync lays it
//!   out), and without a capture time to `photos/undated/name`, unless a plan says otherwise.
//! * The clip of a motion photo lies beside its still, with the still's stem: `PXL_1.MP.jpg` and `PXL_1.MP.mp4`.
//! * The name is the one that Google shows, made safe on Linux, NTFS, exFAT, SMB and case-insensitive file systems:
//!   normalised (NFC); `< > : " / \ | ? *`, control characters and invisible direction marks become `_`; no leading dot or
//!   space, no trailing dot or space; no name that Windows reserves; at most [`MAX_NAME_BYTES`].
//! * If the path is taken already, compared as the most forgiving file system would, the name gets a suffix made of
//!   the item's id, which does not depend on the order of a listing.
//!
//! Nothing here touches a disk or a database.

mod layout;

use sha2::{Digest, Sha256};
use unicode_normalization::{UnicodeNormalization, is_nfc};

pub(crate) use layout::{DEFAULT, Layout, Subject};

/// The longest name, in bytes of UTF-8. Below the 255 that file systems allow, so that a sidecar's ending still fits.
pub(crate) const MAX_NAME_BYTES: usize = 240;

/// A longer "extension" is part of the name.
const MAX_EXTENSION_BYTES: usize = 16;

/// The lengths of the suffix, tried in this order until the path is free.
const SUFFIX_CHARS: [usize; 4] = [6, 10, 16, 26];

/// The last part of a path with forward slashes.
pub(crate) fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The paths that an item may get in the usual layout.
#[cfg(test)]
pub(crate) fn candidates(
    file_name: &str,
    taken_at: Option<jiff::Timestamp>,
    id: &str,
) -> impl Iterator<Item = String> + use<> {
    Layout::usual().candidates(&Subject { id, file_name, taken_at, album: None, camera: None })
}

/// The paths that the clip may get of an item, whose still has this path, the preferred one first. `extension` has its dot.
pub(crate) fn clip_candidates(
    still: &str,
    extension: &str,
    id: &str,
) -> impl Iterator<Item = String> + use<> {
    let (folder, name) = still.rsplit_once('/').unwrap_or(("", still));
    let (stem, _) = split(name);
    in_folder(folder.to_owned(), with_suffix(&format!("{stem}{extension}"), ""), id)
}

/// The names that the file of an item may get, the preferred one first; all others carry a hash of its id.
pub(crate) fn file_names(file_name: &str, id: &str) -> impl Iterator<Item = String> + use<> {
    in_folder(String::new(), safe_name(file_name), id)
}

/// The name for an item that comes without one: an extension at least, so that it can be opened.
pub(crate) fn unnamed(mime_type: &str) -> &'static str {
    match mime_type {
        "image/jpeg" => "unnamed.jpg",
        "image/png" => "unnamed.png",
        "image/gif" => "unnamed.gif",
        "image/webp" => "unnamed.webp",
        "image/avif" => "unnamed.avif",
        "image/heic" | "image/heif" => "unnamed.heic",
        "image/tiff" => "unnamed.tif",
        "video/mp4" => "unnamed.mp4",
        "video/quicktime" => "unnamed.mov",
        _ => "unnamed",
    }
}

fn in_folder(folder: String, name: String, id: &str) -> impl Iterator<Item = String> + use<> {
    let hash = base32(&Sha256::digest(id.as_bytes()));
    let suffixes = std::iter::once(String::new())
        .chain(SUFFIX_CHARS.into_iter().map(move |chars| format!("-{}", &hash[..chars])));
    let folder = if folder.is_empty() { folder } else { folder + "/" };
    suffixes.map(move |suffix| format!("{folder}{}", with_suffix(&name, &suffix)))
}

/// A name for a folder, safe wherever it goes.
pub(crate) fn folder_name(original: &str) -> String {
    trim(&safe_name(original)).to_owned()
}

/// What a path is compared by: two paths with the same key may be the same file somewhere. It errs on the safe side (it
/// takes more paths for the same than any one file system does).
pub(crate) fn path_key(path: &str) -> String {
    // Upper, then lower: `ß` meets `SS`, the long s meets `s`, the final sigma meets the other. NFKC last, so that neither
    // composition nor compatibility forms tell two names apart.
    path.nfkc().collect::<String>().to_uppercase().to_lowercase().nfkc().collect()
}

/// What the keys of all names begin with that begin so.
pub(crate) fn beginning_key(beginning: &str) -> String {
    path_key(&beginning.chars().map(|c| if is_unsafe(c) { '_' } else { c }).collect::<String>())
}

fn safe_name(original: &str) -> String {
    let normalized: String = if is_nfc(original) { original.to_owned() } else { original.nfc().collect() };
    let replaced: String = normalized.chars().map(|c| if is_unsafe(c) { '_' } else { c }).collect();
    let trimmed = trim(&replaced);
    // Only dots and spaces were there.
    let named = if trimmed.is_empty() { "_" } else { trimmed };
    // A leading dot would hide the photo, and could pass for a file of ours.
    let visible =
        if let Some(rest) = named.strip_prefix('.') { format!("_{rest}") } else { named.to_owned() };
    let unreserved = if is_reserved(&visible) { format!("_{visible}") } else { visible };
    with_suffix(&unreserved, "")
}

/// The name with the suffix before its extension, its stem cut so that all of it is short enough.
fn with_suffix(name: &str, suffix: &str) -> String {
    let (stem, extension) = split(name);
    let room = MAX_NAME_BYTES - suffix.len() - extension.len();
    let mut end = stem.len().min(room);
    while !stem.is_char_boundary(end) {
        end -= 1;
    }
    // A cut may lay bare a space, a dot, or half of a composed emoji.
    let stem = if end < stem.len() { stem[..end].trim_end_matches(['\u{200d}', '\u{fe0f}']) } else { stem };
    let stem = if suffix.is_empty() && extension.is_empty() { trim(stem) } else { stem };
    format!("{stem}{suffix}{extension}")
}

/// Stem and extension, the extension with its dot, or empty.
fn split(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(dot) if dot > 0 && dot + 1 < name.len() && name.len() - dot <= MAX_EXTENSION_BYTES => {
            name.split_at(dot)
        }
        _ => (name, ""),
    }
}

/// Windows drops trailing dots and spaces; leading spaces are lost too easily.
fn trim(name: &str) -> &str {
    name.trim_start_matches(char::is_whitespace).trim_end_matches(|c: char| c.is_whitespace() || c == '.')
}

fn is_unsafe(c: char) -> bool {
    matches!(c, '<' | '>' | ':' | '"' | '/' | '\\' | '|' | '?' | '*')
        || c.is_control()
        // Line separators, direction marks and overrides (a name that reads backwards lies about its extension), and the
        // byte order mark. The zero-width joiner stays: emoji are made of it.
        || matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
        // Not characters: some file systems refuse them.
        || matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{fdd0}'..='\u{fdef}')
}

/// Windows reserves these device names, with any extension, and with superscript digits too.
fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    if matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$") {
        return true;
    }
    let Some(number) = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT")) else { return false };
    let mut digits = number.chars();
    matches!((digits.next(), digits.next()), (Some('0'..='9' | '¹' | '²' | '³'), None))
}

/// Lower-case base32 without letters that are taken for digits (Crockford's alphabet).
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut text = String::new();
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in bytes {
        bits = (bits << 8) | u32::from(*byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            text.push(char::from(ALPHABET[((bits >> held) & 31) as usize]));
            bits &= (1 << held) - 1;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use jiff::{Timestamp, tz::TimeZone};
    use proptest::prelude::*;

    use super::{MAX_NAME_BYTES, candidates, clip_candidates, in_folder, is_reserved, path_key, safe_name};

    /// The paths as they were made up before there were layouts.
    pub(super) fn candidates_of_old(name: &str, taken_at: Option<Timestamp>, id: &str) -> Vec<String> {
        let folder = taken_at.map_or_else(
            || "photos/undated".to_owned(),
            |taken_at| {
                let taken = taken_at.to_zoned(TimeZone::UTC);
                format!("photos/{:04}/{:02}", taken.year().max(0), taken.month())
            },
        );
        in_folder(folder, safe_name(name), id).collect()
    }

    fn taken() -> Timestamp {
        "2021-07-01T00:30:00+02:00".parse().expect("a time")
    }

    fn first(name: &str) -> String {
        candidates(name, Some(taken()), "id").next().expect("at least one")
    }

    #[test]
    fn the_folder_is_the_capture_month_in_utc() {
        assert_eq!(first("IMG_1.jpg"), "photos/2021/06/IMG_1.jpg");
    }

    #[test]
    fn an_item_without_a_date_has_a_folder_and_one_from_the_future_too() {
        assert_eq!(candidates("a.jpg", None, "id").next().as_deref(), Some("photos/undated/a.jpg"));
        let future = "9999-12-30T00:00:00Z".parse().expect("a time");
        assert_eq!(candidates("a.jpg", Some(future), "id").next().as_deref(), Some("photos/9999/12/a.jpg"));
    }

    #[test]
    fn a_clip_lies_beside_its_still_with_its_stem() {
        let clip = |still, extension| clip_candidates(still, extension, "id").next().expect("at least one");
        assert_eq!(clip("photos/2024/07/PXL_1.MP.jpg", ".mp4"), "photos/2024/07/PXL_1.MP.mp4");
        assert_eq!(clip("photos/undated/IMG_1.HEIC", ".mov"), "photos/undated/IMG_1.mov");
        assert_eq!(clip("photos/2024/07/no extension", ".mp4"), "photos/2024/07/no extension.mp4");
        assert_eq!(clip("PXL_1.jpg", ".mp4"), "PXL_1.mp4");
        // A name that is as long as names may be still gets its ending.
        let long = clip(&format!("photos/2024/07/{}", "x".repeat(MAX_NAME_BYTES)), ".mp4");
        let name = long.strip_prefix("photos/2024/07/").expect("its folder");
        assert!(name.len() <= MAX_NAME_BYTES && name.to_ascii_lowercase().ends_with("x.mp4"), "{name}");
        let all: HashSet<String> = clip_candidates("photos/2024/07/a.jpg", ".mp4", "id").collect();
        assert_eq!(all.len(), 5);
    }

    #[test]
    fn names_that_are_safe_stay_as_they_are() {
        for name in [
            "IMG_0001.JPG",
            "été à la mer (2).heic",
            "👩‍👩‍👧‍👦 family.mp4",
            "a.b.c.jpg",
            "no extension",
            "~x",
            "コンサート.png",
        ] {
            assert_eq!(safe_name(name), name);
        }
    }

    #[test]
    fn names_that_are_not_are_made_so() {
        for (name, safe) in [
            ("a/b\\c.jpg", "a_b_c.jpg"),
            ("../../etc/passwd", "_._.._etc_passwd"),
            ("x\0y\u{7}z.jpg", "x_y_z.jpg"),
            ("", "_"),
            (".", "_"),
            ("...", "_"),
            (" . . ", "_"),
            (".hidden.jpg", "_hidden.jpg"),
            ("trailing. .", "trailing"),
            ("CON", "_CON"),
            ("con.jpg", "_con.jpg"),
            ("Lpt¹.tar.gz", "_Lpt¹.tar.gz"),
            ("COM10.jpg", "COM10.jpg"),
            ("gpj.\u{202e}exe", "gpj._exe"),
            ("what?<>|*\".jpg", "what______.jpg"),
            ("e\u{301}.jpg", "é.jpg"),
        ] {
            assert_eq!(safe_name(name), safe, "for {name:?}");
        }
    }

    #[test]
    fn a_long_name_is_cut_and_keeps_its_extension() {
        let long = safe_name(&format!("{}.jpeg", "é".repeat(300)));
        assert!(long.len() <= MAX_NAME_BYTES && long.ends_with("é.jpeg"), "{long}");
        let no_extension = safe_name(&"x".repeat(300));
        assert_eq!(no_extension.len(), MAX_NAME_BYTES);
        let absurd_extension = safe_name(&format!("a.{}", "y".repeat(300)));
        assert_eq!(absurd_extension.len(), MAX_NAME_BYTES);
    }

    #[test]
    fn keys_meet_where_a_forgiving_file_system_would() {
        for (a, b) in
            [("IMG.JPG", "img.jpg"), ("STRASSE", "straße"), ("é", "e\u{301}"), ("ΣΑΣ", "σας"), ("ﬁ", "fi")]
        {
            assert_eq!(path_key(a), path_key(b));
        }
        assert_ne!(path_key("a.jpg"), path_key("b.jpg"));
    }

    /// Names as hostile as they come, and often alike.
    pub(super) fn hostile_name() -> impl Strategy<Value = String> {
        prop_oneof![
            "[aAbB]{1,2}\\.(jpg|JPG)",
            "\\PC{0,40}",
            "[./\\\\ :*?]{0,6}[a-c]{0,2}",
            "(con|NUL|lpt1|COM¹)(\\.jpg)?",
            "[éÉe\u{301}ßsS]{1,3}",
            "x{230,260}(\\.jpg)?",
            any::<String>(),
        ]
    }

    proptest! {
        // I4
        #[test]
        fn paths_are_unique_safe_stable_and_lead_back_to_their_item(
            names in proptest::collection::vec(hostile_name(), 1..60),
            order in any::<u64>(),
        ) {
            let items: Vec<(String, String)> =
                names.into_iter().enumerate().map(|(index, name)| (format!("id-{index}-{order}"), name)).collect();
            let mut taken_keys = HashSet::new();
            let mut item_of_path = HashMap::new();
            for (id, name) in &items {
                let path = candidates(name, Some(taken()), id).find(|path| !taken_keys.contains(&path_key(path)));
                let path = path.expect("a free path");
                prop_assert!(taken_keys.insert(path_key(&path)));
                item_of_path.insert(path, id.clone());
            }
            // One path per item, back and forth.
            prop_assert_eq!(item_of_path.len(), items.len());
            for (path, id) in &item_of_path {
                let (_, name) = items.iter().find(|(candidate, _)| candidate == id).expect("its item");
                // Stable: the same item would be offered the same path again, whatever else is there.
                prop_assert!(candidates(name, Some(taken()), id).any(|candidate| &candidate == path));
                let file = path.strip_prefix("photos/2021/06/").expect("its folder");
                prop_assert!(!file.is_empty() && file.len() <= MAX_NAME_BYTES, "{file:?}");
                prop_assert!(!file.contains(['/', '\\', ':', '*', '?', '"', '<', '>', '|']), "{file:?}");
                prop_assert!(!file.chars().any(char::is_control), "{file:?}");
                prop_assert!(!file.starts_with(['.', ' ']) && !file.ends_with(['.', ' ']), "{file:?}");
                prop_assert!(!is_reserved(file), "{file:?}");
            }
        }
    }
}
