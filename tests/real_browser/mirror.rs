//! A mirror verified and repaired, its trash looked into, and a question answered.

use std::fs;

use serde_json::json;

use super::story::Story;

/// A plan that moves what is gone to the trash, with its photos home.
async fn prepare(story: &Story) {
    let place = &story.place;
    place.seed(20);
    place.add_storage().await;
    let config = json!({
        "kind": "backup", "storage": "family", "destination": place.path("mirror"),
        "deletion": {"gone": "trash", "after_listings": 2, "most_percent": 10},
    });
    place.add_plan("home", &config).await;
    assert_eq!(place.run("home").await.0, 0);
}

/// So many items are deleted in the account, and two runs look.
async fn lose(story: &Story, items: usize) {
    for item in &story.place.world().items()[..items] {
        assert!(story.place.world().remove_item(&item.id));
    }
    for _ in 0..2 {
        story.place.charon(&["run", "home", "--full", "--json"]).await;
    }
}

#[tokio::test]
async fn a_mirror_is_verified_and_repaired_and_its_report_read() {
    let Some(story) = Story::begin().await else { return };
    let (browser, place) = (&story.browser, &story.place);
    story.set_up().await;
    prepare(&story).await;
    let files = place.mirrored();
    let root = place.path("mirror");
    fs::write(root.join(&files[0].0), "something else").expect("written");
    fs::remove_file(root.join(&files[1].0)).expect("removed");
    fs::write(root.join("photos/letter.txt"), "dear all").expect("written");

    story.visit("/plans").await;
    browser.press("home").await;
    browser.press("Mirror").await;
    browser.says("has not been verified yet").await;
    browser.is_sound().await;
    browser.press("Verify").await;
    browser.arrives_at("/runs/0").await;
    browser.until("the end", "document.querySelector('h1 .state').textContent === 'some failed'").await;
    browser.says("What it found").await;
    browser.is_sound().await;
    story.visit("/").await;
    browser.says("2 files of home are damaged").await;
    browser.is_sound().await;
    browser.press("Look at the mirror").await;
    browser.says("Damaged").await;
    browser.is_sound().await;
    browser.picture("mirror").await;
    browser.press("Verify and repair").await;
    browser.until("the end", "document.querySelector('h1 .state').textContent === 'succeeded'").await;
    browser.press("The report").await;
    browser.says("repaired").await;
    browser.is_sound().await;
    browser.picture("report").await;
    story.end().await;
}

#[tokio::test]
async fn what_is_home_is_previewed_and_brought_back_to_the_account() {
    let Some(story) = Story::begin().await else { return };
    let (browser, place) = (&story.browser, &story.place);
    story.set_up().await;
    prepare(&story).await;
    // The account has lost three of them.
    for item in &place.world().items()[..3] {
        assert!(place.world().remove_item(&item.id));
    }
    story.visit("/plans").await;
    browser.press("home").await;
    browser.press("Restore…").await;
    browser.is_sound().await;
    browser.press("See what would be done").await;
    browser.says("Nothing was restored.").await;
    browser.is_sound_after_refusal(422).await;
    browser.run("document.querySelector('#storage').selectedIndex = 1", &[]).await;
    browser.press("See what would be done").await;
    browser.says("3 to be sent").await;
    browser.is_sound().await;
    browser.picture("restore").await;
    browser.press("Restore").await;
    browser.arrives_at("/runs/0").await;
    browser.until("the end", "document.querySelector('h1 .state').textContent === 'succeeded'").await;
    assert_eq!(place.world().item_count(), 20);
    story.end().await;
}

#[tokio::test]
async fn a_question_is_answered_and_what_is_in_the_trash_put_back() {
    let Some(story) = Story::begin().await else { return };
    let browser = &story.browser;
    story.set_up().await;
    prepare(&story).await;
    lose(&story, 5).await;
    story.visit("/").await;
    browser.says("5 items of home: gone from the account").await;
    browser.is_sound().await;
    browser.press("See which, and answer").await;
    browser.says("5 items are gone from the account").await;
    browser.is_sound().await;
    browser.picture("question").await;
    browser.press("5 items may go").await;
    browser.says("looks each of them up once more").await;
    browser.is_sound().await;
    browser.press("Run now, and list everything").await;
    browser.arrives_at("/runs/0").await;
    browser.until("the end", "document.querySelector('h1 .state').textContent === 'succeeded'").await;

    story.visit("/plans").await;
    browser.press("home").await;
    browser.press("Trash (5 files)").await;
    browser.is_sound().await;
    browser.picture("trash").await;
    browser.run("document.querySelector('input[name=item]').click()", &[]).await;
    browser.press("Put the chosen back").await;
    browser.arrives_at("/runs/0").await;
    browser.until("the end", "document.querySelector('h1 .state').textContent === 'succeeded'").await;
    story.visit("/plans").await;
    browser.press("home").await;
    browser.press("Trash (4 files)").await;
    browser.press("Remove everything").await;
    browser.says("cannot be taken back").await;
    browser.is_sound().await;
    browser.press("Remove everything for good").await;
    browser.arrives_at("/runs/0").await;
    browser.until("the end", "document.querySelector('h1 .state').textContent === 'succeeded'").await;
    story.end().await;
}
