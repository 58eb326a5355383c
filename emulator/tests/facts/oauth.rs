//! The facts about OAuth: the consent page, codes with PKCE, refreshing, expiry, revocation.

use std::collections::BTreeMap;

use crate::support::{CLIENT, World, read};
use gphotos_emulator::{Action, Fault, SCOPES, Settings};
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
