//! Charon's own sidecar.

use charon_provider::Fidelity;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Told, ToldClip};
use crate::ids::Sha256;

/// Which words are used in it.
const VERSION: u32 = 1;

/// What the sidecar of an item says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sheet {
    /// The version of these words.
    pub(crate) charon: u32,
    /// How the storage names the item.
    pub(crate) media_id: String,
    /// The name that the storage shows.
    pub(crate) name: String,
    pub(crate) mime_type: String,
    #[serde(flatten)]
    pub(crate) file: File,
    /// The clip of a motion photo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) clip: Option<File>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) taken_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) camera_make: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) camera_model: Option<String>,
    #[serde(default)]
    pub(crate) favourite: bool,
    /// The titles of the albums that it is in.
    #[serde(default)]
    pub(crate) albums: Vec<String>,
}

/// A file of the mirror.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct File {
    /// Below the destination, with forward slashes.
    pub(crate) path: String,
    pub(crate) sha256: Sha256,
    pub(crate) size: u64,
    pub(crate) fidelity: Fidelity,
}

/// Reads a sidecar; `None` if it is none of ours, or is written in words that are not known yet.
pub(crate) fn read(text: &[u8]) -> Option<Sheet> {
    serde_json::from_slice(text).ok().filter(|sheet: &Sheet| sheet.charon == VERSION)
}

/// The sidecar of an item.
pub(super) fn write(told: &Told) -> Vec<u8> {
    let clip = |clip: &ToldClip| File {
        path: clip.path.clone(),
        sha256: clip.sha256,
        size: clip.size,
        fidelity: clip.fidelity,
    };
    let sheet = Sheet {
        charon: VERSION,
        media_id: told.remote.0.clone(),
        name: told.name.clone(),
        mime_type: told.mime_type.clone(),
        file: File { path: told.path.clone(), sha256: told.sha256, size: told.size, fidelity: told.fidelity },
        clip: told.clip.as_ref().map(clip),
        taken_at: told.taken_at,
        description: told.description.clone(),
        camera_make: told.camera_make.clone(),
        camera_model: told.camera_model.clone(),
        favourite: told.is_favourite,
        albums: told.albums.clone(),
    };
    let mut text = serde_json::to_vec_pretty(&sheet).unwrap_or_default();
    text.push(b'\n');
    text
}
