//! mediaItems: batchCreate, get, batchGet and patch (facts §2, §3). Listing is in `listing`.

use std::collections::HashSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    albums,
    call::{Call, Caller, storage_full},
    content::Content,
    error::{ApiError, Code},
    fault::Action,
    params::Params,
    resource,
    state::{Item, State},
    uploads::Upload,
};

/// Most items in one batchCreate, batchGet, batchAddMediaItems or batchRemoveMediaItems.
pub(crate) const BATCH: usize = 50;
const FAILED: &str = "Failed: There was an error while trying to create this media item.";

struct NewItem {
    token: String,
    file_name: String,
    description: String,
}

fn new_items(params: &Params) -> Result<Vec<NewItem>, ApiError> {
    let list = params.messages("newMediaItems", &["description", "simpleMediaItem"])?;
    if list.is_empty() {
        return Err(ApiError::invalid("Request must contain at least one new media item."));
    }
    if list.len() > BATCH {
        return Err(ApiError::invalid("Request must have less than 50 items"));
    }
    list.iter()
        .map(|new| {
            let simple = new.message("simpleMediaItem", &["uploadToken", "fileName"])?.unwrap_or_default();
            let (file_name, description) = (simple.text("fileName")?, new.text("description")?);
            if file_name.chars().count() > 255 {
                return Err(ApiError::invalid(
                    "Request contains a file name that is longer than 255 characters.",
                ));
            }
            if description.chars().count() >= 1000 {
                return Err(ApiError::invalid("Request contains a description of 1000 characters or more."));
            }
            Ok(NewItem {
                token: simple.text("uploadToken")?.to_owned(),
                file_name: file_name.to_owned(),
                description: description.to_owned(),
            })
        })
        .collect()
}

/// The answer and whether some items failed.
pub(crate) fn batch_create(
    call: &Call,
    state: &mut State,
    now: Timestamp,
    caller: &Caller,
    body: &[u8],
) -> Result<(Value, bool), ApiError> {
    let params = Params::of_body(body, &call.query, &["albumId", "albumPosition", "newMediaItems"])?;
    let new_items = new_items(&params)?;
    let album_id = params.text("albumId")?;
    let position =
        params.message("albumPosition", &["position", "relativeMediaItemId", "relativeEnrichmentItemId"])?;
    let album = if album_id.is_empty() {
        if position.is_some() {
            return Err(ApiError::invalid("Album position can only be set together with an album id."));
        }
        None
    } else {
        let Some(&number) = state.album_ids.get(album_id) else {
            return Err(ApiError::new(Code::NotFound, "The provided ID does not match any albums."));
        };
        if state.albums[number].owner != caller.owner {
            return Err(ApiError::invalid("No permission to add media items to this album."));
        }
        Some(number)
    };
    let mut at = match (album, &position) {
        (Some(album), Some(position)) => albums::position(state, album, position)?,
        _ => None,
    };
    if call.faults.contains(&Action::SpentUploadTokens) {
        for new in &new_items {
            state.uploads.tokens.remove(&new.token);
        }
    }
    let life = i64::try_from(state.settings.upload_token_seconds).unwrap_or(i64::MAX);
    let single_use = state.settings.single_use_upload_tokens;
    let uploads: Vec<Option<Upload>> = new_items
        .iter()
        .map(|new| {
            let upload = state.uploads.tokens.get(&new.token)?;
            let alive = upload.owner == caller.owner
                && now.duration_since(upload.created_at).as_secs() < life
                && !(single_use && upload.spent);
            alive.then(|| upload.clone())
        })
        .collect();
    if !state.settings.bad_token_fails_item_only && uploads.iter().any(Option::is_none) {
        return Err(ApiError::invalid("Request must contain a valid upload token."));
    }
    let incoming: u64 = uploads
        .iter()
        .flatten()
        .filter(|upload| {
            state.same_bytes(&caller.owner, (upload.hash, upload.size), upload.sniffed.as_ref()).is_none()
        })
        .map(|upload| upload.size)
        .sum();
    if state.settings.storage_left_bytes.is_some_and(|left| incoming > left) {
        return Err(storage_full());
    }
    if let Some(album) = album
        && state.albums[album].members.len() + new_items.len() > state.settings.max_album_items
    {
        return Err(ApiError::invalid("The album would have more than the allowed number of media items."));
    }

    let mut seen = HashSet::new();
    let mut failed = false;
    let mut results = Vec::with_capacity(new_items.len());
    for (index, (new, upload)) in new_items.iter().zip(uploads).enumerate() {
        let outcome = match (&upload, injected(call, index)) {
            (_, Some(code)) => Err((code, FAILED)),
            (None, None) => Err((3, "Request must contain a valid upload token.")),
            (Some(upload), None) if !seen.insert(upload.hash) => Err((6, FAILED)),
            (Some(upload), None) => create(state, now, caller, new, upload),
        };
        if let (Some(_), Some(upload)) = (&upload, state.uploads.tokens.get_mut(&new.token)) {
            upload.spent = true;
        }
        results.push(match outcome {
            Ok(number) => {
                if let Some(album) = album
                    && state.put_into_album(album, number, at)
                {
                    at = at.map(|at| at + 1);
                }
                json!({
                    "uploadToken": new.token,
                    "status": {"message": "Success"},
                    "mediaItem": resource::media_item(call, state, now, number, None),
                })
            }
            Err((code, message)) => {
                failed = true;
                json!({"uploadToken": new.token, "status": {"code": code, "message": message}})
            }
        });
    }
    Ok((json!({"newMediaItemResults": results}), failed))
}

fn injected(call: &Call, index: usize) -> Option<u16> {
    call.faults.iter().find_map(|fault| match fault {
        Action::ItemError { code, positions } if positions.is_empty() || positions.contains(&index) => {
            Some(*code)
        }
        _ => None,
    })
}

/// Makes the item, or finds the one with the same bytes, which keeps its name (facts: dedupe).
fn create(
    state: &mut State,
    now: Timestamp,
    caller: &Caller,
    new: &NewItem,
    upload: &Upload,
) -> Result<usize, (u16, &'static str)> {
    let Some(sniffed) = &upload.sniffed else { return Err((3, FAILED)) };
    let most =
        if sniffed.is_video() { state.settings.max_video_bytes } else { state.settings.max_photo_bytes };
    if upload.size > most {
        return Err((3, FAILED));
    }
    // From here on the item holds the bytes, not the token.
    let stored = state.uploads.tokens.get_mut(&new.token).and_then(|upload| upload.bytes.take());
    if let Some(number) = state.same_bytes(&caller.owner, (upload.hash, upload.size), Some(sniffed)) {
        if let Some(bytes) = stored {
            state.uploads.kept_bytes = state.uploads.kept_bytes.saturating_sub(bytes.len() as u64);
        }
        state.learn(number, upload.hash, upload.size);
        state.items[number].times_uploaded += 1;
        state.stats.items_met_again += 1;
        return Ok(number);
    }
    if let Some(left) = &mut state.settings.storage_left_bytes {
        *left = left.saturating_sub(upload.size);
    }
    let seed = u64::from_be_bytes(std::array::from_fn(|at| upload.hash[at]));
    let filename = if new.file_name.is_empty() { upload.name.clone() } else { new.file_name.clone() };
    let taken_at = sniffed.taken_at.unwrap_or(upload.created_at);
    let content = stored.map_or(Content::Dropped(seed), Content::Stored);
    state.stats.items_created += 1;
    let blank = Item::blank(caller.owner.clone(), filename, sniffed.mime_type, taken_at, content);
    Ok(state.add_item(Item {
        description: new.description.clone(),
        created_at: now,
        dimensions: sniffed.dimensions,
        exif: Box::new(sniffed.exif.clone()),
        frames_per_second: sniffed.frames_per_second,
        known: Some((upload.hash, upload.size)),
        times_uploaded: 1,
        ..blank
    }))
}

/// The number of an item that the caller can see now.
pub(crate) fn find(state: &State, now: Timestamp, caller: &Caller, id: &str) -> Option<usize> {
    let &number = state.item_ids.get(id)?;
    let item = &state.items[number];
    let pause = i64::try_from(state.settings.not_found_after_creation_seconds).unwrap_or(i64::MAX);
    let settled = now.duration_since(item.created_at).as_secs() >= pause;
    (settled && caller.sees(&item.owner)).then_some(number)
}

fn unreadable(state: &State) -> ApiError {
    if state.settings.unreadable_item_status == 400 {
        ApiError::invalid("Invalid media item ID.")
    } else {
        ApiError::not_found()
    }
}

pub(crate) fn get(
    call: &Call,
    state: &State,
    now: Timestamp,
    caller: &Caller,
    id: &str,
) -> Result<Value, ApiError> {
    let number = find(state, now, caller, id).ok_or_else(|| unreadable(state))?;
    Ok(resource::media_item(call, state, now, number, None))
}

/// Checks a list of ids: not empty, at most 50, no repeats.
pub(crate) fn checked_ids(params: &Params, name: &str, repeats: bool) -> Result<Vec<String>, ApiError> {
    let ids = params.texts(name)?;
    if ids.is_empty() {
        return Err(ApiError::invalid("Request must contain at least one media item id."));
    }
    if ids.len() > BATCH {
        return Err(ApiError::invalid("Request must have less than 50 items"));
    }
    if !repeats && ids.iter().collect::<HashSet<_>>().len() < ids.len() {
        return Err(ApiError::invalid("Request must not contain duplicate media item ids."));
    }
    Ok(ids)
}

pub(crate) fn batch_get(
    call: &Call,
    state: &State,
    now: Timestamp,
    caller: &Caller,
) -> Result<Value, ApiError> {
    let ids = checked_ids(&Params::of_query(&call.query), "mediaItemIds", false)?;
    let results: Vec<Value> = ids
        .iter()
        .map(|id| match find(state, now, caller, id) {
            Some(number) => json!({"mediaItem": resource::media_item(call, state, now, number, None)}),
            None => json!({"status": {"code": 3, "message": "Invalid media item ID."}}),
        })
        .collect();
    Ok(json!({"mediaItemResults": results}))
}

/// The fields of an update mask, which may be written in either case.
pub(crate) fn update_mask(
    call: &Call,
    allowed: &[(&str, &'static str)],
) -> Result<Vec<&'static str>, ApiError> {
    let mask = call.query("updateMask").or(call.query("update_mask")).unwrap_or("");
    let fields: Vec<&str> = mask.split(',').map(str::trim).filter(|field| !field.is_empty()).collect();
    if fields.is_empty() {
        return Err(ApiError::invalid("Request must contain an update mask."));
    }
    fields
        .iter()
        .map(|field| {
            let found = allowed.iter().find(|(snake, camel)| field == snake || field == camel);
            found
                .map(|(_, camel)| *camel)
                .ok_or_else(|| ApiError::invalid(format!("Invalid field in the update mask: {field}")))
        })
        .collect()
}

pub(crate) fn patch(
    call: &Call,
    state: &mut State,
    now: Timestamp,
    caller: &Caller,
    id: &str,
    body: &[u8],
) -> Result<Value, ApiError> {
    let number = find(state, now, caller, id).ok_or_else(|| unreadable(state))?;
    update_mask(call, &[("description", "description")])?;
    let known = ["id", "description", "productUrl", "baseUrl", "mimeType", "filename", "mediaMetadata"];
    let params = Params::of_body(body, &[], &known)?;
    let description = params.text("description")?;
    if description.chars().count() >= 1000 {
        return Err(ApiError::invalid("Request contains a description of 1000 characters or more."));
    }
    description.clone_into(&mut state.items[number].description);
    Ok(resource::media_item(call, state, now, number, None))
}
