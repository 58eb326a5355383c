//! Listings: complete or not, full or quick.

use std::time::Duration;

use charon_provider::{AlbumChoice, Kind, Readiness, RemoteId};

use super::{Ended, Place, shelf::shown};
use crate::{
    clock::{Clock, SystemEntropy},
    ids::RunId,
    run::{Counts, RunState},
    store::{Assigned, Listing, PlanRow},
};

const QUICK: Option<Listing> = Some(Listing { is_full: false, is_complete: true });
const FULL: Option<Listing> = Some(Listing { is_full: true, is_complete: true });

/// A place with so many items home, ten to a page.
async fn place(items: u32) -> Place {
    let place = Place::new().await;
    place.shelf.state().page_items = 10;
    place.shelf.state().items = (0..items).map(|number| shown(&format!("old {number}"))).collect();
    assert_eq!(place.counts(items.into(), 0, 0, 0).await.listing, FULL);
    place.shelf.asked("");
    place
}

fn add(place: &Place, name: &str) {
    place.shelf.state().items.insert(0, shown(name));
}

fn pages(place: &Place) -> usize {
    place.shelf.asked("list").len()
}

#[tokio::test]
async fn a_second_listing_stops_where_all_is_known_and_counts_the_rest() {
    // I9, I10
    let place = place(95).await;
    assert_eq!(place.counts(0, 95, 0, 0).await.listing, QUICK);
    assert_eq!(pages(&place), 1);
    for number in 0..12 {
        add(&place, &format!("new {number}"));
    }
    assert_eq!(place.counts(12, 95, 0, 0).await.listing, QUICK);
    assert_eq!(pages(&place), 3, "two with something new, and one that is known");
    assert_eq!(place.counts(0, 107, 0, 0).await.listing, QUICK);
}

#[tokio::test]
async fn a_listing_is_full_again_when_the_last_full_one_is_old_or_a_person_asks() {
    let mut place = place(95).await;
    place.clock.advance(Duration::from_hours(23));
    assert_eq!(place.counts(0, 95, 0, 0).await.listing, QUICK);
    let ended = place.run_with(|ctx| ctx.full_listing = true, |_| {}).await;
    assert_eq!(ended.listing, FULL);
    place.clock.advance(Duration::from_hours(23));
    assert_eq!(place.counts(0, 95, 0, 0).await.listing, QUICK, "the one that was asked for counts");
    place.clock.advance(Duration::from_hours(2));
    assert_eq!(place.counts(0, 95, 0, 0).await.listing, FULL);
    place.hours = 0;
    assert_eq!(place.counts(0, 95, 0, 0).await.listing, FULL, "0 hours are none");
}

#[tokio::test]
async fn a_file_that_is_gone_far_behind_is_noticed_and_fetched() {
    // I9, I10
    let place = place(95).await;
    std::fs::remove_file(place.path("mirror/photos/2024/07/old 90.jpg")).expect("it is there");
    assert_eq!(place.counts(1, 94, 0, 0).await.listing, FULL);
    assert_eq!(place.mirrored().len(), 95);
}

#[tokio::test]
async fn another_selection_and_albums_are_listed_to_the_end() {
    let place = place(95).await;
    let ended = place.run_with(|_| {}, |wanted| wanted.kind = Some(Kind::Photo)).await;
    assert_eq!(ended.listing, FULL);
    let ended = place.run_with(|_| {}, |wanted| wanted.kind = Some(Kind::Photo)).await;
    assert_eq!(ended.listing, QUICK);
    for _ in 0..2 {
        let ended = place.run_with(|_| {}, |wanted| wanted.albums = AlbumChoice::Every).await;
        assert_eq!(ended.listing, FULL);
    }
}

#[tokio::test]
async fn what_was_uploaded_since_is_found_wherever_it_is_listed() {
    // I9: an old photo that was sent today is far behind in the listing.
    let place = place(95).await;
    place.shelf.state().items.push(shown("uploaded"));
    let other = PlanRow {
        id: crate::ids::PlanId::new(&*place.clock, &SystemEntropy),
        name: "other".into(),
        storage_id: place.storage,
        config: serde_json::Map::new(),
        mirror_ready: true,
        created_at: place.clock.now(),
        revision: 0,
        decided_until: None,
        paused_at: None,
        paused_until: None,
        is_inbox: false,
    };
    assert!(place.store.add_plan(&other).await.expect("a plan"));
    let run = RunId::new(&*place.clock, &SystemEntropy);
    let uploaded = Assigned {
        remote_id: &RemoteId("uploaded".into()),
        file_name: "uploaded.jpg",
        mime_type: "image/jpeg",
        taken_at: None,
        description: None,
        camera: (None, None),
        asset_id: None,
        path: None,
    };
    let now = place.clock.now();
    let attempt = place.store.start_run(run, other.id, now).await.expect("a run");
    place.store.record_page(other.id, place.storage, attempt, now, &[uploaded]).await.expect("an item");
    assert_eq!(place.counts(1, 95, 0, 0).await.listing, FULL);
    assert_eq!(place.counts(0, 96, 0, 0).await.listing, QUICK);
}

#[tokio::test]
async fn what_has_not_come_home_is_looked_up_by_a_quick_listing() {
    // I9
    let place = place(95).await;
    place.shelf.state().items[50].item.id = RemoteId("video".into());
    place.shelf.state().items[50].item.readiness = Readiness::Processing;
    place.clock.advance(Duration::from_hours(25));
    assert_eq!(place.counts(0, 94, 1, 0).await.listing, FULL);
    place.shelf.asked("");
    assert_eq!(place.counts(0, 94, 1, 0).await.listing, QUICK);
    assert_eq!(place.shelf.asked(""), ["confirm video", "list 0"]);
    place.shelf.state().items[50].item.readiness = Readiness::Failed;
    assert_eq!(place.counts(0, 94, 0, 1).await.listing, QUICK);
    place.shelf.state().items[50].item.readiness = Readiness::Ready;
    assert_eq!(place.counts(1, 94, 0, 0).await.listing, QUICK);
    place.shelf.asked("");
    assert_eq!(place.counts(0, 95, 0, 0).await.listing, QUICK);
    assert_eq!(place.shelf.asked(""), ["list 0"]);
}

#[tokio::test]
async fn an_item_that_is_gone_when_it_is_looked_up_is_told() {
    // I9
    let place = place(95).await;
    place.shelf.state().items[50].item.readiness = Readiness::Failed;
    place.shelf.state().items[50].item.id = RemoteId("broken".into());
    place.clock.advance(Duration::from_hours(25));
    place.counts(0, 94, 0, 1).await;
    place.shelf.state().items.remove(50);
    assert_eq!(place.counts(0, 94, 0, 1).await.listing, QUICK);
    place.clock.advance(Duration::from_hours(25));
    assert_eq!(place.counts(0, 94, 0, 0).await.listing, FULL, "a full listing does not show it");
}

#[tokio::test]
async fn a_listing_that_did_not_come_to_its_end_is_not_relied_upon() {
    let place = place(95).await;
    place.shelf.state().expiries.extend([2, 2, 2]);
    for number in 0..25 {
        add(&place, &format!("new {number}"));
    }
    let ended = place.run().await;
    assert_eq!(ended.stop.expect("a reason").state, RunState::Failed);
    assert_eq!(ended.listing, Some(Listing { is_full: false, is_complete: false }));
    // The first two pages are home, and what is behind them is not.
    let Ended { items, listing, .. } = place.run().await;
    assert_eq!((items.failed, items.total(), listing), (0, 120, FULL));
    assert_eq!(place.mirrored().len(), 120);
}

#[tokio::test]
async fn a_quick_listing_that_begins_anew_does_not_stop_at_what_it_has_just_brought_home() {
    // I9
    let place = place(95).await;
    for number in 0..35 {
        add(&place, &format!("new {number}"));
    }
    // The two pages before it are home long before the third one expires.
    let shelf = place.shelf.clone();
    shelf.state().expiries.extend([2]);
    shelf.state().hold_page = Some(2);
    let let_go = async {
        while place.mirrored().len() < 95 + 20 {
            tokio::task::yield_now().await;
        }
        // In its place is not yet in the ledger.
        while place.store.stored_copies().await < 95 + 20 {
            tokio::task::yield_now().await;
        }
        shelf.state().hold_page = None;
    };
    let (ended, ()) = tokio::join!(place.run(), let_go);
    assert_eq!((ended.stop, ended.listing), (None, QUICK));
    assert_eq!((ended.items.done, place.mirrored().len()), (35, 130));
}

#[tokio::test]
async fn a_listing_that_expires_begins_anew_and_fetches_nothing_twice() {
    // I2, I9
    let place = Place::new().await;
    place.shelf.state().page_items = 10;
    place.shelf.state().items = (0..55).map(|number| shown(&number.to_string())).collect();
    place.shelf.state().expiries.extend([3, 5]);
    let ended = place.run().await;
    assert_eq!((ended.stop, ended.listing), (None, FULL));
    assert_eq!(ended.items, Counts { done: 55, ..Counts::default() });
    let asked = place.shelf.asked("");
    assert_eq!(asked.iter().filter(|what| what.starts_with("open")).count(), 55);
    assert_eq!(asked.iter().filter(|what| *what == "list 0").count(), 3);
}

#[tokio::test]
async fn pages_that_shift_while_they_are_read_lose_nothing_over_two_runs() {
    // I9: whatever a quick listing has not seen, the next full one does.
    let place = Place::new().await;
    place.shelf.state().page_items = 10;
    place.shelf.state().items = (0..30).map(|number| shown(&number.to_string())).collect();
    // Between two pages one is deleted: what comes after it moves up, and one of them is not shown at all.
    let removed = place.shelf.state().items.remove(12);
    let Ended { items, .. } = place.run().await;
    assert_eq!(items.done, 29);
    place.shelf.state().items.insert(12, removed);
    place.clock.advance(Duration::from_hours(25));
    place.counts(1, 29, 0, 0).await;
    assert_eq!(place.mirrored().len(), 30);
}

#[tokio::test]
async fn a_listing_under_another_selection_lets_none_before_it_be_relied_upon() {
    // I9
    let place = place(95).await;
    let since = |year| move |wanted: &mut charon_provider::Selection| wanted.start_year = year;
    // An old photo that is far behind, shown first to a selection that leaves it out.
    let mut old = shown("from 2012");
    old.item.taken_at = Some("2012-01-01T00:00:00Z".parse().expect("a time"));
    place.shelf.state().items.push(old);
    let ended = place.run_with(|_| {}, since(Some(2020))).await;
    assert_eq!((ended.items.skipped, ended.listing), (1, FULL));
    assert_eq!(place.counts(1, 95, 0, 0).await.listing, FULL);
    let ended = place.run_with(|_| {}, since(Some(2020))).await;
    assert_eq!(ended.listing, FULL, "to and fro");
    let ended = place.run_with(|_| {}, since(Some(2020))).await;
    assert_eq!((ended.items.unchanged, ended.listing), (96, QUICK));
}

#[tokio::test]
async fn favourites_are_never_listed_quickly_and_archived_items_are() {
    // I9: an old photo that is marked today is far behind.
    let place = place(95).await;
    for listing in [FULL, FULL] {
        let ended = place.run_with(|_| {}, |wanted| wanted.favourites = true).await;
        assert_eq!(ended.listing, listing);
    }
    for listing in [FULL, QUICK] {
        let ended = place.run_with(|_| {}, |wanted| wanted.include_archived = true).await;
        assert_eq!(ended.listing, listing);
    }
}

#[tokio::test]
async fn a_clock_that_was_once_ahead_does_not_make_quick_listings_of_all_that_follow() {
    // I9
    let place = Place::new().await;
    place.shelf.state().page_items = 10;
    place.shelf.state().items = (0..25).map(|number| shown(&format!("old {number}"))).collect();
    place.clock.advance(Duration::from_hours(24 * 365));
    place.counts(25, 0, 0, 0).await;
    *place.clock.0.lock().expect("the time") = "2026-01-01T01:00:00Z".parse().expect("a time");
    assert_eq!(place.counts(0, 25, 0, 0).await.listing, FULL, "the other one is yet to be");
    // The ids of runs, which begin with their time, are out of order now.
    for number in 0..12 {
        add(&place, &format!("new {number}"));
    }
    assert_eq!(place.counts(12, 25, 0, 0).await.listing, QUICK);
    assert_eq!(place.counts(0, 37, 0, 0).await.listing, QUICK);
}

#[tokio::test]
async fn a_quick_listing_counts_what_is_left_out_behind_the_place_where_it_stopped() {
    // I9, I10
    let place = Place::new().await;
    place.shelf.state().page_items = 10;
    place.shelf.state().items = (0..45).map(|number| shown(&format!("old {number}"))).collect();
    for shown in &mut place.shelf.state().items[20..] {
        shown.item.taken_at = Some("2012-01-01T00:00:00Z".parse().expect("a time"));
    }
    let run = async || {
        let (mut backup, progress) = place.backup(|_| {}).await;
        backup.wanted.start_year = Some(2020);
        let ctx = std::sync::Arc::clone(&backup.ctx);
        super::super::run(backup).await;
        let progress = progress.borrow().clone();
        assert_eq!(progress.found, progress.items.total());
        let skipped = place.store.skipped_by_reason(ctx.run).await.expect("the database");
        (progress.items, skipped, place.store.listing(ctx.run).await.expect("the database"))
    };
    let left_out = |items| [("before start_year".to_owned(), items)].into();
    assert_eq!(run().await, (Counts { done: 20, skipped: 25, ..Counts::default() }, left_out(25), FULL));
    let again = Counts { unchanged: 20, skipped: 25, ..Counts::default() };
    assert_eq!(run().await, (again, left_out(25), QUICK));
    // One of those that are left out comes to be shown first, and is counted once.
    let mut new = shown("from 2013");
    new.item.taken_at = Some("2013-01-01T00:00:00Z".parse().expect("a time"));
    place.shelf.state().items.insert(0, new);
    let moved = place.shelf.state().items.remove(40);
    place.shelf.state().items.insert(0, moved);
    let again = Counts { unchanged: 20, skipped: 26, ..Counts::default() };
    for _ in 0..2 {
        assert_eq!(run().await, (again, left_out(26), QUICK));
    }
}

#[tokio::test]
async fn a_listing_that_expires_again_and_again_and_gets_on_comes_to_its_end() {
    // I9
    let place = Place::new().await;
    place.shelf.state().page_items = 10;
    place.shelf.state().items = (0..95).map(|number| shown(&number.to_string())).collect();
    place.shelf.state().expiries.extend([1, 2, 3, 4, 5, 6, 7, 8]);
    let ended = place.run().await;
    assert_eq!((ended.stop, ended.items.done, ended.listing), (None, 95, FULL));
}

#[tokio::test]
async fn a_listing_that_goes_round_is_given_up_and_said_to_be_incomplete() {
    // I11
    let place = Place::new().await;
    place.shelf.state().page_items = 10;
    place.shelf.state().items = (0..35).map(|number| shown(&number.to_string())).collect();
    place.shelf.state().goes_round = true;
    let ended = place.run().await;
    let stop = ended.stop.expect("a reason");
    assert_eq!(stop.state, RunState::Failed);
    assert!(stop.message.contains("would never end"), "{}", stop.message);
    assert_eq!(ended.listing, Some(Listing { is_full: false, is_complete: false }));
    place.shelf.state().goes_round = false;
    assert_eq!(place.run().await.listing, FULL);
    assert_eq!(place.mirrored().len(), 35);
}

#[tokio::test]
async fn an_item_that_another_run_brought_into_the_ledger_meanwhile_is_one_asset() {
    let place = Place::new().await;
    let id = RemoteId("a".into());
    let new = Assigned {
        remote_id: &id,
        file_name: "a.jpg",
        mime_type: "image/jpeg",
        taken_at: None,
        description: None,
        camera: (None, None),
        asset_id: None,
        path: None,
    };
    let page = async |path: Option<(String, String)>| {
        let run = RunId::new(&*place.clock, &SystemEntropy);
        let (now, new) = (place.clock.now(), Assigned { path, ..new.clone() });
        let attempt = place.store.start_run(run, place.plan, now).await.expect("a run");
        place.store.record_page(place.plan, place.storage, attempt, now, &[new]).await.expect("an item")
    };
    let first = page(None).await;
    // This one was looked up before that was recorded.
    let second = page(Some(("photos/a.jpg".into(), "photos/a.jpg".into()))).await;
    assert_eq!(first, second);
    let known = place.store.listed(place.plan, place.storage, &[&id]).await.expect("the database");
    let whole = known[&id].whole.as_ref().expect("the path that was assigned");
    assert_eq!((known[&id].asset_id, whole.path.as_str()), (first[0], "photos/a.jpg"));
}
