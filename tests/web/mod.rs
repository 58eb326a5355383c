//! The web UI and the API, over real HTTP, against the emulator.

mod client;
mod plans;
mod runs;
mod library;
mod storages;
