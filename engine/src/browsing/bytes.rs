//! The bytes of an item that is browsed: a small picture, or the original as it comes.

use std::sync::Arc;

use bytes::Bytes;
use charon_provider::{Body, Class, Error as StorageError, Part, Reason, RemoteId, RemoteItem, Source};
use futures::{StreamExt, TryStreamExt, stream::BoxStream};

use super::{ask, readable, shelf::Shelf};
use crate::{engine::Engine, error::Error, ids::StorageId};

/// A small picture is not larger.
const LARGEST_PREVIEW: usize = 8 * 1024 * 1024;

/// A small picture of an item.
#[derive(Clone, Debug)]
pub struct Preview {
    /// Its bytes, of whatever format of pictures the storage gives.
    pub bytes: Bytes,
}

/// An item's bytes on their way. They stop when this is dropped.
pub struct Original {
    /// Its file name.
    pub name: String,
    /// Its media type; may be empty.
    pub mime_type: String,
    /// How many bytes there are, if the storage says so.
    pub length: Option<u64>,
    /// The bytes. An error ends them.
    pub bytes: BoxStream<'static, Result<Bytes, StorageError>>,
}

impl std::fmt::Debug for Original {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Original")
            .field("name", &self.name)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// A small picture of an item of a storage, whose sides have at most so many pixels; of a video, one of its frames.
    ///
    /// # Errors
    /// When there is no such storage or item, when the storage has no small pictures, and what it answers.
    pub async fn browse_preview(
        &self,
        storage: StorageId,
        item: &RemoteId,
        pixels: u32,
    ) -> Result<Preview, Error> {
        let browsed = self.shelf(storage).await?;
        if let Some(bytes) = browsed.picture(item, pixels) {
            return Ok(Preview { bytes });
        }
        let source = readable(&browsed)?;
        let Ok(_turn) = browsed.fetching.acquire().await else { return Err(Error::Superseded) };
        let (_, body) = self.opened(&browsed, source, item, Some(pixels)).await?;
        let bytes = collect(body).await?;
        browsed.keep_picture(item, pixels, bytes.clone());
        Ok(Preview { bytes })
    }

    /// The bytes of an item of a storage, as the storage gives them.
    ///
    /// # Errors
    /// When there is no such storage or item, and what the storage answers.
    pub async fn browse_original(&self, storage: StorageId, item: &RemoteId) -> Result<Original, Error> {
        let browsed = self.shelf(storage).await?;
        let source = readable(&browsed)?;
        let Ok(turn) = Arc::clone(&browsed.originals).acquire_owned().await else {
            return Err(Error::Superseded);
        };
        let turn = Arc::new(turn);
        let (item, body) = self.opened(&browsed, source, item, None).await?;
        let lane = Arc::clone(&browsed.opened.lane);
        // The storage stays open for as long as its bytes come, and nobody else has the turn.
        let paced = body.bytes.and_then(move |bytes| {
            let (lane, held) = (Arc::clone(&lane), (Arc::clone(&browsed), Arc::clone(&turn)));
            async move {
                lane.bytes_down(bytes.len()).await;
                drop(held);
                Ok(bytes)
            }
        });
        Ok(Original {
            name: item.file_name,
            mime_type: item.mime_type,
            length: body.length,
            bytes: paced.boxed(),
        })
    }

    /// Opens a picture of so many pixels, or the original; with a fresh address, if the one that is known is over.
    async fn opened(
        &self,
        browsed: &Shelf,
        source: &dyn Source,
        id: &RemoteId,
        pixels: Option<u32>,
    ) -> Result<(RemoteItem, Body), Error> {
        let item = browsed.item(self, source, id, None).await?;
        let stale = match ask(self, &browsed.opened, || open(source, &item, pixels)).await {
            Err(error) if error.reason == Reason::StaleAddress => item,
            opened => return Ok((item, opened?)),
        };
        let fresh = browsed.item(self, source, id, Some(&stale)).await?;
        let body = ask(self, &browsed.opened, || open(source, &fresh, pixels)).await?;
        Ok((fresh, body))
    }
}

async fn open(source: &dyn Source, item: &RemoteItem, pixels: Option<u32>) -> Result<Body, StorageError> {
    match pixels {
        Some(pixels) => source.preview(item, pixels).await,
        None => source.open(item, Part::Whole, None).await,
    }
}

async fn collect(body: Body) -> Result<Bytes, StorageError> {
    let mut bytes = Vec::new();
    let mut coming = body.bytes;
    while let Some(chunk) = coming.try_next().await? {
        if bytes.len() + chunk.len() > LARGEST_PREVIEW {
            let cause = "what came in place of a small picture is a large one";
            return Err(StorageError::new(Class::Item, "fetch a small picture", cause));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.into())
}
