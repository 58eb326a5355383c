//! Large files: an upload that breaks off goes on where it broke off.

use std::{fs, io::Write};

use gphotos_emulator::{Action, Fault, SessionAnswer};
use serde_json::json;

use super::{counts, succeeds};
use crate::support::{Place, picture};

/// More than one chunk.
pub(crate) const BYTES: u64 = 100_000_000;

/// Puts a large photo into the source. Most of it is a hole: it takes no room on the disk.
pub(crate) fn draw_large(place: &Place, number: u32) {
    let folder = place.path("pictures");
    fs::create_dir_all(&folder).expect("a folder");
    let mut file = fs::File::create(folder.join("large.jpg")).expect("a file");
    file.write_all(&picture(number)).expect("its beginning");
    file.set_len(BYTES).expect("a hole");
}

#[tokio::test]
async fn a_large_file_goes_on_where_the_connection_broke() {
    let place = Place::new().await;
    draw_large(&place, 1);
    place.add_upload().await;
    place.fault(Fault::once(Action::BrokenChunk { bytes: None }));
    succeeds(&place, "out", counts(1, 0, 0, 0)).await;
    assert_eq!(place.count("uploads.start"), 1);
    let received = place.world().stats().bytes_received;
    assert!(received < BYTES + 1_000_000, "{received} bytes of a file of {BYTES}");
    place.assert_account_holds("pictures", "Album");
}

#[tokio::test]
async fn a_session_that_is_lost_is_begun_anew_at_once() {
    for answer in [SessionAnswer::NotFound, SessionAnswer::Gone, SessionAnswer::Cancelled] {
        let place = Place::new().await;
        draw_large(&place, 1);
        place.add_upload().await;
        place.fault(Fault::once(Action::LostSession { answer }).after(1));
        let summary = succeeds(&place, "out", counts(1, 0, 0, 0)).await;
        assert_eq!(place.count("uploads.start"), 2, "{answer:?}: {summary:#}");
        place.assert_account_holds("pictures", "Album");
    }
}

#[tokio::test]
async fn bytes_go_up_within_the_bandwidth_limit() {
    let place = Place::new().await;
    place.draw("pictures", 0..2);
    let mut file = fs::File::options().write(true).open(place.path("pictures/IMG_0000.jpg")).expect("a file");
    file.set_len(3_000_000).and_then(|()| file.flush()).expect("room");
    place.add_upload_with(&json!({"bandwidth_up": 1_000})).await;
    let summary = succeeds(&place, "out", counts(2, 0, 0, 0)).await;
    assert!(super::took(&summary).as_millis() >= 1_500, "{summary:#}");
}

#[tokio::test]
async fn a_file_that_is_at_fault_leaves_its_session_and_its_twin_takes_its_place() {
    // I1, I9
    let place = Place::new().await;
    draw_large(&place, 1);
    let (large, twin) = (place.path("pictures/large.jpg"), place.path("pictures/twin.jpg"));
    fs::copy(&large, &twin).expect("a copy");
    place.add_upload_with(&json!({"bandwidth_up": 40_000})).await;
    // Whichever of the two is being sent, it is not the one that is left.
    let shorten = async {
        place.until("the first chunk", |stats| stats.bytes_received > 16_000_000).await;
        fs::File::options().write(true).open(&large).and_then(|file| file.set_len(10)).expect("shorter");
    };
    let ((code, summary), ()) = tokio::join!(place.run("out"), shorten);
    assert_eq!((code, &summary["items"]), (3, &counts(1, 0, 0, 1)), "{summary:#}");
    let message = summary["errors"][0]["message"].as_str().expect("a message");
    assert!(message.contains("shorter"), "{message}");
    assert_eq!(place.count("uploads.start"), 2, "nothing is added to what the other file has begun");
    place.world().reset_stats();
    fs::copy(&twin, &large).expect("it is restored");
    succeeds(&place, "out", counts(0, 2, 0, 0)).await;
    place.assert_account_holds("pictures", "Album");
}
