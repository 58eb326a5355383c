//! Where photos go, and that they stay there.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    time::SystemTime,
};

use gphotos_emulator::Seed;
use jiff::{Timestamp, tz::TimeZone};

use super::{counts, paths, succeeds};
use crate::support::Place;

/// Pictures of one month, with these names.
fn named(names: &[&str]) -> Seed {
    let time = |text: &str| text.parse().expect("a time");
    Seed {
        names: names.iter().map(|&name| name.to_owned()).collect(),
        first: time("2021-06-02T00:00:00Z"),
        last: time("2021-06-28T00:00:00Z"),
        ..Seed::plain(u32::try_from(names.len()).expect("a few"), 3_000)
    }
}

#[tokio::test]
async fn items_of_the_same_name_and_month_each_get_a_path_that_stays() {
    // I4
    let place = Place::new().await;
    place.world().seed(&named(&["same.jpg"]));
    place.add_backup().await;
    succeeds(&place, counts(1, 0, 0, 0)).await;
    let before = paths(&place);
    assert_eq!(before.values().collect::<Vec<_>>(), ["photos/2021/06/same.jpg"]);

    place.world().seed(&named(&["same.jpg", "SAME.jpg", "same.JPG"]));
    succeeds(&place, counts(3, 1, 0, 0)).await;
    place.assert_mirror_is_complete();
    let after = paths(&place);
    assert!(
        before.iter().all(|(content, path)| after.get(content) == Some(path)),
        "{before:?}, then {after:?}"
    );
    let folded: HashSet<String> = after.values().map(|path| path.to_lowercase()).collect();
    assert_eq!(folded.len(), 4, "{after:?}");

    succeeds(&place, counts(0, 4, 0, 0)).await;
    assert_eq!(paths(&place), after);
}

#[tokio::test]
async fn items_with_hostile_names_come_home_under_safe_ones() {
    let place = Place::new().await;
    let long = format!("{}.jpg", "x".repeat(296));
    let wide = format!("{}.jpg", "ü".repeat(148));
    let names = [
        "/etc/passwd",
        "../../escape.jpg",
        "..\\..\\escape.jpg",
        "a/b.jpg",
        "line\nbreak\ttab\u{7}.jpg",
        "nul\u{0}byte.jpg",
        &long,
        &wide,
        "📷 Ferien 👩‍👩‍👧 🏖️.jpg",
        ".",
        "..",
        "...",
        "CON.jpg",
        "con",
        "LPT1.JPG",
        "a.JPG",
        "a.jpg",
        "Straße.jpg",
        "STRASSE.JPG",
        "cafe\u{301}.jpg",
        "caf\u{e9}.jpg",
        "trailing dot.",
        "trailing space ",
        "what?<is>|\"this\"*:.jpg",
        "\u{202e}gpj.exe",
        ".charon",
        "   ",
        "-rf.jpg",
        "",
    ];
    place.world().seed(&named(&names));
    place.add_backup().await;
    let all = u64::try_from(names.len()).expect("a few");
    succeeds(&place, counts(all, 0, 0, 0)).await;
    place.assert_mirror_is_complete();

    let first = paths(&place);
    let mut folded = HashSet::new();
    for path in first.values() {
        let name = path.strip_prefix("photos/2021/06/").unwrap_or_else(|| panic!("{path:?} is in its month"));
        assert!(name.len() <= 255, "{name:?}");
        assert!(!name.contains(['/', '\\', ':', '*', '?', '"', '<', '>', '|', '\u{202e}']), "{name:?}");
        assert!(!name.chars().any(char::is_control), "{name:?}");
        assert!(!name.starts_with(['.', ' ']) && !name.ends_with(['.', ' ']), "{name:?}");
        let stem = name.split('.').next().expect("a stem").to_uppercase();
        assert!(!["CON", "LPT1"].contains(&stem.as_str()), "{name:?}");
        assert!(folded.insert(path.to_uppercase().to_lowercase()), "{path:?} is there twice");
    }
    assert!(first.values().any(|path| path.contains("📷 Ferien 👩‍👩‍👧 🏖️.jpg")), "{first:?}");
    succeeds(&place, counts(0, all, 0, 0)).await;
    assert_eq!(paths(&place), first);
}

#[tokio::test]
async fn a_file_that_was_deleted_from_the_mirror_comes_back_to_its_path() {
    // I4
    let place = Place::new().await;
    place.world().seed(&named(&["same.jpg", "same.jpg", "other.jpg"]));
    place.add_backup().await;
    succeeds(&place, counts(3, 0, 0, 0)).await;
    let before = paths(&place);
    for path in before.values().filter(|path| path.contains("same")) {
        fs::remove_file(place.path("mirror").join(path)).expect("it is there");
    }
    succeeds(&place, counts(2, 1, 0, 0)).await;
    assert_eq!(paths(&place), before);

    fs::remove_dir_all(place.path("mirror/photos")).expect("it is there");
    succeeds(&place, counts(3, 0, 0, 0)).await;
    assert_eq!(paths(&place), before);
}

#[tokio::test]
async fn files_carry_the_time_of_capture() {
    let place = Place::new().await;
    place.seed(30);
    place.add_backup().await;
    succeeds(&place, counts(30, 0, 0, 0)).await;
    let taken: BTreeMap<String, Timestamp> =
        place.world().items().into_iter().map(|item| (item.sha256.expect("a hash"), item.taken_at)).collect();
    for (content, path) in paths(&place) {
        let modified =
            fs::metadata(place.path("mirror").join(&path)).expect("it is there").modified().expect("a time");
        assert_eq!(modified, SystemTime::from(taken[&content]), "{path}");
        let month = taken[&content].to_zoned(TimeZone::UTC).strftime("photos/%Y/%m/").to_string();
        assert!(path.starts_with(&month), "{path} is in {month}");
    }
}
