//! Single files that programs hand over to `charon serve` over HTTP: what becomes of them, what is refused, what outlives a kill.

#![cfg(unix)]

pub(crate) mod hands;
mod kill;

use std::fs;

use gphotos_emulator::video::Video;
use serde_json::{Value, json};

use crate::support::{Place, hex_sha256, picture};
use hands::{Hands, form};

/// The items of the account with these bytes.
fn items_with(place: &Place, bytes: &[u8]) -> Vec<String> {
    let sha256 = hex_sha256(bytes);
    let items = place.world().items();
    items.iter().filter(|item| item.sha256.as_deref() == Some(&*sha256)).map(|item| item.id.clone()).collect()
}

fn in_album(place: &Place, title: &str, id: &str) -> bool {
    place
        .world()
        .albums()
        .iter()
        .any(|album| album.title == title && album.item_ids.iter().any(|one| one == id))
}

#[tokio::test]
async fn a_file_becomes_an_item_whichever_way_it_is_sent_and_once() {
    // I1, I2
    let place = Place::new().await;
    place.add_storage().await;
    let hands = Hands::of(&place).await;
    // In either order of the fields.
    let file = form(&[("album", None, b"Door"), ("file", Some("one.jpg"), &picture(1))]);
    let one = hands.send("items", &file).await;
    assert_eq!((one.status, &one.body["state"]), (201, &json!("sent")), "{one:?}");
    let file = form(&[("file", Some("two.jpg"), &picture(2)), ("album", None, b"Door")]);
    let two = hands.send("items?mode=sync", &file).await;
    assert_eq!(two.status, 201, "{two:?}");
    for (number, answer) in [(1, &one), (2, &two)] {
        let id = answer.body["media_id"].as_str().expect("a media id");
        assert_eq!(items_with(&place, &picture(number)), [id]);
        assert!(in_album(&place, "Door", id), "it is in the album");
    }
    assert_eq!(place.world().albums().len(), 1);
    // As the whole body, and without an album.
    let raw = hands.send_raw("items?name=three.jpg", &picture(3)).await;
    assert_eq!((raw.status, &raw.body["file_name"]), (201, &json!("three.jpg")), "{raw:?}");
    let location = raw.location.as_deref().expect("where the receipt is");
    assert_eq!(hands.get(location).await.body["media_id"], raw.body["media_id"]);
    // What is there is not sent again; it only joins the album.
    let sends = place.world().sent().len();
    let again = hands.send_raw("items?name=other.jpg&album=Door", &picture(3)).await;
    assert_eq!((again.status, &again.body["was_there"]), (200, &json!(true)), "{again:?}");
    assert_eq!(again.body["media_id"], raw.body["media_id"]);
    assert!(in_album(&place, "Door", raw.body["media_id"].as_str().expect("an id")));
    assert_eq!(place.world().sent().len(), sends);
    // The receipts tell all of it, a page at a time.
    let page = hands.get(&hands.path("receipts?limit=3")).await;
    let names = |page: &Value| -> Vec<String> {
        page["items"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| one["file_name"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!(names(&page.body), ["other.jpg", "three.jpg", "two.jpg"]);
    let next = page.body["next"].as_str().expect("a cursor");
    let page = hands.get(&hands.path(&format!("receipts?limit=3&cursor={next}"))).await;
    assert_eq!((names(&page.body), &page.body["next"]), (vec!["one.jpg".to_owned()], &Value::Null));
    hands.end().await;
}

#[tokio::test]
async fn files_that_nobody_waits_for_are_committed_together() {
    let place = Place::new().await;
    place.add_storage().await;
    let hands = Hands::of(&place).await;
    let mut receipts = Vec::new();
    for number in 0..8 {
        let file =
            form(&[("file", Some(&format!("{number}.jpg")), &picture(number)), ("album", None, b"Door")]);
        let answer = hands.send("items?mode=async", &file).await;
        assert_eq!((answer.status, &answer.body["state"]), (202, &json!("waiting")), "{answer:?}");
        receipts.push(answer.location.expect("where the receipt is"));
    }
    for receipt in &receipts {
        hands.until_sent(receipt).await;
    }
    assert_eq!(place.count("mediaItems.batchCreate"), 1);
    hands.end().await;
}

#[tokio::test]
async fn what_cannot_be_taken_is_refused_and_says_why() {
    // I9
    let place = Place::new().await;
    place.add_storage().await;
    let hands = Hands::of(&place).await;
    let jpeg = picture(1);
    let text = b"dear aunt, the photos are".as_slice();
    let long = "x".repeat(501);
    for (path, body, status, words) in [
        ("items", form(&[("file", Some("a.txt"), &jpeg)]), 415, "does not end like"),
        ("items", form(&[("file", Some("a.jpg"), text)]), 415, "is text"),
        ("items", form(&[("file", Some("a.jpg"), b"")]), 422, "zero bytes"),
        ("items", form(&[("file", None, &jpeg)]), 422, "has no name"),
        ("items", form(&[("album", None, b"Door")]), 422, "is missing"),
        (
            "items",
            form(&[("file", Some("a.jpg"), &jpeg), ("album", None, long.as_bytes())]),
            422,
            "characters",
        ),
        ("items?mode=soon", form(&[("file", Some("a.jpg"), &jpeg)]), 400, "the query is wrong"),
        ("items?wait=0", form(&[("file", Some("a.jpg"), &jpeg)]), 400, "wait"),
    ] {
        let refused = hands.send(path, &body).await;
        assert_eq!(refused.status, status, "{refused:?}");
        assert!(refused.text.contains(words), "{words}: {refused:?}");
    }
    let refused = hands.send_raw("items", &jpeg).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    let half = &form(&[("file", Some("a.jpg"), &jpeg)])[..300];
    assert_eq!(hands.send("items", half).await.status, 400);
    assert_eq!(hands.send_as("read", "items", &form(&[("file", Some("a.jpg"), &jpeg)])).await.status, 403);
    assert_eq!(hands.send_as("nobody", "items", &form(&[("file", Some("a.jpg"), &jpeg)])).await.status, 401);
    let elsewhere = "/api/v1/storages/019ba7c7-1200-7700-a052-ef050694f116/items?name=a.jpg";
    assert_eq!(hands.post(elsewhere, "image/jpeg", &jpeg, &[]).await.status, 404);
    assert_eq!(place.world().items().len(), 0, "nothing of it was sent");
    assert_eq!(spooled(&place), 0, "nor kept");
    hands.end().await;
}

/// How many files are in the spool.
fn spooled(place: &Place) -> usize {
    let folders = fs::read_dir(place.data_dir().join("inbox")).into_iter().flatten();
    folders.map(|folder| fs::read_dir(folder.expect("an entry").path()).expect("a folder").count()).sum()
}

#[tokio::test]
async fn a_large_file_goes_through_without_being_in_memory() {
    let place = Place::new().await;
    place.add_storage().await;
    let hands = Hands::of(&place).await;
    hands.send_raw("items?name=small.jpg", &picture(1)).await;
    let before = hands.most_memory();
    // A video, and behind it a box of nothing.
    let mut large = Video::new(2).mp4();
    large.extend_from_slice(&80_000_000_u32.to_be_bytes());
    large.extend_from_slice(b"free");
    large.resize(large.len() + 80_000_000 - 8, 7);
    let answer = hands.send_raw("items?name=large.mp4", &large).await;
    assert_eq!((answer.status, answer.body["size"].as_u64()), (201, Some(large.len() as u64)), "{answer:?}");
    let grown = hands.most_memory() - before;
    assert!(grown < 40_000_000, "it grew by {grown} bytes");
    hands.end().await;
}

#[tokio::test]
async fn a_dead_consent_is_told_at_once_and_nothing_is_lost() {
    // I1, I7
    let place = Place::new().await;
    place.add_storage().await;
    let hands = Hands::of(&place).await;
    place.world().expire_access_tokens();
    place.world().revoke_refresh_tokens();
    let kept = hands.send_raw("items?name=a.jpg", &picture(1)).await;
    assert_eq!((kept.status, &kept.body["class"]), (202, &json!("auth")), "{kept:?}");
    assert!(kept.body["waiting"].as_str().is_some_and(|why| why.starts_with("you: ")), "{kept:?}");
    assert_eq!(spooled(&place), 1);
    let ended = place.charon_with(&["storage", "update", "family", "--config", "-"], &place.config()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let receipt = hands.until_sent(kept.location.as_deref().expect("where the receipt is")).await;
    assert_eq!(items_with(&place, &picture(1)), [receipt["media_id"].as_str().expect("an id")]);
    assert_eq!(spooled(&place), 0);
    hands.end().await;
}
