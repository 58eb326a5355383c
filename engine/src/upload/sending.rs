//! Diff and send: what the storage has is unchanged, or joins the album; the rest goes up, several files at a time, each
//! SHA-256 once.

use std::{collections::HashMap, sync::Arc, time::Duration};

use charon_provider::{Class, Content, Error as StorageError, Reason, Staged, UploadToken};
use futures::{FutureExt, StreamExt, TryStreamExt, stream::FuturesUnordered};
use secrecy::ExposeSecret;
use sha2::Digest;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::{io::ReaderStream, task::AbortOnDropHandle};

use super::{
    Hashed, LOOKED_UP, Upload, albums,
    coming::{Coming, One},
    committing::ToCommit,
    joining::Joiners,
};
use crate::{error::Error, ids::Sha256, retry::with_retries, store::Known};

/// Files that go up at a time.
const SENDS: usize = 16;
/// Attempts at one file whose token or item is refused at the commit.
const ATTEMPTS: u32 = 3;
const CHUNK_BYTES: usize = 128 * 1024;

/// Sends what comes and is not there yet, until nothing comes any more and all of it is committed, or the run stops.
pub(super) async fn send(
    upload: &Arc<Upload>,
    mut hashed: mpsc::Receiver<Hashed>,
    coming: &Coming,
    more_may_come: One,
    staged: mpsc::Sender<ToCommit>,
) -> Result<(), Error> {
    let ctx = &upload.ctx;
    let mut more_may_come = Some(more_may_come);
    let mut sender = Sender {
        upload: Arc::clone(upload),
        coming: coming.clone(),
        staged,
        // Sent or being sent, and not committed: the batches that the storage's policy allows to be staged.
        slots: Arc::new(Semaphore::new(ctx.facts.batch.staged.max(1))),
        lines: Arc::new(Semaphore::new(SENDS)),
        under_way: FuturesUnordered::new(),
        same_bytes: HashMap::new(),
    };
    let mut joiners = Joiners::default();
    let mut files = Vec::with_capacity(LOOKED_UP);
    while more_may_come.is_some() || !sender.under_way.is_empty() {
        tokio::select! {
            // What has ended is settled before more is begun; otherwise it would pile up.
            biased;
            () = ctx.cancel.cancelled() => break,
            Some(ended) = sender.under_way.next(), if !sender.under_way.is_empty() => sender.ended(ended).await?,
            count = hashed.recv_many(&mut files, LOOKED_UP), if more_may_come.is_some() => {
                if count == 0 {
                    more_may_come = None;
                    continue;
                }
                let album = albums::known(upload).await?;
                let contents: Vec<Sha256> = files.iter().map(|file| file.sha256).collect();
                let known = ctx.store.known(ctx.storage, album.as_ref(), &contents).await?;
                for file in files.drain(..) {
                    let known = known.get(&file.sha256).cloned().unwrap_or_default();
                    match (known.remote_id.clone(), &upload.album) {
                        (Some(_), None) => ctx.tell(|progress| progress.items.unchanged += 1),
                        (Some(_), Some(_)) if known.in_album => ctx.tell(|progress| progress.items.unchanged += 1),
                        (Some(id), Some(title)) => joiners.add(upload, title, id, file).await?,
                        (None, _) => sender.start(file, known, &mut more_may_come).await,
                    }
                }
            }
        }
    }
    // What has ended by now is told, also when the run has stopped meanwhile (I9).
    while let Some(Some(ended)) = sender.under_way.next().now_or_never() {
        sender.ended(ended).await?;
    }
    if let Some(title) = &upload.album {
        joiners.flush(upload, title).await?;
    }
    Ok(())
}

/// What became of a file that was sent.
struct Ended {
    file: Hashed,
    /// `None` when the run has stopped.
    outcome: Option<Result<(), StorageError>>,
}

/// Sessions are not kept yet.
struct NotKept;

#[async_trait::async_trait]
impl charon_provider::KeepSession for NotKept {
    async fn keep(&self, _session: &charon_provider::Session) -> Result<(), StorageError> {
        Ok(())
    }
}

/// The files under way.
struct Sender {
    upload: Arc<Upload>,
    coming: Coming,
    staged: mpsc::Sender<ToCommit>,
    slots: Arc<Semaphore>,
    lines: Arc<Semaphore>,
    under_way: FuturesUnordered<AbortOnDropHandle<Result<Ended, Error>>>,
    /// For each SHA-256 under way, the other files with the same bytes.
    same_bytes: HashMap<Sha256, Vec<Hashed>>,
}

impl Sender {
    /// Starts on a file, or puts it with the one that is under way with the same bytes. Waits for a slot.
    async fn start(&mut self, file: Hashed, known: Known, more_may_come: &mut Option<One>) {
        if let Some(others) = self.same_bytes.get_mut(&file.sha256) {
            others.push(file);
            return;
        }
        // While we wait for a slot, nothing comes from here.
        *more_may_come = None;
        let slot = self.upload.ctx.unless_stopped(Arc::clone(&self.slots).acquire_owned()).await;
        *more_may_come = Some(self.coming.one());
        let Some(Ok(slot)) = slot else { return };
        self.same_bytes.insert(file.sha256, Vec::new());
        let one = OneFile {
            upload: Arc::clone(&self.upload),
            coming: self.coming.clone(),
            staged: self.staged.clone(),
            lines: Arc::clone(&self.lines),
            file,
            slot,
        };
        self.under_way.push(AbortOnDropHandle::new(tokio::spawn(one.upload(known, self.coming.one()))));
    }

    /// Settles a file that has ended, and those with the same bytes.
    async fn ended(
        &mut self,
        ended: Result<Result<Ended, Error>, tokio::task::JoinError>,
    ) -> Result<(), Error> {
        let ctx = &self.upload.ctx;
        let Ended { file, outcome } =
            ended.map_err(|panic| Error::Refused(format!("this is a mistake in Charon: {panic}")))??;
        let others = self.same_bytes.remove(&file.sha256).unwrap_or_default();
        match outcome {
            None => {}
            Some(Ok(())) => {
                ctx.item_worked();
                // They are where they should be, by the sending of the first.
                ctx.tell(|progress| progress.items.unchanged += others.len() as u64);
            }
            Some(Err(error)) => {
                let Some(error) = ctx.item_failed(error) else { return Ok(()) };
                let records: Vec<_> = std::iter::once(&file)
                    .chain(&others)
                    .map(|file| {
                        ctx.failed(file.found.key(), file.found.name(), error.class, error.to_string())
                    })
                    .collect();
                ctx.record(&records).await?;
            }
        }
        Ok(())
    }
}

/// One file on its way.
struct OneFile {
    upload: Arc<Upload>,
    coming: Coming,
    staged: mpsc::Sender<ToCommit>,
    lines: Arc<Semaphore>,
    file: Hashed,
    /// Held until the file is committed.
    slot: OwnedSemaphorePermit,
}

impl OneFile {
    async fn upload(self, known: Known, coming: One) -> Result<Ended, Error> {
        let outcome = self.send_and_commit(known, coming).await?;
        if let Some(Err(error)) = &outcome {
            // Now, and not when it is settled: until then, more would be sent that cannot succeed (I7).
            self.upload.stop_if_it_concerns_all(error);
        }
        drop(self.slot);
        Ok(Ended { file: self.file, outcome })
    }

    async fn send_and_commit(
        &self,
        known: Known,
        coming: One,
    ) -> Result<Option<Result<(), StorageError>>, Error> {
        let ctx = &self.upload.ctx;
        let mut coming = Some(coming);
        let mut token = self.kept_token(known);
        let mut attempts = 0;
        loop {
            attempts += 1;
            let still_coming = coming.take().unwrap_or_else(|| self.coming.one());
            let staged = match token.take() {
                Some(token) => token,
                None => match self.send().await? {
                    Some(Ok(token)) => token,
                    Some(Err(error)) => return Ok(Some(Err(error))),
                    None => return Ok(None),
                },
            };
            let (reply, answer) = oneshot::channel();
            let to_commit = ToCommit {
                staged: Staged {
                    file_name: self.file.found.name(),
                    description: None,
                    token: staged.clone(),
                },
                file: self.file.clone(),
                reply,
            };
            if self.staged.send(to_commit).await.is_err() {
                return Ok(None);
            }
            drop(still_coming);
            // No answer: the committer has stopped, and so has the run.
            let Ok(answer) = answer.await else { return Ok(None) };
            let Err(error) = answer else { return Ok(Some(Ok(()))) };
            if error.reason == Reason::UploadToken {
                ctx.store.unstage(ctx.storage, self.file.sha256).await?;
            }
            if attempts == ATTEMPTS {
                return Ok(Some(Err(error)));
            }
            match (error.reason, error.class) {
                (Reason::UploadToken, _) => {}
                // The item alone failed, for a fault that may pass: the same token again, a little later.
                (_, Class::Transient | Class::Throttled) => {
                    let unit = if error.class == Class::Throttled { 15 } else { 1 };
                    let wait = Duration::from_secs(unit << attempts);
                    if ctx.unless_stopped(ctx.clock.sleep(wait)).await.is_none() {
                        return Ok(None);
                    }
                    token = Some(staged);
                }
                _ => return Ok(Some(Err(error))),
            }
        }
    }

    /// What was given for the bytes by an earlier run that was cut off before the commit.
    fn kept_token(&self, known: Known) -> Option<UploadToken> {
        let (sealed, valid_until) = known.staged.filter(|(_, until)| *until > self.upload.ctx.clock.now())?;
        // One that does not open (another key) is no loss: the bytes are sent again.
        let opened = self.upload.vault.unseal(&self.place(), &sealed).ok()?;
        let token = std::str::from_utf8(&opened).ok()?;
        Some(UploadToken { token: token.into(), valid_until })
    }

    /// Sends the bytes, and keeps what is given for them.
    async fn send(&self) -> Result<Option<Result<UploadToken, StorageError>>, Error> {
        let ctx = &self.upload.ctx;
        let Some(Ok(_line)) = ctx.unless_stopped(self.lines.acquire()).await else { return Ok(None) };
        let Some(sink) = self.upload.storage.sink() else {
            let cause = "this storage takes no uploads (is it read-only?)";
            return Ok(Some(Err(StorageError::new(Class::Config, "send photos", cause))));
        };
        let (content, read) = self.content();
        let sent = match with_retries(ctx, || sink.send(&content, None, &NotKept)).await {
            Some(Ok(token)) => token,
            Some(Err(error)) => return Ok(Some(Err(error))),
            None => return Ok(None),
        };
        if *read.lock().expect("nothing panics while it holds a hash") != Some(self.file.sha256) {
            let cause = "it changed while it was being sent; a later run sends it as it is then";
            let error = StorageError::new(Class::Item, format!("send {}", self.file.found.name()), cause);
            return Ok(Some(Err(error)));
        }
        let sealed = self.upload.vault.seal(&self.place(), sent.token.expose_secret().as_bytes());
        ctx.store.stage(ctx.storage, self.file.sha256, &sealed, sent.valid_until).await?;
        Ok(Some(Ok(sent)))
    }

    /// The file's bytes, and where their hash will be once they have all been read.
    fn content(&self) -> (Content, Arc<std::sync::Mutex<Option<Sha256>>>) {
        let found = &self.file.found;
        let read = Arc::new(std::sync::Mutex::new(None));
        let (path, size, result) = (found.path.clone(), found.size, Arc::clone(&read));
        let open = move |_from: u64| {
            let (path, result) = (path.clone(), Arc::clone(&result));
            let mut hasher = Some(sha2::Sha256::new());
            let mut left = size;
            let bytes = async move {
                let file = tokio::fs::File::open(&path).await?;
                if file.metadata().await?.len() != size {
                    return Err(std::io::Error::other("the file has another size than before"));
                }
                Ok(ReaderStream::with_capacity(file, CHUNK_BYTES))
            };
            futures::stream::once(bytes)
                .try_flatten()
                .inspect_ok(move |chunk| {
                    let Some(running) = &mut hasher else { return };
                    running.update(chunk);
                    left = left.saturating_sub(chunk.len() as u64);
                    if left == 0
                        && let Some(complete) = hasher.take()
                    {
                        let sha256 = Sha256(complete.finalize().into());
                        *result.lock().expect("nothing panics while it holds a hash") = Some(sha256);
                    }
                })
                .boxed()
        };
        let content = Content {
            file_name: found.name(),
            mime_type: Some(found.format.mime_type),
            length: size,
            open: Arc::new(open),
        };
        (content, read)
    }

    /// What the sealed token is bound to.
    fn place(&self) -> String {
        format!("staged/{}/{}", self.upload.ctx.storage, self.file.sha256)
    }
}
