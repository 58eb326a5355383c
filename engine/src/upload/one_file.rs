//! One file on its way out: sent, handed in to be committed, and sent or handed in again where that mends what went wrong.

use std::{sync::Arc, time::Duration};

use charon_provider::{Class, Error as StorageError, Reason, Staged, UploadToken};
use secrecy::ExposeSecret;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Found, Hashed, Upload, batcher::Intake, coming::One, committing::ToCommit, content::Outgoing,
    scanning::modified_ns, sessions::Keeper, shares::Room, sidecars,
};
use crate::{error::Error, retry::with_retries, store::Known};

/// Attempts at one file whose token or item is refused at the commit.
const ATTEMPTS: u32 = 3;

/// One file on its way.
pub(super) struct OneFile {
    pub(super) upload: Arc<Upload>,
    pub(super) intake: Intake<ToCommit>,
    pub(super) file: Hashed,
    /// Held until the file is committed.
    pub(super) slot: OwnedSemaphorePermit,
    /// Its requests and its share of the commit are sure.
    pub(super) room: Room,
}

/// A file that has come to its end.
pub(super) struct Ended {
    pub(super) file: Hashed,
    pub(super) outcome: Outcome,
}

/// What became of a file that was sent.
pub(super) enum Outcome {
    Done,
    /// The file itself cannot be sent: it is not readable, or not what it was. Another one with the same bytes may be.
    Unfit {
        class: Class,
        reason: String,
    },
    Failed(StorageError),
    /// The run has stopped before.
    Stopped,
}

/// What became of the sending.
enum Sent {
    Staged(UploadToken),
    Not(Outcome),
}

impl OneFile {
    pub(super) async fn upload(self, known: Known, announced: One) -> Result<Ended, Error> {
        let outcome = self.send_and_commit(known, announced).await?;
        if let Outcome::Failed(error) = &outcome {
            // Now, and not when it is settled: until then, more would be sent that cannot succeed (I7).
            self.upload.stop_if_it_concerns_all(error);
        }
        drop(self.slot);
        Ok(Ended { file: self.file, outcome })
    }

    async fn send_and_commit(&self, known: Known, announced: One) -> Result<Outcome, Error> {
        let ctx = &self.upload.ctx;
        let mut announced = Some(announced);
        let mut token = self.kept_token(known);
        let description = self.description().await;
        let (mut attempts, mut alone) = (0, false);
        loop {
            attempts += 1;
            if attempts > 1
                && let Err(error) = self.room.once_more(token.is_none()).await
            {
                return Ok(Outcome::Failed(error));
            }
            let still_announced = announced.take().unwrap_or_else(|| self.intake.announce());
            let given = match token.take() {
                Some(token) => token,
                None => match self.room.paying(self.send()).await? {
                    Sent::Staged(token) => token,
                    Sent::Not(outcome) => return Ok(outcome),
                },
            };
            let (reply, answer) = oneshot::channel();
            let staged = Staged {
                file_name: self.file.found.name(),
                description: description.clone(),
                token: given.clone(),
            };
            let share = Arc::clone(self.room.share());
            let to_commit = ToCommit { staged, file: self.file.clone(), alone, share, reply };
            if !self.intake.hand_in(to_commit, still_announced).await {
                return Ok(Outcome::Stopped);
            }
            // No answer: the committer has stopped, and so has the run.
            let Ok(answer) = answer.await else { return Ok(Outcome::Stopped) };
            let Err(error) = answer else { return Ok(Outcome::Done) };
            if error.reason == Reason::UploadToken {
                ctx.store.unstage(ctx.storage, self.file.sha256).await?;
            }
            if attempts == ATTEMPTS {
                return Ok(Outcome::Failed(error));
            }
            match (error.reason, error.class) {
                (Reason::UploadToken, _) => {}
                // The storage takes the bytes for those of another item of the same commit.
                (Reason::AlreadyExists, _) if !alone => (token, alone) = (Some(given), true),
                // The item alone failed, for a fault that may pass: the same token again, a little later.
                (_, Class::Transient | Class::Throttled) => {
                    let unit = if error.class == Class::Throttled { 15 } else { 1 };
                    let wait = Duration::from_secs(unit << attempts);
                    if ctx.unless_stopped(ctx.clock.sleep(wait)).await.is_none() {
                        return Ok(Outcome::Stopped);
                    }
                    token = Some(given);
                }
                _ => return Ok(Outcome::Failed(error)),
            }
        }
    }

    /// What somebody has written of the photo, in a file beside it.
    async fn description(&self) -> Option<String> {
        let most_chars = self.upload.ctx.facts.limits.description_chars;
        if let Some(kept) = &self.file.found.kept {
            return sidecars::tidy(kept.description.as_ref()?, most_chars);
        }
        if !self.upload.descriptions {
            return None;
        }
        let path = self.file.found.path.clone();
        let read = tokio::task::spawn_blocking(move || sidecars::description_of(&path, most_chars));
        AbortOnDropHandle::new(read).await.unwrap_or_else(|error| {
            tracing::warn!(path = %self.file.found.path.display(), %error, "its sidecar cannot be read");
            None
        })
    }

    /// What was given for the bytes by an earlier run that was cut off before the commit.
    fn kept_token(&self, known: Known) -> Option<UploadToken> {
        let (sealed, valid_until) = known.staged.filter(|(_, until)| *until > self.upload.ctx.clock.now())?;
        // One that does not open (another key) is no loss: the bytes are sent again.
        let opened = self.upload.vault.unseal(&self.place(), &sealed).ok()?;
        let token = std::str::from_utf8(&opened).ok()?;
        Some(UploadToken { token: token.into(), valid_until })
    }

    /// Sends the bytes, from where an earlier attempt broke off, and keeps what is given for them.
    async fn send(&self) -> Result<Sent, Error> {
        let ctx = &self.upload.ctx;
        let Some(slot) = ctx.unless_stopped(ctx.lane.transfer()).await else {
            return Ok(Sent::Not(Outcome::Stopped));
        };
        let Some(sink) = self.upload.storage.sink() else {
            let cause = "this storage takes no uploads (is it read-only?)";
            return Ok(Sent::Not(Outcome::Failed(StorageError::new(Class::Config, "send photos", cause))));
        };
        let outgoing = Outgoing::new(&self.file.found, &ctx.lane, &ctx.board);
        let keeper = Keeper::of(&self.upload, &self.file).await?;
        // The inner error is of the file or of the database, which the storage has nothing to do with.
        let attempt = || async {
            loop {
                let session = keeper.session();
                let sent = sink.send(outgoing.content(), session.as_ref(), &keeper).await;
                let Err(error) = sent else { return sent.map(Ok) };
                if let Some(trouble) = outgoing.trouble() {
                    return Ok(Err(Ok(trouble)));
                }
                match keeper.is_to_begin_anew(&error).await {
                    Ok(true) => {}
                    Ok(false) => return Err(error),
                    Err(error) => return Ok(Err(Err(error))),
                }
            }
        };
        let unfit = |class, reason: String| Ok(Sent::Not(Outcome::Unfit { class, reason }));
        let sent = with_retries(ctx, attempt).await;
        if !matches!(sent, Some(Ok(_))) && !is_as_it_was(&self.file.found).await {
            // What the session has may be of two versions of the file.
            keeper.forget().await?;
        }
        let token = match sent {
            None => return Ok(Sent::Not(Outcome::Stopped)),
            Some(Err(error)) => return Ok(Sent::Not(Outcome::Failed(error))),
            Some(Ok(Err(Err(error)))) => return Err(error),
            Some(Ok(Err(Ok(trouble)))) => {
                keeper.forget().await?;
                return unfit(Class::Transient, trouble);
            }
            Some(Ok(Ok(token))) => token,
        };
        let Some(sha256) = ctx.unless_stopped(outgoing.sha256()).await else {
            return Ok(Sent::Not(Outcome::Stopped));
        };
        if sha256.as_ref().ok() != Some(&self.file.sha256) {
            // What the session has is of no use.
            keeper.forget().await?;
            let reason = match sha256 {
                Ok(_) if self.file.found.kept.is_some() => format!(
                    "the file {} of the mirror has other bytes than those that were stored, so it was not restored; charon verify \
                     --repair fetches it again, if its account still has it",
                    self.file.found.key()
                ),
                Ok(_) => "it changed while it was being sent; a later run sends it as it is then".to_owned(),
                Err(error) => outgoing.trouble().unwrap_or_else(|| error.to_string()),
            };
            return unfit(Class::Item, reason);
        }
        let sealed = self.upload.vault.seal(&self.place(), token.token.expose_secret().as_bytes());
        ctx.store.stage(ctx.storage, self.file.sha256, &sealed, token.valid_until).await?;
        tracing::debug!(sha256 = %self.file.sha256, "staged");
        // Not sooner: what has been sent and is not in the ledger would be sent again after a crash.
        slot.worked();
        Ok(Sent::Staged(token))
    }

    /// What the sealed token is bound to.
    fn place(&self) -> String {
        format!("staged/{}/{}", self.upload.ctx.storage, self.file.sha256)
    }
}

/// Whether a file still has the size and the modification time that it was found with.
async fn is_as_it_was(found: &Found) -> bool {
    if found.kept.is_some() {
        // By its hash it will be known.
        return true;
    }
    let now = tokio::fs::metadata(&found.path).await;
    now.is_ok_and(|now| now.len() == found.size && modified_ns(&now) == found.modified_ns)
}
