//! The administrator's password: argon2id with the parameters that OWASP recommends (19 MiB, two passes, one lane).

use std::sync::Arc;

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version, password_hash::phc::PasswordHash,
};
use charon_schema::Mistake;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::{engine::Engine, error::Error, ids::SessionId};

/// How many bytes a password has.
const SHORTEST: usize = 8;
const LONGEST: usize = 1024;
/// So many passwords are hashed at once: each takes memory and a core for a while.
const AT_ONCE: usize = 2;
const SALT_BYTES: usize = 16;

/// The turn to hash a password.
#[derive(Clone, Debug)]
pub(crate) struct Hashing(Arc<Semaphore>);

impl Default for Hashing {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Hashing {
    /// Does it beside everything else, in its turn. Who does not wait for it any more does not make room for another one.
    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let turn = Arc::clone(&self.0).acquire_owned().await.expect("nobody closes it");
        let worked = tokio::task::spawn_blocking(move || {
            let worked = work();
            drop(turn);
            worked
        });
        worked.await.expect("hashing does not panic, and is not aborted")
    }
}

impl Engine {
    /// Whether there is a password: without one, nobody can sign in.
    pub async fn has_password(&self) -> Result<bool, Error> {
        Ok(self.store.password().await?.is_some())
    }

    /// Sets the first password.
    ///
    /// # Errors
    /// When there is one already, or it is too short or too long.
    pub async fn set_first_password(&self, new: &SecretString) -> Result<(), Error> {
        let hash = self.hash_password("password", new).await?;
        if self.store.set_first_password(&hash, self.clock.now()).await? {
            return Ok(());
        }
        Err(Error::Refused(
            "there is a password already; sign in with it, or set another one with `charon password`".into(),
        ))
    }

    /// Whether this is the password. Takes a while; no more than two are looked at at once.
    pub async fn check_password(&self, password: &SecretString) -> Result<bool, Error> {
        let Some(known) = self.store.password().await? else { return Ok(false) };
        Ok(self.is_password(known, password).await)
    }

    /// Replaces the password by one who knows the present one. All other browsers are signed out.
    ///
    /// # Errors
    /// When `old` is not the password, or `new` is too short or too long.
    pub async fn change_password(
        &self,
        old: &SecretString,
        new: &SecretString,
        keep: Option<SessionId>,
    ) -> Result<(), Error> {
        refuse_bad_password("new", new)?;
        let known = self.store.password().await?;
        let is_known = match known.clone() {
            Some(known) => self.is_password(known, old).await,
            None => false,
        };
        let hash = self.hash_password("new", new).await?;
        // Another one may have changed it meanwhile.
        let is_changed = match known.filter(|_| is_known) {
            Some(known) => self.store.change_password(&known, &hash, keep, self.clock.now()).await?,
            None => false,
        };
        if is_changed { Ok(()) } else { Err(wrong("old", "is not the present password")) }
    }

    /// Sets the password, whatever it was. All browsers are signed out.
    ///
    /// # Errors
    /// When it is too short or too long.
    pub async fn reset_password(&self, new: &SecretString) -> Result<(), Error> {
        let hash = self.hash_password("password", new).await?;
        self.store.reset_password(&hash, self.clock.now()).await
    }

    async fn is_password(&self, known: String, password: &SecretString) -> bool {
        let password = normalised(password);
        if !(SHORTEST..=LONGEST).contains(&password.len()) {
            return false;
        }
        let verify = move || {
            // The parameters are those that it was hashed with.
            let known = PasswordHash::new(&known);
            known.is_ok_and(|known| Argon2::default().verify_password(password.as_bytes(), &known).is_ok())
        };
        self.hashing.run(verify).await
    }

    async fn hash_password(&self, field: &'static str, password: &SecretString) -> Result<String, Error> {
        refuse_bad_password(field, password)?;
        let password = normalised(password);
        let mut salt = [0; SALT_BYTES];
        self.entropy.fill(&mut salt);
        let hashed = self.hashing.run(move || {
            Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT)
                .hash_password_with_salt(password.as_bytes(), &salt)
                .map(|hash| hash.to_string())
        });
        hashed.await.map_err(|error| Error::Vault(format!("the password could not be hashed: {error}")))
    }
}

/// One password, however a keyboard writes its accents.
fn normalised(password: &SecretString) -> Zeroizing<String> {
    Zeroizing::new(password.expose_secret().nfc().collect())
}

fn refuse_bad_password(field: &'static str, password: &SecretString) -> Result<(), Error> {
    match normalised(password).len() {
        ..SHORTEST => Err(wrong(field, "is too short: a password has at least 8 characters")),
        SHORTEST..=LONGEST => Ok(()),
        _ => Err(wrong(field, "is too long: a password has at most 1,024 bytes")),
    }
}

fn wrong(field: &str, reason: &str) -> Error {
    Error::Config { what: "the password".into(), mistakes: Mistake::in_field(field, reason).into() }
}
