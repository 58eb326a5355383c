//! Browsing a storage: how few requests it takes, and what it heeds.

use std::{sync::Arc, time::Duration};

use charon_provider::{Class, RemoteId};
use futures::{TryStreamExt, future::join_all};

use super::{Place, fake::Answers, map};
use crate::{Error, clock::ManualClock, ids::StorageId};

async fn browsed(items: usize) -> (Place, StorageId) {
    let place = Place::new().await;
    place.world.fill("a", items);
    place.world.move_items("a", "https://first");
    place.add_storage("a").await;
    let storage = place.engine.storage("family").await.expect("a storage").id;
    (place, storage)
}

fn id(number: usize) -> RemoteId {
    RemoteId(format!("a-{number:04}"))
}

#[tokio::test]
async fn pages_are_told_one_by_one_and_what_is_home_is_marked() {
    let (place, storage) = browsed(70).await;
    place.add_backup().await;
    assert_eq!(place.run("home").await.items.done, 70);
    place.world.fill("a", 71);
    let engine = &place.engine;
    let first = engine.browse_items(storage, None, None).await.expect("a page");
    assert_eq!(first.items.len(), 50);
    let second = engine.browse_items(storage, None, first.next.as_deref()).await.expect("a page");
    assert_eq!((second.items.len(), second.next.as_deref()), (21, None));
    let plan = engine.plan("home").await.expect("a plan").id;
    for item in first.items.iter().chain(&second.items) {
        let expected = usize::from(item.id != id(70));
        assert_eq!(item.home.len(), expected, "{item:?}");
        for home in &item.home {
            let found = engine.library_item(plan, home.item).await.expect("it is in the library");
            assert_eq!(found.storages[0].media_id, item.id);
        }
    }
    let error = engine.browse_albums(storage, None).await.expect_err("no albums");
    assert!(matches!(&error, Error::Storage(error) if error.class == Class::Config), "{error}");
}

#[tokio::test]
async fn a_picture_takes_no_look_up_after_its_page_and_none_at_all_the_second_time() {
    let (place, storage) = browsed(5).await;
    let engine = &place.engine;
    engine.browse_items(storage, None, None).await.expect("a page");
    for _ in 0..2 {
        let preview = engine.browse_preview(storage, &id(3), 320).await.expect("a picture");
        assert_eq!(preview.bytes, "320 pixels of a-0003");
    }
    assert_eq!(place.world.requests(), ["list", "preview"]);
    // Addresses that died before their time are renewed by one look-up, and so is an item that no page has told of.
    place.world.move_items("a", "https://second");
    let preview = engine.browse_preview(storage, &id(2), 320).await.expect("a picture");
    assert_eq!(preview.bytes, "320 pixels of a-0002");
    assert_eq!(place.world.requests(), ["preview", "confirm", "preview"]);
    let another = place.another_engine().await;
    another.browse_preview(storage, &id(4), 160).await.expect("a picture");
    assert_eq!(place.world.requests(), ["confirm", "preview"]);
    let error = engine.browse_preview(storage, &RemoteId("nothing".into()), 160).await.expect_err("no item");
    assert!(matches!(error, Error::Unknown { what: "item", .. }), "{error}");
}

#[tokio::test]
async fn pictures_that_are_asked_for_at_once_are_looked_up_once() {
    let (place, storage) = browsed(20).await;
    let engine = &place.engine;
    let shelf = engine.shelf(storage).await.expect("a shelf");
    shelf.expect((0..20).map(id));
    let ids: Vec<RemoteId> = (0..20).map(id).collect();
    let pictures = join_all(ids.iter().map(|id| engine.browse_preview(storage, id, 160))).await;
    for (number, picture) in pictures.into_iter().enumerate() {
        assert_eq!(picture.expect("a picture").bytes, format!("160 pixels of a-{number:04}"));
    }
    let mut requests = place.world.requests();
    requests.sort_unstable();
    assert_eq!((requests.len(), requests[0], requests[1]), (21, "confirm", "preview"));
}

#[tokio::test]
async fn an_original_comes_as_the_storage_gives_it() {
    let (place, storage) = browsed(3).await;
    let original = place.engine.browse_original(storage, &id(1)).await.expect("an original");
    assert_eq!((original.name.as_str(), original.length), ("a-0001.jpg", Some(10)));
    let bytes: Vec<_> = original.bytes.try_collect().await.expect("its bytes");
    assert_eq!(bytes.concat(), b"\xff\xd8\xff\xe0a-0001");
}

#[tokio::test]
async fn a_fault_that_passes_is_asked_again_once_and_the_rest_is_told() {
    let clock = Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().expect("a time")));
    let place = Place::with_clock(clock.clone()).await;
    place.world.fill("a", 3);
    place.add_storage("a").await;
    let storage = place.engine.storage("family").await.expect("a storage").id;
    let engine = place.engine.clone();
    place.world.answer("a", Answers::With(Class::Auth));
    let error = engine.browse_items(storage, None, None).await.expect_err("the account is closed");
    assert!(matches!(&error, Error::Storage(error) if error.class == Class::Auth), "{error}");
    assert_eq!(place.world.requests(), ["list"]);

    place.world.answer("a", Answers::With(Class::Transient));
    let asking = tokio::spawn(async move { engine.browse_items(storage, None, None).await });
    while !asking.is_finished() {
        clock.advance(Duration::from_millis(100));
        tokio::task::yield_now().await;
    }
    let error = asking.await.expect("no panic").expect_err("it does not pass");
    assert!(matches!(&error, Error::Storage(error) if error.class == Class::Transient), "{error}");
    assert_eq!(place.world.requests(), ["list", "list"]);
}

#[tokio::test]
async fn another_configuration_is_another_storage_and_the_budget_counts() {
    let (place, storage) = browsed(3).await;
    let engine = &place.engine;
    engine.browse_items(storage, None, None).await.expect("a page");
    place.world.fill("b", 1);
    let update = map(serde_json::json!({"client": "ours", "token": "b", "limit": 2}));
    engine.update_storage("family", update).await.expect("updated");
    // One was counted before, and this is the second.
    assert_eq!(engine.browse_items(storage, None, None).await.expect("a page").items.len(), 1);
    let error = engine.browse_items(storage, None, None).await.expect_err("over the budget");
    assert!(matches!(&error, Error::Storage(error) if error.class == Class::Quota), "{error}");
}
