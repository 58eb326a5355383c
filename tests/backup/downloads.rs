//! The bytes on their way: addresses that expire, bodies that break off, other things in their place.

use std::{collections::HashSet, path::Path};

use gphotos_emulator::{Action, Fault, Seed, Settings, exif::Exif, jpeg};
use jiff::SignedDuration;
use serde_json::json;

use super::{UNDER_WAY, counts, fault_on, succeeds};
use crate::support::{Place, hex_sha256};

#[tokio::test]
async fn addresses_that_expire_in_the_middle_are_renewed_many_at_a_time() {
    let place = Place::new().await;
    place.seed(230);
    place.add_backup().await;
    place.fault(fault_on("media.bytes", Action::ExpiredBaseUrls).after(20));
    succeeds(&place, counts(230, 0, 0, 0)).await;
    place.assert_mirror_is_complete();
    let renewals = place.count("mediaItems.batchGet");
    assert!((1..=10).contains(&renewals), "{renewals} look-ups for up to 210 items, 50 at a time");
    let fetches = place.count("media.bytes");
    assert!(fetches <= 230 + 3 * UNDER_WAY, "{fetches} requests for 230 items");
}

#[tokio::test]
async fn a_run_lives_through_an_hour_in_which_addresses_and_the_access_token_expire() {
    let settings = Settings { keep_bytes: true, latency_ms: 3, ..Settings::default() };
    let place = Place::with(settings).await;
    place.seed(230);
    place.add_backup().await;
    let run = async { succeeds(&place, counts(230, 0, 0, 0)).await };
    let hour = async {
        place.until("downloads", |stats| stats.count("media.bytes") >= 40).await;
        place.world().advance(SignedDuration::from_mins(61));
    };
    tokio::join!(run, hour);
    place.assert_mirror_is_complete();
    assert_eq!(place.count("oauth.token"), 1, "one refresh for all");
    let renewals = place.count("mediaItems.batchGet");
    assert!((1..=12).contains(&renewals), "{renewals} look-ups, one of which the old token may have made");
}

#[tokio::test]
async fn downloads_that_break_off_or_bring_something_else_are_tried_again() {
    // I1
    let place = Place::new().await;
    place.seed(40);
    place.add_backup().await;
    let faults = [
        Action::TruncatedBody { bytes: None },
        Action::TruncatedBody { bytes: Some(0) },
        Action::ConnectionReset,
        Action::ServerError { status: 503 },
        Action::ServerError { status: 500 },
        Action::Html,
    ];
    for (after, action) in (3..).zip(faults) {
        place.fault(fault_on("media.bytes", action).after(after));
    }
    succeeds(&place, counts(40, 0, 0, 0)).await;
    assert_eq!(place.world().stats().faults, 6);
    assert_eq!(place.count("media.bytes"), 46);
    place.assert_mirror_is_complete();
}

#[tokio::test]
async fn videos_come_home_as_videos() {
    let place = Place::new().await;
    place.world().seed(&Seed { items: 3, video_share: 1.0, ..Seed::default() });
    place.add_backup().await;
    succeeds(&place, counts(3, 0, 0, 0)).await;
    place.assert_mirror_is_complete();
    for (path, bytes) in place.mirrored() {
        assert_eq!(Path::new(&path).extension(), Some("mp4".as_ref()), "{path}");
        assert_eq!(&bytes[4..8], b"ftyp");
    }
}

#[tokio::test]
async fn a_video_that_is_still_processed_is_skipped_with_its_reason_and_fetched_later() {
    // I9
    let place = Place::new().await;
    place.seed(5);
    place.world().seed(&Seed { items: 2, video_share: 1.0, ..Seed::default() });
    place.add_backup().await;
    place.fault(Fault::always(Action::VideoProcessing));
    let summary = succeeds(&place, counts(5, 0, 2, 0)).await;
    let reasons = summary["skipped"].as_object().expect("reasons");
    assert_eq!(reasons.values().collect::<Vec<_>>(), [&json!(2)]);
    assert!(reasons.keys().all(|reason| reason.contains("still being processed")), "{summary:#}");

    place.world().clear_faults();
    succeeds(&place, counts(2, 5, 0, 0)).await;
    place.assert_mirror_is_complete();
}

#[tokio::test]
async fn copies_of_the_api_are_whole_pictures_without_a_place() {
    let place = Place::with(Settings::default()).await;
    let ids = place.world().seed(&Seed { items: 6, location_share: 1.0, ..Seed::default() }).item_ids;
    place.add_backup().await;
    succeeds(&place, counts(6, 0, 0, 0)).await;
    let originals: HashSet<String> =
        ids.iter().map(|id| hex_sha256(&place.world().original(id).expect("its bytes"))).collect();
    let mirrored = place.mirrored();
    assert_eq!(mirrored.len(), 6);
    for (path, bytes) in mirrored {
        assert!(!originals.contains(&hex_sha256(&bytes)), "{path} is not the original, byte for byte");
        assert_eq!(jpeg::dimensions(&bytes), Some((160, 120)), "{path}");
        assert!(jpeg::decode(&bytes).is_some(), "{path} can be decoded");
        let exif = Exif::from_tiff(jpeg::exif_block(&bytes).expect("EXIF"));
        assert!(exif.make.is_some() && exif.taken_at.is_some(), "{path}: {exif:?}");
        assert_eq!(exif.location, None, "{path}");
    }
    // What was fetched is what the ledger remembers.
    succeeds(&place, counts(0, 6, 0, 0)).await;
}

#[tokio::test]
async fn a_download_that_breaks_off_goes_on_where_it_was() {
    // I1
    let place = Place::new().await;
    place.world().seed(&Seed::plain(1, 3_000_000));
    place.add_backup().await;
    place.fault(fault_on("media.bytes", Action::TruncatedBody { bytes: Some(2_000_000) }));
    place.fault(fault_on("media.bytes", Action::TruncatedBody { bytes: Some(500_000) }).after(1));
    place.world().reset_stats();
    let summary = succeeds(&place, counts(1, 0, 0, 0)).await;
    place.assert_mirror_is_complete();
    let stats = place.world().stats();
    assert_eq!((stats.count("media.bytes"), stats.responses.get(&206)), (3, Some(&2)), "{stats:?}");
    // Counted are the lengths that the three answers announced: had each been all of it, 9,000,000 bytes.
    assert!(stats.bytes_sent < 9_000_000, "{stats:?}");
    assert_eq!(summary["bytes"], 3_000_000, "none is counted twice");
}

#[tokio::test]
async fn a_download_that_cannot_go_on_begins_anew() {
    // I1
    for action in [Action::RangeIgnored, Action::WrongRange, Action::ContentChanged, Action::ExpiredBaseUrls]
    {
        let place = Place::new().await;
        place.world().seed(&Seed::plain(1, 300_000));
        place.add_backup().await;
        place.fault(fault_on("media.bytes", Action::TruncatedBody { bytes: Some(200_000) }));
        place.fault(fault_on("media.bytes", action.clone()).after(1));
        let summary = succeeds(&place, counts(1, 0, 0, 0)).await;
        place.assert_mirror_is_complete();
        assert_eq!(summary["bytes"], json!(place.world().items()[0].size), "{action:?}");
    }
}

#[tokio::test]
async fn a_placeholder_is_not_taken_for_a_photo() {
    // I1
    let place = Place::new().await;
    place.seed(3);
    place.world().seed(&Seed { items: 1, video_share: 1.0, ..Seed::default() });
    place.add_backup().await;
    place.fault(Fault::always(Action::Placeholder).times(4).on(&["media.bytes"]));
    succeeds(&place, counts(4, 0, 0, 0)).await;
    assert!(place.count("media.bytes") >= 8);
    place.assert_mirror_is_complete();
}

#[tokio::test]
async fn sizes_are_read_first_where_that_is_wanted() {
    let place = Place::new().await;
    place.seed(20);
    place.add_backup_with(&json!({"read_size": true})).await;
    succeeds(&place, counts(20, 0, 0, 0)).await;
    assert_eq!((place.count("media.head"), place.count("media.bytes")), (20, 20));
    place.assert_mirror_is_complete();
    succeeds(&place, counts(0, 20, 0, 0)).await;
    assert_eq!(place.count("media.head"), 20, "what is home is not measured again");
}

#[tokio::test]
async fn a_bandwidth_limit_holds_the_bytes_back() {
    let place = Place::new().await;
    place.world().seed(&Seed::plain(8, 100_000));
    place.add_backup_with(&json!({"bandwidth_down": 300})).await;
    let began = tokio::time::Instant::now();
    succeeds(&place, counts(8, 0, 0, 0)).await;
    assert!(began.elapsed().as_millis() >= 1_000, "{:?} for more than two seconds allow", began.elapsed());
}
