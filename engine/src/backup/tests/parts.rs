//! Parts of items, and bodies that break off.

use super::{
    Place,
    shelf::{MP4, shown, with_clip},
};

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
