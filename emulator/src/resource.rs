//! Media items and albums as JSON: int64 as strings, timestamps with `Z`, what is empty left out (facts §2).

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::{
    base_url,
    call::{Call, Caller},
    fault::Action,
    state::State,
};

/// Whole seconds, with `Z`.
pub(crate) fn instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A Duration as proto3 writes it: seconds with up to nine digits and `s`.
fn duration(seconds: f64) -> String {
    let text = format!("{seconds:.9}");
    format!("{}s", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A media item; in a listing of an album its `productUrl` points into the album.
pub(crate) fn media_item(
    call: &Call,
    state: &State,
    now: Timestamp,
    number: usize,
    album: Option<&str>,
) -> Value {
    let item = &state.items[number];
    let mut out = Map::new();
    out.insert("id".into(), json!(item.id));
    if !item.description.is_empty() {
        out.insert("description".into(), json!(item.description));
    }
    let product = match album {
        Some(album) => format!("https://photos.google.com/lr/album/{album}/photo/{}", item.id),
        None => format!("https://photos.google.com/lr/photo/{}", item.id),
    };
    out.insert("productUrl".into(), json!(product));
    let base = format!("{}/lr/{}", call.origin.media, base_url::mint(state, now, number));
    out.insert("baseUrl".into(), json!(base));
    out.insert("mimeType".into(), json!(item.mime_type));

    let mut metadata = Map::new();
    let creation_time = item.creation_time.clone().unwrap_or_else(|| instant(item.taken_at));
    if !creation_time.is_empty() {
        metadata.insert("creationTime".into(), json!(creation_time));
    }
    if let Some((width, height)) = item.dimensions {
        metadata.insert("width".into(), json!(width.to_string()));
        metadata.insert("height".into(), json!(height.to_string()));
    }
    let mut kind = Map::new();
    let exif = &item.exif;
    kind.extend(exif.make.as_ref().map(|make| ("cameraMake".to_owned(), json!(make))));
    kind.extend(exif.model.as_ref().map(|model| ("cameraModel".to_owned(), json!(model))));
    if item.is_video() {
        kind.extend(item.frames_per_second.map(|fps| ("fps".to_owned(), json!(fps))));
        let status = if is_processing(call, state, now, number) { "PROCESSING" } else { "READY" };
        kind.insert("status".into(), json!(status));
        metadata.insert("video".into(), Value::Object(kind));
    } else {
        kind.extend(exif.focal_length.map(|mm| ("focalLength".to_owned(), json!(mm))));
        kind.extend(exif.f_number.map(|f| ("apertureFNumber".to_owned(), json!(f))));
        kind.extend(exif.iso.map(|iso| ("isoEquivalent".to_owned(), json!(iso))));
        kind.extend(exif.exposure_time.map(|s| ("exposureTime".to_owned(), json!(duration(s)))));
        metadata.insert("photo".into(), Value::Object(kind));
    }
    out.insert("mediaMetadata".into(), Value::Object(metadata));
    if !item.filename.is_empty() {
        out.insert("filename".into(), json!(item.filename));
    }
    Value::Object(out)
}

/// Whether a video is still being worked on.
pub(crate) fn is_processing(call: &Call, state: &State, now: Timestamp, number: usize) -> bool {
    let item = &state.items[number];
    let pause = i64::try_from(state.settings.video_processing_seconds).unwrap_or(i64::MAX);
    let young = now.duration_since(item.created_at).as_secs() < pause;
    item.is_video() && (young || call.faults.contains(&Action::VideoProcessing))
}

/// An album. `isWriteable` is there for the client's own ones; rclone refuses to upload without it.
pub(crate) fn album(call: &Call, state: &State, now: Timestamp, number: usize, caller: &Caller) -> Value {
    let album = &state.albums[number];
    let mut out = Map::new();
    out.insert("id".into(), json!(album.id));
    if !album.title.is_empty() {
        out.insert("title".into(), json!(album.title));
    }
    out.insert("productUrl".into(), json!(format!("https://photos.google.com/lr/album/{}", album.id)));
    if album.owner == caller.owner {
        out.insert("isWriteable".into(), json!(true));
    }
    let count = album.members.len();
    if count > 0 {
        out.insert("mediaItemsCount".into(), json!(count.to_string()));
    }
    if let Some(cover) = album.cover.or_else(|| album.items().next()) {
        let base = format!("{}/lr/{}", call.origin.media, base_url::mint(state, now, cover));
        out.insert("coverPhotoBaseUrl".into(), json!(base));
        out.insert("coverPhotoMediaItemId".into(), json!(state.items[cover].id));
    }
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_instants_look_as_proto3_writes_them() {
        assert_eq!(duration(0.02), "0.02s");
        assert_eq!(duration(1.0), "1s");
        assert_eq!(instant("2010-03-14T15:06:31.5Z".parse().unwrap()), "2010-03-14T15:06:31Z");
    }
}
