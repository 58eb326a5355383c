//! Afterwards: what becomes of files once the storage has their bytes and their albums have them. Nothing is moved or deleted that the
//! storage does not find by a direct look-up, and whose bytes are not those that it was sent: what was answered to a commit is not
//! enough to let go of what may be the only copy.

use std::{collections::HashMap, sync::Arc};

use charon_provider::{Class, Error as StorageError, Existence, Readiness, RemoteId, Source};
use tokio::sync::mpsc;

use super::{
    Hashed, Upload,
    leaving::{After, Left, Stays, leave},
    scanning::path_key,
    sending,
};
use crate::{error::Error, retry::with_retries, run::Outcome, store::ItemRecord};

/// So many are looked up together where the storage does not say how many it takes.
const TOGETHER: usize = 50;
/// So many files may wait for their look-up.
pub(super) const AHEAD: usize = 256;

/// A file that is where it should be.
#[derive(Debug)]
pub(super) struct Settled {
    file: Hashed,
    /// Whether this attempt has put it there.
    is_done: bool,
    /// How many bytes it took.
    bytes: u64,
}

/// Where files go once they are where they should be.
#[derive(Clone, Debug)]
pub(super) struct Onwards(Option<mpsc::Sender<Settled>>);

impl Onwards {
    /// Nothing more becomes of them.
    pub(super) fn nowhere() -> Self {
        Self(None)
    }

    /// What this gives takes them, where the plan wants anything to become of them.
    pub(super) fn of(after: &After) -> (Self, mpsc::Receiver<Settled>) {
        let (settled_in, settled) = mpsc::channel(AHEAD);
        (Self((*after != After::Keep).then_some(settled_in)), settled)
    }

    /// A file that has been put there, and has been recorded as done.
    pub(super) async fn done(&self, file: Hashed, bytes: u64) {
        if let Some(onwards) = &self.0 {
            // Nobody listens when the run has stopped: then it stays.
            drop(onwards.send(Settled { file, is_done: true, bytes }).await);
        }
    }

    /// A file that was there before.
    pub(super) async fn unchanged(&self, upload: &Upload, file: Hashed) {
        match &self.0 {
            None => upload.ctx.unchanged(1),
            Some(onwards) => drop(onwards.send(Settled { file, is_done: false, bytes: 0 }).await),
        }
    }
}

/// Sees to the files that come, so many at a time as one look-up takes.
pub(super) async fn see_to(upload: &Arc<Upload>, mut settled: mpsc::Receiver<Settled>) -> Result<(), Error> {
    let limit = upload.storage.source().map_or(TOGETHER, together);
    let mut group = Vec::with_capacity(limit);
    while let Some(next) = upload.ctx.unless_stopped(settled.recv()).await {
        let is_last = next.is_none();
        group.extend(next);
        if group.len() >= limit || is_last {
            see_to_group(upload, std::mem::take(&mut group)).await?;
        }
        if is_last {
            break;
        }
    }
    Ok(())
}

/// So many items are looked up in one request.
pub(super) fn together(source: &dyn Source) -> usize {
    source.confirm_limit().clamp(1, TOGETHER)
}

/// What became of one file.
enum End {
    Left(String),
    /// It is another one than was sent.
    Changed,
    Stays(Class, String),
}

async fn see_to_group(upload: &Arc<Upload>, group: Vec<Settled>) -> Result<(), Error> {
    let ctx = &upload.ctx;
    let found = if group.is_empty() || ctx.begins_no_more() { None } else { look_up(upload, &group).await? };
    let found = found.unwrap_or_default().into_iter().map(Some).chain(std::iter::repeat(None));
    for (settled, found) in group.into_iter().zip(found) {
        match found {
            // What was begun is finished, and nothing more is begun: the next run sees to the rest.
            Some(Ok(())) if ctx.stopped().is_none() => {
                // Told before it happens: a file that is gone after a kill has its record.
                tell(upload, &settled).await?;
                let end = take_leave(upload, &settled).await;
                record(upload, &settled, &end, true).await?;
            }
            Some(Err((class, why))) => {
                let end = End::Stays(class, format!("{why}; the file stays"));
                record(upload, &settled, &end, false).await?;
            }
            Some(Ok(())) | None => ctx.unchanged(u64::from(!settled.is_done)),
        }
    }
    Ok(())
}

/// Whether the storage has the item of each file; why it is not sure to, otherwise. `None` when the run has stopped before it was said.
async fn look_up(
    upload: &Upload,
    group: &[Settled],
) -> Result<Option<Vec<Result<(), (Class, String)>>>, Error> {
    let ctx = &upload.ctx;
    let files: Vec<Hashed> = group.iter().map(|settled| settled.file.clone()).collect();
    let known = sending::known(upload, &files).await?;
    let ids: Vec<Option<RemoteId>> = known.into_iter().map(|known| known.remote_id).collect();
    let mut asked: Vec<RemoteId> = ids.iter().flatten().cloned().collect();
    asked.sort_unstable();
    asked.dedup();
    let mut answers = HashMap::new();
    if let Some(source) = upload.storage.source().filter(|_| !asked.is_empty()) {
        let answered = with_retries(ctx, || source.confirm(&asked)).await;
        let Some(answered) = answered else { return Ok(None) };
        match answered {
            Ok(existences) => {
                answers.extend(asked.into_iter().zip(existences.iter().map(judge)));
            }
            Err(error) => {
                let Some(error) = ctx.item_failed(error) else { return Ok(None) };
                let why = || Err((error.class, error.to_string()));
                answers.extend(asked.into_iter().map(|id| (id, why())));
            }
        }
    }
    let may_be_asked = upload.storage.source().is_some();
    let found = ids.into_iter().map(|id| match id {
        None => Err((Class::Item, "the ledger does not know its item any more".to_owned())),
        Some(_) if !may_be_asked => Err((
            Class::Item,
            "the storage cannot be asked whether it has an item, so the file stays".to_owned(),
        )),
        Some(id) => answers.get(&id).cloned().unwrap_or_else(|| Err(unanswered())),
    });
    Ok(Some(found.collect()))
}

fn unanswered() -> (Class, String) {
    (Class::Transient, "the storage did not say whether it has the item".into())
}

fn judge(existence: &Existence) -> Result<(), (Class, String)> {
    match existence {
        Existence::Found(item) => match item.readiness {
            Readiness::Ready => Ok(()),
            Readiness::Processing => Err((Class::Transient, "the storage is still working on it".into())),
            Readiness::Failed => {
                Err((Class::Item, "the storage took it and could not make sense of it".into()))
            }
        },
        Existence::NotFound => Err((
            Class::Item,
            "the storage does not find its item, although the ledger knows of it: was it deleted there?"
                .into(),
        )),
        Existence::Unknown(why) => {
            Err((Class::Transient, format!("the storage could not say whether it has it: {why}")))
        }
    }
}

/// Moves or deletes one file, if it is still the one that was sent.
async fn take_leave(upload: &Arc<Upload>, settled: &Settled) -> End {
    let (found, sha256) = (settled.file.found.clone(), settled.file.sha256);
    let after = upload.after.clone();
    let leaving =
        tokio::task::spawn_blocking(move || leave(&found.path, &found.source, sha256, &after)).await;
    match leaving {
        Ok(Ok(Left::MovedTo(target))) => End::Left(format!("its file was moved to {}", target.display())),
        Ok(Ok(Left::Deleted)) => End::Left("its file was deleted".into()),
        Ok(Ok(Left::Changed)) => End::Changed,
        Ok(Err(Stays::Here(error))) => {
            End::Stays(Class::Item, format!("its file stays, as it cannot be taken away: {error}"))
        }
        Ok(Err(Stays::There(error))) => {
            let cause = format!("a file could not be moved away: {error}");
            upload.ctx.stop_for_storage(&StorageError::new(Class::Destination, "move files away", cause));
            End::Stays(Class::Destination, format!("its file stays, as it cannot be moved: {error}"))
        }
        Err(panic) => End::Stays(Class::Transient, format!("this is a mistake in Charon: {panic}")),
    }
}

/// Records of a file that it is about to go, and that its source will show one fewer (I11).
async fn tell(upload: &Upload, settled: &Settled) -> Result<(), Error> {
    let words = match &upload.after {
        After::Keep => return Ok(()),
        After::MoveTo(folder) => {
            format!("the storage has it; its file is being moved to {}", folder.display())
        }
        After::Delete => "the storage has it; its file is being deleted".to_owned(),
    };
    let record = done(upload, settled, words);
    upload.leaves(&settled.file, &record, Step::Goes).await
}

fn done(upload: &Upload, Settled { file, bytes, .. }: &Settled, reason: String) -> ItemRecord {
    let record = upload.ctx.done(file.found.key(), file.found.name(), *bytes);
    ItemRecord { reason: Some(reason), ..record }
}

/// Records what became of a file, of which it had been told that it was about to go or not.
async fn record(upload: &Upload, settled: &Settled, end: &End, was_told: bool) -> Result<(), Error> {
    let (ctx, found) = (&upload.ctx, &settled.file.found);
    let failed = |class, reason| ctx.failed(found.key(), found.name(), class, reason);
    let record = match end {
        End::Left(reason) => done(upload, settled, format!("the storage has it; {reason}")),
        End::Changed if settled.is_done => {
            done(upload, settled, "it was sent; its file has changed since, and stays".into())
        }
        End::Changed => {
            let reason = "its file is not the one that the storage has: it stays, and the next run sends it";
            failed(Class::Transient, reason.into())
        }
        End::Stays(class, reason) => failed(*class, reason.clone()),
    };
    let step = match end {
        End::Left(_) => Step::IsGone,
        End::Changed => Step::StaysChanged,
        End::Stays(..) if was_told => Step::Stays,
        End::Stays(..) => Step::NeverWent,
    };
    upload.leaves(&settled.file, &record, step).await?;
    match (settled.is_done, record.outcome) {
        (true, Outcome::Failed) => ctx.not_done_after_all(),
        (true, _) => {}
        (false, Outcome::Done) => ctx.done_again(),
        (false, _) => ctx.tell(|progress| progress.count(std::slice::from_ref(&record))),
    }
    Ok(())
}

/// How far a file has come on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Goes,
    IsGone,
    /// After all, since it is another one than was sent.
    StaysChanged,
    /// After all.
    Stays,
    NeverWent,
}

impl Upload {
    /// Records what becomes of a file; how many its source shows is counted along, so that the next run does not take a folder for
    /// an unmounted disk that this one has emptied.
    async fn leaves(&self, file: &Hashed, record: &ItemRecord, step: Step) -> Result<(), Error> {
        let fewer = match step {
            Step::Goes => 1,
            Step::StaysChanged | Step::Stays => -1,
            Step::IsGone | Step::NeverWent => 0,
        };
        let source = path_key(&file.found.source);
        let mut left = self.left.lock().await;
        *left.entry(source.clone()).or_default() += fewer;
        // What it was is not what it is, or there is nothing any more.
        let is_forgotten = matches!(step, Step::IsGone | Step::StaysChanged);
        let (plan, attempt) = (self.ctx.plan, self.ctx.attempt());
        self.ctx.store.record_left(plan, attempt, record, (&source, fewer), is_forgotten).await
    }
}
