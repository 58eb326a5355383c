//! What whoever writes a provider gives to the suite: the provider, and worlds to try it on.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value};
use url::Url;

use crate::{AlbumId, Provider, RemoteId};

/// Something that a world cannot do, and why. A case that needs it is reported as skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cannot(pub String);

/// What a world gives, if it can.
pub type Given<T> = Result<T, Cannot>;

/// A file that the provider takes.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Its name.
    pub file_name: String,
    /// Its media type.
    pub mime_type: &'static str,
    /// Its bytes.
    pub bytes: Bytes,
    /// When it was taken, if the provider is to find that out.
    pub taken_at: Option<Timestamp>,
}

/// A provider to be tried, and where to try it.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// The provider.
    fn provider(&self) -> Arc<dyn Provider>;

    /// An account with nothing in it, for one case alone.
    async fn world(&self) -> Arc<dyn World>;

    /// Fields of the configuration with values that the schema allows and the provider must refuse.
    fn mistakes(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}

/// An account that can be prepared. What it cannot do by default is worth doing where it can be done: each makes one more
/// case possible.
#[async_trait]
pub trait World: Send + Sync {
    /// A right configuration of the account, secrets included.
    fn config(&self) -> Map<String, Value>;

    /// Every text that must never be printed: the secrets of the configuration, and what they are made of.
    fn secrets(&self) -> Vec<String>;

    /// The time in this world.
    fn now(&self) -> Timestamp;

    /// A small photo. Each number is a photo of its own.
    fn sample(&self, number: u32) -> Sample;

    /// How many requests have come from the provider until now, of any kind.
    fn requests(&self) -> Given<u64> {
        cannot("the requests of the provider cannot be counted here")
    }

    /// Puts an item into the account, by other means than the provider.
    async fn put(&self, _sample: &Sample) -> Given<RemoteId> {
        cannot("nothing can be put into the account by other means than the provider")
    }

    /// Puts so many items into the account.
    async fn put_many(&self, count: u32) -> Given<Vec<RemoteId>> {
        let mut ids = Vec::new();
        for number in 0..count {
            ids.push(self.put(&self.sample(1_000_000 + number)).await?);
        }
        Ok(ids)
    }

    /// Puts a still with a clip into the account; gives the bytes of the clip.
    async fn put_with_clip(&self) -> Given<(RemoteId, Bytes)> {
        cannot("no item with a clip can be put into the account")
    }

    /// The bytes that the provider has to give for an item.
    async fn bytes_of(&self, _id: &RemoteId) -> Given<Bytes> {
        cannot("nobody knows the bytes of an item but the provider")
    }

    /// The items of an album, in their order.
    async fn album_of(&self, _album: &AlbumId) -> Given<Vec<RemoteId>> {
        cannot("nobody knows the items of an album but the provider")
    }

    /// The user's words on an item.
    async fn description_of(&self, _id: &RemoteId) -> Given<String> {
        cannot("nobody knows the words on an item but the provider")
    }

    /// A file that is large enough to be sent in a [`Session`](crate::Session).
    fn large(&self) -> Given<Sample> {
        cannot("no file is large enough to be sent in a session")
    }

    /// The configuration of a storage on the same account that takes nothing.
    fn read_only(&self) -> Given<Map<String, Value>> {
        cannot("there is no read-only configuration")
    }

    /// The configuration of another client of the same account.
    fn second_client(&self) -> Given<Map<String, Value>> {
        cannot("there is no second client")
    }

    /// Every address that was given until now is worth nothing from now on.
    async fn expire_addresses(&self) -> Given<()> {
        cannot("addresses cannot be made to expire")
    }

    /// What the secrets give access by has to be renewed, and can be.
    async fn expire_token(&self) -> Given<()> {
        cannot("nothing in the secrets is renewed")
    }

    /// Every upload session is forgotten.
    async fn lose_sessions(&self) -> Given<()> {
        cannot("upload sessions cannot be made to be lost")
    }

    /// The secrets are no longer accepted, and cannot be renewed.
    async fn refuse(&self) -> Given<()> {
        cannot("the account cannot be made to refuse")
    }

    /// Plays the person who gives consent on this page; gives the URL that their browser is sent to.
    async fn consent(&self, _page: &Url) -> Given<Url> {
        cannot("nobody gives consent here")
    }
}

fn cannot<T>(why: &str) -> Given<T> {
    Err(Cannot(why.to_owned()))
}
