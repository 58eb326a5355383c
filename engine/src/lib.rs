//! The engine: storages, plans, runs, and the two ways through, on one SQLite database.
//!
//! It knows what a provider is and never which one. What must survive a crash is here: the ledger, upload tokens, album
//! ids, secrets. [`Engine::open`] opens a data directory; [`Engine::start`] runs a plan.
//!
//! The rooms within: [`clock`] (injected time and randomness), `store` (all SQL), `vault` (secrets at rest), `naming` and
//! `mirror` (files that came home), `backup` and `upload` (the pipelines), `retry` and `lane` (waiting), `budget`
//! (what a day's quota leaves), `run` (the context
//! that every stage is given), `account` (whose it is), `unsaved` (what is tried before it is saved), `estimate` (what a run
//! would do), [`schedule`] (expressions and their next occurrences; nothing runs by them yet).

mod account;
mod backup;
mod budget;
pub mod clock;
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
#[cfg(test)]
mod tests;
mod unsaved;
mod upload;
mod vault;

pub use budget::{BudgetView, DayOfRequests};
pub use engine::{Engine, Settings};
pub use error::Error;
pub use estimate::Estimate;
pub use ids::{PlanId, RunId, StorageId};
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
pub use store::{ItemRecord, RunRecord};
pub use unsaved::{Unsaved, config_check};
