//! Items that miss something or say something strange: "some of these fields may be null or not included" (facts §2).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What is odd about an item in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Oddity {
    /// It has no name.
    NoFilename,
    /// It has no date.
    NoCreationTime,
    /// Its date is no date.
    UnreadableCreationTime,
    /// Its date is years ahead.
    FutureCreationTime,
    /// It has no metadata at all.
    NoMetadata,
    /// It has no type.
    NoMimeType,
    /// It has no base URL.
    NoBaseUrl,
}

impl Oddity {
    fn apply(self, item: &mut Value) {
        let Some(fields) = item.as_object_mut() else { return };
        let time = match self {
            Oddity::NoFilename => return drop(fields.remove("filename")),
            Oddity::NoMetadata => return drop(fields.remove("mediaMetadata")),
            Oddity::NoMimeType => return drop(fields.remove("mimeType")),
            Oddity::NoBaseUrl => return drop(fields.remove("baseUrl")),
            Oddity::NoCreationTime => None,
            Oddity::UnreadableCreationTime => Some("0000-00-00T00:00:00Z"),
            Oddity::FutureCreationTime => Some("2999-12-31T23:59:59Z"),
        };
        if let Some(metadata) = fields.get_mut("mediaMetadata").and_then(Value::as_object_mut) {
            metadata.remove("creationTime");
            metadata.extend(time.map(|time| ("creationTime".to_owned(), json!(time))));
        }
    }
}

/// Makes the items of an answer odd: those at `positions`, or all.
pub(crate) fn apply(answer: &mut Value, oddity: Oddity, positions: &[usize]) {
    if answer.get("mediaMetadata").is_some() {
        return oddity.apply(answer);
    }
    for list in ["mediaItems", "mediaItemResults", "newMediaItemResults"] {
        for (at, place) in
            answer.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten().enumerate()
        {
            if positions.is_empty() || positions.contains(&at) {
                if place.get("mediaItem").is_some() {
                    oddity.apply(&mut place["mediaItem"]);
                } else {
                    oddity.apply(place);
                }
            }
        }
    }
}
