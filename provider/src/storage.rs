//! A storage: one configured account of a provider.

use std::fmt;

use futures::stream::BoxStream;

use crate::{Albums, Check, Destination, Facts, Sink, Source};

/// One account, ready to be used.
pub trait Storage: Send + Sync + fmt::Debug {
    /// What it can do, and within which limits. Sends no request.
    fn facts(&self) -> &Facts;

    /// Tests the connection stage by stage; ends after the first stage that fails. Leaves nothing behind. The test is
    /// given up by dropping the stream.
    fn test(&self) -> BoxStream<'_, Check>;

    /// The way photos come home, if this storage has one.
    fn source(&self) -> Option<&dyn Source>;

    /// The way photos go out, if this storage has one (a read-only storage has none).
    fn sink(&self) -> Option<&dyn Sink>;

    /// Its albums, if it has any.
    fn albums(&self) -> Option<&dyn Albums>;

    /// The files of mirrors that it keeps, if it can.
    fn destination(&self) -> Option<&dyn Destination> {
        None
    }
}
