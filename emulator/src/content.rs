//! Where an item's bytes come from: drawn, filmed, stored, written on the fly, or gone.

use bytes::Bytes;

use crate::{
    jpeg,
    large::Large,
    picture::Picture,
    state::{Hash, hash_of},
    video::{Video, free},
};

/// Where an item's bytes come from.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    Picture(Box<Picture>),
    Video(Video),
    Stored(Bytes),
    /// Written where it is read, never held.
    Large(Large),
    /// The uploaded bytes were not kept; a picture or video of this seed stands for them.
    Dropped(u64),
}

/// The part of a live or motion photo that moves.
#[derive(Debug, Clone)]
pub(crate) struct Clip {
    pub(crate) content: Content,
    /// Two files at the camera, not one: the full-resolution proxy gives an archive of both.
    pub(crate) live: bool,
}

impl Content {
    /// The original bytes; `None` if they were not kept or should not be held at once.
    pub(crate) fn original(&self) -> Option<Bytes> {
        match self {
            Content::Picture(picture) => Some(picture.jpeg().into()),
            Content::Video(video) => Some(video.mp4().into()),
            Content::Stored(bytes) => Some(bytes.clone()),
            Content::Large(_) | Content::Dropped(_) => None,
        }
    }

    /// Hash and size of the original bytes; `None` if they were not kept.
    pub(crate) fn digest(&self) -> Option<(Hash, u64)> {
        if let Content::Large(large) = self {
            return Some((large.hash(), large.size()));
        }
        self.original().map(|bytes| (hash_of(&bytes), bytes.len() as u64))
    }

    /// Other bytes of the same kind, as when the user edited the item.
    pub(crate) fn changed(&self) -> Content {
        match self {
            Content::Large(large) => Content::Large(large.changed()),
            Content::Dropped(seed) => Content::Dropped(seed.wrapping_add(1)),
            _ => {
                let bytes = self.original().unwrap_or_default();
                if bytes.starts_with(b"\xFF\xD8") {
                    return Content::Stored(jpeg::commented(&bytes, "edited").into());
                }
                // A box that every player skips at the end of an MP4.
                Content::Stored([&bytes[..], &free(b"edited")].concat().into())
            }
        }
    }
}
