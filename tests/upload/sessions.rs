//! Large files: an upload that breaks off goes on where it broke off.

use std::{fs, io::Write};

use gphotos_emulator::{Action, Fault, SessionAnswer};
use serde_json::json;

use super::{counts, succeeds};
use crate::support::{Place, picture};

/// Several chunks.
pub(crate) const BYTES: u64 = 40_000_000;

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
