//! Which photos and videos a backup plan wants.

use charon_schema::Mistake;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which photos and videos a backup plan wants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(inline)]
pub struct SelectionConfig {
    /// Leave out what was taken before this year.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        title = "Start year",
        range(min = 1826, max = 2100),
        extend("x-group" = "Selection", "x-order" = 1, "x-unit" = "year")
    )]
    pub start_year: Option<i16>,
    /// Whether archived photos and videos are wanted too.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(title = "Include archived", extend("x-group" = "Selection", "x-order" = 2))]
    pub include_archived: Option<bool>,
    /// `photo` or `video`, to have only these.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(title = "Kind", extend("x-group" = "Selection", "x-order" = 3))]
    pub kind: Option<MediaKind>,
    /// Whether only favourites are wanted.
    #[schemars(
        title = "Favourites",
        description = "Whether only favourites are wanted. Google filters them, and hides from filtered listings what is fresh \
                       or dated in the future: such photos come later. Cannot be joined with albums: Google tells one or the \
                       other.",
        extend("x-group" = "Selection", "x-order" = 4)
    )]
    pub favourites: bool,
    /// `every` for what is in any album, or the titles or ids of albums; without it the whole library.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(title = "Albums", extend("x-group" = "Selection", "x-order" = 5))]
    pub albums: Option<AlbumsConfig>,
}

impl SelectionConfig {
    /// What no schema can say.
    pub(super) fn judge(&self) -> Result<(), Mistake> {
        let mistake = |field: &str, reason: &str| Mistake {
            pointer: format!("/selection/{field}"),
            reason: reason.to_owned(),
        };
        if self.favourites && self.albums.is_some() {
            let reason = "cannot be joined with albums: Google tells one or the other; leave one of them out";
            return Err(mistake("favourites", reason));
        }
        match &self.albums {
            Some(AlbumsConfig::These(names)) if names.is_empty() => {
                Err(mistake("albums", "names no album; leave it out for the whole library"))
            }
            Some(AlbumsConfig::These(names)) if names.iter().any(|name| name.trim().is_empty()) => {
                Err(mistake("albums", "holds a blank name; give the title or the id of an album"))
            }
            _ => Ok(()),
        }
    }

    /// What it is in words, as `favourite photos in any album, from 2019 on`.
    pub fn in_words(&self) -> String {
        let kind = match self.kind {
            Some(MediaKind::Photo) => "photos",
            Some(MediaKind::Video) => "videos",
            None => "photos and videos",
        };
        let mut words = if self.favourites { format!("favourite {kind}") } else { format!("all {kind}") };
        match &self.albums {
            Some(AlbumsConfig::Every(_)) => words += " in any album",
            Some(AlbumsConfig::These(albums)) => words += &format!(" in {}", albums.join(", ")),
            None => {}
        }
        if let Some(year) = self.start_year {
            words += &format!(", from {year} on");
        }
        match self.include_archived {
            Some(true) => words += ", archived ones too",
            Some(false) => words += ", no archived ones",
            None => {}
        }
        words
    }
}

/// Photos or videos.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum MediaKind {
    /// Photos alone.
    Photo,
    /// Videos alone.
    Video,
}

/// Which albums a backup plan wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum AlbumsConfig {
    /// What is in any album.
    Every(Every),
    /// What is in one of these: titles, or ids as `storage albums` lists them.
    These(Vec<String>),
}

/// The word `every`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Every {
    /// All albums.
    Every,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::SelectionConfig;

    #[test]
    fn a_selection_is_told_in_words() {
        for (wanted, words) in [
            (json!({}), "all photos and videos"),
            (json!({"kind": "photo", "favourites": true}), "favourite photos"),
            (
                json!({"albums": "every", "include_archived": false}),
                "all photos and videos in any album, no archived ones",
            ),
            (
                json!({"albums": ["A", "B"], "start_year": 2019}),
                "all photos and videos in A, B, from 2019 on",
            ),
            (json!({"kind": "video", "include_archived": true}), "all videos, archived ones too"),
        ] {
            let selection: SelectionConfig = serde_json::from_value(wanted).expect("a selection");
            assert_eq!(selection.in_words(), words);
        }
    }
}
