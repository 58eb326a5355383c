//! Albums.

use std::fmt;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Cursor, Error, RemoteId};

/// How a storage names an album for ever.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct AlbumId(pub String);

impl fmt::Display for AlbumId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One album, as the storage describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Album {
    /// Its name for ever.
    pub id: AlbumId,
    /// What people call it; two albums may have the same title.
    pub title: String,
    /// How many items it holds, as far as the storage says.
    pub items: Option<u64>,
    /// Whether items can be added to it by us.
    pub writable: bool,
    /// The item that the storage shows on its cover, as far as it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cover: Option<RemoteId>,
}

/// One page of albums. Only one without `next` is the last.
#[derive(Clone, Debug, Default)]
pub struct AlbumPage {
    /// What it lists.
    pub albums: Vec<Album>,
    /// Where to go on.
    pub next: Option<Cursor>,
}

/// The albums of a storage. Each call is one attempt; whether to try again is for the engine to decide.
#[async_trait]
pub trait Albums: Send + Sync {
    /// One page of the albums, from the beginning or from a cursor.
    async fn list(&self, from: Option<&Cursor>) -> Result<AlbumPage, Error>;

    /// Makes an album.
    async fn create(&self, title: &str) -> Result<Album, Error>;

    /// The most items that one [`add`](Albums::add) takes.
    fn add_limit(&self) -> usize;

    /// Puts items that the storage has already into an album, all of them or none. Those that are in it stay in it.
    async fn add(&self, album: &AlbumId, items: &[RemoteId]) -> Result<(), Error>;
}
