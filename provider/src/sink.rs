//! The way photos go out: bytes are sent, which stages them; a commit makes items of what is staged.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use jiff::Timestamp;
use secrecy::SecretString;

use crate::{AlbumId, Error, RemoteId, RemoteItem};

/// The bytes of one file, ready to be sent, as often as it takes.
#[derive(Clone)]
pub struct Content {
    /// The name the item shall have. Not a path.
    pub file_name: String,
    /// The media type to declare, if it is known.
    pub mime_type: Option<&'static str>,
    /// How many bytes there are.
    pub length: u64,
    /// Opens the bytes from an offset on.
    pub open: Arc<dyn Fn(u64) -> BoxStream<'static, std::io::Result<Bytes>> + Send + Sync>,
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content")
            .field("file_name", &self.file_name)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

/// What the storage gave for bytes that it has received and not yet made an item of.
#[derive(Clone, Debug)]
pub struct UploadToken {
    /// To be shown at the commit.
    pub token: SecretString,
    /// It is worth nothing from this moment on.
    pub valid_until: Timestamp,
}

/// An upload that can be taken up again where it broke off, also by another process. Opaque to everyone but the storage.
#[derive(Clone, Debug)]
pub struct Session(pub SecretString);

/// Keeps the session of an upload that has begun, so that a crash does not send its bytes again.
#[async_trait]
pub trait KeepSession: Send + Sync {
    /// Returns once it is durable.
    async fn keep(&self, session: &Session) -> Result<(), Error>;
}

/// Where in an album new items go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Position {
    /// Behind all others.
    #[default]
    Last,
    /// Before all others.
    First,
    /// Behind this one.
    After(RemoteId),
}

/// An album, and where in it new items go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Which album.
    pub album: AlbumId,
    /// Where in it; the items of one commit keep their order.
    pub position: Position,
}

/// One item to commit.
#[derive(Clone, Debug)]
pub struct Staged {
    /// The name the item shall have.
    pub file_name: String,
    /// The user's words on it, if there are any.
    pub description: Option<String>,
    /// What was given for its bytes.
    pub token: UploadToken,
}

/// The way photos go out. Each call is one attempt; whether to try again is for the engine to decide.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Sends the bytes of one file, from where `session` broke off if there is one. Nothing can be seen of them before they
    /// are committed. A storage that can take up a broken upload gives its session to `keep` before it sends the first byte.
    ///
    /// # Errors
    /// [`Reason::SessionLost`](crate::Reason::SessionLost) when the session is no longer known: to be sent without one.
    async fn send(
        &self,
        content: &Content,
        session: Option<&Session>,
        keep: &dyn KeepSession,
    ) -> Result<UploadToken, Error>;

    /// How many requests it takes to send so many bytes, if nothing breaks. Each costs what
    /// [`Costs::send`](crate::Costs::send) says.
    fn requests_to_send(&self, length: u64) -> u32;

    /// Makes items of what is staged, at most [`BatchPolicy::size`](crate::BatchPolicy::size) of them, in an album or
    /// in none. The engine makes one such call at a time per account (I8).
    ///
    /// The inner results come in the order of `staged`, one for each.
    ///
    /// # Errors
    /// The outer error stands for the request as a whole. [`Reason::Unanswered`](crate::Reason::Unanswered) says that
    /// it may have taken effect.
    async fn commit(
        &self,
        album: Option<&Placement>,
        staged: &[Staged],
    ) -> Result<Vec<Result<RemoteItem, Error>>, Error>;
}
