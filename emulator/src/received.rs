//! Bytes on their way in: hashed while they arrive, kept while there is room, and what counts when they break off.

use sha2::{Digest, Sha256};

use crate::settings::Settings;

/// As much of a file as is kept to find its type and metadata when the whole is not kept.
const HEAD: usize = 256 * 1024;

#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) hasher: Sha256,
    pub(crate) size: u64,
    /// The whole file while it may be kept, otherwise its beginning.
    pub(crate) bytes: Vec<u8>,
    /// How many bytes may be kept.
    pub(crate) room: u64,
    granularity: u64,
    /// The state at the last multiple of the granularity.
    rounded: (Sha256, u64),
}

impl Received {
    pub(crate) fn new(room: u64, granularity: u64) -> Received {
        let rounded = (Sha256::new(), 0);
        Received { hasher: Sha256::new(), size: 0, bytes: Vec::new(), room, granularity, rounded }
    }

    pub(crate) fn push(&mut self, mut chunk: &[u8]) {
        while !chunk.is_empty() {
            // Up to the next multiple, where the state is remembered.
            let left = match self.granularity {
                0 => u64::MAX,
                granularity => granularity - self.size % granularity,
            };
            let (piece, rest) = chunk.split_at(usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len()));
            self.hasher.update(piece);
            self.size += piece.len() as u64;
            self.keep(piece);
            if piece.len() as u64 == left {
                self.rounded = (self.hasher.clone(), self.size);
            }
            chunk = rest;
        }
    }

    fn keep(&mut self, piece: &[u8]) {
        if self.size <= self.room {
            self.bytes.extend(piece);
        } else {
            self.room = 0;
            self.bytes.truncate(HEAD);
            self.bytes.shrink_to(HEAD);
            let more = (HEAD - self.bytes.len()).min(piece.len());
            self.bytes.extend(&piece[..more]);
        }
    }

    /// Forgets what came after the last multiple of the granularity.
    pub(crate) fn round(&mut self) {
        (self.hasher, self.size) = self.rounded.clone();
        self.bytes.truncate(usize::try_from(self.size).unwrap_or(usize::MAX));
    }
}

/// A place for bytes that are to come. `announced` is how many, where the client says so.
pub(crate) fn place(settings: &Settings, kept: u64, announced: Option<u64>) -> Received {
    let left = settings.upload_memory_bytes.saturating_sub(kept).min(settings.largest_kept_upload_bytes);
    let fits = settings.keep_uploads && announced.is_none_or(|announced| announced <= left);
    Received::new(if fits { left } else { 0 }, settings.upload_granularity)
}
