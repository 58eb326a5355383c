//! The first password, and the way in and out.

use super::story::{PASSWORD, Story};

#[tokio::test]
async fn a_new_charon_asks_for_a_password_and_lets_in_who_knows_it() {
    let Some(story) = Story::begin().await else { return };
    let browser = &story.browser;
    story.visit("/plans").await;
    browser.arrives_at("/setup").await;
    browser.is_sound().await;
    browser.picture("setup").await;
    browser.fill("Password", PASSWORD).await;
    browser.fill("The same password again", "something else").await;
    browser.press("Set the password").await;
    browser.says("is not the same as the password").await;
    browser.is_sound_after_refusal(422).await;
    story.set_up().await;
    browser.is_sound().await;

    browser.press("Log out").await;
    browser.arrives_at("/login").await;
    browser.is_sound().await;
    browser.fill("Password", "a guess of mine").await;
    browser.press("Log in").await;
    browser.says("this is not the password").await;
    browser.is_sound_after_refusal(401).await;
    // Whoever is out stays out, and is shown the page that was asked for once they are in.
    story.visit("/runs").await;
    browser.arrives_at("/login").await;
    browser.fill("Password", PASSWORD).await;
    browser.key(super::browser::ENTER).await;
    browser.arrives_at("/runs").await;
    story.end().await;
}
