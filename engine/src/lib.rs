//! The engine: storages, plans, runs, and the two ways through, on one SQLite database.
//!
//! It knows what a provider is and never which one. What must survive a crash is here: the ledger, upload tokens, album
//! ids, secrets. [`Engine::open`] opens a data directory; [`Engine::start`] runs a plan.
//!
//! The rooms within: [`clock`] (injected time and randomness), `store` (all SQL), `vault` (secrets at rest), `naming` and
//! `mirror` (files that came home), `backup` and `upload` (the pipelines), `retry` and `lane` (waiting), `run` (the context
//! that every stage is given), `account` (whose it is), `unsaved` (what is tried before it is saved), `estimate` (what a run
//! would do), `telling` (who is told what became of a run), [`commands`] (what a plan runs before and after), [`schedule`] (expressions and their next occurrences; nothing runs by them yet).

mod account;
mod backup;
pub mod clock;
pub mod commands;
mod durable;
mod engine;
mod error;
mod estimate;
mod hints;
mod host;
mod ids;
mod lane;
mod mirror;
mod naming;
mod numbers;
mod parking;
mod plan;
mod plans;
mod registry;
mod retry;
mod run;
mod running;
pub mod schedule;
mod sniff;
mod storages;
mod store;
mod telling;
#[cfg(test)]
mod tests;
mod unsaved;
mod upload;
mod vault;

pub use engine::{Engine, Settings};
pub use error::Error;
pub use estimate::Estimate;
pub use ids::{ChannelId, NoticeId, PlanId, RunId, StorageId};
pub use numbers::with_commas;
pub use plan::{
    AlbumPosition, AlbumsConfig, BackupConfig, Every, MediaKind, PlanConfig, SelectionConfig, UploadConfig,
};
pub use plans::PlanView;
pub use registry::Registry;
pub use run::{Counts, Outcome, Progress, RunState, Stop, Summary, Trouble};
pub use running::{Canceller, Run, RunOptions};
pub use schedule::{Schedule, ScheduleError};
pub use storages::StorageView;
pub use store::{DeliveryRecord, ItemRecord, RunRecord};
pub use telling::{ChannelChoice, ChannelView, DeliveryState, Notice, NoticeEvent, channel_schemas};
pub use unsaved::{Unsaved, config_check};
