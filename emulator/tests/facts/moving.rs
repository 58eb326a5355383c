//! The facts about motion photos, and about the proxy that gives originals.

use crate::support::{CLIENT, World, http, jpeg};
use gphotos_emulator::{FullResolutionFault, FullResolutionProxy, Seed, Settings, jpeg as segments, video};
use reqwest::{Response, StatusCode};

const STILL: &str = "PXL_2024.MP.jpg";

fn clip() -> Vec<u8> {
    video::mp4(3, None, None)
}

#[tokio::test]
async fn a_motion_photo_is_listed_as_a_still_and_gives_both() {
    let world = World::with(Settings { keep_bytes: true, ..Settings::default() }).await;
    let emulated = world.emulator.world();
    let id = emulated.add_motion_photo(CLIENT, STILL, jpeg(1), clip()).unwrap();
    emulated.add_item(CLIENT, "plain.jpg", jpeg(2)).unwrap();
    let all = world.all(10).await;
    let moving = all.iter().find(|item| item["id"] == id.as_str()).unwrap();
    assert_eq!((moving["mimeType"].as_str(), moving["filename"].as_str()), (Some("image/jpeg"), Some(STILL)));
    assert!(moving["mediaMetadata"]["photo"].is_object());
    let get = |item: &serde_json::Value, parameter: &str| {
        world.http.get(format!("{}={parameter}", item["baseUrl"].as_str().unwrap())).send()
    };
    assert_eq!(get(moving, "d").await.unwrap().bytes().await.unwrap(), jpeg(1));
    let film = get(moving, "dv").await.unwrap();
    assert_eq!(film.headers()["content-type"], "video/mp4");
    assert!(film.headers()["content-disposition"].to_str().unwrap().contains("PXL_2024.MP.mp4"));
    assert_eq!(film.bytes().await.unwrap(), clip());
    emulated.update_settings(|settings| settings.keep_bytes = false);
    let copy = get(moving, "dv").await.unwrap().bytes().await.unwrap();
    assert!(copy != clip() && video::read(&copy).is_some(), "another file, as with every video");
    let plain = all.iter().find(|item| item["filename"] == "plain.jpg").unwrap();
    assert_eq!(get(plain, "dv").await.unwrap().status(), 404);
    assert_eq!(emulated.clip(&id).unwrap(), clip());
    assert!(emulated.add_motion_photo(CLIENT, "no.jpg", jpeg(4), jpeg(5)).is_err());
}

#[tokio::test]
async fn a_share_of_a_seed_moves_where_that_is_asked_for() {
    let world = World::new().await;
    let seed = Seed { items: 8, motion_share: 1.0, ..Seed::default() };
    world.emulator.world().seed(&seed);
    let all = world.all(10).await;
    assert!(all.iter().all(|item| item["filename"].as_str().unwrap().ends_with(".MP.jpg")));
    let url = format!("{}=dv", all[0]["baseUrl"].as_str().unwrap());
    assert!(video::read(&world.http.get(url).send().await.unwrap().bytes().await.unwrap()).is_some());
    assert!(world.emulator.world().items().iter().all(|item| item.clip));
}

async fn proxied() -> (World, FullResolutionProxy) {
    let world = World::new().await;
    let proxy = world.emulator.full_resolution_proxy("127.0.0.1:0".parse().unwrap()).await.unwrap();
    (world, proxy)
}

async fn original(proxy: &FullResolutionProxy, id: &str) -> reqwest::Result<Response> {
    http().get(format!("{}/id/{id}", proxy.url())).send().await
}

/// The files of a ZIP whose files are stored.
fn unpacked(zip: &[u8]) -> Vec<(String, Vec<u8>)> {
    let number = |at: usize| u32::from_le_bytes(zip[at..at + 4].try_into().unwrap()) as usize;
    let mut at = 0;
    let mut files = Vec::new();
    while zip[at..].starts_with(b"PK\x03\x04") {
        let (size, name) = (number(at + 18), usize::from(zip[at + 26]));
        let start = at + 30 + name;
        let name = String::from_utf8(zip[at + 30..start].to_vec()).unwrap();
        files.push((name, zip[start..start + size].to_vec()));
        at = start + size;
    }
    files
}

#[tokio::test]
async fn the_proxy_gives_the_original_and_tells_who_sent_a_token() {
    let (world, proxy) = proxied().await;
    let emulated = world.emulator.world();
    let id = emulated.add_item(CLIENT, "holiday.jpg", jpeg(1)).unwrap();
    let response = original(&proxy, &id).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-disposition"], "attachment;filename=\"holiday.jpg\"");
    assert_eq!(response.bytes().await.unwrap(), jpeg(1));
    assert!(!proxy.saw_authorization());
    let request = http().get(format!("{}/id/{id}", proxy.url())).bearer_auth(&world.token);
    assert_eq!(request.send().await.unwrap().status(), 200);
    assert!(proxy.saw_authorization());
    assert_eq!(original(&proxy, "nobody").await.unwrap().status(), 404);
    emulated.remove_item(&id);
    assert_eq!(original(&proxy, &id).await.unwrap().status(), 404);
    let stats = proxy.stats();
    assert_eq!((stats.requests, stats.responses[&200], stats.responses[&404]), (4, 2, 2));
    assert_eq!(stats.ids[0], id);
    let part = emulated.add_large_video(CLIENT, "long.mp4", 1_000_000, 4);
    let request = http().get(format!("{}/id/{part}", proxy.url())).header("Range", "bytes=999990-");
    let tail = request.send().await.unwrap();
    assert_eq!((tail.status().as_u16(), tail.bytes().await.unwrap().len()), (206, 10));
}

#[tokio::test]
async fn a_live_photo_comes_from_the_proxy_as_an_archive_under_the_name_of_a_picture() {
    let (world, proxy) = proxied().await;
    let id = world.emulator.world().add_live_photo(CLIENT, "IMG_0042.JPG", jpeg(1), clip()).unwrap();
    let response = original(&proxy, &id).await.unwrap();
    assert_eq!(response.headers()["content-type"], "image/jpeg");
    assert_eq!(response.headers()["content-disposition"], "attachment;filename=\"IMG_0042.jpg\"");
    let files = unpacked(&response.bytes().await.unwrap());
    assert_eq!(files, [("IMG_0042.JPG".to_owned(), jpeg(1)), ("IMG_0042.MP4".to_owned(), clip())]);
    // To the API it is a motion photo.
    let url = format!("{}=d", world.all(1).await[0]["baseUrl"].as_str().unwrap());
    let still = world.http.get(url).send().await.unwrap().bytes().await.unwrap();
    assert!(segments::dimensions(&still).is_some());
}

#[tokio::test]
async fn the_proxy_fails_in_the_ways_of_the_real_one() {
    let (world, proxy) = proxied().await;
    let id = world.emulator.world().add_item(CLIENT, "a.jpg", jpeg(1)).unwrap();
    for (fault, status) in [
        (FullResolutionFault::ServerError, StatusCode::INTERNAL_SERVER_ERROR),
        (FullResolutionFault::NotFound, StatusCode::NOT_FOUND),
        (FullResolutionFault::Slow { ms: 1 }, StatusCode::OK),
    ] {
        proxy.set_fault(Some(fault));
        assert_eq!(original(&proxy, &id).await.unwrap().status(), status);
        assert_eq!(original(&proxy, &id).await.unwrap().status(), status);
    }
    proxy.set_fault_times(FullResolutionFault::Html, 1);
    let page = original(&proxy, &id).await.unwrap();
    assert!(page.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    assert_eq!(original(&proxy, &id).await.unwrap().bytes().await.unwrap(), jpeg(1));
    proxy.set_fault_times(FullResolutionFault::Cut, 1);
    assert!(original(&proxy, &id).await.unwrap().bytes().await.is_err());
    proxy.set_fault(None);
    assert_eq!(original(&proxy, &id).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_proxy_that_hangs_serves_nobody_until_the_one_who_waits_goes() {
    let (world, proxy) = proxied().await;
    let id = world.emulator.world().add_item(CLIENT, "a.jpg", jpeg(1)).unwrap();
    proxy.set_fault_times(FullResolutionFault::Hang, 1);
    let url = format!("{}/id/{id}", proxy.url());
    let mut first = Box::pin(http().get(&url).send());
    let mut second = Box::pin(original(&proxy, &id));
    while proxy.stats().requests < 1 {
        assert!(futures::poll!(&mut first).is_pending());
        tokio::task::yield_now().await;
    }
    while proxy.stats().requests < 2 {
        assert!(futures::poll!(&mut second).is_pending());
        tokio::task::yield_now().await;
    }
    assert!(futures::poll!(&mut first).is_pending());
    drop(first);
    assert_eq!(second.await.unwrap().status(), 200);
    assert_eq!(proxy.stats().peak_concurrent, 2);
    // A change lets go too.
    proxy.set_fault(Some(FullResolutionFault::Hang));
    let waiting = original(&proxy, &id);
    let change = async {
        while proxy.stats().requests < 3 {
            tokio::task::yield_now().await;
        }
        // It may not have come to its turn yet; then it is simply answered.
        proxy.set_fault(None);
    };
    let (waited, ()) = tokio::join!(waiting, change);
    assert!(waited.is_err() || waited.unwrap().status() == 200);
}
