//! Pages: mediaItems.list, mediaItems:search and albums.list, with page tokens and the misbehaviour of listings.
//!
//! A page token is opaque to clients: base64url of the place after the last item, as the real ones are base64url of a
//! message (facts §2).

use std::{collections::BTreeSet, ops::Bound};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    call::{Call, Caller},
    error::ApiError,
    fault::Action,
    filters::Filters,
    params::Params,
    random::Random,
    resource,
    state::State,
};

/// Where the next page begins.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Place {
    /// What is being listed, as the real tokens tell too.
    kind: String,
    /// Unix seconds.
    minted: i64,
    generation: u32,
    /// In an album or among albums: how many entries come before.
    offset: usize,
    /// In the library: the last item given, by its time in microseconds and its number.
    last: Option<(i64, usize)>,
}

impl Place {
    fn token(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).expect("numbers and a word can be written"))
    }
}

struct Page<'a> {
    call: &'a Call,
    kind: String,
    size: usize,
    place: Option<Place>,
    now: Timestamp,
    generation: u32,
}

impl<'a> Page<'a> {
    fn of(
        call: &'a Call,
        state: &State,
        now: Timestamp,
        params: &Params,
        kind: String,
        (default, most): (usize, usize),
    ) -> Result<Page<'a>, ApiError> {
        let asked = params.number("pageSize")?;
        let size = match usize::try_from(asked) {
            Err(_) => return Err(ApiError::invalid("Page size must not be negative.")),
            Ok(0) => default,
            Ok(size) if size > most && state.settings.reject_large_pages => {
                return Err(ApiError::invalid(format!("Page size must be at most {most}.")));
            }
            Ok(size) => size.min(most),
        };
        let size = call.faults.iter().fold(size, |size, fault| match fault {
            Action::SmallPages { items } => size.min((*items).max(1)),
            _ => size,
        });
        let token = params.text("pageToken")?;
        let invalid = || ApiError::invalid("Invalid page token.");
        let place = if token.is_empty() {
            None
        } else {
            let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| invalid())?;
            let place: Place = serde_json::from_slice(&bytes).map_err(|_| invalid())?;
            let life = state.settings.page_token_seconds.and_then(|life| i64::try_from(life).ok());
            let dead = place.generation < state.page_token_generation;
            if dead || place.kind != kind || life.is_some_and(|life| now.as_second() - place.minted >= life) {
                return Err(invalid());
            }
            Some(place)
        };
        Ok(Page { call, kind, size, place, now, generation: state.page_token_generation })
    }

    fn next(&self, offset: usize, last: Option<(i64, usize)>) -> String {
        let (kind, minted) = (self.kind.clone(), self.now.as_second());
        Place { kind, minted, generation: self.generation, offset, last }.token()
    }

    /// The token of this very place, for a page that is empty although more follows.
    fn again(&self) -> String {
        match &self.place {
            Some(place) => place.token(),
            None => self.next(0, None),
        }
    }

    fn is_empty_on_purpose(&self) -> bool {
        self.call.faults.contains(&Action::EmptyPage)
    }

    /// How many items a later page repeats, and how many it leaves out at its beginning.
    fn shift(&self) -> (usize, usize) {
        let shift = self.call.faults.iter().fold(0, |shift, fault| match fault {
            Action::RepeatedItem => shift + 1,
            Action::ShiftedPages { items } => shift + items,
            _ => shift,
        });
        let size = usize::try_from(shift.unsigned_abs()).unwrap_or(usize::MAX);
        match (&self.place, shift) {
            (None, _) => (0, 0),
            (Some(_), 0..) => (size, 0),
            (Some(_), _) => (0, size),
        }
    }

    /// Whether a short listing leaves this item out.
    fn leaves_out(&self, number: usize) -> bool {
        self.call.faults.iter().any(|fault| match fault {
            Action::ShortListing { share, seed } => {
                Random::new(seed.rotate_left(32) ^ number as u64).fraction() < *share
            }
            _ => false,
        })
    }
}

fn body(name: &str, list: Vec<Value>, token: Option<String>) -> Value {
    let mut out = Map::new();
    if !list.is_empty() {
        out.insert(name.to_owned(), Value::Array(list));
    }
    out.extend(token.map(|token| ("nextPageToken".to_owned(), json!(token))));
    Value::Object(out)
}

pub(crate) fn list(call: &Call, state: &State, now: Timestamp, caller: &Caller) -> Result<Value, ApiError> {
    let params = Params::of_query(&call.query);
    let page = Page::of(call, state, now, &params, "library".to_owned(), (25, 100))?;
    let everything = Filters::everything(state.settings.archived_without_filters);
    Ok(library(&page, state, caller, &everything, false))
}

pub(crate) fn search(
    call: &Call,
    state: &State,
    now: Timestamp,
    caller: &Caller,
    body: &[u8],
) -> Result<Value, ApiError> {
    let known = ["albumId", "pageSize", "pageToken", "filters", "orderBy"];
    let params = Params::of_body(body, &call.query, &known)?;
    let album_id = params.text("albumId")?;
    let order = params.text("orderBy")?;
    if !album_id.is_empty() {
        if params.has("filters") {
            return Err(ApiError::invalid("Cannot set album id and filters in the same request."));
        }
        let Some(number) = find_album(state, now, caller, album_id) else {
            return Err(ApiError::not_found());
        };
        let page = Page::of(call, state, now, &params, format!("album {number}"), (25, 100))?;
        return Ok(album(&page, state, number));
    }
    let filters = Filters::of(&params, state.settings.archived_without_filters)?;
    let ascending = match order {
        "" | "MediaMetadata.creation_time desc" => false,
        "MediaMetadata.creation_time" => true,
        _ => return Err(ApiError::invalid("Invalid order.")),
    };
    if !order.is_empty() && !filters.may_order {
        return Err(ApiError::invalid("An order can only be combined with a date filter."));
    }
    let kind = if ascending { "library, oldest first" } else { "library" };
    let page = Page::of(call, state, now, &params, kind.to_owned(), (25, 100))?;
    Ok(library(&page, state, caller, &filters, ascending))
}

fn library(page: &Page<'_>, state: &State, caller: &Caller, filters: &Filters, ascending: bool) -> Value {
    if page.is_empty_on_purpose() {
        return body("mediaItems", Vec::new(), Some(page.again()));
    }
    let last = page
        .place
        .as_ref()
        .and_then(|place| place.last)
        .and_then(|(micros, number)| Some((Timestamp::from_microsecond(micros).ok()?, number)));
    let settled = state.settings.filtered_search_delay_seconds;
    let fits = |(_, number): &&(Timestamp, usize)| {
        let item = &state.items[*number];
        caller.sees(&item.owner) && filters.pass(item, page.now, settled) && !page.leaves_out(*number)
    };
    let from = |edge: Bound<(Timestamp, usize)>, ascending: bool| {
        let found: Box<dyn Iterator<Item = &(Timestamp, usize)>> = if ascending {
            Box::new(state.timeline.range((edge, Bound::Unbounded)))
        } else {
            Box::new(state.timeline.range((Bound::Unbounded, edge)).rev())
        };
        found.filter(fits)
    };
    let (back, ahead) = page.shift();
    let edge = match last {
        None => Bound::Unbounded,
        Some(last) => match from(Bound::Included(last), !ascending).take(back).last() {
            Some(earlier) => Bound::Included(*earlier),
            None => Bound::Excluded(last),
        },
    };
    let mut fitting = from(edge, ascending).skip(ahead);
    let given: Vec<(Timestamp, usize)> = fitting.by_ref().take(page.size).copied().collect();
    let more = fitting.next().is_some();
    let token =
        given.last().filter(|_| more).map(|(at, number)| page.next(0, Some((at.as_microsecond(), *number))));
    let items = given
        .iter()
        .map(|(_, number)| resource::media_item(page.call, state, page.now, *number, None))
        .collect();
    body("mediaItems", items, token)
}

fn album(page: &Page<'_>, state: &State, number: usize) -> Value {
    if page.is_empty_on_purpose() {
        return body("mediaItems", Vec::new(), Some(page.again()));
    }
    let (back, ahead) = page.shift();
    let offset = page.place.as_ref().map_or(0, |place| place.offset);
    let offset = offset.saturating_sub(back).saturating_add(ahead);
    let album = &state.albums[number];
    let mut rest = album.items().enumerate().skip(offset).filter(|(_, item)| !page.leaves_out(*item));
    let given: Vec<(usize, usize)> = rest.by_ref().take(page.size).collect();
    let more = rest.next().is_some();
    let token = given.last().filter(|_| more).map(|(at, _)| page.next(at + 1, None));
    let items = given
        .iter()
        .map(|(_, item)| resource::media_item(page.call, state, page.now, *item, Some(&album.id)))
        .collect();
    body("mediaItems", items, token)
}

/// The number of an album that the caller can see now.
pub(crate) fn find_album(state: &State, now: Timestamp, caller: &Caller, id: &str) -> Option<usize> {
    let &number = state.album_ids.get(id)?;
    let album = &state.albums[number];
    let pause = i64::try_from(state.settings.not_found_after_creation_seconds).unwrap_or(i64::MAX);
    let settled = now.duration_since(album.created_at).as_secs() >= pause;
    (settled && caller.sees(&album.owner)).then_some(number)
}

pub(crate) fn albums(call: &Call, state: &State, now: Timestamp, caller: &Caller) -> Result<Value, ApiError> {
    let params = Params::of_query(&call.query);
    params.flag("excludeNonAppCreatedData")?;
    let page = Page::of(call, state, now, &params, "albums".to_owned(), (20, 50))?;
    if page.is_empty_on_purpose() {
        return Ok(body("albums", Vec::new(), Some(page.again())));
    }
    let mut offset = page.place.as_ref().map_or(0, |place| place.offset);
    let visible: BTreeSet<usize> = (0..state.albums.len())
        .filter(|number| {
            let album = &state.albums[*number];
            !album.removed
                && caller.sees(&album.owner)
                && (state.settings.list_empty_albums || !album.members.is_empty())
        })
        .collect();
    let (back, ahead) = page.shift();
    offset = visible.range(..offset).rev().take(back).last().copied().unwrap_or(offset);
    let mut rest = visible.range(offset..).skip(ahead).copied().filter(|number| !page.leaves_out(*number));
    let given: Vec<usize> = rest.by_ref().take(page.size).collect();
    let more = rest.next().is_some();
    let token = given.last().filter(|_| more).map(|number| page.next(number + 1, None));
    let albums = given.iter().map(|number| resource::album(call, state, now, *number, caller)).collect();
    Ok(body("albums", albums, token))
}
