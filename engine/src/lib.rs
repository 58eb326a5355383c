//! The engine: storages, plans, runs, and the two ways through, on one SQLite database.
//!
//! It knows what a provider is and never which one. What must survive a crash is here: the ledger, upload tokens, album
//! ids, secrets. [`Engine::open`] opens a data directory; [`Engine::start`] runs a plan.
//!
//! The rooms within: [`clock`] (injected time and randomness), `store` (all SQL), `vault` (secrets at rest), `naming` and
//! `mirror` (files that came home), `backup` and `upload` (the pipelines), `template` (titles and paths that plans make up), `retry` and `lane` (waiting), `budget` (what a day's
//! quota leaves), `brief` (reasons at a glance), `run` (the context that every stage is given), `account` (whose it is), `changing` (of a storage), `health` (how one
//! stands), `unsaved` (what is tried before it is saved), `put` (what a host gives along with each run), `estimate` (what a run would do), `adopt` (what lies in a folder already) and `whole` (whether a photo is), [`schedule`] (expressions and their
//! occurrences, jitter, allowed windows), `timing` (what a plan says of that), `upcoming` (when it is due next, in plain words),
//! `replanning` (changes of plans), `from_afar` (what of a plan may be said over HTTP), `scheduler` (what is due and what may begin),
//! `asking` (for runs, and following them), `running` and `overseeing` (one attempt at a run), `events` (what happened),
//! `telling` (who is told of it), `library` (what mirrors hold), `browsing` (what storages
//! themselves show), `inbox` (single files that programs hand over), [`commands`] (what a
//! plan runs before and after), `access` (who may come in over HTTP, and what they did), `roots` (the folders that may be named over
//! HTTP).

mod access;
mod account;
mod adopt;
mod album_files;
mod asking;
mod backup;
mod brief;
mod browsing;
mod budget;
mod changing;
pub mod clock;
pub mod commands;
mod dashboard;
mod durable;
mod engine;
mod error;
mod estimate;
mod events;
mod failures;
mod from_afar;
mod health;
mod hints;
mod host;
mod ids;
mod inbox;
mod job;
mod journal;
mod lane;
mod library;
mod mirror;
mod moving;
mod naming;
mod numbers;
mod overseeing;
mod overview;
mod parking;
mod plan;
mod plans;
mod pulse;
mod put;
mod registry;
mod replanning;
mod restore;
mod retry;
mod roots;
mod run;
mod running;
pub mod schedule;
mod scheduler;
mod sidecars;
mod sites;
mod sniff;
mod storages;
mod store;
mod tallies;
mod telling;
mod template;
#[cfg(test)]
mod tests;
mod timing;
mod trash;
mod unsaved;
mod upcoming;
mod upload;
mod vault;
mod verify;
mod whole;

pub use access::{
    AuditEntry, InstanceSettings, NewAuditEntry, NewToken, OpenedSession, Scope, Session, Token, Versioned,
};
pub use adopt::{Adopted, Adopting, AdoptingPlan, AdoptionPreview};
pub use asking::{Canceller, Run};
pub use brief::in_brief;
pub use browsing::{Browsed, BrowsedItem, InLibrary, Original, Preview, RemoteAlbum};
pub use budget::{BudgetView, DayOfRequests};
pub use changing::{AccountTold, StorageChange};
/// The words of the contract that what is shown is told in.
pub use charon_provider::{AlbumId, Class, Fidelity, Kind, Reason, RemoteId};
pub use dashboard::{
    Attention, Cure, Dashboard, DayOfItems, DayOfPlan, DayVerdict, LiveStatus, PlanStatus, Sentence, Tone,
};
pub use engine::{Engine, Settings};
pub use error::Error;
pub use estimate::Estimate;
pub use events::{Event, EventKind, Subscription, Told};
pub use failures::{Cause, Example, Failures};
pub use from_afar::Below;
pub use health::{
    HealthState, LastTest, PastCheck, PlanOfStorage, StorageDetail, StorageHealth, WaitingRun, worst,
};
pub use hints::quoted;
pub use ids::{ChannelId, NoticeId, PlanId, ReceiptId, RunId, SessionId, Sha256, StorageId, TokenId};
pub use inbox::{Handing, Mode, NotTaken, Receipt, ReceiptState, Receiving};
pub use job::{AdoptJob, Job, RestoreJob, RestoreSelection, RestoreTo, TrashJob, VerifyJob};
pub use journal::RunLog;
pub use library::{
    FilesOf, Holder, InAlbum, InMirror, ItemDetails, ItemId, LibraryAlbum, LibraryFilter, LibraryItem,
    LibraryPage, MirrorStanding, MonthOfItems, NotAPosition, Position, StoredFile, StoredPart, VerifiedFiles,
};
pub use numbers::with_commas;
pub use overview::{Overview, PlanStanding};
pub use plan::{
    AfterUpload, AlbumFiles, AlbumPosition, AlbumsConfig, BackupConfig, DeletionConfig, Every, Gone,
    MediaKind, MirrorPlace, PlanConfig, SelectionConfig, UploadConfig,
};
pub use plans::PlanView;
pub use pulse::Unwell;
pub use put::Put;
pub use registry::Registry;
pub use replanning::PlanChange;
pub use restore::RestorePreview;
pub use roots::{FolderEntry, FolderList, Outside, Roots};
pub use run::{
    Counts, Current, Outcome, Progress, RunOptions, RunState, Stop, Summary, Trigger, Trouble, Wish,
};
pub use schedule::{Schedule, ScheduleError, WindowError, Windows};
pub use scheduler::{Scheduler, SchedulerSettings};
pub use sidecars::{Sidecar, Sidecars};
pub use storages::StorageView;
pub use store::{Decision, DeliveryRecord, ItemFilter, ItemRecord, Occurrence, RunFilter, RunRecord};
pub use tallies::{DURATION_BOUNDS, Durations, PlanTally, Tally};
pub use telling::{
    ChannelChange, ChannelChoice, ChannelKind, ChannelView, DeliveryState, Notice, NoticeEvent,
    channel_kinds, channel_schemas,
};
pub use timing::{MissedPolicy, OverlapPolicy, PolicyConfig, ScheduleConfig, system_time_zone};
pub use trash::{AskedItem, TrashPage, TrashStanding, TrashedItem};
pub use unsaved::{Unsaved, config_check, open_unsaved};
pub use upcoming::{MOST_UPCOMING, Upcoming, UpcomingTime};
pub use verify::{Checksums, Damage, Findings, Problem, Report, VerificationView};
