//! Misbehaviour on demand, the admin paths, and the TLS front.

use crate::support::{World, jpeg, message};
use gphotos_emulator::{Action, Emulator, Fault, Seed, Settings};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

#[tokio::test]
async fn refusals_happen_before_anything_took_effect() {
    let world = World::seeded(1, 0).await;
    let emulated = world.emulator.world();
    for (action, status, text) in [
        (Action::ServerError { status: 500 }, 500, ""),
        (Action::ServerError { status: 502 }, 502, ""),
        (Action::ServerError { status: 503 }, 503, "unavailable"),
        (Action::Aborted, 409, "The operation was aborted."),
        (
            Action::ApiDisabled,
            403,
            "Photos Library API has not been used in project 123456 before or it is disabled.",
        ),
        (Action::InsufficientScopes, 403, "Request had insufficient authentication scopes."),
        (Action::NotFound, 404, "not found"),
    ] {
        emulated.add_fault(Fault::once(action));
        let (seen, body) = world.post("/v1/albums", json!({"album": {"title": "x"}})).await;
        assert_eq!(seen, status, "{body}");
        assert!(message(&body).contains(text), "{body}");
    }
    assert_eq!(emulated.albums().len(), 0);
    assert_eq!(world.post("/v1/albums", json!({"album": {"title": "x"}})).await.0, 200);
}

#[tokio::test]
async fn a_lost_response_leaves_its_effect_and_a_reset_does_not() {
    let world = World::new().await;
    for (action, albums) in [(Action::ConnectionReset, 0), (Action::ResponseLost, 1)] {
        world.emulator.world().add_fault(Fault::once(action));
        let request = world.request(Method::POST, "/v1/albums").body(r#"{"album":{"title":"x"}}"#);
        assert!(request.send().await.is_err());
        assert_eq!(world.emulator.world().albums().len(), albums);
    }
    assert_eq!(world.emulator.world().stats().responses[&0], 2);
}

#[tokio::test]
async fn a_truncated_body_is_shorter_than_it_says() {
    let world = World::seeded(1, 0).await;
    let url = format!("{}=d", world.all(1).await[0]["baseUrl"].as_str().unwrap());
    world.emulator.world().add_fault(Fault::once(Action::TruncatedBody { bytes: Some(100) }));
    let mut response = world.http.get(&url).send().await.unwrap();
    assert!(response.content_length().unwrap() > 100);
    let mut read = 0;
    let error = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => read += chunk.len(),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    assert!(error.is_some() && read <= 100);
    assert_eq!(world.http.get(&url).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn html_may_come_instead_of_bytes() {
    let world = World::seeded(1, 0).await;
    let url = format!("{}=d", world.all(1).await[0]["baseUrl"].as_str().unwrap());
    world.emulator.world().add_fault(Fault::once(Action::Html));
    let response = world.http.get(&url).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
}

#[tokio::test]
async fn what_expires_by_a_fault_is_really_dead() {
    let mut world = World::seeded(1, 0).await;
    let url = format!("{}=d", world.all(1).await[0]["baseUrl"].as_str().unwrap());
    world.emulator.world().add_fault(Fault::once(Action::ExpiredBaseUrls));
    for _ in 0..2 {
        assert_eq!(world.http.get(&url).send().await.unwrap().status(), 403);
    }
    world.emulator.world().add_fault(Fault::once(Action::ExpiredAccessToken));
    for _ in 0..2 {
        assert_eq!(world.get("/v1/albums").await.0, 401);
    }
    world.token = world.emulator.world().access_token(crate::support::CLIENT, &[]);
    assert_eq!(world.get("/v1/albums").await.0, 200);
}

#[tokio::test]
async fn listings_have_their_known_quirks() {
    let world = World::seeded(30, 1).await;
    let emulated = world.emulator.world();
    let ids = |items: &[Value]| -> Vec<String> {
        items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };
    let whole = ids(&world.all(10).await);

    emulated.add_fault(Fault::always(Action::EmptyPage).after(1).times(3));
    let (_, first) = world.get("/v1/mediaItems?pageSize=10").await;
    let (_, empty) =
        world.get(&format!("/v1/mediaItems?pageToken={}", first["nextPageToken"].as_str().unwrap())).await;
    assert!(empty["mediaItems"].is_null() && empty["nextPageToken"].is_string());
    emulated.clear_faults();
    emulated.add_fault(Fault::always(Action::EmptyPage).share(0.5, 4).times(5));
    assert_eq!(ids(&world.all(10).await), whole, "nothing is missing around empty pages");

    emulated.clear_faults();
    emulated.add_fault(Fault::once(Action::RepeatedItem).after(1));
    let repeated = ids(&world.all(10).await);
    assert_eq!(repeated[9], repeated[10], "the last of a page is the first of the next");
    assert_eq!(repeated.len(), 31);

    emulated.clear_faults();
    emulated.add_fault(Fault::always(Action::ShortListing { share: 0.3, seed: 1 }));
    let short = ids(&world.all(10).await);
    assert!((12..30).contains(&short.len()), "{}", short.len());

    emulated.clear_faults();
    emulated.add_fault(Fault::always(Action::SmallPages { items: 4 }));
    assert_eq!(ids(&world.all(10).await), whole);

    emulated.clear_faults();
    let album = emulated.albums()[0].clone();
    let page = |token: Value| json!({"albumId": album.id, "pageSize": 5, "pageToken": token});
    let (_, first) = world.post("/v1/mediaItems:search", page(Value::Null)).await;
    emulated.add_fault(Fault::once(Action::RepeatedItem));
    let (_, second) = world.post("/v1/mediaItems:search", page(first["nextPageToken"].clone())).await;
    assert_eq!(first["mediaItems"][4]["id"], second["mediaItems"][0]["id"]);
}

#[tokio::test]
async fn single_items_of_a_batch_can_fail() {
    let world = World::new().await;
    let emulated = world.emulator.world();
    let mut new = Vec::new();
    for seed in 0..3 {
        let token = world.upload("a.jpg", jpeg(seed)).await;
        new.push(json!({"simpleMediaItem": {"uploadToken": token}}));
    }
    let body = json!({"newMediaItems": new});
    emulated.add_fault(Fault::once(Action::ItemError { code: 13, positions: vec![1] }));
    let (_, answer) = world.post("/v1/mediaItems:batchCreate", body.clone()).await;
    let codes: Vec<&Value> =
        answer["newMediaItemResults"].as_array().unwrap().iter().map(|r| &r["status"]["code"]).collect();
    assert_eq!(codes, [&Value::Null, &json!(13), &Value::Null]);
    assert_eq!(emulated.item_count(), 2);
    emulated.add_fault(Fault::once(Action::StorageFull));
    assert!(message(&world.post("/v1/mediaItems:batchCreate", body.clone()).await.1).contains("storage"));
    emulated.add_fault(Fault::once(Action::SpentUploadTokens));
    for _ in 0..2 {
        let (_, answer) = world.post("/v1/mediaItems:batchCreate", body.clone()).await;
        assert_eq!(message(&answer), "Request must contain a valid upload token.");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_at_once_are_counted_and_can_be_refused() {
    let world = World::with(Settings { latency_ms: 50, ..Settings::default() }).await;
    let create = || world.post("/v1/albums", json!({"album": {"title": "x"}}));
    let (one, two) = tokio::join!(create(), create());
    assert_eq!((one.0, two.0), (StatusCode::OK, StatusCode::OK));
    assert_eq!(world.emulator.world().stats().peak_concurrent_writes, 2);
    world.emulator.world().update_settings(|settings| settings.concurrent_writes = Some(1));
    let (one, two) = tokio::join!(create(), create());
    let refused = [one.0, two.0].into_iter().filter(|status| *status == 429).count();
    assert_eq!(refused, 1);
}

#[tokio::test]
async fn the_admin_paths_do_what_the_library_does() {
    let world = World::new().await;
    let (_, seeded) = world.post("/-/seed", json!({"items": 3, "albums": 1})).await;
    assert_eq!(seeded["item_ids"].as_array().unwrap().len(), 3);
    let fault = json!({"methods": ["albums"], "times": 1, "action": {"kind": "too_many_requests", "limit": "all_requests_per_day", "retry_after_seconds": 5}});
    assert_eq!(world.post("/-/faults", fault).await.1["number"], 1);
    assert_eq!(world.get("/v1/albums").await.0, 429);
    assert_eq!(world.get("/-/faults").await.1[0]["done"], 1);
    let delete = world.request(Method::DELETE, "/-/faults").send().await.unwrap();
    assert_eq!(delete.status(), 200);
    assert_eq!(world.get("/-/faults").await.1, json!([]));
    let (_, settings) = world.patch("/-/settings", json!({"latency_ms": 1, "keep_bytes": true})).await;
    assert_eq!((&settings["latency_ms"], &settings["keep_bytes"]), (&json!(1), &json!(true)));
    assert_eq!(world.patch("/-/settings", json!({"latency": 1})).await.0, 400);
    let (_, items) = world.get("/-/items").await;
    assert_eq!(items[0]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(world.get("/-/albums").await.1[0]["title"], "Album 1");
    let before = world.emulator.world().now();
    world.post("/-/time/advance", json!({"seconds": 7200})).await;
    assert!(world.emulator.world().now().duration_since(before).as_secs() >= 7200);
    let (_, stats) = world.get("/-/stats").await;
    assert_eq!((&stats["requests"]["albums.list"], &stats["api_requests"]), (&json!(1), &json!(1)));
    world.post("/-/stats/reset", json!({})).await;
    assert_eq!(world.get("/-/stats").await.1["api_requests"], 0);
    assert_eq!(world.post("/-/faults", json!({"action": {"kind": "earthquake"}})).await.0, 400);
    let (_, blob) = world.post("/-/token", json!({"client_id": "77-x"})).await;
    assert!(blob["refresh_token"].is_string());
}

#[tokio::test]
async fn the_same_seed_makes_the_same_world() {
    let one = Emulator::start(Settings { seed: 5, ..Settings::default() }).await.unwrap();
    let two = Emulator::start(Settings { seed: 5, ..Settings::default() }).await.unwrap();
    let seed = Seed { items: 5, albums: 2, video_share: 0.3, ..Seed::default() };
    assert_eq!(one.world().seed(&seed), two.world().seed(&seed));
    let hashes = |emulator: &Emulator| -> Vec<Option<String>> {
        emulator.world().items().into_iter().map(|item| item.sha256).collect()
    };
    assert_eq!(hashes(&one), hashes(&two));
}

#[tokio::test]
async fn other_machines_are_not_served_unless_that_is_asked_for() {
    let settings = Settings { listen: "0.0.0.0:0".parse().unwrap(), ..Settings::default() };
    assert!(Emulator::start(settings).await.is_err());
}

#[cfg(feature = "tls-proxy")]
#[tokio::test]
async fn through_the_tls_front_google_is_the_emulator_and_nobody_else_is_there() {
    let world = World::seeded(1, 0).await;
    let proxy = world.emulator.tls_proxy("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let client = crate::support::through(&proxy.url(), proxy.ca_pem());
    let listed = client.get("https://photoslibrary.googleapis.com/v1/mediaItems").bearer_auth(&world.token);
    let (status, body) = crate::support::read(listed.send().await.unwrap()).await;
    assert_eq!(status, 200);
    let base = body["mediaItems"][0]["baseUrl"].as_str().unwrap();
    assert!(base.starts_with("https://lh3.googleusercontent.com/lr/"), "{base}");
    assert_eq!(client.get(format!("{base}=d")).send().await.unwrap().status(), 200);
    assert!(client.get("https://example.com/").send().await.is_err());
    let admin = client.get("https://photoslibrary.googleapis.com/-/stats").send().await.unwrap();
    assert_eq!(admin.status(), 404);
}

#[tokio::test]
async fn the_old_scopes_see_everything_where_that_is_set() {
    let mut world = World::with(Settings { legacy_scopes: true, ..Settings::default() }).await;
    let seed = |client: &str| Seed { items: 2, client_id: Some(client.to_owned()), ..Seed::default() };
    world.emulator.world().seed(&seed("999-other"));
    world.emulator.world().seed(&seed(""));
    assert_eq!(world.all(100).await.len(), 0);
    world.token = world.emulator.world().access_token("1-old", &["photoslibrary.readonly"]);
    assert_eq!(world.all(100).await.len(), 4);
    assert_eq!(world.get("/v1/sharedAlbums").await, (StatusCode::OK, json!({})));
}
