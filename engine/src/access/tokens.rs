//! What other programs come in with: tokens with a scope each.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::secret::{hash_of, new_secret};
use crate::{
    engine::Engine, error::Error, ids::TokenId, run::named, storages::refuse_bad_name, store::NewTokenRow,
};

/// What a token of ours begins with, so that one that was left lying about is known for what it is.
const BEFORE: &str = "charon_";
/// When it was used last is written down so often at most.
const NOTED_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// So many tokens there may be.
const MOST: u32 = 200;

named! {
    /// What one who comes in may do. Each may do what those before it may.
    #[derive(PartialOrd, Ord)]
    #[schemars(inline)]
    Scope {
        /// Look at everything that is shown.
        Read = "read",
        /// Begin and steer runs, and upload items.
        Run = "run",
        /// Change everything.
        Admin = "admin",
    }
}

/// A token as it can be shown: its secret is not known here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was used last, to the minute.
    pub used_at: Option<Timestamp>,
    /// When it ends; never, without it.
    pub expires_at: Option<Timestamp>,
}

/// A token that was made just now.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// What can be shown of it from now on.
    pub token: Token,
    /// What its holder shows to come in. It is told here and never again.
    pub secret: SecretString,
}

impl Engine {
    /// Makes a token.
    ///
    /// # Errors
    /// A name that is taken or cannot be given; an end that has passed; too many tokens.
    pub async fn create_token(
        &self,
        name: &str,
        scope: Scope,
        expires_at: Option<Timestamp>,
    ) -> Result<NewToken, Error> {
        refuse_bad_name("token", name)?;
        let now = self.clock.now();
        if expires_at.is_some_and(|end| end <= now) {
            return Err(Error::Refused(
                "the token would have ended before it was made; choose a later end, or none".into(),
            ));
        }
        let secret = new_secret(BEFORE, &*self.entropy);
        let token = Token {
            id: TokenId::new(&*self.clock, &*self.entropy),
            name: name.to_owned(),
            scope,
            created_at: now,
            used_at: None,
            expires_at,
        };
        let hash = hash_of(secret.expose_secret()).unwrap_or_default();
        let new = NewTokenRow { token: &token, secret: hash, most: MOST };
        match self.store.add_token(&new).await? {
            None => Ok(NewToken { token, secret }),
            Some(count) if count >= MOST => Err(Error::Refused(format!(
                "there are {count} tokens already; revoke those that nobody uses any more"
            ))),
            Some(_) => Err(Error::BadName(format!(
                "there is a token named {name} already; choose another name, or revoke that one first"
            ))),
        }
    }

    /// All tokens, by name, those included that have ended.
    pub async fn tokens(&self) -> Result<Vec<Token>, Error> {
        self.store.tokens().await
    }

    /// The token whose secret this is, unless it has ended.
    pub async fn token(&self, secret: &SecretString) -> Result<Option<Token>, Error> {
        let secret = secret.expose_secret();
        let Some(hash) = hash_of(secret).filter(|_| secret.starts_with(BEFORE)) else { return Ok(None) };
        let now = self.clock.now();
        let Some(mut token) = self.store.token(&hash, now).await? else { return Ok(None) };
        if token.used_at.is_none_or(|used| now.duration_since(used) >= NOTED_EVERY) {
            // Another one may have revoked it at this very moment.
            if !self.store.token_used(&hash, now).await? {
                return Ok(None);
            }
            token.used_at = Some(now);
        }
        Ok(Some(token))
    }

    /// Revokes a token: nobody comes in with it from now on. Gives what it was, if there was one.
    pub async fn revoke_token(&self, id: TokenId) -> Result<Option<Token>, Error> {
        self.store.revoke_token(id).await
    }
}
