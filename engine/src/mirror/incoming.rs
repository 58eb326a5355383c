//! Bytes on their way home: into a temporary file, hashed as they come. What came before a body broke off is kept, and the
//! next body may go on from there.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use charon_provider::{Body, Class, Error, Fidelity, Kind, Part, Reason, RemoteItem, ResumePoint};
use futures::TryStreamExt;
use sha2::Digest;

use super::{Mirror, bundle, folder::no_room};
use crate::{ids::Sha256, sniff};

/// Bytes are hashed and written in pieces of this size, off the threads that wait for the network.
const PIECE_BYTES: usize = 256 * 1024;

/// One part of an item, on its way home.
#[derive(Debug)]
pub(crate) struct Incoming {
    mirror: Arc<Mirror>,
    part: Part,
    so_far: Option<Unfinished>,
    buffer: Vec<u8>,
    /// What tells these bytes from others of the same item.
    validator: Option<String>,
    /// How many there are to be, if the first body said so.
    length: Option<u64>,
}

/// What a body brought. A bundle brings a still, and perhaps a clip with it.
#[derive(Debug, Default)]
pub(crate) struct Arrived {
    pub(crate) whole: Option<Received>,
    pub(crate) clip: Option<Received>,
}

/// Bytes that have come home, complete and hashed. Dropping them removes them, if they have not been moved.
#[derive(Debug)]
pub(crate) struct Received {
    temporary: Temporary,
    pub(crate) sha256: Sha256,
    pub(crate) size: u64,
    pub(crate) fidelity: Fidelity,
    /// The first bytes.
    pub(crate) head: Vec<u8>,
}

/// A temporary file, hashed as it grows.
#[derive(Debug)]
pub(super) struct Unfinished {
    temporary: Temporary,
    hasher: sha2::Sha256,
    pub(super) head: Vec<u8>,
    pub(super) size: u64,
}

/// A file that is removed when it is dropped, if it still is where it was.
#[derive(Debug)]
struct Temporary {
    file: File,
    path: PathBuf,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // It may have been moved to its place. What cannot be removed now is removed when the mirror is opened again.
        drop(fs::remove_file(&self.path));
    }
}

impl Received {
    /// A copy of a file of this machine that has so many bytes, an original.
    ///
    /// # Errors
    /// Of class item when the file cannot be read, or has another size; of class destination when there is no room.
    pub(crate) fn copied(mirror: &Mirror, from: &Path, size: u64) -> Result<Self, Error> {
        let unfit = |cause: String| Error::new(Class::Item, format!("read {}", from.display()), cause);
        let file = File::open(from).map_err(|error| unfit(error.to_string()))?;
        let metadata = file.metadata().map_err(|error| unfit(error.to_string()))?;
        if !metadata.is_file() || metadata.len() != size {
            return Err(unfit("it is not the file that it was".into()));
        }
        let mut copy = Unfinished::create(mirror)?;
        match copy.copy(file, size) {
            Ok(true) => Ok(copy.finish(Fidelity::Original)),
            Ok(false) => Err(unfit("it is growing".into())),
            Err(CopyError::Source(error)) => Err(unfit(error.to_string())),
            Err(CopyError::Destination(error)) => Err(error),
        }
    }

    /// Where the bytes are.
    pub(crate) fn path(&self) -> &Path {
        &self.temporary.path
    }

    /// The bytes from their beginning.
    pub(super) fn rewound(&self) -> io::Result<&File> {
        (&self.temporary.file).rewind()?;
        Ok(&self.temporary.file)
    }
}

impl Unfinished {
    pub(super) fn create(mirror: &Mirror) -> Result<Self, Error> {
        let path = mirror.site.workshop().join(mirror.fresh_name());
        let file = File::options().read(true).write(true).create_new(true).open(&path);
        let file = file.map_err(|error| no_room("make a temporary file", &path, &error))?;
        let temporary = Temporary { file, path };
        Ok(Self { temporary, hasher: sha2::Sha256::new(), head: Vec::new(), size: 0 })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let missing = sniff::HEAD_BYTES.saturating_sub(self.head.len());
        self.head.extend_from_slice(&bytes[..bytes.len().min(missing)]);
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        let Temporary { file, path, .. } = &mut self.temporary;
        file.write_all(bytes).map_err(|error| no_room("fetch an item", path, &error))
    }

    /// Takes what a reader gives, as far as `most` bytes; gives false if there were more.
    pub(super) fn copy(&mut self, mut from: impl Read, most: u64) -> Result<bool, CopyError> {
        let mut buffer = vec![0; PIECE_BYTES];
        loop {
            match from.read(&mut buffer).map_err(CopyError::Source)? {
                0 => return Ok(true),
                count if self.size + count as u64 > most => return Ok(false),
                count => self.write(&buffer[..count]).map_err(CopyError::Destination)?,
            }
        }
    }

    pub(super) fn finish(self, fidelity: Fidelity) -> Received {
        Received {
            temporary: self.temporary,
            sha256: Sha256(self.hasher.finalize().into()),
            size: self.size,
            fidelity,
            head: self.head,
        }
    }
}

/// Which side of a copy failed.
#[derive(Debug)]
pub(super) enum CopyError {
    Source(io::Error),
    Destination(Error),
}

impl Incoming {
    pub(crate) fn new(mirror: Arc<Mirror>, part: Part) -> Self {
        Self { mirror, part, so_far: None, buffer: Vec::new(), validator: None, length: None }
    }

    /// Where to go on, if anything came before and can be gone on from.
    pub(crate) fn resume_point(&self) -> Option<ResumePoint> {
        let (so_far, validator) = (self.so_far.as_ref()?, self.validator.clone()?);
        Some(ResumePoint { offset: so_far.size, validator })
    }

    /// Takes a body to its end: complete, hashed, and media by its first bytes. What comes of a body that breaks off is kept
    /// for the next one.
    pub(crate) async fn take(&mut self, body: Body, item: &RemoteItem) -> Result<Arrived, Error> {
        let doing = || doing(item);
        let offset = self.so_far.as_ref().map_or(0, |so_far| so_far.size);
        let other = body.validator.is_some() && body.validator != self.validator
            || body.length.zip(self.length).is_some_and(|(length, before)| length != before);
        if body.offset == 0 {
            self.start_over();
            (self.validator, self.length) = (body.validator, body.length);
        } else if body.offset != offset || other {
            self.start_over();
            let cause = format!("the storage went on with other bytes than those from {offset} on");
            return Err(Error::new(Class::Transient, doing(), cause));
        }
        let mut bytes = body.bytes;
        let ended = loop {
            match bytes.try_next().await {
                Ok(Some(chunk)) => self.buffer.extend_from_slice(&chunk),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
            if self.buffer.len() >= PIECE_BYTES {
                self.write().await?;
            }
        };
        self.write().await?;
        ended?;
        let size = self.so_far.as_ref().map_or(0, |so_far| so_far.size);
        // What was measured is relied upon only where no body says how many bytes it has: that of the whole.
        let measured = item.size.filter(|_| self.part == Part::Whole && !body.may_be_bundle);
        if let Some(length) = self.length.or(body.length).or(measured).filter(|length| *length != size) {
            if size > length {
                self.start_over();
            }
            let cause = format!("the answer broke off after {size} of {length} bytes");
            return Err(Error::new(Class::Transient, doing(), cause));
        }
        // Whatever is wrong with what is complete: it is not to be gone on from.
        self.validator = None;
        let so_far = self.so_far.take().ok_or_else(|| wrong(item, "is empty"))?;
        self.arrived(so_far.finish(body.fidelity), body.may_be_bundle, item).await
    }

    /// Judges what is complete.
    async fn arrived(
        &self,
        received: Received,
        may_be_bundle: bool,
        item: &RemoteItem,
    ) -> Result<Arrived, Error> {
        let mut arrived = match self.part {
            _ if may_be_bundle && bundle::is_bundle(&received.head) => {
                let (mirror, name) = (Arc::clone(&self.mirror), doing(item));
                tokio::task::spawn_blocking(move || bundle::unpack(&mirror, &received, &name))
                    .await
                    .map_err(|error| Error::new(Class::Item, doing(item), error.to_string()))??
            }
            Part::Whole => Arrived { whole: Some(received), clip: None },
            Part::Clip => Arrived { whole: None, clip: Some(received) },
        };
        match self.part {
            Part::Whole => {
                let whole =
                    arrived.whole.as_ref().ok_or_else(|| wrong(item, "is an archive without a photo"))?;
                let what =
                    sniff::not_media(&whole.head, false).or_else(|| sniff::contradiction(&whole.head, item));
                what.map_or(Ok(()), |what| Err(wrong(item, what)))?;
            }
            Part::Clip => {
                let clip =
                    arrived.clip.as_ref().ok_or_else(|| wrong(item, "is an archive without a clip"))?;
                if sniff::kind(&clip.head) != Some(Kind::Video) {
                    return Err(wrong(item, "is no clip"));
                }
                arrived.whole = None;
            }
        }
        Ok(arrived)
    }

    fn start_over(&mut self) {
        self.so_far = None;
        self.buffer.clear();
        (self.validator, self.length) = (None, None);
    }

    async fn write(&mut self) -> Result<(), Error> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let mirror = Arc::clone(&self.mirror);
        let (so_far, mut buffer) = (self.so_far.take(), std::mem::take(&mut self.buffer));
        let write = move || {
            let mut so_far = so_far.map_or_else(|| Unfinished::create(&mirror), Ok)?;
            so_far.write(&buffer)?;
            buffer.clear();
            Ok((so_far, buffer))
        };
        let (so_far, buffer) = tokio::task::spawn_blocking(write)
            .await
            .map_err(|error| Error::new(Class::Destination, "fetch an item", error.to_string()))??;
        (self.so_far, self.buffer) = (Some(so_far), buffer);
        Ok(())
    }
}

fn doing(item: &RemoteItem) -> String {
    format!("fetch {}", item.file_name)
}

fn wrong(item: &RemoteItem, what: &str) -> Error {
    Error::new(Class::Transient, doing(item), format!("what came {what}, and not a photo or video"))
        .because(Reason::WrongContent)
}
