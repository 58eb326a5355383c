//! That the checks of pages find what they are for.

use std::panic::AssertUnwindSafe;

use axum::{Router, http::header, response::IntoResponse, routing::get};
use futures::FutureExt;
use gphotos_emulator::{Emulator, Settings};
use tokio::{net::TcpListener, task::AbortHandle};

use super::browser::Browser;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'";
const STYLE: &str = "body { margin: 0; font: 16px sans-serif; color: #222; background: #fff }
    @media (prefers-color-scheme: dark) { .light { color: #333; background: #222 } }
    .wide { width: 500px }";
const ICON: &str = "<svg xmlns='http://www.w3.org/2000/svg'/>";
/// What is wrong with a page, and what is then said of it.
const MISTAKES: [(&str, &str, &str); 7] = [
    ("style", "<p style='color: red'>Red</p>", "against the policy: style-src-attr"),
    ("script", "<script>let it = 1;</script>", "against the policy: script-src-elem"),
    ("missing", "<script src='/nowhere.js'></script>", "404 (Not Found)"),
    ("failing", "<script src='/failing.js'></script>", "a script failed: Uncaught Error: on purpose"),
    ("label", "<input name='nameless'>", "label (Form elements must have labels)"),
    ("dark", "<p class='light'>Nobody reads this at night</p>", "dark: color-contrast"),
    ("wide", "<div class='wide'>Far</div>", "the page is 500 wide"),
];

fn page(body: &str) -> impl IntoResponse + use<> {
    let html = format!(
        "<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'><title>A page</title><link rel='icon' href='/icon.svg'>\
         <meta name='viewport' content='width=device-width'><link rel='stylesheet' href='/style.css'></head>\
         <body><main><h1>A page</h1>{body}</main></body></html>"
    );
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, POLICY)], html)
}

/// A site of pages with one mistake each, and one without.
async fn site() -> (String, AbortHandle) {
    let script = ([(header::CONTENT_TYPE, "text/javascript")], "throw new Error('on purpose')");
    let mut router = Router::new()
        .route("/style.css", get(|| async { ([(header::CONTENT_TYPE, "text/css")], STYLE) }))
        .route("/icon.svg", get(|| async { ([(header::CONTENT_TYPE, "image/svg+xml")], ICON) }))
        .route("/failing.js", get(|| async move { script }))
        .route("/sound", get(|| async { page("<p>Nothing is wrong here.</p>") }));
    for (name, body, _) in MISTAKES {
        router = router.route(&format!("/{name}"), get(move || async move { page(body) }));
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    (address, serving.abort_handle())
}

#[tokio::test]
async fn a_page_with_a_mistake_is_told_from_one_without() {
    let Some(browser) = Browser::start().await else { return };
    let (site, serving) = site().await;
    browser.open(&format!("{site}/sound")).await;
    browser.is_sound().await;
    for (name, _, told) in MISTAKES {
        browser.open(&format!("{site}/{name}")).await;
        let judged = AssertUnwindSafe(browser.is_sound()).catch_unwind().await;
        let panic = judged.expect_err("a mistake is found");
        let words = panic.downcast_ref::<String>().expect("words");
        assert!(words.contains(told), "{name}: {words}");
        assert_eq!(
            words.lines().filter(|line| line.contains("against the policy")).count(),
            usize::from(told.contains("policy"))
        );
    }
    serving.abort();
}

#[tokio::test]
async fn a_person_finds_presses_and_writes() {
    let Some(browser) = Browser::start().await else { return };
    let emulator = Emulator::start(Settings::default()).await.expect("the emulator starts");
    let url = emulator.url();
    let back = format!("{url}/nowhere");
    let scope = gphotos_emulator::SCOPES[0];
    browser
        .open(&format!(
            "{url}/o/oauth2/v2/auth?client_id=1&response_type=code&redirect_uri={back}&scope={scope}"
        ))
        .await;
    browser.says("This is the emulator, not Google").await;
    browser.press("Cancel").await;
    browser.arrives_at("/nowhere").await;
    assert!(browser.address().await.ends_with("?error=access_denied"));
    emulator.stop().await;
}
