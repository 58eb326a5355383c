//! Receiving: what can be refused is refused before the bytes are read; then they are spooled as they come, and the receipt is written
//! once they are complete and flushed (I1).

use std::io;

use bytes::{Bytes, BytesMut};
use charon_provider::{Format, UploadLimits};
use jiff::SignedDuration;

use super::{
    LINGERS, Receipt,
    error::NotTaken,
    spool::{Coming, SpoolError},
};
use crate::{
    engine::Engine,
    error::Error,
    ids::{ReceiptId, StorageId},
    sniff,
    store::{Added, NewReceipt, StorageRow},
};

/// Bytes are hashed and written in pieces of this size, off the threads that wait for the network.
const PIECE_BYTES: usize = 256 * 1024;
/// The longest name of a file, in bytes, as most file systems have it.
const LONGEST_NAME: usize = 255;
/// The longest key.
const LONGEST_KEY: usize = 200;

/// What is known of a file before its bytes come.
#[derive(Clone, Debug, Default)]
pub struct Handing {
    /// Its name; of a path, the last part.
    pub name: String,
    /// The title of the album, if that is known already.
    pub album: Option<String>,
    /// By which the one who sends it knows that it is the same: sent once more with the same key, it is taken in once.
    pub key: Option<String>,
    /// How many bytes it has, if that is known.
    pub length: Option<u64>,
}

/// Whether somebody waits for the item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is sent at once.
    Sync,
    /// It may be sent a little later, along with others.
    Async,
}

/// A file that is being taken in. Dropped before its end, it leaves nothing.
#[derive(Debug)]
pub struct Receiving {
    engine: Engine,
    storage: StorageRow,
    limits: UploadLimits,
    takes_albums: bool,
    name: String,
    format: &'static Format,
    key: Option<String>,
    album: Option<String>,
    buffer: BytesMut,
    /// `None` only while a piece is being written.
    coming: Option<Coming>,
    has_been_looked_at: bool,
}

impl Engine {
    /// Begins to take in a file for a storage.
    ///
    /// # Errors
    /// Whatever can be said against it before its first byte has come.
    pub async fn receive(&self, storage: StorageId, handing: Handing) -> Result<Receiving, NotTaken> {
        let storage = self.store.storage_by_id(storage).await?.ok_or_else(|| Error::Unknown {
            what: "storage",
            name: storage.to_string(),
            known: "it may have been removed".into(),
        })?;
        let facts = self.open_row(&storage)?.storage.facts().clone();
        if !facts.capabilities.upload {
            return Err(NotTaken::Unable(format!(
                "{} takes no uploads (it is read-only); use another storage, or add one without read_only",
                storage.name
            )));
        }
        if let Some(key) = &handing.key {
            judge_key(key)?;
        }
        let name = judge_name(&handing.name)?;
        let limits = facts.limits;
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        let format = limits.format_of(extension).ok_or_else(|| {
            NotTaken::NotMedia(format!(
                "{name} is not a photo or video that {} takes: its name does not end like one's",
                storage.name
            ))
        })?;
        let mut receiving = Receiving {
            engine: self.clone(),
            limits,
            takes_albums: facts.capabilities.albums,
            name,
            format,
            key: handing.key,
            album: None,
            buffer: BytesMut::new(),
            coming: None,
            has_been_looked_at: false,
            storage,
        };
        if let Some(album) = handing.album {
            receiving.set_album(album)?;
        }
        if let Some(length) = handing.length {
            receiving.judge_size(length)?;
            if let Some(limit) = self.spool.is_full_with(length) {
                return Err(full(limit));
            }
        }
        let (spool, id) = (self.spool.clone(), ReceiptId::new(&*self.clock, &*self.entropy));
        let begun = blocking(move || spool.begin(id)).await;
        receiving.coming = Some(begun.map_err(|error| receiving.failed(error))?);
        Ok(receiving)
    }
}

impl Receiving {
    /// The file goes into the album of this title.
    ///
    /// # Errors
    /// A title that the storage does not take.
    pub fn set_album(&mut self, title: String) -> Result<(), NotTaken> {
        if title.trim().is_empty() {
            return Err(NotTaken::Album("the title of the album is blank; leave it out for no album".into()));
        }
        if title.chars().any(char::is_control) {
            return Err(NotTaken::Album("the title of the album has control characters".into()));
        }
        if !self.takes_albums {
            return Err(NotTaken::Unable(format!(
                "{} has no albums; leave the album out",
                self.storage.name
            )));
        }
        let (chars, most) = (title.chars().count(), self.limits.album_title_chars);
        if chars > most {
            let reason = format!("the title of the album has {chars} characters, and {most} are the most");
            return Err(NotTaken::Album(reason));
        }
        self.album = Some(title);
        Ok(())
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// When they are not those of a photo or video, are too many, or cannot be written.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), NotTaken> {
        self.buffer.extend_from_slice(&bytes);
        while self.buffer.len() >= PIECE_BYTES {
            let piece = self.buffer.split_to(PIECE_BYTES).freeze();
            self.write_piece(piece).await?;
        }
        Ok(())
    }

    async fn write_piece(&mut self, piece: Bytes) -> Result<(), NotTaken> {
        let Some(mut coming) = self.coming.take() else {
            return Err(
                Error::Refused("it was given up when the bytes before could not be written".into()).into()
            );
        };
        self.judge_size(coming.size + piece.len() as u64)?;
        let (coming, written) = blocking(move || {
            let written = coming.write(&piece);
            Ok((coming, written))
        })
        .await
        .map_err(|error| self.failed(error))?;
        match written {
            Ok(()) => {}
            Err(SpoolError::Full { limit }) => return Err(full(limit)),
            Err(SpoolError::Io(error)) => return Err(self.failed(error)),
        }
        // The pieces are larger than what is looked at.
        if !std::mem::replace(&mut self.has_been_looked_at, true) {
            let certain = sniff::is_well_known(self.format.extension);
            if let Some(what) = sniff::not_media(&coming.head, certain) {
                return Err(NotTaken::NotMedia(format!(
                    "{} ends like the name of a photo or video, but its content {what}",
                    self.name
                )));
            }
        }
        self.coming = Some(coming);
        Ok(())
    }

    /// All bytes have come: makes them durable, and gives the receipt. Whoever sends the same file once more, with the same key, gets
    /// that of the first time.
    ///
    /// # Errors
    /// When they are none, or cannot be written; and when the file of the same key was another one.
    pub async fn finish(mut self, mode: Mode) -> Result<Receipt, NotTaken> {
        let rest = self.buffer.split().freeze();
        if !rest.is_empty() {
            self.write_piece(rest).await?;
        }
        let Some(mut coming) = self.coming.take() else {
            return Err(
                Error::Refused("it was given up when the bytes before could not be written".into()).into()
            );
        };
        if coming.size == 0 {
            return Err(NotTaken::Empty(format!("{} is empty (zero bytes)", self.name)));
        }
        let (id, size, name) = (coming.id(), coming.size, self.name.clone());
        // Before it has its place: what goes wrong here must leave nothing.
        let plan = self.engine.inbox_plan(&self.storage).await?;
        let sha256 = blocking(move || coming.finish(&name)).await.map_err(|error| self.failed(error))?;
        let now = self.engine.clock.now();
        let lingers = match mode {
            Mode::Sync => SignedDuration::ZERO,
            Mode::Async => SignedDuration::try_from(LINGERS).unwrap_or_default(),
        };
        let new = NewReceipt {
            id,
            storage: self.storage.id,
            file_name: self.name.clone(),
            album: self.album.clone(),
            sha256,
            size,
            key: self.key.clone(),
            again_at: now.checked_add(lingers).unwrap_or(now),
        };
        let run = self.engine.run_of_inbox(plan.id, Some(new.again_at));
        let added = self.engine.store.add_receipt(&new, &run, now).await;
        if !matches!(added, Ok(Added::New)) {
            let spool = self.engine.spool.clone();
            blocking(move || {
                spool.remove(id, size);
                Ok(())
            })
            .await
            .map_err(|error| self.failed(error))?;
        }
        match added? {
            Added::New => {
                self.engine.spool.changed();
                self.engine.wake();
                Ok(self.engine.receipt(id).await?)
            }
            Added::Same(row) if (row.sha256, &row.album) == (sha256, &self.album) => {
                Ok(self.engine.view_of_receipt(*row).await?)
            }
            Added::Same(row) => Err(NotTaken::KeyTaken(format!(
                "the key was given before, for another file or another album ({}, received {}); each file needs a key of its own, \
                 such as a UUID, and this one was not taken in",
                row.file_name, row.received_at
            ))),
        }
    }

    fn judge_size(&self, bytes: u64) -> Result<(), NotTaken> {
        let largest = self.limits.largest(self.format.kind);
        if bytes > largest {
            return Err(NotTaken::TooLarge(format!(
                "{} has more bytes than {} takes: {largest} are the most",
                self.name, self.storage.name
            )));
        }
        Ok(())
    }

    fn failed(&self, source: io::Error) -> NotTaken {
        let path = self.engine.spool.folder().to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => NotTaken::DiskFull(format!(
                "the disk of {} is full: make room there, then send the file again",
                path.display()
            )),
            _ => Error::DataFile { doing: "write a file that comes in below", path, source }.into(),
        }
    }
}

/// Does it off the threads that wait for the network.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| Err(io::Error::other(panic)))
}

fn full(limit: u64) -> NotTaken {
    NotTaken::Full(format!(
        "the inbox is full: what waits in it and this would be more than {limit} bytes; send it again when some of it has \
         gone out"
    ))
}

fn judge_key(key: &str) -> Result<(), NotTaken> {
    if key.is_empty() || key.len() > LONGEST_KEY || !key.chars().all(|c| c.is_ascii_graphic()) {
        return Err(NotTaken::Key(format!(
            "a key has 1 to {LONGEST_KEY} letters, digits and signs without spaces, such as a UUID"
        )));
    }
    Ok(())
}

/// The name that a file gets in the spool, and the item at the storage.
fn judge_name(given: &str) -> Result<String, NotTaken> {
    // Browsers and phones may give the whole path.
    let name = given.rsplit(['/', '\\']).next().unwrap_or_default().trim();
    let is_good = !name.is_empty()
        && name != "."
        && name != ".."
        && name.len() <= LONGEST_NAME
        && !name.chars().any(char::is_control);
    if is_good {
        return Ok(name.to_owned());
    }
    Err(NotTaken::Name(format!(
        "{given:?} is no name for a file: it has 1 to {LONGEST_NAME} bytes and no control characters"
    )))
}

#[cfg(test)]
mod tests {
    use super::{judge_key, judge_name};

    #[test]
    fn names_cannot_lead_elsewhere() {
        // I11
        for (given, name) in [
            ("photo.jpg", "photo.jpg"),
            ("../../etc/photo.jpg", "photo.jpg"),
            (r"C:\fakepath\photo.jpg", "photo.jpg"),
            (" photo.jpg ", "photo.jpg"),
            ("../photo..jpg", "photo..jpg"),
        ] {
            assert_eq!(judge_name(given).expect("a name"), name, "{given}");
        }
        for given in ["", "..", ".", "a/..", "a/", "a\0b.jpg", "a\nb.jpg", &"x".repeat(256)] {
            judge_name(given).expect_err(given);
        }
    }

    #[test]
    fn keys_are_short_and_plain() {
        judge_key("8e03978e-40d5-43e8-bc93-6894a57f9324").expect("a key");
        for key in ["", "a b", "ü", &"x".repeat(201)] {
            judge_key(key).expect_err(key);
        }
    }
}
