//! Google Photos on loopback: a faithful emulator for a demo, for tests, and for other people's clients.
//!
//! It serves Library API v1, OAuth and base URLs as they are documented and were seen to behave, keeps everything in
//! memory, tells the truth behind `/-/`, and misbehaves when told to. It promises that what a client may rely on at
//! Google holds here, and that what is uncertain is a field of [`Settings`]. It leaves the Picker API and gRPC out.
//!
//! ```no_run
//! use gphotos_emulator::{Emulator, Fault, Action, Seed, Settings};
//!
//! # async fn example() -> std::io::Result<()> {
//! let emulator = Emulator::start(Settings::default()).await?;
//! emulator.world().seed(&Seed { items: 300, albums: 6, video_share: 0.05, ..Seed::default() });
//! emulator.world().add_fault(Fault::once(Action::ConnectionReset).on(&["media.bytes"]));
//! let api = format!("{}/v1", emulator.url());
//! # Ok(())
//! # }
//! ```

mod account;
mod admin;
mod albums;
mod base_url;
mod breaking;
mod call;
mod clock;
mod consent;
mod content;
mod discovery;
mod edit;
mod error;
pub mod exif;
mod fault;
mod fields;
mod filters;
mod full_resolution;
mod grants;
mod h264;
pub mod jpeg;
mod large;
mod listing;
mod media;
mod media_items;
mod moved;
mod oauth;
mod odd;
mod operation;
mod params;
pub mod picture;
#[cfg(feature = "tls-proxy")]
mod proxy;
mod quota;
mod random;
mod ranges;
mod received;
mod resource;
mod seed;
mod server;
mod settings;
mod sniff;
mod state;
mod stats;
mod uploads;
pub mod video;
mod world;
mod zip;

pub use account::Account;
pub use fault::{Action, Fault, Limit, SessionAnswer};
pub use full_resolution::{FullResolutionFault, FullResolutionProxy, FullResolutionStats};
pub use grants::SCOPES;
pub use moved::{SentTruth, ServedTruth};
pub use odd::Oddity;
#[cfg(feature = "tls-proxy")]
pub use proxy::{HOSTS, ProxyError, TlsProxy};
pub use seed::{Seed, Seeded};
pub use server::Emulator;
pub use settings::Settings;
pub use stats::Stats;
pub use world::{AlbumTruth, FaultTruth, ItemTruth, World, WorldError};
