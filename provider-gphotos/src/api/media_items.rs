//! `mediaItems`: listing, searching, looking up.

use charon_provider::Error;
use serde_json::{Map, json};

use super::{
    API, Api, Call, Failure,
    model::{ItemResult, MediaItem, list, next_page},
};
use crate::error::{self, Subject};

/// The most items that one page has.
pub(crate) const LARGEST_PAGE: usize = 100;
/// The most ids that one `mediaItems:batchGet` takes.
pub(crate) const LARGEST_LOOKUP: usize = 50;

/// One page of items, and where the next one is.
pub(crate) type ItemPage = (Vec<MediaItem>, Option<String>);

/// What is searched for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Search<'a> {
    /// What is in an album, archived or not.
    Album(&'a str),
    /// What is in the library.
    Library {
        /// Archived items too.
        archived: bool,
        /// Favourites alone.
        favourites: bool,
    },
}

/// A request for a page that is refused as wrong means another thing when it carries a token.
pub(super) fn page_subject(from: Option<&str>) -> Subject {
    if from.is_some() { Subject::NextPage } else { Subject::Library }
}

impl Api {
    /// `GET /v1/mediaItems`: everything that is not archived.
    pub(crate) async fn list_items(&self, size: usize, from: Option<&str>) -> Result<ItemPage, Error> {
        let mut url = self.url(&["mediaItems"]);
        let size = size.to_string();
        url.query_pairs_mut()
            .append_pair("pageSize", &size)
            .extend_pairs(from.map(|token| ("pageToken", token)));
        self.items(&Call {
            doing: "list media items",
            subject: page_subject(from),
            cost: API,
            url,
            build: &|client, url| client.get(url),
            progress: None,
        })
        .await
    }

    /// `POST /v1/mediaItems:search`. Google takes an album or filters, not both.
    pub(crate) async fn search(&self, wanted: Search<'_>, from: Option<&str>) -> Result<ItemPage, Error> {
        let mut body = json!({"pageSize": LARGEST_PAGE});
        match wanted {
            Search::Album(id) => body["albumId"] = id.into(),
            Search::Library { archived, favourites } => {
                let mut filters = Map::new();
                if archived {
                    filters.insert("includeArchivedMedia".into(), true.into());
                }
                if favourites {
                    filters.insert("featureFilter".into(), json!({"includedFeatures": ["FAVORITES"]}));
                }
                body["filters"] = filters.into();
            }
        }
        if let Some(token) = from {
            body["pageToken"] = token.into();
        }
        self.items(&Call {
            doing: "list media items",
            subject: page_subject(from),
            cost: API,
            url: self.url(&["mediaItems:search"]),
            build: &|client, url| client.post(url).json(&body),
            progress: None,
        })
        .await
    }

    async fn items(&self, call: &Call<'_>) -> Result<ItemPage, Error> {
        let mut fields = self.call_for_object(call).await?;
        let unreadable = |words| error::unreadable(call.doing, call.subject, words);
        let items = list(&mut fields, "mediaItems").map_err(unreadable)?;
        Ok((items, next_page(&mut fields).map_err(unreadable)?))
    }

    /// `GET /v1/mediaItems:batchGet`: at most [`LARGEST_LOOKUP`] ids, none of them twice.
    pub(crate) async fn look_up(&self, ids: &[&str]) -> Result<Vec<ItemResult>, Failure> {
        let mut url = self.url(&["mediaItems:batchGet"]);
        url.query_pairs_mut().extend_pairs(ids.iter().map(|id| ("mediaItemIds", id)));
        let call = Call {
            doing: "look up media items",
            subject: Subject::Library,
            cost: API,
            url,
            build: &|client, url| client.get(url),
            progress: None,
        };
        let mut fields = self.call_for_object(&call).await?;
        list(&mut fields, "mediaItemResults")
            .map_err(|words| error::unreadable(call.doing, call.subject, words).into())
    }
}
