//! Pages that go wrong between one and the next, and items that are odd.

use crate::support::{World, jpeg, message};
use gphotos_emulator::{Action, Fault, Oddity};
use serde_json::{Value, json};

fn ids(items: &[Value]) -> Vec<String> {
    items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn page_tokens_may_expire_on_the_way() {
    let world = World::seeded(30, 0).await;
    world.emulator.world().add_fault(Fault::once(Action::ExpiredPageTokens).after(1));
    let (_, first) = world.get("/v1/mediaItems?pageSize=10").await;
    let next = format!("/v1/mediaItems?pageSize=10&pageToken={}", first["nextPageToken"].as_str().unwrap());
    for _ in 0..2 {
        let (status, body) = world.get(&next).await;
        assert_eq!((status.as_u16(), message(&body)), (400, "Invalid page token."));
        assert_eq!(body["error"]["status"], "INVALID_ARGUMENT");
    }
    assert_eq!(world.all(10).await.len(), 30, "from the beginning it works");
    let (_, first) = world.post("/v1/mediaItems:search", json!({"pageSize": 10})).await;
    world.emulator.world().expire_page_tokens();
    let body = json!({"pageSize": 10, "pageToken": first["nextPageToken"]});
    assert_eq!(world.post("/v1/mediaItems:search", body).await.0, 400);
}

#[tokio::test]
async fn pages_may_shift_while_they_are_read() {
    let world = World::seeded(30, 1).await;
    let emulated = world.emulator.world();
    let whole = ids(&world.all(10).await);
    emulated.add_fault(Fault::once(Action::ShiftedPages { items: 3 }).after(1));
    let repeated = ids(&world.all(10).await);
    assert_eq!(repeated.len(), 33);
    assert_eq!(repeated[7..10], repeated[10..13]);
    emulated.clear_faults();
    emulated.add_fault(Fault::once(Action::ShiftedPages { items: -2 }).after(1));
    let skipped = ids(&world.all(10).await);
    assert_eq!(skipped, [&whole[..10], &whole[12..]].concat());
    // The same in an album, and among albums.
    emulated.clear_faults();
    let album = emulated.albums()[0].clone();
    let page = |token: &Value| json!({"albumId": album.id, "pageSize": 5, "pageToken": token});
    let (_, first) = world.post("/v1/mediaItems:search", page(&Value::Null)).await;
    for (items, at) in [(2, 3), (-2, 7)] {
        emulated.add_fault(Fault::once(Action::ShiftedPages { items }));
        let (_, second) = world.post("/v1/mediaItems:search", page(&first["nextPageToken"])).await;
        assert_eq!(second["mediaItems"][0]["id"], album.item_ids[at].as_str());
    }
    for title in ["b", "c", "d"] {
        world.post("/v1/albums", json!({"album": {"title": title}})).await;
    }
    let (_, first) = world.get("/v1/albums?pageSize=2").await;
    let next = format!("/v1/albums?pageSize=2&pageToken={}", first["nextPageToken"].as_str().unwrap());
    for (items, title) in [(1, "b"), (2, "Album 1"), (-1, "d")] {
        emulated.add_fault(Fault::once(Action::ShiftedPages { items }));
        assert_eq!(world.get(&next).await.1["albums"][0]["title"], title);
    }
}

#[tokio::test]
async fn what_is_really_removed_or_added_between_pages_does_not_lead_astray() {
    let world = World::seeded(20, 0).await;
    let whole = ids(&world.all(10).await);
    let (_, first) = world.get("/v1/mediaItems?pageSize=10").await;
    assert!(world.emulator.world().remove_item(&whole[9]));
    assert!(world.emulator.world().remove_item(&whole[10]));
    world.create("new.jpg", jpeg(1)).await;
    let token = first["nextPageToken"].as_str().unwrap();
    let (_, second) = world.get(&format!("/v1/mediaItems?pageSize=10&pageToken={token}")).await;
    assert!(ids(second["mediaItems"].as_array().unwrap()).starts_with(&whole[11..12]));
}

#[tokio::test]
async fn items_may_be_odd() {
    let world = World::seeded(3, 0).await;
    let emulated = world.emulator.world();
    let time = "/mediaMetadata/creationTime";
    for (oddity, place, seen) in [
        (Oddity::NoFilename, "/filename", None),
        (Oddity::NoCreationTime, time, None),
        (Oddity::UnreadableCreationTime, time, Some("0000-00-00T00:00:00Z")),
        (Oddity::FutureCreationTime, time, Some("2999-12-31T23:59:59Z")),
        (Oddity::NoMimeType, "/mimeType", None),
        (Oddity::NoBaseUrl, "/baseUrl", None),
        (Oddity::NoMetadata, "/mediaMetadata", None),
    ] {
        emulated.add_fault(Fault::once(Action::OddItem { oddity, positions: vec![1] }));
        let all = world.all(10).await;
        assert_eq!(all[1].pointer(place).and_then(Value::as_str), seen, "{oddity:?}");
        assert!(all[0].pointer(place).is_some());
        emulated.add_fault(Fault::once(Action::OddItem { oddity, positions: vec![] }));
        let (_, one) = world.get(&format!("/v1/mediaItems/{}", all[0]["id"].as_str().unwrap())).await;
        assert_eq!(one.pointer(place).and_then(Value::as_str), seen, "{oddity:?}");
    }
}
