//! Which file is which item, without a disk and without an account.

use charon_provider::{Kind, RemoteId};
use jiff::{SignedDuration, Timestamp};

use super::{Fit, Item, Matched, by_name, decide};
use crate::adopt::tree::{Found, Known, Tree};

fn noon() -> Timestamp {
    "2024-07-31T12:00:00Z".parse().expect("a time")
}

fn found(path: &str, modified: Option<Timestamp>) -> Found {
    Found { path: path.into(), size: 5, modified, known: None }
}

fn tree(files: Vec<Found>) -> Tree {
    let at = files.iter().enumerate().map(|(place, found)| (found.path.clone(), place)).collect();
    Tree { files, at, ..Tree::default() }
}

fn with_id(path: &str, id: &str) -> Found {
    let known = Known::new(id, path.to_owned(), "image/jpeg", Some(noon()));
    Found { known: Some(Box::new(known)), ..found(path, None) }
}

fn item(id: &str, fits: &[(usize, Fit)]) -> Item {
    Item {
        id: RemoteId(id.into()),
        name: "a.jpg".into(),
        mime_type: "image/jpeg".into(),
        kind: Kind::Photo,
        taken_at: Some(noon()),
        description: None,
        camera: None,
        has_clip: false,
        asset_id: None,
        path: None,
        is_home: false,
        is_listed: true,
        fits: fits.to_vec(),
    }
}

/// What is claimed: the item, its files, whether the id says so.
fn claimed(matched: &Matched) -> Vec<(&str, &[usize], bool)> {
    matched.claims.iter().map(|claim| (&*claim.item.id.0, &*claim.files, claim.is_sure)).collect()
}

#[test]
fn a_time_fits_to_the_second_or_in_another_zone_and_a_folder_by_its_days() {
    let after = |seconds| noon() + SignedDuration::from_secs(seconds);
    for (path, modified, fit) in [
        ("x/a.jpg", Some(after(0)), Some(Fit::Time)),
        ("x/a.jpg", Some(after(-2)), Some(Fit::Time)),
        ("x/a.jpg", Some(after(3)), None),
        // gphotos-sync takes the time of Google for one of the clock on the wall.
        ("x/a.jpg", Some(after(2 * 3600)), Some(Fit::Zone)),
        ("x/a.jpg", Some(after(-5 * 3600 - 1800 + 1)), Some(Fit::Zone)),
        ("x/a.jpg", Some(after(15 * 3600)), None),
        ("x/a.jpg", None, None),
        ("photos/2024/07/a.jpg", Some(after(100)), Some(Fit::Days)),
        ("photos/2024/06/a.jpg", Some(after(100)), None),
        ("albums/2024/a.jpg", Some(after(100)), None),
    ] {
        assert_eq!(by_name(&found(path, modified), Some(noon())), fit, "{path} {modified:?}");
    }
    assert_eq!(by_name(&found("photos/undated/a.jpg", Some(noon())), None), Some(Fit::Days));
    assert_eq!(by_name(&found("photos/2024/a.jpg", Some(noon())), None), None);
}

#[test]
fn one_file_and_one_item_that_fit_are_each_others() {
    let tree = tree(vec![found("a.jpg", None), found("b.jpg", None)]);
    let matched = decide(&tree, vec![item("one", &[(0, Fit::Days)])]);
    assert_eq!(claimed(&matched), [("one", &[0][..], false)]);
    assert_eq!((matched.unmatched, matched.ambiguous), (vec![1], vec![]));
}

#[test]
fn between_two_nobody_guesses() {
    let tree = tree(vec![found("x/a.jpg", None), found("y/a.jpg", None)]);
    // Two items, one file.
    let matched = decide(&tree, vec![item("one", &[(0, Fit::Time)]), item("two", &[(0, Fit::Time)])]);
    assert_eq!((claimed(&matched), &*matched.ambiguous), (vec![], &[0][..]));
    // One that fits better is no guess.
    let matched = decide(&tree, vec![item("one", &[(0, Fit::Time)]), item("two", &[(0, Fit::Days)])]);
    assert_eq!(claimed(&matched), [("one", &[0][..], false)]);
    // Two files that fit as well may only be it if their bytes are the same, which is looked at later.
    let matched = decide(&tree, vec![item("one", &[(0, Fit::Time), (1, Fit::Time)])]);
    assert_eq!(claimed(&matched), [("one", &[0, 1][..], false)]);
    // A file that fits a second item too puts the first in doubt.
    let items = vec![item("one", &[(0, Fit::Time), (1, Fit::Time)]), item("two", &[(1, Fit::Time)])];
    let matched = decide(&tree, items);
    assert_eq!((claimed(&matched), &*matched.ambiguous), (vec![], &[0, 1][..]));
    // One that fits less well than another is not taken.
    let matched = decide(&tree, vec![item("one", &[(0, Fit::Days), (1, Fit::Time)])]);
    assert_eq!((claimed(&matched), &*matched.ambiguous), (vec![("one", &[1][..], false)], &[0][..]));
}

#[test]
fn an_id_is_believed_and_other_files_of_its_item_are_doubles() {
    let tree = tree(vec![
        with_id("album/x/a.jpg", "one"),
        with_id("media/all/a.jpg", "one"),
        found("media/by-year/2024/a.jpg", Some(noon())),
        with_id("media/all/b.jpg", "gone"),
    ]);
    let matched = decide(&tree, vec![item("one", &[(0, Fit::Id), (1, Fit::Id), (2, Fit::Time)])]);
    // What is not in an album goes first; what the account does not show has its id all the same.
    assert_eq!(claimed(&matched), [("one", &[1, 0][..], true), ("gone", &[3][..], true)]);
    assert!(!matched.claims[1].item.is_listed);
    assert_eq!((matched.doubles, matched.ambiguous, matched.unmatched), (vec![2], vec![], vec![]));
}

#[test]
fn the_path_that_an_item_has_goes_first() {
    let tree = tree(vec![with_id("a.jpg", "one"), with_id("b.jpg", "one")]);
    let known = Item { path: Some("b.jpg".into()), ..item("one", &[(0, Fit::Id), (1, Fit::Id)]) };
    assert_eq!(claimed(&decide(&tree, vec![known])), [("one", &[1, 0][..], true)]);
}

#[test]
fn a_clip_lies_beside_its_still_unless_it_is_a_video_of_its_own() {
    let tree = tree(vec![found("a.jpg", None), found("a.mp4", None)]);
    let moving = || Item { has_clip: true, ..item("one", &[(0, Fit::Time)]) };
    let matched = decide(&tree, vec![moving()]);
    assert_eq!((matched.claims[0].clip, &*matched.unmatched), (Some(1), &[][..]));
    let matched = decide(&tree, vec![moving(), item("two", &[(1, Fit::Time)])]);
    assert_eq!((matched.claims.len(), matched.claims[0].clip), (2, None));
}

#[test]
fn what_stands_for_the_photo_of_an_album_is_no_riddle() {
    let tree = tree(vec![
        with_id("photos/2024/07/a.jpg", "one"),
        found("albums/2024/0731 Summer/0000_a.jpg", None),
        found("albums/2024/0731 Summer/0001_b.jpg", None),
    ]);
    let matched = decide(&tree, vec![]);
    assert_eq!(claimed(&matched), [("one", &[0][..], true)]);
    assert_eq!((matched.doubles, matched.unmatched), (vec![1], vec![2]));
}
