//! The way home.

mod downloads;
mod layouts;
mod limits;
mod listings;
mod parts;
mod paths;
mod secrets;
mod selections;

use std::collections::BTreeMap;

use gphotos_emulator::{Action, Fault};
use serde_json::{Value, json};

use crate::support::{Place, hex_sha256};

/// Downloads that may be under way at a time.
const UNDER_WAY: u64 = 16;

fn counts(done: u64, unchanged: u64, skipped: u64, failed: u64) -> Value {
    json!({"done": done, "unchanged": unchanged, "skipped": skipped, "failed": failed})
}

/// Runs the plan `home` and checks that it succeeded with these counts.
async fn succeeds(place: &Place, expected: Value) -> Value {
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["state"]), (0, &json!("succeeded")), "{summary:#}");
    assert_eq!(summary["items"], expected, "{summary:#}");
    summary
}

fn fault_on(method: &str, action: Action) -> Fault {
    Fault::once(action).on(&[method])
}

/// The path in the mirror of each content, by its SHA-256.
fn paths(place: &Place) -> BTreeMap<String, String> {
    place.mirrored().into_iter().map(|(path, bytes)| (hex_sha256(&bytes), path)).collect()
}

#[tokio::test]
async fn a_backup_brings_everything_home_and_a_second_one_brings_nothing() {
    let place = Place::new().await;
    place.seed(230);
    place.add_backup().await;

    succeeds(&place, counts(230, 0, 0, 0)).await;
    assert_eq!(place.count("mediaItems.list"), 3);
    assert_eq!(place.count("media.bytes"), 230);
    place.assert_mirror_is_complete();

    // The first page is known, so nothing behind it is asked for.
    place.world().reset_stats();
    succeeds(&place, counts(0, 230, 0, 0)).await;
    assert_eq!(place.count("mediaItems.list"), 1);
    assert_eq!(place.count("media.bytes"), 0);
}

#[tokio::test]
async fn an_empty_account_is_no_failure() {
    let place = Place::new().await;
    place.add_backup().await;
    succeeds(&place, counts(0, 0, 0, 0)).await;
    place.assert_mirror_is_complete();
}
