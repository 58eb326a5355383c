//! The way home.

use crate::support::Place;

#[tokio::test]
async fn a_backup_brings_everything_home_and_a_second_one_brings_nothing() {
    let place = Place::new().await;
    place.seed(230);
    place.add_backup().await;

    let (code, summary) = place.run("home").await;
    assert_eq!(code, 0, "{summary:#}");
    assert_eq!(summary["state"], "succeeded");
    assert_eq!(summary["items"]["done"], 230);
    assert_eq!(place.count("mediaItems.list"), 3);
    assert_eq!(place.count("media.bytes"), 230);
    place.assert_mirror_is_complete();

    place.emulator.world().reset_stats();
    let (code, summary) = place.run("home").await;
    assert_eq!(code, 0, "{summary:#}");
    assert_eq!(summary["items"], serde_json::json!({"done": 0, "unchanged": 230, "skipped": 0, "failed": 0}));
    assert_eq!(place.count("mediaItems.list"), 3);
    assert_eq!(place.count("media.bytes"), 0);
}
