//! The pages that people come to now and then: the budget, the API, settings, notifications, and a photo that is sent by hand.

use super::story::{PASSWORD, Story};

const ALL_OPEN: &str = "document.querySelectorAll('details').forEach((one) => (one.open = true))";

impl Story {
    /// A check of the page with all that is folded away.
    async fn is_sound_unfolded(&self) {
        self.browser.is_sound().await;
        self.browser.run(ALL_OPEN, &[]).await;
        self.browser.is_sound().await;
    }

    /// Waits until what a selector finds can be seen without scrolling.
    async fn has_in_sight(&self, selector: &str) {
        let place = format!("document.querySelector('{selector}')?.getBoundingClientRect()");
        let expression = format!("{place}?.top >= 0 && {place}?.bottom <= innerHeight");
        self.browser.until("something in sight", &expression).await;
    }
}

#[tokio::test]
async fn the_budget_and_the_description_of_the_api_are_read() {
    let Some(story) = Story::begin().await else { return };
    let browser = &story.browser;
    story.set_up().await;
    story.visit("/budget").await;
    browser.says("There is no storage yet").await;
    browser.is_sound().await;
    story.place.draw("pictures", 0..2);
    story.place.add_storage().await;
    story.visit("/storages").await;
    browser.press("family").await;
    browser.press("Test connection").await;
    browser.says("It works").await;
    browser.says("Requests to the API").await;
    story.visit("/budget").await;
    browser.says("Requests to the API").await;
    browser.says("Used today").await;
    story.is_sound_unfolded().await;

    story.visit("/api").await;
    browser.says("Everything that these pages do, programs can do too").await;
    browser.find("//summary[contains(., '/api/v1/plans/{id}') and contains(., 'PUT')]").await.click().await;
    browser.says("If-Match").await;
    browser.says("curl --fail-with-body -X PUT").await;
    story.is_sound_unfolded().await;
    story.end().await;
}

#[tokio::test]
async fn on_the_page_of_settings_each_answer_is_in_sight() {
    let Some(story) = Story::begin().await else { return };
    let browser = &story.browser;
    story.set_up().await;
    story.visit("/settings").await;
    story.is_sound_unfolded().await;
    browser.fill("The present password", "not this one").await;
    browser.fill("The new password", "another quiet river").await;
    browser.fill("The new password again", "another quiet river").await;
    browser.press("Change the password").await;
    browser.until("a mistake", "document.title.startsWith('Not saved')").await;
    story.has_in_sight("#old-mistake").await;
    browser.is_sound_after_refusal(422).await;
    browser.fill("The present password", PASSWORD).await;
    browser.fill("The new password", "another quiet river").await;
    browser.fill("The new password again", "another quiet river").await;
    browser.press("Change the password").await;
    browser.says("The password is changed").await;
    story.has_in_sight(".notice.good").await;

    browser.find("//*[@id='token-name']").await.write("Home Assistant").await;
    browser.press("Make the token").await;
    browser.says("it cannot be shown again").await;
    story.has_in_sight("#secret").await;
    browser.is_sound().await;
    browser.run("window.confirm = () => true", &[]).await;
    browser.press("Revoke Home Assistant").await;
    browser.says("The token is revoked").await;
    story.has_in_sight(".notice.good").await;
    browser.is_sound().await;
    browser.press("Open the audit log").await;
    browser.says("revoke token").await;
    browser.is_sound().await;
    story.end().await;
}

#[tokio::test]
async fn a_channel_is_made_changed_tried_in_vain_and_removed() {
    let Some(story) = Story::begin().await else { return };
    let browser = &story.browser;
    story.set_up().await;
    story.visit("/settings/notifications").await;
    browser.says("Nobody is told yet").await;
    browser.is_sound().await;
    browser.press("Add: E-mail").await;
    story.is_sound_unfolded().await;
    browser.press("Save").await;
    browser.until("what is wrong", "document.activeElement.id === 'mistakes'").await;
    browser.until("the title", "document.title.startsWith('Not saved')").await;
    browser.is_sound_after_refusal(422).await;
    // From what is wrong to the field, by its link.
    browser.find("//*[@id='mistakes']//a[.='Name']").await.click().await;
    browser.until("the field", "location.hash === '#name'").await;
    browser.fill("Name", "mail").await;
    browser.fill("SMTP server", "127.0.0.1").await;
    browser.find("//*[@id='field-port']").await.write("1").await;
    browser.fill("User", "pat").await;
    browser.fill("Password", "hunter2").await;
    browser.fill("From", "charon@example.org").await;
    browser.fill("To", "pat@example.org").await;
    browser.press("Save").await;
    browser.says("mail is saved").await;
    browser.is_sound().await;

    browser.press("Test mail").await;
    browser.says("The test did not get through").await;
    story.has_in_sight(".notice.bad").await;
    browser.is_sound_after_refusal(502).await;
    browser.press("Change mail").await;
    browser.fill("Name", "my mail").await;
    browser.fill("User", "").await;
    browser.press("Save").await;
    browser.says("is to be entered again").await;
    browser.is_sound_after_refusal(422).await;
    browser.field("Forget what is stored").await.click().await;
    browser.press("Save").await;
    browser.says("my mail: your changes are saved").await;
    browser.press("Change my mail").await;
    browser.press("Remove this channel").await;
    browser.says("Remove my mail?").await;
    browser.is_sound().await;
    browser.press("Remove it").await;
    browser.says("The channel is removed").await;
    story.end().await;
}

#[tokio::test]
async fn a_photo_is_sent_by_hand() {
    let Some(story) = Story::begin().await else { return };
    let browser = &story.browser;
    story.set_up().await;
    story.place.add_storage().await;
    story.place.draw("pictures", 0..1);
    story.visit("/storages").await;
    browser.press("family").await;
    browser.press("Send a photo to it").await;
    browser.says("Nothing yet").await;
    story.is_sound_unfolded().await;
    browser.fill("Album", "Front door").await;
    let picture = story.place.path("pictures/IMG_0000.jpg");
    browser.find("//*[@id='file']").await.write(picture.to_str().expect("a path")).await;
    browser.press("Send").await;
    browser.says("IMG_0000.jpg is there").await;
    browser.is_sound().await;
    story.end().await;
}
