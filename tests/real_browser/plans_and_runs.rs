//! Plans made in the browser, their runs watched to the end, and what came home looked at.

use gphotos_emulator::{Action, Fault, Seed};
use serde_json::json;

use super::{browser::ENTER, story::Story};

const PHOTOS: u32 = 48;
/// Keeps what a form says while it waits for its answer, with its button out of use.
const WATCH: &str = "new MutationObserver(() => {
        const form = document.querySelector('form[aria-busy=true]');
        const words = form?.querySelector('.doing')?.textContent;
        if (words && form.querySelector('button:disabled')) sessionStorage.setItem('said meanwhile', words);
    }).observe(document.body, {subtree: true, childList: true, attributes: true, characterData: true});";

/// Real pictures in the account, a storage on it, and pictures to be sent.
async fn prepare(story: &Story) {
    let place = &story.place;
    let [first, last] =
        ["2025-07-01T08:00:00Z", "2025-08-20T20:00:00Z"].map(|time| time.parse().expect("a time"));
    place.world().seed(&Seed { items: PHOTOS, video_share: 0.1, albums: 2, first, last, ..Seed::default() });
    // One after the other, so that there is something to watch.
    place.add_storage_with(&json!({"connections": 1})).await;
    place.draw("pictures", 0..6);
}

async fn make_backup_plan(story: &Story) {
    let browser = &story.browser;
    story.visit("/plans").await;
    browser.is_sound().await;
    story.visit("/plans/new?kind=backup").await;
    browser.is_sound().await;
    browser.picture("new-plan").await;
    browser.fill("Name", "home").await;
    // No folder outside the ones that the server was started with can be named.
    browser.fill("Destination", "/etc/photos").await;
    browser.press("Save").await;
    browser.says("Nothing is saved yet").await;
    browser.is_sound_after_refusal(422).await;
    browser.fill("Destination", story.place.path("mirror").to_str().expect("a path")).await;
    browser.press("Check the schedule").await;
    browser.until("the place of what was asked", "location.hash === '#explained'").await;
    browser.is_sound().await;
    // What takes a while says so meanwhile, and is not sent twice.
    story.place.fault(Fault::always(Action::Latency { ms: 1_500 }));
    browser.run(WATCH, &[]).await;
    browser.press("Preview").await;
    browser.says("If it ran now").await;
    story.place.world().clear_faults();
    let said = browser.run("return sessionStorage.getItem('said meanwhile')", &[]).await;
    assert_eq!(said, "Looking at what there is; that may take a while…");
    browser.says(&PHOTOS.to_string()).await;
    browser.is_sound().await;
    browser.press("Save").await;
    browser.arrives_at("/plans/0").await;
    browser.is_sound().await;
}

/// Watches the run whose page is shown; nothing loads the page again.
async fn watch(story: &Story, count: u32) {
    let browser = &story.browser;
    browser.arrives_at("/runs/0").await;
    browser.run("window.isStillThisPage = true", &[]).await;
    let done = "Number(document.querySelector('[data-fact=done]').textContent)";
    browser.until("the first items", &format!("{done} > 12 && {done} < {count}")).await;
    browser.picture("run").await;
    browser.is_sound().await;
    browser.until("the last item", &format!("{done} === {count}")).await;
    browser.until("the end", "document.querySelector('h1 .state').textContent === 'succeeded'").await;
    assert_eq!(browser.run("return window.isStillThisPage", &[]).await, true);
    browser.is_sound().await;
}

#[tokio::test]
async fn both_plans_are_made_previewed_run_and_watched_and_their_items_are_there() {
    let Some(story) = Story::begin().await else { return };
    let browser = &story.browser;
    story.set_up().await;
    prepare(&story).await;
    make_backup_plan(&story).await;

    let slow = Fault::always(Action::Latency { ms: 200 });
    story.place.fault(slow.on(&["media.bytes"]));
    browser.press("Run now").await;
    watch(&story, PHOTOS).await;
    story.place.world().clear_faults();
    browser.find("//a[.//*[@data-fact='done']]").await.click().await;
    browser.says("Items that are done").await;
    let rows = format!("document.querySelectorAll('tbody tr').length === {PHOTOS}");
    browser.until("a row for each item", &rows).await;
    browser.is_sound().await;

    story.visit("/plans/new?kind=upload").await;
    browser.fill("Name", "out").await;
    browser.fill("Folders", story.place.path("pictures").to_str().expect("a path")).await;
    browser.fill("Album", "From home").await;
    browser.press("Preview").await;
    browser.says("If it ran now").await;
    browser.is_sound().await;
    browser.press("Save").await;
    browser.arrives_at("/plans/0").await;
    // By the keyboard alone, this time.
    browser.tab_to("Run now").await;
    browser.key(ENTER).await;
    browser.arrives_at("/runs/0").await;
    browser.until("the end", "document.querySelector('h1 .state').textContent === 'succeeded'").await;
    story.place.assert_account_holds("pictures", "From home");

    story.visit("/runs").await;
    browser.is_sound().await;
    story.visit("/").await;
    browser.says("are backed up").await;
    browser.is_sound().await;
    browser.picture("dashboard").await;
    look_around_in_the_library(&story).await;
    story.end().await;
}

async fn look_around_in_the_library(story: &Story) {
    let browser = &story.browser;
    story.visit("/library").await;
    // Those further down are asked for when they come into sight.
    browser
        .run("document.querySelectorAll('img').forEach((image) => { image.loading = 'eager'; })", &[])
        .await;
    let images = "[...document.querySelectorAll('main img')]";
    let are_there =
        format!("{images}.length >= {PHOTOS} && {images}.every((image) => image.naturalWidth > 0)");
    browser.until("every thumbnail", &are_there).await;
    browser.is_sound().await;
    browser.picture("library").await;
    browser.find("//ul[contains(@class, 'grid')]//a").await.click().await;
    browser.arrives_at("/library/").await;
    browser.until("the picture", "document.querySelector('main img, main video')").await;
    browser.is_sound().await;
}
