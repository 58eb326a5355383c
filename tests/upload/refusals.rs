//! What the account refuses for what it is: it fails alone, and is not sent again before its time.

use std::fs;

use gphotos_emulator::{Action, Fault};
use serde_json::{Value, json};

use super::{COMMIT, assert_nothing_twice, counts, succeeds};
use crate::support::{Place, picture};

/// The message of the one error of a summary, which is of an item and will be tried again.
fn refusal(summary: &Value) -> &str {
    assert_eq!(summary["errors"].as_array().map(Vec::len), Some(1), "{summary:#}");
    let error = &summary["errors"][0];
    assert_eq!((&error["class"], &error["will_retry"]), (&json!("item"), &json!(true)), "{summary:#}");
    error["message"].as_str().expect("a message")
}

#[tokio::test]
async fn a_file_that_the_account_does_not_take_fails_alone_and_is_not_sent_again_before_its_time() {
    // I7, I9
    let place = Place::new().await;
    place.draw("pictures", 0..10);
    place.add_upload().await;
    place.fault(Fault::once(Action::ItemError { code: 3, positions: vec![4] }).on(&[COMMIT]));
    let (code, summary) = place.run("out").await;
    assert_eq!((code, &summary["state"]), (3, &json!("partial")), "{summary:#}");
    assert_eq!(summary["items"], counts(9, 0, 0, 1));
    assert!(refusal(&summary).contains("tried again"), "{summary:#}");
    assert_eq!(place.count(COMMIT), 1, "what cannot succeed is not tried again");
    assert_eq!(place.world().item_count(), 9);

    // It is too early: it fails with the reason of before, without a request.
    place.world().reset_stats();
    let (code, summary) = place.run("out").await;
    assert_eq!(code, 3, "{summary:#}");
    assert_eq!(summary["items"], counts(0, 9, 0, 1), "{summary:#}");
    let message = refusal(&summary);
    assert!(message.contains("not sent") && message.contains("There was an error while"), "{message}");
    assert_eq!(place.world().stats().api_requests, 0);

    // A file that was changed has other bytes, of which nothing bad is known.
    let refused = summary["errors"][0]["path"].as_str().expect("a path");
    fs::write(refused, picture(777)).expect("another picture");
    succeeds(&place, "out", counts(1, 9, 0, 0)).await;
    place.assert_account_holds("pictures", "Album");
}

#[tokio::test]
async fn a_batch_that_is_refused_whole_is_no_judgement_of_its_files() {
    let place = Place::new().await;
    place.draw("pictures", 0..10);
    place.add_upload().await;
    place.fault(Fault::once(Action::ItemError { code: 3, positions: vec![] }).on(&[COMMIT]));
    let (code, summary) = place.run("out").await;
    assert_eq!((code, &summary["items"]), (3, &counts(0, 0, 0, 10)), "{summary:#}");
    succeeds(&place, "out", counts(10, 0, 0, 0)).await;
    place.assert_account_holds("pictures", "Album");
}

#[tokio::test]
async fn bytes_that_are_said_to_be_in_the_same_commit_are_committed_again_alone() {
    let place = Place::new().await;
    place.draw("pictures", 0..10);
    place.add_upload().await;
    place.fault(Fault::once(Action::ItemError { code: 6, positions: vec![4] }).on(&[COMMIT]));
    succeeds(&place, "out", counts(10, 0, 0, 0)).await;
    assert_eq!((place.count("uploads"), place.count(COMMIT)), (10, 2));
    place.assert_account_holds("pictures", "Album");
    assert_nothing_twice(&place);
}

#[tokio::test]
async fn bytes_that_are_always_said_to_be_there_already_fail_and_are_not_held_against_the_file() {
    let place = Place::new().await;
    place.draw("pictures", 0..2);
    place.add_upload().await;
    place.fault(Fault::always(Action::ItemError { code: 6, positions: vec![0] }).on(&[COMMIT]).times(2));
    let (code, summary) = place.run("out").await;
    assert_eq!((code, &summary["items"]), (3, &counts(1, 0, 0, 1)), "{summary:#}");
    assert_eq!(place.count(COMMIT), 2, "once more, and not for ever");
    succeeds(&place, "out", counts(1, 1, 0, 0)).await;
    assert_eq!(place.count("uploads"), 2);
}
