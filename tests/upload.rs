//! The way out.

use crate::support::Place;

#[tokio::test]
async fn an_upload_sends_everything_and_a_second_one_sends_nothing() {
    let place = Place::new().await;
    place.draw("pictures", 0..120);
    place.add_upload().await;

    let (code, summary) = place.run("out").await;
    assert_eq!(code, 0, "{summary:#}");
    assert_eq!(summary["items"]["done"], 120);
    assert_eq!(place.count("uploads"), 120);
    assert_eq!(place.count("mediaItems.batchCreate"), 3);
    place.assert_account_holds("pictures", "Album");

    place.emulator.world().reset_stats();
    let (code, summary) = place.run("out").await;
    assert_eq!(code, 0, "{summary:#}");
    assert_eq!(summary["items"]["unchanged"], 120);
    assert_eq!(summary["requests"], 0);
    assert_eq!(place.emulator.world().stats().api_requests, 0);
}
