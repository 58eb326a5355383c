//! Diff and send: what the storage has is unchanged, or joins its album; the rest goes up ([`one_file`](super::one_file)),
//! several files at a time, each SHA-256 once.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use charon_provider::Class;
use futures::{FutureExt, StreamExt, stream::FuturesUnordered};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::{
    Hashed, LOOKED_UP, Upload,
    afterwards::Onwards,
    albums,
    batcher::Intake,
    coming::One,
    committing::ToCommit,
    joining::Joiners,
    one_file::{Ended, OneFile, Outcome},
    refusals,
    shares::Room,
    titles,
};
use crate::{
    error::Error,
    ids::Sha256,
    store::{ItemRecord, Known},
};

/// Sends what comes and is not there yet, until nothing comes any more and all of it is committed, or the run stops.
pub(super) async fn send(
    upload: &Arc<Upload>,
    mut hashed: mpsc::Receiver<Hashed>,
    intake: Intake<ToCommit>,
    more_may_come: One,
    onwards: Onwards,
) -> Result<(), Error> {
    let ctx = &upload.ctx;
    let mut more_may_come = Some(more_may_come);
    let mut sender = Sender {
        upload: Arc::clone(upload),
        intake,
        under_way: FuturesUnordered::new(),
        same_bytes: HashMap::new(),
        joiners: Joiners::new(onwards.clone()),
        onwards,
    };
    let mut files = Vec::with_capacity(LOOKED_UP);
    while more_may_come.is_some() || !sender.under_way.is_empty() {
        tokio::select! {
            // What has ended is settled before more is begun; otherwise it would pile up.
            biased;
            () = ctx.cancel.cancelled() => break,
            () = ctx.no_more(), if more_may_come.is_some() => more_may_come = None,
            Some(ended) = sender.under_way.next(), if !sender.under_way.is_empty() => {
                sender.ended(ended, &mut more_may_come).await?;
            }
            count = hashed.recv_many(&mut files, LOOKED_UP), if more_may_come.is_some() => {
                if count == 0 {
                    more_may_come = None;
                    continue;
                }
                let known = known(upload, &files).await?;
                let mut held_back = Vec::new();
                for (file, known) in files.drain(..).zip(known) {
                    if ctx.begins_no_more() {
                        break;
                    }
                    if known.remote_id.is_some() {
                        sender.is_there(file, &known).await?;
                        continue;
                    }
                    match refusals::held_back(known.refused.as_ref(), ctx.clock.now()) {
                        Some(why) => held_back.push(failed(upload, &file, Class::Item, why)),
                        None => sender.start(file, known, &mut more_may_come).await,
                    }
                }
                ctx.record(&held_back).await?;
            }
        }
    }
    // What has ended by now is told, also when the run has stopped meanwhile (I9).
    while let Some(Some(ended)) = sender.under_way.next().now_or_never() {
        sender.ended(ended, &mut more_may_come).await?;
    }
    sender.joiners.flush(upload).await
}

/// What the ledger knows of these files, each with its album.
pub(super) async fn known(upload: &Upload, files: &[Hashed]) -> Result<Vec<Known>, Error> {
    let ctx = &upload.ctx;
    let mut known = vec![Known::default(); files.len()];
    for title in titles::of_all(files.iter().map(|file| file.album.as_ref())) {
        let album = albums::known(upload, title.as_deref()).await?;
        if let Some(title) = &title {
            upload.shares.album_is(title, album.is_some());
        }
        let (places, contents): (Vec<usize>, Vec<Sha256>) = (files.iter().enumerate())
            .filter(|(_, file)| file.album == title)
            .map(|(place, file)| (place, file.sha256))
            .unzip();
        let of_album = ctx.store.known(ctx.storage, album.as_ref(), &contents).await?;
        for (place, sha256) in places.into_iter().zip(contents) {
            let of_file = of_album.get(&sha256).cloned().unwrap_or_default();
            let is_kept = files[place].found.kept.is_some();
            known[place] = if is_kept { upload.truth.corrected(of_file) } else { of_file };
        }
    }
    Ok(known)
}

fn failed(upload: &Upload, file: &Hashed, class: Class, reason: String) -> ItemRecord {
    upload.ctx.failed(file.found.key(), file.found.name(), class, reason)
}

/// The files under way.
struct Sender {
    upload: Arc<Upload>,
    intake: Intake<ToCommit>,
    under_way: FuturesUnordered<AbortOnDropHandle<Result<Ended, Error>>>,
    /// For each SHA-256 under way, the other files with the same bytes.
    same_bytes: HashMap<Sha256, VecDeque<Hashed>>,
    joiners: Joiners,
    onwards: Onwards,
}

impl Sender {
    /// A file whose bytes the storage has joins its album, if it is not in there.
    async fn is_there(&mut self, file: Hashed, known: &Known) -> Result<(), Error> {
        match (&known.remote_id, file.album.clone()) {
            (Some(id), Some(title)) if !known.in_album => {
                self.joiners.add(&self.upload, &title, id.clone(), file).await
            }
            _ => {
                self.onwards.unchanged(&self.upload, file).await;
                Ok(())
            }
        }
    }

    /// Starts on a file, or puts it with the one that is under way with the same bytes. Waits for a slot.
    async fn start(&mut self, file: Hashed, known: Known, more_may_come: &mut Option<One>) {
        if self.upload.ctx.begins_no_more() {
            return;
        }
        if let Some(others) = self.same_bytes.get_mut(&file.sha256) {
            others.push_back(file);
            return;
        }
        // While we wait for a slot, nothing comes from here.
        let more_comes = more_may_come.is_some();
        let slot = self.intake.slot(more_may_come.take());
        let slot = self.upload.ctx.unless_stopped(slot).await;
        *more_may_come = more_comes.then(|| self.intake.announce());
        let Some(Some((slot, announced))) = slot else { return };
        // One after the other: what has room goes, in the order in which it came.
        let room = match Room::of(&self.upload, &file, &known).await {
            Ok(room) => room,
            Err(error) => return self.upload.ctx.stop_for_storage(&error),
        };
        self.same_bytes.insert(file.sha256, VecDeque::new());
        let one = OneFile { upload: Arc::clone(&self.upload), intake: self.intake.clone(), file, slot, room };
        self.under_way.push(AbortOnDropHandle::new(tokio::spawn(one.upload(known, announced))));
    }

    /// Settles a file that has ended, and those with the same bytes.
    async fn ended(
        &mut self,
        ended: Result<Result<Ended, Error>, tokio::task::JoinError>,
        more_may_come: &mut Option<One>,
    ) -> Result<(), Error> {
        let ctx = &self.upload.ctx;
        let Ended { file, outcome } =
            ended.map_err(|panic| Error::Refused(format!("this is a mistake in Charon: {panic}")))??;
        let mut others = self.same_bytes.remove(&file.sha256).unwrap_or_default();
        match outcome {
            Outcome::Stopped => {}
            Outcome::Done => {
                ctx.item_worked();
                let bytes = file.found.size;
                self.onwards.done(file, bytes).await;
                // The bytes are where they should be, by the sending of the first.
                let others = Vec::from(others);
                let known = known(&self.upload, &others).await?;
                for (file, known) in others.into_iter().zip(known) {
                    self.is_there(file, &known).await?;
                }
            }
            Outcome::Unfit { class, reason } => {
                ctx.record(&[failed(&self.upload, &file, class, reason)]).await?;
                // It says nothing of the others: the next one takes its place.
                if let Some(next) = others.pop_front() {
                    let sha256 = next.sha256;
                    self.start(next, Known::default(), more_may_come).await;
                    self.same_bytes.entry(sha256).or_default().extend(others);
                }
            }
            Outcome::Failed(error) => {
                let Some(error) = ctx.item_failed(error) else { return Ok(()) };
                let records: Vec<_> = std::iter::once(&file)
                    .chain(&others)
                    .map(|file| failed(&self.upload, file, error.class, error.to_string()))
                    .collect();
                ctx.record(&records).await?;
            }
        }
        Ok(())
    }
}
