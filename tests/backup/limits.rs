//! What stops a backup: a consent that is gone, a quota that is spent.

use gphotos_emulator::{Action, Fault, Limit, Settings};
use jiff::{SignedDuration, Timestamp, ToSpan, tz::TimeZone};
use serde_json::{Value, json};

use super::{UNDER_WAY, counts, succeeds};
use crate::support::Place;

#[tokio::test]
async fn an_expired_access_token_is_renewed_once_and_kept() {
    let place = Place::new().await;
    place.seed(120);
    place.add_backup().await;
    place.world().expire_access_tokens();
    succeeds(&place, counts(120, 0, 0, 0)).await;
    assert_eq!(place.count("oauth.token"), 1);
    succeeds(&place, counts(0, 120, 0, 0)).await;
    assert_eq!(place.count("oauth.token"), 1, "the renewed token was kept for the next run");
}

#[tokio::test]
async fn a_revoked_consent_parks_the_run_and_says_what_to_do() {
    let place = Place::new().await;
    place.seed(5);
    place.add_backup().await;
    place.world().expire_access_tokens();
    place.world().revoke_refresh_tokens();
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["state"]), (4, &json!("parked")), "{summary:#}");
    assert_eq!(summary["errors"][0]["class"], "auth");
    assert_eq!(summary["errors"][0]["item"], Value::Null);
    let message = summary["errors"][0]["message"].as_str().expect("a message");
    assert!(message.contains("run the authorisation again"), "{message}");
    assert_eq!(summary.get("parked_until"), None, "only a person can help");
    // I7: what cannot succeed is not tried again.
    assert_eq!(place.count("oauth.token"), 1);
    assert_eq!(place.runs().await[0]["state"], "parked");
}

/// The next midnight in California.
fn midnight(now: Timestamp) -> Timestamp {
    let now = now.to_zoned(TimeZone::get("America/Los_Angeles").expect("a zone"));
    let date = now.date().checked_add(1.day()).expect("a date");
    date.to_zoned(now.time_zone().clone()).expect("a midnight").timestamp()
}

#[tokio::test]
async fn a_spent_daily_quota_parks_the_run_until_midnight_in_california_and_it_goes_on_when_somebody_asks() {
    // I7
    let settings = Settings { keep_bytes: true, media_requests_per_day: Some(40), ..Settings::default() };
    let place = Place::with(settings).await;
    place.seed(120);
    place.add_backup().await;
    let before = place.world().now();
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["state"]), (4, &json!("parked")), "{summary:#}");
    assert_eq!(summary["errors"][0]["class"], "quota");
    let until: Timestamp = summary["parked_until"].as_str().expect("a time").parse().expect("a time");
    // The run may have been parked on the stroke of midnight, or so shortly after it that it is to be tried again today.
    let expected = [midnight(before), midnight(place.world().now())];
    let is_soon = until.duration_since(before) < SignedDuration::from_mins(20);
    assert!(expected.contains(&until) || is_soon, "{until} is one of {expected:?}");
    assert_eq!(summary["items"]["failed"], 0, "{summary:#}");
    let first = summary["items"]["done"].as_u64().expect("a count");
    assert!(first <= 40);
    let asked = place.count("media.bytes");
    assert!(asked <= 40 + UNDER_WAY, "{asked} requests against a quota of 40");
    let runs = place.runs().await;
    assert_eq!((&runs[0]["state"], &runs[0]["parked_until"]), (&json!("parked"), &summary["parked_until"]));

    // Nobody asks again on this day, unless a person has seen that there is more.
    let asked = place.count("media.bytes");
    assert_eq!(place.run("home").await.0, 4);
    assert!(place.count("media.bytes") == asked || is_soon);
    place.world().update_settings(|settings| settings.media_requests_per_day = None);
    place.test_passes().await;
    let summary = succeeds(&place, counts(120, 0, 0, 0)).await;
    assert_eq!(summary["run"], runs[0]["run"], "the same run went on: {summary:#}");
    assert_eq!(place.count("media.bytes") - asked, 120 - first, "only what was not home yet was fetched");
    assert_eq!(place.runs().await.len(), 1);
    place.assert_mirror_is_complete();
}

#[tokio::test]
async fn a_spent_daily_quota_of_listings_parks_the_run() {
    // I7
    let place = Place::new().await;
    place.seed(5);
    place.add_backup().await;
    let spent = Action::TooManyRequests { limit: Limit::AllRequestsPerDay, retry_after_seconds: None };
    place.fault(Fault::always(spent).on(&["mediaItems.list"]));
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["state"]), (4, &json!("parked")), "{summary:#}");
    assert_eq!(place.count("mediaItems.list"), 1);
}
