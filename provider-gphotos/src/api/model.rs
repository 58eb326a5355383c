//! What the API's answers look like, read with tolerance.
//!
//! A field that is missing, null or of an unexpected type is as if it were absent; one that is not known is passed
//! over. A list that is no list, on the other hand, is an error: taken for empty, it would look like a library without
//! photos.

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Map, Value};

/// One photo or video, as the API describes it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct MediaItem {
    #[serde(deserialize_with = "tolerant")]
    pub(crate) id: String,
    #[serde(deserialize_with = "tolerant")]
    pub(crate) base_url: String,
    #[serde(deserialize_with = "tolerant")]
    pub(crate) mime_type: String,
    #[serde(deserialize_with = "tolerant")]
    pub(crate) filename: String,
    #[serde(deserialize_with = "tolerant")]
    pub(crate) description: String,
    #[serde(deserialize_with = "tolerant")]
    pub(crate) media_metadata: MediaMetadata,
}

/// What the API says of the picture itself.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct MediaMetadata {
    #[serde(deserialize_with = "tolerant")]
    pub(crate) creation_time: String,
    #[serde(deserialize_with = "tolerant")]
    pub(crate) width: Option<Int64>,
    #[serde(deserialize_with = "tolerant")]
    pub(crate) height: Option<Int64>,
    /// Present on photos.
    #[serde(deserialize_with = "tolerant")]
    pub(crate) photo: Option<PhotoMetadata>,
    /// Present on videos.
    #[serde(deserialize_with = "tolerant")]
    pub(crate) video: Option<VideoMetadata>,
}

/// What the API says of a photo.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct PhotoMetadata {
    #[serde(deserialize_with = "tolerant")]
    pub(crate) camera_make: String,
    #[serde(deserialize_with = "tolerant")]
    pub(crate) camera_model: String,
}

/// What the API says of a video.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct VideoMetadata {
    #[serde(deserialize_with = "tolerant")]
    pub(crate) camera_make: String,
    #[serde(deserialize_with = "tolerant")]
    pub(crate) camera_model: String,
    #[serde(deserialize_with = "tolerant")]
    pub(crate) status: VideoStatus,
}

/// How far Google is with a video.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum VideoStatus {
    Processing,
    Ready,
    Failed,
    #[default]
    #[serde(other)]
    Unspecified,
}

/// An album, as the API describes it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct AlbumResource {
    #[serde(deserialize_with = "tolerant")]
    pub(crate) id: String,
    #[serde(deserialize_with = "tolerant")]
    pub(crate) title: String,
    #[serde(deserialize_with = "tolerant")]
    pub(crate) is_writeable: bool,
    #[serde(deserialize_with = "tolerant")]
    pub(crate) media_items_count: Option<Int64>,
    #[serde(deserialize_with = "tolerant")]
    pub(crate) cover_photo_media_item_id: String,
}

/// A `google.rpc.Status`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Status {
    #[serde(deserialize_with = "tolerant")]
    pub(crate) code: Int64,
    #[serde(deserialize_with = "tolerant")]
    pub(crate) message: String,
}

/// One result of a batch that was looked up or made.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ItemResult {
    #[serde(deserialize_with = "tolerant")]
    pub(crate) upload_token: String,
    #[serde(deserialize_with = "tolerant")]
    pub(crate) status: Status,
    #[serde(deserialize_with = "tolerant")]
    pub(crate) media_item: Option<MediaItem>,
}

/// An integer of 64 bits, which proto3 JSON writes as a string, and other servers as a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Int64(pub(crate) i64);

impl<'de> Deserialize<'de> for Int64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = match Value::deserialize(deserializer)? {
            Value::String(text) => text.trim().parse().ok(),
            Value::Number(number) => number.as_i64(),
            _ => None,
        };
        number.map(Self).ok_or_else(|| serde::de::Error::custom("no integer"))
    }
}

/// Whatever does not fit is as if it were absent.
fn tolerant<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

/// The elements of a list in an answer; an absent list is an empty one.
///
/// # Errors
/// If there is something that is no list. Elements that are no objects become default ones, so that the others keep
/// their places.
pub(crate) fn list<T: DeserializeOwned + Default>(
    fields: &mut Map<String, Value>,
    name: &str,
) -> Result<Vec<T>, &'static str> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(elements)) => Ok(elements
            .into_iter()
            .map(|element| serde_json::from_value(element).unwrap_or_default())
            .collect()),
        Some(_) => Err("the answer has something in place of a list"),
    }
}

/// The token of the next page, if there is one.
///
/// # Errors
/// If there is something that is no token: the listing cannot be followed to its end.
pub(crate) fn next_page(fields: &mut Map<String, Value>) -> Result<Option<String>, &'static str> {
    match fields.remove("nextPageToken") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(token)) => Ok(Some(token).filter(|token| !token.is_empty())),
        Some(_) => Err("the answer has something in place of a page token"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::{Int64, ItemResult, MediaItem, VideoStatus, list, next_page};

    fn fields(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn integers_are_read_from_strings_and_from_numbers() {
        for width in [json!("4000"), json!(4000)] {
            let item: MediaItem = serde_json::from_value(json!({"mediaMetadata": {"width": width}})).unwrap();
            assert_eq!(item.media_metadata.width, Some(Int64(4000)));
        }
        for width in [json!("wide"), json!(1.5), json!(null), json!([1]), json!(1e300)] {
            let item: MediaItem = serde_json::from_value(json!({"mediaMetadata": {"width": width}})).unwrap();
            assert_eq!(item.media_metadata.width, None, "{width}");
        }
    }

    #[test]
    fn one_strange_field_does_not_spoil_an_item() {
        let item: MediaItem = serde_json::from_value(json!({
            "id": "a", "filename": 5, "baseUrl": null, "mimeType": ["x"], "novelty": {"deep": [1]},
            "mediaMetadata": {"video": {"status": "DREAMING", "fps": "many"}, "creationTime": {}}
        }))
        .unwrap();
        assert_eq!(item.id, "a");
        assert_eq!(item.filename, "");
        assert_eq!(item.media_metadata.video.unwrap().status, VideoStatus::Unspecified);
    }

    #[test]
    fn elements_that_are_no_objects_keep_the_places_of_the_others() {
        let mut answer = fields(&json!({"results": [5, {"uploadToken": "t"}, null]}));
        let results: Vec<ItemResult> = list(&mut answer, "results").unwrap();
        assert_eq!(
            results.iter().map(|result| result.upload_token.as_str()).collect::<Vec<_>>(),
            ["", "t", ""]
        );
    }

    #[test]
    fn something_in_place_of_a_list_or_a_page_token_is_no_empty_library() {
        assert!(list::<MediaItem>(&mut fields(&json!({"mediaItems": {}})), "mediaItems").is_err());
        assert!(next_page(&mut fields(&json!({"nextPageToken": 7}))).is_err());
        assert_eq!(next_page(&mut fields(&json!({"nextPageToken": ""}))), Ok(None));
        assert!(list::<MediaItem>(&mut Map::new(), "mediaItems").unwrap().is_empty());
    }
}
