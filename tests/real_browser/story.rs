//! A place, a real `charon serve` in it, and a browser that looks at it.

use gphotos_emulator::Settings;

use super::browser::Browser;
use crate::{serve::Serving, support::Place};

pub(super) const PASSWORD: &str = "a ferry over a quiet river";

/// What a story in the browser needs.
pub(super) struct Story {
    pub(super) place: Place,
    pub(super) browser: Browser,
    serving: Serving,
    site: String,
}

impl Story {
    /// A new Charon, and a browser that has not been there; none where there is no browser.
    pub(super) async fn begin() -> Option<Self> {
        Self::begin_with(Settings::default()).await
    }

    /// The same, with an account that is like this.
    pub(super) async fn begin_with(settings: Settings) -> Option<Self> {
        let browser = Browser::start().await?;
        let place = Place::with(settings).await;
        let folder = place.path("");
        let mut serving = place.service(&["--root", folder.to_str().expect("a path")], &[]);
        let site = format!("http://{}", serving.address().await);
        Some(Self { place, browser, serving, site })
    }

    /// Goes to a page of Charon.
    pub(super) async fn visit(&self, path: &str) {
        self.browser.open(&format!("{}{path}", self.site)).await;
    }

    /// Sets the first password.
    pub(super) async fn set_up(&self) {
        let browser = &self.browser;
        self.visit("/").await;
        browser.arrives_at("/setup").await;
        browser.fill("Password", PASSWORD).await;
        browser.fill("The same password again", PASSWORD).await;
        browser.press("Set the password").await;
        browser.arrives_at_exactly("/").await;
    }

    /// Ends the program, as a service manager does.
    pub(super) async fn end(self) {
        assert_eq!(self.serving.terminate().await, Some(0));
    }
}
