//! Thumbnails of the library: made once, kept on disk below the data directory, known by the bytes that they are made of.
//!
//! They are drawn here and not in the engine, which moves bytes and does not look into them. Two are drawn at a time at most, and
//! one that several ask for is drawn once. What cannot be drawn is remembered as well.

mod drawing;
mod kept;
mod placeholder;
mod size;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    fs::File,
    path::Path,
    sync::{Arc, Mutex},
};

use axum::body::Bytes;
use charon_engine::{Error, Sha256};
use tokio::{sync::Semaphore, task::spawn_blocking};

pub(crate) use drawing::NoPicture;
use drawing::draw;
use kept::{Kept, Key};
pub(crate) use placeholder::{format_name, placeholder};
pub(crate) use size::Size;

/// The most that is kept on disk.
const MOST_BYTES: u64 = 512 * 1024 * 1024;
/// How many are drawn at a time.
const AT_A_TIME: usize = 2;
/// So many files that cannot be drawn are remembered.
const REMEMBERED: usize = 10_000;

/// The thumbnail of a picture, as the library shows it: a JPEG whose longer side has so many pixels at most. `None` if it cannot be
/// drawn. For those who measure how long that takes; it blocks.
pub fn draw_thumbnail(picture: File, pixels: u16) -> Option<Vec<u8>> {
    draw(picture, Size::of(pixels)).ok()
}

/// The thumbnails of a data directory. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Thumbnails(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    kept: Kept,
    /// Held by whoever draws one; others wait for it.
    drawing: Mutex<HashMap<Key, Arc<tokio::sync::Mutex<()>>>>,
    turns: Arc<Semaphore>,
    impossible: Mutex<HashMap<Sha256, NoPicture>>,
}

impl Thumbnails {
    pub(crate) fn new(data_dir: &Path) -> Self {
        Self::with(data_dir, MOST_BYTES)
    }

    fn with(data_dir: &Path, most: u64) -> Self {
        Self(Arc::new(Inner {
            kept: Kept::new(data_dir.join("cache").join("thumbnails"), most),
            drawing: Mutex::default(),
            turns: Arc::new(Semaphore::new(AT_A_TIME)),
            impossible: Mutex::default(),
        }))
    }

    /// The thumbnail of a file with these bytes, a JPEG; the file is opened only if there is none yet. The inner error says why there
    /// cannot be one.
    pub(crate) async fn get(
        &self,
        sha256: Sha256,
        size: Size,
        open: impl AsyncFnOnce() -> Result<File, Error>,
    ) -> Result<Result<Bytes, NoPicture>, Error> {
        let key = Key::new(sha256, size);
        if let Some(found) = self.find(key).await {
            return Ok(found);
        }
        let turn = Turn { inner: &self.0, key, own: Arc::clone(self.0.drawing().entry(key).or_default()) };
        let _own = turn.own.lock().await;
        // Somebody may have drawn it meanwhile.
        match self.find(key).await {
            Some(found) => Ok(found),
            None => self.draw(key, size, open).await,
        }
    }

    async fn find(&self, key: Key) -> Option<Result<Bytes, NoPicture>> {
        if let Some(why) = self.0.impossible().get(&key.sha256) {
            return Some(Err(*why));
        }
        let inner = Arc::clone(&self.0);
        let kept = spawn_blocking(move || inner.kept.get(key)).await.ok().flatten();
        kept.map(|bytes| Ok(bytes.into()))
    }

    async fn draw(
        &self,
        key: Key,
        size: Size,
        open: impl AsyncFnOnce() -> Result<File, Error>,
    ) -> Result<Result<Bytes, NoPicture>, Error> {
        let Ok(turn) = Arc::clone(&self.0.turns).acquire_owned().await else {
            return Ok(Err(NoPicture::Unknown));
        };
        let file = open().await?;
        let inner = Arc::clone(&self.0);
        let drawn = spawn_blocking(move || {
            // Held until it is drawn, even if nobody waits for it any more.
            let _turn = turn;
            let bytes = draw(file, size)?;
            if let Err(error) = inner.kept.put(key, &bytes) {
                tracing::warn!(%error, "a thumbnail could not be kept");
            }
            Ok(Bytes::from(bytes))
        });
        // A decoder that panics is one that does not know the format.
        let drawn = drawn.await.unwrap_or(Err(NoPicture::Damaged));
        if let Err(why @ (NoPicture::Unknown | NoPicture::Damaged | NoPicture::TooLarge)) = drawn {
            let mut impossible = self.0.impossible();
            if impossible.len() >= REMEMBERED {
                impossible.clear();
            }
            impossible.insert(key.sha256, why);
        }
        Ok(drawn)
    }
}

impl Inner {
    fn drawing(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Arc<tokio::sync::Mutex<()>>>> {
        self.drawing.lock().expect("nothing panics while it holds the turns")
    }

    fn impossible(&self) -> std::sync::MutexGuard<'_, HashMap<Sha256, NoPicture>> {
        self.impossible.lock().expect("nothing panics while it holds what cannot be drawn")
    }
}

/// A turn to draw a thumbnail, held or waited for. It is forgotten with the last one.
struct Turn<'a> {
    inner: &'a Inner,
    key: Key,
    own: Arc<tokio::sync::Mutex<()>>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut drawing = self.inner.drawing();
        // One is the list's, and one is this.
        if Arc::strong_count(&self.own) <= 2 {
            drawing.remove(&self.key);
        }
    }
}
