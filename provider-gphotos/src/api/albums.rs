//! `albums`: listing, making, adding to.

use charon_provider::Error;
use serde_json::json;

use super::{
    API, Api, Call,
    media_items::page_subject,
    model::{AlbumResource, list, next_page},
};
use crate::error::{self, Subject};

/// The most albums that one page has.
pub(crate) const LARGEST_PAGE: usize = 50;
/// The most items that one `albums:batchAddMediaItems` takes.
pub(crate) const LARGEST_ADDITION: usize = 50;

impl Api {
    /// `GET /v1/albums`.
    pub(crate) async fn list_albums(
        &self,
        size: usize,
        from: Option<&str>,
    ) -> Result<(Vec<AlbumResource>, Option<String>), Error> {
        let mut url = self.url(&["albums"]);
        let size = size.to_string();
        url.query_pairs_mut()
            .append_pair("pageSize", &size)
            .extend_pairs(from.map(|token| ("pageToken", token)));
        let call = Call {
            doing: "list albums",
            subject: page_subject(from),
            cost: API,
            url,
            build: &|client, url| client.get(url),
            progress: None,
        };
        let mut fields = self.call_for_object(&call).await?;
        let unreadable = |words| error::unreadable(call.doing, call.subject, words);
        let albums = list(&mut fields, "albums").map_err(unreadable)?;
        Ok((albums, next_page(&mut fields).map_err(unreadable)?))
    }

    /// `POST /v1/albums`.
    pub(crate) async fn create_album(&self, title: &str) -> Result<AlbumResource, Error> {
        let body = json!({"album": {"title": title}});
        let call = Call {
            doing: "make an album",
            subject: Subject::NewAlbum,
            cost: API,
            url: self.url(&["albums"]),
            build: &|client, url| client.post(url).json(&body),
            progress: None,
        };
        let fields = self.call_for_object(&call).await?;
        let album: AlbumResource = serde_json::from_value(fields.into()).unwrap_or_default();
        if album.id.is_empty() {
            return Err(error::unreadable(
                call.doing,
                call.subject,
                "the answer does not say which album was made",
            ));
        }
        Ok(album)
    }

    /// `POST /v1/albums/{id}:batchAddMediaItems`: all of them or none.
    pub(crate) async fn add_to_album(&self, album: &str, items: &[&str]) -> Result<(), Error> {
        let body = json!({"mediaItemIds": items});
        let call = Call {
            doing: "add items to an album",
            subject: Subject::Album,
            cost: API,
            url: self.url(&["albums", &format!("{album}:batchAddMediaItems")]),
            build: &|client, url| client.post(url).json(&body),
            progress: None,
        };
        self.call(&call).await?;
        Ok(())
    }
}
