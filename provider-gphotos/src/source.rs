//! The way photos come home: listing, looking up, fetching.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use charon_provider::{
    Address, Body, Camera, Cursor, Error, Existence, Kind, Page, Part, Readiness, RemoteId, RemoteItem,
    ResumePoint, Selection, Source, WayToOriginals,
};
use jiff::{SignedDuration, Timestamp};

use crate::{
    api::{self, MediaItem, Status, VideoStatus},
    clip,
    expected::Expected,
    listing,
    storage::GPhotosStorage,
};

/// A base URL is good for 60 minutes; the last ten are left for a download that has begun, and for clocks that differ.
const ADDRESS_LIFETIME: SignedDuration = SignedDuration::from_mins(50);

#[async_trait]
impl Source for GPhotosStorage {
    async fn list(&self, wanted: &Selection, from: Option<&Cursor>) -> Result<Page, Error> {
        listing::page(&self.api, wanted, from).await
    }

    fn confirm_limit(&self) -> usize {
        api::LARGEST_LOOKUP
    }

    async fn confirm(&self, ids: &[RemoteId]) -> Result<Vec<Existence>, Error> {
        // Google refuses an empty list, and one that has an id twice.
        let mut seen = HashSet::new();
        let distinct: Vec<&str> = ids.iter().map(|id| id.0.as_str()).filter(|id| seen.insert(*id)).collect();
        if distinct.is_empty() {
            return Ok(Vec::new());
        }
        let results = match self.api.look_up(&distinct).await {
            Ok(results) => results,
            // One id may have spoiled the whole question, and the answer does not say which.
            Err(failure) if failure.is_a_mistake() => {
                return Ok(vec![Existence::Unknown(failure.error.cause); ids.len()]);
            }
            Err(failure) => return Err(failure.error),
        };
        let now = self.api.host().now();
        let in_order = results.len() == distinct.len();
        let mut found = HashMap::new();
        let mut refused = HashMap::new();
        for (at, result) in results.into_iter().enumerate() {
            match result.media_item.and_then(|item| remote_item(item, now)) {
                Some(item) => drop(found.insert(item.id.0.clone(), item)),
                // A refusal names no id: only its place tells which one it is about.
                None if in_order => drop(refused.insert(distinct[at], existence(&result.status))),
                None => {}
            }
        }
        let silent = || Existence::Unknown("Google's answer does not mention this item".to_owned());
        Ok(ids
            .iter()
            .map(|id| match found.get(&id.0) {
                Some(item) => Existence::Found(Box::new(item.clone())),
                None => refused.get(id.0.as_str()).cloned().unwrap_or_else(silent),
            })
            .collect())
    }

    async fn measure(&self, item: &RemoteItem) -> Result<Option<u64>, Error> {
        if self.originals.is_some() {
            // Google would say how large its copy is, and the original is what will come.
            return Ok(None);
        }
        let address = self.address_of(item)?;
        self.media.measure(address, expected(item, Part::Whole)).await
    }

    async fn open(&self, item: &RemoteItem, part: Part, from: Option<&ResumePoint>) -> Result<Body, Error> {
        if part == Part::Whole
            && let Some(body) = self.open_original(item).await?
        {
            return Ok(body);
        }
        let address = self.address_of(item)?;
        self.media.open(address, expected(item, part), from).await
    }

    async fn preview(&self, item: &RemoteItem, pixels: u32) -> Result<Body, Error> {
        let address = self.address_of(item)?;
        // Of a video, a frame without the sign that it can be played: what shows it has its own.
        self.media.preview(address, pixels, item.kind == Kind::Video).await
    }

    fn way_to_originals(&self) -> WayToOriginals {
        let Some(originals) = &self.originals else { return WayToOriginals::None };
        originals.resting_until().map_or(WayToOriginals::Open, WayToOriginals::Resting)
    }

    async fn open_original(&self, item: &RemoteItem) -> Result<Option<Body>, Error> {
        match &self.originals {
            Some(originals) => originals.open(item).await,
            None => Ok(None),
        }
    }

    fn decline_original(&self, item: &RemoteId) {
        if let Some(originals) = &self.originals {
            originals.decline(item);
        }
    }
}

impl GPhotosStorage {
    /// The base URL of an item, if it is still good.
    fn address_of<'a>(&self, item: &'a RemoteItem) -> Result<&'a str, Error> {
        let address =
            item.address.as_ref().ok_or_else(|| api::stale("Google did not say where the bytes are"))?;
        if address.valid_until <= self.api.host().now() {
            return Err(api::stale("the address of the bytes has expired"));
        }
        Ok(&address.url)
    }
}

fn expected(item: &RemoteItem, part: Part) -> Expected {
    match (part, item.kind) {
        (Part::Whole, Kind::Video) => Expected::Video,
        (Part::Whole, Kind::Photo) => Expected::photo(&item.mime_type),
        (Part::Clip, _) => Expected::Clip,
    }
}

/// What a refusal in a look-up says of the item. Only a plain "not found" is taken for one.
fn existence(status: &Status) -> Existence {
    let message = status.message.to_ascii_lowercase();
    match status.code.0 {
        5 => Existence::NotFound,
        3 if message.contains("invalid media item id") => Existence::NotFound,
        code => {
            let error = crate::error::item_status("look up a media item", code, &status.message);
            Existence::Unknown(error.cause)
        }
    }
}

/// The item in the contract's words; `None` for one without an id, which nobody could ask for again.
pub(crate) fn remote_item(item: MediaItem, now: Timestamp) -> Option<RemoteItem> {
    if item.id.is_empty() {
        tracing::warn!("Google listed an item without an id; it is passed over");
        return None;
    }
    let taken_at = item.media_metadata.creation_time.parse().ok();
    let mime_type = item.mime_type.to_ascii_lowercase();
    let video = item.media_metadata.video;
    let is_video = mime_type.starts_with("video/") || (video.is_some() && !mime_type.starts_with("image/"));
    let has_clip = !is_video && (video.is_some() || clip::is_in_the_name(&item.filename));
    let made_by = item.media_metadata.photo.map(|photo| (photo.camera_make, photo.camera_model));
    let made_by = made_by
        .or_else(|| video.as_ref().map(|video| (video.camera_make.clone(), video.camera_model.clone())));
    let readiness = match video.map(|video| video.status) {
        Some(VideoStatus::Processing) if is_video => Readiness::Processing,
        Some(VideoStatus::Failed) if is_video => Readiness::Failed,
        _ => Readiness::Ready,
    };
    let pixels = |side: Option<api::Int64>| side.and_then(|side| u32::try_from(side.0).ok());
    let address = (!item.base_url.is_empty())
        .then(|| now.checked_add(ADDRESS_LIFETIME).ok())
        .flatten()
        .map(|valid_until| Address { url: item.base_url, valid_until });
    Some(RemoteItem {
        id: RemoteId(item.id),
        file_name: item.filename,
        mime_type,
        kind: if is_video { Kind::Video } else { Kind::Photo },
        taken_at,
        width: pixels(item.media_metadata.width),
        height: pixels(item.media_metadata.height),
        size: None,
        has_clip,
        readiness,
        description: said(item.description),
        camera: made_by.and_then(|(make, model)| camera(make, model)),
        address,
    })
}

/// A text that says something.
fn said(text: String) -> Option<String> {
    (!text.trim().is_empty()).then_some(text)
}

fn camera(make: String, model: String) -> Option<Camera> {
    let camera = Camera { make: said(make), model: said(model) };
    (camera != Camera::default()).then_some(camera)
}

#[cfg(test)]
mod tests {
    use charon_provider::Camera;
    use serde_json::{Value, json};

    use super::remote_item;

    fn told(item: &Value) -> (Option<String>, Option<Camera>) {
        let item = serde_json::from_value(item.clone()).expect("an item");
        let item = remote_item(item, jiff::Timestamp::UNIX_EPOCH).expect("it has an id");
        (item.description, item.camera)
    }

    #[test]
    fn what_google_says_of_the_words_and_the_camera_is_told() {
        let camera = |make: Option<&str>, model: Option<&str>| {
            Some(Camera { make: make.map(Into::into), model: model.map(Into::into) })
        };
        for (more, expected) in [
            (json!({}), (None, None)),
            (json!({"description": "At the lake\n"}), (Some("At the lake\n".to_owned()), None)),
            (json!({"description": " ", "mediaMetadata": {"photo": {}}}), (None, None)),
            (
                json!({"mediaMetadata": {"photo": {"cameraMake": "SONY", "cameraModel": "DSC-W220", "isoEquivalent": 320}}}),
                (None, camera(Some("SONY"), Some("DSC-W220"))),
            ),
            (
                json!({"mimeType": "video/mp4", "mediaMetadata": {"video": {"cameraMake": "Google", "status": "READY"}}}),
                (None, camera(Some("Google"), None)),
            ),
            (json!({"mediaMetadata": {"photo": {"cameraMake": 7, "cameraModel": null}}}), (None, None)),
        ] {
            let mut item = json!({"id": "1"});
            item.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            assert_eq!(told(&item), expected, "{more}");
        }
    }
}
