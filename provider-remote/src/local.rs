//! Files of this machine, on their way out.

use std::{io, path::Path};

use charon_provider::{Class, Error};
use futures::StreamExt;
use tokio::{fs::File, io::AsyncReadExt};
use tokio_util::io::ReaderStream;

use crate::wire::Payload;

/// Files are read in pieces of this size.
const PIECE: usize = 256 * 1024;

/// A file of this machine cannot be read.
pub(crate) fn unreadable(doing: &str, error: &io::Error) -> Error {
    Error::new(Class::Item, doing, format!("the file on this machine cannot be read: {error}"))
}

/// Opens a file of this machine; gives its size too.
pub(crate) async fn open(doing: &str, file: &Path) -> Result<(File, u64), Error> {
    let opened = async {
        let file = File::open(file).await?;
        let size = file.metadata().await?.len();
        Ok::<_, io::Error>((file, size))
    };
    opened.await.map_err(|error| unreadable(doing, &error))
}

/// So many bytes of a file as the body of a request.
pub(crate) fn payload(file: File, size: u64) -> Payload {
    if size == 0 {
        return Payload::Bytes(bytes::Bytes::new());
    }
    Payload::Stream(size, ReaderStream::with_capacity(file.take(size), PIECE).boxed())
}
