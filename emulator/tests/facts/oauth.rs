//! The facts about OAuth: the consent page, codes with PKCE, refreshing, expiry, revocation.

use std::collections::BTreeMap;

use crate::support::{CLIENT, World, jpeg, read};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gphotos_emulator::{Account, Action, Fault, SCOPES, Settings};
use jiff::SignedDuration;
use reqwest::{StatusCode, Url};
use serde_json::{Value, json};

// The verifier and the challenge of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const REDIRECT: &str = "http://127.0.0.1:53682/";

async fn token(world: &World, fields: &[(&str, &str)]) -> (StatusCode, Value) {
    let url = format!("{}/token", world.emulator.url());
    read(world.http.post(url).form(fields).send().await.unwrap()).await
}

fn consent(world: &World, extra: &[(&str, &str)]) -> Url {
    let mut url = Url::parse(&format!("{}/o/oauth2/auth", world.emulator.url())).unwrap();
    url.query_pairs_mut()
        .extend_pairs([
            ("client_id", CLIENT),
            ("redirect_uri", REDIRECT),
            ("response_type", "code"),
            ("state", "abc"),
            ("access_type", "offline"),
            ("scope", &SCOPES.join(" ")),
        ])
        .extend_pairs(extra);
    url
}

fn returned(location: &str) -> BTreeMap<String, String> {
    Url::parse(location).unwrap().query_pairs().into_owned().collect()
}

async fn code(world: &World, extra: &[(&str, &str)]) -> String {
    let response = world.http.get(consent(world, extra)).send().await.unwrap();
    assert_eq!(response.status(), 302);
    let back = returned(response.headers()["location"].to_str().unwrap());
    assert_eq!(back["state"], "abc");
    back["code"].clone()
}

fn exchange<'a>(code: &'a str, verifier: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("client_id", CLIENT),
        ("client_secret", "s"),
        ("redirect_uri", REDIRECT),
        ("code_verifier", verifier),
    ]
}

fn refresh(refresh_token: &str) -> Vec<(&str, &str)> {
    vec![
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token),
        ("client_id", CLIENT),
        ("client_secret", "s"),
    ]
}

#[tokio::test]
async fn a_code_with_pkce_becomes_tokens_that_work_and_can_be_refreshed() {
    let mut world = World::with(Settings { auto_approve: true, ..Settings::default() }).await;
    let pkce = [("code_challenge", CHALLENGE), ("code_challenge_method", "S256")];
    let wrong = code(&world, &pkce).await;
    let (status, body) = token(&world, &exchange(&wrong, "not the verifier")).await;
    assert_eq!((status.as_u16(), &body["error"]), (400, &json!("invalid_grant")));
    let good = code(&world, &pkce).await;
    let (status, body) = token(&world, &exchange(&good, VERIFIER)).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(3599)));
    assert_eq!(body["scope"], SCOPES.join(" "));
    world.token = body["access_token"].as_str().unwrap().to_owned();
    assert_eq!(world.get("/v1/albums").await.0, 200);
    assert_eq!(token(&world, &exchange(&good, VERIFIER)).await.0, 400, "a code works once");
    let (status, again) = token(&world, &refresh(body["refresh_token"].as_str().unwrap())).await;
    assert_eq!(status, 200);
    assert!(again["refresh_token"].is_null(), "the old one stays");
    let (_, user) = world.get("/oauth2/v1/userinfo").await;
    assert!(user["id"].is_string() && user["name"].is_string());
}

#[tokio::test]
async fn a_person_allows_or_cancels_on_a_page() {
    let world = World::new().await;
    let page = world.http.get(consent(&world, &[])).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("<button name=\"decision\" value=\"allow\">") && page.contains(SCOPES[0]));
    for (decision, key) in [("allow", "code"), ("deny", "error")] {
        let url = consent(&world, &[("decision", decision)]);
        let form: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let action = format!("{}/o/oauth2/approve", world.emulator.url());
        let response = world.http.post(action).form(&form).send().await.unwrap();
        assert_eq!(response.status(), 302);
        assert!(returned(response.headers()["location"].to_str().unwrap()).contains_key(key));
    }
    let removed =
        consent(&world, &[]).to_string().replace("photoslibrary.appendonly", "photoslibrary.sharing");
    let refused = world.http.get(removed).send().await.unwrap();
    assert_eq!(refused.status(), 400);
    assert!(refused.text().await.unwrap().contains("invalid_scope"));
}

#[tokio::test]
async fn the_token_endpoint_refuses_as_google_does() {
    let world = World::new().await;
    let blob: Value = serde_json::from_str(&world.emulator.token_blob(CLIENT, &[])).unwrap();
    let living = blob["refresh_token"].as_str().unwrap();
    let (status, body) = token(&world, &refresh("1//unknown")).await;
    let expected =
        json!({"error": "invalid_grant", "error_description": "Token has been expired or revoked."});
    assert_eq!((status.as_u16(), body), (400, expected));
    let other = [
        ("grant_type", "refresh_token"),
        ("refresh_token", living),
        ("client_id", "x"),
        ("client_secret", "s"),
    ];
    assert_eq!(token(&world, &other).await.1["error"], "invalid_grant", "another client's token");
    let (_, body) = token(&world, &refresh(living)[..3]).await;
    assert_eq!(body["error_description"], "client_secret is missing.");
    // Go tries HTTP Basic first, and the form when that is refused.
    let url = format!("{}/token", world.emulator.url());
    let basic = |secret: &'static str| {
        let form = [("grant_type", "refresh_token"), ("refresh_token", living)];
        world.http.post(&url).basic_auth(CLIENT, Some(secret)).form(&form).send()
    };
    assert_eq!(basic("s").await.unwrap().status(), 401);
    world.emulator.world().update_settings(|settings| settings.accept_basic_credentials = true);
    assert_eq!(basic("s").await.unwrap().status(), 200);
    world.emulator.world().update_settings(|settings| {
        settings.clients.insert(CLIENT.to_owned(), "secret".to_owned());
    });
    assert_eq!(token(&world, &refresh(living)).await.1["error"], "invalid_client");
}

#[tokio::test]
async fn a_secret_is_asked_for_unless_that_is_switched_off() {
    let world = World::with(Settings { require_client_secret: false, ..Settings::default() }).await;
    let living = world.emulator.world().refresh_token(CLIENT, &[]);
    let without = &refresh(&living)[..3];
    assert_eq!(token(&world, without).await.0, 200);
    // A wrong one is still wrong.
    world.emulator.world().update_settings(|settings| {
        settings.clients.insert(CLIENT.to_owned(), "secret".to_owned());
    });
    assert_eq!(token(&world, without).await.0, 200);
    let (status, body) = token(&world, &refresh(&living)).await;
    assert_eq!((status.as_u16(), &body["error"]), (401, &json!("invalid_client")));
}

#[tokio::test]
async fn a_refresh_brings_a_new_refresh_token_where_that_is_set() {
    let world = World::with(Settings { rotate_refresh_tokens: true, ..Settings::default() }).await;
    let first = world.emulator.world().refresh_token(CLIENT, &[]);
    let (status, body) = token(&world, &refresh(&first)).await;
    let second = body["refresh_token"].as_str().unwrap();
    assert_eq!(status, 200);
    assert_ne!(second, first);
    assert_eq!(token(&world, &refresh(second)).await.0, 200);
}

#[tokio::test]
async fn an_access_token_dies_after_an_hour_and_a_refresh_token_after_its_days() {
    let mut world =
        World::with(Settings { refresh_token_seconds: Some(7 * 24 * 3600), ..Settings::default() }).await;
    let blob: Value = serde_json::from_str(&world.emulator.token_blob(CLIENT, &[])).unwrap();
    world.token = blob["access_token"].as_str().unwrap().to_owned();
    world.emulator.world().advance(SignedDuration::from_hours(1));
    let (status, body) = world.get("/v1/albums").await;
    assert_eq!((status.as_u16(), &body["error"]["status"]), (401, &json!("UNAUTHENTICATED")));
    let refresh_token = blob["refresh_token"].as_str().unwrap();
    assert_eq!(token(&world, &refresh(refresh_token)).await.0, 200);
    world.emulator.world().advance(SignedDuration::from_hours(7 * 24));
    assert_eq!(token(&world, &refresh(refresh_token)).await.0, 400);
}

#[tokio::test]
async fn the_hundred_and_first_refresh_token_drops_the_first() {
    let world = World::new().await;
    let first = world.emulator.world().refresh_token(CLIENT, &[]);
    for _ in 0..99 {
        world.emulator.world().refresh_token(CLIENT, &[]);
    }
    assert_eq!(token(&world, &refresh(&first)).await.0, 200);
    world.emulator.world().refresh_token(CLIENT, &[]);
    assert_eq!(token(&world, &refresh(&first)).await.0, 400);
}

#[tokio::test]
async fn revoking_kills_tokens_and_base_urls() {
    let world = World::seeded(1, 0).await;
    let url = format!("{}=d", world.all(1).await[0]["baseUrl"].as_str().unwrap());
    let revoke = format!("{}/revoke", world.emulator.url());
    assert_eq!(world.http.post(&revoke).form(&[("token", &world.token)]).send().await.unwrap().status(), 200);
    assert_eq!(world.get("/v1/albums").await.0, 401);
    assert_eq!(world.http.get(url).send().await.unwrap().status(), 403);
    assert_eq!(world.http.post(&revoke).form(&[("token", "x")]).send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn a_revoked_refresh_token_stays_revoked() {
    let world = World::new().await;
    let living = world.emulator.world().refresh_token(CLIENT, &[]);
    world.emulator.world().add_fault(Fault::once(Action::RevokedRefreshToken));
    for _ in 0..2 {
        assert_eq!(token(&world, &refresh(&living)).await.1["error"], "invalid_grant");
    }
}

#[tokio::test]
async fn the_openid_configuration_leads_to_the_emulator() {
    let world = World::new().await;
    let (_, configuration) = world.get("/.well-known/openid-configuration").await;
    for name in ["token_endpoint", "userinfo_endpoint", "revocation_endpoint", "authorization_endpoint"] {
        assert!(configuration[name].as_str().unwrap().starts_with(&world.emulator.url()), "{name}");
    }
}

/// The claims of the ID token in an answer.
fn claims(body: &Value) -> Value {
    let token = body["id_token"].as_str().unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    assert_eq!(parts.len(), 3, "header, claims, signature");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap()
}

/// A consent of `scope` from a loopback redirect on `port`, down to the token answer.
async fn consented(world: &World, scope: &str, port: u16) -> Value {
    let redirect = format!("http://127.0.0.1:{port}/callback");
    let mut url = Url::parse(&format!("{}/o/oauth2/v2/auth", world.emulator.url())).unwrap();
    url.query_pairs_mut().extend_pairs([
        ("client_id", CLIENT),
        ("redirect_uri", redirect.as_str()),
        ("response_type", "code"),
        ("state", "abc"),
        ("access_type", "offline"),
        ("prompt", "consent"),
        ("scope", scope),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]);
    let response = world.http.get(url).send().await.unwrap();
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    assert!(location.starts_with(&redirect), "{location}");
    let code = returned(&location)["code"].clone();
    let mut fields = exchange(&code, VERIFIER);
    fields.retain(|(name, _)| *name != "redirect_uri");
    fields.push(("redirect_uri", &redirect));
    let (status, body) = token(world, &fields).await;
    assert_eq!(status, 200, "{body}");
    body
}

#[tokio::test]
async fn who_consented_stands_in_the_id_token_of_the_code_and_of_every_refresh() {
    let mut world = World::with(Settings { auto_approve: true, ..Settings::default() }).await;
    let scope = format!("openid email {}", SCOPES.join(" "));
    let first = consented(&world, &scope, 50_001).await;
    let who = claims(&first);
    assert_eq!(who["iss"], "https://accounts.google.com");
    assert_eq!((&who["aud"], &who["email"]), (&json!(CLIENT), &json!("pat@example.com")));
    assert!(who["exp"].as_i64().unwrap() > who["iat"].as_i64().unwrap());
    world.patch("/-/settings", json!({"account_email": "alex@example.com"})).await;
    let other = claims(&consented(&world, &scope, 50_002).await);
    assert_eq!(other["email"], "alex@example.com");
    assert_ne!(other["sub"], who["sub"]);
    world.patch("/-/settings", json!({"account_sub": "1234"})).await;
    assert_eq!(claims(&consented(&world, &scope, 50_003).await)["sub"], "1234");
    // What was given before keeps its account.
    let (_, again) = token(&world, &refresh(first["refresh_token"].as_str().unwrap())).await;
    assert_eq!((&claims(&again)["sub"], &claims(&again)["email"]), (&who["sub"], &who["email"]));
    world.token = again["access_token"].as_str().unwrap().to_owned();
    let (_, user) = world.get("/oauth2/v3/userinfo").await;
    assert_eq!((&user["sub"], &user["email"]), (&who["sub"], &who["email"]));
    assert_eq!(user["name"], "Pat Emulated");
    // Nobody asked who it is.
    assert!(consented(&world, &SCOPES.join(" "), 50_004).await["id_token"].is_null());
}

#[tokio::test]
async fn another_account_under_the_same_client_sees_nothing_of_the_first() {
    let mut world = World::seeded(2, 1).await;
    let own = world.create("a.jpg", jpeg(1)).await["mediaItem"]["id"].clone();
    assert_eq!(world.all(100).await.len(), 3);
    let upload = world.upload("b.jpg", jpeg(2)).await;
    let (_, blob) = world.post("/-/token", json!({"account_email": "alex@example.com"})).await;
    let first = std::mem::replace(&mut world.token, blob["access_token"].as_str().unwrap().to_owned());
    assert_eq!(world.all(100).await.len(), 0);
    assert_eq!(world.get("/v1/albums").await.1, json!({}));
    assert_eq!(world.get(&format!("/v1/mediaItems/{}", own.as_str().unwrap())).await.0, 404);
    let body = json!({"newMediaItems": [{"simpleMediaItem": {"uploadToken": upload}}]});
    assert_eq!(world.post("/v1/mediaItems:batchCreate", body).await.0, 400, "another account's upload");
    let same = world.create("a.jpg", jpeg(1)).await["mediaItem"]["id"].clone();
    assert_ne!(own, same, "the same bytes in another account are another item");
    let alex = Account::of("alex@example.com").sub;
    let items = world.emulator.world().items();
    assert_eq!(items.iter().filter(|item| item.account == alex).count(), 1);
    // Revoking ends what the one account gave, and nothing of the other's.
    let revoke = format!("{}/revoke", world.emulator.url());
    world.http.post(&revoke).form(&[("token", &world.token)]).send().await.unwrap();
    assert_eq!(world.get("/v1/albums").await.0, 401);
    world.token = first;
    assert_eq!(world.all(100).await.len(), 3);
}

#[tokio::test]
async fn a_person_may_leave_boxes_unticked_or_cancel() {
    let mut world = World::with(Settings {
        auto_approve: true,
        granted_scopes: Some(vec!["photoslibrary.appendonly".to_owned()]),
        ..Settings::default()
    })
    .await;
    let scope = format!("openid {}", SCOPES.join(" "));
    let body = consented(&world, &scope, 50_005).await;
    assert_eq!(body["scope"], format!("openid {}", SCOPES[0]));
    assert!(body["id_token"].is_string());
    world.token = body["access_token"].as_str().unwrap().to_owned();
    assert_eq!(world.get("/v1/mediaItems").await.0, 403);
    assert_eq!(world.post("/v1/albums", json!({"album": {"title": "x"}})).await.0, 200);
    // A refresh does not widen it.
    let (_, again) = token(&world, &refresh(body["refresh_token"].as_str().unwrap())).await;
    assert_eq!(again["scope"], body["scope"]);
    world.emulator.world().update_settings(|settings| settings.auto_deny = true);
    let response = world.http.get(consent(&world, &[])).send().await.unwrap();
    let back = returned(response.headers()["location"].to_str().unwrap());
    assert_eq!((back["error"].as_str(), back["state"].as_str()), ("access_denied", "abc"));
}
