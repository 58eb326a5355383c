//! Estimates: what a run would do, against what it then does.

use std::{collections::BTreeMap, sync::Arc};

use jiff::SignedDuration;
use serde_json::json;
use sha2::Digest;

use super::{Place, map};
use crate::{clock::ManualClock, error::Error, ids::Sha256, run::RunState};

fn requests(of: &[(&str, u64)]) -> BTreeMap<String, u64> {
    of.iter().map(|(meter, count)| ((*meter).to_owned(), *count)).collect()
}

#[tokio::test]
async fn a_backup_is_listed_and_nothing_is_fetched_or_recorded() {
    // I10
    let place = Place::new().await;
    place.world.fill("first", 120);
    place.add_storage("first").await;
    place.add_backup().await;
    let before = place.engine.estimate("home").await.expect("an estimate");
    assert_eq!(place.world.requests(), ["list", "list", "list"]);
    assert_eq!((before.items, before.new, before.skipped, before.bytes), (120, 120, 0, None));
    assert_eq!(before.requests, requests(&[("api", 3), ("media", 120)]));
    assert_eq!((before.days, before.by.as_deref()), (1, Some("api")));
    assert!(place.engine.runs(None, 1).await.expect("a list").is_empty(), "an estimate is no run");

    let summary = place.run("home").await;
    assert_eq!((summary.state, summary.items.done), (RunState::Succeeded, before.new));
    let after = place.engine.estimate("home").await.expect("an estimate");
    assert_eq!((after.items, after.new), (120, 0));
    assert_eq!(after.requests, requests(&[("api", 3)]));
    // What has been lost at home would be fetched again.
    let lost = place.folder.path().join("mirror");
    let photo =
        walkdir::WalkDir::new(lost).into_iter().flatten().find(|one| one.file_name() == "first-0000.jpg");
    std::fs::remove_file(photo.expect("a photo").path()).expect("removed");
    assert_eq!(place.engine.estimate("home").await.expect("an estimate").new, 1);
}

#[tokio::test]
async fn an_estimate_of_a_mirror_that_is_not_mounted_is_refused_before_anything_is_listed() {
    // I11
    let place = Place::new().await;
    place.world.fill("first", 3);
    place.add_storage("first").await;
    place.add_backup().await;
    assert_eq!(place.run("home").await.items.done, 3);
    place.world.requests();
    let mirror = place.folder.path().join("mirror");
    std::fs::rename(&mirror, place.folder.path().join("disk")).expect("unmounted");
    for is_there in [false, true] {
        if is_there {
            std::fs::create_dir(&mirror).expect("where it is mounted");
        }
        let refused = place.engine.estimate("home").await.expect_err("no mirror").to_string();
        assert!(refused.contains("is the disk mounted?"), "{refused}");
        assert_eq!(mirror.exists(), is_there, "nothing is made");
        assert!(!mirror.join(".charon").exists(), "nothing is made");
    }
    assert_eq!(place.world.requests(), [""; 0]);
}

#[tokio::test]
async fn what_a_selection_leaves_out_is_counted_apart() {
    let place = Place::new().await;
    place.world.fill("first", 3);
    place.add_storage("first").await;
    let plan = json!({"kind": "backup", "storage": "family", "destination": place.folder.path().join("mirror"),
        "selection": {"start_year": 2020}});
    place.engine.add_plan("home", map(plan)).await.expect("a plan");
    let estimate = place.engine.estimate("home").await.expect("an estimate");
    assert_eq!((estimate.items, estimate.skipped, estimate.new), (3, 3, 0));
}

#[tokio::test]
async fn an_upload_is_hashed_and_each_content_counted_once_and_takes_days_at_the_limit() {
    // I10
    let place = Place::new().await;
    place.add_storage("first").await;
    place.engine.add_plan("out", place.upload_plan()).await.expect("a plan");
    let pictures = place.folder.path().join("pictures");
    for number in 0..205_u8 {
        // Every sixth is the same as the one before it.
        let content = number - u8::from(number % 6 == 5);
        std::fs::write(pictures.join(format!("{number:03}.jpg")), [0xff, 0xd8, 0xff, 0xe0, content])
            .expect("a picture");
    }
    std::fs::write(pictures.join("large.jpg"), [&[0xff, 0xd8, 0xff, 0xe0], [7; 2_000].as_slice()].concat())
        .expect("a picture");
    std::fs::write(pictures.join("notes.txt"), "notes").expect("a file");
    let estimate = place.engine.estimate("out").await.expect("an estimate");
    assert_eq!(place.world.requests(), [""; 0]);
    let new = 206 - 34;
    assert_eq!((estimate.items, estimate.skipped, estimate.new), (207, 1, new));
    assert_eq!(estimate.bytes, Some((new - 1) * 5 + 2_004));
    // Three for the large one; ten to a batch; a hundred requests a day, of which runs have eighty.
    assert_eq!(estimate.requests, requests(&[("api", new + 2 + new.div_ceil(10))]));
    assert_eq!((estimate.days, estimate.by.as_deref()), (3, Some("api")));
    assert_eq!(estimate.requests_left_today, requests(&[("api", 80)]));
    assert!(place.engine.runs(None, 1).await.expect("a list").is_empty());
}

#[tokio::test]
async fn an_estimate_of_what_cannot_be_done_says_so() {
    let place = Place::new().await;
    place.add_storage("first").await;
    place.engine.add_plan("out", place.upload_plan()).await.expect("a plan");
    std::fs::remove_dir(place.folder.path().join("pictures")).expect("removed");
    let refused = place.engine.estimate("out").await.expect_err("no folder").to_string();
    assert!(refused.contains("does not exist"), "{refused}");
    assert!(matches!(place.engine.estimate("in").await, Err(Error::Unknown { .. })));
}

#[tokio::test]
async fn an_estimate_of_a_listing_that_goes_round_comes_to_an_end() {
    // I11
    let clock = Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().expect("a time")));
    let place = Place::with_clock(clock.clone()).await;
    place.world.fill("first", 250);
    place.world.go_round();
    place.add_storage("first").await;
    place.add_backup().await;
    let mut estimate = std::pin::pin!(place.engine.estimate("home"));
    let error = loop {
        tokio::select! {
            biased;
            ended = &mut estimate => break ended.expect_err("no last page").to_string(),
            // The pauses between the attempts go by.
            () = tokio::task::yield_now() => {
                clock.advance_to_next();
            }
        }
    };
    assert!(error.contains("would never end"), "{error}");
    // Asked a few times more, the storage might have known better.
    let asked = place.world.requests().len();
    assert!((6..=12).contains(&asked), "{asked} requests");
}

#[tokio::test]
async fn what_was_refused_and_what_cannot_be_sent_is_counted_apart() {
    // I9, I10
    let place = Place::new().await;
    place.add_storage("first").await;
    place.engine.add_plan("out", place.upload_plan()).await.expect("a plan");
    let pictures = place.folder.path().join("pictures");
    let picture = |number: u8| [0xff, 0xd8, 0xff, 0xe0, number];
    for number in 0..5_u8 {
        std::fs::write(pictures.join(format!("{number}.jpg")), picture(number)).expect("a picture");
    }
    std::fs::write(pictures.join("twin.jpg"), picture(0)).expect("a picture");
    std::fs::write(pictures.join("page.jpg"), "<!DOCTYPE html><html></html>").expect("a page");
    let storage = place.engine.storage("family").await.expect("a storage").id;
    let refused = Sha256(sha2::Sha256::digest(picture(0)).into());
    let tomorrow = place.engine.clock.now() + SignedDuration::from_hours(24);
    place.engine.store.refuse(storage, refused, "damaged", |_| tomorrow).await.expect("refused");
    let estimate = place.engine.estimate("out").await.expect("an estimate");
    assert_eq!((estimate.items, estimate.held_back, estimate.unfit, estimate.new), (7, 2, 1, 4));
    assert_eq!((estimate.bytes, estimate.skipped), (Some(20), 0));
    // Four to send, and one commit.
    assert_eq!(estimate.requests, requests(&[("api", 5)]));
}
