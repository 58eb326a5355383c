//! albums: create, get, patch, batchAddMediaItems, batchRemoveMediaItems and addEnrichment (facts §2).
//!
//! Listing is in `listing`. Sharing methods answer 403 before they come here.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    call::{Call, Caller},
    error::ApiError,
    listing::find_album,
    media_items::{checked_ids, find, update_mask},
    params::Params,
    resource,
    state::{Entry, State},
};

const FIELDS: [&str; 8] = [
    "id",
    "title",
    "productUrl",
    "isWriteable",
    "shareInfo",
    "mediaItemsCount",
    "coverPhotoBaseUrl",
    "coverPhotoMediaItemId",
];

fn title(params: &Params) -> Result<&str, ApiError> {
    let title = params.text("title")?;
    if title.is_empty() {
        return Err(ApiError::invalid("Request must contain an album title."));
    }
    if title.chars().count() > 500 {
        return Err(ApiError::invalid("Request contains an album title that is longer than 500 characters."));
    }
    Ok(title)
}

pub(crate) fn create(
    call: &Call,
    state: &mut State,
    now: Timestamp,
    caller: &Caller,
    body: &[u8],
) -> Result<Value, ApiError> {
    let params = Params::of_body(body, &[], &["album"])?;
    let album = params.message("album", &FIELDS)?.unwrap_or_default();
    let number = state.add_album(&caller.owner, title(&album)?, now);
    Ok(resource::album(call, state, now, number, caller))
}

pub(crate) fn get(
    call: &Call,
    state: &State,
    now: Timestamp,
    caller: &Caller,
    id: &str,
) -> Result<Value, ApiError> {
    let number = find_album(state, now, caller, id).ok_or_else(ApiError::not_found)?;
    Ok(resource::album(call, state, now, number, caller))
}

pub(crate) fn patch(
    call: &Call,
    state: &mut State,
    now: Timestamp,
    caller: &Caller,
    id: &str,
    body: &[u8],
) -> Result<Value, ApiError> {
    let number = find_album(state, now, caller, id).ok_or_else(ApiError::not_found)?;
    let mask =
        update_mask(call, &[("title", "title"), ("cover_photo_media_item_id", "coverPhotoMediaItemId")])?;
    let params = Params::of_body(body, &[], &FIELDS)?;
    let cover = if mask.contains(&"coverPhotoMediaItemId") {
        let cover = find(state, now, caller, params.text("coverPhotoMediaItemId")?);
        Some(cover.ok_or_else(|| ApiError::invalid("Request contains an invalid media item id."))?)
    } else {
        None
    };
    if mask.contains(&"title") {
        title(&params)?.clone_into(&mut state.albums[number].title);
    }
    if cover.is_some() {
        state.albums[number].cover = cover;
    }
    Ok(resource::album(call, state, now, number, caller))
}

/// The album and the items of a batch, all of which must be the caller's own: nothing is done in part.
fn batch(
    state: &State,
    now: Timestamp,
    caller: &Caller,
    id: &str,
    ids: &[String],
) -> Result<(usize, Vec<usize>), ApiError> {
    let album = find_album(state, now, caller, id).ok_or_else(ApiError::not_found)?;
    if state.albums[album].owner != caller.owner {
        return Err(ApiError::invalid("No permission to add media items to this album."));
    }
    let items = ids
        .iter()
        .map(|id| {
            find(state, now, caller, id)
                .filter(|number| state.items[*number].owner == caller.owner)
                .ok_or_else(|| ApiError::invalid("Request contains an invalid media item id."))
        })
        .collect::<Result<_, _>>()?;
    Ok((album, items))
}

pub(crate) fn batch_add(
    call: &Call,
    state: &mut State,
    now: Timestamp,
    caller: &Caller,
    id: &str,
    body: &[u8],
) -> Result<Value, ApiError> {
    let params = Params::of_body(body, &call.query, &["mediaItemIds"])?;
    let ids = checked_ids(&params, "mediaItemIds", true)?;
    let (album, items) = batch(state, now, caller, id, &ids)?;
    let members = &state.albums[album].members;
    let new = items.iter().filter(|item| !members.contains(item)).count();
    if members.len() + new > state.settings.max_album_items {
        return Err(ApiError::invalid("The album would have more than the allowed number of media items."));
    }
    for item in items {
        state.put_into_album(album, item, None);
    }
    Ok(json!({}))
}

pub(crate) fn batch_remove(
    call: &Call,
    state: &mut State,
    now: Timestamp,
    caller: &Caller,
    id: &str,
    body: &[u8],
) -> Result<Value, ApiError> {
    let params = Params::of_body(body, &call.query, &["mediaItemIds"])?;
    let ids = checked_ids(&params, "mediaItemIds", false)?;
    let (album, items) = batch(state, now, caller, id, &ids)?;
    let album = &mut state.albums[album];
    if items.iter().any(|item| !album.members.contains(item)) {
        return Err(ApiError::invalid("Request contains an invalid media item id."));
    }
    album.take_out(&items);
    Ok(json!({}))
}

pub(crate) fn add_enrichment(
    state: &mut State,
    now: Timestamp,
    caller: &Caller,
    id: &str,
    body: &[u8],
) -> Result<Value, ApiError> {
    let album = find_album(state, now, caller, id).ok_or_else(ApiError::not_found)?;
    let params = Params::of_body(body, &[], &["newEnrichmentItem", "albumPosition"])?;
    let kinds = ["textEnrichment", "locationEnrichment", "mapEnrichment"];
    let item = params
        .message("newEnrichmentItem", &kinds)?
        .ok_or_else(|| ApiError::invalid("Request must contain an enrichment item."))?;
    if kinds.iter().filter(|kind| item.has(kind)).count() != 1 {
        return Err(ApiError::invalid("An enrichment item must be exactly one of text, location and map."));
    }
    let wanted = params
        .message("albumPosition", &["position", "relativeMediaItemId", "relativeEnrichmentItemId"])?
        .ok_or_else(|| ApiError::invalid("Request must contain an album position."))?;
    let at = position(state, album, &wanted)?.unwrap_or(usize::MAX);
    let enrichment = state.random.text("", 76);
    let entries = &mut state.albums[album].entries;
    entries.insert(at.min(entries.len()), Entry::Enrichment(enrichment.clone()));
    Ok(json!({"enrichmentItem": {"id": enrichment}}))
}

/// Where an album position points to; `None` is the end.
pub(crate) fn position(state: &State, album: usize, position: &Params) -> Result<Option<usize>, ApiError> {
    let entries = &state.albums[album].entries;
    let after = |found: Option<usize>| {
        found
            .map(|at| Some(at + 1))
            .ok_or_else(|| ApiError::invalid("The relative item of the album position is not in the album."))
    };
    match position.text("position")? {
        "" | "POSITION_TYPE_UNSPECIFIED" | "LAST_IN_ALBUM" => Ok(None),
        "FIRST_IN_ALBUM" => Ok(Some(0)),
        "AFTER_MEDIA_ITEM" => {
            let number = state.item_ids.get(position.text("relativeMediaItemId")?);
            after(entries.iter().position(|entry| matches!(entry, Entry::Item(item) if Some(item) == number)))
        }
        "AFTER_ENRICHMENT_ITEM" => {
            let id = position.text("relativeEnrichmentItemId")?;
            after(entries.iter().position(|entry| matches!(entry, Entry::Enrichment(own) if own == id)))
        }
        _ => Err(ApiError::invalid("Invalid album position.")),
    }
}
