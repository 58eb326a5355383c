//! A provider that keeps everything in memory: as small as one that keeps the contract can be, and a way to write one.
//!
//! A [`Flaw`] breaks one promise.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use charon_provider::{
    Album, AlbumId, AlbumPage, Albums, Authorization, BatchPolicy, Body, Capabilities, Check, Class, Config,
    Conflict, Content, Cost, Costs, Cursor, Description, Error, Existence, Facts, Fidelity, Format, Host,
    KeepSession, Kind, Meter, Pace, Page, Part, Placement, Position, Provider, Readiness, Reason, RemoteId,
    RemoteItem, Resets, ResumePoint, Revision, Secrets, Selection, Session, Sink, Source, Staged, Storage,
    UploadLimits, UploadToken, Verdict,
};
use charon_schema::{ConfigSchema, Mistake, Mistakes};
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

/// One promise that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    AddsTwice,
    AnswersInAnotherOrder,
    CutsBytesOff,
    FirstMistakeAlone,
    GoesOnAfterAFailure,
    IgnoresConflicts,
    ListsTwoPages,
    OpensWithARequest,
    PreviewsWords,
    PrintsItsSecret,
    ReadOnlyTakesItems,
    ResultsInAnotherOrder,
    ResumesAtTheBeginning,
    SendsForNothing,
    SendsWithoutAPermit,
    StrangeCursorIsTheEnd,
    TakesWhatShrinks,
}

/// How many items and albums a page has.
const PAGE: usize = 4;
const REQUEST: Cost = Cost("requests");
/// What every item looks like when it is small: one pixel, as GIF.
const PIXEL: &[u8] = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";
const FORMATS: &[Format] = &[Format { extension: "jpg", kind: Kind::Photo, mime_type: "image/jpeg" }];

/// The server, as it were: one account.
#[derive(Default)]
pub(crate) struct Server {
    held: Mutex<Held>,
}

#[derive(Default)]
pub(crate) struct Held {
    pub(crate) items: Vec<Item>,
    pub(crate) albums: Vec<(Album, Vec<RemoteId>)>,
    pub(crate) requests: u64,
    /// The only ticket that is accepted, by its number.
    pub(crate) ticket: u64,
    pub(crate) refuses: bool,
    staged: HashMap<String, Bytes>,
}

#[derive(Clone)]
pub(crate) struct Item {
    pub(crate) id: RemoteId,
    pub(crate) file_name: String,
    pub(crate) description: String,
    pub(crate) bytes: Bytes,
}

impl Server {
    pub(crate) fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    pub(crate) fn put(&mut self, file_name: &str, description: &str, bytes: Bytes) -> RemoteItem {
        let known = self.items.iter().find(|item| item.bytes == bytes).cloned();
        let item = known.unwrap_or_else(|| {
            let id = RemoteId(format!("item-{}", self.items.len()));
            let (file_name, description) = (file_name.to_owned(), description.to_owned());
            let item = Item { id, file_name, description, bytes };
            self.items.push(item.clone());
            item
        });
        remote(&item)
    }
}

fn remote(item: &Item) -> RemoteItem {
    RemoteItem {
        id: item.id.clone(),
        file_name: item.file_name.clone(),
        mime_type: "image/jpeg".into(),
        kind: Kind::Photo,
        taken_at: None,
        width: None,
        height: None,
        size: Some(item.bytes.len() as u64),
        has_clip: false,
        readiness: Readiness::Ready,
        description: (!item.description.is_empty()).then(|| item.description.clone()),
        camera: None,
        address: None,
    }
}

/// The provider. It knows its servers by their names.
pub(crate) struct Memory {
    description: Description,
    flaw: Option<Flaw>,
    servers: Mutex<HashMap<String, Arc<Server>>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Fields {
    #[schemars(title = "Account", description = "The name of the account.")]
    account: String,
    #[schemars(
        with = "String",
        title = "Ticket",
        description = "What lets us in; it is renewed.",
        extend("x-secret" = true)
    )]
    #[expect(dead_code, reason = "it is used from among the secrets, where it is renewed")]
    ticket: SecretString,
    #[serde(default)]
    #[schemars(title = "Read only", description = "Take no new items.")]
    read_only: bool,
}

impl Memory {
    pub(crate) fn new(flaw: Option<Flaw>) -> Self {
        let description = Description {
            id: "memory",
            name: "Memory",
            summary: "Keeps photos until the process ends.",
            schema: ConfigSchema::of::<Fields>(),
            consenting: None,
        };
        Self { description, flaw, servers: Mutex::default() }
    }

    pub(crate) fn server(&self, account: &str) -> Arc<Server> {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(servers.entry(account.to_owned()).or_default())
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

impl Provider for Memory {
    fn describe(&self) -> &Description {
        &self.description
    }

    fn open(&self, config: Config, host: Arc<dyn Host>) -> Result<Arc<dyn Storage>, Mistakes> {
        let mut whole = config.fields.clone();
        whole.extend(config.secrets.expose());
        let account = whole.get("account").and_then(|name| name.as_str()).map(str::to_owned);
        let judged = self.description.schema.validate(&whole.into());
        // What the schema cannot say is told along with what it says.
        let spaced = account
            .filter(|name| name.contains(' '))
            .map(|_| Mistakes::from(Mistake::in_field("account", "must be one word")));
        match (judged, spaced) {
            (Ok(()), None) => {}
            (Ok(()), Some(more)) => return Err(more),
            (Err(mistakes), more) => {
                let mut mistakes = mistakes.and(more.unwrap_or(Mistakes(Vec::new())));
                if self.flaw == Some(Flaw::FirstMistakeAlone) {
                    mistakes.0.truncate(1);
                }
                return Err(mistakes);
            }
        }
        let fields: Fields =
            config.read().map_err(|error| Mistake { pointer: String::new(), reason: error.to_string() })?;
        let server = self.server(&fields.account);
        if self.flaw == Some(Flaw::OpensWithARequest) {
            server.held().requests += 1;
        }
        let read_only = fields.read_only && self.flaw != Some(Flaw::ReadOnlyTakesItems);
        let facts = facts(&fields.account, !fields.read_only);
        let ticket = Mutex::new((config.secrets, config.revision));
        Ok(Arc::new(MemoryStorage { server, host, facts, read_only, ticket, flaw: self.flaw }))
    }

    fn authorize(&self, _: Config, _: &Url, _: Arc<dyn Host>) -> Result<Box<dyn Authorization>, Mistakes> {
        Err(Mistake { pointer: String::new(), reason: "nobody has to consent".into() }.into())
    }
}

fn facts(account: &str, upload: bool) -> Facts {
    Facts {
        identity: account.to_owned(),
        capabilities: Capabilities {
            list: true,
            download: true,
            upload,
            albums: true,
            previews: true,
            destination: false,
        },
        meters: vec![Meter {
            id: REQUEST.0,
            account: account.to_owned(),
            limit: 1_000_000,
            resets: Resets::DailyAt("UTC"),
        }],
        batch: BatchPolicy {
            size: 3,
            staged: 6,
            idle: Duration::from_secs(1),
            commit_timeout: Duration::from_mins(1),
        },
        limits: UploadLimits {
            formats: FORMATS,
            photo_bytes: 1_000_000,
            video_bytes: 0,
            album_title_chars: 50,
            description_chars: 100,
        },
        selection: Selection::default(),
        costs: Costs {
            page: vec![REQUEST],
            page_items: PAGE,
            fetch: vec![REQUEST],
            send: vec![REQUEST],
            commit: vec![REQUEST],
        },
        pace: Pace::default(),
        read_size: false,
    }
}

struct MemoryStorage {
    server: Arc<Server>,
    host: Arc<dyn Host>,
    facts: Facts,
    read_only: bool,
    ticket: Mutex<(Secrets, Revision)>,
    flaw: Option<Flaw>,
}

impl fmt::Debug for MemoryStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("MemoryStorage");
        if self.flaw == Some(Flaw::PrintsItsSecret) {
            shown.field("ticket", &self.ticket().0.expose());
        }
        shown.finish_non_exhaustive()
    }
}

fn item_error(doing: &str, cause: &str) -> Error {
    Error::new(Class::Item, doing, cause)
}

impl MemoryStorage {
    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn ticket(&self) -> MutexGuard<'_, (Secrets, Revision)> {
        self.ticket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One attempt at a request, and one more if the ticket has to be renewed first.
    async fn ask<T>(&self, request: impl Fn(&mut Held) -> Result<T, Error>) -> Result<T, Error> {
        for _ in 0..3 {
            if !self.has(Flaw::SendsWithoutAPermit) {
                self.host.permit(REQUEST).await?;
            }
            let shown = self.ticket().0.get("ticket").map(|t| t.expose_secret().to_owned());
            {
                let mut held = self.server.held();
                held.requests += 1;
                if shown == Some(format!("ticket-{}", held.ticket)) {
                    return request(&mut held);
                }
            }
            self.renew().await?;
        }
        Err(Error::new(Class::Transient, "be let in", "the ticket expires faster than it is renewed"))
    }

    async fn renew(&self) -> Result<(), Error> {
        self.host.permit(Cost("tickets")).await?;
        let number = {
            let mut held = self.server.held();
            held.requests += 1;
            if held.refuses {
                let error = Error::new(Class::Auth, "renew the ticket", "the account is closed");
                return Err(error.cured_by("ask for it to be opened"));
            }
            held.ticket
        };
        let (secrets, seen) = self.ticket().clone();
        let renewed = secrets.with("ticket", format!("ticket-{number}").into());
        let (secrets, revision) = match self.host.save_secrets(seen, renewed.clone()).await? {
            Ok(revision) => (renewed, revision),
            Err(_) if self.has(Flaw::IgnoresConflicts) => (renewed, seen),
            Err(Conflict { secrets, revision }) => (secrets, revision),
        };
        *self.ticket() = (secrets, revision);
        Ok(())
    }

    fn may_write(&self) -> Result<(), Error> {
        if self.facts.capabilities.upload {
            return Ok(());
        }
        Err(Error::new(Class::Config, "change the account", "the storage is read-only"))
    }
}

/// What of a list is on the page of a cursor, and the cursor of the next page.
fn page<T: Clone>(all: &[T], from: Option<&Cursor>, flaw: bool) -> Result<(Vec<T>, Option<Cursor>), Error> {
    let begin = match from.map(|cursor| cursor.0.parse::<usize>()) {
        None => 0,
        Some(Ok(begin)) if begin <= all.len() => begin,
        Some(_) if flaw => all.len(),
        Some(_) => {
            return Err(item_error("list", "nobody gave this cursor").because(Reason::ListingExpired));
        }
    };
    let end = all.len().min(begin + PAGE);
    Ok((all[begin..end].to_vec(), (end < all.len()).then(|| Cursor(end.to_string()))))
}

impl Storage for MemoryStorage {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn test(&self) -> BoxStream<'_, Check> {
        let stages = ["be let in", "list one item"];
        stream::unfold(0, move |at| async move {
            let stage = *stages.get(at)?;
            let asked = self.ask(|_| Ok(())).await;
            let (verdict, found, cure, next) = match asked {
                Ok(()) => (Verdict::Passed, "the server answers".to_owned(), None, at + 1),
                Err(error) if self.has(Flaw::GoesOnAfterAFailure) => {
                    (Verdict::Failed, error.cause, error.cure, at + 1)
                }
                Err(error) => (Verdict::Failed, error.cause, error.cure, stages.len()),
            };
            let check = Check { stage, verdict, took: Duration::ZERO, found, cure, link: None };
            Some((check, next))
        })
        .boxed()
    }

    fn source(&self) -> Option<&dyn Source> {
        Some(self)
    }

    fn sink(&self) -> Option<&dyn Sink> {
        if self.read_only { None } else { Some(self) }
    }

    fn albums(&self) -> Option<&dyn Albums> {
        Some(self)
    }
}

#[async_trait]
impl Source for MemoryStorage {
    async fn list(&self, wanted: &Selection, from: Option<&Cursor>) -> Result<Page, Error> {
        use charon_provider::AlbumChoice::{Every, Library, These};
        self.ask(|held| {
            let is_in = |item: &Item, chosen: &dyn Fn(&AlbumId) -> bool| {
                held.albums.iter().any(|(album, ids)| chosen(&album.id) && ids.contains(&item.id))
            };
            let is_wanted = |item: &&Item| match &wanted.albums {
                Library => true,
                Every => is_in(item, &|_| true),
                These(albums) => is_in(item, &|id| albums.contains(id)),
            };
            let all: Vec<_> = held.items.iter().filter(is_wanted).map(remote).collect();
            let (items, next) = page(&all, from, self.has(Flaw::StrangeCursorIsTheEnd))?;
            let ends_early = self.has(Flaw::ListsTwoPages) && from.is_some();
            Ok(Page { items, next: next.filter(|_| !ends_early), album: None })
        })
        .await
    }

    fn confirm_limit(&self) -> usize {
        10
    }

    async fn confirm(&self, ids: &[RemoteId]) -> Result<Vec<Existence>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut ids = ids.to_vec();
        if self.has(Flaw::AnswersInAnotherOrder) {
            ids.sort();
        }
        self.ask(|held| {
            let answer = |id: &RemoteId| match held.items.iter().find(|item| item.id == *id) {
                Some(item) => Existence::Found(Box::new(remote(item))),
                None => Existence::NotFound,
            };
            Ok(ids.iter().map(answer).collect())
        })
        .await
    }

    async fn open(&self, item: &RemoteItem, part: Part, from: Option<&ResumePoint>) -> Result<Body, Error> {
        let doing = "fetch the bytes of an item";
        if part == Part::Clip {
            return Err(item_error(doing, "there are no clips here").because(Reason::NoSuchPart));
        }
        let mut bytes = self
            .ask(|held| {
                let found = held.items.iter().find(|held| held.id == item.id);
                found
                    .map(|held| held.bytes.clone())
                    .ok_or_else(|| item_error(doing, "there is no such item").because(Reason::NotFound))
            })
            .await?;
        let length = bytes.len() as u64;
        // Nothing ever changes here, so the id says it all.
        let validator = format!("\"{}\"", item.id);
        let resumed = from.filter(|point| point.validator == validator && point.offset <= length);
        let offset = resumed.map_or(0, |point| point.offset);
        if !self.has(Flaw::ResumesAtTheBeginning) {
            bytes = bytes.slice(usize::try_from(offset).unwrap_or(usize::MAX)..);
        }
        if self.has(Flaw::CutsBytesOff) {
            bytes.truncate(bytes.len() - 1);
        }
        Ok(Body {
            offset,
            length: Some(length),
            validator: Some(validator),
            may_be_bundle: false,
            fidelity: Fidelity::Original,
            bytes: stream::iter([Ok(bytes)]).boxed(),
        })
    }

    async fn preview(&self, _: &RemoteItem, _: u32) -> Result<Body, Error> {
        self.ask(|_| Ok(())).await?;
        let bytes: &[u8] = if self.has(Flaw::PreviewsWords) { b"a photo of the sea" } else { PIXEL };
        Ok(Body {
            offset: 0,
            length: Some(bytes.len() as u64),
            validator: None,
            may_be_bundle: false,
            fidelity: Fidelity::ApiCopy,
            bytes: stream::iter([Ok(Bytes::from_static(bytes))]).boxed(),
        })
    }

    async fn measure(&self, item: &RemoteItem) -> Result<Option<u64>, Error> {
        Ok(item.size)
    }
}

#[async_trait]
impl Sink for MemoryStorage {
    async fn send(
        &self,
        content: &Content,
        _: Option<&Session>,
        _: &dyn KeepSession,
    ) -> Result<UploadToken, Error> {
        let doing = "send the bytes of a file";
        let read: std::io::Result<Vec<Bytes>> = (content.open)(0).try_collect().await;
        let bytes = read.map_err(|error| item_error(doing, &error.to_string()))?.concat();
        if bytes.len() as u64 != content.length && !self.has(Flaw::TakesWhatShrinks) {
            return Err(item_error(doing, "the file changed while it was sent"));
        }
        let token = self
            .ask(|held| {
                let token = format!("upload-{}", held.staged.len());
                held.staged.insert(token.clone(), bytes.clone().into());
                Ok(token)
            })
            .await?;
        let valid_until = self.host.now().saturating_add(SignedDuration::from_hours(24));
        Ok(UploadToken { token: token.into(), valid_until: valid_until.unwrap_or(Timestamp::MAX) })
    }

    fn requests_to_send(&self, _: u64) -> u32 {
        u32::from(!self.has(Flaw::SendsForNothing))
    }

    async fn commit(
        &self,
        album: Option<&Placement>,
        staged: &[Staged],
    ) -> Result<Vec<Result<RemoteItem, Error>>, Error> {
        if staged.is_empty() {
            return Ok(Vec::new());
        }
        let mut results = self
            .ask(|held| {
                let mut results = Vec::new();
                for one in staged {
                    results.push(match held.staged.get(one.token.token.expose_secret()).cloned() {
                        None => {
                            Err(item_error("make an item", "nobody gave this token")
                                .because(Reason::UploadToken))
                        }
                        Some(bytes) => {
                            let words = one.description.as_deref().unwrap_or_default();
                            Ok(held.put(&one.file_name, words, bytes))
                        }
                    });
                }
                let ids = results.iter().flatten().map(|item: &RemoteItem| item.id.clone());
                let ids: Vec<_> = ids.collect();
                if let Some((placement, (_, members))) =
                    album.and_then(|p| Some((p, held.albums.iter_mut().find(|(a, _)| a.id == p.album)?)))
                {
                    let at = match &placement.position {
                        Position::First => 0,
                        Position::Last => members.len(),
                        Position::After(id) => members.iter().position(|m| m == id).map_or(0, |at| at + 1),
                    };
                    members.splice(at..at, ids);
                }
                Ok(results)
            })
            .await?;
        if self.has(Flaw::ResultsInAnotherOrder) {
            results.reverse();
        }
        Ok(results)
    }
}

#[async_trait]
impl Albums for MemoryStorage {
    async fn list(&self, from: Option<&Cursor>) -> Result<AlbumPage, Error> {
        self.ask(|held| {
            let all: Vec<Album> = held.albums.iter().map(|(album, _)| album.clone()).collect();
            let (albums, next) = page(&all, from, false)?;
            Ok(AlbumPage { albums, next })
        })
        .await
    }

    async fn create(&self, title: &str) -> Result<Album, Error> {
        self.may_write()?;
        self.ask(|held| {
            let id = AlbumId(format!("album-{}", held.albums.len()));
            let album = Album { id, title: title.to_owned(), items: Some(0), writable: true, cover: None };
            held.albums.push((album.clone(), Vec::new()));
            Ok(album)
        })
        .await
    }

    fn add_limit(&self) -> usize {
        5
    }

    async fn add(&self, album: &AlbumId, items: &[RemoteId]) -> Result<(), Error> {
        self.may_write()?;
        self.ask(|held| {
            let known = held.albums.iter_mut().find(|(known, _)| known.id == *album);
            let (_, members) = known.ok_or_else(|| {
                item_error("add to an album", "there is no such album").because(Reason::NotFound)
            })?;
            let is_new = |id: &&RemoteId| self.has(Flaw::AddsTwice) || !members.contains(id);
            let new: Vec<_> = items.iter().filter(is_new).cloned().collect();
            members.extend(new);
            Ok(())
        })
        .await
    }
}
