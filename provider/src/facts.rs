//! What a storage declares: capabilities, limits, meters. The engine and the user interface obey it.

use std::{num::NonZeroU32, time::Duration};

use schemars::JsonSchema;
use serde::Serialize;

use crate::{Cost, Kind, Selection};

/// Everything a storage declares of itself.
#[derive(Clone, Debug)]
pub struct Facts {
    /// As whom the storage sees what it sees (for Google Photos the OAuth client). Under another identity, what the ledger
    /// knows of it would not apply.
    pub identity: String,
    /// What it can do.
    pub capabilities: Capabilities,
    /// What is counted against the account or its project, and when the count starts again.
    pub meters: Vec<Meter>,
    /// How uploads are committed.
    pub batch: BatchPolicy,
    /// What it takes.
    pub limits: UploadLimits,
    /// What its configuration selects, where a plan does not say otherwise.
    pub selection: Selection,
    /// What one step of a run costs, for estimates and for what has to be held in reserve.
    pub costs: Costs,
    /// How fast it may be asked.
    pub pace: Pace,
    /// Whether the size of every item that is fetched is to be [measured](crate::Source::measure) first.
    pub read_size: bool,
}

/// What one step of a run costs, each as the meters that count it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Costs {
    /// One page of a listing.
    pub page: Vec<Cost>,
    /// The most items that a page has.
    pub page_items: usize,
    /// The bytes of one item, with its measuring if sizes are read.
    pub fetch: Vec<Cost>,
    /// One request that sends a file; see [`requests_to_send`](crate::Sink::requests_to_send) for how many that takes.
    pub send: Vec<Cost>,
    /// One commit.
    pub commit: Vec<Cost>,
}

/// How fast a storage may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Requests per minute, all together; `None` for as many as it takes.
    pub requests_per_minute: Option<NonZeroU32>,
    /// The most transfers at a time. It is a ceiling: who is told to slow down uses fewer.
    pub connections: usize,
    /// Bytes per second that go up, all together; `None` for no limit.
    pub up: Option<NonZeroU32>,
    /// Bytes per second that come down, all together; `None` for no limit.
    pub down: Option<NonZeroU32>,
}

impl Default for Pace {
    fn default() -> Self {
        Self { requests_per_minute: None, connections: 16, up: None, down: None }
    }
}

/// What a storage can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[expect(clippy::struct_excessive_bools, reason = "each is one yes or no that a form shows")]
pub struct Capabilities {
    /// It can tell what it holds.
    pub list: bool,
    /// It can give the bytes of what it holds.
    pub download: bool,
    /// It takes new items.
    pub upload: bool,
    /// It has albums.
    pub albums: bool,
    /// It gives small pictures of what it holds.
    pub previews: bool,
    /// The files of a mirror can be kept there: [`Storage::destination`](crate::Storage::destination) is there.
    pub destination: bool,
}

/// Something that is counted, with a daily limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meter {
    /// Stable name, the same as in [`Cost`](crate::Cost): `api`, `media`.
    pub id: &'static str,
    /// Who shares the count, for instance a Google Cloud project number.
    pub account: String,
    /// Requests per day.
    pub limit: u32,
    /// When the count starts again.
    pub resets: Resets,
}

/// When a meter starts again from zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resets {
    /// Every day at midnight in this IANA time zone.
    DailyAt(&'static str),
}

/// How uploads are committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchPolicy {
    /// The most items that one commit takes; at least 1.
    pub size: usize,
    /// The most items that may be staged and not yet committed; at least `size`.
    pub staged: usize,
    /// A batch that is not full is committed when nothing has joined it for this long while more is still on its way.
    pub idle: Duration,
    /// How long one commit may take; after that its answer is taken for lost.
    pub commit_timeout: Duration,
}

/// What a storage takes, so that nothing is sent that would be refused.
#[derive(Clone, Debug, Default)]
pub struct UploadLimits {
    /// The formats it documents, by file extension.
    pub formats: &'static [Format],
    /// The largest photo, in bytes.
    pub photo_bytes: u64,
    /// The largest video, in bytes.
    pub video_bytes: u64,
    /// The longest title of an album, in characters.
    pub album_title_chars: usize,
    /// The longest description of an item, in characters; 0 if it takes none.
    pub description_chars: usize,
}

/// One format that a storage takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// The file extension, lower case, without the dot.
    pub extension: &'static str,
    /// Whether files of this format are photos or videos.
    pub kind: Kind,
    /// The media type to declare when sending.
    pub mime_type: &'static str,
}

impl UploadLimits {
    /// The format that goes with a file's extension, whatever its case.
    pub fn format_of(&self, extension: &str) -> Option<&'static Format> {
        self.formats.iter().find(|format| format.extension.eq_ignore_ascii_case(extension))
    }

    /// The largest file of this kind, in bytes.
    pub fn largest(&self, kind: Kind) -> u64 {
        match kind {
            Kind::Photo => self.photo_bytes,
            Kind::Video => self.video_bytes,
        }
    }
}
