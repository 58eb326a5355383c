//! The bytes of a file on their way out, from any offset, and the hash of the whole file over what was read of it.
//!
//! What is before the offset is read and hashed too: the storage has it from an earlier attempt, and it must be of the same file.
//! An upload in many pieces opens the file once for each, so the state of the hash is kept at places on the way.

use std::{
    io::{self, SeekFrom},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use bytes::{Buf, Bytes};
use charon_provider::{Content, Error as StorageError, Reason};
use futures::{Stream, StreamExt, TryStreamExt, stream, stream::BoxStream};
use sha2::Digest;
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt},
};
use tokio_util::io::ReaderStream;

use super::{Found, Kept};
use crate::{ids::Sha256, lane::Lane, moving::Board};

const CHUNK_BYTES: usize = 128 * 1024;
/// So many bytes lie between two places at which the state of the hash is kept.
const STRIDE: u64 = 8 * 1024 * 1024;

/// A file that is being sent.
pub(super) struct Outgoing {
    content: Content,
    read: Arc<Mutex<Read>>,
}

/// Where bytes come from.
#[derive(Clone)]
enum Place {
    /// A file of this machine.
    Here(PathBuf),
    /// A file of a mirror, wherever that is.
    Kept(Arc<Kept>),
}

/// What has been read of a file.
#[derive(Default)]
struct Read {
    /// The hash of the whole, once the reading has come to the end.
    whole: Option<Sha256>,
    /// The hash of what is before some places, in order.
    before: Vec<(u64, sha2::Sha256)>,
    /// Why it could not be read.
    trouble: Option<String>,
}

impl Outgoing {
    pub(super) fn new(found: &Found, lane: &Arc<Lane>, board: &Board) -> Self {
        let read = Arc::new(Mutex::new(Read::default()));
        let (place, size) = (Place::of(found), found.size);
        let (shared, lane) = (Arc::clone(&read), Arc::clone(lane));
        let moving = Arc::new(board.begin(&found.name(), 0, Some(size)));
        let open = move |offset: u64| {
            let (lane, moving) = (Arc::clone(&lane), Arc::clone(&moving));
            let bytes = from(place.clone(), size, offset, Arc::clone(&shared));
            moving.is_at(offset);
            // Within the bandwidth that the storage may use.
            let paced = bytes.and_then(move |chunk| {
                let (lane, moving) = (Arc::clone(&lane), Arc::clone(&moving));
                async move {
                    lane.bytes_up(chunk.len()).await;
                    moving.moved(chunk.len());
                    Ok(chunk)
                }
            });
            paced.boxed()
        };
        let content = Content {
            file_name: found.name(),
            mime_type: Some(found.format.mime_type),
            length: size,
            open: Arc::new(open),
        };
        Self { content, read }
    }

    pub(super) fn content(&self) -> &Content {
        &self.content
    }

    /// Why the file could not be read the last time, if that was so.
    pub(super) fn trouble(&self) -> Option<String> {
        lock(&self.read).trouble.clone()
    }

    /// The hash of the whole file. What a storage did not ask for is read now.
    pub(super) async fn sha256(&self) -> io::Result<Sha256> {
        if lock(&self.read).whole.is_none() {
            let mut rest = (self.content.open)(self.content.length);
            while rest.try_next().await?.is_some() {}
        }
        lock(&self.read).whole.ok_or_else(|| io::Error::other("the file is shorter than before"))
    }
}

/// The bytes of a file from an offset on, and nothing beyond the size that it had.
fn from(
    place: Place,
    size: u64,
    offset: u64,
    read: Arc<Mutex<Read>>,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let (mut at, mut hasher) = lock(&read).begin(offset);
    let in_trouble = Arc::clone(&read);
    stream::once(async move { place.open(size, at).await })
        .try_flatten()
        // An empty piece stands for the end.
        .chain(stream::once(std::future::ready(Ok(Bytes::new()))))
        .try_filter_map(move |mut chunk: Bytes| {
            if chunk.is_empty() && at < size {
                let shorter = io::Error::other("it became shorter while it was being sent");
                return std::future::ready(Err(shorter));
            }
            hasher.update(&chunk);
            let length = chunk.len() as u64;
            let known = usize::try_from(offset.saturating_sub(at).min(length)).unwrap_or(chunk.len());
            at += length;
            lock(&read).reached(at, size, &hasher);
            chunk.advance(known);
            std::future::ready(Ok((!chunk.is_empty()).then_some(chunk)))
        })
        .inspect_err(move |error| {
            lock(&in_trouble).trouble = Some(match error.kind() {
                io::ErrorKind::NotFound => "it vanished while the run was at work".into(),
                _ => format!("it cannot be read: {error}"),
            });
        })
}

impl Place {
    fn of(found: &Found) -> Self {
        found.kept.clone().map_or_else(|| Self::Here(found.path.clone()), Self::Kept)
    }

    async fn open(&self, size: u64, at: u64) -> io::Result<BoxStream<'static, io::Result<Bytes>>> {
        let kept = match self {
            Self::Here(path) => return Ok(open(path, size, at).await?.boxed()),
            Self::Kept(kept) => kept,
        };
        let bytes = kept.site.files().read(&kept.path, at, Some(size - at)).await.map_err(unread)?;
        Ok(bytes.map_err(unread).boxed())
    }
}

fn unread(error: StorageError) -> io::Error {
    let is_gone = error.reason == Reason::NotFound;
    io::Error::new(if is_gone { io::ErrorKind::NotFound } else { io::ErrorKind::Other }, error)
}

async fn open(path: &Path, size: u64, at: u64) -> io::Result<ReaderStream<tokio::io::Take<File>>> {
    let mut file = File::open(path).await?;
    if file.metadata().await?.len() != size {
        return Err(io::Error::other("it has another size than before"));
    }
    file.seek(SeekFrom::Start(at)).await?;
    Ok(ReaderStream::with_capacity(file.take(size - at), CHUNK_BYTES))
}

impl Read {
    /// The last place before the offset where the state of the hash is known; the reading begins there.
    fn begin(&mut self, offset: u64) -> (u64, sha2::Sha256) {
        (self.whole, self.trouble) = (None, None);
        self.before.retain(|(place, _)| *place <= offset);
        self.before.last().cloned().unwrap_or_default()
    }

    fn reached(&mut self, at: u64, size: u64, hasher: &sha2::Sha256) {
        let last = self.before.last().map_or(0, |(place, _)| *place);
        if at >= last + STRIDE || at == size {
            self.before.push((at, hasher.clone()));
        }
        if at == size {
            self.whole = Some(Sha256(hasher.clone().finalize().into()));
        }
    }
}

fn lock(read: &Mutex<Read>) -> MutexGuard<'_, Read> {
    read.lock().expect("nothing panics while it holds what was read")
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path, sync::Arc};

    use charon_provider::{Format, Kind};
    use futures::TryStreamExt;
    use sha2::Digest;

    use super::{Found, Outgoing, STRIDE};
    use crate::{clock::SystemClock, ids::Sha256, lane::Lane, moving::Board};

    static JPEG: Format = Format { extension: "jpg", kind: Kind::Photo, mime_type: "image/jpeg" };

    fn outgoing(path: &Path, size: u64) -> Outgoing {
        let found = Found {
            path: path.to_owned(),
            source: Path::new("/").into(),
            size,
            modified_ns: 0,
            format: &JPEG,
            place: 0,
            kept: None,
        };
        Outgoing::new(&found, &Arc::new(Lane::new(Arc::new(SystemClock))), &Board::default())
    }

    fn sha256(bytes: &[u8]) -> Sha256 {
        Sha256(sha2::Sha256::digest(bytes).into())
    }

    async fn read(outgoing: &Outgoing, offset: u64, most: usize) -> Vec<u8> {
        let mut stream = (outgoing.content().open)(offset);
        let mut bytes = Vec::new();
        while bytes.len() < most
            && let Some(chunk) = stream.try_next().await.expect("readable")
        {
            bytes.extend_from_slice(&chunk);
        }
        bytes.truncate(most);
        bytes
    }

    #[tokio::test]
    async fn from_whichever_offset_the_rest_is_given_and_the_whole_is_hashed() {
        // I1
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("photo.jpg");
        let bytes: Vec<u8> = (0..400_001_u32).flat_map(u32::to_le_bytes).collect();
        fs::write(&path, &bytes).expect("a file");
        let size = bytes.len() as u64;
        for offset in [0, 1, 131_072, 262_145, size - 1, size] {
            let outgoing = outgoing(&path, size);
            let from = usize::try_from(offset).expect("small");
            assert!(read(&outgoing, offset, usize::MAX).await == bytes[from..], "from {offset}");
            assert_eq!(outgoing.sha256().await.expect("its hash"), sha256(&bytes));
        }
    }

    #[tokio::test]
    async fn what_was_sent_before_must_be_of_the_same_file() {
        // I1
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("photo.jpg");
        let bytes = vec![7; 500_000];
        fs::write(&path, &bytes).expect("a file");
        let mut changed = bytes.clone();
        changed[10] = 8;
        fs::write(&path, &changed).expect("it changes");
        let outgoing = outgoing(&path, 500_000);
        assert!(read(&outgoing, 400_000, usize::MAX).await == bytes[400_000..], "the rest is the same");
        assert_ne!(outgoing.sha256().await.expect("its hash"), sha256(&bytes));
    }

    #[tokio::test]
    async fn a_file_that_is_read_in_pieces_is_hashed_as_it_was_read() {
        // I1
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("video.mp4");
        let size = 3 * STRIDE + 12_345;
        let bytes: Vec<u8> = (0..size).map(|at| u8::try_from(at / 7 % 251).expect("small")).collect();
        fs::write(&path, &bytes).expect("a file");
        let outgoing = outgoing(&path, size);
        let piece = usize::try_from(STRIDE / 4 * 5).expect("small");
        let mut changed = false;
        for at in (0..bytes.len()).step_by(piece) {
            let expected = &bytes[at..bytes.len().min(at + piece)];
            assert!(read(&outgoing, at as u64, piece).await == expected, "the piece at {at}");
            // What has been sent may change: it was right when it was sent.
            if at > 2 * usize::try_from(STRIDE).expect("small") && !std::mem::replace(&mut changed, true) {
                let mut other = bytes.clone();
                other[0] ^= 1;
                fs::write(&path, &other).expect("it changes");
            }
        }
        assert!(changed);
        assert_eq!(outgoing.sha256().await.expect("its hash"), sha256(&bytes));
    }

    #[tokio::test]
    async fn a_file_that_vanished_or_has_another_size_says_so() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("photo.jpg");
        let gone = outgoing(&path, 5);
        (gone.content().open)(0).try_next().await.expect_err("it is not there");
        assert_eq!(gone.trouble().as_deref(), Some("it vanished while the run was at work"));
        fs::write(&path, "four").expect("a file");
        (gone.content().open)(0).try_next().await.expect_err("it is too short");
        assert_eq!(gone.trouble().as_deref(), Some("it cannot be read: it has another size than before"));
    }

    #[tokio::test]
    async fn a_file_that_becomes_shorter_while_it_is_read_says_so() {
        // I9
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("photo.jpg");
        fs::write(&path, vec![7; 500_000]).expect("a file");
        let outgoing = outgoing(&path, 500_000);
        let mut stream = (outgoing.content().open)(0);
        stream.try_next().await.expect("readable").expect("its beginning");
        fs::File::options().write(true).open(&path).expect("a file").set_len(200_000).expect("shorter");
        let error = loop {
            match stream.try_next().await {
                Ok(piece) => assert!(piece.is_some(), "it must not look whole"),
                Err(error) => break error,
            }
        };
        assert!(error.to_string().contains("became shorter"), "{error}");
        assert!(outgoing.trouble().expect("trouble").contains("became shorter"));
    }
}
