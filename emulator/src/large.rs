//! Videos of any size that take no memory: an index that plays, and noise that is written where it is read.
//!
//! The noise is a pool of 64 KB, turned by another amount and stamped with its number in every block, so that no two
//! blocks are alike and any part costs only itself.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::{random::Random, state::Hash, video::Video};

const BLOCK: usize = 64 * 1024;
/// As much as is written at once.
const PIECE: u64 = 256 * 1024;

/// A large file that follows from its seed and its size.
#[derive(Debug, Clone)]
pub(crate) struct Large {
    seed: u64,
    size: u64,
    head: Bytes,
    pool: Bytes,
}

impl Large {
    /// A file of exactly `size` bytes, unless that is too small for the index that it begins with.
    pub(crate) fn new(seed: u64, size: u64) -> Large {
        let mut head = Video::new(seed).mp4();
        // A box whose length has 64 bits: 16 bytes, and then the noise.
        let rest = size.saturating_sub(head.len() as u64).max(16);
        let size = head.len() as u64 + rest;
        head.extend(1_u32.to_be_bytes());
        head.extend(b"free");
        head.extend(rest.to_be_bytes());
        let mut pool = vec![0; BLOCK];
        Random::new(seed ^ 0x1A46E).fill(&mut pool);
        Large { seed, size, head: head.into(), pool: pool.into() }
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The beginning, which says what the file is.
    pub(crate) fn head(&self) -> &Bytes {
        &self.head
    }

    /// The same size, other noise.
    pub(crate) fn changed(&self) -> Large {
        let mut pool = vec![0; BLOCK];
        let seed = self.seed.wrapping_add(1);
        Random::new(seed ^ 0x1A46E).fill(&mut pool);
        Large { seed, pool: pool.into(), ..self.clone() }
    }

    /// The bytes from `start` on, at most `length` of them, at most as many as there are.
    pub(crate) fn part(&self, start: u64, length: u64) -> Vec<u8> {
        let end = start.saturating_add(length).min(self.size);
        let mut out =
            Vec::with_capacity(usize::try_from(end.saturating_sub(start)).expect("a part fits in memory"));
        let mut at = start;
        let head = self.head.len() as u64;
        while at < end {
            let piece = if at < head {
                let from = usize::try_from(at).expect("the head is in memory");
                let to = usize::try_from(end.min(head)).expect("the head is in memory");
                self.head.slice(from..to)
            } else {
                let (number, inside) = ((at - head) / BLOCK as u64, (at - head) % BLOCK as u64);
                let inside = usize::try_from(inside).expect("a block is in memory");
                let left = usize::try_from(end - at).unwrap_or(BLOCK);
                let block = self.block(number);
                Bytes::from(block).slice(inside..BLOCK.min(inside.saturating_add(left)))
            };
            at += piece.len() as u64;
            out.extend_from_slice(&piece);
        }
        out
    }

    fn block(&self, number: u64) -> Vec<u8> {
        let stamp = Random::new(self.seed ^ number.rotate_left(20)).next_u64();
        let turn = usize::try_from(stamp % BLOCK as u64).expect("a block is in memory");
        let mut block = [&self.pool[turn..], &self.pool[..turn]].concat();
        block[..8].copy_from_slice(&number.to_be_bytes());
        block[8..16].copy_from_slice(&stamp.to_be_bytes());
        block
    }

    /// `(start, end)` piece by piece; the end is excluded.
    pub(crate) fn pieces(self, start: u64, end: u64) -> impl Iterator<Item = Bytes> + Send + 'static {
        let mut at = start;
        std::iter::from_fn(move || {
            let piece = self.part(at, PIECE.min(end.saturating_sub(at)));
            at += piece.len() as u64;
            (!piece.is_empty()).then(|| piece.into())
        })
    }

    /// SHA-256, which takes a moment for a really large one.
    pub(crate) fn hash(&self) -> Hash {
        let mut hasher = Sha256::new();
        for piece in self.clone().pieces(0, self.size) {
            hasher.update(&piece);
        }
        hasher.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{state::hash_of, video};

    #[test]
    fn a_part_is_what_the_whole_has_there() {
        let large = Large::new(7, 500_001);
        let whole = large.part(0, u64::MAX);
        assert_eq!(whole.len(), 500_001);
        assert_eq!(large.hash(), hash_of(&whole));
        for (start, length) in [(0, 10), (10, 100_000), (65_530, 70_000), (499_990, 100), (500_001, 1)] {
            let end = (start + length).min(500_001);
            let (from, to) = (usize::try_from(start).unwrap(), usize::try_from(end).unwrap());
            assert_eq!(large.part(start, length), whole[from..to], "{start}+{length}");
        }
        assert_ne!(large.hash(), Large::new(8, 500_001).hash());
        assert_ne!(large.hash(), large.changed().hash());
    }

    #[test]
    fn the_beginning_is_the_index_of_a_video() {
        let large = Large::new(7, 30_000_000_000);
        assert_eq!(large.size(), 30_000_000_000);
        assert_eq!(video::read(&large.part(0, 100_000)).unwrap().width, 160);
    }
}
