//! A file on its way into a store: small ones in one request, large ones in parts.

use std::io;

use bytes::Bytes;
use charon_provider::{Class, Error};
use jiff::Timestamp;
use opendal::{Operator, Writer};
use tokio::{
    fs::File,
    io::{AsyncRead, AsyncReadExt},
};

use super::transport::told;
use crate::{attended::Abandoned, local};

/// Up to this size a file goes in one request, and so large are the parts of larger ones, if they are enough.
pub(super) const PART: u64 = 8 * 1024 * 1024;
/// A file has no more parts than this.
const MOST_PARTS: u64 = 10_000;
/// So many parts of a file are on their way at a time.
const AT_A_TIME: usize = 3;
/// Where rclone keeps the time of a file too.
const MTIME: &str = "mtime";

/// What the file is, and where it goes.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) doing: String,
    pub(super) key: String,
    pub(super) size: u64,
    pub(super) modified: Option<Timestamp>,
}

impl Sending {
    fn metadata(&self) -> Vec<(String, String)> {
        let seconds = |at: Timestamp| format!("{}.{:09}", at.as_second(), at.subsec_nanosecond().max(0));
        self.modified.map(|at| (MTIME.to_owned(), seconds(at))).into_iter().collect()
    }

    /// Sends it in one request.
    pub(super) async fn at_once(&self, store: &Operator, mut file: File) -> Result<(), Error> {
        let bytes = next_part(&mut file, self.size + 1).await.map_err(|error| self.unreadable(&error))?;
        if bytes.len() as u64 != self.size {
            return Err(self.changed());
        }
        let sent = store.write_with(&self.key, bytes).user_metadata(self.metadata()).await;
        sent.map(drop).map_err(|error| told(&self.doing, &error))
    }

    /// Sends it in parts. They are thrown away when that fails, and when nobody waits for it any more.
    pub(super) async fn in_parts(
        &self,
        store: &Operator,
        file: File,
        mut abandoned: Abandoned,
    ) -> Result<(), Error> {
        let part = part_of(self.size);
        let chunk = usize::try_from(part).unwrap_or(usize::MAX);
        let writer =
            store.writer_with(&self.key).chunk(chunk).concurrent(AT_A_TIME).user_metadata(self.metadata());
        let mut writer = writer.await.map_err(|error| told(&self.doing, &error))?;
        let sent = tokio::select! {
            sent = self.parts(&mut writer, file, part) => sent,
            () = abandoned.wait() => Err(Error::new(Class::Transient, &self.doing, "it was given up")),
        };
        if sent.is_err() {
            // What is not thrown away now takes up room, and is never seen as a file.
            if let Err(error) = writer.abort().await {
                tracing::warn!(
                    "parts of {} may be left in the store: {}",
                    self.key,
                    told(&self.doing, &error).cause
                );
            }
        }
        sent
    }

    async fn parts(&self, writer: &mut Writer, mut file: File, part: u64) -> Result<(), Error> {
        let mut sent = 0;
        loop {
            let bytes = next_part(&mut file, part).await.map_err(|error| self.unreadable(&error))?;
            sent += bytes.len() as u64;
            if bytes.is_empty() || sent > self.size {
                break;
            }
            writer.write(bytes).await.map_err(|error| told(&self.doing, &error))?;
        }
        if sent != self.size {
            return Err(self.changed());
        }
        writer.close().await.map(drop).map_err(|error| told(&self.doing, &error))
    }

    fn unreadable(&self, error: &io::Error) -> Error {
        local::unreadable(&self.doing, error)
    }

    fn changed(&self) -> Error {
        Error::new(Class::Item, &self.doing, "the file on this machine changed while it was sent")
    }
}

/// How large the parts of a file of this size are.
fn part_of(size: u64) -> u64 {
    let mebibyte = 1024 * 1024;
    size.div_ceil(MOST_PARTS).next_multiple_of(mebibyte).max(PART)
}

/// The next bytes, so many if there are so many.
async fn next_part(file: &mut (impl AsyncRead + Unpin), most: u64) -> io::Result<Bytes> {
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes).await?;
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::{MOST_PARTS, PART, part_of};

    #[test]
    fn no_file_has_more_parts_than_a_store_takes() {
        assert_eq!(part_of(PART + 1), PART);
        for gibibytes in [1, 79, 100, 1000, 5 * 1024] {
            let size = gibibytes << 30;
            let part = part_of(size);
            assert!(size.div_ceil(part) <= MOST_PARTS, "{gibibytes} GiB in parts of {part}");
            assert!(part < PART + size / MOST_PARTS + (1 << 20), "{gibibytes} GiB in parts of {part}");
        }
    }
}
