//! A storage that shows what a test puts onto it, and remembers what it was asked.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use charon_provider::{
    Address, Album, AlbumId, AlbumPage, Albums, BatchPolicy, Body, Capabilities, Check, Class, Costs, Cursor,
    Error, Existence, Facts, Fidelity, Kind, Pace, Page, Part, Readiness, Reason, RemoteId, RemoteItem,
    ResumePoint, Selection, Sink, Source, Storage, UploadLimits,
};
use futures::{StreamExt, stream, stream::BoxStream};

pub(super) const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF\0";
pub(super) const MP4: &[u8] = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom";

/// One item, and what can be fetched of it.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) item: RemoteItem,
    pub(super) whole: Bytes,
    pub(super) clip: Option<Bytes>,
}

#[derive(Debug)]
pub(super) struct Shelf {
    facts: Facts,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// The newest first.
    pub(super) items: Vec<Shown>,
    pub(super) page_items: usize,
    pub(super) albums: Vec<(&'static str, &'static str)>,
    /// How many bytes the next bodies of an item bring before they break off.
    pub(super) breaks: HashMap<&'static str, VecDeque<usize>>,
    /// What comes as the original of an item instead of its whole; it may be a bundle.
    pub(super) originals: HashMap<&'static str, Bytes>,
    /// Items of which the original was declined.
    pub(super) declined: HashSet<String>,
    /// Whether listings go round: the last page names the first one as the next.
    pub(super) goes_round: bool,
    /// Items whose clip cannot be had now.
    pub(super) no_clip_now: HashSet<&'static str>,
    /// How many cursors, after so many pages, are not accepted any more.
    pub(super) expiries: VecDeque<usize>,
    /// The page that is not answered for now.
    pub(super) hold_page: Option<usize>,
    /// Whether no item that is opened is answered for now.
    pub(super) hold_opens: bool,
    /// Addresses of an older generation are stale.
    pub(super) generation: u32,
    /// Whether the next address that is opened is found stale, and all others with it.
    pub(super) expire_next: bool,
    /// What was asked, as words.
    pub(super) asked: Vec<String>,
}

/// An item, the `number`th of its month.
pub(super) fn shown(name: &str) -> Shown {
    let item = RemoteItem {
        id: RemoteId(name.into()),
        file_name: format!("{name}.jpg"),
        mime_type: "image/jpeg".into(),
        kind: Kind::Photo,
        taken_at: Some("2024-07-01T12:00:00Z".parse().expect("a time")),
        width: None,
        height: None,
        size: None,
        has_clip: false,
        readiness: Readiness::Ready,
        description: None,
        camera: None,
        address: None,
    };
    Shown { item, whole: Bytes::from([JPEG, name.as_bytes()].concat()), clip: None }
}

/// The same with a clip.
pub(super) fn with_clip(name: &str) -> Shown {
    let mut shown = shown(name);
    shown.item.has_clip = true;
    shown.clip = Some(Bytes::from([MP4, name.as_bytes()].concat()));
    shown
}

impl Shelf {
    pub(super) fn new(read_size: bool) -> Self {
        let facts = Facts {
            identity: "test".into(),
            capabilities: Capabilities {
                list: true,
                download: true,
                upload: false,
                albums: true,
                previews: false,
                destination: false,
            },
            meters: Vec::new(),
            batch: BatchPolicy { size: 1, staged: 1, idle: Duration::ZERO, commit_timeout: Duration::ZERO },
            limits: UploadLimits::default(),
            selection: Selection::default(),
            costs: Costs::default(),
            pace: Pace::default(),
            read_size,
        };
        Self { facts, state: Mutex::new(State { page_items: 100, ..State::default() }) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the shelf")
    }

    /// What was asked since the last time, as far as it begins with this.
    pub(super) fn asked(&self, begins_with: &str) -> Vec<String> {
        let asked = std::mem::take(&mut self.state().asked);
        asked.into_iter().filter(|what| what.starts_with(begins_with)).collect()
    }
}

impl State {
    fn look(&self, shown: &Shown) -> RemoteItem {
        let valid_until = "9000-01-01T00:00:00Z".parse().expect("a time");
        let address = Address { url: self.generation.to_string(), valid_until };
        RemoteItem { address: Some(address), ..shown.item.clone() }
    }
}

fn error(class: Class, reason: Reason) -> Error {
    Error::new(class, "do as asked", format!("{reason:?}")).because(reason)
}

#[async_trait]
impl Source for Shelf {
    async fn list(&self, _: &Selection, from: Option<&Cursor>) -> Result<Page, Error> {
        let from: usize = from.map_or(0, |cursor| cursor.0.parse().expect("our cursor"));
        let pages = from / self.state().page_items;
        while self.state().hold_page == Some(pages) {
            tokio::task::yield_now().await;
        }
        let mut state = self.state();
        state.asked.push(format!("list {from}"));
        if pages > 0 && state.expiries.front() == Some(&pages) {
            state.expiries.pop_front();
            return Err(error(Class::Transient, Reason::ListingExpired));
        }
        let until = (from + state.page_items).min(state.items.len());
        let items = state.items[from.min(until)..until].iter().map(|shown| state.look(shown)).collect();
        let next = if until < state.items.len() {
            Some(until)
        } else {
            state.goes_round.then_some(state.page_items)
        };
        Ok(Page { items, next: next.map(|next| Cursor(next.to_string())), album: None })
    }

    fn confirm_limit(&self) -> usize {
        50
    }

    async fn confirm(&self, ids: &[RemoteId]) -> Result<Vec<Existence>, Error> {
        let mut state = self.state();
        let mut names: Vec<&str> = ids.iter().map(|id| id.0.as_str()).collect();
        names.sort_unstable();
        state.asked.push(format!("confirm {}", names.join(" ")));
        let find = |id: &RemoteId| state.items.iter().find(|shown| shown.item.id == *id);
        let answer = |shown| Existence::Found(Box::new(state.look(shown)));
        Ok(ids.iter().map(|id| find(id).map_or(Existence::NotFound, answer)).collect())
    }

    async fn measure(&self, item: &RemoteItem) -> Result<Option<u64>, Error> {
        let mut state = self.state();
        state.asked.push(format!("measure {}", item.id));
        let shown = state.items.iter().find(|shown| shown.item.id == item.id).expect("it was listed");
        Ok(Some(shown.whole.len() as u64))
    }

    async fn open(&self, item: &RemoteItem, part: Part, from: Option<&ResumePoint>) -> Result<Body, Error> {
        let offset = from.map_or(0, |point| point.offset);
        let part_name = if part == Part::Whole { "whole" } else { "clip" };
        self.state().asked.push(format!("open {} {part_name} {offset}", item.id));
        while self.state().hold_opens {
            tokio::task::yield_now().await;
        }
        let mut state = self.state();
        if std::mem::take(&mut state.expire_next) {
            state.generation += 1;
        }
        if item.address.as_ref().is_none_or(|address| address.url != state.generation.to_string()) {
            return Err(error(Class::Transient, Reason::StaleAddress));
        }
        let shown = state.items.iter().find(|shown| shown.item.id == item.id);
        let shown = shown.cloned().ok_or_else(|| error(Class::Item, Reason::NotFound))?;
        let bytes = match part {
            Part::Whole => shown.whole,
            Part::Clip if state.no_clip_now.contains(item.id.0.as_str()) => {
                return Err(error(Class::Item, Reason::Other));
            }
            Part::Clip => shown.clip.ok_or_else(|| error(Class::Item, Reason::NoSuchPart))?,
        };
        let original = state.originals.get(item.id.0.as_str()).filter(|_| part == Part::Whole);
        if let Some(bytes) = original.filter(|_| !state.declined.contains(&item.id.0)).cloned() {
            return Ok(Body {
                offset: 0,
                length: Some(bytes.len() as u64),
                validator: None,
                may_be_bundle: true,
                fidelity: Fidelity::Original,
                bytes: stream::iter([Ok(bytes)]).boxed(),
            });
        }
        let validator = format!("tag of {} {part_name}", item.id);
        assert!(from.is_none_or(|from| from.validator == validator), "the validator is that of these bytes");
        let rest = bytes.slice(usize::try_from(offset).expect("a small one")..);
        let breaks = state.breaks.get_mut(item.id.0.as_str()).and_then(VecDeque::pop_front);
        let chunks = match breaks {
            Some(after) => vec![Ok(rest.slice(..after)), Err(error(Class::Transient, Reason::Other))],
            None => vec![Ok(rest)],
        };
        Ok(Body {
            offset,
            length: Some(bytes.len() as u64),
            validator: Some(validator),
            may_be_bundle: false,
            fidelity: Fidelity::ApiCopy,
            bytes: stream::iter(chunks).boxed(),
        })
    }

    fn decline_original(&self, item: &RemoteId) {
        self.state().declined.insert(item.0.clone());
    }
}

#[async_trait]
impl Albums for Shelf {
    async fn list(&self, from: Option<&Cursor>) -> Result<AlbumPage, Error> {
        let at: usize = from.map_or(0, |cursor| cursor.0.parse().expect("our cursor"));
        let state = self.state();
        let album = |(id, title): &(&str, &str)| Album {
            id: AlbumId((*id).into()),
            title: (*title).into(),
            items: None,
            writable: true,
            cover: None,
        };
        // One to a page.
        let albums = state.albums.get(at).map(album).into_iter().collect();
        let next = if at + 1 < state.albums.len() { Some(at + 1) } else { state.goes_round.then_some(1) };
        Ok(AlbumPage { albums, next: next.map(|next| Cursor(next.to_string())) })
    }

    async fn create(&self, _: &str) -> Result<Album, Error> {
        Err(error(Class::Config, Reason::Other))
    }

    fn add_limit(&self) -> usize {
        50
    }

    async fn add(&self, _: &AlbumId, _: &[RemoteId]) -> Result<(), Error> {
        Err(error(Class::Config, Reason::Other))
    }
}

impl Storage for Shelf {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn test(&self) -> BoxStream<'_, Check> {
        stream::empty().boxed()
    }

    fn source(&self) -> Option<&dyn Source> {
        Some(self)
    }

    fn sink(&self) -> Option<&dyn Sink> {
        None
    }

    fn albums(&self) -> Option<&dyn Albums> {
        Some(self)
    }
}
