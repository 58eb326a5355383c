//! Motion and live photos: two files of one item.

use gphotos_emulator::video::Video;
use serde_json::json;

use super::{counts, succeeds};
use crate::support::{CLIENT_ID, Place, picture};

fn clip(seed: u64) -> Vec<u8> {
    Video::new(seed).mp4()
}

/// The contents of the mirror whose paths end so.
fn ending(place: &Place, ending: &str) -> Vec<Vec<u8>> {
    let mirrored = place.mirrored().into_iter();
    mirrored.filter(|(path, _)| path.ends_with(ending)).map(|(_, bytes)| bytes).collect()
}

#[tokio::test]
async fn a_motion_photo_comes_home_with_its_clip() {
    let place = Place::new().await;
    place.seed(3);
    let id = place.world().add_motion_photo(CLIENT_ID, "PXL_1.MP.jpg", picture(1), clip(1)).expect("a photo");
    // The name says that there is a clip, and there is none.
    place.world().add_item(CLIENT_ID, "PXL_2.MP.jpg", picture(2)).expect("a photo");
    place.add_backup().await;
    let summary = succeeds(&place, counts(5, 0, 0, 0)).await;
    assert_eq!(place.mirrored().len(), 6);
    assert_eq!(ending(&place, "/PXL_1.MP.jpg"), [place.world().original(&id).expect("its bytes").to_vec()]);
    assert_eq!(ending(&place, "/PXL_1.MP.mp4"), [place.world().clip(&id).expect("its clip").to_vec()]);
    assert_eq!(summary["fidelity"], json!({"api-copy": 5}));
    let asked = place.count("media.bytes");
    assert_eq!(asked, 7, "five items, and two clips of which one is none");
    succeeds(&place, counts(0, 5, 0, 0)).await;
    assert_eq!(place.count("media.bytes"), asked, "what has no clip is not asked again");
}

#[tokio::test]
async fn a_live_photo_that_comes_as_an_archive_is_unpacked() {
    let place = Place::new().await;
    let proxy = place.emulator.full_resolution_proxy("127.0.0.1:0".parse().expect("an address")).await;
    let proxy = proxy.expect("the proxy starts");
    let id = place.world().add_live_photo(CLIENT_ID, "IMG_1.JPG", picture(1), clip(1)).expect("a photo");
    place.add_backup_with(&json!({"proxy": proxy.url()})).await;
    let summary = succeeds(&place, counts(1, 0, 0, 0)).await;
    assert_eq!(summary["fidelity"], json!({"original": 1}), "{summary:#}");
    assert_eq!(place.mirrored().len(), 2);
    assert_eq!(ending(&place, "/IMG_1.JPG"), [place.world().original(&id).expect("its bytes").to_vec()]);
    assert_eq!(ending(&place, "/IMG_1.mp4").len() + ending(&place, "/IMG_1.mov").len(), 1);
    assert!(!proxy.saw_authorization(), "no token goes to the proxy"); // I6
    let asked = proxy.stats().requests;
    succeeds(&place, counts(0, 1, 0, 0)).await;
    assert_eq!(proxy.stats().requests, asked);
}
