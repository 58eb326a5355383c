//! A bucket, or a part of one, as a destination.
//!
//! An object is there when its last byte is: a store keeps what comes in one request, and the parts of what comes in several
//! until they are put together, out of sight. Folders are not things of their own: there is one as long as there is a file
//! below it.

use std::{fmt, path::Path, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use charon_provider::{Class, Depth, Destination, Entry, EntryKind, Error, Host, Reason};
use futures::{StreamExt, TryStreamExt, future, stream, stream::BoxStream};
use http::header::HeaderMap;
use jiff::Timestamp;
use opendal::{ErrorKind, Executor, HttpTransporter, Metadata, OperationContext, Operator, services};
use reqwest::Method;
use secrecy::ExposeSecret;
use tokio::sync::Semaphore;
use url::Url;

use super::{
    config::Settings,
    transport::{Transport, told},
    upload::{PART, Sending},
};
use crate::{
    attended::attended,
    check::{Place, Reached},
    known::Known,
    local, looking,
    paths::{is_plain, is_unfinished},
    wire::{Outgoing, Payload, Wire},
};

/// So many large files are on their way at a time; each takes five parts of memory.
const LARGE_AT_A_TIME: usize = 2;
/// The longest name that a store takes, in bytes.
const LONGEST_KEY: usize = 1024;

/// A bucket, or a part of one.
pub(super) struct Store {
    wire: Arc<Wire>,
    endpoint: Url,
    bucket: String,
    prefix: String,
    /// For whole files, which go with a checksum that the store compares.
    small: Operator,
    /// For files in parts. Stores differ in which checksums they take with these.
    large: Operator,
    slots: Arc<Semaphore>,
    known: Known,
}

impl Store {
    pub(super) fn open(settings: Settings, host: Arc<dyn Host>) -> Result<Self, String> {
        let wire = Wire::to(&settings.endpoint, host, vec![settings.secret_access_key.clone()])?;
        let wire = Arc::new(wire);
        let transport = HttpTransporter::new(Transport(Arc::clone(&wire)));
        let context = OperationContext::from_parts(transport, Executor::new());
        let operator = |builder: services::S3| {
            let operator =
                Operator::new(builder).map_err(|error| format!("it cannot be opened: {}", error.kind()))?;
            Ok::<_, String>(operator.with_context(context.clone()))
        };
        Ok(Self {
            small: operator(builder(&settings).checksum_algorithm("md5"))?,
            large: operator(builder(&settings))?,
            wire,
            endpoint: settings.endpoint,
            bucket: settings.bucket,
            prefix: settings.prefix,
            slots: Arc::new(Semaphore::new(LARGE_AT_A_TIME)),
            known: Known::default(),
        })
    }

    /// What the store calls a path.
    fn key(&self, doing: &str, path: &str) -> Result<String, Error> {
        let key = format!("{}{path}", self.prefix);
        let wrong = if key.len() > LONGEST_KEY {
            "the name is longer than the 1,024 bytes that a store takes"
        } else if key.trim() != key || key.chars().any(char::is_control) {
            "names with control characters, or with blanks at an end, cannot be kept in a store"
        } else if !is_plain(path) {
            "this is no name of a file"
        } else {
            return Ok(key);
        };
        Err(Error::new(Class::Item, doing, wrong).cured_by("give it another name"))
    }

    /// What the store calls all that is below a folder.
    fn below(&self, folder: &str) -> String {
        match format!("{}{folder}", self.prefix) {
            all if all.is_empty() => "/".to_owned(),
            all if all.ends_with('/') => all,
            folder => format!("{folder}/"),
        }
    }

    /// The path of what the store calls by this name; `None` for what is not below the prefix, or the folder itself.
    fn entry(&self, folder: &str, key: &str, metadata: &Metadata) -> Option<Entry> {
        let below = key.strip_prefix(&self.prefix)?;
        let (path, is_folder) = match below.strip_suffix('/') {
            Some(path) => (path, true),
            None => (below, false),
        };
        if path == folder || path.is_empty() {
            return None;
        }
        let kind = match (is_plain(path), is_folder) {
            (false, _) => EntryKind::Other,
            (true, true) => EntryKind::Folder,
            (true, false) => EntryKind::File,
        };
        let size = if kind == EntryKind::File { metadata.content_length() } else { 0 };
        let modified = metadata.last_modified().and_then(moment).filter(|_| kind == EntryKind::File);
        Some(Entry { path: path.to_owned(), kind, size, modified })
    }

    async fn file_at(&self, doing: &str, path: &str) -> Result<Option<Entry>, Error> {
        match self.large.stat(&self.key(doing, path)?).await {
            Ok(metadata) => {
                let (size, modified) = (metadata.content_length(), metadata.last_modified().and_then(moment));
                Ok(Some(Entry { path: path.to_owned(), kind: EntryKind::File, size, modified }))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(told(doing, &error)),
        }
    }

    /// Whether something is below a folder. Fails if the bucket is not there, which a look at a file does not tell.
    async fn has_something_below(&self, doing: &str, folder: &str) -> Result<bool, Error> {
        let mut listed = self
            .large
            .lister_with(&self.below(folder))
            .recursive(true)
            .limit(1)
            .await
            .map_err(|error| told(doing, &error))?;
        Ok(listed.try_next().await.map_err(|error| told(doing, &error))?.is_some())
    }

    async fn look_at(&self, path: &str) -> Result<Option<Entry>, Error> {
        let doing = format!("look at {path}");
        if !path.is_empty()
            && let Some(file) = self.file_at(&doing, path).await?
        {
            return Ok(Some(file));
        }
        let is_folder = self.has_something_below(&doing, path).await? || path.is_empty();
        let folder = Entry { path: path.to_owned(), kind: EntryKind::Folder, size: 0, modified: None };
        Ok(is_folder.then_some(folder))
    }

    async fn copy_and_remove(&self, doing: &str, from: &str, to: &str) -> Result<(), Error> {
        let missing = || Error::new(Class::Item, doing, "there is no such file").because(Reason::NotFound);
        let there = self.file_at(doing, from).await?.ok_or_else(missing)?;
        let (from, to_key) = (self.key(doing, from)?, self.key(doing, to)?);
        if from == to_key {
            return Ok(());
        }
        self.large.copy(&from, &to_key).await.map_err(|error| told(doing, &error))?;
        let copied = self.file_at(doing, to).await?;
        if copied.is_none_or(|copied| copied.size != there.size) {
            return Err(Error::new(Class::Transient, doing, "the copy is not as large as the file"));
        }
        self.large.delete(&from).await.map_err(|error| told(doing, &error))
    }
}

/// How OpenDAL is told of the store. All that it could take from the environment is said, or switched off.
fn builder(settings: &Settings) -> services::S3 {
    let builder = services::S3::default()
        .disable_config_load()
        .disable_ec2_metadata()
        .endpoint(settings.endpoint.as_str())
        .region(&settings.region)
        .bucket(&settings.bucket)
        .access_key_id(&settings.access_key_id)
        .secret_access_key(settings.secret_access_key.expose_secret())
        .default_storage_class(settings.storage_class.name().unwrap_or_default());
    if settings.virtual_hosted_style { builder.enable_virtual_host_style() } else { builder }
}

fn moment(at: opendal::raw::Timestamp) -> Option<Timestamp> {
    Timestamp::from_second(at.into_inner().as_second()).ok()
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Destination for Store {
    async fn look(&self, paths: &[String]) -> Result<Vec<Option<Entry>>, Error> {
        match paths {
            [path] => Ok(vec![self.look_at(path).await?]),
            paths => looking::many(self, &self.known, &*self.wire.host, paths).await,
        }
    }

    fn list(&self, folder: &str, depth: Depth) -> BoxStream<'_, Result<Entry, Error>> {
        let (folder, doing) =
            (folder.to_owned(), format!("list {}", if folder.is_empty() { "the bucket" } else { folder }));
        let whole = depth == Depth::Tree;
        let listed = async move {
            let listed = self.large.lister_with(&self.below(&folder)).recursive(whole).await;
            let listed = listed.map_err(|error| told(&doing, &error))?;
            Ok::<_, Error>(listed.map(move |entry| {
                let entry = entry.map_err(|error| told(&doing, &error))?;
                Ok(self.entry(&folder, entry.path(), entry.metadata()))
            }))
        };
        // Names come in their order. rclone's store tells one twice while its file is replaced.
        let mut last = String::new();
        let entries = stream::once(listed).try_flatten().try_filter_map(|entry| future::ready(Ok(entry)));
        let mut told = move |entry: &Entry| {
            let is_new = entry.path != last;
            last.clone_from(&entry.path);
            is_new && !is_unfinished(&entry.path) && (!whole || entry.kind != EntryKind::Folder)
        };
        entries.try_filter(move |entry| future::ready(told(entry))).boxed()
    }

    async fn read(
        &self,
        path: &str,
        from: u64,
        most: Option<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        let doing = format!("read {path}");
        let key = self.key(&doing, path)?;
        let range = match (from, most) {
            (0, None) => opendal::BytesRange::default(),
            // How much there is has to be known: asked for more, a store gives less, or refuses.
            (from, most) => {
                let missing =
                    || Error::new(Class::Item, &*doing, "there is no such file").because(Reason::NotFound);
                let size = self.file_at(&doing, path).await?.ok_or_else(missing)?.size;
                let length = size.saturating_sub(from).min(most.unwrap_or(u64::MAX));
                if length == 0 {
                    return Ok(stream::empty().boxed());
                }
                opendal::BytesRange::new(from, Some(length))
            }
        };
        let failed = |error: opendal::Error| told(&doing, &error);
        let mut bytes =
            self.large.reader(&key).await.map_err(failed)?.into_stream(range).await.map_err(failed)?;
        // Only now is it asked for.
        bytes.metadata().await.map_err(failed)?;
        let pieces = bytes.map(move |buffer| match buffer {
            Ok(buffer) => Ok(buffer.to_bytes()),
            Err(error) => Err(told(&doing, &error)),
        });
        Ok(pieces.boxed())
    }

    async fn put(&self, path: &str, file: &Path, modified: Option<Timestamp>) -> Result<(), Error> {
        let doing = format!("write {path}");
        let key = self.key(&doing, path)?;
        let (file, size) = local::open(&doing, file).await?;
        let sending = Sending { doing, key, size, modified };
        self.known.written(path);
        let sent = if size <= PART {
            sending.at_once(&self.small, file).await
        } else {
            let (store, slots) = (self.large.clone(), Arc::clone(&self.slots));
            attended(move |abandoned| async move {
                // Nobody closes them: the slots are there as long as the store.
                let _slot = slots.acquire().await.ok();
                sending.in_parts(&store, file, abandoned).await
            })
            .await
        };
        self.known.written(path);
        sent
    }

    /// A store knows no renaming: the file is copied there, and removed when the copy is seen to be whole. A kill between the
    /// two leaves both.
    async fn rename(&self, from: &str, to: &str) -> Result<(), Error> {
        let doing = format!("rename {from} to {to}");
        let written = || [from, to].into_iter().for_each(|path| self.known.written(path));
        written();
        let done = Box::pin(self.copy_and_remove(&doing, from, to)).await;
        written();
        done
    }

    async fn remove(&self, path: &str) -> Result<(), Error> {
        let doing = format!("remove {path}");
        let key = self.key(&doing, path)?;
        if self.file_at(&doing, path).await?.is_none() {
            // Some programs leave an object with a slash at its end for an empty folder. It is the first below it.
            let mut below = self.list(path, Depth::Tree);
            if below.try_next().await?.is_some() {
                return Err(Error::new(Class::Item, doing, "there is something in this folder"));
            }
            drop(below);
            if !self.has_something_below(&doing, path).await? {
                return Ok(());
            }
            self.large.delete(&format!("{key}/")).await.map_err(|error| told(&doing, &error))?;
        } else {
            self.known.written(path);
            self.large.delete(&key).await.map_err(|error| told(&doing, &error))?;
        }
        self.known.written(path);
        Ok(())
    }
}

#[async_trait]
impl Place for Store {
    async fn reach(&self) -> Result<Reached, Error> {
        let (url, headers) = (self.endpoint.clone(), HeaderMap::new());
        let request = Outgoing { method: Method::GET, url, headers, payload: Payload::Nothing };
        Ok(Reached::of(&self.wire.send("reach the store", request).await?))
    }

    async fn enter(&self) -> Result<String, Error> {
        let found =
            if self.has_something_below("open the bucket", "").await? { "something" } else { "nothing" };
        let place = if self.prefix.is_empty() { "it" } else { &self.prefix };
        Ok(format!("the bucket {} takes the key, and there is {found} in {place}", self.bucket))
    }

    fn entering(&self) -> &'static str {
        "open the bucket"
    }

    fn host(&self) -> &Arc<dyn Host> {
        &self.wire.host
    }
}
