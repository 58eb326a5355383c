//! The web UI and the API, over real HTTP, against the emulator.

mod client;
mod library;
mod plans;
mod runs;
mod storages;
