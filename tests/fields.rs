//! Every field of a storage makes the difference that its label promises, from the command line to the wire. The endpoints, the
//! secrets, `start_year` and the batches have their tests where they belong.

use gphotos_emulator::{Action, Fault, Seed, Settings};
use serde_json::{Value, json};
use tokio::time::{Duration, Instant};

use crate::{
    command_line::assert_failed,
    support::{CLIENT_ID, Place, picture},
};

const COMMIT: &str = "mediaItems.batchCreate";

/// Runs a plan, which must succeed with so many items done.
async fn done(place: &Place, plan: &str, count: u64) -> Value {
    let (code, summary) = place.run(plan).await;
    assert_eq!((code, &summary["items"]["done"]), (0, &json!(count)), "{summary:#}");
    summary
}

async fn days(place: &Place, plan: &str) -> (Value, Value) {
    let estimate = place.done(&["plan", "preview", plan, "--json"]).await.json();
    (estimate["days"].clone(), estimate["by"].clone())
}

#[tokio::test]
async fn requests_per_minute() {
    // I7
    let place = Place::new().await;
    place.seed(3);
    place.add_backup_with(&json!({"requests_per_minute": 120})).await;
    let began = Instant::now();
    done(&place, "home", 3).await;
    let asked = place.world().stats();
    let spaces = u32::try_from(asked.api_requests + asked.media_requests - 1).expect("few");
    assert!(spaces >= 3, "{asked:?}");
    // Half a second apart each.
    assert!(began.elapsed() >= Duration::from_millis(500) * spaces, "{:?} for {asked:?}", began.elapsed());
}

#[tokio::test]
async fn batch_timeout() {
    for (batch_timeout, commits) in [("100ms", 2), ("1h", 1)] {
        let place = Place::new().await;
        place.draw("pictures", 0..2);
        place.add_upload_with(&json!({"batch_timeout": batch_timeout})).await;
        // One file takes its time, and the other waits for it or does not.
        place.fault(Fault::once(Action::Latency { ms: 4_000 }).on(&["uploads"]).after(1));
        done(&place, "out", 2).await;
        assert_eq!(place.count(COMMIT), commits, "{batch_timeout}");
    }
}

#[tokio::test]
async fn connections() {
    for (storage, most) in [(json!({"connections": 2}), 2), (json!({}), 16)] {
        let place = Place::new().await;
        place.seed(24);
        place.draw("pictures", 100..124);
        place.add_backup_with(&storage).await;
        let out = json!({"kind": "upload", "storage": "family", "sources": [place.path("pictures")]});
        place.add_plan("out", &out).await;
        place.fault(Fault::always(Action::Latency { ms: 150 }).on(&["uploads", "media.bytes"]));
        done(&place, "home", 24).await;
        done(&place, "out", 24).await;
        let stats = place.world().stats();
        for peak in [stats.peak_concurrent_uploads, stats.peak_concurrent_media] {
            assert!(peak <= most, "{storage}: {stats:?}");
            assert!(peak == most || most == 16 && peak > 2, "{storage}: {stats:?}");
        }
    }
}

#[tokio::test]
async fn bandwidth_up_and_down() {
    let place = Place::new().await;
    place.world().seed(&Seed::plain(4, 100_000));
    place.add_backup_with(&json!({"bandwidth_up": 100, "bandwidth_down": 100})).await;
    let out = json!({"kind": "upload", "storage": "family", "sources": [place.path("pictures")]});
    // Bytes that stand for a picture's.
    let mut large = picture(100);
    large.resize(400_000, 0);
    place.draw("pictures", 100..101);
    std::fs::write(place.path("pictures/IMG_0100.jpg"), large).expect("a picture");
    place.add_plan("out", &out).await;
    for (plan, items) in [("home", 4), ("out", 1)] {
        let began = Instant::now();
        done(&place, plan, items).await;
        // 100 KiB at once, then as many a second.
        assert!(began.elapsed() >= Duration::from_secs(2), "{plan}: {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn daily_requests_and_downloads() {
    // I10
    let place = Place::new().await;
    place.seed(10);
    place.draw("pictures", 100..110);
    place.add_backup_with(&json!({"daily_requests": 4, "daily_downloads": 3})).await;
    let out = json!({"kind": "upload", "storage": "family", "sources": [place.path("pictures")]});
    place.add_plan("out", &out).await;
    assert_eq!(days(&place, "home").await, (json!(4), json!("media")));
    // Ten uploads and one commit, at three a day, of which the listings above, of photos and of albums, have used two today.
    assert_eq!(days(&place, "out").await, (json!(5), json!("api")));
}

#[tokio::test]
async fn uploads_count() {
    let place = Place::new().await;
    place.draw("pictures", 100..110);
    place.add_upload_with(&json!({"daily_requests": 4, "uploads_count": false})).await;
    assert_eq!(days(&place, "out").await.0, json!(1));
    let summary = done(&place, "out", 10).await;
    assert!(summary["requests_by_meter"]["api"].as_u64().is_some_and(|api| api <= 4), "{summary:#}");
}

#[tokio::test]
async fn read_size() {
    for (read_size, asked) in [(true, 5), (false, 0)] {
        let place = Place::new().await;
        place.seed(5);
        place.add_backup_with(&json!({"read_size": read_size})).await;
        done(&place, "home", 5).await;
        assert_eq!((place.count("media.head"), place.count("media.bytes")), (asked, 5));
    }
}

#[tokio::test]
async fn include_archived() {
    for (include_archived, home) in [(true, 3), (false, 2)] {
        let place = Place::with(Settings {
            keep_bytes: true,
            archived_without_filters: false,
            ..Settings::default()
        })
        .await;
        let ids = place.seed(3);
        assert!(place.world().set_archived(&ids[1], true));
        place.add_backup_with(&json!({"include_archived": include_archived})).await;
        done(&place, "home", home).await;
        // One of them asks for the favourites.
        assert_eq!(place.count("mediaItems.search") > 1, include_archived);
    }
}

#[tokio::test]
async fn proxy() {
    let place = Place::new().await;
    let id = place.world().add_item(CLIENT_ID, "a.jpg", picture(1)).expect("a picture");
    let proxy = place.emulator.full_resolution_proxy("127.0.0.1:0".parse().expect("an address")).await;
    let proxy = proxy.expect("the proxy starts");
    place.add_backup_with(&json!({"proxy": proxy.url()})).await;
    let summary = done(&place, "home", 1).await;
    assert_eq!(summary["fidelity"], json!({"original": 1}), "{summary:#}");
    assert_eq!((proxy.stats().ids, place.count("media.bytes")), (vec![id], 0));
    // I6
    assert!(!proxy.saw_authorization());
}

#[tokio::test]
async fn read_only() {
    let place = Place::new().await;
    place.seed(2);
    place.draw("pictures", 100..102);
    place.add_backup_with(&json!({"read_only": true})).await;
    let out = json!({"kind": "upload", "storage": "family", "sources": [place.path("pictures")]});
    let ended = place.charon_with(&["plan", "add", "out", "--config", "-"], &out).await;
    assert_failed(&ended, 2, &["takes no uploads (it is read-only)"]);
    done(&place, "home", 2).await;
    let test = place.done(&["storage", "test", "family"]).await;
    assert!(!test.stdout.contains("right to upload"), "{test:?}");
    assert_eq!((place.count("uploads"), place.count(COMMIT)), (0, 0));
}
