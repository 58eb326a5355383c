//! Random secrets that others hold: 256 bits, told once, known here by their SHA-256. A guess at one is hopeless, so that a fast
//! hash is enough; and the database looks the hash up, so that nothing of the secret is compared.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::clock::Entropy;

/// No secret of ours is longer, with what is before it.
const LONGEST: usize = 100;

/// A new secret, with something before it that tells what it is.
pub(super) fn new_secret(before: &str, entropy: &dyn Entropy) -> SecretString {
    let mut random = Zeroizing::new([0; 32]);
    entropy.fill(&mut *random);
    format!("{before}{}", URL_SAFE_NO_PAD.encode(*random)).into()
}

/// What is known of a secret; `None` for what cannot be one of ours.
pub(super) fn hash_of(secret: &str) -> Option<[u8; 32]> {
    (!secret.is_empty() && secret.len() <= LONGEST).then(|| Sha256::digest(secret).into())
}

/// Another secret that only who has this one can tell, and that does not tell this one.
pub(super) fn derived(purpose: &str, secret: &str) -> String {
    URL_SAFE_NO_PAD
        .encode(Sha256::new().chain_update(purpose).chain_update([0]).chain_update(secret).finalize())
}

/// Text from outside, no longer than this, on one line.
pub(super) fn bounded(text: &str, longest: usize) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).take(longest).collect()
}
