//! The bytes of a file on their way out: read once and in order where nothing breaks, no more and no fewer of them than were
//! announced, and never more of them in memory than one piece.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use charon_provider::{Class, Content, Error};
use futures::{Stream, StreamExt, TryStreamExt, stream, stream::BoxStream};

use super::DOING;
use crate::http::Progress;

/// A file that is being sent, in one request or in several.
pub(super) struct Outgoing<'a> {
    pub(super) content: &'a Content,
    /// What the next request goes on reading from, if it begins where the last one ended.
    waiting: Arc<Mutex<Option<Reader>>>,
    /// Why the bytes could not be given as they were announced.
    fault: Arc<Mutex<Option<String>>>,
}

/// An open file, and how far it has been read.
struct Reader {
    bytes: BoxStream<'static, io::Result<Bytes>>,
    at: u64,
    /// What was read and not yet given.
    left_over: Bytes,
}

/// The bytes of one request.
struct Slice {
    reader: Reader,
    left: u64,
    /// Whether the file has to end where the slice does.
    is_last: bool,
    waiting: Arc<Mutex<Option<Reader>>>,
}

impl<'a> Outgoing<'a> {
    pub(super) fn new(content: &'a Content) -> Self {
        Self { content, waiting: Arc::default(), fault: Arc::default() }
    }

    /// So many bytes from there on. Asked for again, the file is opened again.
    pub(super) fn slice(
        &self,
        from: u64,
        length: u64,
        progress: Arc<Progress>,
    ) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let waiting = lock(&self.waiting).take().filter(|reader| reader.at == from);
        let open = || Reader { bytes: (self.content.open)(from), at: from, left_over: Bytes::new() };
        let slice = Slice {
            reader: waiting.unwrap_or_else(open),
            left: length,
            is_last: from.saturating_add(length) >= self.content.length,
            waiting: Arc::clone(&self.waiting),
        };
        let fault = Arc::clone(&self.fault);
        let reading = Arc::clone(&progress);
        stream::try_unfold(Some(slice), move |slice| {
            let progress = Arc::clone(&reading);
            async move {
                match slice {
                    Some(slice) if slice.left > 0 => progress.read(slice.next()).await.map(Some),
                    _ => Ok(None),
                }
            }
        })
        .inspect_ok(move |piece| progress.advance(length_of(piece)))
        .inspect_err(move |error| *lock(&fault) = Some(format!("the file cannot be read: {error}")))
    }

    /// The file's own trouble, which explains whatever the connection made of it.
    pub(super) fn trouble(&self) -> Option<Error> {
        lock(&self.fault).take().map(|words| Error::new(Class::Item, DOING, words))
    }
}

impl Slice {
    /// The next piece. The reader is put back with the last one: nobody asks for more once the announced bytes are there.
    async fn next(mut self) -> io::Result<(Bytes, Option<Self>)> {
        let Some(piece) = self.reader.next(self.left).await? else {
            return Err(io::Error::other("the file shrank while it was sent"));
        };
        self.left -= length_of(&piece);
        if self.left > 0 {
            return Ok((piece, Some(self)));
        }
        if self.is_last && self.reader.next(1).await?.is_some() {
            return Err(io::Error::other("the file grew while it was sent"));
        }
        *lock(&self.waiting) = Some(self.reader);
        Ok((piece, None))
    }
}

impl Reader {
    /// The next bytes, at least one and at most so many; `None` at the end of the file.
    async fn next(&mut self, most: u64) -> io::Result<Option<Bytes>> {
        while self.left_over.is_empty() {
            match self.bytes.next().await {
                Some(piece) => self.left_over = piece?,
                None => return Ok(None),
            }
        }
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(self.left_over.len());
        let piece = self.left_over.split_to(most);
        self.at = self.at.saturating_add(length_of(&piece));
        Ok(Some(piece))
    }
}

fn length_of(piece: &Bytes) -> u64 {
    u64::try_from(piece.len()).unwrap_or(u64::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
