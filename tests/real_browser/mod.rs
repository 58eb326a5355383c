//! Charon in a real browser: Debian's Chromium without a window, driven through chromedriver.
//!
//! Where no Chromium is installed these tests say so and pass; under `CI=true` they fail. The WebDriver protocol is spoken here,
//! in a few lines (`wire`, `browser`): fantoccini brings a second `http` and an older ICU, and thirtyfour makes `serde_json` keep
//! the order of fields in all that is tested, which is not so in what is shipped.

#![cfg(unix)]

mod browser;
mod chromedriver;
mod coming_in;
// `script` takes other arguments elsewhere.
#[cfg(target_os = "linux")]
mod demo;
mod harness;
mod looking;
mod mirror;
mod page;
mod plans_and_runs;
mod settings;
mod storages;
mod story;
mod wire;
