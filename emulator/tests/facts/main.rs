//! The facts about Google Photos, as the emulator keeps them: over real HTTP, one test for each sentence.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod broken;
mod bytes;
mod faults;
mod large;
mod library;
mod limits;
mod moved;
mod moving;
mod oauth;
mod pages;
mod settings;
mod support;
mod user;
