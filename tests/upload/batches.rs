//! The three batch modes, as they show on the wire.

use std::time::Duration;

use gphotos_emulator::{Action, Fault};
use serde_json::json;

use super::{COMMIT, assert_nothing_twice, counts, succeeds, took};
use crate::support::Place;

/// Runs an upload whose first commit is held up, and gives how many files had been sent when it was answered.
async fn sent_beside_the_first_commit(batch_mode: &str, files: u32, held_up_ms: u64) -> u64 {
    let place = Place::new().await;
    place.draw("pictures", 0..files);
    place.add_upload_with(&json!({ "batch_mode": batch_mode })).await;
    place.fault(Fault::once(Action::Latency { ms: held_up_ms }).on(&[COMMIT]));
    let watch = async {
        place.until("the first commit", |stats| stats.count(COMMIT) == 1).await;
        let most = std::sync::atomic::AtomicU64::new(0);
        place
            .until("its answer", |stats| {
                if place.world().item_count() == 0 {
                    most.store(stats.count("uploads"), std::sync::atomic::Ordering::Relaxed);
                }
                stats.count(COMMIT) >= 2
            })
            .await;
        most.into_inner()
    };
    let (_, sent) = tokio::join!(succeeds(&place, "out", counts(files.into(), 0, 0, 0)), watch);
    assert_eq!(place.world().stats().peak_concurrent_writes, 1, "I8");
    place.assert_account_holds("pictures", "Album");
    assert_nothing_twice(&place);
    sent
}

#[tokio::test]
async fn sync_has_at_most_two_batches_sent_and_not_committed() {
    assert_eq!(sent_beside_the_first_commit("sync", 130, 3_000).await, 100);
}

#[tokio::test]
async fn async_goes_on_while_a_commit_is_held_up_but_not_without_end() {
    assert_eq!(sent_beside_the_first_commit("async", 520, 9_000).await, 500);
}

#[tokio::test]
async fn off_sends_in_parallel_and_commits_one_by_one() {
    assert_eq!(sent_beside_the_first_commit("off", 20, 1_500).await, 16);
}

#[tokio::test]
async fn every_mode_ends_after_its_last_commit() {
    for (batch_mode, commits) in [("sync", 2), ("async", 2), ("off", 60)] {
        let place = Place::new().await;
        place.draw("pictures", 0..60);
        place.add_upload_with(&json!({ "batch_mode": batch_mode })).await;
        succeeds(&place, "out", counts(60, 0, 0, 0)).await;
        assert_eq!(place.count(COMMIT), commits, "{batch_mode}");
        assert_eq!(place.world().item_count(), 60, "{batch_mode}");
    }
}

#[tokio::test]
async fn a_commit_that_takes_too_long_is_repeated_with_the_same_bytes() {
    // I2
    let place = Place::new().await;
    place.draw("pictures", 0..10);
    place.add_upload_with(&json!({"batch_commit_timeout": "1s"})).await;
    place.fault(Fault::once(Action::Latency { ms: 20_000 }).on(&[COMMIT]));
    let summary = succeeds(&place, "out", counts(10, 0, 0, 0)).await;
    assert!(took(&summary) < Duration::from_secs(15), "nobody waits for the answer for ever");
    assert_eq!((place.count("uploads"), place.count(COMMIT)), (10, 2));
    assert_eq!(place.world().item_count(), 10);
    place.assert_account_holds("pictures", "Album");
}
