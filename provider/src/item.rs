//! A remote item: one photo or video that a storage holds.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a storage names an item for ever.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct RemoteId(pub String);

impl fmt::Display for RemoteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Photo or video.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A still picture.
    Photo,
    /// A moving one.
    Video,
}

/// Whether the bytes can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// They can.
    Ready,
    /// Not yet: the storage is still working on it. A later run will find it ready.
    Processing,
    /// The storage says that it could not make sense of the item.
    Failed,
}

/// How true bytes are to the original.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fidelity {
    /// The very bytes: we sent them, or a full-resolution source gave them.
    Original,
    /// What the API gives: not byte-identical (Google strips the location and re-encodes).
    ApiCopy,
}

/// Where the bytes are for a while.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// An opaque URL. Whoever has it can have the bytes, so it is not printed.
    pub url: String,
    /// From this moment on it is not to be relied upon.
    pub valid_until: Timestamp,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address").field("valid_until", &self.valid_until).finish_non_exhaustive()
    }
}

/// One photo or video, as the storage describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteItem {
    /// Its name for ever.
    pub id: RemoteId,
    /// The file name it was given, whatever characters that has; may be empty.
    pub file_name: String,
    /// The media type, lower case; may be empty.
    pub mime_type: String,
    /// Photo or video.
    pub kind: Kind,
    /// When it was taken, if the storage knows.
    pub taken_at: Option<Timestamp>,
    /// Pixels.
    pub width: Option<u32>,
    /// Pixels.
    pub height: Option<u32>,
    /// Bytes, if the storage said so.
    pub size: Option<u64>,
    /// Whether there is, or may well be, a short clip beside the still: [`Part::Clip`](crate::Part::Clip).
    pub has_clip: bool,
    /// Whether its bytes can be had.
    pub readiness: Readiness,
    /// The user's words on it, if there are any.
    pub description: Option<String>,
    /// The camera that took it, if the storage knows.
    pub camera: Option<Camera>,
    /// Where its bytes are; `None` where the storage did not say.
    pub address: Option<Address>,
}

/// A camera, by what photos say of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Camera {
    /// Who made it.
    pub make: Option<String>,
    /// What it is called.
    pub model: Option<String>,
}
