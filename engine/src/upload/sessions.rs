//! Sessions of uploads that have begun: kept, encrypted, before the first byte goes out, so that neither a broken connection nor
//! a kill sends those bytes again.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use charon_provider::{Class, Error as StorageError, KeepSession, Reason, Session};
use jiff::SignedDuration;
use secrecy::ExposeSecret;

use super::{Hashed, Upload};
use crate::{
    error::Error,
    store::{HashedFile, Taken},
};

/// How long a session is believed to be known to the storage. Google does not say; a shorter life than it is costs a few bytes
/// again, a longer one costs a request.
const BELIEVED: SignedDuration = SignedDuration::from_hours(48);
/// A file whose session is lost is begun anew at once so often; after that it is a fault like others.
const NEW_BEGINNINGS: u32 = 2;

/// The session in which one file is sent.
pub(super) struct Keeper {
    upload: Arc<Upload>,
    /// The file as it was hashed.
    file: HashedFile,
    session: Mutex<Option<Session>>,
    lost: AtomicU32,
}

/// Forgets the sessions that the storage surely does not know any more.
pub(crate) async fn forget_old(upload: &Upload) -> Result<(), Error> {
    let ctx = &upload.ctx;
    let oldest = ctx.clock.now().checked_sub(BELIEVED).unwrap_or(jiff::Timestamp::MIN);
    ctx.store.forget_sessions_before(ctx.storage, oldest).await
}

impl Keeper {
    /// The session that an earlier attempt at the same file has left, if there is one and the file has stayed as it was.
    pub(super) async fn of(upload: &Arc<Upload>, file: &Hashed) -> Result<Self, Error> {
        let keeper = Self {
            upload: Arc::clone(upload),
            file: HashedFile { path: file.found.key(), file: file.known_file(Taken::NotLookedUp) },
            session: Mutex::default(),
            lost: AtomicU32::default(),
        };
        if let Some(sealed) = upload.ctx.store.session(upload.ctx.storage, &keeper.file).await? {
            // One that does not open (another key) is no loss: the file is sent from its beginning.
            let opened = upload.vault.unseal(&keeper.place(), &sealed).ok();
            let text = opened.as_ref().and_then(|opened| std::str::from_utf8(opened).ok());
            *keeper.present() = text.map(|text| Session(text.into()));
        }
        Ok(keeper)
    }

    /// What an attempt goes on with.
    pub(super) fn session(&self) -> Option<Session> {
        self.present().clone()
    }

    /// Forgets the session: nothing can be added to it.
    pub(super) async fn forget(&self) -> Result<(), Error> {
        if self.present().take().is_none() {
            return Ok(());
        }
        self.upload.ctx.store.forget_session(self.upload.ctx.storage, self.file.file.sha256).await
    }

    /// Takes an attempt's error; gives true when the file is to be begun anew at once.
    pub(super) async fn is_to_begin_anew(&self, error: &StorageError) -> Result<bool, Error> {
        if error.reason != Reason::SessionLost {
            return Ok(false);
        }
        self.forget().await?;
        Ok(self.lost.fetch_add(1, Ordering::Relaxed) < NEW_BEGINNINGS)
    }

    /// What the sealed session is bound to.
    fn place(&self) -> String {
        format!("session/{}/{}", self.upload.ctx.storage, self.file.file.sha256)
    }

    fn present(&self) -> std::sync::MutexGuard<'_, Option<Session>> {
        self.session.lock().expect("nothing panics while it holds a session")
    }
}

#[async_trait]
impl KeepSession for Keeper {
    async fn keep(&self, session: &Session) -> Result<(), StorageError> {
        let ctx = &self.upload.ctx;
        let sealed = self.upload.vault.seal(&self.place(), session.0.expose_secret().as_bytes());
        let kept = ctx.store.keep_session(ctx.storage, &self.file, &sealed, ctx.clock.now()).await;
        kept.map_err(|error| {
            StorageError::new(Class::Destination, "keep the session of an upload", error.to_string())
        })?;
        *self.present() = Some(session.clone());
        Ok(())
    }
}
