//! The contract between the engine and any provider, and the words they speak.
//!
//! A [`Provider`] is a kind of storage, compiled in as a crate. Opened with a configuration it becomes a [`Storage`]:
//! one account, with what it can do declared in its [`Facts`] and done through [`Source`] (photos come home), [`Sink`]
//! (photos go out), [`Albums`] and [`Destination`] (files of a mirror are kept there).
//!
//! The division of labour: the provider speaks its protocol, one attempt per call, and keeps nothing that must
//! survive a crash. The engine owns everything else: retries (an [`Error`] has a [`Class`], and the class decides), the
//! ledger, the budget, the batches, the secrets at rest. What the provider needs from the engine it asks of its
//! [`Host`].
//!
//! No I/O happens here.

mod album;
mod check;
mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
mod destination;
mod error;
mod facts;
mod host;
mod item;
mod provider;
mod sink;
mod source;
mod storage;

/// What a configuration is described and judged by.
pub use charon_schema::{ConfigSchema, Mistake, Mistakes};

pub use album::{Album, AlbumId, AlbumPage, Albums};
pub use check::{Check, Verdict};
pub use config::{Config, Revision, Secrets};
pub use destination::{Depth, Destination, Entry, EntryKind};
pub use error::{Class, Error, Reason};
pub use facts::{BatchPolicy, Capabilities, Costs, Facts, Format, Meter, Pace, Resets, UploadLimits};
pub use host::{Conflict, Cost, Host};
pub use item::{Address, Camera, Fidelity, Kind, Readiness, RemoteId, RemoteItem};
pub use provider::{Authorization, Consent, Consenting, Description, Provider};
pub use sink::{Content, KeepSession, Placement, Position, Session, Sink, Staged, UploadToken};
pub use source::{
    AlbumChoice, Body, Cursor, Existence, Page, Part, ResumePoint, Selection, Source, WayToOriginals,
};
pub use storage::Storage;
