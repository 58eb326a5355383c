//! Seeded randomness and the shapes of Google's identifiers.
//!
//! The generator is `SplitMix64`: small, and the same on every machine and with every version of every crate, so that
//! the ids of a seeded world can be written into a test.

use sha2::{Digest, Sha256};

/// A seeded generator. The same seed gives the same sequence for ever.
#[derive(Debug, Clone)]
pub(crate) struct Random {
    state: u64,
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

impl Random {
    /// A generator that starts from `seed`.
    pub(crate) fn new(seed: u64) -> Random {
        Random { state: seed }
    }

    /// A generator that starts from what these parts say together.
    pub(crate) fn of(parts: &[&[u8]]) -> Random {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let mut seed = [0; 8];
        seed.copy_from_slice(&hasher.finalize()[..8]);
        Random::new(u64::from_le_bytes(seed))
    }

    /// The next 64 bits.
    pub(crate) fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 when `bound` is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next_u64() % bound }
    }

    /// One of several; there must be at least one.
    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).expect("an index of a slice")]
    }

    /// A number in `[0, 1)`.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit exactly")]
    pub(crate) fn fraction(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// `length` characters of `[A-Za-z0-9_-]` that begin with `prefix`.
    pub(crate) fn text(&mut self, prefix: &str, length: usize) -> String {
        let mut out = String::with_capacity(length);
        out.push_str(prefix);
        while out.len() < length {
            let mut bits = self.next_u64();
            for _ in 0..10 {
                if out.len() == length {
                    break;
                }
                out.push(char::from(ALPHABET[(bits & 63) as usize]));
                bits >>= 6;
            }
        }
        out
    }

    /// A media item id: 98 characters that begin with `AByIYS`, as seen from the real service.
    pub(crate) fn media_item_id(&mut self) -> String {
        self.text("AByIYS", 98)
    }

    /// An album id: 76 characters that begin with `ALpngx`, as seen from the real service.
    pub(crate) fn album_id(&mut self) -> String {
        self.text("ALpngx", 76)
    }

    /// Fills `out` with bytes.
    pub(crate) fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            let bytes = self.next_u64().to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_real_shapes_and_repeat_with_the_seed() {
        let mut one = Random::new(7);
        let mut other = Random::new(7);
        let id = one.media_item_id();
        assert_eq!(id, other.media_item_id());
        assert_eq!(id.len(), 98);
        assert_eq!(one.album_id().len(), 76);
        assert!(id.bytes().all(|byte| ALPHABET.contains(&byte)));
    }
}
