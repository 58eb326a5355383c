//! Where a mirror is: a folder of this machine, or a path that a storage keeps.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use charon_provider::{Class, Depth, Destination, Entry, Error, Storage};
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use jiff::Timestamp;

use super::{
    folder::{self, Folder, no_room},
    patient::Patient,
};
use crate::run::RunContext;

/// Where a mirror is.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    files: Arc<dyn Destination>,
    /// As people know it.
    shown: String,
    /// A folder of this machine for what is not complete yet.
    workshop: PathBuf,
    /// Where it is on this machine, if it is.
    root: Option<PathBuf>,
}

impl Site {
    /// A folder of this machine.
    pub(crate) fn folder(root: &Path) -> Self {
        let folder = Folder::new(root);
        let workshop = folder.workshop().unwrap_or(root).to_owned();
        let shown = root.display().to_string();
        Self { files: Arc::new(folder), shown, workshop, root: Some(root.to_owned()) }
    }

    /// What a storage keeps below a path.
    pub(crate) fn stored(storage: Arc<dyn Storage>, below: &str, shown: String, workshop: PathBuf) -> Self {
        let below = below.trim_matches('/').to_owned();
        Self { files: Arc::new(Below { storage, below }), shown, workshop, root: None }
    }

    /// The same place, as a run uses it: what may pass is tried again.
    pub(crate) fn for_run(mut self, ctx: &Arc<RunContext>) -> Self {
        if self.root.is_none() {
            self.files = Arc::new(Patient { files: self.files, ctx: Arc::clone(ctx) });
        }
        self
    }

    pub(crate) fn files(&self) -> &dyn Destination {
        &*self.files
    }

    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    pub(super) fn workshop(&self) -> &Path {
        &self.workshop
    }

    /// Writes a small file, whole. `name` is one that nothing else has in the workshop at this time.
    pub(crate) async fn write(
        &self,
        path: &str,
        bytes: Vec<u8>,
        name: &str,
        modified: Option<Timestamp>,
    ) -> Result<(), Error> {
        let temporary = self.workshop.join(name);
        if let Some(root) = self.root.clone() {
            return store_small(root, path.to_owned(), temporary, bytes, modified).await;
        }
        let written = temporary.clone();
        let written = tokio::task::spawn_blocking(move || {
            written.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(&written, bytes)
        });
        let failed = |error: &io::Error| no_room(&format!("write {path}"), &temporary, error);
        written.await.map_err(|panic| failed(&io::Error::other(panic)))?.map_err(|error| failed(&error))?;
        let put = self.files.put(path, &temporary, modified).await;
        // Copied, and not moved. What cannot be removed now is removed when the mirror is opened again.
        drop(tokio::fs::remove_file(&temporary).await);
        put
    }

    /// Where it is on this machine, if it is.
    pub(crate) fn root(&self) -> Option<&Path> {
        self.root.as_deref()
    }
}

/// Writes a small file of this machine, in one go off the threads that wait for others.
async fn store_small(
    root: PathBuf,
    path: String,
    temporary: PathBuf,
    bytes: Vec<u8>,
    modified: Option<Timestamp>,
) -> Result<(), Error> {
    let doing = format!("write {path}");
    let written = tokio::task::spawn_blocking(move || {
        let failed = |error: io::Error| no_room(&format!("write {path}"), &temporary, &error);
        let made = match File::create(&temporary) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                temporary.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| File::create(&temporary))
            }
            made => made,
        };
        let mut file = made.map_err(failed)?;
        file.write_all(&bytes).map_err(failed)?;
        folder::store(&root, &path, &file, &temporary, modified)
    });
    written.await.map_err(|panic| Error::new(Class::Destination, doing, panic.to_string()))?
}

/// The part of a storage that lies below a path.
#[derive(Debug)]
struct Below {
    storage: Arc<dyn Storage>,
    below: String,
}

impl Below {
    fn all(&self) -> Result<&dyn Destination, Error> {
        self.storage.destination().ok_or_else(|| {
            let cause = "it keeps no files; choose a folder, or a storage that keeps them";
            Error::new(Class::Config, "use the storage of the mirror", cause)
        })
    }

    fn path(&self, path: &str) -> String {
        match (self.below.as_str(), path) {
            ("", path) => path.to_owned(),
            (below, "") => below.to_owned(),
            (below, path) => format!("{below}/{path}"),
        }
    }

    /// The entry with its path below this place.
    fn told(&self, mut entry: Entry) -> Entry {
        let path = entry.path.strip_prefix(&self.below).map(|path| path.trim_start_matches('/'));
        if let Some(path) = path.map(str::to_owned) {
            entry.path = path;
        }
        entry
    }
}

#[async_trait]
impl Destination for Below {
    async fn look(&self, paths: &[String]) -> Result<Vec<Option<Entry>>, Error> {
        let paths: Vec<String> = paths.iter().map(|path| self.path(path)).collect();
        let found = self.all()?.look(&paths).await?;
        Ok(found.into_iter().map(|entry| entry.map(|entry| self.told(entry))).collect())
    }

    fn list(&self, folder: &str, depth: Depth) -> BoxStream<'_, Result<Entry, Error>> {
        match self.all() {
            Ok(all) => all.list(&self.path(folder), depth).map_ok(|entry| self.told(entry)).boxed(),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    async fn read(
        &self,
        path: &str,
        from: u64,
        most: Option<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        self.all()?.read(&self.path(path), from, most).await
    }

    async fn put(&self, path: &str, file: &Path, modified: Option<Timestamp>) -> Result<(), Error> {
        self.all()?.put(&self.path(path), file, modified).await
    }

    async fn rename(&self, from: &str, to: &str) -> Result<(), Error> {
        self.all()?.rename(&self.path(from), &self.path(to)).await
    }

    async fn remove(&self, path: &str) -> Result<(), Error> {
        self.all()?.remove(&self.path(path)).await
    }

    async fn settle(&self, paths: &[String]) -> Result<(), Error> {
        let paths: Vec<String> = paths.iter().map(|path| self.path(path)).collect();
        self.all()?.settle(&paths).await
    }

    fn keeps_times(&self) -> bool {
        self.storage.destination().is_some_and(Destination::keeps_times)
    }
}
