//! A folder of a WebDAV server as a destination.
//!
//! A file is sent under a name among what is not finished, its length there is compared, and then it is given its own name.
//! So nothing half is at a path, unless the server itself dies between the two steps in which most servers replace a file.

use std::{
    collections::{HashSet, VecDeque},
    fmt,
    path::Path,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool},
};

use async_trait::async_trait;
use bytes::Bytes;
use charon_provider::{Class, Depth, Destination, Entry, EntryKind, Error, Host, Reason};
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use jiff::{SignedDuration, Timestamp};
use reqwest::{StatusCode, header};

use super::{client::Client, config::Settings};
use crate::{
    attended::attended,
    check::{Place, Reached},
    known::Known,
    looking,
    paths::{below, is_plain, is_unfinished},
    wire::arriving,
};

/// For so long it is believed that the folder of the destination is there.
const BELIEVED: SignedDuration = SignedDuration::from_secs(10);

/// A folder of a server.
#[derive(Clone)]
pub(super) struct Store(Arc<Inner>);

pub(super) struct Inner {
    pub(super) client: Client,
    pub(super) known: Known,
    /// Folders that are there.
    pub(super) made: Mutex<HashSet<String>>,
    /// Held while folders are made: servers do not agree on what two at a time get.
    pub(super) making: tokio::sync::Mutex<()>,
    /// Whether what was left unfinished long ago has been looked for.
    pub(super) is_tidied: AtomicBool,
    /// When the folder of the destination was seen last.
    seen: Mutex<Option<Timestamp>>,
    root: String,
}

impl Store {
    pub(super) fn open(settings: Settings, host: Arc<dyn Host>) -> Result<Self, String> {
        let client = Client::new(&settings, host)?;
        Ok(Self(Arc::new(Inner {
            client,
            known: Known::default(),
            made: Mutex::default(),
            making: tokio::sync::Mutex::default(),
            is_tidied: AtomicBool::default(),
            seen: Mutex::default(),
            root: settings.root,
        })))
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("client", &self.0.client).finish_non_exhaustive()
    }
}

impl Inner {
    pub(super) fn host(&self) -> &Arc<dyn Host> {
        &self.client.wire.host
    }

    /// What is at a path.
    pub(super) async fn look_at(&self, doing: &str, path: &str) -> Result<Option<Entry>, Error> {
        let found = self.client.find(doing, path, path.is_empty(), 0).await?;
        match found.and_then(|found| found.into_iter().next()) {
            Some(entry) => {
                self.has_seen_root();
                Ok(Some(Entry { path: path.to_owned(), ..entry }))
            }
            None => self.root_is_there(doing).await.map(|()| None),
        }
    }

    /// What is right in a folder. One that is not there holds nothing.
    pub(super) async fn folder(&self, doing: &str, folder: &str) -> Result<Vec<Entry>, Error> {
        let Some(found) = self.client.find(doing, folder, true, 1).await? else {
            self.root_is_there(doing).await?;
            return Ok(Vec::new());
        };
        self.has_seen_root();
        let depth = |path: &str| if path.is_empty() { 0 } else { path.split('/').count() };
        let inside = found.into_iter().filter(|entry| depth(&entry.path) == depth(folder) + 1);
        // The server may write the folder's own name in another way (ü in one character or in two).
        let renamed = inside.map(|entry| {
            let name = entry.path.rsplit('/').next().unwrap_or_default();
            Entry { path: below(folder, name), ..entry }
        });
        Ok(renamed.collect())
    }

    fn has_seen_root(&self) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.host().now());
    }

    /// Makes sure that the folder of the destination is there: where it is not (a disk that is not mounted), nothing can be
    /// said of what is missing below it.
    pub(super) async fn root_is_there(&self, doing: &str) -> Result<(), Error> {
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let age = seen.map(|seen| self.host().now().duration_since(seen));
        if age.is_some_and(|age| SignedDuration::ZERO <= age && age <= BELIEVED) {
            return Ok(());
        }
        match self.client.find(doing, "", true, 0).await?.and_then(|found| found.into_iter().next()) {
            Some(entry) if entry.kind == EntryKind::Folder => {
                self.has_seen_root();
                Ok(())
            }
            found => {
                let what = if found.is_some() { "is no folder" } else { "is not there" };
                let name =
                    if self.root.is_empty() { "of the endpoint".to_owned() } else { self.root.clone() };
                Err(Error::new(Class::Destination, doing, format!("the folder {name} {what}")).cured_by(
                    "make it on the server, or correct endpoint and root; if it was there, a disk may not be mounted",
                ))
            }
        }
    }

    pub(super) fn missing(doing: &str) -> Error {
        Error::new(Class::Item, doing, "there is no such file").because(Reason::NotFound)
    }

    /// Refuses what is no name of a file.
    pub(super) fn judge(doing: &str, path: &str) -> Result<(), Error> {
        if is_plain(path) && !path.chars().any(char::is_control) {
            return Ok(());
        }
        Err(Error::new(Class::Item, doing, "this is no name of a file that can be kept")
            .cured_by("give it another name"))
    }

    async fn read_from(
        &self,
        doing: &str,
        path: &str,
        from: u64,
        most: Option<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        Self::judge(doing, path)?;
        if most == Some(0) {
            let there = self.look_at(doing, path).await?;
            return there.map(|_| stream::empty().boxed()).ok_or_else(|| Self::missing(doing));
        }
        let until = most.map(|most| from.saturating_add(most));
        let response = match self.client.get(doing, path, from, until).await {
            Err(error) if error.reason == Reason::NotFound => {
                self.root_is_there(doing).await?;
                return Err(error);
            }
            other => other?,
        };
        let skip = match response.status() {
            StatusCode::RANGE_NOT_SATISFIABLE => return Ok(stream::empty().boxed()),
            StatusCode::PARTIAL_CONTENT => {
                let range =
                    response.headers().get(header::CONTENT_RANGE).and_then(|range| range.to_str().ok());
                if range.is_none_or(|range| !range.starts_with(&format!("bytes {from}-"))) {
                    return Err(Error::new(
                        Class::Destination,
                        doing,
                        "the server gave another part of the file",
                    ));
                }
                0
            }
            // It does not give parts: what was not asked for is left out here.
            _ => from,
        };
        let bytes = arriving(doing.to_owned(), response, Arc::clone(self.host()));
        Ok(cut(bytes, skip, most).boxed())
    }
}

/// Leaves out what comes first, and what is more than was asked for.
fn cut(
    bytes: impl futures::Stream<Item = Result<Bytes, Error>> + Send + 'static,
    skip: u64,
    most: Option<u64>,
) -> impl futures::Stream<Item = Result<Bytes, Error>> + Send + 'static {
    let state = (Box::pin(bytes), skip, most.unwrap_or(u64::MAX));
    stream::try_unfold(state, |(mut bytes, mut skip, mut left)| async move {
        while left > 0
            && let Some(mut piece) = bytes.try_next().await?
        {
            let skipped = piece.len().min(usize::try_from(skip).unwrap_or(usize::MAX));
            drop(piece.split_to(skipped));
            skip -= skipped as u64;
            piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            left -= piece.len() as u64;
            if !piece.is_empty() {
                return Ok(Some((piece, (bytes, skip, left))));
            }
        }
        Ok(None)
    })
}

#[async_trait]
impl Destination for Store {
    async fn look(&self, paths: &[String]) -> Result<Vec<Option<Entry>>, Error> {
        match paths {
            [path] => Ok(vec![self.0.look_at(&format!("look at {path}"), path).await?]),
            paths => looking::many(self, &self.0.known, &**self.0.host(), paths).await,
        }
    }

    fn list(&self, folder: &str, depth: Depth) -> BoxStream<'_, Result<Entry, Error>> {
        let begin = (vec![folder.to_owned()], VecDeque::new());
        let walk = stream::try_unfold(
            begin,
            move |(mut folders, mut entries): (Vec<String>, VecDeque<Entry>)| async move {
                loop {
                    if let Some(entry) = entries.pop_front() {
                        if is_unfinished(&entry.path) {
                            continue;
                        }
                        if depth == Depth::Tree && entry.kind == EntryKind::Folder {
                            folders.push(entry.path);
                            continue;
                        }
                        return Ok(Some((entry, (folders, entries))));
                    }
                    let Some(folder) = folders.pop() else { return Ok(None) };
                    let doing = format!("list {}", if folder.is_empty() { "the folder" } else { &folder });
                    entries.extend(self.0.folder(&doing, &folder).await?);
                }
            },
        );
        walk.boxed()
    }

    async fn read(
        &self,
        path: &str,
        from: u64,
        most: Option<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        self.0.read_from(&format!("read {path}"), path, from, most).await
    }

    async fn put(&self, path: &str, file: &Path, modified: Option<Timestamp>) -> Result<(), Error> {
        let doing = format!("write {path}");
        Inner::judge(&doing, path)?;
        let (inner, to, file) = (Arc::clone(&self.0), path.to_owned(), file.to_owned());
        self.0.known.written(path);
        let put =
            attended(
                move |abandoned| async move { inner.put(&doing, &to, &file, modified, abandoned).await },
            );
        let put = put.await;
        self.0.known.written(path);
        put
    }

    async fn rename(&self, from: &str, to: &str) -> Result<(), Error> {
        let written = || [from, to].into_iter().for_each(|path| self.0.known.written(path));
        written();
        let renamed = self.0.rename(&format!("rename {from} to {to}"), from, to).await;
        written();
        renamed
    }

    async fn remove(&self, path: &str) -> Result<(), Error> {
        self.0.known.written(path);
        let removed = self.0.remove(&format!("remove {path}"), path).await;
        self.0.known.written(path);
        removed
    }
}

#[async_trait]
impl Place for Store {
    async fn reach(&self) -> Result<Reached, Error> {
        Ok(Reached::of(&self.0.client.reach("reach the server").await?))
    }

    async fn enter(&self) -> Result<String, Error> {
        *self.0.seen.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.0.root_is_there("open the folder").await?;
        Ok("the folder is there".to_owned())
    }

    fn entering(&self) -> &'static str {
        "open the folder"
    }

    fn host(&self) -> &Arc<dyn Host> {
        self.0.host()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures::{TryStreamExt, stream};

    use super::cut;

    #[tokio::test]
    async fn a_part_is_cut_out_of_a_whole() {
        for (skip, most, left) in
            [(0, None, "abcdefg"), (2, None, "cdefg"), (4, Some(2), "ef"), (9, None, ""), (0, Some(3), "abc")]
        {
            let pieces = ["abc", "", "de", "fg"].map(|piece| Ok(Bytes::from(piece)));
            let pieces: Vec<Bytes> = cut(stream::iter(pieces), skip, most).try_collect().await.unwrap();
            assert_eq!(pieces.concat(), left.as_bytes(), "{skip} {most:?}");
        }
    }
}
