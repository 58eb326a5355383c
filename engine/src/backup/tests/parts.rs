//! Parts of items, and bodies that break off.

use std::time::Duration;

use super::{
    Place,
    shelf::{JPEG, MP4, Shelf, shown, with_clip},
};
use crate::{mirror::archive, run::Counts, store::Listing};

#[tokio::test]
async fn a_motion_photo_comes_home_as_two_files() {
    let place = Place::new().await;
    place.shelf.state().items = vec![with_clip("PXL_1.MP"), shown("plain")];
    let ended = place.counts(2, 0, 0, 0).await;
    let mirrored = place.mirrored();
    let paths: Vec<&str> = mirrored.keys().map(String::as_str).collect();
    assert_eq!(
        paths,
        ["photos/2024/07/PXL_1.MP.jpg", "photos/2024/07/PXL_1.MP.mp4", "photos/2024/07/plain.jpg"]
    );
    assert_eq!(mirrored["photos/2024/07/PXL_1.MP.mp4"], [MP4, b"PXL_1.MP"].concat());
    assert_eq!(ended.progress.bytes, mirrored.values().map(|bytes| bytes.len() as u64).sum::<u64>());
    place.shelf.asked("");
    place.counts(0, 2, 0, 0).await;
    assert_eq!(place.shelf.asked("open"), [""; 0]);
}

#[tokio::test]
async fn a_clip_does_not_take_the_path_of_another_item() {
    // I4
    let place = Place::new().await;
    let mut video = shown("a");
    video.item.id = charon_provider::RemoteId("the video".into());
    video.item.file_name = "A.MP4".into();
    place.shelf.state().items = vec![video, with_clip("a")];
    place.counts(2, 0, 0, 0).await;
    let before = place.mirrored();
    assert_eq!(before.len(), 3);
    let clip = before.iter().find(|(_, bytes)| bytes.starts_with(MP4)).expect("the clip").0.clone();
    assert!(clip.starts_with("photos/2024/07/a-"), "{clip}");
    // And it keeps its own.
    std::fs::remove_file(place.path("mirror").join(&clip)).expect("it is there");
    place.shelf.asked("");
    place.counts(1, 1, 0, 0).await;
    assert_eq!(place.shelf.asked("open"), ["open a clip 0"], "only what is missing is fetched");
    assert_eq!(place.mirrored(), before);
}

#[tokio::test]
async fn an_item_without_the_clip_it_seemed_to_have_is_whole_and_not_asked_again() {
    // I7
    let place = Place::new().await;
    let mut still = with_clip("a");
    still.clip = None;
    place.shelf.state().items = vec![still];
    place.counts(1, 0, 0, 0).await;
    assert_eq!(place.shelf.asked("open"), ["open a whole 0", "open a clip 0"]);
    place.counts(0, 1, 0, 0).await;
    assert_eq!(place.shelf.asked("open"), [""; 0]);
    assert_eq!(place.mirrored().len(), 1);
}

#[tokio::test]
async fn an_item_whose_clip_fails_has_failed_and_the_next_run_fetches_the_clip_alone() {
    // I1, I9
    let place = Place::new().await;
    place.shelf.state().items = vec![with_clip("a")];
    place.shelf.state().no_clip_now.insert("a");
    let ended = place.counts(0, 0, 0, 1).await;
    assert_eq!((ended.progress.bytes, place.mirrored().len()), (0, 1));
    place.shelf.state().no_clip_now.clear();
    place.shelf.asked("");
    place.counts(1, 0, 0, 0).await;
    assert_eq!(place.shelf.asked("open"), ["open a clip 0"]);
    assert_eq!(place.mirrored().len(), 2);
    place.counts(0, 1, 0, 0).await;
}

#[tokio::test]
async fn a_download_that_breaks_off_is_gone_on_from_and_counted_once() {
    // I1, I10
    let place = Place::new().await;
    place.shelf.state().items = vec![shown("a long name that gives many bytes")];
    place.shelf.state().breaks.insert("a long name that gives many bytes", [5, 20].into());
    let ended = place.counts(1, 0, 0, 0).await;
    let offsets: Vec<String> = place
        .shelf
        .asked("open")
        .iter()
        .map(|what| what.rsplit(' ').next().expect("an offset").to_owned())
        .collect();
    assert_eq!(offsets, ["0", "5", "25"]);
    let mirrored = place.mirrored();
    assert_eq!(mirrored.values().next(), Some(&place.shelf.state().items[0].whole.to_vec()));
    assert_eq!(ended.progress.bytes, place.shelf.state().items[0].whole.len() as u64);
}

#[tokio::test]
async fn a_download_goes_on_with_another_address() {
    // I1
    let place = Place::new().await;
    place.shelf.state().items = vec![shown("a"), shown("b")];
    place.shelf.state().breaks.insert("a", [5].into());
    place.shelf.state().expire_next = true;
    place.counts(2, 0, 0, 0).await;
    place.shelf.state().items = vec![shown("c")];
    place.shelf.state().breaks.insert("c", [5].into());
    place.shelf.asked("");
    // The address dies between the two attempts.
    let shelf = place.shelf.clone();
    let expire = async {
        while shelf.state().breaks["c"].len() == 1 {
            tokio::task::yield_now().await;
        }
        shelf.state().generation += 1;
    };
    let (ended, ()) = tokio::join!(place.run(), expire);
    assert_eq!(ended.items.done, 1);
    let asked = place.shelf.asked("open");
    assert_eq!(asked.first().map(String::as_str), Some("open c whole 0"));
    assert_eq!(asked.last().map(String::as_str), Some("open c whole 5"), "{asked:?}");
    assert_eq!(place.mirrored()["photos/2024/07/c.jpg"], shown("c").whole);
}

#[tokio::test]
async fn a_clip_that_there_was_none_of_is_asked_for_again_ever_more_rarely() {
    // I7, I9: what the storage said may have been a passing fault.
    let place = Place::new().await;
    let mut still = with_clip("a");
    let clip = still.clip.take();
    place.shelf.state().items = vec![still];
    place.counts(1, 0, 0, 0).await;
    place.shelf.asked("");
    let days = async |days: u64| {
        place.clock.advance(Duration::from_hours(24 * days));
        place.counts(0, 1, 0, 0).await;
        place.shelf.asked("open").len()
    };
    assert_eq!((days(1).await, days(1).await, days(1).await, days(1).await), (1, 0, 0, 1));
    assert_eq!(days(3).await, 0);
    // A person who wants everything looked at gets it.
    let ended = place.run_with(|ctx| ctx.full_listing = true, |_| {}).await;
    assert_eq!((ended.items.unchanged, place.shelf.asked("open").len()), (1, 1));
    place.shelf.state().items[0].clip = clip;
    place.clock.advance(Duration::from_hours(24 * 28));
    place.counts(1, 0, 0, 0).await;
    assert_eq!(place.mirrored().len(), 2);
    place.counts(0, 1, 0, 0).await;
    // It was no answer for ever: the clip is looked after like any other.
    std::fs::remove_file(place.path("mirror/photos/2024/07/a.mp4")).expect("it is there");
    place.counts(1, 0, 0, 0).await;
    assert_eq!(place.mirrored().len(), 2);
}

#[tokio::test]
async fn an_original_that_is_wrong_is_declined_and_the_copy_comes_home() {
    // I9, I11
    let place = Place::new().await;
    place.shelf.state().items = vec![shown("a"), shown("b")];
    let wrong = archive(&[("a.jpg", JPEG), ("b.jpg", JPEG)]);
    place.shelf.state().originals.insert("a", wrong.into());
    place.counts(2, 0, 0, 0).await;
    let asked = place.shelf.asked("open a");
    assert_eq!(asked, ["open a whole 0"; 3], "the second time settles it");
    assert_eq!(place.shelf.state().declined.len(), 1);
    assert_eq!(place.mirrored()["photos/2024/07/a.jpg"], shown("a").whole);
}

/// A place with a live photo that came home in a bundle, whose clip is then lost.
async fn without_its_clip(has_clip: bool) -> Place {
    let place = Place::of(Shelf::new(true)).await;
    let mut live = with_clip("a");
    live.item.has_clip = has_clip;
    let original = [JPEG, b"original"].concat();
    let clip = [MP4, b"original clip"].concat();
    place.shelf.state().items = vec![live];
    place.shelf.state().originals.insert("a", archive(&[("a.jpg", &original), ("a.mov", &clip)]).into());
    place.counts(1, 0, 0, 0).await;
    assert_eq!(place.mirrored().len(), 2);
    std::fs::remove_file(place.path("mirror/photos/2024/07/a.mp4")).expect("it is there");
    place.shelf.asked("");
    place
}

#[tokio::test]
async fn a_clip_that_came_in_a_bundle_comes_home_in_a_bundle_again() {
    // I9
    for has_clip in [true, false] {
        let place = without_its_clip(has_clip).await;
        place.counts(1, 0, 0, 0).await;
        let asked = place.shelf.asked("");
        assert_eq!(asked.iter().filter(|what| what.starts_with("open")).count(), 1);
        assert!(!asked.iter().any(|what| what.starts_with("measure")), "the whole is home: {asked:?}");
        let mirrored = place.mirrored();
        assert_eq!(mirrored["photos/2024/07/a.mp4"], [MP4, b"original clip"].concat());
        assert_eq!(mirrored["photos/2024/07/a.jpg"], [JPEG, b"original"].concat());
        place.counts(0, 1, 0, 0).await;
    }
}

#[tokio::test]
async fn without_the_bundle_a_lesser_clip_comes_or_none_is_told_and_the_original_stays() {
    // I5, I9
    let place = without_its_clip(true).await;
    place.shelf.state().originals.clear();
    place.counts(1, 0, 0, 0).await;
    assert_eq!(place.mirrored()["photos/2024/07/a.mp4"], [MP4, b"a"].concat());
    assert_eq!(place.mirrored()["photos/2024/07/a.jpg"], [JPEG, b"original"].concat());

    let place = without_its_clip(false).await;
    let originals = std::mem::take(&mut place.shelf.state().originals);
    place.counts(0, 0, 0, 1).await;
    place.counts(0, 0, 0, 1).await;
    place.shelf.state().originals = originals;
    place.counts(1, 0, 0, 0).await;
    assert_eq!(place.mirrored().len(), 2);
}

#[tokio::test]
async fn a_clip_that_is_lost_at_both_ends_is_told() {
    // I9
    let place = Place::new().await;
    place.shelf.state().items = vec![with_clip("a")];
    place.counts(1, 0, 0, 0).await;
    std::fs::remove_file(place.path("mirror/photos/2024/07/a.mp4")).expect("it is there");
    place.shelf.state().items[0].clip = None;
    place.counts(0, 0, 0, 1).await;
}

#[tokio::test]
async fn a_file_that_was_cut_short_is_fetched_again_and_what_is_left_of_it_is_kept() {
    // I5, I10
    let place = Place::new().await;
    place.shelf.state().page_items = 10;
    place.shelf.state().items = (0..25).map(|number| shown(&number.to_string())).collect();
    place.counts(25, 0, 0, 0).await;
    let before = place.mirrored();
    for name in ["3", "22"] {
        std::fs::write(place.path(&format!("mirror/photos/2024/07/{name}.jpg")), "cut").expect("a file");
    }
    let full = Some(Listing { is_full: true, is_complete: true });
    assert_eq!(place.counts(2, 23, 0, 0).await.listing, full);
    assert_eq!(place.mirrored(), before);
    let aside = std::fs::read_dir(place.path("mirror/.charon/set-aside")).expect("a folder");
    assert_eq!(aside.count(), 2);
}

#[tokio::test]
async fn an_item_for_which_there_is_no_path_is_told_and_the_others_come_home() {
    // I9
    let place = Place::new().await;
    let item = shown("a").item;
    for path in crate::naming::candidates(&item.file_name, item.taken_at, &item.id.0) {
        let path = place.path("mirror").join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, "a letter").expect("a file");
    }
    place.shelf.state().items = vec![shown("a"), shown("b")];
    let ended = place.run().await;
    assert_eq!((ended.stop, ended.items), (None, Counts { done: 1, failed: 1, ..Counts::default() }));
    // Once there is room it comes.
    std::fs::remove_file(place.path("mirror/photos/2024/07/a.jpg")).expect("it is there");
    place.counts(1, 1, 0, 0).await;
}
