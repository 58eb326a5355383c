//! The files of a library, opened below the destination and nowhere else.

use std::{
    fs::File,
    io::{self, Seek, SeekFrom, Write},
    ops::Range,
    path::PathBuf,
};

use bytes::Bytes;
use charon_provider::{Class, EntryKind, Error as StorageError};
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use super::{ItemId, LibraryItem};
use crate::{
    engine::Engine,
    error::Error,
    ids::PlanId,
    mirror::{Mirror, Site, open_below},
    store::Shelved,
};

/// How much is read at a time.
const CHUNK: usize = 256 * 1024;

/// A file of a mirror, open, with as many bytes as were stored.
#[derive(Debug)]
pub struct StoredFile {
    /// What it is.
    pub item: LibraryItem,
    bytes: StoredBytes,
}

#[derive(Debug)]
enum StoredBytes {
    /// A file of this machine.
    Here(File),
    /// One that a storage keeps, and the data directory.
    There(Site, PathBuf),
}

impl StoredFile {
    /// Some of its bytes.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn read(self, part: Range<u64>) -> io::Result<BoxStream<'static, io::Result<Bytes>>> {
        let most = part.end.saturating_sub(part.start);
        match self.bytes {
            StoredBytes::Here(file) => {
                let mut file = tokio::fs::File::from_std(file);
                file.seek(SeekFrom::Start(part.start)).await?;
                Ok(ReaderStream::with_capacity(file.take(most), CHUNK).boxed())
            }
            StoredBytes::There(site, _) => {
                let bytes = site.files().read(&self.item.path, part.start, Some(most)).await;
                Ok(bytes.map_err(io::Error::other)?.map_err(io::Error::other).boxed())
            }
        }
    }

    /// All of it as a file of this machine, from its beginning: fetched, if it is elsewhere, into one that nobody else sees.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn into_file(self) -> Result<File, Error> {
        let (site, data_dir) = match self.bytes {
            StoredBytes::Here(file) => return Ok(file),
            StoredBytes::There(site, data_dir) => (site, data_dir),
        };
        let failed = |error: io::Error| unreadable(&self.item, &error.to_string());
        let mut bytes = site.files().read(&self.item.path, 0, Some(self.item.size)).await?;
        let mut file = tempfile::tempfile_in(data_dir).map_err(failed)?;
        while let Some(piece) = bytes.try_next().await? {
            let written = tokio::task::spawn_blocking(move || file.write_all(&piece).map(|()| file));
            file = written.await.map_err(|panic| failed(io::Error::other(panic)))?.map_err(failed)?;
        }
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        Ok(file)
    }
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
        let site = self.site(plan, &backup).await?;
        Mirror::look(&site, plan).await?;
        let Some(root) = site.root().map(std::path::Path::to_owned) else {
            let found = site.files().look(std::slice::from_ref(&item.path)).await?.pop().flatten();
            let found = found.ok_or_else(|| unreadable(&item, "it is gone"))?;
            if found.kind != EntryKind::File || found.size != item.size {
                return Err(unreadable(&item, "it is not as it was stored"));
            }
            return Ok(StoredFile { item, bytes: StoredBytes::There(site, self.data_dir.clone()) });
        };
        let opened = tokio::task::spawn_blocking(move || {
            let file = open_below(&root, &item.path).and_then(|file| Ok((file.metadata()?, file)));
            let (metadata, file) = file.map_err(|error| unreadable(&item, &error.to_string()))?;
            if !metadata.is_file() || metadata.len() != item.size {
                return Err(unreadable(&item, "it is not as it was stored"));
            }
            Ok(StoredFile { item, bytes: StoredBytes::Here(file) })
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
