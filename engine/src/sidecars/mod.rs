//! Sidecars: a small file beside each photo or video that says what the storage knows of it. The JSON one is Charon's own, and a lost
//! ledger can be made of it; the XMP one is for other programs.
//!
//! A sidecar is written when what it says changes. One that somebody else has written or changed is left alone.

pub(crate) mod json;
mod writing;
mod xmp;

use charon_provider::{Fidelity, RemoteId};
use jiff::Timestamp;

use crate::{ids::Sha256, run::named};

pub(crate) use writing::{after_listing, of};

named! {
    /// A kind of sidecar.
    Sidecar {
        /// Charon's own: `name.jpg.json`.
        Json = "json",
        /// For other programs: `name.jpg.xmp`.
        Xmp = "xmp",
    }
}

named! {
    /// Which sidecars lie beside each file.
    #[derive(Default)]
    Sidecars {
        /// JSON and XMP.
        #[default]
        Both = "both",
        /// JSON alone: Charon can restore its own knowledge from it.
        Json = "json",
        /// XMP alone: photo programs read it.
        Xmp = "xmp",
        /// No sidecars.
        None = "none",
    }
}

impl Sidecars {
    /// The kinds, one by one.
    pub(crate) fn kinds(self) -> &'static [Sidecar] {
        match self {
            Self::Both => &Sidecar::ALL,
            Self::Json => &[Sidecar::Json],
            Self::Xmp => &[Sidecar::Xmp],
            Self::None => &[],
        }
    }

    /// Whether it is what a plan has that says nothing of it.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
    pub(crate) fn is_usual(&self) -> bool {
        *self == Self::Both
    }
}

impl Sidecar {
    /// All there are.
    pub(crate) const ALL: [Self; 2] = [Self::Json, Self::Xmp];

    /// Where the sidecar of a file is.
    pub(crate) fn path(self, of: &str) -> String {
        format!("{of}.{}", self.as_str())
    }

    /// The file that this would be the sidecar of.
    pub(crate) fn owner(path: &str) -> Option<&str> {
        Self::ALL.into_iter().find_map(|kind| path.strip_suffix(kind.as_str())?.strip_suffix('.'))
    }
}

/// What a sidecar says of an item.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) asset_id: i64,
    /// Below the destination.
    pub(crate) path: String,
    pub(crate) sha256: Sha256,
    pub(crate) size: u64,
    pub(crate) fidelity: Fidelity,
    /// The clip beside it: where it is, and its bytes.
    pub(crate) clip: Option<ToldClip>,
    pub(crate) remote: RemoteId,
    /// The name that the storage shows.
    pub(crate) name: String,
    pub(crate) mime_type: String,
    pub(crate) taken_at: Option<Timestamp>,
    pub(crate) description: Option<String>,
    pub(crate) camera_make: Option<String>,
    pub(crate) camera_model: Option<String>,
    pub(crate) is_favourite: bool,
    /// The titles of the albums that it is in.
    pub(crate) albums: Vec<String>,
    /// What was written last.
    pub(crate) written: Vec<Written>,
}

impl Told {
    /// The sidecar of this kind, as it was written last.
    fn last(&self, kind: Sidecar) -> Option<&Written> {
        self.written.iter().find(|last| last.kind == kind)
    }
}

/// A sidecar, as it was written last.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) kind: Sidecar,
    pub(crate) sha256: Sha256,
    /// What was there until then, if it is not known to be written.
    pub(crate) before: Option<Sha256>,
    /// Whether it is known to be there.
    pub(crate) is_there: bool,
}

/// The clip of a motion photo, in a sidecar.
#[derive(Clone, Debug)]
pub(crate) struct ToldClip {
    pub(crate) path: String,
    pub(crate) sha256: Sha256,
    pub(crate) size: u64,
    pub(crate) fidelity: Fidelity,
}
