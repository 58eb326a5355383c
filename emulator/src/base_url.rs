//! Base URLs: minted on every answer, opaque, good for an hour, and nothing to be stored (facts §4).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;

use crate::{random::Random, state::State};

/// Why a base URL gives no bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dead {
    /// It was good once: 403 with an HTML page.
    Expired,
    /// It never was: 404.
    Missing,
}

fn check(seed: u64, item: u64, minted: u64, generation: u32) -> u64 {
    let mut random = Random::new(seed ^ item.rotate_left(32) ^ minted);
    random.next_u64() ^ Random::new(u64::from(generation)).next_u64()
}

/// The token of a base URL for an item: 128 characters that say who, when and of which generation.
pub(crate) fn mint(state: &State, now: Timestamp, item: usize) -> String {
    let minted = u64::try_from(now.as_millisecond()).unwrap_or(0);
    let (item, generation) = (item as u64, state.base_url_generation);
    let proof = check(state.settings.seed, item, minted, generation);
    let mut bytes = [0; 96];
    bytes[..8].copy_from_slice(&proof.to_be_bytes());
    bytes[8..16].copy_from_slice(&(item ^ proof).to_be_bytes());
    bytes[16..24].copy_from_slice(&(minted ^ proof.rotate_left(17)).to_be_bytes());
    bytes[24..28].copy_from_slice(&generation.to_be_bytes());
    Random::new(proof).fill(&mut bytes[28..]);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The item that a token stands for.
pub(crate) fn resolve(state: &State, now: Timestamp, token: &str) -> Result<usize, Dead> {
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| Dead::Missing)?;
    let eight =
        |at: usize| -> Option<u64> { Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?)) };
    let read = || {
        let proof = eight(0)?;
        let generation = u32::try_from(eight(24)? >> 32).ok()?;
        Some((proof, eight(8)? ^ proof, eight(16)? ^ proof.rotate_left(17), generation))
    };
    let (proof, item, minted, generation) = read().ok_or(Dead::Missing)?;
    let number = usize::try_from(item).map_err(|_| Dead::Missing)?;
    if proof != check(state.settings.seed, item, minted, generation) || number >= state.items.len() {
        return Err(Dead::Missing);
    }
    if state.items[number].removed {
        return Err(Dead::Missing);
    }
    let minted = Timestamp::from_millisecond(i64::try_from(minted).unwrap_or(0)).unwrap_or(Timestamp::MIN);
    let age = now.duration_since(minted).as_secs();
    let life = i64::try_from(state.settings.base_url_seconds).unwrap_or(i64::MAX);
    let revoked = state.revoked.get(&state.items[number].owner);
    if age >= life || generation < state.base_url_generation || revoked.is_some_and(|at| minted <= *at) {
        return Err(Dead::Expired);
    }
    Ok(number)
}
