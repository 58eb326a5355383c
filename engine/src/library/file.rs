//! The files of a library, opened below the destination and nowhere else.

use std::fs::File;

use charon_provider::{Class, Error as StorageError};

use super::{ItemId, LibraryItem};
use crate::{
    engine::Engine,
    error::Error,
    ids::PlanId,
    mirror::{Mirror, open_below},
    store::Shelved,
};

/// A file of a mirror, open, with as many bytes as were stored.
#[derive(Debug)]
pub struct StoredFile {
    /// What it is.
    pub item: LibraryItem,
    /// Its bytes, from the beginning.
    pub file: File,
}

impl Engine {
    /// Opens the file of an item for reading.
    ///
    /// # Errors
    /// When there is no such item; [`Error::Destination`] when the destination does not carry the plan's marker (I11), and when the
    /// file is not there, or not as it was stored.
    pub async fn library_file(&self, plan: PlanId, item: ItemId) -> Result<StoredFile, Error> {
        let backup = self.backup_of(plan).await?;
        let Shelved { item, .. } = self.shelved(plan, item).await?;
        let opened = tokio::task::spawn_blocking(move || {
            Mirror::look(&backup.destination, plan).map_err(Error::Destination)?;
            let file =
                open_below(&backup.destination, &item.path).and_then(|file| Ok((file.metadata()?, file)));
            let (metadata, file) = file.map_err(|error| unreadable(&item, &error.to_string()))?;
            if !metadata.is_file() || metadata.len() != item.size {
                return Err(unreadable(&item, "it is not as it was stored"));
            }
            Ok(StoredFile { item, file })
        });
        opened.await.map_err(|error| {
            Error::Storage(StorageError::new(Class::Destination, "open a file", error.to_string()))
        })?
    }
}

fn unreadable(item: &LibraryItem, why: &str) -> Error {
    Error::Destination(format!(
        "the file {} of the mirror cannot be shown: {why}; the next run of the plan fetches it again if it is gone",
        item.path
    ))
}
