//! Pages that break off, repeat, shift and expire; full listings and quick ones.

use gphotos_emulator::{Action, Fault};
use serde_json::{Value, json};

use super::{counts, fault_on, succeeds};
use crate::support::Place;

#[tokio::test]
async fn listings_that_break_off_or_bring_something_else_are_tried_again() {
    let place = Place::new().await;
    place.seed(150);
    place.add_backup().await;
    place.fault(fault_on("mediaItems.list", Action::TruncatedBody { bytes: None }));
    place.fault(fault_on("mediaItems.list", Action::Html).after(2));
    succeeds(&place, counts(150, 0, 0, 0)).await;
    assert_eq!(place.count("mediaItems.list"), 4);
    place.assert_mirror_is_complete();
}

#[tokio::test]
async fn an_empty_page_is_not_the_end_of_the_listing() {
    let place = Place::new().await;
    place.seed(150);
    place.add_backup().await;
    // The first page names the place where it begins, which is another; the third names itself.
    place.fault(fault_on("mediaItems.list", Action::EmptyPage));
    place.fault(fault_on("mediaItems.list", Action::EmptyPage).after(2));
    succeeds(&place, counts(150, 0, 0, 0)).await;
    place.assert_mirror_is_complete();
}

#[tokio::test]
async fn an_item_that_is_listed_twice_is_fetched_and_counted_once() {
    // I9
    let place = Place::new().await;
    place.seed(250);
    place.add_backup().await;
    place.fault(Fault::always(Action::RepeatedItem));
    succeeds(&place, counts(250, 0, 0, 0)).await;
    assert_eq!(place.count("media.bytes"), 250);
    place.assert_mirror_is_complete();
    succeeds(&place, counts(0, 250, 0, 0)).await;
}

#[tokio::test]
async fn a_short_listing_deletes_nothing_and_the_next_run_gets_the_rest() {
    // I5
    let place = Place::new().await;
    place.seed(100);
    place.add_backup().await;
    let short = Action::ShortListing { share: 0.3, seed: 7 };
    let number = place.world().add_fault(Fault::always(short.clone()));
    let (code, summary) = place.run("home").await;
    assert_eq!(code, 0, "{summary:#}");
    let first = summary["items"]["done"].as_u64().expect("a count");
    assert!((50..90).contains(&first), "{first} of 100 were listed");
    place.world().remove_fault(number);
    succeeds(&place, counts(100 - first, first, 0, 0)).await;
    place.assert_mirror_is_complete();

    place.fault(Fault::always(short));
    succeeds(&place, counts(0, first, 0, 0)).await;
    place.assert_mirror_is_complete();
}

/// Runs the plan `home` with a listing to the end.
async fn listed_in_full(place: &Place) -> Value {
    let ended = place.charon(&["run", "home", "--full", "--json"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.json()
}

#[tokio::test]
async fn a_quick_listing_makes_one_request_and_finds_what_is_new() {
    // I7, I9, I10
    let place = Place::new().await;
    place.seed(230);
    place.add_backup().await;
    let first = succeeds(&place, counts(230, 0, 0, 0)).await;
    assert_eq!((&first["listing"], &first["listing_complete"]), (&json!("full"), &json!(true)));
    place.world().reset_stats();
    let second = succeeds(&place, counts(0, 230, 0, 0)).await;
    assert_eq!((&second["listing"], &second["listing_complete"]), (&json!("quick"), &json!(true)));
    assert_eq!(second["requests_by_meter"]["api"], 1, "{second:#}");

    place.world().reset_stats();
    let full = listed_in_full(&place).await;
    assert_eq!((&full["listing"], &full["items"]), (&json!("full"), &counts(0, 230, 0, 0)));
    assert_eq!(place.count("mediaItems.list"), 3);
}

#[tokio::test]
async fn a_plan_may_want_every_listing_in_full() {
    let place = Place::new().await;
    place.seed(130);
    place.add_storage().await;
    let config = json!({"kind": "backup", "storage": "family", "destination": place.path("mirror"),
        "full_listing_hours": 0});
    place.add_plan("home", &config).await;
    succeeds(&place, counts(130, 0, 0, 0)).await;
    place.world().reset_stats();
    let summary = succeeds(&place, counts(0, 130, 0, 0)).await;
    assert_eq!((&summary["listing"], place.count("mediaItems.list")), (&json!("full"), 2));
}

#[tokio::test]
async fn what_charon_uploaded_itself_comes_home_at_once() {
    // I9: an old photo that was sent a moment ago may be anywhere in the listing.
    let place = Place::new().await;
    place.seed(130);
    place.add_backup().await;
    place.draw("pictures", 0..3);
    let config = json!({"kind": "upload", "storage": "family", "sources": [place.path("pictures")]});
    place.add_plan("out", &config).await;
    succeeds(&place, counts(130, 0, 0, 0)).await;
    assert_eq!(place.run("out").await.0, 0);
    let summary = succeeds(&place, counts(3, 130, 0, 0)).await;
    assert_eq!(summary["listing"], "full");
    place.assert_mirror_is_complete();
    assert_eq!(succeeds(&place, counts(0, 133, 0, 0)).await["listing"], "quick");
}

#[tokio::test]
async fn a_listing_whose_page_tokens_expire_begins_anew() {
    // I2, I9
    let place = Place::new().await;
    place.seed(230);
    place.add_backup().await;
    place.fault(fault_on("mediaItems.list", Action::ExpiredPageTokens).after(1));
    let summary = succeeds(&place, counts(230, 0, 0, 0)).await;
    assert_eq!((&summary["listing"], &summary["listing_complete"]), (&json!("full"), &json!(true)));
    assert_eq!((place.count("mediaItems.list"), place.count("media.bytes")), (5, 230));
    place.assert_mirror_is_complete();
}

#[tokio::test]
async fn a_listing_whose_page_tokens_always_expire_is_given_up_and_said_to_be_incomplete() {
    let place = Place::new().await;
    place.seed(230);
    place.add_backup().await;
    place.fault(Fault::always(Action::ExpiredPageTokens).after(1).on(&["mediaItems.list"]));
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["state"]), (1, &json!("failed")), "{summary:#}");
    assert_eq!(summary["listing_complete"], false);
    assert!(place.count("mediaItems.list") <= 6);
    place.world().clear_faults();
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["listing"]), (0, &json!("full")), "{summary:#}");
    place.assert_mirror_is_complete();
}

#[tokio::test]
async fn pages_that_shift_while_they_are_read_lose_nothing_over_two_runs() {
    // I9
    for items in [3, -3] {
        let place = Place::new().await;
        place.seed(250);
        place.add_backup().await;
        let number = place.world().add_fault(Fault::always(Action::ShiftedPages { items }));
        let (code, summary) = place.run("home").await;
        assert_eq!(code, 0, "{summary:#}");
        let first = summary["items"]["done"].as_u64().expect("a count");
        assert!((240..=250).contains(&first), "{summary:#}");
        assert_eq!(place.count("media.bytes"), first, "nothing is fetched twice");
        place.world().remove_fault(number);
        let summary = listed_in_full(&place).await;
        assert_eq!(summary["items"], counts(250 - first, first, 0, 0), "{summary:#}");
        place.assert_mirror_is_complete();
    }
}
