//! The web UI and the API, over real HTTP, against the emulator.

mod channels;
mod client;
mod library;
mod mirror;
mod plans;
mod refusals;
mod restoring;
mod runs;
mod settings;
mod storages;
