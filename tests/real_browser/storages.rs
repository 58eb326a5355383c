//! A storage from its first wrong secret to a connection that works, and back again when the consent is withdrawn.

use std::collections::BTreeMap;

use gphotos_emulator::{Seed, Settings};
use serde_json::json;

use super::story::Story;
use crate::support::CLIENT_ID;

const SECRET: &str = "a-client-secret";

/// An account that asks a person for their consent, and knows one client by its secret.
fn careful() -> Settings {
    let clients = BTreeMap::from([(CLIENT_ID.to_owned(), SECRET.to_owned())]);
    Settings { clients, ..Settings::default() }
}

/// Gives the consent, on the page that stands for Google's.
async fn consent(story: &Story) {
    let browser = &story.browser;
    browser.press("Connect with Google").await;
    browser.says("wants access to an emulated Google account").await;
    browser.press("Allow").await;
}

#[tokio::test]
async fn a_storage_is_added_with_a_wrong_secret_then_the_right_one_tested_and_connected() {
    let Some(story) = Story::begin_with(careful()).await else { return };
    let (browser, url) = (&story.browser, story.place.emulator.url());
    story.set_up().await;
    story.visit("/storages").await;
    browser.is_sound().await;
    browser.press("Add a storage").await;
    browser.arrives_at("/storages/new").await;
    browser.is_sound().await;
    browser.press("Google Photos").await;
    browser.arrives_at("/storages/drafts/").await;
    browser.is_sound().await;

    // A token that has to be renewed, for which the secret is needed.
    let token = story.place.emulator.token_blob(CLIENT_ID, &[]);
    story.place.world().expire_access_tokens();
    browser.fill("Name", "family").await;
    browser.fill("Client ID", CLIENT_ID).await;
    browser.fill("Client secret", "a wrong one").await;
    browser.fill("Token", &token).await;
    browser.find("//fieldset[legend='Endpoints']//summary").await.click().await;
    browser.fill("Authorisation URL", &format!("{url}/o/oauth2/v2/auth")).await;
    browser.fill("Token URL", &format!("{url}/token")).await;
    browser.fill("API URL", &url).await;
    browser.press("Test connection").await;
    browser.says("It does not work yet").await;
    browser.says("What to do:").await;
    browser.is_sound().await;
    browser.picture("test-fails").await;

    browser.fill("Client secret", SECRET).await;
    browser.press("Test connection").await;
    browser.says("It works").await;
    browser.is_sound().await;

    // The consent page makes a token of its own.
    browser.press("Connect with Google").await;
    browser.arrives_at("/storages/drafts/").await;
    browser.says("Afterwards your browser comes back here by itself").await;
    browser.is_sound().await;
    consent(&story).await;
    browser.says("Connected").await;
    browser.is_sound().await;
    // Secrets went in, and do not come out.
    let page = browser.run("return document.documentElement.outerHTML", &[]).await.to_string();
    assert!(!page.contains(SECRET) && !page.contains("1//"), "a secret is shown");
    browser.press("Save").await;
    browser.until("the storage", "location.search === '?told=added'").await;
    browser.says("The storage is saved").await;
    browser.press("Test connection").await;
    browser.says("It works").await;
    browser.is_sound().await;
    // The test has led down to its stages.
    browser.run("scrollTo(0, 0)", &[]).await;
    browser.picture("storage").await;
    story.end().await;
}

#[tokio::test]
async fn what_a_withdrawn_consent_stops_is_seen_on_the_dashboard_and_cured_from_there() {
    let Some(story) = Story::begin_with(careful()).await else { return };
    let (browser, place) = (&story.browser, &story.place);
    story.set_up().await;
    place.world().seed(&Seed { items: 5, ..Seed::default() });
    let auth_url = format!("{}/o/oauth2/v2/auth", place.emulator.url());
    place.add_backup_with(&json!({"auth_url": auth_url})).await;
    place.world().revoke_refresh_tokens();
    place.world().expire_access_tokens();
    story.visit("/plans").await;
    browser.press("home").await;
    browser.arrives_at("/plans/0").await;
    browser.press("Run now").await;
    browser.arrives_at("/runs/0").await;
    browser
        .until("it waits for somebody", "document.querySelector('h1 .state').textContent === 'waiting'")
        .await;
    browser.is_sound().await;
    // What cures it is there, and stopping is asked about.
    browser.named("Connect again").await;
    browser.press("Stop").await;
    browser.says("Stop the run of home?").await;
    browser.is_sound().await;
    browser.press("Let it go on").await;
    browser.arrives_at("/runs/0").await;
    story.visit("/plans").await;
    browser.says("does not get on").await;
    browser.is_sound().await;

    story.visit("/").await;
    browser.says("What needs you").await;
    browser.is_sound().await;
    browser.picture("needs-you").await;
    browser.press("Connect again").await;
    browser.says("Afterwards your browser comes back here by itself").await;
    consent(&story).await;
    browser.until("the storage", "location.search === '?told=connected'").await;
    browser.says("what waited for it goes on").await;
    browser.says("It works").await;
    // The page says so everywhere, without being loaded again.
    let everywhere = "document.querySelector('h1 .state').textContent === 'works' \
        && document.querySelector('[data-part=test]').textContent.includes('It works')";
    browser.until("the last test", everywhere).await;
    browser.says("Consent given").await;
    browser.is_sound().await;
    place.until_runs("it went on", |runs| runs[0]["state"] == "succeeded").await;
    story.visit("/").await;
    browser.says("All 5 items that Google Photos shows Charon are backed up").await;
    assert!(!browser.text().await.contains("What needs you"));
    browser.is_sound().await;
    story.end().await;
}
