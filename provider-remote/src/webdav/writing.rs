//! What changes something on the server.

use std::{
    path::Path,
    sync::{PoisonError, atomic::Ordering},
};

use charon_provider::{Class, EntryKind, Error, Reason};
use jiff::{SignedDuration, Timestamp};

use super::{client::Overwrite, store::Inner};
use crate::{
    attended::Abandoned,
    local,
    paths::{INCOMING, below, folder_of, unheard_of},
};

/// What has been left unfinished for so long is nobody's any more.
const FORSAKEN: SignedDuration = SignedDuration::from_hours(48);

impl Inner {
    /// Puts a file there: first among what is not finished, then in its place.
    pub(super) async fn put(
        &self,
        doing: &str,
        path: &str,
        file: &Path,
        modified: Option<Timestamp>,
        mut abandoned: Abandoned,
    ) -> Result<(), Error> {
        let temporary = below(INCOMING, &unheard_of(&**self.host()));
        let put = tokio::select! {
            put = self.put_by_way_of(doing, &temporary, path, file, modified) => put,
            () = abandoned.wait() => Err(Error::new(Class::Transient, doing, "it was given up")),
        };
        if put.is_err() {
            // What stays is not told, and goes some days later.
            drop(self.client.delete(doing, &temporary, false).await);
        }
        put
    }

    async fn put_by_way_of(
        &self,
        doing: &str,
        temporary: &str,
        path: &str,
        file: &Path,
        modified: Option<Timestamp>,
    ) -> Result<(), Error> {
        let folders = [INCOMING, folder_of(path)];
        let are_remembered = folders.into_iter().any(|folder| !folder.is_empty() && self.is_made(folder));
        match self.put_once(doing, temporary, path, file, modified).await {
            // Somebody may have removed a folder that was there.
            Err(error) if are_remembered && matches!(error.class, Class::Item | Class::Destination) => {
                self.forget_folders();
                self.put_once(doing, temporary, path, file, modified).await
            }
            put => put,
        }
    }

    async fn put_once(
        &self,
        doing: &str,
        temporary: &str,
        path: &str,
        file: &Path,
        modified: Option<Timestamp>,
    ) -> Result<(), Error> {
        let (file, size) = local::open(doing, file).await?;
        self.make_folders(doing, INCOMING).await?;
        self.tidy(doing).await;
        self.client.put(doing, temporary, modified, local::payload(file, size)).await?;
        let arrived = self.look_at(doing, temporary).await?.map(|entry| entry.size);
        if arrived != Some(size) {
            let cause = match arrived {
                Some(arrived) => {
                    format!("{arrived} of {size} bytes arrived, and the server said that all is well")
                }
                None => "the server said that all is well, and has no such file".to_owned(),
            };
            return Err(Error::new(Class::Transient, doing, cause));
        }
        self.make_folders(doing, folder_of(path)).await?;
        self.give_place(doing, temporary, path).await
    }

    /// Gives a file its place. A file that is there is replaced; a folder is not, for it would go with all that is in it.
    async fn give_place(&self, doing: &str, from: &str, to: &str) -> Result<(), Error> {
        if self.client.rename(doing, from, to, Overwrite::No).await? {
            return Ok(());
        }
        if self.look_at(doing, to).await?.is_some_and(|entry| entry.kind == EntryKind::Folder) {
            return Err(Error::new(Class::Item, doing, "there is a folder of this name"));
        }
        if self.client.rename(doing, from, to, Overwrite::Yes).await? {
            return Ok(());
        }
        Err(Error::new(Class::Transient, doing, "the server does not replace what is there"))
    }

    pub(super) async fn rename(&self, doing: &str, from: &str, to: &str) -> Result<(), Error> {
        Self::judge(doing, from)?;
        Self::judge(doing, to)?;
        let is_file = self.look_at(doing, from).await?.is_some_and(|entry| entry.kind != EntryKind::Folder);
        if !is_file {
            return Err(Self::missing(doing));
        }
        if from == to {
            return Ok(());
        }
        let is_remembered = self.is_made(folder_of(to));
        self.make_folders(doing, folder_of(to)).await?;
        match self.give_place(doing, from, to).await {
            Err(error) if is_remembered && matches!(error.class, Class::Item | Class::Destination) => {
                self.forget_folders();
                self.make_folders(doing, folder_of(to)).await?;
                self.give_place(doing, from, to).await
            }
            renamed => renamed,
        }
    }

    /// Removes a file, or a folder that is empty. The protocol knows no removal of empty folders alone, so it is looked at first.
    pub(super) async fn remove(&self, doing: &str, path: &str) -> Result<(), Error> {
        Self::judge(doing, path)?;
        let Some(entry) = self.look_at(doing, path).await? else { return Ok(()) };
        if entry.kind != EntryKind::Folder {
            return self.client.delete(doing, path, false).await;
        }
        let _making = self.making.lock().await;
        if !self.folder(doing, path).await?.is_empty() {
            return Err(Error::new(Class::Item, doing, "there is something in this folder"));
        }
        self.forget_folders();
        self.client.delete(doing, path, true).await
    }

    /// Makes a folder and those above it, where they are not there.
    async fn make_folders(&self, doing: &str, folder: &str) -> Result<(), Error> {
        if folder.is_empty() || self.is_made(folder) {
            return Ok(());
        }
        let _making = self.making.lock().await;
        // From below: mostly the one above is there.
        let (mut missing, mut at) = (Vec::new(), folder);
        while !at.is_empty() && !self.is_made(at) && !self.client.make_folder(doing, at).await? {
            missing.push(at);
            at = folder_of(at);
        }
        if at.is_empty() {
            self.root_is_there(doing).await?;
        }
        for folder in missing.into_iter().rev() {
            if !self.client.make_folder(doing, folder).await? {
                let cause = format!("the folder {folder} cannot be made");
                return Err(Error::new(Class::Item, doing, cause).because(Reason::Other));
            }
        }
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let mut at = folder;
        while !at.is_empty() {
            made.insert(at.to_owned());
            at = folder_of(at);
        }
        Ok(())
    }

    fn is_made(&self, folder: &str) -> bool {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).contains(folder)
    }

    fn forget_folders(&self) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Removes what was left unfinished long ago, once.
    async fn tidy(&self, doing: &str) {
        if self.is_tidied.swap(true, Ordering::Relaxed) {
            return;
        }
        // It is done for the room alone: what cannot be removed stays for another time.
        for entry in self.folder(doing, INCOMING).await.unwrap_or_default() {
            let age = entry.modified.map(|modified| self.host().now().duration_since(modified));
            if entry.kind == EntryKind::File && age.is_some_and(|age| age > FORSAKEN) {
                drop(self.client.delete(doing, &entry.path, false).await);
            }
        }
    }
}
