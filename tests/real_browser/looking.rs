//! What a storage holds, and what is home, looked at; a file opened, a video played.

use gphotos_emulator::Seed;

use super::story::Story;

const ITEMS: u32 = 14;
/// The first picture of a grid; one of a video.
const PICTURE: &str = "//ul[contains(@class, 'grid')]//a";
const VIDEO: &str = "//ul[contains(@class, 'grid')]//a[contains(., '▶')]";

/// Waits until each picture of the page is drawn; those further down are asked for when they come into sight.
async fn sees_pictures(story: &Story, least: u32) {
    let browser = &story.browser;
    browser
        .run("document.querySelectorAll('img').forEach((image) => { image.loading = 'eager'; })", &[])
        .await;
    let images = "[...document.querySelectorAll('main img')]";
    let are_there =
        format!("{images}.length >= {least} && {images}.every((image) => image.naturalWidth > 0)");
    browser.until("the pictures", &are_there).await;
}

#[tokio::test]
async fn a_storage_is_browsed_by_album_as_a_whole_and_picture_by_picture() {
    let Some(story) = Story::begin().await else { return };
    let browser = &story.browser;
    story.set_up().await;
    story.place.world().seed(&Seed { items: ITEMS, video_share: 0.2, albums: 2, ..Seed::default() });
    story.place.add_storage().await;
    story.visit("/storages").await;
    browser.press("family").await;
    browser.press("Browse what it holds").await;
    browser.says("Everything in family").await;
    sees_pictures(&story, ITEMS).await;
    browser.is_sound().await;
    browser.find(PICTURE).await.click().await;
    browser.says("not home").await;
    sees_pictures(&story, 1).await;
    browser.is_sound().await;

    browser.press("Albums").await;
    browser.says("Albums in family").await;
    sees_pictures(&story, 2).await;
    browser.is_sound().await;
    browser.find("//ul[@class='albums']//a").await.click().await;
    browser.until("an album", "location.search.startsWith('?album=')").await;
    sees_pictures(&story, 2).await;
    browser.is_sound().await;

    // The account lets nobody in: the page says so, and where to go.
    story.place.world().revoke_refresh_tokens();
    story.place.world().expire_access_tokens();
    browser.press("Everything").await;
    browser.says("This cannot be done as things are").await;
    browser.is_sound_after_refusal(409).await;
    browser.press("Go to the storage").await;
    browser.arrives_at("/storages/0").await;
    story.end().await;
}

#[tokio::test]
async fn a_month_of_more_than_a_page_grows_under_one_heading() {
    const MANY: u32 = 130;
    let Some(story) = Story::begin().await else { return };
    let (browser, place) = (&story.browser, &story.place);
    story.set_up().await;
    let [first, last] =
        ["2025-07-02T08:00:00Z", "2025-07-30T20:00:00Z"].map(|time| time.parse().expect("a time"));
    place.world().seed(&Seed { first, last, ..Seed::plain(MANY, 2_000) });
    place.add_backup().await;
    assert_eq!(place.run("home").await.0, 0);
    story.visit("/library").await;
    browser.run("document.querySelector('a[data-next]').scrollIntoView()", &[]).await;
    let all = format!("document.querySelectorAll('.grid a').length === {MANY}");
    browser.until("the rest of the month", &all).await;
    assert_eq!(browser.run("return document.querySelectorAll('main h2').length", &[]).await, 1);
    browser.is_sound().await;
    story.end().await;
}

#[tokio::test]
async fn a_file_of_the_library_is_opened_and_a_video_is_played() {
    let Some(story) = Story::begin().await else { return };
    let (browser, place) = (&story.browser, &story.place);
    story.set_up().await;
    place.world().seed(&Seed { items: ITEMS, video_share: 0.2, ..Seed::default() });
    place.add_backup().await;
    assert_eq!(place.run("home").await.0, 0);
    story.visit("/library").await;
    sees_pictures(&story, ITEMS).await;
    browser.find("//ul[contains(@class, 'grid')]//a[not(contains(., '▶'))]").await.click().await;
    browser.arrives_at("/library/0").await;
    browser.is_sound().await;
    browser.press("Open the file").await;
    assert!(browser.address().await.ends_with("/original"), "{}", browser.address().await);
    story.visit("/library").await;
    // The browser's log has what the file's own page was refused, too.
    browser.is_sound().await;

    browser.find(VIDEO).await.click().await;
    browser.arrives_at("/library/0").await;
    browser.until("the video", "document.querySelector('main video').readyState > 0").await;
    browser.is_sound().await;
    let play = "const video = document.querySelector('main video'); video.muted = true; video.play();";
    browser.run(play, &[]).await;
    browser.until("it plays", "document.querySelector('main video').currentTime > 0").await;
    browser.is_sound().await;
    story.end().await;
}
