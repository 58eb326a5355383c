//! What the user does in the app, and where a new item goes in an album.

use crate::support::{CLIENT, World, jpeg};
use serde_json::{Value, json};

async fn search(world: &World, filters: Value) -> Vec<String> {
    let (status, page) = world.post("/v1/mediaItems:search", json!({"filters": filters})).await;
    assert_eq!(status, 200, "{page}");
    let list = page["mediaItems"].as_array().cloned().unwrap_or_default();
    list.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn favourites_and_the_archive_are_told_apart_by_filters() {
    let world = World::seeded(4, 1).await;
    let emulated = world.emulator.world();
    let id: Vec<String> = emulated.items().into_iter().map(|item| item.id).collect();
    assert!(emulated.set_favorite(&id[0], true) && emulated.set_archived(&id[2], true));
    assert!(!emulated.set_favorite("nobody", true));
    let favourites = json!({"featureFilter": {"includedFeatures": ["FAVORITES"]}});
    assert_eq!(search(&world, favourites.clone()).await, [id[0].clone()]);
    assert_eq!(search(&world, json!({"includeArchivedMedia": true})).await.len(), 4);
    assert!(!search(&world, json!({"includeArchivedMedia": false})).await.contains(&id[2]));
    assert_eq!(world.all(10).await.len(), 4, "a list without filters");
    world.patch("/-/settings", json!({"archived_without_filters": false})).await;
    assert_eq!(world.all(10).await.len(), 3);
    let album = emulated.albums()[0].clone();
    assert!(album.item_ids.contains(&id[2]));
    let (_, inside) = world.post("/v1/mediaItems:search", json!({"albumId": album.id})).await;
    assert_eq!(inside["mediaItems"].as_array().unwrap().len(), album.item_ids.len(), "albums show all");
    world.patch(&format!("/-/items/{}", id[0]), json!({"favorite": false, "archived": true})).await;
    assert_eq!(search(&world, favourites).await.len(), 0);
    let truth = emulated.items();
    assert_eq!((truth[0].favorite, truth[0].archived, truth[2].archived), (false, true, true));
}

#[tokio::test]
async fn what_the_user_removes_is_gone_and_can_be_uploaded_again() {
    let world = World::seeded(6, 2).await;
    let emulated = world.emulator.world();
    let album = emulated.albums()[0].clone();
    let item = album.item_ids[0].clone();
    let (_, listed) = world.get(&format!("/v1/mediaItems/{item}")).await;
    let bytes = emulated.original(&item).unwrap().to_vec();
    let hash = emulated.items()[0].sha256.clone();
    assert!(emulated.remove_item(&item));
    assert!(!emulated.remove_item(&item));
    assert_eq!(world.get(&format!("/v1/mediaItems/{item}")).await.0, 404);
    let url = format!("{}=d", listed["baseUrl"].as_str().unwrap());
    assert_eq!(world.http.get(url).send().await.unwrap().status(), 404);
    assert_eq!((emulated.item_count(), emulated.items().len(), world.all(10).await.len()), (5, 5, 5));
    assert!(!emulated.albums()[0].item_ids.contains(&item));
    let again = world.create("again.jpg", bytes).await;
    assert_eq!(again["mediaItem"]["filename"], "again.jpg");
    assert_eq!(emulated.items().last().unwrap().sha256, hash);
    assert!(emulated.remove_album(&album.id) && !emulated.remove_album(&album.id));
    assert_eq!(world.get(&format!("/v1/albums/{}", album.id)).await.0, 404);
    assert_eq!(world.get("/v1/albums").await.1["albums"].as_array().unwrap().len(), 1);
    assert_eq!((emulated.albums().len(), emulated.item_count()), (1, 6));
    assert_eq!(world.get("/-/albums").await.1.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn names_and_dates_can_be_missing_unreadable_or_in_the_future() {
    let world = World::seeded(4, 0).await;
    let emulated = world.emulator.world();
    let id: Vec<String> = emulated.items().into_iter().map(|item| item.id).collect();
    assert!(emulated.set_filename(&id[0], ""));
    assert!(emulated.set_creation_time_text(&id[1], None));
    assert!(emulated.set_creation_time_text(&id[2], Some("yesterday")));
    assert!(emulated.set_taken_at(&id[3], "2999-01-01T00:00:00Z".parse().unwrap()));
    let all = world.all(10).await;
    let of = |id: &String| all.iter().find(|item| item["id"] == id.as_str()).unwrap();
    assert!(of(&id[0])["filename"].is_null());
    assert!(of(&id[1])["mediaMetadata"]["creationTime"].is_null());
    assert_eq!(of(&id[2])["mediaMetadata"]["creationTime"], "yesterday");
    assert_eq!(of(&id[3])["mediaMetadata"]["creationTime"], "2999-01-01T00:00:00Z");
    assert_eq!(all[0]["id"], id[3].as_str(), "the newest");
    let photos = json!({"mediaTypeFilter": {"mediaTypes": ["PHOTO"]}});
    assert!(!search(&world, photos).await.contains(&id[3]), "a filter does not find the future");
}

#[tokio::test]
async fn a_new_item_goes_where_the_position_says_and_keeps_its_description() {
    let world = World::new().await;
    let emulated = world.emulator.world();
    let (_, album) = world.post("/v1/albums", json!({"album": {"title": "Order"}})).await;
    let place = async |name: &str, seeds: &[u64], position: Value| {
        let mut new = Vec::new();
        for seed in seeds {
            let token = world.upload(name, jpeg(*seed)).await;
            new.push(
                json!({"description": format!("about {seed}"), "simpleMediaItem": {"uploadToken": token}}),
            );
        }
        let body = json!({"albumId": album["id"], "albumPosition": position, "newMediaItems": new});
        let (status, body) = world.post("/v1/mediaItems:batchCreate", body).await;
        assert_eq!(status, 200, "{body}");
        let id = body["newMediaItemResults"][0]["mediaItem"]["id"].as_str();
        id.unwrap().to_owned()
    };
    let middle = place("a.jpg", &[1], json!({"position": "LAST_IN_ALBUM"})).await;
    place("b.jpg", &[2, 3], json!({"position": "LAST_IN_ALBUM"})).await;
    place("c.jpg", &[4, 5], json!({"position": "FIRST_IN_ALBUM"})).await;
    place("d.jpg", &[6, 7], json!({"position": "AFTER_MEDIA_ITEM", "relativeMediaItemId": middle})).await;
    let truth = emulated.items();
    let of = |id: &String| truth.iter().find(|item| item.id == *id).unwrap().description.clone();
    let order: Vec<String> = emulated.albums()[0].item_ids.iter().map(of).collect();
    assert_eq!(order, [4, 5, 1, 6, 7, 2, 3].map(|seed| format!("about {seed}")));
    let outside = emulated.add_item(CLIENT, "x.jpg", jpeg(90)).unwrap();
    let token = world.upload("e.jpg", jpeg(8)).await;
    let new = json!([{"simpleMediaItem": {"uploadToken": token}}]);
    for body in [
        json!({"albumId": album["id"], "albumPosition": {"position": "AFTER_MEDIA_ITEM", "relativeMediaItemId": outside}, "newMediaItems": new}),
        json!({"albumPosition": {"position": "FIRST_IN_ALBUM"}, "newMediaItems": new}),
    ] {
        assert_eq!(world.post("/v1/mediaItems:batchCreate", body).await.0, 400);
    }
}
